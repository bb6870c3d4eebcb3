/* IP addresses as bytes: parsing, blocks (CIDR), and the guard that says which of them a request of
 * ours may go to.
 *
 * The guard knows no names. It is asked with the address that the socket is about to connect to, so
 * every odd spelling (2130706433, 0x7f.1, a name that resolves to 127.0.0.1, a name that resolves
 * to something else the second time) ends at the same check. */
#ifndef LUWAK_NET_ADDRESS_H
#define LUWAK_NET_ADDRESS_H

#include "base/err.h"
#include "base/str.h"

struct sockaddr;

struct address {
    int family;        /* 4 or 6; 0: none */
    uint8_t bytes[16]; /* the first 4 or all 16, network order */
};

enum address_class {
    ADDRESS_PUBLIC,  /* global unicast */
    ADDRESS_PRIVATE, /* loopback, private and shared networks, unique local: by grant only */
    ADDRESS_NEVER,   /* link-local (cloud metadata), unspecified, multicast, reserved, and
                        addresses that carry another address inside (mapped, NAT64, 6to4 ...) */
};

#define ADDRESS_TEXT 46 /* with the NUL */

/* One spelling each: four decimal numbers without leading zeros, or RFC 4291 text; no zone, no
 * brackets. E_SYNTAX otherwise. */
int address_parse(struct address *out, struct str text);
int address_from_sockaddr(struct address *out, const struct sockaddr *sa); /* E_INVAL: no IP */
void address_format(const struct address *a, char out[ADDRESS_TEXT]);      /* RFC 5952 */

/* ::ffff:1.2.3.4 becomes 1.2.3.4: how a peer shows on a socket that serves both families. For peers
 * only, never before the guard. */
void address_unmap(struct address *a);

enum address_class address_class(const struct address *a);
const char *address_class_reason(const struct address *a); /* "loopback", "NAT64" ...; "public" */

struct cidr {
    struct address base;
    uint8_t bits;
};

/* "10.0.0.0/8", "2001:db8::/32", or one address. Bits behind the prefix must be zero, so that a
 * typing error in an allow-list shows. */
int cidr_parse(struct cidr *out, struct str text, struct why *why);
bool cidr_has(const struct cidr *c, const struct address *a); /* a mapped v4 address counts as v4 */

#endif
