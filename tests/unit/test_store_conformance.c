/* The conformance suite on each driver and shape. */
#include "base/mem.h"
#include "store_conformance.h"

#include <stdio.h>

static void with_threads(const char *path, const char *name) {
    struct clock clock;
    clock_real(&clock);
    struct store_fixture f = {.clock = &clock, .pump = pump_uv, .listens = true};
    char dir[300];
    snprintf(dir, sizeof dir, "%s/%s", unit_tmpdir(), name);
    CHECK_OK(loop_uv_new(&f.loop, &clock));
    struct why why = {0};
    struct store_options o = {.path = path == NULL ? NULL : dir, .clock = &clock};
    int err = store_open(&f.store, &o, &why);
    if (err != 0) print_error("%s\n", why.text);
    CHECK_OK(err);
    CHECK_OK(store_migrate(f.store, NULL, &why));
    store_conformance(&f);
    store_close(f.store);
    loop_delete(f.loop);
}

static void file_with_threads(void **state) {
    (void)state;
    with_threads("", "threads");
}

static void memory_with_threads(void **state) {
    (void)state;
    with_threads(NULL, "");
}

static void simulated(const char *name) {
    struct clock clock;
    struct rng rng;
    clock_virtual(&clock, 1000);
    rng_seeded(&rng, 42);
    struct store_fixture f = {.clock = &clock, .pump = pump_sim, .listens = true};
    char dir[300];
    snprintf(dir, sizeof dir, "%s/%s", unit_tmpdir(), name == NULL ? "" : name);
    CHECK_OK(loop_sim_new(&f.loop, &clock, &rng));
    struct why why = {0};
    struct store_options o = {
        .path = name == NULL ? NULL : dir, .clock = &clock, .inline_on = f.loop};
    CHECK_OK(store_open(&f.store, &o, &why));
    CHECK_OK(store_migrate(f.store, NULL, &why));
    store_conformance(&f);
    store_close(f.store);
    loop_delete(f.loop);
}

static void file_inline(void **state) {
    (void)state;
    simulated("inline");
}

static void memory_inline(void **state) {
    (void)state;
    simulated(NULL);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(file_with_threads),
    cmocka_unit_test(memory_with_threads),
    cmocka_unit_test(file_inline),
    cmocka_unit_test(memory_inline),
};
UNIT_MAIN("store_conformance", TESTS)
