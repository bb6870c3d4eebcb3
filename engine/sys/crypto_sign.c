/* Signatures. The scheme must fit the key; what does not is refused before any arithmetic, so a
 * token or a header never decides how it is checked. */
#include "base/ensure.h"
#include "base/mem.h"
#include "sys/crypto_key_private.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#define SIGNATURE_MAX 2048 /* RSA of 16384 bits */

static int fit(const struct crypto_key *key, struct sign_spec *s, struct why *why) {
    bool rsa = key->type == KEY_RSA, ed = key->type == KEY_ED25519, ec = !rsa && !ed;
    if (s->scheme == SIGN_AUTO) s->scheme = rsa ? SIGN_PKCS1 : ed ? SIGN_ED25519 : SIGN_ECDSA_DER;
    const char *needs = NULL;
    switch (s->scheme) {
    case SIGN_PKCS1:
    case SIGN_PSS: needs = rsa ? NULL : "RSA"; break;
    case SIGN_ECDSA_DER:
    case SIGN_ECDSA_RAW: needs = ec ? NULL : "EC"; break;
    case SIGN_ED25519: needs = ed ? NULL : "Ed25519"; break;
    case SIGN_AUTO: break;
    }
    if (needs != NULL)
        return why_set(why, E_INVAL, "the key is %s, this signature needs %s",
                       key_type_name(key->type), needs);
    if (!ed && s->digest == DIGEST_MD5)
        return why_set(why, E_INVAL, "md5 makes no signatures: expected sha1 or better");
    return 0;
}

static int begin(EVP_MD_CTX *ctx, const struct crypto_key *key, const struct sign_spec *s,
                 bool sign) {
    EVP_PKEY_CTX *pctx = NULL; /* belongs to ctx */
    const EVP_MD *md = s->scheme == SIGN_ED25519 ? NULL : crypto_md(s->digest);
    int good = sign ? EVP_DigestSignInit(ctx, &pctx, md, NULL, key->pkey)
                    : EVP_DigestVerifyInit(ctx, &pctx, md, NULL, key->pkey);
    if (good != 1) return 0;
    if (s->scheme == SIGN_PKCS1) return EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PADDING) == 1;
    if (s->scheme == SIGN_PSS) {
        int salt = s->salt_size >= 0 ? s->salt_size
                   : sign            ? RSA_PSS_SALTLEN_DIGEST
                                     : RSA_PSS_SALTLEN_AUTO;
        return EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, md) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salt) == 1;
    }
    return 1;
}

static size_t half_size(const struct crypto_key *key) {
    return key->type == KEY_P384 ? 48 : 32;
}

static int der_to_raw(const struct crypto_key *key, const unsigned char *der, size_t n,
                      unsigned char *raw) {
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    size_t half = half_size(key);
    int good = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)half) > 0 &&
               BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, (int)half) > 0;
    ECDSA_SIG_free(sig);
    return good;
}

/* Returns the DER's size; 0: no memory. */
static size_t raw_to_der(const struct crypto_key *key, struct str raw, unsigned char *der) {
    size_t half = half_size(key), n = 0;
    const unsigned char *p = (const unsigned char *)raw.p;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(p, (int)half, NULL), *s = BN_bin2bn(p + half, (int)half, NULL);
    if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* now the signature's */
        int len = i2d_ECDSA_SIG(sig, &der);
        n = len > 0 ? (size_t)len : 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return n;
}

int key_sign(const struct crypto_key *key, const struct sign_spec *spec, struct str data,
             struct buf *out, struct why *why) {
    struct sign_spec s = *spec;
    int err = fit(key, &s, why);
    if (err != 0) return err;
    if (!key->private) return why_set(why, E_INVAL, "a public key cannot sign");
    ERR_clear_error();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char sig[SIGNATURE_MAX], raw[96];
    size_t n = sizeof sig;
    if (ctx == NULL || !begin(ctx, key, &s, true) ||
        EVP_DigestSign(ctx, sig, &n, (const unsigned char *)(data.n == 0 ? "" : data.p), data.n) !=
            1) {
        err = crypto_fail(why, E_INTERNAL, "signing failed");
        goto out;
    }
    if (s.scheme == SIGN_ECDSA_RAW) {
        if (!der_to_raw(key, sig, n, raw)) {
            err = crypto_fail(why, E_NOMEM, "signing failed");
            goto out;
        }
        buf_add(out, raw, 2 * half_size(key));
    } else {
        buf_add(out, sig, n);
    }
    if ((err = out->err) != 0) why_set(why, err, "%s", err_text(err));
out:
    EVP_MD_CTX_free(ctx);
    return err;
}

int key_verify(const struct crypto_key *key, const struct sign_spec *spec, struct str data,
               struct str signature, struct why *why) {
    struct sign_spec s = *spec;
    int err = fit(key, &s, why);
    if (err != 0) return err;
    unsigned char der[128];
    if (s.scheme == SIGN_ECDSA_RAW && signature.n != 2 * half_size(key))
        return why_set(why, E_DENIED, "the signature does not fit");
    ERR_clear_error();
    if (s.scheme == SIGN_ECDSA_RAW) {
        size_t n = raw_to_der(key, signature, der);
        if (n == 0) return crypto_fail(why, E_NOMEM, "verifying failed");
        signature = (struct str){(const char *)der, n};
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || !begin(ctx, key, &s, false)) {
        err = crypto_fail(why, E_INTERNAL, "verifying failed");
    } else if (EVP_DigestVerify(ctx, (const unsigned char *)(signature.n == 0 ? "" : signature.p),
                                signature.n, (const unsigned char *)(data.n == 0 ? "" : data.p),
                                data.n) != 1) {
        err = crypto_fail(NULL, E_DENIED, "");
        why_set(why, err, err == E_DENIED ? "the signature does not fit" : "out of memory");
    }
    EVP_MD_CTX_free(ctx);
    return err;
}
