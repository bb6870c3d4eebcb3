#include "core/person.h"

#include "base/mem.h"
#include "sys/crypto.h"

#define KEY_SIZE 32
#define NONCE    12
#define PURPOSE  "person"
#define MEMBER   "\"customer\":"
#define HOLDER   "{\"id\":\"per_"

static struct str bytes(const void *p, size_t n) {
    return (struct str){p, n};
}

int piece_seal(const struct core *core, const char *purpose, struct str context, struct str plain,
               struct buf *key, struct buf *sealed) {
    uint8_t raw[KEY_SIZE], nonce[NONCE];
    if (core->ring == NULL) return E_STATE;
    rng_fill(core->rng, raw, sizeof raw);
    rng_fill(core->rng, nonce, sizeof nonce);
    struct cipher_spec spec = {.cipher = CIPHER_AES,
                               .mode = MODE_GCM,
                               .key = bytes(raw, sizeof raw),
                               .iv = bytes(nonce, sizeof nonce),
                               .aad = context};
    buf_add(sealed, nonce, sizeof nonce);
    int err = crypto_encrypt(&spec, plain, sealed, NULL);
    if (err == 0) err = seal(core->ring, purpose, context, bytes(raw, sizeof raw), core->rng, key);
    mem_wipe(raw, sizeof raw);
    return err != 0 ? err : key->err != 0 ? key->err : sealed->err;
}

int piece_open(const struct core *core, const char *purpose, struct str context, struct str key,
               struct str sealed, struct buf *out) {
    struct buf raw = {0};
    if (core->ring == NULL) return E_STATE;
    int err = seal_open(core->ring, purpose, context, key, &raw);
    if (err == 0 && (raw.len != KEY_SIZE || sealed.n < NONCE)) err = E_CORRUPT;
    if (err == 0) {
        struct cipher_spec spec = {.cipher = CIPHER_AES,
                                   .mode = MODE_GCM,
                                   .key = buf_str(&raw),
                                   .iv = str_sub(sealed, 0, NONCE),
                                   .aad = context};
        err = crypto_decrypt(&spec, str_sub(sealed, NONCE, sealed.n), out, NULL);
    }
    if (raw.data != NULL) mem_wipe(raw.data, raw.len);
    buf_free(&raw);
    return err;
}

int person_add(const struct core *core, struct commit *commit, struct str merchant,
               struct str customer, char id[ID_SIZE], struct why *why) {
    struct buf key = {0}, sealed = {0};
    id_make(id, "per_", core->clock, core->rng);
    int err = piece_seal(core, PURPOSE, str_of(id), customer, &key, &sealed);
    if (err == 0)
        commit_add(commit, OP_PERSON_ADD,
                   VALS(V_TEXT(id), V_STR(merchant), V_BLOB(buf_str(&key)),
                        V_BLOB(buf_str(&sealed)), V_INT(core_now(core))));
    else
        why_set(why, err, "customer: cannot be sealed: %s",
                err == E_STATE ? "LUWAK_DATA_KEY is not set" : err_text(err));
    buf_free(&key);
    buf_free(&sealed);
    return err;
}

int person_open(const struct core *core, struct str id, struct buf *out) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "person_get", VALS(V_STR(id)), &rows);
    if (err == 0 && rows_count(rows) == 0) err = E_NOTFOUND;
    if (err == 0 && rows_null(rows, 0, 2)) err = E_CLOSED;
    if (err == 0)
        err = piece_open(core, PURPOSE, id, rows_text(rows, 0, 2), rows_text(rows, 0, 3), out);
    rows_free(rows);
    return err;
}

void person_add_erase(const struct core *core, struct commit *commit, struct str id) {
    commit_add(commit, OP_PERSON_ERASE, VALS(V_STR(id), V_INT(core_now(core))));
}

/* We wrote that JSON, and the customer stands before everything that others write as they like: the
 * first such member is ours. */
int customer_fill(const struct core *core, struct str json, struct buf *out) {
    ptrdiff_t at = str_search(json, STR(MEMBER));
    size_t from = at < 0 ? json.n : (size_t)at + strlen(MEMBER);
    struct str rest = str_sub(json, from, json.n);
    if (!str_starts(rest, STR(HOLDER))) {
        buf_addstr(out, json);
        return out->err;
    }
    struct str id = str_sub(rest, 7, rest.n); /* behind {"id":" */
    ptrdiff_t end = str_find(id, '"');
    if (end < 0 || (size_t)end + 1 >= id.n || id.p[end + 1] != '}') return E_CORRUPT;
    id.n = (size_t)end;
    buf_addstr(out, str_sub(json, 0, from));
    int err = person_open(core, id, out);
    if (err == E_CLOSED || err == E_NOTFOUND) {
        buf_adds(out, "null");
        err = 0;
    }
    if (err != 0) return err;
    buf_addstr(out, str_sub(rest, 7 + (size_t)end + 2, rest.n));
    return out->err;
}
