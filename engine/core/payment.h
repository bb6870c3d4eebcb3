/* Payments: what the payer owes, what came, and what was given back. Statuses move by the table
 * below, through payment_move() alone; money moves by movements, and is booked by ledger_post()
 * alone. Nothing here calls a provider, knows Lua, or waits.
 *
 *                 .-----------------> success           paid as due; never left again
 *                 |                     ^  ^
 *   pending <--> processing             |  |  failed: the provider settled after it had denied
 *      |  |          |                  |  |  expired, cancelled: late money that was accepted
 *      |  '----------+--> failed -------'  |
 *      |             +--> expired ---------|    (a processing one expires only when the provider
 *      '-------------+--> cancelled -------'     says so: unknown never expires by itself)
 *
 * Refunds and reversals never change a payment's status. The store's trigger holds the same table.
 *
 * How a change is made. Read a snapshot (payment_read), add to a commit with one of the
 * payment_add_* functions, submit. Each of them changes the snapshot as the commit will change the
 * rows, so several can be added one after the other. Every change counts one `generation` and is
 * guarded by the one that was read, so of two changes that race the second fails with E_GUARD
 * (E_EXISTS where a unique row was there first) and nothing of it happened: read again, decide
 * again. payment_change() does this loop. A snapshot whose add failed must be read again, too.
 *
 * Texts in structs are views: into the snapshot's rows, or of the caller, who keeps them until the
 * commit was submitted and the snapshot freed.
 *
 * Personal data. What is stored, and what payment_json() writes, holds "customer":{"id":"per_..."}
 * in place of the customer; customer_fill() (person.h) puts the opened data there on the way out.
 * So events, stored answers and the payment row hold ids only, and erasing a person reaches all. */
#ifndef LUWAK_CORE_PAYMENT_H
#define LUWAK_CORE_PAYMENT_H

#include "base/json.h"
#include "core/core.h"
#include "core/operation.h"

/* ---- states ---- */

enum payment_status {
    PAYMENT_PENDING,
    PAYMENT_PROCESSING,
    PAYMENT_SUCCESS,
    PAYMENT_FAILED,
    PAYMENT_EXPIRED,
    PAYMENT_CANCELLED,
    PAYMENT_STATUSES_
};
extern const struct state PAYMENT_STATES[PAYMENT_STATUSES_];

/* pending -> processing -> success | failed; failed -> success: the provider changed its mind. */
enum refund_status {
    REFUND_PENDING, /* nobody has begun: by hand, by payout, or the provider not yet called */
    REFUND_PROCESSING,
    REFUND_SUCCESS,
    REFUND_FAILED,
    REFUND_STATUSES_
};
extern const struct state REFUND_STATES[REFUND_STATUSES_];

bool payment_open(enum payment_status status); /* pending or processing */

/* ---- the snapshot ---- */

#define PAYMENT_ATTEMPTS_MAX 12 /* of one payment, one after the other */
#define FEE_LINES_MAX        8

/* An attempt is an operation of kind "create": one channel, one reference. */
struct attempt {
    char id[ID_SIZE];
    struct str script;       /* "channels/midtrans_bca_va.lua" */
    struct str version;      /* of it */
    struct str account;      /* "midtrans", "midtrans/mer_...": merchant.h */
    struct str reference;    /* unique there */
    struct str doc;          /* JSON {"input","data","result"} */
    struct str method, bank; /* empty: none */
    enum operation_state state;
    int64_t generation, moved_at; /* counts its moves; when the last one was */
};
struct str attempt_channel(const struct attempt *attempt); /* "midtrans_bca_va" */

/* Fee lines by name: "ppn" and "vat" are output VAT; "provider_*" is what the provider keeps from
 * the money (provider_ppn, provider_vat: input VAT); all else is our income. */
struct fee_line {
    struct str name;
    int64_t amount; /* not negative */
};
struct fee {
    struct str bearer;  /* "merchant", "customer" */
    struct str version; /* of the rule that made it */
    size_t count;
    struct fee_line lines[FEE_LINES_MAX];
};

