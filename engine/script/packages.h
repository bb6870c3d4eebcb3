/* C modules of the distribution for one-off scripts. See packages.c. */
#ifndef LUWAK_SCRIPT_PACKAGES_H
#define LUWAK_SCRIPT_PACKAGES_H

#include "script/bind.h"

#include <stdbool.h>

/* Pushes the module; false: `name` is none of them, or is not installed, or not for this kind.
 * Raises what the module's own opening raises. */
bool package_load(lua_State *L, const char *name, enum script_kind kind);

#endif
