/* Loading of keys. The text is cut into its PEM blocks here, not by OpenSSL's reader, because that
 * one skips what it does not know and then says "no start line" whatever was wrong. */
#include "sys/crypto_key.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "sys/crypto_key_private.h"
#include "sys/crypto_text.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#define PEM_TEXT_MAX (64 * 1024)
#define RSA_BITS_MIN 1024 /* some providers' old keys; ours are 2048 and up */
#define RSA_BITS_MAX 16384

/* One PEM block: label, the text between its lines, and the whole of it. */
struct block {
    struct str label, body, whole;
};

static bool next_block(struct str *text, struct block *b) {
    ptrdiff_t at = str_search(*text, STR("-----BEGIN "));
    if (at < 0) return false;
    struct str from = str_sub(*text, (size_t)at, text->n);
    struct str rest = str_sub(from, 11, from.n);
    ptrdiff_t end = str_search(rest, STR("-----"));
    if (end < 0) return false;
    b->label = str_sub(rest, 0, (size_t)end);
    rest = str_sub(rest, (size_t)end + 5, rest.n);
    ptrdiff_t stop = str_search(rest, STR("-----END "));
    if (stop < 0) return false;
    b->body = str_sub(rest, 0, (size_t)stop);
    rest = str_sub(rest, (size_t)stop + 9, rest.n);
    if (!str_starts(rest, b->label)) return false;
    rest = str_sub(rest, b->label.n, rest.n);
    if (!str_starts(rest, STR("-----"))) return false;
    rest = str_sub(rest, 5, rest.n);
    b->whole = (struct str){from.p, (size_t)(rest.p - from.p)};
    *text = rest;
    return true;
}

/* Base64 with any white space in it. */
static int decode_body(struct str body, struct buf *der) {
    struct buf packed = {.secret = true};
    int err = 0;
    for (size_t i = 0; i < body.n; i++)
        if (strchr(" \t\r\n", body.p[i]) == NULL || body.p[i] == '\0') buf_addc(&packed, body.p[i]);
    err = packed.err != 0 ? packed.err : text_decode(der, ENC_BASE64, buf_str(&packed));
    buf_free(&packed);
    return err;
}

/* A copy with "\n" written out as a line end, which is how keys sit in environment files. */
static int unescape(struct str pem, struct buf *out) {
    if (buf_reserve(out, pem.n) == NULL) return out->err; /* once: no copies left behind unwiped */
    for (size_t i = 0; i < pem.n; i++) {
        bool pair = pem.p[i] == '\\' && i + 1 < pem.n;
        if (pair && pem.p[i + 1] == 'n') {
            buf_addc(out, '\n'), i++;
        } else if (pair && pem.p[i + 1] == 'r') {
            i++;
        } else {
            buf_addc(out, pem.p[i]);
        }
    }
    return out->err;
}

const char *key_type_name(enum key_type type) {
    static const char *const names[] = {"RSA", "EC P-256", "EC P-384", "Ed25519"};
    return names[type];
}

/* Takes the EVP_PKEY over, also on failure. */
static int adopt(struct crypto_key **out, EVP_PKEY *pkey, bool private, struct why *why) {
    int err = 0, type = -1;
    char group[64] = "?";
    if (EVP_PKEY_is_a(pkey, "RSA") == 1) {
        int bits = EVP_PKEY_get_bits(pkey);
        if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
            err = why_set(why, E_INVAL, "RSA key of %d bits: expected %d to %d", bits, RSA_BITS_MIN,
                          RSA_BITS_MAX);
        type = KEY_RSA;
    } else if (EVP_PKEY_is_a(pkey, "EC") == 1) {
        size_t n = 0;
        EVP_PKEY_get_group_name(pkey, group, sizeof group, &n);
        if (strcmp(group, "prime256v1") == 0)
            type = KEY_P256;
        else if (strcmp(group, "secp384r1") == 0)
            type = KEY_P384;
        else
            err = why_set(why, E_INVAL, "EC key on curve %s: expected P-256 or P-384", group);
    } else if (EVP_PKEY_is_a(pkey, "ED25519") == 1) {
        type = KEY_ED25519;
    } else {
        const char *name = EVP_PKEY_get0_type_name(pkey);
        err = why_set(why, E_INVAL, "a key of type %s: expected RSA, EC or Ed25519",
                      name == NULL ? "?" : name);
    }
    struct crypto_key *key = err == 0 ? mem_zalloc(sizeof *key) : NULL;
    if (key == NULL) {
        if (err == 0) err = why_set(why, E_NOMEM, "out of memory");
        EVP_PKEY_free(pkey);
        return err;
    }
    *key = (struct crypto_key){.pkey = pkey, .type = (enum key_type)type, .private = private};
    *out = key;
    return 0;
}

