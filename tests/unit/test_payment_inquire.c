/* A refund and a capture that were sent without an answer: that their provider does not list them is no
 * end of them for a day, or the money would go out again under another name while the first is on its
 * way. What it says of them meanwhile counts at once. */
#include "payment/payment_inquire.h"

#include "base/ensure.h"
#include "books.h"
#include "script/context.h"
#include "script/operation_text.h"
#include "script/script_set.h"
#include "script_texts.h"
#include "sys/config.h"
#include "sys/log.h"

#include <pthread.h>
#include <stdio.h>

#define PATH "channels/midtrans_bca_va.lua"
#define HOUR INT64_C(3600000)
#define PAID 150000
#define PART 20000

/* The operation's reference is what it answers, and what it says when it is asked: "unknown none". */
static const char CHANNEL[] =
    "local words = { none = not_created, unknown = unknown, success = success }\n"
    "local function say(_, op) return words[op.reference:match '^%a+'] {} end\n"
    "local function known(_, op) return words[op.reference:match ' (%a+)'] {} end\n"
    "return { api = 1, title = 'x', provider = 'midtrans', method = 'virtual_account', effect = "
    "'offer', hosts = { sandbox = 'h.example', staging = 'h.example', production = 'h.example' },\n"
    "create = say, inquire = known, capture = say, refund = say }";

static struct books b;
static struct runtime *rt;
static struct config *config;
static struct script_set *set;
static struct version *channel;
static struct operation_gate gate;
static struct script_services services;
static int lost; /* lines that an operator hears */

static struct script_set *scripts(const struct worker *worker) {
    (void)worker;
    return set;
}

static void count_lost(void *data, struct str line) {
    (void)data;
    lost += str_search(line, STR("operation_never_arrived")) >= 0;
}

static int begin(void **state) {
    (void)state;
    static const char *const ENVIRONMENT[] = {"LUWAK_ENV=simulated", NULL};
    struct script_entry entry = {0};
    struct why why = {0};
    lost = 0;
    books_open(&b);
    CHECK_OK(config_load(&config, &(struct config_sources){.environment = ENVIRONMENT}, &why));
    CHECK_OK(texts_load(&channel, KIND_CHANNEL, PATH, CHANNEL, &why));
    entry.version = channel;
    CHECK_OK(script_set_new(&set, &entry, 1, 1));
    CHECK_OK(runtime_new(&rt, &(struct runtime_options){.loop = b.f.loop, .rng = &b.rng}));
    pthread_mutex_init(&gate.lock, NULL);
    services = (struct script_services){.gate = &gate,
                                        .store = b.core.store,
                                        .core = &b.core,
                                        .clock = &b.clock,
                                        .rng = &b.rng,
                                        .config = config,
                                        .scripts = scripts,
                                        .simulated = true,
                                        .environment = "sandbox"};
    log_capture(count_lost, NULL);
    CHECK_OK(books_offer(&b, &(struct offer){.amount = PAID}));
    return 0;
}

static int end(void **state) {
    (void)state;
    log_capture(NULL, NULL);
    CHECK(gate.first == NULL);
    pthread_mutex_destroy(&gate.lock);
    runtime_delete(rt);
    loop_sim_drain(b.f.loop);
    script_set_drop(set);
    version_drop(channel);
    config_free(config);
    books_close(&b);
    return 0;
}

/* The intent of an operation, with what the channel is to say of it; of a refund the refund. */
static void intend(const char *kind, const char *reference, char id[ID_SIZE]) {
    struct payment_operation o = {.kind = str_of(kind),
                                  .script = STR(PATH),
                                  .version = STR("v1"),
                                  .account = STR(ACCOUNT),
                                  .reference = str_of(reference),
                                  .input = STR("{}"),
                                  .amount = PART,
                                  .ask_at = core_now(&b.core) + ASK_AFTER_MS,
                                  .ask_backoff = ASK_BACKOFF};
    struct refund_new n = {.amount = PART, .by = STR("provider"), .operation = &o};
    struct refund refund;
    struct payment p;
    struct commit *c;
    books_get(&b, b.last, &p);
    CHECK_OK(commit_new(&c));
    if (str_eq(o.kind, STR("refund")))
        CHECK_OK(payment_add_refund(&b.core, c, &p, &n, &refund, &b.why));
    else
        CHECK_OK(payment_add_operation(&b.core, c, &p, &o));
    payment_free(&p);
    CHECK_OK(run_commit(&b.f, c, NULL));
    memcpy(id, o.id, ID_SIZE);
}

