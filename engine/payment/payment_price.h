/* What money costs: the fee rule, asked about the attempt that brought it and the day it came. A payer's
 * fee was frozen at create and is not asked for again. A rule that fails keeps no money from being
 * booked: it costs nothing then but a line `unpriced`, and an operator hears of it. */
#ifndef LUWAK_PAYMENT_PRICE_H
#define LUWAK_PAYMENT_PRICE_H

#include "core/payment.h"
#include "script/rules.h"

/* Its texts are the rule's answer's and `version`'s. */
struct fee fee_of_rule(const struct rule_fee *fee, const char *version);

typedef void (*payment_price_done)(void *data);
struct payment_price { /* of the caller, until it has its fee */
    bool known, unpriced;
    struct rule_fee rule;
    char version[VERSION_ID_SIZE];
    char payment[ID_SIZE]; /* for the log */
    payment_price_done done;
    void *data;
};
struct payment_price_of {
    struct runtime *runtime;
    struct script_set *set;
    const struct payment *payment;
    const struct attempt *attempt; /* that brought the money */
    const char *provider;          /* whose channel it is */
    int64_t amount, paid_at;       /* paid_at 0: now */
};
bool payment_price_frozen(const struct payment *payment);
/* `done` is called once, never inside; not where this fails. */
int payment_price(struct payment_price *price, const struct core *core,
                  const struct payment_price_of *what, payment_price_done done, void *data);
/* NULL: no rule speaks of it, the payment's own fee counts. Else `out`. */
const struct fee *payment_price_fee(const struct payment_price *price, struct fee *out);

#endif
