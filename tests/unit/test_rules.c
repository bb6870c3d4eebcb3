/* Which rule counts, what it may answer, and where a rule that fails leaves us. */
#include "base/mem.h"
#include "script/rules.h"
#include "script_fixture.h"
#include "script_texts.h"
#include "unit.h"

#include <stdio.h>

static struct fixture f;
static struct script_set *set;
static struct {
    int times;
    struct rule_answer answer;
    char path[128], version[VERSION_ID_SIZE];
} got;

static int begin(void **state) {
    (void)state;
    fixture_start(&f, NULL);
    f.live = -1; /* texts are shared until the process ends */
    return 0;
}
static int end(void **state) {
    (void)state;
    if (set != NULL) script_set_drop(set);
    set = NULL;
    fixture_stop(&f);
    return 0;
}

/* Pairs of path and text, sorted by path, ended by NULL. */
static void rules(const char *const *texts) {
    struct script_entry entries[16] = {0};
    size_t n = 0;
    if (set != NULL) script_set_drop(set);
    for (; texts[2 * n] != NULL; n++) {
        struct why why = {0};
        char text[2048];
        snprintf(text, sizeof text, "return { api = 1, %s }", texts[2 * n + 1]);
        if (texts_load(&entries[n].version, KIND_RULE, texts[2 * n], text, &why) != 0)
            fail_msg("%s", why.text);
    }
    CHECK_OK(script_set_new(&set, entries, n, 1));
    for (size_t i = 0; i < n; i++)
        version_drop(entries[i].version);
}
#define RULES(...) rules((const char *const[]){__VA_ARGS__, NULL})

static void heard(const struct rule_answer *answer, void *data) {
    (void)data;
    got.times++;
    got.answer = *answer;
    snprintf(got.path, sizeof got.path, "%s", answer->path == NULL ? "" : answer->path);
    snprintf(got.version, sizeof got.version, "%s", answer->version == NULL ? "" : answer->version);
}

static const struct rule_answer *ask(enum manifest_rule rule, const char *facts) {
    memset(&got, 0, sizeof got);
    struct rule_question q = {.rule = rule, .runtime = f.rt, .set = set, .facts = str_of(facts)};
    CHECK_OK(rules_ask(&q, heard, NULL));
    CHECK_INT(got.times, 0); /* never inside */
    loop_sim_run_for(f.loop, 5000);
    CHECK_INT(got.times, 1);
    return &got.answer;
}

#define FEE(amount)                                                                          \
    "kind = 'fee', fee = function(p) return { bearer = 'merchant', lines = { { 'a', " amount \
    " } } } end, "

static void asks_fee(const char *facts, const char *path) {
    const struct rule_answer *a = ask(RULE_FEE, facts);
    CHECK_INT(a->err, 0);
    CHECK_STR(str_of(got.path), path);
}

static void every_name_of_match_must_agree(void **state) {
    (void)state;
    RULES("rules/fees/a.lua", FEE("1") "match = { provider = 'midtrans', method = 'card' }",
          "rules/fees/b.lua", FEE("2") "match = { bank = { 'bca', 'bni' } }", "rules/fees/c.lua",
          FEE("3") "match = { merchant = 'mer_1', category = 'food', channel = 'x_va' }");
    asks_fee("{\"provider\":\"midtrans\",\"method\":\"card\"}", "rules/fees/a.lua");
    asks_fee("{\"provider\":\"midtrans\",\"method\":\"qris\"}", "");
    asks_fee("{\"provider\":\"midtrans\"}", "");
    asks_fee("{\"bank\":\"bni\"}", "rules/fees/b.lua");
    asks_fee("{\"bank\":\"bca\",\"method\":\"anything\"}", "rules/fees/b.lua");
    asks_fee("{\"bank\":\"bri\"}", "");
    asks_fee("{\"bank\":\"\"}", "");
    asks_fee("{\"bank\":7}", "");
    asks_fee("{\"merchant\":\"mer_1\",\"category\":\"food\",\"channel\":\"x_va\"}",
             "rules/fees/c.lua");
    asks_fee("{\"merchant\":\"mer_2\",\"category\":\"food\",\"channel\":\"x_va\"}", "");
}

