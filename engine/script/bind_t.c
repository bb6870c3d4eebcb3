/* t: what a Lua test has. Every test's function is given it: `["adds"] = function(t) ... end`.
 *
 * A failed expectation is noted with file and line and raised, so the test ends there. Scripts come
 * in two ways: t.load runs a file in the test's own world and returns its table, for pure functions
 * and declarations; t.call runs one function in the cage, with a real ctx, and brings its results
 * back as plain values (through JSON; tags are kept). */
#include "base/diff.h"
#include "base/json.h"
#include "core/merchant.h"
#include "script/bind.h"
#include "script/buf_lua.h"
#include "script/cage.h"
#include "script/lua_out.h"
#include "script/lua_util.h"
#include "script/manifest.h"
#include "script/store_wait.h"
#include "script/test_script.h"
#include "sys/config.h"

#include <stdarg.h>
#include <stdio.h>

enum { SHOW_DEPTH = 8, SHOW_MAX = 256 * 1024 };

struct test_script *test_of(lua_State *L) {
    const struct call_context *c = context_of(L);
    if (c->test == NULL) luaL_error(L, "t: only inside a test");
    return c->test;
}

/* ---- failing ---- */

/* The text on top of the stack is why; raises. */
static int fail(lua_State *L) {
    struct test_script *test = test_of(L);
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
    if (test->failure.len == 0) buf_adds(&test->failure, lua_tostring(L, -1));
    return lua_error(L);
}

static int fail_format(lua_State *L, const char *format, ...) {
    va_list list;
    va_start(list, format);
    lua_pushvfstring(L, format, list);
    va_end(list);
    return fail(L);
}

/* "what: " before, if `what` was given */
static void push_what(lua_State *L, int index) {
    if (lua_isnoneornil(L, index))
        lua_pushliteral(L, "");
    else
        lua_pushfstring(L, "%s: ", luaL_checkstring(L, index));
}

/* ---- showing values ---- */

struct show {
    lua_State *L;
    struct lua_out out;
};

static void put(struct show *s, const char *text) {
    lua_out_add(&s->out, str_of(text));
}

static void show_value(struct show *s, int index, int depth);

static void show_string(struct show *s, int index) {
    size_t n;
    const char *p = lua_tolstring(s->L, index, &n);
    char one[8];
    put(s, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c == '"' || c == '\\')
            snprintf(one, sizeof one, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            snprintf(one, sizeof one, "\\%d", c);
        else
            snprintf(one, sizeof one, "%c", c);
        put(s, one);
    }
    put(s, "\"");
}

/* Keys in order: list places first, then by text. Quadratic, like the tables are small. */
static bool next_key(lua_State *L, int table, int last, int list_n) {
    bool found = false;
    lua_pushnil(L); /* the best */
    int best = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
        if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= list_n)
            continue;
        lua_pushvalue(L, -2);
        const char *key = luaL_tolstring(L, -1, NULL);
        bool after = lua_isnil(L, last) || strcmp(key, lua_tostring(L, last)) > 0;
        bool before = !found || strcmp(key, lua_tostring(L, best)) < 0;
        if (after && before) {
            lua_pushvalue(L, -1);
            lua_replace(L, best);
            found = true;
        }
        lua_pop(L, 2);
    }
    return found;
}

static void indent(struct show *s, int depth) {
    put(s, "\n");
    for (int i = 0; i < depth; i++)
        put(s, "  ");
}

static void show_table(struct show *s, int table, int depth) {
    lua_State *L = s->L;
    const char *tag = script_tag(L, table);
    if (tag != NULL) put(s, tag), put(s, " ");
    int n = (int)lua_rawlen(L, table), shown = 0;
    put(s, "{");
    for (int i = 1; i <= n && depth < SHOW_DEPTH; i++, shown++) {
        indent(s, depth + 1);
        lua_rawgeti(L, table, i);
        show_value(s, lua_gettop(L), depth + 1);
        put(s, ",");
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    int last = lua_gettop(L);
    while (depth < SHOW_DEPTH && next_key(L, table, last, n)) {
        lua_replace(L, last); /* its text */
        indent(s, depth + 1);
        put(s, lua_tostring(L, last));
        put(s, " = ");
        for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
            lua_pushvalue(L, -2);
            bool same = strcmp(luaL_tolstring(L, -1, NULL), lua_tostring(L, last)) == 0;
            lua_pop(L, 2);
            if (!same) continue;
            show_value(s, lua_gettop(L), depth + 1);
            lua_pop(L, 2);
            break;
        }
        put(s, ",");
        shown++;
    }
    lua_settop(L, last - 1);
    if (depth >= SHOW_DEPTH) put(s, "...");
    if (shown != 0) indent(s, depth);
    put(s, "}");
}

