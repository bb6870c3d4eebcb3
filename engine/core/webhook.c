#include "core/webhook.h"

#include "base/json.h"
#include "base/mem.h"
#include "core/event.h"
#include "sys/crypto.h"
#include "sys/crypto_text.h"

#include <stdio.h>

#define PURPOSE       "webhook"
#define SECRET_SIZE   32
#define SECRET_PREFIX "whsec_"
#define WAIT_MAX_MS   (24 * 3600 * INT64_C(1000))

/* Columns of endpoint_get. */
enum {
    E_ID,
    E_MERCHANT,
    E_URL,
    E_SECRET,
    E_OLD,
    E_OLD_UNTIL,
    E_TYPES,
    E_STATE_,
    E_CURSOR,
    E_SINCE,
    E_CREATED,
    E_FORMAT,
    E_NAMED
};

static const char *const TYPES[] = {
    "payment.created", "payment.processing",        "payment.succeeded", "payment.failed",
    "payment.expired", "payment.cancelled",         "payment.underpaid", "payment.overpaid",
    "payment.late",    "payment.reversed",          "refund.created",    "refund.succeeded",
    "refund.failed",   "webhook_endpoint.disabled",
};

static const int64_t WAITS_S[WEBHOOK_TRIES - 1] = {
    5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600};

int64_t webhook_wait(int64_t tried, struct rng *rng) {
    if (tried < 1 || tried >= WEBHOOK_TRIES) return -1;
    int64_t wait = WAITS_S[tried - 1] * 1000;
    return wait - (int64_t)rng_below(rng, (uint64_t)wait / 10 + 1);
}

/* " payment.succeeded refund.failed ": searched by the store with spaces around; "*": all. */
static int types_write(const struct endpoint_new *n, struct buf *out, struct why *why) {
    if (n->type_count == 0) buf_addc(out, '*');
    for (size_t i = 0; i < n->type_count; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof TYPES / sizeof TYPES[0]; k++)
            known = known || str_eq(n->types[i], str_of(TYPES[k]));
        if (!known)
            return why_set(why, E_INVAL, "enabled_types: there is no event type %.*s",
                           STR_FMT(n->types[i]));
        if (i == 0) buf_addc(out, ' ');
        buf_addstr(out, n->types[i]);
        buf_addc(out, ' ');
    }
    return out->err;
}

static int secret_text(const uint8_t raw[SECRET_SIZE], char text[WEBHOOK_SECRET_SIZE]) {
    struct buf b = {.data = text, .cap = WEBHOOK_SECRET_SIZE, .max = WEBHOOK_SECRET_SIZE - 1};
    buf_adds(&b, SECRET_PREFIX);
    text_encode(&b, ENC_BASE64, (struct str){(const char *)raw, SECRET_SIZE});
    return b.err;
}

static int secret_make(const struct core *core, struct str id, char text[WEBHOOK_SECRET_SIZE],
                       struct buf *sealed) {
    uint8_t raw[SECRET_SIZE];
    if (core->ring == NULL) return E_STATE;
    rng_fill(core->rng, raw, sizeof raw);
    int err = secret_text(raw, text);
    if (err == 0)
        err = seal(core->ring, PURPOSE, id, (struct str){(const char *)raw, sizeof raw}, core->rng,
                   sealed);
    mem_wipe(raw, sizeof raw);
    return err;
}

int webhook_secret(struct rng *rng, char text[WEBHOOK_SECRET_SIZE]) {
    uint8_t raw[SECRET_SIZE];
    rng_fill(rng, raw, sizeof raw);
    int err = secret_text(raw, text);
    mem_wipe(raw, sizeof raw);
    return err;
}

int endpoint_add(const struct core *core, struct commit *commit, const struct endpoint_new *n,
                 char id[ID_SIZE], char secret[WEBHOOK_SECRET_SIZE], struct why *why) {
    struct buf sealed = {0}, types = {0};
    id_make(id, "we_", core->clock, core->rng);
    int err = types_write(n, &types, why);
    if (err == 0 && (err = secret_make(core, str_of(id), secret, &sealed)) != 0)
        why_set(why, err, "the secret cannot be sealed: %s", err_text(err));
    if (err == 0)
        commit_add(commit, OP_ENDPOINT_ADD,
                   VALS(V_TEXT(id), V_STR(n->merchant), V_STR(n->url), V_BLOB(buf_str(&sealed)),
                        V_STR(buf_str(&types)),
                        V_STR(n->format.n == 0 ? WEBHOOK_STANDARD : n->format),
                        n->named == 0 ? V_NULL : V_INT(n->named), V_INT(core_now(core))));
    buf_free(&sealed);
    buf_free(&types);
    return err;
}