struct payment {
    char id[ID_SIZE];
    struct str merchant, order_id;
    enum payment_status status;
    int64_t generation;
    bool direct; /* the account it goes by is the merchant's own: memo accounts (merchant.h) */
    bool open;   /* amounts = "open": short and over money counts */
    int64_t amount, amount_due;
    int64_t received;                           /* all money that came, what sits in suspense too */
    int64_t amount_paid;                        /* what counts of it */
    int64_t amount_refunded;                    /* refunds that ended well */
    int64_t refunding;                          /* refunds under way */
    int64_t amount_reversed;                    /* taken back by the provider */
    int64_t unsettled;                          /* of the merchant's share: still waiting for T+n */
    int64_t settle_at;                          /* when that becomes available; 0: nothing waits */
    struct str currency, method, channel, bank; /* empty: none */
    struct str attempt;                         /* id of the one that counts now; empty: none yet */
    struct str instructions;                    /* JSON; empty: null */
    struct str fee;                             /* JSON {"total","bearer","lines"}; empty: null */
    struct str fee_version;
    struct str failure; /* JSON {"code","message","provider_code"}; empty: null */
    struct str person;  /* id; empty: none */
    struct str doc;     /* JSON {items,description,metadata,return_urls,api_key} */
    int64_t expires_at, created_at, paid_at; /* 0: none */
    struct attempt attempts[PAYMENT_ATTEMPTS_MAX];
    size_t attempt_count;
    struct rows *rows[2]; /* what the texts point into */
    struct arena memory;  /* or here, where a change made them anew */
};

/* E_NOTFOUND. `merchant` empty: any; else another merchant's payment is not found. */
int payment_read(const struct core *core, struct str merchant, struct str id, struct payment *out);
/* The payment of an attempt, by whose reference it is; *at is its index. */
int payment_find(const struct core *core, struct str account, struct str reference,
                 struct payment *out, size_t *at);
/* By a key that the channel gave with its decision (payment_result.keys): "va_number", ... */
int payment_find_key(const struct core *core, struct str account, struct str kind, struct str value,
                     struct payment *out, size_t *at);
/* Of an order: the one that is open or paid. E_NOTFOUND. */
int payment_of_order(const struct core *core, struct str merchant, struct str order_id,
                     struct payment *out);
/* A row of payments_of_merchant. */
int payment_read_row(const struct core *core, const struct rows *rows, size_t row,
                     struct payment *out);
void payment_free(struct payment *payment);

struct attempt *payment_attempt(struct payment *payment, struct str id); /* NULL */

/* ---- JSON ---- */

/* The contract's payment object, with the customer's placeholder. */
void payment_json(const struct core *core, const struct payment *payment, struct buf *out);

struct refund {
    char id[ID_SIZE];
    char payment[ID_SIZE];
    enum refund_status status;
    int64_t generation;
    int64_t amount;
    struct str reason;    /* empty: null */
    struct str failure;   /* JSON; empty: null */
    struct str operation; /* id of the provider's refund; empty: by hand or payout */
    struct str by;        /* "provider", "payout", "hand" */
    int64_t movement;     /* gives back money in suspense; 0: of the payment */
    int64_t created_at;
    struct rows *rows;
};
int refund_read(const struct core *core, struct str merchant, struct str id, struct refund *out);
int refund_of_operation(const struct core *core, struct str operation, struct refund *out);
int refund_read_row(const struct rows *rows, size_t row,
                    struct refund *out); /* refunds_of_payment */
void refund_free(struct refund *refund);
void refund_json(const struct refund *refund, struct buf *out);

/* ---- create ---- */

struct payment_result;

struct payment_new {
    /* what the merchant asked */
    struct str merchant, order_id;
    int64_t amount;
    int64_t amount_due; /* 0: amount */
    struct str currency, method, bank;
    struct str doc;    /* JSON {items,description,metadata,return_urls}: plain parts */
    struct str person; /* id of a row added before (person_add) or that exists */
    struct fee fee;    /* count 0: none */
    bool open;
    int64_t expires_at; /* 0: never */
    /* how it is tried; script empty: the payer chooses later, no attempt yet */
    struct str script, version, account, reference;
    struct str input;       /* JSON: what the channel is given */
    int64_t ask_at;         /* when nobody has answered by then; 0: nobody is to be asked */
    struct str ask_backoff; /* how it is asked from then on */
    /* known at once, without any provider: commit 1 is all there is. self_va: pending; a risk deny:
     * failed; held for a person: processing without a script (an attempt under way that nobody asks
     * for is what verify calls broken) */
    const struct payment_result *at_once;
    /* Idempotency-Key; empty: none */
    struct str idempotency_key;
    struct str path;   /* "POST /v1/payments" */
    struct str body;   /* raw; its hash is kept */
    int answer_status; /* with at_once: payment_json() is stored as the answer, with this status */
    struct buf *json;  /* gets payment_json(); or NULL */
};

