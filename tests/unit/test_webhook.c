/* Webhook endpoints: which events they get, when a delivery ends, who signs it. */
#include "books.h"
#include "core/merchant.h"
#include "core/webhook.h"
#include "sys/crypto.h"
#include "sys/crypto_text.h"

static struct rows *endpoint_rows(struct books *b, const char *id) {
    struct rows *rows;
    CHECK_OK(store_get(b->f.store, "endpoint_get", VALS(V_TEXT(id)), &rows));
    CHECK_INT(rows_count(rows), 1);
    return rows;
}

static int64_t waits;

static int outcome(struct books *b, const char *id, int64_t sequence, int64_t tries, int status) {
    struct commit *c = books_commit();
    struct rows *rows = endpoint_rows(b, id);
    CHECK_OK(webhook_add_outcome(
        &b->core, c, rows,
        &(struct webhook_outcome){
            .sequence = sequence, .tries = tries, .status = status, .error = STR("no")},
        &waits));
    rows_free(rows);
    return run_commit(&b->f, c, NULL);
}

static int64_t delivery_int(struct books *b, const char *id, int64_t sequence, size_t column) {
    struct rows *rows;
    CHECK_OK(store_get(b->f.store, "delivery_get", VALS(V_TEXT(id), V_INT(sequence)), &rows));
    int64_t n = rows_count(rows) == 0 ? -1 : rows_int(rows, 0, column);
    rows_free(rows);
    return n;
}

static void endpoint(struct books *b, char id[ID_SIZE], char secret[WEBHOOK_SECRET_SIZE],
                     const struct str *types, size_t count) {
    struct commit *c = books_commit();
    struct endpoint_new n = {STR(MERCHANT), STR("https://shop.test/hook"), types, count};
    CHECK_OK(endpoint_add(&b->core, c, &n, id, secret, &b->why));
    CHECK_OK(run_commit(&b->f, c, NULL));
}

static void fan_all(struct books *b) {
    struct rows *rows;
    CHECK_OK(run_query(&b->f, "endpoints_behind", VALS(V_INT(10)), &rows));
    for (size_t i = 0; i < rows_count(rows); i++) {
        struct commit *c = books_commit();
        webhook_add_fan(&b->core, c, rows_text(rows, i, 0), rows_int(rows, i, 2),
                        rows_int(rows, i, 3));
        CHECK_OK(run_commit(&b->f, c, NULL));
    }
    rows_free(rows);
}

static void each_endpoint_gets_each_event_of_its_types(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    char all[ID_SIZE], some[ID_SIZE], secret[WEBHOOK_SECRET_SIZE];
    const struct str type = STR("payment.succeeded"), odd = STR("payment.success");
    CHECK_OK(books_offer(&b, &(struct offer){.amount = 150000})); /* before: nobody hears it */
    endpoint(&b, all, secret, NULL, 0);
    endpoint(&b, some, secret, &type, 1);
    struct commit *c = books_commit();
    struct endpoint_new n = {STR(MERCHANT), STR("https://x"), &odd, 1};
    char id[ID_SIZE];
    CHECK_ERR(endpoint_add(&b.core, c, &n, id, secret, &b.why), E_INVAL);
    CHECK(strstr(b.why.text, "payment.success") != NULL);
    commit_free(c);
    CHECK_OK(books_offer(&b, &(struct offer){.amount = 150000}));
    CHECK_OK(books_pay(&b, b.last, "m1", 150000));
    fan_all(&b);
    fan_all(&b); /* nothing is left */
    CHECK_INT(books_int(&b, "SELECT count(*) FROM delivery"), 3);
    CHECK_INT(delivery_int(&b, some, 2, 3), -1);
    CHECK_INT(delivery_int(&b, some, 3, 3), 0);
    CHECK_OK(outcome(&b, all, 2, 0, 200));
    CHECK_ERR(outcome(&b, all, 2, 0, 200), E_GUARD);
    struct rows *rows;
    CHECK_OK(run_query(&b.f, "deliveries_due",
                       VALS(V_TEXT(all), V_INT(core_now(&b.core)), V_INT(10)), &rows));
    CHECK_INT(rows_count(rows), 1);
    CHECK_INT(rows_int(rows, 0, 1), 3);
    rows_free(rows);
    c = books_commit();
    webhook_add_again(&b.core, c, str_of(all), 2); /* a person wants it once more */
    CHECK_OK(run_commit(&b.f, c, NULL));
    CHECK_INT(delivery_int(&b, all, 2, 3), 0);
    books_close(&b);
}

