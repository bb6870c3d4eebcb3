/* cage: string functions with bounded results, and the string metatable. A string method call
 * reaches only the state's own copy of the library; arithmetic on strings ("10" + 5) is an error
 * here, for money must not come out of a text by accident. */
#include "script/cage.h"

#include "script/co_private.h"

#include <string.h>

void cage_strings(lua_State *L, int env) {
    lua_pushliteral(L, "");
    lua_createtable(L, 0, 2);
    lua_getfield(L, env, "string");
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

int cage_rep(lua_State *L) {
    cage_enter(L);
    size_t n, sep_length;
    const char *s = luaL_checklstring(L, 1, &n);
    lua_Integer times = luaL_checkinteger(L, 2);
    const char *sep = luaL_optlstring(L, 3, "", &sep_length);
    if (times <= 0 || n + sep_length == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if (times > CAGE_RESULT_MAX || (n + sep_length) * (size_t)times > CAGE_RESULT_MAX + sep_length)
        return luaL_error(L, "result is too long (at most %d bytes)", CAGE_RESULT_MAX);
    size_t total = n * (size_t)times + sep_length * (size_t)(times - 1);
    cage_spent(L, total / 64);
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, total);
    size_t unit = n + sep_length, done = unit < total ? unit : total;
    memcpy(out, s, n);
    memcpy(out + n, sep, done - n);
    while (done < total) { /* what is there once more: few copies, long ones */
        size_t more = done < total - done ? done : total - done;
        memcpy(out + done, out, more);
        done += more;
    }
    luaL_pushresultsize(&b, total);
    return 1;
}

/* Goes over the conversions, turns what %s shows into text by our tostring, refuses %p (an
 * address), bounds the sum, and leaves the printing to Lua's own (which bounds each width). */
int cage_format(lua_State *L) {
    cage_enter(L);
    size_t n;
    const char *f = luaL_checklstring(L, 1, &n);
    const char *end = f + n;
    size_t total = n;
    int arg = 1, top = lua_gettop(L);
    while (f < end) {
        if (*f++ != '%') continue;
        if (f < end && *f == '%') {
            f++;
            continue;
        }
        while (f < end && *f != '\0' && strchr("-+ #0123456789.", *f) != NULL)
            f++;
        if (f == end) break; /* Lua's own says what is wrong */
        char kind = *f++;
        if (++arg > top) return luaL_argerror(L, arg, "no value");
        if (kind == 'p') return luaL_error(L, "invalid conversion '%%p' to 'format'");
        if (kind == 's') {
            lua_pushcfunction(L, cage_tostring);
            lua_pushvalue(L, arg);
            lua_call(L, 1, 1);
            lua_replace(L, arg);
            total += lua_rawlen(L, arg);
        } else if (kind == 'q') {
            total += lua_type(L, arg) == LUA_TSTRING ? lua_rawlen(L, arg) * 4 : 64;
        } else {
            total += 128;
        }
        if (total > CAGE_RESULT_MAX) return luaL_error(L, "result is too long");
    }
    cage_spent(L, total / 16);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* "c1000000000" would pad for seconds, "s16" take a gigabyte of format. */
int cage_pack(lua_State *L) {
    cage_enter(L);
    size_t n;
    const char *f = luaL_checklstring(L, 1, &n);
    luaL_argcheck(L, n <= 4096, 1, "format is too long");
    size_t number = 0;
    for (size_t i = 0; i < n; i++) {
        number = f[i] >= '0' && f[i] <= '9' ? number * 10 + (size_t)(f[i] - '0') : 0;
        luaL_argcheck(L, number <= CAGE_TEXT_MAX, 1, "size is too large");
    }
    cage_spent(L, n * 16);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}
