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
    check_masked("41111111 11111111", "411111** ****1111", 1);
    check_masked("30569309025904", "305693****5904", 1);
    check_masked("2223003122003222", "222300******3222", 1);
    check_masked("6200000000000005", "620000******0005", 1);
    /* the second begins with the last group of the first: hidden as one */
    check_masked("4111 1111 0002 4242 1234 5678 9007", "4111 11** **** **** **** **** 9007", 1);
    /* as a person copies it: from a card, a page, a mail that was wrapped */
    check_masked("4111  1111  1111  1111", "4111  11**  ****  1111", 1);
    check_masked("4111.1111.1111.1111", "4111.11**.****.1111", 1);
    check_masked("4111 - 1111 - 1111 - 1111", "4111 - 11** - **** - 1111", 1);
    check_masked("4111 1111\n1111 1111", "4111 11**\n**** 1111", 1);
    check_masked("4111\r\n1111\r\n1111\r\n1111", "4111\r\n11**\r\n****\r\n1111", 1);
    check_masked("4111\t1111\t1111\t1111", "4111\t11**\t****\t1111", 1);
    check_masked("3782  822463  10005", "3782  82****  *0005", 1);
    check_masked("3056  930902  5904", "3056  93****  5904", 1);
    check_masked("4111\xc2\xa0"
                 "1111\xc2\xa0"
                 "1111\xc2\xa0"
                 "1111",
                 "4111\xc2\xa0"
                 "11**\xc2\xa0"
                 "****\xc2\xa0"
                 "1111",
                 1);
    check_masked("4111\xe2\x80\x93"
                 "1111\xe2\x80\x93"
                 "1111\xe2\x80\x93"
                 "1111",
                 "4111\xe2\x80\x93"
                 "11**\xe2\x80\x93"
                 "****\xe2\x80\x93"
                 "1111",
                 1);
    /* ids are left, what stands beside them is not */
    check_masked("af429965-4007-4835-8617-f0219c0b36e2 4111111111111111",
                 "af429965-4007-4835-8617-f0219c0b36e2 411111******1111", 1);
    check_masked("af429965-4007-4835-8617-f0219c0b36e", "af429965-****-****-8617-f0219c0b36e", 1);
    check_masked("4111111111111111D25121011000000000000F", "411111******1111D25121011000000000000F",
                 1);
    check_masked("abcd4111111111111111abcd", "abcd411111******1111abcd", 1);
    /* side by side */
    check_masked("4111 1111 1111 1111 5500-0000-0000-0004",
                 "4111 11** **** 1111 5500-00**-****-0004", 2);
}

static void other_numbers_are_left(void **state) {
    (void)state;
    static const char *const OTHERS[] = {
        "",
        "4111111111111112",         /* check digit */
        "411111111111",             /* 12 digits */
        "41111111111111111111",     /* 20 digits: a reference */
        "14111111111111111",        /* no issuer */
        "4111    1111 1111 1111",   /* four spaces: another column */
        "4111,1111,1111,1111",      /* a list */
        "4.111.111.111.111.111",    /* an amount */
        "41.111.111.111  11.111.1", /* addresses, versions */
        "411111.1111111111",        /* a fraction */
        "4111111\n111111111",       /* two numbers, a line each */
        "4111\xc2\xb0"
        "1111 1111 1111",                                    /* no space, whatever it is */
        "40123 081234567897",                                /* a post code, a phone */
        "6281234567890",                                     /* a phone */
        "0000000000000000",                                  /* no issuer */
        "20260131100000",                                    /* a time */
        "1769828400000",                                     /* another */
        "5500 0000 0000 000",                                /* 15 digits of a 16-digit issuer */
        "3530111333300000000000000000",                      /* longer than any */
        "/refunds/rfd-af429965-4007-4835-8617-f0219c0b36e2", /* an id, which is needed again */
        "AF429965-4007-4835-8617-F0219C0B36E2",
        "tx ab4111111111111111cdefcdefcdefcdef", /* 32 hexadecimal digits */
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
