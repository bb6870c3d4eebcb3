/* See lua_util.h. Those given a state may raise for want of memory, check_str for a wrong type. */
#include "script/lua_util.h"

#include "base/mem.h"
#include "base/sort.h"

#include <lauxlib.h>

static void *lua_memory(void *data, void *ptr, size_t old, size_t size) {
    (void)data, (void)old;
    if (size == 0) {
        mem_free(ptr);
        return NULL;
    }
    return mem_realloc(ptr, size);
}

lua_State *plain_state(void) {
    return lua_newstate(lua_memory, NULL);
}

struct str check_str(lua_State *L, int index) {
    luaL_checktype(L, index, LUA_TSTRING);
    struct str s;
    s.p = lua_tolstring(L, index, &s.n);
    return s;
}

void push_str(lua_State *L, struct str s) {
    lua_pushlstring(L, s.p == NULL ? "" : s.p, s.n);
}

void set_freeing(lua_State *L, const char *type, lua_CFunction gc) {
    if (luaL_newmetatable(L, type)) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
    }
    lua_setmetatable(L, -2);
}

static int by_bytes(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

size_t count_names(lua_State *L, int table, const char *wrong) {
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1), n++)
        if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "%s", wrong);
    return n;
}

void sort_names(lua_State *L, int table, struct str *names, size_t n) {
    size_t i = 0;
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1), i++)
        names[i].p = lua_tolstring(L, -2, &names[i].n);
    sort_heap(names, n, sizeof *names, by_bytes);
}

const struct str *sorted_names(lua_State *L, int table, size_t n) {
    struct str *names = lua_newuserdatauv(L, n * sizeof *names, 0);
    sort_names(L, table, names, n);
    return names;
}
