/* manifest_parts: the fields that are tables of their own: hosts and matches, configuration keys,
 * routes, arguments of tools, and free documents kept as JSON. Raw access only; see manifest.c. */
#include "base/ensure.h"
#include "net/router.h"
#include "script/bind_secret.h"
#include "script/engine_paths.h"
#include "script/manifest.h"

#include <stdio.h>

#define DOCUMENT_MAX   (64 * 1024)
#define DOCUMENT_DEPTH 16

static bool text_at(lua_State *L, int index, struct str *out) {
    if (lua_type(L, index) != LUA_TSTRING) return false;
    out->p = lua_tolstring(L, index, &out->n);
    return out->n != 0 && memchr(out->p, '\0', out->n) == NULL;
}

/* ---- names to texts ---- */

static bool in_words(const char *words, struct str word) {
    struct str rest = str_of(words), one;
    while (rest.n != 0) {
        str_cut(rest, ' ', &one, &rest);
        if (str_eq(one, word)) return true;
    }
    return false;
}

static void add_pair(struct manifest *m, struct manifest_pairs *out, struct str name,
                     struct str value) {
    struct manifest_pair *at = manifest_grow(m, out->at, out->count, sizeof *at);
    if (at == NULL) return;
    out->at = at;
    at[out->count] = (struct manifest_pair){manifest_text(m, name), manifest_text(m, value)};
    if (at[out->count].name != NULL && at[out->count].value != NULL) out->count++;
}

/* Each value is a text, or a list of texts (one pair each). */
static void read_pairs(struct manifest_reader *r, const struct manifest_field *f, int index,
                       struct manifest_pairs *out) {
    lua_State *L = r->L;
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        struct str name, value;
        char field[128];
        if (!text_at(L, -2, &name) || !in_words(f->choices, name)) {
            manifest_problem(r, f->name, "expected names out of %s, found %s", f->choices,
                             lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2)
                                                            : luaL_typename(L, -2));
            continue;
        }
        snprintf(field, sizeof field, "%s.%.*s", f->name, STR_FMT(name));
        int value_at = lua_gettop(L);
        lua_Integer n = lua_istable(L, -1) ? (lua_Integer)lua_rawlen(L, -1) : 0;
        if (text_at(L, value_at, &value))
            add_pair(r->m, out, name, value);
        else if (n == 0)
            manifest_found(r, field, "a text, or a list of texts", value_at);
        for (lua_Integer i = 1; i <= n; i++) {
            lua_rawgeti(L, value_at, i);
            if (text_at(L, -1, &value))
                add_pair(r->m, out, name, value);
            else
                manifest_found(r, field, "a list of texts", lua_gettop(L));
            lua_pop(L, 1);
        }
    }
}

/* ---- configuration ---- */

static bool key_valid(struct str key) {
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        if (!((c >= 'A' && c <= 'Z') || (i > 0 && ((c >= '0' && c <= '9') || c == '_'))))
            return false;
    }
    return key.n != 0 && key.n <= 64;
}

/* A channel sees only keys that begin with its provider's name. */
static bool key_granted(const struct version *v, struct str key) {
    const char *owner = manifest_owner(v);
    if (owner == NULL) return true;
    size_t n = strlen(owner);
    return key.n > n && str_eq_nocase(str_sub(key, 0, n), str_of(owner)) && key.p[n] == '_';
}

static void read_config(struct manifest_reader *r, int index) {
    lua_State *L = r->L;
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        struct str name, key = {0};
        char field[128];
        if (!text_at(L, -2, &name)) {
            manifest_problem(r, "config", "expected named keys, found a key of type %s",
                             luaL_typename(L, -2));
            continue;
        }
        snprintf(field, sizeof field, "config.%.*s", (int)(name.n > 60 ? 60 : name.n), name.p);
        bool secret = secret_is(L, -1);
        if (secret)
            key = str_of(secret_name(L, -1));
        else if (!text_at(L, -1, &key))
            key = (struct str){0};
        if (!key_valid(key)) {
            manifest_found(r, field, "a configuration key, \"KEY\" or secret \"KEY\"",
                           lua_gettop(L));
            continue;
        }
        if (!key_granted(r->v, key)) {
            manifest_problem(r, field,
                             "expected a key that begins with the provider's name (%s_...), found "
                             "\"%.*s\"",
                             manifest_owner(r->v), STR_FMT(key));
            continue;
        }
        struct manifest_configs *c = &r->m->config;
        struct manifest_config *at = manifest_grow(r->m, c->at, c->count, sizeof *at);
        if (at == NULL) return;
        c->at = at;
        at[c->count] =
            (struct manifest_config){manifest_text(r->m, name), manifest_text(r->m, key), secret};
        if (at[c->count].name != NULL && at[c->count].key != NULL) c->count++;
    }
}

