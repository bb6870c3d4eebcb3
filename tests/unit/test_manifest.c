/* The contracts of scripts: the examples of the script reference are read as they stand there, and
 * each slip is named with line, field, what was expected and what was found. */
#include "base/mem.h"
#include "script/manifest.h"
#include "script_texts.h"
#include "unit.h"

#include <stdio.h>

#define CHANNEL_HEAD                                                                            \
    "return {\n  api = 1, title = 'BNI', provider = 'bni', method = 'virtual_account', bank = " \
    "'bni',\n  effect = 'offer',\n  create = function() end, inquire = function() end,\n"

static struct version *load(enum script_kind kind, const char *text) {
    struct version *v = NULL;
    struct why why = {0};
    int err = texts_load(&v, kind, "s.lua", text, &why);
    if (err != 0) fail_msg("%s", why.text);
    return v;
}

static void refused(enum script_kind kind, const char *text, const char *what) {
    struct version *v = NULL;
    struct why why = {0};
    if (texts_load(&v, kind, "s.lua", text, &why) == 0) fail_msg("taken: %s", text);
    if (str_search(str_of(why.text), str_of(what)) < 0)
        fail_msg("expected \"%s\", got \"%s\"", what, why.text);
}

static void a_channel_is_read(void **state) {
    (void)state;
    struct version *v = load(
        KIND_CHANNEL, CHANNEL_HEAD
        "  limits = { min = 10000, max = 50000000 }, expires = { default = '24h', max = '30d', "
        "grace = '15m' },\n"
        "  hosts = { sandbox = 'a.example', production = { 'b.example', 'c.example' } },\n"
        "  config = { client_id = 'BNI_CLIENT_ID', key = secret 'BNI_SECRET_KEY' },\n"
        "  input = { phone = { type = 'string', required = true } },\n"
        "  poll = { first = '5m', factor = 2, max = '1h' }, lookup = 'ours', amounts = 'open',\n"
        "  unresolved = { ask = '15s', tries = 4, then_ = 'reverse' },\n"
        "  routes = { ['POST /v1.0/transfer-va/inquiry'] = function() end },\n"
        "  notify = function() end, docs = { keys = { b = 'x', a = { 1, 2 } } } }");
    const struct manifest *m = v->manifest;
    CHECK_STR(str_of(m->provider), "bni");
    CHECK_STR(str_of(m->method), "virtual_account");
    CHECK_INT(m->effect, EFFECT_OFFER);
    CHECK_INT(m->limits.min, 10000);
    CHECK_INT(m->limits.max, 50000000);
    CHECK_INT(m->expires.default_ms, 86400000);
    CHECK_INT(m->expires.max_ms, INT64_C(30) * 86400000);
    CHECK_INT(m->expires.grace_ms, 900000);
    CHECK_STR(str_of(manifest_pair(&m->hosts, "sandbox")), "a.example");
    CHECK_INT(m->hosts.count, 3);
    CHECK_INT(m->config.count, 2);
    for (size_t i = 0; i < 2; i++) {
        bool key = strcmp(m->config.at[i].name, "key") == 0;
        CHECK(m->config.at[i].secret == key);
        CHECK_STR(str_of(m->config.at[i].key), key ? "BNI_SECRET_KEY" : "BNI_CLIENT_ID");
    }
    CHECK_INT(m->poll.first_ms, 300000);
    CHECK_INT(m->poll.factor_milli, 2000);
    CHECK_INT(m->poll.max_ms, 3600000);
    CHECK_INT(m->lookup, LOOKUP_OURS);
    CHECK_INT(m->amounts, AMOUNTS_OPEN);
    CHECK_INT(m->unresolved.ask_ms, 15000);
    CHECK_INT(m->unresolved.tries, 4);
    CHECK_STR(str_of(m->unresolved.then), "reverse");
    CHECK_INT(m->routes.count, 1);
    CHECK_STR(str_of(m->routes.at[0].method), "POST");
    CHECK_STR(str_of(m->routes.at[0].path), "/v1.0/transfer-va/inquiry");
    CHECK(manifest_has(m, "create") && manifest_has(m, "notify") && !manifest_has(m, "refund"));
    CHECK_STR(str_of(m->docs), "{\"keys\":{\"a\":[1,2],\"b\":\"x\"}}");
    CHECK_INT(m->inputs.count, 1);
    CHECK_STR(str_of(m->inputs.at[0].name), "phone");
    CHECK_INT(m->inputs.at[0].type, INPUT_STRING);
    CHECK(m->inputs.at[0].required);
    version_drop(v);
}

