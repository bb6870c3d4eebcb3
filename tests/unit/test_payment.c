/* core/payment: the life of a payment, commit by commit, and what the books say after each. The
 * amounts are worked out by hand from the design: 150,000 less 4,000 fee and 440 tax. */
#include "books.h"

#include "base/ensure.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>

#define PENDING_ACC   "merchant_payable.pending:" MERCHANT
#define AVAILABLE_ACC "merchant_payable:" MERCHANT
#define OWED_ACC      "merchant_receivable:" MERCHANT
#define PROVIDER_ACC  "provider_receivable:" ACCOUNT
#define DUE           150000
#define NET           145560

static const struct offer VA = {.amount = DUE};

static void from_request_to_settled_ledger(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    CHECK_OK(books_create(&b, &VA));
    CHECK_STATUS(&b, b.last, PAYMENT_PROCESSING); /* the provider was asked, nobody knows */
    CHECK_INT(books_int(&b, "SELECT count(*) FROM job WHERE state = 'waiting'"), 1);
    CHECK_INT(books_events(&b, "payment.created"), 1);
    CHECK_OK(books_result(&b, b.last, OPERATION_PENDING));
    CHECK_STATUS(&b, b.last, PAYMENT_PENDING);
    CHECK_OK(books_pay(&b, b.last, "m1", DUE));
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    CHECK_STATUS(&b, b.last, PAYMENT_SUCCESS);
    CHECK_INT(books_events(&b, "payment.succeeded"), 1);
    CHECK_BALANCE(&b, PROVIDER_ACC, -DUE);
    CHECK_BALANCE(&b, PENDING_ACC, NET);
    CHECK_BALANCE(&b, "fee_income", 4000);
    CHECK_BALANCE(&b, "output_vat", 440);
    CHECK_BALANCE(&b, AVAILABLE_ACC, 0);
    struct balance balance;
    CHECK_OK(ledger_balance(b.f.store, STR(MERCHANT), &balance));
    CHECK_INT(balance.pending, NET);
    CHECK_OK(books_available(&b, b.last));
    CHECK_ERR(books_available(&b, b.last), E_STATE);
    CHECK_BALANCE(&b, PENDING_ACC, 0);
    CHECK_BALANCE(&b, AVAILABLE_ACC, NET);
    /* mutations: in, fee out, tax out; a running balance without a gap */
    CHECK_INT(books_int(&b, "SELECT count(*) FROM mutation"), 3);
    CHECK_INT(books_int(&b, "SELECT balance FROM mutation ORDER BY entry DESC LIMIT 1"), NET);
    books_close(&b);
}

static void the_object_is_the_contracts(void **state) {
    (void)state;
    static const char *const KEYS[] = {"id",
                                       "object",
                                       "livemode",
                                       "order_id",
                                       "status",
                                       "amount",
                                       "amount_due",
                                       "amount_paid",
                                       "amount_refunded",
                                       "amount_reversed",
                                       "currency",
                                       "method",
                                       "channel",
                                       "bank",
                                       "customer",
                                       "fee",
                                       "instructions",
                                       "checkout_url",
                                       "failure",
                                       "attempts",
                                       "items",
                                       "description",
                                       "metadata",
                                       "scripts",
                                       "expires_at",
                                       "created_at",
                                       "paid_at"};
    struct books b;
    books_open(&b);
    CHECK_OK(books_offer(&b, &VA));
    struct payment p;
    books_get(&b, b.last, &p);
    struct buf out = {0};
    payment_json(&b.core, &p, &out);
    CHECK_OK(out.err);
    struct json_doc doc;
    struct why why = {0};
    CHECK_OK(json_parse(&doc, buf_str(&out), NULL, &why));
    CHECK_INT(doc.root->count, ARRAY_LEN(KEYS));
    const struct json *m = doc.root->first;
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++, m = m->next)
        CHECK_STR(m->key, KEYS[i]);
    struct str s;
    CHECK_OK(json_get_str(doc.root, "status", &s));
    CHECK_STR(s, "pending");
    CHECK_OK(json_get_str(doc.root, "description", &s));
    CHECK_STR(s, "a \"pair\"");
    CHECK_OK(json_get_str(doc.root, "channel", &s));
    CHECK_STR(s, "midtrans_bca_va");
    CHECK_OK(json_get_str(doc.root, "created_at", &s));
    CHECK_STR(s, "2026-01-31T10:00:00.000+07:00");
    CHECK(json_get(doc.root, "paid_at")->type == JT_NULL);
    CHECK_OK(json_get_str(json_get(doc.root, "instructions"), "va_number", &s));
    CHECK_STR(s, "123");
    CHECK_OK(json_get_str(json_at(json_get(doc.root, "attempts"), 0), "status", &s));
    CHECK_STR(s, "pending");
    int64_t n;
    CHECK_OK(json_get_i64(json_get(doc.root, "fee"), "total", &n));
    CHECK_INT(n, 4440);
    CHECK_OK(json_get_i64(json_get(doc.root, "metadata"), "a", &n));
    CHECK_INT(n, 1);
    json_doc_free(&doc);
    buf_free(&out);
    payment_free(&p);
    books_close(&b);
}

