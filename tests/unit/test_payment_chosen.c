/* The payer's own way: what its unpaid end means for the order, what a person held, and who hears that
 * a payment moved. */
#include "base/ensure.h"
#include "books.h"

#include <stdio.h>

#define DAY INT64_C(86400000)

/* A payment that waits for the payer's choice; expires in a day. */
static void bare(struct books *b, bool held) {
    struct payment p;
    struct commit *c;
    struct payment_result review = {.to = OPERATION_PROCESSING};
    struct payment_new n = {.merchant = STR(MERCHANT),
                            .order_id = STR("bare"),
                            .amount = 1000,
                            .currency = STR("IDR"),
                            .doc = STR("{}"),
                            .at_once = held ? &review : NULL,
                            .expires_at = BOOKS_START + DAY};
    CHECK_OK(commit_new(&c));
    CHECK_OK(payment_add_create(&b->core, c, &n, &p, &b->why));
    snprintf(b->last, sizeof b->last, "%s", p.id);
    payment_free(&p);
    CHECK_OK(run_commit(&b->f, c, NULL));
}

/* Another way, as it is stored before its provider hears of it. */
static int choose(struct books *b, const char *reference, bool chosen) {
    struct payment p;
    struct commit *c;
    struct attempt_new n = {.script = STR("channels/midtrans_qris.lua"),
                            .version = STR("v1"),
                            .account = STR(ACCOUNT),
                            .reference = str_of(reference),
                            .input = chosen ? STR("{\"amount\":1000,\"chosen\":true}") : STR("{}"),
                            .method = STR("qris"),
                            .ask_at = BOOKS_START + 1000};
    books_get(b, b->last, &p);
    CHECK_OK(commit_new(&c));
    int err = payment_add_attempt(&b->core, c, &p, &n, &b->why);
    payment_free(&p);
    if (err != 0)
        commit_free(c);
    else
        err = run_commit(&b->f, c, NULL);
    return err;
}

static int result(struct books *b, const struct payment_result *r) {
    struct payment p;
    struct commit *c;
    books_get(b, b->last, &p);
    CHECK_OK(commit_new(&c));
    const struct attempt *a = payment_attempt(&p, p.attempt);
    int err =
        payment_add_result(&b->core, c, &p, (size_t)(a - p.attempts), a->generation, r, &b->why);
    payment_free(&p);
    CHECK_OK(err);
    return run_commit(&b->f, c, NULL);
}

static const struct payment_result SHOWN = {.to = OPERATION_PENDING,
                                            .instructions = STR("{\"type\":\"qr\"}"),
                                            .expires_at = BOOKS_START + 900000};

/* However fast one way follows the other, the last one is the newest. */
static void ways_stand_in_the_order_they_were_made(void **state) {
    (void)state;
    struct books b;
    struct payment p;
    char reference[8];
    books_open(&b);
    bare(&b, false);
    for (size_t i = 0; i < PAYMENT_ATTEMPTS_MAX; i++) {
        snprintf(reference, sizeof reference, "r%zu", i);
        CHECK_OK(choose(&b, reference, true));
        books_get(&b, b.last, &p);
        CHECK_INT(p.attempt_count, i + 1);
        CHECK_STR(p.attempt, p.attempts[i].id);
        for (size_t k = 0; k <= i; k++) {
            snprintf(reference, sizeof reference, "r%zu", k);
            CHECK_STR(p.attempts[k].reference, reference);
        }
        payment_free(&p);
        CHECK_OK(result(&b, &SHOWN));
    }
    books_close(&b);
}

/* Its call comes back when the payer has gone another way: what it shows is not what to pay by. */
static void an_older_ways_late_answer_is_not_shown(void **state) {
    (void)state;
    static const struct payment_result DECLINED = {.to = OPERATION_FAILED};
    struct books b;
    struct payment p;
    struct commit *c;
    books_open(&b);
    bare(&b, false);
    CHECK_OK(choose(&b, "way-a", true));
    CHECK_OK(result(&b, &DECLINED)); /* a callback, while the call still runs */
    CHECK_OK(choose(&b, "way-b", true));
    books_get(&b, b.last, &p);
    CHECK_OK(commit_new(&c));
    CHECK_OK(payment_add_result(&b.core, c, &p, 0, 1, &SHOWN, &b.why));
    payment_free(&p);
    CHECK_OK(run_commit(&b.f, c, NULL));
    books_get(&b, b.last, &p);
    CHECK_STR(p.attempts[1].reference, "way-b");
    CHECK_STR(p.instructions, "");
    payment_free(&p);
    books_close(&b);
}

