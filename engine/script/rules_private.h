/* Between rules.c, which finds and runs a rule, and rules_read.c, which reads what it returned. */
#ifndef LUWAK_SCRIPT_RULES_PRIVATE_H
#define LUWAK_SCRIPT_RULES_PRIVATE_H

#include "script/rules.h"

/* Reads the one result at `index` into the answer; raises with what is wrong with it. `qris`: no
 * surcharge is allowed. */
void rule_read(lua_State *L, int index, bool qris, struct rule_answer *answer);

#endif
