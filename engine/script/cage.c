/* cage: the base functions that scripts get instead of Lua's. See cage.h.
 *
 * pcall passes our budget error on, and takes a memory error for one: both end the call. It nests
 * PCALL_DEPTH deep at most: Lua walks the whole stack whenever a pcall catches something, so a
 * chain of fifty thousand would unwind for seconds with no instruction run. There is
 * no xpcall (its handler would run inside the hook's error, hooks off), no load, no coroutine.
 * setmetatable refuses the fields that run code behind the budget's back (__gc) or make the
 * collector slow (__mode), and installs a copy of the known events: a field that is added to the
 * metatable afterwards, these three above all, has no effect. getmetatable gives the script its own
 * table back. tostring shows no addresses: they differ from run to run. */
#include "script/cage.h"

#include "base/rng.h"
#include "script/co_private.h"

#include <math.h>
#include <string.h>

/* ---- pcall ---- */

#define PCALL_DEPTH 150

static int pcall_done(lua_State *L, int status, lua_KContext context) {
    (void)context;
    struct co *co = co_of(L);
    if (co != NULL) co->pcalls--;
    if (co != NULL && co->kill != KILL_NONE) budget_raise(L);
    if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L);
    if (status == LUA_ERRMEM && co != NULL) {
        co->kill = KILL_MEMORY;
        budget_raise(L);
    }
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

int cage_pcall(lua_State *L) {
    luaL_checkany(L, 1);
    struct co *co = co_of(L);
    if (co != NULL && co->pcalls >= PCALL_DEPTH) return luaL_error(L, "pcall: nested too deeply");
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    if (co != NULL) co->pcalls++;
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, pcall_done);
    return pcall_done(L, status, 0);
}

/* ---- metatables ---- */

static void refuse_field(lua_State *L, const char *name) {
    lua_pushstring(L, name);
    if (lua_rawget(L, 2) != LUA_TNIL) luaL_error(L, "setmetatable: %s is not allowed here", name);
    lua_pop(L, 1);
}

/* Where the copy keeps the script's own table: a key that no script can name. */
static const char own_key;

static void push_events(lua_State *L) {
    static const char *const EVENTS[] = {
        "__index", "__newindex", "__call", "__eq",       "__lt",       "__le",   "__concat",
        "__len",   "__unm",      "__bnot", "__add",      "__sub",      "__mul",  "__div",
        "__idiv",  "__mod",      "__pow",  "__band",     "__bor",      "__bxor", "__shl",
        "__shr",   "__pairs",    "__name", "__tostring", "__metatable"};
    lua_createtable(L, 0, 4);
    for (size_t i = 0; i < sizeof EVENTS / sizeof EVENTS[0]; i++) {
        lua_pushstring(L, EVENTS[i]);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 2) == LUA_TNIL)
            lua_pop(L, 2);
        else
            lua_rawset(L, 3);
    }
    lua_pushvalue(L, 2);
    lua_rawsetp(L, 3, &own_key);
}

int cage_setmetatable(lua_State *L) {
    int type = lua_type(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
    if (type == LUA_TTABLE) {
        refuse_field(L, "__gc");
        refuse_field(L, "__close");
        refuse_field(L, "__mode");
    }
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    lua_settop(L, 2);
    if (type == LUA_TTABLE) push_events(L);
    lua_setmetatable(L, 1);
    lua_settop(L, 1);
    return 1;
}

int cage_getmetatable(lua_State *L) {
    luaL_checkany(L, 1);
    if (!lua_getmetatable(L, 1)) {
        lua_pushnil(L);
        return 1;
    }
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) return 1;
    if (lua_rawgetp(L, -1, &own_key) == LUA_TNIL) lua_pop(L, 1);
    return 1;
}

/* ---- text of a value ---- */

