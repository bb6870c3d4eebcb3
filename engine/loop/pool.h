/* A small pool of threads for work that blocks or computes long (password hashes, RSA private
 * operations, closing Lua states). `run` happens on a pool thread, then `done` on the loop that
 * asked, exactly once. The job is embedded in its owner, which must stay alive until `done`.
 *
 * Without threads (a simulation) both happen as one task of the asking loop: same order of calls,
 * one thread, the same each time.
 *
 * The queue is bounded: past it pool_submit says E_BUSY and nothing happens. pool_delete finishes
 * what was submitted; loops must still run or take posts until it returns. */
#ifndef LUWAK_LOOP_POOL_H
#define LUWAK_LOOP_POOL_H

#include "base/err.h"
#include "loop/loop.h"

struct pool;

struct pool_job {
    struct task task; /* how done() comes back to the loop */
    struct loop *loop;
    struct pool_job *next;
    void (*run)(struct pool_job *job);  /* on a pool thread: only what the job owns */
    void (*done)(struct pool_job *job); /* on the loop; may free the owner; NULL: nobody asks */
};

#define POOL_QUEUE_MAX 256 /* waiting jobs, when 0 was asked for */

/* threads = 0: inline, for simulations and tests. */
int pool_new(struct pool **out, int threads, size_t queue_max);
void pool_delete(struct pool *pool);

/* From any thread. With done = NULL the loop may be NULL too (then it runs at once when inline),
 * and `run` may free the job. */
int pool_submit(struct pool *pool, struct loop *loop, struct pool_job *job,
                void (*run)(struct pool_job *job), void (*done)(struct pool_job *job));

#endif
