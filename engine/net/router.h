/* Routes: an immutable table from (method, pattern) to a pointer of the caller's, built whole and
 * swapped whole.
 *
 *     /v1/payments/:id/refunds      ':name' takes one segment, decoded
 *     a '*name' segment, last, takes what is left, one segment or more
 *
 * A request is matched segment by segment: an exact segment beats a parameter, a parameter beats
 * the rest; if the more exact way leads nowhere the next one is tried, so adding a route never
 * hides another. Segments are compared decoded. "/a" and "/a/" differ.
 *
 * Paths are refused (ROUTE_BAD) when a percent code is malformed or hides a control character, when
 * a segment is "." or "..", and when a rest hides a '/': what is looked up is what was meant. */
#ifndef LUWAK_NET_ROUTER_H
#define LUWAK_NET_ROUTER_H

#include "base/err.h"
#include "base/str.h"

#define ROUTE_PARAMS_MAX   8
#define ROUTE_PATH_MAX     4096
#define ROUTE_ALLOW_MAX    128
#define ROUTE_SEGMENTS_MAX 32

struct router;

struct route {
    struct str method; /* upper case token */
    struct str pattern;
    void *target; /* not NULL; the caller's */
};

/* Copies what it needs. E_EXISTS: two routes that could not be told apart, both named in why;
 * E_SYNTAX: a pattern that is none; E_NOMEM. */
int router_new(struct router **out, const struct route *routes, size_t count, struct why *why);
void router_delete(struct router *r);

enum route_verdict {
    ROUTE_FOUND,
    ROUTE_OPTIONS,   /* the path is known, no route for OPTIONS: answer 204 with `allow` */
    ROUTE_NO_METHOD, /* 405 with `allow` */
    ROUTE_NO_PATH,   /* 404 */
    ROUTE_BAD        /* 400 */
};

struct route_param {
    struct str name;  /* the router's memory */
    struct str value; /* in `path` or `decoded` */
};

struct route_match {
    void *target;
    struct str pattern; /* for metrics and logs; the router's memory */
    struct route_param params[ROUTE_PARAMS_MAX];
    size_t param_count;
    char allow[ROUTE_ALLOW_MAX]; /* "GET, HEAD, OPTIONS" */
    char decoded[ROUTE_PATH_MAX];
};

/* HEAD finds the GET route if it has none of its own. The path is as received, without query; the
 * values in `out` live as long as it and `out` do. */
enum route_verdict router_find(const struct router *r, struct str method, struct str path,
                               struct route_match *out);

/* Strict percent-decoding, for queries too: out has room for in.n bytes. E_SYNTAX: malformed, or a
 * control character. `plus` turns '+' into a blank. */
int percent_decode(struct str in, bool plus, char *out, size_t *n);

#endif
