#include "tcp_server.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS_MAX 4096

struct tcp_server {
    int fd;
    int port;
    tcp_serve serve;
    void *data;
    SSL_CTX *tls;
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_t threads[CONNS_MAX];
    struct tcp_conn *conns[CONNS_MAX]; /* NULL once over */
    int thread_count;
    _Atomic int connections;
    _Atomic int requests;
    _Atomic int bytes;
    _Atomic bool stopping;
};

static void must(bool fact, const char *what) {
    if (fact) return;
    perror(what);
    abort();
}

/* ---- connections ---- */

static bool wait_for(struct tcp_conn *conn, short events, int ms) {
    struct pollfd p = {.fd = conn->fd, .events = events};
    while (!atomic_load(&conn->server->stopping)) {
        int slice = ms < 0 || ms > 20 ? 20 : ms;
        int n = poll(&p, 1, slice);
        if (n > 0) return true;
        if (ms >= 0 && (ms -= slice) <= 0) return false;
    }
    return false;
}

static ssize_t read_some(struct tcp_conn *conn, void *out, size_t n) {
    if (conn->ssl != NULL) {
        if (SSL_pending(conn->ssl) == 0 && !wait_for(conn, POLLIN, -1)) return 0;
        int got = SSL_read(conn->ssl, out, (int)n);
        return got > 0 ? got : 0;
    }
    if (!wait_for(conn, POLLIN, -1)) return 0;
    ssize_t got = recv(conn->fd, out, n, 0);
    return got > 0 ? got : 0;
}

bool tcp_read(struct tcp_conn *conn) {
    size_t have = 0, want = SIZE_MAX;
    while (have < want) {
        ssize_t n = read_some(conn, conn->request + have, sizeof conn->request - 1 - have);
        if (n == 0) return false;
        atomic_fetch_add(&conn->server->bytes, (int)n);
        have += (size_t)n;
        conn->request[have] = '\0';
        char *end = strstr(conn->request, "\r\n\r\n");
        if (end == NULL || want != SIZE_MAX) continue;
        char *length = strcasestr(conn->request, "\r\ncontent-length:");
        want = (size_t)(end + 4 - conn->request) +
               (length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0);
        if (want > sizeof conn->request - 1) want = sizeof conn->request - 1;
    }
    conn->request_size = have;
    atomic_fetch_add(&conn->server->requests, 1);
    return true;
}

bool tcp_write(struct tcp_conn *conn, const void *data, size_t n) {
    const char *at = data;
    while (n != 0) {
        ssize_t sent;
        if (conn->ssl != NULL) {
            sent = SSL_write(conn->ssl, at, (int)n);
        } else {
            if (!wait_for(conn, POLLOUT, -1)) return false;
            sent = send(conn->fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0 && errno == EAGAIN) continue;
        }
        if (sent <= 0) return false;
        at += sent;
        n -= (size_t)sent;
    }
    return true;
}

bool tcp_say(struct tcp_conn *conn, const char *text) {
    return tcp_write(conn, text, strlen(text));
}

void tcp_reset(struct tcp_conn *conn) {
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    SSL_free(conn->ssl);
    conn->ssl = NULL;
    pthread_mutex_lock(&conn->server->lock);
    close(conn->fd);
    conn->fd = -1;
    pthread_mutex_unlock(&conn->server->lock);
}

bool tcp_pause(struct tcp_conn *conn, int ms) {
    struct pollfd p = {.fd = conn->fd, .events = POLLRDHUP};
    for (; ms > 0 && !atomic_load(&conn->server->stopping); ms -= 10)
        if (poll(&p, 1, ms < 10 ? ms : 10) > 0) return false;
    return !atomic_load(&conn->server->stopping);
}

void tcp_wait_gone(struct tcp_conn *conn) {
    while (tcp_pause(conn, 1000))
        ;
}

static void *conn_main(void *arg) {
    struct tcp_conn *conn = arg;
    struct tcp_server *server = conn->server;
    bool ready = true;
    if (server->tls != NULL) {
        conn->ssl = SSL_new(server->tls);
        SSL_set_fd(conn->ssl, conn->fd);
        ready = SSL_accept(conn->ssl) == 1;
    }
    if (ready) server->serve(conn);
    if (conn->ssl != NULL && ready) SSL_shutdown(conn->ssl);
    if (!ready) { /* the alert must not be lost to a reset: read what is still coming */
        shutdown(conn->fd, SHUT_WR);
        while (wait_for(conn, POLLIN, -1) && recv(conn->fd, conn->request, 1000, 0) > 0)
            ;
    }
    SSL_free(conn->ssl);
    pthread_mutex_lock(&server->lock);
    if (conn->fd >= 0) close(conn->fd);
    server->conns[conn->number - 1] = NULL;
    pthread_mutex_unlock(&server->lock);
    free(conn);
    return NULL;
}

/* ---- the server ---- */

