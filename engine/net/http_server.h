/* HTTP/1.1 server on one worker's loop. Parsing is http_parse.h (pure, strict); this file's part is
 * connections: limits, time-outs, keep-alive, pipelining in order, backpressure, TLS, graceful end.
 *
 * A whole request (body included) becomes a struct http_exchange, handed to the one handler. The
 * handler answers exactly once, now or later on the same loop. If the peer goes away first, the
 * exchange stays valid until it is answered; `gone` tells. */
#ifndef LUWAK_NET_HTTP_SERVER_H
#define LUWAK_NET_HTTP_SERVER_H

#include "base/err.h"
#include "loop/loop.h"
#include "net/problem.h"
#include "net/transport.h" /* struct http_header */

struct http_server;

struct http_exchange {
    char request_id[40]; /* "req_..." ; from the peer only if it is a trusted proxy */
    struct str method;   /* views into the exchange's own memory, valid until it is answered */
    struct str target;   /* as received: path and query */
    struct str path;     /* as received, not decoded */
    struct str query;    /* without '?' */
    const struct http_header *headers; /* names lower case */
    size_t header_count;
    struct str body;
    char peer[64]; /* address after trusted proxies */
    bool tls;
    bool gone;              /* the peer hung up */
    int64_t received_ms;    /* wall; the provider's deadline counts from the first byte */
    uint64_t first_byte_ns; /* monotonic */
    char more[160];         /* whole header lines ("Name: value\r\n") that every answer carries */
    void *user;             /* the handler's own */
    /* Set for an exchange that came from no socket (a simulator's): http_reply ends here. */
    void (*answer)(struct http_exchange *x, int status, const struct http_header *headers,
                   size_t count, struct str body);
    void (*closed)(struct http_exchange *x); /* peer went away before the answer; may be NULL */
    /* It closed its side: it left, or waits half-closed for its answer. Nobody can tell which; who
     * would work long for it may end early, and must still answer. May be NULL. */
    void (*eof)(struct http_exchange *x);
};

struct str http_header(const struct http_exchange *x, const char *lower_name); /* n = 0: none */

/* Content-Length, Date, Connection, X-Request-Id are added here. HEAD: body dropped, length kept.
 */
void http_reply(struct http_exchange *x, int status, const struct http_header *headers,
                size_t count, struct str body);

/* A problem document, with the exchange's request id; `more`: one header besides, or NULL. */
void http_problem(struct http_exchange *x, struct problem problem, const struct http_header *more);

/* Both http_reply and the stream calls put request and framing fields in by themselves: a
 * Content-Length, Transfer-Encoding, Connection, Date or X-Request-Id given here is left out. A
 * field that would break the head (control characters) makes the whole answer a 500.
 *
 * A reply in pieces (server-sent events, big files). write returns false when the peer is slow:
 * stop until `drained` is called. Over the hard bound the connection is cut. */
struct http_stream_hooks {
    void (*drained)(struct http_exchange *x);
    /* peer gone or cut, and http_stream_end was not called: the exchange dies after this call */
    void (*closed)(struct http_exchange *x);
    /* the server stops: end soon. NULL: the server ends the stream itself, then calls closed. */
    void (*stopping)(struct http_exchange *x);
};
/* On any error the exchange is dead (the peer was gone, or got a 500). Hooks run from the loop,
 * never from inside a stream call; they must outlive the stream. */
int http_stream_begin(struct http_exchange *x, int status, const struct http_header *headers,
                      size_t count, const struct http_stream_hooks *hooks);
bool http_stream_write(struct http_exchange *x, struct str data);
void http_stream_end(struct http_exchange *x);

struct http_limits {
    size_t head_max;        /* 16 kB   -> 431 */
    size_t fields_max;      /* 64      -> 431 */
    size_t target_max;      /* 4 kB    -> 414 */
    size_t body_max;        /* 1 MB    -> 413 */
    uint32_t head_ms;       /* 10 s    -> 408 */
    uint32_t request_ms;    /* 30 s    -> 408 */
    uint32_t idle_ms;       /* 60 s between requests */
    uint32_t stall_ms;      /* 30 s: a peer that takes not one byte of what waits for it is cut */
    uint32_t requests_max;  /* 1,000 per connection */
    size_t connections_max; /* 10,000, and less than the process may have open files */
    size_t out_soft;        /* 256 kB: stop reading */
    size_t out_hard;        /* 1 MB: cut */
};

struct http_server_options {
    struct loop *loop;
    struct rng *rng;
    struct http_limits limits;         /* zeros: the defaults above */
    const struct str *trusted_proxies; /* CIDRs; whose X-Forwarded-For and X-Request-Id count */
    size_t trusted_proxy_count;
    struct tls_server *tls; /* NULL: plain */
    void (*handle)(struct http_exchange *x, void *data);
    /* After an answer of a handler or of the server itself (then `x` has no headers and perhaps no
     * method): for the access log and the metrics. May be NULL. */
    void (*answered)(const struct http_exchange *x, int status, uint64_t body_bytes, void *data);
    void *data;
};

struct http_server_stats {
    uint64_t accepted;    /* connections */
    uint64_t refused;     /* closed at once: no file descriptor was left */
    uint64_t requests;    /* handed to the handler */
    uint64_t errors;      /* answered here: 400, 408, 413 ... */
    uint64_t cut;         /* peers that did not read */
    size_t connections;   /* open now */
    size_t running;       /* exchanges not yet answered */
    size_t output_queued; /* bytes that peers have yet to take */
};

int http_server_new(struct http_server **out, const struct http_server_options *options);
int http_server_listen(struct http_server *s, const char *address, bool reuse_port,
                       struct why *why);
/* A listening socket from systemd; it is duplicated, so workers can share it. */
int http_server_listen_fd(struct http_server *s, int fd, struct why *why);
void http_server_stats(const struct http_server *s, struct http_server_stats *out);
int http_server_address(const struct http_server *s, char *out,
                        size_t size); /* "127.0.0.1:41233" */

/* Refuses new connections, lets running requests finish, answers with Connection: close; `drained`
 * when none is left or `bound_ms` is over (then the rest is cut). */
void http_server_stop(struct http_server *s, uint32_t bound_ms, void (*drained)(void *data),
                      void *data);
/* After drained. Exchanges that are still unanswered stay valid until they are. */
void http_server_delete(struct http_server *s);

#endif
