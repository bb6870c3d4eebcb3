/* Tasks and timers, on both backends where both must agree. */
#include "base/mem.h"
#include "loop/loop.h"
#include "unit.h"

#include <pthread.h>

struct probe {
    struct task task;
    struct timer timer;
    int *log;
    int *count;
    int id;
    struct loop *loop;
};

static void note(struct probe *p) {
    p->log[(*p->count)++] = p->id;
}
static void timer_notes(struct timer *t) {
    note((struct probe *)((char *)t - offsetof(struct probe, timer)));
}
static void task_notes(struct task *t) {
    note((struct probe *)((char *)t - offsetof(struct probe, task)));
}
static void task_stops(struct task *t) {
    loop_stop(((struct probe *)((char *)t - offsetof(struct probe, task)))->loop);
}

static void sim_fires_timers_in_order_of_time(void **state) {
    (void)state;
    struct clock clock;
    clock_virtual(&clock, 1000);
    struct loop *loop;
    CHECK_OK(loop_sim_new(&loop, &clock, NULL));
    int log[8], count = 0;
    struct probe p[4] = {0};
    const uint64_t delays[4] = {300, 100, 200, 100};
    for (int i = 0; i < 4; i++) {
        p[i].log = log, p[i].count = &count, p[i].id = i;
        timer_start(loop, &p[i].timer, delays[i], timer_notes);
    }
    timer_stop(&p[2].timer);
    loop_sim_run_for(loop, 250);
    CHECK_INT(count, 2);
    CHECK_INT(log[0], 1);
    CHECK_INT(log[1], 3);
    CHECK_INT(clock_now_ms(&clock), 1250);
    CHECK_INT(loop_sim_next_ms(loop), 50);
    CHECK(loop_sim_step(loop));
    CHECK_INT(clock_now_ms(&clock), 1300);
    CHECK(!loop_sim_step(loop));
    loop_delete(loop);
}

static void order_of(uint64_t seed, int *log) {
    struct clock clock;
    struct rng rng;
    clock_virtual(&clock, 0);
    rng_seeded(&rng, seed);
    struct loop *loop;
    CHECK_OK(loop_sim_new(&loop, &clock, &rng));
    int count = 0;
    struct probe p[8] = {0};
    for (int i = 0; i < 8; i++) {
        p[i].log = log, p[i].count = &count, p[i].id = i;
        p[i].task.run = task_notes;
        loop_post(loop, &p[i].task);
    }
    loop_sim_drain(loop);
    CHECK_INT(count, 8);
    loop_delete(loop);
}

static void sim_order_comes_from_the_seed(void **state) {
    (void)state;
    int a[8], b[8], c[8];
    order_of(7, a), order_of(7, b), order_of(8, c);
    CHECK(memcmp(a, b, sizeof a) == 0);
    CHECK(memcmp(a, c, sizeof a) != 0);
}

/* A timer that fell due while tasks waited: it fires among them, as on a machine that was held up.
 * Without a seed tasks come first. */
static void sim_fires_due_timers_among_tasks(void **state) {
    (void)state;
    int places[6] = {0};
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct clock clock;
        struct rng rng;
        clock_virtual(&clock, 0);
        rng_seeded(&rng, seed);
        struct loop *loop;
        CHECK_OK(loop_sim_new(&loop, &clock, seed == 0 ? NULL : &rng));
        int log[6], count = 0;
        struct probe p[6] = {0};
        for (int i = 0; i < 6; i++) {
            p[i].log = log, p[i].count = &count, p[i].id = i;
            p[i].task.run = task_notes;
            if (i != 5) loop_post(loop, &p[i].task);
        }
        timer_start(loop, &p[5].timer, 10, timer_notes);
        clock_virtual_advance(&clock, 10 * 1000000);
        loop_sim_run_for(loop, 0);
        CHECK_INT(count, 6);
        for (int i = 0; i < 6; i++)
            if (log[i] == 5) places[i] += seed != 0;
        if (seed == 0) CHECK_INT(log[5], 5);
        loop_delete(loop);
    }
    for (int i = 0; i < 6; i++)
        CHECK(places[i] > 0);
}

static void *post_from_thread(void *arg) {
    struct probe *p = arg;
    for (int i = 0; i < 100; i++)
        loop_post(p[i].loop, &p[i].task);
    return NULL;
}

static void uv_runs_tasks_of_other_threads_in_order(void **state) {
    (void)state;
    struct clock clock;
    clock_real(&clock);
    struct loop *loop;
    CHECK_OK(loop_uv_new(&loop, &clock));
    int log[101], count = 0;
    static struct probe p[100];
    for (int i = 0; i < 100; i++)
        p[i] = (struct probe){.log = log,
                              .count = &count,
                              .id = i,
                              .loop = loop,
                              .task.run = i == 99 ? task_stops : task_notes};
    pthread_t thread;
    pthread_create(&thread, NULL, post_from_thread, p);
    loop_uv_run(loop);
    pthread_join(thread, NULL);
    CHECK_INT(count, 99);
    for (int i = 0; i < 99; i++)
        CHECK_INT(log[i], i);
    loop_delete(loop);
}

static struct loop *to_stop;
static void timer_stops(struct timer *t) {
    timer_notes(t);
    loop_stop(to_stop);
}

static void uv_fires_timers_in_order_of_time(void **state) {
    (void)state;
    struct clock clock;
    clock_real(&clock);
    struct loop *loop;
    CHECK_OK(loop_uv_new(&loop, &clock));
    to_stop = loop;
    int log[8], count = 0;
    struct probe p[3] = {0};
    const uint64_t delays[3] = {20, 5, 10};
    for (int i = 0; i < 3; i++) {
        p[i].log = log, p[i].count = &count, p[i].id = i;
        timer_start(loop, &p[i].timer, delays[i], i == 0 ? timer_stops : timer_notes);
    }
    loop_uv_run(loop);
    CHECK_INT(count, 3);
    CHECK_INT(log[0], 1);
    CHECK_INT(log[1], 2);
    CHECK_INT(log[2], 0);
    loop_delete(loop);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(sim_fires_timers_in_order_of_time),
    cmocka_unit_test(sim_order_comes_from_the_seed),
    cmocka_unit_test(sim_fires_due_timers_among_tasks),
    cmocka_unit_test(uv_runs_tasks_of_other_threads_in_order),
    cmocka_unit_test(uv_fires_timers_in_order_of_time),
};
UNIT_MAIN("loop", TESTS)