static void priority_comes_before_the_file_name(void **state) {
    (void)state;
    RULES("rules/fees/a.lua", FEE("1"), "rules/fees/b.lua", FEE("2"), "rules/fees/c.lua",
          FEE("3") "priority = 10, match = { method = 'card' }", "rules/fees/d.lua",
          FEE("4") "priority = 10, match = { method = 'card' }", "rules/risk/a.lua",
          "kind = 'risk', priority = 1, judge = function() return allow end");
    asks_fee("{\"method\":\"card\"}", "rules/fees/c.lua");
    CHECK_INT(got.answer.fee.total, 3);
    asks_fee("{\"method\":\"qris\"}", "rules/fees/a.lua"); /* 100 each: the first file */
    CHECK_INT(strlen(got.version), VERSION_ID_SIZE - 1);
}

static void days_are_inclusive(void **state) {
    (void)state;
    RULES("rules/fees/a.lua", FEE("1") "from = '2026-01-01', to = '2026-01-31'", "rules/fees/b.lua",
          FEE("2") "from = '2026-02-01'");
    asks_fee("{\"paid_on\":\"2025-12-31\"}", "");
    asks_fee("{\"paid_on\":\"2026-01-01\"}", "rules/fees/a.lua");
    asks_fee("{\"paid_on\":\"2026-01-31\"}", "rules/fees/a.lua");
    asks_fee("{\"paid_on\":\"2026-02-01\"}", "rules/fees/b.lua");
    asks_fee("{}", "");
}

static void a_fee_is_read(void **state) {
    (void)state;
    RULES("rules/fees/a.lua",
          "kind = 'fee', fee = function(p) local mdr = money.percent(p.amount, '2.9%', 'half_up') "
          "+ 2000\n"
          "return { bearer = 'customer', lines = { { 'mdr', mdr }, { 'ppn', money.percent(mdr, "
          "'11%', 'half_up') } } } end");
    const struct rule_answer *a = ask(RULE_FEE, "{\"amount\":150000,\"method\":\"card\"}");
    CHECK_INT(a->err, 0);
    CHECK_INT(a->fee.bearer, BEARER_CUSTOMER);
    CHECK_INT(a->fee.count, 2);
    CHECK_STR(str_of(a->fee.lines[0].name), "mdr");
    CHECK_INT(a->fee.lines[0].amount, 6350);
    CHECK_INT(a->fee.lines[1].amount, 699); /* 698.5 */
    CHECK_INT(a->fee.total, 7049);
    CHECK_INT(ask(RULE_FEE, "{\"amount\":150000,\"method\":\"qris\"}")->err, E_SCRIPT);
    CHECK(strstr(got.answer.text, "on top of QRIS") != NULL);
}

static void no_rule_is_a_safe_answer(void **state) {
    (void)state;
    RULES(NULL);
    CHECK_INT(ask(RULE_FEE, "{}")->fee.total, 0);
    CHECK_INT(got.answer.fee.bearer, BEARER_MERCHANT);
    CHECK_INT(ask(RULE_ROUTING, "{}")->route.count, 0);
    CHECK_INT(ask(RULE_RISK, "{}")->risk.verdict, VERDICT_ALLOW);
    CHECK_INT(ask(RULE_POLICY, "{\"on\":\"late\"}")->action, ACTION_WAIT);
    CHECK(got.answer.path == NULL && got.answer.err == 0);
}

