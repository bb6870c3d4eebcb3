/* Open virtual accounts: a number that stays and may be paid many times, any amount; each transfer
 * is a payment of its own, created and paid in one commit.
 *
 *     active -> closed: money that comes then stands in suspense */
#ifndef LUWAK_CORE_VIRTUAL_ACCOUNT_H
#define LUWAK_CORE_VIRTUAL_ACCOUNT_H

#include "core/payment.h"

struct virtual_account {
    char id[ID_SIZE]; /* "va_..." */
    struct str merchant, account, number, bank;
    struct str script, version; /* the channel that serves it */
    struct str person;          /* id of the customer it is for; empty: none */
    struct str doc;             /* JSON: what its payments get (description, metadata) */
    bool closed;
    int64_t created_at;
    struct rows *rows;
};
/* Makes its id. A number that is another active one's: the commit ends with E_EXISTS. */
void virtual_account_add(const struct core *core, struct commit *commit,
                         struct virtual_account *what);
void virtual_account_add_close(const struct core *core, struct commit *commit,
                               const struct virtual_account *what);

/* E_NOTFOUND; `merchant` empty: any. */
int virtual_account_read(const struct core *core, struct str merchant, struct str id,
                         struct virtual_account *out);
int virtual_account_find(const struct core *core, struct str account, struct str number,
                         struct virtual_account *out);
/* What a transfer's payment is known by at the provider account. */
void virtual_account_reference(struct str number, struct str money_id, struct buf *out);
int virtual_account_read_row(const struct rows *rows, size_t row, struct virtual_account *out);
void virtual_account_free(struct virtual_account *what);
/* {id,object,bank,channel,va_number,customer (its placeholder),description,metadata,status,created_at}
 */
void virtual_account_json(const struct virtual_account *what, struct buf *out);

/* One transfer; it must have a money_id, or two of them could not be told apart. APPLIED fills `out`
 * (payment_free it); EXPIRED: closed, in suspense. A commit that ends with E_EXISTS was a race:
 * again. */
int virtual_account_add_settle(const struct core *core, struct commit *commit,
                               const struct virtual_account *what, const struct money *money,
                               struct payment *out, enum verdict *verdict, struct why *why);

#endif
