/* QR codes: what a scanner program reads back, and the two files' shape. */
#include "base/mem.h"
#include "sys/qr.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A published QRIS payload. */
#define QRIS                                                                             \
    "00020101021226580006id.ovo01189360091200006049620215yq38ZDs7MI6oaz50303UKE51450015" \
    "ID.OR.GPNQR.WWW0215ID10200416988350303UKE52045812530336054065000005802ID5911Tims "  \
    "Donuts6013Jakarta Barat61051161062310507VCcCtqJ0716HgxK16eFVHfvKnGO63048A85"

/* The scanner's words for an image, without the newline it adds. */
static size_t scan(struct str png, char *out, size_t size) {
    char path[] = "/tmp/luwak-qr-XXXXXX", command[160];
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, png.p, png.n), png.n);
    close(fd);
    snprintf(command, sizeof command, "zbarimg --nodbus -q --raw %s", path);
    FILE *f = popen(command, "r");
    CHECK(f != NULL);
    size_t n = fread(out, 1, size, f);
    CHECK_INT(pclose(f), 0);
    unlink(path);
    CHECK(n > 0 && out[n - 1] == '\n');
    return n - 1;
}

static void a_scanner_reads_the_same_text(void **state) {
    (void)state;
    char longest[513], got[2048];
    for (size_t i = 0; i < 512; i++) /* the most that a QRIS payload may have */
        longest[i] = (char)('0' + i * 7 % 75);
    longest[512] = '\0';
    const char *texts[] = {QRIS, "x", longest, "https://example.com/?a=1&b=%20"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (int scale = 2; scale <= 9; scale += 7) {
            struct buf b = {0};
            CHECK_OK(qr_png(str_of(texts[i]), scale, &b));
            size_t n = scan(buf_str(&b), got, sizeof got);
            CHECK_STR(((struct str){got, n}), texts[i]);
            buf_free(&b);
        }
    }
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    static const char big[QR_TEXT_MAX + 1];
    struct buf b = {0};
    CHECK_ERR(qr_png(STR(""), 4, &b), E_LIMIT);
    CHECK_ERR(qr_svg(STR(""), &b), E_LIMIT);
    CHECK_ERR(qr_png((struct str){big, sizeof big}, 4, &b), E_LIMIT);
    CHECK_OK(qr_png((struct str){big, QR_TEXT_MAX}, QR_SCALE_MAX, &b));
    buf_free(&b);
    b.max = 100;
    CHECK_ERR(qr_svg(STR("x"), &b), E_LIMIT);
    CHECK_ERR(qr_png(STR("x"), 1, &b), E_LIMIT);
    buf_free(&b);
}

/* Each module of the SVG is one of the PNG of one pixel: counted by their dark area. */
static void the_svg_is_a_drawing_of_the_same(void **state) {
    (void)state;
    struct buf svg = {0};
    CHECK_OK(qr_svg(STR("01234567"), &svg));
    CHECK(str_starts(buf_str(&svg),
                     STR("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 29 29\"")));
    /* version 1: three finders of 33 dark modules each; no run is longer than a finder's side
     * unless data adds to it */
    int64_t area = 0;
    for (const char *at = strstr(svg.data, "<path d=");
         at != NULL && (at = strchr(at, 'h')) != NULL;) {
        long run = strtol(at + 1, NULL, 10);
        if (run > 0) area += run;
        at++;
    }
    CHECK(area >= 3 * 33 && area < 21 * 21);
    buf_free(&svg);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    for (int png = 0; png <= 1; png++) {
        int err = E_NOMEM;
        for (uint64_t nth = 1; err != 0; nth++) {
            struct buf b = {0};
            mem_fail_at(nth, 0);
            err = png ? qr_png(STR("x"), 4, &b) : qr_svg(STR("x"), &b);
            mem_fail_at(0, 0);
            if (err != 0) CHECK_ERR(err, E_NOMEM);
            CHECK(nth < 100);
            buf_free(&b);
        }
    }
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(a_scanner_reads_the_same_text),
    cmocka_unit_test(what_does_not_fit_is_refused),
    cmocka_unit_test(the_svg_is_a_drawing_of_the_same),
    cmocka_unit_test(every_allocation_may_fail),
};
UNIT_MAIN("qr", TESTS)