static void set(const struct core *core, struct commit *commit, struct str id, struct str merchant,
                struct str url, struct str types, struct str state) {
    commit_add(commit, OP_ENDPOINT_SET,
               VALS(V_STR(id), V_STR(merchant), V_STR(url), V_STR(types), V_STR(state),
                    V_INT(core_now(core))));
}

int endpoint_set(const struct core *core, struct commit *commit, struct str id,
                 const struct endpoint_new *n, struct str state, struct why *why) {
    struct buf types = {0};
    int err = types_write(n, &types, why);
    if (err == 0) set(core, commit, id, n->merchant, n->url, buf_str(&types), state);
    buf_free(&types);
    return err;
}

int endpoint_rotate(const struct core *core, struct commit *commit, const struct rows *rows,
                    char secret[WEBHOOK_SECRET_SIZE]) {
    struct buf sealed = {0};
    struct str id = rows_text(rows, 0, E_ID);
    int64_t now = core_now(core);
    int err = secret_make(core, id, secret, &sealed);
    if (err == 0)
        commit_add(commit, OP_ENDPOINT_SECRET,
                   VALS(V_STR(id), V_STR(rows_text(rows, 0, E_MERCHANT)), V_BLOB(buf_str(&sealed)),
                        V_BLOB(rows_text(rows, 0, E_SECRET)), V_INT(now + WEBHOOK_OLD_MS),
                        V_INT(now)));
    buf_free(&sealed);
    return err;
}

static int endpoint_write(const struct rows *rows, size_t row, struct str state, const char *secret,
                          struct buf *out) {
    struct json_out w;
    json_out_init(&w, out);
    json_begin_object(&w);
    json_put_str(&w, "id", rows_text(rows, row, E_ID));
    json_put_text(&w, "object", "webhook_endpoint");
    json_put_str(&w, "url", rows_text(rows, row, E_URL));
    json_put_str(&w, "status", state);
    json_key(&w, "enabled_types");
    json_begin_array(&w);
    struct str rest = str_trim(rows_text(rows, row, E_TYPES)), one;
    while (rest.n != 0) {
        str_cut(rest, ' ', &one, &rest);
        json_str(&w, one);
    }
    json_end_array(&w);
    json_put_str(&w, "format", rows_text(rows, row, E_FORMAT));
    if (secret != NULL) json_put_text(&w, "secret", secret);
    json_put_time(&w, "created_at", rows_int(rows, row, E_CREATED));
    json_end_object(&w);
    return json_out_end(&w);
}

int endpoint_json(const struct rows *rows, size_t row, const char *secret, struct buf *out) {
    return endpoint_write(rows, row, rows_text(rows, row, E_STATE_), secret, out);
}

size_t endpoint_types(const struct rows *rows, size_t row, struct str *out, size_t max) {
    struct str rest = str_trim(rows_text(rows, row, E_TYPES));
    size_t count = 0;
    if (str_eq(rest, STR("*"))) return 0;
    while (rest.n != 0 && count < max)
        str_cut(rest, ' ', &out[count++], &rest);
    return count;
}

bool endpoint_hears(const struct rows *rows, size_t row, struct str type) {
    struct str types[sizeof TYPES / sizeof TYPES[0]];
    size_t count = endpoint_types(rows, row, types, sizeof types / sizeof types[0]);
    bool hears = count == 0;
    for (size_t i = 0; i < count; i++)
        hears = hears || str_eq(types[i], type);
    return hears;
}

void webhook_add_fan(const struct core *core, struct commit *commit, struct str endpoint,
                     int64_t cursor, int64_t last) {
    int64_t to = last - cursor > WEBHOOK_FAN_MAX ? cursor + WEBHOOK_FAN_MAX : last;
    commit_add(commit, OP_ENDPOINT_FAN,
               VALS(V_STR(endpoint), V_INT(cursor), V_INT(to), V_INT(core_now(core))));
}

/* What is signed: id.timestamp.body */
static int signed_text(struct str id, int64_t timestamp_s, struct str body, struct buf *text) {
    buf_addstr(text, id);
    buf_addc(text, '.');
    buf_addi(text, timestamp_s);
    buf_addc(text, '.');
    buf_addstr(text, body);
    return text->err;
}

static int sign_with(struct str key, struct str text, struct buf *out) {
    uint8_t mac[DIGEST_MAX];
    int err = crypto_hmac(DIGEST_SHA256, key, text, mac);
    if (err != 0) return err;
    if (out->len != 0) buf_addc(out, ' ');
    buf_adds(out, "v1,");
    text_encode(out, ENC_BASE64, (struct str){(const char *)mac, 32});
    return out->err;
}

