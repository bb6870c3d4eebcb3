/* The nth allocation of ours, Lua's or SQLite's fails in the main flows: an engine starts, routes
 * and channels run, commits are made, jobs ask, requests go out, power fails, it starts again. No
 * crash and no leak, no promise broken, and a start is whole or refused, for each TEST_STEP-th n from
 * TEST_FIRST (1) on, so that two can share the work; without, TEST_ROUNDS tries over the whole flow (150;
 * `all`: each n, as `make faults` does).
 *
 * The scripts are a few of each kind, so that each n can be tried in half an hour: the more scripts,
 * the more often the same allocations. For the same reason the store was migrated before: SQLite parses
 * its whole schema again for each change of a table, which is six of seven allocations of a first start.
 * That one is a flow of its own, of TEST_STARTS tries (40).
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
#include "loop/loop.h"
#include "simulate/simulate.h"
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

struct flow {
    const struct config *config;
    const char *root;
    struct disk *made;
    int steps;
};

static int run(const struct flow *f, struct simulate_result *r, struct why *why) {
    *why = (struct why){0};
    return simulate_run(
        &(struct simulate_options){
            .config = f->config, .root = f->root, .made = f->made, .seed = 3, .steps = f->steps},
        r, why);
}

static void sweep(const struct flow *f, uint64_t first, uint64_t step, uint64_t tries) {
    struct simulate_result r;
    struct why why = {0};
    CHECK_OK(run(f, &r, &why)); /* what is made once per process is made now */
    metrics_free();
    int64_t live = mem_live();
    uint64_t before = mem_count();
    CHECK_OK(run(f, &r, &why));
    uint64_t all = mem_count() - before, failed = 0, refused = 0, tried = 0;
    const int scripts = r.scripts;
    metrics_free();
    CHECK_INT(mem_live(), live);
    if (step == 0) step = tries == 0 || all / tries == 0 ? 1 : all / tries;
    int wrong = 0;
    for (uint64_t n = first; n < all; n += step) {
        tried++;
        mem_fail_at(n, 0);
        int err = run(f, &r, &why);
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
    print_message("%d allocations, each %dth failed from %d on: %d did, %d flows ended by it\n",
                  (int)all, (int)step, (int)first, (int)failed, (int)refused);
    CHECK_INT(wrong, 0);
    CHECK(failed >= tried / 2);
}

static uint64_t asked(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text == NULL ? otherwise : strcmp(text, "all") == 0 ? UINT64_MAX : (uint64_t)atoll(text);
}

static struct flow flow; /* with what all have in common */

static int setup(void **state) { /* once; it lives as long as the process */
    (void)state;
    if (flow.config != NULL) return 0;
    static const char *const ENVIRONMENT[] = {"LUWAK_ENV=simulated", NULL};
    struct config *config;
    struct why why = {0};
    CHECK_OK(crypto_setup());
    store_setup();
    log_capture(no_line, NULL);
    store_fatal = no_fatal;
    CHECK_OK(config_load(&config, &(struct config_sources){.environment = ENVIRONMENT}, &why));
    flow = (struct flow){.config = config, .root = small_root()};
    return 0;
}

static struct disk *migrated(void) {
    struct clock clock;
    struct loop *loop;
    struct disk *disk;
    struct store *store;
    clock_virtual(&clock, 1000);
    CHECK_OK(loop_sim_new(&loop, &clock, NULL));
    CHECK_OK(disk_new(&disk, 1));
    CHECK_OK(store_open(
        &store,
        &(struct store_options){
            .path = disk_path(disk), .vfs = VFS_RECORD, .clock = &clock, .inline_on = loop},
        NULL));
    CHECK_OK(store_migrate(store, NULL, NULL));
    store_close(store);
    loop_delete(loop);
    return disk;
}

static void any_allocation_may_fail(void **state) {
    (void)state;
    struct flow f = flow;
    f.made = migrated();
    f.steps = STEPS;
    sweep(&f, asked("TEST_FIRST", 1), asked("TEST_STEP", 0), asked("TEST_ROUNDS", 150));
    disk_delete(f.made);
}

static void a_first_start_may_fail_anywhere(void **state) {
    (void)state;
    struct flow f = flow;
    f.steps = 1;
    sweep(&f, 1, 0, asked("TEST_STARTS", 40));
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test_setup(any_allocation_may_fail, setup),
    cmocka_unit_test_setup(a_first_start_may_fail_anywhere, setup),
};
UNIT_MAIN("alloc_flows", TESTS)
