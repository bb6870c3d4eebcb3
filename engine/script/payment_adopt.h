/* Callbacks that fitted nothing when they came, told once more now that an attempt has their
 * reference: right after the decision that brought it, and by a job for what a crash cut short. */
#ifndef LUWAK_SCRIPT_PAYMENT_ADOPT_H
#define LUWAK_SCRIPT_PAYMENT_ADOPT_H

#include "core/payment.h"
#include "script/context.h"
#include "script/runtime.h"

/* `done` (NULL: nobody waits) hears once, never inside, the first error. */
typedef void (*payment_adopted)(int err, void *data);
int payment_adopt_known(const struct script_services *services, struct runtime *runtime,
                        payment_adopted done, void *data); /* all that an attempt has by now */
/* Of the references that this decision brought. What goes wrong is left to the job. */
void payment_adopt_result(const struct script_services *services, struct runtime *runtime,
                          struct str account, const struct payment_result *result);

#endif
