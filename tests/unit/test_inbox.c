/* Callbacks are kept sealed; money of nobody finds its payment or stands in suspense. */
#include "books.h"
#include "core/inbox.h"

#include <stdio.h>

static void callbacks_are_kept_sealed(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct inbox_new n = {.account = STR(ACCOUNT),
                          .body = STR("{\"name\":\"Siti Canary\"}"),
                          .state = INBOX_APPLIED,
                          .payment = STR("pay_1")};
    struct commit *c = books_commit();
    struct inbox_list list;
    struct inbox_row row;
    CHECK_INT(inbox_add(&b.core, c, &n), 0);
    CHECK_OK(run_commit(&b.f, c, &b.a));
    int64_t id = b.a.values[0].i;
    struct rows *rows;
    CHECK_OK(run_select(&b.f, "SELECT * FROM inbox", NULL, 0, &rows, NULL));
    CHECK(!rows_hold("anary", rows));
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
        c = books_commit();
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
    struct commit *c = books_commit();
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
        c = books_commit();
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
        c = books_commit();
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

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(callbacks_are_kept_sealed),
    cmocka_unit_test(orphans_find_their_payment_or_stand_in_suspense),
};
UNIT_MAIN("inbox", TESTS)