/* Commit 1: the payment, its attempt `sending` with the reference, the idempotency row, the ask
 * job, the event payment.created. With `at_once` also all of commit 2. Fills `out`. */
int payment_add_create(const struct core *core, struct commit *commit,
                       const struct payment_new *what, struct payment *out, struct why *why);

/* Why a create did not go through, from the commit's result:  */
enum create_clash {
    CLASH_NONE,        /* another error: answer by result->err */
    CLASH_IDEMPOTENCY, /* the key is there: idempotency_find() */
    CLASH_ORDER,       /* an open or paid payment of that order: payment_of_order() */
    CLASH_REFERENCE,   /* the reference is taken on that account: again with another one */
};
enum create_clash payment_clash(const struct commit_result *result);

/* Did the payer choose it at the checkout ("chosen" in its input)? When such a way ends unpaid he may
 * choose another while there is time: the payment waits for him. */
bool attempt_chosen(const struct attempt *attempt);

/* One more attempt for the same payment, `sending`. Allowed (E_STATE else) when the old one (a) has
 * ended without success, (b) waits for the payer (pending), or (c) is unknown and only an offer
 * (`offer`: the channel's effect); it is superseded then, and stays watched. Never while a charge
 * is under way or unknown. The payer's fee may not rise: `amount_due` stays. */
struct attempt_new {
    struct str script, version, account, reference, input;
    struct str method, bank; /* both as before where the method is empty */
    int64_t ask_at;
    struct str ask_backoff;
    bool old_is_offer;
    int64_t amount_due;    /* 0: as before; only for a payment that had no attempt yet */
    const struct fee *fee; /* likewise */
    bool open;
};
int payment_add_attempt(const struct core *core, struct commit *commit, struct payment *payment,
                        const struct attempt_new *what, struct why *why);

/* ---- the result of a call ---- */

struct payment_key {
    struct str kind, value; /* "va_number", "token", "reference" (the provider's own) */
    bool unique;            /* tokens and references: per account */
};

struct payment_result {
    enum operation_state to; /* the decision: pending, processing, success, failed ... unknown */
    struct str doc;          /* the attempt's new document; empty: as it is */
    struct str instructions; /* JSON; empty: as they are */
    int64_t expires_at;      /* the provider's own; 0: as it is */
    /* failed */
    struct str code, message, provider_code; /* code: a category of the contract */
    bool more; /* another channel will be tried: the payment does not fail with this attempt */
    bool
        ends; /* the merchant wanted an end: the payment ends with it, even where the payer chose */
    /* success of a charge, or an inquiry that found money: what is paid in total by now */
    int64_t paid_total;    /* 0: amount_due */
    struct str money_id;   /* the provider's id of it, where it is known; empty: unclaimed */
    int64_t paid_at;       /* 0: now */
    int64_t settle_at;     /* T+n of that money; 0: available at once */
    const struct fee *fee; /* priced at settlement; NULL: the payment's */
    bool unpriced;         /* as in struct money */
    const struct payment_key *keys;
    size_t key_count;
};

/* Commit 2, and what an inquiry says: moves the attempt and with it the payment, adds events.
 * `began`: the attempt's generation when the call began. When it does not stand any more (a
 * callback was faster) only what is not a state is taken (doc, instructions, keys), and money. */
int payment_add_result(const struct core *core, struct commit *commit, struct payment *payment,
                       size_t attempt, int64_t began, const struct payment_result *result,
                       struct why *why);

/* ": code X, said Y": what the provider gave with it, as far as it gave anything. */
void payment_said(const struct payment_result *result, struct buf *out);

/* Tries of one attempt: as often as PAYMENT_RETRY_ATTEMPTS says, after 5, 25, 125 s, and only where
 * the one before is proven to have made nothing. */
struct payment_tries {
    int made;        /* begun so far */
    int64_t next_at; /* 0: none is waiting */
};
int payment_tries_read(struct str attempt_doc, struct payment_tries *out);
/* `made` of `limit` were, the last one with `result`; the attempt stays `sending` and its next try is
 * a job. */
int payment_add_try_later(const struct core *core, struct commit *commit, struct payment *payment,
                          size_t attempt, int made, int limit, const struct payment_result *result);
/* The try begins: E_STATE when none is due any more. */
int payment_add_try(const struct core *core, struct commit *commit, struct payment *payment,
                    size_t attempt, struct why *why);

