/* See payment_channels.h. */
#include "payment/payment_channels.h"

#include "base/ensure.h"
#include "core/merchant.h"
#include "script/grants.h"
#include "script/manifest.h"
#include "script/operation_input.h"
#include "sys/config.h"

#include <stdio.h>

#define HOUR_MS (INT64_C(3600) * 1000)

bool channel_is_local(const struct version *v) {
    return v->manifest->hosts.count == 0;
}

static bool key_there(const struct script_services *s, const struct version *v, const char *key,
                      struct str own) {
    const char *shared;
    struct buf value = {.secret = true};
    if (!grants_have(s->grants, str_of(v->manifest->provider), "key", key)) return false;
    if (own.n == 0) return config_provider(s->config, v->manifest->provider, key, &shared) == 0;
    int err = account_key(s->core, own, str_of(key), &value);
    buf_free(&value);
    return err == 0;
}

bool channel_configured(const struct script_services *s, const struct version *v,
                        struct str merchant) {
    const struct manifest *m = v->manifest;
    char name[ACCOUNT_NAME_SIZE];
    struct str own = {0}, whose;
    if (m->config.count == 0) return true;
    if (merchant.n != 0) {
        if (account_choose(s->core, str_of(m->provider), merchant, str_of(s->environment), name))
            return false;
        if (account_own(str_of(name), &whose)) own = str_of(name);
    }
    for (size_t i = 0; i < m->config.count; i++)
        if (!key_there(s, v, m->config.at[i].key, own)) return false;
    return true;
}

int64_t channel_expires_at(const struct script_services *s, const struct version *v,
                           const struct payment_request *r, int64_t now) {
    const struct manifest *m = v == NULL ? NULL : v->manifest;
    if (r->expires_in != 0) return now + r->expires_in * 1000;
    if (m != NULL && m->expires.default_ms != 0) return now + m->expires.default_ms;
    int64_t ms = config_number(s->config, SET_PAYMENT_EXPIRY_HOURS) * HOUR_MS;
    if (m != NULL && m->expires.max_ms != 0 && ms > m->expires.max_ms) ms = m->expires.max_ms;
    return now + ms;
}

/* ---- does it take the request? ---- */

/* The names of a create request that a channel is given as they are: options have others. */
static bool is_ours(struct str name) {
    static const char *const OURS[] = {"amount",      "currency", "order_id",
                                       "description", "customer", "items",
                                       "return_urls", "metadata", "expires_in"};
    for (size_t i = 0; i < ARRAY_LEN(OURS); i++)
        if (str_eq(name, str_of(OURS[i]))) return true;
    return false;
}

static int write_input(const struct payment_request *r, struct buf *out) {
    struct buf customer = {0};
    struct json_out w;
    if (r->customer != NULL) {
        json_out_init(&w, &customer);
        json_value(&w, r->customer);
        if (json_out_end(&w) != 0 && out->err == 0) out->err = E_NOMEM;
    }
    buf_adds(out, "{\"input\":");
    channel_input(r, r->amount, buf_str(&customer), true, out);
    buf_adds(out, "}");
    buf_free(&customer);
    return out->err;
}

static int check_options(const struct version *v, const struct payment_request *r,
                         struct refusal *fault) {
    struct buf doc = {0};
    struct input_fault wrong;
    char param[FAULT_PARAM_MAX];
    for (const struct json *o = r->options == NULL ? NULL : r->options->first; o != NULL;
         o = o->next) {
        if (!is_ours(o->key)) continue;
        snprintf(param, sizeof param, "options.%.*s", STR_FMT(o->key));
        return refusal_set(fault, PROBLEM_INVALID_REQUEST, param, "this is no option");
    }
    int err = write_input(r, &doc);
    if (err == 0) err = operation_input_check(v->manifest, STR("create"), buf_str(&doc), &wrong);
    buf_free(&doc);
    if (err != E_INVAL && err != E_LIMIT) return err;
    snprintf(param, sizeof param, "%s%s", is_ours(str_of(wrong.param)) ? "" : "options.",
             wrong.param);
    return refusal_set(fault, err == E_LIMIT ? PROBLEM_LIMIT_EXCEEDED : PROBLEM_INVALID_REQUEST,
                       param, "%s", wrong.text);
}

