/* Digests, HMAC, ciphers, HKDF, comparison; the set-up of OpenSSL.
 *
 * Algorithms are fetched once: an implicit fetch at each use takes locks and costs more than a
 * short digest. For HMAC there is one template context per digest; a use duplicates it and gives
 * the duplicate its key. Templates never hold a key. */
#include "sys/crypto.h"

#include "base/ensure.h"
#include "base/mem.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

static const struct {
    const char *name;
    const char *openssl;
    size_t size;
} DIGESTS[DIGEST_COUNT] = {
    [DIGEST_MD5] = {"md5", "MD5", 16},          [DIGEST_SHA1] = {"sha1", "SHA1", 20},
    [DIGEST_SHA256] = {"sha256", "SHA256", 32}, [DIGEST_SHA384] = {"sha384", "SHA384", 48},
    [DIGEST_SHA512] = {"sha512", "SHA512", 64},
};

static struct {
    pthread_mutex_t lock;
    _Atomic bool ready;
    bool memory_set;
    EVP_MD *md[DIGEST_COUNT];
    EVP_MAC *hmac;
    EVP_MAC_CTX *hmac_template[DIGEST_COUNT];
    EVP_KDF *hkdf;
} crypto = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* OpenSSL does not always say that it was memory that was missing. */
static _Thread_local bool starved;

static void *openssl_malloc(size_t n, const char *file, int line) {
    (void)file, (void)line;
    void *ptr = mem_alloc(n);
    starved = starved || ptr == NULL;
    return ptr;
}
static void *openssl_realloc(void *ptr, size_t n, const char *file, int line) {
    (void)file, (void)line;
    if (n == 0) {
        mem_free(ptr);
        return NULL;
    }
    void *now = mem_realloc(ptr, n);
    starved = starved || now == NULL;
    return now;
}
static void openssl_free(void *ptr, const char *file, int line) {
    (void)file, (void)line;
    mem_free(ptr);
}

int crypto_fail(struct why *why, int code, const char *text) {
    unsigned long first = 0, e;
    while ((e = ERR_get_error()) != 0) {
        if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE) code = E_NOMEM;
        if (first == 0) first = e;
    }
    ERR_clear_error(); /* those that were taken still hold their places' names */
    if (starved) code = E_NOMEM;
    starved = false;
    const char *reason = first == 0 ? NULL : ERR_reason_error_string(first);
    if (reason == NULL) return why_set(why, code, "%s", text);
    return why_set(why, code, "%s: %s", text, reason);
}

static int fetch_all(void) {
    for (int i = 0; i < DIGEST_COUNT; i++) {
        if (crypto.md[i] == NULL) crypto.md[i] = EVP_MD_fetch(NULL, DIGESTS[i].openssl, NULL);
        if (crypto.md[i] == NULL) return crypto_fail(NULL, E_INTERNAL, "digest");
    }
    if (crypto.hmac == NULL) crypto.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (crypto.hmac == NULL) return crypto_fail(NULL, E_INTERNAL, "HMAC");
    for (int i = 0; i < DIGEST_COUNT; i++) {
        if (crypto.hmac_template[i] != NULL) continue;
        EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(crypto.hmac);
        OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)DIGESTS[i].openssl, 0),
            OSSL_PARAM_construct_end()};
        if (ctx == NULL || EVP_MAC_CTX_set_params(ctx, params) != 1) {
            EVP_MAC_CTX_free(ctx);
            return crypto_fail(NULL, E_INTERNAL, "HMAC");
        }
        crypto.hmac_template[i] = ctx;
    }
    if (crypto.hkdf == NULL) crypto.hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    if (crypto.hkdf == NULL) return crypto_fail(NULL, E_INTERNAL, "HKDF");
    return 0;
}

