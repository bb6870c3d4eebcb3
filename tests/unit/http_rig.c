#include "http_rig.h"

#include "base/mem.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define TURNS_MAX 20000 /* of up to a millisecond: then the test hangs and fails */

static void stream_drained(struct http_exchange *x) {
    ((struct rig *)x->user)->drained++;
}
static void stream_closed(struct http_exchange *x) {
    struct rig *r = x->user;
    r->closed++;
    if (r->held == x) r->held = NULL;
}
static void stream_stopping(struct http_exchange *x) {
    ((struct rig *)x->user)->stopping++;
    ((struct rig *)x->user)->held = NULL;
    http_stream_end(x);
}
static const struct http_stream_hooks HOOKS = {stream_drained, stream_closed, stream_stopping};
static const struct http_stream_hooks HOOKS_WITHOUT_STOP = {stream_drained, stream_closed, NULL};

static void later_closed(struct http_exchange *x) {
    ((struct rig *)x->user)->closed++;
}

static void handle(struct http_exchange *x, void *data) {
    struct rig *r = data;
    r->handled++;
    x->user = r;
    struct http_header type = {STR("Content-Type"), STR("text/plain")};
    if (str_eq(x->path, STR("/later"))) {
        x->closed = later_closed;
        r->held = x;
        r->held_count++;
    } else if (str_eq(x->path, STR("/stream"))) {
        struct http_header sse = {STR("Content-Type"), STR("text/event-stream")};
        r->held = x;
        if (http_stream_begin(x, 200, &sse, 1, r->no_stop_hook ? &HOOKS_WITHOUT_STOP : &HOOKS) != 0)
            r->held = NULL;
    } else if (str_eq(x->path, STR("/big"))) {
        static char big[3 << 20];
        memset(big, 'b', sizeof big);
        http_reply(x, 200, &type, 1, (struct str){big, sizeof big});
    } else if (str_eq(x->path, STR("/broken"))) {
        struct http_header bad = {STR("Location"), STR("/\r\nX-Injected: 1")};
        http_reply(x, 302, &bad, 1, STR(""));
    } else if (str_eq(x->path, STR("/own"))) {
        const struct http_header own[] = {{STR("content-length"), STR("999")},
                                          {STR("Transfer-Encoding"), STR("chunked")},
                                          {STR("X-Request-Id"), STR("forged")},
                                          {STR("Date"), STR("never")},
                                          {STR("Connection"), STR("upgrade")}};
        http_reply(x, 200, own, 5, STR("ok"));
    } else if (str_eq(x->path, STR("/none"))) {
        http_reply(x, 204, NULL, 0, STR("dropped"));
    } else {
        char text[512];
        int n = str_eq(x->path, STR("/peer"))
                    ? snprintf(text, sizeof text, "%s %s", x->peer, x->request_id)
                    : snprintf(text, sizeof text, "%.*s %.*s %zu:%.*s", STR_FMT(x->method),
                               STR_FMT(x->target), x->body.n, x->body.n < 64 ? (int)x->body.n : 64,
                               x->body.p);
        http_reply(x, 200, &type, 1, (struct str){text, (size_t)n});
    }
}

static void answered(const struct http_exchange *x, int status, uint64_t bytes, void *data) {
    struct rig *r = data;
    (void)bytes;
    CHECK(x->request_id[0] != '\0');
    r->answered++;
    r->last_status = status;
}

void rig_start_with(struct rig *r, const struct http_server_options *options) {
    memset(r, 0, sizeof *r);
    clock_virtual(&r->clock, 1767225600000); /* 2026-01-01T00:00:00Z, a Thursday */
    rng_system(&r->rng);
    CHECK_OK(loop_uv_new(&r->loop, &r->clock));
    r->options = *options;
    r->options.loop = r->loop;
    r->options.rng = &r->rng;
    r->options.handle = handle;
    r->options.answered = answered;
    r->options.data = r;
    struct why why = {0};
    CHECK_OK(http_server_new(&r->server, &r->options));
    CHECK_OK(http_server_listen(r->server, "127.0.0.1:0", false, &why));
    CHECK_OK(http_server_address(r->server, r->address, sizeof r->address));
    r->port = atoi(strrchr(r->address, ':') + 1);
}

void rig_start(struct rig *r, const struct http_limits *limits) {
    struct http_server_options o = {0};
    if (limits != NULL) o.limits = *limits;
    rig_start_with(r, &o);
}

