/* t.http: what answers the requests of a test, and what was asked. */
#include "base/ensure.h"
#include "base/mem.h"
#include "base/schedule.h"
#include "net/replay.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/test_script.h"

/* On the stack while it is being filled: what raises must not lose it. */
static int answer_gc(lua_State *L) {
    struct test_answer **held = lua_touserdata(L, 1);
    test_answer_free(*held);
    *held = NULL;
    return 0;
}

static char *text_field(lua_State *L, const char *name, size_t *n) {
    char *copy = NULL;
    if (lua_getfield(L, 1, name) != LUA_TNIL) {
        size_t size;
        const char *p = luaL_checklstring(L, -1, &size);
        copy = mem_dup(p, size);
        if (copy == NULL) luaL_error(L, "out of memory");
        if (n != NULL) *n = size;
    }
    lua_pop(L, 1);
    return copy;
}

static int add_header(lua_State *L, struct test_answer *a, const char *name, struct str value) {
    struct http_header *more = mem_realloc(a->headers, (a->header_count + 1) * sizeof *more);
    if (more == NULL) return luaL_error(L, "out of memory");
    a->headers = more;
    char *n = mem_strdup(name), *v = mem_dup(value.p, value.n);
    if (n == NULL || v == NULL) {
        mem_free(n), mem_free(v);
        return luaL_error(L, "out of memory");
    }
    for (char *p = n; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
    a->headers[a->header_count++] = (struct http_header){str_of(n), {v, value.n}};
    return 0;
}

static void answer_headers(lua_State *L, struct test_answer *a) {
    if (lua_getfield(L, 1, "headers") != LUA_TNIL) {
        luaL_checktype(L, -1, LUA_TTABLE);
        for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
            struct str value;
            if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "headers: names are texts");
            value.p = luaL_checklstring(L, -1, &value.n);
            add_header(L, a, lua_tostring(L, -2), value);
        }
    }
    lua_pop(L, 1);
}

static void answer_known(lua_State *L) {
    static const char *const KNOWN[] = {"method", "url",  "status", "headers",
                                        "json",   "body", "fail",   "after"};
    for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(KNOWN) && lua_type(L, -2) == LUA_TSTRING; i++)
            known = known || strcmp(KNOWN[i], lua_tostring(L, -2)) == 0;
        if (!known)
            luaL_error(L, "t.http.answer: there is no field %s", luaL_tolstring(L, -2, NULL));
    }
}

static int l_answer(lua_State *L) {
    static const char *const FAILS[] = {"", "refused", "timeout", "reset", NULL};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    answer_known(L);
    struct test_answer **held = lua_newuserdatauv(L, sizeof *held, 0);
    *held = NULL;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, answer_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    struct test_answer *a = *held = mem_zalloc(sizeof *a);
    if (a == NULL) return luaL_error(L, "out of memory");
    a->method = text_field(L, "method", NULL);
    a->url = text_field(L, "url", NULL);
    a->body = text_field(L, "body", &a->body_n);
    lua_getfield(L, 1, "status");
    a->status = (int)luaL_optinteger(L, -1, 200);
    lua_getfield(L, 1, "fail");
    a->fault = (enum test_fault)luaL_checkoption(L, -1, "", FAILS);
    if (lua_getfield(L, 1, "after") != LUA_TNIL) {
        int64_t ms = -1;
        struct str text;
        text.p = luaL_checklstring(L, -1, &text.n);
        if (duration_parse(text, &ms, NULL) != 0 || ms > 3600000)
            return luaL_error(L, "after: a duration such as \"500ms\"");
        a->after_ms = (uint32_t)ms;
    }
    answer_headers(L, a);
    if (lua_getfield(L, 1, "json") != LUA_TNIL) {
        if (a->body != NULL) return luaL_error(L, "json and body exclude each other");
        json_encode(L, lua_gettop(L), 32, JSON_OUT_MAX, "t.http.answer");
        struct str text;
        text.p = lua_tolstring(L, -1, &text.n);
        a->body = mem_dup(text.p, text.n);
        a->body_n = text.n;
        if (a->body == NULL) return luaL_error(L, "out of memory");
        add_header(L, a, "content-type", STR("application/json"));
    }
    test_answer_add(test_of(L), a);
    *held = NULL;
    return 0;
}

static int l_replay(lua_State *L) {
    static const struct str NO_SECRETS[] = {{0}};
    struct test_script *test = test_of(L);
    const char *path = luaL_checkstring(L, 1);
    if (test->replay != NULL) return luaL_error(L, "t.http.replay: there is one already");
    const char *full = path[0] == '/' ? path : lua_pushfstring(L, "%s/%s", test->root, path);
    struct why why = {0};
    if (transport_replay_new(&test->replay, test->loop, full, NO_SECRETS, &why) != 0)
        return luaL_error(L, "t.http.replay: %s", why.text);
    return 0;
}

static void push_buf(lua_State *L, const struct buf *b) {
    lua_pushlstring(L, b->data == NULL ? "" : b->data, b->len);
}

/* Names in lower case. */
static void push_headers(lua_State *L, const struct buf *headers) {
    lua_newtable(L);
    struct str rest = buf_str(headers), line, name, value;
    while (rest.n != 0) {
        str_cut(rest, '\n', &line, &rest);
        if (!str_cut(line, ':', &name, &value)) continue;
        luaL_Buffer lower;
        char *p = luaL_buffinitsize(L, &lower, name.n);
        for (size_t i = 0; i < name.n; i++)
            p[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
        luaL_pushresultsize(&lower, name.n);
        lua_pushlstring(L, value.p + 1, value.n - 1);
        lua_rawset(L, -3);
    }
}

static int l_requests(lua_State *L) {
    const struct test_script *test = test_of(L);
    lua_createtable(L, (int)test->request_count, 0);
    lua_Integer at = (lua_Integer)test->request_count;
    for (const struct test_request *r = test->requests; r != NULL; r = r->next) {
        if (r->signing) continue;
        lua_createtable(L, 0, 8);
        push_buf(L, &r->method), lua_setfield(L, -2, "method");
        push_buf(L, &r->url), lua_setfield(L, -2, "url");
        push_buf(L, &r->body), lua_setfield(L, -2, "body");
        push_headers(L, &r->headers), lua_setfield(L, -2, "headers");
        lua_pushinteger(L, r->at), lua_setfield(L, -2, "at");
        if (r->done_at != 0) {
            lua_pushinteger(L, r->status), lua_setfield(L, -2, "status");
            push_buf(L, &r->answer), lua_setfield(L, -2, "answer");
            push_headers(L, &r->answer_headers), lua_setfield(L, -2, "answer_headers");
        }
        lua_rawseti(L, -2, at--);
    }
    return 1;
}

static const struct bind_fn HTTP_FNS[] = {
    {"answer", l_answer, KIND_TEST, "answer: table",
     "answers one request: status, headers, json or body; method and url (a part of it) say which; "
     "fail = refused, timeout or reset; after = a duration"},
    {"replay", l_replay, KIND_TEST, "path: string",
     "answers from a recording (luwak run --record)"},
    {"requests", l_requests, KIND_TEST, "-> table[]",
     "what was sent so far: method, url, headers, body, at; and what the simulators answered: "
     "status (0: nothing), answer, answer_headers"},
    {0},
};
const struct bind_module bind_t_http = {"t.http", "answers for the requests of a test", HTTP_FNS,
                                        NULL};
