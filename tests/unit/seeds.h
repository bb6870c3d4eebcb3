/* What the suites of simulated engines share: their configuration; seeds that are run, SEED_JOBS (1)
 * at a time, with a line of progress every half a minute; and a seed that fails, which is told: run
 * again it must fail the same, and the end of its story is printed. */
#ifndef LUWAK_TESTS_SEEDS_H
#define LUWAK_TESTS_SEEDS_H

#include "simulate/simulate.h"

#include "store/store.h"
#include "sys/crypto.h"
#include "sys/log.h"
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

/* ---- one seed ---- */

#define TOLD 60

struct story {
    char lines[TOLD][512];
    size_t count;
};

static void keep_line(void *data, const char *line) {
    struct story *story = data;
    snprintf(story->lines[story->count++ % TOLD], sizeof story->lines[0], "%s", line);
}

/* Whether it went wrong in the very same way. */
static bool tell_again(const struct simulate_options *options,
                       const struct simulate_result *first) {
    static struct story story;
    struct simulate_options again = *options;
    struct simulate_result r;
    struct why why = {0};
    story.count = 0;
    again.story = keep_line;
    again.data = &story;
    (void)simulate_run(&again, &r, &why);
    for (size_t i = story.count < TOLD ? 0 : story.count - TOLD; i < story.count; i++)
        print_error("%s\n", story.lines[i % TOLD]);
    bool same =
        r.hash == first->hash && r.step == first->step && strcmp(r.wrong, first->wrong) == 0;
    if (!same) print_error("and run again it was another story\n");
    return same;
}

static inline int run_told(bool payments, uint64_t seed, int steps, struct simulate_result *r) {
    struct why why = {0};
    struct simulate_options o = {
        .config = config, .root = ".", .seed = seed, .steps = steps, .payments = payments};
    int err = simulate_run(&o, r, &why);
    if (err != 0) {
        print_error("seed %d, step %d: %s\n  luwak simulate%s --seed %d --steps %d --story\n",
                    (int)seed, r->step, why.text, payments ? " --payments" : "", (int)seed, steps);
        tell_again(&o, r);
    }
    return err;
}

static inline uint64_t run_kind(bool payments, uint64_t seed, int steps,
                                struct simulate_result *r) {
    CHECK_OK(run_told(payments, seed, steps, r));
    return r->hash;
}

/* ---- many ---- */

struct seeds { /* shared by the processes that run them */
    atomic_int next, done, wrong;
    _Atomic long told_at;
    long began;
    int count;
    struct simulate_result sum;
    pthread_mutex_t lock;
};

static void seed_done(struct seeds *all, const struct simulate_result *r, int err) {
    int done = atomic_fetch_add(&all->done, 1) + 1;
    if (err != 0) atomic_fetch_add(&all->wrong, 1);
    pthread_mutex_lock(&all->lock);
    all->sum.operations += r->operations;
    all->sum.final += r->final;
    all->sum.crashes += r->crashes;
    all->sum.effects += r->effects;
    all->sum.payments += r->payments;
    all->sum.paid += r->paid;
    all->sum.refunded += r->refunded;
    all->sum.taken_back += r->taken_back;
    all->sum.unheard += r->unheard;
    all->sum.channels = r->channels;
    pthread_mutex_unlock(&all->lock);
    long now = (long)time(NULL), last = atomic_load(&all->told_at);
    if (now - last < 30 || !atomic_compare_exchange_strong(&all->told_at, &last, now)) return;
    long spent = now - all->began;
    print_message("%d of %d seeds, %d wrong, %ld min, about %ld min to go\n", done, all->count,
                  atomic_load(&all->wrong), spent / 60, spent * (all->count - done) / done / 60);
    fflush(stdout);
}

static void run_some(struct seeds *all, bool payments, int steps) {
    for (int seed; (seed = atomic_fetch_add(&all->next, 1)) <= all->count;) {
        struct simulate_result r;
        int err = run_told(payments, (uint64_t)seed, steps, &r);
        seed_done(all, &r, err);
        if (err != 0) return;
    }
}

/* Seeds 1 to count; what they came to in sum. */
static inline struct simulate_result run_seeds(bool payments, int count, int steps) {
    const char *text = getenv("SEED_JOBS");
    int jobs = text == NULL ? 1 : atoi(text);
    struct seeds *all =
        mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(all != MAP_FAILED);
    pthread_mutexattr_t shared;
    pthread_mutexattr_init(&shared);
    pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&all->lock, &shared);
    pthread_mutexattr_destroy(&shared);
    atomic_store(&all->next, 1);
    all->count = count;
    all->began = (long)time(NULL);
    atomic_store(&all->told_at, all->began);
    fflush(stdout);
    for (int i = 1; i < jobs && i < count; i++)
        if (fork() == 0) {
            run_some(all, payments, steps);
            fflush(stdout);
            _exit(0);
        }
    run_some(all, payments, steps);
    bool killed = false;
    for (int status; wait(&status) > 0;)
        killed = killed || status != 0;
    CHECK(!killed);
    CHECK_INT(atomic_load(&all->wrong), 0);
    CHECK_INT(atomic_load(&all->done), count);
    struct simulate_result sum = all->sum;
    munmap(all, sizeof *all);
    return sum;
}

static inline void tell_payments(int seeds, const struct simulate_result *sum) {
    print_message("%d seeds: %d payments by %d channels, %d effects sent, %d transfers booked, %d "
                  "refunded, %d taken back, %d told in vain, %d crashes\n",
                  seeds, sum->payments, sum->channels, sum->effects, sum->paid, sum->refunded,
                  sum->taken_back, sum->unheard, sum->crashes);
}

#endif