static void one_order_one_open_payment(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct offer o = {.amount = DUE, .order = "A"};
    CHECK_OK(books_offer(&b, &o));
    CHECK_ERR(books_create(&b, &o), E_EXISTS);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM payment"), 1);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM operation"), 1);
    CHECK_INT(books_events(&b, "payment.created"), 1);
    struct payment p;
    CHECK_OK(payment_of_order(&b.core, STR(MERCHANT), STR("A"), &p));
    CHECK_OK(books_cancel(&b, p.id));
    payment_free(&p);
    CHECK_ERR(payment_of_order(&b.core, STR(MERCHANT), STR("A"), &p), E_NOTFOUND);
    CHECK_OK(books_offer(&b, &o)); /* after its end a new one */
    CHECK_ERR(books_create(&b, &o), E_EXISTS);
    books_close(&b);
}

static void the_same_money_counts_once(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    CHECK_OK(books_offer(&b, &VA));
    int applied = 0;
    for (int i = 0; i < 100; i++) {
        CHECK_OK(books_pay(&b, b.last, "m1", DUE));
        applied += b.verdict == VERDICT_APPLIED;
        if (i > 0) CHECK_INT(b.verdict, VERDICT_DUPLICATE);
    }
    CHECK_INT(applied, 1);
    CHECK_OK(books_pay(&b, b.last, "m1", DUE + 1)); /* the same id, another amount: a person */
    CHECK_INT(b.verdict, VERDICT_AMOUNT_MISMATCH);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM movement"), 1);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM note"), 1);
    CHECK_OK(books_pay(&b, b.last, "m2", DUE)); /* two transfers to one VA */
    CHECK_INT(b.verdict, VERDICT_SECOND_PAYMENT);
    CHECK_BALANCE(&b, "suspense", DUE);
    CHECK_BALANCE(&b, PENDING_ACC, NET);
    CHECK_INT(books_events(&b, "payment.succeeded"), 1);
    CHECK_INT(books_events(&b, "payment.overpaid"), 1);
    books_close(&b);
}

/* Two payments, one id and amount: whoever gave them alike, the second one's money is nobody's news
 * unless a person hears of it. */
static void an_id_that_paid_another(void **state) {
    (void)state;
    struct books b;
    char first[ID_SIZE];
    books_open(&b);
    CHECK_OK(books_offer(&b, &VA));
    memcpy(first, b.last, sizeof first);
    CHECK_OK(books_pay(&b, first, "m1", DUE));
    CHECK_OK(books_offer(&b, &VA));
    CHECK_OK(books_pay(&b, b.last, "m1", DUE));
    CHECK_INT(b.verdict, VERDICT_DUPLICATE);
    CHECK_STATUS(&b, b.last, PAYMENT_PENDING);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM movement"), 1);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM note WHERE what = 'money_id_of_another_payment'"
                            " AND payment <> (SELECT payment FROM movement)"),
              1);
    CHECK_OK(books_pay(&b, first, "m1", DUE)); /* its own, once more */
    CHECK_INT(books_int(&b, "SELECT count(*) FROM note"), 1);
    books_close(&b);
}