int cage_tostring(lua_State *L) {
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    if (luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL) {
        lua_pushvalue(L, 1);
        lua_call(L, 1, 1);
        if (!lua_isstring(L, -1)) return luaL_error(L, "'__tostring' must return a string");
        return 1;
    }
    switch (lua_type(L, 1)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TSTRING: luaL_tolstring(L, 1, NULL); return 1;
    default:
        if (luaL_getmetafield(L, 1, "__name") == LUA_TSTRING) return 1;
        lua_pushstring(L, luaL_typename(L, 1));
        return 1;
    }
}

/* ---- iteration ---- */

/* One step over a huge emptied table takes 0.2 ms and fires no hook: every 32nd looks itself. */
int cage_next(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    cage_spent(L, 512);
    if (lua_next(L, 1)) return 2;
    lua_pushnil(L);
    return 1;
}

static int pairs_done(lua_State *L, int status, lua_KContext context) {
    (void)L, (void)status, (void)context;
    return 3;
}

int cage_pairs(lua_State *L) {
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") == LUA_TNIL) {
        lua_pushcfunction(L, cage_next);
        lua_pushvalue(L, 1);
        lua_pushnil(L);
        return 3;
    }
    lua_pushvalue(L, 1);
    lua_callk(L, 1, 3, 0, pairs_done);
    return 3;
}

static int sorted_step(lua_State *L) {
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(3));
    for (;;) {
        at++;
        lua_pushinteger(L, at);
        lua_replace(L, lua_upvalueindex(3));
        if (lua_rawgeti(L, lua_upvalueindex(2), at) == LUA_TNIL) return 1;
        lua_pushvalue(L, -1);
        if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 2;
        lua_pop(L, 2); /* removed since: skip */
    }
}

/* Numbers before strings before booleans; within them by value. */
static int key_rank(lua_State *L, int index) {
    switch (lua_type(L, index)) {
    case LUA_TNUMBER: return 0;
    case LUA_TSTRING: return 1;
    case LUA_TBOOLEAN: return 2;
    default: return 3;
    }
}

static int key_less(lua_State *L) {
    int a = key_rank(L, 1), b = key_rank(L, 2);
    bool less = a < b;
    if (a == b && a < 2) {
        less = lua_compare(L, 1, 2, LUA_OPLT);
    } else if (a == b) {
        less = lua_toboolean(L, 1) < lua_toboolean(L, 2);
    }
    lua_pushboolean(L, less);
    return 1;
}

int cage_sorted(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    lua_Integer n = 0;
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        if (key_rank(L, -1) == 3)
            return luaL_error(L, "sorted: a key is a %s, which has no order", luaL_typename(L, -1));
        if (n == CAGE_ITEMS_MAX) return luaL_error(L, "sorted: too many keys");
        lua_pushvalue(L, -1);
        lua_rawseti(L, 2, ++n);
    }
    lua_pushcfunction(L, cage_sort);
    lua_pushvalue(L, 2);
    lua_pushcfunction(L, key_less);
    lua_call(L, 2, 0);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, sorted_step, 3);
    return 1;
}

/* ---- random numbers: the engine's, so that a seed repeats them ---- */

int cage_random(lua_State *L) {
    struct runtime *rt = co_runtime(L);
    struct rng *rng = rt == NULL ? NULL : runtime_rng(rt);
    if (rng == NULL) return luaL_error(L, "math.random: not while the script is loaded");
    lua_Integer low = 1, high;
    switch (lua_gettop(L)) {
    case 0: lua_pushnumber(L, (lua_Number)(rng_u64(rng) >> 11) * 0x1p-53); return 1;
    case 1: high = luaL_checkinteger(L, 1); break;
    case 2:
        low = luaL_checkinteger(L, 1);
        high = luaL_checkinteger(L, 2);
        break;
    default: return luaL_error(L, "wrong number of arguments");
    }
    luaL_argcheck(L, low <= high, lua_gettop(L), "interval is empty");
    uint64_t width = (uint64_t)high - (uint64_t)low + 1; /* 0: all 2^64 */
    uint64_t drawn = width == 0 ? rng_u64(rng) : rng_below(rng, width);
    lua_pushinteger(L, (lua_Integer)((uint64_t)low + drawn));
    return 1;
}
