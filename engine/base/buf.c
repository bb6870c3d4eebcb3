#include "base/buf.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdio.h>

void buf_free(struct buf *b) {
    if (b->secret) mem_wipe(b->data, b->cap);
    mem_free(b->data);
    *b = (struct buf){.max = b->max, .secret = b->secret};
}

/* realloc may leave the bytes behind where they were. */
static char *grow_secret(struct buf *b, size_t cap) {
    char *data = mem_alloc(cap);
    if (data == NULL) return NULL;
    if (b->data != NULL) memcpy(data, b->data, b->len);
    mem_wipe(b->data, b->cap);
    mem_free(b->data);
    data[b->len] = '\0';
    return data;
}

void buf_clear(struct buf *b) {
    b->len = 0;
    b->err = 0;
    if (b->data != NULL) b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t n) {
    if (b->err != 0) return NULL;
    size_t need = 0;
    if (__builtin_add_overflow(b->len, n, &need) || need == SIZE_MAX ||
        (b->max != 0 && need > b->max)) {
        b->err = E_LIMIT;
        return NULL;
    }
    if (need + 1 > b->cap) {
        size_t cap = b->cap < 64 ? 64 : b->cap;
        while (cap < need + 1)
            cap = cap > SIZE_MAX / 2 ? need + 1 : cap * 2;
        char *data = b->secret ? grow_secret(b, cap) : mem_realloc(b->data, cap);
        if (data == NULL) {
            b->err = E_NOMEM;
            return NULL;
        }
        b->data = data;
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t n) {
    char *at = buf_reserve(b, n);
    if (at == NULL) return;
    if (n != 0) memcpy(at, data, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_addc(struct buf *b, char c) {
    buf_add(b, &c, 1);
}

void buf_adds(struct buf *b, const char *text) {
    buf_add(b, text, strlen(text));
}

void buf_addstr(struct buf *b, struct str s) {
    buf_add(b, s.p, s.n);
}

void buf_addi(struct buf *b, int64_t value) {
    char digits[24];
    char *end = digits + sizeof digits;
    char *at = end;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) *--at = '-';
    buf_add(b, at, (size_t)(end - at));
}

void buf_addf(struct buf *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *at = n < 0 ? NULL : buf_reserve(b, (size_t)n);
    if (at != NULL) {
        vsnprintf(at, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_consume(struct buf *b, size_t n) {
    if (n >= b->len) {
        b->len = 0;
    } else {
        memmove(b->data, b->data + n, b->len - n);
        b->len -= n;
    }
    if (b->data != NULL) b->data[b->len] = '\0';
}

char *buf_take(struct buf *b, size_t *len) {
    if (b->data == NULL && buf_reserve(b, 0) == NULL) return NULL;
    char *data = b->data;
    data[b->len] = '\0';
    if (len != NULL) *len = b->len;
    *b = (struct buf){.max = b->max, .secret = b->secret};
    return data;
}