static void short_and_over(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct payment p;
    /* closed: the payment stays as it is */
    CHECK_OK(books_offer(&b, &VA));
    CHECK_OK(books_pay(&b, b.last, "c1", DUE - 1000));
    CHECK_INT(b.verdict, VERDICT_AMOUNT_MISMATCH);
    CHECK_OK(books_pay(&b, b.last, "c2", DUE + 1000));
    CHECK_INT(b.verdict, VERDICT_AMOUNT_MISMATCH);
    CHECK_STATUS(&b, b.last, PAYMENT_PENDING);
    CHECK_BALANCE(&b, "suspense", 2 * DUE);
    CHECK_INT(books_events(&b, "payment.underpaid"), 1);
    CHECK_INT(books_events(&b, "payment.overpaid"), 1);
    CHECK_OK(books_pay(&b, b.last, "c3", DUE));
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    CHECK_STATUS(&b, b.last, PAYMENT_SUCCESS);
    /* open: short counts and waits, the rest completes it, over is over */
    CHECK_OK(books_offer(&b, &(struct offer){.amount = DUE, .open = true}));
    CHECK_OK(books_pay(&b, b.last, "o1", DUE - 1000));
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    books_get(&b, b.last, &p);
    CHECK_INT(p.status, PAYMENT_PENDING);
    CHECK_INT(p.amount_paid, DUE - 1000);
    payment_free(&p);
    CHECK_BALANCE(&b, "suspense", 3 * DUE - 1000);
    CHECK_OK(books_pay(&b, b.last, "o2", 3000));
    books_get(&b, b.last, &p);
    CHECK_INT(p.status, PAYMENT_SUCCESS);
    CHECK_INT(p.amount_paid, DUE);
    CHECK_INT(p.received, DUE + 2000);
    payment_free(&p);
    CHECK_BALANCE(&b, "suspense", 2 * DUE + 2000);
    CHECK_BALANCE(&b, PENDING_ACC, 2 * NET);
    books_close(&b);
}

static void late_money_waits_for_a_policy(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct offer o = {.amount = DUE, .order = "L", .expires_in = 60000};
    CHECK_OK(books_offer(&b, &o));
    CHECK_ERR(books_expire(&b, b.last), E_STATE); /* its time is not over */
    books_advance(&b, 60000);
    CHECK_OK(books_expire(&b, b.last));
    CHECK_STATUS(&b, b.last, PAYMENT_EXPIRED);
    CHECK_OK(books_pay(&b, b.last, "late", DUE));
    CHECK_INT(b.verdict, VERDICT_EXPIRED);
    CHECK_STATUS(&b, b.last, PAYMENT_EXPIRED);
    CHECK_BALANCE(&b, "suspense", DUE);
    CHECK_INT(books_events(&b, "payment.late"), 1);
    char old[ID_SIZE];
    memcpy(old, b.last, sizeof old);
    CHECK_OK(books_offer(&b, &o)); /* the order has a new payment: the old one is over */
    CHECK_ERR(books_accept(&b, old, 1), E_STATE);
    CHECK_OK(books_cancel(&b, b.last));
    CHECK_OK(books_accept(&b, old, 1));
    CHECK_STATUS(&b, old, PAYMENT_SUCCESS);
    CHECK_BALANCE(&b, "suspense", 0);
    CHECK_BALANCE(&b, AVAILABLE_ACC, NET);
    CHECK_ERR(books_accept(&b, old, 1), E_STATE);
    books_close(&b);
}

static void polling_finds_and_a_callback_claims(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    CHECK_OK(books_offer(&b, &VA));
    CHECK_OK(books_found(&b, b.last, 0));
    CHECK_INT(b.verdict, VERDICT_DUPLICATE); /* nothing new */
    CHECK_OK(books_found(&b, b.last, DUE));
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    CHECK_STATUS(&b, b.last, PAYMENT_SUCCESS);
    CHECK_OK(books_found(&b, b.last, DUE));
    CHECK_INT(b.verdict, VERDICT_DUPLICATE);
    CHECK_OK(books_pay(&b, b.last, "m1", DUE)); /* it is that money */
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    CHECK_OK(books_pay(&b, b.last, "m1", DUE));
    CHECK_INT(b.verdict, VERDICT_DUPLICATE);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM movement"), 1);
    CHECK_OK(books_pay(&b, b.last, "m2", DUE)); /* and this is other money */
    CHECK_INT(b.verdict, VERDICT_SECOND_PAYMENT);
    CHECK_INT(books_events(&b, "payment.succeeded"), 1);
    books_close(&b);
}