static void deliveries_end_after_75_hours(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    char id[ID_SIZE], secret[WEBHOOK_SECRET_SIZE];
    endpoint(&b, id, secret, NULL, 0);
    CHECK_OK(books_create(&b, &(struct offer){.amount = 1000, .fee = ""}));
    fan_all(&b);
    int64_t began = core_now(&b.core);
    int tries = 0;
    for (; books_int(&b, "SELECT count(*) FROM delivery WHERE state = 'waiting'") == 1; tries++) {
        int64_t due = delivery_int(&b, id, 1, 4);
        if (due > core_now(&b.core)) books_advance(&b, due - core_now(&b.core));
        CHECK_OK(
            outcome(&b, id, 1, tries, tries % 2 == 0 ? 0 : 302)); /* a redirect is no success */
    }
    CHECK_INT(tries, WEBHOOK_TRIES);
    int64_t hours = (core_now(&b.core) - began) / 3600000;
    CHECK(hours >= 67 && hours <= 76);
    /* five days of nothing but failure: disabled, with an event, and what waits is dead */
    CHECK_OK(books_create(&b, &(struct offer){.amount = 1000, .fee = ""}));
    CHECK_OK(books_create(&b, &(struct offer){.amount = 1000, .fee = ""}));
    fan_all(&b);
    books_advance(&b, INT64_C(86400000) * 3);
    CHECK_OK(outcome(&b, id, 2, 0, 500));
    CHECK_INT(books_events(&b, "webhook_endpoint.disabled"), 1);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM delivery WHERE state = 'waiting'"), 0);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM endpoint WHERE state = 'disabled'"), 1);
    books_close(&b);
}

/* A format that has no word for an event: done with it, and the endpoint is no better for it. */
static void nothing_to_say_says_nothing_of_the_endpoint(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    char id[ID_SIZE], secret[WEBHOOK_SECRET_SIZE];
    struct commit *c = books_commit();
    struct endpoint_new n = {
        .merchant = STR(MERCHANT), .url = STR("https://shop.test/"), .format = STR("other")};
    CHECK_OK(endpoint_add(&b.core, c, &n, id, secret, &b.why));
    CHECK_OK(run_commit(&b.f, c, NULL));
    CHECK_INT(books_int(&b, "SELECT count(*) FROM endpoint WHERE format = 'other'"), 1);
    for (int i = 0; i < 3; i++)
        CHECK_OK(books_create(&b, &(struct offer){.amount = 1000, .fee = ""}));
    fan_all(&b);
    CHECK_OK(outcome(&b, id, 1, 0, 500));
    struct rows *rows = endpoint_rows(&b, id);
    c = books_commit();
    CHECK_OK(webhook_add_outcome(
        &b.core, c, rows, &(struct webhook_outcome){.sequence = 2, .nothing = true}, &waits));
    rows_free(rows);
    CHECK_OK(run_commit(&b.f, c, NULL));
    CHECK_INT(books_int(&b, "SELECT count(*) FROM delivery WHERE state = 'delivered'"), 1);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM endpoint WHERE failing_since IS NOT NULL"), 1);
    CHECK_OK(outcome(&b, id, 3, 0, 200));
    CHECK_INT(books_int(&b, "SELECT count(*) FROM endpoint WHERE failing_since IS NULL"), 1);
    books_close(&b);
}

