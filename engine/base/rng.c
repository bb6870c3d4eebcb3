#include "base/rng.h"

#include "base/ensure.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static void kernel_fill(void *out, size_t n) {
    char *at = out;
    while (n != 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR) continue;
        ENSURE(got > 0);
        at += got;
        n -= (size_t)got;
    }
}

/* A request takes a handful of ids and references, each of which was a system call. So each thread
 * keeps some of the kernel's bytes; what was given out is wiped. The process never forks without
 * exec, so no two ever share them. Large ones are keys: those come from the kernel itself. */
static void system_fill(struct rng *r, void *out, size_t n) {
    static _Thread_local unsigned char kept[256];
    static _Thread_local size_t left;
    (void)r;
    if (n >= 32) {
        kernel_fill(out, n);
        return;
    }
    if (n > left) {
        kernel_fill(kept, sizeof kept);
        left = sizeof kept;
    }
    left -= n;
    memcpy(out, kept + left, n);
    explicit_bzero(kept + left, n);
}

void rng_system(struct rng *r) {
    *r = (struct rng){.fill = system_fill};
}

static inline uint32_t rotate(uint32_t v, int by) {
    return v << by | v >> (32 - by);
}

static void quarter(uint32_t *x, int a, int b, int c, int d) {
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 7);
}

static void next_block(struct rng *r) {
    uint32_t x[16];
    memcpy(x, r->state, sizeof x);
    for (int i = 0; i < 10; i++) {
        quarter(x, 0, 4, 8, 12), quarter(x, 1, 5, 9, 13);
        quarter(x, 2, 6, 10, 14), quarter(x, 3, 7, 11, 15);
        quarter(x, 0, 5, 10, 15), quarter(x, 1, 6, 11, 12);
        quarter(x, 2, 7, 8, 13), quarter(x, 3, 4, 9, 14);
    }
    for (int i = 0; i < 16; i++)
        x[i] += r->state[i];
    memcpy(r->block, x, sizeof x);
    if (++r->state[12] == 0) r->state[13]++;
    r->used = 0;
}

static void seeded_fill(struct rng *r, void *out, size_t n) {
    char *at = out;
    while (n != 0) {
        if (r->used == sizeof r->block) next_block(r);
        size_t part = sizeof r->block - r->used;
        if (part > n) part = n;
        memcpy(at, r->block + r->used, part);
        r->used += part;
        at += part;
        n -= part;
    }
}

void rng_seeded(struct rng *r, uint64_t seed) {
    *r = (struct rng){.fill = seeded_fill, .used = sizeof r->block};
    static const uint32_t words[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(r->state, words, sizeof words);
    r->state[4] = (uint32_t)seed;
    r->state[5] = (uint32_t)(seed >> 32);
}

uint64_t rng_u64(struct rng *r) {
    uint64_t v;
    rng_fill(r, &v, sizeof v);
    return v;
}

uint64_t rng_below(struct rng *r, uint64_t bound) {
    ENSURE(bound > 0);
    uint64_t over = (0 - bound) % bound; /* values below this would make the rest uneven */
    uint64_t v;
    do {
        v = rng_u64(r);
    } while (v < over);
    return v % bound;
}
