/* Small things between Lua's stack and our types that more than one binding needs. */
#ifndef LUWAK_SCRIPT_LUA_UTIL_H
#define LUWAK_SCRIPT_LUA_UTIL_H

#include "base/str.h"

#include <lua.h>

/* A state with no libraries that no script of its own runs in: it only compiles or holds tables. NULL
 * without memory. */
lua_State *plain_state(void);

struct str check_str(lua_State *L, int index); /* a string and no number, or it raises; a view */
void push_str(lua_State *L, struct str s);

/* Gives the userdata on top the metatable `type`, whose only content is how to free; made at its
 * first use. */
void set_freeing(lua_State *L, const char *type, lua_CFunction gc);

/* How many keys a table has; raises `wrong` when one is no string. */
size_t count_names(lua_State *L, int table, const char *wrong);
/* Its n keys, all strings, in the order of their bytes, so that the same table is always the same
 * text: an array in a userdata on top; the bytes are the table's. */
const struct str *sorted_names(lua_State *L, int table, size_t n);
void sort_names(lua_State *L, int table, struct str *names, size_t n); /* into the caller's array */

#endif
