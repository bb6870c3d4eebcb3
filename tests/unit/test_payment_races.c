/* Races as commit orders: changes decided on the same snapshot and submitted together, and crowds
 * of changes through payment_change(). Whoever loses decides anew; the books agree at each end. And
 * random lives: whatever happens in whatever order, every invariant holds. */
#include "base/ensure.h"
#include "books.h"

#include <stdio.h>
#include <stdlib.h>

#define DUE 150000
#define NET 145560

static const struct offer VA = {.amount = DUE};

/* ---- crowds ---- */

struct member {
    struct books *b;
    struct refund refund;
    const char *money_id;
    enum verdict verdict;
    int err, times;
};

static void member_done(int err, const struct why *why, void *data) {
    struct member *m = data;
    (void)why;
    m->err = err;
    m->times++;
}

static int wants_refund(const struct core *core, struct payment *p, struct commit *c, void *data,
                        struct why *why) {
    struct member *m = data;
    return payment_add_refund(
        core, c, p, &(struct refund_new){.amount = 100000, .by = STR("provider")}, &m->refund, why);
}

static int wants_settle(const struct core *core, struct payment *p, struct commit *c, void *data,
                        struct why *why) {
    struct member *m = data;
    return payment_add_settle(core, c, p, 0,
                              &(struct money){.money_id = str_of(m->money_id),
                                              .amount = DUE,
                                              .settle_at = core_now(core) + 1000000,
                                              .source = STR("callback")},
                              &m->verdict, why);
}

static int wants_found(const struct core *core, struct payment *p, struct commit *c, void *data,
                       struct why *why) {
    struct member *m = data;
    return payment_add_found(
        core, c, p, 0, DUE,
        &(struct money){.settle_at = core_now(core) + 1000000, .source = STR("poll")}, &m->verdict,
        why);
}

static int wants_cancel(const struct core *core, struct payment *p, struct commit *c, void *data,
                        struct why *why) {
    (void)data;
    return payment_add_cancel(core, c, p, why);
}

static int wants_expire(const struct core *core, struct payment *p, struct commit *c, void *data,
                        struct why *why) {
    (void)data;
    return payment_add_expire(core, c, p, why);
}

static int wants_reverse(const struct core *core, struct payment *p, struct commit *c, void *data,
                         struct why *why) {
    struct member *m = data;
    return payment_add_reverse(
        core, c, p, 0,
        &(struct money){.money_id = str_of(m->money_id), .amount = DUE, .source = STR("callback")},
        STR("deny"), &m->verdict, why);
}

static void start(struct books *b, struct member *m, payment_build build) {
    m->b = b;
    CHECK_OK(payment_change(&(struct payment_change){.core = &b->core,
                                                     .loop = b->f.loop,
                                                     .lane = LANE_RESULT,
                                                     .id = str_of(b->last),
                                                     .build = build,
                                                     .done = member_done,
                                                     .data = m}));
}

static void run_all(struct books *b, struct member *m, int count) {
    loop_sim_run_for(b->f.loop, 1000);
    for (int i = 0; i < count; i++)
        CHECK_INT(m[i].times, 1);
}

static void fifty_refunds_one_fits(void **state) {
    (void)state;
    struct books b;
    struct member m[50] = {0};
    books_open(&b);
    CHECK_OK(books_offer(&b, &VA));
    CHECK_OK(books_pay(&b, b.last, "m1", DUE));
    for (int i = 0; i < 50; i++)
        start(&b, &m[i], wants_refund);
    run_all(&b, m, 50);
    int done = 0;
    for (int i = 0; i < 50; i++) {
        CHECK(m[i].err == 0 || m[i].err == E_LIMIT);
        done += m[i].err == 0;
    }
    CHECK_INT(done, 1);
    CHECK_INT(count_rows(&b.f, "refund"), 1);
    CHECK_INT(books_events(&b, "refund.created"), 1);
    CHECK_BALANCE(&b, "refund_clearing", 100000);
    books_close(&b);
}

/* A change that begins with what was read before somebody was faster: it decides anew. */
static int settles_counted(const struct core *core, struct payment *p, struct commit *c, void *data,
                           struct why *why) {
    struct member *m = data;
    m->refund.generation = p->generation; /* of the last try */
    m->refund.amount++;                   /* tries */
    return wants_settle(core, p, c, data, why);
}

