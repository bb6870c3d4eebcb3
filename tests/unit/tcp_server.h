/* Small misbehaving servers for tests of the client: 127.0.0.1, a port of the kernel's choice, one
 * thread per connection, plain sockets or OpenSSL. `serve` is called once per connection and says
 * byte by byte what happens; the connection is closed when it returns. */
#ifndef LUWAK_TESTS_TCP_SERVER_H
#define LUWAK_TESTS_TCP_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct tcp_server;

struct tcp_conn {
    struct tcp_server *server;
    int fd;
    int number; /* 1 for the first connection of the server */
    void *ssl;
    char request[65536]; /* the last one read, NUL behind it */
    size_t request_size;
    void *data;
};

struct tcp_tls {
    const char *cert; /* PEM files */
    const char *key;
    const char *client_ca; /* NULL: no client certificate is asked for */
    int max_version;       /* 0: as OpenSSL likes */
    bool h2;               /* offers HTTP/2 by ALPN and never speaks it: for what the client says */
};

typedef void (*tcp_serve)(struct tcp_conn *conn);

struct tcp_server *tcp_server_start(tcp_serve serve, void *data, const struct tcp_tls *tls);
void tcp_server_stop(struct tcp_server *server); /* ends all connections and threads */
int tcp_server_port(const struct tcp_server *server);
int tcp_server_connections(const struct tcp_server *server);
int tcp_server_requests(const struct tcp_server *server); /* whole ones that were read */
int tcp_server_bytes(const struct tcp_server *server);    /* of requests, whole or not */

bool tcp_read(struct tcp_conn *conn); /* one request with its body; false: the peer is gone */
bool tcp_write(struct tcp_conn *conn, const void *data, size_t n);
bool tcp_say(struct tcp_conn *conn, const char *text);
void tcp_reset(struct tcp_conn *conn);         /* RST instead of FIN */
void tcp_wait_gone(struct tcp_conn *conn);     /* until the peer closes or the server stops */
bool tcp_pause(struct tcp_conn *conn, int ms); /* false: the peer is gone */

/* Certificates made on the spot; the files live in unit_tmpdir(). `issuer` NULL: self-signed. */
struct test_cert {
    char cert[300];
    char key[300];
    void *x509;
    void *pkey;
};
void test_cert_make(struct test_cert *out, const char *file, const char *name,
                    const struct test_cert *issuer, int from_days, int to_days);
void test_cert_free(struct test_cert *cert);
void test_cert_pin(const struct test_cert *cert, char out[80]); /* "sha256//..." */

#endif
