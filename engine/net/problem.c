/* problem: see problem.h. Writes its few JSON strings itself, since base/json speaks of values and
 * this must work when nothing else does. */
#include "net/problem.h"

#include "base/ensure.h"
#include "base/json.h"
#include "base/pan.h"

static const struct {
    const char *name;
    int status;
    const char *title;
} TABLE[] = {{"", 500, ""},
#define X(code, status, title) {#code, status, title},
             PROBLEM_MAP(X)
#undef X
};

const char *problem_name(enum problem_code code) {
    ENSURE((size_t)code < ARRAY_LEN(TABLE));
    return TABLE[code].name;
}

int problem_status(enum problem_code code) {
    ENSURE((size_t)code < ARRAY_LEN(TABLE));
    return TABLE[code].status;
}

enum problem_code problem_find(struct str name) {
    for (size_t i = 1; i < ARRAY_LEN(TABLE); i++)
        if (str_eq(name, str_of(TABLE[i].name))) return (enum problem_code)i;
    return PROBLEM_NONE;
}

enum problem_code problem_of_status(int status) {
    switch (status) {
    case 401: return PROBLEM_UNAUTHORIZED;
    case 403: return PROBLEM_FORBIDDEN;
    case 404: return PROBLEM_NOT_FOUND;
    case 405: return PROBLEM_METHOD_NOT_ALLOWED;
    case 408: return PROBLEM_REQUEST_TIMEOUT;
    case 413: return PROBLEM_BODY_TOO_LARGE;
    case 414: return PROBLEM_URI_TOO_LONG;
    case 415: return PROBLEM_UNSUPPORTED_MEDIA_TYPE;
    case 429: return PROBLEM_RATE_LIMITED;
    case 431: return PROBLEM_HEADERS_TOO_LARGE;
    case 500: return PROBLEM_INTERNAL_ERROR;
    case 503: return PROBLEM_UNAVAILABLE;
    default: return PROBLEM_INVALID_REQUEST; /* 400, 417, 505 */
    }
}

static void add_string(struct buf *out, struct str s) {
    buf_addc(out, '"');
    while (s.n != 0) {
        size_t n = utf8_step(s);
        uint8_t c = (uint8_t)s.p[0];
        if (n == 0)
            buf_addc(out, '?');
        else if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buf_addf(out, "\\u%04x", c);
        else
            buf_add(out, s.p, n);
        n = n == 0 ? 1 : n;
        s = str_sub(s, n, s.n);
    }
    buf_addc(out, '"');
}

static void add_member(struct buf *out, const char *key, struct str value) {
    if (value.n == 0) return;
    buf_addf(out, ",\"%s\":", key);
    add_string(out, value);
}

/* A detail often quotes what was sent; a card number is not said back. */
static void add_masked(struct buf *out, const char *key, struct str value) {
    struct buf copy = {0};
    buf_addstr(&copy, value);
    if (copy.len != 0) pan_mask(copy.data, copy.len);
    if (copy.err == 0) add_member(out, key, buf_str(&copy));
    buf_free(&copy);
}

void problem_write(struct buf *out, const struct problem *problem) {
    enum problem_code code = problem->code == PROBLEM_NONE ? PROBLEM_INTERNAL_ERROR : problem->code;
    int status = problem->status == 0 ? problem_status(code) : problem->status;
    buf_addf(out, "{\"type\":\"/docs/errors#%s\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\"",
             TABLE[code].name, TABLE[code].title, status, TABLE[code].name);
    add_masked(out, "detail", problem->detail);
    add_masked(out, "param", problem->param);
    add_member(out, "payment_id", problem->payment_id);
    add_member(out, "request_id", problem->request_id);
    buf_addc(out, '}');
}
