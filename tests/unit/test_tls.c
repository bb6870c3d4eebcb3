/* TLS in memory: our connection against OpenSSL's own client, byte by byte where it matters. */
#include "base/mem.h"
#include "sys/crypto.h"
#include "sys/tls.h"
#include "unit.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static char dir[512];
static struct why why;

static void must(const char *command) {
    char line[2048];
    snprintf(line, sizeof line, "cd '%s' && { %s; } >out.txt 2>&1", dir, command);
    if (system(line) != 0) fail_msg("%s", command);
}
static const char *at(const char *name) {
    static char ring[64][768];
    static int next;
    char *out = ring[next++ % 64];
    snprintf(out, sizeof ring[0], "%s/%s", dir, name);
    return out;
}

static int make_files(void **state) {
    (void)state;
    if (dir[0] != '\0') return 0; /* once for all */
    snprintf(dir, sizeof dir, "%s", unit_tmpdir());
    must(
        "ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2';"
        "openssl req -x509 $ec -keyout a.key -out a.crt -subj /CN=a.example && "
        "openssl req -x509 $ec -keyout b.key -out b.crt -subj /CN=b.example && "
        "openssl req -x509 $ec -keyout ca.key -out ca.crt -subj /CN=partners && "
        "openssl req -x509 $ec -keyout evil.key -out evil.crt -subj /CN=evil && "
        "openssl req $ec -keyout p.key -out p.csr -subj /CN=partner && "
        "printf 'subjectAltName=DNS:bank.example,DNS:other' > san && "
        "openssl x509 -req -in p.csr -CA ca.crt -CAkey ca.key -set_serial 7 -days 2 -extfile san "
        "-out p.crt && "
        "openssl x509 -req -in p.csr -CA evil.crt -CAkey evil.key -set_serial 8 -days 2 -out q.crt "
        "&& "
        "openssl pkcs8 -topk8 -in a.key -passout pass:x -out enc.key && echo nothing > none.pem && "
        "sed 5s/./!/ a.crt > bad.crt && cat a.crt bad.crt > badchain.crt");
    must("touch idx && echo 01 > crlnum && printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=idx\\n"
         "crlnumber=crlnum\\ndefault_md=sha256\\ndefault_crl_days=2\\n' > ca.cnf && "
         "openssl ca -config ca.cnf -gencrl -keyfile ca.key -cert ca.crt -out clean.crl && "
         "openssl ca -config ca.cnf -revoke p.crt -keyfile ca.key -cert ca.crt && "
         "openssl ca -config ca.cnf -gencrl -keyfile ca.key -cert ca.crt -out revoked.crl");
    return 0;
}

static struct tls_server *server(struct tls_server_options o) {
    struct tls_server *s;
    if (tls_server_new(&s, &o, &why) != 0) fail_msg("%s", why.text);
    return s;
}

/* ---- a client of OpenSSL's own ---- */
struct peer {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
};

static struct peer client(const char *cert, const char *key, int max_version) {
    struct peer p = {.ctx = SSL_CTX_new(TLS_client_method())};
    if (cert != NULL) {
        CHECK(SSL_CTX_use_certificate_file(p.ctx, cert, SSL_FILETYPE_PEM) == 1);
        CHECK(SSL_CTX_use_PrivateKey_file(p.ctx, key, SSL_FILETYPE_PEM) == 1);
    }
    SSL_CTX_set_security_level(p.ctx, 0);
    if (max_version != 0) SSL_CTX_set_max_proto_version(p.ctx, max_version);
    p.ssl = SSL_new(p.ctx);
    p.in = BIO_new(BIO_s_mem()), p.out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(p.in, -1), BIO_set_mem_eof_return(p.out, -1);
    SSL_set_bio(p.ssl, p.in, p.out);
    SSL_set_connect_state(p.ssl);
    return p;
}
static void client_free(struct peer *p) {
    SSL_free(p->ssl);
    SSL_CTX_free(p->ctx);
}

