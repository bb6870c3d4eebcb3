/* simulate.c makes things happen, simulate_check.c looks. */
#ifndef LUWAK_SIMULATE_PRIVATE_H
#define LUWAK_SIMULATE_PRIVATE_H

#include "core/operation.h"
#include "engine.h"
#include "simulate.h"
#include "store/vfs_record.h"

#define SIM_OPERATIONS_MAX 2000

struct sim_operation { /* as the merchant knows it: number n has the reference "rn" */
    char id[ID_SIZE];  /* once it was acknowledged */
    int64_t amount;
    const char *end; /* of the phone number: what the simulator will do */
    int effects;     /* how often it went out */
    bool twice;      /* the network doubles its request */
    int generation;  /* last seen */
    enum operation_state state;
};

struct sim {
    const struct simulate_options *options;
    struct simulate_result *result;
    struct rng rng, engine_rng, chaos_rng;
    struct clock clock;
    struct disk *disk;
    struct engine *engine;
    struct engine_chaos chaos;
    int step, start_err;
    bool started, off, full;
    bool calm; /* nothing goes wrong any more */
    struct sim_operation operations[SIM_OPERATIONS_MAX];
    int count;
    int looked; /* where the round of single looks is */
};

void sim_tell(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_wrong(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

void sim_check_step(struct sim *s);  /* some of it */
void sim_check_whole(struct sim *s); /* the file and every row */
void sim_check_books(struct sim *s); /* ours against the provider's */

#endif
