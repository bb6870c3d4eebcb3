/* t.load: a script's own table, made in the test's state: its chunk and its modules run with the
 * test's environment, and `require` finds the parts of its version. */
#include "script/state.h"
#include "script/test_script.h"

#include <lauxlib.h>

static int load_part(lua_State *L, const struct part *part, int env) {
    const char *chunk = lua_pushfstring(L, "@%s", part->path);
    if (luaL_loadbufferx(L, part->code.p, part->code.n, chunk, "b") != LUA_OK) lua_error(L);
    lua_remove(L, -2);
    lua_pushvalue(L, env);
    if (lua_setupvalue(L, -2, 1) == NULL) lua_pop(L, 1);
    return 1;
}

/* Upvalues: 1 the version, 2 what was loaded, 3 the environment. */
static int load_require(lua_State *L) {
    const struct version *v = lua_touserdata(L, lua_upvalueindex(1));
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) return 1;
    const struct part *part = version_part(v, name);
    if (part == NULL) { /* built in */
        lua_settop(L, 1);
        return state_require(L);
    }
    load_part(L, part, lua_upvalueindex(3));
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1)) lua_pushboolean(L, 1), lua_replace(L, -2);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, lua_upvalueindex(2));
    return 1;
}

struct version *test_l_version(lua_State *L, const char *path) {
    struct version *v = NULL;
    struct why why = {0};
    if (test_load(test_of(L), path, &v, &why) != 0) luaL_error(L, "t.load: %s", why.text);
    return v;
}

int test_l_load(lua_State *L) {
    struct version *v = test_l_version(L, luaL_checkstring(L, 1));
    lua_settop(L, 1);
    lua_newtable(L); /* 2: the environment */
    lua_pushlightuserdata(L, v);
    lua_newtable(L);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, load_require, 3);
    lua_setfield(L, 2, "require");
    lua_createtable(L, 0, 1);
    state_push_env(L);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, 2);
    load_part(L, &v->parts[0], 2);
    lua_pushstring(L, v->name);
    lua_call(L, 1, 1);
    return 1;
}
