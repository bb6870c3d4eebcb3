/* Card numbers in text. Each run of digits is looked at as the beginning of at most seven
 * candidates (lengths 13 to 19), whatever the text holds. */
#include "base/pan.h"

#include "base/ensure.h"

#include <string.h>

#define PAN_MIN 13
#define PAN_MAX 19

#define PLAIN_GROUP_MAX 8

/* Issuer ranges, by the first six digits, and the lengths they use. */
static const struct {
    int first, last, shortest, longest;
} ISSUERS[] = {
    {400000, 499999, 13, 19}, /* Visa */
    {222100, 272099, 16, 16}, /* Mastercard */
    {510000, 559999, 16, 16}, /* Mastercard */
    {340000, 349999, 15, 15}, /* American Express */
    {370000, 379999, 15, 15}, /* American Express */
    {352800, 358999, 16, 19}, /* JCB */
    {620000, 629999, 16, 19}, /* UnionPay; not the 13 digits of a phone in +62 */
    {810000, 817199, 16, 19}, /* UnionPay */
    {300000, 305999, 14, 19}, /* Diners */
    {309500, 309599, 14, 19}, /* Diners */
    {360000, 369999, 14, 19}, /* Diners */
    {380000, 399999, 16, 19}, /* Diners */
    {601100, 601199, 16, 19}, /* Discover */
    {644000, 659999, 16, 19}, /* Discover */
    {601300, 601399, 16, 19}, /* Indonesian debit */
    {601900, 601999, 16, 19}, /* Indonesian debit */
    {500000, 509999, 13, 19}, /* Maestro */
    {560000, 589999, 13, 19}, /* Maestro */
    {630400, 630499, 13, 19}, /* Maestro */
    {670000, 679999, 13, 19}, /* Maestro */
};

static bool issued(const char *digits, int n) {
    int head = 0;
    for (int i = 0; i < 6; i++)
        head = head * 10 + (digits[i] - '0');
    for (size_t i = 0; i < ARRAY_LEN(ISSUERS); i++)
        if (head >= ISSUERS[i].first && head <= ISSUERS[i].last && n >= ISSUERS[i].shortest &&
            n <= ISSUERS[i].longest)
            return true;
    return false;
}

/* ISO/IEC 7812: every second digit from the right but one counts double. */
static bool check_digit_fits(const char *digits, int n) {
    int sum = 0;
    for (int i = 0; i < n; i++) {
        int d = digits[n - 1 - i] - '0';
        if (i % 2 == 1) d = d > 4 ? d * 2 - 9 : d * 2;
        sum += d;
    }
    return sum % 10 == 0;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool pan_is(struct str s) {
    if (s.n < PAN_MIN || s.n > PAN_MAX) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i])) return false;
    return issued(s.p, (int)s.n) && check_digit_fits(s.p, (int)s.n);
}

/* The bytes of what may stand between two groups at p; 0: nothing of the kind. Of Unicode U+00A0,
 * which pages are full of, and U+2000 to U+2015 with U+202F: thin, fixed and invisible spaces and
 * the dashes that a dash is made into. */
static size_t separator(const char *p, size_t n) {
    const unsigned char *u = (const unsigned char *)p;
    if (n >= 1 && strchr(" -.\t\r\n", p[0]) != NULL && p[0] != '\0') return 1;
    if (n >= 2 && u[0] == 0xC2 && u[1] == 0xA0) return 2;
    if (n >= 3 && u[0] == 0xE2 && u[1] == 0x80 && (u[2] <= 0x95 || u[2] == 0xAF)) return 3;
    return 0;
}

struct groups {
    int sizes[PAN_MAX], count;
    bool plain; /* nothing but single spaces and dashes between them */
};

/* Whether a person would write one number so: dots and lines also divide what is no card, and a post
 * code before a phone number ("40123 081234567890") is none. */
static bool of_a_card(const struct groups *g) {
    const int *n = g->sizes;
    if (g->plain) {
        for (int i = 0; g->count > 1 && i < g->count; i++)
            if (n[i] > PLAIN_GROUP_MAX) return false;
        return true;
    }
    if (g->count == 3 && n[0] == 4 && n[1] == 6) return n[2] == 4 || n[2] == 5;
    for (int i = 0; i < g->count - 1; i++)
        if (n[i] != 4) return false;
    return n[g->count - 1] <= 4;
}

