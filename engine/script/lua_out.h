/* A growing output of a binding whose memory is Lua's: a userdata at a fixed place of the stack. So
 * the cage's cap sees every byte, and an error anywhere leaves nothing behind. */
#ifndef LUWAK_SCRIPT_LUA_OUT_H
#define LUWAK_SCRIPT_LUA_OUT_H

#include "base/buf.h"

#include <lua.h>

struct lua_out {
    lua_State *L;
    const char *who; /* the function's name, for messages */
    int slot;        /* the stack place of the userdata behind p */
    char *p;
    size_t len, cap, max;
};

void lua_out_init(struct lua_out *o, lua_State *L, const char *who, size_t max); /* pushes one */
char *lua_out_reserve(struct lua_out *o, size_t n); /* raises over max; o->len is the caller's */
void lua_out_add(struct lua_out *o, struct str s);

/* A buffer over room for n bytes at the end of the output, for functions of base/ that append to
 * one: it never allocates. lua_out_took() keeps what was appended. */
struct buf lua_out_room(struct lua_out *o, size_t n);
void lua_out_took(struct lua_out *o, const struct buf *b);

void lua_out_push(struct lua_out *o); /* pushes the string */

#endif
