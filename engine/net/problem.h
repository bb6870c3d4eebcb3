/* Errors as the outside sees them: RFC 9457 `application/problem+json` with a stable code.
 *
 *     {"type":"/docs/errors#NOT_FOUND","title":"Not found","status":404,"code":"NOT_FOUND",
 *      "detail":"...","param":"...","request_id":"req_..."}
 *
 * One table holds every code with its usual status and title. `detail` is for a person and never
 * shows internals; it and `param` are left out when empty. */
#ifndef LUWAK_NET_PROBLEM_H
#define LUWAK_NET_PROBLEM_H

#include "base/buf.h"

#define PROBLEM_TYPE "application/problem+json"

#define PROBLEM_MAP(X)                                                          \
    /* of every route */                                                        \
    X(INVALID_REQUEST, 400, "Invalid request")                                  \
    X(UNAUTHORIZED, 401, "Unauthorized")                                        \
    X(FORBIDDEN, 403, "Forbidden")                                              \
    X(NOT_FOUND, 404, "Not found")                                              \
    X(INVALID_STATE, 409, "Not possible in this state")                         \
    X(IDEMPOTENCY_IN_PROGRESS, 409, "The same request is still running")        \
    X(IDEMPOTENCY_MISMATCH, 422, "The idempotency key belongs to another body") \
    X(RATE_LIMITED, 429, "Too many requests")                                   \
    X(INTERNAL_ERROR, 500, "Internal error")                                    \
    X(UNAVAILABLE, 503, "Unavailable")                                          \
    /* of the HTTP layer */                                                     \
    X(METHOD_NOT_ALLOWED, 405, "Method not allowed")                            \
    X(REQUEST_TIMEOUT, 408, "The request took too long to arrive")              \
    X(BODY_TOO_LARGE, 413, "The body is too large")                             \
    X(URI_TOO_LONG, 414, "The request target is too long")                      \
    X(UNSUPPORTED_MEDIA_TYPE, 415, "Unsupported media type")                    \
    X(HEADERS_TOO_LARGE, 431, "The header fields are too large")                \
    /* of payments */                                                           \
    X(INSUFFICIENT_BALANCE, 402, "Insufficient balance")                        \
    X(CARD_DECLINED, 402, "Card declined")                                      \
    X(INVALID_OTP, 400, "Invalid one-time password")                            \
    X(BANK_UNAVAILABLE, 503, "The bank is unavailable")                         \
    X(TIMEOUT, 504, "The provider did not answer in time")                      \
    X(DUPLICATE_TRANSACTION, 409, "Duplicate transaction")                      \
    X(FRAUD_DETECTED, 403, "Refused by risk rules")                             \
    X(LIMIT_EXCEEDED, 400, "Limit exceeded")                                    \
    X(USER_CANCELLED, 409, "Cancelled by the payer")                            \
    X(UNIQUE_CODES_EXHAUSTED, 503, "No unique code is free")                    \
    X(UNAUTHORIZED_AT_PROVIDER, 502, "The provider refused our credentials")    \
    X(PROVIDER_ERROR, 502, "The provider failed")

enum problem_code {
    PROBLEM_NONE,
#define X(code, status, title) PROBLEM_##code,
    PROBLEM_MAP(X)
#undef X
};

struct problem {
    enum problem_code code;
    int status;        /* 0: the code's usual one */
    struct str detail; /* UTF-8; anything else in it is replaced by '?' */
    struct str param;
    struct str payment_id; /* of the payment that stands in the way */
    int64_t oldest;        /* sequence of the oldest event that is kept; 0: not about that */
    struct str request_id;
};

void problem_write(struct buf *out, const struct problem *problem);

const char *problem_name(enum problem_code code);
int problem_status(enum problem_code code);
enum problem_code problem_find(struct str name); /* PROBLEM_NONE: no such code */
enum problem_code problem_of_status(int status); /* what the HTTP layer says with it */

#endif
