#include "sys/seal.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "sys/crypto.h"
#include "sys/crypto_text.h"

#include <pthread.h>
#include <stdio.h>

#define FORMAT     1
#define ID_SIZE_   4
#define NONCE_SIZE 12
#define HEAD_SIZE  (1 + ID_SIZE_ + NONCE_SIZE)

/* The keys of uses and purposes, derived once: deriving costs more than what is done with them. There
 * are few; those beyond the table are derived each time. */
#define DERIVED_MAX 16
#define INFO_MAX    64
struct derived {
    pthread_mutex_t lock;
    size_t count;
    struct {
        char info[INFO_MAX];
        uint8_t key[SEAL_KEY_SIZE];
    } at[DERIVED_MAX];
};

struct seal_key {
    uint8_t key[SEAL_KEY_SIZE];
    uint8_t id[ID_SIZE_];
    struct derived *derived;
};

struct seal_ring {
    size_t count;
    struct seal_key keys[SEAL_KEYS_MAX];
    struct derived derived[SEAL_KEYS_MAX];
};

static struct str bytes_of(const uint8_t *data, size_t n) {
    return (struct str){(const char *)data, n};
}

/* "luwak seal 1|USE|PURPOSE": uses never share a key. */
static int derive(const struct seal_key *k, const char *use, const char *purpose,
                  uint8_t out[SEAL_KEY_SIZE]) {
    struct derived *d = k->derived;
    char info[INFO_MAX];
    int n = snprintf(info, sizeof info, "luwak seal 1|%s|%s", use, purpose);
    if (n < 0 || n >= INFO_MAX) return E_LIMIT;
    int err = E_NOTFOUND;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->count && err != 0; i++) {
        if (strcmp(d->at[i].info, info) != 0) continue;
        memcpy(out, d->at[i].key, SEAL_KEY_SIZE);
        err = 0;
    }
    if (err != 0) {
        err = crypto_hkdf(bytes_of(k->key, SEAL_KEY_SIZE), STR(""), (struct str){info, (size_t)n},
                          out, SEAL_KEY_SIZE);
        if (err == 0 && d->count < DERIVED_MAX) {
            memcpy(d->at[d->count].info, info, sizeof info);
            memcpy(d->at[d->count++].key, out, SEAL_KEY_SIZE);
        }
    }
    pthread_mutex_unlock(&d->lock);
    return err;
}

static int take_key(struct seal_key *k, struct str text, size_t nth, struct why *why) {
    struct buf raw = {.secret = true};
    text = str_trim(text);
    int err = text_decode(&raw, text.n == 2 * SEAL_KEY_SIZE ? ENC_HEX : ENC_BASE64, text);
    if (err == E_SYNTAX || (err == 0 && raw.len != SEAL_KEY_SIZE))
        err = why_set(why, E_CONFIG,
                      "data key %zu: expected 32 bytes in base64 or hex (openssl rand -base64 32)",
                      nth);
    else if (err != 0)
        why_set(why, err, "data key: %s", err_text(err));
    if (err == 0) memcpy(k->key, raw.data, SEAL_KEY_SIZE);
    buf_free(&raw);
    if (err != 0) return err;
    uint8_t id[SEAL_KEY_SIZE];
    if ((err = derive(k, "id", "", id)) != 0)
        return why_set(why, err, "data key: %s", err_text(err));
    memcpy(k->id, id, ID_SIZE_);
    return 0;
}

int seal_ring_new(struct seal_ring **out, struct str keys, struct why *why) {
    *out = NULL;
    int err = crypto_setup();
    if (err != 0) return why_set(why, err, "data key: %s", err_text(err));
    struct seal_ring *ring = mem_zalloc(sizeof *ring);
    if (ring == NULL) return why_set(why, E_NOMEM, "data key: out of memory");
    for (size_t i = 0; i < SEAL_KEYS_MAX; i++) {
        pthread_mutex_init(&ring->derived[i].lock, NULL);
        ring->keys[i].derived = &ring->derived[i];
    }
    for (bool more = true; more && err == 0;) {
        struct str head;
        more = str_cut(keys, ',', &head, &keys);
        if (ring->count == SEAL_KEYS_MAX)
            err = why_set(why, E_CONFIG, "more than %d data keys", SEAL_KEYS_MAX);
        else
            err = take_key(&ring->keys[ring->count], head, ring->count + 1, why);
        for (size_t i = 0; err == 0 && i < ring->count; i++)
            if (memcmp(ring->keys[i].id, ring->keys[ring->count].id, ID_SIZE_) == 0)
                err = why_set(why, E_CONFIG, "data keys %zu and %zu are the same", i + 1,
                              ring->count + 1);
        ring->count++;
    }
    if (err != 0) {
        seal_ring_delete(ring);
        return why == NULL || why->code != 0 ? err
                                             : why_set(why, err, "data key: %s", err_text(err));
    }
    *out = ring;
    return 0;
}

