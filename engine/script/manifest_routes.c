/* manifest_routes: the field `routes`, of pages ("GET /v1/things/:id" = { auth =, run = }), channels
 * and simulators (= function). Raw access only; see manifest.c. */
#include "base/ensure.h"
#include "net/router.h"
#include "script/engine_paths.h"
#include "script/manifest.h"

#include <stdio.h>

static bool path_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~!:*/", c) != NULL);
}

/* "GET /v1/things/:id": what is wrong with it, or NULL. */
static const char *route_wrong(struct str key, bool exact, struct str *method, struct str *path) {
    if (!str_cut(key, ' ', method, path)) return "expected \"METHOD /path\"";
    if (!manifest_in_words("GET POST PUT PATCH DELETE HEAD OPTIONS", *method))
        return "expected a method of GET POST PUT PATCH DELETE HEAD OPTIONS";
    if (path->n == 0 || path->p[0] != '/') return "expected a path that begins with /";
    for (size_t i = 0; i < path->n; i++) {
        char c = path->p[i], before = i == 0 ? '\0' : path->p[i - 1];
        if (!path_char(c)) return "expected a path of letters, digits and - . _ ~ ! /";
        if ((c == ':' || c == '*') && exact) return "expected an exact path, without : or *";
        if (c == ':' && before != '/') return "expected : at the start of a part of the path";
        if (c == '*' && (before != '/' || memchr(path->p + i, '/', path->n - i) != NULL))
            return "expected *name only as the last part of the path";
        if (c == '/' && before == '/') return "expected no empty part in the path";
    }
    return NULL;
}

static void read_auth(struct manifest_reader *r, const char *field, struct manifest_route *route) {
    static const char *const words[] = {"none", "merchant", "session", "admin", "simulated"};
    lua_State *L = r->L;
    struct str word;
    lua_pushliteral(L, "auth");
    lua_rawget(L, -2);
    bool known = false;
    if (manifest_text_at(L, -1, &word))
        for (size_t i = 0; i < ARRAY_LEN(words) && !known; i++)
            if ((known = str_eq(word, str_of(words[i])))) route->auth = (enum manifest_auth)i;
    if (!known)
        manifest_found(
            r, field,
            "auth = \"merchant\", \"session\", \"admin\", \"simulated\" or \"none\", said plainly",
            lua_gettop(L));
    lua_pop(L, 1);
}

enum { ROUTE_TIMEOUT_MAX_MS = 10 * 60 * 1000 };

static void read_timeout(struct manifest_reader *r, const char *field,
                         struct manifest_route *route) {
    lua_State *L = r->L;
    struct str text;
    struct why why = {0};
    lua_pushliteral(L, "timeout");
    lua_rawget(L, -2);
    if (lua_isnil(L, -1)) {
        route->timeout_ms = 0;
    } else if (!manifest_text_at(L, -1, &text)) {
        manifest_found(r, field, "timeout = a duration such as \"15s\"", lua_gettop(L));
    } else if (duration_parse(text, &route->timeout_ms, &why) != 0) {
        manifest_problem(r, field, "timeout: %s", why.text);
    } else if (route->timeout_ms > ROUTE_TIMEOUT_MAX_MS) {
        manifest_problem(r, field, "timeout: at most 10m, found %.*s", STR_FMT(text));
    }
    lua_pop(L, 1);
}

