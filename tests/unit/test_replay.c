/* Recording and replaying: what is written holds no secret, what is asked again is answered the
 * same, and a miss says what it missed. */
#include "base/mem.h"
#include "net/redact.h"
#include "net/replay.h"
#include "net/transport_local.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct clock the_clock;
static struct loop *loop;
static struct transport *far_side;
static int64_t live;
static char path[300];

static struct {
    int done, err, status;
    bool sent;
    char name[32], text[192], body[256], type[64];
    size_t size;
} got;

static void done(const struct http_answer *a, void *data) {
    (void)data;
    got.done++;
    got.err = a->err;
    got.status = a->status;
    got.sent = a->sent;
    strcpy(got.name, a->name);
    strcpy(got.text, a->text);
    got.size = a->body.n;
    memcpy(got.body, a->body.p, a->body.n);
    got.body[a->body.n] = '\0';
    got.type[0] = '\0';
    for (size_t i = 0; i < a->header_count; i++)
        if (str_eq(a->headers[i].name, STR("content-type")))
            snprintf(got.type, sizeof got.type, "%.*s", STR_FMT(a->headers[i].value));
}

static int counter;
static void handle(struct local_exchange *x, const struct http_out *request, void *data) {
    (void)data;
    const struct http_header headers[] = {{STR("Content-Type"), STR("application/json")},
                                          {STR("Set-Cookie"), STR("sid=cookie-value")}};
    char body[256];
    if (str_ends(request->url, STR("/binary"))) {
        local_answer(x, 200, headers, 2, STR("\x00\x01\r\n\xff"));
        return;
    }
    if (str_ends(request->url, STR("/lines"))) {
        local_answer(x, 200, headers, 2, STR("one\n\n  two\n"));
        return;
    }
    snprintf(
        body, sizeof body,
        "{\"n\":%d,\"access_token\":\"tok-123\",\"card\":\"4111 1111 1111 1111\",\"k\":\"s3cr3t\"}",
        ++counter);
    local_answer(x, 201, headers, 2, str_of(body));
}
static void decide(const struct http_out *request, struct local_fate *fate, void *data) {
    (void)data;
    fate->lost = str_ends(request->url, STR("/lost"));
}

static const struct str SECRETS[] = {{"s3cr3t", 6}, {"", 0}};

static int begin(void **state) {
    (void)state;
    live = mem_live();
    counter = 0;
    clock_virtual(&the_clock, 0);
    CHECK_OK(loop_sim_new(&loop, &the_clock, NULL));
    const struct local_options o = {.loop = loop, .handle = handle, .decide = decide};
    CHECK_OK(transport_local_new(&far_side, &o));
    snprintf(path, sizeof path, "%s/exchanges.http", unit_tmpdir());
    unlink(path);
    return 0;
}
static int end(void **state) {
    (void)state;
    far_side->destroy(far_side);
    loop_delete(loop);
    CHECK_INT(mem_live(), live);
    return 0;
}

static void ask(struct transport *t, const char *method, const char *url, const char *body) {
    const struct http_header headers[] = {{STR("Authorization"), STR("Bearer abc.def")},
                                          {STR("X-Plain"), STR("seen s3cr3t")}};
    const struct http_out out = {.method = str_of(method),
                                 .url = str_of(url),
                                 .body = str_of(body),
                                 .headers = headers,
                                 .header_count = 2};
    memset(&got, 0, sizeof got);
    CHECK_OK(t->start(t, &out, done, NULL, NULL));
    CHECK_INT(got.done, 0);
    loop_sim_run_for(loop, 60000);
    CHECK_INT(got.done, 1);
}

static void record(void) {
    struct transport *t;
    CHECK_OK(transport_record_new(&t, far_side, path, SECRETS, NULL));
    ask(t, "POST", "https://a.test/pay?key=1&token=tok-9", "{\"amount\":1,\"pin\":\"123456\"}");
    assert_string_equal(got.type, "application/json");
    CHECK(strstr(got.body, "tok-123") != NULL); /* the caller sees all */
    ask(t, "POST", "https://a.test/pay?key=1&token=tok-9", "{\"amount\":1,\"pin\":\"123456\"}");
    ask(t, "GET", "https://a.test/lines", "");
    ask(t, "GET", "https://a.test/binary", "");
    ask(t, "GET", "https://a.test/lost", "");
    CHECK_OK(transport_record_error(t));
    t->destroy(t);
}

