/* The engine's two clocks, both injected.
 *
 * Business time: wall-clock milliseconds UTC. Jobs, expiry, backoff, windows and tokens read it. In
 *   simulated mode it carries an offset that only grows (`POST /sandbox/_clock`).
 * Monotonic time: nanoseconds. Deadlines of sockets and scripts read it; nothing moves it.
 *
 * In a simulation both are virtual and advance only when the simulated loop says so. */
#ifndef LUWAK_BASE_CLOCK_H
#define LUWAK_BASE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

struct clock {
    int64_t (*wall)(const struct clock *c);  /* without the offset */
    uint64_t (*mono)(const struct clock *c); /* nanoseconds */
    _Atomic int64_t offset_ms;               /* added to wall(); 0 outside simulated mode */
    _Atomic int64_t virtual_ms;              /* only read by the virtual clock */
    _Atomic uint64_t virtual_ns;             /* likewise */
};

void clock_real(struct clock *c);
void clock_virtual(struct clock *c, int64_t start_ms);
void clock_virtual_advance(struct clock *c, uint64_t ns); /* moves both virtual clocks */

static inline int64_t clock_now_ms(const struct clock *c) {
    return c->wall(c) + atomic_load_explicit(&c->offset_ms, memory_order_relaxed);
}
static inline uint64_t clock_mono_ns(const struct clock *c) {
    return c->mono(c);
}
static inline int64_t clock_mono_ms(const struct clock *c) {
    return (int64_t)(c->mono(c) / 1000000u);
}

/* CPU time of the calling thread: what tests of script budgets measure. */
uint64_t clock_thread_cpu_ns(void);

#endif
