/* See stamp.h. */
#include "stamp.h"

#include "sys/crypto_text.h"

#include <stdio.h>

int stamp_read(struct store *store, const char *name, char *out, size_t size) {
    struct rows *rows = NULL;
    int err = store_get(store, "meta_get", VALS(V_TEXT(name)), &rows);
    if (err != 0) return err;
    bool there = rows_count(rows) != 0;
    if (there) snprintf(out, size, "%.*s", STR_FMT(rows_text(rows, 0, 0)));
    rows_free(rows);
    return there ? 0 : E_NOTFOUND;
}

static int unreadable(struct why *why, int err) {
    return why_set(why, err, "the data cannot be read: %s", err_text(err));
}

const char *stamp_environment(const struct config *config) {
    static const char *const NAMES[] = {"simulated", "sandbox", "staging", "production"};
    enum luwak_env env = config_env(config);
    return env == ENV_UNSET ? NULL : NAMES[env];
}

int stamp_check_environment(struct store *store, const struct config *config, struct why *why) {
    const char *env = stamp_environment(config);
    char have[STAMP_MAX];
    int err = stamp_read(store, STAMP_ENVIRONMENT, have, sizeof have);
    if (err == E_NOTFOUND) return err;
    if (err != 0) return unreadable(why, err);
    if (env == NULL || strcmp(have, env) == 0) return 0;
    return why_set(why, E_CONFIG,
                   "this data directory belongs to %s, not to %s; name another with --data DIR",
                   have, env);
}

/* A hash under the key, of a purpose of its own: it tells keys apart and says nothing of one. */
static int fingerprint(const struct seal_ring *ring, size_t nth, char out[STAMP_MAX]) {
    uint8_t hash[32];
    struct buf text = {0};
    int err = seal_hash(ring, nth, "stamp", STR("luwak data directory"), hash);
    if (err == 0) text_encode(&text, ENC_HEX, (struct str){(const char *)hash, sizeof hash});
    if (err == 0) err = text.err;
    if (err == 0) snprintf(out, STAMP_MAX, "%.*s", STR_FMT(buf_str(&text)));
    buf_free(&text);
    return err;
}

int stamp_fingerprint(const struct seal_ring *ring, char out[STAMP_MAX]) {
    return fingerprint(ring, 0, out);
}

int stamp_check_key(struct store *store, const struct config *config, const struct seal_ring *ring,
                    struct why *why) {
    char have[STAMP_MAX], ours[STAMP_MAX];
    int err = stamp_read(store, STAMP_KEY, have, sizeof have);
    if (err == E_NOTFOUND) return err;
    if (err != 0) return unreadable(why, err);
    for (size_t nth = 0; (err = fingerprint(ring, nth, ours)) == 0; nth++)
        if (strcmp(have, ours) == 0) return 0;
    if (err != E_NOTFOUND) return why_set(why, err, "data key: %s", err_text(err));
    return why_set(why, E_CONFIG,
                   config_given(config, SET_LUWAK_DATA_KEY)
                       ? "LUWAK_DATA_KEY is not the key that this data directory was begun with; "
                         "set that one"
                       : "LUWAK_DATA_KEY is not set; set the one that this data directory was "
                         "begun with");
}
