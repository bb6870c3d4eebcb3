/* Who calls: the API key of a merchant, as HTTP Basic's user name. */
#ifndef LUWAK_MERCHANT_AUTH_H
#define LUWAK_MERCHANT_AUTH_H

#include "core/limiter.h"
#include "core/merchant.h"
#include "net/http_server.h"
#include "net/problem.h"

/* 0: *caller is who calls, to be freed. Else the problem it is answered with, and why; x->more has
 * what the answer carries besides (WWW-Authenticate, Retry-After, RateLimit-*). A suspended
 * merchant may only read. */
enum problem_code merchant_auth(const struct core *core, struct limiter *limiter,
                                struct http_exchange *x, struct caller *caller,
                                const char **detail);

#endif
