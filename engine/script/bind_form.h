#ifndef LUWAK_SCRIPT_BIND_FORM_H
#define LUWAK_SCRIPT_BIND_FORM_H

#include "base/str.h"

#include <lua.h>

/* Pushes a table of the pairs and returns 1 (a name that comes twice is an error: which one is
 * meant nobody knows); or nil, text, code and 3. */
int form_table_push(lua_State *L, struct str text);

#endif
