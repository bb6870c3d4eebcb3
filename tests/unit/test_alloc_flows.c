/* The nth allocation of ours, Lua's or SQLite's fails in the main flows: an engine starts, routes
 * and channels run, commits are made, jobs ask, requests go out, power fails, it starts again. No
 * crash and no leak, for n from the first on in steps (ALLOC_TRIES tries over the whole flow).
 *
 * Not here: libuv and curl, which this flow in virtual time does not use. */
#include "base/mem.h"
#include "simulate.h"
#include "store/store.h"
#include "sys/crypto.h"
#include "sys/log.h"
#include "sys/metrics.h"
#include "unit.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 25

static void no_line(void *data, struct str line) {
    (void)data, (void)line;
}
/* OpenSSL keeps the errors of a thread until it ends. */
static int64_t live_now(void) {
    OPENSSL_thread_stop();
    metrics_free(); /* a series that only an error makes lives as long as the process */
    return mem_live();
}
static void no_fatal(const char *what, const char *detail) {
    print_error("store_fatal: %s %s\n", what, detail);
    CHECK(false); /* no memory is no damage */
}

static int flow(const struct config *config, struct simulate_result *r, struct why *why) {
    *why = (struct why){0};
    return simulate_run(
        &(struct simulate_options){.config = config, .root = ".", .seed = 3, .steps = STEPS}, r,
        why);
}

static void any_allocation_may_fail(void **state) {
    (void)state;
    static const char *const ENVIRONMENT[] = {"LUWAK_ENV=simulated", NULL};
    struct config *config;
    struct simulate_result r;
    struct why why = {0};
    CHECK_OK(crypto_setup());
    store_setup();
    log_capture(no_line, NULL);
    store_fatal = no_fatal;
    CHECK_OK(config_load(&config, &(struct config_sources){.environment = ENVIRONMENT}, &why));
    CHECK_OK(flow(config, &r, &why)); /* what is made once per process is made now */
    int64_t live = live_now();
    uint64_t before = mem_count();
    CHECK_OK(flow(config, &r, &why));
    uint64_t all = mem_count() - before;
    CHECK_INT(live_now(), live);
    const char *rounds = getenv("TEST_ROUNDS");
    uint64_t tries = rounds == NULL ? 250 : (uint64_t)atoll(rounds), failed = 0, refused = 0;
    uint64_t step = all / tries == 0 ? 1 : all / tries;
    for (uint64_t n = 1; n < all; n += step) {
        mem_fail_at(n, 0);
        int err = flow(config, &r, &why);
        failed += (uint64_t)mem_has_failed();
        mem_fail_at(0, 0);
        refused += err != 0;
        /* what the checks themselves could not look at is no broken promise */
        bool promise = err == E_STATE && strstr(why.text, "out of memory") == NULL;
        /* not to start for lack of memory is allowed; to come up without scripts is not */
        if (strstr(why.text, "does not start") != NULL) promise = false;
        if (promise) print_error("allocation %d: %s\n", (int)n, why.text);
        CHECK(!promise);
        int64_t left = live_now() - live;
        if (left != 0)
            print_error("allocation %d (%s): %d blocks are left\n", (int)n, err_name(err),
                        (int)left);
        CHECK_INT(left, 0);
    }
    print_message("%d allocations, each %dth failed: %d did, %d flows ended by it\n", (int)all,
                  (int)step, (int)failed, (int)refused);
    CHECK(failed > tries / 2);
    config_free(config);
    log_capture(NULL, NULL);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(any_allocation_may_fail),
};
UNIT_MAIN("alloc_flows", TESTS)
