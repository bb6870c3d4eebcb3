/* Digests, MACs, ciphers, key derivation and password hashes, on OpenSSL 3. With crypto_key,
 * crypto_jwt, seal and tls this is the only place that knows OpenSSL.
 *
 * crypto_setup comes first in main, before anything else may touch OpenSSL (curl does): it points
 * OpenSSL's memory at base/mem.h and fetches the algorithms once. Functions call it themselves if
 * nobody did. All functions are safe from any thread.
 *
 * Results that must not leak how they differ (MACs, tokens) are compared by crypto_equal only. */
#ifndef LUWAK_SYS_CRYPTO_H
#define LUWAK_SYS_CRYPTO_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"

int crypto_setup(void); /* 0, E_NOMEM, E_INTERNAL; may be called again */

#define DIGEST_MAX 64
enum digest { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512, DIGEST_COUNT };

int digest_by_name(struct str name); /* "sha256" -> DIGEST_SHA256; -1: none */
const char *digest_name(enum digest d);
size_t digest_size(enum digest d);

int crypto_digest(enum digest d, struct str data, uint8_t out[DIGEST_MAX]);
int crypto_hmac(enum digest d, struct str key, struct str data, uint8_t out[DIGEST_MAX]);

/* SHA-256 in hex, for versions and fingerprints. */
#define SHA256_SIZE     32
#define SHA256_HEX_SIZE (64 + 1)
int crypto_sha256_hex(struct str data, char out[SHA256_HEX_SIZE]);

/* Takes as long for any two inputs of these lengths, wherever they differ; unequal lengths take as
 * long as equal ones. */
bool crypto_equal(struct str a, struct str b);

/* ---- ciphers ---- */
enum cipher { CIPHER_AES, CIPHER_3DES };
enum cipher_mode { MODE_CBC, MODE_ECB, MODE_GCM };

struct cipher_spec {
    enum cipher cipher;
    enum cipher_mode mode; /* 3DES: CBC, ECB */
    bool no_padding;       /* CBC, ECB: the data must fill whole blocks; else PKCS#7 */
    struct str key;  /* AES: 16, 24, 32 bytes; 3DES: 24, or 16 (the first part serves twice) */
    struct str iv;   /* CBC: one block; GCM: 12 to 16 bytes; ECB: none */
    struct str aad;  /* GCM: authenticated, not encrypted */
    size_t tag_size; /* GCM: 12 to 16, 0 = 16; the tag stands behind the ciphertext */
};

/* Appends to `out`. E_INVAL: the spec is wrong (why says what). */
int crypto_encrypt(const struct cipher_spec *spec, struct str data, struct buf *out,
                   struct why *why);
/* E_DENIED: wrong key, padding or tag, without telling which; nothing is appended then. */
int crypto_decrypt(const struct cipher_spec *spec, struct str data, struct buf *out,
                   struct why *why);

/* ---- derivation and passwords ---- */
int crypto_hkdf(struct str key, struct str salt, struct str info, uint8_t *out,
                size_t n); /* SHA-256 */
int crypto_scrypt(struct str password, struct str salt, unsigned log2_n, unsigned r, unsigned p,
                  uint8_t *out, size_t n);

/* "$scrypt$ln=15,r=8,p=3$SALT$HASH": slow on purpose (some 0.2 s and 32 MB): off the loop. */
#define PASSWORD_MAX       1024 /* bytes; longer ones are refused */
#define PASSWORD_HASH_MAX  128
#define PASSWORD_SALT_SIZE 16
struct password_cost {
    unsigned log2_n, r, p;
};
extern const struct password_cost PASSWORD_COST; /* what new hashes get */
/* cost NULL: PASSWORD_COST. The salt comes from the caller's generator, which other threads may not
 * touch. */
int password_hash(struct str password, const struct password_cost *cost,
                  const uint8_t salt[PASSWORD_SALT_SIZE], char out[PASSWORD_HASH_MAX]);
/* 0; E_DENIED: another password; E_SYNTAX: not a hash of ours. `stale` (or NULL): hash it anew. */
int password_verify(struct str password, struct str encoded, bool *stale);
bool password_stale(struct str encoded); /* weaker than PASSWORD_COST, or not ours */

/* ---- for crypto_*.c, seal.c and tls.c ---- */
/* Empties OpenSSL's error queue: E_NOMEM if memory was it, else `code`; why gets `text: reason`. */
int crypto_fail(struct why *why, int code, const char *text);
struct evp_md_st;
const struct evp_md_st *crypto_md(enum digest d);

#endif
