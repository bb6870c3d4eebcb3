#include "base/id.h"

#include "base/ensure.h"
#include "base/err.h"
#include "base/pan.h"

#include <string.h>

static const char ALPHABET[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* Writes all bits of data, 5 at a time from the left; the last character is filled up with 0. */
void id_encode(char *out, const uint8_t *data, size_t n) {
    uint32_t bits = 0;
    int held = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | data[i];
        held += 8;
        while (held >= 5) {
            held -= 5;
            *out++ = ALPHABET[bits >> held & 31];
        }
    }
    if (held != 0) *out++ = ALPHABET[bits << (5 - held) & 31];
    *out = '\0';
}

int id_decode(struct str text, uint8_t *out, size_t n) {
    uint32_t bits = 0;
    int held = 0;
    size_t done = 0;
    if (text.n != (n * 8 + 4) / 5) return E_SYNTAX;
    for (size_t i = 0; i < text.n; i++) {
        const char *at = text.p[i] == '\0' ? NULL : strchr(ALPHABET, text.p[i]);
        if (at == NULL) return E_SYNTAX;
        bits = bits << 5 | (uint32_t)(at - ALPHABET);
        held += 5;
        if (held < 8) continue;
        held -= 8;
        out[done++] = (uint8_t)(bits >> held);
    }
    return (bits & ((1u << held) - 1)) == 0 ? 0 : E_SYNTAX; /* one text per value */
}

/* One in some ten million ids has digits that read as a card number: the API's door would refuse its
 * own, and the log hide it. */
static bool reads_as_a_card(const char *id) {
    size_t from, to;
    return pan_find(str_of(id), &from, &to);
}

void id_make(char out[ID_SIZE], const char *prefix, const struct clock *clock, struct rng *rng) {
    size_t n = strlen(prefix);
    ENSURE(n <= ID_PREFIX_MAX);
    memcpy(out, prefix, n);
    uint8_t raw[16];
    uint64_t ms = (uint64_t)clock_now_ms(clock);
    for (int i = 0; i < 6; i++)
        raw[i] = (uint8_t)(ms >> (40 - 8 * i));
    do {
        rng_fill(rng, raw + 6, sizeof raw - 6);
        id_encode(out + n, raw, sizeof raw);
    } while (reads_as_a_card(out));
}

void id_make_after(char out[ID_SIZE], const char *prefix, const char *last,
                   const struct clock *clock, struct rng *rng) {
    size_t n = strlen(prefix);
    uint8_t raw[16];
    id_make(out, prefix, clock, rng);
    if (strcmp(out, last) > 0 || id_decode(str_of(last + n), raw, sizeof raw) != 0) return;
    do {
        size_t at = sizeof raw;
        while (at-- != 0 && ++raw[at] == 0) {
        }
        id_encode(out + n, raw, sizeof raw);
    } while (reads_as_a_card(out));
}

void token_make(char out[TOKEN_SIZE], struct rng *rng) {
    uint8_t raw[20];
    do {
        rng_fill(rng, raw, sizeof raw);
        id_encode(out, raw, sizeof raw);
    } while (reads_as_a_card(out));
}
