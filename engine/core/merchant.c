#include "core/merchant.h"

#include "base/json.h"
#include "base/mem.h"
#include "sys/crypto.h"

#include <stdio.h>

#define KEY_PURPOSE     "api_key"
#define ACCOUNT_PURPOSE "provider_account"

enum { MERCHANT_NAME_MAX = 100 };

static bool name_good(struct str name) {
    bool good = name.n <= MERCHANT_NAME_MAX && utf8_valid(name);
    for (size_t i = 0; i < name.n && good; i++)
        good = (unsigned char)name.p[i] >= ' ' && name.p[i] != '\x7f';
    return good;
}

int merchant_put(const struct core *core, struct commit *commit, struct merchant *m,
                 struct why *why) {
    if (m->name.n == 0) return why_set(why, E_INVAL, "name: is missing");
    if (m->id[0] == '\0' && !name_good(m->name)) /* one that is there goes on with its own */
        return why_set(why, E_INVAL, "name: a text of 1 to %d bytes, in one line",
                       MERCHANT_NAME_MAX);
    if (m->rate < 0) return why_set(why, E_RANGE, "rate: may not be negative");
    if (m->id[0] == '\0') id_make(m->id, "mer_", core->clock, core->rng);
    commit_add(commit, OP_MERCHANT_PUT,
               VALS(V_TEXT(m->id), V_STR(m->name), V_TEXT(m->direct ? "direct" : "collect"),
                    V_TEXT(m->suspended ? "suspended" : "active"), V_INT(m->rate), V_STR(m->allow),
                    V_INT(core_now(core))));
    return 0;
}

int merchant_add_category(const struct core *core, struct commit *commit, struct str merchant,
                          struct str category, struct why *why) {
    for (size_t i = 0; i < category.n; i++)
        if (category.n > 20 || category.p[i] < 'A' || category.p[i] > 'Z')
            return why_set(why, E_INVAL, "category: a word in capitals, such as UMI");
    commit_add(
        commit, OP_MERCHANT_CATEGORY,
        VALS(V_STR(merchant), category.n == 0 ? V_NULL : V_STR(category), V_INT(core_now(core))));
    return 0;
}

int merchant_put_category(const struct core *core, struct str merchant, struct json_out *facts) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "merchant_category", VALS(V_STR(merchant)), &rows);
    if (err == 0 && rows_count(rows) != 0 && !rows_null(rows, 0, 0))
        json_put_str(facts, "category", rows_text(rows, 0, 0));
    rows_free(rows);
    return err;
}

static const char *prefix(const struct core *core) {
    return core->livemode ? "sk_live_" : "sk_test_";
}

int api_key_add(const struct core *core, struct commit *commit, struct str merchant,
                struct str label, struct str given, char id[ID_SIZE], char text[API_KEY_SIZE],
                struct why *why) {
    char token[TOKEN_SIZE];
    uint8_t hash[32];
    struct buf sealed = {0};
    if (core->ring == NULL)
        return why_set(why, E_STATE, "API keys are sealed: LUWAK_DATA_KEY is not set");
    if (given.n != 0 &&
        (core->livemode || given.n >= API_KEY_SIZE || !str_starts(given, str_of(prefix(core)))))
        return why_set(why, E_INVAL, "key: such a key cannot be given here");
    id_make(id, "key_", core->clock, core->rng);
    token_make(token, core->rng);
    if (given.n != 0)
        snprintf(text, API_KEY_SIZE, "%.*s", STR_FMT(given));
    else
        snprintf(text, API_KEY_SIZE, "%s%s", prefix(core), token);
    int err = seal(core->ring, KEY_PURPOSE, str_of(id), str_of(text), core->rng, &sealed);
    if (err == 0) err = seal_hash(core->ring, 0, KEY_PURPOSE, str_of(text), hash);
    if (err == 0)
        commit_add(commit, OP_API_KEY_ADD,
                   VALS(V_TEXT(id), V_STR(merchant),
                        V_BLOB(((struct str){(const char *)hash, sizeof hash})),
                        V_BLOB(buf_str(&sealed)), V_TEXT(core->livemode ? "live" : "test"),
                        V_STR(label), V_INT(core_now(core))));
    else
        why_set(why, err, "the key cannot be sealed: %s", err_text(err));
    mem_wipe(token, sizeof token);
    buf_free(&sealed);
    return err;
}

void api_key_revoke(const struct core *core, struct commit *commit, struct str merchant,
                    struct str id) {
    commit_add(commit, OP_API_KEY_REVOKE, VALS(V_STR(id), V_STR(merchant), V_INT(core_now(core))));
}

/* The data key is a ring: hashes made under an older one are still found. */
static int key_rows(const struct core *core, struct str text, struct rows **out) {
    uint8_t hash[32];
    for (size_t nth = 0; nth < SEAL_KEYS_MAX; nth++) {
        int err = seal_hash(core->ring, nth, KEY_PURPOSE, text, hash);
        if (err == 0)
            err = store_get(core->store, "api_key_by_hash",
                            VALS(V_BLOB(((struct str){(const char *)hash, sizeof hash}))), out);
        if (err != 0) return err;
        if (rows_count(*out) != 0) return 0;
        rows_free(*out);
        *out = NULL;
    }
    return E_NOTFOUND;
}

