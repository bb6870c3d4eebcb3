/* Whole exchanges over HTTP/2 against a real server (tests/unit/h2_server.mjs, run by node): what
 * is asked and answered, and that each way such a server can end a stream or a connection is an
 * answer or has its name. Effects go over HTTP/1.1 there, too (see http_client.h). */
#include "base/mem.h"
#include "loop/loop.h"
#include "net/http_client.h"
#include "tcp_server.h"
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct clock the_clock;
static struct loop *loop;
static struct transport *client;
static struct test_cert ca, good;
static int64_t live_before;

/* ---- the server ---- */

static pid_t server;
static int server_input, port;

static void server_start(void) {
    int in[2], out[2];
    CHECK(pipe(in) == 0 && pipe(out) == 0);
    server = fork();
    if (server == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]), close(out[0]);
        execlp("node", "node", "tests/unit/h2_server.mjs", good.cert, good.key, (char *)NULL);
        _exit(127);
    }
    close(in[0]), close(out[1]);
    server_input = in[1];
    char said[32] = "";
    FILE *lines = fdopen(out[0], "r");
    CHECK(fgets(said, sizeof said, lines) != NULL);
    fclose(lines);
    port = atoi(said);
    CHECK(port > 0);
}

static void server_end(void) {
    close(server_input);
    int status = 0;
    CHECK(waitpid(server, &status, 0) == server);
    CHECK_INT(status, 0); /* it did not fall over meanwhile */
}

/* ---- requests ---- */

struct result {
    bool done;
    int status;
    bool sent;
    char name[32];
    int seen, session; /* what the server counts */
    char body[256];
    size_t body_size;
};

static int waiting;

static void keep(const struct http_answer *a, void *data) {
    struct result *r = data;
    CHECK(!r->done);
    *r = (struct result){.done = true, .status = a->status, .sent = a->sent};
    memcpy(r->name, a->name, sizeof r->name);
    for (size_t i = 0; i < a->header_count; i++) {
        const struct http_header *h = &a->headers[i];
        if (str_eq_nocase(h->name, STR("x-seen"))) r->seen = atoi(h->value.p);
        if (str_eq_nocase(h->name, STR("x-session"))) r->session = atoi(h->value.p);
    }
    r->body_size = a->body.n;
    snprintf(r->body, sizeof r->body, "%.*s", a->body.n > 255 ? 255 : (int)a->body.n, a->body.p);
    if (--waiting == 0) loop_stop(loop);
}

static char url[8][64];

static struct http_out request(const char *method, const char *path, int nth) {
    snprintf(url[nth], sizeof url[nth], "https://bank.test:%d%s", port, path);
    return (struct http_out){.method = str_of(method),
                             .url = str_of(url[nth]),
                             .ca_file = ca.cert,
                             .private_ok = true,
                             .total_ms = 5000};
}

static struct result fetch_out(const struct http_out *out) {
    struct result r = {0};
    waiting = 1;
    CHECK_OK(client->start(client, out, keep, &r, NULL));
    loop_uv_run(loop);
    CHECK(r.done);
    return r;
}

static struct result fetch(const char *method, const char *path) {
    struct http_out out = request(method, path, 0);
    return fetch_out(&out);
}

static int begin(void **state) {
    (void)state;
    server_start();
    live_before = mem_live();
    clock_real(&the_clock);
    CHECK_OK(loop_uv_new(&loop, &the_clock));
    static char there[64];
    static const char *const list[] = {there, NULL};
    snprintf(there, sizeof there, "bank.test:%d:127.0.0.1:%d", port, port);
    CHECK_OK(http_client_new(
        &client, &(struct http_client_options){
                     .loop = loop, .connect_to = list, .slow_ms = 300, .slow_bytes = 16}));
    return 0;
}

static int end(void **state) {
    (void)state;
    client->destroy(client);
    loop_delete(loop);
    CHECK_INT(mem_live(), live_before);
    server_end();
    return 0;
}

#define NAMED(r, expected) assert_string_equal((r).name, (expected))

/* ---- exchanges ---- */

static void a_whole_exchange(void **state) {
    (void)state;
    struct result r = fetch("GET", "/a?b=%20");
    NAMED(r, "");
    CHECK_INT(r.status, 200);
    CHECK(r.sent);
    assert_string_equal(r.body, "GET /a?b=%20 HTTP/2 - ");
    const struct http_header type = {STR("Content-Type"), STR("application/json")};
    struct http_out out = request("POST", "/post", 0);
    out.headers = &type;
    out.header_count = 1;
    out.body = STR("{\"n\":1}");
    struct result post = fetch_out(&out);
    NAMED(post, "");
    assert_string_equal(post.body, "POST /post HTTP/2 application/json {\"n\":1}");
    CHECK_INT(post.session, r.session); /* the connection is kept */
    r = fetch("HEAD", "/head");
    NAMED(r, "");
    CHECK_INT(r.body_size, 0);
    r = fetch("GET", "/empty");
    NAMED(r, "");
    CHECK_INT(r.status, 204);
}

