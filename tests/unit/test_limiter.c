/* GCRA on the virtual clock. */
#include "base/mem.h"
#include "core/keyed.h"
#include "core/limiter.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>

static struct clock clock_;
static struct limiter *fresh(size_t keys) {
    struct limiter *l;
    clock_virtual(&clock_, 1000);
    CHECK_OK(limiter_new(&l, &clock_, keys));
    return l;
}
static void pass_ms(uint64_t ms) {
    clock_virtual_advance(&clock_, ms * 1000000u);
}

static const struct rate TEN = {.count = 10, .period_ms = 1000, .burst = 3};
#define K STR("m1")

static void burst_then_rate(void **state) {
    (void)state;
    struct limiter *l = fresh(64);
    for (uint32_t i = 0; i < 3; i++) {
        struct rate_verdict v = limiter_take(l, K, &TEN, 1);
        CHECK(v.ok);
        CHECK_INT(v.limit, 3);
        CHECK_INT(v.remaining, 2 - i);
        CHECK_INT(v.reset_ms, 100 * (i + 1));
    }
    struct rate_verdict v = limiter_take(l, K, &TEN, 1);
    CHECK(!v.ok);
    CHECK_INT(v.wait_ms, 100);
    CHECK_INT(v.remaining, 0);
    pass_ms(99);
    CHECK(!limiter_take(l, K, &TEN, 1).ok);
    CHECK_INT(limiter_take(l, K, &TEN, 1).wait_ms, 1); /* refusals cost nothing */
    pass_ms(1);
    CHECK(limiter_take(l, K, &TEN, 1).ok);
    CHECK(!limiter_take(l, K, &TEN, 1).ok);
    CHECK(limiter_take(l, STR("m2"), &TEN, 1).ok); /* another key is another bucket */
    limiter_delete(l);
}

static void never_more_than_the_rate_in_any_window(void **state) {
    (void)state;
    struct limiter *l = fresh(64);
    const struct rate r = {.count = 100, .period_ms = 1000}; /* burst = count */
    int taken[4000] = {0};
    for (int ms = 0; ms < 4000; ms++) {
        while (limiter_take(l, K, &r, 1).ok)
            taken[ms]++;
        pass_ms(1);
    }
    for (int from = 0; from < 3000; from++) {
        int n = 0;
        for (int ms = from; ms < from + 1000; ms++)
            n += taken[ms];
        CHECK(n <= 200); /* burst + what came back in a period: never two bursts at an edge */
        if (from > 0) CHECK(n <= 100);
    }
    limiter_delete(l);
}

static void costs_and_giving_back(void **state) {
    (void)state;
    struct limiter *l = fresh(64);
    CHECK_INT(limiter_take(l, K, &TEN, 4).wait_ms, -1);
    CHECK_INT(limiter_take(l, K, &TEN, 0).remaining, 3);
    CHECK(limiter_take(l, K, &TEN, 3).ok);
    struct rate_verdict v = limiter_take(l, K, &TEN, 2);
    CHECK(!v.ok && v.wait_ms == 200);
    limiter_give_back(l, K, &TEN, 2);
    CHECK(limiter_take(l, K, &TEN, 2).ok);
    limiter_give_back(l, K, &TEN, 3);
    limiter_give_back(l, K, &TEN, 3); /* more than was taken makes no bigger burst */
    CHECK_INT(limiter_take(l, K, &TEN, 0).remaining, 3);
    limiter_delete(l);
}

static void the_simulated_clock_refills(void **state) {
    (void)state;
    struct limiter *l = fresh(64);
    const struct rate hour = {.count = 1, .period_ms = 3600000};
    CHECK(limiter_take(l, K, &hour, 1).ok);
    CHECK(!limiter_take(l, K, &hour, 1).ok);
    atomic_store(&clock_.offset_ms, 3600000);
    CHECK(limiter_take(l, K, &hour, 1).ok);
    limiter_delete(l);
}

static void a_lower_rate_counts_at_once(void **state) {
    (void)state;
    struct limiter *l = fresh(64);
    const struct rate slow = {.count = 1, .period_ms = 60000};
    const struct rate fast = {.count = 1000, .period_ms = 1000};
    CHECK(limiter_take(l, K, &slow, 1).ok);
    CHECK_INT(limiter_take(l, K, &fast, 1).wait_ms, 1); /* owes a whole bucket of it at most */
    pass_ms(1);
    CHECK(limiter_take(l, K, &fast, 1).ok);
    limiter_delete(l);
}

static void keys_are_bounded(void **state) {
    (void)state;
    int64_t live = mem_live();
    struct keyed *k;
    CHECK_OK(keyed_new(&k, 8, 160));
    char name[200];
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "key-%d", i);
        int64_t *v = keyed_lock(k, str_of(name), true);
        CHECK_INT(*v, 0); /* an evicted one starts anew */
        *v = i + 1;
        keyed_unlock(k, v);
    }
    CHECK(keyed_count(k) <= 160);
    int64_t *v = keyed_lock(k, STR("key-4999"), false);
    CHECK(v != NULL && *v == 5000);
    keyed_unlock(k, v);
    CHECK(keyed_lock(k, STR("key-0"), false) == NULL);
    /* long keys that only differ at the end stay apart */
    char a[300], b[300];
    memset(a, 'x', sizeof a), memset(b, 'x', sizeof b);
    b[299] = 'y';
    v = keyed_lock(k, (struct str){a, 300}, true);
    *v = 7;
    keyed_unlock(k, v);
    v = keyed_lock(k, (struct str){b, 300}, true);
    CHECK_INT(*v, 0);
    keyed_unlock(k, v);
    keyed_delete(k);
    CHECK_INT(mem_live(), live);
}

static void without_memory_it_lets_pass(void **state) {
    (void)state;
    struct limiter *l = fresh(64);
    mem_fail_at(1, 1);
    CHECK(limiter_take(l, K, &TEN, 1).ok);
    mem_fail_at(0, 0);
    CHECK(limiter_take(l, K, &TEN, 3).ok);
    limiter_delete(l);
    for (uint64_t n = 1; n < 3; n++) {
        int64_t live = mem_live();
        mem_fail_at(n, 0);
        CHECK_ERR(limiter_new(&l, &clock_, 64), E_NOMEM);
        mem_fail_at(0, 0);
        CHECK_INT(mem_live(), live);
    }
}

static void *taker(void *arg) {
    struct limiter *l = arg;
    int64_t got = 0;
    const struct rate r = {.count = 1000, .period_ms = 1000000};
    for (int i = 0; i < 2000; i++)
        got += limiter_take(l, K, &r, 1).ok;
    return (void *)(intptr_t)got;
}

static void threads_share_one_budget(void **state) {
    (void)state;
    struct limiter *l = fresh(64);
    pthread_t t[4];
    int64_t got = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, taker, l);
    for (int i = 0; i < 4; i++) {
        void *n;
        pthread_join(t[i], &n);
        got += (intptr_t)n;
    }
    CHECK_INT(got, 1000);
    limiter_delete(l);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(burst_then_rate),
    cmocka_unit_test(never_more_than_the_rate_in_any_window),
    cmocka_unit_test(costs_and_giving_back),
    cmocka_unit_test(the_simulated_clock_refills),
    cmocka_unit_test(a_lower_rate_counts_at_once),
    cmocka_unit_test(keys_are_bounded),
    cmocka_unit_test(without_memory_it_lets_pass),
    cmocka_unit_test(threads_share_one_budget),
};
UNIT_MAIN("limiter", tests)