static void risk_asks_all_until_one_objects(void **state) {
    (void)state;
    RULES("rules/risk/a.lua",
          "kind = 'risk', facts = { 'payments_per_customer_1h' }, judge = function(p)\n"
          "if p.facts.payments_per_customer_1h > 20 then return deny 'velocity' end return allow "
          "end",
          "rules/risk/b.lua",
          "kind = 'risk', judge = function(p) if p.amount > 1000 then return review 'big' end "
          "return allow end");
    CHECK_INT(
        ask(RULE_RISK, "{\"amount\":5,\"facts\":{\"payments_per_customer_1h\":20}}")->risk.verdict,
        VERDICT_ALLOW);
    CHECK_STR(str_of(got.path), "rules/risk/b.lua");
    ask(RULE_RISK, "{\"amount\":5000,\"facts\":{\"payments_per_customer_1h\":21}}");
    CHECK_INT(got.answer.risk.verdict, VERDICT_DENY);
    CHECK_STR(str_of(got.answer.risk.reason), "velocity");
    ask(RULE_RISK, "{\"amount\":5000,\"facts\":{\"payments_per_customer_1h\":1}}");
    CHECK_INT(got.answer.risk.verdict, VERDICT_REVIEW);
    CHECK_STR(str_of(got.answer.risk.reason), "big");
    CHECK_INT(ask(RULE_RISK, "{\"amount\":5}")->err, E_SCRIPT); /* not allowed, and not asked on */
    CHECK_STR(str_of(got.path), "rules/risk/a.lua");
}

static void a_route_is_read(void **state) {
    (void)state;
    RULES("rules/routing/a.lua",
          "kind = 'routing', route = function(p) return { 'bni_va', 'midtrans_bni_va', on = { "
          "'BANK_UNAVAILABLE', 'PROVIDER_ERROR' } } end");
    const struct rule_answer *a = ask(RULE_ROUTING, "{}");
    CHECK_INT(a->err, 0);
    CHECK_INT(a->route.count, 2);
    CHECK_STR(str_of(a->route.channels[1]), "midtrans_bni_va");
    CHECK(a->route.on ==
          (UINT64_C(1) << PROBLEM_BANK_UNAVAILABLE | UINT64_C(1) << PROBLEM_PROVIDER_ERROR));
}

/* Three gateways have some twenty virtual accounts between them. */
static void a_route_may_be_long(void **state) {
    (void)state;
    RULES("rules/routing/a.lua",
          "kind = 'routing', route = function(p) local r = {} for i = 1, p.amount do r[i] = 'c' .. "
          "i end return r end");
    const struct rule_answer *a = ask(RULE_ROUTING, "{\"amount\":64}");
    CHECK_INT(a->err, 0);
    CHECK_INT(a->route.count, 64);
    CHECK_STR(str_of(a->route.channels[63]), "c64");
    CHECK_INT(ask(RULE_ROUTING, "{\"amount\":65}")->err, E_SCRIPT);
}

static void a_policy_is_of_one_kind_of_money(void **state) {
    (void)state;
    RULES("rules/policy/late.lua",
          "kind = 'policy', on = 'late', decide = function(m) return m.days_late <= 1 and 'accept' "
          "or 'refund' end");
    CHECK_INT(ask(RULE_POLICY, "{\"on\":\"late\",\"days_late\":1}")->action, ACTION_ACCEPT);
    CHECK_INT(ask(RULE_POLICY, "{\"on\":\"late\",\"days_late\":2}")->action, ACTION_REFUND);
    CHECK_INT(ask(RULE_POLICY, "{\"on\":\"over\",\"days_late\":0}")->action, ACTION_WAIT);
    CHECK_STR(str_of(got.path), "");
}

