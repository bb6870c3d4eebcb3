/* The answer of a payment route: status and bytes, a payment or a problem. */
#ifndef LUWAK_PAYMENT_REPLY_H
#define LUWAK_PAYMENT_REPLY_H

#include "core/payment.h"
#include "payment/payment_request.h"

struct operation_gate;

struct config;

struct payment_reply {
    int status;
    bool problem;  /* application/problem+json */
    bool replayed; /* Idempotent-Replayed: true */
    struct buf body;
};
void payment_reply_free(struct payment_reply *r);

void payment_reply_fault(struct payment_reply *r, const struct refusal *fault,
                         struct str request_id);
void payment_reply_problem(struct payment_reply *r, enum problem_code code, const char *detail,
                           struct str request_id);
/* DUPLICATE_TRANSACTION, with the payment that stands in the way. */
void payment_reply_duplicate(struct payment_reply *r, const char *payment, struct str request_id);
void payment_reply_payment(struct payment_reply *r, const struct core *core, int status,
                           const struct payment *payment);
/* For an error of the store: 503 where it was busy or full, else 500. */
void payment_reply_store(struct payment_reply *r, int err, struct str request_id);

/* What stands under this Idempotency-Key? E_NOTFOUND: nothing, go on. 0: the reply says it: the
 * stored one, 422, 409 while it runs, or after a crash what the payment's state says. */
struct payment_key_of {
    struct str merchant, path, key, raw, request_id;
};
int payment_reply_known(struct payment_reply *r, const struct core *core,
                        struct operation_gate *gate, const struct payment_key_of *key);

/* How long whoever asks waits for a provider: LUWAK_CREATE_WAIT, less what storing the answer may
 * take of it. Behind that he is told what stands, stored or not: a disk that takes no more keeps
 * nobody waiting, and a repeat is answered from what is stored by then. */
uint64_t payment_patience_ms(const struct config *config);
uint64_t payment_store_ms(const struct config *config);

#endif