static void none_needs_a_report(void **state) {
    (void)state;
    const char *head = "return { api = 1, title = 'x', provider = 'p', method = 'qris', effect = "
                       "'charge', create = function() end, inquire = none 'no way to ask'";
    char text[512];
    snprintf(text, sizeof text, "%s, report = function() end }", head);
    struct version *v = load(KIND_CHANNEL, text);
    CHECK_STR(str_of(manifest_pair(&v->manifest->none, "inquire")), "no way to ask");
    version_drop(v);
    snprintf(text, sizeof text, "%s }", head);
    refused(KIND_CHANNEL, text, "none needs a `report` function");
}

static void slips_in_a_channel_are_named(void **state) {
    (void)state;
    static const struct {
        const char *more, *what;
    } cases[] = {
        {"inqiure = 1 }", "s.lua:5: inqiure: there is no such field; did you mean \"inquire\"?"},
        {"zzzzzz = 1 }", "s.lua:5: zzzzzz: there is no such field; take it out"},
        {"limits = { min = '10' } }", "limits.min: expected an integer, found \"10\""},
        {"limits = { min = 1.5 } }", "limits.min: expected an integer, found number"},
        {"limits = { min = 5, max = 4 } }",
         "limits.min: expected no more than limits.max (4), found 5"},
        {"limits = { mim = 5 } }", "limits.mim: there is no such field; did you mean \"min\"?"},
        {"limits = 5 }", "limits: expected a table, found 5"},
        {"input = { 'phone' } }", "input: expected names of fields"},
        {"input = { phone = { required = true } } }", "input.phone: expected type = \"string\""},
        {"input = { phone = { type = 'text' } } }", "input.phone: expected type = \"string\""},
        {"input = { phone = { type = 'string', requird = true } } }",
         "input.phone: expected type = a text, required = true or false"},
        {"expires = { default = '24' } }", "expires.default: \"24\" is no duration"},
        {"expires = { default = '2d', max = '1d' } }", "must not be longer than expires.max"},
        {"hosts = { prod = 'x' } }", "hosts: expected names out of"},
        {"hosts = { production = 5 } }", "hosts.production: expected a text"},
        {"config = { key = 'OTHER_KEY' } }",
         "config.key: expected a key that begins with the provider"},
        {"config = { key = 'bni_key' } }", "config.key: expected a configuration key"},
        {"config = { key = secret 'XENDIT_KEY' } }", "begins with the provider's name (bni_...)"},
        {"poll = { first = '5m', factor = 0.5 } }", "poll: factor: from 1 to 100"},
        {"poll = { factor = 2 } }", "poll.first: is missing"},
        {"poll = { first = '5m', tries = 9 } }", "poll.tries: there is no such field"},
        {"lookup = 'our' }",
         "lookup: expected \"ours\" or \"theirs\" (did you mean \"ours\"?), found \"our\""},
        {"routes = { ['POST /x/:id'] = function() end } }", "expected an exact path"},
        {"routes = { ['FETCH /x'] = function() end } }", "expected a method of GET"},
        {"routes = { ['POST x'] = function() end } }", "begins with /"},
        {"routes = { ['POST /x'] = 1 } }", "\"POST /x\": expected a function, found 1"},
        {"timeout = '91s' }", "timeout: at most 90s"},
        {"refund = 'yes' }", "refund: expected a function, found \"yes\""},
        {"docs = { f = function() end } }", "docs: a document holds texts"},
        {"[1] = 5 }", "expected named fields only"},
        {"bank = 'B N I' }", "bank: expected a name of a-z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%s%s", CHANNEL_HEAD, cases[i].more);
        refused(KIND_CHANNEL, text, cases[i].what);
    }
    refused(KIND_CHANNEL, "return 5", "a script returns a table, this one returned number");
    refused(KIND_CHANNEL, "", "a script returns a table, this one returned nil");
    refused(KIND_CHANNEL, "return {}", "api: is missing");
    refused(KIND_CHANNEL,
            "return { api = 2, title = 'x', provider = 'p', method = 'qris', effect = "
            "'offer', create = type, inquire = type }",
            "api: expected 1, found 2");
    refused(KIND_CHANNEL, "error 'boom'", "s.lua:1: boom");
    refused(KIND_CHANNEL, "while true do end", "s.lua:1: budget");
}

