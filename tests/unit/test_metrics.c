/* Metrics: the text format to the byte, bounds, threads. */
#include "base/mem.h"
#include "sys/metrics.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>

static struct metric calls = {.name = "luwak_calls_total",
                              .help = "Calls.\nBy \\ script.",
                              .type = METRIC_COUNTER,
                              .labels = {"script", "outcome"}};
static struct metric open_now = {
    .name = "luwak_open", .help = "Open connections.", .type = METRIC_GAUGE};
static struct metric waits = {
    .name = "luwak_wait_seconds", .help = "Waits.", .type = METRIC_HISTOGRAM, .labels = {"lane"}};

static int teardown(void **state) {
    (void)state;
    metrics_free();
    return 0;
}

static void check_text(const char *expected) {
    struct buf out = {0};
    metrics_write(&out);
    CHECK_STR(buf_str(&out), expected);
    buf_free(&out);
}

static void text_format(void **state) {
    (void)state;
    check_text("");
    metric_set(&open_now, 5, NULL);
    metric_add(&open_now, -2, NULL);
    metric_add(&calls, 1, LABELS("a\"b\\c\nd", "ok"));
    metric_add(&calls, 41, LABELS("a\"b\\c\nd", "ok"));
    metric_add(&calls, 1, LABELS("x\xff", "er"));
    metric_add(&calls, 1,
               LABELS("x", "\xff"
                           "er")); /* not the same series as the line above */
    check_text("# HELP luwak_calls_total Calls.\\nBy \\\\ script.\n"
               "# TYPE luwak_calls_total counter\n"
               "luwak_calls_total{script=\"a\\\"b\\\\c\\nd\",outcome=\"ok\"} 42\n"
               "luwak_calls_total{script=\"x?\",outcome=\"er\"} 1\n"
               "luwak_calls_total{script=\"x\",outcome=\"?er\"} 1\n"
               "# HELP luwak_open Open connections.\n"
               "# TYPE luwak_open gauge\n"
               "luwak_open 3\n");
    CHECK_INT(metric_value(&calls, LABELS("a\"b\\c\nd", "ok")), 42);
    CHECK_INT(metric_value(&calls, LABELS("nobody", "ok")), 0);
}

static void histogram(void **state) {
    (void)state;
    metric_observe_us(&waits, 500, LABELS("new"));
    metric_observe_us(&waits, 501, LABELS("new"));
    metric_observe_us(&waits, 99000000, LABELS("new"));
    CHECK_INT(metric_value(&waits, LABELS("new")), 3);
    check_text("# HELP luwak_wait_seconds Waits.\n# TYPE luwak_wait_seconds histogram\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"0.0005\"} 1\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"0.001\"} 2\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"0.0025\"} 2\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"0.005\"} 2\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"0.01\"} 2\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"0.025\"} 2\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"0.05\"} 2\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"0.1\"} 2\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"0.25\"} 2\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"0.5\"} 2\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"1\"} 2\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"2.5\"} 2\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"5\"} 2\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"10\"} 2\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"30\"} 2\n"
               "luwak_wait_seconds_bucket{lane=\"new\",le=\"+Inf\"} 3\n"
               "luwak_wait_seconds_sum{lane=\"new\"} 99.001001\n"
               "luwak_wait_seconds_count{lane=\"new\"} 3\n");
}

static void series_are_bounded_and_nothing_is_lost(void **state) {
    (void)state;
    char name[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "s%d", i);
        metric_add(&calls, 1, LABELS(name, "ok"));
    }
    struct buf out = {0};
    metrics_write(&out);
    CHECK(str_search(buf_str(&out), STR("{script=\"other\",outcome=\"other\"} 744\n")) > 0);
    CHECK(str_search(buf_str(&out), STR("{script=\"s255\",outcome=\"ok\"} 1\n")) > 0);
    CHECK(str_search(buf_str(&out), STR("s256")) < 0);
    buf_free(&out);
}

static void long_values_are_cut(void **state) {
    (void)state;
    char big[2000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    metric_add(&calls, 1, LABELS(big, big));
    struct buf out = {0};
    metrics_write(&out);
    CHECK(out.len < 500);
    buf_free(&out);
}

#ifdef LUWAK_FAULTS
static void no_memory_is_survived(void **state) {
    (void)state;
    for (uint64_t nth = 1; nth <= 3; nth++) {
        int64_t live = mem_live();
        mem_fail_at(nth, 1);
        metric_add(&calls, 1, LABELS("a", "b"));
        mem_fail_at(0, 0);
        metric_add(&calls, 1, LABELS("c", "d"));
        CHECK_INT(metric_value(&calls, LABELS("c", "d")), 1);
        metrics_free();
        CHECK_INT(mem_live(), live);
    }
}
#endif

static void *count_up(void *data) {
    (void)data;
    char name[32];
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "s%d", i % 300); /* some go to "other" */
        metric_add(&calls, 1, LABELS(name, "ok"));
        metric_observe_us(&waits, (uint64_t)i, LABELS("new"));
        if (i % 500 == 0) {
            struct buf out = {0};
            metrics_write(&out);
            buf_free(&out);
        }
    }
    return NULL;
}

static void threads_lose_nothing(void **state) {
    (void)state;
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&t[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    CHECK_INT(metric_value(&waits, LABELS("new")), 8000);
    struct buf out = {0};
    metrics_write(&out);
    int64_t total = 0;
    struct str rest = buf_str(&out), line;
    while (str_cut(rest, '\n', &line, &rest)) {
        if (!str_starts(line, STR("luwak_calls_total{"))) continue;
        int64_t n = 0;
        ptrdiff_t at = str_search(line, STR("} "));
        CHECK_OK(str_to_i64(str_sub(line, (size_t)at + 2, line.n), &n));
        total += n;
    }
    CHECK_INT(total, 8000);
    buf_free(&out);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(text_format, teardown),
    cmocka_unit_test_teardown(histogram, teardown),
    cmocka_unit_test_teardown(series_are_bounded_and_nothing_is_lost, teardown),
    cmocka_unit_test_teardown(long_values_are_cut, teardown),
#ifdef LUWAK_FAULTS
    cmocka_unit_test_teardown(no_memory_is_survived, teardown),
#endif
    cmocka_unit_test_teardown(threads_lose_nothing, teardown),
};
UNIT_MAIN("metrics", tests)
