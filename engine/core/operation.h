/* An operation is one thing asked of a provider that can move money: create, capture, cancel,
 * refund, reverse, pay. Its intent is on disk before the first byte goes out, its result before
 * anybody hears of it, and what stays without an answer is asked for until it is known.
 *
 *              .-----> pending ----.       pending: the provider waits for a person (an offer)
 *   sending ---+-----> processing -+--> success | failed | cancelled | superseded | expired
 *      |       '-----> unknown ----'       processing, unknown: we ask; unknown never expires
 *      '---(crash, time-out, script error: from the first byte on)---> unknown
 *   failed, cancelled, expired, superseded -> success: providers change their mind.
 * The store's triggers hold the same table.
 *
 * `generation` counts the moves. Whoever read generation g can move the operation only while it
 * still stands at g, so two answers that race (a callback and a poll) cannot both win; the loser
 * reads again.
 *
 * Starting an operation also enqueues its `ask` job, in the same commit: whatever happens next, a
 * scheduled check exists for it. */
#ifndef LUWAK_CORE_OPERATION_H
#define LUWAK_CORE_OPERATION_H

#include "base/clock.h"
#include "base/id.h"
#include "base/states.h"
#include "store/store.h"

enum operation_state {
    OPERATION_SENDING,
    OPERATION_PENDING,
    OPERATION_PROCESSING,
    OPERATION_UNKNOWN,
    OPERATION_SUCCESS,
    OPERATION_FAILED,
    OPERATION_CANCELLED,
    OPERATION_EXPIRED,
    OPERATION_SUPERSEDED, /* the payer chose another way; its money is still caught */
    OPERATION_STATES_
};
extern const struct state OPERATION_STATES[OPERATION_STATES_];

#define OPERATION_ASK_JOB "ask_operation"
#define OPERATION_TRY_JOB "try_operation" /* a payment's attempt once more: payment_add_try() */

/* A call that has not answered by then is asked about, and how from then on where its channel does
 * not say. */
#define ASK_AFTER_MS 120000
#define ASK_BACKOFF  STR("first=2m factor=2 max=1h")

struct operation_new {
    char id[ID_SIZE];       /* out: "op_..." */
    struct str kind;        /* create, refund, ... : the script's function */
    struct str script;      /* path */
    struct str version;     /* id of the version that makes it */
    struct str account;     /* whose references these are: "demo/shared" */
    struct str reference;   /* unique there; what the provider knows it by */
    struct str doc;         /* JSON: {"input": ...} */
    int64_t ask_at;         /* when nobody has answered by then: business time */
    struct str ask_backoff; /* how it is asked from then on */
};

/* The job that asks for an operation until its end is known. */
void operation_add_ask(struct commit *commit, struct str id, int64_t ask_at, struct str backoff,
                       const struct clock *clock, struct rng *rng);

/* It is asked for now, unless somebody has asked since then; by a job of its own, where none waits. */
void operation_add_ask_now(struct commit *commit, struct str id, int64_t since,
                           const struct clock *clock, struct rng *rng);

/* Its provider has told of something that could not be checked: it is asked for now, also where it has
 * an end, which the job above would not ask for. While a question is on its way there will be one
 * more after it: what that one hears may be older than the news. */
void operation_add_ask_told(struct commit *commit, struct str id, enum operation_state state,
                            const struct clock *clock, struct rng *rng);

/* Adds commit 1 to `commit`: the intent and its ask job. */
void operation_add_start(struct commit *commit, struct operation_new *op, const struct clock *clock,
                         struct rng *rng);

/* Adds one move; E_STATE when the table forbids it. */
int operation_add_move(struct commit *commit, struct str id, int64_t generation,
                       enum operation_state from, enum operation_state to, struct str doc,
                       const struct clock *clock);

/* What it knows changes, its state does not. */
void operation_add_doc(struct commit *commit, struct str id, int64_t generation,
                       enum operation_state state, struct str doc, const struct clock *clock);

bool operation_open(enum operation_state state); /* somebody still has to ask */

#endif
