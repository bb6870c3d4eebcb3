/* One struct per request under way. The exchange outlives it: it is answered exactly once, in
 * `finished`, whatever the script did. */
#include "base/mem.h"
#include "net/problem.h"
#include "script/bind_request.h"
#include "script/dispatch_private.h"
#include "script/reply.h"
#include "sys/log.h"
#include "sys/metrics.h"

#include <stdio.h>

struct metric script_calls = {.name = "luwak_script_calls_total",
                              .help = "Calls of scripts by how they ended",
                              .type = METRIC_COUNTER,
                              .labels = {"script", "outcome"}};
struct metric script_cpu = {.name = "luwak_script_cpu_seconds",
                            .help = "CPU time of script calls",
                            .type = METRIC_HISTOGRAM,
                            .labels = {"script"}};

struct route_run {
    struct call_context context;
    struct http_exchange *exchange;
    struct version *version;
    const char *entry[4];
    struct reply reply;
    bool caged;
    struct param params[]; /* and their bytes behind them */
};

static _Atomic uint64_t serials;

uint64_t dispatch_serial(void) {
    return atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed) + 1;
}

void dispatch_count(const struct version *v, const struct call_result *result) {
    static const char *const OUTCOMES[] = {"ok", "error", "budget", "cancelled"};
    metric_add(&script_calls, 1, LABELS(v->path, OUTCOMES[result->outcome]));
    metric_observe_us(&script_cpu, result->cpu_ns / 1000, LABELS(v->path));
}

static int push(lua_State *L, void *data) {
    struct route_run *run = data;
    if (!run->caged) {
        request_push(L, &run->context);
        return 1;
    }
    script_push_ctx(L); /* caged scripts are given their context first */
    request_push(L, &run->context);
    return 2;
}

static int take(lua_State *L, int n, void *data) {
    struct route_run *run = data;
    reply_take(L, n, &run->reply);
    return 0;
}

static void answer_problem(struct http_exchange *x, enum problem_code code, const char *detail) {
    struct buf body = {0};
    problem_write(&body, &(struct problem){.code = code,
                                           .detail = str_of(detail),
                                           .request_id = str_of(x->request_id)});
    const struct http_header type = {STR("Content-Type"), STR("application/problem+json")};
    http_reply(x, problem_status(code), &type, 1, buf_str(&body));
    buf_free(&body);
}

static void finished(const struct call_result *result, void *data) {
    struct route_run *run = data;
    struct http_exchange *x = run->exchange;
    dispatch_count(run->version, result);
    if (run->context.unverified) { /* however it ended */
        answer_problem(x, PROBLEM_UNAUTHORIZED, "the request is not verified");
    } else if (result->outcome == CALL_RETURNED) {
        http_reply(x, run->reply.status, run->reply.headers, run->reply.header_count,
                   buf_str(&run->reply.body));
    } else {
        char script[320];
        snprintf(script, sizeof script, "%s@%.12s", run->version->path, run->version->id);
        log_error("route_failed", L_TEXT("request", x->request_id), L_TEXT("script", script),
                  L_STR("method", x->method), L_STR("path", run->context.path),
                  L_TEXT("error", result->text == NULL ? "cancelled" : result->text));
        bool stopping = result->outcome == CALL_CANCELLED;
        answer_problem(x, stopping ? PROBLEM_UNAVAILABLE : PROBLEM_INTERNAL_ERROR,
                       stopping ? "try again" : "the request failed here; its id is in our log");
    }
    reply_free(&run->reply);
    version_drop(run->version);
    mem_free(run);
}

/* The router and its match go with the next script set, or with the caller: everything is copied.
 */
static void keep_params(struct route_run *run, const struct route_call *route) {
    char *at = (char *)&run->params[route->param_count];
    for (size_t i = 0; i < route->param_count; i++) {
        const struct param *p = &route->params[i];
        run->params[i] = (struct param){{at, p->name.n}, {at + p->name.n, p->value.n}};
        memcpy(at, p->name.p, p->name.n);
        memcpy(at + p->name.n, p->value.p, p->value.n);
        at += p->name.n + p->value.n;
    }
}

void dispatch_route(const struct route_call *route, struct http_exchange *x) {
    size_t bytes = 0;
    for (size_t i = 0; i < route->param_count; i++)
        bytes += sizeof(struct param) + route->params[i].name.n + route->params[i].value.n;
    struct route_run *run = mem_zalloc(sizeof *run + bytes);
    if (run == NULL) {
        answer_problem(x, PROBLEM_UNAVAILABLE, "out of memory");
        return;
    }
    run->exchange = x;
    run->version = version_keep(route->version);
    run->caged = route->caged;
    keep_params(run, route);
    struct call_context *c = &run->context;
    call_context_init(c, route->services, route->version, STR(""));
    c->exchange = x;
    c->path = route->path;
    c->params = run->params;
    c->param_count = route->param_count;
    if (route->caller != NULL) {
        memcpy(c->merchant, route->caller->merchant, sizeof c->merchant);
        c->direct = route->caller->direct;
    }
    run->entry[0] = "routes";
    run->entry[1] = route->key;
    run->entry[2] = route->has_run ? "run" : NULL;
    struct call call = {.version = route->version,
                        .entry = run->entry,
                        .deadline_ms = route->deadline_ms,
                        .data = run,
                        .push = push,
                        .take = take,
                        .done = finished};
    int err = script_call(route->runtime, &call, NULL);
    if (err != 0)
        finished(&(struct call_result){.outcome = CALL_CANCELLED, .text = err_text(err)}, run);
}