static int sign_sealed(const struct core *core, struct str endpoint, struct str sealed,
                       struct str text, struct buf *out) {
    struct buf key = {0};
    int err = seal_open(core->ring, PURPOSE, endpoint, sealed, &key);
    if (err == 0) err = sign_with(buf_str(&key), text, out);
    if (key.data != NULL) mem_wipe(key.data, key.len);
    buf_free(&key);
    return err;
}

int webhook_sign_key(struct str secret, struct str id, int64_t timestamp_s, struct str body,
                     struct buf *out) {
    struct buf text = {0}, key = {0};
    if (!str_starts(secret, STR(SECRET_PREFIX))) return E_INVAL;
    int err = text_decode(&key, ENC_BASE64, str_sub(secret, strlen(SECRET_PREFIX), secret.n));
    if (err == 0) err = signed_text(id, timestamp_s, body, &text);
    if (err == 0) err = sign_with(buf_str(&key), buf_str(&text), out);
    if (key.data != NULL) mem_wipe(key.data, key.len);
    buf_free(&key);
    buf_free(&text);
    return err;
}

int webhook_sign(const struct core *core, const struct rows *rows, struct str id,
                 int64_t timestamp_s, struct str body, struct buf *out) {
    struct buf text = {0};
    if (core->ring == NULL) return E_STATE;
    struct str endpoint = rows_text(rows, 0, E_ID);
    int err = signed_text(id, timestamp_s, body, &text);
    if (err == 0)
        err = sign_sealed(core, endpoint, rows_text(rows, 0, E_SECRET), buf_str(&text), out);
    if (err == 0 && !rows_null(rows, 0, E_OLD) && rows_int(rows, 0, E_OLD_UNTIL) > core_now(core))
        err = sign_sealed(core, endpoint, rows_text(rows, 0, E_OLD), buf_str(&text), out);
    buf_free(&text);
    return err;
}

static int disable(const struct core *core, struct commit *commit, const struct rows *rows) {
    struct buf json = {0};
    struct str merchant = rows_text(rows, 0, E_MERCHANT), id = rows_text(rows, 0, E_ID);
    int err = endpoint_write(rows, 0, STR("disabled"), NULL, &json);
    if (err == 0) {
        set(core, commit, id, merchant, rows_text(rows, 0, E_URL), rows_text(rows, 0, E_TYPES),
            STR("disabled"));
        event_add(core, commit, merchant, "webhook_endpoint.disabled", id, buf_str(&json));
    }
    buf_free(&json);
    return err;
}

int webhook_add_outcome(const struct core *core, struct commit *commit, const struct rows *rows,
                        const struct webhook_outcome *o, int64_t *wait_ms) {
    int64_t now = core_now(core), wait = 0;
    bool good = o->nothing || (o->status >= 200 && o->status < 300);
    const char *state = "delivered";
    if (!good) {
        wait = o->status == 410 ? -1 : webhook_wait(o->tries + 1, core->rng);
        state = wait < 0 ? "dead" : "waiting";
        int64_t asked = o->retry_after_ms < WAIT_MAX_MS ? o->retry_after_ms : WAIT_MAX_MS;
        if (wait >= 0 && asked > wait) wait = asked;
    }
    *wait_ms = wait < 0 ? 0 : wait;
    commit_add(commit, OP_DELIVERY_MOVE,
               VALS(V_STR(rows_text(rows, 0, E_ID)), V_INT(o->sequence), V_TEXT(state),
                    V_INT(now + *wait_ms), o->status == 0 ? V_NULL : V_INT(o->status),
                    good || o->error.n == 0 ? V_NULL : V_STR(o->error), V_INT(now)));
    bool failing = !good && !rows_null(rows, 0, E_SINCE) &&
                   now - rows_int(rows, 0, E_SINCE) >= WEBHOOK_FAILING_MS;
    bool enabled = str_eq(rows_text(rows, 0, E_STATE_), STR("enabled"));
    bool own = rows_null(rows, 0, E_NAMED);
    return enabled && own && (o->status == 410 || failing) ? disable(core, commit, rows) : 0;
}

void webhook_add_later(const struct core *core, struct commit *commit, struct str endpoint,
                       int64_t sequence, int64_t wait_ms) {
    int64_t now = core_now(core);
    commit_add(commit, OP_DELIVERY_LATER,
               VALS(V_STR(endpoint), V_INT(sequence), V_INT(now + wait_ms), V_INT(now)));
}

void webhook_add_again(const struct core *core, struct commit *commit, struct str endpoint,
                       int64_t sequence) {
    commit_add(commit, OP_DELIVERY_AGAIN,
               VALS(V_STR(endpoint), V_INT(sequence), V_INT(core_now(core))));
}
