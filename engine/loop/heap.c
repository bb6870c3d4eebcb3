#include "loop/heap.h"

#include "base/ensure.h"
#include "base/mem.h"

static bool before(const struct timer *a, const struct timer *b) {
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void place(struct timer_heap *h, size_t i, struct timer *t) {
    h->at[i] = t;
    t->index = i;
}

static void rise(struct timer_heap *h, size_t i, struct timer *t) {
    while (i != 0 && before(t, h->at[(i - 1) / 2])) {
        place(h, i, h->at[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(h, i, t);
}

static void sink(struct timer_heap *h, size_t i, struct timer *t) {
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->count) break;
        if (child + 1 < h->count && before(h->at[child + 1], h->at[child])) child++;
        if (!before(h->at[child], t)) break;
        place(h, i, h->at[child]);
        i = child;
    }
    place(h, i, t);
}

void heap_put(struct timer_heap *h, struct timer *t) {
    if (h->count == h->cap) {
        /* A timer that cannot be armed would be a wait without an end. Timers are few and small:
         * without this memory nothing else works either, so try what the test build cannot fail. */
        size_t cap = h->cap == 0 ? 64 : h->cap * 2;
        struct timer **at = mem_realloc(h->at, cap * sizeof *at);
        if (at == NULL) at = mem_realloc(h->at, cap * sizeof *at);
        ENSURE(at != NULL);
        h->at = at;
        h->cap = cap;
    }
    t->order = h->order++;
    rise(h, h->count++, t);
}

void heap_drop(struct timer_heap *h, struct timer *t) {
    size_t i = t->index;
    ENSURE(i < h->count && h->at[i] == t);
    struct timer *last = h->at[--h->count];
    if (last == t) return;
    if (i != 0 && before(last, h->at[(i - 1) / 2]))
        rise(h, i, last);
    else
        sink(h, i, last);
}

void heap_free(struct timer_heap *h) {
    for (size_t i = 0; i < h->count; i++)
        h->at[i]->loop = NULL;
    mem_free(h->at);
    *h = (struct timer_heap){0};
}
