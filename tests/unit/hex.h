/* Hex literals in tests of ciphers and signatures. */
#ifndef LUWAK_TESTS_HEX_H
#define LUWAK_TESTS_HEX_H

#include "unit.h"

/* Bytes of a hex literal: valid until the eighth call after it. */
struct str hex(const char *digits);
void check_hex(const void *got, size_t n, const char *expected, const char *file, int line);
#define CHECK_HEX(got, n, expected) check_hex((got), (n), (expected), __FILE__, __LINE__)

#endif
