/* Threads that take jobs from one bounded queue, first in, first out.
 *
 * One lock guards the queue; a job belongs to the pool from submit until its done() was posted to
 * the loop that asked. After the post the pool thread never touches the job again: its owner may be
 * gone. Inline there is no thread and no lock is contended: the job is one task of its loop. */
#include "loop/pool.h"

#include "base/ensure.h"
#include "base/mem.h"

#include <pthread.h>
#include <signal.h>

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job came, or the end */
    struct pool_job *first, *last;
    size_t waiting;
    size_t queue_max;
    bool ending;
    int threads;
    pthread_t thread[];
};

static void finished(struct task *task) {
    struct pool_job *job = CONTAINER_OF(task, struct pool_job, task);
    job->done(job);
}

static void run_inline(struct task *task) {
    struct pool_job *job = CONTAINER_OF(task, struct pool_job, task);
    void (*done)(struct pool_job *) = job->done; /* without done, run may free the job */
    job->run(job);
    if (done != NULL) done(job);
}

static void *thread_main(void *arg) {
    struct pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->first == NULL && !pool->ending)
            pthread_cond_wait(&pool->work, &pool->lock);
        struct pool_job *job = pool->first;
        if (job == NULL) break;
        pool->first = job->next;
        if (pool->first == NULL) pool->last = NULL;
        pool->waiting--;
        pthread_mutex_unlock(&pool->lock);
        struct loop *loop = job->loop;
        bool asked = job->done != NULL;
        job->run(job);
        if (asked) loop_post(loop, &job->task);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static void end_threads(struct pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->threads; i++)
        pthread_join(pool->thread[i], NULL);
}

int pool_new(struct pool **out, int threads, size_t queue_max) {
    *out = NULL;
    ENSURE(threads >= 0);
    struct pool *pool = mem_zalloc(sizeof *pool + (size_t)threads * sizeof pool->thread[0]);
    if (pool == NULL) return E_NOMEM;
    pool->queue_max = queue_max == 0 ? POOL_QUEUE_MAX : queue_max;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    /* Signals belong to the main thread. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = 0;
    while (pool->threads < threads && err == 0) {
        if (pthread_create(&pool->thread[pool->threads], NULL, thread_main, pool) != 0)
            err = E_LIMIT;
        else
            pool->threads++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err != 0) {
        pool_delete(pool);
        return err;
    }
    *out = pool;
    return 0;
}

void pool_delete(struct pool *pool) {
    if (pool == NULL) return;
    end_threads(pool);
    ENSURE(pool->first == NULL);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    mem_free(pool);
}

int pool_submit(struct pool *pool, struct loop *loop, struct pool_job *job,
                void (*run)(struct pool_job *job), void (*done)(struct pool_job *job)) {
    ENSURE(run != NULL);
    ENSURE(done == NULL || loop != NULL);
    *job = (struct pool_job){.loop = loop, .run = run, .done = done};
    if (pool->threads == 0) {
        job->task.run = run_inline;
        if (loop == NULL)
            run(job);
        else
            loop_post(loop, &job->task);
        return 0;
    }
    job->task.run = finished;
    int err = 0;
    pthread_mutex_lock(&pool->lock);
    ENSURE(!pool->ending);
    if (pool->waiting >= pool->queue_max) {
        err = E_BUSY;
    } else {
        if (pool->last == NULL)
            pool->first = job;
        else
            pool->last->next = job;
        pool->last = job;
        pool->waiting++;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    return err;
}