/* Its callback fitted nothing in time and stands in suspense; then polling found it, and knew no id. */
static void polled_money_that_was_an_orphan_is_no_second_payment(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    CHECK_OK(books_offer(&b, &VA));
    struct commit *c = NULL;
    CHECK_OK(commit_new(&c));
    CHECK_OK(money_add_orphan(
        &b.core, c, STR(ACCOUNT),
        &(struct money){.money_id = STR("m1"), .amount = DUE, .source = STR("callback")}));
    CHECK_OK(run_commit(&b.f, c, NULL));
    CHECK_OK(books_found(&b, b.last, DUE));
    CHECK_STATUS(&b, b.last, PAYMENT_SUCCESS);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(books_pay(&b, b.last, "m1", DUE)); /* the provider repeats itself */
        CHECK_INT(b.verdict, VERDICT_DUPLICATE);
    }
    CHECK_INT(books_events(&b, "payment.overpaid"), 0);
    CHECK_INT(books_int(&b, "SELECT sum(amount) FROM movement WHERE payment IS NOT NULL"), DUE);
    CHECK_BALANCE(&b, "suspense", DUE); /* a person's */
    CHECK_INT(books_int(&b, "SELECT count(*) FROM note"
                            " WHERE what = 'orphan_may_be_what_polling_found'"),
              2);
    char paid[ID_SIZE];
    memcpy(paid, b.last, sizeof paid);
    struct offer other = {.amount = DUE, .order = "other"};
    CHECK_OK(books_offer(&b, &other));
    CHECK_ERR(books_same(&b, b.last, 1), E_STATE); /* polling has found nothing of it */
    CHECK_ERR(books_same(&b, paid, 2), E_STATE);   /* that one is a payment's */
    CHECK_OK(books_same(&b, paid, 1));
    CHECK_BALANCE(&b, "suspense", 0);
    CHECK_INT(books_int(&b, "SELECT debits - credits FROM ledger_account"
                            " WHERE name = 'provider_receivable:" ACCOUNT "'"),
              DUE);
    CHECK_ERR(books_same(&b, paid, 1), E_STATE);
    CHECK_OK(books_pay(&b, paid, "m1", DUE));
    CHECK_INT(b.verdict, VERDICT_DUPLICATE);
    CHECK_OK(books_reverse(&b, paid, "m1", DUE)); /* its id is that money's */
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    CHECK_INT(books_int(&b, "SELECT sum(amount_reversed) FROM payment"), DUE);
    books_close(&b);
}

static void deny_then_settlement(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct offer o = {.amount = DUE, .order = "D"};
    CHECK_OK(books_create(&b, &o));
    CHECK_OK(books_result(&b, b.last, OPERATION_FAILED));
    CHECK_STATUS(&b, b.last, PAYMENT_FAILED);
    CHECK_INT(books_events(&b, "payment.failed"), 1);
    CHECK_OK(books_pay(&b, b.last, "m1", DUE - 1)); /* not what was due: suspense */
    CHECK_INT(b.verdict, VERDICT_EXPIRED);
    CHECK_OK(books_pay(&b, b.last, "m2", DUE));
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    CHECK_STATUS(&b, b.last, PAYMENT_SUCCESS);
    /* a failed one whose order was paid meanwhile stays failed */
    o.order = "E";
    CHECK_OK(books_create(&b, &o));
    CHECK_OK(books_result(&b, b.last, OPERATION_FAILED));
    char old[ID_SIZE];
    memcpy(old, b.last, sizeof old);
    CHECK_OK(books_offer(&b, &o));
    CHECK_OK(books_pay(&b, b.last, "m3", DUE));
    CHECK_OK(books_pay(&b, old, "m4", DUE));
    CHECK_INT(b.verdict, VERDICT_EXPIRED);
    CHECK_STATUS(&b, old, PAYMENT_FAILED);
    CHECK_BALANCE(&b, "suspense", DUE - 1 + DUE);
    books_close(&b);
}

static void unknown_is_no_end(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    CHECK_OK(books_create(&b, &VA));
    CHECK_ERR(books_cancel(&b, b.last), E_STATE); /* sending: the provider has to be asked */
    CHECK_OK(books_result(&b, b.last, OPERATION_UNKNOWN));
    CHECK_STATUS(&b, b.last, PAYMENT_PROCESSING);
    CHECK_INT(books_events(&b, "payment.processing"), 1);
    books_advance(&b, 2 * 86400000);
    CHECK_ERR(books_expire(&b, b.last), E_STATE);
    CHECK_ERR(books_cancel(&b, b.last), E_STATE);
    CHECK_ERR(books_result(&b, b.last, OPERATION_EXPIRED), E_STATE);
    CHECK_OK(books_pay(&b, b.last, "m1", DUE));
    CHECK_STATUS(&b, b.last, PAYMENT_SUCCESS);
    books_close(&b);
}

/* The bank's callback comes before the answer to our create. */
static void callback_before_the_answer(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    CHECK_OK(books_create(&b, &VA));
    CHECK_OK(books_pay(&b, b.last, "m1", DUE));
    CHECK_STATUS(&b, b.last, PAYMENT_SUCCESS);
    struct payment p;
    struct commit *c;
    books_get(&b, b.last, &p);
    CHECK_OK(commit_new(&c));
    struct payment_result r = {.to = OPERATION_PENDING,
                               .doc = STR("{\"data\":{\"id\":\"t1\"}}"),
                               .instructions = STR("{\"type\":\"va_number\"}")};
    CHECK_OK(payment_add_result(&b.core, c, &p, 0, 1, &r, &b.why)); /* it began at generation 1 */
    payment_free(&p);
    CHECK_OK(run_commit(&b.f, c, NULL));
    books_get(&b, b.last, &p);
    CHECK_INT(p.status, PAYMENT_SUCCESS);
    CHECK_INT(p.attempts[0].state, OPERATION_SUCCESS);
    CHECK_STR(p.attempts[0].doc, "{\"data\":{\"id\":\"t1\"}}"); /* what we learned is kept */
    payment_free(&p);
    books_close(&b);
}

