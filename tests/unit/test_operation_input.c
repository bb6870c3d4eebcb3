/* What a channel says it takes is what it is given: types, required fields, unknown ones, limits. */
#include "base/mem.h"
#include "script/operation_input.h"
#include "script_texts.h"
#include "unit.h"

#include <stdio.h>

#define CHANNEL(more)                                                                         \
    "return { api = 1, title = 'x', provider = 'p', method = 'paylater', effect = 'offer',\n" \
    "create = function() end, inquire = function() end, " more "}"

static struct version *channel(const char *text) {
    struct version *v = NULL;
    struct why why = {0};
    if (texts_load(&v, KIND_CHANNEL, "s.lua", text, &why) != 0) fail_msg("%s", why.text);
    return v;
}

static void answer(const struct version *v, const char *kind, const char *input, int err,
                   const char *param, const char *text) {
    struct input_fault fault = {0};
    char doc[20000];
    snprintf(doc, sizeof doc, "{\"input\":%s}", input);
    int got = operation_input_check(v->manifest, str_of(kind), str_of(doc), &fault);
    if (got != err || strcmp(fault.param, param) != 0 ||
        str_search(str_of(fault.text), str_of(text)) < 0)
        fail_msg("%s: expected %s of %s (%s), got %s of %s (%s)", input,
                 err == 0 ? "0" : err_name(err), param, text, got == 0 ? "0" : err_name(got),
                 fault.param, fault.text);
}

