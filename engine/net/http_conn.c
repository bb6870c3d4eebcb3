/* One connection of the HTTP server: bytes in, requests to the handler in order and one at a time,
 * bytes out. See http_private.h for the states.
 *
 * Reading goes straight into the work's buffer, behind what is already there. Requests that arrive
 * while one runs wait in that buffer; when it is full we stop reading, and the kernel makes the
 * peer wait. Writing tries the socket first and queues a copy of what it did not take; with more
 * than out_soft queued no further request is begun and nothing is read.
 *
 * After an error, or the last answer, our side is shut down and what still comes is thrown away for
 * a moment (LINGER): closing a socket with unread bytes would reset the connection and take the
 * answer away from the peer. */
#include "net/http_private.h"

#include "sys/tls.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

struct out {
    uv_write_t req;
    struct conn *conn;
    size_t n;
    char data[];
};

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);
static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf);

static const struct http_limits *limits(const struct conn *c) {
    return &c->server->options.limits;
}

/* ---- life ---- */

static void on_closed(uv_handle_t *handle) {
    struct conn *c = CONTAINER_OF(handle, struct conn, tcp);
    struct http_server *s = c->server;
    struct work *w = c->work;
    *(c->prev == NULL ? &s->conns : &c->prev->next) = c->next;
    if (c->next != NULL) c->next->prev = c->prev;
    for (struct conn **at = &s->kick_first; c->kicked && *at != NULL; at = &(*at)->kick_next)
        if (*at == c) {
            *at = c->kick_next;
            break;
        }
    s->conn_count--;
    s->handles--;
    s->stats.output_queued -= c->queued;
    tls_conn_delete(c->tls);
    mem_free(c);
    if (w != NULL) {
        w->conn = NULL;
        switch (w->state) {
        case WORK_READING:
        case WORK_ANSWERED: work_release(w); break;
        case WORK_RUNNING:
            w->x.gone = true;
            if (w->x.closed != NULL) w->x.closed(&w->x);
            break;
        case WORK_STREAMING: stream_closed(w); break;
        }
    }
    server_conn_gone(s);
}

void conn_close(struct conn *c) {
    if (c->state == CONN_CLOSING) return;
    c->state = CONN_CLOSING;
    deadline_set(c, DL_NONE, 0);
    if (c->work != NULL && c->work->state == WORK_RUNNING) c->work->x.gone = true;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void name_peer(struct conn *c) {
    struct sockaddr_storage a;
    int n = sizeof a;
    memset(&a, 0, sizeof a);
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&a, &n) != 0) return;
    if (a.ss_family == AF_INET) {
        inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, c->peer, sizeof c->peer);
    } else if (a.ss_family == AF_INET6) {
        const struct in6_addr *in = &((struct sockaddr_in6 *)&a)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(in)) /* an IPv4 peer on a dual-stack socket */
            inet_ntop(AF_INET, in->s6_addr + 12, c->peer, sizeof c->peer);
        else
            inet_ntop(AF_INET6, in, c->peer, sizeof c->peer);
    }
}

static void reading(struct conn *c, bool on) {
    if (c->reading == on || c->state == CONN_CLOSING || (on && c->eof)) return;
    c->reading = on;
    if (on)
        uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    else
        uv_read_stop((uv_stream_t *)&c->tcp);
}

void conn_open(struct http_server *s, int fd) {
    struct conn *c = mem_zalloc(sizeof *c);
    if (c == NULL) {
        close(fd);
        s->stats.refused++;
        return;
    }
    c->server = s;
    c->dl_kind = DL_NONE;
    uv_tcp_init(s->uv, &c->tcp); /* opens nothing yet, cannot fail */
    s->handles++;
    s->conn_count++;
    c->next = s->conns;
    if (c->next != NULL) c->next->prev = c;
    s->conns = c;
    if (uv_tcp_open(&c->tcp, fd) != 0) {
        close(fd);
        conn_close(c);
        return;
    }
    if (s->options.tls != NULL && tls_conn_new(&c->tls, s->options.tls) != 0) {
        conn_close(c);
        return;
    }
    name_peer(c);
    c->trusted = net_trusted(s, str_of(c->peer));
    reading(c, true);
    conn_rearm(c);
}

