/* One TLS connection in memory.
 *
 *     handshake --> open --> peer said goodbye
 *         |          |
 *         +----------+--> broken (err is set, sticks)
 *
 * OpenSSL reads from `in` and writes to `out`, both memory BIOs. Each call into it is preceded by
 * ERR_clear_error: a stale error of another connection would otherwise be read as ours. */
#include "base/ensure.h"
#include "base/mem.h"
#include "sys/crypto.h"
#include "sys/tls_private.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <limits.h>
#include <stdio.h>

struct tls_conn {
    SSL *ssl;
    BIO *in, *out; /* the SSL's own */
    int err;       /* 0, or what broke it */
    bool ready;    /* handshake done */
    bool goodbye;  /* the peer's close_notify was read */
    char error[160];
};

int tls_conn_new(struct tls_conn **out, struct tls_server *s) {
    *out = NULL;
    struct tls_conn *c = mem_zalloc(sizeof *c);
    if (c == NULL) return E_NOMEM;
    ERR_clear_error();
    SSL_CTX *ctx = tls_server_context(s);
    c->ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    c->in = BIO_new(BIO_s_mem());
    c->out = BIO_new(BIO_s_mem());
    if (c->ssl == NULL || c->in == NULL || c->out == NULL) {
        BIO_free(c->in);
        BIO_free(c->out);
        SSL_free(c->ssl);
        mem_free(c);
        ERR_clear_error();
        return E_NOMEM;
    }
    BIO_set_mem_eof_return(c->in, -1); /* empty means "later", not "the end" */
    BIO_set_mem_eof_return(c->out, -1);
    SSL_set_bio(c->ssl, c->in, c->out);
    SSL_set_accept_state(c->ssl);
    *out = c;
    return 0;
}

void tls_conn_delete(struct tls_conn *c) {
    if (c == NULL) return;
    /* Without this a connection that merely went away would drop its session from the cache. */
    if (c->err == 0 && c->ready)
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(c->ssl);
    mem_free(c);
}

/* What OpenSSL says after a call that returned `got`: 0 = wants more, else the error, which stays.
 */
static int outcome(struct tls_conn *c, int got) {
    switch (SSL_get_error(c->ssl, got)) {
    case SSL_ERROR_NONE:
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return 0;
    case SSL_ERROR_ZERO_RETURN: c->goodbye = true; return 0;
    default: break;
    }
    struct why why = {0};
    c->err = crypto_fail(&why, E_TLS, "TLS");
    long verify = SSL_get_verify_result(c->ssl);
    snprintf(c->error, sizeof c->error, "%.90s%s%s", why.text, verify == X509_V_OK ? "" : ": ",
             verify == X509_V_OK ? "" : X509_verify_cert_error_string(verify));
    return c->err;
}

static int handshake(struct tls_conn *c) {
    if (c->ready) return 0;
    ERR_clear_error();
    int got = SSL_do_handshake(c->ssl);
    if (got == 1) {
        c->ready = true;
        return 0;
    }
    return outcome(c, got);
}

int tls_conn_feed(struct tls_conn *c, const void *data, size_t n) {
    if (c->err != 0) return c->err;
    const char *at = data;
    while (n != 0) {
        int part = n > INT_MAX ? INT_MAX : (int)n;
        ERR_clear_error();
        int took = BIO_write(c->in, at, part);
        if (took <= 0) {
            c->err = E_NOMEM; /* bytes of the stream are lost: nothing can go on */
            snprintf(c->error, sizeof c->error, "TLS: out of memory");
            ERR_clear_error();
            return c->err;
        }
        at += took;
        n -= (size_t)took;
    }
    return handshake(c);
}

ssize_t tls_conn_read(struct tls_conn *c, void *out, size_t max) {
    if (c->err != 0) return c->err;
    if (!c->ready) return 0;
    if (c->goodbye) return E_CLOSED;
    ERR_clear_error();
    int got = SSL_read(c->ssl, out, max > INT_MAX ? INT_MAX : (int)max);
    if (got > 0) return got;
    int err = outcome(c, got);
    return err != 0 ? err : c->goodbye ? E_CLOSED : 0;
}

