/* What every part of the payment core is given: the store, the time, the random numbers, the key
 * ring, and the few facts of this engine that show in answers. One per engine; immutable while it
 * runs; used by all workers, each through its own copy with its own generator. */
#ifndef LUWAK_CORE_CORE_H
#define LUWAK_CORE_CORE_H

#include "base/clock.h"
#include "base/id.h"
#include "base/rng.h"
#include "store/store.h"
#include "sys/seal.h"

struct core {
    struct store *store;
    const struct clock *clock;
    struct rng *rng;
    const struct seal_ring *ring; /* NULL: what must be sealed is refused (E_STATE) */
    struct str public_url;        /* "https://pay.example.id", no slash at the end; empty: none */
    bool livemode;                /* production */
};

static inline int64_t core_now(const struct core *core) {
    return clock_now_ms(core->clock);
}

#endif
