/* Log lines: exact bytes in both formats, what is masked, what is escaped, how lines are bounded.
 */
#include "base/buf.h"
#include "sys/log.h"
#include "sys/redact.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static struct buf lines;
static struct clock virtual_clock;

static void keep(void *data, struct str line) {
    (void)data;
    buf_addstr(&lines, line);
    buf_addc(&lines, '\n');
}

static int setup(void **state) {
    (void)state;
    clock_virtual(&virtual_clock, 1767225599999); /* 2025-12-31T23:59:59.999Z */
    log_clock(&virtual_clock);
    log_capture(keep, NULL);
    log_setup(LOG_LEVEL_INFO, LOG_JSON, 2);
    buf_clear(&lines);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    log_capture(NULL, NULL);
    log_clock(NULL);
    log_context(NULL);
    log_setup(LOG_LEVEL_INFO, LOG_AUTO, 2);
    buf_free(&lines);
    return 0;
}

#define HEAD "{\"time\":\"2025-12-31T23:59:59.999Z\",\"level\":\"info\",\"event\":\"x\""

static void json_has_typed_fields(void **state) {
    (void)state;
    log_info("x", L_TEXT("a", "b c"), L_INT("n", INT64_MIN), L_BOOL("t", 1), L_BOOL("f", 0),
             L_SECRET("key"), L_TEXT("none", NULL));
    CHECK_STR(buf_str(&lines), HEAD ",\"a\":\"b c\",\"n\":-9223372036854775808,\"t\":true,"
                                    "\"f\":false,\"key\":\"***\",\"none\":\"\"}\n");
}

static void an_event_alone_is_a_line(void **state) {
    (void)state;
    log_info("x");
    CHECK_STR(buf_str(&lines), HEAD "}\n");
}

static void levels_below_the_least_are_silent(void **state) {
    (void)state;
    log_setup(LOG_LEVEL_WARN, LOG_JSON, 2);
    log_debug("d");
    log_info("i");
    log_warn("w");
    log_error("e");
    CHECK_STR(buf_str(&lines),
              "{\"time\":\"2025-12-31T23:59:59.999Z\",\"level\":\"warn\",\"event\":"
              "\"w\"}\n{\"time\":\"2025-12-31T23:59:59.999Z\",\"level\":\"error\","
              "\"event\":\"e\"}\n");
}

static void context_is_of_the_thread(void **state) {
    (void)state;
    struct log_context c = {.request = STR("req_1"), .script = STR("channels/a.lua@beef")};
    log_context(&c);
    log_info("x");
    log_context(NULL);
    log_info("x");
    CHECK_STR(buf_str(&lines),
              HEAD ",\"request\":\"req_1\",\"script\":\"channels/a.lua@beef\"}\n" HEAD "}\n");
}

static void control_characters_are_escaped(void **state) {
    (void)state;
    log_info("x", L_TEXT("a", "l1\nl2\r\t\"\\\x1b[2J\x7f"), L_TEXT("c1", "\xc2\x9b"),
             L_TEXT("bidi", "\xe2\x80\xae"), L_TEXT("bad", "a\xff\xc0\x80z"),
             L_TEXT("ok", "caf\xc3\xa9"));
    CHECK_STR(buf_str(&lines), HEAD
              ",\"a\":\"l1\\nl2\\r\\t\\\"\\\\\\u001b[2J\\u007f\",\"c1\":\"\\u009b\","
              "\"bidi\":\"\\u202e\",\"bad\":\"a\\ufffd\\ufffd\\ufffdz\",\"ok\":\"caf\xc3\xa9\"}\n");
}

static void text_format_quotes_what_is_not_plain(void **state) {
    (void)state;
    log_setup(LOG_LEVEL_INFO, LOG_TEXT, 2);
    log_warn("odd", L_TEXT("a", "plain"), L_TEXT("b", "two words\n"), L_TEXT("e", ""),
             L_INT("n", 7));
    log_error("boom", L_TEXT("traceback", "a.lua:1: x\nb.lua:2"));
    CHECK_STR(buf_str(&lines),
              "2025-12-31T23:59:59.999Z WARN  odd a=plain b=\"two words\\n\" e=\"\" n=7\n"
              "2025-12-31T23:59:59.999Z ERROR boom traceback=\n    a.lua:1: x\n    b.lua:2\n");
}

static void redacts(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"card 4111111111111111.", "card 411111******1111."},
        {"4111 1111 1111 1111", "4111 11** **** 1111"},
        {"4111-1111-1111-1111", "4111-11**-****-1111"},
        {"5555555555554444 and 378282246310005", "555555******4444 and 378282*****0005"},
        {"2223003122003222", "222300******3222"},
        {"4111111111111112", "4111111111111112"},         /* Luhn does not hold */
        {"8808411111111111", "8808411111111111"},         /* no issuer: a VA number */
        {"41111111111111110000", "41111111111111110000"}, /* 20 digits */
        {"sk_live_abcDEF123", "sk_live_*********"},
        {"key=sk_test_demo;", "key=sk_test_****;"},
        {"whsec_MfKQ9r8G+/=x y", "whsec_************ y"},
        {"Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***********"},
        {"authorization: basic c2tfdGVzdA==", "authorization: basic ************"},
        {"Basic auth is needed", "Basic auth is needed"},
        {"SB-Mid-server-abc", "SB-Mid-server-***"},
        {"xnd_development_zz9", "xnd_development_***"},
        {"-----BEGIN PRIVATE KEY-----\nMII", "-----BEGIN PRIVATE KEY-----****"},
        {"-----BEGIN PUBLIC KEY-----\nMII", "-----BEGIN PUBLIC KEY-----\nMII"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s", cases[i][0]);
        redact(text, strlen(text));
        CHECK_STR(str_of(text), cases[i][1]);
    }
}

