/* One struct per request under way. The exchange outlives it: it is answered exactly once, in
 * `finished`, whatever the script did. */
#include "base/mem.h"
#include "core/inbox.h"
#include "net/card_door.h"
#include "net/problem.h"
#include "payment/payment_settle.h"
#include "payment/payment_watch.h"
#include "script/bind_request.h"
#include "script/dispatch_private.h"
#include "script/manifest.h"
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
    struct runtime *runtime;
    struct loop *loop;
    const char *entry[4];
    struct reply reply;
    bool caged;
    struct callback callback;
    bool troubled; /* on_trouble is what runs */
    bool has_refused;
    struct {
        enum problem_code code; /* PROBLEM_NONE: `run` is what runs, else `refused` */
        char detail[240], param[CARD_PARAM_SIZE];
    } refused;
    char account[ACCOUNT_NAME_SIZE];
    struct param params[]; /* and their bytes behind them */
};

enum {
    CALLBACK_MS = 30000, /* what providers wait at most, from their first byte to our answer */
    REFUSED_LINE_MS = 10000
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

/* What the engine has to say, for a route that says it in the shape of its own clients. */
static int push_refused(lua_State *L, void *data) {
    const struct route_run *run = data;
    request_push(L, &run->context);
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, problem_status(run->refused.code));
    lua_setfield(L, -2, "status");
    lua_pushstring(L, problem_name(run->refused.code));
    lua_setfield(L, -2, "code");
    lua_pushstring(L, run->refused.detail);
    lua_setfield(L, -2, "detail");
    if (run->refused.param[0] != '\0') {
        lua_pushstring(L, run->refused.param);
        lua_setfield(L, -2, "param");
    }
    return 2;
}

static int take(lua_State *L, int n, void *data) {
    struct route_run *run = data;
    reply_take(L, n, &run->reply);
    return 0;
}

static void answer_problem(struct http_exchange *x, enum problem_code code, const char *detail) {
    http_problem(x, (struct problem){.code = code, .detail = str_of(detail)}, NULL);
}

static void run_free(struct route_run *run) {
    reply_free(&run->reply);
    found_free(run->callback.found);
    version_drop(run->version);
    mem_free(run);
}

static void reply_as_said(struct route_run *run, int status, struct str body) {
    http_reply(run->exchange, status, run->reply.headers, run->reply.header_count, body);
}

/* ---- a provider's call: what was booked must not sound like a failure, and the other way round */

static void answer_kept(const struct commit_result *result, void *data) {
    (void)data;
    if (result->err != 0)
        log_warn("callback_answer_not_kept", L_TEXT("error", err_text(result->err)));
}

/* The bytes that were answered to this body before; false: none. */
static bool answer_again(struct route_run *run) {
    struct inbox_list list;
    struct inbox_row row;
    if (inbox_find(run->context.services->core, run->context.account, run->exchange->body, &list))
        return false;
    bool there = list.count != 0 && inbox_row(&list, 0, &row) == 0 && row.status != 0;
    if (there) reply_as_said(run, row.status, row.answer);
    inbox_list_free(&list);
    return there;
}

/* Kept after the answer went out: it is for a repeat, nobody waits for it. */
static void keep_answer(struct route_run *run) {
    const struct core *core = run->context.services->core;
    struct inbox_list list;
    struct inbox_row row;
    struct commit *c = NULL;
    int64_t id = run->callback.inbox;
    if (id == 0) { /* it came before, and was not answered */
        if (inbox_find(core, run->context.account, run->exchange->body, &list) != 0) return;
        if (inbox_row(&list, 0, &row) == 0 && row.status == 0) id = row.id;
        inbox_list_free(&list);
    }
    if (id == 0 || commit_new(&c) != 0) return;
    inbox_add_answer(core, c, id, run->reply.status, buf_str(&run->reply.body));
    store_submit(core->store, c, LANE_RESULT, run->loop, answer_kept, NULL);
}

static int push_trouble(lua_State *L, void *data) {
    (void)data;
    script_push_ctx(L);
    lua_pushliteral(L, "the answer was lost after the money was booked");
    return 2;
}

