#include "core/person.h"

#include "base/json.h"
#include "base/mem.h"
#include "sys/crypto.h"
#include "sys/log.h"

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
    if (err == E_NOTFOUND) { /* not "there is none": that would be written down as erased */
        log_error("data_key_missing", L_TEXT("sealed", purpose), L_STR("id", context),
                  L_TEXT("next", "put the key it was sealed under back into LUWAK_DATA_KEY"));
        return E_CONFIG;
    }
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

/* {"customer":...,"options":...} */
static int write_person(struct str customer, struct str options, struct buf *out) {
    struct json_out w;
    json_out_init(&w, out);
    json_begin_object(&w);
    json_key(&w, "customer");
    json_raw(&w, customer.n == 0 ? STR("null") : customer);
    json_key(&w, "options");
    json_raw(&w, options.n == 0 ? STR("{}") : options);
    json_end_object(&w);
    return json_out_end(&w);
}

int person_add(const struct core *core, struct commit *commit, struct str merchant,
               struct str customer, struct str options, char id[ID_SIZE], struct why *why) {
    struct buf key = {0}, sealed = {0}, plain = {.secret = true};
    if (id[0] == '\0') id_make(id, "per_", core->clock, core->rng);
    int err = write_person(customer, options, &plain);
    if (err == 0) err = piece_seal(core, PURPOSE, str_of(id), buf_str(&plain), &key, &sealed);
    if (err == 0)
        commit_add(commit, OP_PERSON_ADD,
                   VALS(V_TEXT(id), V_STR(merchant), V_BLOB(buf_str(&key)),
                        V_BLOB(buf_str(&sealed)), V_INT(core_now(core))));
    else
        why_set(why, err, "customer: cannot be sealed: %s",
                err == E_STATE ? "LUWAK_DATA_KEY is not set" : err_text(err));
    buf_free(&plain);
    buf_free(&key);
    buf_free(&sealed);
    return err;
}

static int open_whole(const struct core *core, struct str id, struct json_doc *doc) {
    struct rows *rows = NULL;
    struct buf plain = {.secret = true};
    *doc = (struct json_doc){0};
    int err = store_get(core->store, "person_get", VALS(V_STR(id)), &rows);
    if (err == 0 && rows_count(rows) == 0) err = E_NOTFOUND;
    if (err == 0 && rows_null(rows, 0, 2)) err = E_CLOSED;
    if (err == 0)
        err = piece_open(core, PURPOSE, id, rows_text(rows, 0, 2), rows_text(rows, 0, 3), &plain);
    if (err == 0) err = json_parse(doc, buf_str(&plain), NULL, NULL);
    rows_free(rows);
    buf_free(&plain);
    return err;
}

static int open_part(const struct core *core, struct str id, const char *name, struct buf *out) {
    struct json_doc doc;
    struct json_out w;
    int err = open_whole(core, id, &doc);
    if (err != 0) return err;
    json_out_init(&w, out);
    const struct json *part = json_get(doc.root, name);
    if (part == NULL)
        json_null(&w);
    else
        json_value(&w, part);
    err = json_out_end(&w);
    json_doc_free(&doc);
    return err;
}

int person_open(const struct core *core, struct str id, struct buf *out) {
    return open_part(core, id, "customer", out);
}

int person_open_options(const struct core *core, struct str id, struct buf *out) {
    return open_part(core, id, "options", out);
}

static void fill_input(struct json_out *w, const struct json *input, const struct json *person) {
    const struct json *customer = json_get(person, "customer"),
                      *options = json_get(person, "options");
    json_begin_object(w);
    for (const struct json *v = input->first; v != NULL; v = v->next) {
        bool his = str_eq(v->key, STR("customer"));
        if (his && (customer == NULL || customer->type != JT_OBJECT)) continue;
        json_key_str(w, v->key);
        json_value(w, his ? customer : v);
    }
    for (const struct json *v = options == NULL ? NULL : options->first; v != NULL; v = v->next) {
        json_key_str(w, v->key);
        json_value(w, v);
    }
    json_end_object(w);
}

int input_fill(const struct core *core, struct str text, struct buf *out) {
    struct json_doc doc, person = {0};
    struct json_out w;
    struct str id = {0};
    int err = json_parse(&doc, text, NULL, NULL);
    if (err != 0) return err;
    const struct json *input = json_get(doc.root, "input");
    (void)json_get_str(json_get(input, "customer"), "id", &id);
    if (!str_starts(id, STR("per_"))) {
        buf_addstr(out, text);
        json_doc_free(&doc);
        return out->err;
    }
    err = open_whole(core, id, &person);
    if (err == E_CLOSED || err == E_NOTFOUND) err = 0; /* erased: there is nothing to put in */
    json_out_init(&w, out);
    json_begin_object(&w);
    for (const struct json *v = doc.root->first; v != NULL && err == 0; v = v->next) {
        json_key_str(&w, v->key);
        if (v == input)
            fill_input(&w, v, person.root);
        else
            json_value(&w, v);
    }
    json_end_object(&w);
    if (err == 0) err = json_out_end(&w);
    json_doc_free(&person);
    json_doc_free(&doc);
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
