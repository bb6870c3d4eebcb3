/* See payment_decision.h. */
#include "payment/payment_decision.h"

#include "base/ensure.h"
#include "base/timefmt.h"
#include "script/dispatch.h"
#include "sys/log.h"

/* Ways to pay: by the first of its fields that is there. All are texts unless `object`. A QR code of
 * which only the picture is known has a qr_string of null. */
static const struct way {
    const char *type;
    const char *fields[5]; /* the first one is what it is known by */
    bool bank;             /* with the channel's bank */
} WAYS[] = {
    {"va_number", {"va_number"}, .bank = true},
    {"bill", {"bill_key", "biller_code"}},
    {"retail", {"payment_code", "outlet"}},
    {"qr", {"qr_string", "qr_image_url"}},
    {"transfer",
     {"account_number", "account_holder", "unique_code", "amount_to_transfer"},
     .bank = true},
    {"redirect", {"redirect_url", "deeplink_url"}},
    {"form_post", {"form"}},
    {"push", {"push"}},
};

static int bad(struct why *why, const char *field, const char *what) {
    return why_set(why, E_SCRIPT, "the decision's %s is %s", field, what);
}

static const struct json *member(const struct json *object, const char *name) {
    const struct json *v = json_get(object, name);
    return v == NULL || v->type == JT_NULL ? NULL : v;
}

static int text_of(const struct json *result, const char *name, size_t max, struct str *out,
                   struct why *why) {
    const struct json *v = member(result, name);
    if (v == NULL) return 0;
    if (v->type != JT_STRING || v->s.n == 0 || v->s.n > max) return bad(why, name, "no such text");
    *out = v->s;
    return 0;
}

static int int_of(const struct json *result, const char *name, int64_t *out, struct why *why) {
    const struct json *v = member(result, name);
    if (v == NULL) return 0;
    if (v->type != JT_INT || v->i < 0) return bad(why, name, "no integer of 0 or more");
    *out = v->i;
    return 0;
}

/* Of money: what nobody can have paid is no answer. */
static int amount_of(const struct json *result, enum operation_state to, int64_t *out,
                     struct why *why) {
    int err = int_of(result, "amount", out, why);
    if (err == 0 && *out > DECISION_AMOUNT_MAX) return bad(why, "amount", "more than there is");
    if (err == 0 && to == OPERATION_SUCCESS && member(result, "amount") != NULL && *out == 0)
        return bad(why, "amount", "0: nobody has paid");
    return err;
}

int payment_decision_amount(enum operation_state to, struct str doc, struct why *why) {
    struct json_doc parsed;
    int64_t amount = 0;
    int err = json_parse(&parsed, doc, NULL, why);
    if (err != 0) return err;
    err = amount_of(json_get(parsed.root, "result"), to, &amount, why);
    json_doc_free(&parsed);
    return err;
}

static int time_of(const struct json *result, const char *name, int64_t *out, struct why *why) {
    int err = int_of(result, name, out, why);
    return err == 0 && *out > TIME_MAX ? bad(why, name, "no time up to the year 9999") : err;
}

/* ---- instructions ---- */

static int write_form(struct json_out *w, const struct json *form, struct why *why) {
    const struct json *url = member(form, "url"), *fields = member(form, "fields");
    if (form->type != JT_OBJECT || url == NULL || url->type != JT_STRING || fields == NULL ||
        fields->type != JT_OBJECT)
        return bad(why, "form", "no {url, fields}");
    json_put_str(w, "url", url->s);
    json_key(w, "fields");
    json_value(w, fields);
    return 0;
}

static void put_null(struct json_out *w, const char *name) {
    json_key(w, name);
    json_null(w);
}

static int write_way(const struct way *way, const struct json *result, const struct manifest *m,
                     struct json_out *w, struct why *why) {
    json_begin_object(w);
    json_put_text(w, "type", way->type);
    struct str bank = str_of(m->bank);
    int err = text_of(result, "bank", 64, &bank, why);
    if (err == 0 && way->bank && bank.n != 0) json_put_str(w, "bank", bank);
    for (size_t i = 0; err == 0 && i < ARRAY_LEN(way->fields) && way->fields[i] != NULL; i++) {
        const char *name = way->fields[i];
        const struct json *v = member(result, name);
        if (v == NULL && i == 0) put_null(w, name);
        if (v == NULL) continue;
        if (strcmp(name, "form") == 0) {
            err = write_form(w, v, why);
            continue;
        }
        bool number = strcmp(name, "unique_code") == 0 || strcmp(name, "amount_to_transfer") == 0;
        if (v->type != (number ? JT_INT : JT_STRING) || (!number && v->s.n == 0))
            return bad(why, name, number ? "no integer" : "no text");
        json_key(w, strcmp(name, "push") == 0 ? "message" : name);
        json_value(w, v);
    }
    json_end_object(w);
    return err;
}