/* ---- routes ---- */

static bool path_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~:*/", c) != NULL);
}

/* "GET /v1/things/:id": what is wrong with it, or NULL. */
static const char *route_wrong(struct str key, bool exact, struct str *method, struct str *path) {
    if (!str_cut(key, ' ', method, path)) return "expected \"METHOD /path\"";
    if (!in_words("GET POST PUT PATCH DELETE HEAD OPTIONS", *method))
        return "expected a method of GET POST PUT PATCH DELETE HEAD OPTIONS";
    if (path->n == 0 || path->p[0] != '/') return "expected a path that begins with /";
    for (size_t i = 0; i < path->n; i++) {
        char c = path->p[i], before = i == 0 ? '\0' : path->p[i - 1];
        if (!path_char(c)) return "expected a path of letters, digits and - . _ ~ /";
        if ((c == ':' || c == '*') && exact) return "expected an exact path, without : or *";
        if (c == ':' && before != '/') return "expected : at the start of a part of the path";
        if (c == '*' && (before != '/' || memchr(path->p + i, '/', path->n - i) != NULL))
            return "expected *name only as the last part of the path";
        if (c == '/' && before == '/') return "expected no empty part in the path";
    }
    return NULL;
}

static void read_auth(struct manifest_reader *r, const char *field, struct manifest_route *route) {
    static const char *const words[] = {"none", "merchant", "session", "admin"};
    lua_State *L = r->L;
    struct str word;
    lua_pushliteral(L, "auth");
    lua_rawget(L, -2);
    bool known = false;
    if (text_at(L, -1, &word))
        for (size_t i = 0; i < ARRAY_LEN(words) && !known; i++)
            if ((known = str_eq(word, str_of(words[i])))) route->auth = (enum manifest_auth)i;
    if (!known)
        manifest_found(r, field,
                       "auth = \"merchant\", \"session\", \"admin\" or \"none\", said plainly",
                       lua_gettop(L));
    lua_pop(L, 1);
}

static void read_timeout(struct manifest_reader *r, const char *field,
                         struct manifest_route *route) {
    lua_State *L = r->L;
    struct str text;
    struct why why = {0};
    lua_pushliteral(L, "timeout");
    lua_rawget(L, -2);
    if (lua_isnil(L, -1)) {
        route->timeout_ms = 0;
    } else if (!text_at(L, -1, &text)) {
        manifest_found(r, field, "timeout = a duration such as \"15s\"", lua_gettop(L));
    } else if (duration_parse(text, &route->timeout_ms, &why) != 0) {
        manifest_problem(r, field, "timeout: %s", why.text);
    }
    lua_pop(L, 1);
}

/* The route's table { auth =, run =, timeout =, about = } is at the top. */
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
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
        struct str name;
        if (!text_at(L, -2, &name) || !in_words("auth run timeout about", name))
            manifest_problem(r, field, "expected the fields auth, run, timeout and about, found %s",
                             lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2)
                                                            : luaL_typename(L, -2));
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

