#include "script/lua_out.h"

#include <lauxlib.h>

void lua_out_init(struct lua_out *o, lua_State *L, const char *who, size_t max) {
    *o = (struct lua_out){.L = L, .who = who, .max = max};
    luaL_checkstack(L, 4, who);
    lua_pushnil(L);
    o->slot = lua_gettop(L);
}

char *lua_out_reserve(struct lua_out *o, size_t n) {
    if (n > o->max - o->len) luaL_error(o->L, "%s: the text gets too long", o->who);
    if (n > o->cap - o->len) {
        size_t cap = o->cap < 512 ? 512 : o->cap;
        while (cap - o->len < n)
            cap *= 2; /* max bounds it */
        luaL_checkstack(o->L, 1, o->who);
        char *p = lua_newuserdatauv(o->L, cap, 0);
        if (o->len != 0) memcpy(p, o->p, o->len);
        lua_replace(o->L, o->slot);
        o->p = p;
        o->cap = cap;
    }
    return o->p + o->len;
}

void lua_out_add(struct lua_out *o, struct str s) {
    char *at = lua_out_reserve(o, s.n);
    if (s.n != 0) memcpy(at, s.p, s.n);
    o->len += s.n;
}

struct buf lua_out_room(struct lua_out *o, size_t n) {
    return (struct buf){.data = lua_out_reserve(o, n + 1), .cap = n + 1, .max = n};
}

void lua_out_took(struct lua_out *o, const struct buf *b) {
    o->len += b->len;
}

void lua_out_push(struct lua_out *o) {
    lua_pushlstring(o->L, o->len == 0 ? "" : o->p, o->len);
}
