#include "sys/redact.h"

#include "base/ensure.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

/* ---- card numbers ---- */

#define PAN_MIN 13
#define PAN_MAX 19

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Issuer ranges: Visa 4, Mastercard 51-55 and 2221-2720, Amex 34 37, Diners 30 36 38 39, JCB 35,
 * Maestro 50 56-58 6x, Discover and UnionPay 6x, GPN 1946. */
static bool is_issued(const int *d, size_t n) {
    int two = d[0] * 10 + d[1], four = two * 100 + d[2] * 10 + d[3];
    switch (d[0]) {
    case 4: return n == 13 || n >= 16;
    case 5: return n == 16;
    case 6: return n >= 16;
    case 2: return n == 16 && four >= 2221 && four <= 2720;
    case 1: return n == 16 && four == 1946;
    case 3:
        if (two == 34 || two == 37) return n == 15;
        if (two == 35) return n >= 16;
        return (two == 30 || two == 36 || two >= 38) && n >= 14;
    default: return false;
    }
}

static bool luhn_holds(const int *d, size_t n) {
    int sum = 0;
    for (size_t i = 0; i < n; i++) {
        int v = d[n - 1 - i];
        if (i % 2 == 1 && (v *= 2) > 9) v -= 9;
        sum += v;
    }
    return sum % 10 == 0;
}

/* A run of digits, single spaces or hyphens between them; masked when it is a card number. Returns
 * where the run ends. */
static size_t mask_run(char *text, size_t n, size_t from, size_t *found) {
    size_t at[PAN_MAX + 1], count = 0, i = from;
    int digit[PAN_MAX + 1];
    while (i < n) {
        if (is_digit(text[i])) {
            if (count <= PAN_MAX) at[count] = i, digit[count] = text[i] - '0';
            count++;
            i++;
        } else if ((text[i] == ' ' || text[i] == '-') && i + 1 < n && is_digit(text[i + 1])) {
            i++;
        } else {
            break;
        }
    }
    if (count < PAN_MIN || count > PAN_MAX || !is_issued(digit, count) || !luhn_holds(digit, count))
        return i;
    for (size_t k = 6; k < count - 4; k++)
        text[at[k]] = '*';
    ++*found;
    return i;
}

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
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
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
    size_t found = 0;
    for (size_t i = 0; i < n;) {
        size_t next = i;
        if (is_digit(text[i])) {
            next = mask_run(text, n, i, &found);
        } else if (text[i] == '-') {
            next = mask_pem(text, n, i, &found);
        } else if (strchr("swBbMxe", text[i]) != NULL) {
            next = mask_token(text, n, i, &found);
        }
        i = next == i ? i + 1 : next;
    }
    return found;
}
