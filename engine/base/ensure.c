#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void ensure_failed(const char *fact, const char *file, int line) {
    fprintf(stderr, "luwak: stopped at %s:%d: this must hold: %s\n", file, line, fact);
    abort();
}
