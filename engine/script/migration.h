/* Lua migrations: scripts/migrations/NNNN_name.lua, `return { up = function(db) ... end }`. The
 * store runs them inside the step's transaction through this hook (store.h). */
#ifndef LUWAK_SCRIPT_MIGRATION_H
#define LUWAK_SCRIPT_MIGRATION_H

#include "store/store.h"

/* Once per process, before the first store_migrate. */
void migration_setup(void);

#endif
