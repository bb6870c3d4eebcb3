/* The payment core's parts, for each other: payment_*.c. */
#ifndef LUWAK_CORE_PAYMENT_PRIVATE_H
#define LUWAK_CORE_PAYMENT_PRIVATE_H

#include "core/event.h"
#include "core/ledger.h"
#include "core/payment.h"

/* Moves the payment in the snapshot, by the table. The one function that does. */
int payment_move(struct payment *payment, enum payment_status to, struct why *why);

/* This is the attempt that counts now: begun, or paid. `a` is one of the payment's. */
void payment_goes_by(struct payment *payment, const struct attempt *a);

/* Writes the snapshot over the row, if its generation still stands; the next one counts on. */
void payment_save(const struct core *core, struct commit *commit, struct payment *payment);
/* Guards what is added before payment_save(), where it could fail in the store for having been
 * decided on a payment that has moved on. */
void payment_stands(struct commit *commit, const struct payment *payment);
/* What is left of what was paid, after all that goes back. */
int64_t payment_left(const struct payment *payment);
/* An event about the payment as the snapshot has it. */
int payment_event(const struct core *core, struct commit *commit, const struct payment *payment,
                  const char *type);

/* Moves an attempt, by the operations' table. `doc` empty: as it is. */
int attempt_move(const struct core *core, struct commit *commit, struct attempt *attempt,
                 enum operation_state to, struct str doc);

/* A copy that lives as long as the snapshot; empty on no memory (E_NOMEM sticks in commit). */
int payment_keep(struct payment *payment, struct str *text);

/* Fees as JSON and back. */
int fee_keep(struct payment *payment, const struct fee *fee); /* into payment->fee, fee_version */
int fee_read(const struct payment *payment, struct fee *out, struct json_doc *doc);
int64_t fee_total(const struct fee *fee);

int failure_keep(struct payment *payment, struct str code, struct str message,
                 struct str provider_code);

/* Money that came, with a money_id; saves the payment where it changes it (payment_money.c). */
int payment_book(const struct core *core, struct commit *commit, struct payment *payment,
                 size_t attempt, const struct money *money, enum verdict *verdict, struct why *why);

/* What is booked of this attempt's money so far. */
int payment_booked_of(const struct core *core, const struct payment *p, const struct attempt *a,
                      int64_t *out);

/* The provider spoke of this attempt's money: one that was in the dark waits for the payer. */
int payment_known_again(const struct core *core, struct commit *commit, struct payment *payment,
                        struct attempt *attempt, struct why *why);

/* Has the provider taken this money back? (payment_refund.c) */
int payment_taken_back(const struct core *core, struct str account, struct str money_id,
                       bool *before);

/* Where money that came by that account comes from, and where it sits before it is the merchant's. */
struct ledger_side provider_side(struct str account);
struct ledger_side suspense_side(struct str account);
struct ledger_side merchant_side(const struct payment *payment, struct str account);

struct val text_or_null(struct str s);
struct val blob_or_null(struct str s);
struct val int_or_null(int64_t n); /* 0: null */

#endif
