/* schedule: parsing of durations and schedules, and the grid of due times. See schedule.h. */
#include "base/schedule.h"

struct unit {
    struct str name;
    int64_t ms;
};

/* In falling order: "1h30m" is fine, "30m1h" is a slip of the pen. */
static const struct unit UNITS[] = {
    {{"w", 1}, 7 * DAY_MS}, {{"d", 1}, DAY_MS}, {{"h", 1}, 3600000},
    {{"m", 1}, 60000},      {{"s", 1}, 1000},   {{"ms", 2}, 1},
};
#define UNIT_COUNT (sizeof UNITS / sizeof UNITS[0])

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

static int bad_duration(struct str text, struct why *why) {
    return why_set(why, E_SYNTAX,
                   "\"%.*s\" is no duration; write a number and a unit of ms s m h d w, such as "
                   "\"15m\" or \"24h\"",
                   STR_FMT(text));
}

/* Reads one "30m" at *at; units must fall from *least on. */
static int duration_part(struct str text, size_t *at, size_t *least, int64_t *sum) {
    size_t i = *at;
    int64_t n = 0;
    if (i == text.n || !digit(text.p[i])) return E_SYNTAX;
    for (; i < text.n && digit(text.p[i]); i++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, text.p[i] - '0', &n))
            return E_OVERFLOW;
    size_t from = i;
    while (i < text.n && text.p[i] >= 'a' && text.p[i] <= 'z')
        i++;
    struct str name = str_sub(text, from, i);
    for (size_t u = *least; u < UNIT_COUNT; u++) {
        if (!str_eq(name, UNITS[u].name)) continue;
        int64_t ms = 0;
        if (__builtin_mul_overflow(n, UNITS[u].ms, &ms) || __builtin_add_overflow(*sum, ms, sum))
            return E_OVERFLOW;
        *least = u + 1;
        *at = i;
        return 0;
    }
    return E_SYNTAX;
}

int duration_parse(struct str text, int64_t *ms, struct why *why) {
    int64_t sum = 0;
    size_t at = 0, least = 0;
    do {
        int err = duration_part(text, &at, &least, &sum);
        if (err == E_SYNTAX) return bad_duration(text, why);
        if (err != 0 || sum > DURATION_MAX)
            return why_set(why, E_RANGE, "\"%.*s\" is longer than ten years", STR_FMT(text));
    } while (at < text.n);
    *ms = sum;
    return 0;
}

/* "01:30" or ":30": hours (left out: 0) and minutes. */
static int parse_at(struct str text, int64_t *ms) {
    struct str hours, minutes;
    if (!str_cut(text, ':', &hours, &minutes)) return E_SYNTAX;
    if ((hours.n != 0 && hours.n != 2) || minutes.n != 2) return E_SYNTAX;
    int h = 0, m = 0;
    for (size_t i = 0; i < hours.n; i++) {
        if (!digit(hours.p[i])) return E_SYNTAX;
        h = h * 10 + (hours.p[i] - '0');
    }
    for (size_t i = 0; i < 2; i++) {
        if (!digit(minutes.p[i])) return E_SYNTAX;
        m = m * 10 + (minutes.p[i] - '0');
    }
    if (h > 23 || m > 59) return E_RANGE;
    *ms = ((int64_t)h * 60 + m) * 60000;
    return 0;
}

int schedule_parse(struct str text, struct schedule *out, struct why *why) {
    struct schedule s = {0};
    struct str every = text;
    ptrdiff_t at = str_search(text, STR(" at "));
    if (at >= 0) every = str_trim(str_sub(text, 0, (size_t)at));
    int err = duration_parse(every, &s.period_ms, why);
    if (err != 0) return err;
    if (s.period_ms < SCHEDULE_LEAST)
        return why_set(why, E_RANGE, "\"%.*s\": a schedule's period is 1s or more", STR_FMT(text));
    if (at >= 0) {
        struct str time = str_trim(str_sub(text, (size_t)at + 4, text.n));
        if (parse_at(time, &s.offset_ms) != 0)
            return why_set(
                why, E_SYNTAX,
                "\"%.*s\": after `at` comes a time of day in WIB, \"01:00\", or a minute, "
                "\":15\"",
                STR_FMT(text));
        if (s.offset_ms >= s.period_ms)
            return why_set(why, E_RANGE, "\"%.*s\": the time after `at` must lie within the period",
                           STR_FMT(text));
    }
    *out = s;
    return 0;
}

int64_t schedule_next(const struct schedule *s, int64_t after_ms) {
    int64_t into = (after_ms + WIB_OFFSET_MS - s->offset_ms) % s->period_ms;
    if (into < 0) into += s->period_ms;
    return after_ms + (s->period_ms - into);
}