/* Stores the answer of the request that made or changed this payment, for its replay. */
int payment_add_answer(const struct core *core, struct commit *commit,
                       const struct payment *payment, struct str path, struct str key, int status,
                       struct str body);

/* ---- money ---- */

#define VERDICT_MAP(X)                                                                           \
    X(APPLIED, "applied")                 /* it counts now, or claimed what polling had found */ \
    X(DUPLICATE, "duplicate")             /* this money_id with this amount was here before */   \
    X(SECOND_PAYMENT, "second_payment")   /* the payment was paid already: in suspense */        \
    X(AMOUNT_MISMATCH, "amount_mismatch") /* closed, and another amount: in suspense; or a */    \
    /* money_id that was here with another amount: nothing */                                    \
    X(NOT_FOUND, "not_found") /* no such attempt: the caller keeps an orphan */                  \
    X(EXPIRED, "expired")     /* late: expired, cancelled or failed for good */                  \
    X(REFUSED, "refused")     /* said no money (failed, deny): only states moved */
enum verdict {
#define X(name, text) VERDICT_##name,
    VERDICT_MAP(X)
#undef X
        VERDICTS_
};
const char *verdict_name(enum verdict verdict);

struct money {
    struct str money_id; /* the provider's id of this one transfer; empty: it has none */
    int64_t amount;
    int64_t paid_at;       /* 0: now */
    int64_t settle_at;     /* when the merchant may have it (T+n); 0: at once */
    struct str source;     /* "callback", "poll", "report", "hand" */
    const struct fee *fee; /* priced at settlement; NULL: the payment's own; */
    bool unpriced; /* the fee rule failed: `fee` is a line that says so, and costs nothing */
};

/* Of a provider without ids of transfers: it has one per reference. */
#define MONEY_OWN_ID_SIZE 260
struct str money_own_id(struct str reference, char out[MONEY_OWN_ID_SIZE]);

/* One transfer for the attempt. Duplicate, claimed, second, late, short, over: see enum verdict.
 * Whatever is not `duplicate` or a clash is booked in this commit. */
int payment_add_settle(const struct core *core, struct commit *commit, struct payment *payment,
                       size_t attempt, const struct money *money, enum verdict *verdict,
                       struct why *why);

/* What asking found: paid `total` by now. The difference to what is booked is booked unclaimed;
 * nothing when there is none (verdict DUPLICATE). */
int payment_add_found(const struct core *core, struct commit *commit, struct payment *payment,
                      size_t attempt, int64_t total, const struct money *how, enum verdict *verdict,
                      struct why *why);

/* Money that belongs to nobody we know, after its time as an orphan: into suspense. */
int money_add_orphan(const struct core *core, struct commit *commit, struct str account,
                     const struct money *money);

/* The provider takes such money back while it is nobody's; `amount` 0: all of it. Another amount than
 * what is held is a mismatch. E_NOTFOUND: no such money came, or it is a payment's. */
int money_add_orphan_reversed(const struct core *core, struct commit *commit, struct str account,
                              struct str money_id, int64_t amount, enum verdict *verdict);

/* The way of the payment that such money can have come by: one at that account, the newest; or NULL. */
struct attempt *payment_attempt_at(struct payment *payment, struct str account);

/* A person has found whose such money is: it is booked as if it came now, `verdict` as of a settle;
 * `how`: its fee, and when it settles. */
int payment_add_own(const struct core *core, struct commit *commit, struct payment *payment,
                    int64_t movement, const struct money *how, enum verdict *verdict,
                    struct why *why);

/* A person has found that such money is what polling had booked for the payment before its id was known:
 * what was booked for it as nobody's goes out of suspense, and its id is claimed. E_STATE: polling has
 * found no such money. */
int payment_add_same(const struct core *core, struct commit *commit, struct payment *payment,
                     int64_t movement, struct why *why);

/* Policy or a person decides over money in suspense (a movement of this payment). Accept: it counts
 * for the payment (late money makes it success); E_STATE when it cannot. */
int payment_add_accept(const struct core *core, struct commit *commit, struct payment *payment,
                       int64_t movement, const struct fee *fee, int64_t settle_at, struct why *why);

/* T+n: what waits becomes available; the merchant's debt to us is paid from it first. */
int payment_add_available(const struct core *core, struct commit *commit, struct payment *payment);

/* ---- ends ---- */

/* E_STATE: not open, or (cancel, expire) a provider has to be asked first. */
int payment_add_cancel(const struct core *core, struct commit *commit, struct payment *payment,
                       struct why *why);
