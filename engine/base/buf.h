/* A growing byte buffer. The first failure (memory, or more than `max`) sticks in `err` and turns
 * all later appends into nothing, so a writer checks once, at the end. Zero-initialised is empty
 * and unbounded. The bytes are always followed by a NUL that is not counted. */
#ifndef LUWAK_BASE_BUF_H
#define LUWAK_BASE_BUF_H

#include "base/str.h"

#include <stdarg.h>

struct buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;  /* 0: unbounded */
    int err;     /* 0, E_NOMEM or E_LIMIT */
    bool secret; /* keys, tokens, passwords: memory is wiped before it is given back, growing too */
};

void buf_free(struct buf *b);               /* leaves it empty and usable; max and secret stay */
void buf_clear(struct buf *b);              /* keeps the memory */
char *buf_reserve(struct buf *b, size_t n); /* room for n more; NULL on failure */
void buf_add(struct buf *b, const void *data, size_t n);
void buf_addc(struct buf *b, char c);
void buf_adds(struct buf *b, const char *text);
void buf_addstr(struct buf *b, struct str s);
void buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_addi(struct buf *b, int64_t value); /* decimal */
void buf_consume(struct buf *b, size_t n);   /* drops n bytes from the front */

static inline struct str buf_str(const struct buf *b) {
    return (struct str){b->data == NULL ? "" : b->data, b->len};
}

/* Hands the memory over to the caller (mem_free); the buffer is empty afterwards. */
char *buf_take(struct buf *b, size_t *len);

#endif
