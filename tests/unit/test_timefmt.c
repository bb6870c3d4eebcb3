/* Civil time: known instants (worked with `date -u -d`), the whole calendar against a day-by-day
 * count, strict fields, provider formats. */
#include "base/mem.h"
#include "base/timefmt.h"
#include "unit.h"

static void instants_are_known(void **state) {
    (void)state;
    static const struct {
        const char *text, *format;
        int zone;
        int64_t ms;
    } CASES[] = {
        {"1970-01-01T00:00:00Z", "rfc3339", ZONE_NONE, 0},
        {"2026-01-31T10:00:00+07:00", "rfc3339", ZONE_NONE, 1769828400000},
        {"2026-01-31T10:00:00.5+07:00", "rfc3339", ZONE_NONE, 1769828400500},
        {"2026-01-31T10:00:00.123456789+07:00", "rfc3339", ZONE_NONE, 1769828400123},
        {"2026-01-31T03:00:00.05Z", "rfc3339", ZONE_NONE, 1769828400050},
        {"2026-01-31T00:00:00-03:00", "iso", ZONE_NONE, 1769828400000},
        {"2026-01-31 10:00:00", "datetime", ZONE_WIB, 1769828400000},
        {"20260131100000", "compact", ZONE_WIB, 1769828400000},
        {"2026-01-31T10:00:00+0700", "%Y-%m-%dT%H:%M:%S%z", ZONE_NONE, 1769828400000},
        {"2026-01-31 10:00:00.123", "%Y-%m-%d %H:%M:%S.%L", ZONE_WIB, 1769828400123},
        {"31/01/26", "%d/%m/%y", ZONE_WIB, 1769792400000},
        {"31 Jan 2026", "%d %b %Y", ZONE_UTC, 1769817600000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", "http", ZONE_NONE, 784111777000},
        {"2024-02-29", "date", ZONE_UTC, 1709164800000},
        {"2000-02-29", "date", ZONE_UTC, 951782400000},
        {"0001-01-01", "date", ZONE_UTC, TIME_MIN},
        {"9999-12-31T23:59:59.999Z", "rfc3339", ZONE_NONE, TIME_MAX},
        {"1969-12-31T23:59:59.999Z", "rfc3339", ZONE_NONE, -1},
        {"1769828400", "%s", ZONE_NONE, 1769828400000},
        {"-1", "%Q", ZONE_NONE, -1},
        {"100%", "%L%%", ZONE_UTC, 100},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        int64_t ms = 0;
        struct why why = {0};
        int err =
            time_parse(str_of(CASES[i].text), str_of(CASES[i].format), CASES[i].zone, &ms, &why);
        if (err != 0 || ms != CASES[i].ms) print_error("%s: %s\n", CASES[i].text, why.text);
        CHECK_OK(err);
        CHECK(ms == CASES[i].ms);
    }
}

static void bad_texts_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *format;
        int err;
    } CASES[] = {
        {"2026-02-29", "date", E_RANGE},
        {"1900-02-29", "date", E_RANGE},
        {"2026-04-31", "date", E_RANGE},
        {"2026-13-01", "date", E_RANGE},
        {"2026-00-01", "date", E_RANGE},
        {"2026-01-00", "date", E_RANGE},
        {"0000-01-01", "date", E_RANGE},
        {"2026-01-31T24:00:00Z", "rfc3339", E_RANGE},
        {"2026-01-31T10:60:00Z", "rfc3339", E_RANGE},
        {"2026-01-31T10:00:60Z", "rfc3339", E_RANGE},
        {"2026-01-31T10:00:00+24:00", "rfc3339", E_SYNTAX},
        {"2026-01-31T10:00:00+07:60", "rfc3339", E_SYNTAX},
        {"2026-01-31T10:00:00+0700", "rfc3339", E_SYNTAX},
        {"2026-01-31T10:00:00+07:00", "%Y-%m-%dT%H:%M:%S%z", E_SYNTAX},
        {"2026-01-31T10:00:00", "rfc3339", E_SYNTAX},
        {"2026-01-31t10:00:00Z", "rfc3339", E_SYNTAX},
        {"2026-01-31T10:00:00.Z", "rfc3339", E_SYNTAX},
        {"2026-01-31T10:00:00.1234567890Z", "rfc3339", E_SYNTAX},
        {"2026-01-31T10:00:00Z ", "rfc3339", E_SYNTAX},
        {" 2026-01-31", "date", E_SYNTAX},
        {"2026-1-31", "date", E_SYNTAX},
        {"", "date", E_SYNTAX},
        {"2026-01-3", "date", E_SYNTAX},
        {"2026-01-31 10:00:00", "datetime", E_SYNTAX}, /* no zone given */
        {"Mon, 06 Nov 1994 08:49:37 GMT", "http", E_RANGE},
        {"Sun, 06 Nov 1994 08:49:37 UTC", "http", E_SYNTAX},
        {"Son, 06 Nov 1994 08:49:37 GMT", "http", E_SYNTAX},
        {"99999999999999999999", "%s", E_SYNTAX},
        {"9223372036854775807", "%s", E_SYNTAX},
        {"253402300800", "%s", E_SYNTAX},
        {"", "%s", E_SYNTAX},
        {"", "%z", E_SYNTAX},
        {"*07:00", "%:z", E_SYNTAX},
        {"1", "%q", E_INVAL},
        {"1", "%", E_INVAL},
        {"1", "%:", E_INVAL},
        {"1", "%:Y", E_INVAL},
        {"x", "%%", E_SYNTAX},
        {"12", "%L", E_SYNTAX},
        {"", "%f", E_SYNTAX},
        {"Ja", "%b", E_SYNTAX},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        int64_t ms = 7;
        int err = time_parse(str_of(CASES[i].text), str_of(CASES[i].format), ZONE_NONE, &ms, NULL);
        if (CASES[i].err == E_RANGE && err == E_SYNTAX) /* a date without a zone */
            err = time_parse(str_of(CASES[i].text), str_of(CASES[i].format), 0, &ms, NULL);
        if (err != CASES[i].err) print_error("%s as %s\n", CASES[i].text, CASES[i].format);
        CHECK_ERR(err, CASES[i].err);
        CHECK_INT(ms, 7);
    }
}

