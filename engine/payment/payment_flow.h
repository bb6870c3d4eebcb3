/* A create request from its bytes to its answer.
 *
 *   read --> known? (key, order) --> channels --> risk --> routing --> fee --> commit 1 --> the
 *   channel's create --> commit 2 --> answer
 *                 ^                                              |
 *                 '--- the next channel, in the same commit -----'
 *
 * Commit 1 has the payment, its attempt with the reference that will be sent, the idempotency row
 * and the ask job, before the first byte goes out. A call that is proven to have made nothing, where no
 * other channel is left, is a job's from then on (payment_try.h). Commit 2 has what came of it, and the answer's
 * bytes. A channel that calls nobody is run first, and all is one commit. Whoever asked waits for
 * LUWAK_CREATE_WAIT at most; the flow goes on without him, and without the flow the ask job does. */
#ifndef LUWAK_PAYMENT_FLOW_H
#define LUWAK_PAYMENT_FLOW_H

#include "payment/payment_reply.h"
#include "script/context.h"
#include "script/runtime.h"

struct payment_ask { /* texts are copied */
    const struct script_services *services;
    struct runtime *runtime;
    struct str merchant;
    struct str body;       /* JSON, as the contract has it */
    struct str raw;        /* what the client sent: its hash stands for the request; empty: body */
    struct str key;        /* Idempotency-Key; empty: none */
    struct str path;       /* "POST /v1/payments" */
    struct str choose;     /* a payment that is there: the payer chooses how; the body says it */
    struct str request_id; /* for problems */
    struct str api_key;    /* id of the key it was asked with; empty: nobody's */
    struct str door;       /* in whose words it was asked, "midtrans"; empty: ours */
    struct str urls;       /* where its notifications go besides, a space between; of that door */
    bool only;             /* and nowhere else */
};

struct flow;

/* `done` hears the answer once, never inside; it keeps what it needs of it. NULL: no memory. */
typedef void (*payment_replied)(const struct payment_reply *reply, void *data);
struct flow *payment_flow_start(const struct payment_ask *ask, payment_replied done, void *data);

/* Goes on with a payment that has no attempt yet: the payer chose how to pay, or a person let go what
 * a risk rule held. ask->body: {method?, bank?, channel?, options?} over what the payment has. The
 * rules for routing and fees are asked as at create; risk was asked then. 200 with the payment; 409
 * where it is held, over, or has an attempt; 400, 503 as at create. */
struct flow *payment_flow_continue(const struct payment_ask *ask, struct str id,
                                   payment_replied done, void *data);

/* Before `done` only: whoever asked is gone. `done` is still called; nothing waits for others. */
void payment_flow_hurry(struct flow *flow);

#endif
