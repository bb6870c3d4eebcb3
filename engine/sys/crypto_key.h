/* Keys for signatures: loading from PEM, signing, verifying.
 *
 * What people paste is taken as it is found: PEM with LF or CRLF, PEM on one line with "\n" written
 * out (environment files), or the bare base64 of a DER key as some portals show it. What is wrong
 * is said with what was found and what was expected. A key is immutable and may be used by several
 * threads; private parts are wiped when it goes. */
#ifndef LUWAK_SYS_CRYPTO_KEY_H
#define LUWAK_SYS_CRYPTO_KEY_H

#include "sys/crypto.h"

enum key_type { KEY_RSA, KEY_P256, KEY_P384, KEY_ED25519 };

struct crypto_key;

/* PKCS#8, PKCS#1, SEC1 ("EC PRIVATE KEY"); `password` (n = 0: none) for encrypted ones. */
int key_load_private(struct crypto_key **out, struct str pem, struct str password, struct why *why);
/* PUBLIC KEY, RSA PUBLIC KEY, or the key of a CERTIFICATE. A private key is refused: who verifies
 * should not hold it. */
int key_load_public(struct crypto_key **out, struct str pem, struct why *why);
/* The public half of a private key, as PEM (PUBLIC KEY). */
int key_public_pem(const struct crypto_key *key, struct buf *out);
void key_delete(struct crypto_key *key);

enum key_type key_type(const struct crypto_key *key);
const char *key_type_name(enum key_type type); /* "RSA" */
bool key_is_private(const struct crypto_key *key);

enum sign_scheme {
    SIGN_AUTO,      /* by the key: RSA PKCS#1 v1.5, ECDSA in DER, Ed25519 */
    SIGN_PKCS1,     /* RSA */
    SIGN_PSS,       /* RSA; MGF1 with the same digest */
    SIGN_ECDSA_DER, /* EC */
    SIGN_ECDSA_RAW, /* EC: r and s, fixed width, one behind the other (JWT) */
    SIGN_ED25519,
};

struct sign_spec {
    enum sign_scheme scheme;
    enum digest digest; /* sha1 and up; not read for Ed25519 */
    int salt_size;      /* PSS: bytes; -1: as the digest. Verifying: -1 takes any */
};

int key_sign(const struct crypto_key *key, const struct sign_spec *spec, struct str data,
             struct buf *out, struct why *why);
/* 0: good; E_DENIED: the signature does not fit; E_INVAL: the spec does not fit the key. */
int key_verify(const struct crypto_key *key, const struct sign_spec *spec, struct str data,
               struct str signature, struct why *why);

#endif