static void read_routes(struct manifest_reader *r, const struct manifest_field *f, int index) {
    lua_State *L = r->L;
    bool trusted = f->type == FIELD_ROUTES_AUTH;
    luaL_checkstack(L, 12, NULL);
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        struct str key, method, path;
        char field[160];
        if (!text_at(L, -2, &key)) {
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

/* ---- arguments of tools ---- */

static void read_args(struct manifest_reader *r, int index) {
    lua_State *L = r->L;
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    for (lua_Integer i = 1; i <= n; i++) {
        struct manifest_arg arg = {0};
        struct str text[2];
        bool good = lua_rawgeti(L, index, i) == LUA_TTABLE;
        for (int k = 0; good && k < 2; k++) {
            lua_rawgeti(L, -1 - k, k + 1);
            good = text_at(L, -1, &text[k]);
        }
        if (!good || !in_words("path text int amount date flag", text[1])) {
            manifest_problem(r, "args",
                             "argument %lld: expected { \"name\", TYPE } with TYPE one of "
                             "path text int amount date flag",
                             (long long)i);
            lua_settop(L, index);
            continue;
        }
        arg.name = manifest_text(r->m, text[0]);
        arg.type = manifest_text(r->m, text[1]);
        lua_settop(L, index + 1);
        static const char *const extra[] = {"doc", "default"};
        for (int k = 0; k < 2; k++) {
            lua_pushstring(L, extra[k]);
            lua_rawget(L, index + 1);
            bool number = lua_isinteger(L, -1);
            if (lua_type(L, -1) == LUA_TSTRING || number) {
                size_t size = 0;
                const char *at = lua_tolstring(L, -1, &size); /* a copy on the stack: safe */
                const char *copy = manifest_text(r->m, (struct str){at, size});
                if (k == 0)
                    arg.doc = copy;
                else
                    arg.fallback = copy;
            } else if (!lua_isnil(L, -1)) {
                manifest_found(r, "args",
                               k == 0 ? "doc = a text" : "default = a text or an integer",
                               lua_gettop(L));
            }
            lua_pop(L, 1);
        }
        lua_settop(L, index);
        struct manifest_args *args = &r->m->args;
        struct manifest_arg *at = manifest_grow(r->m, args->at, args->count, sizeof *at);
        if (at == NULL || arg.name == NULL || arg.type == NULL) return;
        args->at = at;
        at[args->count++] = arg;
    }
}

/* ---- what an operation is asked with ---- */

static const char *const INPUT_TYPES[] = {"string", "integer", "boolean", "object", "list"};

const char *manifest_input_name(enum manifest_input_type type) {
    static const char *const names[] = {"a string", "an integer", "true or false", "an object",
                                        "a list"};
    return names[type];
}

/* { type =, required =, doc = } is at `index`. */
static void read_input(struct manifest_reader *r, const char *field, int index,
                       struct manifest_input *input) {
    lua_State *L = r->L;
    size_t type = ARRAY_LEN(INPUT_TYPES);
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        struct str name, text = {0};
        bool is_text = text_at(L, -1, &text);
        if (!text_at(L, -2, &name)) name = (struct str){0};
        if (str_eq(name, STR("type"))) {
            for (type = 0; type < ARRAY_LEN(INPUT_TYPES); type++)
                if (str_eq(text, str_of(INPUT_TYPES[type]))) break;
        } else if (str_eq(name, STR("required")) && lua_isboolean(L, -1)) {
            input->required = lua_toboolean(L, -1);
        } else if (str_eq(name, STR("doc")) && is_text) {
            input->doc = manifest_text(r->m, text);
        } else {
            manifest_problem(r, field,
                             "expected type = a text, required = true or false, doc = a text");
        }
    }
    if (type == ARRAY_LEN(INPUT_TYPES))
        manifest_problem(r, field,
                         "expected type = \"string\", \"integer\", \"boolean\", \"object\" or "
                         "\"list\"");
    else
        input->type = (enum manifest_input_type)type;
}

static void read_inputs(struct manifest_reader *r, int index) {
    lua_State *L = r->L;
    luaL_checkstack(L, 8, NULL);
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        struct manifest_input input = {0};
        struct str name;
        char field[96];
        if (!text_at(L, -2, &name) || name.n > 64 || !lua_istable(L, -1)) {
            manifest_found(r, "input", "names of fields, each with { type =, ... }", lua_gettop(L));
            continue;
        }
        snprintf(field, sizeof field, "input.%.*s", STR_FMT(name));
        read_input(r, field, lua_gettop(L), &input);
        input.name = manifest_text(r->m, name);
        struct manifest_inputs *inputs = &r->m->inputs;
        struct manifest_input *at = manifest_grow(r->m, inputs->at, inputs->count, sizeof *at);
        if (at == NULL || input.name == NULL) return;
        inputs->at = at;
        at[inputs->count++] = input;
    }
}

