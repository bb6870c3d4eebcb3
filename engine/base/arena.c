#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>
#include <string.h>

#define BLOCK_MIN 1024
#define BLOCK_MAX (64 * 1024)

struct arena_block {
    struct arena_block *next;
    size_t size;
    alignas(max_align_t) char data[];
};

void *arena_alloc(struct arena *a, size_t n) {
    const size_t align = alignof(max_align_t);
    if (n > SIZE_MAX / 4) return NULL;
    n = (n + align - 1) / align * align;
    if (a->blocks == NULL || a->blocks->size - a->used < n) {
        size_t size = a->blocks == NULL ? BLOCK_MIN : a->blocks->size * 2;
        if (size > BLOCK_MAX) size = BLOCK_MAX;
        if (size < n) size = n;
        if (a->max != 0 && (a->total > a->max || size > a->max - a->total)) return NULL;
        struct arena_block *block = mem_zalloc(sizeof *block + size);
        if (block == NULL) return NULL;
        block->next = a->blocks;
        block->size = size;
        a->blocks = block;
        a->used = 0;
        a->total += size;
    }
    void *at = a->blocks->data + a->used;
    a->used += n;
    return at;
}

char *arena_dup(struct arena *a, const char *data, size_t n) {
    char *copy = arena_alloc(a, n + 1);
    if (copy != NULL && n != 0) memcpy(copy, data, n);
    return copy;
}

void arena_free(struct arena *a) {
    while (a->blocks != NULL) {
        struct arena_block *block = a->blocks;
        a->blocks = block->next;
        mem_free(block);
    }
    *a = (struct arena){.max = a->max};
}
