/* Whole engines from seeds: `luwak simulate` in small, and the proof that a seed replays exactly.
 * TEST_ROUNDS seeds (20; `make faults` asks for 10,000). Payments: 10 seeds of some 60 payments, in
 * `make faults` 1,000 seeds of some 1,000. */
#include "simulate.h"

#include "store/store.h"
#include "sys/crypto.h"
#include "sys/log.h"
#include "unit.h"

#include <stdlib.h>

static struct config *config;

static void no_line(void *data, struct str line) {
    (void)data, (void)line;
}

static int setup(void **state) {
    (void)state;
    struct why why = {0};
    CHECK_OK(crypto_setup());
    store_setup();
    log_capture(no_line, NULL); /* errors are what is wanted here */
    static const char *const ENVIRONMENT[] = {"LUWAK_ENV=simulated", NULL};
    struct config_sources sources = {.environment = ENVIRONMENT};
    CHECK_OK(config_load(&config, &sources, &why));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    config_free(config);
    log_capture(NULL, NULL);
    return 0;
}

static uint64_t run_kind(bool payments, uint64_t seed, int steps, struct simulate_result *r) {
    struct why why = {0};
    int err = simulate_run(&(struct simulate_options){.config = config,
                                                      .root = ".",
                                                      .seed = seed,
                                                      .steps = steps,
                                                      .payments = payments},
                           r, &why);
    if (err != 0)
        print_error("seed %d, step %d: %s\n  luwak simulate%s --seed %d --steps %d --story\n",
                    (int)seed, r->step, why.text, payments ? " --payments" : "", (int)seed, steps);
    CHECK_OK(err);
    return r->hash;
}

static uint64_t run(uint64_t seed, int steps, struct simulate_result *r) {
    return run_kind(false, seed, steps, r);
}

static void nobody_is_debited_twice(void **state) {
    (void)state;
    const char *rounds = getenv("TEST_ROUNDS");
    int asked = rounds == NULL ? 100 : atoi(rounds);
    int seeds = asked < 10 ? 1 : asked / 10, steps = asked < 10000 ? 300 : 5300;
    int payments = 0, paid = 0, crashes = 0;
    for (int seed = 1; seed <= seeds; seed++) {
        struct simulate_result r;
        run_kind(true, (uint64_t)seed, steps, &r);
        payments += r.payments;
        paid += r.paid;
        crashes += r.crashes;
    }
    print_message("%d seeds: %d payments, %d transfers booked, %d crashes\n", seeds, payments, paid,
                  crashes);
    CHECK(payments > seeds * steps / 10);
    CHECK(paid > payments / 10);
    CHECK(crashes > seeds * steps / 100);
}

static void promises_hold_from_every_seed(void **state) {
    (void)state;
    const char *rounds = getenv("TEST_ROUNDS");
    int seeds = rounds == NULL ? 20 : atoi(rounds);
    int operations = 0, final = 0, crashes = 0, effects = 0;
    for (int seed = 1; seed <= seeds; seed++) {
        struct simulate_result r;
        run((uint64_t)seed, 500, &r);
        operations += r.operations;
        final += r.final;
        crashes += r.crashes;
        effects += r.effects;
    }
    print_message("%d seeds: %d operations, %d final, %d effects, %d crashes\n", seeds, operations,
                  final, effects, crashes);
    CHECK(operations > seeds * 50); /* it did something */
    CHECK(crashes > seeds * 3);
    CHECK(final > operations / 2);
}

static void a_seed_replays_exactly(void **state) {
    (void)state;
    struct simulate_result a, b, c;
    CHECK(run(7, 300, &a) == run(7, 300, &b));
    CHECK(run(8, 300, &c) != a.hash);
    CHECK(run_kind(true, 7, 200, &a) == run_kind(true, 7, 200, &b));
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test_setup_teardown(promises_hold_from_every_seed, setup, teardown),
    cmocka_unit_test_setup_teardown(nobody_is_debited_twice, setup, teardown),
    cmocka_unit_test_setup_teardown(a_seed_replays_exactly, setup, teardown),
};
UNIT_MAIN("simulation", TESTS)
