#include "base/str.h"

#include "base/err.h"

static unsigned char lower(unsigned char c) {
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

bool str_eq_nocase(struct str a, struct str b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower((unsigned char)a.p[i]) != lower((unsigned char)b.p[i])) return false;
    return true;
}

bool str_starts(struct str s, struct str prefix) {
    return s.n >= prefix.n && memcmp(s.p, prefix.p, prefix.n) == 0;
}

bool str_ends(struct str s, struct str suffix) {
    return s.n >= suffix.n && memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0;
}

int str_cmp(struct str a, struct str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n == 0 ? 0 : memcmp(a.p, b.p, n);
    if (d != 0) return d;
    return a.n < b.n ? -1 : a.n > b.n;
}

struct str str_trim(struct str s) {
    while (s.n != 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s.p++, s.n--;
    while (s.n != 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

struct str str_copy(char **at, struct str s) {
    char *p = *at;
    if (s.n != 0) memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    *at += s.n + 1;
    return (struct str){p, s.n};
}

ptrdiff_t str_find(struct str s, char c) {
    const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);
    return at == NULL ? -1 : at - s.p;
}

ptrdiff_t str_search(struct str s, struct str needle) {
    if (needle.n == 0) return 0;
    const char *at = s.n == 0 ? NULL : memmem(s.p, s.n, needle.p, needle.n);
    return at == NULL ? -1 : at - s.p;
}

bool str_cut(struct str s, char sep, struct str *head, struct str *rest) {
    ptrdiff_t at = str_find(s, sep);
    if (at < 0) {
        *head = s;
        *rest = (struct str){s.p + s.n, 0};
        return false;
    }
    *head = str_sub(s, 0, (size_t)at);
    *rest = str_sub(s, (size_t)at + 1, s.n);
    return true;
}

int str_to_i64(struct str s, int64_t *out) {
    bool minus = s.n != 0 && s.p[0] == '-';
    size_t i = minus ? 1 : 0;
    if (i == s.n) return E_SYNTAX;
    if (s.p[i] == '0' && (s.n > i + 1 || minus)) return E_SYNTAX;
    int64_t value = 0;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return E_SYNTAX;
        int digit = s.p[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value)) return E_OVERFLOW;
        if (__builtin_add_overflow(value, minus ? -digit : digit, &value)) return E_OVERFLOW;
    }
    *out = value;
    return 0;
}

uint64_t str_hash(struct str s) { /* FNV-1a */
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    return h;
}
