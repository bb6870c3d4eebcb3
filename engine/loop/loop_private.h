/* Shared by the two loop backends only. */
#ifndef LUWAK_LOOP_PRIVATE_H
#define LUWAK_LOOP_PRIVATE_H

#include "loop/heap.h"
#include "loop/loop.h"

struct loop_backend {
    void (*post)(struct loop *loop, struct task *task);
    void (*timers_changed)(struct loop *loop); /* the first timer is another one now */
    bool (*here)(const struct loop *loop);
    struct uv_loop_s *(*handle)(struct loop *loop);
    void (*stop)(struct loop *loop);
    bool (*settle)(struct loop *loop);
    void (*destroy)(struct loop *loop);
};

struct loop {
    const struct loop_backend *backend;
    const struct clock *clock;
    struct timer_heap timers;
};

void loop_fire(struct loop *loop, struct timer *timer);

#endif