static void an_unpaid_end_leaves_the_order(void **state) {
    (void)state;
    static const enum operation_state ENDS[] = {OPERATION_FAILED, OPERATION_EXPIRED,
                                                OPERATION_CANCELLED};
    struct books b;
    struct payment p;
    books_open(&b);
    bare(&b, false);
    for (size_t i = 0; i < ARRAY_LEN(ENDS); i++) {
        char reference[16];
        snprintf(reference, sizeof reference, "way-%zu", i);
        CHECK_OK(choose(&b, reference, true));
        CHECK_STATUS(&b, b.last, PAYMENT_PROCESSING);
        CHECK_OK(result(&b, &SHOWN));
        books_get(&b, b.last, &p);
        CHECK_INT(p.status, PAYMENT_PENDING);
        CHECK_INT(p.expires_at, BOOKS_START + DAY); /* the order's, not the code's */
        CHECK_STR(p.instructions, "{\"type\":\"qr\"}");
        payment_free(&p);
        CHECK_OK(result(&b, &(struct payment_result){.to = ENDS[i]}));
        books_get(&b, b.last, &p);
        CHECK_INT(p.status, PAYMENT_PENDING);
        CHECK_INT(p.instructions.n, 0); /* what was shown is no way any more */
        CHECK_INT(p.failure.n, 0);
        payment_free(&p);
    }
    CHECK_INT(books_events(&b, "payment.failed"), 0);
    CHECK_INT(books_events(&b, "payment.expired"), 0);
    CHECK_OK(choose(&b, "paid", true));
    CHECK_OK(result(&b, &SHOWN));
    CHECK_OK(books_pay(&b, b.last, "money", 1000));
    CHECK_STATUS(&b, b.last, PAYMENT_SUCCESS);
    books_close(&b);
}

static void an_end_that_was_wanted_ends_it(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    bare(&b, false);
    CHECK_OK(choose(&b, "a", true));
    CHECK_OK(result(&b, &SHOWN));
    CHECK_OK(result(&b, &(struct payment_result){.to = OPERATION_CANCELLED, .ends = true}));
    CHECK_STATUS(&b, b.last, PAYMENT_CANCELLED);

    bare(&b, false); /* no time is left to choose in */
    CHECK_OK(choose(&b, "b", true));
    CHECK_OK(result(&b, &SHOWN));
    books_advance(&b, DAY);
    CHECK_OK(result(&b, &(struct payment_result){.to = OPERATION_EXPIRED}));
    CHECK_STATUS(&b, b.last, PAYMENT_EXPIRED);
    books_close(&b);
}

static void the_merchants_own_way_ends_with_its_attempt(void **state) {
    (void)state;
    struct books b;
    struct payment p;
    books_open(&b);
    bare(&b, false);
    CHECK_OK(choose(&b, "a", false));
    CHECK_OK(result(&b, &SHOWN));
    books_get(&b, b.last, &p);
    CHECK_INT(p.expires_at, SHOWN.expires_at);
    CHECK(!attempt_chosen(&p.attempts[0]));
    payment_free(&p);
    CHECK_OK(result(&b, &(struct payment_result){.to = OPERATION_FAILED}));
    CHECK_STATUS(&b, b.last, PAYMENT_FAILED);
    books_close(&b);
}

static int release(struct books *b) {
    struct payment p;
    struct commit *c;
    books_get(b, b->last, &p);
    CHECK_OK(commit_new(&c));
    int err = payment_add_release(&b->core, c, &p, &b->why);
    payment_free(&p);
    if (err == 0) return run_commit(&b->f, c, NULL);
    commit_free(c);
    return err;
}

