/* The transport of simulations: what reaches the handler, what comes back, and that a seed decides
 * it all. */
#include "base/ensure.h"
#include "base/mem.h"
#include "net/transport_local.h"
#include "unit.h"

#include <stdio.h>

static struct clock the_clock;
static struct loop *loop;
static struct transport *transport;
static struct local_fate fate;
static int64_t live;

static struct {
    int delivered;
    bool hold; /* keep the exchange instead of answering */
    struct local_exchange *held[4];
    int gone;
} far;

static struct {
    int done;
    int err;
    int status;
    bool sent;
    char name[32];
    char body[64];
    int64_t at_ms;
} got;

static void handle(struct local_exchange *x, const struct http_out *request, void *data) {
    (void)data;
    far.delivered++;
    if (far.hold) {
        far.held[far.delivered - 1] = x;
        return;
    }
    char body[64];
    snprintf(body, sizeof body, "%d:%.*s", far.delivered, STR_FMT(request->body));
    const struct http_header h = {STR("X-Far"), STR("1")};
    local_answer(x, 201, &h, 1, str_of(body));
}
static void decide(const struct http_out *request, struct local_fate *out, void *data) {
    (void)request, (void)data;
    *out = fate;
}
static void gone(struct local_exchange *x, void *data) {
    (void)x, (void)data;
    far.gone++;
}
static void done(const struct http_answer *a, void *data) {
    (void)data;
    got.done++;
    got.err = a->err;
    got.status = a->status;
    got.sent = a->sent;
    strcpy(got.name, a->name);
    snprintf(got.body, sizeof got.body, "%.*s", STR_FMT(a->body));
    got.at_ms = clock_now_ms(&the_clock);
    if (a->err == 0) CHECK_STR(a->headers[0].name, "x-far");
}

static int begin(void **state) {
    (void)state;
    live = mem_live();
    clock_virtual(&the_clock, 0);
    CHECK_OK(loop_sim_new(&loop, &the_clock, NULL));
    const struct local_options o = {.loop = loop, .handle = handle, .decide = decide, .gone = gone};
    CHECK_OK(transport_local_new(&transport, &o));
    memset(&fate, 0, sizeof fate);
    memset(&far, 0, sizeof far);
    memset(&got, 0, sizeof got);
    return 0;
}
static int end(void **state) {
    (void)state;
    transport->destroy(transport);
    loop_delete(loop);
    CHECK_INT(mem_live(), live);
    return 0;
}

static struct http_call *start(void) {
    const struct http_out out = {.method = STR("POST"),
                                 .url = STR("https://bank.test/pay"),
                                 .body = STR("x"),
                                 .total_ms = 1000};
    struct http_call *call;
    CHECK_OK(transport->start(transport, &out, done, NULL, &call));
    CHECK_INT(got.done, 0);
    return call;
}
static void ends(const char *name, bool sent, int delivered, int64_t at_ms) {
    loop_sim_run_for(loop, 5000);
    CHECK_INT(got.done, 1);
    assert_string_equal(got.name, name);
    CHECK_INT(got.sent, sent);
    CHECK_INT(far.delivered, delivered);
    CHECK_INT(got.at_ms, at_ms);
}

