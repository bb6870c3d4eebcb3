#include "hex.h"

#include <stdio.h>
#include <string.h>

struct str hex(const char *digits) {
    static char ring[8][2048];
    static int next;
    char *out = ring[next++ % 8];
    size_t n = strlen(digits) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned v;
        if (sscanf(digits + 2 * i, "%2x", &v) != 1) fail_msg("bad hex literal");
        out[i] = (char)v;
    }
    return (struct str){out, n};
}

void check_hex(const void *got, size_t n, const char *expected, const char *file, int line) {
    char text[8192];
    text[0] = '\0';
    for (size_t i = 0; i < n && i < sizeof text / 2 - 1; i++)
        snprintf(text + 2 * i, 3, "%02x", ((const unsigned char *)got)[i]);
    unit_check_str(str_of(text), str_of(expected), "bytes", file, line);
}
