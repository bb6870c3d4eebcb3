/* The circuit breaker on the virtual clock. */
#include "base/mem.h"
#include "core/breaker.h"
#include "unit.h"

#include <pthread.h>

static struct clock clock_;
static const struct breaker_options O = {.window_ms = 8000,
                                         .failures = 3,
                                         .ratio_percent = 50,
                                         .cool_ms = 1000,
                                         .cool_max_ms = 3000,
                                         .cool_factor = 2,
                                         .probe_ms = 500,
                                         .keys_max = 64};
#define K STR("api.bank.example")

static struct breaker *fresh(void) {
    struct breaker *b;
    clock_virtual(&clock_, 1000);
    CHECK_OK(breaker_new(&b, &clock_, &O));
    return b;
}
static void pass_ms(uint64_t ms) {
    clock_virtual_advance(&clock_, ms * 1000000u);
}
static void call(struct breaker *b, bool good) {
    struct breaker_pass p;
    CHECK_OK(breaker_allow(b, K, &p, NULL));
    breaker_report(b, K, p, good);
}
static void check_refused(struct breaker *b, int64_t wait) {
    struct breaker_pass p;
    int64_t ms = 0;
    CHECK_ERR(breaker_allow(b, K, &p, &ms), E_BUSY);
    CHECK_INT(ms, wait);
}

static void opens_after_failures(void **state) {
    (void)state;
    struct breaker *b = fresh();
    call(b, false), call(b, false);
    CHECK_INT(breaker_state(b, K), BREAKER_CLOSED);
    call(b, false);
    CHECK_INT(breaker_state(b, K), BREAKER_OPEN);
    check_refused(b, 1000);
    pass_ms(400);
    check_refused(b, 600);
    struct breaker_pass p;
    CHECK_OK(breaker_allow(b, STR("other"), &p, NULL));
    breaker_delete(b);
}

static void needs_the_share_of_failures(void **state) {
    (void)state;
    struct breaker *b = fresh();
    for (int i = 0; i < 5; i++)
        call(b, true);
    for (int i = 0; i < 4; i++)
        call(b, false);
    CHECK_INT(breaker_state(b, K), BREAKER_CLOSED); /* 4 of 9 */
    call(b, false);
    CHECK_INT(breaker_state(b, K), BREAKER_OPEN); /* 5 of 10 */
    breaker_delete(b);
}

static void old_failures_are_forgotten(void **state) {
    (void)state;
    struct breaker *b = fresh();
    call(b, false), call(b, false);
    pass_ms(9500); /* not a whole turn of the window's slots */
    call(b, false);
    CHECK_INT(breaker_state(b, K), BREAKER_CLOSED);
    pass_ms(6000);
    call(b, false);
    call(b, false);
    CHECK_INT(breaker_state(b, K), BREAKER_OPEN); /* three within the window */
    breaker_delete(b);
}

static void one_probe_then_closed(void **state) {
    (void)state;
    struct breaker *b = fresh();
    call(b, false), call(b, false), call(b, false);
    pass_ms(1000);
    CHECK_INT(breaker_state(b, K), BREAKER_HALF_OPEN);
    struct breaker_pass probe;
    CHECK_OK(breaker_allow(b, K, &probe, NULL));
    CHECK(probe.probe);
    check_refused(b, 500);
    breaker_report(b, K, probe, true);
    CHECK_INT(breaker_state(b, K), BREAKER_CLOSED);
    call(b, false), call(b, false); /* the old failures are gone */
    CHECK_INT(breaker_state(b, K), BREAKER_CLOSED);
    breaker_delete(b);
}

static void cool_down_grows_to_its_cap(void **state) {
    (void)state;
    struct breaker *b = fresh();
    call(b, false), call(b, false), call(b, false);
    static const int64_t cool[] = {1000, 2000, 3000, 3000};
    for (int i = 0; i < 4; i++) {
        check_refused(b, cool[i]);
        pass_ms((uint64_t)cool[i]);
        call(b, false);
    }
    pass_ms(3000);
    call(b, true);
    call(b, false), call(b, false), call(b, false);
    check_refused(b, 1000); /* after closing it starts small again */
    breaker_delete(b);
}

