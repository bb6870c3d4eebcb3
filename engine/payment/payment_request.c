/* See payment_request.h. */
#include "payment/payment_request.h"

#include "base/ensure.h"
#include "base/id.h"
#include "base/nearest.h"
#include "net/url.h"
#include "script/operation_input.h"

#include <stdarg.h>
#include <stdio.h>

#define AMOUNT_MAX INT64_C(1000000000000) /* of one payment, whatever the channel says */

int refusal_set(struct refusal *fault, enum problem_code code, const char *param,
                const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(fault->text, sizeof fault->text, format, list);
    va_end(list);
    snprintf(fault->param, sizeof fault->param, "%s", param == NULL ? "" : param);
    fault->code = code;
    return E_INVAL;
}

/* ---- texts ---- */

/* Where an order may be asked about by either name, it would stand for another payment. */
static bool like_our_own(struct str s) {
    uint8_t raw[16];
    return str_starts(s, STR("pay_")) && id_decode(str_sub(s, 4, s.n), raw, sizeof raw) == 0;
}

static const char *not_order_id(struct str s) {
    if (like_our_own(s)) return "a name of your own, and no payment's id";
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\')
            return "printable characters without spaces, \" and \\";
    return NULL;
}

static const char *not_name(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] == '_' || (s.p[i] >= 'a' && s.p[i] <= 'z') ||
              (s.p[i] >= '0' && s.p[i] <= '9')))
            return "a name of a-z, 0-9 and _";
    return NULL;
}

static const char *not_currency(struct str s) {
    return str_eq(s, STR("IDR")) ? NULL : "\"IDR\"";
}

static const char *not_method(struct str s) {
    static const char *const METHODS[] = {"virtual_account", "bank_transfer", "qris",  "ewallet",
                                          "paylater",        "card",          "retail"};
    for (size_t i = 0; i < ARRAY_LEN(METHODS); i++)
        if (str_eq(s, str_of(METHODS[i]))) return NULL;
    return "virtual_account, bank_transfer, qris, ewallet, paylater, card or retail";
}

static const char *not_email(struct str s) {
    ptrdiff_t at = str_find(s, '@');
    bool good =
        at > 0 && (size_t)at + 1 < s.n && str_find(str_sub(s, (size_t)at + 1, s.n), '@') < 0;
    for (size_t i = 0; i < s.n && good; i++)
        good = s.p[i] > ' ' && s.p[i] != 0x7f;
    return good ? NULL : "an e-mail address";
}

static const char *not_phone(struct str s) {
    size_t digits = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] >= '0' && s.p[i] <= '9')
            digits++;
        else if (!(s.p[i] == '+' && i == 0) && s.p[i] != ' ' && s.p[i] != '-')
            return "a phone number such as 081234567890";
    }
    return digits >= 5 && digits <= 18 ? NULL : "a phone number such as 081234567890";
}

static const char *not_plain(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return "a text without control characters";
    return NULL;
}

const char *request_not_url(struct str s) {
    struct url url;
    ptrdiff_t fragment = str_find(s, '#'); /* a browser's own */
    if (fragment > 0) s.n = (size_t)fragment;
    return url_parse(&url, s, NULL) == 0 ? NULL : "an http or https URL";
}

/* ---- fields by their table ---- */

static void unknown_field(const struct request_field *fields, const char *prefix, struct str name,
                          struct refusal *fault) {
    struct nearest near;
    char param[FAULT_PARAM_MAX];
    nearest_init(&near, name);
    for (const struct request_field *f = fields; f->name != NULL; f++)
        nearest_try(&near, str_of(f->name));
    snprintf(param, sizeof param, "%s%.*s", prefix, (int)(name.n > 64 ? 64 : name.n), name.p);
    if (near.best.n != 0)
        refusal_set(fault, PROBLEM_INVALID_REQUEST, param,
                    "there is no such field; did you mean %.*s?", STR_FMT(near.best));
    else
        refusal_set(fault, PROBLEM_INVALID_REQUEST, param, "there is no such field");
}

