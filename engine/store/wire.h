/* Bytes on their way between threads, processes and the store: little-endian integers and tagged
 * values. Writers append to a buf, whose first error sticks. A reader is bounded: what is not there
 * sets `bad` and reads as zero, so a decoder checks once, at the end, and never reads past it. */
#ifndef LUWAK_STORE_WIRE_H
#define LUWAK_STORE_WIRE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/val.h"

struct wire_in {
    const unsigned char *p;
    size_t left;
    bool bad;
};

static inline struct wire_in wire_in(struct str s) {
    return (struct wire_in){(const unsigned char *)s.p, s.n, false};
}

void wire_put_u8(struct buf *b, unsigned v);
void wire_put_u16(struct buf *b, unsigned v);
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_i64(struct buf *b, int64_t v);
void wire_put_str(struct buf *b, struct str s); /* u32 length, bytes */
void wire_put_val(struct buf *b, const struct val *v);

/* A frame: u32 length of what follows it, u8 kind, u32 id, the content. Begin gives the place that
 * end fills the length into. */
size_t frame_begin(struct buf *b, unsigned kind, uint32_t id);
void frame_end(struct buf *b, size_t at);

unsigned wire_u8(struct wire_in *in);
unsigned wire_u16(struct wire_in *in);
uint32_t wire_u32(struct wire_in *in);
int64_t wire_i64(struct wire_in *in);
struct str wire_str(struct wire_in *in); /* a view into the input */
struct val wire_val(struct wire_in *in); /* a view into the input */

/* Text is what every reader can show: UTF-8 without surrogates, overlong forms and NUL. */
bool wire_text_good(struct str s);

#endif