static int read_instructions(struct payment_decision *d, const struct json *result,
                             const struct manifest *m, struct why *why) {
    for (size_t i = 0; i < ARRAY_LEN(WAYS); i++) {
        bool picture = strcmp(WAYS[i].type, "qr") == 0 && member(result, "qr_image_url") != NULL;
        if (member(result, WAYS[i].fields[0]) == NULL && !picture) continue;
        struct json_out w;
        json_out_init(&w, &d->instructions);
        int err = write_way(&WAYS[i], result, m, &w, why);
        if (err == 0 && json_out_end(&w) != 0) err = why_set(why, E_NOMEM, "out of memory");
        d->result.instructions = buf_str(&d->instructions);
        return err;
    }
    return 0;
}

/* ---- keys ---- */

static int add_key(struct payment_decision *d, const char *kind, const struct json *v, bool unique,
                   struct why *why) {
    if (v == NULL) return 0;
    if (v->type != JT_STRING || v->s.n == 0 || v->s.n > 200) return bad(why, kind, "no such text");
    if (d->result.key_count == DECISION_KEYS_MAX) return bad(why, "keys", "too long");
    d->keys[d->result.key_count++] = (struct payment_key){str_of(kind), v->s, unique};
    return 0;
}

static int read_keys(struct payment_decision *d, const struct json *result, struct str reference,
                     struct why *why) {
    const struct json *theirs = member(result, "reference"), *keys = member(result, "keys");
    int err = 0;
    if (theirs != NULL && !(theirs->type == JT_STRING && str_eq(theirs->s, reference)))
        err = add_key(d, "reference", theirs, true, why);
    if (err == 0) err = add_key(d, "va_number", member(result, "va_number"), false, why);
    if (err == 0) err = add_key(d, "bill_key", member(result, "bill_key"), false, why);
    if (err == 0) err = add_key(d, "payment_code", member(result, "payment_code"), false, why);
    if (err != 0 || keys == NULL) return err;
    if (keys->type != JT_OBJECT) return bad(why, "keys", "no table of texts");
    for (const struct json *v = keys->first; v != NULL && err == 0; v = v->next)
        err = add_key(d, v->key.p, v, true, why); /* the tree's keys end with a NUL */
    d->result.keys = d->keys;
    return err;
}

/* ---- the whole ---- */

static int read_failure(struct payment_decision *d, const struct json *result, struct why *why) {
    struct str category = {0};
    int err = text_of(result, "category", 64, &category, why);
    if (err == 0) err = text_of(result, "message", 1000, &d->result.message, why);
    if (err != 0) return err;
    const struct json *code = member(result, "code"), *final = member(result, "final");
    if (code != NULL && code->type == JT_STRING) d->result.provider_code = code->s;
    d->final = final == NULL || final->type != JT_BOOL || final->i != 0;
    d->code = category.n == 0 ? PROBLEM_PROVIDER_ERROR : problem_find(category);
    if (d->code < PROBLEM_INSUFFICIENT_BALANCE && d->code != PROBLEM_INVALID_REQUEST)
        return bad(why, "category", "none of the error categories");
    d->result.code = str_of(problem_name(d->code));
    return 0;
}

int payment_decision_read(struct payment_decision *d, enum operation_state to, struct str doc,
                          const struct manifest *m, struct str reference, struct why *why) {
    *d = (struct payment_decision){.result = {.to = to}};
    buf_addstr(&d->text, doc);
    int err = d->text.err != 0 ? d->text.err : json_parse(&d->doc, doc, NULL, why);
    if (err != 0) return err;
    doc = buf_str(&d->text);
    const struct json *result = json_get(d->doc.root, "result");
    d->result.doc = doc;
    if (to == OPERATION_FAILED) return read_failure(d, result, why);
    if ((err = read_instructions(d, result, m, why)) != 0 ||
        (err = read_keys(d, result, reference, why)) != 0 ||
        (err = time_of(result, "expires_at", &d->result.expires_at, why)) != 0 ||
        (err = amount_of(result, to, &d->result.paid_total, why)) != 0 ||
        (err = time_of(result, "paid_at", &d->result.paid_at, why)) != 0 ||
        (err = time_of(result, "settle_at", &d->result.settle_at, why)) != 0 ||
        (err = text_of(result, "money_id", 200, &d->result.money_id, why)) != 0)
        return err;
    d->result.keys = d->keys;
    return 0;
}

void payment_decision_free(struct payment_decision *d) {
    json_doc_free(&d->doc);
    buf_free(&d->instructions);
    buf_free(&d->text);
}

void payment_decision_take(struct payment_decision *out, const struct operation_decision *d,
                           const struct version *channel, struct str reference) {
    struct why why = {0};
    enum operation_state to = d->to;
    payment_decision_free(out);
    if (d->doc.n != 0 &&
        payment_decision_read(out, to, d->doc, channel->manifest, reference, &why) == 0)
        return;
    if (why.code != 0)
        log_error("decision_refused", L_TEXT("script", channel->path), L_TEXT("error", why.text));
    to = d->sent || d->decided ? OPERATION_UNKNOWN : OPERATION_FAILED;
    payment_decision_free(out);
    *out = (struct payment_decision){.result = {.to = to, .code = STR("PROVIDER_ERROR")},
                                     .code = PROBLEM_PROVIDER_ERROR};
}

bool payment_decision_nothing(const struct payment_decision *read,
                              const struct operation_decision *d) {
    return read->result.to == OPERATION_FAILED && (d->not_created || (!d->decided && !d->sent));
}
