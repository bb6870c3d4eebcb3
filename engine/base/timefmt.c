/* Civil time. Days are counted in the proleptic Gregorian calendar, in years that begin in March,
 * so that the leap day is the last of its year. */
#include "base/timefmt.h"

#include "base/ensure.h"

static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char DAYS[] = "SunMonTueWedThuFriSat";

/* ---- calendar ---- */

static bool leap(int year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int civil_days_in_month(int year, int month) {
    static const int DAYS_IN[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12) return 0;
    return month == 2 && leap(year) ? 29 : DAYS_IN[month - 1];
}

/* Days from 1970-01-01; any valid date. */
static int64_t days_of(int year, int month, int day) {
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t m = month <= 2 ? month + 9 : month - 3; /* 0 is March */
    int64_t day_of_year = (153 * m + 2) / 5 + day - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

int civil_to_ms(const struct civil *c, int64_t *out) {
    if (c->year < 1 || c->year > 9999 || c->day < 1 ||
        c->day > civil_days_in_month(c->year, c->month))
        return E_RANGE;
    if (c->hour < 0 || c->hour > 23 || c->minute < 0 || c->minute > 59 || c->second < 0 ||
        c->second > 59 || c->ms < 0 || c->ms > 999)
        return E_RANGE;
    if (c->zone < -1439 || c->zone > 1439) return E_RANGE;
    int64_t seconds = days_of(c->year, c->month, c->day) * 86400 + c->hour * 3600 +
                      (c->minute - c->zone) * 60 + c->second;
    *out = seconds * 1000 + c->ms;
    return 0;
}

static int64_t floor_div(int64_t n, int64_t d) {
    return n / d - (n % d < 0);
}

int civil_from_ms(int64_t ms, int zone, struct civil *out) {
    if (ms < TIME_MIN - DAY_MS || ms > TIME_MAX + DAY_MS || zone < -1439 || zone > 1439)
        return E_RANGE;
    ms += (int64_t)zone * 60000;
    if (ms < TIME_MIN || ms > TIME_MAX) return E_RANGE;
    int64_t days = floor_div(ms, DAY_MS);
    int64_t rest = ms - days * DAY_MS;
    int64_t d = days + 719468; /* from 0000-03-01; positive here */
    int64_t era = d / 146097;
    int64_t of_era = d % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    *out = (struct civil){
        .year = (int)(year + era * 400 + (month >= 10)),
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(of_year - (153 * month + 2) / 5 + 1),
        .hour = (int)(rest / 3600000),
        .minute = (int)(rest / 60000 % 60),
        .second = (int)(rest / 1000 % 60),
        .ms = (int)(rest % 1000),
        .weekday = (int)((days % 7 + 11) % 7),
        .zone = zone,
    };
    return 0;
}

/* ---- patterns ---- */

struct cursor {
    struct str s;
    size_t at;
};

static bool digit_at(const struct cursor *c) {
    return c->at < c->s.n && c->s.p[c->at] >= '0' && c->s.p[c->at] <= '9';
}

/* Exactly n digits. */
static bool number(struct cursor *c, int n, int *out) {
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (!digit_at(c)) return false;
        value = value * 10 + (c->s.p[c->at++] - '0');
    }
    *out = value;
    return true;
}

static bool name(struct cursor *c, const char *names, int *index) {
    if (c->s.n - c->at < 3) return false;
    for (int i = 0; names[i * 3] != '\0'; i++)
        if (memcmp(names + (ptrdiff_t)i * 3, c->s.p + c->at, 3) == 0) {
            c->at += 3;
            *index = i;
            return true;
        }
    return false;
}

static bool decimals(struct cursor *c, int *ms) {
    int n = 0, value = 0;
    for (; digit_at(c); c->at++, n++)
        if (n < 3) value = value * 10 + (c->s.p[c->at] - '0');
    if (n == 0 || n > 9) return false;
    for (; n < 3; n++)
        value *= 10;
    *ms = value;
    return true;
}

/* Z, +07:00 or +0700; `colon`: 1 must be there, 0 must not, -1 either. */
static bool zone_at(struct cursor *c, int colon, int *zone) {
    if (c->at >= c->s.n) return false;
    char sign = c->s.p[c->at++];
    if (sign == 'Z') {
        *zone = 0;
        return true;
    }
    int hours, minutes;
    if ((sign != '+' && sign != '-') || !number(c, 2, &hours)) return false;
    bool is_colon = c->at < c->s.n && c->s.p[c->at] == ':';
    if (colon >= 0 && is_colon != (colon == 1)) return false;
    if (is_colon) c->at++;
    if (!number(c, 2, &minutes) || hours > 23 || minutes > 59) return false;
    *zone = (hours * 60 + minutes) * (sign == '-' ? -1 : 1);
    return true;
}

int zone_parse(struct str text, int *minutes) {
    static const struct {
        const char *name;
        int minutes;
    } NAMES[] = {{"UTC", 0},      {"WIB", ZONE_WIB},          {"WITA", 8 * 60},
                 {"WIT", 9 * 60}, {"Asia/Jakarta", ZONE_WIB}, {"Asia/Makassar", 8 * 60},
                 {"GMT", 0},      {"Asia/Jayapura", 9 * 60}};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (str_eq(text, str_of(NAMES[i].name))) {
            *minutes = NAMES[i].minutes;
            return 0;
        }
    struct cursor c = {text, 0};
    int zone;
    if (!zone_at(&c, -1, &zone) || c.at != text.n) return E_INVAL;
    *minutes = zone;
    return 0;
}

static struct str pattern_of(struct str format) {
    static const struct {
        const char *name, *pattern;
    } NAMED[] = {{"rfc3339", "%Y-%m-%dT%H:%M:%S.%L%:z"},
                 {"iso", "%Y-%m-%dT%H:%M:%S%:z"},
                 {"date", "%Y-%m-%d"},
                 {"compact", "%Y%m%d%H%M%S"},
                 {"datetime", "%Y-%m-%d %H:%M:%S"},
                 {"http", "%a, %d %b %Y %H:%M:%S GMT"}};
    for (size_t i = 0; i < ARRAY_LEN(NAMED); i++)
        if (str_eq(format, str_of(NAMED[i].name))) return str_of(NAMED[i].pattern);
    return format;
}

struct parsed {
    struct civil c;
    bool has_zone;
    int weekday;    /* -1: not given */
    bool has_epoch; /* %s, %Q: the instant itself */
    int64_t epoch_ms;
};

static bool epoch(struct cursor *c, int64_t scale, struct parsed *p) {
    size_t from = c->at;
    if (c->at < c->s.n && c->s.p[c->at] == '-') c->at++;
    while (digit_at(c))
        c->at++;
    if (str_to_i64(str_sub(c->s, from, c->at), &p->epoch_ms) != 0) return false;
    if (__builtin_mul_overflow(p->epoch_ms, scale, &p->epoch_ms)) return false;
    p->has_epoch = true;
    return p->epoch_ms >= TIME_MIN && p->epoch_ms <= TIME_MAX;
}

/* One conversion. 0: read; E_SYNTAX: the text does not fit; E_INVAL: no such conversion. */
static int convert(char letter, bool colon, struct cursor *c, struct parsed *p) {
    struct civil *v = &p->c;
    bool good;
    switch (letter) {
    case 'Y': good = number(c, 4, &v->year); break;
    case 'y':
        good = number(c, 2, &v->year);
        v->year += 2000;
        break;
    case 'm': good = number(c, 2, &v->month); break;
    case 'd': good = number(c, 2, &v->day); break;
    case 'H': good = number(c, 2, &v->hour); break;
    case 'M': good = number(c, 2, &v->minute); break;
    case 'S': good = number(c, 2, &v->second); break;
    case 'L': good = number(c, 3, &v->ms); break;
    case 'f': good = decimals(c, &v->ms); break;
    case 'b':
        good = name(c, MONTHS, &v->month);
        v->month++;
        break;
    case 'a': good = name(c, DAYS, &p->weekday); break;
    case 'z':
    case 'Z':
        good = zone_at(c, letter == 'Z' ? -1 : colon, &v->zone);
        p->has_zone = good;
        break;
    case 's': good = epoch(c, 1000, p); break;
    case 'Q': good = epoch(c, 1, p); break;
    case '%':
        good = c->at < c->s.n && c->s.p[c->at] == '%';
        c->at++;
        break;
    default: return E_INVAL;
    }
    return good ? 0 : E_SYNTAX;
}

static int read_pattern(struct cursor *c, struct str pattern, bool loose, struct parsed *p) {
    for (size_t i = 0; i < pattern.n; i++) {
        if (pattern.p[i] != '%') {
            /* rfc3339: the decimals may be missing, and have any length */
            if (loose && pattern.p[i] == '.') {
                bool there = c->at < c->s.n && c->s.p[c->at] == '.';
                i += 2; /* "%L" */
                if (!there) continue;
                c->at++;
                if (!decimals(c, &p->c.ms)) return E_SYNTAX;
                continue;
            }
            if (c->at >= c->s.n || c->s.p[c->at++] != pattern.p[i]) return E_SYNTAX;
            continue;
        }
        bool colon = i + 1 < pattern.n && pattern.p[i + 1] == ':';
        i += colon ? 2 : 1;
        if (i >= pattern.n || (colon && pattern.p[i] != 'z')) return E_INVAL;
        int err = convert(pattern.p[i], colon, c, p);
        if (err != 0) return err;
    }
    return c->at == c->s.n ? 0 : E_SYNTAX;
}

int time_parse(struct str text, struct str format, int zone, int64_t *out, struct why *why) {
    struct parsed p = {.c = {.year = 1970, .month = 1, .day = 1}, .weekday = -1};
    struct cursor c = {text, 0};
    bool http = str_eq(format, STR("http"));
    int err = read_pattern(&c, pattern_of(format), str_eq(format, STR("rfc3339")), &p);
    if (err == E_INVAL) return why_set(why, err, "time: bad format \"%.*s\"", STR_FMT(format));
    if (err != 0)
        return why_set(why, err, "time: the text is not of the form \"%.*s\"", STR_FMT(format));
    if (p.has_epoch) {
        *out = p.epoch_ms;
        return 0;
    }
    if (http) p.has_zone = true;
    if (!p.has_zone && zone == ZONE_NONE)
        return why_set(why, E_SYNTAX, "time: the text has no zone and none was given");
    if (!p.has_zone) p.c.zone = zone;
    int64_t ms;
    if (civil_to_ms(&p.c, &ms) != 0) return why_set(why, E_RANGE, "time: no such date or time");
    if (p.weekday >= 0) {
        int weekday;
        if (time_weekday(ms, p.c.zone, &weekday) != 0 || weekday != p.weekday)
            return why_set(why, E_RANGE, "time: the weekday does not belong to the date");
    }
    *out = ms;
    return 0;
}

/* Four digits at most, and never below 0: what a calendar has. */
static void put(struct buf *b, int value, int width) {
    char digits[4];
    for (int i = width; i-- > 0; value /= 10)
        digits[i] = (char)('0' + value % 10);
    buf_add(b, digits, (size_t)width);
}

static void put_zone(struct buf *b, int zone, bool colon) {
    int minutes = zone < 0 ? -zone : zone;
    buf_addc(b, zone < 0 ? '-' : '+');
    put(b, minutes / 60, 2);
    if (colon) buf_addc(b, ':');
    put(b, minutes % 60, 2);
}

static int write_one(char letter, bool colon, int64_t ms, const struct civil *c, struct buf *b) {
    switch (letter) {
    case 'Y': put(b, c->year, 4); break;
    case 'y': put(b, c->year % 100, 2); break;
    case 'm': put(b, c->month, 2); break;
    case 'd': put(b, c->day, 2); break;
    case 'H': put(b, c->hour, 2); break;
    case 'M': put(b, c->minute, 2); break;
    case 'S': put(b, c->second, 2); break;
    case 'L':
    case 'f': put(b, c->ms, 3); break;
    case 'b': buf_add(b, MONTHS + (ptrdiff_t)(c->month - 1) * 3, 3); break;
    case 'a': buf_add(b, DAYS + (ptrdiff_t)c->weekday * 3, 3); break;
    case 'z': put_zone(b, c->zone, colon); break;
    case 'Z':
        if (c->zone == 0)
            buf_addc(b, 'Z');
        else
            put_zone(b, c->zone, true);
        break;
    case 's': buf_addi(b, floor_div(ms, 1000)); break;
    case 'Q': buf_addi(b, ms); break;
    case '%': buf_addc(b, '%'); break;
    default: return E_INVAL;
    }
    return 0;
}

int time_format(int64_t ms, struct str format, int zone, struct buf *out) {
    struct str pattern = pattern_of(format);
    struct civil c;
    int err = civil_from_ms(ms, str_eq(format, STR("http")) ? 0 : zone, &c);
    for (size_t i = 0; err == 0 && i < pattern.n; i++) {
        if (pattern.p[i] != '%') {
            buf_addc(out, pattern.p[i]);
            continue;
        }
        bool colon = i + 1 < pattern.n && pattern.p[i + 1] == ':';
        i += colon ? 2 : 1;
        if (i >= pattern.n || (colon && pattern.p[i] != 'z')) return E_INVAL;
        err = write_one(pattern.p[i], colon, ms, &c, out);
    }
    return err != 0 ? err : out->err;
}

/* ---- days ---- */

static void write_day(const struct civil *c, char out[11]) {
    const int parts[] = {c->year / 100, c->year % 100, c->month, c->day};
    char *at = out;
    for (int i = 0; i < 4; i++) {
        if (i >= 2) *at++ = '-';
        *at++ = (char)('0' + parts[i] / 10);
        *at++ = (char)('0' + parts[i] % 10);
    }
    *at = '\0';
}

int time_day(int64_t ms, int zone, char out[11]) {
    struct civil c;
    int err = civil_from_ms(ms, zone, &c);
    if (err == 0) write_day(&c, out);
    return err;
}

int time_day_start(struct str day, int zone, int64_t *out) {
    return time_parse(day, STR("date"), zone, out, NULL);
}

int time_day_add(struct str day, int64_t days, char out[11]) {
    int64_t ms;
    int err = time_day_start(day, ZONE_UTC, &ms);
    if (err != 0) return err;
    if (days < -4000000 || days > 4000000) return E_RANGE;
    return time_day(ms + days * DAY_MS, ZONE_UTC, out);
}

int time_weekday(int64_t ms, int zone, int *out) {
    struct civil c;
    int err = civil_from_ms(ms, zone, &c);
    if (err == 0) *out = c.weekday;
    return err;
}