static int check_text(const struct request_field *f, const char *param, const struct json *value,
                      struct refusal *fault) {
    if (value->type != JT_STRING)
        return refusal_set(fault, PROBLEM_INVALID_REQUEST, param, "%s is a text", param);
    if ((int64_t)value->s.n < f->min || (int64_t)value->s.n > f->max)
        return refusal_set(fault, PROBLEM_INVALID_REQUEST, param,
                           "%s is a text of %lld to %lld bytes", param, (long long)f->min,
                           (long long)f->max);
    const char *wrong = f->wrong == NULL ? not_plain(value->s) : f->wrong(value->s);
    if (wrong == NULL) return 0;
    return refusal_set(fault, PROBLEM_INVALID_REQUEST, param, "%s is %s", param, wrong);
}

static int check_list(const struct request_field *f, const char *param, const struct json *value,
                      struct refusal *fault) {
    size_t i = 0;
    if (value->type != JT_ARRAY)
        return refusal_set(fault, PROBLEM_INVALID_REQUEST, param, "%s is a list", param);
    if ((int64_t)value->count > f->max)
        return refusal_set(fault, PROBLEM_INVALID_REQUEST, param, "%s has at most %lld entries",
                           param, (long long)f->max);
    for (const struct json *item = value->first; item != NULL; item = item->next, i++) {
        char prefix[FAULT_PARAM_MAX + 24];
        snprintf(prefix, sizeof prefix, "%s[%zu].", param, i);
        if (item->type != JT_OBJECT) {
            prefix[strlen(prefix) - 1] = '\0';
            return refusal_set(fault, PROBLEM_INVALID_REQUEST, prefix, "%s is an object", prefix);
        }
        int err = request_check(item, f->members, prefix, fault);
        if (err != 0) return err;
    }
    return 0;
}

static int check_field(const struct request_field *f, const char *param, const struct json *value,
                       struct refusal *fault) {
    char prefix[FAULT_PARAM_MAX + 2];
    switch (f->type) {
    case REQUEST_TEXT: return check_text(f, param, value, fault);
    case REQUEST_INT:
        if (value->type != JT_INT)
            return refusal_set(fault, PROBLEM_INVALID_REQUEST, param,
                               "%s is an integer, written without fraction, exponent or quotes",
                               param);
        if (value->i < f->min || value->i > f->max)
            return refusal_set(fault, PROBLEM_INVALID_REQUEST, param, "%s is %lld to %lld", param,
                               (long long)f->min, (long long)f->max);
        return 0;
    case REQUEST_OBJECT:
        if (value->type != JT_OBJECT)
            return refusal_set(fault, PROBLEM_INVALID_REQUEST, param, "%s is an object", param);
        if (f->max != 0 && (int64_t)value->count > f->max)
            return refusal_set(fault, PROBLEM_INVALID_REQUEST, param, "%s has at most %lld fields",
                               param, (long long)f->max);
        snprintf(prefix, sizeof prefix, "%s.", param);
        return f->members == NULL ? 0 : request_check(value, f->members, prefix, fault);
    case REQUEST_LIST: return check_list(f, param, value, fault);
    }
    return 0;
}

int request_check(const struct json *object, const struct request_field *fields, const char *prefix,
                  struct refusal *fault) {
    char param[FAULT_PARAM_MAX];
    for (const struct json *value = object->first; value != NULL; value = value->next) {
        const struct request_field *f = fields;
        while (f->name != NULL && !str_eq(str_of(f->name), value->key))
            f++;
        if (f->name == NULL) {
            unknown_field(fields, prefix, value->key, fault);
            return E_INVAL;
        }
        if (value->type == JT_NULL && !f->required) continue; /* as if it were not there */
        snprintf(param, sizeof param, "%s%s", prefix, f->name);
        int err = check_field(f, param, value, fault);
        if (err != 0) return err;
    }
    for (const struct request_field *f = fields; f->name != NULL; f++) {
        if (!f->required || json_get(object, f->name) != NULL) continue;
        snprintf(param, sizeof param, "%s%s", prefix, f->name);
        return refusal_set(fault, PROBLEM_INVALID_REQUEST, param, "%s is missing", param);
    }
    return 0;
}