/* The route's table { auth =, run =, timeout =, cards =, about =, refused = } is at the top. */
static void read_route_table(struct manifest_reader *r, const char *field,
                             struct manifest_route *route) {
    lua_State *L = r->L;
    int table = lua_gettop(L);
    read_auth(r, field, route);
    read_timeout(r, field, route);
    lua_pushliteral(L, "run");
    lua_rawget(L, table);
    if (!lua_isfunction(L, -1)) manifest_found(r, field, "run = a function", lua_gettop(L));
    lua_pop(L, 1);
    route->has_run = true;
    struct str about;
    lua_pushliteral(L, "about");
    lua_rawget(L, table);
    if (manifest_text_at(L, -1, &about))
        route->about = manifest_text(r->m, about);
    else if (!lua_isnil(L, -1))
        manifest_found(r, field, "about = a line of text", lua_gettop(L));
    lua_pop(L, 1);
    lua_pushliteral(L, "cards");
    int type = lua_rawget(L, table);
    if (type != LUA_TNIL && type != LUA_TBOOLEAN)
        manifest_found(r, field, "cards = true or false", lua_gettop(L));
    route->cards = lua_toboolean(L, -1);
    lua_pop(L, 1);
    lua_pushliteral(L, "refused");
    type = lua_rawget(L, table);
    if (type != LUA_TNIL && type != LUA_TFUNCTION)
        manifest_found(r, field, "refused = a function", lua_gettop(L));
    route->has_refused = type == LUA_TFUNCTION;
    lua_pop(L, 1);
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
        struct str name;
        if (!manifest_text_at(L, -2, &name) ||
            !manifest_in_words("auth run timeout about cards refused", name))
            manifest_problem(
                r, field,
                "expected the fields auth, run, timeout, cards, about and refused, found %s",
                lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2));
    }
}

/* The router has the last word: a route that it refused later would take the whole set with it. */
static bool routable(struct manifest_reader *r, const char *field, struct str method,
                     struct str path) {
    struct route route = {method, path, r};
    struct router *router = NULL;
    struct why why = {0};
    int err = router_new(&router, &route, 1, &why);
    if (err == 0)
        router_delete(router);
    else if (err == E_NOMEM)
        r->m->nomem = true;
    else
        manifest_problem(
            r, field,
            "is no route: at most %d bytes and %d parts, %d of them :names, each once, "
            "and none . or ..",
            ROUTE_PATH_MAX, ROUTE_SEGMENTS_MAX, ROUTE_PARAMS_MAX);
    return err == 0;
}

/* The engine's own path that this one would stand in for; NULL: none. */
static const char *engine_path(struct str path) {
    static const char *const PATHS[] = {
#define X(method, path, show, simulated) path,
        ENGINE_PATHS(X)
#undef X
    };
    if (str_starts(path, STR(ENGINE_SANDBOX))) return ENGINE_SANDBOX "...";
    for (size_t i = 0; i < ARRAY_LEN(PATHS); i++)
        if (str_eq(path, str_of(PATHS[i]))) return PATHS[i];
    return NULL;
}

void manifest_read_routes(struct manifest_reader *r, const struct manifest_field *f, int index) {
    lua_State *L = r->L;
    bool trusted = f->type == FIELD_ROUTES_AUTH;
    luaL_checkstack(L, 12, NULL);
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        struct str key, method, path;
        char field[160];
        if (!manifest_text_at(L, -2, &key)) {
            manifest_problem(r, "routes", "expected [\"METHOD /path\"], found a key of type %s",
                             luaL_typename(L, -2));
            continue;
        }
        snprintf(field, sizeof field, "\"%.*s\"", (int)(key.n > 120 ? 120 : key.n), key.p);
        const char *wrong = route_wrong(key, r->v->kind == KIND_CHANNEL, &method, &path);
        if (wrong != NULL) {
            manifest_problem(r, field, "%s", wrong);
            continue;
        }
        if (!routable(r, field, method, path)) continue;
        /* A simulator's routes are below its own part of /sandbox/. */
        const char *engines = r->v->kind == KIND_SANDBOX ? NULL : engine_path(path);
        if (engines != NULL) {
            manifest_problem(r, field, "the engine itself answers at %s; take another path",
                             engines);
            continue;
        }
        struct manifest_route route = {.key = manifest_text(r->m, key),
                                       .method = manifest_text(r->m, method),
                                       .path = manifest_text(r->m, path)};
        if (trusted && lua_istable(L, -1))
            read_route_table(r, field, &route);
        else if (trusted || !lua_isfunction(L, -1))
            manifest_found(r, field, trusted ? "{ auth =, run = }" : "a function", lua_gettop(L));
        struct manifest_routes *routes = &r->m->routes;
        struct manifest_route *at = manifest_grow(r->m, routes->at, routes->count, sizeof *at);
        if (at == NULL || route.key == NULL || route.method == NULL || route.path == NULL) return;
        routes->at = at;
        at[routes->count++] = route;
    }
}
