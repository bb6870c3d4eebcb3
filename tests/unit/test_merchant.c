/* Merchants: their keys, their own accounts at providers. */
#include "books.h"
#include "core/merchant.h"

static void keys_are_found_by_hash_and_end(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct merchant m = {.name = STR("Shop"), .rate = 7, .allow = STR("10.0.0.0/8")};
    char id[2][ID_SIZE], text[2][API_KEY_SIZE];
    struct commit *c = books_commit();
    CHECK_OK(merchant_put(&b.core, c, &m, &b.why));
    for (int i = 0; i < 2; i++)
        CHECK_OK(
            api_key_add(&b.core, c, str_of(m.id), STR("till"), STR(""), id[i], text[i], &b.why));
    CHECK_OK(run_commit(&b.f, c, NULL));
    CHECK(strncmp(text[0], "sk_test_", 8) == 0);
    CHECK(strcmp(text[0], text[1]) != 0);
    struct caller caller;
    for (int i = 0; i < 2; i++) {
        CHECK_OK(api_key_find(&b.core, str_of(text[i]), &caller));
        CHECK(strcmp(caller.merchant, m.id) == 0);
        CHECK(strcmp(caller.key, id[i]) == 0);
        CHECK_INT(caller.rate, 7);
        CHECK_STR(caller.allow, "10.0.0.0/8");
        CHECK(!caller.suspended);
        caller_free(&caller);
    }
    CHECK_ERR(api_key_find(&b.core, STR("sk_test_nobody"), &caller), E_NOTFOUND);
    CHECK_ERR(api_key_find(&b.core, STR(""), &caller), E_NOTFOUND);
    b.core.livemode = true;
    CHECK_ERR(api_key_find(&b.core, str_of(text[0]), &caller), E_DENIED);
    c = books_commit();
    CHECK_ERR(
        api_key_add(&b.core, c, str_of(m.id), STR(""), STR("sk_live_demo"), id[0], text[0], &b.why),
        E_INVAL); /* no given keys in production */
    commit_free(c);
    b.core.livemode = false;
    struct rows *rows;
    CHECK_OK(run_select(&b.f, "SELECT * FROM api_key", NULL, 0, &rows, NULL));
    CHECK(!rows_hold(text[1], rows));
    rows_free(rows);
    c = books_commit();
    api_key_revoke(&b.core, c, str_of(m.id), str_of(id[1]));
    CHECK_OK(run_commit(&b.f, c, NULL));
    CHECK_ERR(api_key_find(&b.core, str_of(text[1]), &caller), E_NOTFOUND);
    c = books_commit();
    api_key_revoke(&b.core, c, str_of(m.id), str_of(id[1]));
    CHECK_ERR(run_commit(&b.f, c, NULL), E_GUARD);
    books_close(&b);
}

static void a_merchants_own_account_goes_first(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct commit *c = books_commit();
    char name[ACCOUNT_NAME_SIZE];
    struct str merchant;
    struct buf value = {0};
    CHECK_ERR(account_put(&b.core, c, STR("midtrans"), STR(""), STR("sandbox"), STR("{}"), &b.why),
              E_INVAL); /* the shared one is configuration */
    CHECK_OK(account_put(&b.core, c, STR("midtrans"), STR(MERCHANT), STR("sandbox"),
                         STR("{\"MIDTRANS_SERVER_KEY\":\"own\",\"MIDTRANS_N\":7}"), &b.why));
    CHECK_OK(run_commit(&b.f, c, NULL));
    CHECK_OK(account_choose(&b.core, STR("midtrans"), STR(MERCHANT), STR("sandbox"), name));
    CHECK_STR(str_of(name), "midtrans/" MERCHANT);
    CHECK(account_own(str_of(name), &merchant));
    CHECK_STR(merchant, MERCHANT);
    CHECK_OK(account_key(&b.core, str_of(name), STR("MIDTRANS_SERVER_KEY"), &value));
    CHECK_STR(buf_str(&value), "own");
    CHECK_ERR(account_key(&b.core, str_of(name), STR("MIDTRANS_N"), &value), E_NOTFOUND);
    CHECK_ERR(account_key(&b.core, str_of(name), STR("MIDTRANS_CLIENT_KEY"), &value), E_NOTFOUND);
    CHECK_ERR(account_key(&b.core, STR("midtrans"), STR("MIDTRANS_SERVER_KEY"), &value),
              E_NOTFOUND);
    CHECK_OK(account_choose(&b.core, STR("midtrans"), STR("mer_x"), STR("sandbox"), name));
    CHECK_STR(str_of(name), "midtrans");
    CHECK(!account_own(str_of(name), &merchant));
    CHECK_OK(account_choose(&b.core, STR("midtrans"), STR(MERCHANT), STR("production"), name));
    CHECK_STR(str_of(name), "midtrans"); /* of another environment: none here */
    CHECK_OK(account_choose(&b.core, STR("doku"), STR(MERCHANT), STR("sandbox"), name));
    CHECK_STR(str_of(name), "doku");
    buf_free(&value);
    books_close(&b);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(keys_are_found_by_hash_and_end),
    cmocka_unit_test(a_merchants_own_account_goes_first),
};
UNIT_MAIN("merchant", TESTS)
