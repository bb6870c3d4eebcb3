/* See payment_facts.h. The counters' names hold a hash of the customer, never the customer. */
#include "payment/payment_facts.h"

#include "base/schedule.h"
#include "script/rules.h"
#include "sys/crypto.h"

#include <ctype.h>
#include <stdio.h>

#define CUSTOMER STR("payments_per_customer_")
#define MERCHANT STR("payments_per_merchant_")

static bool fact_parse(struct str name, bool *customer, int64_t *window) {
    *customer = str_starts(name, CUSTOMER);
    size_t n = *customer ? CUSTOMER.n : MERCHANT.n;
    if (!*customer && !str_starts(name, MERCHANT)) return false;
    return name.n < FACT_NAME_SIZE && duration_parse(str_sub(name, n, name.n), window, NULL) == 0 &&
           *window >= 1000;
}

bool payment_fact_known(struct str name) {
    bool customer;
    int64_t window;
    return fact_parse(name, &customer, &window);
}

/* The mail address in small letters, else the digits of the phone number; E_NOTFOUND: neither. */
static int customer_hash(const struct payment_request *r, char out[SHA256_HEX_SIZE]) {
    struct str email = {0}, phone = {0};
    char plain[256];
    size_t n = 0;
    if (r->customer == NULL) return E_NOTFOUND;
    bool mail = json_get_str(r->customer, "email", &email) == 0;
    if (!mail && json_get_str(r->customer, "phone", &phone) != 0) return E_NOTFOUND;
    struct str from = mail ? email : phone;
    for (size_t i = 0; i < from.n && n < sizeof plain; i++) {
        if (!mail && !isdigit((unsigned char)from.p[i])) continue;
        plain[n++] = (char)tolower((unsigned char)from.p[i]);
    }
    return crypto_sha256_hex((struct str){plain, n}, out);
}

static int counter_value(const struct core *core, const char *name, int64_t *value) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "counter_get", VALS(V_TEXT(name)), &rows);
    if (err == 0) *value = rows_count(rows) == 0 ? 0 : rows_int(rows, 0, 0);
    rows_free(rows);
    return err;
}

struct reading {
    struct payment_facts *facts;
    const struct core *core;
    struct str merchant;
    const struct payment_request *request;
};

static void read_fact(const char *name, void *data) {
    struct reading *r = data;
    struct payment_facts *facts = r->facts;
    char who[SHA256_HEX_SIZE] = "", before[FACT_COUNTER_SIZE];
    int64_t window, now = core_now(r->core), old = 0;
    bool customer;
    if (facts->err != 0 || !fact_parse(str_of(name), &customer, &window)) return;
    for (size_t i = 0; i < facts->count; i++)
        if (strcmp(facts->at[i].name, name) == 0) return;
    if (facts->count == FACTS_MAX) return;
    struct payment_fact *f = &facts->at[facts->count++];
    snprintf(f->name, sizeof f->name, "%s", name);
    if (customer && (facts->err = customer_hash(r->request, who)) != 0) {
        if (facts->err == E_NOTFOUND) facts->err = 0;
        return;
    }
    int64_t bucket = now / window;
    f->until = (bucket + 2) * window;
    snprintf(f->counter, sizeof f->counter, "fact:%s:%.*s:%s:%lld", name, STR_FMT(r->merchant), who,
             (long long)bucket);
    snprintf(before, sizeof before, "fact:%s:%.*s:%s:%lld", name, STR_FMT(r->merchant), who,
             (long long)(bucket - 1));
    facts->err = counter_value(r->core, f->counter, &f->value);
    if (facts->err == 0) facts->err = counter_value(r->core, before, &old);
    f->value += old * (window - now % window) / window;
}

int payment_facts_read(struct payment_facts *facts, const struct core *core,
                       const struct script_set *set, struct str merchant,
                       const struct payment_request *request) {
    struct reading r = {facts, core, merchant, request};
    *facts = (struct payment_facts){0};
    rules_facts(set, read_fact, &r);
    return facts->err;
}

void payment_facts_without(struct payment_facts *facts) {
    for (size_t i = 0; i < facts->count; i++)
        if (facts->at[i].value > 0) facts->at[i].value--;
}

void payment_facts_write(const struct payment_facts *facts, struct json_out *w) {
    json_key(w, "facts");
    json_begin_object(w);
    for (size_t i = 0; i < facts->count; i++)
        json_put_int(w, facts->at[i].name, facts->at[i].value);
    json_end_object(w);
}

void payment_facts_add(const struct payment_facts *facts, const struct core *core,
                       struct commit *commit) {
    for (size_t i = 0; i < facts->count; i++)
        if (facts->at[i].counter[0] != '\0')
            commit_add(commit, OP_COUNTER_TAKE,
                       VALS(V_TEXT(facts->at[i].counter), V_NULL, V_INT(facts->at[i].until),
                            V_INT(core_now(core))));
}
