/* The durable job queue: due time, attempts, backoff, dead letters, unique keys, priority.
 *
 *              enqueue            claim                 finish
 *   (nothing) ---------> waiting -------> running ---------------> done
 *                           ^                |---- again ---------> waiting, one attempt more
 *                           |                |---- out of tries --> dead
 *                           '-- crash -------|                      (repeatable)
 *                                            '---- crash (once) --> lost; its lost step is enqueued
 *
 * One that is hurried while it runs (OP_JOB_HURRY, urgent) waits again whatever its end, and is due at
 * once: what it saw may be older than the news.
 *
 * One queue per engine, on one loop, over one store: it alone claims, so no job runs twice at once.
 * A claim and a finish are commits that name the run number they belong to; a late finish of an
 * earlier run fails its guard and changes nothing. After a restart whatever is found running was
 * cut off by the crash: a repeatable job waits again, a `once` job is never run again.
 *
 * Everything is measured in business time on the injected clock. */
#ifndef LUWAK_CORE_JOBS_H
#define LUWAK_CORE_JOBS_H

#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "loop/loop.h"
#include "store/store.h"

/* A script's path (at most 255) and the mark of a lost job. */
#define JOB_NAME_MAX 264

struct jobs;

struct job {
    struct str id;
    struct str name; /* who handles it: "ask_operation", "scripts/jobs/settle.lua" */
    struct str args; /* JSON */
    int64_t due_at;
    int64_t run;      /* how often it was claimed */
    int64_t attempts; /* failed tries so far */
    int64_t priority;
    bool once;
    bool lost; /* this is the lost step of a once job that a crash cut off */
};

enum job_end {
    JOB_END_DONE,
    JOB_END_LATER, /* all is well, there is just nothing to see yet: as AGAIN, without the alarm */
    JOB_END_AGAIN, /* try again by its backoff; dead when that is used up */
    JOB_END_DEAD,  /* no use in trying again */
    JOB_END_HELD,  /* jobs_hold(): nothing was tried, its turn comes later */
    JOB_END_CUT,   /* the engine stops: leave it running, the next start decides */
};

/* Runs one job. `job` stays valid until jobs_finish(jobs, job, ...) was called, on the queue's
 * loop. */
typedef void (*jobs_run_cb)(struct jobs *jobs, const struct job *job, void *data);

struct jobs_options {
    struct store *store;
    struct loop *loop;
    struct rng *rng;
    int running_max; /* at once; 0: 64 */
    jobs_run_cb run;
    void *data;
};

int jobs_new(struct jobs **out, const struct jobs_options *options);
void jobs_start(struct jobs *jobs); /* recovers what a crash left, then serves */
void jobs_stop(struct jobs *jobs);  /* claims nothing more */
void jobs_delete(struct jobs *jobs);

void jobs_finish(struct jobs *jobs, const struct job *job, enum job_end end, const char *error);

/* Ends the run as if it had not been: it comes again after `wait_ms`, its tries are not touched. */
void jobs_hold(struct jobs *jobs, const struct job *job, int64_t wait_ms, const char *why);

/* Something may be due that was not known: a commit enqueued a job, or the clock was moved. Any
 * thread. */
void jobs_poke(struct jobs *jobs);

/* True when nothing is due at the clock's time and nothing runs: what `_clock advance` waits for.
 */
bool jobs_idle(const struct jobs *jobs);

/* The earliest due time among waiting jobs as last seen; INT64_MAX: none. */
int64_t jobs_next_due(const struct jobs *jobs);

/* Adds one job to a commit. `unique` may be empty. backoff: JSON object text or empty (default). */
struct job_new {
    struct str name;
    struct str args;
    int64_t due_at; /* 0: now */
    int priority;   /* higher first */
    bool once;
    struct str backoff; /* base/backoff.h's text; empty: 12 tries over some hours */
    struct str unique;
};
void job_enqueue(struct commit *commit, const struct job_new *job, const struct clock *clock,
                 struct rng *rng);

#endif
