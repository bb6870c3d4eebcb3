/* What stands around payments: persons, merchants and their keys, idempotency, audit, webhooks, the
 * inbox. */
#include "base/ensure.h"
#include "base/pan.h"
#include "books.h"
#include "core/audit.h"
#include "core/idempotency.h"
#include "core/inbox.h"
#include "core/merchant.h"
#include "core/person.h"
#include "core/virtual_account.h"
#include "core/webhook.h"
#include "sys/crypto.h"
#include "sys/crypto_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct commit *fresh(void) {
    struct commit *c;
    CHECK_OK(commit_new(&c));
    return c;
}

/* ---- persons ---- */

static bool file_holds(const char *needle, const struct rows *rows) {
    for (size_t i = 0; i < rows_count(rows); i++)
        for (size_t k = 0; k < rows_columns(rows); k++)
            if (str_search(rows_text(rows, i, k), str_of(needle)) >= 0) return true;
    return false;
}

static void a_person_is_sealed_and_can_be_forgotten(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    static const char CUSTOMER[] = "{\"name\":\"Siti Canary\",\"email\":\"siti@canary.id\"}";
    char id[ID_SIZE] = "";
    struct commit *c = fresh();
    struct payment p;
    struct payment_result at_once = {.to = OPERATION_PENDING,
                                     .instructions = STR("{\"type\":\"va_number\"}")};
    CHECK_OK(person_add(&b.core, c, STR(MERCHANT), str_of(CUSTOMER), STR("{\"phone\":\"0812\"}"),
                        id, &b.why));
    struct payment_new n = {.merchant = STR(MERCHANT),
                            .order_id = STR("o1"),
                            .amount = 1000,
                            .currency = STR("IDR"),
                            .person = str_of(id),
                            .script = STR("channels/self_va.lua"),
                            .version = STR("v1"),
                            .account = STR("self/shared"),
                            .reference = STR("8800123"),
                            .at_once = &at_once,
                            .answer_status = 201,
                            .idempotency_key = STR("k"),
                            .path = STR("POST /v1/payments"),
                            .body = STR("body")};
    CHECK_OK(payment_add_create(&b.core, c, &n, &p, &b.why));
    char payment[ID_SIZE];
    memcpy(payment, p.id, sizeof payment);
    payment_free(&p);
    CHECK_OK(run_commit(&b.f, c, NULL));
    CHECK_STATUS(&b, payment, PAYMENT_PENDING);
    CHECK_INT(count_rows(&b.f, "job"), 0); /* nobody is to be asked */

    struct idempotency_found found;
    CHECK_OK(idempotency_find(&b.core, STR(MERCHANT), n.path, STR("k"), STR("body"), &found));
    CHECK_INT(found.state, IDEMPOTENCY_ANSWERED);
    CHECK_INT(found.status, 201);
    CHECK(str_search(found.answer, STR("Canary")) < 0);
    struct buf out = {0}, again = {0};
    CHECK_OK(customer_fill(&b.core, found.answer, &out));
    CHECK(str_search(buf_str(&out), STR("\"customer\":{\"name\":\"Siti Canary\",\"email\":")) > 0);
    CHECK(str_search(buf_str(&out), STR("per_")) < 0);
    CHECK_OK(customer_fill(&b.core, found.answer, &again));
    CHECK(str_eq(buf_str(&out), buf_str(&again))); /* the same bytes each time */
    struct json_doc doc;
    CHECK_OK(json_parse(&doc, buf_str(&out), NULL, &b.why));
    json_doc_free(&doc);
    struct core other = b.core; /* whose ring has lost the key: nobody was erased */
    struct seal_ring *ring;
    CHECK_OK(seal_ring_new(
        &ring, STR("ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"), &b.why));
    other.ring = ring;
    buf_clear(&again);
    CHECK_ERR(customer_fill(&other, found.answer, &again), E_CONFIG);
    seal_ring_delete(ring);
    static const char *const TABLES[] = {"SELECT * FROM payment", "SELECT * FROM event",
                                         "SELECT * FROM idempotency", "SELECT * FROM person",
                                         "SELECT * FROM operation"};
    for (size_t i = 0; i < ARRAY_LEN(TABLES); i++) {
        struct rows *rows;
        CHECK_OK(run_select(&b.f, TABLES[i], NULL, 0, &rows, NULL));
        CHECK(rows_count(rows) > 0);
        CHECK(!file_holds("anary", rows));
        rows_free(rows);
    }
    c = fresh();
    person_add_erase(&b.core, c, str_of(id));
    CHECK_OK(run_commit(&b.f, c, NULL));
    c = fresh();
    person_add_erase(&b.core, c, str_of(id));
    CHECK_ERR(run_commit(&b.f, c, NULL), E_GUARD);
    buf_clear(&out);
    CHECK_ERR(person_open(&b.core, str_of(id), &out), E_CLOSED);
    buf_clear(&out);
    CHECK_OK(customer_fill(&b.core, found.answer, &out));
    CHECK(str_search(buf_str(&out), STR("\"customer\":null,")) > 0);
    idempotency_found_free(&found);
    buf_free(&out);
    buf_free(&again);
    books_close(&b);
}

