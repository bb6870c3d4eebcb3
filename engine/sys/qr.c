/* qr: libqrencode finds the modules, we write the two files. The PNG is one bit a pixel: signature,
 * IHDR, one IDAT, IEND; every line begins with filter 0. */
#include "sys/qr.h"

#include "base/ensure.h"
#include "base/err.h"

#include <errno.h>
#include <qrencode.h>
#include <string.h>
#include <zlib.h>

enum { QUIET = 4 };

static int modules(struct str text, QRcode **out) {
    if (text.n == 0 || text.n > QR_TEXT_MAX) return E_LIMIT;
    *out = QRcode_encodeData((int)text.n, (const unsigned char *)text.p, 0, QR_ECLEVEL_M);
    if (*out != NULL) return 0;
    return errno == ERANGE ? E_LIMIT : E_NOMEM;
}

static bool dark(const QRcode *q, int x, int y) {
    return (q->data[y * q->width + x] & 1) != 0;
}

int qr_svg(struct str text, struct buf *out) {
    QRcode *q;
    int err = modules(text, &q);
    if (err != 0) return err;
    int side = q->width + 2 * QUIET;
    buf_addf(out,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
             "shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path d=\"",
             side, side, side, side);
    for (int y = 0; y < q->width; y++) {
        for (int x = 0, from; x < q->width; x++) {
            if (!dark(q, x, y)) continue;
            for (from = x; x + 1 < q->width && dark(q, x + 1, y);)
                x++;
            int run = x - from + 1;
            buf_addf(out, "M%d %dh%dv1h-%dz", from + QUIET, y + QUIET, run, run);
        }
    }
    buf_adds(out, "\"/></svg>\n");
    QRcode_free(q);
    return out->err;
}

/* ---- PNG ---- */

static void put_u32(unsigned char *at, uint32_t n) {
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(n >> (24 - 8 * i));
}

static void put_chunk(struct buf *out, const char *type, const void *data, size_t n) {
    unsigned char word[4];
    put_u32(word, (uint32_t)n);
    buf_add(out, word, sizeof word);
    buf_adds(out, type);
    if (n != 0) buf_add(out, data, n);
    uLong sum = crc32(0, (const Bytef *)type, 4);
    if (n != 0) sum = crc32(sum, data, (uInt)n);
    put_u32(word, (uint32_t)sum);
    buf_add(out, word, sizeof word);
}

/* All lines, one bit a pixel: 1 is white, and so is what is left over of the last byte. */
static int bitmap(const QRcode *q, int scale, struct buf *lines) {
    size_t side = (size_t)(q->width + 2 * QUIET) * (size_t)scale, line = 1 + (side + 7) / 8;
    unsigned char *at = (unsigned char *)buf_reserve(lines, line * side);
    if (at == NULL) return E_NOMEM;
    memset(at, 0xff, line * side);
    for (size_t y = 0; y < side; y++, at += line) {
        int row = (int)(y / (size_t)scale) - QUIET;
        at[0] = 0;
        if (row < 0 || row >= q->width) continue;
        for (size_t x = 0; x < side; x++) {
            int column = (int)(x / (size_t)scale) - QUIET;
            if (column < 0 || column >= q->width || !dark(q, column, row)) continue;
            at[1 + x / 8] &= (unsigned char)~(0x80 >> (x % 8));
        }
    }
    lines->len = line * side;
    return 0;
}

static int squeeze(const struct buf *lines, struct buf *packed) {
    uLongf n = compressBound((uLong)lines->len);
    unsigned char *at = (unsigned char *)buf_reserve(packed, n);
    if (at == NULL) return E_NOMEM;
    if (compress2(at, &n, (const Bytef *)lines->data, (uLong)lines->len, Z_DEFAULT_COMPRESSION) !=
        Z_OK)
        return E_NOMEM; /* there is room for whatever it makes */
    packed->len = n;
    return 0;
}

int qr_png(struct str text, int scale, struct buf *out) {
    ENSURE(scale >= 1 && scale <= QR_SCALE_MAX);
    QRcode *q;
    struct buf lines = {0}, packed = {0};
    int err = modules(text, &q);
    if (err != 0) return err;
    if ((err = bitmap(q, scale, &lines)) != 0 || (err = squeeze(&lines, &packed)) != 0) goto out;
    /* width, height, then: 1 bit, grey, deflate, the one filter method, not interlaced */
    unsigned char head[13] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    uint32_t side = (uint32_t)((q->width + 2 * QUIET) * scale);
    put_u32(head, side);
    put_u32(head + 4, side);
    buf_adds(out, "\x89PNG\r\n\x1a\n");
    put_chunk(out, "IHDR", head, sizeof head);
    put_chunk(out, "IDAT", packed.data, packed.len);
    put_chunk(out, "IEND", NULL, 0);
    err = out->err;
out:
    buf_free(&lines);
    buf_free(&packed);
    QRcode_free(q);
    return err;
}
