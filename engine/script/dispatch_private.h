/* What the dispatchers share. */
#ifndef LUWAK_SCRIPT_DISPATCH_PRIVATE_H
#define LUWAK_SCRIPT_DISPATCH_PRIVATE_H

#include "script/dispatch.h"

uint64_t dispatch_serial(void); /* a new number for a call */
void dispatch_count(const struct version *v, const struct call_result *result); /* metrics */

/* The context of a caged call: its provider's hosts, state and configuration. */
void call_context_init(struct call_context *context, const struct script_services *services,
                       const struct version *version, struct str account);

#endif