/* A rule that fails decides nothing, and says what was wrong. */
static void what_does_not_fit_is_the_rules_error(void **state) {
    (void)state;
    static const struct {
        enum manifest_rule rule;
        const char *body, *what;
    } CASES[] = {
        {RULE_FEE, "return", "a fee is {"},
        {RULE_FEE, "return { lines = {} }", "bearer: expected"},
        {RULE_FEE, "return { bearer = 'shop', lines = {} }", "bearer: expected"},
        {RULE_FEE, "return { bearer = 'merchant' }", "lines: expected"},
        {RULE_FEE, "return { bearer = 'merchant', lines = {}, line = 1 }", "no field line"},
        {RULE_FEE, "return { bearer = 'merchant', lines = { { 'a', 1.5 } } }", "is an integer"},
        {RULE_FEE, "return { bearer = 'merchant', lines = { { 'a', 2.0 } } }", "is an integer"},
        {RULE_FEE, "return { bearer = 'merchant', lines = { { 'a', '2' } } }", "is an integer"},
        {RULE_FEE, "return { bearer = 'merchant', lines = { { 'a', -1 } } }", "is an integer"},
        {RULE_FEE, "return { bearer = 'merchant', lines = { { 'A', 1 } } }", "the name is"},
        {RULE_FEE, "return { bearer = 'merchant', lines = { { 'a', 1 }, { 'a', 1 } } }", "twice"},
        {RULE_FEE, "return { bearer = 'merchant', lines = { { 'a', 1, x = 2 } } }", "no field x"},
        {RULE_FEE,
         "return { bearer = 'merchant', lines = { { 'a', math.maxinteger }, { 'b', 1 } } }",
         "too large"},
        {RULE_FEE,
         "local t = {} for i = 1, 9 do t[i] = { 'a' .. i, 1 } end return { bearer = 'merchant', "
         "lines = t }",
         "at most 8"},
        {RULE_FEE, "while true do end", "budget"},
        {RULE_FEE, "error 'oh'", "oh"},
        {RULE_ROUTING, "return 'bni_va'", "a route is"},
        {RULE_ROUTING, "return { 'a', 'a' }", "twice"},
        {RULE_ROUTING, "return { 7 }", "channel 1"},
        {RULE_ROUTING, "return { 'a', on = { 'NOPE' } }", "on[1]"},
        {RULE_ROUTING, "return { 'a', on = { 'NOT_FOUND' } }", "on[1]"},
        {RULE_RISK, "return true", "a judgement is"},
        {RULE_RISK, "return { why = 'x' }", "a judgement is"},
        {RULE_POLICY, "return 'keep'", "a policy is"},
        {RULE_POLICY, "return", "a policy is"},
    };
    static const char *const NAMES[] = {[RULE_FEE] = "fee",
                                        [RULE_ROUTING] = "routing",
                                        [RULE_RISK] = "risk",
                                        [RULE_POLICY] = "policy"};
    static const char *const ENTRIES[] = {[RULE_FEE] = "fee",
                                          [RULE_ROUTING] = "route",
                                          [RULE_RISK] = "judge",
                                          [RULE_POLICY] = "decide"};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char text[1024];
        enum manifest_rule rule = CASES[i].rule;
        snprintf(text, sizeof text, "kind = '%s', %s %s = function(p) %s end", NAMES[rule],
                 rule == RULE_POLICY ? "on = 'late'," : "", ENTRIES[rule], CASES[i].body);
        RULES("rules/x.lua", text);
        const struct rule_answer *a = ask(rule, "{\"on\":\"late\"}");
        CHECK(a->err == E_SCRIPT || a->err == E_BUDGET);
        if (strstr(a->text, CASES[i].what) == NULL) fail_msg("%s: %s", CASES[i].body, a->text);
        CHECK_STR(str_of(got.path), "rules/x.lua");
        if (rule == RULE_FEE) CHECK(a->fee.total == 0 && a->fee.count == 0);
        if (rule == RULE_ROUTING) CHECK(a->route.count == 0 && a->route.on == 0);
        if (rule == RULE_RISK) CHECK_INT(a->risk.verdict, VERDICT_ALLOW);
        if (rule == RULE_POLICY) CHECK_INT(a->action, ACTION_WAIT);
    }
}

