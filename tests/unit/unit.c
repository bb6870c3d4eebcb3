#include "unit.h"

#include <fnmatch.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void unit_check_ok(int err, const char *call, const char *file, int line) {
    if (err == 0) return;
    print_error("%s: expected success, got %s (%s)\n", call, err_name(err), err_text(err));
    _fail(file, line);
}

void unit_check_err(int err, int expected, const char *call, const char *file, int line) {
    if (err == expected) return;
    print_error("%s: expected %s, got %s\n", call, err_name(expected), err_name(err));
    _fail(file, line);
}

void unit_check_str(struct str got, struct str expected, const char *what, const char *file,
                    int line) {
    if (str_eq(got, expected)) return;
    print_error("%s: expected \"%.*s\", got \"%.*s\"\n", what, STR_FMT(expected), STR_FMT(got));
    _fail(file, line);
}

static char tmpdir[256];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_tmpdir(void) {
    nftw(tmpdir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *unit_tmpdir(void) {
    if (tmpdir[0] == '\0') {
        const char *base = getenv("TMPDIR");
        snprintf(tmpdir, sizeof tmpdir, "%s/luwak-test-XXXXXX", base == NULL ? "/tmp" : base);
        if (mkdtemp(tmpdir) == NULL) abort();
        atexit(remove_tmpdir);
    }
    return tmpdir;
}

int unit_main(int argc, char **argv, const char *suite, const struct CMUnitTest *tests,
              size_t count) {
    struct CMUnitTest *chosen = calloc(count + 1, sizeof *chosen);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        bool wanted = argc < 2;
        for (int a = 1; a < argc; a++)
            wanted = wanted || fnmatch(argv[a], tests[i].name, 0) == 0;
        if (wanted) chosen[n++] = tests[i];
    }
    int failed = n == 0 ? 1 : _cmocka_run_group_tests(suite, chosen, n, NULL, NULL);
    if (n == 0) fprintf(stderr, "%s: no test has that name\n", suite);
    free(chosen);
    return failed == 0 ? 0 : 1;
}
