/* Ids go where card numbers are refused and hidden (paths of the API, log lines), so none reads as
 * one, whatever the dice say. */
#include "base/id.h"
#include "base/pan.h"
#include "unit.h"

#define AMEX "378282246310005"

static uint8_t first[20];
static int fills;

/* The bytes that spell a card number, then others. */
static void fill(struct rng *r, void *out, size_t n) {
    (void)r;
    memset(out, 0x55 + fills, n);
    if (fills++ == 0) memcpy(out, n == 10 ? first + 6 : first, n);
}

static uint64_t now_of(const uint8_t *raw) {
    uint64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | raw[i];
    return ms;
}

static void check_id(const char *id) {
    size_t from, to;
    CHECK_INT(fills, 2);
    if (pan_find(str_of(id), &from, &to)) fail_msg("%s reads as a card number", id);
}

static void no_id_reads_as_a_card_number(void **state) {
    (void)state;
    struct rng rng = {.fill = fill};
    char id[ID_SIZE], token[TOKEN_SIZE];
    CHECK_OK(id_decode(STR("01abcdefgh" AMEX "g"), first, 16));
    struct clock clock;
    clock_virtual(&clock, (int64_t)now_of(first));
    fills = 0;
    id_make(id, "pay_", &clock, &rng);
    check_id(id);
    CHECK(str_starts(str_of(id), STR("pay_01abcdef")));
    fills = 0;
    CHECK_OK(id_decode(STR("abcdefgh" AMEX "ghjkmnpqr"), first, 20));
    token_make(token, &rng);
    check_id(token);
}

static void the_next_one_is_none_either(void **state) {
    (void)state;
    struct rng rng = {.fill = fill};
    char id[ID_SIZE];
    struct clock clock;
    clock_virtual(&clock, 5);
    fills = 1;
    const char *last = "op_01abcdefgh" AMEX "8"; /* "...c" is next, and reads as one */
    id_make_after(id, "op_", last, &clock, &rng);
    size_t from, to;
    CHECK(strcmp(id, last) > 0);
    CHECK(!pan_find(str_of(id), &from, &to));
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(no_id_reads_as_a_card_number),
    cmocka_unit_test(the_next_one_is_none_either),
};
UNIT_MAIN("id", TESTS)
