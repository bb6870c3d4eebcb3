/* Whole engines from seeds: `luwak simulate` in small, and the proof that a seed replays exactly.
 * TEST_ROUNDS seeds (20; `make faults` asks for 10,000). */
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

static uint64_t run(uint64_t seed, int steps, struct simulate_result *r) {
    struct why why = {0};
    int err = simulate_run(
        &(struct simulate_options){.config = config, .root = ".", .seed = seed, .steps = steps}, r,
        &why);
    if (err != 0)
        print_error("seed %d, step %d: %s\n  luwak simulate --seed %d --steps %d --story\n",
                    (int)seed, r->step, why.text, (int)seed, steps);
    CHECK_OK(err);
    return r->hash;
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
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test_setup_teardown(promises_hold_from_every_seed, setup, teardown),
    cmocka_unit_test_setup_teardown(a_seed_replays_exactly, setup, teardown),
};
UNIT_MAIN("simulation", TESTS)
