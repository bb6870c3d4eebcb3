/* The pool with threads, and inline on the simulated loop. */
#include "base/mem.h"
#include "loop/pool.h"
#include "unit.h"

#include <pthread.h>

struct item {
    struct pool_job job;
    struct loop *loop;
    pthread_t ran_on;
    int ran, done;
    int *left; /* on the loop's thread only */
};

static void item_run(struct pool_job *job) {
    struct item *it = (struct item *)job;
    it->ran_on = pthread_self();
    it->ran++;
}
static void item_done(struct pool_job *job) {
    struct item *it = (struct item *)job;
    CHECK(loop_here(it->loop));
    it->done++;
    if (--*it->left == 0) loop_stop(it->loop);
}

static void jobs_come_back_to_their_loop(void **state) {
    (void)state;
    struct clock clock;
    clock_real(&clock);
    struct loop *loop;
    struct pool *pool;
    CHECK_OK(loop_uv_new(&loop, &clock));
    CHECK_OK(pool_new(&pool, 3, 1000));
    struct item items[200] = {0};
    int left = 200;
    for (int i = 0; i < 200; i++) {
        items[i].loop = loop, items[i].left = &left;
        CHECK_OK(pool_submit(pool, loop, &items[i].job, item_run, item_done));
    }
    loop_uv_run(loop);
    for (int i = 0; i < 200; i++) {
        CHECK_INT(items[i].ran, 1);
        CHECK_INT(items[i].done, 1);
        CHECK(!pthread_equal(items[i].ran_on, pthread_self()));
    }
    pool_delete(pool);
    loop_delete(loop);
}

/* One thread, held at a gate. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool inside, open;
};
struct held {
    struct pool_job job;
    struct gate *gate;
};
static void held_run(struct pool_job *job) {
    struct gate *g = ((struct held *)job)->gate;
    pthread_mutex_lock(&g->lock);
    g->inside = true;
    pthread_cond_broadcast(&g->moved);
    while (!g->open)
        pthread_cond_wait(&g->moved, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void the_queue_is_bounded_and_the_end_waits(void **state) {
    (void)state;
    struct pool *pool;
    CHECK_OK(pool_new(&pool, 1, 2));
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};
    struct held h = {.gate = &gate};
    CHECK_OK(pool_submit(pool, NULL, &h.job, held_run, NULL));
    pthread_mutex_lock(&gate.lock);
    while (!gate.inside)
        pthread_cond_wait(&gate.moved, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    struct item items[3] = {0};
    CHECK_OK(pool_submit(pool, NULL, &items[0].job, item_run, NULL));
    CHECK_OK(pool_submit(pool, NULL, &items[1].job, item_run, NULL));
    CHECK_ERR(pool_submit(pool, NULL, &items[2].job, item_run, NULL), E_BUSY);
    pthread_mutex_lock(&gate.lock);
    gate.open = true;
    pthread_cond_broadcast(&gate.moved);
    pthread_mutex_unlock(&gate.lock);
    pool_delete(pool); /* what was taken is done first */
    CHECK_INT(items[0].ran, 1);
    CHECK_INT(items[1].ran, 1);
    CHECK_INT(items[2].ran, 0);
}

static void inline_is_a_task_of_the_loop(void **state) {
    (void)state;
    struct clock clock;
    clock_virtual(&clock, 0);
    struct loop *loop;
    struct pool *pool;
    CHECK_OK(loop_sim_new(&loop, &clock, NULL));
    CHECK_OK(pool_new(&pool, 0, 0));
    int left = 10;
    struct item it = {.loop = loop, .left = &left};
    CHECK_OK(pool_submit(pool, loop, &it.job, item_run, item_done));
    CHECK_INT(it.ran, 0); /* never from inside submit */
    loop_sim_drain(loop);
    CHECK_INT(it.ran, 1);
    CHECK_INT(it.done, 1);
    CHECK(pthread_equal(it.ran_on, pthread_self()));
    pool_delete(pool);
    loop_delete(loop);
}

static void free_self(struct pool_job *job) {
    mem_free(job);
}

static void nobody_asks(void **state) {
    (void)state;
    for (int threads = 0; threads < 3; threads++) {
        int64_t live = mem_live();
        struct pool *pool;
        CHECK_OK(pool_new(&pool, threads, 0));
        for (int i = 0; i < 20; i++) {
            struct pool_job *job = mem_zalloc(sizeof *job);
            CHECK_OK(pool_submit(pool, NULL, job, free_self, NULL));
        }
        pool_delete(pool);
        CHECK_INT(mem_live(), live);
    }
    struct pool *pool;
    mem_fail_at(1, 0);
    CHECK_ERR(pool_new(&pool, 2, 0), E_NOMEM);
    mem_fail_at(0, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(jobs_come_back_to_their_loop),
    cmocka_unit_test(the_queue_is_bounded_and_the_end_waits),
    cmocka_unit_test(inline_is_a_task_of_the_loop),
    cmocka_unit_test(nobody_asks),
};
UNIT_MAIN("pool", tests)