static void refunds_stay_below_what_was_paid(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    CHECK_OK(books_offer(&b, &VA));
    CHECK_ERR(books_refund(&b, b.last, 1000, NULL), E_LIMIT);
    CHECK_OK(books_pay(&b, b.last, "m1", DUE));
    struct refund r, again;
    CHECK_OK(books_refund(&b, b.last, 100000, &r));
    CHECK_ERR(books_refund(&b, b.last, 50001, &again), E_LIMIT); /* pending ones count */
    CHECK_BALANCE(&b, "refund_clearing", 100000);
    CHECK_BALANCE(&b, PENDING_ACC, NET - 100000);
    CHECK_OK(books_refunded(&b, r.id, REFUND_FAILED));
    CHECK_BALANCE(&b, "refund_clearing", 0);
    CHECK_BALANCE(&b, PENDING_ACC, NET);
    CHECK_INT(books_events(&b, "refund.failed"), 1);
    CHECK_OK(books_available(&b, b.last));
    CHECK_OK(books_refund(&b, b.last, 0, &again)); /* all */
    CHECK_INT(again.amount, DUE);
    CHECK_BALANCE(&b, AVAILABLE_ACC, 0);
    CHECK_BALANCE(&b, OWED_ACC, -(DUE - NET)); /* the fee stays ours: the merchant owes it */
    CHECK_OK(books_refunded(&b, again.id, REFUND_PROCESSING));
    CHECK_OK(books_refunded(&b, again.id, REFUND_SUCCESS));
    CHECK_ERR(books_refunded(&b, again.id, REFUND_FAILED), E_STATE);
    CHECK_BALANCE(&b, PROVIDER_ACC, 0);
    CHECK_BALANCE(&b, "refund_clearing", 0);
    CHECK_STATUS(&b, b.last, PAYMENT_SUCCESS);                    /* refunds never change it */
    CHECK_ERR(books_refunded(&b, r.id, REFUND_SUCCESS), E_LIMIT); /* both would be too much */
    /* what it owes is paid from what comes next */
    CHECK_OK(books_offer(&b, &VA));
    CHECK_OK(books_pay(&b, b.last, "m2", DUE));
    CHECK_OK(books_available(&b, b.last));
    CHECK_BALANCE(&b, OWED_ACC, 0);
    CHECK_BALANCE(&b, AVAILABLE_ACC, NET - (DUE - NET));
    books_close(&b);
}

static void taken_back_after_success(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    CHECK_OK(books_offer(&b, &VA));
    CHECK_OK(books_reverse(&b, b.last, "r0", DUE)); /* nothing was paid */
    CHECK_INT(b.verdict, VERDICT_REFUSED);
    CHECK_OK(books_pay(&b, b.last, "m1", DUE));
    struct refund r;
    CHECK_OK(books_refund(&b, b.last, 60000, &r));
    CHECK_OK(books_reverse(&b, b.last, "m0", DUE)); /* a try that was denied: not that money */
    CHECK_INT(b.verdict, VERDICT_REFUSED);
    CHECK_OK(books_reverse(&b, b.last, "m1", DUE)); /* the refund was faster: 90,000 are left */
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    CHECK_OK(books_reverse(&b, b.last, "m1", DUE));
    CHECK_INT(b.verdict, VERDICT_DUPLICATE);
    struct payment p;
    books_get(&b, b.last, &p);
    CHECK_INT(p.amount_reversed, 90000);
    CHECK_INT(p.status, PAYMENT_SUCCESS);
    payment_free(&p);
    CHECK_BALANCE(&b, "suspense", -60000); /* a claim, for a person */
    CHECK_BALANCE(&b, PROVIDER_ACC, 0);
    CHECK_BALANCE(&b, OWED_ACC, -(DUE - NET));
    CHECK_ERR(books_refund(&b, b.last, 1, NULL), E_LIMIT);
    CHECK_OK(books_refunded(&b, r.id, REFUND_SUCCESS));
    CHECK_INT(books_events(&b, "payment.reversed"), 1);
    books_close(&b);
}

