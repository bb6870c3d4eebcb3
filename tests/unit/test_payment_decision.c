/* What a channel says about an attempt, as the core takes it. */
#include "payment/payment_decision.h"
#include "script/dispatch.h"
#include "unit.h"

#include <stdio.h>

static const struct manifest BNI = {.kind = KIND_CHANNEL, .bank = "bni"};
static struct payment_decision d;

static void read_as(enum operation_state to, const char *result) {
    char doc[1024];
    struct why why = {0};
    snprintf(doc, sizeof doc, "{\"input\":{},\"result\":%s}", result);
    if (payment_decision_read(&d, to, str_of(doc), &BNI, STR("ord-1"), &why) != 0)
        fail_msg("%s: %s", result, why.text);
}

static void instructs(const char *result, const char *instructions) {
    read_as(OPERATION_PENDING, result);
    CHECK_STR(d.result.instructions, instructions);
    payment_decision_free(&d);
}

static void each_way_to_pay_has_its_instructions(void **state) {
    (void)state;
    instructs("{\"va_number\":\"8800123\"}",
              "{\"type\":\"va_number\",\"bank\":\"bni\",\"va_number\":\"8800123\"}");
    instructs("{\"va_number\":\"1\",\"bank\":\"permata\"}",
              "{\"type\":\"va_number\",\"bank\":\"permata\",\"va_number\":\"1\"}");
    instructs("{\"biller_code\":\"70012\",\"bill_key\":\"9\"}",
              "{\"type\":\"bill\",\"bill_key\":\"9\",\"biller_code\":\"70012\"}");
    instructs("{\"outlet\":\"indomaret\",\"payment_code\":\"77\"}",
              "{\"type\":\"retail\",\"payment_code\":\"77\",\"outlet\":\"indomaret\"}");
    instructs("{\"qr_string\":\"0002\"}", "{\"type\":\"qr\",\"qr_string\":\"0002\"}");
    instructs("{\"redirect_url\":\"https://a.example/\",\"deeplink_url\":\"gojek://x\"}",
              "{\"type\":\"redirect\",\"redirect_url\":\"https://a.example/\",\"deeplink_url\":"
              "\"gojek://x\"}");
    instructs("{\"form\":{\"url\":\"https://a.example/\",\"fields\":{\"a\":\"b\"}}}",
              "{\"type\":\"form_post\",\"url\":\"https://a.example/\",\"fields\":{\"a\":\"b\"}}");
    instructs("{\"account_number\":\"123\",\"account_holder\":\"PT\",\"unique_code\":7,"
              "\"amount_to_transfer\":10007}",
              "{\"type\":\"transfer\",\"bank\":\"bni\",\"account_number\":\"123\","
              "\"account_holder\":\"PT\",\"unique_code\":7,\"amount_to_transfer\":10007}");
    instructs("{\"push\":\"open the app\"}", "{\"type\":\"push\",\"message\":\"open the app\"}");
    instructs("{}", "");
}

static void refuses(const char *result, const char *text) {
    char doc[1024];
    struct why why = {0};
    snprintf(doc, sizeof doc, "{\"input\":{},\"result\":%s}", result);
    CHECK_ERR(payment_decision_read(&d, OPERATION_SUCCESS, str_of(doc), &BNI, STR("ord-1"), &why),
              E_SCRIPT);
    CHECK_STR(str_of(why.text), text);
    payment_decision_free(&d);
}

static void no_money_and_no_time_are_refused(void **state) {
    (void)state;
    refuses("{\"amount\":0}", "the decision's amount is 0: nobody has paid");
    refuses("{\"amount\":1000000000000001}", "the decision's amount is more than there is");
    refuses("{\"amount\":1,\"paid_at\":9223372036854775807}",
            "the decision's paid_at is no time up to the year 9999");
    read_as(OPERATION_SUCCESS, "{\"amount\":1,\"paid_at\":253402300799999}");
    payment_decision_free(&d);
}

