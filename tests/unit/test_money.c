/* Money: text in and out, percentages, splits, overflow. The expected values are worked by hand. */
#include "base/mem.h"
#include "base/money.h"
#include "base/rng.h"
#include "unit.h"

#define IDR STR("IDR")

static void texts_are_parsed(void **state) {
    (void)state;
    static const struct {
        const char *text, *currency;
        int err;
        int64_t value;
    } CASES[] = {
        {"150000.00", "IDR", 0, 150000},
        {"150000", "IDR", 0, 150000},
        {"0", "IDR", 0, 0},
        {"-0.00", "IDR", 0, 0},
        {"-25.000000000000000000000000000", "IDR", 0, -25},
        {"150000.50", "IDR", E_RANGE, 0},
        {"1.5", "USD", 0, 150},
        {"1.55", "USD", 0, 155},
        {"1.550", "USD", 0, 155},
        {"1.555", "USD", E_RANGE, 0},
        {"7", "USD", 0, 700},
        {"0.07", "USD", 0, 7},
        {"1.234", "KWD", 0, 1234},
        {"9223372036854775807", "IDR", 0, INT64_MAX},
        {"-9223372036854775808", "IDR", 0, INT64_MIN},
        {"9223372036854775808", "IDR", E_OVERFLOW, 0},
        {"-9223372036854775809", "IDR", E_OVERFLOW, 0},
        {"99999999999999999999", "IDR", E_OVERFLOW, 0},
        {"92233720368547758.07", "USD", 0, INT64_MAX},
        {"-92233720368547758.08", "USD", 0, INT64_MIN},
        {"92233720368547758.08", "USD", E_OVERFLOW, 0},
        {"92233720368547759", "USD", E_OVERFLOW, 0},
        {"1", "XXX", E_NOTFOUND, 0},
        {"1", "idr", E_NOTFOUND, 0},
        {"1", "ID", E_NOTFOUND, 0},
        {"1", "R I", E_NOTFOUND, 0},
        {"1", "[[[", E_NOTFOUND, 0},
        {"", "IDR", E_SYNTAX, 0},
        {"-", "IDR", E_SYNTAX, 0},
        {".5", "USD", E_SYNTAX, 0},
        {"5.", "USD", E_SYNTAX, 0},
        {"+5", "USD", E_SYNTAX, 0},
        {"05", "USD", E_SYNTAX, 0},
        {"00", "USD", E_SYNTAX, 0},
        {"1,000", "IDR", E_SYNTAX, 0},
        {"1.0.0", "IDR", E_SYNTAX, 0},
        {" 1", "IDR", E_SYNTAX, 0},
        {"1e5", "IDR", E_SYNTAX, 0},
        {"--1", "IDR", E_SYNTAX, 0},
        {"1/", "IDR", E_SYNTAX, 0},
        {"1.5:", "USD", E_SYNTAX, 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        int64_t value = 0;
        int err = money_parse(str_of(CASES[i].text), str_of(CASES[i].currency), &value, NULL);
        if (err != CASES[i].err || value != CASES[i].value)
            print_error("%s %s\n", CASES[i].text, CASES[i].currency);
        CHECK_ERR(err, CASES[i].err);
        CHECK(value == CASES[i].value);
    }
    CHECK_INT(money_decimals(STR("JPY")), 0);
    CHECK_INT(money_decimals(STR("SGD")), 2);
    CHECK_INT(money_decimals(STR("BHD")), 3);
    struct why why = {0};
    int64_t value;
    CHECK_ERR(money_parse(STR("1.5"), IDR, &value, &why), E_RANGE);
    CHECK_STR(str_of(why.text), "money: IDR has 0 decimals");
}

static void amounts_are_formatted(void **state) {
    (void)state;
    static const struct {
        int64_t amount;
        const char *currency;
        int decimals;
        const char *text;
    } CASES[] = {
        {150000, "IDR", 0, "150000"},
        {10000, "IDR", 2, "10000.00"},
        {5, "USD", 0, "0.05"},
        {-5, "USD", 0, "-0.05"},
        {123456, "USD", 4, "1234.5600"},
        {INT64_MIN, "IDR", 0, "-9223372036854775808"},
        {INT64_MIN, "KWD", 9, "-9223372036854775.808000000"},
        {0, "IDR", 0, "0"},
        {0, "USD", 0, "0.00"},
        {INT64_MAX, "USD", 1, "92233720368547758.07"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct buf b = {0};
        CHECK_OK(money_format(CASES[i].amount, str_of(CASES[i].currency), CASES[i].decimals, &b));
        CHECK_STR(buf_str(&b), CASES[i].text);
        int64_t back;
        CHECK_OK(money_parse(buf_str(&b), str_of(CASES[i].currency), &back, NULL));
        CHECK(back == CASES[i].amount);
        buf_free(&b);
    }
    struct buf b = {0};
    CHECK_ERR(money_format(1, STR("ZZZ"), 0, &b), E_NOTFOUND);
    CHECK_ERR(money_format(1, IDR, 10, &b), E_RANGE);
    mem_fail_at(1, 0);
    CHECK_ERR(money_format(1, IDR, 0, &b), E_NOMEM);
    mem_fail_at(0, 0);
    buf_free(&b);
}

static void percentages_round_once(void **state) {
    (void)state;
    static const struct {
        int64_t amount;
        const char *percent;
        int64_t half_up, half_even, up, down;
    } CASES[] = {
        {150000, "0.7%", 1050, 1050, 1050, 1050},
        {100, "2.5%", 3, 2, 3, 2},
        {300, "2.5%", 8, 8, 8, 7},
        {-100, "2.5%", -3, -2, -3, -2},
        {-300, "2.5%", -8, -8, -8, -7},
        {10, "1%", 0, 0, 1, 0},
        {-10, "1%", 0, 0, -1, 0},
        {99, "1%", 1, 1, 1, 0},
        {12345, "0%", 0, 0, 0, 0},
        {12345, "100.000%", 12345, 12345, 12345, 12345},
        {1000000000, "0.000000001%", 0, 0, 1, 0},
        {INT64_MAX, "100%", INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX},
        {INT64_MIN, "100%", INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        int64_t got[4];
        for (int m = 0; m < 4; m++)
            CHECK_OK(money_percent(CASES[i].amount, str_of(CASES[i].percent), (enum money_round)m,
                                   &got[m]));
        CHECK(got[ROUND_HALF_UP] == CASES[i].half_up);
        CHECK(got[ROUND_HALF_EVEN] == CASES[i].half_even);
        CHECK(got[ROUND_UP] == CASES[i].up);
        CHECK(got[ROUND_DOWN] == CASES[i].down);
    }
    int64_t out = 42;
    CHECK_ERR(money_percent(INT64_MAX, STR("100.1%"), ROUND_DOWN, &out), E_OVERFLOW);
    CHECK_ERR(money_percent(INT64_MIN, STR("999999999.999999999%"), ROUND_DOWN, &out), E_OVERFLOW);
    static const char *const BAD[] = {
        "",    "%",    "1",   "1 %",         "-1%",           "1.%",        ".5%",
        "01%", "1e2%", "1%%", "1234567890%", "0.1234567891%", "0.7 percent"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        CHECK_ERR(money_percent(100, str_of(BAD[i]), ROUND_UP, &out), E_SYNTAX);
    CHECK_INT(out, 42);
    enum money_round mode;
    CHECK_OK(money_round_named(STR("half_even"), &mode));
    CHECK_INT(mode, ROUND_HALF_EVEN);
    CHECK_OK(money_round_named(STR("down"), &mode));
    CHECK_INT(mode, ROUND_DOWN);
    CHECK_ERR(money_round_named(STR("floor"), &mode), E_INVAL);
}

static void ratios_round_once(void **state) {
    (void)state;
    int64_t out;
    CHECK_OK(money_ratio(10, 1, 3, ROUND_HALF_UP, &out));
    CHECK_INT(out, 3);
    CHECK_OK(money_ratio(10, 1, -4, ROUND_HALF_UP, &out));
    CHECK_INT(out, -3);
    CHECK_OK(money_ratio(10, 1, 4, ROUND_HALF_EVEN, &out));
    CHECK_INT(out, 2);
    CHECK_OK(money_ratio(14, 1, 4, ROUND_HALF_EVEN, &out));
    CHECK_INT(out, 4);
    CHECK_OK(money_ratio(INT64_MAX, INT64_MAX, INT64_MAX, ROUND_UP, &out));
    CHECK(out == INT64_MAX);
    CHECK_ERR(money_ratio(INT64_MIN, 1, -1, ROUND_UP, &out), E_OVERFLOW);
    CHECK_ERR(money_ratio(1, 1, 0, ROUND_UP, &out), E_RANGE);
    CHECK_OK(money_ratio(INT64_MIN, INT64_MIN, INT64_MIN, ROUND_UP, &out));
    CHECK(out == INT64_MIN);
}

static void splits_add_up(void **state) {
    (void)state;
    int64_t parts[8];
    CHECK_OK(money_split(100, (const int64_t[]){1, 1, 1}, 3, parts));
    CHECK_INT(parts[0], 34), CHECK_INT(parts[1], 33), CHECK_INT(parts[2], 33);
    CHECK_OK(money_split(-100, (const int64_t[]){1, 1, 1}, 3, parts));
    CHECK_INT(parts[0], -34), CHECK_INT(parts[1], -33), CHECK_INT(parts[2], -33);
    /* 7 by 50:30:20 = 3.5, 2.1, 1.4: the largest remainder is the first */
    CHECK_OK(money_split(7, (const int64_t[]){50, 30, 20}, 3, parts));
    CHECK_INT(parts[0], 4), CHECK_INT(parts[1], 2), CHECK_INT(parts[2], 1);
    /* 10 by 1:0:5 = 1.67, 0, 8.33 */
    CHECK_OK(money_split(10, (const int64_t[]){1, 0, 5}, 3, parts));
    CHECK_INT(parts[0], 2), CHECK_INT(parts[1], 0), CHECK_INT(parts[2], 8);
    CHECK_OK(money_split(INT64_MIN, (const int64_t[]){INT64_MAX}, 1, parts));
    CHECK(parts[0] == INT64_MIN);
    CHECK_OK(money_split(0, (const int64_t[]){3, 4}, 2, parts));
    CHECK_INT(parts[0] | parts[1], 0);
    CHECK_ERR(money_split(1, (const int64_t[]){1, -1}, 2, parts), E_INVAL);
    CHECK_ERR(money_split(1, (const int64_t[]){0, 0}, 2, parts), E_INVAL);
    CHECK_ERR(money_split(1, NULL, 0, parts), E_INVAL);
    CHECK_ERR(money_split(1, NULL, MONEY_PARTS_MAX + 1, parts), E_LIMIT);
    CHECK_ERR(money_split(1, (const int64_t[]){INT64_MAX, 1}, 2, parts), E_OVERFLOW);
    mem_fail_at(1, 0);
    CHECK_ERR(money_split(1, (const int64_t[]){1, 1}, 2, parts), E_NOMEM);
    mem_fail_at(0, 0);

    struct rng rng;
    rng_seeded(&rng, 3);
    for (int round = 0; round < 5000; round++) {
        int64_t weights[8], total = (int64_t)rng_u64(&rng) >> rng_below(&rng, 64);
        size_t n = 1 + rng_below(&rng, 8);
        for (size_t i = 0; i < n; i++)
            weights[i] = (int64_t)(rng_u64(&rng) >> (4 + rng_below(&rng, 59)));
        weights[rng_below(&rng, n)] += 1;
        CHECK_OK(money_split(total, weights, n, parts));
        int64_t sum = 0;
        for (size_t i = 0; i < n; i++) {
            CHECK_OK(money_add(sum, parts[i], &sum));
            CHECK(total < 0 ? parts[i] <= 0 : parts[i] >= 0);
            CHECK(weights[i] != 0 || parts[i] == 0);
        }
        CHECK(sum == total);
    }
}

static void overflow_is_an_error(void **state) {
    (void)state;
    int64_t out = 1;
    CHECK_ERR(money_add(INT64_MAX, 1, &out), E_OVERFLOW);
    CHECK_ERR(money_sub(INT64_MIN, 1, &out), E_OVERFLOW);
    CHECK_ERR(money_mul(INT64_MIN, -1, &out), E_OVERFLOW);
    CHECK_INT(out, 1);
    CHECK_OK(money_add(2, 3, &out)), CHECK_INT(out, 5);
    CHECK_OK(money_sub(2, 3, &out)), CHECK_INT(out, -1);
    CHECK_OK(money_mul(2, -3, &out)), CHECK_INT(out, -6);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(texts_are_parsed),       cmocka_unit_test(amounts_are_formatted),
    cmocka_unit_test(percentages_round_once), cmocka_unit_test(ratios_round_once),
    cmocka_unit_test(splits_add_up),          cmocka_unit_test(overflow_is_an_error),
};
UNIT_MAIN("money", TESTS)
