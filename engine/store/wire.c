/* See wire.h. */
#include "store/wire.h"

#include "base/json.h"

#include <string.h>

static void put_le(struct buf *b, uint64_t v, size_t n) {
    unsigned char bytes[8];
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(v >> (8 * i));
    buf_add(b, bytes, n);
}

void wire_put_u8(struct buf *b, unsigned v) {
    put_le(b, v, 1);
}
void wire_put_u16(struct buf *b, unsigned v) {
    put_le(b, v, 2);
}
void wire_put_u32(struct buf *b, uint32_t v) {
    put_le(b, v, 4);
}
void wire_put_i64(struct buf *b, int64_t v) {
    put_le(b, (uint64_t)v, 8);
}

void wire_put_str(struct buf *b, struct str s) {
    if (s.n > UINT32_MAX) {
        if (b->err == 0) b->err = E_LIMIT;
        return;
    }
    wire_put_u32(b, (uint32_t)s.n);
    buf_add(b, s.p, s.n);
}

void wire_put_val(struct buf *b, const struct val *v) {
    wire_put_u8(b, (unsigned)v->type);
    if (v->type == VAL_INT) wire_put_i64(b, v->i);
    if (v->type == VAL_TEXT || v->type == VAL_BLOB) wire_put_str(b, v->s);
}

size_t frame_begin(struct buf *b, unsigned kind, uint32_t id) {
    size_t at = b->len;
    wire_put_u32(b, 0);
    wire_put_u8(b, kind);
    wire_put_u32(b, id);
    return at;
}

void frame_end(struct buf *b, size_t at) {
    if (b->err != 0) return;
    uint32_t n = (uint32_t)(b->len - at - 4);
    for (int i = 0; i < 4; i++)
        b->data[at + (size_t)i] = (char)(n >> (8 * i));
}

static uint64_t get_le(struct wire_in *in, size_t n) {
    if (in->left < n) {
        in->bad = true;
        in->left = 0;
        return 0;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)in->p[i] << (8 * i);
    in->p += n;
    in->left -= n;
    return v;
}

unsigned wire_u8(struct wire_in *in) {
    return (unsigned)get_le(in, 1);
}
unsigned wire_u16(struct wire_in *in) {
    return (unsigned)get_le(in, 2);
}
uint32_t wire_u32(struct wire_in *in) {
    return (uint32_t)get_le(in, 4);
}
int64_t wire_i64(struct wire_in *in) {
    return (int64_t)get_le(in, 8);
}

struct str wire_str(struct wire_in *in) {
    size_t n = wire_u32(in);
    if (in->bad || in->left < n) {
        in->bad = true;
        in->left = 0;
        return STR("");
    }
    struct str s = {(const char *)in->p, n};
    in->p += n;
    in->left -= n;
    return s;
}

struct val wire_val(struct wire_in *in) {
    struct val v = V_NULL;
    switch (wire_u8(in)) {
    case VAL_NULL: break;
    case VAL_INT: v = V_INT(wire_i64(in)); break;
    case VAL_TEXT: v = V_STR(wire_str(in)); break;
    case VAL_BLOB: v = V_BLOB(wire_str(in)); break;
    default: in->bad = true;
    }
    return v;
}

bool wire_text_good(struct str s) {
    return utf8_valid(s) && (s.n == 0 || memchr(s.p, '\0', s.n) == NULL);
}
