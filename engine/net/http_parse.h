/* HTTP/1.1 requests, read strictly. The parser takes bytes as they come, in any split, and gives
 * the same verdict for every split: each byte moves one state machine, and the first byte that does
 * not fit decides. It allocates nothing and keeps no pointer: the head stays in the caller's
 * buffer, where field names are made lower case, and everything found is an offset from its start.
 *
 *     HEAD -> BODY -> DONE           BODY is left out when there is none
 *      any -> BAD                    `status` says what to answer; the connection ends after it
 *
 * It accepts a list and nothing else, because two readers that disagree about where a request ends
 * are an attack (RFC 9112 section 11.2):
 *  - CRLF only; one empty line may come before the request line, none is folded
 *  - method a token; target origin-form in visible ASCII without '#', or '*' for OPTIONS
 *    (absolute-form, which RFC 9112 3.2.2 asks for, is refused with 400: clients send it to proxies only,
 *    and a second host in a request is one more thing that two readers can disagree about)
 *  - HTTP/1.1, or HTTP/1.0 (no Transfer-Encoding there); another number is 505
 *  - names tokens, no space before ':'; values without control characters but the tab
 *  - exactly one Host (HTTP/1.0: at most one), a name or address with an optional port
 *  - at most one Content-Length (digits) or one Transfer-Encoding (`chunked`), never both
 *  - chunk sizes of 1-8 hex digits without extensions; trailers are checked and dropped, and
 *    none may be Content-Length or Transfer-Encoding
 *  - Expect is `100-continue` or 417 */
#ifndef LUWAK_NET_HTTP_PARSE_H
#define LUWAK_NET_HTTP_PARSE_H

#include "base/str.h"

#define HTTP_FIELDS_CAP 64    /* what a parser has room for */
#define HTTP_HEAD_CAP   65535 /* offsets have 16 bits */
#define HTTP_METHOD_MAX 32

enum http_parse_phase { PARSE_HEAD, PARSE_BODY, PARSE_DONE, PARSE_BAD };

struct http_parse_limits {
    uint32_t head_max;   /* bytes of request line and fields; trailers have as much again -> 431 */
    uint32_t target_max; /* -> 414 */
    uint32_t fields_max; /* trailers included -> 431 */
    uint64_t body_max;   /* decoded; also when only announced -> 413 */
};

struct http_field {
    uint16_t name, name_len; /* offsets from the start of the head */
    uint16_t value, value_len;
};

struct http_parse {
    struct http_parse_limits limits;
    enum http_parse_phase phase;
    int status;      /* BAD: 400, 413, 414, 417, 431 or 505 */
    const char *why; /* BAD: one line for a person; a constant */

    uint32_t at; /* head bytes taken so far; in the end the head's length */
    uint16_t method, method_len;
    uint16_t target, target_len;
    uint16_t path_len; /* the target up to its '?' */
    uint16_t field_count;
    struct http_field fields[HTTP_FIELDS_CAP];

    bool minor_one;  /* HTTP/1.1 */
    bool keep_alive; /* as version and Connection say */
    bool chunked;
    bool has_length;
    bool wants_continue; /* Expect: 100-continue, from HTTP/1.1, with a body */
    uint64_t length;     /* Content-Length; for chunked, what was decoded so far */

    /* inside */
    uint8_t state;
    uint8_t seen; /* which of the fields that must not repeat */
    uint8_t digits;
    uint16_t mark;         /* start of the token being read */
    uint16_t value_end;    /* behind the value's last byte that is no blank */
    uint32_t trailer_used; /* bytes */
    uint32_t trailer_count;
    uint64_t left; /* of the body or the chunk */
};

void http_parse_init(struct http_parse *p, const struct http_parse_limits *limits);

/* The next request on the same connection; limits stay. */
void http_parse_reset(struct http_parse *p);

/* head[0..len) is all there is since the request began; bytes below p->at were taken before. Stops
 * behind the head (p->at) or at the first wrong byte. Phase HEAD means: more bytes are needed. */
void http_parse_head(struct http_parse *p, char *head, size_t len);

/* Takes body bytes while the phase is BODY: returns how many of in[0..n) belonged to this request.
 * The decoded ones are moved to out (which may be `in` or lie before it: decoding in place);
 * *made counts them. */
size_t http_parse_body(struct http_parse *p, const char *in, size_t n, char *out, size_t *made);

#endif