static void on_shut(uv_shutdown_t *req, int status) {
    struct conn *c = CONTAINER_OF(req, struct conn, shutdown);
    if (c->state == CONN_CLOSING) return;
    if (status != 0 || c->eof)
        conn_close(c);
    else
        conn_rearm(c);
}

static void tls_flush(struct conn *c);

void conn_linger(struct conn *c) {
    if (c->state != CONN_OPEN) return;
    if (c->tls != NULL && tls_conn_ready(c->tls)) {
        tls_conn_shutdown(c->tls);
        tls_flush(c);
        if (c->state != CONN_OPEN) return;
    }
    c->state = CONN_LINGER;
    struct work *w = c->work;
    if (w != NULL && (w->state == WORK_READING || w->state == WORK_ANSWERED)) {
        c->work = NULL;
        work_release(w);
    }
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shut) != 0) {
        conn_close(c);
        return;
    }
    reading(c, true);
    conn_rearm(c);
}

/* ---- deadlines ---- */

void conn_rearm(struct conn *c) {
    struct http_server *s = c->server;
    struct work *w = c->work;
    enum deadline_kind kind;
    uint64_t from;
    if (c->state == CONN_CLOSING) return;
    if (c->queued != 0) {
        if (c->dl_kind == DL_STALL) return; /* it is the peer's progress that moves it */
        kind = DL_STALL;
        from = server_now_ms(s);
    } else if (c->state == CONN_LINGER) {
        kind = DL_LINGER;
        from = server_now_ms(s);
    } else if (w != NULL && w->state == WORK_READING && w->len != w->start) {
        kind = w->parser.phase == PARSE_HEAD ? DL_HEAD : DL_REQUEST;
        from = w->x.first_byte_ns / 1000000u;
    } else if (w != NULL && w->state != WORK_READING) {
        deadline_set(c, DL_NONE, 0); /* the handler has deadlines of its own */
        return;
    } else {
        /* who never sent a byte waits for a head, and has no right to the long idle time */
        kind = c->requests == 0 ? DL_HEAD : DL_IDLE;
        if (c->dl_kind == kind) return;
        from = server_now_ms(s);
    }
    deadline_set(c, kind, from + s->deadlines[kind].ms);
}

void conn_expired(struct conn *c, enum deadline_kind kind) {
    struct work *w = c->work;
    switch (kind) {
    case DL_HEAD:
    case DL_REQUEST:
        if (w != NULL && w->state == WORK_READING && w->len != w->start)
            reply_error(c, 408, "the request did not arrive in time");
        else
            conn_close(c);
        return;
    case DL_IDLE: conn_linger(c); return;
    case DL_STALL:
        if (uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp) < c->queued) {
            /* one large answer on its way to a slow but willing reader */
            size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
            if (c->stall_mark == 0 || left < c->stall_mark) {
                c->stall_mark = left;
                conn_rearm(c);
                return;
            }
        }
        c->server->stats.cut++;
        conn_close(c);
        return;
    default: conn_close(c); return;
    }
}

/* ---- out ---- */

static void on_written(uv_write_t *req, int status) {
    struct out *o = CONTAINER_OF(req, struct out, req);
    struct conn *c = o->conn;
    c->queued -= o->n;
    c->server->stats.output_queued -= o->n;
    mem_free(o);
    if (c->state == CONN_CLOSING) return;
    if (status != 0) {
        conn_close(c);
        return;
    }
    c->stall_mark = 0;
    deadline_set(c, DL_NONE, 0);
    conn_rearm(c);
    if (c->queued > limits(c)->out_soft / 2 || c->state != CONN_OPEN) return;
    struct work *w = c->work;
    if (w != NULL && w->state == WORK_STREAMING) {
        if (w->blocked) stream_drained(w);
    } else {
        conn_process(c);
    }
}

