/* As test_simulation_payments, in larger worlds: 10,000 payments each, so that what only shows among
 * many is seen. Two seeds, which take minutes and so run side by side; in `make faults` (10,000
 * TEST_ROUNDS) 50; with a few rounds (sanitizers) a small one. */
#include "seeds.h"

#include <stdlib.h>

static void nobody_is_debited_twice_among_many(void **state) {
    (void)state;
    const char *rounds = getenv("TEST_ROUNDS");
    int asked = rounds == NULL ? 400 : atoi(rounds);
    setenv("SEED_JOBS", "2", 0);
    bool few = asked < 200;
    int seeds = few ? 1 : asked / 200, each = few ? 200 : 10000;
    struct simulate_result sum = run_seeds(true, seeds, each);
    tell_payments(seeds, &sum);
    CHECK(sum.payments >= seeds * each);
    CHECK(sum.effects > sum.payments / 2);
    CHECK(sum.paid > sum.payments / 10);
    if (few) return;
    CHECK(sum.refunded > seeds * 100);
    CHECK(sum.taken_back > seeds * 20);
    CHECK(sum.crashes > seeds * 3);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test_setup_teardown(nobody_is_debited_twice_among_many, setup, teardown),
};
UNIT_MAIN("simulation_worlds", TESTS)
