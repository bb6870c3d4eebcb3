/* See merchant_auth.h. The key is looked up by its keyed hash, so nothing about it can be learnt from
 * how long that takes. */
#include "serve/merchant_auth.h"

#include "base/mem.h"
#include "net/address.h"
#include "sys/crypto_text.h"

#include <stdio.h>

#define BASIC STR("basic ")

/* The user name of "Basic base64(user:password)"; the password is not looked at. */
static bool basic_user(struct str header, struct buf *decoded, struct str *user) {
    struct str rest;
    if (header.n <= BASIC.n || !str_eq_nocase(str_sub(header, 0, BASIC.n), BASIC)) return false;
    header = str_trim(str_sub(header, BASIC.n, header.n));
    if (header.n > 4 * API_KEY_SIZE || text_decode(decoded, ENC_BASE64, header) != 0) return false;
    (void)str_cut(buf_str(decoded), ':', user, &rest);
    return user->n != 0;
}

/* `allow`: addresses and networks with spaces between. A list that does not read lets nobody in. */
static bool allowed(struct str allow, const char *peer) {
    struct address address;
    struct str one;
    allow = str_trim(allow);
    if (allow.n == 0) return true;
    if (address_parse(&address, str_of(peer)) != 0) return false;
    while (allow.n != 0) {
        struct cidr network;
        if (!str_cut(allow, ' ', &one, &allow)) allow = STR("");
        if (one.n != 0 && cidr_parse(&network, one, NULL) == 0 && cidr_has(&network, &address))
            return true;
    }
    return false;
}

static bool within_rate(struct limiter *limiter, struct http_exchange *x, const struct caller *c) {
    if (c->rate == 0) return true;
    const struct rate rate = {.count = (uint32_t)c->rate, .period_ms = 60000};
    struct rate_verdict v = limiter_take(limiter, str_of(c->merchant), &rate, 1);
    int n = snprintf(x->more, sizeof x->more,
                     "RateLimit-Limit: %u\r\nRateLimit-Remaining: %u\r\nRateLimit-Reset: %lld\r\n",
                     v.limit, v.remaining, (long long)((v.reset_ms + 999) / 1000));
    if (!v.ok && n > 0 && (size_t)n < sizeof x->more)
        snprintf(x->more + n, sizeof x->more - (size_t)n, "Retry-After: %lld\r\n",
                 (long long)(v.wait_ms < 1000 ? 1 : (v.wait_ms + 999) / 1000));
    return v.ok;
}

static bool reads_only(const struct http_exchange *x) {
    return str_eq(x->method, STR("GET")) || str_eq(x->method, STR("HEAD"));
}

enum problem_code merchant_auth(const struct core *core, struct limiter *limiter,
                                struct http_exchange *x, struct caller *caller,
                                const char **detail) {
    struct buf decoded = {.max = 4 * API_KEY_SIZE};
    struct str user = {0};
    *caller = (struct caller){0};
    int err = basic_user(http_header(x, "authorization"), &decoded, &user)
                  ? api_key_find(core, user, caller)
                  : E_NOTFOUND;
    bool other_mode = err == E_DENIED;
    if (decoded.data != NULL) mem_wipe(decoded.data, decoded.cap);
    buf_free(&decoded);
    if (other_mode || err == E_NOTFOUND) {
        snprintf(x->more, sizeof x->more, "WWW-Authenticate: Basic realm=\"API key\"\r\n");
        *detail = other_mode ? "this key is of the other mode: sk_live_ is for production only"
                             : "the API key, as user name of HTTP Basic, is missing or not valid";
        return PROBLEM_UNAUTHORIZED;
    }
    if (err != 0) {
        *detail = "try again";
        return PROBLEM_UNAVAILABLE;
    }
    if (!allowed(caller->allow, x->peer)) {
        *detail = "this address is not on the merchant's list";
        return PROBLEM_FORBIDDEN;
    }
    if (!within_rate(limiter, x, caller)) {
        *detail = "too many requests; Retry-After says when to come again";
        return PROBLEM_RATE_LIMITED;
    }
    if (caller->suspended && !reads_only(x)) {
        *detail = "the merchant is suspended: it may only read";
        return PROBLEM_FORBIDDEN;
    }
    return PROBLEM_NONE;
}
