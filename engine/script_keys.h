/* Configuration keys that a script declares and nobody set. It serves without them, and its calls
 * fail where it needs one: that is said when it goes live and in `luwak scripts list`. Not in
 * simulated mode, where every key has a value. */
#ifndef LUWAK_SCRIPT_KEYS_H
#define LUWAK_SCRIPT_KEYS_H

#include "engine.h"

/* False: v has all its keys; else appends those that are missing, with ", " between. */
bool script_keys_lack(const struct engine *e, const struct version *v, struct buf *keys);

/* One warning for each version that lacks some and serves in `set` but did not in `old` (or NULL). */
void script_keys_warn(const struct engine *e, const struct script_set *old,
                      const struct script_set *set);

#endif
