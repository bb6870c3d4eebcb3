/* An Idempotency-Key and the body it stands for. */
#include "books.h"
#include "core/idempotency.h"

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
    struct commit *c = books_commit();
    CHECK_OK(idempotency_take(&b.core, c, &i));
    CHECK_OK(run_commit(&b.f, c, NULL));
    c = books_commit();
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
        c = books_commit();
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

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(a_key_is_for_one_body),
};
UNIT_MAIN("idempotency", TESTS)