/* Moves what both sides have to say, `step` bytes at a time; returns our side's error. */
static int pump(struct peer *p, struct tls_conn *c, size_t step) {
    char part[20000];
    int err = 0;
    for (bool moved = true; moved;) {
        moved = false;
        int n;
        while ((n = BIO_read(p->out, part, step < sizeof part ? (int)step : (int)sizeof part)) >
               0) {
            moved = true;
            int e = tls_conn_feed(c, part, (size_t)n);
            if (err == 0) err = e;
        }
        struct str out = tls_conn_out(c);
        if (out.n > step) out.n = step;
        if (out.n != 0) {
            moved = true;
            BIO_write(p->in, out.p, (int)out.n);
            tls_conn_out_done(c, out.n);
        }
        if (!SSL_is_init_finished(p->ssl)) {
            ERR_clear_error();
            SSL_do_handshake(p->ssl);
        }
    }
    return err;
}
static int shake(struct peer *p, struct tls_conn *c, size_t step) {
    ERR_clear_error();
    SSL_do_handshake(p->ssl);
    return pump(p, c, step);
}
static void check_server_name(struct peer *p, const char *expected) {
    char name[64] = "";
    X509 *cert = SSL_get0_peer_certificate(p->ssl);
    CHECK(cert != NULL);
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name);
    CHECK_STR(str_of(name), expected);
}
static ssize_t read_all(struct tls_conn *c, char *out, size_t size) {
    size_t n = 0;
    ssize_t got;
    while ((got = tls_conn_read(c, out + n, size - n)) > 0)
        n += (size_t)got;
    return got < 0 && n == 0 ? got : (ssize_t)n;
}