static int given_password(char *out, int size, int writing, void *data) {
    (void)writing;
    const struct str *password = data;
    if (password->n == 0 || password->n > (size_t)size) return -1;
    memcpy(out, password->p, password->n);
    return (int)password->n;
}

static EVP_PKEY *decrypt_pkcs8(struct str der, struct str password) {
    const unsigned char *at = (const unsigned char *)der.p;
    X509_SIG *sealed = d2i_X509_SIG(NULL, &at, (long)der.n);
    PKCS8_PRIV_KEY_INFO *info = NULL;
    EVP_PKEY *pkey = NULL;
    if (sealed != NULL) info = PKCS8_decrypt(sealed, password.p, (int)password.n);
    if (info != NULL) pkey = EVP_PKCS82PKEY(info);
    PKCS8_PRIV_KEY_INFO_free(info);
    X509_SIG_free(sealed);
    return pkey;
}

static EVP_PKEY *decrypt_traditional(struct str whole, struct str password) {
    BIO *bio = BIO_new_mem_buf(whole.p, (int)whole.n);
    if (bio == NULL) return NULL;
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, given_password, &password);
    BIO_free(bio);
    return pkey;
}

static EVP_PKEY *private_from_der(struct str der) {
    const unsigned char *at = (const unsigned char *)der.p;
    return d2i_AutoPrivateKey(NULL, &at, (long)der.n);
}

static EVP_PKEY *public_from_der(struct str der) {
    const unsigned char *at = (const unsigned char *)der.p;
    return d2i_PUBKEY(NULL, &at, (long)der.n);
}

static EVP_PKEY *public_from_pkcs1(struct str der) {
    const unsigned char *at = (const unsigned char *)der.p;
    return d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)der.n);
}

static EVP_PKEY *public_from_certificate(struct str der) {
    const unsigned char *at = (const unsigned char *)der.p;
    X509 *cert = d2i_X509(NULL, &at, (long)der.n);
    EVP_PKEY *pkey = cert == NULL ? NULL : X509_get_pubkey(cert);
    X509_free(cert);
    return pkey;
}

static bool label_is(const struct block *b, const char *label) {
    return str_eq(b->label, str_of(label));
}

static int load_private_block(const struct block *b, struct str der, struct str password,
                              EVP_PKEY **pkey, struct why *why) {
    if (label_is(b, "ENCRYPTED PRIVATE KEY") ||
        str_search(b->body, STR("Proc-Type: 4,ENCRYPTED")) >= 0) {
        if (password.n == 0)
            return why_set(why, E_INVAL, "the private key is encrypted and no password was given");
        *pkey = label_is(b, "ENCRYPTED PRIVATE KEY") ? decrypt_pkcs8(der, password)
                                                     : decrypt_traditional(b->whole, password);
        if (*pkey == NULL)
            return crypto_fail(why, E_INVAL, "the private key does not open with this password");
        return 0;
    }
    if (label_is(b, "PRIVATE KEY") || label_is(b, "RSA PRIVATE KEY") ||
        label_is(b, "EC PRIVATE KEY")) {
        *pkey = private_from_der(der);
        if (*pkey == NULL) return crypto_fail(why, E_SYNTAX, "the private key is damaged");
        return 0;
    }
    if (label_is(b, "OPENSSH PRIVATE KEY"))
        return why_set(why, E_INVAL,
                       "found an OpenSSH key, expected PEM: ssh-keygen -p -m PKCS8 converts it");
    return why_set(why, E_INVAL, "found %.*s, expected a private key", STR_FMT(b->label));
}

static int load_public_block(const struct block *b, struct str der, EVP_PKEY **pkey,
                             struct why *why) {
    if (label_is(b, "PUBLIC KEY"))
        *pkey = public_from_der(der);
    else if (label_is(b, "RSA PUBLIC KEY"))
        *pkey = public_from_pkcs1(der);
    else if (label_is(b, "CERTIFICATE"))
        *pkey = public_from_certificate(der);
    else
        return why_set(why, E_INVAL, "found %.*s, expected a public key or a certificate",
                       STR_FMT(b->label));
    if (*pkey == NULL) return crypto_fail(why, E_SYNTAX, "the public key is damaged");
    return 0;
}

