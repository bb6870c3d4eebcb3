/* Durations and due times: expected instants were worked out with date(1) in Asia/Jakarta. */
#include "base/schedule.h"
#include "unit.h"

static int64_t ms_of(const char *text) {
    int64_t ms = -1;
    struct why why = {0};
    CHECK_OK(duration_parse(str_of(text), &ms, &why));
    return ms;
}

static void durations_are_read(void **state) {
    (void)state;
    CHECK_INT(ms_of("500ms"), 500);
    CHECK_INT(ms_of("15s"), 15000);
    CHECK_INT(ms_of("5m"), 300000);
    CHECK_INT(ms_of("24h"), 86400000);
    CHECK_INT(ms_of("30d"), INT64_C(2592000000));
    CHECK_INT(ms_of("2w"), INT64_C(1209600000));
    CHECK_INT(ms_of("1h30m"), 5400000);
    CHECK_INT(ms_of("1d1h1m1s1ms"), 90061001);
    CHECK_INT(ms_of("0s"), 0);
}

static void wrong_durations_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"",    "5",  "m",   "5 m", "-5m",   "5M",   "5min", "1.5h",
                                        "5mm", "m5", " 5m", "5m ", "30m1h", "1h1h", "5m3",  "+5m"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int64_t ms = -1;
        struct why why = {0};
        CHECK_ERR(duration_parse(str_of(wrong[i]), &ms, &why), E_SYNTAX);
        CHECK_INT(ms, -1);
        CHECK(str_search(str_of(why.text), STR("no duration")) >= 0);
    }
    int64_t ms = 0;
    struct why why = {0};
    CHECK_ERR(duration_parse(STR("99999999999999999999s"), &ms, &why), E_RANGE);
    CHECK_ERR(duration_parse(STR("9223372036854775807w"), &ms, &why), E_RANGE);
    CHECK_ERR(duration_parse(STR("3661d"), &ms, &why), E_RANGE);
    CHECK_OK(duration_parse(STR("3660d"), &ms, &why));
}

static int64_t next(const char *text, int64_t after) {
    struct schedule s;
    struct why why = {0};
    CHECK_OK(schedule_parse(str_of(text), &s, &why));
    int64_t due = schedule_next(&s, after);
    CHECK(due > after);
    return due;
}

/* 2026-03-10T12:34:56.000+07:00 */
#define NOON INT64_C(1773120896000)

static void due_times_lie_on_the_wib_grid(void **state) {
    (void)state;
    CHECK_INT(next("5m", NOON), INT64_C(1773120900000));                   /* 12:35:00 */
    CHECK_INT(next("5m", INT64_C(1773120900000)), INT64_C(1773121200000)); /* 12:40:00 */
    CHECK_INT(next("1h at :15", NOON), INT64_C(1773123300000));            /* 13:15:00 */
    CHECK_INT(next("1h at :45", NOON), INT64_C(1773121500000));            /* 12:45:00 */
    CHECK_INT(next("1d at 01:00", NOON), INT64_C(1773165600000));          /* 11th 01:00 WIB */
    CHECK_INT(next("1d at 23:30", NOON), INT64_C(1773160200000));          /* 10th 23:30 WIB */
    CHECK_INT(next("1d", NOON), INT64_C(1773162000000));                   /* 11th 00:00 WIB */
    CHECK_INT(next("6h at 01:00", NOON), INT64_C(1773122400000));          /* 13:00 */
    CHECK_INT(next("1d at 01:00", INT64_C(1773165599999)), INT64_C(1773165600000));
    CHECK_INT(next("1d at 01:00", INT64_C(1773165600000)), INT64_C(1773252000000));
}

static void times_before_1970_work_too(void **state) {
    (void)state;
    CHECK_INT(next("1h", -1), 0);
    CHECK_INT(next("1d", -DAY_MS), -WIB_OFFSET_MS);
}

static void wrong_schedules_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"1d at",      "1d at 1:00",  "1d at 24:00", "1d at 01:60",
                                        "1d at 0100", "1h at 01:00", "5m at :05",   "at 01:00",
                                        "1d 01:00",   "500ms",       "0s",          "1d at ab:cd"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct schedule s = {.period_ms = 77};
        struct why why = {0};
        if (schedule_parse(str_of(wrong[i]), &s, &why) == 0) fail_msg("taken: %s", wrong[i]);
        CHECK_INT(s.period_ms, 77);
        CHECK(why.text[0] != '\0');
    }
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(durations_are_read),
    cmocka_unit_test(wrong_durations_are_refused),
    cmocka_unit_test(due_times_lie_on_the_wib_grid),
    cmocka_unit_test(times_before_1970_work_too),
    cmocka_unit_test(wrong_schedules_are_refused),
};
UNIT_MAIN("schedule", TESTS)