static void what_is_held_takes_no_way_until_it_is_let_go(void **state) {
    (void)state;
    struct books b;
    struct payment p;
    books_open(&b);
    bare(&b, true);
    books_get(&b, b.last, &p);
    CHECK(payment_held(&p));
    payment_free(&p);
    CHECK_ERR(choose(&b, "early", true), E_STATE);
    CHECK_OK(release(&b));
    CHECK_STATUS(&b, b.last, PAYMENT_PENDING);
    CHECK_ERR(release(&b), E_STATE); /* once */
    CHECK_OK(choose(&b, "late", true));
    CHECK_STATUS(&b, b.last, PAYMENT_PROCESSING); /* under way, and not held */
    CHECK_ERR(release(&b), E_STATE);
    books_close(&b);
}

static void the_bank_goes_with_the_way_that_had_it(void **state) {
    (void)state;
    struct books b;
    struct payment p;
    books_open(&b);
    CHECK_OK(books_offer(&b, &(struct offer){.amount = 1000, .fee = ""}));
    books_get(&b, b.last, &p);
    CHECK(p.bank.n != 0);
    payment_free(&p);
    CHECK_OK(choose(&b, "qr", true));
    books_get(&b, b.last, &p);
    CHECK_STR(p.method, "qris");
    CHECK_INT(p.bank.n, 0);
    CHECK_INT(p.attempts[0].state, OPERATION_SUPERSEDED);
    payment_free(&p);
    books_close(&b);
}

/* Money of one of two ways, told by a callback. */
static int told(struct books *b, size_t at, const char *money_id, bool reversed) {
    struct payment p;
    struct commit *c;
    struct money m = {.money_id = str_of(money_id), .amount = 1000, .source = STR("callback")};
    books_get(b, b->last, &p);
    CHECK_OK(commit_new(&c));
    int err = reversed
                  ? payment_add_reverse(&b->core, c, &p, at, &m, STR("deny"), &b->verdict, &b->why)
                  : payment_add_settle(&b->core, c, &p, at, &m, &b->verdict, &b->why);
    payment_free(&p);
    CHECK_OK(err);
    return run_commit(&b->f, c, NULL);
}

/* A virtual account, then a QR code; what polling finds of the first has no id yet. */
static void two_ways(struct books *b, bool found) {
    struct payment p;
    struct commit *c;
    enum verdict verdict;
    books_open(b);
    CHECK_OK(books_offer(b, &(struct offer){.amount = 1000, .fee = ""}));
    CHECK_OK(choose(b, "qr", true));
    CHECK_OK(result(b, &SHOWN));
    if (!found) return;
    books_get(b, b->last, &p);
    CHECK_OK(commit_new(&c));
    CHECK_OK(payment_add_found(&b->core, c, &p, 0, 1000, &(struct money){.source = STR("poll")},
                               &verdict, &b->why));
    payment_free(&p);
    CHECK_OK(run_commit(&b->f, c, NULL));
    CHECK_STATUS(b, b->last, PAYMENT_SUCCESS);
}

static int64_t received(struct books *b) {
    return books_int(b, "SELECT received FROM payment");
}

static void one_way_does_not_claim_the_others_money(void **state) {
    (void)state;
    struct books b;
    two_ways(&b, true);
    CHECK_OK(told(&b, 1, "of-the-code", false));
    CHECK_INT(b.verdict, VERDICT_SECOND_PAYMENT);
    CHECK_INT(received(&b), 2000);
    CHECK_OK(told(&b, 0, "of-the-account", false)); /* what polling had found */
    CHECK_INT(b.verdict, VERDICT_APPLIED);
    CHECK_INT(received(&b), 2000);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM movement WHERE money_id IS NULL"), 0);
    books_close(&b);
}

static void a_denied_way_takes_nothing_from_the_paid_one(void **state) {
    (void)state;
    for (int found = 0; found < 2; found++) {
        struct books b;
        two_ways(&b, found);
        if (!found) CHECK_OK(told(&b, 0, "of-the-account", false));
        CHECK_OK(told(&b, 1, "of-the-code", true));
        CHECK_INT(b.verdict, VERDICT_REFUSED);
        CHECK_INT(books_int(&b, "SELECT amount_reversed FROM payment"), 0);
        CHECK_OK(told(&b, 0, "of-the-account", true));
        CHECK_INT(b.verdict, VERDICT_APPLIED);
        CHECK_INT(books_int(&b, "SELECT amount_reversed FROM payment"), 1000);
        books_close(&b);
    }
}