/* Bare base64: whatever a portal shows. */
static int load_bare(struct str text, bool private, struct buf *der, EVP_PKEY **pkey,
                     struct why *why) {
    const char *wanted = private ? "private" : "public";
    int err = text.n == 0 ? E_SYNTAX : decode_body(text, der);
    if (err == E_NOMEM) return why_set(why, err, "out of memory");
    if (err != 0)
        return why_set(why, E_SYNTAX,
                       "found neither PEM (\"-----BEGIN ...\") nor base64, expected a %s key",
                       wanted);
    struct str bytes = buf_str(der);
    if (private) {
        *pkey = private_from_der(bytes);
    } else {
        *pkey = public_from_der(bytes);
        if (*pkey == NULL) *pkey = public_from_certificate(bytes);
        if (*pkey == NULL) *pkey = public_from_pkcs1(bytes);
    }
    if (*pkey != NULL) return 0;
    EVP_PKEY *other = private ? public_from_der(bytes) : private_from_der(bytes);
    bool swapped = other != NULL;
    EVP_PKEY_free(other);
    err = crypto_fail(NULL, E_SYNTAX, "");
    if (swapped)
        return why_set(why, E_INVAL, "found a %s key, expected a %s one",
                       private ? "public" : "private", wanted);
    return why_set(why, err, "the base64 text holds no %s key", wanted);
}

static int load(struct crypto_key **out, struct str pem, bool private, struct str password,
                struct why *why) {
    *out = NULL;
    int err = crypto_setup();
    if (err != 0) return why_set(why, err, "crypto: %s", err_text(err));
    if (pem.n > PEM_TEXT_MAX) return why_set(why, E_LIMIT, "a key of more than 64 kB");
    ERR_clear_error();
    struct buf text = {.secret = true}, der = {.secret = true};
    EVP_PKEY *pkey = NULL;
    if ((err = unescape(pem, &text)) != 0) {
        why_set(why, err, "%s", err_text(err));
        goto out;
    }
    struct str rest = buf_str(&text);
    struct block b = {0};
    bool found = next_block(&rest, &b);
    while (found && label_is(&b, "EC PARAMETERS")) /* openssl writes it before an EC key */
        found = next_block(&rest, &b);
    if (!found) {
        if (str_search(buf_str(&text), STR("-----BEGIN ")) >= 0)
            err = why_set(why, E_SYNTAX, "the PEM text is cut: no matching \"-----END ...\" line");
        else
            err = load_bare(buf_str(&text), private, &der, &pkey, why);
    } else {
        bool headers = str_search(b.body, STR("Proc-Type:")) >= 0;
        if (!headers && (err = decode_body(b.body, &der)) != 0)
            err = why_set(why, err, "%.*s: the text between its lines is not base64",
                          STR_FMT(b.label));
        if (err == 0)
            err = private ? load_private_block(&b, buf_str(&der), password, &pkey, why)
                          : load_public_block(&b, buf_str(&der), &pkey, why);
    }
    if (err == 0) err = adopt(out, pkey, private, why);
out:
    buf_free(&text);
    buf_free(&der);
    ERR_clear_error();
    return err;
}

int key_load_private(struct crypto_key **out, struct str pem, struct str password,
                     struct why *why) {
    return load(out, pem, true, password, why);
}

int key_load_public(struct crypto_key **out, struct str pem, struct why *why) {
    return load(out, pem, false, (struct str){0}, why);
}

int key_public_pem(const struct crypto_key *key, struct buf *out) {
    BIO *bio = BIO_new(BIO_s_mem());
    int err = 0;
    if (bio == NULL || PEM_write_bio_PUBKEY(bio, key->pkey) != 1) {
        err = crypto_fail(NULL, E_INTERNAL, "public key");
    } else {
        char *data = NULL;
        long n = BIO_get_mem_data(bio, &data);
        buf_add(out, data, (size_t)n);
        err = out->err;
    }
    BIO_free(bio);
    return err;
}

void key_delete(struct crypto_key *key) {
    if (key == NULL) return;
    EVP_PKEY_free(key->pkey);
    mem_free(key);
}

enum key_type key_type(const struct crypto_key *key) {
    return key->type;
}

bool key_is_private(const struct crypto_key *key) {
    return key->private;
}
