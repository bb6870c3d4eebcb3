/* The budget of questions to a provider account. */
#include "base/mem.h"
#include "core/questions.h"
#include "unit.h"

static struct clock clock_;
static struct questions *fresh(uint32_t per_minute) {
    struct questions *q;
    clock_virtual(&clock_, 1000);
    CHECK_OK(questions_new(&q, &clock_, per_minute));
    return q;
}

static bool ask(struct questions *q, struct str account, enum operation_state state) {
    struct question one;
    bool may = questions_begin(q, &one, account, state) == 0;
    if (may) questions_end(q, &one);
    return may;
}

static int asked(struct questions *q, struct str account, enum operation_state state) {
    int n = 0;
    while (ask(q, account, state))
        n++;
    return n;
}

static void half_of_the_rate_is_kept_for_what_has_no_answer(void **state) {
    (void)state;
    struct questions *q = fresh(600);
    CHECK_INT(asked(q, STR("midtrans"), OPERATION_PENDING), 30); /* a tenth of its minute at once */
    CHECK_INT(asked(q, STR("midtrans"), OPERATION_SUPERSEDED), 0);
    CHECK_INT(asked(q, STR("midtrans"), OPERATION_UNKNOWN), 30);
    CHECK_INT(asked(q, STR("midtrans"), OPERATION_SENDING), 0);
    CHECK_INT(asked(q, STR("xendit"), OPERATION_PROCESSING),
              30); /* another account is another budget */
    clock_virtual_advance(&clock_, INT64_C(1000) * 1000000);
    CHECK_INT(asked(q, STR("midtrans"), OPERATION_PENDING), 5);
    clock_virtual_advance(&clock_, INT64_C(60000) * 1000000);
    CHECK_INT(asked(q, STR("midtrans"), OPERATION_PENDING), 30);
    questions_delete(q);
}

static void the_least_rate_still_asks(void **state) {
    (void)state;
    struct questions *q = fresh(2);
    CHECK_INT(asked(q, STR("a"), OPERATION_PENDING), 1);
    clock_virtual_advance(&clock_, INT64_C(59000) * 1000000);
    CHECK_INT(asked(q, STR("a"), OPERATION_PENDING), 0);
    clock_virtual_advance(&clock_, INT64_C(1000) * 1000000);
    CHECK_INT(asked(q, STR("a"), OPERATION_PENDING), 1);
    questions_delete(q);
}

static void a_provider_that_hangs_leaves_places_to_others(void **state) {
    (void)state;
    struct questions *q = fresh(1000000);
    struct question hanging[QUESTIONS_AT_ONCE + 1], other;
    for (int i = 0; i < QUESTIONS_AT_ONCE; i++)
        CHECK_INT(questions_begin(q, &hanging[i], STR("slow"), OPERATION_UNKNOWN), 0);
    CHECK(questions_begin(q, &hanging[QUESTIONS_AT_ONCE], STR("slow"), OPERATION_UNKNOWN) > 0);
    CHECK_INT(questions_begin(q, &other, STR("quick"), OPERATION_UNKNOWN), 0);
    questions_end(q, &hanging[3]);
    CHECK_INT(questions_begin(q, &hanging[3], STR("slow"), OPERATION_UNKNOWN), 0);
    for (int i = 0; i < QUESTIONS_AT_ONCE; i++)
        questions_end(q, &hanging[i]);
    questions_end(q, &other);
    questions_delete(q);
}

/* A hundred come at once and each comes again when it was told to: nobody waits longer than the rate
 * makes him, and nobody asks out of it. */
static void each_is_told_his_turn(void **state) {
    (void)state;
    struct questions *q = fresh(120); /* one a second of each half, six at once */
    enum { ALL = 100 };
    int64_t due[ALL] = {0}, last = 0;
    int left = ALL, tries = 0;
    for (int64_t t = 0; left > 0 && t < 400000; t += 100) {
        for (int i = 0; i < ALL; i++) {
            struct question one;
            if (due[i] < 0 || due[i] > t) continue;
            int64_t wait = questions_begin(q, &one, STR("a"), OPERATION_UNKNOWN);
            tries++;
            due[i] = wait == 0 ? -1 : t + wait;
            if (wait != 0) continue;
            questions_end(q, &one);
            left--;
            last = t;
        }
        clock_virtual_advance(&clock_, INT64_C(100) * 1000000);
    }
    CHECK_INT(left, 0);
    CHECK(last >= (ALL - 6) * INT64_C(1000) && last <= ALL * INT64_C(1100));
    CHECK(tries <= 3 * ALL);
    questions_delete(q);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(half_of_the_rate_is_kept_for_what_has_no_answer),
    cmocka_unit_test(the_least_rate_still_asks),
    cmocka_unit_test(each_is_told_his_turn),
    cmocka_unit_test(a_provider_that_hangs_leaves_places_to_others),
};
UNIT_MAIN("questions", tests)
