/* Problem documents: exact bytes, the code table of the contract, and text that cannot break out.
 */
#include "net/problem.h"
#include "unit.h"

static void is(struct problem p, const char *json) {
    struct buf out = {0};
    problem_write(&out, &p);
    CHECK_INT(out.err, 0);
    CHECK_STR(buf_str(&out), json);
    buf_free(&out);
}

static void shape(void **state) {
    (void)state;
    is((struct problem){.code = PROBLEM_NOT_FOUND,
                        .detail = STR("no such payment"),
                        .param = STR("id"),
                        .request_id = STR("req_1")},
       "{\"type\":\"/docs/errors#NOT_FOUND\",\"title\":\"Not found\",\"status\":404,"
       "\"code\":\"NOT_FOUND\",\"detail\":\"no such payment\",\"param\":\"id\","
       "\"request_id\":\"req_1\"}");
    is((struct problem){.code = PROBLEM_INVALID_STATE, .status = 410},
       "{\"type\":\"/docs/errors#INVALID_STATE\",\"title\":\"Not possible in this state\","
       "\"status\":410,\"code\":\"INVALID_STATE\"}");
    is((struct problem){0},
       "{\"type\":\"/docs/errors#INTERNAL_ERROR\",\"title\":\"Internal error\","
       "\"status\":500,\"code\":\"INTERNAL_ERROR\"}");
}

static void text_stays_text(void **state) {
    (void)state;
#define HEAD                                                                                \
    "{\"type\":\"/docs/errors#FORBIDDEN\",\"title\":\"Forbidden\",\"status\":403,\"code\":" \
    "\"FORBIDDEN\",\"detail\":"
    struct problem p = {.code = PROBLEM_FORBIDDEN};
    p.detail = STR("a\"b\\c\nd\x01\x7f");
    is(p, HEAD "\"a\\\"b\\\\c\\u000ad\\u0001\\u007f\"}");
    p.detail = STR("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
    is(p, HEAD "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"}");
    p.detail = STR(
        "\xc3 \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xff \xe0\x80\x80 \xf0\x80\x80\x80 \xe2\x82");
    is(p, HEAD "\"? ?? ??? ???? ? ??? ???? ??\"}");
}

/* contract.md, "Errors" */
static void table_of_the_contract(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int status;
    } CONTRACT[] = {
        {"UNAUTHORIZED", 401},
        {"FORBIDDEN", 403},
        {"NOT_FOUND", 404},
        {"INVALID_REQUEST", 400},
        {"INVALID_STATE", 409},
        {"IDEMPOTENCY_MISMATCH", 422},
        {"IDEMPOTENCY_IN_PROGRESS", 409},
        {"RATE_LIMITED", 429},
        {"UNAVAILABLE", 503},
        {"METHOD_NOT_ALLOWED", 405},
        {"REQUEST_TIMEOUT", 408},
        {"BODY_TOO_LARGE", 413},
        {"URI_TOO_LONG", 414},
        {"UNSUPPORTED_MEDIA_TYPE", 415},
        {"HEADERS_TOO_LARGE", 431},
        {"DUPLICATE_TRANSACTION", 409},
        {"LIMIT_EXCEEDED", 400},
        {"UNIQUE_CODES_EXHAUSTED", 503},
    };
    static const char *const ALSO[] = {
        "INSUFFICIENT_BALANCE", "CARD_DECLINED",  "INVALID_OTP",
        "BANK_UNAVAILABLE",     "TIMEOUT",        "FRAUD_DETECTED",
        "USER_CANCELLED",       "PROVIDER_ERROR", "UNAUTHORIZED_AT_PROVIDER"};
    for (size_t i = 0; i < sizeof CONTRACT / sizeof CONTRACT[0]; i++) {
        enum problem_code code = problem_find(str_of(CONTRACT[i].name));
        CHECK(code != PROBLEM_NONE);
        CHECK_INT(problem_status(code), CONTRACT[i].status);
        CHECK_STR(str_of(problem_name(code)), CONTRACT[i].name);
    }
    for (size_t i = 0; i < sizeof ALSO / sizeof ALSO[0]; i++)
        CHECK(problem_find(str_of(ALSO[i])) != PROBLEM_NONE);
    CHECK_INT(problem_find(STR("NO_SUCH_CODE")), PROBLEM_NONE);
    CHECK_INT(problem_find(STR("")), PROBLEM_NONE);
    static const int BY_STATUS[] = {401, 403, 404, 405, 408, 413, 414, 415, 429, 431, 500, 503};
    for (size_t i = 0; i < sizeof BY_STATUS / sizeof BY_STATUS[0]; i++)
        CHECK_INT(problem_status(problem_of_status(BY_STATUS[i])), BY_STATUS[i]);
    CHECK_INT(problem_of_status(417), PROBLEM_INVALID_REQUEST);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape),
        cmocka_unit_test(text_stays_text),
        cmocka_unit_test(table_of_the_contract),
    };
    return unit_main(argc, argv, "problem", tests, sizeof tests / sizeof tests[0]);
}
