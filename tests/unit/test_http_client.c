/* The HTTP client against servers that misbehave on 127.0.0.1. What must hold: every failure has
 * its own name, `sent` is never false when the server saw a byte, an effect arrives once, and no
 * spelling of an address leads where it must not.
 *
 * getaddrinfo is our own here (the linker hands it to libcurl as well), so that names resolve to
 * what a test says, and differently the second time. */
#include "base/ensure.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "net/http_client.h"
#include "tcp_server.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

/* ---- names ---- */

static struct {
    const char *name;
    const char *addresses[3]; /* the first answer, the second ..; the last one stays */
    int asked;
} names[8];
static size_t name_count;
static _Atomic int resolver_delay_ms;

static void name_is(const char *name, const char *first, const char *then) {
    names[name_count].name = name;
    names[name_count].addresses[0] = first;
    names[name_count].addresses[1] = then == NULL ? first : then;
    names[name_count++].asked = 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **out) {
    for (int ms = atomic_load(&resolver_delay_ms); ms > 0; ms -= 10)
        usleep(10000);
    for (size_t i = 0; i < name_count; i++) {
        if (strcmp(names[i].name, node) != 0) continue;
        const char *text = names[i].addresses[names[i].asked++ == 0 ? 0 : 1];
        struct {
            struct addrinfo info;
            struct sockaddr_storage sa;
        } *entry = calloc(1, sizeof *entry);
        bool v6 = strchr(text, ':') != NULL;
        entry->info.ai_family = v6 ? AF_INET6 : AF_INET;
        entry->info.ai_socktype = hints->ai_socktype;
        entry->info.ai_protocol = hints->ai_protocol;
        entry->info.ai_addr = (struct sockaddr *)&entry->sa;
        entry->info.ai_addrlen = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
        entry->sa.ss_family = (sa_family_t)entry->info.ai_family;
        uint16_t port = htons((uint16_t)atoi(service));
        if (v6) {
            inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&entry->sa)->sin6_addr);
            ((struct sockaddr_in6 *)&entry->sa)->sin6_port = port;
        } else {
            inet_pton(AF_INET, text, &((struct sockaddr_in *)&entry->sa)->sin_addr);
            ((struct sockaddr_in *)&entry->sa)->sin_port = port;
        }
        *out = &entry->info;
        return 0;
    }
    return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *info) {
    free(info);
}

/* ---- a loop, a client, and one request at a time ---- */

static struct clock the_clock;
static struct loop *loop;
static struct transport *client;
static struct http_client_options options;
static int64_t live_before;

struct result {
    bool done;
    int err;
    int status;
    bool sent;
    char name[32];
    char text[192];
    char head[8192]; /* "name: value\n" each */
    char *body;
    size_t body_size;
};

static void keep(const struct http_answer *a, void *data) {
    struct result *r = data;
    CHECK(!r->done);
    r->done = true;
    r->err = a->err;
    r->status = a->status;
    r->sent = a->sent;
    memcpy(r->name, a->name, sizeof r->name);
    memcpy(r->text, a->text, sizeof r->text);
    size_t at = 0;
    for (size_t i = 0; i < a->header_count && at < sizeof r->head; i++)
        at += (size_t)snprintf(r->head + at, sizeof r->head - at, "%.*s: %.*s\n",
                               STR_FMT(a->headers[i].name), STR_FMT(a->headers[i].value));
    r->body = malloc(a->body.n + 1);
    memcpy(r->body, a->body.p, a->body.n);
    r->body[a->body.n] = '\0';
    r->body_size = a->body.n;
    loop_stop(loop);
}

static struct result last; /* of the latest fetch */

static void forget(struct result *r) {
    free(r->body);
    *r = (struct result){0};
}

static const char *fetch_out(const struct http_out *out) {
    forget(&last);
    CHECK_OK(client->start(client, out, keep, &last, NULL));
    CHECK(!last.done); /* never from inside start */
    loop_uv_run(loop);
    CHECK(last.done);
    if (last.name[0] != '\0') CHECK(last.err != 0 && last.text[0] != '\0');
    return last.name;
}

static struct http_out request(const char *method, const char *url) {
    return (struct http_out){
        .method = str_of(method), .url = str_of(url), .private_ok = true, .total_ms = 5000};
}

static char url_text[256];
static const char *url_of(const struct tcp_server *s, const char *path) {
    snprintf(url_text, sizeof url_text, "http://127.0.0.1:%d%s", tcp_server_port(s), path);
    return url_text;
}

static const char *get(const struct tcp_server *s) {
    struct http_out out = request("GET", url_of(s, "/"));
    return fetch_out(&out);
}

static int begin(void **state) {
    (void)state;
    live_before = mem_live();
    options = (struct http_client_options){0};
    name_count = 0;
    clock_real(&the_clock);
    CHECK_OK(loop_uv_new(&loop, &the_clock));
    options.loop = loop;
    CHECK_OK(http_client_new(&client, &options));
    return 0;
}

static void again_with_options(void) {
    client->destroy(client);
    options.loop = loop;
    CHECK_OK(http_client_new(&client, &options));
}

static int end(void **state) {
    (void)state;
    forget(&last);
    client->destroy(client);
    loop_delete(loop);
    /* an abandoned resolver thread ends by itself and lets its memory go then */
    for (int i = 0; i < 1000 && atomic_load(&resolver_delay_ms) != 0; i++) {
        if (mem_live() == live_before) break;
        usleep(10000);
    }
    CHECK_INT(mem_live(), live_before);
    atomic_store(&resolver_delay_ms, 0);
    return 0;
}

#define NAMED(got, expected) assert_string_equal((got), (expected))

