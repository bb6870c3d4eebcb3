/* secret: see the header. The bytes live in the userdata's own block, so Lua's memory limits count
 * them; __gc wipes them before the block goes back to the allocator. The metatable is locked, and
 * no metamethod returns anything: each raises with the secret's name, never its bytes. */
#include "script/bind_secret.h"

#include "base/ensure.h"
#include "base/mem.h"

#include <stdio.h>

#define NAME_MAX_ 64
#define HOLD_TYPE "secret.hold"
#define READY     "secret.ready" /* registry: both metatables were made to the end */

struct secret {
    size_t n;
    char name[NAME_MAX_];
    char bytes[];
};

struct hold { /* concatenated bytes of a list */
    size_t n;
    char bytes[];
};

static int wiped(lua_State *L) {
    struct secret *s = lua_touserdata(L, 1);
    if (s != NULL) mem_wipe(s->bytes, s->n);
    return 0;
}

static int hold_wiped(lua_State *L) {
    struct hold *h = lua_touserdata(L, 1);
    if (h != NULL) mem_wipe(h->bytes, h->n);
    return 0;
}

static int refuse(lua_State *L, const char *what) {
    const char *name = "?";
    for (int i = 1; i <= 2; i++)
        if (secret_is(L, i)) name = secret_name(L, i);
    return luaL_error(L, "secret %s: %s", name, what);
}

static int no_text(lua_State *L) {
    return refuse(L, "a secret is never shown as text");
}
static int no_concat(lua_State *L) {
    return refuse(L, "a secret is not joined with .. (give signers and headers a list)");
}
static int no_length(lua_State *L) {
    return refuse(L, "a secret's length is not told");
}
static int no_compare(lua_State *L) {
    return refuse(L, "secrets are compared by crypto.equal");
}
static int no_fields(lua_State *L) {
    return refuse(L, "a secret has no fields");
}
static int no_arithmetic(lua_State *L) {
    return refuse(L, "a secret is no number");
}

int secret_open(lua_State *L) {
    static const luaL_Reg meta[] = {
        {"__gc", wiped},           {"__tostring", no_text},
        {"__concat", no_concat},   {"__len", no_length},
        {"__eq", no_compare},      {"__lt", no_compare},
        {"__le", no_compare},      {"__index", no_fields},
        {"__newindex", no_fields}, {"__pairs", no_fields},
        {"__call", no_fields},     {"__add", no_arithmetic},
        {"__sub", no_arithmetic},  {"__mul", no_arithmetic},
        {"__div", no_arithmetic},  {"__idiv", no_arithmetic},
        {"__mod", no_arithmetic},  {"__pow", no_arithmetic},
        {"__unm", no_arithmetic},  {"__band", no_arithmetic},
        {"__bor", no_arithmetic},  {"__bxor", no_arithmetic},
        {"__bnot", no_arithmetic}, {"__shl", no_arithmetic},
        {"__shr", no_arithmetic},  {NULL, NULL},
    };
    luaL_newmetatable(L, SECRET_TYPE);
    luaL_setfuncs(L, meta, 0);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    luaL_newmetatable(L, HOLD_TYPE);
    lua_pushcfunction(L, hold_wiped);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, READY);
    return 0;
}

/* Both metatables are whole or neither is used: a block without __gc would not be wiped. */
static void need_metatables(lua_State *L) {
    bool there = lua_getfield(L, LUA_REGISTRYINDEX, READY) != LUA_TNIL;
    lua_pop(L, 1);
    if (!there) secret_open(L);
}

void secret_push(lua_State *L, struct str bytes, const char *name) {
    need_metatables(L);
    if (bytes.n > BYTES_MAX) luaL_error(L, "a secret of more than 16 MB");
    struct secret *s = lua_newuserdatauv(L, sizeof *s + bytes.n, 0);
    s->n = 0;
    luaL_setmetatable(L, SECRET_TYPE);
    snprintf(s->name, sizeof s->name, "%s", name == NULL ? "" : name);
    if (bytes.n != 0) memcpy(s->bytes, bytes.p, bytes.n);
    s->n = bytes.n;
}

