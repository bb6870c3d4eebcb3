/* loop on libuv. Other threads only push onto the inbox and uv_async_send; the inbox has a mutex,
 * so what a task carries is published by it. One uv_timer serves the heap. */
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "loop/loop_private.h"

#include <pthread.h>
#include <uv.h>

struct uv_backend {
    struct loop loop;
    uv_loop_t uv;
    uv_async_t wake;
    uv_timer_t timer;
    uv_prepare_t prepare;
    void (*rest)(void *data);
    void *rest_data;
    uv_mutex_t lock;
    struct task *first; /* inbox, oldest first; under lock */
    struct task **last;
    bool stopping; /* under lock */
    uv_thread_t thread;
    bool has_thread; /* false before the first run: setup happens on the creating thread */
    int open_handles;
};

static struct uv_backend *of(const struct loop *loop) {
    return CONTAINER_OF(loop, struct uv_backend, loop);
}

static void timer_fired(uv_timer_t *timer);

static void arm(struct uv_backend *b) {
    if (b->loop.timers.count == 0) {
        uv_timer_stop(&b->timer);
        return;
    }
    uint64_t now = clock_mono_ns(b->loop.clock);
    uint64_t due = b->loop.timers.at[0]->due_ns;
    uint64_t wait_ms = due <= now ? 0 : (due - now + 999999u) / 1000000u;
    uv_update_time(&b->uv);
    uv_timer_start(&b->timer, timer_fired, wait_ms, 0);
}

static void timer_fired(uv_timer_t *timer) {
    struct uv_backend *b = timer->data;
    uint64_t now = clock_mono_ns(b->loop.clock);
    /* Timers armed by the ones that fire wait for the next turn: a timer of 0 ms that re-arms
     * itself must not keep the sockets waiting. */
    uint64_t fence = b->loop.timers.order;
    while (b->loop.timers.count != 0) {
        struct timer *t = b->loop.timers.at[0];
        if (t->due_ns > now || t->order >= fence) break;
        loop_fire(&b->loop, t);
    }
    arm(b);
}

/* Runs what is in the inbox now; false: it was empty. */
static bool inbox_take(struct uv_backend *b, bool *stopping) {
    uv_mutex_lock(&b->lock);
    struct task *task = b->first;
    b->first = NULL;
    b->last = &b->first;
    *stopping = b->stopping;
    uv_mutex_unlock(&b->lock);
    bool some = task != NULL;
    while (task != NULL) {
        struct task *next = task->next;
        task->next = NULL;
        task->run(task);
        task = next;
    }
    return some;
}

static void inbox_run(uv_async_t *wake) {
    struct uv_backend *b = wake->data;
    bool stopping;
    (void)inbox_take(b, &stopping);
    if (stopping) uv_stop(&b->uv);
}

static bool settle(struct loop *loop) {
    struct uv_backend *b = of(loop);
    ENSURE(!b->has_thread);
    bool stopping, some = false;
    while (inbox_take(b, &stopping))
        some = true;
    return some;
}

static void post(struct loop *loop, struct task *task) {
    struct uv_backend *b = of(loop);
    task->next = NULL;
    uv_mutex_lock(&b->lock);
    *b->last = task;
    b->last = &task->next;
    uv_mutex_unlock(&b->lock);
    uv_async_send(&b->wake);
}

static void timers_changed(struct loop *loop) {
    arm(of(loop));
}

static bool here(const struct loop *loop) {
    const struct uv_backend *b = of(loop);
    uv_thread_t self = uv_thread_self();
    return !b->has_thread || uv_thread_equal(&b->thread, &self);
}

static struct uv_loop_s *handle(struct loop *loop) {
    return &of(loop)->uv;
}

static void stop(struct loop *loop) {
    struct uv_backend *b = of(loop);
    uv_mutex_lock(&b->lock);
    b->stopping = true;
    uv_mutex_unlock(&b->lock);
    uv_async_send(&b->wake);
}

static void handle_closed(uv_handle_t *handle) {
    struct uv_backend *b = handle->data;
    b->open_handles--;
}

static void destroy(struct loop *loop) {
    struct uv_backend *b = of(loop);
    b->has_thread = false;
    uv_close((uv_handle_t *)&b->wake, handle_closed);
    uv_close((uv_handle_t *)&b->timer, handle_closed);
    uv_close((uv_handle_t *)&b->prepare, handle_closed);
    while (b->open_handles != 0)
        uv_run(&b->uv, UV_RUN_NOWAIT);
    int err = uv_loop_close(&b->uv);
    ENSURE(err == 0); /* an owner above left a handle open */
    uv_mutex_destroy(&b->lock);
    mem_free(b);
}

static const struct loop_backend UV = {
    .post = post,
    .timers_changed = timers_changed,
    .here = here,
    .handle = handle,
    .stop = stop,
    .settle = settle,
    .destroy = destroy,
};

static pthread_once_t memory_once = PTHREAD_ONCE_INIT;

/* What libuv reallocates is its table of watched descriptors, and it aborts where that cannot grow. */
static void set_memory(void) {
    uv_replace_allocator(mem_alloc, mem_realloc_vital, mem_array, mem_free);
}

int loop_uv_new(struct loop **out, const struct clock *clock) {
    pthread_once(&memory_once, set_memory);
    struct uv_backend *b = mem_zalloc(sizeof *b);
    if (b == NULL) return E_NOMEM;
    b->loop.backend = &UV;
    b->loop.clock = clock;
    b->last = &b->first;
    if (uv_loop_init(&b->uv) != 0) goto no_loop;
    if (uv_mutex_init(&b->lock) != 0) goto no_lock;
    if (uv_async_init(&b->uv, &b->wake, inbox_run) != 0) goto no_async;
    uv_timer_init(&b->uv, &b->timer); /* cannot fail */
    uv_prepare_init(&b->uv, &b->prepare);
    b->wake.data = b->timer.data = b->prepare.data = b;
    b->open_handles = 3;
    *out = &b->loop;
    return 0;
no_async:
    uv_mutex_destroy(&b->lock);
no_lock:
    uv_loop_close(&b->uv);
no_loop:
    mem_free(b);
    return E_NOMEM;
}

static void about_to_poll(uv_prepare_t *prepare) {
    struct uv_backend *b = prepare->data;
    b->rest(b->rest_data);
}

void loop_uv_on_rest(struct loop *loop, void (*rest)(void *data), void *data) {
    struct uv_backend *b = of(loop);
    b->rest = rest;
    b->rest_data = data;
    uv_prepare_start(&b->prepare, about_to_poll); /* cannot fail */
    uv_unref((uv_handle_t *)&b->prepare);
}

void loop_uv_run(struct loop *loop) {
    struct uv_backend *b = of(loop);
    b->thread = uv_thread_self();
    b->has_thread = true;
    uv_mutex_lock(&b->lock);
    bool stopping = b->stopping;
    uv_mutex_unlock(&b->lock);
    if (!stopping) uv_run(&b->uv, UV_RUN_DEFAULT);
    uv_mutex_lock(&b->lock);
    b->stopping = false; /* may be run again, to close handles for instance */
    uv_mutex_unlock(&b->lock);
    b->has_thread = false;
}
