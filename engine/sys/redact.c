#include "sys/redact.h"

#include "base/ensure.h"
#include "base/pan.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

/* ---- tokens ---- */

static const struct {
    const char *prefix;
    size_t least;  /* characters that must follow: "Basic auth" is no credential */
    bool any_case; /* HTTP schemes are case-insensitive */
} TOKENS[] = {
    {"sk_live_", 1, false},         {"sk_test_", 1, false},        {"whsec_", 1, false},
    {"Bearer ", 6, true},           {"Basic ", 6, true},           {"Mid-server-", 1, false},
    {"xnd_development_", 1, false}, {"xnd_production_", 1, false}, {"eyJ", 20, false},
};

static bool is_token_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("-_.~+/=", c) != NULL);
}

static size_t mask_token(char *text, size_t n, size_t from, size_t *found) {
    for (size_t t = 0; t < ARRAY_LEN(TOKENS); t++) {
        size_t len = strlen(TOKENS[t].prefix);
        if (len > n - from) continue;
        int differs = TOKENS[t].any_case ? strncasecmp(text + from, TOKENS[t].prefix, len)
                                         : memcmp(text + from, TOKENS[t].prefix, len);
        if (differs != 0) continue;
        size_t start = from + len, end = start;
        while (start < n && text[start] == ' ') /* "Bearer   x" */
            start++;
        for (end = start; end < n && is_token_char(text[end]);)
            end++;
        if (end - start < TOKENS[t].least) continue;
        memset(text + start, '*', end - start);
        ++*found;
        return end;
    }
    return from;
}

/* A private key in PEM: everything behind its first line goes. */
static size_t mask_pem(char *text, size_t n, size_t from, size_t *found) {
    static const struct str begin = {"-----BEGIN ", 11}, kind = {"PRIVATE KEY-----", 16};
    struct str rest = {text + from, n - from};
    if (!str_starts(rest, begin)) return from;
    ptrdiff_t at = str_search(rest, kind);
    if (at < 0 || at > 40) return from;
    size_t start = from + (size_t)at + kind.n;
    memset(text + start, '*', n - start);
    ++*found;
    return n;
}

size_t redact(char *text, size_t n) {
    size_t found = pan_mask(text, n);
    for (size_t i = 0; i < n;) {
        size_t next = i;
        if (text[i] == '-') {
            next = mask_pem(text, n, i, &found);
        } else if (strchr("swBbMxe", text[i]) != NULL) {
            next = mask_token(text, n, i, &found);
        }
        i = next == i ? i + 1 : next;
    }
    return found;
}
