/* Events have ids that find them. */
#include "base/pan.h"
#include "books.h"
#include "core/merchant.h"

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

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(events_have_ids_that_find_them),
};
UNIT_MAIN("event", TESTS)