static void fields_are_redacted(void **state) {
    (void)state;
    log_info("x", L_TEXT("a", "4111111111111111"), L_TEXT("b", "Bearer abcdefgh"));
    CHECK_STR(buf_str(&lines), HEAD ",\"a\":\"411111******1111\",\"b\":\"Bearer ********\"}\n");
}

static void a_card_number_at_the_cut_is_not_left_standing(void **state) {
    (void)state;
    for (size_t before = 2980; before < 3005; before++) {
        char text[3200];
        memset(text, '.', sizeof text);
        memcpy(text + before, "4111111111111111", 16);
        buf_clear(&lines);
        log_info("x", L_STR("a", ((struct str){text, sizeof text})));
        CHECK(str_search(buf_str(&lines), STR("4111111")) < 0);
        CHECK(str_search(buf_str(&lines), STR("\",\"cut\":true}\n")) > 0);
    }
}

static void lines_are_bounded_and_stay_whole(void **state) {
    (void)state;
    static char big[10000];
    memset(big, '\n', sizeof big); /* doubles when escaped */
    for (int format = LOG_JSON; format <= LOG_TEXT; format++) {
        log_setup(LOG_LEVEL_INFO, (enum log_format)format, 2);
        buf_clear(&lines);
        log_info("x", L_INT("first", 1), L_STR("big", ((struct str){big, sizeof big})),
                 L_INT("lost", 2));
        CHECK(lines.len <= 4096);
        CHECK(str_search(buf_str(&lines), STR("lost")) < 0);
        CHECK(str_search(buf_str(&lines), STR("first")) > 0);
        CHECK(str_ends(buf_str(&lines),
                       format == LOG_JSON ? STR("\",\"cut\":true}\n") : STR("\" (cut)\n")));
    }
}

static void one_write_per_line_and_errno_is_kept(void **state) {
    (void)state;
    log_capture(NULL, NULL);
    int fd[2];
    CHECK_INT(pipe(fd), 0);
    log_setup(LOG_LEVEL_INFO, LOG_AUTO, fd[1]); /* a pipe is no terminal: JSON */
    errno = ERANGE;
    log_info("x", L_INT("n", 1));
    CHECK_INT(errno, ERANGE);
    char got[256];
    ssize_t n = read(fd[0], got, sizeof got);
    CHECK(n > 0);
    CHECK_STR(((struct str){got, (size_t)n}), HEAD ",\"n\":1}\n");
    close(fd[0]);
    close(fd[1]);
}

static void lost_lines_are_counted(void **state) {
    (void)state;
    log_capture(NULL, NULL);
    int full = open("/dev/full", O_WRONLY);
    CHECK(full >= 0);
    log_setup(LOG_LEVEL_INFO, LOG_JSON, full);
    log_info("x");
    log_info("x");
    close(full);
    log_capture(keep, NULL);
    log_info("x");
    log_info("x");
    CHECK_STR(buf_str(&lines), HEAD ",\"dropped\":2}\n" HEAD "}\n");
}

static void *chatter(void *data) {
    struct log_context c = {.request = str_of(data)};
    log_context(&c);
    for (int i = 0; i < 200; i++)
        log_info("x", L_TEXT("who", data));
    return NULL;
}

static void threads_do_not_mix(void **state) {
    (void)state;
    static char names[4][8] = {"aaaa", "bbbb", "cccc", "dddd"};
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&t[i], NULL, chatter, names[i]), 0);
    log_setup(LOG_LEVEL_INFO, LOG_JSON, 2); /* while they run */
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    struct str rest = buf_str(&lines), line;
    int n = 0;
    while (rest.n != 0 && str_cut(rest, '\n', &line, &rest)) {
        char expected[160];
        ptrdiff_t at = str_search(line, STR("\"who\":\""));
        CHECK(at > 0);
        const char *who = line.p + at + 7;
        snprintf(expected, sizeof expected, HEAD ",\"request\":\"%.4s\",\"who\":\"%.4s\"}", who,
                 who);
        CHECK_STR(line, expected);
        n++;
    }
    CHECK_INT(n, 800);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(json_has_typed_fields, setup, teardown),
    cmocka_unit_test_setup_teardown(an_event_alone_is_a_line, setup, teardown),
    cmocka_unit_test_setup_teardown(levels_below_the_least_are_silent, setup, teardown),
    cmocka_unit_test_setup_teardown(context_is_of_the_thread, setup, teardown),
    cmocka_unit_test_setup_teardown(control_characters_are_escaped, setup, teardown),
    cmocka_unit_test_setup_teardown(text_format_quotes_what_is_not_plain, setup, teardown),
    cmocka_unit_test(redacts),
    cmocka_unit_test_setup_teardown(fields_are_redacted, setup, teardown),
    cmocka_unit_test_setup_teardown(a_card_number_at_the_cut_is_not_left_standing, setup, teardown),
    cmocka_unit_test_setup_teardown(lines_are_bounded_and_stay_whole, setup, teardown),
    cmocka_unit_test_setup_teardown(one_write_per_line_and_errno_is_kept, setup, teardown),
    cmocka_unit_test_setup_teardown(lost_lines_are_counted, setup, teardown),
    cmocka_unit_test_setup_teardown(threads_do_not_mix, setup, teardown),
};
UNIT_MAIN("log", tests)