static void fields_have_their_types(void **state) {
    (void)state;
    struct version *v = channel(CHANNEL(
        "input = { phone = { type = 'string', required = true, doc = '08...' }, tenor = { type = "
        "'integer' }, points = { type = 'boolean' }, address = { type = 'object' }, codes = { type "
        "= 'list' }, description = { type = 'string', required = true } }"));
    static const struct {
        const char *input, *param, *text;
    } wrong[] = {
        {"{\"description\":\"d\"}", "phone", "phone is missing: 08..."},
        {"{\"phone\":\"1\"}", "description", "description is missing"},
        {"{\"phone\":8}", "phone", "expected a string"},
        {"{\"phone\":null}", "phone", "expected a string, found null"},
        {"{\"tenor\":\"3\"}", "tenor", "expected an integer"},
        {"{\"tenor\":3.0}", "tenor", "expected an integer"},
        {"{\"tenor\":36893488147419103232}", "tenor", "expected an integer"},
        {"{\"points\":1}", "points", "expected true or false"},
        {"{\"address\":[1]}", "address", "expected an object"},
        {"{\"codes\":{\"a\":1}}", "codes", "expected a list"},
        {"{\"addres\":{}}", "addres", "did you mean address?"},
        {"{\"zzzzzzzz\":\"1\"}", "zzzzzzzz", "takes no such field"},
        {"{\"amount\":\"15000\"}", "amount", "expected an integer"},
        {"{\"amount\":150000.0}", "amount", "expected an integer"},
        {"{\"customer\":\"me\"}", "customer", "expected an object"},
        {"[1]", "input", "is an object"},
        {"7", "input", "is an object"},
        {"null", "input", "is an object"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        answer(v, "create", wrong[i].input, E_INVAL, wrong[i].param, wrong[i].text);
    answer(v, "create",
           "{\"phone\":\"1\",\"description\":\"d\",\"tenor\":3,\"points\":false,\"address\":[],"
           "\"codes\":{},\"customer\":{\"name\":\"n\"},\"items\":[{}],\"order_id\":\"o\"}",
           0, "", "");
    answer(v, "refund", "{\"reason\":\"r\"}", 0, "", ""); /* another operation, other fields */
    version_drop(v);
}

/* A merchant's rubbish makes no channel raise: it would be left out for all the others. */
static void fields_have_their_size(void **state) {
    (void)state;
    struct version *v = channel(CHANNEL("input = { phone = { type = 'string' }, codes = { type = "
                                        "'list' }, customer = { type = 'object' } }"));
    static char input[18000];
    char digits[16385 + 1];
    memset(digits, '0', sizeof digits - 1);
    digits[sizeof digits - 1] = '\0';
    snprintf(input, sizeof input, "{\"phone\":\"%s\"}", digits);
    answer(v, "create", input, E_INVAL, "phone", "16384 bytes at most");
    snprintf(input, sizeof input, "{\"codes\":[{\"a\":[\"%s\"]}]}", digits + 1);
    answer(v, "create", input, E_INVAL, "codes", "16384 bytes at most");
    snprintf(input, sizeof input, "{\"phone\":\"%s\"}", digits + 1);
    answer(v, "create", input, 0, "", "");
    snprintf(input, sizeof input, "{\"customer\":{\"name\":\"%s\"}}", digits);
    answer(v, "create", input, 0, "", ""); /* that is looked at where all payments are */
    version_drop(v);
}

/* What all channels take has one type: core reads the amount as an integer. */
static void a_common_field_keeps_its_type(void **state) {
    (void)state;
    struct version *v = NULL;
    struct why why = {0};
    CHECK(texts_load(&v, KIND_CHANNEL, "s.lua",
                     CHANNEL("input = { amount = { type = 'string', required = true } }"),
                     &why) != 0);
    CHECK(str_search(str_of(why.text),
                     STR("input.amount: is an integer wherever it is asked for")) >= 0);
    v = channel(CHANNEL("input = { amount = { type = 'integer', required = true } }"));
    answer(v, "create", "{}", E_INVAL, "amount", "amount is missing");
    version_drop(v);
}

static void limits_hold(void **state) {
    (void)state;
    struct version *v = channel(CHANNEL("limits = { min = 1000, max = 2000 }"));
    answer(v, "create", "{\"amount\":1000}", 0, "", "");
    answer(v, "create", "{\"amount\":2000}", 0, "", "");
    answer(v, "create", "{\"amount\":999}", E_LIMIT, "amount", "the least amount here is 1000");
    answer(v, "create", "{\"amount\":2001}", E_LIMIT, "amount", "the greatest amount here is 2000");
    answer(v, "create", "{\"amount\":0}", E_INVAL, "amount", "from 1 on");
    answer(v, "create", "{\"amount\":-9223372036854775808}", E_INVAL, "amount", "from 1 on");
    answer(v, "create", "{}", E_INVAL, "amount", "amount is missing");
    mem_fail_at(1, 0); /* that is nobody's fault */
    answer(v, "create", "{\"amount\":1000}", E_NOMEM, "input", "out of memory");
    mem_fail_at(0, 0);
    version_drop(v);
    v = channel(CHANNEL("limits = { min = 5 }"));
    answer(v, "create", "{\"amount\":9223372036854775807}", 0, "", "");
    version_drop(v);
}

static void a_payment_has_an_end(void **state) {
    (void)state;
    struct version *v = channel(CHANNEL("expires = { default = '1h', max = '2h' }"));
    answer(v, "create", "{\"expires_in\":1}", 0, "", "");
    answer(v, "create", "{\"expires_in\":7200}", 0, "", "");
    answer(v, "create", "{\"expires_in\":7201}", E_INVAL, "expires_in", "from 1 to 7200");
    answer(v, "create", "{\"expires_in\":0}", E_INVAL, "expires_in", "from 1 to 7200");
    answer(v, "create", "{\"expires_in\":-9223372036854775808}", E_INVAL, "expires_in", "seconds");
    answer(v, "create", "{\"expires_in\":9223372036854775807}", E_INVAL, "expires_in", "seconds");
    answer(v, "refund", "{\"expires_in\":0}", 0, "", "");
    version_drop(v);
    v = channel(
        CHANNEL("")); /* it names no end: what is counted in ms still fits, and is no joke */
    answer(v, "create", "{\"expires_in\":31622400}", 0, "", "");
    answer(v, "create", "{\"expires_in\":31622401}", E_INVAL, "expires_in", "from 1 to 31622400");
    version_drop(v);
    v = channel(CHANNEL("expires = { max = '400d' }"));
    answer(v, "create", "{\"expires_in\":31622401}", E_INVAL, "expires_in", "from 1 to 31622400");
    version_drop(v);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(fields_have_their_types),       cmocka_unit_test(fields_have_their_size),
    cmocka_unit_test(a_common_field_keeps_its_type), cmocka_unit_test(limits_hold),
    cmocka_unit_test(a_payment_has_an_end),
};
UNIT_MAIN("operation_input", TESTS)
