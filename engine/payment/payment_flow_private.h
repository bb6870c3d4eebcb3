/* A create request in its parts: payment_flow.c reads it and asks the rules, payment_flow_store.c stores
 * it and calls the channel, payment_flow_continue.c goes on with one that is there, payment_choose.c
 * goes another way. */
#ifndef LUWAK_PAYMENT_FLOW_PRIVATE_H
#define LUWAK_PAYMENT_FLOW_PRIVATE_H

#include "core/merchant.h"
#include "payment/payment_breaker.h"
#include "payment/payment_cancel.h"
#include "payment/payment_channels.h"
#include "payment/payment_decision.h"
#include "payment/payment_facts.h"
#include "payment/payment_flow.h"
#include "payment/payment_price.h"
#include "script/claims.h"
#include "script/dispatch.h"

enum {
    REFERENCE_MAX_ = 50, /* what every provider takes */
    REFERENCE_TRIES = 8
};

struct flow {
    struct payment_ask ask; /* texts in `memory` */
    char *memory;
    const struct core *core;
    struct loop *loop;
    struct script_set *set;
    struct payment_request request;
    struct payment_channels channels;
    size_t channel;                /* the one under way */
    size_t next_channel;           /* the one that this commit begins with */
    uint64_t skipped;              /* bits: their breaker was open */
    struct payment_pass pass;      /* of the channel, until it has answered */
    uint64_t on;                   /* the categories after which the next one is tried */
    char reason[RULE_REASON_SIZE]; /* of the risk rule that did not let it through */
    struct payment_facts facts;
    struct rule_fee fee;
    char fee_version[VERSION_ID_SIZE];
    int64_t amount_due, expires_at;
    struct payment payment;
    bool has_payment;
    char attempt[ID_SIZE];       /* the one under way */
    char next[ID_SIZE];          /* the one that this commit begins */
    struct operation_hold begun; /* it, until its call */
    struct operation_mark payment_mark, attempt_mark;
    bool payment_marked, attempt_marked;
    char account[ACCOUNT_NAME_SIZE]; /* at the provider of the channel under way */
    char reference[REFERENCE_MAX_ + 8];
    int reference_tries;
    struct claims claims; /* numbers that a channel of our own gave, for the first commit */
    int64_t code;         /* that it added to what is due */
    struct payment_decision decision;
    char id[ID_SIZE];     /* of a payment that this goes on with; empty: it makes one */
    char person[ID_SIZE]; /* the customer, sealed; empty: none */
    struct buf doc, input, backoff,
        given;        /* given: the input with the customer in it, for the channel only */
    struct buf whole; /* choosing: the request as if it had been made now, for this way */
    bool released;    /* choosing: a person has looked at it */
    int choose_tries;
    struct withdrawal withdrawal; /* choosing: the old way's cancel at its provider */
    bool no_withdrawal;           /* another cancel is under way */
    struct timer patience, look;
    struct task task;
    struct payment_reply reply;
    bool replied;                      /* what he hears is decided */
    bool told;                         /* `done` was called */
    enum payment_status status_before; /* where the payer chooses: as it was read */
    bool stored;                       /* the commit of the flow's own answer is under way */
    bool answering;                    /* that of what he hears when patience is over is */
    bool over;                         /* it ends, as soon as that is stored */
    bool again;  /* the call made nothing, and there is no other channel: it is tried again */
    bool trying; /* and that is on disk: a job does it, the flow only waits to tell of it */
    payment_replied done;
    void *data;
};

/* payment_flow.c: the ends. What is in f->reply is the answer, if nobody was answered before. */
void flow_end(struct flow *f);
void flow_end_fault(struct flow *f, const struct refusal *fault);
void flow_end_problem(struct flow *f, enum problem_code code, const char *detail);
void flow_end_error(struct flow *f, int err);
void flow_end_payment(struct flow *f, int status); /* the payment as it stands */
int flow_read_again(struct flow *f);               /* f->payment */
void flow_await_try(struct flow *f);               /* the end, once a job has had its try */
void flow_out_of_patience(struct flow *f);         /* a call begins: is anybody waiting too long? */

bool flow_find_order(struct flow *f); /* true: known; the flow has ended, or waits */
bool flow_find_key(struct flow *f);
struct version *flow_channel(const struct flow *f); /* the one under way; NULL: none */
bool flow_pick(struct flow *f, size_t from); /* f->next_channel: the first one that may be called */
void flow_note_skipped(struct flow *f, struct commit *c, size_t from, size_t to);

void flow_ask_risk(struct flow *f); /* and on from there, to the end */

/* payment_choose.c: another way for a payment that is there. */
void flow_choose(struct flow *f);
void flow_choose_expiry(struct flow *f);
bool flow_choose_fee(struct flow *f); /* false: that was the end */
void flow_choose_commit(struct flow *f, const struct payment_result *at_once);

/* payment_flow_store.c: from here on it is stored. `at_once`: decided without any provider. */
void flow_begin_channel(struct flow *f);
void flow_commit(struct flow *f, const struct payment_result *at_once);
void flow_continue(struct flow *f);          /* payment_flow_continue.c: f->id */
void flow_continue_channels(struct flow *f); /* payment_flow.c: its request is read */
/* for payment_choose.c */
int flow_choose_account(struct flow *f, const struct version *v);
void flow_make_reference(struct flow *f);
int flow_write_inputs(struct flow *f);
struct str flow_ask_backoff(struct flow *f, const struct version *v);
void flow_mark_next(struct flow *f, const struct payment *p); /* p's last attempt, for the gate */
void flow_mark_none(struct flow *f);
void flow_call_channel(struct flow *f); /* the attempt f->attempt of f->payment */

/* What says nothing is left out. */
static inline void put_str(struct json_out *w, const char *name, struct str value) {
    if (value.n != 0) json_put_str(w, name, value);
}

#endif
