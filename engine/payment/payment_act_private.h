/* For payment_act.c and payment_act_keyed.c: one request, from its beginning to its answer. */
#ifndef LUWAK_PAYMENT_ACT_PRIVATE_H
#define LUWAK_PAYMENT_ACT_PRIVATE_H

#include "core/payment.h"
#include "payment/payment_act.h"
#include "script/dispatch.h"
#include "script/script_set.h"

struct act {
    enum payment_action action;
    struct payment_ask ask;
    const struct core *core;
    struct loop *loop;
    struct script_set *set;
    char id[ID_SIZE], operation[ID_SIZE], refund[ID_SIZE];
    char reference[160];
    struct version *version; /* of the channel; of the set */
    struct json_doc body;
    int64_t amount;
    struct str reason;
    const struct json *destination;
    struct buf plain, input; /* plain: the destination */
    struct operation_mark mark;
    bool marked;
    struct operation_hold begun; /* a->operation, until its call */
    bool waiting;                /* for the end of the call that makes what is to be cancelled */
    bool creating;               /* and that it had begun was seen as the cancel was put together */
    bool asking;                 /* the provider has been called and has not answered */
    bool storing;                /* a commit that keeps the answer is under way */
    bool ended;                  /* nothing is under way but that commit, perhaps */
    bool told;                   /* `done` was called */
    struct payment_reply reply;
    struct timer patience, look;
    struct task task;
    payment_replied done;
    void *data;
    char texts[];
};

/* The last step of every way: what is in a->reply is the answer. */
void act_end(struct act *a);
void act_end_problem(struct act *a, enum problem_code code, const char *param, const char *detail);
void act_end_error(struct act *a, int err);

/* What is begun by the commit that is put together: none yet; a->operation. */
void act_begin_none(struct act *a);
void act_begun(struct act *a);

bool act_can(const struct act *a, const char *function); /* has the channel such a function? */

/* Commits what `build` adds; then `done`, which ends in act_changed(): asks the provider, or ends. */
void act_change(struct act *a, payment_build build,
                void (*done)(int err, const struct why *why, void *data));
void act_changed(int err, const struct why *why, void *data);

/* payment_act_keyed.c */
void act_begin_refund(struct act *a);
void act_begin_capture(struct act *a);

#endif