int tls_conn_eof(struct tls_conn *c) {
    return c->goodbye ? 0 : E_RESET;
}

int tls_conn_write(struct tls_conn *c, const void *data, size_t n) {
    if (c->err != 0) return c->err;
    if (!c->ready) return E_STATE;
    const char *at = data;
    while (n != 0) {
        ERR_clear_error();
        int took = SSL_write(c->ssl, at, n > INT_MAX ? INT_MAX : (int)n);
        if (took <= 0) {
            /* A memory BIO takes everything, and renegotiation is off: nothing to wait for. */
            if (outcome(c, took) == 0) {
                c->err = E_TLS;
                snprintf(c->error, sizeof c->error, "TLS: write refused");
            }
            return c->err;
        }
        at += took;
        n -= (size_t)took;
    }
    return 0;
}

int tls_conn_shutdown(struct tls_conn *c) {
    if (c->err != 0) return c->err;
    if (!c->ready) return 0;
    ERR_clear_error();
    int got = SSL_shutdown(c->ssl);
    return got >= 0 ? 0 : outcome(c, got);
}

struct str tls_conn_out(struct tls_conn *c) {
    char *data = NULL;
    long n = BIO_get_mem_data(c->out, &data);
    return (struct str){n <= 0 ? "" : data, n <= 0 ? 0 : (size_t)n};
}

void tls_conn_out_done(struct tls_conn *c, size_t n) {
    char waste[4096];
    while (n != 0) {
        int got = BIO_read(c->out, waste, n > sizeof waste ? (int)sizeof waste : (int)n);
        ENSURE(got > 0); /* more than tls_conn_out showed */
        n -= (size_t)got;
    }
}

bool tls_conn_ready(const struct tls_conn *c) {
    return c->ready;
}

const char *tls_conn_error(const struct tls_conn *c) {
    return c->error;
}

const char *tls_conn_version(const struct tls_conn *c) {
    return SSL_get_version(c->ssl);
}

static bool printable(const unsigned char *p, int n, size_t size) {
    if (n <= 0 || (size_t)n >= size) return false;
    for (int i = 0; i < n; i++)
        if (p[i] <= ' ' || p[i] >= 0x7f) return false;
    return true;
}

/* First DNS or URI name; a name with odd bytes (a NUL in it) counts as none. */
static void san_name(X509 *cert, char *out, size_t size) {
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names) && out[0] == '\0'; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS && name->type != GEN_URI) continue;
        const ASN1_STRING *text = name->d.ia5;
        const unsigned char *p = ASN1_STRING_get0_data(text);
        int n = ASN1_STRING_length(text);
        if (printable(p, n, size)) snprintf(out, size, "%.*s", n, (const char *)p);
    }
    GENERAL_NAMES_free(names);
}

static void common_name(X509 *cert, char *out, size_t size) {
    X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) return;
    const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    const unsigned char *p = ASN1_STRING_get0_data(text);
    int n = ASN1_STRING_length(text);
    if (printable(p, n, size)) snprintf(out, size, "%.*s", n, (const char *)p);
}

int tls_conn_peer(struct tls_conn *c, struct tls_peer *out) {
    *out = (struct tls_peer){0};
    X509 *cert = SSL_get0_peer_certificate(c->ssl);
    if (!c->ready || cert == NULL || SSL_get_verify_result(c->ssl) != X509_V_OK) return 0;
    unsigned char *der = NULL;
    int n = i2d_X509(cert, &der);
    if (n <= 0) return crypto_fail(NULL, E_NOMEM, "certificate");
    int err = crypto_sha256_hex((struct str){(char *)der, (size_t)n}, out->fingerprint);
    OPENSSL_free(der);
    if (err != 0) return err;
    san_name(cert, out->name, sizeof out->name);
    if (out->name[0] == '\0') common_name(cert, out->name, sizeof out->name);
    out->present = true;
    ERR_clear_error();
    return 0;
}
