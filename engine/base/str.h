/* struct str: a view of bytes that somebody else owns; not NUL-terminated. */
#ifndef LUWAK_BASE_STR_H
#define LUWAK_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_FMT(s)   (int)(s).n, (s).p /* for "%.*s" */

static inline struct str str_of(const char *text) {
    return (struct str){text, text == NULL ? 0 : strlen(text)};
}
static inline struct str str_sub(struct str s, size_t from, size_t to) {
    return (struct str){s.p + from, to - from};
}
static inline bool str_eq(struct str a, struct str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
bool str_eq_nocase(struct str a, struct str b); /* ASCII only */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
int str_cmp(struct str a, struct str b);  /* by bytes, shorter first */
struct str str_trim(struct str s);        /* spaces and tabs */
ptrdiff_t str_find(struct str s, char c); /* -1: not there */
ptrdiff_t str_search(struct str s, struct str needle);

/* Splits at the first `sep`: head before it, rest behind. False (head = all) without one. */
bool str_cut(struct str s, char sep, struct str *head, struct str *rest);

/* Strict decimal: optional '-', digits only, no leading zeros but "0", no overflow. */
int str_to_i64(struct str s, int64_t *out);

/* A copy at *at, with a NUL behind, and *at behind that: for many texts in one piece of memory, which
 * the caller made large enough. */
struct str str_copy(char **at, struct str s);

uint64_t str_hash(struct str s); /* for tables; not for anything that an attacker must not guess */

#endif
