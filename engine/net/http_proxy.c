/* Who is asking? The socket's address, unless that is a configured proxy: then the rightmost
 * address of X-Forwarded-For that is no proxy of ours. All fields of that name count as one list.
 * What is no plain address ends the walk, and the last good hop stands: a proxy that writes rubbish
 * must not let its client choose. X-Request-Id is taken from a proxy only, and only if it is a
 * plain word that does not read as a card number: it stands in answers, and those are kept. */
#include "base/pan.h"
#include "net/address.h"
#include "net/http_private.h"

static int mapped_parse(struct str text, uint8_t out[16]) {
    struct address a;
    int err = address_parse(&a, text);
    if (err != 0) return err;
    memcpy(out, a.bytes, 16);
    if (a.family == 6) return 0;
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    memcpy(out + 12, a.bytes, 4);
    return 0;
}

/* "10.0.0.0/8", "::1", "fd00::/8" */
int net_range_parse(struct str text, struct net_range *out) {
    struct str address, bits;
    bool has_bits = str_cut(text, '/', &address, &bits);
    int err = mapped_parse(address, out->addr);
    if (err != 0) return err;
    int base = str_find(address, ':') < 0 ? 96 : 0;
    int64_t n = 128 - base;
    if (has_bits && (str_to_i64(bits, &n) != 0 || n < 0 || n > 128 - base)) return E_SYNTAX;
    out->bits = base + (int)n;
    return 0;
}

static bool in_range(const struct net_range *r, const uint8_t addr[16]) {
    int whole = r->bits / 8, rest = r->bits % 8;
    if (memcmp(r->addr, addr, (size_t)whole) != 0) return false;
    return rest == 0 || (r->addr[whole] ^ addr[whole]) >> (8 - rest) == 0;
}

bool net_trusted(const struct http_server *s, struct str address) {
    uint8_t raw[16];
    if (s->range_count == 0 || mapped_parse(address, raw) != 0) return false;
    for (size_t i = 0; i < s->range_count; i++)
        if (in_range(&s->ranges[i], raw)) return true;
    return false;
}

/* Walks one field from the right; false: the walk is over. */
static bool walk(struct http_server *s, struct http_exchange *x, struct str list) {
    while (list.n != 0) {
        size_t from = list.n;
        while (from != 0 && list.p[from - 1] != ',')
            from--;
        struct str hop = str_trim(str_sub(list, from, list.n));
        list.n = from == 0 ? 0 : from - 1;
        uint8_t raw[16];
        if (mapped_parse(hop, raw) != 0) return false;
        memcpy(x->peer, hop.p, hop.n); /* parsed, so shorter than peer */
        x->peer[hop.n] = '\0';
        if (!net_trusted(s, hop)) return false;
    }
    return true;
}

static bool plain_id(struct str id) {
    if (id.n == 0 || id.n >= sizeof((struct http_exchange *)0)->request_id) return false;
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && c != '-' && c != '_' && c != '.') return false;
    }
    size_t from, to;
    return !pan_find(id, &from, &to);
}

void proxy_apply(struct http_server *s, struct http_exchange *x) {
    struct str id = http_header(x, "x-request-id");
    if (plain_id(id)) {
        memcpy(x->request_id, id.p, id.n);
        x->request_id[id.n] = '\0';
    }
    for (size_t i = x->header_count; i-- != 0;)
        if (str_eq(x->headers[i].name, STR("x-forwarded-for")) && !walk(s, x, x->headers[i].value))
            return;
}
