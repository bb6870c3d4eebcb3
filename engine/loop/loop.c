/* loop: what both backends share, and the two backends' dispatch. See loop.h. */
#include "loop/loop_private.h"

#include "base/ensure.h"
#include "base/mem.h"

void timer_start(struct loop *loop, struct timer *timer, uint64_t delay_ms,
                 void (*fired)(struct timer *timer)) {
    ENSURE(loop_here(loop));
    if (timer->loop != NULL) timer_stop(timer);
    uint64_t delay_ns = delay_ms > UINT64_MAX / 4000000u ? UINT64_MAX / 4 : delay_ms * 1000000u;
    timer->due_ns = clock_mono_ns(loop->clock) + delay_ns;
    timer->fired = fired;
    timer->loop = loop;
    heap_put(&loop->timers, timer);
    if (timer->index == 0) loop->backend->timers_changed(loop);
}

void timer_stop(struct timer *timer) {
    struct loop *loop = timer->loop;
    if (loop == NULL) return;
    ENSURE(loop_here(loop));
    heap_drop(&loop->timers, timer);
    timer->loop = NULL;
}

void loop_fire(struct loop *loop, struct timer *timer) {
    heap_drop(&loop->timers, timer);
    timer->loop = NULL;
    timer->fired(timer);
}

void loop_post(struct loop *loop, struct task *task) {
    loop->backend->post(loop, task);
}

const struct clock *loop_clock(const struct loop *loop) {
    return loop->clock;
}

bool loop_here(const struct loop *loop) {
    return loop->backend->here(loop);
}

struct uv_loop_s *loop_uv_handle(struct loop *loop) {
    return loop->backend->handle == NULL ? NULL : loop->backend->handle(loop);
}

void loop_stop(struct loop *loop) {
    loop->backend->stop(loop);
}

bool loop_settle(struct loop *loop) {
    return loop->backend->settle(loop);
}

void loop_delete(struct loop *loop) {
    if (loop == NULL) return;
    heap_free(&loop->timers);
    loop->backend->destroy(loop);
}
