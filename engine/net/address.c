/* address: see address.h. The two tables below are the IANA special-purpose registries, cut to what
 * matters: IPv4 is public unless listed, IPv6 is public only inside 2000::/3 and unless listed. No
 * allocation, no failure but E_SYNTAX. */
#include "net/address.h"

#include "base/ensure.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

struct block {
    uint8_t prefix[16];
    uint8_t bits;
    enum address_class class;
    const char *reason;
};

static const struct block V4[] = {
    {{0}, 8, ADDRESS_NEVER, "this network"},
    {{10}, 8, ADDRESS_PRIVATE, "private"},
    {{100, 64}, 10, ADDRESS_PRIVATE, "shared (carrier NAT)"},
    {{127}, 8, ADDRESS_PRIVATE, "loopback"},
    {{169, 254}, 16, ADDRESS_NEVER, "link-local"},
    {{172, 16}, 12, ADDRESS_PRIVATE, "private"},
    {{192, 0, 0}, 24, ADDRESS_NEVER, "protocol assignments"},
    {{192, 0, 2}, 24, ADDRESS_NEVER, "documentation"},
    {{192, 88, 99}, 24, ADDRESS_NEVER, "6to4 relay"},
    {{192, 168}, 16, ADDRESS_PRIVATE, "private"},
    {{198, 18}, 15, ADDRESS_NEVER, "benchmarking"},
    {{198, 51, 100}, 24, ADDRESS_NEVER, "documentation"},
    {{203, 0, 113}, 24, ADDRESS_NEVER, "documentation"},
    {{224}, 3, ADDRESS_NEVER, "multicast or reserved"},
};

static const struct block V6[] = {
    {{[15] = 1}, 128, ADDRESS_PRIVATE, "loopback"},
    {{0}, 128, ADDRESS_NEVER, "unspecified"},
    {{[10] = 0xff, 0xff}, 96, ADDRESS_NEVER, "IPv4-mapped"},
    {{[8] = 0xff, 0xff}, 96, ADDRESS_NEVER, "IPv4-translated"},
    {{0}, 96, ADDRESS_NEVER, "IPv4-compatible"},
    {{0x00, 0x64, 0xff, 0x9b}, 96, ADDRESS_NEVER, "NAT64"},
    {{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48, ADDRESS_NEVER, "local NAT64"},
    {{0x20, 0x01}, 32, ADDRESS_NEVER, "Teredo"},
    {{0x20, 0x01}, 23, ADDRESS_NEVER, "protocol assignments"},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, ADDRESS_NEVER, "documentation"},
    {{0x20, 0x02}, 16, ADDRESS_NEVER, "6to4"},
    {{0x3f, 0xff}, 20, ADDRESS_NEVER, "documentation"},
    {{0xfc}, 7, ADDRESS_PRIVATE, "unique local"},
    {{0xfe, 0x80}, 10, ADDRESS_NEVER, "link-local"},
    {{0xfe, 0xc0}, 10, ADDRESS_NEVER, "site-local"},
    {{0xff}, 8, ADDRESS_NEVER, "multicast"},
    {{0x20}, 3, ADDRESS_PUBLIC, "public"},
};

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits) {
    unsigned whole = bits / 8;
    if (memcmp(a, b, whole) != 0) return false;
    unsigned rest = bits % 8;
    return rest == 0 || ((a[whole] ^ b[whole]) & (0xff00u >> rest) & 0xffu) == 0;
}

static const struct block *block_of(const struct address *a) {
    static const struct block PUBLIC = {{0}, 0, ADDRESS_PUBLIC, "public"};
    static const struct block UNKNOWN = {{0}, 0, ADDRESS_NEVER, "not global unicast"};
    if (a->family == 4) {
        for (size_t i = 0; i < ARRAY_LEN(V4); i++)
            if (same_bits(a->bytes, V4[i].prefix, V4[i].bits)) return &V4[i];
        return &PUBLIC;
    }
    if (a->family == 6)
        for (size_t i = 0; i < ARRAY_LEN(V6); i++)
            if (same_bits(a->bytes, V6[i].prefix, V6[i].bits)) return &V6[i];
    return &UNKNOWN;
}

enum address_class address_class(const struct address *a) {
    return block_of(a)->class;
}

const char *address_class_reason(const struct address *a) {
    return block_of(a)->reason;
}

