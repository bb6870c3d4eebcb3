#include "core/idempotency.h"

#include "sys/crypto.h"

bool idempotency_key_is(struct str key) {
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] < ' ' || key.p[i] > '~') return false;
    return key.n != 0 && key.n <= IDEMPOTENCY_KEY_MAX;
}

int idempotency_take(const struct core *core, struct commit *commit,
                     const struct idempotency *what) {
    uint8_t hash[DIGEST_MAX];
    if (what->key.n == 0 || what->key.n > IDEMPOTENCY_KEY_MAX) return E_INVAL;
    int err = crypto_digest(DIGEST_SHA256, what->body, hash);
    if (err != 0) return err;
    struct str body = {(const char *)hash, SHA256_SIZE};
    commit_add(commit, OP_IDEMPOTENCY_TAKE,
               VALS(V_STR(what->merchant), V_STR(what->path), V_STR(what->key), V_BLOB(body),
                    what->object.n == 0 ? V_NULL : V_STR(what->object),
                    what->status == 0 ? V_NULL : V_INT(what->status),
                    what->status == 0 ? V_NULL : V_BLOB(what->answer), V_INT(core_now(core))));
    return 0;
}

void idempotency_answer(struct commit *commit, struct str merchant, struct str path, struct str key,
                        int status, struct str answer, struct str object) {
    commit_add(commit, OP_IDEMPOTENCY_ANSWER,
               VALS(V_STR(merchant), V_STR(path), V_STR(key), V_INT(status), V_BLOB(answer),
                    object.n == 0 ? V_NULL : V_STR(object)));
}

int idempotency_find(const struct core *core, struct str merchant, struct str path, struct str key,
                     struct str body, struct idempotency_found *out) {
    uint8_t hash[DIGEST_MAX];
    *out = (struct idempotency_found){.state = IDEMPOTENCY_FREE};
    int err = store_get(core->store, "idempotency_get",
                        VALS(V_STR(merchant), V_STR(path), V_STR(key)), &out->rows);
    if (err != 0 || rows_count(out->rows) == 0) return err;
    out->object = rows_text(out->rows, 0, 1);
    out->status = (int)rows_int(out->rows, 0, 2);
    out->answer = rows_text(out->rows, 0, 3);
    out->at = rows_int(out->rows, 0, 4);
    if ((err = crypto_digest(DIGEST_SHA256, body, hash)) != 0) return err;
    bool same = str_eq(rows_text(out->rows, 0, 0), (struct str){(char *)hash, SHA256_SIZE});
    out->state = !same                        ? IDEMPOTENCY_MISMATCH
                 : rows_null(out->rows, 0, 2) ? IDEMPOTENCY_RUNNING
                                              : IDEMPOTENCY_ANSWERED;
    return 0;
}

void idempotency_found_free(struct idempotency_found *found) {
    rows_free(found->rows);
    *found = (struct idempotency_found){0};
}
