/* luwak simulate */
#include "cli/cmd.h"
#include "simulate/simulate.h"
#include "sys/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void print(void *data, const char *line) {
    (void)data;
    puts(line);
}

/* A number option; `fallback` when it was not given. */
static int number(const struct cli_args *args, const char *name, int64_t least, int64_t fallback,
                  int64_t *out) {
    const char *text = cli_option(args, name);
    *out = fallback;
    if (text == NULL) return 0;
    if (str_to_i64(str_of(text), out) == 0 && *out >= least) return 0;
    return cli_fail(args, CLI_USAGE, "--%s %s: a whole number from %lld is expected", name, text,
                    (long long)least);
}

int cmd_simulate(const struct cli_args *args) {
    struct rng rng;
    rng_system(&rng);
    int64_t seed, count, steps;
    int code = number(args, "seed", 0, (int64_t)(rng_u64(&rng) >> 33), &seed);
    if (code == 0) code = number(args, "count", 1, 1, &count);
    if (code == 0) code = number(args, "steps", 1, 10000, &steps);
    if (code != 0) return code;
    struct config *config = NULL;
    setenv("LUWAK_ENV", "simulated", 1); /* there is no other */
    code = cli_config(args, true, &config);
    if (code == 0) code = cmd_setup(args, config);
    char root[CLI_PATH_MAX];
    struct why why = {0};
    if (code == 0 && cli_root(config, root, &why) != 0)
        code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    int quiet = code == 0 ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    if (quiet >= 0)
        log_setup(LOG_LEVEL_ERROR, LOG_JSON, quiet); /* errors are what is wanted here */
    for (int64_t i = 0; code == 0 && i < count; i++) {
        struct simulate_options o = {.config = config,
                                     .root = root,
                                     .seed = (uint64_t)(seed + i),
                                     .steps = (int)steps,
                                     .payments = cli_flag(args, "payments"),
                                     .story = cli_flag(args, "story") ? print : NULL};
        struct simulate_result r;
        int err = simulate_run(&o, &r, &why);
        printf("seed %lld: %s, %d operations, %d effects, %d payments by %d channels, %d paid, %d "
               "refunded, %d taken back, %d told in vain, %d crashes, story %016llx\n",
               (long long)o.seed, err == 0 ? "good" : "WRONG", r.operations, r.effects, r.payments,
               r.channels, r.paid, r.refunded, r.taken_back, r.unheard, r.crashes,
               (unsigned long long)r.hash);
        if (err != 0)
            code = cli_fail(args, CLI_PROBLEMS,
                            "seed %lld, step %d: %s; again: luwak simulate%s --seed %lld --steps "
                            "%lld --story",
                            (long long)o.seed, r.step, why.text, o.payments ? " --payments" : "",
                            (long long)o.seed, (long long)steps);
    }
    if (quiet >= 0) {
        log_setup(LOG_LEVEL_ERROR, LOG_JSON, STDERR_FILENO);
        close(quiet);
    }
    config_free(config);
    return code;
}
