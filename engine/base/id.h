/* Ids: a prefix, then 26 Crockford base-32 characters (lower case) of 48 bits of milliseconds and
 * 80 random bits, so that they sort by age and sit together in an index. Tokens: 160 random bits.
 * None reads as a card number. */
#ifndef LUWAK_BASE_ID_H
#define LUWAK_BASE_ID_H

#include "base/clock.h"
#include "base/rng.h"
#include "base/str.h"

#define ID_PREFIX_MAX 8
#define ID_SIZE       (ID_PREFIX_MAX + 26 + 1)
#define TOKEN_SIZE    (32 + 1)

void id_make(char out[ID_SIZE], const char *prefix, const struct clock *clock, struct rng *rng);
/* The same, behind `last` also where both are of one millisecond or the clock went back: for what is
 * read in the order of its ids, and must stand in the order it was made in. `last` bears the same prefix. */
void id_make_after(char out[ID_SIZE], const char *prefix, const char *last,
                   const struct clock *clock, struct rng *rng);
/* The alphabet by itself: 5 bits a character, from the left; `out` has room for the NUL. */
void id_encode(char *out, const uint8_t *data, size_t n);
int id_decode(struct str text, uint8_t *out, size_t n); /* E_SYNTAX: not exactly n bytes */
void token_make(char out[TOKEN_SIZE], struct rng *rng);

#endif