static void speaks_both_versions_in_any_pieces(void **state) {
    (void)state;
    struct tls_server *s = server((struct tls_server_options){at("a.crt"), at("a.key")});
    static const size_t steps[] = {1, 7, 1000, 20000};
    for (int v = 0; v < 2; v++) {
        for (size_t i = 0; i < 4; i++) {
            struct tls_conn *c;
            CHECK_OK(tls_conn_new(&c, s));
            struct peer p = client(NULL, NULL, v == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
            static const unsigned char alpn[] = "\x02h2\x08http/1.1";
            SSL_set_alpn_protos(p.ssl, alpn, sizeof alpn - 1);
            CHECK_ERR(tls_conn_write(c, "x", 1), E_STATE);
            CHECK_OK(shake(&p, c, steps[i]));
            CHECK(tls_conn_ready(c));
            CHECK_STR(str_of(tls_conn_version(c)), v == 0 ? "TLSv1.2" : "TLSv1.3");
            const unsigned char *chosen;
            unsigned n;
            SSL_get0_alpn_selected(p.ssl, &chosen, &n);
            CHECK_STR(((struct str){(const char *)chosen, n}), "http/1.1");
            check_server_name(&p, "a.example");
            char text[70000], got[70000];
            for (size_t k = 0; k < sizeof text; k++)
                text[k] = (char)(k * 7 + k / 251);
            size_t size = steps[i] < 1000 ? 3000 : sizeof text;
            CHECK_OK(tls_conn_write(c, text, size));
            pump(&p, c, steps[i]);
            size_t have = 0;
            for (int r; (r = SSL_read(p.ssl, got + have, (int)(sizeof got - have))) > 0;)
                have += (size_t)r;
            CHECK(have == size && memcmp(got, text, size) == 0);
            CHECK_INT(SSL_write(p.ssl, text, (int)size), (int)size);
            CHECK_INT(tls_conn_read(c, got, sizeof got), 0);
            CHECK_OK(pump(&p, c, steps[i]));
            CHECK_INT(read_all(c, got, sizeof got), (ssize_t)size);
            CHECK(memcmp(got, text, size) == 0);
            CHECK_ERR(tls_conn_eof(c), E_RESET); /* no close_notify yet: truncated */
            SSL_shutdown(p.ssl);
            CHECK_OK(pump(&p, c, steps[i]));
            CHECK_INT(tls_conn_read(c, got, sizeof got), E_CLOSED);
            CHECK_OK(tls_conn_eof(c));
            CHECK_OK(tls_conn_shutdown(c));
            CHECK(tls_conn_out(c).n > 0);
            pump(&p, c, steps[i]);
            CHECK(SSL_read(p.ssl, got, 1) <= 0 &&
                  SSL_get_shutdown(p.ssl) == (SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN));
            struct tls_peer who;
            CHECK_OK(tls_conn_peer(c, &who));
            CHECK(!who.present && who.fingerprint[0] == '\0');
            client_free(&p);
            tls_conn_delete(c);
        }
    }
    tls_server_delete(s);
}

static void refuses_the_old_and_the_wrong(void **state) {
    (void)state;
    struct tls_server *s = server((struct tls_server_options){at("a.crt"), at("a.key")});
    struct tls_conn *c;
    CHECK_OK(tls_conn_new(&c, s));
    struct peer p = client(NULL, NULL, TLS1_1_VERSION);
    CHECK_ERR(shake(&p, c, 20000), E_TLS);
    CHECK(str_search(str_of(tls_conn_error(c)), STR("protocol")) >= 0);
    CHECK_ERR(tls_conn_feed(c, "x", 1), E_TLS); /* it sticks */
    CHECK_INT(tls_conn_read(c, (char[8]){0}, 8), E_TLS);
    client_free(&p), tls_conn_delete(c);
    /* only h2 */
    CHECK_OK(tls_conn_new(&c, s));
    p = client(NULL, NULL, 0);
    SSL_set_alpn_protos(p.ssl, (const unsigned char *)"\x02h2", 3);
    CHECK_ERR(shake(&p, c, 20000), E_TLS);
    client_free(&p), tls_conn_delete(c);
    /* weak ciphers only */
    CHECK_OK(tls_conn_new(&c, s));
    p = client(NULL, NULL, TLS1_2_VERSION);
    SSL_set_cipher_list(p.ssl, "ECDHE-ECDSA-AES128-SHA:AES128-SHA");
    CHECK_ERR(shake(&p, c, 20000), E_TLS);
    client_free(&p), tls_conn_delete(c);
    /* plain HTTP on the TLS port: an error, not a hang; and a neighbour is not touched by it */
    struct tls_conn *good;
    CHECK_OK(tls_conn_new(&c, s));
    CHECK_OK(tls_conn_new(&good, s));
    p = client(NULL, NULL, 0);
    SSL_do_handshake(p.ssl);
    CHECK_ERR(tls_conn_feed(c, "GET / HTTP/1.1\r\n\r\n", 18), E_TLS);
    CHECK_OK(pump(&p, good, 20000));
    CHECK(tls_conn_ready(good));
    client_free(&p), tls_conn_delete(c), tls_conn_delete(good);
    tls_server_delete(s);
}

static void damaged_records_break_it(void **state) {
    (void)state;
    struct tls_server *s = server((struct tls_server_options){at("a.crt"), at("a.key")});
    struct tls_conn *c;
    CHECK_OK(tls_conn_new(&c, s));
    struct peer p = client(NULL, NULL, 0);
    CHECK_OK(shake(&p, c, 20000));
    CHECK_INT(SSL_write(p.ssl, "hello", 5), 5);
    char part[1000];
    int n = BIO_read(p.out, part, sizeof part);
    part[n - 1] ^= 1;
    CHECK_OK(tls_conn_feed(c, part, (size_t)n));
    CHECK_INT(tls_conn_read(c, part, sizeof part), E_TLS);
    CHECK(tls_conn_out(c).n > 0); /* the alert */
    client_free(&p), tls_conn_delete(c);
    tls_server_delete(s);
}

static void reloads(void **state) {
    (void)state;
    must("cp a.crt live.crt && cp a.key live.key");
    struct tls_server *s = server((struct tls_server_options){at("live.crt"), at("live.key")});
    struct tls_conn *before, *after;
    CHECK_OK(tls_conn_new(&before, s));
    must("cp b.crt live.crt"); /* the key is still a's */
    CHECK_ERR(tls_server_reload(s, &why), E_CONFIG);
    CHECK(str_search(str_of(why.text),
                     STR("live.key: the key does not belong to the certificate")) >= 0);
    must("rm live.key");
    CHECK_ERR(tls_server_reload(s, &why), E_NOTFOUND);
    struct peer p = client(NULL, NULL, 0);
    CHECK_OK(tls_conn_new(&after, s));
    CHECK_OK(shake(&p, after, 20000));
    check_server_name(&p, "a.example");
    client_free(&p), tls_conn_delete(after);
    must("cp b.key live.key");
    CHECK_OK(tls_server_reload(s, &why));
    CHECK_OK(tls_conn_new(&after, s));
    p = client(NULL, NULL, 0);
    CHECK_OK(shake(&p, after, 20000));
    check_server_name(&p, "b.example");
    client_free(&p);
    p = client(NULL, NULL, 0);
    CHECK_OK(shake(&p, before, 20000)); /* began before: keeps what it began with */
    check_server_name(&p, "a.example");
    client_free(&p);
    tls_server_delete(s); /* connections may outlive it */
    CHECK_OK(tls_conn_write(after, "x", 1));
    tls_conn_delete(before), tls_conn_delete(after);
}

static void bad_files_are_explained(void **state) {
    (void)state;
    const struct {
        struct tls_server_options o;
        int err;
        const char *says;
    } cases[] = {
        {{NULL, NULL}, E_CONFIG, "needs a certificate and a key file"},
        {{at("gone.crt"), at("a.key")}, E_NOTFOUND, "gone.crt: cannot open: No such file"},
        {{at("none.pem"), at("a.key")}, E_CONFIG, "none.pem: no certificate in it"},
        {{at("a.crt"), at("none.pem")}, E_CONFIG, "none.pem: no private key in it"},
        {{at("a.crt"), at("enc.key")}, E_CONFIG, "enc.key: the private key is encrypted"},
        {{at("a.crt"), at("b.key")}, E_CONFIG, "does not belong"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_server *s;
        struct tls_server_options o = cases[i].o;
        CHECK_ERR(tls_server_new(&s, &o, &why), cases[i].err);
        CHECK(s == NULL);
        if (str_search(str_of(why.text), str_of(cases[i].says)) < 0)
            fail_msg("expected \"%s\" in \"%s\"", cases[i].says, why.text);
    }
    struct tls_server *s;
    struct tls_server_options more[] = {
        {dir, at("a.key")},
        {at("a.crt"), at("a.key"), .require_peer = true},
        {at("a.crt"), at("a.key"), .ca_file = at("none.pem")},
        {at("badchain.crt"), at("a.key")},
        {at("a.crt"), at("a.key"), .ca_file = at("badchain.crt")},
    };
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        CHECK_ERR(tls_server_new(&s, &more[i], &why), E_CONFIG);
}

/* Returns our error after the handshake and a first read. */
static int try_peer(struct tls_server *s, const char *cert, int version, struct tls_peer *who) {
    struct tls_conn *c;
    CHECK_OK(tls_conn_new(&c, s));
    struct peer p = client(cert, cert == NULL ? NULL : at("p.key"), version);
    int err = shake(&p, c, 20000);
    CHECK(err == 0 || !tls_conn_ready(c));
    CHECK_OK(tls_conn_peer(c, who));
    client_free(&p);
    tls_conn_delete(c);
    return err;
}

static void client_certificates(void **state) {
    (void)state;
    struct tls_server_options o = {at("a.crt"), at("a.key"), .ca_file = at("ca.crt"),
                                   .require_peer = true};
    struct tls_peer who;
    for (int v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++) {
        struct tls_server *s = server(o);
        CHECK_OK(try_peer(s, at("p.crt"), v, &who));
        CHECK(who.present);
        CHECK_STR(str_of(who.name), "bank.example");
        must("test \"$(openssl x509 -in p.crt -outform DER | sha256sum | cut -c1-64)\" = "
             "\"$(openssl x509 -in p.crt -noout -fingerprint -sha256 | cut -d= -f2 | tr -d : | "
             "tr A-F a-f)\" && openssl x509 -in p.crt -outform DER | sha256sum | cut -c1-64 > fp");
        char fp[65] = "";
        FILE *f = fopen(at("fp"), "r");
        CHECK(f != NULL && fread(fp, 1, 64, f) == 64);
        fclose(f);
        CHECK_STR(str_of(who.fingerprint), fp);
        CHECK_ERR(try_peer(s, NULL, v, &who), E_TLS);
        CHECK(!who.present);
        CHECK_ERR(try_peer(s, at("q.crt"), v, &who), E_TLS);
        CHECK(!who.present);
        tls_server_delete(s);
    }
    o.require_peer = false; /* asked for, not required: none is fine, a wrong one is not */
    struct tls_server *s = server(o);
    CHECK_OK(try_peer(s, NULL, 0, &who));
    CHECK(!who.present);
    CHECK_OK(try_peer(s, at("p.crt"), 0, &who));
    CHECK(who.present);
    CHECK_ERR(try_peer(s, at("q.crt"), 0, &who), E_TLS);
    tls_server_delete(s);
    must("cp clean.crl live.crl");
    o.crl_file = at("live.crl");
    s = server(o);
    CHECK_OK(try_peer(s, at("p.crt"), 0, &who));
    CHECK(who.present);
    must("cp revoked.crl live.crl");
    CHECK_OK(tls_server_reload(s, &why));
    CHECK_ERR(try_peer(s, at("p.crt"), 0, &who), E_TLS);
    tls_server_delete(s);
}

static void *reload_often(void *arg) {
    intptr_t bad = 0;
    for (int i = 0; i < 30; i++)
        bad += tls_server_reload(arg, NULL) != 0;
    return (void *)bad;
}

static void reloads_while_others_connect(void **state) {
    (void)state;
    struct tls_server *s = server((struct tls_server_options){at("a.crt"), at("a.key")});
    pthread_t t;
    CHECK_INT(pthread_create(&t, NULL, reload_often, s), 0);
    for (int i = 0; i < 30; i++) {
        struct tls_conn *c;
        CHECK_OK(tls_conn_new(&c, s));
        struct peer p = client(NULL, NULL, 0);
        CHECK_OK(shake(&p, c, 20000));
        client_free(&p);
        tls_conn_delete(c);
    }
    void *bad;
    pthread_join(t, &bad);
    CHECK(bad == NULL);
    tls_server_delete(s);
}

/* Who the peer is must be known again after a resumption. */
static void resumption_keeps_the_peer(void **state) {
    (void)state;
    struct tls_server *s = server((struct tls_server_options){
        at("a.crt"), at("a.key"), .ca_file = at("ca.crt"), .require_peer = true});
    for (int v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++) {
        SSL_SESSION *session = NULL;
        for (int round = 0; round < 2; round++) {
            struct tls_conn *c;
            struct tls_peer who;
            char byte;
            CHECK_OK(tls_conn_new(&c, s));
            struct peer p = client(at("p.crt"), at("p.key"), v);
            if (session != NULL) SSL_set_session(p.ssl, session);
            CHECK_OK(shake(&p, c, 20000));
            CHECK_OK(tls_conn_write(c, "x", 1));
            pump(&p, c, 20000);
            CHECK_INT(SSL_read(p.ssl, &byte, 1), 1);
            CHECK_INT(SSL_session_reused(p.ssl), round);
            CHECK_OK(tls_conn_peer(c, &who));
            CHECK(who.present);
            CHECK_STR(str_of(who.name), "bank.example");
            if (session == NULL) session = SSL_get1_session(p.ssl);
            SSL_shutdown(p.ssl);
            client_free(&p);
            tls_conn_delete(c);
        }
        SSL_SESSION_free(session);
    }
    tls_server_delete(s);
}

static void memory_fails(void **state) {
    (void)state;
    const struct tls_server_options o = {at("a.crt"), at("a.key"), .ca_file = at("ca.crt")};
    bool failed = true;
    int n = 1;
    for (; failed && n < 20000; n += 1 + n / 40) { /* every one at first, then in growing steps */
        struct tls_server *s = NULL;
        struct tls_conn *c = NULL;
        mem_fail_at((uint64_t)n, 0);
        int err = tls_server_new(&s, &o, &why);
        if (err == 0) err = tls_conn_new(&c, s);
        failed = mem_has_failed();
        mem_fail_at(0, 0);
        if (!failed) CHECK_OK(err);
        tls_conn_delete(c);
        if (err != 0 || c != NULL) tls_server_delete(s);
    }
    CHECK(!failed);
}

int main(int argc, char **argv) {
    if (crypto_setup() != 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(speaks_both_versions_in_any_pieces, make_files),
        cmocka_unit_test_setup(refuses_the_old_and_the_wrong, make_files),
        cmocka_unit_test_setup(damaged_records_break_it, make_files),
        cmocka_unit_test_setup(reloads, make_files),
        cmocka_unit_test_setup(bad_files_are_explained, make_files),
        cmocka_unit_test_setup(client_certificates, make_files),
        cmocka_unit_test_setup(resumption_keeps_the_peer, make_files),
        cmocka_unit_test_setup(reloads_while_others_connect, make_files),
        cmocka_unit_test_setup(memory_fails, make_files),
    };
    return unit_main(argc, argv, "tls", tests, sizeof tests / sizeof tests[0]);
}