struct heard {
    int times, err;
    bool open;
};

static void heard(int err, bool open, void *data) {
    struct heard *h = data;
    *h = (struct heard){h->times + 1, err, open};
}

/* Calls the channel's function for it; whether somebody still has to ask. */
static bool call(const char *function, const char *id) {
    struct heard h = {0};
    struct rows *rows = NULL;
    struct operation_row row;
    CHECK_OK(store_get(b.core.store, "operation_get", VALS(V_TEXT(id)), &rows));
    CHECK_OK(operation_row_read(rows, 0, &row));
    CHECK_OK(payment_inquire(&(struct payment_inquiry){.services = &services,
                                                       .runtime = rt,
                                                       .version = channel,
                                                       .function = function,
                                                       .operation = &row},
                             heard, &h));
    rows_free(rows);
    loop_sim_run_for(b.f.loop, 100);
    CHECK_INT(h.times, 1);
    CHECK_OK(h.err);
    return h.open;
}

static void check_state(const char *id, const char *operation, const char *refund) {
    char sql[400];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM operation x LEFT JOIN refund r ON r.operation = x.id WHERE"
             " x.id = '%s' AND x.status = '%s' AND coalesce(r.status, '') = '%s'",
             id, operation, refund);
    CHECK_INT(books_int(&b, sql), 1);
}

static void until(int64_t at) {
    books_advance(&b, at - core_now(&b.core));
}

static void a_refund_is_not_given_up_for_a_day(void **state) {
    (void)state;
    CHECK_OK(books_pay(&b, b.last, "m1", PAID));
    for (int crashed = 0; crashed < 2; crashed++) { /* its answer was lost, or we were */
        char id[ID_SIZE];
        int64_t begun = core_now(&b.core);
        intend("refund", crashed ? "unknown none 1" : "unknown none 2", id);
        if (!crashed) CHECK(call("refund", id));
        check_state(id, crashed ? "sending" : "unknown", crashed ? "pending" : "processing");
        until(begun + ASK_AFTER_MS);
        CHECK(call("inquire", id));
        check_state(id, "unknown", "processing");
        CHECK_BALANCE(&b, "refund_clearing", PART); /* it is not to be had once more */
        until(begun + 24 * HOUR - 1);
        CHECK(call("inquire", id));
        check_state(id, "unknown", "processing");
        CHECK_INT(lost, crashed);
        until(begun + 25 * HOUR);
        CHECK(!call("inquire", id));
        check_state(id, "failed", "failed");
        CHECK_BALANCE(&b, "refund_clearing", 0);
        CHECK_INT(lost, crashed + 1);
        CHECK(!call("inquire", id)); /* told of once */
        CHECK_INT(lost, crashed + 1);
    }
}

static void what_was_never_sent_fails_at_once(void **state) {
    (void)state;
    char id[ID_SIZE];
    CHECK_OK(books_pay(&b, b.last, "m1", PAID));
    intend("refund", "none none", id);
    CHECK(!call("refund", id));
    check_state(id, "failed", "failed");
    CHECK_INT(lost, 0);
}

static void what_is_known_counts_at_once(void **state) {
    (void)state;
    char id[ID_SIZE];
    CHECK_OK(books_pay(&b, b.last, "m1", PAID));
    intend("refund", "unknown success", id);
    CHECK(!call("inquire", id));
    check_state(id, "success", "success");
    intend("refund", "unknown unknown", id);
    CHECK(call("refund", id));
    check_state(id, "unknown", "processing");
    books_advance(&b, 48 * HOUR);
    CHECK(call("inquire", id)); /* no answer is none, however late */
    check_state(id, "unknown", "processing");
    CHECK_INT(lost, 0);
}

static void a_capture_neither(void **state) {
    (void)state;
    char id[ID_SIZE];
    int64_t begun = core_now(&b.core);
    intend("capture", "unknown none", id);
    until(begun + 23 * HOUR);
    CHECK(call("inquire", id));
    check_state(id, "unknown", "");
    until(begun + 25 * HOUR);
    CHECK(!call("inquire", id));
    check_state(id, "failed", "");
    CHECK_INT(lost, 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_refund_is_not_given_up_for_a_day, begin, end),
    cmocka_unit_test_setup_teardown(what_was_never_sent_fails_at_once, begin, end),
    cmocka_unit_test_setup_teardown(what_is_known_counts_at_once, begin, end),
    cmocka_unit_test_setup_teardown(a_capture_neither, begin, end),
};

UNIT_MAIN("payment_inquire", tests)
