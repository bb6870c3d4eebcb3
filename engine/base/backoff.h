/* How long to wait before the next try: first, then each time `factor` longer, up to `max`, each
 * wait shortened by a random part of at most `jitter`, and no more than `tries` tries in all.
 *
 * One struct for jobs, for the asking of operations (`poll`) and for retries of requests. Integers
 * only, and the random numbers are injected: the same seed waits the same times. The text form is
 * what a job row keeps: "first=5s factor=5 max=2m tries=4 jitter=0.1". */
#ifndef LUWAK_BASE_BACKOFF_H
#define LUWAK_BASE_BACKOFF_H

#include "base/buf.h"
#include "base/err.h"
#include "base/rng.h"

struct backoff {
    int64_t first_ms;
    int64_t max_ms;   /* 0: no cap but ten years */
    int factor_milli; /* 2000 = twice; at least 1000 */
    int jitter_milli; /* 200 = up to a fifth shorter; 0 to 1000 */
    int tries;        /* in all, the first included; 0: no end */
};

#define BACKOFF_TRIES_MAX 1000

/* The wait after try number `tried` (1: after the first) has failed, in ms; -1: no try is left. */
int64_t backoff_delay(const struct backoff *b, int tried, struct rng *rng);

int backoff_check(const struct backoff *b, struct why *why);
int backoff_parse(struct str text, struct backoff *out, struct why *why);
void backoff_write(const struct backoff *b, struct buf *out); /* parses back to the same */

#endif
