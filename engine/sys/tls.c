/* The shared side of TLS: the context, its loading and its swap. Connections are in tls_conn.c.
 *
 * The live SSL_CTX is reference-counted by OpenSSL: a new connection takes a reference under the
 * lock, a reload swaps the pointer and drops ours, and an old context goes with its last
 * connection. Session tickets are off: their keys would live in each context and outlast a removed
 * client CA; TLS 1.3 then resumes from a per-context cache, which a reload empties. */
#include "base/ensure.h"
#include "base/mem.h"
#include "sys/crypto.h"
#include "sys/file_read.h"
#include "sys/tls_private.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define PEM_FILE_MAX (1024 * 1024)

static int read_file(const char *path, struct buf *out, struct why *why) {
    out->max = PEM_FILE_MAX;
    int err = file_read(path, out, why);
    if (err == E_INVAL || err == E_LIMIT)
        err = why_set(why, E_CONFIG, "not a file of at most 1 MB");
    if (err != 0) why_prefix(why, "%s: ", path);
    return err;
}

static int file_fail(struct why *why, int code, const char *path, const char *text) {
    int err = crypto_fail(why, code, text);
    why_prefix(why, "%s: ", path);
    return err;
}

static X509 *next_cert(BIO *bio) {
    return PEM_read_bio_X509(bio, NULL, NULL, NULL);
}