void rig_turn(struct rig *r) {
    uv_run(loop_uv_handle(r->loop), UV_RUN_NOWAIT);
}

void rig_turns(struct rig *r, int n) {
    while (n-- > 0)
        rig_turn(r);
}

static void nothing(struct timer *t) {
    (void)t;
}

void rig_pass(struct rig *r, uint64_t ms) {
    timer_start(r->loop, &r->poke, 0, nothing); /* makes the loop look at its timers */
    clock_virtual_advance(&r->clock, ms * 1000000u);
    rig_turns(r, 5);
}

void rig_stopped(void *data) {
    ((struct rig *)data)->stopped = true;
}

void rig_end(struct rig *r) {
    if (!r->stopped) http_server_stop(r->server, 1000, rig_stopped, r);
    rig_turns(r, 5);
    if (!r->stopped) rig_pass(r, 1001);
    for (int i = 0; i < TURNS_MAX && !r->stopped; i++)
        rig_turn(r);
    CHECK(r->stopped);
    struct http_server_stats stats;
    http_server_stats(r->server, &stats);
    CHECK_INT(stats.connections, 0);
    CHECK_INT(stats.output_queued, 0);
    http_server_delete(r->server);
    loop_delete(r->loop);
}

static void rest(struct rig *r, int i) {
    rig_turn(r);
    if (i > 50) nanosleep(&(struct timespec){0, 500000}, NULL);
}

int rig_dial(struct rig *r) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)r->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(fd >= 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

void rig_send_bytes(struct rig *r, int fd, const char *data, size_t n) {
    for (int i = 0; n != 0 && i < TURNS_MAX; i++) {
        ssize_t k = send(fd, data, n, MSG_NOSIGNAL);
        if (k > 0) {
            data += k;
            n -= (size_t)k;
        } else if (errno != EAGAIN) {
            return; /* the server closed: what it said can still be read */
        }
        rest(r, i);
    }
    CHECK_INT(n, 0);
}

void rig_send(struct rig *r, int fd, const char *text) {
    rig_send_bytes(r, fd, text, strlen(text));
}

/* One byte: 1, 0 at the end, -1 reset. */
static int next_byte(struct rig *r, int fd, char *c) {
    for (int i = 0; i < TURNS_MAX; i++) {
        ssize_t n = recv(fd, c, 1, 0);
        if (n >= 0) return (int)n;
        if (errno != EAGAIN) return -1;
        rest(r, i);
    }
    fail_msg("nothing came");
    return -1;
}

bool rig_head_reply(struct rig *r, int fd, struct buf *out) {
    char c;
    buf_clear(out);
    while (!str_ends(buf_str(out), STR("\r\n\r\n"))) {
        if (next_byte(r, fd, &c) <= 0) return false;
        buf_addc(out, c);
    }
    return true;
}

bool rig_reply(struct rig *r, int fd, struct buf *out) {
    if (!rig_head_reply(r, fd, out)) return false;
    ptrdiff_t at = str_search(buf_str(out), STR("Content-Length: "));
    long left = at < 0 ? 0 : strtol(out->data + at + 16, NULL, 10);
    char piece[65536];
    for (int i = 0; left > 0; i++) {
        ssize_t n = recv(fd, piece, (size_t)left < sizeof piece ? (size_t)left : sizeof piece, 0);
        if (n > 0) {
            buf_add(out, piece, (size_t)n);
            left -= n;
            i = 0;
        } else if (n == 0 || errno != EAGAIN) {
            return false;
        }
        CHECK(i < TURNS_MAX);
        rest(r, i);
    }
    return true;
}

void rig_until(struct rig *r, int fd, struct buf *out, const char *text) {
    char c;
    buf_clear(out);
    while (!HAS(out, text)) {
        if (next_byte(r, fd, &c) <= 0) fail_msg("closed before \"%s\"", text);
        buf_addc(out, c);
    }
}

bool rig_closed(struct rig *r, int fd, struct buf *out) {
    char c;
    int n;
    buf_clear(out);
    while ((n = next_byte(r, fd, &c)) == 1)
        buf_addc(out, c);
    close(fd);
    rig_turns(r, 5);
    return n == 0;
}

bool rig_silent(struct rig *r, int fd) {
    char c;
    rig_turns(r, 20);
    return recv(fd, &c, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}