static void rules_of_each_kind_are_read(void **state) {
    (void)state;
    struct version *v = load(
        KIND_RULE,
        "return { api = 1, kind = 'fee', priority = 10, from = '2026-01-01', to = nil,\n"
        "match = { provider = 'midtrans', method = { 'card', 'qris' } }, fee = function(p) end }");
    CHECK_INT(v->manifest->rule, RULE_FEE);
    CHECK_INT(v->manifest->priority, 10);
    CHECK_STR(str_of(v->manifest->from), "2026-01-01");
    CHECK(v->manifest->to == NULL);
    CHECK_INT(v->manifest->match.count, 3);
    version_drop(v);
    v = load(KIND_RULE, "return { api = 1, kind = 'risk', facts = { 'payments_per_customer_1h' }, "
                        "judge = function(p) end }");
    CHECK_INT(v->manifest->facts.count, 1);
    version_drop(v);
    v = load(KIND_RULE,
             "return { api = 1, kind = 'policy', on = 'late', decide = function(m) end }");
    CHECK_STR(str_of(v->manifest->on), "late");
    version_drop(v);
    v = load(KIND_RULE, "return { api = 1, kind = 'routing', match = { method = 'qris' }, route = "
                        "function(p) end }");
    version_drop(v);
    refused(KIND_RULE, "return { api = 1, kind = 'fee' }", "fee: is missing");
    refused(KIND_RULE, "return { api = 1, kind = 'fee', fee = type, judge = type }",
            "judge: there is no such field");
    refused(KIND_RULE, "return { api = 1, kind = 'feee', fee = type }", "did you mean \"fee\"?");
    refused(KIND_RULE, "return { api = 1, kind = 'fee', fee = type, from = '2026-02-29' }",
            "from: expected a day");
    refused(KIND_RULE,
            "return { api = 1, kind = 'fee', fee = type, from = '2026-03-01', to = '2026-02-01' }",
            "to: expected a day not before");
    refused(KIND_RULE, "return { api = 1, kind = 'fee', fee = type, match = { metod = 'x' } }",
            "match: expected names out of");
}

static void jobs_are_read(void **state) {
    (void)state;
    struct version *v = load(
        KIND_JOB,
        "return { api = 1, every = '1d at 01:00', kind = 'repeatable', run = function(job) end }");
    CHECK_INT(v->manifest->every.period_ms, DAY_MS);
    CHECK_INT(v->manifest->every.offset_ms, 3600000);
    CHECK_INT(v->manifest->job, JOB_REPEATABLE);
    version_drop(v);
    v = load(KIND_JOB, "return { api = 1, kind = 'once', run = type, lost = type, backoff = { "
                       "first = '5s', factor = 5, tries = 4, jitter = 0.1 } }");
    CHECK_INT(v->manifest->job, JOB_ONCE);
    CHECK_INT(v->manifest->backoff.tries, 4);
    CHECK_INT(v->manifest->backoff.jitter_milli, 100);
    version_drop(v);
    refused(KIND_JOB, "return { api = 1, kind = 'once', run = type }", "lost: is missing");
    refused(KIND_JOB, "return { api = 1, kind = 'repeatable', every = '5 minutes', run = type }",
            "every: \"5 minutes\" is no duration");
    refused(KIND_JOB,
            "return { api = 1, kind = 'repeatable', run = type, backoff = { first = '5s', tries = "
            "0 } }",
            "backoff.tries: expected a whole number from 1 on, found 0");
}

static void routes_of_apis_are_read(void **state) {
    (void)state;
    struct version *v = load(KIND_API, "return { api = 1, routes = { ['GET /v1/payments/:id'] = { "
                                       "auth = 'merchant', timeout = '15s', run = type } } }");
    const struct manifest_route *r = &v->manifest->routes.at[0];
    CHECK_INT(r->auth, AUTH_MERCHANT);
    CHECK_INT(r->timeout_ms, 15000);
    CHECK(r->has_run);
    CHECK_STR(str_of(r->key), "GET /v1/payments/:id");
    version_drop(v);
    v = load(KIND_API, "return { api = 1, routes = { ['GET /x'] = { auth = 'none', timeout = "
                       "'10m', run = type } } }");
    CHECK_INT(v->manifest->routes.at[0].timeout_ms, 600000);
    version_drop(v);
    /* 50 days are more milliseconds than 32 bits count */
    refused(KIND_API,
            "return { api = 1, routes = { ['GET /x'] = { auth = 'none', timeout = '50d', run = "
            "type } } }",
            "\"GET /x\": timeout: at most 10m, found 50d");
    refused(KIND_API, "return { api = 1, routes = { ['GET /x'] = { run = type } } }", "auth =");
    refused(KIND_API,
            "return { api = 1, routes = { ['GET /x'] = { auth = 'anyone', run = type } } }",
            "found \"anyone\"");
    refused(KIND_API, "return { api = 1, routes = { ['GET /x'] = { auth = 'none' } } }",
            "run = a function");
    refused(KIND_API, "return { api = 1, routes = { ['GET /x'] = type } }", "{ auth =, run = }");
    refused(KIND_API,
            "return { api = 1, routes = { ['GET /x'] = { auth = 'none', run = type, fast = 1 } } }",
            "found fast");
    refused(KIND_API,
            "return { api = 1, routes = { ['GET /:a/:b/:c/:d/:e/:f/:g/:h/:i'] ="
            " { auth = 'none', run = type } } }",
            "8 of them :names");
    refused(KIND_API,
            "local p = ('/x'):rep(33) return { api = 1, routes = { ['GET ' .. p] ="
            " { auth = 'none', run = type } } }",
            "32 parts");
    refused(KIND_API,
            "local p = '/' .. ('x'):rep(4100) return { api = 1, routes = { ['GET ' .. p] ="
            " { auth = 'none', run = type } } }",
            "is no route");
    refused(KIND_API,
            "return { api = 1, routes = { ['GET /a/..'] = { auth = 'none', run = type } } }",
            "is no route");
    refused(KIND_API,
            "return { api = 1, routes = { ['GET /:a/:a'] = { auth = 'none', run = type } } }",
            "is no route");
    version_drop(load(KIND_API, "return { api = 1, routes = { ['GET /f/*rest'] = { auth = 'none', "
                                "run = type } } }"));
    refused(KIND_API,
            "return { api = 1, routes = { ['GET /a//b'] = { auth = 'none', run = type } } }",
            "no empty part");
}

