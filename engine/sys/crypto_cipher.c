/* AES and 3DES over whole buffers. Sizes of key, IV and data are checked here, with texts for a
 * person, before OpenSSL sees them; a failed decryption says only that it failed, so that nobody
 * can ask it about the padding. Work memory is wiped on every way out. */
#include "base/ensure.h"
#include "base/mem.h"
#include "sys/crypto.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <limits.h>

#define TAG_SIZE 16

static const EVP_CIPHER *pick(const struct cipher_spec *s) {
    if (s->cipher == CIPHER_3DES)
        return s->mode == MODE_CBC   ? EVP_des_ede3_cbc()
               : s->mode == MODE_ECB ? EVP_des_ede3_ecb()
                                     : NULL;
    switch (s->mode) {
    case MODE_CBC:
        return s->key.n == 16   ? EVP_aes_128_cbc()
               : s->key.n == 24 ? EVP_aes_192_cbc()
                                : EVP_aes_256_cbc();
    case MODE_ECB:
        return s->key.n == 16   ? EVP_aes_128_ecb()
               : s->key.n == 24 ? EVP_aes_192_ecb()
                                : EVP_aes_256_ecb();
    case MODE_GCM:
        return s->key.n == 16   ? EVP_aes_128_gcm()
               : s->key.n == 24 ? EVP_aes_192_gcm()
                                : EVP_aes_256_gcm();
    }
    return NULL;
}

static int check(const struct cipher_spec *s, struct str data, bool decrypt, struct why *why) {
    size_t block = s->cipher == CIPHER_AES ? 16 : 8;
    const char *name = s->cipher == CIPHER_AES ? "AES" : "3DES";
    if (data.n > INT_MAX - 64 || s->aad.n > INT_MAX)
        return why_set(why, E_LIMIT, "%s: too much data at once", name);
    if (s->cipher == CIPHER_AES && s->key.n != 16 && s->key.n != 24 && s->key.n != 32)
        return why_set(why, E_INVAL, "AES: the key has %zu bytes, expected 16, 24 or 32", s->key.n);
    if (s->cipher == CIPHER_3DES && s->key.n != 16 && s->key.n != 24)
        return why_set(why, E_INVAL, "3DES: the key has %zu bytes, expected 16 or 24", s->key.n);
    if (s->cipher == CIPHER_3DES && s->mode == MODE_GCM)
        return why_set(why, E_INVAL, "3DES: there is no GCM mode, expected cbc or ecb");
    if (s->mode == MODE_GCM) {
        if (s->iv.n < 12 || s->iv.n > 16)
            return why_set(why, E_INVAL, "AES-GCM: the iv has %zu bytes, expected 12 to 16",
                           s->iv.n);
        if (s->tag_size != 0 && (s->tag_size < 12 || s->tag_size > TAG_SIZE))
            return why_set(why, E_INVAL, "AES-GCM: a tag of %zu bytes, expected 12 to 16",
                           s->tag_size);
        return 0;
    }
    if (s->mode == MODE_CBC && s->iv.n != block)
        return why_set(why, E_INVAL, "%s-CBC: the iv has %zu bytes, expected %zu", name, s->iv.n,
                       block);
    if (s->mode == MODE_ECB && s->iv.n != 0)
        return why_set(why, E_INVAL, "%s-ECB: takes no iv", name);
    if (s->aad.n != 0) return why_set(why, E_INVAL, "%s: aad needs mode gcm", name);
    if (decrypt && data.n % block != 0)
        return why_set(why, E_DENIED, "%s: decryption failed (no whole blocks)", name);
    if (decrypt && !s->no_padding && data.n == 0)
        return why_set(why, E_DENIED, "%s: decryption failed (no data)", name);
    if (!decrypt && s->no_padding && data.n % block != 0)
        return why_set(why, E_INVAL, "%s: %zu bytes do not fill blocks of %zu, and padding is off",
                       name, data.n, block);
    return 0;
}

static int begin(EVP_CIPHER_CTX *ctx, const struct cipher_spec *s, bool decrypt) {
    unsigned char key[32];
    memcpy(key, s->key.p, s->key.n);
    if (s->cipher == CIPHER_3DES && s->key.n == 16) memcpy(key + 16, key, 8);
    int enc = decrypt ? 0 : 1;
    int good = EVP_CipherInit_ex2(ctx, pick(s), NULL, NULL, enc, NULL) == 1;
    if (good && s->mode == MODE_GCM)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)s->iv.n, NULL) == 1;
    good = good &&
           EVP_CipherInit_ex2(ctx, NULL, key, s->iv.n == 0 ? NULL : (const unsigned char *)s->iv.p,
                              enc, NULL) == 1;
    if (good && s->mode != MODE_GCM)
        good = EVP_CIPHER_CTX_set_padding(ctx, s->no_padding ? 0 : 1) == 1;
    int n = 0;
    if (good && s->aad.n != 0)
        good = EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)s->aad.p, (int)s->aad.n) == 1;
    mem_wipe(key, sizeof key);
    return good;
}

static int run(const struct cipher_spec *s, struct str data, bool decrypt, struct buf *out,
               struct why *why) {
    int err = crypto_setup();
    if (err == 0) err = check(s, data, decrypt, why);
    if (err != 0) return err;
    bool gcm = s->mode == MODE_GCM;
    size_t tag_size = s->tag_size == 0 ? TAG_SIZE : s->tag_size;
    struct str tag = {0};
    if (gcm && decrypt) {
        if (data.n < tag_size) return why_set(why, E_DENIED, "AES-GCM: decryption failed");
        tag = str_sub(data, data.n - tag_size, data.n);
        data.n -= tag_size;
    }
    size_t room = data.n + 32 + TAG_SIZE;
    unsigned char *work = mem_alloc(room);
    if (work == NULL) return why_set(why, E_NOMEM, "out of memory");
    ERR_clear_error();
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;
    if (ctx == NULL || !begin(ctx, s, decrypt)) {
        err = crypto_fail(why, E_INTERNAL, "cipher");
        goto out;
    }
    if (data.n != 0 &&
        EVP_CipherUpdate(ctx, work, &n, (const unsigned char *)data.p, (int)data.n) != 1) {
        err = crypto_fail(why, E_INTERNAL, "cipher");
        goto out;
    }
    if (gcm && decrypt &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)tag.n, (void *)tag.p) != 1) {
        err = crypto_fail(why, E_INTERNAL, "cipher");
        goto out;
    }
    if (EVP_CipherFinal_ex(ctx, work + n, &last) != 1) {
        err = crypto_fail(NULL, decrypt ? E_DENIED : E_INTERNAL, "cipher");
        why_set(why, err, "decryption failed: wrong key, or the data was changed");
        goto out;
    }
    n += last;
    if (gcm && !decrypt) {
        if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)tag_size, work + n) != 1) {
            err = crypto_fail(why, E_INTERNAL, "cipher");
            goto out;
        }
        n += (int)tag_size;
    }
    buf_add(out, work, (size_t)n);
    if ((err = out->err) != 0) why_set(why, err, "%s", err_text(err));
out:
    EVP_CIPHER_CTX_free(ctx);
    mem_wipe_free(work, room);
    return err;
}

int crypto_encrypt(const struct cipher_spec *spec, struct str data, struct buf *out,
                   struct why *why) {
    return run(spec, data, false, out, why);
}

int crypto_decrypt(const struct cipher_spec *spec, struct str data, struct buf *out,
                   struct why *why) {
    return run(spec, data, true, out, why);
}
