/* Requests in: which script, or which of the engine's own pages, answers. One router per script
 * set; simulators have one each, below /sandbox/PROVIDER/, in simulated mode only. */
#include "base/mem.h"
#include "net/card_door.h"
#include "net/problem.h"
#include "script/dispatch.h"
#include "script/engine_paths.h"
#include "serve/admin.h"
#include "serve/merchant_auth.h"
#include "serve/worker.h"
#include "sys/log.h"

struct simulator {
    const struct version *version;
    struct router *router;
};

struct worker_routes {
    struct router *router;
    struct route_target *targets; /* of `router`, one per route of the set */
    struct simulator *simulators;
    size_t simulator_count;
};

struct route_target {
    struct version *version;
    const struct manifest_route *route;
};

/* ---- building ---- */

static int simulator_new(struct simulator *s, const struct version *v, struct why *why) {
    const struct manifest *m = v->manifest;
    struct route *routes = mem_array(m->routes.count + 1, sizeof *routes);
    if (routes == NULL) return E_NOMEM;
    for (size_t i = 0; i < m->routes.count; i++)
        routes[i] = (struct route){.method = str_of(m->routes.at[i].method),
                                   .pattern = str_of(m->routes.at[i].path),
                                   .target = &m->routes.at[i]};
    s->version = v;
    int err = router_new(&s->router, routes, m->routes.count, why);
    mem_free(routes);
    return err;
}

static int add_simulators(struct worker_routes *r, const struct script_set *set, struct why *why) {
    r->simulators = mem_array(set->count + 1, sizeof *r->simulators);
    if (r->simulators == NULL) return E_NOMEM;
    for (size_t i = 0; i < set->count; i++) {
        const struct script_entry *e = &set->entries[i];
        if (e->version->kind != KIND_SANDBOX || e->deleted) continue;
        int err = simulator_new(&r->simulators[r->simulator_count], e->version, why);
        if (err != 0) return err;
        r->simulator_count++;
    }
    return 0;
}

int worker_routes_new(struct worker_routes **out, const struct script_set *set, bool simulated,
                      struct why *why) {
    struct worker_routes *r = mem_zalloc(sizeof *r);
    struct route *routes = mem_array(set->route_count + 1, sizeof *routes);
    int err = E_NOMEM;
    if (r == NULL || routes == NULL) goto out;
    r->targets = mem_array(set->route_count + 1, sizeof *r->targets);
    if (r->targets == NULL) goto out;
    for (size_t i = 0; i < set->route_count; i++) {
        const struct script_route *route = &set->routes[i];
        r->targets[i] = (struct route_target){(struct version *)route->version, route->route};
        routes[i] = (struct route){.method = str_of(route->route->method),
                                   .pattern = str_of(route->route->path),
                                   .target = &r->targets[i]};
    }
    if ((err = router_new(&r->router, routes, set->route_count, why)) != 0) goto out;
    if (simulated && (err = add_simulators(r, set, why)) != 0) goto out;
    *out = r;
    r = NULL;
out:
    mem_free(routes);
    worker_routes_delete(r);
    return err;
}

void worker_routes_delete(struct worker_routes *r) {
    if (r == NULL) return;
    for (size_t i = 0; i < r->simulator_count; i++)
        router_delete(r->simulators[i].router);
    mem_free(r->simulators);
    if (r->router != NULL) router_delete(r->router);
    mem_free(r->targets);
    mem_free(r);
}

/* ---- answering ---- */

void admin_problem(struct http_exchange *x, enum problem_code code, struct str detail,
                   const struct http_header *more) {
    http_problem(x, (struct problem){.code = code, .detail = detail}, more);
}

static void no_route(struct http_exchange *x, enum route_verdict verdict, const char *allow) {
    struct http_header header = {STR("Allow"), str_of(allow)};
    switch (verdict) {
    case ROUTE_OPTIONS: http_reply(x, 204, &header, 1, STR("")); break;
    case ROUTE_NO_METHOD:
        admin_problem(x, PROBLEM_METHOD_NOT_ALLOWED, STR("this path does not take that method"),
                      &header);
        break;
    case ROUTE_BAD:
        admin_problem(x, PROBLEM_INVALID_REQUEST, STR("the path is malformed"), NULL);
        break;
    default: admin_problem(x, PROBLEM_NOT_FOUND, STR("there is nothing at this path"), NULL);
    }
}

