/* Personal data: sealed, filled in where it is shown, and forgotten. */
#include "base/ensure.h"
#include "books.h"
#include "core/idempotency.h"
#include "core/person.h"

static void a_person_is_sealed_and_can_be_forgotten(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    static const char CUSTOMER[] = "{\"name\":\"Siti Canary\",\"email\":\"siti@canary.id\"}";
    char id[ID_SIZE] = "";
    struct commit *c = books_commit();
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
        CHECK(!rows_hold("anary", rows));
        rows_free(rows);
    }
    c = books_commit();
    person_add_erase(&b.core, c, str_of(id));
    CHECK_OK(run_commit(&b.f, c, NULL));
    c = books_commit();
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

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(a_person_is_sealed_and_can_be_forgotten),
    cmocka_unit_test(only_our_own_placeholder_is_filled),
};
UNIT_MAIN("person", TESTS)