/* An answer of attempt `at` that was asked for when it stood at `began`. */
static int answered(struct books *b, size_t at, int64_t began, const struct payment_result *r) {
    struct payment p;
    struct commit *c;
    books_get(b, b->last, &p);
    CHECK_OK(commit_new(&c));
    int err = payment_add_result(&b->core, c, &p, at, began, r, &b->why);
    payment_free(&p);
    CHECK_OK(err);
    return run_commit(&b->f, c, NULL);
}

static int64_t generation_of(struct books *b, size_t at) {
    struct payment p;
    books_get(b, b->last, &p);
    int64_t generation = p.attempts[at].generation;
    payment_free(&p);
    return generation;
}

/* What moved while the provider was asked does not make its "paid" untrue; nor is it counted twice. */
static void paid_is_paid_however_late_it_is_heard(void **state) {
    (void)state;
    static const struct payment_result PAID = {.to = OPERATION_SUCCESS, .paid_total = 1000};
    struct books b;
    books_open(&b);
    CHECK_OK(books_offer(&b, &(struct offer){.amount = 1000, .fee = ""}));
    int64_t began = generation_of(&b, 0);
    CHECK_OK(choose(&b, "qr", true));
    CHECK_OK(result(&b, &SHOWN));
    CHECK_OK(answered(&b, 0, began, &PAID));
    CHECK_STATUS(&b, b.last, PAYMENT_SUCCESS);
    CHECK_OK(answered(&b, 0, began, &PAID));
    CHECK_INT(books_int(&b, "SELECT received FROM payment"), 1000);

    CHECK_OK(books_offer(&b, &(struct offer){.amount = 1000, .fee = ""}));
    began = generation_of(&b, 0);
    CHECK_OK(books_cancel(&b, b.last));
    CHECK_OK(answered(&b, 0, began, &PAID));
    CHECK_STATUS(&b, b.last, PAYMENT_CANCELLED);
    CHECK_INT(books_int(&b, "SELECT sum(held) FROM movement"), 1000);
    CHECK_INT(books_events(&b, "payment.late"), 1);
    books_close(&b);
}

/* Paid by an older way, in time or late and accepted: the payment is that way's from then on, so its
 * refunds go there. */
static void the_payment_goes_by_the_way_that_was_paid(void **state) {
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct books b;
        struct payment p;
        two_ways(&b, false);
        if (late) CHECK_OK(books_cancel(&b, b.last));
        CHECK_OK(told(&b, 0, "of-the-account", false));
        if (late) CHECK_OK(books_accept(&b, b.last, 1));
        books_get(&b, b.last, &p);
        CHECK_INT(p.status, PAYMENT_SUCCESS);
        CHECK_STR(p.attempt, p.attempts[0].id);
        CHECK_STR(p.channel, "midtrans_bca_va");
        CHECK_STR(p.method, "virtual_account");
        CHECK_STR(p.bank, "bca");
        payment_free(&p);
        books_close(&b);
    }
}

static void a_refund_of_held_money_that_failed_is_a_persons(void **state) {
    (void)state;
    struct books b;
    struct refund r;
    two_ways(&b, false);
    CHECK_OK(told(&b, 0, "of-the-account", false));
    CHECK_OK(told(&b, 1, "of-the-code", false));
    CHECK_INT(b.verdict, VERDICT_SECOND_PAYMENT);
    CHECK_OK(books_return(&b, b.last, 2, 1000, &r));
    char id[ID_SIZE];
    memcpy(id, r.id, sizeof id);
    CHECK_OK(books_refunded(&b, id, REFUND_FAILED));
    CHECK_INT(books_int(&b, "SELECT held FROM movement WHERE id = 2"), 1000);
    CHECK_INT(books_int(&b, "SELECT count(*) FROM note WHERE what = 'policy_waits'"
                            " AND CAST(detail AS TEXT) GLOB '2: *'"),
              1);
    books_close(&b);
}

