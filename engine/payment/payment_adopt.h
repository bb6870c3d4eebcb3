/* Callbacks that fitted nothing when they came, told once more now that an attempt has their
 * reference: right after the decision that brought it, and by a job for what a crash cut short. */
#ifndef LUWAK_PAYMENT_ADOPT_H
#define LUWAK_PAYMENT_ADOPT_H

#include "core/payment.h"
#include "script/context.h"
#include "script/runtime.h"

/* `done` (NULL: nobody waits) hears once, never inside, the first error, and the last row that was
 * looked at (0: there was none). */
typedef void (*payment_adopted)(int err, int64_t last, void *data);
/* Some of those that an attempt has by now, behind the row `after`. */
int payment_adopt_orphans(const struct script_services *services, struct runtime *runtime,
                          int64_t after, payment_adopted done, void *data);
/* Of the references that this decision brought. What goes wrong is left to the job. */
void payment_adopt_result(const struct script_services *services, struct runtime *runtime,
                          struct str account, const struct payment_result *result);

#endif