static void an_effect_arrives_once_over_http_1(void **state) {
    (void)state;
    NAMED(fetch("GET", "/warm"), ""); /* a connection of HTTP/2 is there, and is left alone */
    struct http_out out = request("POST", "/charge", 0);
    out.effect = true;
    out.body = STR("money");
    struct result r = fetch_out(&out);
    NAMED(r, "");
    CHECK_INT(r.status, 201);
    CHECK_INT(r.seen, 1);
    assert_string_equal(r.body, "POST /charge HTTP/1.1 - money");
    out = request("POST", "/gone", 0);
    out.effect = true;
    r = fetch_out(&out);
    NAMED(r, "reset");
    CHECK(r.sent);
}

static void many_at_once(void **state) {
    (void)state;
    struct result r[8] = {0};
    char path[16];
    waiting = 8;
    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof path, "/%d", i);
        struct http_out out = request("GET", path, i);
        CHECK_OK(client->start(client, &out, keep, &r[i], NULL));
    }
    loop_uv_run(loop);
    for (int i = 0; i < 8; i++) {
        char expected[40];
        snprintf(expected, sizeof expected, "GET /%d HTTP/2 - ", i);
        NAMED(r[i], "");
        assert_string_equal(r[i].body, expected);
    }
}

static void streams_that_end_badly(void **state) {
    (void)state;
    static const char *const PATHS[] = {"/reset", "/half", "/gone", "/goaway_error"};
    for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
        struct result r = fetch("GET", PATHS[i]);
        if (strcmp(r.name, "reset") != 0) print_error("%s: %s\n", PATHS[i], r.name);
        NAMED(r, "reset");
        CHECK(r.sent);
        CHECK_INT(r.body_size, 0);  /* half an answer is none */
        r = fetch("GET", "/after"); /* and the next one does not suffer from it */
        NAMED(r, "");
        CHECK_INT(r.seen, (int)i + 1);
    }
}

/* curl asks again by itself where the server says that it did nothing; bounded. */
static void refused_streams_end(void **state) {
    (void)state;
    struct result r = fetch("GET", "/refused");
    NAMED(r, "reset");
    r = fetch("GET", "/goaway_before");
    NAMED(r, "reset");
}

static void a_goodbye_with_an_answer_is_an_answer(void **state) {
    (void)state;
    int before = 0;
    for (int i = 0; i < 3; i++) {
        struct result r = fetch("GET", "/goaway");
        NAMED(r, "");
        assert_string_equal(r.body, "last");
        CHECK_INT(r.seen, i + 1);
        CHECK(r.session != before); /* nothing more is asked on that connection */
        before = r.session;
    }
}

static void time_and_size_are_bounded(void **state) {
    (void)state;
    struct http_out out = request("GET", "/silent", 0);
    out.total_ms = 500;
    struct result r = fetch_out(&out);
    NAMED(r, "timeout");
    CHECK(r.sent);
    out = request("GET", "/big", 0);
    out.response_max = 1 << 20;
    NAMED(fetch_out(&out), "too_large");
    out.response_max = 4 << 20;
    r = fetch_out(&out);
    NAMED(r, "");
    CHECK_INT(r.body_size, 3 << 20);
    out = request("GET", "/announced", 0);
    out.response_max = 1 << 20;
    NAMED(fetch_out(&out), "too_large");
    NAMED(fetch("GET", "/heads"), "too_large");
}

/* An interim answer does not start the time in which bytes must come; the answer itself does,
 * whatever its status (in HTTP/2 its line is "HTTP/2 201", not "HTTP/1.1 201"). */
static void what_stalls_is_named_and_what_thinks_is_not(void **state) {
    (void)state;
    struct result r = fetch("GET", "/early");
    NAMED(r, "");
    CHECK_INT(r.status, 200);
    assert_string_equal(r.body, "after 103");
    r = fetch("GET", "/stalls");
    NAMED(r, "slow");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(a_whole_exchange),
        TEST(an_effect_arrives_once_over_http_1),
        TEST(many_at_once),
        TEST(streams_that_end_badly),
        TEST(refused_streams_end),
        TEST(a_goodbye_with_an_answer_is_an_answer),
        TEST(time_and_size_are_bounded),
        TEST(what_stalls_is_named_and_what_thinks_is_not),
    };
    signal(SIGPIPE, SIG_IGN);
    CHECK_OK(http_client_setup());
    test_cert_make(&ca, "ca", "Test CA", NULL, -1, 10);
    test_cert_make(&good, "good", "bank.test", &ca, -1, 10);
    int code = unit_main(argc, argv, "http_h2", tests, sizeof tests / sizeof tests[0]);
    test_cert_free(&good);
    test_cert_free(&ca);
    http_client_teardown();
    return code;
}
