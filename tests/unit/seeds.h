/* What the suites of simulated engines share: their configuration, and a seed that is run, and told
 * when it fails: run again it must fail the same, and the end of its story is printed. */
#ifndef LUWAK_TESTS_SEEDS_H
#define LUWAK_TESTS_SEEDS_H

#include "simulate.h"

#include "store/store.h"
#include "sys/crypto.h"
#include "sys/log.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

#define TOLD 60

struct story {
    char lines[TOLD][512];
    size_t count;
};

static void keep_line(void *data, const char *line) {
    struct story *story = data;
    snprintf(story->lines[story->count++ % TOLD], sizeof story->lines[0], "%s", line);
}

static void tell_again(const struct simulate_options *options,
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
    CHECK(r.hash == first->hash && r.step == first->step && strcmp(r.wrong, first->wrong) == 0);
}

static uint64_t run_kind(bool payments, uint64_t seed, int steps, struct simulate_result *r) {
    struct why why = {0};
    struct simulate_options o = {
        .config = config, .root = ".", .seed = seed, .steps = steps, .payments = payments};
    int err = simulate_run(&o, r, &why);
    if (err != 0) {
        print_error("seed %d, step %d: %s\n  luwak simulate%s --seed %d --steps %d --story\n",
                    (int)seed, r->step, why.text, payments ? " --payments" : "", (int)seed, steps);
        tell_again(&o, r);
    }
    CHECK_OK(err);
    return r->hash;
}

#endif
