/* CSV by RFC 4180: rows out of texts cut at every byte, strictness, limits, writing. */
#include "base/csv.h"
#include "base/mem.h"
#include "base/rng.h"
#include "unit.h"

static struct csv csv; /* big: not on the stack */

/* All rows as "a|b/c|d/", fed in pieces; the first error. */
static int rows(struct str text, size_t piece, char separator, struct buf *out, struct why *why) {
    int got;
    csv_init(&csv, separator);
    csv_push(&csv, STR(""));
    for (;;) {
        got = csv_next(&csv, why);
        if (got < 0 || (got == 0 && csv.finished)) break;
        if (got == 1) {
            for (size_t i = 0; i < csv.count; i++) {
                if (i > 0) buf_addc(out, '|');
                buf_addstr(out, csv_cell(&csv, i));
            }
            buf_addc(out, '/');
            continue;
        }
        size_t n = text.n < piece ? text.n : piece;
        if (n == 0) csv_finish(&csv);
        csv_push(&csv, str_sub(text, 0, n));
        text = str_sub(text, n, text.n);
    }
    CHECK_STR(csv_cell(&csv, CSV_CELLS_MAX + 1), "");
    if (got < 0) CHECK_ERR(csv_next(&csv, NULL), got);
    csv_free(&csv);
    return got;
}

static void check_rows(const char *text, size_t n, char separator, const char *wanted) {
    for (size_t piece = 1; piece <= n + 1; piece++) {
        struct buf b = {0};
        int err = rows((struct str){text, n}, piece, separator, &b, NULL);
        CHECK_ERR(err, wanted == NULL ? E_SYNTAX : 0);
        if (wanted != NULL) CHECK_STR(buf_str(&b), wanted);
        buf_free(&b);
    }
}
#define ROWS(text, wanted) check_rows("" text, sizeof(text) - 1, 0, wanted)

static void rows_are_read(void **state) {
    (void)state;
    ROWS("a,b\r\nc,d\r\n", "a|b/c|d/");
    ROWS("a,b\nc,d", "a|b/c|d/");
    ROWS("a,\"b,\"\"x\"\"\r\ny\"\n", "a|b,\"x\"\r\ny/");
    ROWS(",\n\"\"\n", "|//");
    ROWS("\r\n\na\n\n\r\nb", "a/b/");
    ROWS("\xEF\xBB\xBF"
         "a\n",
         "a/");
    ROWS("\xEF\xBB\xBF\"a\"\n", "a/");
    ROWS("\xEF\xBBx\n", "\xEF\xBBx/");
    ROWS("\xEF", "\xEF/");
    ROWS("", "");
    ROWS("a\xEF\xBB\xBF", "a\xEF\xBB\xBF/");
    ROWS("a,", "a|/");
    ROWS("\"a\"", "a/");
    check_rows("a;b,c\n", 6, ';', "a|b,c/");
}

static void wrong_texts_are_refused(void **state) {
    (void)state;
    ROWS("a\"b\n", NULL);
    ROWS("\"a\"b\n", NULL);
    ROWS("\"a", NULL);
    ROWS("a\rb\n", NULL);
    ROWS("a\r", NULL);
    ROWS("\r", NULL);
    ROWS("\rx", NULL);
    ROWS("a\0b", NULL);
    struct buf b = {0};
    struct why why = {0};
    CHECK_ERR(rows(STR("a\nb\n\"c\nd\"x"), 100, 0, &b, &why), E_SYNTAX);
    CHECK_STR(str_of(why.text), "csv: line 4: something behind a closing quote");
    buf_free(&b);
}

static void limits_hold(void **state) {
    (void)state;
    struct buf text = {0}, out = {0};
    for (int i = 1; i < CSV_CELLS_MAX; i++)
        buf_addc(&text, ',');
    CHECK_OK(rows(buf_str(&text), 4096, 0, &out, NULL));
    buf_addc(&text, ',');
    CHECK_ERR(rows(buf_str(&text), 4096, 0, &out, NULL), E_LIMIT);
    buf_free(&text);
    buf_free(&out);
    for (size_t i = 0; i < CSV_ROW_MAX; i++)
        buf_addc(&text, 'x');
    CHECK_ERR(rows(buf_str(&text), 4096, 0, &out, NULL), E_LIMIT);
    buf_adds(&text, "xx");
    CHECK_ERR(rows(buf_str(&text), 1 << 20, 0, &out, NULL), E_LIMIT);
    buf_free(&text);
    buf_free(&out);
    int64_t live = mem_live();
    mem_fail_at(1, 1);
    int err = rows(STR("a,b\n"), 10, 0, &out, NULL);
    mem_fail_at(0, 0);
    CHECK_ERR(err, E_NOMEM);
    buf_free(&out);
    CHECK(mem_live() == live);
}

static void cells_are_written_safely(void **state) {
    (void)state;
    struct buf b = {0};
    struct csv_out w = {.b = &b};
    static const char *const CELLS[] = {"a",  "a,b",      "say \"x\"", "=1+2", "+62812", "-5",
                                        "-x", "@SUM(A1)", "1\n2",      "",     " x",     "-1.50"};
    for (size_t i = 0; i < sizeof CELLS / sizeof *CELLS; i++)
        csv_put(&w, str_of(CELLS[i]));
    csv_end_row(&w);
    csv_put(&w, STR("\tx"));
    csv_end_row(&w);
    CHECK_STR(buf_str(&b),
              "a,\"a,b\",\"say \"\"x\"\"\",'=1+2,'+62812,-5,'-x,'@SUM(A1),\"1\n2\",\"\","
              "\" x\",-1.50\r\n'\tx\r\n");
    buf_free(&b);
}

static void what_is_written_reads_back(void **state) {
    (void)state;
    static const char ALPHABET[] = "ab,;\"\r\n \xC3\xA9";
    struct rng rng;
    rng_seeded(&rng, 5);
    for (int round = 0; round < 1000; round++) {
        struct buf text = {0}, wanted = {0}, got = {0};
        struct csv_out w = {.b = &text, .separator = round % 2 ? ';' : ','};
        for (uint64_t r = rng_below(&rng, 4); r > 0; r--) {
            uint64_t cells = 1 + rng_below(&rng, 4);
            for (uint64_t c = 0; c < cells; c++) {
                char cell[8];
                size_t n = rng_below(&rng, sizeof cell);
                for (size_t i = 0; i < n; i++)
                    cell[i] = ALPHABET[rng_below(&rng, sizeof ALPHABET - 1)];
                if (n != 0 && cell[0] == '\r') cell[0] = 'a'; /* would be guarded */
                csv_put(&w, (struct str){cell, n});
                if (c > 0) buf_addc(&wanted, '|');
                buf_add(&wanted, cell, n);
            }
            csv_end_row(&w);
            buf_addc(&wanted, '/');
        }
        CHECK_OK(rows(buf_str(&text), 1 + rng_below(&rng, 9), w.separator, &got, NULL));
        CHECK(str_eq(buf_str(&got), buf_str(&wanted)));
        buf_free(&text);
        buf_free(&wanted);
        buf_free(&got);
    }
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(rows_are_read),
    cmocka_unit_test(wrong_texts_are_refused),
    cmocka_unit_test(limits_hold),
    cmocka_unit_test(cells_are_written_safely),
    cmocka_unit_test(what_is_written_reads_back),
};
UNIT_MAIN("csv", TESTS)
