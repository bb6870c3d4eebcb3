/* One question that log and metrics both ask of text from outside: how long is the character here?
 */
#ifndef LUWAK_SYS_UTF8_PRIVATE_H
#define LUWAK_SYS_UTF8_PRIVATE_H

#include "base/str.h"

/* Bytes of the UTF-8 character at s[at], its code point in *out; 0 when it is not valid UTF-8
 * (overlong, surrogate, beyond U+10FFFF or cut off). */
static inline size_t utf8_at(struct str s, size_t at, uint32_t *out) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)s.p + at;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (n == 0 || p[0] > 0xF4 || n > s.n - at) return 0;
    if (n == 1) {
        *out = p[0];
        return 1;
    }
    uint32_t c = p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
        c = c << 6 | (p[i] & 0x3F);
    }
    if (c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
    *out = c;
    return n;
}

#endif
