/* Another try of a payment's attempt, when its job is due: begin (a commit), call, write what came of
 * it, or that there is one more. */
#ifndef LUWAK_PAYMENT_TRY_H
#define LUWAK_PAYMENT_TRY_H

#include "script/dispatch.h"

struct payment_try {
    const struct script_services *services;
    struct runtime *runtime;
    struct version *version;               /* of the channel */
    const struct operation_row *operation; /* copied */
};
/* `done` hears once, never inside; err: it could not begin and may be begun again. */
typedef void (*payment_tried)(int err, void *data);
int payment_try(const struct payment_try *what, payment_tried done, void *data);

#endif
