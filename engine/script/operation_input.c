/* See operation_input.h. The whole of it is looked at as JSON: the order is that of the text, so the
 * same input gets the same answer. */
#include "script/operation_input.h"

#include "base/ensure.h"
#include "base/json.h"
#include "base/nearest.h"

#include <stdarg.h>
#include <stdio.h>

/* What every payment may bring along; a channel names in its `input` what it needs besides, and may
 * name these again to require them. */
static const struct manifest_input COMMON[] = {
    {"amount", INPUT_INTEGER},     {"currency", INPUT_STRING},    {"order_id", INPUT_STRING},
    {"description", INPUT_STRING}, {"customer", INPUT_OBJECT},    {"items", INPUT_LIST},
    {"expires_in", INPUT_INTEGER}, {"return_urls", INPUT_OBJECT}, {"metadata", INPUT_OBJECT},
};

static int fault_set(struct input_fault *fault, int err, struct str param, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static int fault_set(struct input_fault *fault, int err, struct str param, const char *format,
                     ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(fault->text, sizeof fault->text, format, list);
    va_end(list);
    snprintf(fault->param, sizeof fault->param, "%.*s", STR_FMT(param));
    return fault->err = err;
}

const struct manifest_input *operation_input_common(struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(COMMON); i++)
        if (str_eq(str_of(COMMON[i].name), name)) return &COMMON[i];
    return NULL;
}

static const struct manifest_input *find(const struct manifest *m, struct str name) {
    for (size_t i = 0; i < m->inputs.count; i++)
        if (str_eq(str_of(m->inputs.at[i].name), name)) return &m->inputs.at[i];
    return operation_input_common(name);
}

/* An empty Lua table is an empty object or an empty list, whichever is wanted. */
static bool fits(const struct json *value, enum manifest_input_type type) {
    switch (value->type) {
    case JT_STRING: return type == INPUT_STRING;
    case JT_INT: return type == INPUT_INTEGER;
    case JT_BOOL: return type == INPUT_BOOLEAN;
    case JT_OBJECT: return type == INPUT_OBJECT || (type == INPUT_LIST && value->count == 0);
    case JT_ARRAY: return type == INPUT_LIST || (type == INPUT_OBJECT && value->count == 0);
    default: return false;
    }
}

static int unknown(const struct manifest *m, struct str name, struct input_fault *fault) {
    struct nearest near;
    nearest_init(&near, name);
    for (size_t i = 0; i < m->inputs.count; i++)
        nearest_try(&near, str_of(m->inputs.at[i].name));
    for (size_t i = 0; i < ARRAY_LEN(COMMON); i++)
        nearest_try(&near, str_of(COMMON[i].name));
    if (near.best.n != 0)
        return fault_set(fault, E_INVAL, name,
                         "the channel takes no such field; did you mean %.*s?", STR_FMT(near.best));
    return fault_set(fault, E_INVAL, name, "the channel takes no such field");
}

static int check_amount(const struct manifest *m, const struct json *amount,
                        struct input_fault *fault) {
    struct str name = STR("amount");
    bool limited = m->limits.min != 0 || m->limits.max != 0;
    if (amount == NULL)
        return limited ? fault_set(fault, E_INVAL, name, "amount is missing: an integer") : 0;
    if (amount->i < 1) return fault_set(fault, E_INVAL, name, "amount is an integer from 1 on");
    if (amount->i < m->limits.min)
        return fault_set(fault, E_LIMIT, name, "the least amount here is %lld",
                         (long long)m->limits.min);
    if (m->limits.max != 0 && amount->i > m->limits.max)
        return fault_set(fault, E_LIMIT, name, "the greatest amount here is %lld",
                         (long long)m->limits.max);
    return 0;
}

/* The longest that any payment stays open, whatever its channel says: so that a script that counts in
 * milliseconds does not overflow. */
#define EXPIRES_MAX_S ((int64_t)366 * 86400)

static int check_expires(const struct manifest *m, const struct json *expires,
                         struct input_fault *fault) {
    int64_t most = m->expires.max_ms / 1000;
    if (most == 0 || most > EXPIRES_MAX_S) most = EXPIRES_MAX_S;
    if (expires == NULL || (expires->i >= 1 && expires->i <= most)) return 0;
    return fault_set(fault, E_INVAL, STR("expires_in"),
                     "expires_in is a number of seconds from 1 to %lld", (long long)most);
}

size_t operation_field_bytes(const struct json *value) { /* as deep as a request may be */
    size_t n = value->s.n;
    if (value->type == JT_OBJECT || value->type == JT_ARRAY)
        for (const struct json *v = value->first; v != NULL; v = v->next)
            n += v->key.n + operation_field_bytes(v);
    return n;
}

static int check(const struct manifest *m, const struct json *input, struct input_fault *fault) {
    if (input == NULL || (input->type != JT_OBJECT && input->count != 0) ||
        (input->type != JT_OBJECT && input->type != JT_ARRAY))
        return fault_set(fault, E_INVAL, STR("input"), "input is an object");
    for (const struct json *value = input->first; value != NULL; value = value->next) {
        const struct manifest_input *field = find(m, value->key);
        if (field == NULL) return unknown(m, value->key, fault);
        if (!fits(value, field->type))
            return fault_set(fault, E_INVAL, value->key, "expected %s%s",
                             manifest_input_name(field->type),
                             value->type == JT_NULL ? ", found null" : "");
        if (operation_input_common(value->key) == NULL &&
            operation_field_bytes(value) > OWN_FIELD_MAX)
            return fault_set(fault, E_INVAL, value->key, "%d bytes at most", OWN_FIELD_MAX);
    }
    for (size_t i = 0; i < m->inputs.count; i++) {
        const struct manifest_input *field = &m->inputs.at[i];
        if (field->required && json_get(input, field->name) == NULL)
            return fault_set(fault, E_INVAL, str_of(field->name), "%s is missing%s%s", field->name,
                             field->doc == NULL ? "" : ": ", field->doc == NULL ? "" : field->doc);
    }
    int err = check_amount(m, json_get(input, "amount"), fault);
    return err != 0 ? err : check_expires(m, json_get(input, "expires_in"), fault);
}

int operation_input_check(const struct manifest *m, struct str kind, struct str doc,
                          struct input_fault *fault) {
    struct json_doc json;
    /* `input` and `limits` speak of creating; what else is asked has fields of its own. */
    if (!str_eq(kind, STR("create"))) return 0;
    int err = json_parse(&json, doc, NULL, NULL);
    if (err != 0) return fault_set(fault, err, STR("input"), "input: %s", err_text(err));
    err = check(m, json_get(json.root, "input"), fault);
    json_doc_free(&json);
    return err;
}
