/* HTTP answers: one buffer of the server is reused to build each head, the body is sent from where
 * it lies, and both leave in one write. What comes from the handler cannot break the framing: the
 * fields that frame are ours alone, and a name that is no token or a value with control characters
 * turns the answer into a 500. */
#include "net/http_private.h"

#include "net/exchange.h"
#include "net/problem.h"

#include <stdio.h>
#include <time.h>

static struct work *of(struct http_exchange *x) {
    return (struct work *)x; /* its first member */
}

struct str http_header(const struct http_exchange *x, const char *lower_name) {
    struct str name = str_of(lower_name);
    for (size_t i = 0; i < x->header_count; i++)
        if (str_eq(x->headers[i].name, name)) return x->headers[i].value;
    return (struct str){"", 0};
}

static const char *reason(int status) {
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return ""; /* the phrase is optional */
    }
}

static void add_date(struct http_server *s) {
    int64_t second = clock_now_ms(loop_clock(s->loop)) / 1000;
    if (second != s->date_second) {
        static const char *const DAY[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static const char *const MONTH[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        struct tm tm;
        time_t t = (time_t)second;
        gmtime_r(&t, &tm);
        int n = snprintf(s->date, sizeof s->date, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                         DAY[tm.tm_wday], tm.tm_mday, MONTH[tm.tm_mon], tm.tm_year + 1900,
                         tm.tm_hour, tm.tm_min, tm.tm_sec);
        s->date_len = n > 0 && (size_t)n < sizeof s->date ? (size_t)n : 0;
        s->date_second = second;
    }
    buf_add(&s->head, s->date, s->date_len);
}

static bool ours(struct str name) {
    switch (name.n) {
    case 4: return str_eq_nocase(name, STR("date"));
    case 10:
        return str_eq_nocase(name, STR("connection")) || str_eq_nocase(name, STR("keep-alive"));
    case 12: return str_eq_nocase(name, STR("x-request-id"));
    case 14: return str_eq_nocase(name, STR("content-length"));
    case 17: return str_eq_nocase(name, STR("transfer-encoding"));
    default: return false;
    }
}

static bool bodiless(int status) {
    return status == 204 || status == 304;
}

/* Builds the head in s->head. `length` < 0: the body comes in pieces. */
static int build_head(struct work *w, int status, const struct http_header *headers, size_t count,
                      int64_t length) {
    struct http_server *s = w->server;
    struct buf *b = &s->head;
    buf_clear(b);
    if (status == 200)
        buf_add(b, "HTTP/1.1 200 OK\r\n", 17);
    else
        buf_addf(b, "HTTP/1.1 %d %s\r\n", status, reason(status));
    for (size_t i = 0; i < count; i++) {
        if (!header_name_ok(headers[i].name) || !header_value_ok(headers[i].value)) return E_INVAL;
        if (ours(headers[i].name)) continue;
        buf_addstr(b, headers[i].name);
        buf_add(b, ": ", 2);
        buf_addstr(b, headers[i].value);
        buf_add(b, "\r\n", 2);
    }
    if (length >= 0 && !bodiless(status)) {
        buf_add(b, "Content-Length: ", 16);
        buf_addi(b, length);
        buf_add(b, "\r\n", 2);
    }
    if (length < 0 && w->chunked_reply) buf_adds(b, "Transfer-Encoding: chunked\r\n");
    add_date(s);
    buf_adds(b, w->x.more);
    buf_add(b, "X-Request-Id: ", 14);
    buf_adds(b, w->x.request_id);
    if (w->close_after)
        buf_adds(b, "\r\nConnection: close\r\n\r\n");
    else if (!w->parser.minor_one)
        buf_adds(b, "\r\nConnection: keep-alive\r\n\r\n");
    else
        buf_add(b, "\r\n\r\n", 4);
    return b->err;
}

/* The last thing done with an exchange whose connection is still there. */
static void answered(struct work *w, int status, uint64_t bytes) {
    struct http_server *s = w->server;
    if (s->options.answered != NULL) s->options.answered(&w->x, status, bytes, s->options.data);
    w->state = WORK_ANSWERED;
    s->stats.running--;
}

/* The peer is gone for good: only the memory is left. */
static void bury(struct work *w, int status) {
    struct http_server *s = w->server;
    if (!s->deleted && s->options.answered != NULL)
        s->options.answered(&w->x, status, 0, s->options.data);
    s->stats.running--;
    work_release(w);
    server_conn_gone(s);
}

static void send_whole(struct work *w, struct str body, int status) {
    struct http_server *s = w->server;
    uv_buf_t bufs[2] = {{.base = s->head.data, .len = s->head.len},
                        {.base = (char *)body.p, .len = body.n}};
    bool without = w->head_request || bodiless(status) || body.n == 0;
    conn_send(w->conn, bufs, without ? 1 : 2);
}

void http_problem(struct http_exchange *x, struct problem problem, const struct http_header *more) {
    struct http_header headers[2] = {{STR("Content-Type"), STR(PROBLEM_TYPE)}};
    struct buf body = {0};
    problem.request_id = str_of(x->request_id);
    problem_write(&body, &problem);
    if (more != NULL) headers[1] = *more;
    http_reply(x, problem.status != 0 ? problem.status : problem_status(problem.code), headers,
               more == NULL ? 1 : 2, buf_str(&body));
    buf_free(&body);
}

/* A head that cannot be built: say so, without the handler's fields. */
static void reply_broken(struct work *w) {
    struct http_server *s = w->server;
    struct problem p = {.code = PROBLEM_INTERNAL_ERROR, .request_id = str_of(w->x.request_id)};
    struct http_header type = {STR("Content-Type"), STR(PROBLEM_TYPE)};
    buf_clear(&s->body);
    problem_write(&s->body, &p);
    w->close_after = true;
    if (s->body.err != 0 || build_head(w, 500, &type, 1, (int64_t)s->body.len) != 0)
        conn_close(w->conn);
    else
        send_whole(w, buf_str(&s->body), 500);
}

void http_reply(struct http_exchange *x, int status, const struct http_header *headers,
                size_t count, struct str body) {
    if (x->answer != NULL) {
        x->answer(x, status, headers, count, body);
        return;
    }
    struct work *w = of(x);
    ENSURE(w->state == WORK_RUNNING);
    ENSURE(status >= 200 && status <= 599);
    struct conn *c = w->conn;
    if (c == NULL) {
        bury(w, status);
        return;
    }
    if (c->state == CONN_OPEN) {
        if (w->server->stopping) w->close_after = true;
        if (build_head(w, status, headers, count, (int64_t)body.n) != 0) {
            reply_broken(w);
            status = 500;
        } else {
            send_whole(w, body, status);
        }
    }
    answered(w, status, w->head_request ? 0 : body.n);
    conn_answered(c);
}

void reply_continue(struct conn *c) {
    static char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t buf = {.base = CONTINUE, .len = sizeof CONTINUE - 1};
    conn_send(c, &buf, 1);
}

/* The server's own answer to what never became an exchange; the connection ends with it. */
void reply_error(struct conn *c, int status, const char *detail) {
    struct work *w = c->work;
    struct http_server *s = w->server;
    struct http_exchange *x = &w->x;
    const struct http_parse *p = &w->parser;
    const char *head = w->buf + w->start;
    memset(x, 0, sizeof *x);
    server_make_id(s, x->request_id);
    memcpy(x->peer, c->peer, sizeof c->peer);
    x->tls = c->tls != NULL;
    x->received_ms = clock_now_ms(loop_clock(s->loop));
    x->method = (struct str){head + p->method, p->method_len};
    if (p->target_len != 0) {
        x->target = (struct str){head + p->target, p->target_len};
        x->path = (struct str){x->target.p, p->path_len};
    }
    w->head_request = str_eq(x->method, STR("HEAD"));
    w->close_after = true;
    w->chunked_reply = false;
    w->parser.minor_one = true;
    struct problem problem = {.code = problem_of_status(status),
                              .status = status,
                              .detail = str_of(detail),
                              .request_id = str_of(x->request_id)};
    struct http_header type = {STR("Content-Type"), STR(PROBLEM_TYPE)};
    buf_clear(&s->body);
    problem_write(&s->body, &problem);
    s->stats.errors++;
    s->stats.running++;
    w->state = WORK_RUNNING;
    if (s->body.err != 0 || build_head(w, status, &type, 1, (int64_t)s->body.len) != 0)
        conn_close(c);
    else
        send_whole(w, buf_str(&s->body), status);
    answered(w, status, s->body.len);
    conn_answered(c);
}

/* ---- answers in pieces ---- */

int http_stream_begin(struct http_exchange *x, int status, const struct http_header *headers,
                      size_t count, const struct http_stream_hooks *hooks) {
    struct work *w = of(x);
    ENSURE(w->state == WORK_RUNNING);
    struct conn *c = w->conn;
    if (c == NULL) {
        bury(w, status);
        return E_CLOSED;
    }
    int err = E_CLOSED;
    if (c->state == CONN_OPEN && !c->eof) {
        w->chunked_reply = w->parser.minor_one && !bodiless(status);
        /* without chunks the end of the connection is the end of the body */
        if (w->server->stopping || !w->parser.minor_one) w->close_after = true;
        err = build_head(w, status, headers, count, -1);
        if (err == 0) {
            w->hooks = hooks;
            w->state = WORK_STREAMING;
            w->status = status;
            w->sent = 0;
            w->blocked = false;
            send_whole(w, (struct str){"", 0}, status);
            conn_rearm(c);
            return 0;
        }
        reply_broken(w);
        status = 500;
    }
    answered(w, status, 0);
    if (c->state == CONN_OPEN && c->eof) w->close_after = true;
    conn_answered(c);
    return err;
}

bool http_stream_write(struct http_exchange *x, struct str data) {
    struct work *w = of(x);
    ENSURE(w->state == WORK_STREAMING);
    struct conn *c = w->conn;
    if (c == NULL || c->state != CONN_OPEN) return false;
    if (data.n != 0 && !w->head_request && !bodiless(w->status)) {
        char size[20];
        int n = snprintf(size, sizeof size, "%zx\r\n", data.n);
        uv_buf_t bufs[3] = {{.base = size, .len = (size_t)n},
                            {.base = (char *)data.p, .len = data.n},
                            {.base = (char *)"\r\n", .len = 2}};
        w->sent += data.n;
        conn_send(c, w->chunked_reply ? bufs : bufs + 1, w->chunked_reply ? 3 : 1);
        if (c->queued > w->server->options.limits.out_hard) {
            w->server->stats.cut++;
            conn_close(c);
        }
    }
    if (c->state != CONN_OPEN) return false;
    if (c->queued > w->server->options.limits.out_soft) w->blocked = true;
    return !w->blocked;
}

void http_stream_end(struct http_exchange *x) {
    struct work *w = of(x);
    ENSURE(w->state == WORK_STREAMING);
    struct conn *c = w->conn;
    if (c == NULL) {
        bury(w, w->status);
        return;
    }
    if (c->state == CONN_OPEN && w->chunked_reply && !w->head_request) {
        uv_buf_t last = {.base = (char *)"0\r\n\r\n", .len = 5};
        conn_send(c, &last, 1);
    }
    if (w->server->stopping) w->close_after = true;
    answered(w, w->status, w->sent);
    conn_answered(c);
}

void stream_drained(struct work *w) {
    w->blocked = false;
    if (w->hooks != NULL && w->hooks->drained != NULL) w->hooks->drained(&w->x);
}

void stream_closed(struct work *w) {
    struct http_server *s = w->server;
    w->conn = NULL;
    w->x.gone = true;
    if (s->options.answered != NULL)
        s->options.answered(&w->x, w->status, w->sent, s->options.data);
    if (w->hooks != NULL && w->hooks->closed != NULL) w->hooks->closed(&w->x);
    s->stats.running--;
    work_release(w);
}

void stream_stopping(struct work *w) {
    struct conn *c = w->conn;
    if (w->hooks != NULL && w->hooks->stopping != NULL) {
        w->hooks->stopping(&w->x);
        return;
    }
    if (w->chunked_reply && !w->head_request) {
        uv_buf_t last = {.base = (char *)"0\r\n\r\n", .len = 5};
        conn_send(c, &last, 1);
    }
    if (c->state == CONN_OPEN) conn_linger(c); /* closed is called when it is gone */
}
