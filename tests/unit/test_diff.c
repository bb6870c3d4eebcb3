/* Differences of two texts, as diff -u says them. */
#include "base/diff.h"
#include "unit.h"

static void diffs_are_what_diff_says(void **state) {
    (void)state;
    struct buf out = {0};
    CHECK_OK(diff_write(STR("a\nb\nc\n"), STR("a\nb\nc\n"), "x", "y", &out));
    CHECK_STR(buf_str(&out), "");
    CHECK_OK(diff_write(STR("1\n2\n3\n4\n5\n6\n7\n8\n9\n"), STR("1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
                        "x", "y", &out));
    CHECK_STR(buf_str(&out), "--- x\n+++ y\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
    buf_clear(&out);
    CHECK_OK(diff_write(STR(""), STR("a\nb"), "x", "y", &out));
    CHECK_STR(buf_str(&out),
              "--- x\n+++ y\n@@ -0,0 +1,2 @@\n+a\n+b\n\\ No newline at end of file\n");
    buf_free(&out);
}

static const struct CMUnitTest TESTS[] = {cmocka_unit_test(diffs_are_what_diff_says)};
UNIT_MAIN("diff", TESTS)
