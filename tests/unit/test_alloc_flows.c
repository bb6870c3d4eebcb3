/* The nth allocation of ours, Lua's or SQLite's fails in the main flows: an engine starts, routes
 * and channels run, commits are made, jobs ask, requests go out, power fails, it starts again. No
 * crash and no leak, no promise broken, and a start is whole or refused, for n from TEST_FIRST (1) on
 * in steps: TEST_ROUNDS tries over the whole flow (150; `all`: each n, as `make faults` does).
 *
 * The scripts are a few of each kind, so that each n can be tried in about an hour: the more scripts,
 * the more often the same allocations.
 *
 * Sockets are not in this virtual time: test_http_client fails each allocation of ours, libuv's and
 * curl's in a POST, a kept-alive GET, a time-out and a refused connection.
 *
 * What ends the process by itself when memory is short, so that no test makes it:
 *   libuv     abort() where its table of watched descriptors cannot grow (mem_realloc_vital), and
 *             where the threads of its pool cannot be started
 *   libcurl   7.88 divides by zero after it could not note a transfer with its socket (curl_alloc)
 *   Lua       a panic outside of every protected call aborts; states are opened and called inside
 *   glibc     what it allocates for itself (getaddrinfo, scandir, realpath, threads) is not ours to
 *             fail; they report it, and callers hand it on
 * OpenSSL and SQLite return errors. A process that ends so is started again by the service manager,
 * and what was acknowledged is on disk. */
#include "base/mem.h"
#include "simulate.h"
#include "store/store.h"
#include "sys/crypto.h"
#include "sys/log.h"
#include "sys/metrics.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEPS 25

static const char *const FOLDERS[] = {"channels",       "rules",        "scripts",
                                      "scripts/api",    "scripts/jobs", "scripts/lib",
                                      "scripts/sandbox"};
static const char *const SCRIPTS[] = {"channels/demo_wallet.lua",    "scripts/api/operations.lua",
                                      "scripts/api/ping.lua",        "scripts/jobs/simulator.lua",
                                      "scripts/jobs/purge_jobs.lua", "scripts/lib/api_query.lua",
                                      "scripts/lib/simulator.lua",   "scripts/sandbox/demo.lua"};

static const char *small_root(void) {
    const char *root = unit_tmpdir();
    char from[4096], to[4096], here[2048];
    CHECK(getcwd(here, sizeof here) != NULL);
    for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++) {
        snprintf(to, sizeof to, "%s/%s", root, FOLDERS[i]);
        CHECK_INT(mkdir(to, 0700), 0);
    }
    for (size_t i = 0; i < sizeof SCRIPTS / sizeof *SCRIPTS; i++) {
        snprintf(from, sizeof from, "%s/%s", here, SCRIPTS[i]);
        snprintf(to, sizeof to, "%s/%s", root, SCRIPTS[i]);
        CHECK_INT(symlink(from, to), 0);
    }
    return root;
}

static void no_line(void *data, struct str line) {
    (void)data, (void)line;
}
static void no_fatal(const char *what, const char *detail) {
    print_error("store_fatal: %s %s\n", what, detail);
    CHECK(false); /* no memory is no damage */
}

static const char *root;

static int flow(const struct config *config, struct simulate_result *r, struct why *why) {
    *why = (struct why){0};
    return simulate_run(
        &(struct simulate_options){.config = config, .root = root, .seed = 3, .steps = STEPS}, r,
        why);
}

static void any_allocation_may_fail(void **state) {
    (void)state;
    static const char *const ENVIRONMENT[] = {"LUWAK_ENV=simulated", NULL};
    struct config *config;
    struct simulate_result r;
    struct why why = {0};
    root = small_root();
    CHECK_OK(crypto_setup());
    store_setup();
    log_capture(no_line, NULL);
    store_fatal = no_fatal;
    CHECK_OK(config_load(&config, &(struct config_sources){.environment = ENVIRONMENT}, &why));
    CHECK_OK(flow(config, &r, &why)); /* what is made once per process is made now */
    metrics_free();
    int64_t live = mem_live();
    uint64_t before = mem_count();
    CHECK_OK(flow(config, &r, &why));
    uint64_t all = mem_count() - before;
    const int scripts = r.scripts;
    metrics_free();
    CHECK_INT(mem_live(), live);
    const char *rounds = getenv("TEST_ROUNDS"), *first = getenv("TEST_FIRST");
    uint64_t tries = rounds == NULL               ? 150
                     : strcmp(rounds, "all") == 0 ? all
                                                  : (uint64_t)atoll(rounds);
    uint64_t step = tries == 0 || all / tries == 0 ? 1 : all / tries, failed = 0, refused = 0;
    int wrong = 0;
    for (uint64_t n = first == NULL ? 1 : (uint64_t)atoll(first); n < all; n += step) {
        mem_fail_at(n, 0);
        int err = flow(config, &r, &why);
        metrics_free(); /* a series that only an error makes lives as long as the process */
        failed += (uint64_t)mem_has_failed();
        mem_fail_at(0, 0);
        refused += err != 0;
        int left = (int)(mem_live() - live);
        /* what the checks themselves could not look at is no broken promise */
        bool promise = err != 0 && err != E_NOMEM && strstr(why.text, "out of memory") == NULL;
        bool half = r.scripts != 0 && r.scripts != scripts;
        if (!promise && !half && left == 0) continue;
        print_error("allocation %d: %s %s; %d scripts live, %d blocks are left\n", (int)n,
                    err_name(err), why.text, r.scripts, left);
        live += left;
        wrong++;
    }
    print_message("%d allocations, each %dth failed: %d did, %d flows ended by it\n", (int)all,
                  (int)step, (int)failed, (int)refused);
    CHECK_INT(wrong, 0);
    CHECK(failed >= (all - 1) / step / 2);
    config_free(config);
    log_capture(NULL, NULL);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(any_allocation_may_fail),
};
UNIT_MAIN("alloc_flows", TESTS)
