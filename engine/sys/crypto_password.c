/* Password hashes: scrypt, in the text form that carries its own cost. The cost of a stored hash is
 * bounded before it is computed, so that a planted one cannot take all memory or time. */
#include "base/mem.h"
#include "sys/crypto.h"
#include "sys/crypto_text.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <stdio.h>

#define SALT_SIZE PASSWORD_SALT_SIZE
#define HASH_SIZE 32

/* 32 MB, and as much work as the often advised N = 2^17, p = 1 at a quarter of its memory. */
const struct password_cost PASSWORD_COST = {.log2_n = 15, .r = 8, .p = 3};

#define MEMORY_MAX ((uint64_t)128 << 20)
#define WORK_MAX   ((uint64_t)1 << 24) /* N * r * p */

static bool affordable(const struct password_cost *c) {
    if (c->log2_n < 1 || c->log2_n > 20 || c->r < 1 || c->r > 64 || c->p < 1 || c->p > 64)
        return false;
    uint64_t n = (uint64_t)1 << c->log2_n;
    return 128 * n * c->r <= MEMORY_MAX && n * c->r * c->p <= WORK_MAX;
}

int crypto_scrypt(struct str password, struct str salt, unsigned log2_n, unsigned r, unsigned p,
                  uint8_t *out, size_t n) {
    int err = crypto_setup();
    if (err != 0) return err;
    struct password_cost cost = {log2_n, r, p};
    if (!affordable(&cost)) return E_LIMIT;
    ERR_clear_error();
    /* max_mem counts all of scrypt's own blocks, which are a little over 128 N r. */
    if (EVP_PBE_scrypt(password.n == 0 ? "" : password.p, password.n,
                       (const unsigned char *)(salt.n == 0 ? "" : salt.p), salt.n,
                       (uint64_t)1 << log2_n, r, p, 2 * MEMORY_MAX, out, n) != 1)
        return crypto_fail(NULL, E_NOMEM, "scrypt");
    return 0;
}

/* PHC strings take standard base64 without its padding. */
static void add_unpadded(struct buf *b, const uint8_t *data, size_t n) {
    text_encode(b, ENC_BASE64, (struct str){(const char *)data, n});
    while (b->len != 0 && b->data[b->len - 1] == '=')
        b->len--;
}

int password_hash(struct str password, const struct password_cost *cost,
                  const uint8_t salt[PASSWORD_SALT_SIZE], char out[PASSWORD_HASH_MAX]) {
    if (cost == NULL) cost = &PASSWORD_COST;
    if (password.n == 0 || password.n > PASSWORD_MAX) return E_LIMIT;
    uint8_t hash[HASH_SIZE];
    int err = crypto_scrypt(password, (struct str){(const char *)salt, SALT_SIZE}, cost->log2_n,
                            cost->r, cost->p, hash, sizeof hash);
    if (err != 0) return err;
    struct buf b = {.max = PASSWORD_HASH_MAX - 1};
    buf_addf(&b, "$scrypt$ln=%u,r=%u,p=%u$", cost->log2_n, cost->r, cost->p);
    add_unpadded(&b, salt, SALT_SIZE);
    buf_addc(&b, '$');
    add_unpadded(&b, hash, sizeof hash);
    if ((err = b.err) == 0) {
        memcpy(out, b.data, b.len);
        out[b.len] = '\0';
    }
    buf_free(&b);
    mem_wipe(hash, sizeof hash);
    return err;
}

static int take_number(struct str *rest, const char *name, char end, unsigned *out) {
    struct str head;
    if (!str_starts(*rest, str_of(name))) return E_SYNTAX;
    *rest = str_sub(*rest, strlen(name), rest->n);
    if (!str_cut(*rest, end, &head, rest)) return E_SYNTAX;
    int64_t n = 0;
    if (str_to_i64(head, &n) != 0 || n < 1 || n > 1000) return E_SYNTAX;
    *out = (unsigned)n;
    return 0;
}

static int take_bytes(struct str text, uint8_t *out, size_t size) {
    struct buf padded = {0}, bytes = {0};
    buf_addstr(&padded, text);
    while (padded.len % 4 != 0 && padded.err == 0)
        buf_addc(&padded, '=');
    int err = padded.err != 0 ? padded.err : text_decode(&bytes, ENC_BASE64, buf_str(&padded));
    if (err == 0 && bytes.len != size) err = E_SYNTAX;
    if (err == 0) memcpy(out, bytes.data, size);
    buf_free(&padded);
    buf_free(&bytes);
    return err;
}

static int parse(struct str text, struct password_cost *cost, uint8_t salt[SALT_SIZE],
                 uint8_t hash[HASH_SIZE]) {
    struct str head, rest;
    int err = 0;
    if (text.n >= PASSWORD_HASH_MAX || !str_starts(text, STR("$scrypt$"))) return E_SYNTAX;
    rest = str_sub(text, 8, text.n);
    if ((err = take_number(&rest, "ln=", ',', &cost->log2_n)) != 0) return err;
    if ((err = take_number(&rest, "r=", ',', &cost->r)) != 0) return err;
    if ((err = take_number(&rest, "p=", '$', &cost->p)) != 0) return err;
    if (!affordable(cost)) return E_LIMIT;
    if (!str_cut(rest, '$', &head, &rest)) return E_SYNTAX;
    if ((err = take_bytes(head, salt, SALT_SIZE)) != 0) return err;
    return take_bytes(rest, hash, HASH_SIZE);
}

static bool weaker(const struct password_cost *c) {
    const struct password_cost *now = &PASSWORD_COST;
    return c->log2_n < now->log2_n || c->r < now->r || c->p < now->p;
}

int password_verify(struct str password, struct str encoded, bool *stale) {
    struct password_cost cost;
    uint8_t salt[SALT_SIZE], expected[HASH_SIZE], got[HASH_SIZE];
    int err = parse(encoded, &cost, salt, expected);
    if (err != 0) return err;
    if (stale != NULL) *stale = weaker(&cost);
    if (password.n == 0 || password.n > PASSWORD_MAX) return E_DENIED;
    err = crypto_scrypt(password, (struct str){(char *)salt, SALT_SIZE}, cost.log2_n, cost.r,
                        cost.p, got, sizeof got);
    if (err == 0 && !crypto_equal((struct str){(char *)got, HASH_SIZE},
                                  (struct str){(char *)expected, HASH_SIZE}))
        err = E_DENIED;
    mem_wipe(got, sizeof got);
    return err;
}

bool password_stale(struct str encoded) {
    struct password_cost cost;
    uint8_t salt[SALT_SIZE], hash[HASH_SIZE];
    return parse(encoded, &cost, salt, hash) != 0 || weaker(&cost);
}
