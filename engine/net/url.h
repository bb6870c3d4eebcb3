/* URLs of requests out: one strict reading, so that what the allow-list saw is what is called.
 *
 *     http://host[:port][/path][?query]      https likewise
 *
 * Refused: user names, fragments, control and non-ASCII bytes, backslashes, characters that RFC
 * 3986 wants escaped, '%' without two digits, ports with leading zeros or 0, names over 253 bytes,
 * a trailing dot, and every spelling of an IPv4 address but the dotted one. International names
 * are taken as punycode (xn--) only. The request goes to url_write()'s text, never to the text that
 * came in. */
#ifndef LUWAK_NET_URL_H
#define LUWAK_NET_URL_H

#include "base/buf.h"
#include "base/err.h"
#include "net/address.h"

#define URL_MAX      8192
#define URL_HOST_MAX 253

struct url {
    bool tls;
    char host[URL_HOST_MAX + 1]; /* lower case, no brackets */
    bool is_address;             /* host is an IP address, in its one spelling */
    struct address address;
    uint16_t port;
    struct str
        target; /* "/path?query", a view of the text parsed; "" means "/", "?q" means "/?q" */
};

int url_parse(struct url *out, struct str text, struct why *why); /* E_SYNTAX */
void url_write(const struct url *u, struct buf *out);             /* canonical */
void url_origin(const struct url *u, struct buf *out);            /* without path: for people */
bool url_same_origin(const struct url *a, const struct url *b);

/* Entries: "api.example.com" (the default port of the URL's scheme), "api.example.com:8443",
 * "http://10.0.0.5:8080" (plain HTTP there as well; any other entry means HTTPS unless `plain_ok`).
 * No wildcards. hosts == NULL: there is no list, all hosts pass. */
bool url_allowed(const struct url *u, const char *const *hosts, bool plain_ok);

/* Is an entry of a list well-formed? For those who take lists from people. */
int url_host_check(const char *entry, struct why *why);

#endif