/* Told with the money's id and without it, in whichever order: it is the same money. */
static void taken_back_once_whether_its_id_is_told_or_not(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    static const struct {
        const char *money_id, *told[2];
        int64_t said; /* 0: nor was it said how much */
    } CASES[] = {{"m1", {"", "m1"}, DUE},
                 {"m2", {"m2", ""}, DUE},
                 {"m3", {"", "m3"}, 0},
                 {"m4", {"m4", ""}, 0}};
    for (size_t i = 0; i < 4; i++) {
        CHECK_OK(books_offer(&b, &VA));
        CHECK_OK(books_pay(&b, b.last, CASES[i].money_id, DUE));
        for (size_t k = 0; k < 4; k++) {
            CHECK_OK(books_reverse(&b, b.last, CASES[i].told[k % 2], CASES[i].said));
            CHECK_INT(b.verdict, k == 0 ? VERDICT_APPLIED : VERDICT_DUPLICATE);
        }
        CHECK_BALANCE(&b, PROVIDER_ACC, 0);
        CHECK_BALANCE(&b, "suspense", 0);
    }
    CHECK_INT(books_int(&b, "SELECT count(*) FROM reversal WHERE money_id LIKE 'm_'"), 4);

    CHECK_OK(books_offer(&b, &VA)); /* of two transfers: that which was as much */
    CHECK_OK(books_pay(&b, b.last, "m5", DUE));
    CHECK_OK(books_pay(&b, b.last, "m6", 5));
    CHECK_OK(books_reverse(&b, b.last, "", 5));
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    CHECK_OK(books_reverse(&b, b.last, "m6", 5));
    CHECK_INT(b.verdict, VERDICT_DUPLICATE);
    CHECK_BALANCE(&b, "suspense", 0);
    struct payment p;
    books_get(&b, b.last, &p);
    CHECK_INT(p.amount_reversed, 0);
    payment_free(&p);
    books_close(&b);
}

/* What is in suspense and taken back comes out of suspense, not out of what the merchant has. */
static void taken_back_out_of_suspense(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    CHECK_OK(books_offer(&b, &VA));
    CHECK_OK(books_pay(&b, b.last, "m1", DUE));
    CHECK_OK(books_pay(&b, b.last, "m2", DUE));
    CHECK_INT(b.verdict, VERDICT_SECOND_PAYMENT);
    CHECK_BALANCE(&b, "suspense", DUE);
    CHECK_OK(books_reverse(&b, b.last, "m2", DUE));
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    struct payment p;
    books_get(&b, b.last, &p);
    CHECK_INT(p.amount_reversed, 0);
    payment_free(&p);
    CHECK_BALANCE(&b, "suspense", 0);
    CHECK_BALANCE(&b, PENDING_ACC, NET);
    int64_t second = books_int(&b, "SELECT id FROM movement WHERE money_id = 'm2'");
    CHECK_ERR(books_accept(&b, b.last, second), E_STATE); /* it is gone */
    struct refund r;
    CHECK(books_return(&b, b.last, second, DUE, &r) != 0);

    CHECK_OK(books_offer(&b, &VA)); /* nothing of it ever counted */
    CHECK_OK(books_pay(&b, b.last, "m3", DUE - 1));
    CHECK_INT(b.verdict, VERDICT_AMOUNT_MISMATCH);
    CHECK_OK(books_reverse(&b, b.last, "m3", DUE - 1));
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    CHECK_BALANCE(&b, "suspense", 0);

    CHECK_OK(books_offer(&b, &VA)); /* nor is it said how much is taken back */
    CHECK_OK(books_pay(&b, b.last, "m4", DUE - 1));
    CHECK_OK(books_reverse(&b, b.last, "m4", 0));
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    CHECK_INT(books_int(&b, "SELECT amount FROM reversal WHERE money_id = 'm4'"), DUE - 1);
    CHECK_BALANCE(&b, "suspense", 0);
    books_close(&b);
}

/* It was paid, but not what is due: that is known, so it ends by its own time like any other. */
static void wrong_money_on_what_was_unknown_is_known_again(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(books_create(&b, &VA));
        CHECK_OK(books_result(&b, b.last, i == 0 ? OPERATION_UNKNOWN : OPERATION_PROCESSING));
        CHECK_OK(books_paid_there(&b, b.last, i == 0 ? "m1" : "m2", DUE + 1));
        CHECK_STATUS(&b, b.last, PAYMENT_PENDING);
        CHECK_OK(books_paid_there(&b, b.last, i == 0 ? "m1" : "m2", DUE + 1));
        CHECK_STATUS(&b, b.last, PAYMENT_PENDING);
        if (i == 0) books_advance(&b, 2 * 86400000);
        CHECK_OK(i == 0 ? books_expire(&b, b.last) : books_cancel(&b, b.last));
        CHECK_STATUS(&b, b.last, i == 0 ? PAYMENT_EXPIRED : PAYMENT_CANCELLED);
    }
    CHECK_BALANCE(&b, "suspense", 2 * (DUE + 1));
    books_close(&b);
}