/* What stands against it, if anything does. *caller is to be freed either way. */
static struct problem let_in(struct worker *w, struct http_exchange *x,
                             const struct manifest_route *route, struct caller *caller) {
    enum problem_code code = PROBLEM_UNAUTHORIZED;
    const char *detail = "say who you are: there is no valid key here";
    if (route->auth == AUTH_NONE || (route->auth == AUTH_SIMULATED && w->engine->simulated))
        return (struct problem){0};
    if (route->auth == AUTH_SIMULATED) {
        code = PROBLEM_NOT_FOUND;
        detail = "there is nothing at this path";
    }
    if (route->auth == AUTH_MERCHANT)
        code = merchant_auth(&w->engine->core, w->engine->limiter, x, caller, &detail);
    return (struct problem){.code = code, .detail = str_of(detail)};
}

/* The merchant API is JSON; who names no type at all is believed to mean it. Other doors have other
 * shapes, and see to them. */
static bool wrong_type(const struct http_exchange *x, struct str path) {
    struct str type = http_header(x, "content-type"), rest;
    if (x->body.n == 0 || type.n == 0 || !str_starts(path, STR("/v1/"))) return false;
    if (!str_cut(type, ';', &type, &rest)) rest = STR("");
    type = str_trim(type);
    return !str_eq_nocase(type, STR("application/json"));
}

/* What no route of ours is asked. Channels and simulators are called by providers, or in their
 * place: they see what came, and what is kept of it is masked. `param` is the problem's. */
static struct problem at_the_door(struct http_exchange *x, const struct version *version,
                                  const struct manifest_route *route,
                                  const struct route_match *match, struct str path,
                                  char param[CARD_PARAM_SIZE]) {
    if ((version->kind & (KIND_API | KIND_PAGE)) == 0) return (struct problem){0};
    if (version->kind == KIND_API && wrong_type(x, path))
        return (struct problem){.code = PROBLEM_UNSUPPORTED_MEDIA_TYPE,
                                .detail = STR("send application/json")};
    int err = route->cards ? 0 : card_door_check(x, match, param);
    if (err == E_DENIED)
        return (struct problem){.code = PROBLEM_INVALID_REQUEST,
                                .detail = STR("this looks like a card number; card numbers are "
                                              "not taken here"),
                                .param = str_of(param)};
    if (err != 0)
        return (struct problem){.code = PROBLEM_UNAVAILABLE, .detail = STR("out of memory")};
    return (struct problem){0};
}

static void call_route(struct worker *w, struct http_exchange *x, struct version *version,
                       const struct manifest_route *route, const struct route_match *match,
                       struct str path) {
    struct caller caller = {0};
    char param[CARD_PARAM_SIZE];
    struct problem no = let_in(w, x, route, &caller);
    if (no.code == PROBLEM_NONE) no = at_the_door(x, version, route, match, path, param);
    if (no.code != PROBLEM_NONE && !route->has_refused) {
        http_problem(x, no, NULL);
        caller_free(&caller);
        return;
    }
    struct param params[ROUTE_PARAMS_MAX];
    for (size_t i = 0; i < match->param_count; i++)
        params[i] = (struct param){match->params[i].name, match->params[i].value};
    bool caged = (version->kind & KINDS_CAGED) != 0;
    dispatch_route(&(struct route_call){.runtime = w->runtime,
                                        .services = &w->services,
                                        .version = version,
                                        .key = route->key,
                                        .has_run = route->has_run,
                                        .path = path,
                                        .params = params,
                                        .param_count = match->param_count,
                                        .caged = caged,
                                        .caller = &caller,
                                        .deadline_ms = (uint32_t)route->timeout_ms,
                                        .has_refused = route->has_refused,
                                        .refused = no.code == PROBLEM_NONE ? NULL : &no},
                   x);
    caller_free(&caller);
}

/* ---- callbacks ---- */

#define CALLBACKS STR("/callbacks/")
#define WEBHOOK   STR("/api/payment/webhook") /* the same for Midtrans, where it was told this path */

/* How well a channel fits a name that was called; 0: not at all. A provider goes before a file that has
 * its name by chance, and a channel that is there before one that is gone, which serves what is open. */
static int listens(const struct script_entry *e, struct str name) {
    const struct version *v = e->version;
    if (v->kind != KIND_CHANNEL || !manifest_has(v->manifest, "notify")) return 0;
    if (str_eq(str_of(v->manifest->provider), name)) return e->deleted ? 3 : 4;
    if (str_eq(str_of(v->name), name)) return e->deleted ? 1 : 2;
    return 0;
}

/* "/callbacks/midtrans/x": the provider's first channel that listens, or the channel of that name: the
 * attempt is found by its reference, whoever hears of it. */