/* Where the next group begins behind a group's end at i; 0: there is none. */
static size_t next_group(struct str s, size_t i, struct groups *g) {
    size_t start = i, more;
    for (int k = 0; k < 3 && (more = separator(s.p + i, s.n - i)) != 0; k++)
        i += more;
    if (i == start || i >= s.n || !is_digit(s.p[i])) return 0;
    g->plain = g->plain && i == start + 1 && (s.p[start] == ' ' || s.p[start] == '-');
    g->count++;
    return i;
}

/* The longest number that begins at `at`, the start of a run; its end, or 0. */
static size_t end_of_number(struct str s, size_t at) {
    char digits[PAN_MAX];
    struct groups g = {.count = 1, .plain = true};
    int n = 0;
    size_t end = 0, i = at;
    for (;;) {
        for (; i < s.n && is_digit(s.p[i]); i++) {
            if (n == PAN_MAX) return end;
            digits[n++] = s.p[i];
            g.sizes[g.count - 1]++;
        }
        if (n >= PAN_MIN && issued(digits, n) && check_digit_fits(digits, n) && of_a_card(&g))
            end = i;
        if (n == PAN_MAX || (i = next_group(s, i, &g)) == 0) return end;
    }
}

static bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
static bool is_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

enum { UUID = 36, LONG_HEX = 32 };

static bool is_uuid(struct str s, size_t at) {
    if (s.n - at < UUID || (s.n - at > UUID && is_word(s.p[at + UUID]))) return false;
    for (size_t i = 0; i < UUID; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? s.p[at + i] != '-' : !is_hex(s.p[at + i]))
            return false;
    return true;
}

/* The bytes of an id or a hash in hexadecimal at the start of a word; 0: there is none. One in some
 * ten thousand has digits that read as a card number, and what is hidden in the id of a refund can
 * never be asked about again. */
static size_t id_in_hex(struct str s, size_t at) {
    if (at > 0 && is_word(s.p[at - 1])) return 0;
    if (is_uuid(s, at)) return UUID;
    size_t n = 0;
    bool letter = false;
    for (; at + n < s.n && is_hex(s.p[at + n]); n++)
        letter = letter || !is_digit(s.p[at + n]);
    bool whole = at + n == s.n || !is_word(s.p[at + n]);
    if (!whole || !letter || n < LONG_HEX) return 0;
    /* a card's track begins with its number, and D stands behind it */
    return is_digit(s.p[at]) && end_of_number(s, at) != 0 ? 0 : n;
}

static bool find_from(struct str s, size_t at, size_t *from, size_t *to) {
    for (size_t i = at; i + PAN_MIN <= s.n; i++) {
        size_t id = is_hex(s.p[i]) ? id_in_hex(s, i) : 0;
        if (id != 0) {
            i += id - 1;
            continue;
        }
        if (!is_digit(s.p[i]) || (i > 0 && is_digit(s.p[i - 1]))) continue;
        size_t end = end_of_number(s, i);
        if (end == 0) continue;
        /* Numbers that begin inside this one and end behind it are hidden with it. */
        for (size_t inner = i + 1; inner < end; inner++) {
            if (!is_digit(s.p[inner]) || is_digit(s.p[inner - 1])) continue;
            size_t inner_end = end_of_number(s, inner);
            if (inner_end > end) end = inner_end;
        }
        *from = i;
        *to = end;
        return true;
    }
    return false;
}

bool pan_find(struct str text, size_t *from, size_t *to) {
    return find_from(text, 0, from, to);
}

size_t pan_mask(char *text, size_t n) {
    size_t count = 0, from, to = 0;
    while (find_from((struct str){text, n}, to, &from, &to)) {
        int digits = 0, seen = 0;
        for (size_t i = from; i < to; i++)
            digits += is_digit(text[i]);
        for (size_t i = from; i < to; i++) {
            if (!is_digit(text[i])) continue;
            if (seen >= 6 && seen < digits - 4) text[i] = '*';
            seen++;
        }
        count++;
    }
    return count;
}