static int parse_v4(uint8_t out[4], struct str text) {
    for (int i = 0; i < 4; i++) {
        struct str part;
        bool more = str_cut(text, '.', &part, &text);
        if (more != (i < 3)) return E_SYNTAX;
        if (part.n == 0 || part.n > 3 || (part.n > 1 && part.p[0] == '0')) return E_SYNTAX;
        unsigned value = 0;
        for (size_t k = 0; k < part.n; k++) {
            if (part.p[k] < '0' || part.p[k] > '9') return E_SYNTAX;
            value = value * 10 + (unsigned)(part.p[k] - '0');
        }
        if (value > 255) return E_SYNTAX;
        out[i] = (uint8_t)value;
    }
    return 0;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Groups up to "::" are filled from the front, those behind it are moved to the end. */
static int parse_v6(uint8_t out[16], struct str text) {
    size_t at = 0, n = 0, gap = SIZE_MAX;
    memset(out, 0, 16);
    if (text.n >= 2 && text.p[0] == ':' && text.p[1] == ':') {
        gap = 0;
        at = 2;
        if (at == text.n) return 0;
    }
    for (;;) {
        size_t end = at;
        while (end < text.n && text.p[end] != ':')
            end++;
        struct str group = str_sub(text, at, end);
        if (str_find(group, '.') >= 0) { /* the last 32 bits in dotted form */
            if (end != text.n || n > 12 || parse_v4(out + n, group) != 0) return E_SYNTAX;
            n += 4;
            break;
        }
        if (group.n == 0 || group.n > 4 || n > 14) return E_SYNTAX;
        unsigned value = 0;
        for (size_t k = 0; k < group.n; k++) {
            int digit = hex_digit(group.p[k]);
            if (digit < 0) return E_SYNTAX;
            value = value << 4 | (unsigned)digit;
        }
        out[n++] = (uint8_t)(value >> 8);
        out[n++] = (uint8_t)value;
        if (end == text.n) break;
        at = end + 1;
        if (at < text.n && text.p[at] == ':') {
            if (gap != SIZE_MAX) return E_SYNTAX;
            gap = n;
            if (++at == text.n) break;
        } else if (at == text.n) {
            return E_SYNTAX; /* one colon at the end */
        }
    }
    if (gap == SIZE_MAX) return n == 16 ? 0 : E_SYNTAX;
    if (n > 14) return E_SYNTAX; /* "::" stands for at least one group */
    memmove(out + 16 - (n - gap), out + gap, n - gap);
    memset(out + gap, 0, 16 - n);
    return 0;
}

int address_parse(struct address *out, struct str text) {
    struct address a = {.family = str_find(text, ':') >= 0 ? 6 : 4};
    int err = a.family == 6 ? parse_v6(a.bytes, text) : parse_v4(a.bytes, text);
    if (err == 0) *out = a;
    return err;
}

int address_from_sockaddr(struct address *out, const struct sockaddr *sa) {
    *out = (struct address){0};
    if (sa->sa_family == AF_INET) {
        out->family = 4;
        memcpy(out->bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
        return 0;
    }
    if (sa->sa_family == AF_INET6) {
        out->family = 6;
        memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
        return 0;
    }
    return E_INVAL;
}

void address_format(const struct address *a, char out[ADDRESS_TEXT]) {
    out[0] = '\0';
    if (a->family == 4) inet_ntop(AF_INET, a->bytes, out, ADDRESS_TEXT);
    if (a->family == 6) inet_ntop(AF_INET6, a->bytes, out, ADDRESS_TEXT);
}

void address_unmap(struct address *a) {
    static const uint8_t MAPPED[12] = {[10] = 0xff, 0xff};
    if (a->family != 6 || memcmp(a->bytes, MAPPED, 12) != 0) return;
    memmove(a->bytes, a->bytes + 12, 4);
    memset(a->bytes + 4, 0, 12);
    a->family = 4;
}

int cidr_parse(struct cidr *out, struct str text, struct why *why) {
    struct str head, tail;
    struct cidr c = {0};
    bool has_bits = str_cut(text, '/', &head, &tail);
    if (address_parse(&c.base, head) != 0)
        return why_set(why, E_SYNTAX, "%.*s is no IP address or block such as 10.0.0.0/8",
                       STR_FMT(text));
    int64_t most = c.base.family == 4 ? 32 : 128;
    int64_t bits = most;
    if (has_bits && (str_to_i64(tail, &bits) != 0 || bits < 0 || bits > most))
        return why_set(why, E_SYNTAX, "%.*s: the prefix length must be 0 to %d", STR_FMT(text),
                       (int)most);
    c.bits = (uint8_t)bits;
    for (unsigned i = c.bits; i < (unsigned)most; i++)
        if ((c.base.bytes[i / 8] & (0x80u >> i % 8)) != 0)
            return why_set(why, E_SYNTAX, "%.*s: the address has bits set behind its prefix",
                           STR_FMT(text));
    *out = c;
    return 0;
}

bool cidr_has(const struct cidr *c, const struct address *a) {
    struct address plain = *a;
    if (c->base.family == 4) address_unmap(&plain);
    return plain.family == c->base.family && same_bits(plain.bytes, c->base.bytes, c->bits);
}
