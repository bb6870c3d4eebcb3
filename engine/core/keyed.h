/* A table of small values by key, for counters that all workers share: sharded by hash, one lock
 * per shard, at most `keys_max` entries, the least recently used one making room. What is evicted
 * is forgotten, so a value must be of a kind that may start anew. */
#ifndef LUWAK_CORE_KEYED_H
#define LUWAK_CORE_KEYED_H

#include "base/err.h"
#include "base/str.h"

struct keyed;

#define KEYED_KEY_MAX 96 /* longer keys are cut and told apart by a hash */

int keyed_new(struct keyed **out, size_t value_size, size_t keys_max);
void keyed_delete(struct keyed *k);

/* The value of `key` with its shard locked until keyed_unlock; zeroed if new. NULL (nothing is
 * locked): not there and `create` is false, or no memory for the first entries. */
void *keyed_lock(struct keyed *k, struct str key, bool create);
void keyed_unlock(struct keyed *k, void *value);

size_t keyed_count(struct keyed *k);

#endif
