#include "core/merchant.h"

#include "base/mem.h"
#include "sys/crypto.h"

#include <stdio.h>

#define KEY_PURPOSE     "api_key"
#define ACCOUNT_PURPOSE "provider_account"

int merchant_put(const struct core *core, struct commit *commit, struct merchant *m,
                 struct why *why) {
    if (m->name.n == 0) return why_set(why, E_INVAL, "name: is missing");
    if (m->rate < 0) return why_set(why, E_RANGE, "rate: may not be negative");
    if (m->id[0] == '\0') id_make(m->id, "mer_", core->clock, core->rng);
    commit_add(commit, OP_MERCHANT_PUT,
               VALS(V_TEXT(m->id), V_STR(m->name), V_TEXT(m->direct ? "direct" : "collect"),
                    V_TEXT(m->suspended ? "suspended" : "active"), V_INT(m->rate), V_STR(m->allow),
                    V_INT(core_now(core))));
    return 0;
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
    out->direct = str_eq(rows_text(out->rows, 0, 5), STR("direct"));
    out->rate = rows_int(out->rows, 0, 6);
    out->allow = rows_text(out->rows, 0, 7);
    return 0;
}

void caller_free(struct caller *caller) {
    rows_free(caller->rows);
    *caller = (struct caller){0};
}

int api_key_open(const struct core *core, struct str id, struct str sealed, struct buf *out) {
    return core->ring == NULL ? E_STATE : seal_open(core->ring, KEY_PURPOSE, id, sealed, out);
}

/* ---- provider accounts ---- */

int account_put(const struct core *core, struct commit *commit, struct str provider,
                struct str merchant, struct str environment, struct str config, struct why *why) {
    struct buf name = {0}, sealed = {0};
    if (core->ring == NULL)
        return why_set(why, E_STATE, "accounts are sealed: LUWAK_DATA_KEY is not set");
    buf_addstr(&name, provider);
    buf_addc(&name, '/');
    buf_addstr(&name, merchant.n == 0 ? STR("shared") : merchant);
    int err = name.err;
    if (err == 0)
        err = seal(core->ring, ACCOUNT_PURPOSE, buf_str(&name), config, core->rng, &sealed);
    if (err == 0)
        commit_add(commit, OP_ACCOUNT_PUT,
                   VALS(V_STR(buf_str(&name)), V_STR(provider),
                        merchant.n == 0 ? V_NULL : V_STR(merchant), V_STR(environment),
                        V_BLOB(buf_str(&sealed)), V_INT(core_now(core))));
    else
        why_set(why, err, "the account cannot be sealed: %s", err_text(err));
    buf_free(&name);
    buf_free(&sealed);
    return err;
}

int account_for(const struct core *core, struct str provider, struct str merchant,
                struct str environment, struct account *out) {
    *out = (struct account){0};
    if (core->ring == NULL) return E_STATE;
    int err = store_get(core->store, "account_for",
                        VALS(V_STR(provider), V_STR(environment), V_STR(merchant)), &out->rows);
    if (err == 0 && rows_count(out->rows) == 0) err = E_NOTFOUND;
    if (err == 0) {
        out->name = rows_text(out->rows, 0, 0);
        err = seal_open(core->ring, ACCOUNT_PURPOSE, out->name, rows_text(out->rows, 0, 4),
                        &out->config);
    }
    if (err != 0) account_free(out);
    return err;
}

void account_free(struct account *account) {
    if (account->config.data != NULL) mem_wipe(account->config.data, account->config.len);
    buf_free(&account->config);
    rows_free(account->rows);
    *account = (struct account){0};
}