static void went_in(const struct commit_result *result, void *data) {
    struct member *m = data;
    CHECK_OK(result->err);
    CHECK(result->values != NULL);
    m->refund.created_at++;
}

static void an_old_snapshot_does_not_stand(void **state) {
    (void)state;
    struct books b;
    struct payment old;
    struct member m = {.money_id = "m2"};
    books_open(&b);
    CHECK_OK(books_offer(&b, &VA));
    for (int fresh = 0; fresh < 2; fresh++) {
        m = (struct member){.money_id = fresh ? "m3" : "m2"};
        CHECK_OK(payment_read(&b.core, STR(""), str_of(b.last), &old));
        if (!fresh) CHECK_OK(books_pay(&b, b.last, "m1", DUE));
        int64_t was = old.generation;
        CHECK_OK(payment_change(&(struct payment_change){.core = &b.core,
                                                         .loop = b.f.loop,
                                                         .lane = LANE_RESULT,
                                                         .id = str_of(b.last),
                                                         .first = &old,
                                                         .build = settles_counted,
                                                         .committed = went_in,
                                                         .done = member_done,
                                                         .data = &m}));
        CHECK_INT(old.attempt_count, 0); /* it was taken over */
        run_all(&b, &m, 1);
        CHECK_OK(m.err);
        CHECK_INT(m.verdict, VERDICT_SECOND_PAYMENT);
        CHECK_INT(m.refund.amount, fresh ? 1 : 2);
        CHECK_INT(m.refund.generation, fresh ? was : was + 1);
        CHECK_INT(m.refund.created_at, 1);
    }
    CHECK_BALANCE(&b, "suspense", 2 * DUE);
    books_close(&b);
}

static void one_callback_a_hundred_times(void **state) {
    (void)state;
    struct books b;
    static struct member m[100];
    books_open(&b);
    CHECK_OK(books_offer(&b, &VA));
    for (int i = 0; i < 100; i++) {
        m[i].money_id = "m1";
        start(&b, &m[i], wants_settle);
    }
    run_all(&b, m, 100);
    int applied = 0, duplicate = 0;
    for (int i = 0; i < 100; i++) {
        CHECK_OK(m[i].err);
        applied += m[i].verdict == VERDICT_APPLIED;
        duplicate += m[i].verdict == VERDICT_DUPLICATE;
    }
    CHECK_INT(applied, 1);
    CHECK_INT(duplicate, 99);
    CHECK_BALANCE(&b, "provider_receivable:" ACCOUNT, -DUE);
    CHECK_INT(books_events(&b, "payment.succeeded"), 1);
    books_close(&b);
}

/* Two that race, in both orders; `settled` and `held` say how the money may lie at the end. */
static void pair(payment_build one, payment_build two, bool time_is_over,
                 void (*after)(struct books *b, struct member *m)) {
    for (int order = 0; order < 2; order++) {
        struct books b;
        struct member m[2] = {{.money_id = "m1"}, {.money_id = "m1"}};
        books_open(&b);
        CHECK_OK(books_offer(&b, &VA));
        if (time_is_over) books_advance(&b, 86400000);
        for (int i = 0; i < 2; i++)
            start(&b, &m[order == 0 ? i : 1 - i], (order == 0) == (i == 0) ? one : two);
        run_all(&b, m, 2);
        after(&b, m);
        books_close(&b);
    }
}

/* Either it was paid and cannot end, or it ended and the money is late. */
static void paid_or_late(struct books *b, struct member *m) {
    bool paid = books_status(b, b->last) == PAYMENT_SUCCESS;
    CHECK_INT(m[1].err, paid ? E_STATE : 0);
    CHECK_OK(m[0].err);
    CHECK_INT(m[0].verdict, paid ? VERDICT_APPLIED : VERDICT_EXPIRED);
    CHECK_BALANCE(b, "suspense", paid ? 0 : DUE);
    CHECK_BALANCE(b, "merchant_payable.pending:" MERCHANT, paid ? NET : 0);
}

static void one_settlement(struct books *b, struct member *m) {
    CHECK_OK(m[0].err);
    CHECK_OK(m[1].err);
    CHECK_STATUS(b, b->last, PAYMENT_SUCCESS);
    CHECK_INT(count_rows(&b->f, "movement"), 1);
    CHECK_BALANCE(b, "provider_receivable:" ACCOUNT, -DUE);
    CHECK_BALANCE(b, "merchant_payable.pending:" MERCHANT, NET);
}