static void show_value(struct show *s, int index, int depth) {
    luaL_checkstack(s->L, 12, "t.equal");
    switch (lua_type(s->L, index)) {
    case LUA_TSTRING: show_string(s, index); break;
    case LUA_TTABLE: show_table(s, index, depth); break;
    default: put(s, luaL_tolstring(s->L, index, NULL)); lua_pop(s->L, 1);
    }
}

/* Pushes the value's text. */
static void push_shown(lua_State *L, int index) {
    struct show s = {.L = L};
    lua_out_init(&s.out, L, "t.equal", SHOW_MAX);
    show_value(&s, index, 0);
    lua_out_push(&s.out);
    lua_remove(L, -2);
}

/* ---- expectations ---- */

static bool same(lua_State *L, int a, int b, int depth) {
    if (lua_type(L, a) != lua_type(L, b)) return false;
    if (lua_rawequal(L, a, b)) /* 1 and 1.0 are not the same money */
        return lua_type(L, a) != LUA_TNUMBER || lua_isinteger(L, a) == lua_isinteger(L, b);
    if (!lua_istable(L, a)) {
        if (!lua_isuserdata(L, a)) return false;
        return lua_compare(L, a, b, LUA_OPEQ) == 1;
    }
    const char *tag_a = script_tag(L, a), *tag_b = script_tag(L, b);
    if ((tag_a == NULL) != (tag_b == NULL) || (tag_a != NULL && strcmp(tag_a, tag_b) != 0))
        return false;
    if (depth > 50) luaL_error(L, "t.equal: tables deeper than 50");
    luaL_checkstack(L, 6, "t.equal");
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, a) != 0; lua_pop(L, 1), count++) {
        lua_pushvalue(L, -2);
        lua_rawget(L, b);
        bool equal = same(L, lua_gettop(L) - 1, lua_gettop(L), depth + 1);
        lua_pop(L, 1);
        if (!equal) {
            lua_pop(L, 2);
            return false;
        }
    }
    for (lua_pushnil(L); lua_next(L, b) != 0; lua_pop(L, 1))
        count--;
    return count == 0;
}

static void push_difference(lua_State *L, int got, int expected) {
    push_shown(L, expected);
    push_shown(L, got);
    struct str e, g;
    e.p = lua_tolstring(L, -2, &e.n);
    g.p = lua_tolstring(L, -1, &g.n);
    if (memchr(e.p, '\n', e.n) == NULL && memchr(g.p, '\n', g.n) == NULL) {
        lua_pushfstring(L, "expected %s, got %s", e.p, g.p);
        return;
    }
    lua_pushfstring(L, "%s\n", e.p);
    lua_pushfstring(L, "%s\n", g.p);
    e.p = lua_tolstring(L, -2, &e.n);
    g.p = lua_tolstring(L, -1, &g.n);
    struct buf *lines = buf_push(L);
    lines->max = SHOW_MAX;
    buf_adds(lines, "not as expected\n");
    if (diff_write(e, g, "expected", "got", lines) == 0 && lines->err == 0)
        buf_push_string(L, lines);
    else
        lua_pushfstring(L, "expected %sgot %s", e.p, g.p);
}

static int l_equal(lua_State *L) {
    lua_settop(L, 3);
    if (same(L, 1, 2, 0)) return 0;
    push_what(L, 3);
    push_difference(L, 1, 2);
    lua_pushvalue(L, 4);
    lua_insert(L, -2);
    lua_concat(L, 2);
    return fail(L);
}

static int l_truthy(lua_State *L) {
    lua_settop(L, 2);
    if (lua_toboolean(L, 1)) {
        lua_settop(L, 1);
        return 1;
    }
    push_what(L, 2);
    return fail_format(L, "%sexpected something, got %s", lua_tostring(L, -1),
                       luaL_tolstring(L, 1, NULL));
}

static int l_fail(lua_State *L) {
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    return fail(L);
}

/* Behind the pcall: its error is on top. */
static int erred(lua_State *L, int status, lua_KContext context) {
    (void)context;
    struct test_script *test = test_of(L);
    if (status == LUA_OK || status == LUA_YIELD)
        return fail_format(L, "expected an error, but the function returned");
    buf_clear(&test->failure); /* a t.* inside that failed was what the test wanted */
    const char *text = luaL_tolstring(L, -1, NULL);
    if (lua_isnoneornil(L, 2)) return 1;
    if (!cage_builtin(L, "string", KIND_TEST)) return luaL_error(L, "no string");
    lua_getfield(L, -1, "find");
    lua_pushstring(L, text);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
    if (lua_isnil(L, -1))
        return fail_format(L, "expected an error like \"%s\", got \"%s\"", lua_tostring(L, 2),
                           text);
    lua_pushstring(L, text);
    return 1;
}