static struct version *find_listener(const struct worker *w, struct str path) {
    struct str name, rest;
    if (str_starts(path, WEBHOOK) &&
        (path.n == WEBHOOK.n || str_eq(str_sub(path, WEBHOOK.n, path.n), STR("/"))))
        name = STR("midtrans");
    else if (str_starts(path, CALLBACKS))
        (void)str_cut(str_sub(path, CALLBACKS.n, path.n), '/', &name, &rest);
    else
        return NULL;
    struct version *best = NULL;
    int fits = 0;
    for (size_t i = 0; w->set != NULL && i < w->set->count; i++) {
        int more = listens(&w->set->entries[i], name);
        if (more <= fits) continue;
        fits = more;
        best = w->set->entries[i].version;
    }
    return best;
}

/* "/callbacks/midtrans/mer_x": of that merchant's own account, whose keys verify it; every other path
 * is the shared account's. An error: it cannot be told now. */
static int find_account(const struct worker *w, const struct version *listener, struct str path,
                        char out[ACCOUNT_NAME_SIZE]) {
    struct str name, merchant, more;
    out[0] = '\0';
    if (!str_starts(path, CALLBACKS) ||
        !str_cut(str_sub(path, CALLBACKS.n, path.n), '/', &name, &merchant))
        return 0;
    (void)str_cut(merchant, '/', &merchant, &more);
    if (!str_starts(merchant, STR("mer_"))) return 0;
    return account_choose(&w->engine->core, str_of(listener->manifest->provider), merchant,
                          str_of(w->services.environment), out);
}

static bool callback_handle(struct worker *w, struct http_exchange *x) {
    struct version *listener = find_listener(w, x->path);
    if (listener == NULL) return false;
    if (!str_eq(x->method, STR("POST"))) {
        struct http_header allow = {STR("Allow"), STR("POST")};
        admin_problem(x, PROBLEM_METHOD_NOT_ALLOWED, STR("callbacks are posted"), &allow);
        return true;
    }
    char account[ACCOUNT_NAME_SIZE];
    if (find_account(w, listener, x->path, account) != 0) {
        admin_problem(x, PROBLEM_UNAVAILABLE, STR("try again"), NULL);
        return true;
    }
    dispatch_route(&(struct route_call){.runtime = w->runtime,
                                        .services = &w->services,
                                        .version = listener,
                                        .path = x->path,
                                        .account = str_of(account),
                                        .caged = true},
                   x);
    return true;
}

#define SANDBOX STR(ENGINE_SANDBOX)

/* "/sandbox/demo/v1/charges" -> its simulator and "/v1/charges". */
static const struct simulator *find_simulator(const struct worker *w, struct str path,
                                              struct str *rest) {
    struct str tail = str_sub(path, SANDBOX.n, path.n), name, after;
    (void)str_cut(tail, '/', &name, &after);
    *rest = (struct str){name.p + name.n, tail.n - name.n};
    for (size_t i = 0; i < w->routes->simulator_count; i++) {
        const struct simulator *s = &w->routes->simulators[i];
        if (str_eq(str_of(s->version->name), name)) return s;
    }
    return NULL;
}

/* A page's name without its slash: where that is. */
static void add_slash(struct http_exchange *x) {
    struct buf to = {0};
    buf_addf(&to, "%.*s/", STR_FMT(x->path));
    const struct http_header location = {STR("Location"), buf_str(&to)};
    http_reply(x, to.err == 0 ? 308 : 503, &location, to.err == 0, STR(""));
    buf_free(&to);
}

/* What lies below /sandbox/: nothing at all outside of simulated mode. */
static void sandbox_handle(struct worker *w, struct http_exchange *x) {
    struct str path = STR("");
    struct route_match match;
    match.allow[0] = '\0';
    const struct simulator *s = w->engine->simulated ? find_simulator(w, x->path, &path) : NULL;
    enum route_verdict verdict = ROUTE_NO_PATH;
    if (s != NULL && path.n == 0) {
        add_slash(x);
        return;
    }
    if (s != NULL) verdict = router_find(s->router, x->method, path, &match);
    if (verdict == ROUTE_FOUND)
        call_route(w, x, (struct version *)s->version, match.target, &match, path);
    else
        no_route(x, verdict, match.allow);
}

void worker_handle(struct http_exchange *x, void *data) {
    struct worker *w = data;
    registry_hear(&w->listener);
    if (admin_handle(w, x)) return;
    if (w->routes == NULL) {
        admin_problem(x, PROBLEM_UNAVAILABLE, STR("the scripts are being loaded"), NULL);
        return;
    }
    if (callback_handle(w, x)) return;
    if (str_starts(x->path, SANDBOX)) {
        sandbox_handle(w, x);
        return;
    }
    struct route_match match;
    enum route_verdict verdict = router_find(w->routes->router, x->method, x->path, &match);
    if (verdict != ROUTE_FOUND) {
        no_route(x, verdict, match.allow);
    } else {
        const struct route_target *target = match.target;
        call_route(w, x, target->version, target->route, &match, x->path);
    }
}