static void pairs(void **state) {
    (void)state;
    pair(wants_settle, wants_cancel, false, paid_or_late);
    pair(wants_settle, wants_expire, true, paid_or_late);
    pair(wants_settle, wants_found, false, one_settlement);
}

static void two_transfers_to_one_va(void **state) {
    (void)state;
    struct books b;
    struct member m[2] = {{.money_id = "m1"}, {.money_id = "m2"}};
    books_open(&b);
    CHECK_OK(books_offer(&b, &VA));
    start(&b, &m[0], wants_settle);
    start(&b, &m[1], wants_settle);
    run_all(&b, m, 2);
    CHECK_INT((m[0].verdict == VERDICT_APPLIED) + (m[1].verdict == VERDICT_APPLIED), 1);
    CHECK_INT((m[0].verdict == VERDICT_SECOND_PAYMENT) + (m[1].verdict == VERDICT_SECOND_PAYMENT),
              1);
    CHECK_BALANCE(&b, "suspense", DUE);
    books_close(&b);
}

/* The merchant refunds, the provider takes back, twice: never more than was paid. */
static void refund_against_late_deny(void **state) {
    (void)state;
    for (int order = 0; order < 6; order++) {
        static const int ORDERS[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        struct books b;
        struct member m[3] = {{0}, {.money_id = "m1"}, {.money_id = "m1"}};
        books_open(&b);
        CHECK_OK(books_offer(&b, &VA));
        CHECK_OK(books_pay(&b, b.last, "m1", DUE));
        for (int i = 0; i < 3; i++) {
            int who = ORDERS[order][i];
            start(&b, &m[who], who == 0 ? wants_refund : wants_reverse);
        }
        run_all(&b, m, 3);
        CHECK_OK(m[1].err);
        CHECK_OK(m[2].err);
        CHECK_INT((m[1].verdict == VERDICT_APPLIED) + (m[2].verdict == VERDICT_APPLIED), 1);
        CHECK(m[0].err == 0 || m[0].err == E_LIMIT);
        struct payment p;
        books_get(&b, b.last, &p);
        CHECK(p.refunding + p.amount_refunded + p.amount_reversed == DUE);
        payment_free(&p);
        CHECK_BALANCE(&b, "suspense", m[0].err == 0 ? -100000 : 0);
        if (m[0].err == 0) CHECK_OK(books_refunded(&b, m[0].refund.id, REFUND_SUCCESS));
        books_close(&b);
    }
}

static void identical_creates(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    struct offer o = {.amount = DUE, .order = "same", .key = "k1"};
    int good = 0;
    for (int i = 0; i < 64; i++)
        good += books_create(&b, &o) == 0;
    CHECK_INT(good, 1);
    CHECK(strstr(b.a.detail, "idempotency_take") != NULL);
    struct commit_result lost = {.err = E_EXISTS, .detail = b.a.detail};
    CHECK_INT(payment_clash(&lost), CLASH_IDEMPOTENCY);
    o.key = "k2";
    CHECK_ERR(books_create(&b, &o), E_EXISTS);
    lost.detail = b.a.detail;
    CHECK_INT(payment_clash(&lost), CLASH_ORDER);
    o = (struct offer){.amount = DUE, .key = "k3"};
    b.orders = 0; /* the reference of the first payment once more */
    CHECK_ERR(books_create(&b, &o), E_EXISTS);
    lost.detail = b.a.detail;
    CHECK_INT(payment_clash(&lost), CLASH_REFERENCE);
    CHECK_INT(count_rows(&b.f, "payment"), 1);
    CHECK_INT(count_rows(&b.f, "idempotency"), 1);
    CHECK_INT(count_rows(&b.f, "job"), 1);
    books_close(&b);
}

/* ---- random lives ---- */

#define LIVES 6
#define STEPS 240

struct life {
    char payment[ID_SIZE];
    char refunds[12][ID_SIZE];
    int refund_count;
    int money;
};

static void random_step(struct books *b, struct life *l, struct rng *dice) {
    char money_id[48];
    int64_t amount = DUE + ((int64_t)rng_below(dice, 3) - 1) * (int64_t)rng_below(dice, 2) * 1000;
    int seen = l->money == 0 || rng_below(dice, 3) != 0 ? l->money++ : (int)rng_below(dice, 4);
    snprintf(money_id, sizeof money_id, "%s-%d", l->payment, seen);
    struct refund r;
    char held[160];
    snprintf(held, sizeof held, "SELECT id FROM movement WHERE held > 0 AND payment = '%s'",
             l->payment);
    switch (rng_below(dice, 18)) {
    case 0: (void)books_result(b, l->payment, OPERATION_PENDING); break;
    case 1:
        (void)books_result(b, l->payment,
                           (enum operation_state)(1 + rng_below(dice, OPERATION_STATES_ - 1)));
        break;
    case 2:
    case 3:
    case 4: (void)books_pay(b, l->payment, money_id, amount); break;
    case 5: (void)books_found(b, l->payment, (int64_t)rng_below(dice, 3) * DUE / 2); break;
    case 6: (void)books_cancel(b, l->payment); break;
    case 7:
        books_advance(b, (int64_t)rng_below(dice, 40000000));
        (void)books_expire(b, l->payment);
        break;
    case 8: (void)books_accept(b, l->payment, books_int(b, held)); break;
    case 9:
    case 10:
        if (l->refund_count < 12 &&
            books_refund(b, l->payment, (int64_t)rng_below(dice, 4) * 30000, &r) == 0)
            memcpy(l->refunds[l->refund_count++], r.id, ID_SIZE);
        break;
    case 14: /* money in suspense goes back */
        if (l->refund_count < 12 && books_return(b, l->payment, books_int(b, held), 30000, &r) == 0)
            memcpy(l->refunds[l->refund_count++], r.id, ID_SIZE);
        break;
    case 11:
    case 15:
    case 16:
    case 17:
        if (l->refund_count > 0)
            (void)books_refunded(b, l->refunds[rng_below(dice, (uint64_t)l->refund_count)],
                                 (enum refund_status)rng_below(dice, REFUND_STATUSES_));
        break;
    case 12: (void)books_reverse(b, l->payment, money_id, amount / 5); break;
    case 13: (void)books_available(b, l->payment); break;
    }
}

static void whatever_happens_the_books_agree(void **state) {
    (void)state;
    const char *rounds = getenv("TEST_ROUNDS");
    int seeds = rounds == NULL ? 12 : atoi(rounds) / 10 + 1;
    int64_t paid = 0, refunded = 0, returned = 0, reversed = 0;
    for (int seed = 1; seed <= seeds; seed++) {
        struct books b;
        struct rng dice;
        struct life lives[LIVES] = {0};
        books_open(&b);
        rng_seeded(&dice, (uint64_t)seed);
        for (int i = 0; i < LIVES; i++) {
            CHECK_OK(books_create(&b, &(struct offer){.amount = DUE,
                                                      .open = rng_below(&dice, 2) != 0,
                                                      .direct = rng_below(&dice, 3) == 0}));
            memcpy(lives[i].payment, b.last, ID_SIZE);
        }
        for (int step = 0; step < STEPS; step++) {
            random_step(&b, &lives[rng_below(&dice, LIVES)], &dice);
            if (step % 20 == 19 && store_verify(b.f.store, NULL) != 0) {
                print_error("seed %d, step %d\n", seed, step);
                books_verify(&b);
            }
        }
        paid += books_int(&b, "SELECT count(*) FROM payment WHERE status = 'success'");
        refunded += books_int(&b, "SELECT count(*) FROM refund WHERE status = 'success'"
                                  " AND movement IS NULL");
        returned += books_int(&b, "SELECT count(*) FROM refund WHERE status = 'success'"
                                  " AND movement IS NOT NULL");
        reversed += count_rows(&b.f, "reversal");
        books_close(&b);
    }
    /* things did happen */
    CHECK(paid > seeds);
    CHECK(refunded > seeds);
    CHECK(returned > seeds / 2);
    CHECK(reversed > seeds);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(fifty_refunds_one_fits),
    cmocka_unit_test(an_old_snapshot_does_not_stand),
    cmocka_unit_test(one_callback_a_hundred_times),
    cmocka_unit_test(pairs),
    cmocka_unit_test(two_transfers_to_one_va),
    cmocka_unit_test(refund_against_late_deny),
    cmocka_unit_test(identical_creates),
    cmocka_unit_test(whatever_happens_the_books_agree),
};

UNIT_MAIN("payment_races", tests)
