/* What all transports share: the checks every request passes before anybody sees it, and copies of
 * requests and answers that live as long as the call. */
#ifndef LUWAK_NET_EXCHANGE_H
#define LUWAK_NET_EXCHANGE_H

#include "base/buf.h"
#include "net/transport.h"

#define OUT_HEADERS_MAX      64
#define OUT_HEADER_BYTES_MAX 16384 /* names and values of one request */
#define OUT_CONNECT_MS       5000
#define OUT_TOTAL_MS         30000
#define OUT_RESPONSE_MAX     (1u << 20)

/* E_SYNTAX with a reason when a transport must refuse the request: the URL, a method or header name
 * that is no token, a value with control bytes, a header that belongs to the transport (Host,
 * Content-Length ...), an effect that would follow redirects, too many headers. */
int out_check(const struct http_out *out, struct why *why);

/* A deep copy, one block per part; defaults filled in. out_copy_free wipes what may be secret. */
struct out_copy {
    struct http_out out;
    struct buf bytes; /* all text of the copy */
    struct http_header *headers;
    const char **hosts;
};
int out_copy(struct out_copy *copy, const struct http_out *out);
void out_copy_free(struct out_copy *copy);

/* An answer that owns its parts, filled bit by bit. Header names are kept in lower case. */
struct answer_copy {
    struct http_answer answer;
    struct buf head; /* names and values; headers point into it once sealed */
    struct buf body;
    struct http_header *headers;
    size_t *marks; /* while filling: name begin, name end, value end, per header */
    size_t count;
    size_t cap;
};
int answer_add_header(struct answer_copy *a, struct str name, struct str value);
void answer_seal(struct answer_copy *a); /* sets answer.headers and answer.body */
void answer_clear_headers(struct answer_copy *a);
void answer_free(struct answer_copy *a);

/* A failed answer: code, public name, text for a person. `sent` is left as it is. */
void answer_fail(struct http_answer *a, int err, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

bool header_name_ok(struct str name);   /* an RFC 9110 token */
bool header_value_ok(struct str value); /* no control bytes but tab */
const struct http_header *header_find(const struct http_header *headers, size_t count,
                                      const char *name);

#endif