static void a_lost_probe_is_a_failed_one(void **state) {
    (void)state;
    struct breaker *b = fresh();
    call(b, false), call(b, false), call(b, false);
    pass_ms(1000);
    struct breaker_pass probe;
    CHECK_OK(breaker_allow(b, K, &probe, NULL));
    pass_ms(500);
    check_refused(b, 2000);
    breaker_report(b, K, probe, true); /* too late to count */
    CHECK_INT(breaker_state(b, K), BREAKER_OPEN);
    pass_ms(2000);
    breaker_report(b, K, probe, true); /* nor does it speak for the next probe */
    CHECK_INT(breaker_state(b, K), BREAKER_HALF_OPEN);
    breaker_delete(b);
}

static void a_cancelled_probe_gives_its_place_back(void **state) {
    (void)state;
    struct breaker *b = fresh();
    call(b, false), call(b, false), call(b, false);
    pass_ms(1000);
    struct breaker_pass probe, next;
    CHECK_OK(breaker_allow(b, K, &probe, NULL));
    breaker_cancel(b, K, probe);
    CHECK_OK(breaker_allow(b, K, &next, NULL));
    CHECK(next.probe);
    breaker_delete(b);
}

static void calls_from_before_do_not_count(void **state) {
    (void)state;
    struct breaker *b = fresh();
    struct breaker_pass old[4];
    for (int i = 0; i < 4; i++)
        CHECK_OK(breaker_allow(b, K, &old[i], NULL));
    for (int i = 0; i < 3; i++)
        breaker_report(b, K, old[i], false);
    breaker_report(b, K, old[3], true);
    CHECK_INT(breaker_state(b, K), BREAKER_OPEN);
    pass_ms(1000);
    breaker_report(b, K, old[3], true);
    CHECK_INT(breaker_state(b, K), BREAKER_HALF_OPEN);
    call(b, true);
    for (int i = 0; i < 4; i++)
        breaker_report(b, K, old[i], false);
    CHECK_INT(breaker_state(b, K), BREAKER_CLOSED);
    breaker_delete(b);
}

static void memory_fails(void **state) {
    (void)state;
    struct breaker *b;
    for (uint64_t n = 1; n < 3; n++) {
        int64_t live = mem_live();
        mem_fail_at(n, 0);
        CHECK_ERR(breaker_new(&b, &clock_, NULL), E_NOMEM);
        mem_fail_at(0, 0);
        CHECK_INT(mem_live(), live);
    }
    b = fresh();
    mem_fail_at(1, 1);
    call(b, false);
    mem_fail_at(0, 0);
    CHECK_INT(breaker_state(b, K), BREAKER_CLOSED);
    breaker_delete(b);
}

struct racer {
    struct breaker *b;
    int probes;
};
static void *race(void *arg) {
    struct racer *r = arg;
    for (int i = 0; i < 500; i++) {
        struct breaker_pass p;
        if (breaker_allow(r->b, K, &p, NULL) == 0) r->probes++;
    }
    return NULL;
}

static void threads_get_one_probe(void **state) {
    (void)state;
    struct breaker *b = fresh();
    call(b, false), call(b, false), call(b, false);
    pass_ms(1000);
    pthread_t t[4];
    struct racer r[4] = {{b, 0}, {b, 0}, {b, 0}, {b, 0}};
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, race, &r[i]);
    int probes = 0;
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        probes += r[i].probes;
    }
    CHECK_INT(probes, 1);
    breaker_delete(b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(opens_after_failures),
    cmocka_unit_test(needs_the_share_of_failures),
    cmocka_unit_test(old_failures_are_forgotten),
    cmocka_unit_test(one_probe_then_closed),
    cmocka_unit_test(cool_down_grows_to_its_cap),
    cmocka_unit_test(a_lost_probe_is_a_failed_one),
    cmocka_unit_test(a_cancelled_probe_gives_its_place_back),
    cmocka_unit_test(calls_from_before_do_not_count),
    cmocka_unit_test(memory_fails),
    cmocka_unit_test(threads_get_one_probe),
};
UNIT_MAIN("breaker", tests)