static void only_our_own_placeholder_is_filled(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct buf out = {0};
    CHECK_OK(customer_fill(&b.core, STR("{\"customer\":null,\"a\":1}"), &out));
    CHECK_STR(buf_str(&out), "{\"customer\":null,\"a\":1}");
    buf_clear(&out);
    /* a merchant that writes it into its metadata gets nobody's data */
    static const char FORGED[] =
        "{\"customer\":null,\"metadata\":{\"customer\":{\"id\":\"per_x\"}}}";
    buf_clear(&out);
    CHECK_OK(customer_fill(&b.core, str_of(FORGED), &out));
    CHECK_STR(buf_str(&out), FORGED);
    buf_free(&out);
    books_close(&b);
}

/* ---- merchants and keys ---- */

static void keys_are_found_by_hash_and_end(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct merchant m = {.name = STR("Shop"), .rate = 7, .allow = STR("10.0.0.0/8")};
    char id[2][ID_SIZE], text[2][API_KEY_SIZE];
    struct commit *c = fresh();
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
    c = fresh();
    CHECK_ERR(
        api_key_add(&b.core, c, str_of(m.id), STR(""), STR("sk_live_demo"), id[0], text[0], &b.why),
        E_INVAL); /* no given keys in production */
    commit_free(c);
    b.core.livemode = false;
    struct rows *rows;
    CHECK_OK(run_select(&b.f, "SELECT * FROM api_key", NULL, 0, &rows, NULL));
    CHECK(!file_holds(text[1], rows));
    rows_free(rows);
    c = fresh();
    api_key_revoke(&b.core, c, str_of(m.id), str_of(id[1]));
    CHECK_OK(run_commit(&b.f, c, NULL));
    CHECK_ERR(api_key_find(&b.core, str_of(text[1]), &caller), E_NOTFOUND);
    c = fresh();
    api_key_revoke(&b.core, c, str_of(m.id), str_of(id[1]));
    CHECK_ERR(run_commit(&b.f, c, NULL), E_GUARD);
    books_close(&b);
}

