/* The kernel's generator, which keeps some bytes per thread: no byte may be given out twice, within
 * a thread or between threads, whatever sizes are asked for. */
#include "base/rng.h"
#include "base/sort.h"
#include "unit.h"

#include <pthread.h>
#include <string.h>

enum { THREADS = 4, TAKES = 2000, SIZE = 10 };

static unsigned char taken[THREADS * TAKES][SIZE];
static struct rng shared;

static void *take(void *data) {
    unsigned char(*out)[SIZE] = data, other[300];
    for (size_t i = 0; i < TAKES; i++) {
        rng_fill(&shared, out[i], SIZE);
        rng_fill(&shared, other, i % sizeof other); /* sizes on both sides of what is kept */
    }
    return NULL;
}

static int by_bytes(const void *a, const void *b) {
    return memcmp(a, b, SIZE);
}

static void nothing_comes_twice(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    rng_system(&shared);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, take, taken[i * TAKES]) == 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    sort_heap(taken, THREADS * TAKES, SIZE, by_bytes);
    for (size_t i = 1; i < THREADS * TAKES; i++)
        CHECK(memcmp(taken[i - 1], taken[i], SIZE) != 0);
}

/* Overlapping pieces of the kept bytes would be equal at some shift: look at each byte's
 * neighbours. */
static void takes_do_not_overlap(void **state) {
    (void)state;
    unsigned char stream[4096];
    struct rng rng;
    rng_system(&rng);
    for (size_t at = 0; at + 31 <= sizeof stream; at += 31)
        rng_fill(&rng, stream + at, 31);
    for (size_t i = 0; i + 8 < 4092; i++)
        for (size_t j = i + 1; j + 8 < 4092 && j < i + 600; j++)
            CHECK(memcmp(stream + i, stream + j, 8) != 0);
}

static const struct CMUnitTest TESTS[] = {cmocka_unit_test(nothing_comes_twice),
                                          cmocka_unit_test(takes_do_not_overlap)};
UNIT_MAIN("rng", TESTS)