/* The reader ends with "no start line"; anything else is a damaged block. */
static bool ended_well(void) {
    return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

/* Leaf first, then its chain. */
static int use_chain(SSL_CTX *ctx, const char *path, struct str pem, struct why *why) {
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *cert = bio == NULL ? NULL : next_cert(bio);
    int err = 0;
    if (cert == NULL) {
        err = file_fail(why, E_CONFIG, path, "no certificate in it");
    } else if (X509_cmp_time(X509_get0_notAfter(cert), NULL) < 0) {
        err = why_set(why, E_CONFIG, "%s: the certificate has expired", path);
    } else if (SSL_CTX_use_certificate(ctx, cert) != 1) {
        err = file_fail(why, E_CONFIG, path, "the certificate cannot be used");
    }
    X509_free(cert);
    while (err == 0 && (cert = next_cert(bio)) != NULL) {
        if (SSL_CTX_add0_chain_cert(ctx, cert) == 1) continue; /* now the context's */
        X509_free(cert);
        err = file_fail(why, E_CONFIG, path, "a certificate of the chain cannot be used");
    }
    if (err == 0 && !ended_well())
        err = file_fail(why, E_CONFIG, path, "a certificate of the chain is damaged");
    ERR_clear_error();
    BIO_free(bio);
    return err;
}

static int no_password(char *out, int size, int writing, void *data) {
    (void)out, (void)size, (void)writing, (void)data;
    return -1;
}

static int use_key(SSL_CTX *ctx, const char *path, struct str pem, struct why *why) {
    if (str_search(pem, STR("ENCRYPTED")) >= 0)
        return why_set(why, E_CONFIG,
                       "%s: the private key is encrypted; give it without a password, mode 0600",
                       path);
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    int err = 0;
    if (key == NULL) {
        err = file_fail(why, E_CONFIG, path, "no private key in it");
    } else if (X509_check_private_key(SSL_CTX_get0_certificate(ctx), key) != 1) {
        err = file_fail(why, E_CONFIG, path, "the key does not belong to the certificate");
    } else if (SSL_CTX_use_PrivateKey(ctx, key) != 1) {
        err = file_fail(why, E_CONFIG, path, "the private key cannot be used");
    }
    EVP_PKEY_free(key);
    return err;
}

static int use_ca(SSL_CTX *ctx, const char *path, struct str pem, struct why *why) {
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    int count = 0, err = 0;
    X509 *cert;
    while (err == 0 && bio != NULL && (cert = next_cert(bio)) != NULL) {
        if (X509_STORE_add_cert(store, cert) != 1 || SSL_CTX_add_client_CA(ctx, cert) != 1)
            err = file_fail(why, E_CONFIG, path, "a CA certificate cannot be used");
        X509_free(cert);
        count++;
    }
    if (err == 0 && count == 0) err = file_fail(why, E_CONFIG, path, "no certificate in it");
    if (err == 0 && !ended_well())
        err = file_fail(why, E_CONFIG, path, "a CA certificate is damaged");
    BIO_free(bio);
    ERR_clear_error();
    return err;
}

static int use_crl(SSL_CTX *ctx, const char *path, struct str pem, struct why *why) {
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    int count = 0, err = 0;
    X509_CRL *crl;
    while (err == 0 && bio != NULL &&
           (crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
        if (X509_STORE_add_crl(store, crl) != 1)
            err = file_fail(why, E_CONFIG, path, "a revocation list cannot be used");
        X509_CRL_free(crl);
        count++;
    }
    if (err == 0 && count == 0) err = file_fail(why, E_CONFIG, path, "no revocation list in it");
    if (err == 0 && !ended_well())
        err = file_fail(why, E_CONFIG, path, "a revocation list is damaged");
    if (err == 0) X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    BIO_free(bio);
    ERR_clear_error();
    return err;
}

static int with_file(SSL_CTX *ctx, const char *path, struct why *why,
                     int (*use)(SSL_CTX *, const char *, struct str, struct why *)) {
    struct buf pem = {.secret = true};
    int err = read_file(path, &pem, why);
    if (err == 0) err = use(ctx, path, buf_str(&pem), why);
    buf_free(&pem);
    return err;
}

/* We speak http/1.1 only; who offers others but not this is refused, as RFC 7301 wants. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                       const unsigned char *in, unsigned in_n, void *data) {
    (void)ssl, (void)data;
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, out_n, ours, sizeof ours - 1, in, in_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int configure(SSL_CTX *ctx, bool peers, bool require, struct why *why) {
    static const unsigned char id[] = "luwak";
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_sess_set_cache_size(ctx, 4096);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    if (peers)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                           NULL);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
        SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1) != 1)
        return crypto_fail(why, E_INTERNAL, "TLS context");
    return 0;
}

static int build(const struct tls_server *s, SSL_CTX **out, struct why *why) {
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL) return crypto_fail(why, E_NOMEM, "TLS context");
    int err = configure(ctx, s->ca_file != NULL, s->require_peer, why);
    if (err == 0) err = with_file(ctx, s->cert_file, why, use_chain);
    if (err == 0) err = with_file(ctx, s->key_file, why, use_key);
    if (err == 0 && s->ca_file != NULL) err = with_file(ctx, s->ca_file, why, use_ca);
    if (err == 0 && s->crl_file != NULL) err = with_file(ctx, s->crl_file, why, use_crl);
    if (err != 0) {
        SSL_CTX_free(ctx);
        return err;
    }
    *out = ctx;
    return 0;
}

int tls_ca_check(const char *path, struct why *why) {
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL) return crypto_fail(why, E_NOMEM, "TLS context");
    int err = with_file(ctx, path, why, use_ca);
    SSL_CTX_free(ctx);
    return err;
}

static int copy_path(char **out, const char *path) {
    *out = path == NULL ? NULL : mem_strdup(path);
    return path != NULL && *out == NULL ? E_NOMEM : 0;
}

int tls_server_new(struct tls_server **out, const struct tls_server_options *o, struct why *why) {
    *out = NULL;
    int err = crypto_setup();
    if (err != 0) return why_set(why, err, "TLS: %s", err_text(err));
    if (o->cert_file == NULL || o->key_file == NULL)
        return why_set(why, E_CONFIG, "TLS needs a certificate and a key file");
    if (o->ca_file == NULL && (o->require_peer || o->crl_file != NULL))
        return why_set(why, E_CONFIG, "client certificates need a CA file");
    struct tls_server *s = mem_zalloc(sizeof *s);
    if (s == NULL) return why_set(why, E_NOMEM, "TLS: out of memory");
    pthread_mutex_init(&s->lock, NULL);
    s->require_peer = o->require_peer;
    if (copy_path(&s->cert_file, o->cert_file) != 0 || copy_path(&s->key_file, o->key_file) != 0 ||
        copy_path(&s->ca_file, o->ca_file) != 0 || copy_path(&s->crl_file, o->crl_file) != 0)
        err = why_set(why, E_NOMEM, "TLS: out of memory");
    if (err == 0) err = build(s, &s->ctx, why);
    if (err != 0) {
        tls_server_delete(s);
        return err;
    }
    *out = s;
    return 0;
}

int tls_server_reload(struct tls_server *s, struct why *why) {
    SSL_CTX *fresh = NULL;
    int err = build(s, &fresh, why);
    if (err != 0) return err;
    pthread_mutex_lock(&s->lock);
    SSL_CTX *old = s->ctx;
    s->ctx = fresh;
    pthread_mutex_unlock(&s->lock);
    SSL_CTX_free(old);
    return 0;
}

SSL_CTX *tls_server_context(struct tls_server *s) {
    pthread_mutex_lock(&s->lock);
    SSL_CTX *ctx = s->ctx;
    SSL_CTX_up_ref(ctx);
    pthread_mutex_unlock(&s->lock);
    return ctx;
}

void tls_server_delete(struct tls_server *s) {
    if (s == NULL) return;
    SSL_CTX_free(s->ctx);
    mem_free(s->cert_file);
    mem_free(s->key_file);
    mem_free(s->ca_file);
    mem_free(s->crl_file);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}
