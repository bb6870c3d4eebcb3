/* Payments on every channel through whole engines from seeds, with faults at every step: nobody is
 * debited twice, and both sides' books agree. 10 seeds of 1,000 payments, in `make faults` (10,000
 * TEST_ROUNDS) 1,000 seeds; with a few rounds (sanitizers) a few seeds of 100. */
#include "seeds.h"

static void nobody_is_debited_twice(void **state) {
    (void)state;
    const char *rounds = getenv("TEST_ROUNDS");
    int asked = rounds == NULL ? 100 : atoi(rounds);
    bool few = asked < 100;
    int seeds = asked < 10 ? 1 : asked / 10, each = few ? 100 : 1000;
    struct simulate_result sum = run_seeds(true, seeds, each);
    tell_payments(seeds, &sum);
    CHECK(sum.payments >= seeds * each);
    CHECK(sum.effects > sum.payments / 2);
    CHECK(sum.paid > sum.payments / 10);
    if (few) return;
    CHECK(sum.refunded > seeds * 10); /* it did something of each */
    CHECK(sum.taken_back > seeds * 2);
    CHECK(sum.crashes > seeds * 3);
}

static void a_seed_replays_exactly(void **state) {
    (void)state;
    struct simulate_result a, b, c;
    CHECK(run_kind(true, 7, 100, &a) == run_kind(true, 7, 100, &b));
    CHECK(run_kind(true, 8, 100, &c) != a.hash);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test_setup_teardown(nobody_is_debited_twice, setup, teardown),
    cmocka_unit_test_setup_teardown(a_seed_replays_exactly, setup, teardown),
};
UNIT_MAIN("simulation_payments", TESTS)
