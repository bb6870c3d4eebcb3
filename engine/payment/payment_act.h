/* What a merchant does with a payment that exists: cancel, sync, capture, refund. */
#ifndef LUWAK_PAYMENT_ACT_H
#define LUWAK_PAYMENT_ACT_H

#include "payment/payment_flow.h"

enum payment_action { ACT_CANCEL, ACT_SYNC, ACT_CAPTURE, ACT_REFUND };

/* ask->body, key and path count for refunds. `id`: of the payment; copied. */
int payment_act(enum payment_action action, const struct payment_ask *ask, struct str id,
                payment_replied done, void *data);

#endif
