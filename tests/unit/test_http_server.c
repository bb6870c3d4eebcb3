/* The HTTP server over real sockets; see http_rig.h. Answers are held against RFC 9112 and the
 * outside contract: statuses, framing, what is closed and what stays open. */
#include "base/mem.h"
#include "http_rig.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static struct rig r;
static struct buf out;

static size_t queued(void) {
    struct http_server_stats s;
    http_server_stats(r.server, &s);
    return s.output_queued;
}
static size_t connections(void) {
    struct http_server_stats s;
    http_server_stats(r.server, &s);
    return s.connections;
}

static void keeps_the_connection(void **state) {
    (void)state;
    rig_start(&r, NULL);
    int fd = rig_dial(&r);
    for (int i = 0; i < 3; i++) {
        rig_send(&r, fd, GET("/echo?a=1"));
        CHECK(rig_reply(&r, fd, &out));
        CHECK(str_starts(buf_str(&out), STR("HTTP/1.1 200 OK\r\n")));
        CHECK(HAS(&out, "\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"));
        CHECK(HAS(&out, "\r\nX-Request-Id: req_"));
        CHECK(HAS(&out, "\r\nContent-Type: text/plain\r\n"));
        CHECK(!HAS(&out, "Connection:"));
        CHECK(HAS(&out, "\r\n\r\nGET /echo?a=1 0:"));
    }
    rig_send(&r, fd, "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK(rig_reply(&r, fd, &out));
    CHECK(HAS(&out, "\r\nConnection: close\r\n"));
    CHECK(rig_closed(&r, fd, &out));
    fd = rig_dial(&r);
    rig_send(&r, fd, "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(rig_reply(&r, fd, &out));
    CHECK(HAS(&out, "\r\nConnection: keep-alive\r\n"));
    rig_send(&r, fd, "GET /echo HTTP/1.0\r\n\r\n");
    CHECK(rig_reply(&r, fd, &out));
    CHECK(rig_closed(&r, fd, &out));
    CHECK_INT(r.answered, 6);
    rig_end(&r);
}

static void pipelines_in_order(void **state) {
    (void)state;
    rig_start(&r, NULL);
    int fd = rig_dial(&r);
    struct buf many = {0};
    for (int i = 0; i < 200; i++) {
        if (i % 3 == 0)
            buf_addf(&many, "POST /echo?%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", i);
        else if (i % 3 == 1)
            buf_addf(&many,
                     "POST /echo?%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                     "chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\nX: y\r\n\r\n",
                     i);
        else
            buf_addf(&many, "GET /echo?%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
    }
    rig_send_bytes(&r, fd, many.data, many.len);
    for (int i = 0; i < 200; i++) {
        char expected[64];
        CHECK(rig_reply(&r, fd, &out));
        snprintf(expected, sizeof expected,
                 i % 3 == 2 ? "\r\n\r\nGET /echo?%d 0:" : "\r\n\r\nPOST /echo?%d 3:abc", i);
        CHECK(HAS(&out, expected));
    }
    buf_free(&many);
    close(fd);
    rig_end(&r);
}

/* The next request is not begun before the one before is answered, and never inside its answer. */
static void one_at_a_time(void **state) {
    (void)state;
    rig_start(&r, NULL);
    int fd = rig_dial(&r);
    rig_send(&r, fd, GET("/later") GET("/echo") GET("/later") GET("/echo"));
    rig_turns(&r, 20);
    CHECK_INT(r.handled, 1);
    CHECK(rig_silent(&r, fd));
    http_reply(r.held, 200, NULL, 0, STR("first"));
    CHECK_INT(r.handled, 1);
    CHECK(rig_reply(&r, fd, &out) && HAS(&out, "first"));
    CHECK(rig_reply(&r, fd, &out) && HAS(&out, "GET /echo"));
    rig_turns(&r, 20);
    CHECK_INT(r.handled, 3);
    http_reply(r.held, 200, NULL, 0, STR("second"));
    CHECK(rig_reply(&r, fd, &out) && HAS(&out, "second"));
    CHECK(rig_reply(&r, fd, &out) && HAS(&out, "GET /echo"));
    close(fd);
    rig_end(&r);
}

static void continues(void **state) {
    (void)state;
    rig_start(&r, NULL);
    int fd = rig_dial(&r);
    rig_send(&r, fd,
             "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    rig_until(&r, fd, &out, "\r\n\r\n");
    CHECK_STR(buf_str(&out), "HTTP/1.1 100 Continue\r\n\r\n");
    rig_send(&r, fd, "abc");
    CHECK(rig_reply(&r, fd, &out) && HAS(&out, "POST /echo 3:abc"));
    /* the body is already there: no interim answer */
    rig_send(
        &r, fd,
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx");
    CHECK(rig_reply(&r, fd, &out) && HAS(&out, "POST /echo 1:x"));
    rig_send(
        &r, fd,
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n");
    CHECK(rig_reply(&r, fd, &out));
    CHECK(str_starts(buf_str(&out), STR("HTTP/1.1 413 ")));
    CHECK(rig_closed(&r, fd, &out));
    fd = rig_dial(&r);
    rig_send(&r, fd, "POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\nx");
    CHECK(rig_reply(&r, fd, &out));
    CHECK(str_starts(buf_str(&out), STR("HTTP/1.1 417 ")));
    CHECK(rig_closed(&r, fd, &out));
    CHECK_INT(r.handled, 2);
    rig_end(&r);
}

static void head_has_no_body(void **state) {
    (void)state;
    rig_start(&r, NULL);
    int fd = rig_dial(&r);
    rig_send(&r, fd, "HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n" GET("/echo"));
    CHECK(rig_head_reply(&r, fd, &out));
    CHECK(HAS(&out, "Content-Length: 3145728\r\n"));
    CHECK(rig_reply(&r, fd, &out));
    CHECK(HAS(&out, "GET /echo"));
    rig_send(&r, fd, GET("/none") GET("/echo"));
    CHECK(rig_head_reply(&r, fd, &out));
    CHECK(HAS(&out, "HTTP/1.1 204 No Content\r\n") && !HAS(&out, "Content-Length"));
    CHECK(rig_reply(&r, fd, &out) && HAS(&out, "GET /echo"));
    close(fd);
    rig_end(&r);
}

static void bodies_of_any_size_arrive(void **state) {
    (void)state;
    rig_start(&r, NULL);
    int fd = rig_dial(&r);
    static char body[1 << 20];
    memset(body, 'z', sizeof body);
    for (size_t n = 1; n <= sizeof body; n *= 16) {
        char head[128], expected[64];
        snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                 n);
        snprintf(expected, sizeof expected, "POST /echo %zu:z", n);
        rig_send(&r, fd, head);
        rig_send_bytes(&r, fd, body, n);
        CHECK(rig_reply(&r, fd, &out) && HAS(&out, expected));
        rig_send(&r, fd, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0, k = n / 3 + 1; at < n; at += k) {
            if (k > n - at) k = n - at;
            snprintf(head, sizeof head, "%zx\r\n", k);
            rig_send(&r, fd, head);
            rig_send_bytes(&r, fd, body, k);
            rig_send(&r, fd, "\r\n");
        }
        rig_send(&r, fd, "0\r\n\r\n");
        CHECK(rig_reply(&r, fd, &out) && HAS(&out, expected));
    }
    close(fd);
    rig_end(&r);
}

static void slow_clients_get_408(void **state) {
    (void)state;
    rig_start(&r, NULL);
    int silent = rig_dial(&r), head = rig_dial(&r), body = rig_dial(&r), idle = rig_dial(&r);
    rig_send(&r, idle, GET("/echo"));
    CHECK(rig_reply(&r, idle, &out));
    rig_send(&r, head, "GET / HTTP/1.1\r\nHos");
    rig_send(&r, body, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
    rig_turns(&r, 20);
    rig_pass(&r, 9900);
    rig_send(&r, head, "t"); /* a drip now and then changes nothing */
    CHECK(rig_silent(&r, head) && rig_silent(&r, body) && rig_silent(&r, silent));
    rig_pass(&r, 200);
    CHECK(rig_closed(&r, silent, &out));
    CHECK_INT(out.len, 0);
    CHECK(rig_closed(&r, head, &out));
    CHECK(str_starts(buf_str(&out), STR("HTTP/1.1 408 Request Timeout\r\n")));
    CHECK(HAS(&out, "\"code\":\"REQUEST_TIMEOUT\"") && HAS(&out, "Connection: close\r\n"));
    rig_pass(&r, 19800);
    CHECK(rig_silent(&r, body));
    rig_pass(&r, 200);
    CHECK(rig_closed(&r, body, &out));
    CHECK(str_starts(buf_str(&out), STR("HTTP/1.1 408 ")));
    rig_pass(&r, 29000);
    CHECK(rig_silent(&r, idle));
    rig_pass(&r, 2000);
    CHECK(rig_closed(&r, idle, &out));
    CHECK_INT(out.len, 0);
    CHECK_INT(connections(), 0);
    rig_end(&r);
}

static void errors_are_problems_and_close(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *status, *code;
    } CASES[] = {
        {"GET / HTTP/1.1\r\n\r\n", "400", "INVALID_REQUEST"},
        {"GET / HTTP/1.1\nHost: a\r\n\r\n", "400", "INVALID_REQUEST"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
         "400", "INVALID_REQUEST"},
        {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "505", "INVALID_REQUEST"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\nabc", "413",
         "BODY_TOO_LARGE"},
    };
    rig_start(&r, NULL);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        int fd = rig_dial(&r);
        char expected[128];
        rig_send(&r, fd, GET("/echo"));
        CHECK(rig_reply(&r, fd, &out));
        rig_send(&r, fd, CASES[i].bytes);
        CHECK(rig_reply(&r, fd, &out));
        snprintf(expected, sizeof expected, "HTTP/1.1 %s ", CASES[i].status);
        CHECK(str_starts(buf_str(&out), str_of(expected)));
        CHECK(HAS(&out, "\r\nContent-Type: application/problem+json\r\n"));
        CHECK(HAS(&out, "\r\nConnection: close\r\n"));
        snprintf(expected, sizeof expected, "\"status\":%s,\"code\":\"%s\",\"detail\":\"",
                 CASES[i].status, CASES[i].code);
        CHECK(HAS(&out, expected));
        /* the id of the header is the id of the body */
        ptrdiff_t at = str_search(buf_str(&out), STR("X-Request-Id: "));
        snprintf(expected, sizeof expected, "\"request_id\":\"%.30s\"}", out.data + at + 14);
        CHECK(HAS(&out, expected));
        rig_send(&r, fd, GET("/echo")); /* never served */
        CHECK(rig_closed(&r, fd, &out));
        CHECK_INT(out.len, 0);
    }
    CHECK_INT(r.handled, (int)(sizeof CASES / sizeof CASES[0]));
    struct buf long_one = {0};
    buf_adds(&long_one, "GET /");
    for (int i = 0; i < 5000; i++)
        buf_addc(&long_one, 'a');
    int fd = rig_dial(&r);
    rig_send_bytes(&r, fd, long_one.data, long_one.len);
    CHECK(rig_reply(&r, fd, &out) && HAS(&out, "HTTP/1.1 414 ") && HAS(&out, "\"URI_TOO_LONG\""));
    CHECK(rig_closed(&r, fd, &out));
    buf_clear(&long_one);
    buf_adds(&long_one, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    for (int i = 0; i < 20000; i++)
        buf_addc(&long_one, 'a');
    fd = rig_dial(&r);
    rig_send_bytes(&r, fd, long_one.data, long_one.len);
    CHECK(rig_reply(&r, fd, &out) && HAS(&out, "HTTP/1.1 431 ") && HAS(&out, "HEADERS_TOO_LARGE"));
    CHECK(rig_closed(&r, fd, &out));
    buf_free(&long_one);
    rig_end(&r);
}

/* A peer that goes on sending its large body still gets the answer, not a reset. */
static void too_large_in_the_middle(void **state) {
    (void)state;
    rig_start(&r, NULL);
    int fd = rig_dial(&r);
    static char piece[65536];
    memset(piece, 'p', sizeof piece);
    rig_send(&r, fd, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 24; i++) {
        rig_send(&r, fd, "10000\r\n");
        rig_send_bytes(&r, fd, piece, sizeof piece);
        rig_send(&r, fd, "\r\n");
    }
    CHECK(rig_reply(&r, fd, &out));
    CHECK(str_starts(buf_str(&out), STR("HTTP/1.1 413 ")));
    CHECK(rig_closed(&r, fd, &out));
    CHECK_INT(r.handled, 0);
    /* but not for ever */
    fd = rig_dial(&r);
    rig_send(&r, fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n");
    CHECK(rig_reply(&r, fd, &out));
    CHECK_INT(connections(), 1);
    rig_pass(&r, 2100);
    rig_turns(&r, 10);
    CHECK_INT(connections(), 0);
    close(fd);
    rig_end(&r);
}

static void answers_cannot_be_split(void **state) {
    (void)state;
    rig_start(&r, NULL);
    int fd = rig_dial(&r);
    rig_send(&r, fd, GET("/own"));
    CHECK(rig_reply(&r, fd, &out));
    CHECK(HAS(&out, "Content-Length: 2\r\n") && !HAS(&out, "999") && !HAS(&out, "chunked"));
    CHECK(!HAS(&out, "forged") && !HAS(&out, "never") && !HAS(&out, "upgrade"));
    rig_send(&r, fd, GET("/broken"));
    CHECK(rig_reply(&r, fd, &out));
    CHECK(str_starts(buf_str(&out), STR("HTTP/1.1 500 ")) && !HAS(&out, "Injected"));
    CHECK(rig_closed(&r, fd, &out));
    CHECK_INT(r.last_status, 500);
    rig_end(&r);
}

static void streams(void **state) {
    (void)state;
    rig_start(&r, NULL);
    int fd = rig_dial(&r);
    rig_send(&r, fd, GET("/stream"));
    CHECK(rig_head_reply(&r, fd, &out));
    CHECK(HAS(&out, "Transfer-Encoding: chunked\r\n") && !HAS(&out, "Content-Length"));
    CHECK(http_stream_write(r.held, STR("data: 1\n\n")));
    rig_until(&r, fd, &out, "1\n\n\r\n");
    CHECK_STR(buf_str(&out), "9\r\ndata: 1\n\n\r\n");
    CHECK(http_stream_write(r.held, STR(""))); /* an empty piece would be the last chunk */
    rig_pass(&r, 3600 * 1000);                 /* a stream may live for hours */
    CHECK(http_stream_write(r.held, STR("x")));
    http_stream_end(r.held);
    rig_until(&r, fd, &out, "0\r\n\r\n");
    CHECK_STR(buf_str(&out), "1\r\nx\r\n0\r\n\r\n");
    rig_send(&r, fd, GET("/echo")); /* and the connection lives on */
    CHECK(rig_reply(&r, fd, &out));
    CHECK_INT(r.closed, 0);
    rig_send(&r, fd, "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(rig_head_reply(&r, fd, &out));
    http_stream_write(r.held, STR("nobody sees this"));
    http_stream_end(r.held);
    rig_send(&r, fd, GET("/echo"));
    CHECK(rig_reply(&r, fd, &out));
    CHECK(str_starts(buf_str(&out), STR("HTTP/1.1 200")));
    close(fd);
    fd = rig_dial(&r);
    rig_send(&r, fd, "GET /stream HTTP/1.0\r\n\r\n");
    CHECK(rig_head_reply(&r, fd, &out));
    CHECK(!HAS(&out, "chunked") && HAS(&out, "Connection: close"));
    http_stream_write(r.held, STR("abc"));
    http_stream_end(r.held);
    CHECK(rig_closed(&r, fd, &out));
    CHECK_STR(buf_str(&out), "abc");
    /* the reader leaves */
    fd = rig_dial(&r);
    rig_send(&r, fd, GET("/stream"));
    CHECK(rig_head_reply(&r, fd, &out));
    CHECK_INT(r.closed, 0);
    close(fd);
    rig_turns(&r, 20);
    CHECK_INT(r.closed, 1);
    rig_end(&r);
}

static void slow_readers_are_bounded(void **state) {
    (void)state;
    struct http_limits limits = {.out_soft = 64 << 10, .out_hard = 256 << 10};
    rig_start(&r, &limits);
    static char piece[16 << 10];
    memset(piece, 's', sizeof piece);
    int fd = rig_dial(&r);
    rig_send(&r, fd, GET("/stream"));
    CHECK(rig_head_reply(&r, fd, &out));
    int writes = 0;
    while (http_stream_write(r.held, (struct str){piece, sizeof piece}) && ++writes < 10000)
        rig_turn(&r);
    CHECK(writes < 10000);
    CHECK(queued() > limits.out_soft && queued() < limits.out_soft + 2 * sizeof piece);
    CHECK_INT(r.drained, 0);
    static char sink[1 << 16];
    for (int i = 0; i < 20000 && r.drained == 0; i++) {
        if (recv(fd, sink, sizeof sink, 0) < 0) rig_turn(&r);
        rig_turn(&r);
    }
    CHECK_INT(r.drained, 1);
    CHECK(http_stream_write(r.held, STR("more")));
    /* who writes on regardless is cut, and hears it from the loop */
    struct http_exchange *x = r.held;
    size_t most = 0;
    for (int i = 0; i < 2000; i++) {
        http_stream_write(x, (struct str){piece, sizeof piece});
        if (queued() > most) most = queued();
    }
    CHECK_INT(r.closed, 0);
    CHECK(most <= limits.out_hard + 2 * sizeof piece);
    rig_turns(&r, 20);
    CHECK_INT(r.closed, 1);
    CHECK_INT(queued(), 0);
    close(fd);
    rig_end(&r);
}

/* Answers pile up for a peer that only sends: it is read no further, and then cut. */
static void who_does_not_read_is_not_served(void **state) {
    (void)state;
    rig_start(&r, NULL);
    int fd = rig_dial(&r), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    struct buf many = {0};
    for (int i = 0; i < 400; i++)
        buf_adds(&many, GET("/big"));
    rig_send_bytes(&r, fd, many.data, many.len);
    rig_turns(&r, 200);
    CHECK(r.handled < 4);
    CHECK(queued() < 2 * (3u << 20));
    CHECK_INT(connections(), 1);
    rig_pass(&r, 31000); /* first look: some was taken since it was queued */
    rig_pass(&r, 31000);
    rig_turns(&r, 10);
    CHECK_INT(connections(), 0);
    buf_free(&many);
    close(fd);
    /* a slow but willing reader gets it all */
    fd = rig_dial(&r);
    rig_send(&r, fd, GET("/big"));
    CHECK(rig_head_reply(&r, fd, &out));
    size_t got = 0;
    static char sink[100 << 10];
    for (int i = 0; got < (3u << 20); i++) {
        ssize_t n = recv(fd, sink, sizeof sink, 0);
        if (n > 0) got += (size_t)n;
        if (n > 0) rig_pass(&r, 4000);
        rig_turn(&r);
        CHECK(n != 0 && i < 100000);
    }
    close(fd);
    rig_end(&r);
}

static void peers_that_leave(void **state) {
    (void)state;
    rig_start(&r, NULL);
    int fd = rig_dial(&r);
    rig_send(&r, fd, GET("/later"));
    rig_turns(&r, 20);
    struct http_exchange *x = r.held;
    CHECK(x != NULL && !x->gone);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(fd); /* reset */
    rig_turns(&r, 20);
    CHECK(x->gone);
    CHECK_INT(r.closed, 1);
    CHECK_STR(x->path, "/later"); /* its memory stays */
    http_reply(x, 200, NULL, 0, STR("for nobody"));
    CHECK_INT(r.answered, 1);
    /* one that only closed its sending side still waits */
    fd = rig_dial(&r);
    rig_send(&r, fd, GET("/later"));
    shutdown(fd, SHUT_WR);
    rig_turns(&r, 20);
    CHECK(!r.held->gone);
    http_reply(r.held, 200, NULL, 0, STR("for you"));
    CHECK(rig_closed(&r, fd, &out));
    CHECK(HAS(&out, "for you"));
    /* leaves in the middle of a request */
    fd = rig_dial(&r);
    rig_send(&r, fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    CHECK(shutdown(fd, SHUT_WR) == 0);
    CHECK(rig_closed(&r, fd, &out));
    CHECK_INT(out.len, 0);
    /* a stream begun for one who is gone */
    fd = rig_dial(&r);
    rig_send(&r, fd, GET("/later"));
    rig_turns(&r, 20);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(fd);
    rig_turns(&r, 20);
    CHECK_ERR(http_stream_begin(r.held, 200, NULL, 0, NULL), E_CLOSED);
    rig_end(&r);
}

static void stops_in_order(void **state) {
    (void)state;
    rig_start(&r, NULL);
    int idle = rig_dial(&r), running = rig_dial(&r), stream = rig_dial(&r);
    rig_send(&r, idle, GET("/echo"));
    CHECK(rig_reply(&r, idle, &out));
    rig_send(&r, running, GET("/later") GET("/echo"));
    rig_turns(&r, 20);
    struct http_exchange *x = r.held;
    rig_send(&r, stream, GET("/stream"));
    CHECK(rig_head_reply(&r, stream, &out));
    http_server_stop(r.server, 5000, rig_stopped, &r);
    CHECK(!r.stopped);
    CHECK(rig_closed(&r, idle, &out));
    CHECK_INT(out.len, 0);
    CHECK(rig_closed(&r, stream, &out));
    CHECK_STR(buf_str(&out), "0\r\n\r\n");
    CHECK_INT(r.stopping, 1);
    CHECK_INT(rig_dial(&r), -1);
    CHECK(!r.stopped);
    http_reply(x, 200, NULL, 0, STR("done"));
    CHECK(rig_closed(&r, running, &out));
    CHECK(HAS(&out, "done") && HAS(&out, "Connection: close\r\n"));
    CHECK_INT(r.handled, 3); /* what was pipelined behind it is not begun */
    rig_turns(&r, 10);
    CHECK(r.stopped);
    rig_end(&r);
}

static void stop_is_bounded(void **state) {
    (void)state;
    rig_start(&r, NULL);
    r.no_stop_hook = true;
    int running = rig_dial(&r), stream = rig_dial(&r);
    rig_send(&r, running, GET("/later"));
    rig_turns(&r, 20);
    struct http_exchange *x = r.held;
    rig_send(&r, stream, GET("/stream"));
    CHECK(rig_head_reply(&r, stream, &out));
    http_server_stop(r.server, 5000, rig_stopped, &r);
    CHECK(rig_closed(&r, stream, &out)); /* ended by the server, its owner told */
    CHECK_STR(buf_str(&out), "0\r\n\r\n");
    CHECK_INT(r.closed, 1);
    rig_pass(&r, 4900);
    CHECK(!r.stopped);
    rig_pass(&r, 200);
    rig_turns(&r, 10);
    CHECK(r.stopped);
    CHECK(x->gone);
    close(running);
    http_server_delete(r.server);
    http_reply(x, 200, NULL, 0, STR("much too late")); /* frees what was left */
    loop_delete(r.loop);
}

static void caps_connections(void **state) {
    (void)state;
    struct http_limits limits = {.connections_max = 2, .requests_max = 3};
    rig_start(&r, &limits);
    int a = rig_dial(&r), b = rig_dial(&r), c = rig_dial(&r);
    rig_send(&r, a, GET("/echo"));
    rig_send(&r, b, GET("/echo"));
    rig_send(&r, c, GET("/echo"));
    CHECK(rig_reply(&r, a, &out) && rig_reply(&r, b, &out));
    CHECK(rig_silent(&r, c)); /* waits in the kernel */
    close(a);
    CHECK(rig_reply(&r, c, &out));
    rig_send(&r, c, GET("/echo"));
    CHECK(rig_reply(&r, c, &out) && !HAS(&out, "Connection: close"));
    rig_send(&r, c, GET("/echo"));
    CHECK(rig_reply(&r, c, &out) && HAS(&out, "Connection: close"));
    CHECK(rig_closed(&r, c, &out));
    close(b);
    rig_end(&r);
}

/* In a child, for the limit stays with the process. */
static void survives_without_descriptors(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        int fds[64], n = 0;
        rig_start(&r, NULL);
        int served = rig_dial(&r), late = rig_dial(&r);
        rig_send(&r, served, GET("/echo"));
        if (!rig_reply(&r, served, &out)) _exit(1);
        rig_turns(&r, 10);
        int more = rig_dial(&r); /* connected in the kernel, not accepted yet */
        int highest = dup(0);
        struct rlimit limit = {(rlim_t)highest, (rlim_t)highest};
        close(highest);
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(2);
        while (n < 64 && (fds[n] = dup(0)) >= 0)
            n++;
        bool clean = rig_closed(&r, more, &out); /* closed at once, by the reserve */
        struct http_server_stats stats;
        http_server_stats(r.server, &stats);
        if (!clean || stats.refused != 1) _exit(3);
        rig_send(&r, served, GET("/echo")); /* who is in is served on */
        if (!rig_reply(&r, served, &out)) _exit(4);
        close(late);
        rig_turns(&r, 20);
        int again = rig_dial(&r);
        rig_send(&r, again, GET("/echo"));
        rig_turns(&r, 20);
        rig_pass(&r, 200); /* rested; now a descriptor is free again */
        if (!rig_reply(&r, again, &out)) _exit(5);
        _exit(0);
    }
    int status = 0;
    CHECK(child > 0);
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
}

static void ask_peer(const char *headers) {
    char text[512];
    int fd = rig_dial(&r);
    snprintf(text, sizeof text, "GET /peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n",
             headers);
    rig_send(&r, fd, text);
    CHECK(rig_closed(&r, fd, &out));
}

static void believes_only_its_proxies(void **state) {
    (void)state;
    rig_start(&r, NULL);
    ask_peer("X-Forwarded-For: 9.9.9.9\r\nX-Request-Id: mine\r\n");
    CHECK(HAS(&out, "\r\n\r\n127.0.0.1 req_") && !HAS(&out, "mine"));
    rig_end(&r);
    const struct str proxies[] = {STR("127.0.0.0/8"), STR("10.1.0.0/16"), STR("fd00::/8")};
    struct http_server_options o = {.trusted_proxies = proxies, .trusted_proxy_count = 3};
    rig_start_with(&r, &o);
    ask_peer("X-Forwarded-For: 9.9.9.9\r\nX-Request-Id: mine-1.2_3\r\n");
    CHECK(HAS(&out, "\r\n\r\n9.9.9.9 mine-1.2_3") && HAS(&out, "X-Request-Id: mine-1.2_3\r\n"));
    ask_peer("X-Forwarded-For: 1.1.1.1, 9.9.9.9, 10.1.2.3\r\n"); /* rightmost that is not ours */
    CHECK(HAS(&out, "\r\n\r\n9.9.9.9 "));
    ask_peer("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 8.8.8.8,fd00::1\r\n");
    CHECK(HAS(&out, "\r\n\r\n8.8.8.8 "));
    ask_peer("X-Forwarded-For: 10.2.0.1\r\n"); /* just outside the range */
    CHECK(HAS(&out, "\r\n\r\n10.2.0.1 "));
    ask_peer("X-Forwarded-For: 9.9.9.9, rubbish\r\n");
    CHECK(HAS(&out, "\r\n\r\n127.0.0.1 "));
    ask_peer("X-Forwarded-For: 9.9.9.9:80\r\n");
    CHECK(HAS(&out, "\r\n\r\n127.0.0.1 "));
    ask_peer("X-Request-Id: a\"b\r\n");
    CHECK(HAS(&out, " req_"));
    ask_peer("X-Request-Id: 1234567890123456789012345678901234567890\r\n"); /* too long */
    CHECK(HAS(&out, " req_"));
    ask_peer("X-Request-Id: a-4111111111111111\r\n"); /* it would be kept with the answer */
    CHECK(HAS(&out, " req_") && !HAS(&out, "4111"));
    rig_end(&r);
    const struct str wrong[] = {STR("127.0.0.0/33"), STR("a"), STR("1.2.3.4/"), STR("::/129"),
                                STR("")};
    for (int i = 0; i < 5; i++) {
        struct http_server *s;
        CHECK_OK(loop_uv_new(&r.loop, &r.clock));
        o = (struct http_server_options){
            .loop = r.loop, .trusted_proxies = &wrong[i], .trusted_proxy_count = 1};
        CHECK_ERR(http_server_new(&s, &o), E_SYNTAX);
        loop_delete(r.loop);
    }
}

static void listening_says_what_is_wrong(void **state) {
    (void)state;
    struct why why = {0};
    rig_start(&r, NULL);
    CHECK_ERR(http_server_listen(r.server, r.address, false, &why), E_BUSY);
    CHECK(strstr(why.text, "in use") != NULL && strstr(why.text, "--listen") != NULL);
    CHECK_ERR(http_server_listen(r.server, "8080", false, &why), E_INVAL);
    CHECK_ERR(http_server_listen(r.server, "127.0.0.1:99999", false, &why), E_INVAL);
    CHECK_ERR(http_server_listen(r.server, "127.0.0.1:http", false, &why), E_INVAL);
    CHECK_ERR(http_server_listen_fd(r.server, 0, &why), E_INVAL);
    /* a socket as systemd hands it over: shared, and ours to keep open */
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK_INT(listen(fd, 8), 0);
    CHECK_OK(http_server_listen_fd(r.server, fd, &why));
    close(fd);
    CHECK_OK(http_server_listen(r.server, "[::1]:0", true, &why));
    rig_end(&r);
    /* two workers on one port */
    struct rig second;
    rig_start(&r, NULL);
    rig_start(&second, NULL);
    char shared[64];
    CHECK_OK(http_server_listen(r.server, "127.0.0.1:0", true, &why));
    int probe = socket(AF_INET, SOCK_STREAM, 0);
    close(probe);
    snprintf(shared, sizeof shared, "%s", r.address);
    CHECK_ERR(http_server_listen(second.server, shared, true, &why), E_BUSY);
    rig_end(&second);
    rig_end(&r);
}

/* Each allocation of one exchange fails once: an answer or a closed connection, never a leak. */
static void survives_without_memory(void **state) {
    (void)state;
#ifdef LUWAK_FAULTS
    int64_t live = mem_live();
    bool failed = true;
    for (uint64_t nth = 1; failed && nth < 200; nth++) {
        rig_start(&r, NULL);
        int fd = rig_dial(&r);
        CHECK(buf_reserve(&out, 65536) != NULL); /* the test itself must not run out */
        mem_fail_at(nth, 0);
        rig_send(&r, fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6000\r\n\r\n");
        static char body[6001];
        memset(body, 'm', 6000);
        rig_send(&r, fd, body);
        bool whole = rig_reply(&r, fd, &out);
        if (whole) {
            rig_send(&r, fd, GET("/stream"));
            if (rig_head_reply(&r, fd, &out) && r.held != NULL) {
                http_stream_write(r.held, STR("x"));
                if (r.held != NULL) http_stream_end(r.held);
            }
        }
        failed = mem_has_failed();
        mem_fail_at(0, 0);
        if (!failed) CHECK(whole);
        close(fd);
        rig_turns(&r, 10);
        rig_end(&r);
        buf_free(&out);
        CHECK_INT(mem_live(), live);
    }
    CHECK(!failed);
#endif
}

/* 2,000 open streams: what one costs. (Sockets of both sides are this process's.) */
static void open_streams_are_cheap(void **state) {
    (void)state;
    enum { N = 400 };
    static int fds[N];
    rig_start(&r, NULL);
    int64_t blocks = 0;
#ifdef LUWAK_FAULTS
    blocks = mem_live();
#endif
    for (int i = 0; i < N; i++) {
        fds[i] = rig_dial(&r);
        rig_send(&r, fds[i], GET("/stream"));
        CHECK(rig_head_reply(&r, fds[i], &out));
    }
#ifdef LUWAK_FAULTS
    CHECK(mem_live() - blocks <= 2 * N + 8); /* a conn and a work each */
#endif
    (void)blocks;
    for (int i = 0; i < N; i++)
        close(fds[i]);
    rig_turns(&r, 50);
    CHECK_INT(r.closed, N);
    rig_end(&r);
}

static int teardown(void **state) {
    (void)state;
    buf_free(&out);
    return 0;
}

int main(int argc, char **argv) {
#define T(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        T(keeps_the_connection),
        T(pipelines_in_order),
        T(one_at_a_time),
        T(continues),
        T(head_has_no_body),
        T(bodies_of_any_size_arrive),
        T(slow_clients_get_408),
        T(errors_are_problems_and_close),
        T(too_large_in_the_middle),
        T(answers_cannot_be_split),
        T(streams),
        T(slow_readers_are_bounded),
        T(who_does_not_read_is_not_served),
        T(peers_that_leave),
        T(stops_in_order),
        T(stop_is_bounded),
        T(caps_connections),
        T(survives_without_descriptors),
        T(believes_only_its_proxies),
        T(listening_says_what_is_wrong),
        T(survives_without_memory),
        T(open_streams_are_cheap),
    };
    return unit_main(argc, argv, "http_server", tests, sizeof tests / sizeof tests[0]);
}