static int64_t tried(struct script_set *in, struct version *trial, const char *facts) {
    memset(&got, 0, sizeof got);
    struct rule_question q = {
        .rule = RULE_FEE, .runtime = f.rt, .set = in, .trial = trial, .facts = str_of(facts)};
    CHECK_OK(rules_ask(&q, heard, NULL));
    loop_sim_run_for(f.loop, 10);
    return got.answer.fee.total;
}

static void a_rule_is_tried_in_its_place(void **state) {
    (void)state;
    RULES("rules/fees/a.lua", FEE("1") "priority = 1", "rules/fees/c.lua", FEE("3") "priority = 5");
    struct version *v = NULL;
    static const char *const TEXT = "return { api = 1, " FEE("9") "match = { method = 'card' }, "
                                                                  "priority = %d }";
    static const struct {
        const char *path;
        int priority;
        int64_t card, other, alone;
    } CASES[] = {
        {"rules/fees/b.lua", 5, 1, 1, 9}, /* it comes after the one that counts */
        {"rules/fees/b.lua", 0, 9, 1, 9}, /* before it, where it matches */
        {"rules/fees/a.lua", 1, 9, 3, 9}, /* in place of it: what it does not match goes on */
    };
    for (size_t i = 0; i < 3; i++) {
        char text[512];
        snprintf(text, sizeof text, TEXT, CASES[i].priority);
        CHECK_OK(texts_load(&v, KIND_RULE, CASES[i].path, text, NULL));
        CHECK_INT(tried(set, v, "{\"method\":\"card\"}"), CASES[i].card);
        CHECK_INT(tried(set, v, "{}"), CASES[i].other);
        CHECK_INT(tried(NULL, v, "{\"method\":\"card\"}"), CASES[i].alone);
        CHECK_INT(tried(NULL, v, "{}"), 0);
        version_drop(v);
    }
}

static void bad_facts_are_refused(void **state) {
    (void)state;
    RULES(NULL);
    struct rule_question q = {.rule = RULE_FEE, .runtime = f.rt, .set = set};
    static const char *const BAD[] = {"", "[]", "{", "7"};
    for (size_t i = 0; i < 4; i++) {
        q.facts = str_of(BAD[i]);
        CHECK(rules_ask(&q, heard, NULL) < 0);
    }
}

static void each_kind_has_its_folder(void **state) {
    (void)state;
    struct version *v = NULL;
    struct why why = {0};
    CHECK_ERR(
        texts_load(&v, KIND_RULE, "rules/risk/a.lua", "return { api = 1, " FEE("1") " }", &why),
        E_SCRIPT);
    CHECK(strstr(why.text, "kind: expected \"risk\" in rules/risk/") != NULL);
    CHECK_OK(texts_load(&v, KIND_RULE, "rules/policy/holidays.lua",
                        "return { api = 1, kind = 'holidays', days = { '2026-03-20' } }", &why));
    struct script_entry entry = {.version = v};
    CHECK_OK(script_set_new(&set, &entry, 1, 1));
    version_drop(v);
    CHECK(rules_holiday(set, STR("2026-03-20")));
    CHECK(!rules_holiday(set, STR("2026-03-21")));
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
static const struct CMUnitTest tests[] = {
    T(every_name_of_match_must_agree),
    T(priority_comes_before_the_file_name),
    T(days_are_inclusive),
    T(a_fee_is_read),
    T(no_rule_is_a_safe_answer),
    T(risk_asks_all_until_one_objects),
    T(a_route_is_read),
    T(a_route_may_be_long),
    T(a_policy_is_of_one_kind_of_money),
    T(what_does_not_fit_is_the_rules_error),
    T(a_rule_is_tried_in_its_place),
    T(bad_facts_are_refused),
    T(each_kind_has_its_folder),
};
UNIT_MAIN("rules", tests)
