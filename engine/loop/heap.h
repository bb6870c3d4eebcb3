/* Timers of a loop, the next one first. Private to loop/. */
#ifndef LUWAK_LOOP_HEAP_H
#define LUWAK_LOOP_HEAP_H

#include "loop/loop.h"

struct timer_heap {
    struct timer **at; /* binary heap by (due_ns, order) */
    size_t count;
    size_t cap;
    uint64_t order; /* next order number */
};

void heap_put(struct timer_heap *h, struct timer *t);
void heap_drop(struct timer_heap *h, struct timer *t);
void heap_free(struct timer_heap *h);

#endif
