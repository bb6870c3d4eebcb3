/* When something that repeats is due, and how long a duration is, as scripts write them:
 *
 *     duration   "500ms" "15s" "5m" "24h" "30d" "2w", or parts in falling order: "1h30m"
 *     schedule   "5m"             every 5 minutes, on the grid of the WIB clock: :00 :05 :10 ...
 *                "1h at :15"      a quarter past every hour
 *                "1d at 01:00"    at one in the night, WIB
 *
 * Due times form a fixed grid (origin + n * period; the origin is midnight of 1 January 1970 in
 * Asia/Jakarta, which has had +07:00 without summer time since 1988), so they never drift, a
 * restart changes nothing, and two engines agree. Pure: no clock is read here. */
#ifndef LUWAK_BASE_SCHEDULE_H
#define LUWAK_BASE_SCHEDULE_H

#include "base/err.h"
#include "base/str.h"

#define WIB_OFFSET_MS  (INT64_C(7) * 3600 * 1000)
#define DAY_MS         (INT64_C(24) * 3600 * 1000)
#define DURATION_MAX   (INT64_C(3660) * DAY_MS) /* ten years: more is a mistake */
#define SCHEDULE_LEAST 1000                     /* ms; what is due more often is no schedule */

struct schedule {
    int64_t period_ms;
    int64_t offset_ms; /* within the period, 0 <= offset < period */
};

int duration_parse(struct str text, int64_t *ms, struct why *why);
int schedule_parse(struct str text, struct schedule *out, struct why *why);

/* The first due time after `after_ms` (never equal to it); both are ms UTC. */
int64_t schedule_next(const struct schedule *s, int64_t after_ms);

#endif
