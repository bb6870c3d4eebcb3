/* Repeating work: turns schedules into jobs. At each due time one commit notes that it came and
 * enqueues the job, so that a due time makes one job whatever crashes when. Due times that passed
 * while the engine was down are made up for by one run, of the latest. A run never overlaps the next
 * of its schedule: what falls due while one is open (it runs, or waits for another try) is that
 * one's. Lives on the jobs' loop. */
#ifndef LUWAK_CORE_CRON_H
#define LUWAK_CORE_CRON_H

#include "base/schedule.h"
#include "core/jobs.h"

struct cron;

int cron_new(struct cron **out, struct store *store, struct jobs *jobs, struct loop *loop,
             struct rng *rng);
void cron_delete(struct cron *cron);

/* Adds a schedule, or changes the one of that job name. */
int cron_set(struct cron *cron, struct str name, const struct schedule *schedule, bool once,
             struct str backoff);
void cron_drop(struct cron *cron, struct str name);

bool cron_idle(const struct cron *cron);        /* nothing under way, nothing due */
int64_t cron_next_due(const struct cron *cron); /* INT64_MAX: nothing */
void cron_poke(struct cron *cron);              /* the clock was moved; on the loop */

#endif