/* ---- plain exchanges ---- */

static void serve_echo(struct tcp_conn *conn) {
    char head[128];
    while (tcp_read(conn)) {
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nX-Conn:  %d \r\nContent-Length: %zu\r\n\r\n", conn->number,
                 strncmp(conn->request, "HEAD", 4) == 0 ? 3 : conn->request_size);
        tcp_say(conn, head);
        if (strncmp(conn->request, "HEAD", 4) != 0)
            tcp_write(conn, conn->request, conn->request_size);
    }
}

static void sends_what_was_asked_and_nothing_else(void **state) {
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    struct tcp_server *s = tcp_server_start(serve_echo, NULL, NULL);
    const struct http_header headers[] = {{STR("X-One"), STR("a b")},
                                          {STR("X-Empty"), STR("")},
                                          {STR("Content-Type"), STR("application/json")}};
    struct http_out out = request("PATCH", url_of(s, "/a/../b?x=%20"));
    out.headers = headers;
    out.header_count = 3;
    out.body = STR("{\"n\":1}");
    NAMED(fetch_out(&out), "");
    CHECK_INT(last.status, 200);
    CHECK(last.sent);
    CHECK(strstr(last.head, "x-conn: 1\n") != NULL);
    char expected[512];
    snprintf(expected, sizeof expected,
             "PATCH /a/../b?x=%%20 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: */*\r\nX-One: a b\r\n"
             "X-Empty:\r\nContent-Type: application/json\r\nUser-Agent: luwak\r\n"
             "Content-Length: 7\r\n\r\n{\"n\":1}",
             tcp_server_port(s));
    assert_string_equal(last.body, expected);
    /* a body on GET, none on POST, HEAD without one; the connection is kept */
    out = request("GET", url_of(s, "/"));
    out.body = STR("x");
    NAMED(fetch_out(&out), "");
    CHECK(strstr(last.body, "GET / HTTP/1.1\r\n") == last.body);
    CHECK(strstr(last.body, "Content-Length: 1\r\n\r\nx") != NULL);
    CHECK(strcasestr(last.body, "content-type") == NULL);
    out = request("POST", url_of(s, "/"));
    NAMED(fetch_out(&out), "");
    CHECK(strstr(last.body, "Content-Length: 0\r\n") != NULL);
    CHECK(strcasestr(last.body, "content-type") == NULL);
    out = request("HEAD", url_of(s, "/"));
    NAMED(fetch_out(&out), "");
    CHECK_INT(last.body_size, 0);
    CHECK(strstr(last.head, "x-conn: 1\n") != NULL);
    CHECK_INT(tcp_server_connections(s), 1);
    tcp_server_stop(s);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

static void effects_have_their_own_connection(void **state) {
    (void)state;
    struct tcp_server *s = tcp_server_start(serve_echo, NULL, NULL);
    NAMED(get(s), "");
    struct http_out out = request("POST", url_of(s, "/"));
    out.effect = true;
    for (int i = 2; i <= 3; i++) {
        NAMED(fetch_out(&out), "");
        CHECK_INT(tcp_server_connections(s), i);
    }
    NAMED(get(s), ""); /* and nobody uses theirs */
    CHECK(strstr(last.head, "x-conn: 1\n") != NULL);
    tcp_server_stop(s);
}

/* Answers the first request of a connection; reads the second one and closes. */
static void serve_one_then_die(struct tcp_conn *conn) {
    if (!tcp_read(conn)) return;
    tcp_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    (void)tcp_read(conn);
}

/* Without `effect` libcurl sends again by itself: this is why the flag exists. */
static void curl_repeats_what_is_no_effect(void **state) {
    (void)state;
    struct tcp_server *s = tcp_server_start(serve_one_then_die, NULL, NULL);
    struct http_out out = request("POST", url_of(s, "/pay"));
    out.body = STR("amount=1");
    NAMED(fetch_out(&out), "");
    NAMED(fetch_out(&out), "");
    CHECK_INT(tcp_server_requests(s), 3); /* two calls, three arrivals */
    tcp_server_stop(s);
}

static void serve_read_then_close(struct tcp_conn *conn) {
    (void)tcp_read(conn);
}

static void an_effect_that_gets_no_answer_arrived_once(void **state) {
    (void)state;
    struct tcp_server *warm = tcp_server_start(serve_one_then_die, NULL, NULL);
    NAMED(get(warm), ""); /* a kept connection that will die on its next request */
    struct http_out out = request("POST", url_of(warm, "/pay"));
    out.body = STR("amount=1");
    out.effect = true;
    NAMED(fetch_out(&out), "");
    CHECK_INT(tcp_server_requests(warm), 2);
    tcp_server_stop(warm);
    struct tcp_server *s = tcp_server_start(serve_read_then_close, NULL, NULL);
    out.url = str_of(url_of(s, "/pay"));
    NAMED(fetch_out(&out), "reset");
    CHECK_INT(last.err, E_RESET);
    CHECK(last.sent);
    CHECK_INT(tcp_server_requests(s), 1);
    CHECK_INT(tcp_server_connections(s), 1);
    tcp_server_stop(s);
}

static void serve_417(struct tcp_conn *conn) {
    while (tcp_read(conn))
        tcp_say(conn, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
}

static void never_expects_100_and_never_repeats_on_417(void **state) {
    (void)state;
    struct tcp_server *s = tcp_server_start(serve_417, NULL, NULL);
    size_t n = 2u << 20;
    char *big = calloc(1, n);
    memset(big, 'x', n);
    struct http_out out = request("POST", url_of(s, "/"));
    out.body = (struct str){big, n};
    out.effect = true;
    (void)fetch_out(&out); /* 417 or reset, as the server reads only the first 64 kB */
    CHECK_INT(tcp_server_connections(s), 1);
    tcp_server_stop(s);
    free(big);
}

/* ---- failures, each with its name ---- */

static int closed_port(void) {
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    getsockname(fd, (struct sockaddr *)&sa, &size);
    close(fd);
    return ntohs(sa.sin_port);
}

static void names_failures_before_the_first_byte(void **state) {
    (void)state;
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", closed_port());
    struct http_out out = request("GET", url);
    NAMED(fetch_out(&out), "refused");
    CHECK_INT(last.err, E_CONNECT);
    CHECK(!last.sent);
    out = request("GET", "http://nowhere.test/");
    NAMED(fetch_out(&out), "resolve");
    CHECK_INT(last.err, E_RESOLVE);
    CHECK(!last.sent);
}

/* A listener whose queue is full answers no SYN: the connection hangs. */
static void names_a_connection_that_does_not_come_about(void **state) {
    (void)state;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0), fill[4];
    CHECK_INT(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    CHECK_INT(listen(fd, 0), 0);
    getsockname(fd, (struct sockaddr *)&sa, &size);
    for (size_t i = 0; i < ARRAY_LEN(fill); i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fill[i], (struct sockaddr *)&sa, sizeof sa);
    }
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(sa.sin_port));
    struct http_out out = request("GET", url);
    out.connect_ms = 100;
    NAMED(fetch_out(&out), "connect_timeout");
    CHECK_INT(last.err, E_TIMEOUT);
    CHECK(!last.sent);
    for (size_t i = 0; i < ARRAY_LEN(fill); i++)
        close(fill[i]);
    close(fd);
}

