/* What a provider paid out: booked once, with its fees, whatever was known of them before. */
#include "books.h"
#include "core/settlement.h"
#include "unit.h"

static struct books b;

static int begin(void **state) {
    (void)state;
    books_open(&b);
    return 0;
}
static int end(void **state) {
    (void)state;
    books_close(&b);
    return 0;
}

static int settle(const char *key, int64_t gross, int64_t fee, int64_t vat, int64_t net) {
    struct commit *c = NULL;
    struct settlement_row row = {.account = STR(ACCOUNT),
                                 .key = str_of(key),
                                 .payment = str_of(b.last),
                                 .gross = gross,
                                 .fee = fee,
                                 .vat = vat,
                                 .net = net,
                                 .detail = STR("{}")};
    CHECK_OK(commit_new(&c));
    b.why = (struct why){0};
    int err = settlement_add(&b.core, c, &row, &b.why);
    if (err != 0) {
        commit_free(c);
        return err;
    }
    return run_commit(&b.f, c, &b.a);
}

static void paid(const char *fee) {
    CHECK_OK(books_offer(&b, &(struct offer){.amount = 150000, .fee = fee}));
    CHECK_OK(books_pay(&b, b.last, "m-1", 150000));
}

static void the_provider_owes_nothing_more(void **state) {
    (void)state;
    paid("");
    CHECK_BALANCE(&b, "provider_receivable:" ACCOUNT, -150000);
    CHECK_OK(settle("m-1", 150000, 4000, 440, 145560));
    CHECK_BALANCE(&b, "provider_receivable:" ACCOUNT, 0);
    CHECK_BALANCE(&b, "bank", -145560);
    CHECK_BALANCE(&b, "provider_fee", -4000);
    CHECK_BALANCE(&b, "input_vat", -440);
    CHECK(settle("m-1", 150000, 4000, 440, 145560) != 0); /* again: nothing */
    CHECK_BALANCE(&b, "bank", -145560);
    CHECK_OK(settle("r-1", -50000, 0, 0, -50000)); /* a refund, taken from a payout */
    CHECK_BALANCE(&b, "bank", -95560);
    CHECK_BALANCE(&b, "provider_receivable:" ACCOUNT, -50000);
}

static void a_cost_that_was_booked_is_not_booked_twice(void **state) {
    (void)state;
    paid("provider");
    CHECK_BALANCE(&b, "provider_fee", -3000);
    CHECK_OK(settle("m-1", 150000, 2500, 440, 147060)); /* less fee, more tax than thought */
    CHECK_BALANCE(&b, "provider_fee", -2500);
    CHECK_BALANCE(&b, "input_vat", -440);
    CHECK_BALANCE(&b, "bank", -147060);
    CHECK_BALANCE(&b, "provider_receivable:" ACCOUNT, 0);
}

static void what_does_not_add_up_is_not_booked(void **state) {
    (void)state;
    paid("");
    CHECK_ERR(settle("m-1", 150000, 4000, 440, 145000), E_INVAL);
    CHECK_STR(str_of(b.why.text), "gross 150000 is not net 145000, fee 4000 and tax 440 together");
    CHECK_ERR(settle("m-1", 0, 0, 0, 0), E_INVAL);
    CHECK_ERR(settle("m-1", INT64_MAX, INT64_MAX, 1, 1), E_INVAL);
    CHECK_ERR(settle("", 1, 0, 0, 1), E_INVAL);
    CHECK_BALANCE(&b, "bank", 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(the_provider_owes_nothing_more, begin, end),
    cmocka_unit_test_setup_teardown(a_cost_that_was_booked_is_not_booked_twice, begin, end),
    cmocka_unit_test_setup_teardown(what_does_not_add_up_is_not_booked, begin, end),
};

UNIT_MAIN("settlement", tests)
