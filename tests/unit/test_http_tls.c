/* The HTTP server behind TLS, against OpenSSL's client on a real socket. */
#include "base/mem.h"
#include "http_rig.h"
#include "sys/tls.h"
#include "unit.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct rig r;
static struct buf out;
static char dir[300];
static SSL_CTX *ctx;

static void make_certificate(const char *name) {
    char line[1024];
    snprintf(line, sizeof line,
             "cd '%s' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
             "-days 2 -keyout key.pem -out cert.pem -subj /CN=%s >/dev/null 2>&1",
             dir, name);
    if (system(line) != 0) fail_msg("%s", line);
}

static struct tls_server *start(void) {
    static char cert[400], key[400];
    struct tls_server *tls;
    struct why why = {0};
    snprintf(dir, sizeof dir, "%s", unit_tmpdir());
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    make_certificate("first.example");
    CHECK_OK(tls_server_new(&tls, &(struct tls_server_options){.cert_file = cert, .key_file = key},
                            &why));
    struct http_server_options o = {.tls = tls};
    rig_start_with(&r, &o);
    ctx = SSL_CTX_new(TLS_client_method());
    return tls;
}

static void end(struct tls_server *tls) {
    rig_end(&r);
    tls_server_delete(tls);
    SSL_CTX_free(ctx);
    buf_free(&out);
}

/* Turns the loop while OpenSSL wants more; false: an error or the end. */
static bool wants(SSL *ssl, int got, int i) {
    int e = SSL_get_error(ssl, got);
    if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) return false;
    rig_turn(&r);
    if (i > 50) nanosleep(&(struct timespec){0, 500000}, NULL);
    CHECK(i < 20000);
    return true;
}

static SSL *dial(void) {
    SSL *ssl = SSL_new(ctx);
    int fd = rig_dial(&r), got = 0;
    SSL_set_fd(ssl, fd);
    for (int i = 0; (got = SSL_connect(ssl)) != 1; i++)
        CHECK(wants(ssl, got, i));
    return ssl;
}

static void hang_up(SSL *ssl) {
    close(SSL_get_fd(ssl));
    SSL_free(ssl);
    rig_turns(&r, 10);
}

static void say(SSL *ssl, const char *data, size_t n) {
    while (n != 0) {
        int got = 0;
        for (int i = 0; (got = SSL_write(ssl, data, n > 9000 ? 9000 : (int)n)) <= 0; i++)
            CHECK(wants(ssl, got, i));
        data += got;
        n -= (size_t)got;
    }
}

/* Reads until `text` is there. False: the end came first, cleanly. */
static bool hear(SSL *ssl, const char *text) {
    char piece[16384];
    buf_clear(&out);
    for (int i = 0; !HAS(&out, text); i++) {
        ERR_clear_error();
        int got = SSL_read(ssl, piece, sizeof piece);
        if (got > 0)
            buf_add(&out, piece, (size_t)got), i = 0;
        else if (SSL_get_error(ssl, got) == SSL_ERROR_ZERO_RETURN)
            return false;
        else
            CHECK(wants(ssl, got, i));
    }
    return true;
}

static void say_text(SSL *ssl, const char *text) {
    say(ssl, text, strlen(text));
}