static void the_other_kinds_are_read(void **state) {
    (void)state;
    struct version *v = load(
        KIND_BILLER, "return { api = 1, family = 'BPJS', upstream = 'digiflazz', inquiry = type, "
                     "pay = type, advice = type, config = { k = secret 'DIGIFLAZZ_KEY' } }");
    CHECK_STR(str_of(v->manifest->upstream), "digiflazz");
    version_drop(v);
    v = load(KIND_TOOL, "return { api = 1, about = 'imports', args = { { 'file', 'path', doc = 'a "
                        "CSV' }, { 'limit', 'int', default = 10 } }, run = type }");
    CHECK_INT(v->manifest->args.count, 2);
    CHECK_STR(str_of(v->manifest->args.at[0].type), "path");
    CHECK(v->manifest->args.at[0].fallback == NULL);
    CHECK_STR(str_of(v->manifest->args.at[1].fallback), "10");
    version_drop(v);
    v = load(KIND_MIGRATION, "return { up = function(db) end }");
    CHECK(manifest_has(v->manifest, "up"));
    version_drop(v);
    v = load(KIND_SANDBOX, "return { api = 1, routes = { ['GET /v2/:id/status'] = type } }");
    version_drop(v);
    v = load(KIND_SANDBOX,
             "return { api = 1, routes = { ['POST /invoices/:id/expire!'] = type } }");
    version_drop(v);
    refused(KIND_TOOL, "return { api = 1, about = 'x', args = { { 'file', 'pth' } }, run = type }",
            "args: argument 1");
    refused(KIND_MIGRATION, "return { down = type, up = type }", "down: there is no such field");
}

#ifdef LUWAK_FAULTS
static void memory_can_fail_anywhere(void **state) {
    (void)state;
    const char *text = CHANNEL_HEAD
        "hosts = { sandbox = { 'a', 'b', 'c' } }, config = { k = secret 'BNI_K' }, docs = { 1, { a "
        "= 2 } },"
        " routes = { ['POST /x'] = type, ['POST /y'] = type, ['POST /z'] = type } }";
    int64_t before = mem_live();
    for (uint64_t nth = 1;; nth++) {
        struct version *v = NULL;
        struct why why = {0};
        mem_fail_at(nth, 0);
        int err = texts_load(&v, KIND_CHANNEL, "s.lua", text, &why);
        int failed = mem_has_failed();
        mem_fail_at(0, 0);
        if (err == 0) {
            CHECK_INT(v->manifest->routes.count, 3);
            version_drop(v);
        } else if (!failed)
            fail_msg("%s", why.text);
        CHECK_INT(mem_live(), before);
        if (!failed) break;
    }
}
#endif

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(a_channel_is_read),
    cmocka_unit_test(none_needs_a_report),
    cmocka_unit_test(slips_in_a_channel_are_named),
    cmocka_unit_test(rules_of_each_kind_are_read),
    cmocka_unit_test(jobs_are_read),
    cmocka_unit_test(routes_of_apis_are_read),
    cmocka_unit_test(the_other_kinds_are_read),
#ifdef LUWAK_FAULTS
    cmocka_unit_test(memory_can_fail_anywhere),
#endif
};
UNIT_MAIN("manifest", TESTS)
