/* backoff: the waits between tries, and their text form. See backoff.h. */
#include "base/backoff.h"

#include "base/schedule.h"

#define FACTOR_MAX_MILLI 100000

int64_t backoff_delay(const struct backoff *b, int tried, struct rng *rng) {
    if (b->tries != 0 && tried >= b->tries) return -1;
    int64_t cap = b->max_ms > 0 ? b->max_ms : DURATION_MAX;
    int64_t delay = b->first_ms;
    for (int i = 1; i < tried && delay < cap && delay != 0 && b->factor_milli > 1000; i++) {
        /* thousandths apart, so that neither the product overflows nor a fraction is lost */
        int64_t whole = 0;
        if (__builtin_mul_overflow(delay, b->factor_milli, &whole)) whole = INT64_MAX;
        int64_t next = whole / 1000;
        delay = next > delay ? next : delay + 1;
    }
    if (delay > cap) delay = cap;
    if (b->jitter_milli > 0 && rng != NULL) {
        int64_t most = delay / 1000 * b->jitter_milli + delay % 1000 * b->jitter_milli / 1000;
        if (most > 0) delay -= (int64_t)rng_below(rng, (uint64_t)most + 1);
    }
    return delay;
}

int backoff_check(const struct backoff *b, struct why *why) {
    if (b->first_ms < 0 || b->first_ms > DURATION_MAX)
        return why_set(why, E_RANGE, "first: from 0s to ten years");
    if (b->max_ms < 0 || (b->max_ms != 0 && b->max_ms < b->first_ms))
        return why_set(why, E_RANGE, "max: must not be less than first");
    if (b->factor_milli < 1000 || b->factor_milli > FACTOR_MAX_MILLI)
        return why_set(why, E_RANGE, "factor: from 1 to 100");
    if (b->jitter_milli < 0 || b->jitter_milli > 1000)
        return why_set(why, E_RANGE, "jitter: from 0 to 1");
    if (b->tries < 0 || b->tries > BACKOFF_TRIES_MAX)
        return why_set(why, E_RANGE, "tries: from 1 to %d", BACKOFF_TRIES_MAX);
    return 0;
}

/* "1.5" -> 1500; at most three decimals. */
static int parse_milli(struct str text, int *out) {
    struct str whole, part;
    bool dot = str_cut(text, '.', &whole, &part);
    int64_t n = 0;
    if (str_to_i64(whole, &n) != 0 || n < 0 || n > 1000000) return E_SYNTAX;
    int milli = 0;
    if (dot && (part.n == 0 || part.n > 3)) return E_SYNTAX;
    for (size_t i = 0; i < 3; i++) {
        char c = i < part.n ? part.p[i] : '0';
        if (c < '0' || c > '9') return E_SYNTAX;
        milli = milli * 10 + (c - '0');
    }
    *out = (int)n * 1000 + milli;
    return 0;
}

static int parse_pair(struct str key, struct str value, struct backoff *b, struct why *why) {
    int64_t n = 0;
    int err = 0;
    if (str_eq(key, STR("first"))) {
        err = duration_parse(value, &b->first_ms, NULL);
    } else if (str_eq(key, STR("max"))) {
        err = duration_parse(value, &b->max_ms, NULL);
    } else if (str_eq(key, STR("factor"))) {
        err = parse_milli(value, &b->factor_milli);
    } else if (str_eq(key, STR("jitter"))) {
        err = parse_milli(value, &b->jitter_milli);
    } else if (str_eq(key, STR("tries"))) {
        err = str_to_i64(value, &n);
        if (err == 0 && (n < 1 || n > BACKOFF_TRIES_MAX)) err = E_RANGE;
        b->tries = (int)n;
    } else {
        return why_set(why, E_SYNTAX,
                       "backoff: no field \"%.*s\"; there are first, factor, max, "
                       "jitter, tries",
                       STR_FMT(key));
    }
    if (err != 0)
        return why_set(why, err, "backoff: \"%.*s\" is no value for %.*s", STR_FMT(value),
                       STR_FMT(key));
    return 0;
}

int backoff_parse(struct str text, struct backoff *out, struct why *why) {
    struct backoff b = {.first_ms = -1, .factor_milli = 2000};
    while (text.n != 0) {
        struct str word, key, value;
        str_cut(text, ' ', &word, &text);
        if (word.n == 0) continue;
        if (!str_cut(word, '=', &key, &value))
            return why_set(why, E_SYNTAX, "backoff: \"%.*s\" is not name=value", STR_FMT(word));
        int err = parse_pair(key, value, &b, why);
        if (err != 0) return err;
    }
    if (b.first_ms < 0) return why_set(why, E_SYNTAX, "backoff: first is missing");
    int err = backoff_check(&b, why);
    if (err == 0) *out = b;
    return err;
}

static void write_milli(struct buf *out, int milli) {
    buf_addi(out, milli / 1000);
    int part = milli % 1000;
    if (part == 0) return;
    buf_addf(out, ".%03d", part);
    while (out->err == 0 && out->len != 0 && out->data[out->len - 1] == '0')
        out->data[--out->len] = '\0';
}

void backoff_write(const struct backoff *b, struct buf *out) {
    buf_addf(out, "first=%lldms factor=", (long long)b->first_ms);
    write_milli(out, b->factor_milli);
    if (b->max_ms != 0) buf_addf(out, " max=%lldms", (long long)b->max_ms);
    if (b->tries != 0) buf_addf(out, " tries=%d", b->tries);
    if (b->jitter_milli != 0) {
        buf_adds(out, " jitter=");
        write_milli(out, b->jitter_milli);
    }
}
