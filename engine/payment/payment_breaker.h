/* Channels that are down are not called: one circuit breaker per channel, shared by all workers, fed
 * with what became of each create. A payment takes a pass before its commit 1 and gives it back with
 * what came of the call, or unused. */
#ifndef LUWAK_PAYMENT_BREAKER_H
#define LUWAK_PAYMENT_BREAKER_H

#include "core/breaker.h"
#include "payment/payment_decision.h"
#include "script/dispatch.h"

struct payment_pass {
    struct breaker *breaker; /* NULL: none was taken */
    struct str channel;      /* the version's, which outlives it */
    struct breaker_pass pass;
};

/* False: its breaker is open. A channel that calls nobody is always allowed. */
bool payment_pass_take(struct payment_pass *pass, const struct script_services *services,
                       const struct version *channel);
void payment_pass_report(struct payment_pass *pass, const struct operation_decision *d,
                         const struct payment_decision *read);
void payment_pass_return(struct payment_pass *pass); /* nothing was called */

#endif
