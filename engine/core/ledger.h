/* The ledger: what belongs to whom. Double entry, append-only: a transfer takes from one account
 * (debit) and gives to another (credit) one positive amount. ledger_post() posts money, nothing
 * else does. Accounts are "CODE" or "CODE:OWNER" and come into being when first used.
 *
 *     provider_receivable:ACCOUNT   what a provider has collected and owes us        (debit side)
 *     merchant_payable.pending:M    the merchant's share, waiting for T+n            (may not go
 *     merchant_payable:M            available                                          below 0)
 *     merchant_payable.held:M       held for a payout or a purchase
 *     deposit:M                     paid in beforehand
 *     merchant_receivable:M         what the merchant owes us                        (debit side)
 *     fee_income, output_vat        our fee, and the tax on it
 *     provider_fee, input_vat       the provider's, kept from the money              (debit side)
 *     refund_clearing               put aside for refunds under way
 *     suspense                      came, and nobody knows yet what for; a debit is a claim
 *     bank, rounding
 *     memo_*                        the same for merchants with a provider contract of their own:
 *                                   their money never passes us */
#ifndef LUWAK_CORE_LEDGER_H
#define LUWAK_CORE_LEDGER_H

#include "store/store.h"

#define LEDGER_MAP(X)                                \
    X(PROVIDER_RECEIVABLE, "provider_receivable", 1) \
    X(PENDING, "merchant_payable.pending", 1)        \
    X(PAYABLE, "merchant_payable", 1)                \
    X(HELD, "merchant_payable.held", 1)              \
    X(DEPOSIT, "deposit", 1)                         \
    X(RECEIVABLE, "merchant_receivable", 1)          \
    X(FEE_INCOME, "fee_income", 0)                   \
    X(OUTPUT_VAT, "output_vat", 0)                   \
    X(PROVIDER_FEE, "provider_fee", 0)               \
    X(INPUT_VAT, "input_vat", 0)                     \
    X(REFUND_CLEARING, "refund_clearing", 0)         \
    X(SUSPENSE, "suspense", 0)                       \
    X(BANK, "bank", 0)                               \
    X(ROUNDING, "rounding", 0)                       \
    X(MEMO_PROVIDER, "memo_provider", 1)             \
    X(MEMO_MERCHANT, "memo_merchant", 1)             \
    X(MEMO_SUSPENSE, "memo_suspense", 0)             \
    X(MEMO_CLEARING, "memo_clearing", 0)

enum ledger_code {
#define X(NAME, text, owned) LEDGER_##NAME,
    LEDGER_MAP(X)
#undef X
        LEDGER_CODES_
};

struct ledger_side {
    enum ledger_code code;
    struct str owner; /* merchant or provider account; unused where the code has none */
};

struct posting {
    struct ledger_side debit, credit;
    int64_t amount;    /* 0: nothing is posted */
    const char *kind;  /* "payment", "fee", "refund": what mutations show */
    struct str object; /* payment, refund, reversal: what it is for; empty: none */
    int64_t now;
};
void ledger_post(struct commit *commit, const struct posting *posting);

/* The same with a merchant's own money on one side, of which only the commit knows how much is
 * there: `take` debits what is available and the rest the receivable, `give` credits what the
 * merchant owes first. The other side is `posting->credit`, or `->debit`. */
void ledger_take(struct commit *commit, struct str merchant, const struct posting *posting);
void ledger_give(struct commit *commit, struct str merchant, const struct posting *posting);

/* Posts the opposite of everything of that object and kind, as kind `as`. */
void ledger_mirror(struct commit *commit, struct str object, const char *kind, const char *as,
                   int64_t now);

/* "suspense", "deposit:mer_1": for reading balances. */
#define LEDGER_NAME_MAX 200
struct str ledger_name(struct ledger_side side, char out[LEDGER_NAME_MAX]);

struct balance {
    int64_t available; /* what may be paid out or spent, a deposit too, less what is owed */
    int64_t pending;   /* waits for T+n */
    int64_t held;
};
int ledger_balance(struct store *store, struct str merchant, struct balance *out);

/* Money paid in beforehand (and the demo merchant's). */
void ledger_deposit(struct commit *commit, struct str merchant, int64_t amount, struct str object,
                    int64_t now);
/* Holds: put aside under an object's id; then committed (to where it goes) or released. Each begins
 * once and ends once: the store refuses a second time (E_EXISTS). */
void ledger_hold(struct commit *commit, struct str merchant, int64_t amount, struct str object,
                 int64_t now);
void ledger_hold_commit(struct commit *commit, struct str merchant, int64_t amount,
                        struct ledger_side to, struct str object, int64_t now);
void ledger_hold_release(struct commit *commit, struct str merchant, int64_t amount,
                         struct str object, int64_t now);

#endif
