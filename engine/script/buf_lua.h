/* A struct buf that the Lua stack owns: wiped and freed on collection, so that anything may raise
 * while it is filled and pushed. */
#ifndef LUWAK_SCRIPT_BUF_LUA_H
#define LUWAK_SCRIPT_BUF_LUA_H

#include "base/buf.h"

#include <lua.h>

struct buf *buf_push(lua_State *L);                      /* an empty one, on the stack */
void buf_push_string(lua_State *L, const struct buf *b); /* its bytes; raises what went wrong */

#endif
