/* The create request, field by field: what the contract takes, and what it refuses with which name. */
#include "payment/payment_request.h"
#include "unit.h"

#include <stdio.h>

#define HEAD "{\"order_id\":\"o-1\",\"amount\":150000"

static void taken(const char *body) {
    struct payment_request r;
    struct refusal fault = {0};
    if (payment_request_read(&r, str_of(body), &fault) != 0)
        fail_msg("%s: %s %s", body, fault.param, fault.text);
    payment_request_free(&r);
}

static void refused(const char *body, const char *param) {
    struct payment_request r;
    struct refusal fault = {0};
    if (payment_request_read(&r, str_of(body), &fault) == 0) fail_msg("taken: %s", body);
    CHECK_INT(fault.code, PROBLEM_INVALID_REQUEST);
    if (strcmp(fault.param, param) != 0)
        fail_msg("%s: expected %s, got %s (%s)", body, param, fault.param, fault.text);
    CHECK(fault.text[0] != '\0');
}

static void everything_is_read(void **state) {
    (void)state;
    struct payment_request r;
    struct refusal fault = {0};
    CHECK_OK(payment_request_read(
        &r,
        STR(HEAD ",\"currency\":\"IDR\",\"method\":\"virtual_account\",\"bank\":\"bca\","
                 "\"channel\":\"midtrans_bca_va\",\"customer\":{\"name\":\"Budi\",\"email\":\"b@x."
                 "id\",\"phone\":\"+62 812-3456-7890\"},\"items\":[{\"name\":\"Kopi\",\"price\":"
                 "75000,\"quantity\":2}],\"options\":{\"x\":1},\"expires_in\":3600,\"return_urls\":"
                 "{\"success\":\"https://shop.example/ok#x\"},\"description\":\"Kopi luwak\","
                 "\"metadata\":{\"cart\":\"7\",\"n\":2,\"gift\":true}}"),
        &fault));
    CHECK_STR(r.order_id, "o-1");
    CHECK_INT(r.amount, 150000);
    CHECK_STR(r.method, "virtual_account");
    CHECK_STR(r.channel, "midtrans_bca_va");
    CHECK_INT(r.expires_in, 3600);
    CHECK(r.customer != NULL && r.items != NULL && r.options != NULL && r.metadata != NULL);
    payment_request_free(&r);
    CHECK_OK(payment_request_read(&r, STR(HEAD ",\"bank\":null}"), &fault));
    CHECK_STR(r.currency, "IDR");
    CHECK(r.bank.n == 0 && r.customer == NULL && r.expires_in == 0);
    payment_request_free(&r);
    taken("{\"order_id\":\"4111111111111111\",\"amount\":1}"); /* a typed number */
    taken("{\"order_id\":\"pay_06h03mjmd0\",\"amount\":1}");
    taken(HEAD ",\"customer\":{\"phone\":\"4111111111111111\"}}");
}

static void each_slip_is_named(void **state) {
    (void)state;
    static const char *const CASES[][2] = {
        {"", ""},
        {"[]", ""},
        {"7", ""},
        {"{", ""},
        {"{}x", ""},
        {"{\"amount\":1}", "order_id"},
        {"{\"order_id\":\"pay_06h03mjmd0f8whbk6e3wd2yp14\",\"amount\":1}", "order_id"},
        {"{\"order_id\":\"a\"}", "amount"},
        {"{\"order_id\":null,\"amount\":1}", "order_id"},
        {"{\"order_id\":\"\",\"amount\":1}", "order_id"},
        {"{\"order_id\":\"a b\",\"amount\":1}", "order_id"},
        {"{\"order_id\":\"a\\n\",\"amount\":1}", "order_id"},
        {"{\"order_id\":\"\\u00e9\",\"amount\":1}", "order_id"},
        {"{\"order_id\":7,\"amount\":1}", "order_id"},
        {"{\"order_id\":\"a\",\"amount\":0}", "amount"},
        {"{\"order_id\":\"a\",\"amount\":-5}", "amount"},
        {"{\"order_id\":\"a\",\"amount\":150000.0}", "amount"},
        {"{\"order_id\":\"a\",\"amount\":1.5e5}", "amount"},
        {"{\"order_id\":\"a\",\"amount\":\"150000\"}", "amount"},
        {"{\"order_id\":\"a\",\"amount\":99999999999999999999}", "amount"},
        {"{\"order_id\":\"a\",\"amount\":1000000000001}", "amount"},
        {"{\"order_id\":\"a\",\"amount\":true}", "amount"},
        {"{\"order_id\":\"a\",\"amount\":1,\"amount\":2}", ""},
        {HEAD ",\"currency\":\"USD\"}", "currency"},
        {HEAD ",\"currency\":\"idr\"}", "currency"},
        {HEAD ",\"method\":\"va\"}", "method"},
        {HEAD ",\"method\":[]}", "method"},
        {HEAD ",\"bank\":\"BCA\"}", "bank"},
        {HEAD ",\"channel\":\"../x\"}", "channel"},
        {HEAD ",\"amout\":1}", "amout"},
        {HEAD ",\"customer\":\"Budi\"}", "customer"},
        {HEAD ",\"customer\":{\"nama\":\"Budi\"}}", "customer.nama"},
        {HEAD ",\"customer\":{\"email\":\"budi\"}}", "customer.email"},
        {HEAD ",\"customer\":{\"email\":\"b@c@d\"}}", "customer.email"},
        {HEAD ",\"customer\":{\"phone\":\"abcde\"}}", "customer.phone"},
        {HEAD ",\"customer\":{\"name\":\"a\\u0000b\"}}", "customer.name"},
        {HEAD ",\"items\":{}}", "items"},
        {HEAD ",\"items\":[1]}", "items[0]"},
        {HEAD
         ",\"items\":[{\"name\":\"a\",\"price\":1,\"quantity\":1},{\"name\":\"a\",\"price\":1}]}",
         "items[1].quantity"},
        {HEAD ",\"items\":[{\"name\":\"a\",\"price\":1.5,\"quantity\":1}]}", "items[0].price"},
        {HEAD ",\"options\":[]}", "options"},
        {HEAD ",\"expires_in\":0}", "expires_in"},
        {HEAD ",\"expires_in\":\"1h\"}", "expires_in"},
        {HEAD ",\"return_urls\":{\"success\":\"javascript:alert(1)\"}}", "return_urls.success"},
        {HEAD ",\"return_urls\":{\"done\":\"https://x.example\"}}", "return_urls.done"},
        {HEAD ",\"metadata\":{\"a\":{}}}", "metadata.a"},
        {HEAD ",\"metadata\":{\"\":1}}", "metadata."},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        refused(CASES[i][0], CASES[i][1]);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(everything_is_read),
    cmocka_unit_test(each_slip_is_named),
};
UNIT_MAIN("payment_request", tests)
