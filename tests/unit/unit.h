/* What every unit suite starts with: cmocka, our CHECK macros, and UNIT_MAIN, which runs all tests
 * or only those named on the command line (shell patterns). */
#ifndef LUWAK_TESTS_UNIT_H
#define LUWAK_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"

/* Reads better than assert_true and says what the values were. */
#define CHECK(fact)        assert_true(fact)
#define CHECK_OK(call)     unit_check_ok((call), #call, __FILE__, __LINE__)
#define CHECK_ERR(call, e) unit_check_err((call), (e), #call, __FILE__, __LINE__)
#define CHECK_STR(s, z)    unit_check_str((s), str_of(z), #s, __FILE__, __LINE__)
#define CHECK_INT(a, b)    assert_int_equal((a), (b))

void unit_check_ok(int err, const char *call, const char *file, int line);
void unit_check_err(int err, int expected, const char *call, const char *file, int line);
void unit_check_str(struct str got, struct str expected, const char *what, const char *file,
                    int line);

/* A fresh directory under $TMPDIR, removed at exit. */
const char *unit_tmpdir(void);

int unit_main(int argc, char **argv, const char *suite, const struct CMUnitTest *tests,
              size_t count);
#define UNIT_MAIN(suite, tests)                                                         \
    int main(int argc, char **argv) {                                                   \
        return unit_main(argc, argv, suite, tests, sizeof(tests) / sizeof((tests)[0])); \
    }

#endif
