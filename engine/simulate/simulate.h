/* A whole engine in virtual time, from a seed: one worker, the real store over a disk that loses
 * power (store/vfs_record.h), the real scripts, and between them and the providers' simulators a
 * network that drops, delays, doubles, reorders and garbles. The same seed is the same story. */
#ifndef LUWAK_SIMULATE_H
#define LUWAK_SIMULATE_H

#include "store/vfs_record.h"
#include "sys/config.h"

struct simulate_options {
    const struct config *config; /* simulated */
    const char *root;
    const struct disk
        *made; /* what the disk holds at first, of a store (IMAGE_ALL); NULL: nothing */
    uint64_t seed;
    int steps;     /* with `payments` as many steps as this number of payments takes */
    bool payments; /* of the merchant API, on every channel; else bare operations of the wallet */
    void (*story)(void *data, const char *line); /* NULL: nobody listens */
    void *data;
};

struct simulate_result {
    uint64_t hash; /* of the story */
    int operations, final, crashes, effects;
    int payments, paid, refunded, taken_back; /* orders; movements, refunds and reversals booked */
    int unheard;                              /* transfers that the provider told us of in vain */
    int channels;                             /* that were paid by */
    int scripts;                              /* live in each life of the engine */
    int step;                                 /* at which it failed */
    char wrong[400];                          /* what was found; empty: all is well */
};

/* 0, E_STATE (a promise was broken: `wrong` says which) or why it could not run. */
int simulate_run(const struct simulate_options *options, struct simulate_result *result,
                 struct why *why);

#endif