static char *slurp(void) {
    static char text[16384];
    FILE *f = fopen(path, "r");
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void writes_a_readable_file_without_secrets(void **state) {
    (void)state;
    record();
    const char *text = slurp();
    CHECK(strstr(text, "> POST https://a.test/pay?key=1&token=[redacted]\n"
                       "> Authorization: [redacted]\n"
                       "> X-Plain: seen [redacted]\n"
                       ">| {\"amount\":1,\"pin\":\"[redacted]\"}\n"
                       "< 201\n"
                       "< content-type: application/json\n"
                       "< set-cookie: [redacted]\n"
                       "<| {\"n\":1,\"access_token\":\"[redacted]\",\"card\":\"") == text);
    static const char *const GONE[] = {"tok-",    "123456",       "s3cr3t",
                                       "abc.def", "cookie-value", "1111 1111 1111"};
    for (size_t i = 0; i < sizeof GONE / sizeof *GONE; i++)
        CHECK(strstr(text, GONE[i]) == NULL);
    struct stat st;
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
}

static void answers_again_in_order(void **state) {
    (void)state;
    record();
    struct transport *t;
    CHECK_OK(transport_replay_new(&t, loop, path, SECRETS, NULL));
    CHECK_INT(transport_replay_unused(t), 5);
    ask(t, "GET", "https://a.test/lines", "");
    assert_string_equal(got.body, "one\n\n  two\n");
    ask(t, "GET", "https://a.test/binary", "");
    CHECK_INT(got.size, 5);
    CHECK(memcmp(got.body, "\x00\x01\r\n\xff", 5) == 0);
    for (int n = 1; n <= 2; n++) { /* other secrets, same request */
        char expected[32];
        ask(t, "POST", "https://a.test/pay?key=1&token=tok-1", "{\"amount\":1,\"pin\":\"654321\"}");
        CHECK_INT(got.status, 201);
        CHECK(got.sent);
        assert_string_equal(got.type, "application/json");
        snprintf(expected, sizeof expected, "{\"n\":%d,", n);
        CHECK(strstr(got.body, expected) == got.body);
    }
    ask(t, "GET", "https://a.test/lost", "");
    assert_string_equal(got.name, "timeout");
    CHECK_INT(got.err, E_TIMEOUT);
    CHECK(got.sent);
    assert_string_equal(got.text, "no whole answer within 30000 ms");
    CHECK_INT(transport_replay_unused(t), 0);
    CHECK_INT(transport_replay_misses(t).n, 0);
    t->destroy(t);
}

static void a_miss_names_what_was_asked_and_the_nearest(void **state) {
    (void)state;
    record();
    struct transport *t;
    CHECK_OK(transport_replay_new(&t, loop, path, SECRETS, NULL));
    ask(t, "POST", "https://a.test/pay?key=1&token=x", "{\"amount\":2,\"pin\":\"1\"}");
    assert_string_equal(got.name, "replay_miss");
    CHECK_INT(got.err, E_NOTFOUND);
    CHECK(!got.sent);
    CHECK(strstr(got.text, "POST https://a.test/pay?key=1") != NULL);
    CHECK(strstr(got.text, "from byte 10 on: \"1,") != NULL);
    ask(t, "GET", "https://a.test/line", "");
    CHECK(strstr(got.text, "nearest: GET https://a.test/lines") != NULL);
    ask(t, "GET", "https://a.test/lines", "");
    ask(t, "GET", "https://a.test/lines", "");
    CHECK(strstr(got.text, "more often") != NULL);
    CHECK(str_search(transport_replay_misses(t), STR("/line\n")) >= 0);
    t->destroy(t);
}

static void replay_of(const char *text, int expected) {
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    struct transport *t = NULL;
    struct why why = {0};
    CHECK_ERR(transport_replay_new(&t, loop, path, NULL, &why), expected);
    if (expected != 0) CHECK(strstr(why.text, "exchanges.http") != NULL);
    if (expected == 0) t->destroy(t);
}

static void refuses_files_that_are_none(void **state) {
    (void)state;
    replay_of("", 0);
    replay_of("# by hand\n\n> GET https://a.test/\n< 200\n", 0);
    replay_of("> GET https://a.test/\n", E_SYNTAX);
    replay_of("> GET\n< 200\n", E_SYNTAX);
    replay_of("< 200\n", E_SYNTAX);
    replay_of("> GET https://a.test/\n< 99\n", E_SYNTAX);
    replay_of("> GET https://a.test/\n< 200\n<x 0g\n", E_SYNTAX);
    replay_of("> GET https://a.test/\n! E_NONE timeout sent x\n", E_SYNTAX);
    replay_of("> GET https://a.test/\n< 200\nbody\n", E_SYNTAX);
    unlink(path);
    struct transport *t;
    CHECK_ERR(transport_replay_new(&t, loop, path, NULL, NULL), E_NOTFOUND);
}

static void redacts(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } CASES[] = {
        {"plain text", "plain text"},
        {"{\"password\": \"a\\\"b\", \"x\":1}", "{\"password\": \"[redacted]\", \"x\":1}"},
        {"{\"pin\":1234}", "{\"pin\":\"[redacted]\"}"},
        {"{\"token\":null,\"token_type\":{}}", "{\"token\":null,\"token_type\":{}}"},
        {"a=1&client_secret=xyz&b=2", "a=1&client_secret=[redacted]&b=2"},
        {"<password>p w</password>", "<password>[redacted]</password>"},
        {"<a:token>t</a:token>", "<a:token>[redacted]</a:token>"},
        {"xs3cr3ty", "x[redacted]y"},
        {"spin=1&shipping=2", "spin=1&shipping=2"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct buf b = {0};
        redact_text(str_of(CASES[i].in), SECRETS, &b);
        CHECK_STR(buf_str(&b), CASES[i].out);
        struct buf again = {0};
        redact_text(buf_str(&b), SECRETS, &again);
        CHECK_STR(buf_str(&again), CASES[i].out);
        buf_free(&b);
        buf_free(&again);
    }
}

#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)
static const struct CMUnitTest TESTS[] = {
    T(writes_a_readable_file_without_secrets),
    T(answers_again_in_order),
    T(a_miss_names_what_was_asked_and_the_nearest),
    T(refuses_files_that_are_none),
    T(redacts),
};
UNIT_MAIN("replay", TESTS)