int crypto_setup(void) {
    if (atomic_load_explicit(&crypto.ready, memory_order_acquire)) return 0;
    pthread_mutex_lock(&crypto.lock);
    int err = 0;
    if (!atomic_load(&crypto.ready)) {
        /* Refused once OpenSSL has allocated: then its memory stays its own, and all still works.
         */
        if (!crypto.memory_set)
            CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free);
        crypto.memory_set = true;
        ERR_clear_error();
        if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) != 1) err = E_NOMEM;
        if (err == 0) err = fetch_all();
        if (err == 0) atomic_store_explicit(&crypto.ready, true, memory_order_release);
    }
    pthread_mutex_unlock(&crypto.lock);
    return err;
}

const EVP_MD *crypto_md(enum digest d) {
    ENSURE(d >= 0 && d < DIGEST_COUNT);
    return crypto_setup() == 0 ? crypto.md[d] : NULL;
}

int digest_by_name(struct str name) {
    for (int i = 0; i < DIGEST_COUNT; i++)
        if (str_eq(name, str_of(DIGESTS[i].name))) return i;
    return -1;
}

const char *digest_name(enum digest d) {
    return DIGESTS[d].name;
}

size_t digest_size(enum digest d) {
    return DIGESTS[d].size;
}

int crypto_digest(enum digest d, struct str data, uint8_t out[DIGEST_MAX]) {
    const EVP_MD *md = crypto_md(d);
    if (md == NULL) return E_NOMEM;
    unsigned n = 0;
    if (EVP_Digest(data.p == NULL ? "" : data.p, data.n, out, &n, md, NULL) == 1) return 0;
    return crypto_fail(NULL, E_INTERNAL, "digest");
}

int crypto_hmac(enum digest d, struct str key, struct str data, uint8_t out[DIGEST_MAX]) {
    ENSURE(d >= 0 && d < DIGEST_COUNT);
    int err = crypto_setup();
    if (err != 0) return err;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(crypto.hmac_template[d]);
    if (ctx == NULL) return crypto_fail(NULL, E_NOMEM, "HMAC");
    size_t n = 0;
    /* An empty key must still be a key: NULL would mean "keep the old one". */
    const unsigned char *k = (const unsigned char *)(key.n == 0 ? "" : key.p);
    if (EVP_MAC_init(ctx, k, key.n, NULL) != 1 ||
        EVP_MAC_update(ctx, (const unsigned char *)(data.n == 0 ? "" : data.p), data.n) != 1 ||
        EVP_MAC_final(ctx, out, &n, DIGEST_MAX) != 1)
        err = crypto_fail(NULL, E_INTERNAL, "HMAC");
    EVP_MAC_CTX_free(ctx);
    return err;
}

int crypto_sha256_hex(struct str data, char out[SHA256_HEX_SIZE]) {
    uint8_t d[DIGEST_MAX];
    int err = crypto_digest(DIGEST_SHA256, data, d);
    if (err != 0) return err;
    for (int i = 0; i < 32; i++) {
        out[2 * i] = "0123456789abcdef"[d[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[d[i] & 15];
    }
    out[64] = '\0';
    return 0;
}

bool crypto_equal(struct str a, struct str b) {
    /* Reads max(a.n, b.n) bytes of each side whatever they hold; behind an end it reads a zero. */
    size_t n = a.n > b.n ? a.n : b.n;
    volatile size_t diff = a.n ^ b.n;
    for (size_t i = 0; i < n; i++) {
        unsigned char x = a.n == 0 ? 0 : (unsigned char)a.p[i % a.n];
        unsigned char y = b.n == 0 ? 0 : (unsigned char)b.p[i % b.n];
        diff |= (size_t)(x ^ y);
    }
    return diff == 0;
}

int crypto_hkdf(struct str key, struct str salt, struct str info, uint8_t *out, size_t n) {
    int err = crypto_setup();
    if (err != 0) return err;
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(crypto.hkdf);
    if (ctx == NULL) return crypto_fail(NULL, E_NOMEM, "HKDF");
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key.p, key.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(salt.n == 0 ? "" : salt.p),
                                          salt.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(info.n == 0 ? "" : info.p),
                                          info.n),
        OSSL_PARAM_construct_end()};
    if (EVP_KDF_derive(ctx, out, n, params) != 1) err = crypto_fail(NULL, E_INTERNAL, "HKDF");
    EVP_KDF_CTX_free(ctx);
    return err;
}
