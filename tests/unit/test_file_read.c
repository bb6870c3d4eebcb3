/* Small files, whole, and what is none. */
#include "base/mem.h"
#include "sys/file_read.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char path[300];

static void write_file(size_t size) {
    snprintf(path, sizeof path, "%s/file", unit_tmpdir());
    FILE *f = fopen(path, "w");
    for (size_t i = 0; i < size; i++)
        fputc('a' + (int)(i % 26), f);
    fclose(f);
}

static void a_file_comes_whole(void **state) {
    (void)state;
    static const size_t SIZES[] = {0, 1, 63, 64, 65, 4096, 16384, 100000};
    int64_t live = mem_live();
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        write_file(SIZES[i]);
        for (size_t max = 0; max <= SIZES[i]; max = max == 0 ? SIZES[i] : max + 1) {
            struct buf out = {.max = max};
            struct why why = {0};
            CHECK_OK(file_read(path, &out, &why));
            CHECK_INT(out.len, SIZES[i]);
            CHECK_INT(strlen(out.data), SIZES[i]);
            buf_free(&out);
            if (SIZES[i] == 0) break;
        }
    }
    write_file(3); /* behind what is there already */
    struct buf out = {0};
    struct why why = {0};
    buf_adds(&out, "123");
    CHECK_OK(file_read(path, &out, &why));
    CHECK_STR(buf_str(&out), "123abc");
    buf_free(&out);
    CHECK_INT(mem_live(), live);
}

static void what_does_not_fit_is_said(void **state) {
    (void)state;
    struct buf out = {.max = 1024};
    struct why why = {0};
    write_file(1025);
    CHECK_ERR(file_read(path, &out, &why), E_LIMIT);
    CHECK_STR(str_of(why.text), "is greater than 1 kB");
    buf_free(&out);
    CHECK_ERR(file_read("/nowhere/at/all", &out, &why), E_NOTFOUND);
    CHECK_STR(str_of(why.text), "cannot open: No such file or directory");
    CHECK_ERR(file_read(unit_tmpdir(), &out, &why), E_INVAL);
    snprintf(path, sizeof path, "%s/pipe", unit_tmpdir());
    CHECK_INT(mkfifo(path, 0600), 0);
    CHECK_ERR(file_read(path, &out, &why), E_INVAL); /* and does not wait for a writer */
    buf_free(&out);
}

static void memory_may_fail(void **state) {
    (void)state;
    write_file(5000);
    int64_t live = mem_live();
    struct buf out = {0};
    struct why why = {0};
    mem_fail_at(1, 1);
    int err = file_read(path, &out, &why);
    mem_fail_at(0, 0);
    buf_free(&out);
    CHECK_ERR(err, E_NOMEM);
    CHECK_INT(mem_live(), live);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(a_file_comes_whole),
    cmocka_unit_test(what_does_not_fit_is_said),
    cmocka_unit_test(memory_may_fail),
};
UNIT_MAIN("file_read", TESTS)
