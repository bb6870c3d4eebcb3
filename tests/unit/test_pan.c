/* Card numbers in text. The numbers are the issuers' published test numbers. */
#include "base/pan.h"
#include "unit.h"

static void check_masked(const char *in, const char *out, size_t count) {
    char text[256];
    size_t n = strlen(in);
    memcpy(text, in, n);
    size_t from = 0, to = 0;
    CHECK(pan_find(str_of(in), &from, &to) == (count > 0));
    CHECK_INT(pan_mask(text, n), count);
    CHECK_STR(((struct str){text, n}), out);
}

static void numbers_are_found_and_masked(void **state) {
    (void)state;
    check_masked("4111111111111111", "411111******1111", 1);
    check_masked("card=4111 1111 1111 1111.", "card=4111 11** **** 1111.", 1);
    check_masked("\"5500-0000-0000-0004\"", "\"5500-00**-****-0004\"", 1);
    check_masked("378282246310005", "378282*****0005", 1);
    check_masked("3530111333300000 and 6011111111111117", "353011******0000 and 601111******1117",
                 2);
    check_masked("4222222222222", "422222***2222", 1);
    check_masked(";4111111111111111=25121010000", ";411111******1111=25121010000", 1);
    check_masked("x4111111111111111y", "x411111******1111y", 1);
    check_masked("ref 1234 4111 1111 1111 1111", "ref 1234 4111 11** **** 1111", 1);
    check_masked("30569309025904", "305693****5904", 1);
    check_masked("2223003122003222", "222300******3222", 1);
    check_masked("6200000000000005", "620000******0005", 1);
    /* the second begins with the last group of the first: hidden as one */
    check_masked("4111 1111 0002 4242 1234 5678 9007", "4111 11** **** **** **** **** 9007", 1);
    /* side by side */
    check_masked("4111 1111 1111 1111 5500-0000-0000-0004",
                 "4111 11** **** 1111 5500-00**-****-0004", 2);
}

static void other_numbers_are_left(void **state) {
    (void)state;
    static const char *const OTHERS[] = {
        "",
        "4111111111111112",             /* check digit */
        "411111111111",                 /* 12 digits */
        "41111111111111111111",         /* 20 digits: a reference */
        "14111111111111111",            /* no issuer */
        "4111  1111 1111 1111",         /* two spaces */
        "4111.1111.1111.1111",          /* other separators */
        "6281234567890",                /* a phone */
        "0000000000000000",             /* no issuer */
        "20260131100000",               /* a time */
        "1769828400000",                /* another */
        "5500 0000 0000 000",           /* 15 digits of a 16-digit issuer */
        "3530111333300000000000000000", /* longer than any */
    };
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        check_masked(OTHERS[i], OTHERS[i], 0);
    CHECK(pan_is(STR("4111111111111111")));
    CHECK(!pan_is(STR("4111 1111 1111 1111")));
    CHECK(!pan_is(STR("411111111111111a")));
    CHECK(!pan_is(STR("411111111111")));
    CHECK(!pan_is(STR("41111111111111111111")));
    CHECK(!pan_is(STR("4111111111111112")));
}

static void places_are_told(void **state) {
    (void)state;
    size_t from = 0, to = 0;
    CHECK(pan_find(STR("a 1 4111-1111-1111-1111, 5"), &from, &to));
    CHECK_INT(from, 4);
    CHECK_INT(to, 23);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(numbers_are_found_and_masked),
    cmocka_unit_test(other_numbers_are_left),
    cmocka_unit_test(places_are_told),
};
UNIT_MAIN("pan", TESTS)
