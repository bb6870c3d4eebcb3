/* What is held of a balance is committed or released, once. */
#include "books.h"
#include "core/merchant.h"

static void a_hold_ends_once(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    int64_t now = core_now(&b.core);
    struct commit *c = books_commit();
    ledger_deposit(c, STR(MERCHANT), 500, STR("dep_1"), now);
    CHECK_OK(run_commit(&b.f, c, NULL));
    c = books_commit(); /* what is a deposit is not payable: that account is empty */
    ledger_hold(c, STR(MERCHANT), 100, STR("h0"), now);
    CHECK_ERR(run_commit(&b.f, c, NULL), E_STATE);
    CHECK_OK(books_create(&b, &(struct offer){.amount = 1000, .fee = ""}));
    CHECK_OK(books_pay(&b, b.last, "m1", 1000));
    CHECK_OK(books_available(&b, b.last));
    static const char *const HOLDS[] = {"h1", "h2"};
    for (int i = 0; i < 2; i++) {
        c = books_commit();
        ledger_hold(c, STR(MERCHANT), 400, str_of(HOLDS[i]), now);
        CHECK_OK(run_commit(&b.f, c, NULL));
    }
    struct balance balance;
    CHECK_OK(ledger_balance(b.f.store, STR(MERCHANT), &balance));
    CHECK_INT(balance.available, 200 + 500);
    CHECK_INT(balance.held, 800);
    c = books_commit();
    ledger_hold(c, STR(MERCHANT), 201, STR("h3"), now); /* more than there is */
    CHECK_ERR(run_commit(&b.f, c, NULL), E_STATE);
    c = books_commit();
    ledger_hold_commit(c, STR(MERCHANT), 400, (struct ledger_side){LEDGER_BANK}, STR("h1"), now);
    CHECK_OK(run_commit(&b.f, c, NULL));
    c = books_commit();
    ledger_hold_release(c, STR(MERCHANT), 400, STR("h1"), now);
    CHECK_ERR(run_commit(&b.f, c, NULL), E_EXISTS);
    c = books_commit();
    ledger_hold_release(c, STR(MERCHANT), 400, STR("h2"), now);
    CHECK_OK(run_commit(&b.f, c, NULL));
    CHECK_BALANCE(&b, "merchant_payable:" MERCHANT, 600);
    books_close(&b);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(a_hold_ends_once),
};
UNIT_MAIN("hold", TESTS)
