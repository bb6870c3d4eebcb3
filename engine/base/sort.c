#include "base/sort.h"

#include "base/ensure.h"

#include <string.h>

#define FEW 12

static void swap(char *a, char *b, size_t size) {
    char keep[SORT_ITEM_MAX];
    memcpy(keep, a, size);
    memcpy(a, b, size);
    memcpy(b, keep, size);
}

/* Lets items[root] sink until it is no smaller than its children. */
static void sink(char *items, size_t root, size_t count, size_t size,
                 int (*cmp)(const void *a, const void *b)) {
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= count) return;
        if (child + 1 < count && cmp(items + child * size, items + (child + 1) * size) < 0) child++;
        if (cmp(items + root * size, items + child * size) >= 0) return;
        swap(items + root * size, items + child * size, size);
        root = child;
    }
}

/* For a few items: half the comparisons of a heap, and none to spare when they are in order. */
static void insertion(char *items, size_t count, size_t size,
                      int (*cmp)(const void *a, const void *b)) {
    char keep[SORT_ITEM_MAX];
    for (size_t i = 1; i < count; i++) {
        size_t to = i;
        while (to > 0 && cmp(items + (to - 1) * size, items + i * size) > 0)
            to--;
        if (to == i) continue;
        memcpy(keep, items + i * size, size);
        memmove(items + (to + 1) * size, items + to * size, (i - to) * size);
        memcpy(items + to * size, keep, size);
    }
}

void sort_heap(void *base, size_t count, size_t size, int (*cmp)(const void *a, const void *b)) {
    char *items = base;
    ENSURE(size <= SORT_ITEM_MAX);
    if (count <= FEW) {
        insertion(items, count, size, cmp);
        return;
    }
    for (size_t i = count / 2; i-- > 0;)
        sink(items, i, count, size, cmp);
    for (size_t end = count; end-- > 1;) {
        swap(items, items + end * size, size);
        sink(items, 0, end, size, cmp);
    }
}