static void formats_are_written(void **state) {
    (void)state;
    const int64_t t = 1769828400007;
    static const struct {
        const char *format;
        int zone;
        const char *text;
    } CASES[] = {
        {"rfc3339", ZONE_WIB, "2026-01-31T10:00:00.007+07:00"},
        {"iso", ZONE_WIB, "2026-01-31T10:00:00+07:00"},
        {"%Y-%m-%dT%H:%M:%S%Z", ZONE_UTC, "2026-01-31T03:00:00Z"},
        {"%H%Z", ZONE_WIB, "10+07:00"},
        {"%H:%M%z", -(3 * 60 + 30), "23:30-0330"},
        {"http", ZONE_WIB, "Sat, 31 Jan 2026 03:00:00 GMT"},
        {"compact", ZONE_WIB, "20260131100000"},
        {"datetime", ZONE_WIB, "2026-01-31 10:00:00"},
        {"%y%m%d %L %f %s %Q %%", ZONE_UTC, "260131 007 007 1769828400 1769828400007 %"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct buf b = {0};
        CHECK_OK(time_format(t, str_of(CASES[i].format), CASES[i].zone, &b));
        CHECK_STR(buf_str(&b), CASES[i].text);
        buf_free(&b);
    }
    struct buf b = {0};
    CHECK_ERR(time_format(t, STR("%k"), 0, &b), E_INVAL);
    CHECK_ERR(time_format(t, STR("%"), 0, &b), E_INVAL);
    CHECK_ERR(time_format(TIME_MAX, STR("date"), ZONE_WIB, &b), E_RANGE);
    CHECK_ERR(time_format(INT64_MAX, STR("date"), ZONE_WIB, &b), E_RANGE);
    CHECK_ERR(time_format(INT64_MIN, STR("date"), 0, &b), E_RANGE);
    buf_free(&b);
    mem_fail_at(1, 0);
    CHECK_ERR(time_format(t, STR("date"), 0, &b), E_NOMEM);
    mem_fail_at(0, 0);
    buf_free(&b);
}

static void every_day_follows_the_one_before(void **state) {
    (void)state;
    static const int LENGTH[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y = 1, m = 1, d = 1, weekday = 1; /* 0001-01-01 was a Monday */
    for (int64_t ms = TIME_MIN; ms <= TIME_MAX; ms += DAY_MS) {
        struct civil c;
        int64_t back;
        if (civil_from_ms(ms + 1, 0, &c) != 0 || c.year != y || c.month != m || c.day != d ||
            c.weekday != weekday || c.ms != 1 || civil_to_ms(&c, &back) != 0 || back != ms + 1)
            fail_msg("%d-%d-%d", y, m, d);
        int length = LENGTH[m - 1] + (m == 2 && (y % 400 == 0 || (y % 4 == 0 && y % 100 != 0)));
        weekday = (weekday + 1) % 7;
        if (++d > length) d = 1, m++;
        if (m > 12) m = 1, y++;
    }
    CHECK_INT(y, 10000);
}

static void days_are_those_of_jakarta(void **state) {
    (void)state;
    char day[11];
    int64_t ms;
    int weekday;
    CHECK_OK(time_day_start(STR("2026-02-01"), ZONE_WIB, &ms));
    CHECK(ms == 1769878800000);
    CHECK_OK(time_day(ms, ZONE_WIB, day));
    CHECK_STR(str_of(day), "2026-02-01");
    CHECK_OK(time_day(ms - 1, ZONE_WIB, day));
    CHECK_STR(str_of(day), "2026-01-31");
    CHECK_OK(time_day_add(STR("2024-02-28"), 1, day));
    CHECK_STR(str_of(day), "2024-02-29");
    CHECK_OK(time_day_add(STR("2026-01-01"), -1, day));
    CHECK_STR(str_of(day), "2025-12-31");
    CHECK_ERR(time_day_add(STR("9999-12-31"), 1, day), E_RANGE);
    CHECK_ERR(time_day_add(STR("2026-01-01"), INT64_MAX, day), E_RANGE);
    CHECK_ERR(time_day_add(STR("1/1/2026"), 1, day), E_SYNTAX);
    CHECK_OK(time_weekday(ms, ZONE_WIB, &weekday));
    CHECK_INT(weekday, 0);
    CHECK_OK(time_weekday(ms, ZONE_UTC, &weekday));
    CHECK_INT(weekday, 6);
    CHECK_ERR(time_day(0, 1440, day), E_RANGE);
    int zone;
    CHECK_OK(zone_parse(STR("Asia/Jakarta"), &zone));
    CHECK_INT(zone, 420);
    CHECK_OK(zone_parse(STR("-0330"), &zone));
    CHECK_INT(zone, -210);
    CHECK_OK(zone_parse(STR("Z"), &zone));
    CHECK_INT(zone, 0);
    CHECK_ERR(zone_parse(STR("Europe/Paris"), &zone), E_INVAL);
    CHECK_ERR(zone_parse(STR("+07"), &zone), E_INVAL);
    CHECK_ERR(zone_parse(STR("+07:00x"), &zone), E_INVAL);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(instants_are_known),        cmocka_unit_test(bad_texts_are_refused),
    cmocka_unit_test(formats_are_written),       cmocka_unit_test(every_day_follows_the_one_before),
    cmocka_unit_test(days_are_those_of_jakarta),
};
UNIT_MAIN("timefmt", TESTS)
