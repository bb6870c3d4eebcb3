/* Query strings, urlencoded bodies and cookies. */
#include "base/form.h"
#include "base/mem.h"
#include "unit.h"

static void pairs_are_walked(void **state) {
    (void)state;
    struct form_iter it = form_iter(STR("&a=1&b&&=x&c=d=e&"));
    static const char *const WANT[][2] = {{"a", "1"}, {"b", ""}, {"", "x"}, {"c", "d=e"}};
    struct form_pair pair;
    for (int i = 0; i < 4; i++) {
        CHECK_INT(form_next(&it, &pair), 1);
        CHECK_STR(pair.name, WANT[i][0]);
        CHECK_STR(pair.value, WANT[i][1]);
    }
    CHECK_INT(form_next(&it, &pair), 0);
    CHECK_INT(form_next(&it, &pair), 0);
    struct buf b = {0};
    for (int i = 0; i <= FORM_PAIRS_MAX; i++)
        buf_adds(&b, "a&");
    it = form_iter(buf_str(&b));
    int got, count = 0;
    while ((got = form_next(&it, &pair)) == 1)
        count++;
    CHECK_INT(count, FORM_PAIRS_MAX);
    CHECK_ERR(got, E_LIMIT);
    buf_free(&b);
}

static void decoding_is_strict(void **state) {
    (void)state;
    static const struct {
        const char *in, *out; /* out NULL: refused */
        bool plus;
    } CASES[] = {{"abc", "abc", true},   {"a+b", "a b", true},
                 {"a+b", "a+b", false},  {"%41%7e%c3%A9", "A~\xC3\xA9", true},
                 {"%2B%20", "+ ", true}, {"", "", true},
                 {"%", NULL, true},      {"%4", NULL, true},
                 {"a%4", NULL, true},    {"%4g", NULL, true},
                 {"%g4", NULL, true},    {"%00", NULL, true},
                 {"% 1", NULL, true},    {"%+1", NULL, true},
                 {"a b", NULL, true},    {"a\n", NULL, true},
                 {"\x7f", NULL, true},   {"\xC3\xA9", NULL, true},
                 {"%0x41", NULL, true}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct buf b = {0};
        buf_adds(&b, ">");
        int err = form_decode(str_of(CASES[i].in), CASES[i].plus, &b);
        CHECK_ERR(err, CASES[i].out == NULL ? E_SYNTAX : 0);
        CHECK_STR(str_sub(buf_str(&b), 1, b.len), CASES[i].out == NULL ? "" : CASES[i].out);
        buf_free(&b);
    }
    struct buf b = {.max = 2};
    CHECK_ERR(form_decode(STR("abc"), true, &b), E_LIMIT);
    buf_free(&b);
}

static void encoding_is_by_allow_list(void **state) {
    (void)state;
    struct buf b = {0};
    form_encode(STR("aZ09-._~ +&=%/\xC3\xA9\n"), true, &b);
    CHECK_STR(buf_str(&b), "aZ09-._~+%2B%26%3D%25%2F%C3%A9%0A");
    buf_clear(&b);
    form_encode(STR("a b"), false, &b);
    CHECK_STR(buf_str(&b), "a%20b");
    buf_clear(&b);
    form_put(STR("a b"), STR("c&"), &b);
    form_put(STR("x"), STR(""), &b);
    CHECK_STR(buf_str(&b), "a+b=c%26&x=");
    buf_free(&b);
    for (int c = 1; c < 256; c++) { /* every byte there and back */
        struct buf encoded = {0}, back = {0};
        char byte = (char)c;
        form_encode((struct str){&byte, 1}, true, &encoded);
        CHECK_OK(form_decode(buf_str(&encoded), true, &back));
        CHECK(back.len == 1 && back.data[0] == byte);
        buf_free(&encoded);
        buf_free(&back);
    }
}

static void cookies_are_walked(void **state) {
    (void)state;
    struct form_iter it = form_iter(STR("sid=a.b=c; bad one;t=\"q\" ;  empty=; "));
    struct form_pair pair;
    CHECK_INT(cookie_next(&it, &pair), 1);
    CHECK_STR(pair.name, "sid");
    CHECK_STR(pair.value, "a.b=c");
    CHECK_ERR(cookie_next(&it, &pair), E_SYNTAX);
    CHECK_INT(cookie_next(&it, &pair), 1);
    CHECK_STR(pair.name, "t");
    CHECK_STR(pair.value, "q");
    CHECK_INT(cookie_next(&it, &pair), 1);
    CHECK_STR(pair.name, "empty");
    CHECK_STR(pair.value, "");
    CHECK_INT(cookie_next(&it, &pair), 0);
    static const char *const BAD[] = {"=x",   "a",      "a b=1",  "a=b c", "a=\"b",   "a=b,c",
                                      "a=\\", "a=\x7f", "a=\xC3", "(a)=1", "a\xC3=1", ";a=1"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        it = form_iter(str_of(BAD[i]));
        CHECK_ERR(cookie_next(&it, &pair), E_SYNTAX);
    }
    struct buf b = {0};
    for (int i = 0; i <= FORM_PAIRS_MAX; i++)
        buf_adds(&b, "a=1;");
    it = form_iter(buf_str(&b));
    int got;
    while ((got = cookie_next(&it, &pair)) == 1) {
    }
    CHECK_ERR(got, E_LIMIT);
    buf_free(&b);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(pairs_are_walked),
    cmocka_unit_test(decoding_is_strict),
    cmocka_unit_test(encoding_is_by_allow_list),
    cmocka_unit_test(cookies_are_walked),
};
UNIT_MAIN("form", TESTS)