/* A resolver that hangs holds neither the call past its limit nor the loop. */
static void a_hanging_resolver_does_not_hold_the_loop(void **state) {
    (void)state;
    atomic_store(&resolver_delay_ms, 5000);
    struct http_out out = request("GET", "http://slow.test/");
    out.connect_ms = 100;
    uint64_t from = clock_mono_ns(&the_clock);
    NAMED(fetch_out(&out), "connect_timeout");
    CHECK(!last.sent);
    CHECK((clock_mono_ns(&the_clock) - from) / 1000000 < 4500);
}

static void serve_nothing(struct tcp_conn *conn) {
    tcp_wait_gone(conn);
}
static void serve_silence(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_wait_gone(conn);
}
static void serve_reset_at_once(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_reset(conn);
}
static void serve_half_head(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "HTTP/1.1 200 OK\r\nContent-");
    tcp_wait_gone(conn);
}
static void serve_half_body(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}
static void serve_half_body_then_reset(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    tcp_reset(conn);
}
static void serve_half_chunked(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
}
static void serve_bad_chunk(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n");
    tcp_wait_gone(conn);
}
static void serve_garbage(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
}
static void serve_folded(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "HTTP/1.1 200 OK\r\nX-A: 1\r\n  folded\r\nContent-Length: 0\r\n\r\n");
}
static void serve_bad_name(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "HTTP/1.1 200 OK\r\nX A: 1\r\nContent-Length: 0\r\n\r\n");
}
static void serve_endless_head(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "HTTP/1.1 200 OK\r\n");
    while (tcp_say(conn, "X-Pad: ................................................\r\n"))
        ;
}
static void serve_many_headers(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 101; i++)
        tcp_say(conn, "A: 1\r\n");
    tcp_say(conn, "Content-Length: 0\r\n\r\n");
    tcp_wait_gone(conn);
}
static void serve_big_announced(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
    tcp_wait_gone(conn);
}
static void serve_endless_body(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "HTTP/1.1 200 OK\r\n\r\n");
    while (tcp_say(conn, "0123456789012345678901234567890123456789012345678901234567890123"))
        ;
}
static void serve_endless_chunks(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (tcp_say(conn, "20\r\n01234567890123456789012345678901\r\n"))
        ;
}

