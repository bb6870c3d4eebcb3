/* cage: table functions that cannot be lied to. They go by raw length and raw access, refuse a
 * __len, touch at most CAGE_ITEMS_MAX elements and tell the budget how many. */
#include "script/cage.h"

#include "base/str.h"
#include "script/co.h"

#include <limits.h>

static lua_Integer table_length(lua_State *L, int index) {
    luaL_checktype(L, index, LUA_TTABLE);
    if (lua_getmetatable(L, index)) {
        lua_pushliteral(L, "__len");
        if (lua_rawget(L, -2) != LUA_TNIL)
            luaL_argerror(L, index, "a table with __len is not taken here");
        lua_pop(L, 2);
    }
    return (lua_Integer)lua_rawlen(L, index);
}

/* `last - first` elements and one more: the sum itself may not fit. */
static void check_span(lua_State *L, lua_Integer first, lua_Integer last) {
    if ((lua_Unsigned)last - (lua_Unsigned)first >= CAGE_ITEMS_MAX)
        luaL_error(L, "too many elements (at most %d)", CAGE_ITEMS_MAX);
    cage_spent(L, (size_t)(last - first));
}

static void check_count(lua_State *L, lua_Unsigned count) {
    if (count > CAGE_ITEMS_MAX) luaL_error(L, "too many elements (at most %d)", CAGE_ITEMS_MAX);
    cage_spent(L, (size_t)count);
}

int cage_concat(lua_State *L) {
    cage_enter(L);
    lua_Integer last = table_length(L, 1);
    size_t sep_length;
    const char *sep = luaL_optlstring(L, 2, "", &sep_length);
    lua_Integer i = luaL_optinteger(L, 3, 1);
    last = luaL_optinteger(L, 4, last);
    if (i > last) {
        lua_pushliteral(L, "");
        return 1;
    }
    check_span(L, i, last);
    size_t total = 0;
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (;; i++) {
        int type = lua_rawgeti(L, 1, i);
        if (type != LUA_TSTRING && type != LUA_TNUMBER)
            return luaL_error(L, "invalid value (at index %I) in table for 'concat'",
                              (LUAI_UACINT)i);
        total += (type == LUA_TSTRING ? lua_rawlen(L, -1) : 32) + sep_length;
        if (total > CAGE_RESULT_MAX + sep_length) return luaL_error(L, "result is too long");
        luaL_addvalue(&b);
        if (i == last) break;
        luaL_addlstring(&b, sep, sep_length);
    }
    luaL_pushresult(&b);
    return 1;
}

int cage_insert(lua_State *L) {
    cage_enter(L);
    lua_Integer end = table_length(L, 1) + 1;
    lua_Integer at = end;
    if (lua_gettop(L) == 3) {
        at = luaL_checkinteger(L, 2);
        luaL_argcheck(L, (lua_Unsigned)at - 1u < (lua_Unsigned)end, 2, "position out of bounds");
        check_count(L, (lua_Unsigned)(end - at));
        for (lua_Integer i = end; i > at; i--) {
            lua_rawgeti(L, 1, i - 1);
            lua_rawseti(L, 1, i);
        }
    } else if (lua_gettop(L) != 2) {
        return luaL_error(L, "wrong number of arguments to 'insert'");
    }
    lua_rawseti(L, 1, at);
    return 0;
}

int cage_remove(lua_State *L) {
    cage_enter(L);
    lua_Integer size = table_length(L, 1);
    lua_Integer at = luaL_optinteger(L, 2, size);
    if (lua_gettop(L) >= 2)
        luaL_argcheck(L, (lua_Unsigned)size + 1u - (lua_Unsigned)at <= (lua_Unsigned)size + 1u, 2,
                      "position out of bounds");
    lua_rawgeti(L, 1, at);
    if (size > at) check_count(L, (lua_Unsigned)size - (lua_Unsigned)at);
    for (; at < size; at++) {
        lua_rawgeti(L, 1, at + 1);
        lua_rawseti(L, 1, at);
    }
    lua_pushnil(L);
    lua_rawseti(L, 1, at);
    return 1;
}

int cage_move(lua_State *L) {
    cage_enter(L);
    lua_Integer from = luaL_checkinteger(L, 2);
    lua_Integer last = luaL_checkinteger(L, 3);
    lua_Integer to = luaL_checkinteger(L, 4);
    int target = lua_isnoneornil(L, 5) ? 1 : 5;
    table_length(L, 1);
    table_length(L, target);
    if (last >= from) {
        luaL_argcheck(L, from > 0 || last < LUA_MAXINTEGER + from, 3, "too many elements to move");
        lua_Integer n = last - from + 1;
        luaL_argcheck(L, to <= LUA_MAXINTEGER - n + 1, 4, "destination wrap around");
        check_count(L, (lua_Unsigned)n);
        bool forward = to > last || to <= from || (target != 1 && !lua_rawequal(L, 1, target));
        for (lua_Integer i = 0; i < n; i++) {
            lua_Integer k = forward ? i : n - 1 - i;
            lua_rawgeti(L, 1, from + k);
            lua_rawseti(L, target, to + k);
        }
    }
    lua_pushvalue(L, target);
    return 1;
}