int api_key_find(const struct core *core, struct str text, struct caller *out) {
    *out = (struct caller){0};
    if (core->ring == NULL || text.n >= API_KEY_SIZE || !str_starts(text, STR("sk_")))
        return E_NOTFOUND;
    int err = key_rows(core, text, &out->rows);
    if (err == 0 && !rows_null(out->rows, 0, 3)) err = E_NOTFOUND;
    if (err == 0 && str_eq(rows_text(out->rows, 0, 2), STR("live")) != core->livemode)
        err = E_DENIED;
    if (err != 0) {
        caller_free(out);
        return err;
    }
    snprintf(out->key, sizeof out->key, "%.*s", STR_FMT(rows_text(out->rows, 0, 0)));
    snprintf(out->merchant, sizeof out->merchant, "%.*s", STR_FMT(rows_text(out->rows, 0, 1)));
    out->suspended = str_eq(rows_text(out->rows, 0, 4), STR("suspended"));
    out->rate = rows_int(out->rows, 0, 6);
    out->allow = rows_text(out->rows, 0, 7);
    return 0;
}

void caller_free(struct caller *caller) {
    rows_free(caller->rows);
    *caller = (struct caller){0};
}

int api_key_open(const struct core *core, struct str merchant, struct str id, struct buf *out) {
    struct rows *rows = NULL;
    if (core->ring == NULL) return E_STATE;
    int err = store_get(core->store, "api_key_to_sign", VALS(V_STR(merchant), V_STR(id)), &rows);
    if (err == 0 && rows_count(rows) == 0) err = E_NOTFOUND;
    if (err == 0)
        err = seal_open(core->ring, KEY_PURPOSE, rows_text(rows, 0, 0), rows_text(rows, 0, 1), out);
    rows_free(rows);
    return err;
}

/* ---- provider accounts ---- */

static int own_name(struct str provider, struct str merchant, char out[ACCOUNT_NAME_SIZE]) {
    int n = snprintf(out, ACCOUNT_NAME_SIZE, "%.*s/%.*s", STR_FMT(provider), STR_FMT(merchant));
    return n > 0 && n < (int)ACCOUNT_NAME_SIZE ? 0 : E_RANGE;
}

int account_put(const struct core *core, struct commit *commit, struct str provider,
                struct str merchant, struct str environment, struct str config, struct why *why) {
    char name[ACCOUNT_NAME_SIZE];
    struct buf sealed = {0};
    if (core->ring == NULL)
        return why_set(why, E_STATE, "accounts are sealed: LUWAK_DATA_KEY is not set");
    if (merchant.n == 0 || own_name(provider, merchant, name) != 0)
        return why_set(why, E_INVAL, "an account needs its provider and its merchant");
    int err = seal(core->ring, ACCOUNT_PURPOSE, str_of(name), config, core->rng, &sealed);
    if (err == 0)
        commit_add(commit, OP_ACCOUNT_PUT,
                   VALS(V_TEXT(name), V_STR(provider), V_STR(merchant), V_STR(environment),
                        V_BLOB(buf_str(&sealed)), V_INT(core_now(core))));
    else
        why_set(why, err, "the account cannot be sealed: %s", err_text(err));
    buf_free(&sealed);
    return err;
}

int account_choose(const struct core *core, struct str provider, struct str merchant,
                   struct str environment, char out[ACCOUNT_NAME_SIZE]) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "account_for",
                        VALS(V_STR(provider), V_STR(environment), V_STR(merchant)), &rows);
    bool own = err == 0 && rows_count(rows) != 0;
    rows_free(rows);
    if (err != 0) return err;
    if (own) return own_name(provider, merchant, out);
    int n = snprintf(out, ACCOUNT_NAME_SIZE, "%.*s", STR_FMT(provider));
    return n < (int)ACCOUNT_NAME_SIZE ? 0 : E_RANGE;
}

bool account_own(struct str name, struct str *merchant) {
    struct str provider;
    return str_cut(name, '/', &provider, merchant);
}

bool account_direct(struct str name) {
    struct str merchant;
    return account_own(name, &merchant);
}

int account_open(const struct core *core, struct str name, struct buf *out) {
    struct rows *rows = NULL;
    if (core->ring == NULL) return E_STATE;
    int err = store_get(core->store, "account_get", VALS(V_STR(name)), &rows);
    if (err == 0 && rows_count(rows) == 0) err = E_NOTFOUND;
    if (err == 0) err = seal_open(core->ring, ACCOUNT_PURPOSE, name, rows_text(rows, 0, 4), out);
    rows_free(rows);
    return err;
}

int account_key(const struct core *core, struct str name, struct str key, struct buf *out) {
    struct buf config = {.secret = true};
    struct json_doc doc = {0};
    int err = account_open(core, name, &config);
    if (err == 0) err = json_parse(&doc, buf_str(&config), NULL, NULL);
    if (err == 0) {
        err = E_NOTFOUND;
        for (const struct json *v = doc.root->first; v != NULL && err == E_NOTFOUND; v = v->next) {
            if (!str_eq(v->key, key) || v->type != JT_STRING) continue;
            buf_addstr(out, v->s);
            err = out->err;
        }
    }
    json_doc_free(&doc);
    buf_free(&config);
    return err;
}