bool secret_is(lua_State *L, int index) {
    return luaL_testudata(L, index, SECRET_TYPE) != NULL;
}

struct str secret_bytes(lua_State *L, int index) {
    struct secret *s = luaL_checkudata(L, index, SECRET_TYPE);
    return (struct str){s->bytes, s->n};
}

const char *secret_name(lua_State *L, int index) {
    struct secret *s = luaL_checkudata(L, index, SECRET_TYPE);
    return s->name;
}

/* A string or a secret at `index`, without conversion; p = NULL: neither. */
static struct str one(lua_State *L, int index) {
    if (lua_type(L, index) == LUA_TSTRING) {
        size_t n;
        const char *p = lua_tolstring(L, index, &n);
        return (struct str){p, n};
    }
    if (secret_is(L, index)) return secret_bytes(L, index);
    return (struct str){0};
}

static struct str list(lua_State *L, int index) {
    lua_Unsigned count = lua_rawlen(L, index);
    if (count > BYTES_LIST_MAX) luaL_argerror(L, index, "a list of more than 4096 parts");
    luaL_checkstack(L, 8, "bytes");
    size_t total = 0;
    for (lua_Unsigned i = 1; i <= count; i++) {
        lua_rawgeti(L, index, (lua_Integer)i);
        struct str part = one(L, -1);
        if (part.p == NULL) {
            const char *text = lua_pushfstring(L, "part %d is a %s, expected string or secret",
                                               (int)i, luaL_typename(L, -1));
            luaL_argerror(L, index, text);
        }
        lua_pop(L, 1);
        total += part.n;
        if (total > BYTES_MAX) luaL_argerror(L, index, "more than 16 MB");
    }
    need_metatables(L);
    struct hold *h = lua_newuserdatauv(L, sizeof *h + total, 0);
    h->n = total;
    luaL_setmetatable(L, HOLD_TYPE);
    /* The same parts again: no code of the script ran since, the table is as it was. */
    size_t at = 0;
    for (lua_Unsigned i = 1; i <= count; i++) {
        lua_rawgeti(L, index, (lua_Integer)i);
        struct str part = one(L, -1);
        ENSURE(part.n <= total - at);
        if (part.n != 0) memcpy(h->bytes + at, part.p, part.n);
        at += part.n;
        lua_pop(L, 1);
    }
    return (struct str){h->bytes, total};
}

struct str bytes_arg(lua_State *L, int index) {
    index = lua_absindex(L, index);
    struct str s = one(L, index);
    if (s.p != NULL) return s;
    if (lua_type(L, index) == LUA_TTABLE) return list(L, index);
    luaL_typeerror(L, index, "string, secret or list of them");
    return s;
}

bool bytes_secret(lua_State *L, int index) {
    if (secret_is(L, index)) return true;
    if (lua_type(L, index) != LUA_TTABLE) return false;
    index = lua_absindex(L, index);
    lua_Unsigned count = lua_rawlen(L, index);
    bool found = false;
    for (lua_Unsigned i = 1; i <= count && i <= BYTES_LIST_MAX && !found; i++) {
        lua_rawgeti(L, index, (lua_Integer)i);
        found = secret_is(L, -1);
        lua_pop(L, 1);
    }
    return found;
}

static void one_shown(lua_State *L, int index, struct buf *out) {
    if (secret_is(L, index))
        buf_addf(out, "[%s]", secret_name(L, index));
    else
        buf_addstr(out, one(L, index));
}

void bytes_shown(lua_State *L, int index, struct buf *out) {
    index = lua_absindex(L, index);
    if (lua_type(L, index) != LUA_TTABLE) {
        one_shown(L, index, out);
        return;
    }
    lua_Unsigned count = lua_rawlen(L, index);
    for (lua_Unsigned i = 1; i <= count && i <= BYTES_LIST_MAX; i++) {
        lua_rawgeti(L, index, (lua_Integer)i);
        one_shown(L, -1, out);
        lua_pop(L, 1);
    }
}
