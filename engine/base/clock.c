#include "base/clock.h"

#include <time.h>

static int64_t real_wall(const struct clock *c) {
    (void)c;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint64_t read_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t real_mono(const struct clock *c) {
    (void)c;
    return read_ns(CLOCK_MONOTONIC);
}

static int64_t virtual_wall(const struct clock *c) {
    return atomic_load(&c->virtual_ms) + (int64_t)(atomic_load(&c->virtual_ns) / 1000000u);
}

static uint64_t virtual_mono(const struct clock *c) {
    return atomic_load(&c->virtual_ns);
}

void clock_real(struct clock *c) {
    *c = (struct clock){.wall = real_wall, .mono = real_mono};
}

void clock_virtual(struct clock *c, int64_t start_ms) {
    *c = (struct clock){.wall = virtual_wall, .mono = virtual_mono};
    atomic_store(&c->virtual_ms, start_ms);
}

void clock_virtual_advance(struct clock *c, uint64_t ns) {
    atomic_fetch_add(&c->virtual_ns, ns);
}

uint64_t clock_thread_cpu_ns(void) {
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}