void seal_ring_delete(struct seal_ring *ring) {
    if (ring == NULL) return;
    for (size_t i = 0; i < SEAL_KEYS_MAX; i++)
        pthread_mutex_destroy(&ring->derived[i].lock);
    mem_wipe_free(ring, sizeof *ring);
}

/* The key for a purpose, set into a spec whose other parts point at the blob's head. */
struct work {
    uint8_t key[SEAL_KEY_SIZE];
    struct buf aad;
    struct cipher_spec spec;
};

static int work_init(struct work *w, const struct seal_key *k, const char *purpose,
                     struct str context, const uint8_t head[HEAD_SIZE]) {
    *w = (struct work){0};
    buf_add(&w->aad, head, 1 + ID_SIZE_);
    buf_addstr(&w->aad, context);
    int err = w->aad.err != 0 ? w->aad.err : derive(k, "blob", purpose, w->key);
    w->spec = (struct cipher_spec){.cipher = CIPHER_AES,
                                   .mode = MODE_GCM,
                                   .key = bytes_of(w->key, SEAL_KEY_SIZE),
                                   .iv = bytes_of(head + 1 + ID_SIZE_, NONCE_SIZE),
                                   .aad = buf_str(&w->aad)};
    return err;
}

static void work_free(struct work *w) {
    buf_free(&w->aad);
    mem_wipe(w->key, sizeof w->key);
}

int seal(const struct seal_ring *ring, const char *purpose, struct str context, struct str plain,
         struct rng *rng, struct buf *out) {
    if (plain.n > SEAL_MAX) return E_LIMIT;
    const struct seal_key *k = &ring->keys[0];
    uint8_t head[HEAD_SIZE] = {FORMAT};
    memcpy(head + 1, k->id, ID_SIZE_);
    rng_fill(rng, head + 1 + ID_SIZE_, NONCE_SIZE);
    struct work w;
    int err = work_init(&w, k, purpose, context, head);
    size_t before = out->len;
    if (err == 0) {
        buf_add(out, head, sizeof head);
        err = out->err;
    }
    if (err == 0) err = crypto_encrypt(&w.spec, plain, out, NULL);
    if (err != 0 && out->len != before) out->len = before;
    work_free(&w);
    return err;
}

int seal_open(const struct seal_ring *ring, const char *purpose, struct str context,
              struct str blob, struct buf *out) {
    if (blob.n < SEAL_OVERHEAD || blob.n > SEAL_MAX + SEAL_OVERHEAD || blob.p[0] != FORMAT)
        return E_SYNTAX;
    const struct seal_key *k = NULL;
    for (size_t i = 0; i < ring->count && k == NULL; i++)
        if (memcmp(ring->keys[i].id, blob.p + 1, ID_SIZE_) == 0) k = &ring->keys[i];
    if (k == NULL) return E_NOTFOUND;
    struct work w;
    int err = work_init(&w, k, purpose, context, (const uint8_t *)blob.p);
    if (err == 0) err = crypto_decrypt(&w.spec, str_sub(blob, HEAD_SIZE, blob.n), out, NULL);
    work_free(&w);
    return err;
}

bool seal_stale(const struct seal_ring *ring, struct str blob) {
    return blob.n < SEAL_OVERHEAD || blob.p[0] != FORMAT ||
           memcmp(ring->keys[0].id, blob.p + 1, ID_SIZE_) != 0;
}

int seal_hash(const struct seal_ring *ring, size_t nth, const char *purpose, struct str data,
              uint8_t out[32]) {
    if (nth >= ring->count) return E_NOTFOUND;
    uint8_t key[SEAL_KEY_SIZE], mac[DIGEST_MAX];
    int err = derive(&ring->keys[nth], "hash", purpose, key);
    if (err == 0) err = crypto_hmac(DIGEST_SHA256, bytes_of(key, sizeof key), data, mac);
    if (err == 0) memcpy(out, mac, 32);
    mem_wipe(key, sizeof key);
    return err;
}