/* ---- documents: JSON with sorted keys ---- */

static void write_text(struct buf *out, struct str s) {
    buf_addc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c < 0x20)
            buf_addf(out, "\\u%04x", c);
        else
            buf_addc(out, (char)c);
    }
    buf_addc(out, '"');
}

static const char *write_value(lua_State *L, int index, int depth, struct buf *out);

/* The smallest key greater than `last` is next: quadratic, for documents of some dozen keys. */
static const char *write_object(lua_State *L, int index, int depth, struct buf *out) {
    struct str last = {0};
    buf_addc(out, '{');
    for (bool first = true;; first = false) {
        struct str best = {0}, key;
        for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
            if (!text_at(L, -2, &key)) return "a document has named keys, or is a list";
            if ((first || str_cmp(key, last) > 0) && (best.p == NULL || str_cmp(key, best) < 0))
                best = key;
        }
        if (best.p == NULL) break;
        if (!first) buf_addc(out, ',');
        write_text(out, best);
        buf_addc(out, ':');
        lua_pushlstring(L, best.p, best.n);
        lua_rawget(L, index);
        const char *wrong = write_value(L, lua_gettop(L), depth + 1, out);
        lua_pop(L, 1);
        if (wrong != NULL) return wrong;
        last = best; /* its key is anchored in the table */
    }
    buf_addc(out, '}');
    return NULL;
}

static const char *write_value(lua_State *L, int index, int depth, struct buf *out) {
    struct str text;
    if (depth > DOCUMENT_DEPTH) return "a document is at most 16 tables deep";
    luaL_checkstack(L, 6, NULL);
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN: buf_adds(out, lua_toboolean(L, index) ? "true" : "false"); return NULL;
    case LUA_TSTRING:
        text.p = lua_tolstring(L, index, &text.n);
        write_text(out, text);
        return NULL;
    case LUA_TNUMBER:
        if (!lua_isinteger(L, index)) return "a document's numbers are integers; write it as text";
        buf_addi(out, lua_tointeger(L, index));
        return NULL;
    case LUA_TTABLE: break;
    default: return "a document holds texts, integers, true, false and tables only";
    }
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    if (n == 0) return write_object(L, index, depth, out);
    buf_addc(out, '[');
    for (lua_Integer i = 1; i <= n; i++) {
        if (i > 1) buf_addc(out, ',');
        lua_rawgeti(L, index, i);
        const char *wrong = write_value(L, lua_gettop(L), depth + 1, out);
        lua_pop(L, 1);
        if (wrong != NULL) return wrong;
    }
    buf_addc(out, ']');
    return NULL;
}

/* Lua calls that may raise run between the writes, so the buffer lies in a userdata of its greatest
 * size, which the collector takes: nothing of ours can leak. */
static void read_document(struct manifest_reader *r, const struct manifest_field *f, int index,
                          const char **out) {
    lua_State *L = r->L;
    struct buf b = {.data = lua_newuserdatauv(L, DOCUMENT_MAX, 0),
                    .cap = DOCUMENT_MAX,
                    .max = DOCUMENT_MAX - 2};
    b.data[0] = '\0';
    const char *wrong = write_value(L, index, 0, &b);
    if (b.err != 0) wrong = "a document is at most 64 kB";
    if (wrong != NULL)
        manifest_problem(r, f->name, "%s", wrong);
    else
        *out = manifest_text(r->m, buf_str(&b));
    lua_pop(L, 1);
}

void manifest_read_part(struct manifest_reader *r, const struct manifest_field *f, int index,
                        void *out) {
    switch (f->type) {
    case FIELD_PAIRS: read_pairs(r, f, index, out); break;
    case FIELD_CONFIG: read_config(r, index); break;
    case FIELD_ARGS: read_args(r, index); break;
    case FIELD_INPUTS: read_inputs(r, index); break;
    case FIELD_DOCUMENT: read_document(r, f, index, out); break;
    default: read_routes(r, f, index);
    }
}
