/* Heap sort: against order and content, for every small size and some bad inputs. */
#include "base/rng.h"
#include "base/sort.h"
#include "unit.h"

static int by_value(const void *a, const void *b) {
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void numbers_are_sorted(void **state) {
    (void)state;
    struct rng rng;
    rng_seeded(&rng, 9);
    int64_t v[300];
    for (size_t n = 0; n < 300; n++)
        for (int kind = 0; kind < 4; kind++) {
            int64_t sum = 0, sorted = 0;
            for (size_t i = 0; i < n; i++) {
                v[i] = kind == 0   ? (int64_t)i
                       : kind == 1 ? (int64_t)(n - i)
                       : kind == 2 ? (int64_t)(i % 3)
                                   : (int64_t)rng_below(&rng, 1000);
                sum += v[i] * v[i] * v[i];
            }
            sort_heap(v, n, sizeof *v, by_value);
            for (size_t i = 0; i < n; i++) {
                CHECK(i == 0 || v[i - 1] <= v[i]);
                sorted += v[i] * v[i] * v[i];
            }
            CHECK(sum == sorted);
        }
}

static const struct CMUnitTest TESTS[] = {cmocka_unit_test(numbers_are_sorted)};
UNIT_MAIN("sort", TESTS)
