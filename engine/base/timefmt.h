/* Civil time: instants are int64 milliseconds UTC; here they become dates and texts and back. Pure:
 * no clock, no time zone files. A zone is an offset in minutes; Indonesia has three, none with
 * summer time. Years 1 to 9999; every field is checked (no 31 June, no 24:00, no leap second). */
#ifndef LUWAK_BASE_TIMEFMT_H
#define LUWAK_BASE_TIMEFMT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/schedule.h" /* DAY_MS, durations */

#define ZONE_NONE INT32_MIN /* time_parse: a text without a zone is refused */
#define ZONE_UTC  0
#define ZONE_WIB  (7 * 60)                   /* Asia/Jakarta: the day of the books */
#define TIME_MIN  (-INT64_C(62135596800000)) /* 0001-01-01 */
#define TIME_MAX  INT64_C(253402300799999)   /* 9999-12-31T23:59:59.999 */

struct civil {
    int year, month, day; /* 1.., 1-12, 1-31 */
    int hour, minute, second, ms;
    int weekday; /* 0 Sunday; civil_to_ms does not read it */
    int zone;    /* minutes east of UTC */
};

int civil_to_ms(const struct civil *c, int64_t *out);       /* E_RANGE */
int civil_from_ms(int64_t ms, int zone, struct civil *out); /* E_RANGE */
int civil_days_in_month(int year, int month);

/* "Z", "UTC", "WIB", "WITA", "WIT", "Asia/Jakarta", "+07:00", "+0700". E_INVAL. */
int zone_parse(struct str name, int *minutes);

/* Formats are patterns or names of patterns:
 *
 *   "rfc3339"  %Y-%m-%dT%H:%M:%S.%L%:z, parsing any number of decimals up to 9, none too
 *   "iso"      %Y-%m-%dT%H:%M:%S%:z     2026-01-31T10:00:00+07:00
 *   "date"     %Y-%m-%d                 "compact"  %Y%m%d%H%M%S
 *   "datetime" %Y-%m-%d %H:%M:%S        "http"     %a, %d %b %Y %H:%M:%S GMT (always UTC)
 *
 *   %Y four digits  %y two (2000-2099)  %m %d %H %M %S two digits  %L ms, three digits
 *   %f decimals of the second: 1 to 9 digits read (cut to ms), 3 written
 *   %b Jan  %a Mon  %z +0700  %:z +07:00 (both read Z too)  %Z like %:z, but Z for UTC
 *   %s seconds since 1970  %Q milliseconds since 1970  %% a percent sign
 *
 * Parsing is exact: every literal, every digit, nothing left over. `zone` is for texts without one.
 * Fields that the pattern does not have are the first: January, 1, 00:00. */
int time_parse(struct str text, struct str format, int zone, int64_t *out, struct why *why);
int time_format(int64_t ms, struct str format, int zone, struct buf *out); /* E_RANGE, E_INVAL */

/* The day an instant falls on, as YYYY-MM-DD, and when a day begins. */
int time_day(int64_t ms, int zone, char out[11]);
int time_day_start(struct str day, int zone, int64_t *out);
int time_day_add(struct str day, int64_t days, char out[11]);
int time_weekday(int64_t ms, int zone, int *out); /* 0 Sunday */

#endif
