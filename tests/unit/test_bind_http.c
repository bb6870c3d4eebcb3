/* http.* and ctx.http.* from scripts, on the simulated loop, with a far side in the process: what
 * leaves for what a script wrote, what it gets back, and the one effect of an operation. */
#include "base/mem.h"
#include "net/transport_local.h"
#include "script/bind_http.h"
#include "script/bind_secret.h"
#include "script/state.h"
#include "script_fixture.h"
#include "unit.h"

#include <stdio.h>

static struct fixture f;
static struct transport *transport;
static struct http_caps caps;
static struct local_fate fate;
static const char *const HOSTS[] = {"bank.test", NULL};

static struct {
    int requests;
    int fail_first; /* that many get a 503 */
    char method[16], url[256], head[1024], body[1024];
    bool effect;
    uint32_t total_ms;
} seen;

static void handle(struct local_exchange *x, const struct http_out *r, void *data) {
    (void)data;
    seen.requests++;
    seen.effect = r->effect;
    seen.total_ms = r->total_ms;
    snprintf(seen.method, sizeof seen.method, "%.*s", STR_FMT(r->method));
    snprintf(seen.url, sizeof seen.url, "%.*s", STR_FMT(r->url));
    snprintf(seen.body, sizeof seen.body, "%.*s", STR_FMT(r->body));
    seen.head[0] = '\0';
    for (size_t i = 0; i < r->header_count; i++) {
        size_t at = strlen(seen.head);
        snprintf(seen.head + at, sizeof seen.head - at, "%.*s: %.*s\n", STR_FMT(r->headers[i].name),
                 STR_FMT(r->headers[i].value));
    }
    const struct http_header headers[] = {{STR("Content-Type"), STR("application/json")},
                                          {STR("X-Two"), STR("a")},
                                          {STR("x-two"), STR("b")}};
    local_answer(x, seen.requests <= seen.fail_first ? 503 : 200, headers, 3,
                 STR("{\"n\":9007199254740993}"));
}
static void decide(const struct http_out *r, struct local_fate *out, void *data) {
    (void)r, (void)data;
    *out = fate;
}
static struct http_caps *the_caps(lua_State *L) {
    (void)L;
    return &caps;
}

static int begin(void **state) {
    (void)state;
    fixture_start(&f, NULL);
    const struct local_options o = {.loop = f.loop, .handle = handle, .decide = decide};
    CHECK_OK(transport_local_new(&transport, &o));
    caps = (struct http_caps){.transport = transport, .hosts = HOSTS, .effect_ok = true};
    memset(&seen, 0, sizeof seen);
    memset(&fate, 0, sizeof fate);
    bind_http_caps = the_caps;
    return 0;
}
static int end(void **state) {
    (void)state;
    transport->destroy(transport);
    fixture_stop(&f);
    return 0;
}

static struct {
    int done;
    enum call_outcome outcome;
    char text[1024];
    char results[4][256];
    struct ticket ticket;
} run;

static int push(lua_State *L, void *data) {
    (void)data;
    script_push_ctx(L);
    secret_push(L, STR("s3cr3t"), "KEY");
    return 2;
}
static int take(lua_State *L, int n, void *data) {
    (void)data;
    for (int i = 0; i < 4; i++) {
        const char *text = i >= n || lua_isnil(L, i + 1) ? "nil"
                           : lua_isboolean(L, i + 1) ? (lua_toboolean(L, i + 1) ? "true" : "false")
                           : lua_isstring(L, i + 1)  ? lua_tostring(L, i + 1)
                                                     : luaL_typename(L, i + 1);
        snprintf(run.results[i], sizeof run.results[i], "%s", text);
    }
    return 0;
}
static void done(const struct call_result *r, void *data) {
    (void)data;
    run.done++;
    run.outcome = r->outcome;
    snprintf(run.text, sizeof run.text, "%s", r->text == NULL ? "" : r->text);
}