static void *accept_main(void *arg) {
    struct tcp_server *server = arg;
    for (;;) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) return NULL;
        pthread_mutex_lock(&server->lock);
        must(server->thread_count < CONNS_MAX, "too many connections");
        struct tcp_conn *conn = calloc(1, sizeof *conn);
        conn->server = server;
        conn->fd = fd;
        conn->data = server->data;
        conn->number = server->thread_count + 1;
        server->conns[server->thread_count] = conn;
        atomic_fetch_add(&server->connections, 1);
        must(pthread_create(&server->threads[server->thread_count], NULL, conn_main, conn) == 0,
             "pthread_create");
        server->thread_count++;
        pthread_mutex_unlock(&server->lock);
    }
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *size,
                     const unsigned char *in, unsigned int in_size, void *arg) {
    (void)ssl, (void)arg;
    static const unsigned char OFFER[] = "\x02h2";
    return SSL_select_next_proto((unsigned char **)out, size, OFFER, 3, in, in_size) ==
                   OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *make_tls(const struct tcp_tls *tls) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    must(SSL_CTX_use_certificate_chain_file(ctx, tls->cert) == 1, "certificate");
    must(SSL_CTX_use_PrivateKey_file(ctx, tls->key, SSL_FILETYPE_PEM) == 1, "key");
    if (tls->max_version != 0) {
        SSL_CTX_set_security_level(ctx, 0);
        SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(ctx, tls->max_version);
    }
    if (tls->client_ca != NULL) {
        must(SSL_CTX_load_verify_locations(ctx, tls->client_ca, NULL) == 1, "client CA");
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (tls->h2) SSL_CTX_set_alpn_select_cb(ctx, choose_h2, NULL);
    return ctx;
}

struct tcp_server *tcp_server_start(tcp_serve serve, void *data, const struct tcp_tls *tls) {
    signal(SIGPIPE, SIG_IGN);
    struct tcp_server *server = calloc(1, sizeof *server);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof sa;
    server->serve = serve;
    server->data = data;
    server->tls = tls == NULL ? NULL : make_tls(tls);
    pthread_mutex_init(&server->lock, NULL);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(server->fd, (struct sockaddr *)&sa, sizeof sa) == 0, "bind");
    must(listen(server->fd, 64) == 0, "listen");
    must(getsockname(server->fd, (struct sockaddr *)&sa, &size) == 0, "getsockname");
    server->port = ntohs(sa.sin_port);
    must(pthread_create(&server->acceptor, NULL, accept_main, server) == 0, "pthread_create");
    return server;
}

void tcp_server_stop(struct tcp_server *server) {
    atomic_store(&server->stopping, true);
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    pthread_mutex_lock(&server->lock);
    for (int i = 0; i < server->thread_count; i++)
        if (server->conns[i] != NULL && server->conns[i]->fd >= 0)
            shutdown(server->conns[i]->fd, SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
    for (int i = 0; i < server->thread_count; i++)
        pthread_join(server->threads[i], NULL);
    close(server->fd);
    SSL_CTX_free(server->tls);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int tcp_server_port(const struct tcp_server *server) {
    return server->port;
}
int tcp_server_connections(const struct tcp_server *server) {
    return atomic_load(&server->connections);
}
int tcp_server_requests(const struct tcp_server *server) {
    return atomic_load(&server->requests);
}
int tcp_server_bytes(const struct tcp_server *server) {
    return atomic_load(&server->bytes);
}

/* ---- certificates ---- */

void test_cert_make(struct test_cert *out, const char *file, const char *name,
                    const struct test_cert *issuer, int from_days, int to_days) {
    static long serial = 1000;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), (long)from_days * 86400);
    X509_gmtime_adj(X509_getm_notAfter(x), (long)to_days * 86400);
    X509_set_pubkey(x, key);
    X509_NAME *subject = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509 *by = issuer == NULL ? x : issuer->x509;
    X509_set_issuer_name(x, X509_get_subject_name(by));
    char san[300];
    snprintf(san, sizeof san, "DNS:%s", name);
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, by, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, san);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    if (issuer == NULL) {
        e = X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints, "critical,CA:TRUE");
        X509_add_ext(x, e, -1);
        X509_EXTENSION_free(e);
    }
    must(X509_sign(x, issuer == NULL ? key : issuer->pkey, EVP_sha256()) != 0, "X509_sign");
    snprintf(out->cert, sizeof out->cert, "%s/%s.crt", unit_tmpdir(), file);
    snprintf(out->key, sizeof out->key, "%s/%s.key", unit_tmpdir(), file);
    FILE *f = fopen(out->cert, "w");
    must(f != NULL && PEM_write_X509(f, x) == 1, out->cert);
    fclose(f);
    f = fopen(out->key, "w");
    must(f != NULL && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1, out->key);
    fclose(f);
    out->x509 = x;
    out->pkey = key;
}

void test_cert_free(struct test_cert *cert) {
    X509_free(cert->x509);
    EVP_PKEY_free(cert->pkey);
}

void test_cert_pin(const struct test_cert *cert, char out[80]) {
    unsigned char *der = NULL, digest[32];
    int n = i2d_PUBKEY(cert->pkey, &der);
    EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL);
    OPENSSL_free(der);
    strcpy(out, "sha256//");
    EVP_EncodeBlock((unsigned char *)out + 8, digest, 32);
}