static void check_name(SSL *ssl, const char *expected) {
    char name[64] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(ssl)), NID_commonName,
                              name, sizeof name);
    CHECK_STR(str_of(name), expected);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void serves_and_reloads(void **state) {
    (void)state;
    struct tls_server *tls = start();
    struct why why = {0};
    SSL *old = dial();
    check_name(old, "first.example");
    say_text(old, GET("/echo?1") GET("/echo?2"));
    CHECK(hear(old, "GET /echo?2 0:") && HAS(&out, "GET /echo?1 0:"));
    make_certificate("second.example");
    CHECK_OK(tls_server_reload(tls, &why));
    SSL *young = dial();
    check_name(young, "second.example");
    say_text(young, GET("/echo?3"));
    CHECK(hear(young, "GET /echo?3"));
    say_text(old, GET("/echo?4")); /* whoever is connected goes on */
    CHECK(hear(old, "GET /echo?4"));
    say_text(old, "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK(!hear(old, "never")); /* ends with close_notify */
    CHECK(HAS(&out, "Connection: close"));
    hang_up(old);
    hang_up(young);
    end(tls);
}

static void large_both_ways(void **state) {
    (void)state;
    struct tls_server *tls = start();
    static char body[1 << 20];
    memset(body, 'l', sizeof body);
    SSL *ssl = dial();
    say_text(ssl, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n");
    say(ssl, body, sizeof body);
    CHECK(hear(ssl, "POST /echo 1048576:lll"));
    say_text(ssl, GET("/big") GET("/echo?after"));
    CHECK(hear(ssl, "GET /echo?after"));
    CHECK(out.len > 3u << 20);
    say_text(ssl, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n");
    CHECK(hear(ssl, "BODY_TOO_LARGE"));
    hang_up(ssl);
    end(tls);
}

static void streams_and_leavers(void **state) {
    (void)state;
    struct tls_server *tls = start();
    SSL *ssl = dial();
    say_text(ssl, GET("/stream"));
    CHECK(hear(ssl, "\r\n\r\n"));
    CHECK(http_stream_write(r.held, STR("data: 1\n\n")));
    CHECK(hear(ssl, "data: 1\n\n"));
    hang_up(ssl);
    CHECK_INT(r.closed, 1);
    ssl = dial(); /* one that says goodbye first */
    say_text(ssl, GET("/stream"));
    CHECK(hear(ssl, "\r\n\r\n"));
    SSL_shutdown(ssl);
    rig_turns(&r, 20);
    CHECK_INT(r.closed, 2);
    hang_up(ssl);
    ssl = dial(); /* in the middle of a request */
    say_text(ssl, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    rig_turns(&r, 20);
    SSL_shutdown(ssl);
    CHECK(!hear(ssl, "never"));
    CHECK_INT(out.len, 0);
    hang_up(ssl);
    end(tls);
}

/* While a request runs, what the peer sends on is not collected without bound. */
static void who_floods_is_not_read(void **state) {
    (void)state;
    struct tls_server *tls = start();
    static char flood[60000];
    SSL *ssl = dial();
    say_text(ssl, GET("/later"));
    rig_turns(&r, 20);
    CHECK(r.held != NULL);
    memset(flood, 'f', sizeof flood);
    size_t sent = 0;
    int stuck = 0;
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    while (stuck < 100 && sent < 64u << 20) {
        int got = SSL_write(ssl, flood, sizeof flood);
        if (got > 0) sent += (size_t)got;
        stuck = got > 0 ? 0 : stuck + 1;
        rig_turn(&r);
    }
    CHECK(sent < 32u << 20); /* the kernel's buffers are full, ours is small */
    CHECK_INT(r.handled, 1);
    http_reply(r.held, 200, NULL, 0, STR("answer"));
    CHECK(hear(ssl, "answer"));
    hang_up(ssl);
    end(tls);
}

static void bad_handshakes_end(void **state) {
    (void)state;
    struct tls_server *tls = start();
    int fd = rig_dial(&r);
    rig_send(&r, fd, GET("/echo")); /* plain HTTP */
    rig_closed(&r, fd, &out);
    CHECK(!HAS(&out, "HTTP/1.1"));
    fd = rig_dial(&r); /* says nothing */
    rig_turns(&r, 10);
    rig_pass(&r, 10100);
    rig_closed(&r, fd, &out);
    CHECK_INT(out.len, 0);
    struct http_server_stats stats;
    http_server_stats(r.server, &stats);
    CHECK_INT(stats.connections, 0);
    CHECK_INT(r.handled, 0);
    end(tls);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_and_reloads),  cmocka_unit_test(large_both_ways),
        cmocka_unit_test(streams_and_leavers), cmocka_unit_test(who_floods_is_not_read),
        cmocka_unit_test(bad_handshakes_end),
    };
    return unit_main(argc, argv, "http_tls", tests, sizeof tests / sizeof tests[0]);
}