static void send_raw(struct conn *c, const uv_buf_t *bufs, unsigned count) {
    size_t sent = 0, total = 0;
    if (c->state == CONN_CLOSING) return;
    for (unsigned i = 0; i < count; i++)
        total += bufs[i].len;
    if (c->queued == 0) {
        int n = uv_try_write((uv_stream_t *)&c->tcp, bufs, count);
        if (n < 0 && n != UV_EAGAIN) {
            conn_close(c);
            return;
        }
        if (n > 0) sent = (size_t)n;
    }
    if (sent == total) return;
    struct out *o = mem_alloc(sizeof *o + total - sent);
    if (o == NULL) {
        conn_close(c);
        return;
    }
    o->conn = c;
    o->n = 0;
    for (unsigned i = 0; i < count; i++) {
        size_t skip = sent < bufs[i].len ? sent : bufs[i].len;
        memcpy(o->data + o->n, bufs[i].base + skip, bufs[i].len - skip);
        o->n += bufs[i].len - skip;
        sent -= skip;
    }
    uv_buf_t rest = {.base = o->data, .len = o->n};
    if (uv_write(&o->req, (uv_stream_t *)&c->tcp, &rest, 1, on_written) != 0) {
        mem_free(o);
        conn_close(c);
        return;
    }
    c->queued += o->n;
    c->server->stats.output_queued += o->n;
    conn_rearm(c);
}

static void tls_flush(struct conn *c) {
    struct str bytes = tls_conn_out(c->tls);
    if (bytes.n == 0) return;
    uv_buf_t buf = {.base = (char *)bytes.p, .len = bytes.n};
    send_raw(c, &buf, 1); /* takes a copy of what the socket does not */
    tls_conn_out_done(c->tls, bytes.n);
}

