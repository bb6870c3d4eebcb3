/* A merchant, a store in memory and virtual time: what suites of the payment core start with. Each
 * helper is one commit, as the engine would make it. */
#ifndef LUWAK_TESTS_BOOKS_H
#define LUWAK_TESTS_BOOKS_H

#include "core/event.h"
#include "core/ledger.h"
#include "core/payment.h"
#include "store_conformance.h"

#define BOOKS_START INT64_C(1769828400000) /* 2026-01-31T10:00:00+07:00 */
#define ACCOUNT     "midtrans"
#define MERCHANT    "mer_demo"
#define OWN_ACCOUNT "midtrans/" MERCHANT /* direct: a contract of its own */

struct books {
    struct store_fixture f;
    struct clock clock;
    struct rng rng;
    struct core core;
    struct seal_ring *ring;
    struct why why;  /* of the last helper that failed before its commit */
    struct answer a; /* of the last commit */
    enum verdict verdict;
    char last[ID_SIZE]; /* the payment that books_create made */
    int orders;
};

void books_open(struct books *b);
void books_close(struct books *b); /* verifies first */
void books_verify(struct books *b);
void books_advance(struct books *b, int64_t ms);
struct commit *books_commit(void); /* an empty one */
bool rows_hold(const char *needle, const struct rows *rows);

/* A VA payment: attempt `sending`; then its result; both in b->last. 0 or the error. */
struct offer {
    int64_t amount;
    bool open, direct;
    int64_t expires_in; /* 0: a day */
    const char *order;  /* NULL: a fresh one */
    const char
        *fee; /* NULL: mdr 4000, ppn 440; "": none; "provider": 3000, 330 of the provider's */
    const char *key; /* Idempotency-Key */
};
int books_create(struct books *b, const struct offer *offer);
int books_result(struct books *b, const char *id, enum operation_state to);
int books_paid_there(struct books *b, const char *id, const char *money_id,
                     int64_t amount); /* as its provider says when it is asked */
int books_offer(struct books *b, const struct offer *offer); /* both: a VA that is shown */
/* Money for the last attempt; b->verdict. */
int books_pay(struct books *b, const char *id, const char *money_id, int64_t amount);
int books_found(struct books *b, const char *id, int64_t total);
int books_cancel(struct books *b, const char *id);
int books_expire(struct books *b, const char *id);
int books_accept(struct books *b, const char *id, int64_t movement);
int books_same(struct books *b, const char *id, int64_t movement);
int books_refund(struct books *b, const char *id, int64_t amount, struct refund *out);
int books_return(struct books *b, const char *id, int64_t movement, int64_t amount,
                 struct refund *out); /* of money in suspense */
int books_refunded(struct books *b, const char *refund, enum refund_status to);
int books_operate(struct books *b, const char *id, const char *kind, char op[ID_SIZE]);
int books_reverse(struct books *b, const char *id, const char *money_id, int64_t amount);
int books_available(struct books *b, const char *id);

void books_get(struct books *b, const char *id, struct payment *out); /* payment_free it */
enum payment_status books_status(struct books *b, const char *id);
int64_t books_balance(struct books *b, const char *account); /* credits - debits */
int64_t books_int(struct books *b, const char *sql);         /* the first cell */
int books_events(struct books *b, const char *type);

#define CHECK_STATUS(b, id, s)   CHECK_INT(books_status(b, id), s)
#define CHECK_BALANCE(b, acc, n) CHECK_INT(books_balance(b, acc), n)

#endif