static void what_it_is_found_by_is_kept(void **state) {
    (void)state;
    read_as(OPERATION_PENDING, "{\"reference\":\"theirs\",\"va_number\":\"88\",\"keys\":{\"token\":"
                               "\"t\"},\"expires_at\":5}");
    CHECK_INT(d.result.key_count, 3);
    CHECK_STR(d.result.keys[0].kind, "reference");
    CHECK(d.result.keys[0].unique && !d.result.keys[1].unique && d.result.keys[2].unique);
    CHECK_STR(d.result.keys[1].value, "88");
    CHECK_STR(d.result.keys[2].kind, "token");
    CHECK_INT(d.result.expires_at, 5);
    payment_decision_free(&d);
    read_as(OPERATION_PENDING, "{\"reference\":\"ord-1\"}"); /* ours: known by it anyway */
    CHECK_INT(d.result.key_count, 0);
    payment_decision_free(&d);
}

static void a_failure_has_a_category(void **state) {
    (void)state;
    read_as(OPERATION_FAILED, "{\"category\":\"BANK_UNAVAILABLE\",\"code\":\"5xx\",\"message\":"
                              "\"later\",\"final\":false}");
    CHECK_INT(d.code, PROBLEM_BANK_UNAVAILABLE);
    CHECK_STR(d.result.code, "BANK_UNAVAILABLE");
    CHECK_STR(d.result.provider_code, "5xx");
    CHECK(!d.final);
    payment_decision_free(&d);
    read_as(OPERATION_FAILED, "{}");
    CHECK_STR(d.result.code, "PROVIDER_ERROR");
    CHECK(d.final);
    payment_decision_free(&d);
}

static void rubbish_is_no_decision(void **state) {
    (void)state;
    static const struct {
        enum operation_state to;
        const char *result, *field;
    } CASES[] = {
        {OPERATION_PENDING, "{\"va_number\":7}", "va_number"},
        {OPERATION_PENDING, "{\"va_number\":\"\"}", "va_number"},
        {OPERATION_PENDING, "{\"form\":\"x\"}", "form"},
        {OPERATION_PENDING, "{\"expires_at\":\"soon\"}", "expires_at"},
        {OPERATION_PENDING, "{\"expires_at\":1.5}", "expires_at"},
        {OPERATION_PENDING, "{\"reference\":7}", "reference"},
        {OPERATION_PENDING, "{\"keys\":[\"a\"]}", "keys"},
        {OPERATION_SUCCESS, "{\"amount\":-1}", "amount"},
        {OPERATION_SUCCESS, "{\"money_id\":{}}", "money_id"},
        {OPERATION_FAILED, "{\"category\":\"OOPS\"}", "category"},
        {OPERATION_FAILED, "{\"category\":\"NOT_FOUND\"}", "category"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char doc[256];
        struct why why = {0};
        snprintf(doc, sizeof doc, "{\"result\":%s}", CASES[i].result);
        CHECK_ERR(payment_decision_read(&d, CASES[i].to, str_of(doc), &BNI, STR("r"), &why),
                  E_SCRIPT);
        if (strstr(why.text, CASES[i].field) == NULL) fail_msg("%s: %s", doc, why.text);
        payment_decision_free(&d);
    }
}

/* A channel that says what nobody can read, after its request left: no answer, never "failed". */
static void what_does_not_read_is_unknown(void **state) {
    (void)state;
    struct manifest manifest = BNI;
    struct version channel = {.path = "channels/x.lua", .manifest = &manifest};
    static const struct {
        bool sent, decided;
        enum operation_state to;
    } CASES[] = {
        {true, true, OPERATION_UNKNOWN},
        {true, false, OPERATION_UNKNOWN},
        {false, true, OPERATION_UNKNOWN},
        {false, false, OPERATION_FAILED}, /* proven: before the first byte */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct operation_decision said = {.sent = CASES[i].sent,
                                          .decided = CASES[i].decided,
                                          .to = OPERATION_SUCCESS,
                                          .doc = STR("{\"result\":{\"amount\":\"much\"}}")};
        payment_decision_take(&d, &said, &channel, STR("ord-1"));
        CHECK_INT(d.result.to, CASES[i].to);
        payment_decision_free(&d);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_does_not_read_is_unknown),
    cmocka_unit_test(each_way_to_pay_has_its_instructions),
    cmocka_unit_test(no_money_and_no_time_are_refused),
    cmocka_unit_test(what_it_is_found_by_is_kept),
    cmocka_unit_test(a_failure_has_a_category),
    cmocka_unit_test(rubbish_is_no_decision),
};
UNIT_MAIN("payment_decision", tests)
