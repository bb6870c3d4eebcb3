/* The inbox: each verified callback is kept, sealed, as it came, in the commit that applies it.
 * What fits no attempt yet is an orphan: it is matched again when an attempt learns its reference,
 * and after 15 minutes its money stands in suspense.
 *
 *     orphan -> applied | suspense | ignored (it carried no money);  suspense -> applied */
#ifndef LUWAK_CORE_INBOX_H
#define LUWAK_CORE_INBOX_H

#include "base/buf.h"
#include "core/payment.h"

#define ORPHAN_MS (15 * 60 * INT64_C(1000))

enum inbox_state { INBOX_APPLIED, INBOX_ORPHAN, INBOX_SUSPENSE, INBOX_IGNORED, INBOX_STATES_ };
extern const struct state INBOX_STATES[INBOX_STATES_];

struct inbox_new {
    struct str account;
    struct str body; /* raw, with what the channel wants kept of the head */
    enum inbox_state state;
    struct str payment; /* id; empty: none */
    /* an orphan's: what it is matched by, and the money it carries (amount 0: none) */
    struct str reference, money_id;
    int64_t amount, paid_at;
    int status; /* the answer, where it is known already; 0: inbox_answer() */
    struct str answer;
    const uint8_t *hash; /* inbox_hash() of the body; NULL: not made yet */
};
#define INBOX_HASH 32
/* By what the same bytes are known again. E_STATE: there is no data key. */
int inbox_hash(const struct core *core, struct str body, uint8_t out[INBOX_HASH]);
/* The commit's value at the returned index is the row's id. Negative: an error. */
int inbox_add(const struct core *core, struct commit *commit, const struct inbox_new *what);
void inbox_add_answer(const struct core *core, struct commit *commit, int64_t id, int status,
                      struct str answer);

struct inbox_row {
    int64_t id;
    enum inbox_state state;
    struct str account, reference, money_id, payment;
    int64_t amount, paid_at, at;
    int status; /* 0: not answered yet */
    struct str answer;
};
struct inbox_list {
    struct rows *rows;
    size_t count;
};
/* The same bytes again: the row that has them. E_NOTFOUND. */
int inbox_find(const struct core *core, struct str account, struct str body,
               struct inbox_list *out);
int inbox_find_hash(const struct core *core, struct str account, const uint8_t hash[INBOX_HASH],
                    struct inbox_list *out);
int inbox_orphans(const struct core *core, struct str account, struct str reference,
                  struct inbox_list *out);
/* Whose reference an attempt has by now; behind the row `after` (0: from the first). */
int inbox_orphans_known(const struct core *core, int64_t after, int limit, struct inbox_list *out);
int inbox_find_id(const struct core *core, int64_t id, struct inbox_list *out); /* E_NOTFOUND */
int inbox_of_payment(const struct core *core, struct str payment, struct inbox_list *out);
int inbox_row(const struct inbox_list *list, size_t i, struct inbox_row *out);
int inbox_body(const struct core *core, const struct inbox_list *list, size_t i,
               struct buf *out); /* E_CLOSED: erased */
void inbox_list_free(struct inbox_list *list);

/* An orphan found its payment; settle its money in the same commit. */
void inbox_add_adopt(const struct core *core, struct commit *commit, int64_t id,
                     struct str payment);
/* Its time is over: its money goes to suspense, or it carried none that is not booked. */
int inbox_add_over(const struct core *core, struct commit *commit, const struct inbox_row *row);

#endif