/* It is the account that says whose the money is: a way by the merchant's own contract, and one by
 * ours, paid both. */
static void each_way_is_booked_where_its_account_says(void **state) {
    (void)state;
    struct books b;
    struct refund r;
    books_open(&b);
    CHECK_OK(books_offer(&b, &(struct offer){.amount = 1000, .fee = "", .direct = true}));
    CHECK_OK(choose(&b, "qr", true)); /* ours */
    CHECK_OK(result(&b, &SHOWN));
    CHECK_OK(told(&b, 0, "of-the-account", false));
    CHECK_BALANCE(&b, "memo_provider:" OWN_ACCOUNT, -1000);
    CHECK_BALANCE(&b, "memo_merchant:" MERCHANT, 1000);
    CHECK_OK(told(&b, 1, "of-the-code", false));
    CHECK_BALANCE(&b, "provider_receivable:" ACCOUNT, -1000);
    CHECK_BALANCE(&b, "suspense", 1000);
    CHECK_BALANCE(&b, "memo_suspense", 0);
    CHECK_OK(books_return(&b, b.last, 2, 1000, &r));
    char id[ID_SIZE];
    memcpy(id, r.id, sizeof id);
    CHECK_BALANCE(&b, "refund_clearing", 1000);
    CHECK_BALANCE(&b, "suspense", 0);
    CHECK_OK(books_refunded(&b, id, REFUND_FAILED));
    CHECK_BALANCE(&b, "suspense", 1000);
    CHECK_OK(books_accept(&b, b.last, 2));
    CHECK_BALANCE(&b, "merchant_payable:" MERCHANT, 1000);
    CHECK_OK(told(&b, 0, "of-the-account", true));
    CHECK_BALANCE(&b, "memo_provider:" OWN_ACCOUNT, 0);
    CHECK_BALANCE(&b, "memo_merchant:" MERCHANT, 0);
    books_close(&b);
}

struct ear {
    struct store_listener listener;
    char payment[ID_SIZE];
    int64_t generation;
    int count;
};

static void heard(struct store_listener *self, struct str topic, int64_t generation) {
    struct ear *ear = CONTAINER_OF(self, struct ear, listener);
    if (!str_eq(topic, str_of(ear->payment))) return;
    ear->generation = generation;
    ear->count++;
}

static void each_move_is_told(void **state) {
    (void)state;
    struct books b;
    struct ear ear = {.count = 0};
    struct payment p;
    books_open(&b);
    bare(&b, false);
    memcpy(ear.payment, b.last, sizeof ear.payment);
    ear.listener = (struct store_listener){.loop = b.f.loop, .heard = heard};
    store_listen(b.f.store, &ear.listener);
    CHECK_OK(choose(&b, "a", true));
    CHECK_OK(result(&b, &SHOWN)); /* no event says that it is pending now */
    loop_settle(b.f.loop);
    books_get(&b, b.last, &p);
    CHECK_INT(ear.count, 2);
    CHECK_INT(ear.generation, p.generation);
    payment_free(&p);
    store_unlisten(b.f.store, &ear.listener);
    books_close(&b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ways_stand_in_the_order_they_were_made),
    cmocka_unit_test(an_older_ways_late_answer_is_not_shown),
    cmocka_unit_test(an_unpaid_end_leaves_the_order),
    cmocka_unit_test(an_end_that_was_wanted_ends_it),
    cmocka_unit_test(the_merchants_own_way_ends_with_its_attempt),
    cmocka_unit_test(what_is_held_takes_no_way_until_it_is_let_go),
    cmocka_unit_test(the_bank_goes_with_the_way_that_had_it),
    cmocka_unit_test(one_way_does_not_claim_the_others_money),
    cmocka_unit_test(a_denied_way_takes_nothing_from_the_paid_one),
    cmocka_unit_test(paid_is_paid_however_late_it_is_heard),
    cmocka_unit_test(the_payment_goes_by_the_way_that_was_paid),
    cmocka_unit_test(a_refund_of_held_money_that_failed_is_a_persons),
    cmocka_unit_test(each_way_is_booked_where_its_account_says),
    cmocka_unit_test(each_move_is_told),
};

UNIT_MAIN("payment_chosen", tests)