static void names_failures_after_the_first_byte(void **state) {
    (void)state;
    static const struct {
        tcp_serve serve;
        const char *name;
        int err;
    } CASES[] = {
        {serve_read_then_close, "reset", E_RESET},  {serve_reset_at_once, "reset", E_RESET},
        {serve_silence, "timeout", E_TIMEOUT},      {serve_half_head, "timeout", E_TIMEOUT},
        {serve_half_body, "reset", E_RESET},        {serve_half_body_then_reset, "reset", E_RESET},
        {serve_half_chunked, "reset", E_RESET},     {serve_bad_chunk, "bad_reply", E_BADREPLY},
        {serve_garbage, "bad_reply", E_BADREPLY},   {serve_folded, "bad_reply", E_BADREPLY},
        {serve_bad_name, "bad_reply", E_BADREPLY},  {serve_endless_head, "too_large", E_LIMIT},
        {serve_many_headers, "too_large", E_LIMIT}, {serve_big_announced, "too_large", E_LIMIT},
        {serve_endless_body, "too_large", E_LIMIT}, {serve_endless_chunks, "too_large", E_LIMIT},
        {serve_nothing, "timeout", E_TIMEOUT}, /* the kernel took the bytes: may have been seen */
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        for (int effect = 0; effect <= 1; effect++) {
            struct tcp_server *s = tcp_server_start(CASES[i].serve, NULL, NULL);
            struct http_out out = request("POST", url_of(s, "/"));
            out.effect = effect;
            out.body = STR("x=1");
            if (CASES[i].err == E_TIMEOUT) out.total_ms = 150;
            const char *name = fetch_out(&out);
            if (strcmp(name, CASES[i].name) != 0)
                print_error("case %zu: %s (%s)\n", i, name, last.text);
            NAMED(name, CASES[i].name);
            CHECK_INT(last.err, CASES[i].err);
            CHECK(last.sent);
            CHECK_INT(last.body_size, 0);
            CHECK_INT(last.status, 0);
            CHECK_INT(tcp_server_connections(s), 1);
            tcp_server_stop(s);
        }
}

static void serve_drip(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    while (tcp_pause(conn, 20) && tcp_say(conn, "."))
        ;
}
static void serve_late(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    tcp_say(conn, "HTTP/1.1 102 Processing\r\n\r\n");
    tcp_pause(conn, 500);
    tcp_say(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static void names_a_slow_drip_but_lets_a_bank_think(void **state) {
    (void)state;
    options.slow_ms = 150;
    options.slow_bytes = 1000;
    again_with_options();
    struct tcp_server *s = tcp_server_start(serve_drip, NULL, NULL);
    NAMED(get(s), "slow");
    CHECK_INT(last.err, E_TIMEOUT);
    CHECK(last.sent);
    tcp_server_stop(s);
    s = tcp_server_start(serve_late, NULL, NULL);
    NAMED(get(s), "");
    assert_string_equal(last.body, "ok");
    tcp_server_stop(s);
}

/* 1 MB of zeros in 1 kB, as content coding (passed on as bytes) and as transfer coding. */

static void serve_bomb(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    bool transfer = strncmp(conn->request, "GET /transfer", 13) == 0;
    static unsigned char zeros[1 << 20], packed[1 << 13];
    z_stream z = {
        .next_in = zeros, .avail_in = sizeof zeros, .next_out = packed, .avail_out = sizeof packed};
    deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    deflate(&z, Z_FINISH);
    deflateEnd(&z);
    char head[200];
    if (transfer)
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n%lx\r\n", z.total_out);
    else
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %lu\r\n\r\n",
                 z.total_out);
    tcp_say(conn, head);
    tcp_write(conn, packed, z.total_out);
    if (transfer) tcp_say(conn, "\r\n0\r\n\r\n");
    tcp_wait_gone(conn);
}

static void compressed_bombs_do_not_go_off(void **state) {
    (void)state;
    struct tcp_server *s = tcp_server_start(serve_bomb, NULL, NULL);
    struct http_out out = request("GET", url_of(s, "/content"));
    out.response_max = 65536;
    NAMED(fetch_out(&out), "");
    CHECK(last.body_size < 8192 && (unsigned char)last.body[0] == 0x1f);
    tcp_server_stop(s);
    s = tcp_server_start(serve_bomb, NULL, NULL);
    out.url = str_of(url_of(s, "/transfer"));
    NAMED(fetch_out(&out), "bad_reply"); /* nobody asked for a transfer coding */
    tcp_server_stop(s);
}

/* ---- what is refused before curl ---- */

static void refuses_requests_that_are_not_clean(void **state) {
    (void)state;
    struct tcp_server *s = tcp_server_start(serve_echo, NULL, NULL);
    static const struct http_header BAD[] = {
        {STR("X-A"), STR("1\r\nX-B: 2")},
        {STR("X-A"), STR("1\n2")},
        {STR("X-A"), STR("1\r2")},
        {STR("X-A"), STR("1\0"
                         "2")},
        {STR("X-A"), STR("\x7f")},
        {STR("X-A: 1\r\nX-B"), STR("2")},
        {STR("X A"), STR("1")},
        {STR(""), STR("1")},
        {STR("X-\xc3\xa9"), STR("1")},
        {STR("Host"), STR("evil")},
        {STR("content-length"), STR("0")},
        {STR("Transfer-Encoding"), STR("chunked")},
        {STR("Connection"), STR("close")},
        {STR("Expect"), STR("100-continue")},
        {STR("Proxy-Authorization"), STR("x")},
        {STR("Upgrade"), STR("h2c")},
        {STR("X:A"), STR("1")},
    };
    struct http_out out = request("GET", url_of(s, "/"));
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        out.headers = &BAD[i];
        out.header_count = 1;
        NAMED(fetch_out(&out), "bad_request");
        CHECK(!last.sent);
    }
    out.header_count = 0;
    static const char *const METHODS[] = {
        "", "get", "GET /x HTTP/1.1\r\nX: ", "CONNECT", "TRACE", "P T"};
    for (size_t i = 0; i < ARRAY_LEN(METHODS); i++) {
        out.method = str_of(METHODS[i]);
        NAMED(fetch_out(&out), "bad_request");
    }
    out = request("POST", url_of(s, "/"));
    out.effect = out.follow_redirects = true;
    NAMED(fetch_out(&out), "bad_request");
    out = request("GET", "http://127.0.0.1\r\nX: 1/");
    NAMED(fetch_out(&out), "bad_request");
    CHECK_INT(tcp_server_connections(s), 0);
    tcp_server_stop(s);
}

static void keeps_to_the_declared_hosts(void **state) {
    (void)state;
    struct tcp_server *s = tcp_server_start(serve_echo, NULL, NULL);
    char entry[64], other[64];
    snprintf(entry, sizeof entry, "127.0.0.1:%d", tcp_server_port(s));
    snprintf(other, sizeof other, "127.0.0.1:%d", tcp_server_port(s) + 1);
    const char *hosts[] = {other, "api.example.com", NULL};
    struct http_out out = request("GET", url_of(s, "/"));
    out.hosts = hosts;
    NAMED(fetch_out(&out), "denied_host");
    CHECK_INT(last.err, E_DENIED);
    CHECK(!last.sent);
    hosts[0] = entry;
    NAMED(fetch_out(&out), "");
    out.private_ok = false; /* then plain http is refused first */
    NAMED(fetch_out(&out), "denied_host");
    CHECK_INT(tcp_server_connections(s), 1);
    tcp_server_stop(s);
}

/* Names that turn inwards: at once, the second time, or in IPv6 dress. https, so that only the
 * address can be the reason. */
static void no_name_leads_inwards(void **state) {
    (void)state;
    static const struct {
        const char *name, *address;
    } INWARD[] = {
        {"loop.test", "127.0.0.1"},
        {"lan.test", "192.168.1.10"},
        {"ten.test", "10.0.0.1"},
        {"meta.test", "169.254.169.254"},
        {"zero.test", "0.0.0.0"},
        {"six.test", "::1"},
        {"ula.test", "fd00::1"},
        {"link.test", "fe80::1"},
        {"mapped.test", "::ffff:127.0.0.1"},
        {"nat.test", "64:ff9b::7f00:1"},
        {"sixto4.test", "2002:7f00:1::"},
        {"any.test", "::"},
        {"multi.test", "224.0.0.1"},
        {"shared.test", "100.64.0.1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(INWARD); i++) {
        char url[64];
        name_count = 0;
        name_is(INWARD[i].name, INWARD[i].address, NULL);
        snprintf(url, sizeof url, "https://%s/", INWARD[i].name);
        struct http_out out = request("GET", url);
        out.private_ok = false;
        const char *name = fetch_out(&out);
        if (strcmp(name, "denied_address") != 0)
            print_error("%s: %s %s\n", INWARD[i].address, name, last.text);
        NAMED(name, "denied_address");
        CHECK_INT(last.err, E_DENIED);
        CHECK(!last.sent);
    }
    struct http_out out = request("GET", "https://localhost/");
    out.private_ok = false;
    NAMED(fetch_out(&out), "denied_address");
    out = request("GET", "https://127.0.0.1/");
    out.private_ok = false;
    NAMED(fetch_out(&out), "denied_address");
    /* a grant opens private networks, never the metadata address */
    out = request("GET", "https://169.254.169.254/");
    NAMED(fetch_out(&out), "denied_address");
    out = request("GET", "https://[::ffff:127.0.0.1]/");
    NAMED(fetch_out(&out), "denied_address");
}

/* A kept connection to a private place is not lent to a call without the right to it. */
static void a_kept_connection_is_checked_again(void **state) {
    (void)state;
    struct tcp_server *s = tcp_server_start(serve_echo, NULL, NULL);
    char entry[64];
    snprintf(entry, sizeof entry, "http://127.0.0.1:%d", tcp_server_port(s));
    const char *hosts[] = {entry, NULL};
    NAMED(get(s), "");
    struct http_out out = request("GET", url_of(s, "/"));
    out.private_ok = false;
    out.hosts = hosts;
    NAMED(fetch_out(&out), "denied_address");
    CHECK(!last.sent);
    CHECK_INT(tcp_server_requests(s), 1);
    tcp_server_stop(s);
}

/* ---- redirects ---- */

static char redirect_to[256];
static void serve_redirect(struct tcp_conn *conn) {
    char head[512];
    while (tcp_read(conn)) {
        if (strstr(conn->request, " /end") != NULL) {
            snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                     conn->request_size);
            tcp_say(conn, head);
            tcp_write(conn, conn->request, conn->request_size);
            continue;
        }
        const char *status = strstr(conn->request, " /307") != NULL ? "307" : "302";
        snprintf(head, sizeof head,
                 "HTTP/1.1 %s Moved\r\nLocation: %s\r\nContent-Length: 4\r\n\r\ngone", status,
                 redirect_to);
        tcp_say(conn, head);
    }
}

static void follows_redirects_only_when_asked_and_allowed(void **state) {
    (void)state;
    struct tcp_server *s = tcp_server_start(serve_redirect, NULL, NULL);
    struct tcp_server *other = tcp_server_start(serve_redirect, NULL, NULL);
    const struct http_header headers[] = {{STR("Authorization"), STR("Basic c2VjcmV0")},
                                          {STR("Accept"), STR("text/plain")}};
    char entry[64], url[128];
    snprintf(entry, sizeof entry, "127.0.0.1:%d", tcp_server_port(s));
    snprintf(url, sizeof url, "http://127.0.0.1:%d/start", tcp_server_port(s));
    const char *hosts[] = {entry, NULL, NULL};
    struct http_out out = request("POST", url);
    out.headers = headers;
    out.header_count = 2;
    out.body = STR("a=1");
    out.hosts = hosts;

    strcpy(redirect_to, "/end?x#frag");
    NAMED(fetch_out(&out), "");
    CHECK_INT(last.status, 302);
    assert_string_equal(last.body, "gone");
    CHECK(strstr(last.head, "location: /end?x#frag\n") != NULL);

    out.follow_redirects = true;
    NAMED(fetch_out(&out), "");
    CHECK_INT(last.status, 200);
    CHECK(strstr(last.body, "GET /end?x HTTP/1.1") == last.body); /* as browsers do for 302 */
    CHECK(strstr(last.body, "Basic c2VjcmV0") != NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/307", tcp_server_port(s));
    out.url = str_of(url);
    NAMED(fetch_out(&out), "");
    CHECK(strstr(last.body, "POST /end?x HTTP/1.1") == last.body);
    CHECK(strstr(last.body, "\r\n\r\na=1") != NULL);

    strcpy(redirect_to, "/loop");
    NAMED(fetch_out(&out), "redirect");
    CHECK_INT(last.err, E_LIMIT);
    CHECK(last.sent);

    snprintf(redirect_to, sizeof redirect_to, "http://127.0.0.1:%d/end", tcp_server_port(other));
    NAMED(fetch_out(&out), "denied_host");
    CHECK(last.sent); /* the first hop was */
    CHECK_INT(tcp_server_connections(other), 0);
    char second[64];
    snprintf(second, sizeof second, "127.0.0.1:%d", tcp_server_port(other));
    hosts[1] = second;
    NAMED(fetch_out(&out), "");
    CHECK(strstr(last.body, "c2VjcmV0") == NULL); /* another origin learns nothing of us */
    CHECK(strstr(last.body, "Accept: text/plain") != NULL);

    static const char *const WRONG[] = {"http://user@127.0.0.1/", "ftp://127.0.0.1/",
                                        "http://2130706433/", "http://127.1/", "http://0x7f.1/"};
    for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
        strcpy(redirect_to, WRONG[i]);
        const char *name = fetch_out(&out);
        CHECK(strcmp(name, "redirect") == 0 || strcmp(name, "denied_host") == 0);
    }
    out.hosts = NULL;
    strcpy(redirect_to, "http://169.254.169.254/latest/meta-data");
    NAMED(fetch_out(&out), "denied_address");
    tcp_server_stop(s);
    tcp_server_stop(other);
}

/* ---- TLS ---- */

static struct test_cert ca, good, wrong_host, expired, self_signed, our_client;

static void make_certs(void) {
    test_cert_make(&ca, "ca", "Test CA", NULL, -1, 10);
    test_cert_make(&good, "good", "bank.test", &ca, -1, 10);
    test_cert_make(&wrong_host, "wrong", "other.test", &ca, -1, 10);
    test_cert_make(&expired, "expired", "bank.test", &ca, -10, -1);
    test_cert_make(&self_signed, "self", "bank.test", NULL, -1, 10);
    test_cert_make(&our_client, "client", "client.test", &ca, -1, 10);
}

static struct tcp_server *tls_server(const struct test_cert *cert, const char *client_ca,
                                     int max_version) {
    struct tcp_tls tls = {
        .cert = cert->cert, .key = cert->key, .client_ca = client_ca, .max_version = max_version};
    return tcp_server_start(serve_echo, NULL, &tls);
}

static void serve_banner(struct tcp_conn *conn) {
    tcp_say(conn, "220 mail.test ESMTP\r\n");
    tcp_wait_gone(conn);
}

static const char *tls_get(const struct tcp_server *s, struct http_out *out) {
    static char url[64];
    snprintf(url, sizeof url, "https://bank.test:%d/", tcp_server_port(s));
    out->url = str_of(url);
    return fetch_out(out);
}

static void verifies_certificates(void **state) {
    (void)state;
    name_is("bank.test", "127.0.0.1", NULL);
    static const struct {
        const struct test_cert *cert;
        const char *name;
    } CASES[] = {{&good, ""},
                 {&wrong_host, "certificate"},
                 {&expired, "certificate"},
                 {&self_signed, "certificate"}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct tcp_server *s = tls_server(CASES[i].cert, NULL, 0);
        struct http_out out = request("GET", "");
        out.ca_file = ca.cert;
        NAMED(tls_get(s, &out), CASES[i].name);
        CHECK_INT(last.sent, i == 0);
        CHECK_INT(tcp_server_bytes(s) > 0, i == 0);
        out.ca_file = NULL; /* without our CA nothing is believed */
        NAMED(tls_get(s, &out), i == 0 ? "certificate" : CASES[i].name);
        tcp_server_stop(s);
    }
    struct tcp_server *s = tls_server(&good, NULL, 0x0302);
    struct http_out out = request("GET", "");
    out.ca_file = ca.cert;
    NAMED(tls_get(s, &out), "tls");
    CHECK(!last.sent);
    tcp_server_stop(s);
    s = tcp_server_start(serve_banner, NULL, NULL); /* no TLS at all */
    NAMED(tls_get(s, &out), "tls");
    CHECK(!last.sent);
    tcp_server_stop(s);
    s = tcp_server_start(serve_nothing, NULL, NULL); /* a handshake that hangs */
    out.connect_ms = 100;
    NAMED(tls_get(s, &out), "connect_timeout");
    CHECK(!last.sent);
    tcp_server_stop(s);
}

static void holds_pinned_keys(void **state) {
    (void)state;
    name_is("bank.test", "127.0.0.1", NULL);
    struct tcp_server *s = tls_server(&good, NULL, 0);
    struct http_out out = request("GET", "");
    char pin[80];
    out.ca_file = ca.cert;
    out.pinned_key = pin;
    test_cert_pin(&good, pin);
    NAMED(tls_get(s, &out), "");
    test_cert_pin(&wrong_host, pin);
    NAMED(tls_get(s, &out), "pinned_key"); /* though a connection of before is there */
    CHECK(!last.sent);
    CHECK_INT(last.err, E_TLS);
    tcp_server_stop(s);
}

static void shows_its_client_certificate(void **state) {
    (void)state;
    name_is("bank.test", "127.0.0.1", NULL);
    for (int version = 0; version <= 1; version++) { /* TLS 1.3, then 1.2 */
        struct tcp_server *s = tls_server(&good, ca.cert, version == 0 ? 0 : 0x0303);
        struct http_out out = request("GET", "");
        out.ca_file = ca.cert;
        NAMED(tls_get(s, &out), "tls");
        CHECK_INT(tcp_server_bytes(s), 0);
        out.client_cert = our_client.cert;
        out.client_key = our_client.key;
        NAMED(tls_get(s, &out), "");
        out.client_cert = out.client_key = NULL; /* and is not lent to others */
        NAMED(tls_get(s, &out), "tls");
        out.client_cert = self_signed.cert;
        out.client_key = self_signed.key;
        NAMED(tls_get(s, &out), "tls");
        out.client_key = good.key; /* does not fit the certificate */
        NAMED(tls_get(s, &out), "tls");
        CHECK(!last.sent);
        tcp_server_stop(s);
    }
}

/* The h2 connection preface shows what was negotiated; an effect must not offer h2 at all. */
static char h2_preface[32];
static void serve_h2(struct tcp_conn *conn) {
    (void)tcp_read(conn);
    snprintf(h2_preface, sizeof h2_preface, "%.14s", conn->request);
}

static void speaks_http2_where_offered_but_not_for_effects(void **state) {
    (void)state;
    name_is("bank.test", "127.0.0.1", NULL);
    struct tcp_tls tls = {.cert = good.cert, .key = good.key, .h2 = true};
    for (int effect = 0; effect <= 1; effect++) {
        struct tcp_server *s = tcp_server_start(serve_h2, NULL, &tls);
        struct http_out out = request("GET", "");
        out.ca_file = ca.cert;
        out.effect = effect;
        out.total_ms = 1000;
        CHECK(tls_get(s, &out)[0] != '\0');
        CHECK_INT(tcp_server_connections(s), 1);
        tcp_server_stop(s);
        assert_string_equal(h2_preface, effect ? "GET / HTTP/1.1" : "PRI * HTTP/2.0");
    }
}

/* ---- life ---- */

static void connects_elsewhere_when_told(void **state) {
    (void)state;
    struct tcp_server *s = tcp_server_start(serve_echo, NULL, NULL);
    char map[64];
    snprintf(map, sizeof map, "api.example.com:80:127.0.0.1:%d", tcp_server_port(s));
    const char *list[] = {map, NULL};
    options.connect_to = list;
    again_with_options();
    struct http_out out = request("GET", "http://api.example.com/");
    NAMED(fetch_out(&out), "");
    CHECK(strstr(last.body, "Host: api.example.com\r\n") != NULL);
    tcp_server_stop(s);
}

static void never_called(const struct http_answer *a, void *data) {
    (void)a, (void)data;
    fail_msg("done after cancel");
}

static void cancel_ends_a_call_without_a_word(void **state) {
    (void)state;
    struct tcp_server *s = tcp_server_start(serve_silence, NULL, NULL);
    struct tcp_server *good_one = tcp_server_start(serve_echo, NULL, NULL);
    struct http_call *calls[3];
    struct http_out out = request("GET", url_of(s, "/"));
    for (int i = 0; i < 2; i++)
        CHECK_OK(client->start(client, &out, never_called, NULL, &calls[i]));
    out.method = STR("bad");
    CHECK_OK(client->start(client, &out, never_called, NULL, &calls[2]));
    client->cancel(client, calls[2]); /* has its answer, not delivered */
    client->cancel(client, calls[0]); /* not even begun */
    NAMED(get(good_one), "");
    client->cancel(client, calls[1]); /* under way */
    NAMED(get(good_one), "");
    out = request("GET", url_of(s, "/")); /* what destroy finds is dropped likewise */
    CHECK_OK(client->start(client, &out, never_called, NULL, NULL));
    again_with_options();
    tcp_server_stop(s);
    tcp_server_stop(good_one);
}

static size_t drained_left;
static void on_drained(size_t left, void *data) {
    (void)data;
    drained_left = left;
    loop_stop(loop);
}
static void keep_only(const struct http_answer *a, void *data) {
    keep(a, data);
}

static void drains_with_a_deadline(void **state) {
    (void)state;
    struct tcp_server *s = tcp_server_start(serve_silence, NULL, NULL);
    struct http_out out = request("GET", url_of(s, "/"));
    struct result r = {0};
    drained_left = 99;
    CHECK_OK(client->start(client, &out, keep_only, &r, NULL));
    http_client_drain(client, 100, on_drained, NULL);
    CHECK_ERR(client->start(client, &out, never_called, NULL, NULL), E_CLOSED);
    loop_uv_run(loop);
    CHECK(r.done);
    NAMED(r.name, "shutdown");
    CHECK(r.sent);
    if (drained_left == 99) loop_uv_run(loop);
    CHECK_INT(drained_left, 1);
    forget(&r);
    again_with_options(); /* nothing in flight: at once */
    http_client_drain(client, 60000, on_drained, NULL);
    loop_uv_run(loop);
    CHECK_INT(drained_left, 0);
    tcp_server_stop(s);
}

static void bounds_what_is_in_flight(void **state) {
    (void)state;
    options.calls_max = 1;
    again_with_options();
    struct tcp_server *s = tcp_server_start(serve_silence, NULL, NULL);
    struct http_out out = request("GET", url_of(s, "/"));
    CHECK_OK(client->start(client, &out, never_called, NULL, NULL));
    NAMED(get(s), "busy");
    CHECK(!last.sent);
    again_with_options();
    tcp_server_stop(s);
}

static struct http_report reported;
static char reported_origin[128];
static void on_report(const struct http_report *r, void *data) {
    (void)data;
    reported = *r;
    snprintf(reported_origin, sizeof reported_origin, "%.*s", STR_FMT(r->origin));
}

static void reports_without_paths(void **state) {
    (void)state;
    options.report = on_report;
    again_with_options();
    struct tcp_server *s = tcp_server_start(serve_echo, NULL, NULL);
    struct http_out out = request("GET", url_of(s, "/?token=x"));
    NAMED(fetch_out(&out), "");
    CHECK_INT(reported.status, 200);
    CHECK(reported.sent && reported.took_us > 0);
    url_of(s, "");
    assert_string_equal(reported_origin, url_text);
    tcp_server_stop(s);
}

/* ---- memory: each allocation of ours, libuv's and curl's fails once ---- */

static int one(const char *method, const char *url, uint64_t ms) {
    struct http_out out = request(method, url);
    const struct http_header h = {STR("X-A"), STR("1")};
    out.headers = &h;
    out.header_count = 1;
    out.body = str_of(method[0] == 'P' ? "x" : "");
    out.total_ms = ms;
    forget(&last);
    int err = client->start(client, &out, keep, &last, NULL);
    if (err != 0) return err;
    loop_uv_run(loop);
    CHECK(last.done);
    return 0;
}

static uint64_t patience = 100;

static int flow_post(const struct tcp_server *s) {
    return one("POST", url_of(s, "/"), patience);
}
static int flow_kept_alive(const struct tcp_server *s) {
    int err = one("GET", url_of(s, "/"), patience);
    return err != 0 ? err : one("GET", url_of(s, "/again"), patience);
}
static int flow_timeout(const struct tcp_server *s) {
    return one("GET", url_of(s, "/"), patience / 25);
}
static int flow_refused(const struct tcp_server *s) {
    (void)s;
    static char url[64];
    static int port;
    if (port == 0) port = closed_port();
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
    return one("GET", url, patience);
}

/* A loop, a client and the flow; 0 or what could not be made. */
static int life(int (*flow)(const struct tcp_server *s), const struct tcp_server *s) {
    int err = loop_uv_new(&loop, &the_clock);
    if (err != 0) return err;
    options.loop = loop;
    err = http_client_new(&client, &options);
    if (err == 0) {
        err = flow(s);
        client->destroy(client);
    }
    loop_delete(loop);
    return err;
}

/* An answer comes or start says no, and nothing is left behind. */
static void survives_failing_memory(void **state) {
    (void)state;
    static const struct {
        int (*flow)(const struct tcp_server *s);
        void (*serve)(struct tcp_conn *conn);
        const char *ends; /* the name of the last answer when nothing fails */
    } FLOWS[] = {{flow_post, serve_echo, ""},
                 {flow_kept_alive, serve_echo, ""},
                 {flow_timeout, serve_silence, "timeout"},
                 {flow_refused, serve_echo, "refused"}};
    client->destroy(client);
    loop_delete(loop);
    for (size_t i = 0; i < ARRAY_LEN(FLOWS); i++) {
        struct tcp_server *s = tcp_server_start(FLOWS[i].serve, NULL, NULL);
        int answered = 0, failed = 1;
        CHECK_OK(life(FLOWS[i].flow, s)); /* what is made once per process is made now */
        int64_t live = mem_live();
        for (uint64_t n = 1; failed; n++) {
            CHECK(n < 4000);
            mem_fail_at(n, 0);
            int err = life(FLOWS[i].flow, s);
            failed = mem_has_failed();
            mem_fail_at(0, 0);
            CHECK(err == 0 || err == E_NOMEM);
            answered += err == 0;
            if (mem_live() != live) print_error("flow %d, allocation %d\n", (int)i, (int)n);
            CHECK_INT(mem_live(), live);
        }
        patience = 10000; /* a busy machine may need more than what the tries above are given */
        CHECK_OK(life(FLOWS[i].flow, s));
        patience = 100;
        CHECK_STR(str_of(last.name), FLOWS[i].ends);
        CHECK(answered > 20);
        tcp_server_stop(s);
    }
    CHECK_OK(loop_uv_new(&loop, &the_clock));
    options.loop = loop;
    CHECK_OK(http_client_new(&client, &options));
}

#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)
static const struct CMUnitTest TESTS[] = {
    T(sends_what_was_asked_and_nothing_else),
    T(effects_have_their_own_connection),
    T(curl_repeats_what_is_no_effect),
    T(an_effect_that_gets_no_answer_arrived_once),
    T(never_expects_100_and_never_repeats_on_417),
    T(names_failures_before_the_first_byte),
    T(names_a_connection_that_does_not_come_about),
    T(a_hanging_resolver_does_not_hold_the_loop),
    T(names_failures_after_the_first_byte),
    T(names_a_slow_drip_but_lets_a_bank_think),
    T(compressed_bombs_do_not_go_off),
    T(refuses_requests_that_are_not_clean),
    T(keeps_to_the_declared_hosts),
    T(no_name_leads_inwards),
    T(a_kept_connection_is_checked_again),
    T(follows_redirects_only_when_asked_and_allowed),
    T(verifies_certificates),
    T(holds_pinned_keys),
    T(shows_its_client_certificate),
    T(speaks_http2_where_offered_but_not_for_effects),
    T(connects_elsewhere_when_told),
    T(cancel_ends_a_call_without_a_word),
    T(drains_with_a_deadline),
    T(bounds_what_is_in_flight),
    T(reports_without_paths),
    T(survives_failing_memory),
};

int main(int argc, char **argv) {
    CHECK_OK(http_client_setup());
    make_certs();
    int failed = unit_main(argc, argv, "http_client", TESTS, ARRAY_LEN(TESTS));
    struct test_cert *certs[] = {&ca, &good, &wrong_host, &expired, &self_signed, &our_client};
    for (size_t i = 0; i < ARRAY_LEN(certs); i++)
        test_cert_free(certs[i]);
    http_client_teardown();
    return failed;
}
