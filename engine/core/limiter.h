/* Rate limits by key, shared by all workers: GCRA, that is a token bucket kept as one instant (when
 * the bucket will be full again). No window edge lets two bursts through.
 *
 * Time is the monotonic clock plus the simulated offset: it never goes back, and moving the
 * simulated clock refills. A key that was not used long enough is full, so forgetting it (the table
 * is bounded) loses nothing; forgetting a busy one lets at most one burst more through. */
#ifndef LUWAK_CORE_LIMITER_H
#define LUWAK_CORE_LIMITER_H

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

struct limiter;

struct rate {
    uint32_t count;     /* so many ... */
    uint32_t period_ms; /* ... in so long */
    uint32_t burst;     /* at once; 0: count */
};

struct rate_verdict {
    bool ok;
    int64_t wait_ms; /* refused: when to come again (Retry-After); -1: never, it costs too much */
    uint32_t limit;  /* the burst */
    uint32_t remaining; /* that would pass right now */
    int64_t reset_ms;   /* until all of it is there again */
};

int limiter_new(struct limiter **out, const struct clock *clock, size_t keys_max);
void limiter_delete(struct limiter *l);

/* From any thread. Takes `cost` if it is there; a refusal takes nothing. cost 0 only looks. Without
 * memory for a first key it lets pass: a limit is no reason to stand still. */
struct rate_verdict limiter_take(struct limiter *l, struct str key, const struct rate *rate,
                                 uint32_t cost);
void limiter_give_back(struct limiter *l, struct str key, const struct rate *rate, uint32_t cost);

#endif