/* ---- the create request ---- */

static const struct request_field CUSTOMER[] = {
    {"name", REQUEST_TEXT, .min = 1, .max = 255},
    {"email", REQUEST_TEXT, .min = 3, .max = 254, .wrong = not_email},
    {"phone", REQUEST_TEXT, .min = 5, .max = 24, .wrong = not_phone},
    {0}};
static const struct request_field ITEM[] = {
    {"id", REQUEST_TEXT, .min = 1, .max = 64},
    {"name", REQUEST_TEXT, .required = true, .min = 1, .max = 255},
    {"price", REQUEST_INT, .required = true, .min = -AMOUNT_MAX, .max = AMOUNT_MAX},
    {"quantity", REQUEST_INT, .required = true, .min = 1, .max = 1000000},
    {"category", REQUEST_TEXT, .min = 1, .max = 64},
    {"url", REQUEST_TEXT, .min = 1, .max = 2048, .wrong = request_not_url},
    {0}};
static const struct request_field RETURN_URLS[] = {
    {"success", REQUEST_TEXT, .min = 1, .max = 2048, .wrong = request_not_url},
    {"failure", REQUEST_TEXT, .min = 1, .max = 2048, .wrong = request_not_url},
    {0}};
static const struct request_field CREATE[] = {
    {"order_id", REQUEST_TEXT, .required = true, .min = 1, .max = 64, .wrong = not_order_id},
    {"amount", REQUEST_INT, .required = true, .min = 1, .max = AMOUNT_MAX},
    {"currency", REQUEST_TEXT, .min = 1, .max = 3, .wrong = not_currency},
    {"method", REQUEST_TEXT, .min = 1, .max = 32, .wrong = not_method},
    {"bank", REQUEST_TEXT, .min = 1, .max = 32, .wrong = not_name},
    {"channel", REQUEST_TEXT, .min = 1, .max = 64, .wrong = not_name},
    {"customer", REQUEST_OBJECT, .members = CUSTOMER},
    {"items", REQUEST_LIST, .max = 100, .members = ITEM},
    {"options", REQUEST_OBJECT, .max = 50},
    {"expires_in", REQUEST_INT, .min = 1, .max = 366 * 86400},
    {"return_urls", REQUEST_OBJECT, .members = RETURN_URLS},
    {"description", REQUEST_TEXT, .min = 1, .max = 500},
    {"metadata", REQUEST_OBJECT, .max = 50},
    {0}};

static const struct request_field ACCOUNT[] = {
    {"bank", REQUEST_TEXT, .min = 1, .max = 32, .wrong = not_name},
    {"channel", REQUEST_TEXT, .min = 1, .max = 64, .wrong = not_name},
    {"customer", REQUEST_OBJECT, .members = CUSTOMER},
    {"description", REQUEST_TEXT, .min = 1, .max = 500},
    {"metadata", REQUEST_OBJECT, .max = 50},
    {0}};

static int check_metadata(const struct json *metadata, struct refusal *fault) {
    for (const struct json *v = metadata == NULL ? NULL : metadata->first; v != NULL; v = v->next) {
        char param[FAULT_PARAM_MAX];
        snprintf(param, sizeof param, "metadata.%.*s", (int)(v->key.n > 40 ? 40 : v->key.n),
                 v->key.p);
        if (v->key.n == 0 || v->key.n > 40)
            return refusal_set(fault, PROBLEM_INVALID_REQUEST, param,
                               "names in metadata are 1 to 40 bytes");
        if (v->type == JT_OBJECT || v->type == JT_ARRAY)
            return refusal_set(fault, PROBLEM_INVALID_REQUEST, param,
                               "values in metadata are texts, numbers, true or false");
        if (v->s.n > 500)
            return refusal_set(fault, PROBLEM_INVALID_REQUEST, param,
                               "values in metadata are 500 bytes at most");
    }
    return 0;
}

