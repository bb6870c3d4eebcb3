/* Asking a provider what became of something, and writing what it says: attempts of payments, and
 * the other operations on them (cancel, refund). By whom: the ask job, `sync`. Where the payment's time
 * is over, what is said to be unpaid has expired. */
#ifndef LUWAK_PAYMENT_INQUIRE_H
#define LUWAK_PAYMENT_INQUIRE_H

#include "core/payment.h"
#include "script/dispatch.h"

struct payment_inquiry {
    const struct script_services *services;
    struct runtime *runtime;
    struct version *version;               /* of the channel */
    const char *function;                  /* "inquire"; or what the operation itself does */
    const struct operation_row *operation; /* copied */
};
/* `done` hears once, never inside, whether anybody still has to ask. err: it could not be written.
 * E_NOTFOUND from the call itself: the operation is no payment's. */
typedef void (*payment_inquired)(int err, bool open, void *data);
int payment_inquire(const struct payment_inquiry *inquiry, payment_inquired done, void *data);

#endif