void conn_send(struct conn *c, const uv_buf_t *bufs, unsigned count) {
    if (c->tls == NULL) {
        send_raw(c, bufs, count);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        if (bufs[i].len != 0 && tls_conn_write(c->tls, bufs[i].base, bufs[i].len) != 0) {
            conn_close(c);
            return;
        }
    tls_flush(c);
}

/* ---- in ---- */

/* Makes room behind what was read. Nobody outside holds a view: the work is being read. */
static bool make_room(struct work *w) {
    if (w->len < w->cap) return true;
    size_t gap = w->parser.phase == PARSE_BODY ? w->raw - w->body_end : 0;
    if (gap != 0) { /* chunk framing that was taken out */
        memmove(w->buf + w->body_end, w->buf + w->raw, w->len - w->raw);
        w->raw -= gap;
        w->len -= gap;
    }
    if (w->start != 0) { /* requests that were answered */
        memmove(w->buf, w->buf + w->start, w->len - w->start);
        w->len -= w->start;
        w->raw -= w->start;
        w->body -= w->start;
        w->body_end -= w->start;
        w->start = 0;
    }
    if (w->len <= w->cap - w->cap / 4) return true;
    /* Bounded: the parser refuses heads and bodies that are too long. */
    char *grown = mem_realloc(w->buf == w->small ? NULL : w->buf, w->cap * 2);
    if (grown == NULL) return w->len < w->cap;
    if (w->buf == w->small) memcpy(grown, w->small, w->len);
    w->buf = grown;
    w->cap *= 2;
    return true;
}

static void dispatch(struct conn *c, struct work *w) {
    struct http_server *s = c->server;
    const struct http_parse *p = &w->parser;
    struct http_exchange *x = &w->x;
    const char *head = w->buf + w->start;
    c->requests++;
    w->conn = c;
    w->state = WORK_RUNNING;
    w->close_after = !p->keep_alive || s->stopping || c->requests >= limits(c)->requests_max;
    w->chunked_reply = false;
    x->method = (struct str){head + p->method, p->method_len};
    x->target = (struct str){head + p->target, p->target_len};
    x->path = (struct str){x->target.p, p->path_len};
    size_t behind = p->path_len == p->target_len ? p->path_len : p->path_len + 1u;
    x->query = str_sub(x->target, behind, x->target.n);
    for (size_t i = 0; i < p->field_count; i++) {
        const struct http_field *f = &p->fields[i];
        w->headers[i].name = (struct str){head + f->name, f->name_len};
        w->headers[i].value = (struct str){head + f->value, f->value_len};
    }
    x->headers = w->headers;
    x->header_count = p->field_count;
    x->body = (struct str){w->buf + w->body, w->body_end - w->body};
    memcpy(x->peer, c->peer, sizeof c->peer);
    x->tls = c->tls != NULL;
    x->gone = false;
    uint64_t took_ms = (clock_mono_ns(loop_clock(s->loop)) - x->first_byte_ns) / 1000000u;
    x->received_ms = clock_now_ms(loop_clock(s->loop)) - (int64_t)took_ms;
    x->user = NULL;
    x->more[0] = '\0';
    x->answer = NULL; /* the memory of a work is not cleared */
    x->closed = x->eof = NULL;
    w->head_request = str_eq(x->method, STR("HEAD"));
    x->request_id[0] = '\0';
    if (c->trusted) proxy_apply(s, x);
    if (x->request_id[0] == '\0') server_make_id(s, x->request_id);
    s->stats.requests++;
    s->stats.running++;
    deadline_set(c, DL_NONE, 0);
    s->options.handle(x, s->options.data);
}

/* Parses what is there. True: a whole request was handed over, or the connection ended. */
static bool advance(struct conn *c, struct work *w) {
    struct http_parse *p = &w->parser;
    w->conn = c;
    if (p->phase == PARSE_HEAD) {
        if (p->at == 0) w->x.first_byte_ns = clock_mono_ns(loop_clock(c->server->loop));
        http_parse_head(p, w->buf + w->start, w->len - w->start);
        w->raw = w->body = w->body_end = w->start + p->at;
        if (p->phase == PARSE_BODY && p->wants_continue && w->raw == w->len) reply_continue(c);
        if (c->state != CONN_OPEN) return true;
    }
    if (p->phase == PARSE_BODY) {
        size_t made;
        w->raw += http_parse_body(p, w->buf + w->raw, w->len - w->raw, w->buf + w->body_end, &made);
        w->body_end += made;
    }
    if (p->phase == PARSE_BAD)
        reply_error(c, p->status, p->why);
    else if (p->phase == PARSE_DONE)
        dispatch(c, w);
    else
        return false;
    return true;
}

/* Begins every request that is whole, in order. */
void conn_process(struct conn *c) {
    if (c->processing) return;
    c->processing = true;
    while (c->state == CONN_OPEN) {
        struct work *w = c->work;
        if (w != NULL && w->state != WORK_READING) {
            while (c->tls != NULL && conn_pull(c)) {
            }
            if (c->eof && w->state == WORK_STREAMING) conn_close(c);
            reading(c, w->len < w->cap);
            break;
        }
        if (c->queued > limits(c)->out_soft) {
            reading(c, false);
            break;
        }
        if (w != NULL && w->len != w->start) {
            if (advance(c, w)) continue;
            if (c->eof) {
                conn_linger(c);
                break;
            }
            if (!make_room(w)) {
                conn_close(c); /* out of memory */
                break;
            }
        } else if (w != NULL) {
            c->work = NULL;
            work_release(w);
        }
        if (c->tls != NULL && conn_pull(c)) continue;
        if (c->eof && c->work == NULL) {
            conn_linger(c);
            break;
        }
        reading(c, true);
        conn_rearm(c);
        break;
    }
    c->processing = false;
}

void conn_answered(struct conn *c) {
    struct work *w = c->work;
    if (c->state == CONN_CLOSING) return; /* on_closed takes the work */
    if (w->close_after) {
        conn_linger(c);
        return;
    }
    w->start = w->raw;
    w->state = WORK_READING;
    http_parse_reset(&w->parser);
    if (c->processing) return;
    if (w->start == w->len && c->tls == NULL && !c->eof && c->reading) {
        c->work = NULL;
        work_release(w);
        conn_rearm(c);
    } else {
        server_kick(c); /* the next request must not begin inside this one's answer */
    }
}

/* A work with room to read into; NULL: none (no memory, or the buffer waits for its handler). */
static struct work *receiver(struct conn *c) {
    if (c->work == NULL) {
        c->work = work_take(c->server);
        if (c->work != NULL) c->work->conn = c;
    }
    struct work *w = c->work;
    return w != NULL && w->len < w->cap ? w : NULL;
}

/* Moves decrypted bytes into the work's buffer. True: some came. */
bool conn_pull(struct conn *c) {
    if (c->eof) return false;
    struct work *w = receiver(c);
    if (w == NULL) return false;
    ssize_t n = tls_conn_read(c->tls, w->buf + w->len, w->cap - w->len);
    tls_flush(c);
    if (n > 0) {
        w->len += (size_t)n;
        return true;
    }
    if (n == E_CLOSED)
        c->eof = true;
    else if (n < 0)
        conn_close(c);
    if (w->state != WORK_READING || c->state != CONN_OPEN) return false;
    if (w->len != w->start) return c->eof; /* a request that will never be whole */
    c->work = NULL;
    work_release(w);
    return false;
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf) {
    struct conn *c = CONTAINER_OF(handle, struct conn, tcp);
    (void)hint;
    if (c->tls != NULL || c->state == CONN_LINGER) {
        *buf = (uv_buf_t){.base = c->server->scratch, .len = SCRATCH_SIZE};
        return;
    }
    struct work *w = receiver(c);
    *buf = (uv_buf_t){0}; /* reported to on_read as UV_ENOBUFS */
    if (w != NULL) *buf = (uv_buf_t){.base = w->buf + w->len, .len = w->cap - w->len};
}

static void got_eof(struct conn *c) {
    struct work *w = c->work;
    c->eof = true;
    reading(c, false);
    if (c->state == CONN_LINGER) {
        conn_close(c);
    } else if (w != NULL && w->state == WORK_STREAMING) {
        conn_close(c); /* a stream's reader is gone when it closes its side */
    } else if (w == NULL || w->state == WORK_READING) {
        conn_process(c);
        if (c->work != NULL && c->work->state == WORK_READING && c->work->len == c->work->start)
            conn_linger(c);
    } else if (w->state == WORK_RUNNING && w->x.eof != NULL) {
        w->x.eof(&w->x);
    }
    /* else: half-closed, a peer that still waits for its answer */
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    struct conn *c = CONTAINER_OF(stream, struct conn, tcp);
    struct work *w = c->work;
    if (c->state == CONN_CLOSING) return;
    if (n == UV_EOF) {
        got_eof(c);
    } else if (n < 0) {
        conn_close(c);
    } else if (c->state == CONN_LINGER) {
        c->discarded += (size_t)n;
        if (c->discarded > limits(c)->body_max + limits(c)->head_max) conn_close(c);
    } else if (c->tls != NULL) {
        if (n != 0 && tls_conn_feed(c->tls, buf->base, (size_t)n) != 0) {
            tls_flush(c); /* the alert */
            conn_close(c);
            return;
        }
        tls_flush(c);
        conn_process(c);
    } else if (n == 0) {
        if (w->len == w->start && w->state == WORK_READING) {
            c->work = NULL;
            work_release(w);
        }
    } else {
        w->len += (size_t)n;
        conn_process(c);
    }
}
