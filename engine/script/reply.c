#include "script/reply.h"

#include "script/bind_json.h"
#include "script/runtime.h"

#include <lauxlib.h>
#include <stdio.h>

static bool is_token(struct str s) {
    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
        if (!ok) return false;
    }
    return true;
}

static bool is_value(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return true;
}

/* The bytes move while the buffer grows, so the views are set when all are in. */
static void take_headers(lua_State *L, int index, struct reply *out, bool *has_type) {
    luaL_argexpected(L, lua_istable(L, index), index, "table");
    size_t sizes[REPLY_HEADERS_MAX][2];
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        struct str name = {0}, value = {0};
        if (lua_type(L, -2) == LUA_TSTRING) name.p = lua_tolstring(L, -2, &name.n);
        if (lua_type(L, -1) == LUA_TSTRING || lua_isinteger(L, -1)) {
            lua_pushvalue(L, -1); /* converting in place would confuse next */
            value.p = lua_tolstring(L, -1, &value.n);
        } else {
            luaL_error(L, "reply: header %s: a text is expected", name.n == 0 ? "?" : name.p);
        }
        if (!is_token(name))
            luaL_error(L, "reply: \"%s\" is no header name", name.n == 0 ? "" : name.p);
        if (!is_value(value)) luaL_error(L, "reply: header %s holds control characters", name.p);
        if (out->header_count == REPLY_HEADERS_MAX)
            luaL_error(L, "reply: more than %d headers", REPLY_HEADERS_MAX);
        sizes[out->header_count][0] = name.n;
        sizes[out->header_count++][1] = value.n;
        buf_addstr(&out->names, name);
        buf_addstr(&out->names, value);
        if (str_eq_nocase(name, STR("content-type"))) *has_type = true;
        lua_pop(L, 1);
    }
    if (out->names.err != 0) luaL_error(L, "out of memory");
    const char *at = out->names.data;
    for (size_t i = 0; i < out->header_count; i++) {
        out->headers[i].name = (struct str){at, sizes[i][0]};
        out->headers[i].value = (struct str){at + sizes[i][0], sizes[i][1]};
        at += sizes[i][0] + sizes[i][1];
    }
}

static void add_top(lua_State *L, struct buf *out) {
    struct str s;
    s.p = lua_tolstring(L, -1, &s.n);
    buf_addstr(out, s);
    lua_pop(L, 1);
}

static void add_type(struct reply *out, struct str type) {
    if (out->header_count < REPLY_HEADERS_MAX)
        out->headers[out->header_count++] = (struct http_header){STR("Content-Type"), type};
}

void reply_take(lua_State *L, int n, struct reply *out) {
    int first = lua_gettop(L) - n + 1;
    if (n == 1) {
        const char *tag = script_tag(L, first);
        if (tag != NULL && strcmp(tag, "watch") == 0) {
            lua_pushliteral(L, "payment");
            lua_rawget(L, first);
            snprintf(out->watch, sizeof out->watch, "%s", lua_tostring(L, -1));
            return;
        }
        if (tag == NULL || strcmp(tag, "reply") != 0)
            luaL_error(L, "a route returns status, body, headers or reply(status, body, headers)");
        lua_pushliteral(L, "status");
        lua_rawget(L, first);
        lua_pushliteral(L, "body");
        lua_rawget(L, first);
        lua_pushliteral(L, "headers");
        lua_rawget(L, first);
        first += 1;
        n = 3;
    }
    luaL_checkstack(L, 8, NULL);
    if (n == 0) luaL_error(L, "the route returned nothing; status, body, headers are expected");
    while (n < 3)
        lua_pushnil(L), n++;
    int status = first, body = first + 1, headers = first + 2;
    if (!lua_isinteger(L, status) || lua_tointeger(L, status) < 200 ||
        lua_tointeger(L, status) > 599)
        luaL_error(L, "reply: the status is an integer from 200 to 599");
    out->status = (int)lua_tointeger(L, status);
    bool has_type = false;
    if (!lua_isnil(L, headers)) take_headers(L, headers, out, &has_type);
    switch (lua_type(L, body)) {
    case LUA_TNIL: break;
    case LUA_TSTRING: {
        struct str s;
        s.p = lua_tolstring(L, body, &s.n);
        buf_addstr(&out->body, s);
        if (!has_type) add_type(out, STR("text/plain; charset=utf-8"));
        break;
    }
    case LUA_TTABLE:
        json_encode(L, body, JSON_DEPTH, JSON_OUT_MAX, "reply");
        add_top(L, &out->body);
        if (!has_type) add_type(out, STR("application/json"));
        break;
    default: luaL_error(L, "reply: the body is a text or a table, got %s", luaL_typename(L, body));
    }
    if (out->body.err != 0) luaL_error(L, "out of memory");
}

void reply_free(struct reply *r) {
    buf_free(&r->body);
    buf_free(&r->names);
    r->header_count = 0;
}
