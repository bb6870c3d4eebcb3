/* What risk rules want counted: payments of one customer, or of one merchant, in the last while. A
 * count is two counters in the store, of the window that runs and of the one before it, of which as
 * much counts as still lies within reach: it slides, in two point reads. */
#ifndef LUWAK_PAYMENT_FACTS_H
#define LUWAK_PAYMENT_FACTS_H

#include "core/core.h"
#include "payment/payment_request.h"
#include "script/script_set.h"

enum { FACTS_MAX = 8, FACT_NAME_SIZE = 48, FACT_COUNTER_SIZE = 192 };

struct payment_facts {
    struct payment_fact {
        char name[FACT_NAME_SIZE];       /* "payments_per_customer_1h" */
        char counter[FACT_COUNTER_SIZE]; /* that this payment adds to; empty: to none */
        int64_t until;
        int64_t value; /* without this payment */
    } at[FACTS_MAX];
    size_t count;
    int err;
};

/* "payments_per_customer_1h", "payments_per_merchant_5m", ...: is it one we can count? */
bool payment_fact_known(struct str name);

/* Reads all that the set's risk rules ask for. A customer is known by mail address, else by phone;
 * without either nothing was counted. */
int payment_facts_read(struct payment_facts *facts, const struct core *core,
                       const struct script_set *set, struct str merchant,
                       const struct payment_request *request);
/* Of a payment that was counted when it was made: as it was then. */
void payment_facts_without(struct payment_facts *facts);
void payment_facts_write(const struct payment_facts *facts, struct json_out *w);
/* Counts this payment, in its own commit. */
void payment_facts_add(const struct payment_facts *facts, const struct core *core,
                       struct commit *commit);

#endif