static void a_merchants_own_account_goes_first(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct commit *c = fresh();
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

/* ---- idempotency ---- */

static void a_key_is_for_one_body(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct idempotency i = {.merchant = STR(MERCHANT),
                            .path = STR("POST /v1/x"),
                            .key = STR("k"),
                            .body = STR("{\"a\":1}")};
    struct idempotency_found f;
    CHECK_OK(idempotency_find(&b.core, i.merchant, i.path, i.key, i.body, &f));
    CHECK_INT(f.state, IDEMPOTENCY_FREE);
    idempotency_found_free(&f);
    struct commit *c = fresh();
    CHECK_OK(idempotency_take(&b.core, c, &i));
    CHECK_OK(run_commit(&b.f, c, NULL));
    c = fresh();
    CHECK_OK(idempotency_take(&b.core, c, &i));
    CHECK_ERR(run_commit(&b.f, c, NULL), E_EXISTS);
    CHECK_OK(idempotency_find(&b.core, i.merchant, i.path, i.key, i.body, &f));
    CHECK_INT(f.state, IDEMPOTENCY_RUNNING);
    idempotency_found_free(&f);
    CHECK_OK(idempotency_find(&b.core, i.merchant, i.path, i.key, STR("{\"a\": 1}"), &f));
    CHECK_INT(f.state, IDEMPOTENCY_MISMATCH); /* the same raw bytes, not the same meaning */
    idempotency_found_free(&f);
    CHECK_OK(idempotency_find(&b.core, i.merchant, STR("POST /v1/y"), i.key, i.body, &f));
    CHECK_INT(f.state, IDEMPOTENCY_FREE);
    idempotency_found_free(&f);
    for (int n = 0; n < 2; n++) { /* the first answer stands */
        c = fresh();
        idempotency_answer(c, i.merchant, i.path, i.key, 200 + n, STR("answer"), STR(""));
        CHECK_OK(run_commit(&b.f, c, NULL));
    }
    CHECK_OK(idempotency_find(&b.core, i.merchant, i.path, i.key, i.body, &f));
    CHECK_INT(f.state, IDEMPOTENCY_ANSWERED);
    CHECK_INT(f.status, 200);
    CHECK_STR(f.answer, "answer");
    idempotency_found_free(&f);
    books_close(&b);
}

/* ---- events ---- */

static void events_have_ids_that_find_them(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    CHECK_OK(books_offer(&b, &(struct offer){.amount = 150000}));
    CHECK_OK(books_pay(&b, b.last, "m1", 150000));
    struct rows *rows, *one;
    CHECK_OK(
        run_query(&b.f, "merchant_events", VALS(V_TEXT(MERCHANT), V_INT(0), V_INT(10)), &rows));
    CHECK_INT(rows_count(rows), 2);
    struct buf out = {0};
    CHECK_OK(event_json(rows, 1, &out));
    struct json_doc doc;
    CHECK_OK(json_parse(&doc, buf_str(&out), NULL, &b.why));
    struct str id, type;
    int64_t sequence;
    CHECK_OK(json_get_str(doc.root, "id", &id));
    CHECK_OK(json_get_str(doc.root, "type", &type));
    CHECK_OK(json_get_i64(doc.root, "sequence", &sequence));
    CHECK_STR(type, "payment.succeeded");
    CHECK_INT(sequence, 2);
    struct str status;
    CHECK_OK(json_get_str(json_get(json_get(doc.root, "data"), "object"), "status", &status));
    CHECK_STR(status, "success");
    CHECK_INT(id.n, 29);
    CHECK_OK(event_read(&b.core, STR(MERCHANT), id, &one));
    CHECK_INT(rows_int(one, 0, 1), 2);
    rows_free(one);
    CHECK_ERR(event_read(&b.core, STR("mer_other"), id, &one), E_NOTFOUND);
    char forged[ID_SIZE];
    event_id_make(forged, 5, 1, 2);
    CHECK_ERR(event_read(&b.core, STR(MERCHANT), str_of(forged), &one), E_NOTFOUND);
    CHECK_ERR(event_read(&b.core, STR(MERCHANT), STR("evt_"), &one), E_NOTFOUND);
    CHECK_ERR(event_read(&b.core, STR(MERCHANT), STR("evt_!!!!!!!!!!!!!!!!!!!!!!!!!!"), &one),
              E_NOTFOUND);
    int64_t at, topic;
    size_t from, to;
    for (int i = 0; i < 20000; i++) { /* those that come, and any */
        bool real = i % 2 == 0;
        int64_t want[3] = {
            real ? 1796000000000 + (int64_t)rng_below(&b.rng, 1u << 31)
                 : (int64_t)(rng_u64(&b.rng) >> 16),
            real ? (int64_t)rng_below(&b.rng, 100) : (int64_t)(rng_u64(&b.rng) >> 40),
            real ? (int64_t)rng_below(&b.rng, 100000) : (int64_t)(rng_u64(&b.rng) >> 24)};
        event_id_make(forged, want[0], want[1], want[2]);
        CHECK_OK(event_id_parse(str_of(forged), &at, &topic, &sequence));
        CHECK(at == want[0] && topic == want[1] && sequence == want[2]);
        CHECK(!pan_find(str_of(forged), &from, &to)); /* the API's door lets it in */
    }
    json_doc_free(&doc);
    buf_free(&out);
    rows_free(rows);
    books_close(&b);
}

/* ---- audit ---- */

static int audit_one(struct books *b, const char *what) {
    struct commit *c = fresh();
    const struct audit_line lines[] = {{STR("operator"), str_of(what), STR("mer_1"), STR("{}")},
                                       {STR("operator"), STR("more"), STR("mer_1"), STR("{}")}};
    CHECK_OK(audit_add(&b->core, c, lines, 2));
    return run_commit(&b->f, c, NULL);
}

static void the_audit_chain_shows_changes(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    int64_t lines, bad;
    CHECK_OK(audit_verify(&b.core, &lines, &bad));
    CHECK_INT(lines, 0);
    for (int i = 0; i < 300; i++)
        CHECK_OK(audit_one(&b, "merchant.suspend"));
    CHECK_OK(audit_verify(&b.core, &lines, &bad));
    CHECK_INT(lines, 600);
    /* two that were built on the same head */
    struct commit *c[2];
    const struct audit_line line = {STR("a"), STR("b"), STR("c"), STR("d")};
    for (int i = 0; i < 2; i++) {
        c[i] = fresh();
        CHECK_OK(audit_add(&b.core, c[i], &line, 1));
    }
    CHECK_OK(run_commit(&b.f, c[0], NULL));
    int err = run_commit(&b.f, c[1], NULL);
    CHECK(err == E_STATE || err == E_EXISTS);
    /* a line is changed behind our back, the trigger taken away: found */
    char folder[300], file[340];
    snprintf(folder, sizeof folder, "%s/audit", unit_tmpdir());
    snprintf(file, sizeof file, "%s/0001_forge.sql", folder);
    CHECK_INT(mkdir(folder, 0700), 0);
    FILE *f = fopen(file, "w");
    fputs("DROP TRIGGER audit_stays; UPDATE audit SET actor = 'nobody' WHERE n = 77;", f);
    fclose(f);
    CHECK_OK(store_migrate(b.f.store, folder, &b.why));
    CHECK_ERR(audit_verify(&b.core, &lines, &bad), E_CORRUPT);
    CHECK_INT(bad, 77);
    books_close(&b);
}

/* ---- webhooks ---- */

static struct rows *endpoint_rows(struct books *b, const char *id) {
    struct rows *rows;
    CHECK_OK(store_get(b->f.store, "endpoint_get", VALS(V_TEXT(id)), &rows));
    CHECK_INT(rows_count(rows), 1);
    return rows;
}

static int64_t waits;

static int outcome(struct books *b, const char *id, int64_t sequence, int64_t tries, int status) {
    struct commit *c = fresh();
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
    struct commit *c = fresh();
    struct endpoint_new n = {STR(MERCHANT), STR("https://shop.test/hook"), types, count};
    CHECK_OK(endpoint_add(&b->core, c, &n, id, secret, &b->why));
    CHECK_OK(run_commit(&b->f, c, NULL));
}

static void fan_all(struct books *b) {
    struct rows *rows;
    CHECK_OK(run_query(&b->f, "endpoints_behind", VALS(V_INT(10)), &rows));
    for (size_t i = 0; i < rows_count(rows); i++) {
        struct commit *c = fresh();
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
    struct commit *c = fresh();
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
    c = fresh();
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
    struct commit *c = fresh();
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
    c = fresh();
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
    struct commit *c = fresh();
    CHECK_OK(api_key_add(&b.core, c, STR(MERCHANT), STR(""), STR(""), first, text[0], &b.why));
    CHECK_OK(run_commit(&b.f, c, NULL));
    books_advance(&b, 1000); /* ids are by time */
    c = fresh();
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
        c = fresh();
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
    struct commit *c = fresh();
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

/* ---- the inbox ---- */

static void callbacks_are_kept_sealed(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct inbox_new n = {.account = STR(ACCOUNT),
                          .body = STR("{\"name\":\"Siti Canary\"}"),
                          .state = INBOX_APPLIED,
                          .payment = STR("pay_1")};
    struct commit *c = fresh();
    struct inbox_list list;
    struct inbox_row row;
    CHECK_INT(inbox_add(&b.core, c, &n), 0);
    CHECK_OK(run_commit(&b.f, c, &b.a));
    int64_t id = b.a.values[0].i;
    struct rows *rows;
    CHECK_OK(run_select(&b.f, "SELECT * FROM inbox", NULL, 0, &rows, NULL));
    CHECK(!file_holds("anary", rows));
    rows_free(rows);
    CHECK_OK(inbox_find(&b.core, n.account, n.body, &list));
    CHECK_OK(inbox_row(&list, 0, &row));
    CHECK_INT(row.id, id);
    CHECK_INT(row.status, 0);
    struct buf body = {0};
    CHECK_OK(inbox_body(&b.core, &list, 0, &body));
    CHECK(str_eq(buf_str(&body), n.body));
    buf_free(&body);
    inbox_list_free(&list);
    for (int i = 0; i < 2; i++) { /* the first answer stands */
        c = fresh();
        inbox_add_answer(&b.core, c, id, 200 + i, STR("ok"));
        CHECK_OK(run_commit(&b.f, c, NULL));
    }
    CHECK_OK(inbox_find(&b.core, n.account, n.body, &list));
    CHECK_OK(inbox_row(&list, 0, &row));
    CHECK_INT(row.status, 200);
    CHECK_STR(row.answer, "ok");
    inbox_list_free(&list);
    CHECK_ERR(inbox_find(&b.core, STR("other"), n.body, &list), E_NOTFOUND);
    books_close(&b);
}

static void orphans_find_their_payment_or_stand_in_suspense(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct inbox_list list;
    struct inbox_row row;
    struct commit *c = fresh();
    for (int i = 0; i < 3; i++) {
        char body[20], money[20];
        snprintf(body, sizeof body, "body %d", i);
        snprintf(money, sizeof money, "m%d", i);
        struct inbox_new n = {.account = STR(ACCOUNT),
                              .body = str_of(body),
                              .state = INBOX_ORPHAN,
                              .reference = i == 0 ? STR("ref-1") : STR("nobody"),
                              .money_id = i == 2 ? STR("") : str_of(money),
                              .amount = i == 2 ? 0 : 150000};
        CHECK(inbox_add(&b.core, c, &n) >= 0);
    }
    CHECK_OK(run_commit(&b.f, c, NULL));
    /* the attempt comes to be, with that reference: settle and adopt in one commit */
    CHECK_OK(books_create(&b, &(struct offer){.amount = 150000}));
    CHECK_OK(inbox_orphans(&b.core, STR(ACCOUNT), STR("ref-1"), &list));
    CHECK_INT(list.count, 1);
    CHECK_OK(inbox_row(&list, 0, &row));
    struct payment p;
    size_t at;
    CHECK_OK(payment_find(&b.core, STR(ACCOUNT), row.reference, &p, &at));
    for (int i = 0; i < 2; i++) {
        c = fresh();
        CHECK_OK(payment_add_settle(&b.core, c, &p, at,
                                    &(struct money){.money_id = row.money_id,
                                                    .amount = row.amount,
                                                    .source = STR("callback")},
                                    &b.verdict, &b.why));
        inbox_add_adopt(&b.core, c, row.id, str_of(p.id));
        CHECK_ERR(run_commit(&b.f, c, NULL), i == 0 ? 0 : E_GUARD); /* once */
    }
    CHECK_STATUS(&b, p.id, PAYMENT_SUCCESS);
    payment_free(&p);
    inbox_list_free(&list);
    /* the others' time is over */
    books_advance(&b, ORPHAN_MS);
    CHECK_OK(inbox_orphans(&b.core, STR(ACCOUNT), STR("nobody"), &list));
    CHECK_INT(list.count, 2);
    for (size_t i = 0; i < list.count; i++) {
        c = fresh();
        CHECK_OK(inbox_row(&list, i, &row));
        CHECK_OK(inbox_add_over(&b.core, c, &row));
        CHECK_OK(run_commit(&b.f, c, NULL));
    }
    inbox_list_free(&list);
    CHECK_BALANCE(&b, "suspense", 150000);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM inbox WHERE state = 'suspense'"), 1);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM inbox WHERE state = 'ignored'"), 1);
    books_close(&b);
}

/* ---- holds ---- */

static void a_hold_ends_once(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    int64_t now = core_now(&b.core);
    struct commit *c = fresh();
    ledger_deposit(c, STR(MERCHANT), 500, STR("dep_1"), now);
    CHECK_OK(run_commit(&b.f, c, NULL));
    c = fresh(); /* what is a deposit is not payable: that account is empty */
    ledger_hold(c, STR(MERCHANT), 100, STR("h0"), now);
    CHECK_ERR(run_commit(&b.f, c, NULL), E_STATE);
    CHECK_OK(books_create(&b, &(struct offer){.amount = 1000, .fee = ""}));
    CHECK_OK(books_pay(&b, b.last, "m1", 1000));
    CHECK_OK(books_available(&b, b.last));
    static const char *const HOLDS[] = {"h1", "h2"};
    for (int i = 0; i < 2; i++) {
        c = fresh();
        ledger_hold(c, STR(MERCHANT), 400, str_of(HOLDS[i]), now);
        CHECK_OK(run_commit(&b.f, c, NULL));
    }
    struct balance balance;
    CHECK_OK(ledger_balance(b.f.store, STR(MERCHANT), &balance));
    CHECK_INT(balance.available, 200 + 500);
    CHECK_INT(balance.held, 800);
    c = fresh();
    ledger_hold(c, STR(MERCHANT), 201, STR("h3"), now); /* more than there is */
    CHECK_ERR(run_commit(&b.f, c, NULL), E_STATE);
    c = fresh();
    ledger_hold_commit(c, STR(MERCHANT), 400, (struct ledger_side){LEDGER_BANK}, STR("h1"), now);
    CHECK_OK(run_commit(&b.f, c, NULL));
    c = fresh();
    ledger_hold_release(c, STR(MERCHANT), 400, STR("h1"), now);
    CHECK_ERR(run_commit(&b.f, c, NULL), E_EXISTS);
    c = fresh();
    ledger_hold_release(c, STR(MERCHANT), 400, STR("h2"), now);
    CHECK_OK(run_commit(&b.f, c, NULL));
    CHECK_BALANCE(&b, "merchant_payable:" MERCHANT, 600);
    books_close(&b);
}

/* ---- open virtual accounts ---- */

static int pay_va(struct books *b, const char *money_id, int64_t amount) {
    struct virtual_account v;
    struct payment p;
    struct commit *c = fresh();
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
        struct commit *c = fresh();
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
    struct commit *c = fresh();
    virtual_account_add_close(&b.core, c, &v);
    CHECK_OK(run_commit(&b.f, c, NULL));
    c = fresh();
    virtual_account_add_close(&b.core, c, &v);
    CHECK_ERR(run_commit(&b.f, c, NULL), E_GUARD);
    CHECK_OK(pay_va(&b, "m4", 7000));
    CHECK_INT(b.verdict, VERDICT_EXPIRED);
    CHECK_BALANCE(&b, "suspense", 7000);
    books_close(&b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_open_account_is_paid_many_times),
    cmocka_unit_test(a_person_is_sealed_and_can_be_forgotten),
    cmocka_unit_test(only_our_own_placeholder_is_filled),
    cmocka_unit_test(keys_are_found_by_hash_and_end),
    cmocka_unit_test(a_merchants_own_account_goes_first),
    cmocka_unit_test(a_key_is_for_one_body),
    cmocka_unit_test(events_have_ids_that_find_them),
    cmocka_unit_test(the_audit_chain_shows_changes),
    cmocka_unit_test(each_endpoint_gets_each_event_of_its_types),
    cmocka_unit_test(nothing_to_say_says_nothing_of_the_endpoint),
    cmocka_unit_test(a_key_is_opened_to_sign),
    cmocka_unit_test(deliveries_end_after_75_hours),
    cmocka_unit_test(gone_disables_at_once),
    cmocka_unit_test(two_secrets_live_while_rotating),
    cmocka_unit_test(callbacks_are_kept_sealed),
    cmocka_unit_test(orphans_find_their_payment_or_stand_in_suspense),
    cmocka_unit_test(a_hold_ends_once),
};

UNIT_MAIN("core_parts", tests)