/* Kept for the channel that the payer chooses, in which each has to fit. */
static int check_options(const struct json *options, struct refusal *fault) {
    for (const struct json *v = options == NULL ? NULL : options->first; v != NULL; v = v->next) {
        char param[FAULT_PARAM_MAX];
        if (v->key.n + operation_field_bytes(v) <= OWN_FIELD_MAX) continue;
        snprintf(param, sizeof param, "options.%.*s", (int)(v->key.n > 40 ? 40 : v->key.n),
                 v->key.p);
        return refusal_set(fault, PROBLEM_INVALID_REQUEST, param, "%d bytes at most",
                           OWN_FIELD_MAX);
    }
    return 0;
}

int request_parse(struct json_doc *doc, struct str body, struct refusal *fault) {
    struct why why = {0};
    const struct json_limits limits = {.depth = 16};
    int err = json_parse(doc, body, &limits, &why);
    if (err == E_NOMEM) return err;
    if (err != 0)
        return refusal_set(fault, PROBLEM_INVALID_REQUEST, NULL, "the body is no JSON: %s",
                           why.text);
    if (doc->root->type == JT_OBJECT) return 0;
    json_doc_free(doc);
    return refusal_set(fault, PROBLEM_INVALID_REQUEST, NULL, "the body is a JSON object");
}

/* A member, or NULL where it is not there or null. */
static const struct json *member(const struct json *root, const char *name) {
    const struct json *value = json_get(root, name);
    return value == NULL || value->type == JT_NULL ? NULL : value;
}

static int read_by(struct payment_request *r, struct str body, const struct request_field *fields,
                   struct refusal *fault) {
    *r = (struct payment_request){.currency = STR("IDR")};
    int err = request_parse(&r->doc, body, fault);
    if (err != 0) return err;
    const struct json *root = r->doc.root;
    err = request_check(root, fields, "", fault);
    if (err == 0) err = check_metadata(member(root, "metadata"), fault);
    if (err == 0) err = check_options(member(root, "options"), fault);
    if (err != 0) {
        payment_request_free(r);
        return err;
    }
    (void)json_get_str(root, "order_id", &r->order_id);
    (void)json_get_str(root, "currency", &r->currency);
    (void)json_get_str(root, "method", &r->method);
    (void)json_get_str(root, "bank", &r->bank);
    (void)json_get_str(root, "channel", &r->channel);
    (void)json_get_str(root, "description", &r->description);
    (void)json_get_i64(root, "amount", &r->amount);
    (void)json_get_i64(root, "expires_in", &r->expires_in);
    r->customer = member(root, "customer");
    r->items = member(root, "items");
    r->options = member(root, "options");
    r->metadata = member(root, "metadata");
    r->return_urls = member(root, "return_urls");
    return 0;
}

int payment_request_read(struct payment_request *r, struct str body, struct refusal *fault) {
    return read_by(r, body, CREATE, fault);
}

int payment_request_read_account(struct payment_request *r, struct str body,
                                 struct refusal *fault) {
    return read_by(r, body, ACCOUNT, fault);
}

static void put_url(struct json_out *w, const struct json *said, const char *name,
                    const char *own) {
    struct str url = {0};
    if (said == NULL || json_get_str(said, name, &url) != 0)
        url = own == NULL ? STR("") : str_of(own);
    if (url.n != 0) json_put_str(w, name, url);
}

int payment_request_return_urls(struct payment_request *r, const char *success,
                                const char *failure) {
    struct buf text = {0};
    struct json_out w;
    if (success == NULL && failure == NULL) return 0;
    json_out_init(&w, &text);
    json_begin_object(&w);
    put_url(&w, r->return_urls, "success", success);
    put_url(&w, r->return_urls, "failure", failure);
    json_end_object(&w);
    int err = json_out_end(&w);
    if (err == 0) err = json_parse(&r->own, buf_str(&text), NULL, NULL);
    if (err == 0) r->return_urls = r->own.root;
    buf_free(&text);
    return err;
}

void payment_request_free(struct payment_request *r) {
    json_doc_free(&r->doc);
    json_doc_free(&r->own);
}