/* Runs `code` as the body of a function (ctx, key) and waits for its end, `ms` at most. */
static void script_for(enum script_kind kind, const char *code, uint64_t ms) {
    static const char *const ENTRY[] = {"run", NULL};
    char text[2048];
    snprintf(text, sizeof text, "return { run = function(ctx, key) %s end }", code);
    struct version *v = fixture_script(kind, "x", text);
    struct call call = {.version = v,
                        .entry = ENTRY,
                        .deadline_ms = 100000,
                        .push = push,
                        .take = take,
                        .done = done};
    memset(&run, 0, sizeof run);
    CHECK_OK(script_call(f.rt, &call, &run.ticket));
    loop_sim_run_for(f.loop, ms);
    if (run.done == 0) {
        script_cancel(run.ticket);
        loop_sim_run_for(f.loop, 1000);
    }
    CHECK_INT(run.done, 1);
    runtime_retire(f.rt, v);
    loop_sim_run_for(f.loop, 10);
    fixture_drop(v);
}
static void returns(enum script_kind kind, const char *code, const char *first) {
    script_for(kind, code, 90000);
    if (run.outcome != CALL_RETURNED) print_error("%s\n", run.text);
    CHECK_INT(run.outcome, CALL_RETURNED);
    assert_string_equal(run.results[0], first);
}
static void raises(enum script_kind kind, const char *code, const char *part) {
    script_for(kind, code, 90000);
    CHECK_INT(run.outcome, CALL_RAISED);
    if (strstr(run.text, part) == NULL) print_error("%s\n", run.text);
    CHECK(strstr(run.text, part) != NULL);
}

static void sends_and_answers(void **state) {
    (void)state;
    returns(KIND_CHANNEL,
            "local a = ctx.http.post{url='https://bank.test/v1', json={amount=10000},"
            " headers={['X-Key']={'k ', key}}, timeout='7s'}"
            " return a.status .. a.headers['CONTENT-type'] .. a.headers['x-two'] .. a:json().n",
            "200application/jsona, b9007199254740993");
    assert_string_equal(seen.method, "POST");
    assert_string_equal(seen.url, "https://bank.test/v1");
    assert_string_equal(seen.body, "{\"amount\":10000}");
    assert_string_equal(seen.head, "X-Key: k s3cr3t\nContent-Type: application/json\n");
    CHECK_INT(seen.total_ms, 7000);
    CHECK(!seen.effect && !caps.effect_used);
    returns(KIND_CHANNEL, "return ctx.http.get('https://bank.test/').body",
            "{\"n\":9007199254740993}");
    assert_string_equal(seen.method, "GET");
    returns(
        KIND_TOOL,
        "return http.request{method='PUT', url='https://bank.test/', form={b='x y', a='1&2', c=3},"
        " basic={'user', key}}.status",
        "200");
    assert_string_equal(seen.body, "a=1%262&b=x+y&c=3");
    assert_string_equal(seen.head, "Authorization: Basic dXNlcjpzM2NyM3Q=\n"
                                   "Content-Type: application/x-www-form-urlencoded\n");
    returns(KIND_TOOL,
            "return http.post{url='https://bank.test/', body={'{\"k\":\"', key, '\"}'},"
            " bearer=key, headers={['content-type']='x/y'}}.status",
            "200");
    assert_string_equal(seen.body, "{\"k\":\"s3cr3t\"}");
    assert_string_equal(seen.head, "content-type: x/y\nAuthorization: Bearer s3cr3t\n");
}

static void failures_have_names(void **state) {
    (void)state;
    fate.refused = true;
    returns(KIND_CHANNEL, "return ctx.http.get{url='https://bank.test/'}", "nil");
    assert_string_equal(run.results[2], "refused");
    assert_string_equal(run.results[3], "false");
    fate = (struct local_fate){.lost = true};
    returns(KIND_CHANNEL, "return ctx.http.get{url='https://bank.test/', timeout='1s500ms'}",
            "nil");
    assert_string_equal(run.results[2], "timeout");
    returns(KIND_CHANNEL, "return ctx.http.get{url='https://bank.test/', timeout='2s'}", "nil");
    assert_string_equal(run.results[2], "timeout");
    assert_string_equal(run.results[3], "true");
    returns(KIND_CHANNEL, "return ctx.http.get{url='https://evil.test/'}", "nil");
    assert_string_equal(run.results[2], "denied_host");
}