static void one_capture_one_cancel_at_a_time(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    CHECK_OK(books_offer(&b, &VA));
    char op[ID_SIZE], other[ID_SIZE];
    CHECK_OK(books_operate(&b, b.last, "capture", op));
    CHECK_ERR(books_operate(&b, b.last, "capture", other), E_EXISTS);
    CHECK_OK(books_operate(&b, b.last, "cancel", op));
    CHECK_ERR(books_operate(&b, b.last, "cancel", other), E_EXISTS);
    struct commit *c;
    CHECK_OK(commit_new(&c));
    CHECK_OK(operation_add_move(c, str_of(op), 1, OPERATION_SENDING, OPERATION_FAILED, STR("{}"),
                                &b.clock));
    CHECK_OK(run_commit(&b.f, c, NULL));
    CHECK_OK(books_operate(&b, b.last, "cancel", other)); /* it was refused: one may try again */
    CHECK_INT(books_int(&b, "SELECT count(*) FROM job WHERE state = 'waiting'"), 4);
    /* an operation is no attempt: nothing is settled by its reference */
    struct payment p;
    size_t at;
    CHECK_ERR(payment_find(&b.core, STR(ACCOUNT), STR("op-2"), &p, &at), E_NOTFOUND);
    books_close(&b);
}

static void another_way_to_pay(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct attempt_new n = {.script = STR("channels/midtrans_gopay.lua"),
                            .version = STR("v2"),
                            .account = STR(ACCOUNT),
                            .reference = STR("second"),
                            .method = STR("ewallet"),
                            .ask_at = BOOKS_START + 1000};
    struct payment p;
    struct commit *c;
    for (int offer = 0; offer < 2;
         offer++) { /* unknown: after an offer yes, after a charge never */
        CHECK_OK(books_create(&b, &VA));
        books_get(&b, b.last, &p);
        CHECK_OK(commit_new(&c));
        n.old_is_offer = offer;
        CHECK_ERR(payment_add_attempt(&b.core, c, &p, &n, &b.why), E_STATE); /* sending */
        payment_free(&p);
        CHECK_OK(books_result(&b, b.last, OPERATION_UNKNOWN));
        books_get(&b, b.last, &p);
        CHECK_ERR(payment_add_attempt(&b.core, c, &p, &n, &b.why), offer ? 0 : E_STATE);
        payment_free(&p);
        if (offer)
            CHECK_OK(run_commit(&b.f, c, NULL));
        else
            commit_free(c);
    }
    books_get(&b, b.last, &p);
    CHECK_INT(p.attempt_count, 2);
    CHECK_INT(p.attempts[0].state, OPERATION_SUPERSEDED);
    CHECK_STR(p.channel, "midtrans_gopay");
    CHECK_STR(p.method, "ewallet");
    CHECK_INT(p.status, PAYMENT_PROCESSING);
    payment_free(&p);
    CHECK_OK(books_result(&b, b.last, OPERATION_PENDING));
    /* the old way is still watched, and its money counts */
    books_get(&b, b.last, &p);
    CHECK_OK(commit_new(&c));
    struct money m = {.money_id = STR("old"), .amount = DUE, .source = STR("callback")};
    CHECK_OK(payment_add_settle(&b.core, c, &p, 0, &m, &b.verdict, &b.why));
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    payment_free(&p);
    CHECK_OK(run_commit(&b.f, c, NULL));
    books_get(&b, b.last, &p);
    CHECK_INT(p.status, PAYMENT_SUCCESS);
    CHECK_STR(p.channel, "midtrans_bca_va");
    CHECK_INT(p.attempts[0].state, OPERATION_SUCCESS);
    payment_free(&p);
    CHECK_OK(books_pay(&b, b.last, "new", DUE)); /* and then the new way's is a second payment */
    CHECK_INT(b.verdict, VERDICT_SECOND_PAYMENT);
    CHECK_OK(payment_find_key(&b.core, STR(ACCOUNT), STR("va_number"), str_of(b.last), &p, NULL));
    payment_free(&p);
    books_close(&b);
}

