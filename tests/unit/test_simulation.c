/* Whole engines from seeds: `luwak simulate` in small, and the proof that a seed replays exactly.
 * TEST_ROUNDS seeds (20; `make faults` asks for 10,000). */
#include "seeds.h"

static uint64_t run(uint64_t seed, int steps, struct simulate_result *r) {
    return run_kind(false, seed, steps, r);
}

static void promises_hold_from_every_seed(void **state) {
    (void)state;
    const char *rounds = getenv("TEST_ROUNDS");
    int seeds = rounds == NULL ? 20 : atoi(rounds);
    struct simulate_result sum = run_seeds(false, seeds, 500);
    print_message("%d seeds: %d operations, %d final, %d effects, %d crashes\n", seeds,
                  sum.operations, sum.final, sum.effects, sum.crashes);
    CHECK(sum.operations > seeds * 50); /* it did something */
    CHECK(sum.crashes > seeds * 3);
    CHECK(sum.final > sum.operations / 2);
}

static void a_seed_replays_exactly(void **state) {
    (void)state;
    struct simulate_result a, b, c;
    CHECK(run(7, 300, &a) == run(7, 300, &b));
    CHECK(run(8, 300, &c) != a.hash);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test_setup_teardown(promises_hold_from_every_seed, setup, teardown),
    cmocka_unit_test_setup_teardown(a_seed_replays_exactly, setup, teardown),
};
UNIT_MAIN("simulation", TESTS)