int cage_unpack(lua_State *L) {
    cage_enter(L);
    lua_Integer i = luaL_optinteger(L, 2, 1);
    lua_Integer last = table_length(L, 1);
    last = luaL_optinteger(L, 3, last);
    if (i > last) return 0;
    lua_Unsigned n = (lua_Unsigned)last - (lua_Unsigned)i;
    if (n >= 8000 || !lua_checkstack(L, (int)n + 1))
        return luaL_error(L, "too many results to unpack (at most 8000)");
    for (; i < last; i++)
        lua_rawgeti(L, 1, i);
    lua_rawgeti(L, 1, last);
    return (int)n + 1;
}

/* ---- sort: merges between two tables of ours, so a lying comparator or an error half way neither
 * runs wild nor leaves the script's table with lost elements. Stable. Between two comparisons it
 * can pause: where it stands is kept in a userdata, on the stack at SORT_AT. ---- */

enum { SORT_A = 3, SORT_B = 4, SORT_AT = 5, SORT_TEXT_MAX = 64 << 10 };

struct sort {
    lua_Integer n;
    lua_Integer width;     /* of the sorted runs in `from` */
    lua_Integer mid, high; /* this merge: [.., mid) with [mid, high) */
    lua_Integer a, b, k;   /* next of the first run, of the second, place in `to` */
    int from, to;          /* stack places */
    bool with_function;
};

static bool less(lua_State *L, bool with_function) {
    if (!with_function) {
        if (lua_type(L, -1) == LUA_TSTRING &&
            (lua_rawlen(L, -1) > SORT_TEXT_MAX || lua_rawlen(L, -2) > SORT_TEXT_MAX))
            luaL_error(L, "texts over %d bytes cannot be sorted", SORT_TEXT_MAX);
        return lua_compare(L, -2, -1, LUA_OPLT);
    }
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_call(L, 2, 1);
    bool answer = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return answer;
}

static lua_Integer least(lua_Integer a, lua_Integer b) {
    return a < b ? a : b;
}

/* Begins the merge of the two runs from k on; at the end of the list, the next pass. */
static void next_merge(struct sort *s) {
    if (s->k > s->n) {
        s->k = 1;
        s->width *= 2;
        s->from = SORT_A + SORT_B - s->from;
        s->to = SORT_A + SORT_B - s->to;
    }
    s->a = s->k;
    s->mid = s->b = least(s->k + s->width, s->n + 1);
    s->high = least(s->k + 2 * s->width, s->n + 1);
}

static void merge_one(lua_State *L, struct sort *s) {
    bool second = s->a >= s->mid;
    if (s->a < s->mid && s->b < s->high) {
        lua_rawgeti(L, s->from, s->b);
        lua_rawgeti(L, s->from, s->a);
        second = less(L, s->with_function);
        lua_pop(L, 2);
    }
    lua_rawgeti(L, s->from, second ? s->b++ : s->a++);
    lua_rawseti(L, s->to, s->k++);
}

static int sort_on(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    struct sort *s = lua_touserdata(L, SORT_AT);
    lua_settop(L, SORT_AT);
    int steps = 0;
    while (s->width < s->n) {
        merge_one(L, s);
        if (s->k == s->high) next_merge(s);
        if (++steps % 64 == 0 && co_pause_due(L)) return lua_yieldk(L, 0, 0, sort_on);
    }
    for (lua_Integer i = 1; i <= s->n; i++) {
        lua_rawgeti(L, s->from, i);
        lua_rawseti(L, 1, i);
    }
    return 0;
}

int cage_sort(lua_State *L) {
    cage_enter(L);
    lua_Integer n = table_length(L, 1);
    bool with_function = !lua_isnoneornil(L, 2);
    if (with_function) luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    if (n < 2) return 0;
    check_count(L, (lua_Unsigned)n);
    lua_createtable(L, (int)n, 0);
    lua_createtable(L, (int)n, 0);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        lua_rawseti(L, SORT_A, i);
    }
    struct sort *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct sort){
        .n = n, .width = 1, .k = 1, .from = SORT_A, .to = SORT_B, .with_function = with_function};
    next_merge(s);
    return sort_on(L, LUA_OK, 0);
}