static int l_error(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 2);
    lua_pushvalue(L, 1);
    int status = lua_pcallk(L, 0, 0, 0, 0, erred);
    return erred(L, status, 0);
}

static int l_kind(lua_State *L) {
    const char *tag = script_tag(L, 1);
    lua_pushstring(L, tag);
    return 1;
}

static int l_random(lua_State *L) {
    rng_seeded(test_of(L)->rng, (uint64_t)luaL_checkinteger(L, 1));
    return 0;
}

/* ---- what must not be seen ---- */

static int l_log(lua_State *L) {
    const struct test_script *test = test_of(L);
    struct str text = test->log == NULL ? STR("") : buf_str(test->log);
    lua_pushlstring(L, text.p, text.n);
    return 1;
}

static int l_secrets(lua_State *L) {
    const struct test_script *test = test_of(L);
    const struct version *v = test_l_version(L, luaL_checkstring(L, 1));
    lua_newtable(L);
    lua_Integer n = 0;
    for (size_t i = 0; v->manifest != NULL && i < v->manifest->config.count; i++) {
        const struct manifest_config *c = &v->manifest->config.at[i];
        const char *value = NULL;
        if (!c->secret) continue;
        if (config_provider(test->services.config, v->manifest->provider, c->key, &value) != 0)
            continue;
        lua_pushstring(L, value);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* ---- a merchant with keys of its own ---- */

static void put_other_keys(const struct test_script *test, const struct manifest *m,
                           struct buf *out) {
    struct json_out w;
    json_out_init(&w, out);
    json_begin_object(&w);
    for (size_t i = 0; i < m->config.count; i++) {
        const char *value = NULL;
        char other[256];
        if (config_provider(test->services.config, m->provider, m->config.at[i].key, &value) != 0)
            continue;
        bool pem = strstr(value, "-----BEGIN ") != NULL; /* another one is no more a key */
        snprintf(other, sizeof other, "%s-own", value);
        json_put_text(&w, m->config.at[i].key, pem ? value : other);
    }
    json_end_object(&w);
    (void)json_out_end(&w);
}

static int account_there(lua_State *L, const struct store_answer *a) {
    return a->err == 0 ? 0 : luaL_error(L, "t.account: %s", err_text(a->err));
}

static int l_account(lua_State *L) {
    const struct test_script *test = test_of(L);
    const struct version *v = test_l_version(L, luaL_checkstring(L, 1));
    const struct script_services *s = &test->services;
    struct str merchant = check_str(L, 2);
    struct why why = {0};
    co_require_wait(L, "t.account");
    struct buf *keys = buf_push(L);
    put_other_keys(test, v->manifest, keys);
    struct commit *c = commit_push(L);
    if (keys->err != 0) return luaL_error(L, "out of memory");
    if (account_put(s->core, c, str_of(v->manifest->provider), merchant, str_of(s->environment),
                    buf_str(keys), &why) != 0)
        return luaL_error(L, "t.account: %s", why.text);
    return store_wait_commit(L, c, LANE_RESULT, account_there);
}

/* ---- table ---- */

static const struct bind_fn FNS[] = {
    {"load", test_l_load, KIND_TEST, "path: string -> table",
     "the table of a script under the root, checked, run in the test's own world"},
    {"call", test_l_call, KIND_TEST, "path: string, name: string|table, ... -> any...",
     "calls a function of a script in its cage, with a real ctx; effects are allowed"},
    {"equal", l_equal, KIND_TEST, "got: any, expected: any, what?: string",
     "both are the same, tables by what is in them"},
    {"truthy", l_truthy, KIND_TEST, "v: any, what?: string -> any", "v is neither nil nor false"},
    {"error", l_error, KIND_TEST, "fn: function, pattern?: string -> string",
     "the function raises, and its text fits; returns the text"},
    {"fail", l_fail, KIND_TEST, "why: string", "ends the test here"},
    {"kind", l_kind, KIND_TEST, "v: any -> string?",
     "\"pending\", \"failed\", \"reply\" ... of a decision or reply; nil of anything else"},
    {"log", l_log, KIND_TEST, "-> string", "every line that was logged since the test began"},
    {"secrets", l_secrets, KIND_TEST, "path: string -> string[]",
     "the values of the secret configuration keys that a script declares"},
    {"account", l_account, KIND_TEST, "path: string, merchant: string",
     "gives a merchant an account of its own at a channel's provider, with other keys than the "
     "shared one"},
    {"random", l_random, KIND_TEST, "seed: integer", "random numbers begin anew from a seed"},
    {0},
};
const struct bind_module bind_t = {"t", "what a test's function is given", FNS, NULL};
