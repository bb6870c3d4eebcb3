/* The cancel of one attempt at its provider: one at a time per attempt, stored before the call. Wanted
 * by the merchant, or because the payer chose, or paid, another way. */
#ifndef LUWAK_PAYMENT_CANCEL_H
#define LUWAK_PAYMENT_CANCEL_H

#include "core/payment.h"
#include "script/context.h"
#include "script/runtime.h"
#include "script/script_set.h"

/* The channel, of the set; NULL: it can cancel nothing, or calls no provider. Deleted ones serve what
 * is open. */
struct version *payment_cancel_channel(const struct script_set *set, const struct attempt *attempt);
/* `id` is the operation's. E_EXISTS: that of the one that is under way already. */
int payment_cancel_add(const struct core *core, struct commit *commit, struct payment *payment,
                       const struct attempt *attempt, const struct version *channel,
                       char id[ID_SIZE]);
/* Of a way that the payer has left, or left unpaid where he paid another. `id` empty: its provider
 * cannot, or is cancelling it already. */
int payment_cancel_withdraw(const struct script_set *set, const struct core *core,
                            struct commit *commit, struct payment *payment,
                            const struct attempt *attempt, char id[ID_SIZE]);
/* After that commit, where nobody waits for what comes of it: without an answer its ask job goes on.
 * An empty id: nothing. */
void payment_cancel_send(const struct script_services *services, struct runtime *runtime,
                         const struct script_set *set, struct str id);

#endif