static void an_operation_has_one_effect(void **state) {
    (void)state;
    raises(
        KIND_CHANNEL,
        "ctx.http.effect{url='https://bank.test/pay'} ctx.http.effect{url='https://bank.test/pay'}",
        "this is a second");
    CHECK_INT(seen.requests, 1);
    CHECK(seen.effect && caps.effect_used && caps.effect_sent);
    assert_string_equal(seen.method, "POST");
    caps.effect_used = caps.effect_sent = false;
    fate.refused = true;
    returns(KIND_CHANNEL, "return ctx.http.effect{url='https://bank.test/pay'}", "nil");
    CHECK(caps.effect_used && !caps.effect_sent); /* proven: not one byte left */
    caps.effect_used = false;
    fate = (struct local_fate){.lost = true};
    script_for(KIND_CHANNEL, "return ctx.http.effect{url='https://bank.test/pay'}", 100);
    CHECK_INT(run.outcome, CALL_CANCELLED); /* gone while in flight: nobody knows */
    CHECK(caps.effect_sent);
    caps = (struct http_caps){.transport = transport, .hosts = HOSTS};
    raises(KIND_CHANNEL, "ctx.http.effect{url='https://bank.test/pay'}",
           "only inside an operation");
    CHECK(!caps.effect_used);
    caps.transport = NULL;
    raises(KIND_CHANNEL, "ctx.http.get{url='https://bank.test/'}", "no requests may leave");
}

static void retries_in_virtual_time(void **state) {
    (void)state;
    seen.fail_first = 2;
    int64_t from = clock_now_ms(&f.clock);
    returns(KIND_CHANNEL,
            "return ctx.http.get{url='https://bank.test/', retry={tries=5, first='1s', "
            "factor=3}}.status",
            "200");
    CHECK_INT(seen.requests, 3);
    CHECK(clock_now_ms(&f.clock) - from >= 4000);
    seen.requests = 0, seen.fail_first = 9;
    returns(KIND_CHANNEL,
            "return ctx.http.get{url='https://bank.test/', retry={tries=2, first='1ms'}}.status",
            "503");
    CHECK_INT(seen.requests, 2);
    script_for(KIND_CHANNEL,
               "return ctx.http.get{url='https://bank.test/', retry={tries=9, first='50s'}}", 2000);
    CHECK_INT(run.outcome, CALL_CANCELLED); /* in the pause */
}

static void misuse_raises(void **state) {
    (void)state;
    static const char *const CASES[][2] = {
        {"ctx.http.get{}", "url"},
        {"ctx.http.get{url='https://bank.test/', nope=1}", "no field nope"},
        {"ctx.http.get{url='http//x'}", "must begin with https://"},
        {"ctx.http.get{url='https://a@bank.test/'}", "user name"},
        {"ctx.http.post{url='https://bank.test/', json={}, form={}}", "exclude"},
        {"ctx.http.get{url='https://bank.test/', timeout='31s'}", "timeout"},
        {"ctx.http.get{url='https://bank.test/', timeout=5}", "duration"},
        {"ctx.http.get{url='https://bank.test/', timeout='0s'}", "timeout: from 1 to 30000 ms"},
        {"ctx.http.get{url='https://bank.test/', retry={first='2m'}}", "retry.first: from 1 to"},
        {"ctx.http.get{url='https://bank.test/', headers={A='1\\r\\nB: 2'}}", "control bytes"},
        {"ctx.http.get{url='https://bank.test/', headers={Host='x'}}", "engine alone"},
        {"ctx.http.get{url='https://bank.test/', headers={A='1', a='2'}}", "twice"},
        {"ctx.http.get{url='https://bank.test/', headers={A={}, [1]='x'}}", ""},
        {"ctx.http.effect{url='https://bank.test/', retry={tries=2}}", "never retried"},
        {"ctx.http.effect{url='https://bank.test/', redirects=true}", "never follows"},
        {"ctx.http.get{url='https://bank.test/', retry={tries=11}}", "retry.tries"},
        {"ctx.http.post{url='https://bank.test/', json={k=key}}", "secret"},
        {"ctx.http.post{url='https://bank.test/', body=('x'):rep(1048576) .. 'x'}", ""},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        raises(KIND_CHANNEL, CASES[i][0], CASES[i][1]);
    CHECK_INT(seen.requests, 0);
    CHECK(!caps.effect_used);
}

#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)
static const struct CMUnitTest TESTS[] = {
    T(sends_and_answers),       T(failures_have_names), T(an_operation_has_one_effect),
    T(retries_in_virtual_time), T(misuse_raises),
};
UNIT_MAIN("bind_http", TESTS)
