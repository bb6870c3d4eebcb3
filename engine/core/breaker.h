/* Circuit breakers by key (a provider's host, a webhook endpoint), shared by all workers.
 *
 *     closed --too many failures in the window--> open --cool-down over--> half-open
 *        ^                                          ^                          |
 *        |                                          +------probe failed--------+
 *        +------------------probe went well------------------------------------+
 *
 * Open refuses. Half-open lets one probe through at a time; each failed probe multiplies the
 * cool-down, up to its cap. A probe that never reports counts as failed after `probe_ms`. Results
 * of calls that began before the breaker opened change nothing.
 *
 * Time is the monotonic clock plus the simulated offset. */
#ifndef LUWAK_CORE_BREAKER_H
#define LUWAK_CORE_BREAKER_H

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

struct breaker;

/* Zeros: the defaults. */
struct breaker_options {
    uint32_t window_ms;     /* 60 s: results older than this are forgotten */
    uint32_t failures;      /* 5: at least so many failures in the window ... */
    uint32_t ratio_percent; /* 50: ... and at least this share of all results opens it */
    uint32_t cool_ms;       /* 5 s: first cool-down */
    uint32_t cool_max_ms;   /* 300 s */
    uint32_t cool_factor;   /* 2 */
    uint32_t probe_ms;      /* 60 s */
    size_t keys_max;        /* 1024 */
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

/* What a call carries from breaker_allow to breaker_report. */
struct breaker_pass {
    uint32_t era; /* of the key's breaker when the call began; 0: not counted */
    bool probe;
};

int breaker_new(struct breaker **out, const struct clock *clock,
                const struct breaker_options *options);
void breaker_delete(struct breaker *b);

/* From any thread. 0: go, and report; E_BUSY: refused, `wait_ms` (or NULL) says for how long at
 * least. */
int breaker_allow(struct breaker *b, struct str key, struct breaker_pass *pass, int64_t *wait_ms);
void breaker_report(struct breaker *b, struct str key, struct breaker_pass pass, bool good);
/* The call never went out: a probe gives its place back, nothing is counted. */
void breaker_cancel(struct breaker *b, struct str key, struct breaker_pass pass);

enum breaker_state breaker_state(struct breaker *b, struct str key);
const char *breaker_state_name(enum breaker_state state);

#endif
