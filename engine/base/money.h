/* Money: int64 in minor units of a currency. No double comes near it.
 *
 * IDR has no decimals here, by choice: sen are not in use, and providers that write "150000.00"
 * mean 150000. A fraction that is not zero is refused, never rounded away. */
#ifndef LUWAK_BASE_MONEY_H
#define LUWAK_BASE_MONEY_H

#include "base/buf.h"
#include "base/err.h"

enum money_round {
    ROUND_HALF_UP,   /* a half goes away from zero: 0.5 -> 1, -0.5 -> -1 */
    ROUND_HALF_EVEN, /* a half goes to the even neighbour */
    ROUND_UP,        /* away from zero */
    ROUND_DOWN,      /* towards zero */
};

#define MONEY_PARTS_MAX 10000 /* of one split */

/* "half_up", "half_even", "up", "down"; E_INVAL otherwise. */
int money_round_named(struct str name, enum money_round *out);

/* Digits behind the point, by ISO 4217; -1: no such currency. */
int money_decimals(struct str currency);

/* Decimal text: '-', digits, '.', digits; no sign '+', no separators, no leading zeros. As many
 * zeros behind the point as one likes. E_NOTFOUND (currency), E_SYNTAX, E_RANGE (a fraction that
 * the currency does not have), E_OVERFLOW. */
int money_parse(struct str text, struct str currency, int64_t *out, struct why *why);

/* Appends with the currency's decimals, or with `decimals` if that is more (SNAP: "10000.00"). */
int money_format(int64_t amount, struct str currency, int decimals, struct buf *out);

/* amount * percent / 100, rounded once. `percent` is exact decimal text with its sign: "0.7%", up
 * to 9 digits before and 9 behind the point, not negative. E_SYNTAX, E_OVERFLOW. */
int money_percent(int64_t amount, struct str percent, enum money_round mode, int64_t *out);

/* amount * numerator / denominator, rounded once. E_RANGE: denominator 0. E_OVERFLOW. */
int money_ratio(int64_t amount, int64_t numerator, int64_t denominator, enum money_round mode,
                int64_t *out);

/* Splits total by weights (not negative, not all zero) so that the parts add up to it: each gets
 * its share rounded towards zero, what is left goes one unit each to the largest remainders,
 * earlier parts first. E_INVAL (weights), E_LIMIT (count), E_OVERFLOW (sum of weights), E_NOMEM. */
int money_split(int64_t total, const int64_t *weights, size_t count, int64_t *parts);

/* Checked; E_OVERFLOW leaves *out as it was. */
int money_add(int64_t a, int64_t b, int64_t *out);
int money_sub(int64_t a, int64_t b, int64_t *out);
int money_mul(int64_t a, int64_t b, int64_t *out);

#endif
