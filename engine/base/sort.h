/* Heap sort: in place, no memory, n log n in the worst case, so that input chosen by an attacker
 * cannot make it slow. Not stable: a comparison that must be stable compares positions last. */
#ifndef LUWAK_BASE_SORT_H
#define LUWAK_BASE_SORT_H

#include <stddef.h>

#define SORT_ITEM_MAX 64 /* bytes of one item */

void sort_heap(void *items, size_t count, size_t size, int (*cmp)(const void *a, const void *b));

#endif
