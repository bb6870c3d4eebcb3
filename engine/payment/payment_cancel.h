/* The cancel of one attempt at its provider: one at a time per attempt, stored before the call. Wanted
 * by the merchant, or because the payer chose, or paid, another way. */
#ifndef LUWAK_PAYMENT_CANCEL_H
#define LUWAK_PAYMENT_CANCEL_H

#include "core/payment.h"
#include "script/context.h"
#include "script/dispatch.h"
#include "script/runtime.h"
#include "script/script_set.h"

/* The channel, of the set; NULL: it can cancel nothing, or calls no provider. Deleted ones serve what
 * is open. */
struct version *payment_cancel_channel(const struct script_set *set, const struct attempt *attempt);
/* `id` is the operation's. E_EXISTS: that of the one that is under way already. */
int payment_cancel_add(const struct core *core, struct commit *commit, struct payment *payment,
                       const struct attempt *attempt, const struct version *channel,
                       char id[ID_SIZE]);
/* The cancel of a way that the payer has left, or left unpaid where he paid another; nobody asks about
 * it between the commit that begins it and its call. All zero: none, its provider cannot, or is
 * cancelling it already. It stays where it is until it was sent or dropped. */
struct withdrawal {
    char id[ID_SIZE];
    struct operation_hold begun;
};
/* In place of the one that was there: a commit that is put together again begins another. */
int payment_cancel_withdraw(const struct script_services *services, const struct script_set *set,
                            const struct core *core, struct commit *commit, struct payment *payment,
                            const struct attempt *attempt, struct withdrawal *withdrawal);
/* After that commit, where nobody waits for what comes of it: without an answer its ask job goes on. */
void payment_cancel_send(const struct script_services *services, struct runtime *runtime,
                         const struct script_set *set, struct withdrawal *withdrawal);
/* That commit did not happen, or is not to. */
void payment_cancel_drop(const struct script_services *services, struct withdrawal *withdrawal);

#endif
