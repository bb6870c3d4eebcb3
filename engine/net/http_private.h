/* Shared by the parts of the HTTP server only: http_server.c (listening, deadlines, stopping),
 * http_conn.c (one connection), http_reply.c (answers).
 *
 * A connection that waits for a request is only a struct conn. With a request's first byte it takes
 * a struct work, which holds the bytes, the parser and the exchange, and gives it back to the
 * server's pool after the answer. If the peer goes away, the work lives on without a connection
 * until its handler has answered.
 *
 *     connection: OPEN -> LINGER -> CLOSING      LINGER: our side is shut down, what the peer still
 *                    \________________^          sends is thrown away, so that it can read the answer
 *     work: READING -> RUNNING -> (STREAMING ->) READING, or back to the pool */
#ifndef LUWAK_NET_HTTP_PRIVATE_H
#define LUWAK_NET_HTTP_PRIVATE_H

#include "base/buf.h"
#include "base/ensure.h"
#include "base/id.h"
#include "base/mem.h"
#include "net/http_parse.h"
#include "net/http_server.h"

#include <uv.h>

#define WORK_SMALL     4096
#define WORKS_KEPT     256
#define SCRATCH_SIZE   65536
#define LISTENERS_MAX  16
#define LINGER_MS      2000
#define ACCEPT_BURST   64
#define ACCEPT_REST_MS 100 /* after running out of file descriptors */

struct tls_conn;
struct conn;

enum deadline_kind { DL_HEAD, DL_REQUEST, DL_IDLE, DL_STALL, DL_LINGER, DL_KINDS, DL_NONE };
enum conn_state { CONN_OPEN, CONN_LINGER, CONN_CLOSING };
enum work_state { WORK_READING, WORK_RUNNING, WORK_STREAMING, WORK_ANSWERED };

struct work {
    struct http_exchange x; /* what the handler sees; first, so that one is the other */
    struct http_server *server;
    struct conn *conn; /* NULL: gone */
    struct work *next; /* in the pool */
    enum work_state state;
    bool head_request; /* HEAD: no body goes out */
    bool close_after;
    bool chunked_reply;
    bool blocked;  /* stream_write said false: drained is owed */
    int status;    /* of the stream */
    uint64_t sent; /* body bytes of the stream */
    const struct http_stream_hooks *hooks;
    struct http_parse parser;
    struct http_header headers[HTTP_FIELDS_CAP];
    char *buf; /* `small` or heap: [start: head | body ... body_end | garbage | raw ... len) */
    size_t cap;
    size_t start;
    size_t body, body_end; /* the decoded body */
    size_t raw;            /* first byte that was not parsed */
    size_t len;
    char small[WORK_SMALL];
};

struct conn {
    uv_tcp_t tcp;
    uv_shutdown_t shutdown;
    struct http_server *server;
    struct conn *prev, *next; /* all connections of the server */
    struct conn *kick_next;
    struct work *work; /* NULL: idle */
    struct tls_conn *tls;
    enum conn_state state;
    enum deadline_kind dl_kind;
    struct conn *dl_prev, *dl_next;
    uint64_t dl_due;   /* monotonic ms */
    size_t queued;     /* bytes given to uv_write that are not written yet */
    size_t discarded;  /* while lingering */
    size_t stall_mark; /* of queued, what was left when the peer was last looked at */
    uint32_t requests;
    bool reading;
    bool processing; /* conn_process is on the stack */
    bool kicked;     /* waits for the kick timer */
    bool eof;        /* the peer will send no more */
    bool trusted;    /* it is a trusted proxy */
    char peer[46];
};

struct dl_list {
    struct conn *first, *last;
    uint32_t ms;
};

struct listener {
    uv_poll_t poll;
    struct http_server *server;
    int fd;
};

struct net_range { /* IPv4 as ::ffff:a.b.c.d */
    uint8_t addr[16];
    int bits;
};

struct http_server {
    struct http_server_options options;
    struct http_parse_limits parse_limits;
    struct loop *loop;
    uv_loop_t *uv;
    struct net_range *ranges;
    size_t range_count;
    struct listener *listeners[LISTENERS_MAX];
    size_t listener_count;
    size_t handles; /* open: listeners and connections */
    struct conn *conns;
    size_t conn_count;
    struct dl_list deadlines[DL_KINDS];
    struct timer tick;
    uint64_t tick_due;
    struct timer kick;
    struct conn *kick_first;
    struct timer accept_rest;
    bool accepting;
    int reserve_fd;
    struct work *pool;
    size_t pool_count;
    struct buf head; /* of the answer being built */
    struct buf body; /* likewise, for answers of our own */
    char *scratch;   /* bytes that are not kept: lingering, ciphertext */
    struct rng ids;  /* the injected generator, asked for 1 kB at a time */
    uint8_t id_pool[1000];
    size_t id_used;
    char date[64]; /* "Date: ...\r\n" */
    size_t date_len;
    int64_t date_second;
    struct http_server_stats stats;
    bool stopping;
    bool cut_off; /* the bound of the stop is over */
    bool drained_told;
    bool deleted;
    struct timer stop_timer;
    void (*drained)(void *data);
    void *drained_data;
};

/* http_server.c */
uint64_t server_now_ms(const struct http_server *s);
struct work *work_take(struct http_server *s);
void work_release(struct work *w);
void server_conn_gone(struct http_server *s); /* a handle was closed or an exchange answered */
void server_kick(struct conn *c);             /* conn_process from the loop, soon */
void deadline_set(struct conn *c, enum deadline_kind kind, uint64_t due_ms);
void server_make_id(struct http_server *s, char out[40]);

/* http_conn.c */
void conn_open(struct http_server *s, int fd);
void conn_close(struct conn *c);
void conn_linger(struct conn *c);
void conn_process(struct conn *c);
bool conn_pull(struct conn *c);  /* TLS: decrypted bytes into the work */
void conn_rearm(struct conn *c); /* the deadline that fits what it waits for */
void conn_expired(struct conn *c, enum deadline_kind kind);
void conn_send(struct conn *c, const uv_buf_t *bufs, unsigned count);
void conn_answered(struct conn *c); /* the work's answer was sent: close, or go on */

/* http_reply.c */
void reply_error(struct conn *c, int status, const char *detail);
void reply_continue(struct conn *c);
void stream_closed(struct work *w);  /* the connection of a stream is gone; frees the work */
void stream_drained(struct work *w); /* the peer reads again */
void stream_stopping(struct work *w);

/* http_proxy.c */
int net_range_parse(struct str text, struct net_range *out);
bool net_trusted(const struct http_server *s, struct str address);
void proxy_apply(struct http_server *s, struct http_exchange *x);

#endif