/* What a shop checks signatures with: the key it charged with, else its newest that lives. */
static void a_key_is_opened_to_sign(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    char first[ID_SIZE], second[ID_SIZE], text[2][API_KEY_SIZE];
    struct commit *c = books_commit();
    CHECK_OK(api_key_add(&b.core, c, STR(MERCHANT), STR(""), STR(""), first, text[0], &b.why));
    CHECK_OK(run_commit(&b.f, c, NULL));
    books_advance(&b, 1000); /* ids are by time */
    c = books_commit();
    CHECK_OK(api_key_add(&b.core, c, STR(MERCHANT), STR(""), STR(""), second, text[1], &b.why));
    CHECK_OK(run_commit(&b.f, c, NULL));
    for (int revoked = 0; revoked < 3; revoked++) {
        const char *asked[] = {first, second, "key_nobody"};
        for (int i = 0; i < 3; i++) {
            struct buf key = {.secret = true};
            int err = api_key_open(&b.core, STR(MERCHANT), str_of(asked[i]), &key);
            CHECK_INT(err, revoked == 2 ? E_NOTFOUND : 0);
            const char *wanted = i == 0 && revoked == 0 ? text[0]
                                 : revoked == 1         ? text[0]
                                                        : text[1];
            if (err == 0) CHECK_STR(buf_str(&key), wanted);
            buf_free(&key);
            CHECK_ERR(api_key_open(&b.core, STR("mer_nobody"), str_of(asked[i]), &key), E_NOTFOUND);
        }
        c = books_commit();
        api_key_revoke(&b.core, c, STR(MERCHANT), str_of(revoked == 0 ? second : first));
        if (revoked < 2)
            CHECK_OK(run_commit(&b.f, c, NULL));
        else
            commit_free(c);
    }
    books_close(&b);
}

static void gone_disables_at_once(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    char id[ID_SIZE], secret[WEBHOOK_SECRET_SIZE];
    endpoint(&b, id, secret, NULL, 0);
    CHECK_OK(books_create(&b, &(struct offer){.amount = 1000, .fee = ""}));
    CHECK_OK(books_create(&b, &(struct offer){.amount = 1000, .fee = ""}));
    fan_all(&b);
    CHECK_OK(outcome(&b, id, 1, 0, 410));
    CHECK_INT(books_events(&b, "webhook_endpoint.disabled"), 1);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM delivery WHERE state = 'dead'"), 2);
    books_close(&b);
}

/* Standard Webhooks, by hand: base64(HMAC-SHA256(secret, id.timestamp.body)). */
static void expect_signature(const char *secret, struct str signatures) {
    struct buf key = {0}, want = {0};
    uint8_t mac[DIGEST_MAX];
    CHECK(strncmp(secret, "whsec_", 6) == 0);
    CHECK_OK(text_decode(&key, ENC_BASE64, str_of(secret + 6)));
    CHECK_INT(key.len, 32);
    CHECK_OK(crypto_hmac(DIGEST_SHA256, buf_str(&key), STR("evt_1.1700000000.{\"a\":1}"), mac));
    buf_adds(&want, "v1,");
    text_encode(&want, ENC_BASE64, (struct str){(const char *)mac, 32});
    CHECK(str_search(signatures, buf_str(&want)) >= 0);
    buf_free(&key);
    buf_free(&want);
}

static void two_secrets_live_while_rotating(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    char id[ID_SIZE], secret[2][WEBHOOK_SECRET_SIZE];
    struct buf out = {0};
    endpoint(&b, id, secret[0], NULL, 0);
    struct rows *rows = endpoint_rows(&b, id);
    CHECK_OK(webhook_sign(&b.core, rows, STR("evt_1"), 1700000000, STR("{\"a\":1}"), &out));
    expect_signature(secret[0], buf_str(&out));
    CHECK(str_find(buf_str(&out), ' ') < 0);
    struct commit *c = books_commit();
    CHECK_OK(endpoint_rotate(&b.core, c, rows, secret[1]));
    CHECK_OK(run_commit(&b.f, c, NULL));
    rows_free(rows);
    rows = endpoint_rows(&b, id);
    buf_clear(&out);
    CHECK_OK(webhook_sign(&b.core, rows, STR("evt_1"), 1700000000, STR("{\"a\":1}"), &out));
    expect_signature(secret[0], buf_str(&out));
    expect_signature(secret[1], buf_str(&out));
    books_advance(&b, WEBHOOK_OLD_MS);
    buf_clear(&out);
    CHECK_OK(webhook_sign(&b.core, rows, STR("evt_1"), 1700000000, STR("{\"a\":1}"), &out));
    expect_signature(secret[1], buf_str(&out));
    CHECK(str_find(buf_str(&out), ' ') < 0);
    rows_free(rows);
    buf_free(&out);
    books_close(&b);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(each_endpoint_gets_each_event_of_its_types),
    cmocka_unit_test(deliveries_end_after_75_hours),
    cmocka_unit_test(nothing_to_say_says_nothing_of_the_endpoint),
    cmocka_unit_test(a_key_is_opened_to_sign),
    cmocka_unit_test(gone_disables_at_once),
    cmocka_unit_test(two_secrets_live_while_rotating),
};
UNIT_MAIN("webhook", TESTS)