/* A direct merchant's money never passes us: memo accounts, and our fee is owed. */
static void direct_merchants(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    CHECK_OK(books_offer(&b, &(struct offer){.amount = DUE, .direct = true}));
    CHECK_OK(books_pay(&b, b.last, "m1", DUE));
    CHECK_BALANCE(&b, PROVIDER_ACC, 0);
    CHECK_BALANCE(&b, "memo_merchant:" MERCHANT, DUE);
    CHECK_BALANCE(&b, OWED_ACC, -4440);
    CHECK_BALANCE(&b, "fee_income", 4000);
    struct refund r;
    CHECK_OK(books_refund(&b, b.last, 0, &r));
    CHECK_OK(books_refunded(&b, r.id, REFUND_SUCCESS));
    CHECK_BALANCE(&b, "memo_merchant:" MERCHANT, 0);
    CHECK_BALANCE(&b, "memo_provider:" OWN_ACCOUNT, 0);
    books_close(&b);
}

/* Memory that runs out anywhere: an error and nothing half, then the same again goes well. */
static void memory_runs_out(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    char paid[ID_SIZE];
    for (int step = 0; step < 3; step++) {
        bool done = false;
        for (uint64_t n = 1; !done && n < 2000; n++) {
            struct payment p = {0};
            struct refund r;
            struct commit *c = NULL;
            enum verdict verdict;
            struct why why = {0};
            const struct fee fee = {
                .bearer = STR("merchant"), .count = 1, .lines = {{STR("m"), 5}}};
            const struct payment_new new = {.merchant = STR(MERCHANT),
                                            .order_id = STR("short"),
                                            .amount = DUE,
                                            .currency = STR("IDR"),
                                            .fee = fee,
                                            .script = STR("channels/x.lua"),
                                            .version = STR("v"),
                                            .account = STR(ACCOUNT),
                                            .reference = STR("short"),
                                            .ask_at = 1,
                                            .idempotency_key = STR("k"),
                                            .path = STR("p")};
            const struct money money = {.money_id = STR("mm"), .amount = DUE, .source = STR("x")};
            mem_fail_at(n, 0);
            int err = step == 0 ? 0 : payment_read(&b.core, STR(""), str_of(paid), &p);
            if (err == 0) err = commit_new(&c);
            if (err == 0 && step == 0) err = payment_add_create(&b.core, c, &new, &p, &why);
            if (err == 0 && step == 1)
                err = payment_add_settle(&b.core, c, &p, 0, &money, &verdict, &why);
            if (err == 0 && step == 2)
                err = payment_add_refund(
                    &b.core, c, &p, &(struct refund_new){.amount = 9, .by = STR("hand")}, &r, &why);
            done = !mem_has_failed();
            mem_fail_at(0, 0);
            if (step == 0) memcpy(paid, p.id, sizeof paid);
            payment_free(&p);
            if (done) {
                CHECK_OK(err);
                CHECK_OK(run_commit(&b.f, c, &b.a));
                break;
            }
            /* what stuck in the commit is told when it is submitted */
            if (err == 0)
                err = run_commit(&b.f, c, &b.a);
            else
                commit_free(c);
            if (err == 0) break; /* SQLite did without that memory */
            CHECK_INT(err, E_NOMEM);
        }
    }
    CHECK_STATUS(&b, paid, PAYMENT_SUCCESS);
    CHECK_INT(count_rows(&b.f, "refund"), 1);
    books_close(&b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_capture_one_cancel_at_a_time),
    cmocka_unit_test(another_way_to_pay),
    cmocka_unit_test(direct_merchants),
    cmocka_unit_test(memory_runs_out),
    cmocka_unit_test(from_request_to_settled_ledger),
    cmocka_unit_test(the_object_is_the_contracts),
    cmocka_unit_test(one_order_one_open_payment),
    cmocka_unit_test(the_same_money_counts_once),
    cmocka_unit_test(an_id_that_paid_another),
    cmocka_unit_test(short_and_over),
    cmocka_unit_test(late_money_waits_for_a_policy),
    cmocka_unit_test(polling_finds_and_a_callback_claims),
    cmocka_unit_test(polled_money_that_was_an_orphan_is_no_second_payment),
    cmocka_unit_test(deny_then_settlement),
    cmocka_unit_test(unknown_is_no_end),
    cmocka_unit_test(callback_before_the_answer),
    cmocka_unit_test(refunds_stay_below_what_was_paid),
    cmocka_unit_test(taken_back_after_success),
    cmocka_unit_test(taken_back_once_whether_its_id_is_told_or_not),
    cmocka_unit_test(taken_back_out_of_suspense),
    cmocka_unit_test(wrong_money_on_what_was_unknown_is_known_again),
};

UNIT_MAIN("payment", tests)
