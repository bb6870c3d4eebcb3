/* Error codes: 0 is good, everything else is one of these negative numbers.
 *
 * A function that can fail for a reason worth telling a person also takes a `struct why *` (NULL
 * allowed) and fills it through why_set(), which returns the code so that one line does both:
 *
 *     return why_set(why, E_CONFIG, "LUWAK_WORKERS: %s is no number", text);
 */
#ifndef LUWAK_BASE_ERR_H
#define LUWAK_BASE_ERR_H

#define ERR_MAP(X)                                             \
    X(E_NOMEM, "out of memory")                                \
    X(E_INVAL, "invalid argument")                             \
    X(E_SYNTAX, "malformed input")                             \
    X(E_RANGE, "out of range")                                 \
    X(E_OVERFLOW, "number too large")                          \
    X(E_LIMIT, "limit exceeded")                               \
    X(E_NOTFOUND, "not found")                                 \
    X(E_EXISTS, "already exists")                              \
    X(E_STATE, "not allowed in this state")                    \
    X(E_GUARD, "a guard of the commit does not hold")          \
    X(E_BUSY, "busy")                                          \
    X(E_FULL, "no space left")                                 \
    X(E_CORRUPT, "data is damaged")                            \
    X(E_IO, "input/output error")                              \
    X(E_CLOSED, "closed")                                      \
    X(E_CANCELLED, "cancelled")                                \
    X(E_TIMEOUT, "timed out")                                  \
    X(E_DENIED, "not permitted")                               \
    X(E_CONFIG, "wrong configuration")                         \
    X(E_USAGE, "wrong use")                                    \
    X(E_SCRIPT, "script error")                                \
    X(E_BUDGET, "script budget exceeded")                      \
    X(E_RESOLVE, "host name does not resolve")                 \
    X(E_CONNECT, "connection refused or unreachable")          \
    X(E_RESET, "connection ended before the answer was whole") \
    X(E_TLS, "TLS failure")                                    \
    X(E_BADREPLY, "answer is not valid")                       \
    X(E_VERSION, "version does not fit")                       \
    X(E_INTERNAL, "internal error")

enum err {
    E_OK = 0,
    ERR_FIRST_ = -100,
#define X(name, text) name,
    ERR_MAP(X)
#undef X
};

#define WHY_MAX 512

struct why {
    int code;           /* one of enum err; 0 while nothing was said */
    char text[WHY_MAX]; /* for a person: what is wrong and, where it helps, what to do */
};

const char *err_name(int code); /* "E_NOMEM" */
const char *err_text(int code); /* "out of memory" */

int why_set(struct why *why, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts text in front of what why already says: "rules/x.lua: unexpected symbol". */
int why_prefix(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
