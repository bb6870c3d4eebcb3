/* No card number passes the door, wherever it stands and however it is written; what only looks like
 * one in a field that is a number by its nature does. */
#include "base/ensure.h"
#include "base/mem.h"
#include "base/rng.h"
#include "net/card_door.h"
#include "unit.h"

#include <stdio.h>

#define CARD "4111111111111111"
#define JSON "application/json"
#define FORM "application/x-www-form-urlencoded"

static int look(struct http_exchange x, const char *param_name, const char *param_value,
                char param[CARD_PARAM_SIZE]) {
    struct route_match match = {.param_count = param_name != NULL};
    match.params[0] = (struct route_param){str_of(param_name), str_of(param_value)};
    return card_door_check(&x, &match, param);
}

static int body(const char *type, const char *text, char param[CARD_PARAM_SIZE]) {
    struct http_header header = {STR("content-type"), str_of(type)};
    return look((struct http_exchange){.headers = &header,
                                       .header_count = type != NULL,
                                       .body = str_of(text)},
                NULL, NULL, param);
}

static void bodies(void **state) {
    (void)state;
    static const struct {
        const char *type, *text, *param; /* param NULL: it passes */
    } cases[] = {
        {JSON, "{\"description\":\"pay with " CARD "\"}", "description"},
        {JSON, "{\"description\":\"4111 1111 1111 1111\"}", "description"},
        {JSON, "{\"description\":\"4111-1111-1111-1111\"}", "description"},
        {JSON, "{\"description\":\"\\u0034111111111111111\"}", "description"},
        {JSON, "{\"amount\":" CARD "}", "amount"},
        {JSON, "{\"amount\":" CARD ".0}", "amount"},
        {JSON, "{\"metadata\":{\"a\":{\"note\":\"" CARD "\"}},\"x\":1}", "metadata.a.note"},
        {JSON, "{\"x\":{\"y\":1},\"items\":[{\"name\":\"a\"},{\"name\":\"" CARD "\"}]}",
         "items.name"},
        {JSON, "{\"tags\":[\"a\",\"" CARD "\"]}", "tags"},
        {JSON, "{\"metadata\":{\"" CARD "\":1}}", "metadata"},
        {JSON, "{\"" CARD "\":1}", "body"},
        {JSON, "\"" CARD "\"", "body"},
        {JSON, CARD, "body"},
        {JSON, "[[" CARD "]]", "body"},
        {JSON, "{\"description\":\"" CARD, "body"}, /* cut short */
        {JSON, "{\"customer\":{\"phone\":\"1\",\"name\":\"" CARD "\"}}", "customer.name"},
        {JSON, "{\"order_id\":{\"note\":\"" CARD "\"}}", "order_id.note"},
        {JSON, "{\"order_id\":\"" CARD "\",\"description\":\"" CARD "\"}", "description"},
        {NULL, "{\"description\":\"" CARD "\"}", "description"},
        {NULL, "card " CARD, "body"},
        {"text/xml", "<a>" CARD "</a>", "body"},
        {FORM, "a=1&note=4111+1111+1111+1111", "note"},
        {FORM, "a=1&note=%34111111111111111", "note"},
        {FORM, CARD "=1", "body"}, /* begins like JSON */
        {FORM, "a=1&" CARD "=1", ""},
        {FORM, "order_id=" CARD "&note=%zz" CARD, "body"},
        {"Application/X-WWW-Form-Urlencoded; charset=utf-8", "note=4111%31111%31111%31111", "note"},
        {"text/plain", "note=%34111111111111111", "note"}, /* a handler may read it as a form */
        {NULL, "note=4111+1111+1111+1111", "note"},
        {NULL, "order_id=" CARD, "body"}, /* or as the text it is */
        {"text/plain", "ref=" CARD "%31", "body"},
        {JSON, "{\"metadata\":{\"x\":4.111111111111111e15}}", "metadata.x"}, /* a float to some */
        {JSON, "{\"x\":41111111111111110E-1}", "x"},
        {JSON, "{\"x\":[0.004111111111111111e+18]}", "x"},
        {JSON, "{\"phone\":\"&way=jenius&tag=$" CARD "&z\"}",
         "tag"}, /* a form, for who reads one */
        {JSON, "\"a&way=jenius&tag=$4%3111111111111111&z\"", "tag"},
        {FORM, "{\"phone\":\"&tag=$" CARD "&\"}", "tag"},
        {JSON, "{\"note\":\"4111  1111\\n1111 - 1111\"}", "note"},
        {FORM, "note=4111%C2%A01111%C2%A01111%C2%A01111", "note"},
        {FORM, "{\"note\":\"" CARD "\"}", "note"}, /* curl -d says form, and sends this */
        {"application/octet-stream", "{\"order_id\":\"" CARD "\"}", NULL},
        {JSON, "{\"order_id\":\"" CARD "\",\"orderId\":" CARD ",\"va_number\":\"" CARD "\"}", NULL},
        {JSON, "{\"customer\":{\"phone\":\"" CARD "\",\"nik\":\"" CARD "\"}}", NULL},
        {JSON, "{\"destination\":{\"account_number\":\"" CARD "\"},\"reference\":\"" CARD "\"}",
         NULL},
        {JSON, "{\"phone\":[\"" CARD "\"],\"bill_key\":\"" CARD "\"}", NULL},
        {JSON, "{\"order\\u005fid\":\"" CARD "\"}", NULL},
        {FORM, "order_id=" CARD "&va=" CARD, NULL},
        {"Application/X-WWW-Form-Urlencoded ; x=y", "order_id=" CARD, NULL},
        {JSON, "{\"x\":4.1e15,\"y\":1.5e3,\"z\":\"41e15\",\"u\":\"5e411111\"}", NULL},
        {JSON, "{\"customer\":{\"npwp\":\"" CARD "\"},\"credit_card\":{\"token_id\":\"" CARD "\"}}",
         NULL},
        {JSON, "{\"order_id\":\"" CARD "\",\"phone\":\"+6281\",\"url\":\"https://a/?b=%41&c=1\"}",
         NULL},
        {JSON, "{\"description\":\"4111111111111112\"}", NULL}, /* the check digit */
        {JSON, "{\"description\":\"8808411111111111\"}", NULL}, /* no issuer */
        {JSON, "{\"description\":\"91" CARD "\"}", NULL},       /* inside a longer number */
        {JSON, "{\"amount\":150000,\"a\":true,\"b\":null,\"c\":[],\"d\":{}}", NULL},
        {NULL, "", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char param[CARD_PARAM_SIZE];
        int err = body(cases[i].type, cases[i].text, param);
        if (err != (cases[i].param == NULL ? 0 : E_DENIED) ||
            strcmp(param, cases[i].param == NULL ? "" : cases[i].param) != 0)
            fail_msg("%s: got %d \"%s\"", cases[i].text, err, param);
    }
}

static void paths_queries_and_headers(void **state) {
    (void)state;
    char param[CARD_PARAM_SIZE];
    struct http_exchange x = {0};
    CHECK_ERR(look(x, "id", CARD, param), E_DENIED);
    CHECK_STR(str_of(param), "id");
    CHECK_ERR(look(x, "rest", "a/4111 1111 1111 1111/b", param), E_DENIED);
    CHECK_OK(look(x, "order_id", CARD, param));
    x.query = STR("limit=5&q=4111%201111-1111+1111");
    CHECK_ERR(look(x, NULL, NULL, param), E_DENIED);
    CHECK_STR(str_of(param), "q");
    x.query = STR("q=%zz&r=" CARD);
    CHECK_ERR(look(x, NULL, NULL, param), E_DENIED);
    CHECK_STR(str_of(param), "query");
    x.query = STR("order_id=" CARD "&reference=" CARD);
    CHECK_OK(look(x, NULL, NULL, param));
    x.query = STR("");
    static const struct {
        const char *name, *value, *param;
    } headers[] = {
        {"x-note", "my card: 4111-1111-1111-1111", "x-note"},
        {"user-agent", CARD, "user-agent"},
        {"cookie", "a=b; card=" CARD, "cookie"},
        {CARD, "1", ""},
        {"idempotency-key", CARD, NULL},
        {"x-external-id", CARD, NULL},
        {"traceparent", "00-" CARD "-" CARD "-01", NULL},
        {"authorization", "Bearer " CARD, NULL},
        {"x-datadog-trace-id", "4111111111111111110",
         NULL}, /* 19 random digits, as it sends them */
        {"x-datadog-parent-id", CARD, NULL},
        {"x-datadog-origin", CARD, "x-datadog-origin"},
        {"x-b3-traceid", CARD, NULL},
        {"x-b3-spanid", CARD, NULL},
        {"x-b3-parentspanid", CARD, NULL},
        {"b3", CARD CARD "-" CARD "-1", NULL},
        {"x-cloud-trace-context", CARD CARD "/" CARD ";o=1", NULL},
        {"x-amzn-trace-id", "Root=1-67891233-" CARD, NULL},
        {"sentry-trace", CARD CARD "-" CARD "-1", NULL},
        {"uber-trace-id", CARD ":" CARD ":0:1", NULL},
        {"newrelic", CARD, NULL},
        {"x-request-id", CARD, NULL},
        {"x-correlation-id", CARD, NULL},
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct http_header h = {str_of(headers[i].name), str_of(headers[i].value)};
        x.headers = &h;
        x.header_count = 1;
        CHECK_INT(look(x, NULL, NULL, param), headers[i].param == NULL ? 0 : E_DENIED);
        if (headers[i].param != NULL) CHECK_STR(str_of(param), headers[i].param);
    }
}

static void long_names_and_memory(void **state) {
    (void)state;
    char text[1024], param[CARD_PARAM_SIZE];
    memset(text, 'n', sizeof text);
    memcpy(text, "{\"a\":{\"", 7);
    strcpy(text + 900, "\":{\"b\":\"\\u0034111111111111111\"}}}");
    CHECK_ERR(body(JSON, text, param), E_DENIED);
    CHECK_INT(strlen(param), CARD_PARAM_SIZE - 1);
    CHECK(memcmp(param, "a.nnnn", 6) == 0);
    mem_fail_at(1, 0);
    CHECK_ERR(body(JSON, text, param), E_NOMEM);
    mem_fail_at(0, 0);
    for (int i = 0; i < 500; i++)
        text[i] = '['; /* too deep for us is looked at as text */
    strcpy(text + 500, CARD);
    CHECK_ERR(body(JSON, text, param), E_DENIED);
    CHECK_STR(str_of(param), "body");
}

/* What is seen at one look at the whole body is what is seen field by field: a last member that has
 * to be decoded makes it look at each. */
static void the_whole_says_what_its_fields_say(void **state) {
    (void)state;
    static const char *const PARTS[] = {CARD,       "4111 1111 1111 1111",
                                        "5de06f2a", "-",
                                        " ",        ".",
                                        "\"",       "12",
                                        ", ",       ":",
                                        "x",        "411111",
                                        "1111",     "\xc2\xa0"};
    static const char *const NAMES[] = {"a", "order_id", CARD, "1111111111", "vaNumber"};
    struct rng rng;
    rng_seeded(&rng, 5);
    int refused = 0;
    for (int round = 0; round < 20000; round++) {
        char text[1024] = "{", more[1100], param[CARD_PARAM_SIZE], other[CARD_PARAM_SIZE];
        for (uint64_t m = 0, members = 1 + rng_below(&rng, 3); m < members; m++) {
            if (m > 0) strcat(text, ",");
            sprintf(text + strlen(text), "\"%s\":", NAMES[rng_below(&rng, ARRAY_LEN(NAMES))]);
            if (rng_below(&rng, 4) == 0) {
                strcat(text,
                       rng_below(&rng, 2) == 0 ? "[[12, " CARD ",4111]\n, 1]" : "-" CARD ".0");
                continue;
            }
            strcat(text, "\"");
            for (uint64_t n = rng_below(&rng, 5); n > 0; n--) {
                const char *part = PARTS[rng_below(&rng, ARRAY_LEN(PARTS))];
                if (part[0] != '"') strcat(text, part);
            }
            strcat(text, "\"");
        }
        sprintf(more, "%s,\"z\":\"\\u0041\"}", text);
        strcat(text, "}");
        int err = body(JSON, text, param);
        if (body(JSON, more, other) != err || strcmp(param, other) != 0)
            fail_msg("%s: got %d \"%s\", field by field \"%s\"", text, err, param, other);
        refused += err == E_DENIED;
    }
    CHECK(refused > 2000 && refused < 18000);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(the_whole_says_what_its_fields_say),
    cmocka_unit_test(bodies),
    cmocka_unit_test(paths_queries_and_headers),
    cmocka_unit_test(long_names_and_memory),
};
UNIT_MAIN("card_door", TESTS)
