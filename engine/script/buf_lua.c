#include "script/buf_lua.h"

#include "base/err.h"
#include "base/mem.h"

#include <lauxlib.h>

#define TYPE "luwak.buf"

static int collect(lua_State *L) {
    struct buf *b = lua_touserdata(L, 1);
    buf_free(b);
    return 0;
}

struct buf *buf_push(lua_State *L) {
    luaL_checkstack(L, 4, "buffer");
    struct buf *b = lua_newuserdatauv(L, sizeof *b, 0);
    *b = (struct buf){.secret = true};
    luaL_newmetatable(L, TYPE);
    lua_pushcfunction(L, collect); /* each time: a failure half-way may have left it without */
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return b;
}

void buf_push_string(lua_State *L, const struct buf *b) {
    if (b->err != 0) luaL_error(L, "%s", err_text(b->err));
    struct str s = buf_str(b);
    lua_pushlstring(L, s.p, s.n);
}
