/* problem{...}: an RFC 9457 error document as the answer of a route. */
#include "net/problem.h"
#include "script/bind.h"
#include "script/buf_lua.h"
#include "script/context.h"
#include "script/runtime.h"

static struct str text_field(lua_State *L, const char *name) {
    struct str s = {0};
    lua_pushstring(L, name);
    if (lua_rawget(L, 1) != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "problem: %s is a text", name);
        s.p = lua_tolstring(L, -1, &s.n);
    }
    return s; /* stays on the stack, and so alive */
}

static int l_problem(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    struct problem p = {0};
    struct str code = text_field(L, "code");
    p.code = problem_find(code);
    if (p.code == PROBLEM_NONE)
        return luaL_error(L, "problem: there is no code \"%s\"", code.n == 0 ? "" : code.p);
    p.detail = text_field(L, "detail");
    p.param = text_field(L, "param");
    lua_pushliteral(L, "status");
    if (lua_rawget(L, 1) != LUA_TNIL) p.status = (int)luaL_checkinteger(L, -1);
    lua_pushliteral(L, "oldest");
    if (lua_rawget(L, 1) != LUA_TNIL) p.oldest = luaL_checkinteger(L, -1);
    const struct call_context *c = context_of(L);
    if (c->exchange != NULL) p.request_id = str_of(c->exchange->request_id);
    struct buf *body = buf_push(L);
    problem_write(body, &p);
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, p.status != 0 ? p.status : problem_status(p.code));
    lua_setfield(L, -2, "status");
    buf_push_string(L, body);
    lua_setfield(L, -2, "body");
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "application/problem+json");
    lua_setfield(L, -2, "Content-Type");
    lua_setfield(L, -2, "headers");
    script_set_tag(L, "reply");
    return 1;
}

static const struct bind_fn FNS[] = {
    {"problem", l_problem, KIND_API | KIND_PAGE | KIND_TEST, "what: table -> reply",
     "an error document: {code=, detail=, param=, status=, oldest=}"},
    {0},
};
const struct bind_module bind_problem = {"", "error documents", FNS, NULL};