int payment_add_expire(const struct core *core, struct commit *commit, struct payment *payment,
                       struct why *why); /* only after its time, and never an unknown attempt */
int payment_add_fail(const struct core *core, struct commit *commit, struct payment *payment,
                     struct str code, struct str message, struct why *why);
/* Held for a person by a risk rule: processing without any attempt. */
bool payment_held(const struct payment *payment);
/* The person lets it go: pending, as if nobody had objected. E_STATE: it is not held. */
int payment_add_release(const struct core *core, struct commit *commit, struct payment *payment,
                        struct why *why);

/* An operation on a payment besides its attempts: cancel, capture, refund at the provider: stored
 * `sending` with its ask job, in the commit before the call. Moves by operation_add_move(). A second
 * capture, and a second cancel while one is under way: the commit ends with E_EXISTS. */
struct payment_operation {
    char id[ID_SIZE]; /* out */
    struct str kind;  /* "cancel", "capture", "refund", "reverse" */
    struct str script, version, account, reference, input;
    int64_t amount;
    int64_t ask_at;
    struct str ask_backoff;
};
int payment_add_operation(const struct core *core, struct commit *commit, struct payment *payment,
                          struct payment_operation *what);

/* ---- refunds and reversals ---- */

struct refund_new {
    int64_t amount; /* 0: all that is left */
    struct str reason;
    struct str by;                       /* "provider", "payout", "hand" */
    struct str destination;              /* JSON; it is sealed; empty: none */
    struct payment_operation *operation; /* by provider: added with it; NULL: none */
    int64_t movement; /* gives back money in suspense instead; 0: the payment's */
    struct str idempotency_key, path, body;
};
/* refunded + reversed + under way may not pass what was paid: E_LIMIT. The money is put aside
 * (refund_clearing). Fills `out`. Event refund.created. */
int payment_add_refund(const struct core *core, struct commit *commit, struct payment *payment,
                       const struct refund_new *what, struct refund *out, struct why *why);
/* Where it is to be paid to, opened: JSON. E_NOTFOUND: it has none, or it was forgotten with the
 * person. */
int refund_destination(const struct core *core, struct str refund, struct buf *out);
/* Moves it; success pays it out of refund_clearing, failed gives it back. `failure`: JSON. */
int payment_add_refund_result(const struct core *core, struct commit *commit,
                              struct payment *payment, struct refund *refund, enum refund_status to,
                              struct str failure, struct why *why);

/* The provider took money back after success. What is left of amount_paid is reversed; what goes
 * beyond it (refunds were faster) stands as a claim in suspense. The merchant's share comes from
 * what waits, then what is available, then its receivable. Twice with one money_id: DUPLICATE; of a
 * transfer that never came here: REFUSED, and nothing is added. */
int payment_add_reverse(const struct core *core, struct commit *commit, struct payment *payment,
                        size_t attempt, const struct money *money, struct str reason,
                        enum verdict *verdict, struct why *why);

/* ---- notes: steps that are no event, for a person (`luwak explain`) ---- */
void payment_add_note(const struct core *core, struct commit *commit, struct str payment,
                      const char *what, struct str detail);
/* What may be told again and again is noted once: *added says whether this is the first time. The
 * commit stands only while the payment does, so that of two at once one finds the other's. */
int payment_add_note_once(const struct core *core, struct commit *commit, struct payment *payment,
                          const char *what, struct str detail, bool *added);

/* ---- read, decide, commit, and again while others are faster ---- */

#define PAYMENT_CHANGE_TRIES 64

/* Adds to `commit` what is to happen to the payment as it stands now. An error ends the change with
 * it. Called again after each lost race, with a fresh snapshot. */
typedef int (*payment_build)(const struct core *core, struct payment *payment,
                             struct commit *commit, void *data, struct why *why);
struct payment_change {
    const struct core *core;
    struct loop *loop;
    enum lane lane;
    struct str id;
    struct payment *first; /* as it was read a moment ago, for the first try; emptied. Or NULL */
    payment_build build;
    /* what the commit that went in returned, before `done`; or NULL */
    void (*committed)(const struct commit_result *result, void *data);
    void (*done)(int err, const struct why *why, void *data); /* once, on `loop` */
    void *data;
};
int payment_change(const struct payment_change *change); /* E_NOMEM: done is not called */

/* luwak_payments_total, once a commit that made or changed a payment is in; payment_change() does it. */
void payment_count_created(enum payment_status now);
void payment_count_moved(enum payment_status before, enum payment_status now);

#endif
