/* Memory that is freed all at once: trees of parsers live in one. Zero-initialised is empty. */
#ifndef LUWAK_BASE_ARENA_H
#define LUWAK_BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used;                /* bytes of the newest block given out */
    size_t total;               /* bytes of all blocks */
    size_t max;                 /* of total; 0: unbounded */
};

void *arena_alloc(struct arena *a, size_t n); /* aligned, zeroed; NULL: no memory or over max */
char *arena_dup(struct arena *a, const char *data, size_t n); /* a NUL behind, not counted */
void arena_free(struct arena *a);                             /* empty and usable again */

#endif