static void finished(const struct call_result *result, void *data);

static void booked_and_failed(struct route_run *run) {
    reply_free(&run->reply);
    run->entry[0] = "on_trouble";
    run->entry[1] = NULL;
    struct call call = {.version = run->version,
                        .entry = run->entry,
                        .data = run,
                        .push = push_trouble,
                        .take = take,
                        .done = finished};
    bool has = !run->troubled && manifest_has(run->version->manifest, "on_trouble");
    run->troubled = true;
    if (has && script_call(run->runtime, &call, NULL) == 0) return;
    answer_problem(run->exchange, PROBLEM_UNAVAILABLE, "it is booked; try again for the answer");
    run_free(run);
}

/* ---- the end ---- */

static void set_refused(struct route_run *run, enum problem_code code, struct str detail,
                        struct str param) {
    run->refused.code = code;
    snprintf(run->refused.detail, sizeof run->refused.detail, "%.*s", STR_FMT(detail));
    snprintf(run->refused.param, sizeof run->refused.param, "%.*s", STR_FMT(param));
}

static int call_refused(struct route_run *run) {
    reply_free(&run->reply);
    run->entry[2] = "refused";
    struct call call = {.version = run->version,
                        .entry = run->entry,
                        .data = run,
                        .push = push_refused,
                        .take = take,
                        .done = finished};
    return script_call(run->runtime, &call, NULL);
}

/* True: it is over; else the route's own `refused` has been asked how to say it. */
static bool answer_failed(struct route_run *run, const struct call_result *result) {
    bool stopping = result->outcome == CALL_CANCELLED || run->context.unavailable;
    enum problem_code code = stopping ? PROBLEM_UNAVAILABLE : PROBLEM_INTERNAL_ERROR;
    struct str detail =
        stopping ? STR("try again") : STR("the request failed here; its id is in our log");
    bool first = run->refused.code == PROBLEM_NONE;
    if (first) set_refused(run, code, detail, STR(""));
    if (first && run->has_refused && call_refused(run) == 0) return false;
    http_problem(run->exchange,
                 (struct problem){.code = run->refused.code,
                                  .detail = str_of(run->refused.detail),
                                  .param = str_of(run->refused.param)},
                 NULL);
    return true;
}

static void answer_returned(struct route_run *run) {
    const struct callback *c = &run->callback;
    int status = run->reply.status;
    if (run->reply.watch[0] != '\0') {
        payment_watch_open(run->context.services->watch, run->exchange, str_of(run->reply.watch));
    } else if (c->orphan && !c->booked && status < 300) {
        answer_problem(run->exchange, PROBLEM_UNAVAILABLE, "this is not known here yet");
    } else if (!c->duplicate || !answer_again(run)) {
        if (c->booked && status < 300) keep_answer(run); /* "not yet" is no answer to a repeat */
        reply_as_said(run, status, buf_str(&run->reply.body));
    }
}

/* A store that takes nothing more refuses every request: now and then a line says so, and of how many. */
static void log_refused(const struct route_run *run, const char *error) {
    static _Atomic uint64_t next_ms, refused;
    uint64_t now = clock_mono_ms(run->context.services->clock), next = atomic_load(&next_ms);
    atomic_fetch_add(&refused, 1);
    if (now < next || !atomic_compare_exchange_strong(&next_ms, &next, now + REFUSED_LINE_MS))
        return;
    log_error("requests_refused", L_INT("requests", (int64_t)atomic_exchange(&refused, 0)),
              L_TEXT("script", run->version->path), L_TEXT("error", error));
}

/* Anybody can send rubbish here, so a line stands for all that came to this script since the one
 * before; a key that was mistyped is found by the first. */
