/* What becomes of money that does not fit (late, short, over, second): the policy rule's word, and
 * what follows from it. Without one, or when it fails, it waits for a person. */
#ifndef LUWAK_PAYMENT_POLICY_H
#define LUWAK_PAYMENT_POLICY_H

#include "core/payment.h"
#include "script/context.h"
#include "script/runtime.h"

/* `done` hears once, never inside. Money that is not in suspense, or nobody's, is left alone. */
typedef void (*payment_policed)(int err, void *data);
int payment_policy(const struct script_services *services, struct runtime *runtime,
                   int64_t movement, payment_policed done, void *data);

#endif
