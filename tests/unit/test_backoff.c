/* Waits between tries, held against the schedules that the design names. */
#include "base/backoff.h"
#include "base/schedule.h"
#include "unit.h"

static struct backoff parse(const char *text) {
    struct backoff b = {0};
    struct why why = {0};
    CHECK_OK(backoff_parse(str_of(text), &b, &why));
    return b;
}

static void tries_of_an_operation(void **state) {
    (void)state;
    struct backoff b = parse("first=5s factor=5 tries=4"); /* at once, after 5, 25, 125 s */
    CHECK_INT(backoff_delay(&b, 1, NULL), 5000);
    CHECK_INT(backoff_delay(&b, 2, NULL), 25000);
    CHECK_INT(backoff_delay(&b, 3, NULL), 125000);
    CHECK_INT(backoff_delay(&b, 4, NULL), -1);
    CHECK_INT(backoff_delay(&b, 400, NULL), -1);
}

static void poll_of_a_channel_is_capped(void **state) {
    (void)state;
    struct backoff b = parse("first=5m factor=2 max=1h");
    const int64_t minutes[] = {5, 10, 20, 40, 60, 60};
    for (int i = 0; i < 6; i++)
        CHECK_INT(backoff_delay(&b, i + 1, NULL), minutes[i] * 60000);
    CHECK_INT(backoff_delay(&b, 1000000, NULL), 3600000);
}

static void never_overflows(void **state) {
    (void)state;
    struct backoff b = {.first_ms = DURATION_MAX - 1, .factor_milli = 100000};
    CHECK_INT(backoff_delay(&b, 100, NULL), DURATION_MAX);
    b = (struct backoff){.first_ms = 0, .factor_milli = 2000};
    CHECK_INT(backoff_delay(&b, 1000000000, NULL), 0);
}

static void fractions_of_a_factor_count(void **state) {
    (void)state;
    struct backoff b = parse("first=1s factor=1.5");
    CHECK_INT(backoff_delay(&b, 2, NULL), 1500);
    CHECK_INT(backoff_delay(&b, 3, NULL), 2250);
    CHECK_INT(backoff_delay(&b, 4, NULL), 3375);
}

static void jitter_is_seeded_and_bounded(void **state) {
    (void)state;
    struct backoff b = parse("first=10s factor=1 jitter=0.25");
    struct rng one, two;
    rng_seeded(&one, 42), rng_seeded(&two, 42);
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 2000; i++) {
        int64_t d = backoff_delay(&b, 1, &one);
        CHECK_INT(d, backoff_delay(&b, 1, &two));
        CHECK(d >= 7500 && d <= 10000);
        if (d < least) least = d;
        if (d > most) most = d;
    }
    CHECK(least < 7600 && most > 9900);
}

static void text_goes_there_and_back(void **state) {
    (void)state;
    static const char *const texts[] = {"first=5s factor=5 tries=4", "first=5m factor=2 max=1h",
                                        "first=1s factor=1.25 jitter=0.1 max=9s tries=1000",
                                        "first=0s", "  first=1ms   factor=1.005 "};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct backoff a = parse(texts[i]);
        struct buf out = {0};
        backoff_write(&a, &out);
        struct backoff b = parse(buf_str(&out).p);
        CHECK(memcmp(&a, &b, sizeof a) == 0);
        buf_free(&out);
    }
}

static void wrong_texts_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"",
                                        "factor=2",
                                        "first=5",
                                        "first=5s factor=0.5",
                                        "first=5s tries=0",
                                        "first=5s jitter=1.5",
                                        "first=5s max=1s",
                                        "first=5s factor=1.2345",
                                        "first=5s speed=3",
                                        "first",
                                        "first=5s factor=2x",
                                        "first=5s factor=101"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct backoff b = {.tries = 77};
        struct why why = {0};
        if (backoff_parse(str_of(wrong[i]), &b, &why) == 0) fail_msg("taken: %s", wrong[i]);
        CHECK_INT(b.tries, 77);
        CHECK(why.text[0] != '\0');
    }
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(tries_of_an_operation),
    cmocka_unit_test(poll_of_a_channel_is_capped),
    cmocka_unit_test(never_overflows),
    cmocka_unit_test(fractions_of_a_factor_count),
    cmocka_unit_test(jitter_is_seeded_and_bounded),
    cmocka_unit_test(text_goes_there_and_back),
    cmocka_unit_test(wrong_texts_are_refused),
};
UNIT_MAIN("backoff", TESTS)
