/* Ids: a prefix, then 26 Crockford base-32 characters (lower case) of 48 bits of milliseconds and
 * 80 random bits, so that they sort by age and sit together in an index. Tokens: 160 random bits.
 */
#ifndef LUWAK_BASE_ID_H
#define LUWAK_BASE_ID_H

#include "base/clock.h"
#include "base/rng.h"

#define ID_PREFIX_MAX 8
#define ID_SIZE       (ID_PREFIX_MAX + 26 + 1)
#define TOKEN_SIZE    (32 + 1)

void id_make(char out[ID_SIZE], const char *prefix, const struct clock *clock, struct rng *rng);
void token_make(char out[TOKEN_SIZE], struct rng *rng);

#endif
