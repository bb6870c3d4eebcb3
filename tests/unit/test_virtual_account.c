/* Open virtual accounts: paid any number of times. */
#include "books.h"
#include "core/merchant.h"
#include "core/virtual_account.h"

static int pay_va(struct books *b, const char *money_id, int64_t amount) {
    struct virtual_account v;
    struct payment p;
    struct commit *c = books_commit();
    CHECK_OK(virtual_account_find(&b->core, STR(ACCOUNT), STR("8808123"), &v));
    const struct fee fee = {.bearer = STR("merchant"), .count = 1, .lines = {{STR("mdr"), 4000}}};
    const struct money m = {.money_id = str_of(money_id),
                            .amount = amount,
                            .settle_at = core_now(&b->core) + 86400000,
                            .source = STR("callback"),
                            .fee = &fee};
    int err = virtual_account_add_settle(&b->core, c, &v, &m, &p, &b->verdict, &b->why);
    virtual_account_free(&v);
    payment_free(&p);
    if (err == 0) return run_commit(&b->f, c, NULL);
    commit_free(c);
    return err;
}

static void an_open_account_is_paid_many_times(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct virtual_account v = {.merchant = STR(MERCHANT),
                                .account = STR(ACCOUNT),
                                .number = STR("8808123"),
                                .bank = STR("bca"),
                                .script = STR("channels/midtrans_bca_va.lua"),
                                .version = STR("v1")};
    for (int i = 0; i < 2; i++) {
        struct virtual_account twin = v;
        struct commit *c = books_commit();
        virtual_account_add(&b.core, c, i == 0 ? &v : &twin);
        CHECK_ERR(run_commit(&b.f, c, NULL), i == 0 ? 0 : E_EXISTS);
    }
    CHECK_ERR(pay_va(&b, "", 1000), E_INVAL);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(pay_va(&b, "m1", 20000));
        CHECK_INT(b.verdict, i == 0 ? VERDICT_APPLIED : VERDICT_DUPLICATE);
    }
    CHECK_OK(pay_va(&b, "m2", 30000)); /* no second payment: another payment */
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    CHECK_OK(pay_va(&b, "m3", 1500)); /* less than its fee: the merchant owes the rest */
    CHECK_OK(pay_va(&b, "m2", 30001));
    CHECK_INT(b.verdict, VERDICT_AMOUNT_MISMATCH);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM payment WHERE status = 'success'"), 3);
    CHECK_BALANCE(&b, "merchant_payable.pending:" MERCHANT, 16000 + 26000);
    CHECK_BALANCE(&b, "merchant_receivable:" MERCHANT, -2500);
    CHECK_BALANCE(&b, "fee_income", 12000);
    CHECK_INT(books_events(&b, "payment.created"), 3);
    CHECK_INT(books_events(&b, "payment.succeeded"), 3);
    struct commit *c = books_commit();
    virtual_account_add_close(&b.core, c, &v);
    CHECK_OK(run_commit(&b.f, c, NULL));
    c = books_commit();
    virtual_account_add_close(&b.core, c, &v);
    CHECK_ERR(run_commit(&b.f, c, NULL), E_GUARD);
    CHECK_OK(pay_va(&b, "m4", 7000));
    CHECK_INT(b.verdict, VERDICT_EXPIRED);
    CHECK_BALANCE(&b, "suspense", 7000);
    books_close(&b);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(an_open_account_is_paid_many_times),
};
UNIT_MAIN("virtual_account", TESTS)
