/* What simulated mode begins with: a merchant whose keys everybody knows. */
#ifndef LUWAK_DEMO_H
#define LUWAK_DEMO_H

#include "core/core.h"

/* Adds it where it is not there yet; *made says whether the commit holds anything. */
int demo_add(const struct core *core, struct commit *commit, bool *made, struct why *why);

#endif