static int check_channel(const struct version *v, const struct payment_request *r,
                         struct refusal *fault) {
    int64_t max = v->manifest->expires.max_ms;
    if (max != 0 && r->expires_in > max / 1000)
        return refusal_set(fault, PROBLEM_INVALID_REQUEST, "expires_in",
                           "expires_in is at most %lld seconds here", (long long)(max / 1000));
    return check_options(v, r, fault);
}

/* ---- which fit ---- */

static bool is_text(const char *text, struct str wanted) {
    return wanted.n == 0 || (text != NULL && str_eq(str_of(text), wanted));
}

static int none_fits(const struct payment_request *r, bool bank_known, bool fits,
                     struct refusal *fault) {
    if (r->channel.n != 0 && !fits)
        return refusal_set(fault, PROBLEM_INVALID_REQUEST, "channel",
                           "there is no such channel for this method and bank");
    if (r->bank.n != 0 && !bank_known)
        return refusal_set(fault, PROBLEM_INVALID_REQUEST, "bank",
                           "no channel of this method serves that bank");
    return refusal_set(fault, PROBLEM_UNAVAILABLE, NULL, "no channel is available for this now");
}

int payment_channels_find(const struct script_services *s, const struct script_set *set,
                          struct str merchant, const struct payment_request *r,
                          struct payment_channels *out, struct refusal *fault) {
    bool fits = false, bank_known = false;
    struct refusal first = {0}, more = {0};
    *out = (struct payment_channels){0};
    if (r->method.n == 0 && r->channel.n == 0) {
        if (r->bank.n != 0)
            return refusal_set(fault, PROBLEM_INVALID_REQUEST, "bank", "bank goes with a method");
        return 0;
    }
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        const struct script_entry *e = &set->entries[i];
        const struct manifest *m = e->version->manifest;
        if (e->deleted || e->version->kind != KIND_CHANNEL || m == NULL ||
            !is_text(m->method, r->method) || !is_text(e->version->name, r->channel))
            continue;
        if (!is_text(m->bank, r->bank)) continue;
        fits = bank_known = true;
        if (!channel_configured(s, e->version, merchant)) continue;
        int err = check_channel(e->version, r, first.code == PROBLEM_NONE ? &first : &more);
        if (err == 0 && out->count < RULE_CHANNELS_MAX) out->at[out->count++] = e->version;
        if (err != 0 && err != E_INVAL) return err;
    }
    if (out->count != 0) return 0;
    if (first.code == PROBLEM_NONE) return none_fits(r, bank_known, fits, fault);
    *fault = first;
    return E_INVAL;
}

void payment_channels_order(struct payment_channels *c, const struct rule_route *route) {
    struct payment_channels ordered = {0};
    if (route->count == 0) return;
    for (size_t i = 0; i < route->count; i++)
        for (size_t k = 0; k < c->count; k++)
            if (strcmp(c->at[k]->name, route->channels[i]) == 0)
                ordered.at[ordered.count++] = c->at[k];
    if (ordered.count != 0) *c = ordered; /* else none of them is available: the order of files */
}

/* ---- what it is given ---- */

static void put(struct json_out *w, const char *name, const struct json *value) {
    if (value == NULL) return;
    json_key(w, name);
    json_value(w, value);
}

void channel_input(const struct payment_request *r, int64_t amount_due, struct str customer,
                   bool options, struct buf *out) {
    struct json_out w;
    json_out_init(&w, out);
    json_begin_object(&w);
    json_put_int(&w, "amount", amount_due);
    json_put_str(&w, "currency", r->currency);
    json_put_str(&w, "order_id", r->order_id);
    if (r->description.n != 0) json_put_str(&w, "description", r->description);
    if (customer.n != 0) {
        json_key(&w, "customer");
        json_raw(&w, customer);
    }
    put(&w, "items", r->items);
    put(&w, "return_urls", r->return_urls);
    put(&w, "metadata", r->metadata);
    if (r->expires_in != 0) json_put_int(&w, "expires_in", r->expires_in);
    for (const struct json *v = r->options == NULL || !options ? NULL : r->options->first;
         v != NULL; v = v->next) {
        json_key_str(&w, v->key);
        json_value(&w, v);
    }
    json_end_object(&w);
    if (json_out_end(&w) != 0 && out->err == 0) out->err = E_NOMEM;
}