static void answers_in_virtual_time(void **state) {
    (void)state;
    fate.there_ms = 30, fate.back_ms = 12;
    start();
    ends("", true, 1, 42);
    CHECK_INT(got.status, 201);
    assert_string_equal(got.body, "1:x");
}
static void refuses_before_the_first_byte(void **state) {
    (void)state;
    fate.refused = true;
    start();
    ends("refused", false, 0, 0);
    CHECK_INT(got.err, E_CONNECT);
}
static void loses_requests(void **state) {
    (void)state;
    fate.lost = true;
    start();
    ends("timeout", true, 0, 1000);
}
static void loses_answers(void **state) {
    (void)state;
    fate.answer_lost = true;
    start();
    ends("timeout", true, 1, 1000);
}
static void resets(void **state) {
    (void)state;
    fate.reset = true;
    start();
    ends("reset", true, 1, 0);
}
static void delivers_twice_and_takes_the_first_answer(void **state) {
    (void)state;
    fate.twice = true, fate.twice_ms = 50;
    start();
    ends("", true, 2, 0);
    assert_string_equal(got.body, "1:x");
}
static void late_answers_are_dropped(void **state) {
    (void)state;
    far.hold = true;
    start();
    ends("timeout", true, 1, 1000);
    local_answer(far.held[0], 200, NULL, 0, STR("late"));
    loop_sim_run_for(loop, 5000);
    CHECK_INT(got.done, 1);
}
static void an_answer_that_would_come_back_too_late_is_a_timeout(void **state) {
    (void)state;
    fate.there_ms = 600, fate.back_ms = 600;
    start();
    ends("timeout", true, 1, 1000);
}
static void cancel_and_destroy_leave_nothing(void **state) {
    (void)state;
    far.hold = true;
    struct http_call *call = start();
    loop_sim_run_for(loop, 10);
    transport->cancel(transport, call);
    local_answer(far.held[0], 200, NULL, 0, STR(""));
    start();
    start();
    loop_sim_run_for(loop, 10);
    CHECK_INT(far.delivered, 3);
    start(); /* not delivered yet when the crash comes */
    transport->destroy(transport);
    CHECK_INT(far.gone, 2);
    CHECK_INT(got.done, 0);
    const struct local_options o = {.loop = loop, .handle = handle};
    CHECK_OK(transport_local_new(&transport, &o));
}
static void keeps_the_rules_of_the_real_one(void **state) {
    (void)state;
    const char *const hosts[] = {"other.test", NULL};
    struct http_out out = {.method = STR("GET"), .url = STR("https://bank.test/"), .hosts = hosts};
    CHECK_OK(transport->start(transport, &out, done, NULL, NULL));
    ends("denied_host", false, 0, 0);
    got.done = 0;
    out.url = STR("https://bank.test@evil/");
    CHECK_OK(transport->start(transport, &out, done, NULL, NULL));
    loop_sim_run_for(loop, 1);
    assert_string_equal(got.name, "bad_request");
}

static void tale(uint64_t seed, char *story, size_t size) {
    struct rng rng;
    rng_seeded(&rng, seed);
    transport->destroy(transport);
    const struct local_options o = {.loop = loop,
                                    .handle = handle,
                                    .rng = &rng,
                                    .odds = {.refused = 150,
                                             .lost = 150,
                                             .answer_lost = 150,
                                             .reset = 150,
                                             .twice = 150,
                                             .delay_max_ms = 700}};
    CHECK_OK(transport_local_new(&transport, &o));
    size_t at = 0;
    for (int i = 0; i < 40; i++) {
        memset(&got, 0, sizeof got);
        far.delivered = 0;
        int64_t from = clock_now_ms(&the_clock);
        start();
        loop_sim_run_for(loop, 5000);
        at += (size_t)snprintf(story + at, size - at, "%s/%d/%d ", got.name, far.delivered,
                               (int)(got.at_ms - from));
        CHECK(strcmp(got.name, "refused") == 0 || got.sent);
        if (far.delivered != 0) CHECK(got.sent);
    }
}

static void a_seed_decides_everything(void **state) {
    (void)state;
    static char a[4096], b[4096], c[4096];
    tale(1, a, sizeof a);
    tale(1, b, sizeof b);
    tale(2, c, sizeof c);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    CHECK(strstr(a, "refused") != NULL && strstr(a, "timeout") != NULL &&
          strstr(a, "reset") != NULL && strstr(a, "/2/") != NULL);
}

#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)
static const struct CMUnitTest TESTS[] = {
    T(answers_in_virtual_time),
    T(refuses_before_the_first_byte),
    T(loses_requests),
    T(loses_answers),
    T(resets),
    T(delivers_twice_and_takes_the_first_answer),
    T(late_answers_are_dropped),
    T(an_answer_that_would_come_back_too_late_is_a_timeout),
    T(cancel_and_destroy_leave_nothing),
    T(keeps_the_rules_of_the_real_one),
    T(a_seed_decides_everything),
};
UNIT_MAIN("transport_local", TESTS)
