/* What a provider paid out: one row of its settlement file for one transfer that we booked when it
 * came. The provider owes the gross; it pays the net to our bank and keeps its fee and the tax on
 * it. What the payment's fee rule booked as the provider's cost already (lines `provider_*`) is not
 * booked twice; what differs from it is.
 *
 *     bank           <- provider_receivable   net
 *     provider_fee   <- provider_receivable   fee, less what was booked
 *     input_vat      <- provider_receivable   tax on it, likewise
 *
 * A refund or reversal that the provider took from a payout is a row of a negative gross. Each row
 * is booked once, under its key: the same again is E_EXISTS. A row that does not add up is E_INVAL. */
#ifndef LUWAK_CORE_SETTLEMENT_H
#define LUWAK_CORE_SETTLEMENT_H

#include "core/ledger.h"
#include "core/payment.h"

struct settlement_row {
    struct str account; /* the provider's */
    struct str key;     /* unique there: the transaction's id and what the row is for */
    struct str payment; /* id */
    int64_t gross, fee, vat, net;
    struct str detail; /* JSON: what the file said; kept with the key */
};
int settlement_add(const struct core *core, struct commit *commit, const struct settlement_row *row,
                   struct why *why);

/* The scope of the store's small values that holds what was settled. */
#define SETTLEMENT_SCOPE "settlement:"

#endif