static void log_unverified(const struct route_run *run, const struct call_result *result) {
    struct version *v = run->version;
    const struct clock *clock = run->context.services->clock;
    uint64_t now = (uint64_t)(clock_mono_ms(clock) + atomic_load(&clock->offset_ms));
    uint64_t next = atomic_load(&v->unverified_line_ms);
    atomic_fetch_add(&v->unverified, 1);
    if (now < next ||
        !atomic_compare_exchange_strong(&v->unverified_line_ms, &next, now + REFUSED_LINE_MS))
        return;
    struct str why = result->text == NULL ? STR("not verified") : str_of(result->text), trace;
    (void)str_cut(why, '\n', &why, &trace);
    log_warn("callback_refused", L_TEXT("channel", v->name), L_STR("account", run->context.account),
             L_STR("path", run->context.path),
             L_INT("status", problem_status(PROBLEM_UNAUTHORIZED)),
             L_TEXT("request", run->exchange->request_id),
             L_INT("requests", (int64_t)atomic_exchange(&v->unverified, 0)), L_STR("error", why));
}

static void finished(const struct call_result *result, void *data) {
    struct route_run *run = data;
    struct http_exchange *x = run->exchange;
    bool good = result->outcome == CALL_RETURNED;
    dispatch_count(run->version, result);
    if (!good && run->context.unavailable) {
        log_refused(run, result->text);
    } else if (!good && !run->context.unverified) {
        char script[320];
        snprintf(script, sizeof script, "%s@%.12s", run->version->path, run->version->id);
        log_error("route_failed", L_TEXT("request", x->request_id), L_TEXT("script", script),
                  L_STR("method", x->method), L_STR("path", run->context.path),
                  L_TEXT("error", result->text == NULL ? "cancelled" : result->text));
    }
    bool failed = !good || (run->reply.status >= 400 && run->reply.status < 500);
    if (run->context.unverified) log_unverified(run, result);
    if (run->callback.booked && failed && (!run->troubled || !good)) {
        booked_and_failed(run);
        return;
    }
    if (run->context.unverified) /* however it ended */
        answer_problem(x, PROBLEM_UNAUTHORIZED, "the request is not verified");
    else if (good)
        answer_returned(run);
    else if (!answer_failed(run, result))
        return;
    run_free(run);
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

/* Whoever calls back counts from the first byte that he sent: so do we. False: his time is over. */
static bool time_left(const struct route_run *run, uint32_t *ms) {
    uint64_t now = clock_mono_ns(run->context.services->clock);
    uint64_t whole = *ms == 0 ? CALLBACK_MS : *ms, began = run->exchange->first_byte_ns;
    uint64_t gone = began == 0 || now < began ? 0 : (now - began) / 1000000u;
    if (gone >= whole) return false;
    *ms = (uint32_t)(whole - gone);
    return true;
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
    snprintf(run->account, sizeof run->account, "%.*s", STR_FMT(route->account));
    call_context_init(c, route->services, route->version, str_of(run->account));
    c->exchange = x;
    c->path = route->path;
    c->params = run->params;
    c->param_count = route->param_count;
    if (route->caller != NULL) {
        memcpy(c->merchant, route->caller->merchant, sizeof c->merchant);
        memcpy(c->key, route->caller->key, sizeof c->key);
    }
    run->runtime = route->runtime;
    run->loop = runtime_loop(route->runtime);
    if (route->version->kind == KIND_CHANNEL) c->callback = &run->callback;
    if (route->key == NULL) {
        run->entry[0] = "notify";
    } else {
        run->entry[0] = "routes";
        run->entry[1] = route->key;
        run->entry[2] = route->has_run ? "run" : NULL;
    }
    uint32_t left = route->deadline_ms;
    if (c->callback != NULL && !time_left(run, &left)) {
        answer_problem(x, PROBLEM_UNAVAILABLE, "this came too slowly; try again");
        run_free(run);
        return;
    }
    struct call call = {.version = route->version,
                        .entry = run->entry,
                        .deadline_ms = left,
                        .data = run,
                        .push = push,
                        .take = take,
                        .done = finished};
    int err;
    run->has_refused = route->has_refused;
    if (route->refused != NULL) {
        set_refused(run, route->refused->code, route->refused->detail, route->refused->param);
        err = call_refused(run);
    } else {
        err = script_call(route->runtime, &call, NULL);
    }
    if (err != 0)
        finished(&(struct call_result){.outcome = CALL_CANCELLED, .text = err_text(err)}, run);
}
