/* TLS for the HTTP server: a context that can be reloaded, and connections in memory.
 *
 * struct tls_server is shared by all workers: TLS 1.2 and up, forward-secret AEAD ciphers, ALPN
 * http/1.1, certificate and key from PEM files. tls_server_reload reads everything aside, checks
 * that the key fits the certificate, and swaps; on any error the old one stays. A connection keeps
 * the context that it began with.
 *
 * struct tls_conn belongs to one connection and knows no socket: ciphertext goes in and comes out
 * through memory. The order for its owner, after each read from the socket:
 *
 *     err = tls_conn_feed(c, bytes, n);      E_TLS: send what tls_conn_out has (the alert), close
 *     while ((n = tls_conn_read(c, buf, sizeof buf)) > 0) ...plaintext...
 *     send tls_conn_out(c), then tls_conn_out_done(c, sent)
 *
 * Every call may leave ciphertext to send (handshake, alert, key update), reads too: send what
 * tls_conn_out shows after each call. One thread per connection. */
#ifndef LUWAK_SYS_TLS_H
#define LUWAK_SYS_TLS_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

struct tls_server;
struct tls_conn;

struct tls_server_options {
    const char *cert_file; /* PEM: leaf first, then its chain */
    const char *key_file;  /* PEM: RSA or EC, not encrypted */
    const char *ca_file;   /* PEM: who may sign client certificates; NULL: none is asked for */
    const char *crl_file;  /* PEM: revoked client certificates; NULL: not checked */
    bool require_peer;     /* with ca_file: no certificate, no connection */
};

int tls_server_new(struct tls_server **out, const struct tls_server_options *options,
                   struct why *why);
int tls_server_reload(struct tls_server *s, struct why *why); /* from any thread */
void tls_server_delete(struct tls_server *s);                 /* connections may outlive it */

/* Does the file hold certificates of authorities? Asked at a start, before each call fails by it. */
int tls_ca_check(const char *path, struct why *why);

int tls_conn_new(struct tls_conn **out, struct tls_server *s);
void tls_conn_delete(struct tls_conn *c);

/* Takes ciphertext from the peer, all of it, and moves the handshake on.
 * E_TLS: the connection is broken (tls_conn_error says why), E_NOMEM. */
int tls_conn_feed(struct tls_conn *c, const void *data, size_t n);

/* Plaintext from the peer: > 0 bytes; 0: none now; E_CLOSED: the peer said close_notify, all was
 * read; E_TLS: broken. */
ssize_t tls_conn_read(struct tls_conn *c, void *out, size_t max);

/* The transport ended. 0: after a close_notify; E_RESET: truncated; who knows the length of what
 * was sent (Content-Length complete) may take that as good. */
int tls_conn_eof(struct tls_conn *c);

/* Plaintext to the peer, all of it; only after tls_conn_ready. */
int tls_conn_write(struct tls_conn *c, const void *data, size_t n);
int tls_conn_shutdown(struct tls_conn *c); /* adds our close_notify to what is to be sent */

/* Ciphertext waiting to be sent: a view until the next call on `c`; then say how much went out. */
struct str tls_conn_out(struct tls_conn *c);
void tls_conn_out_done(struct tls_conn *c, size_t n);

bool tls_conn_ready(const struct tls_conn *c);          /* handshake done */
const char *tls_conn_error(const struct tls_conn *c);   /* after E_TLS: one line for the log */
const char *tls_conn_version(const struct tls_conn *c); /* "TLSv1.3" */

/* Who the peer is, after the handshake and again after a resumption. */
struct tls_peer {
    bool present;         /* it sent a certificate, and our CA signed it */
    char fingerprint[65]; /* SHA-256 of the certificate, hex; "" without one */
    char name[256];       /* first DNS or URI name of the SAN, else the common name */
};
int tls_conn_peer(struct tls_conn *c, struct tls_peer *out);

#endif
