/* The engine's random numbers, injected: the kernel's, or a seeded stream (ChaCha20) that gives the
 * same numbers for the same seed. A generator may be shared by threads only if it is the kernel's.
 */
#ifndef LUWAK_BASE_RNG_H
#define LUWAK_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    void (*fill)(struct rng *r, void *out, size_t n);
    uint32_t state[16]; /* seeded: ChaCha block input */
    uint8_t block[64];
    size_t used; /* bytes of block already given out */
};

void rng_system(struct rng *r);
void rng_seeded(struct rng *r, uint64_t seed);

static inline void rng_fill(struct rng *r, void *out, size_t n) {
    r->fill(r, out, n);
}
uint64_t rng_u64(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t bound); /* uniform in [0, bound); bound > 0 */

#endif
