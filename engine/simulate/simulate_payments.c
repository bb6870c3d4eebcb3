/* Payments in a simulation, through the merchant API's own routes and on every channel in channels/
 * (the registry says which there are): a merchant creates, asks again, cancels, refunds, syncs;
 * payers pay, late, twice, too little or too much; providers misbehave in the words of their
 * simulators and take settled money back. What must hold is in simulate_books.c and
 * simulate_calls.c.
 *
 * What does not go wrong here: what a simulator does within its own house. What a provider told us
 * of some money as often as he does, and never heard a 2xx (we died, the disk was full, he could
 * not be asked), only his settlement file could tell: that money alone may differ. */
#include "base/json.h"
#include "script/manifest.h"
#include "script/script_set.h"
#include "serve/worker.h"
#include "simulate/simulate_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the ways to pay ---- */

/* What a channel may need beside order, amount and way; %s: how the phone number ends. */
static const struct {
    const char *name, *options, *top;
} GIVEN[] = {
    {.name = "phone", .options = "\"phone\":\"0812%s\""},
    {.name = "cashtag", .options = "\"cashtag\":\"$budi%s\""},
    {.name = "shipping_address",
     .options = "\"shipping_address\":{\"first_name\":\"Budi\",\"address\":\"Jalan %s\"}"},
    {.name = "customer",
     .top = "\"customer\":{\"name\":\"Budi\",\"email\":\"budi@example.com\",\"phone\":\"0812%s\"}"},
};
#define GIVEN_COUNT (sizeof GIVEN / sizeof GIVEN[0])

static void can_give(struct sim *s, const struct version *v, struct sim_way *way) {
    const struct manifest_inputs *inputs = &v->manifest->inputs;
    for (size_t i = 0; i < inputs->count; i++) {
        size_t k = 0;
        while (k < GIVEN_COUNT && strcmp(GIVEN[k].name, inputs->at[i].name) != 0)
            k++;
        if (k < GIVEN_COUNT)
            way->gives |= 1u << k;
        else if (inputs->at[i].required)
            sim_wrong(s, "%s: nobody here knows what to give as %s", v->name, inputs->at[i].name);
    }
}

/* All that lies in channels/. */
void sim_payment_ways(struct sim *s) {
    const struct script_set *set = s->engine->workers[0]->set;
    for (size_t i = 0; i < set->count; i++) {
        const struct version *v = set->entries[i].version;
        const struct manifest *m = v->manifest;
        if (v->kind != KIND_CHANNEL || set->entries[i].deleted) continue;
        if (s->way_count == SIM_WAYS_MAX) {
            sim_wrong(s, "more than %d channels", SIM_WAYS_MAX);
            break;
        }
        if (sim_provider(str_of(m->provider)) == NULL)
            sim_wrong(s, "%s: nobody here knows the books of %s: simulate_providers.c", v->name,
                      m->provider);
        struct sim_way *way = &s->ways[s->way_count++];
        can_give(s, v, way);
        snprintf(way->channel, sizeof way->channel, "%s", v->name);
        snprintf(way->provider, sizeof way->provider, "%s", m->provider);
        snprintf(way->method, sizeof way->method, "%s", m->method);
        snprintf(way->bank, sizeof way->bank, "%s", m->bank == NULL ? "" : m->bank);
        way->longest = (int)(m->expires.max_ms / 1000);
        way->refunds = manifest_has(m, "refund");
        way->charge = m->effect == EFFECT_CHARGE;
    }
    if (s->way_count == 0) sim_wrong(s, "there is no channel to pay by");
    s->result->channels = s->way_count;
}

static const struct sim_way *way_of(const struct sim *s, int number) {
    return &s->ways[s->payments[number].way];
}

static int way_named(const struct sim *s, struct str channel, int otherwise) {
    for (int i = 0; i < s->way_count; i++)
        if (str_eq(str_of(s->ways[i].channel), channel)) return i;
    return otherwise;
}

static struct str text(const char *buf, int n) {
    return (struct str){buf, (size_t)n};
}

/* ---- who asks ---- */

static void fine(struct sim *s, const char *what, int number, int status, struct str body,
                 const char *allowed) {
    char code[8];
    snprintf(code, sizeof code, "%d", status);
    sim_tell(s, "%s p%d %d", what, number, status);
    if (number < s->payment_count) sim_check_payment(s, number);
    if (strstr(allowed, code) == NULL)
        sim_wrong(s, "%s p%d: status %d: %.*s", what, number, status, STR_FMT(body));
}

static void created(struct sim *s, int number, int status, struct str body) {
    struct sim_payment *p = &s->payments[number];
    struct json_doc doc;
    struct str id = STR(""), channel;
    fine(s, "created", number, status, body, "200 201 409 503");
    if (status != 201 && status != 200) return;
    int err = json_parse(&doc, body, NULL, NULL);
    if (err == 0) json_get_str(doc.root, "id", &id);
    if (err == 0 && json_get_str(doc.root, "channel", &channel) == 0)
        p->way = way_named(s, channel, p->way);
    if (id.n == 0 && err != E_NOMEM) sim_wrong(s, "p%d: a %d without an id", number, status);
    if (id.n != 0 && !str_eq(id, str_of(p->id))) {
        snprintf(p->id, sizeof p->id, "%.*s", STR_FMT(id));
        p->generation = 0;
    }
    if (err == 0) json_doc_free(&doc);
}

static void cancelled(struct sim *s, int number, int status, struct str body) {
    fine(s, "cancel", number, status, body, "200 409 503");
}

static void synced(struct sim *s, int number, int status, struct str body) {
    fine(s, "sync", number, status, body, "200 409 503");
}

static void refunded(struct sim *s, int number, int status, struct str body) {
    fine(s, "refund", number, status, body, "200 201 400 409 503");
}

/* The provider's own books are on our disk here: when it is full, the provider is broken. */
static void controlled(struct sim *s, int number, int status, struct str body) {
    fine(s, "control", number, status, body, "200 400 404 409 500 503");
}

/* The rest of a create. */
static int give(const struct sim_way *way, const char *end, char *body, int n, size_t size) {
    bool open = false;
    for (size_t i = 0; i < GIVEN_COUNT; i++) {
        if ((way->gives & 1u << i) == 0 || GIVEN[i].top == NULL) continue;
        n += snprintf(body + n, size - (size_t)n, ",");
        n += snprintf(body + n, size - (size_t)n, GIVEN[i].top, end);
    }
    for (size_t i = 0; i < GIVEN_COUNT; i++) {
        if ((way->gives & 1u << i) == 0 || GIVEN[i].options == NULL) continue;
        n += snprintf(body + n, size - (size_t)n, open ? "," : ",\"options\":{");
        n += snprintf(body + n, size - (size_t)n, GIVEN[i].options, end);
        open = true;
    }
    return n + snprintf(body + n, size - (size_t)n, open ? "}}" : "}");
}

/* Any channel; and often enough one of a provider that has few. */
static int some_way(struct sim *s) {
    int way = (int)rng_below(&s->rng, (uint64_t)s->way_count);
    if (rng_below(&s->rng, 4) != 0) return way;
    const struct sim_provider *provider = sim_provider_at(rng_u64(&s->rng));
    for (int i = 0; i < s->way_count; i++, way = (way + 1) % s->way_count)
        if (strcmp(s->ways[way].provider, provider->name) == 0) break;
    return way;
}

static void create(struct sim *s) {
    bool again = s->payment_count > 0 && rng_below(&s->rng, 6) == 0;
    if (!again && s->payment_count == SIM_PAYMENTS_MAX) return;
    int number = again ? (int)rng_below(&s->rng, (uint64_t)s->payment_count) : s->payment_count++;
    struct sim_payment *p = &s->payments[number];
    static const char *const ENDS[] = {"1234", "1234", "0000", "1111"};
    if (!again) {
        p->amount = 10000 + (int64_t)rng_below(&s->rng, 1000000);
        p->way = some_way(s);
        p->end = ENDS[rng_below(&s->rng, 4)];
        p->seconds = rng_below(&s->rng, 3) == 0 ? 60 : 600 + (int)rng_below(&s->rng, 3000);
        p->routed =
            strcmp(s->ways[p->way].method, "virtual_account") == 0 && rng_below(&s->rng, 4) == 0;
    }
    const struct sim_way *way = way_of(s, number);
    char body[700];
    int seconds = way->longest != 0 && p->seconds > way->longest ? way->longest : p->seconds;
    int n = snprintf(body, sizeof body,
                     "{\"order_id\":\"p%d\",\"amount\":%lld,\"method\":\"%s\",\"%s\":\"%s\","
                     "\"expires_in\":%d",
                     number, (long long)p->amount, way->method, p->routed ? "bank" : "channel",
                     p->routed ? way->bank : way->channel, seconds);
    n = give(way, p->end, body, n, sizeof body);
    sim_tell(s, "create p%d by %s%s", number, way->channel, again ? " again" : "");
    sim_ask(s, "POST", "/v1/payments", NULL, text(body, n), number, created);
}

/* One of the last ones, mostly: they are the open ones. */
static int some(struct sim *s) {
    uint64_t all = (uint64_t)s->payment_count;
    uint64_t back = rng_below(&s->rng, rng_below(&s->rng, 4) == 0 || all < 30 ? all : 30);
    return (int)(all - 1 - back);
}

static void control(struct sim *s, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void control(struct sim *s, int number, const char *format, ...) {
    char path[64], body[200];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(body, sizeof body, format, args);
    va_end(args);
    snprintf(path, sizeof path, "/sandbox/%s/_control", way_of(s, number)->provider);
    sim_tell(s, "control p%d %s", number, body);
    sim_ask(s, "POST", path, NULL, text(body, n), number, controlled);
}

static void pay(struct sim *s) {
    int number = some(s);
    if (rng_below(&s->rng, 8) != 0) {
        control(s, number, "{\"pay\":\"p%d\"}", number);
    } else {
        static const int64_t OFF[] = {-1000, 1000, 0};
        control(s, number, "{\"pay\":\"p%d\",\"amount\":%lld}", number,
                (long long)(s->payments[number].amount + OFF[rng_below(&s->rng, 3)]));
    }
}

static void was_reset(struct sim *s, int way, int status, struct str body) {
    fine(s, "reset", way, status, body, "200 500 503");
    if (status == 200) s->resetting &= ~(UINT64_C(1) << way);
    if (s->resetting == 0 && s->reset_declines == s->declines) s->no_declines = s->declines;
}

/* What was held goes, and what nobody used up is forgotten. */
static void reset(struct sim *s) {
    s->resetting = 0;
    s->reset_declines = s->declines;
    for (int i = 0; i < s->way_count; i++) {
        bool first = true;
        for (int k = 0; k < i; k++)
            first = first && strcmp(s->ways[k].provider, s->ways[i].provider) != 0;
        if (!first) continue;
        char path[64];
        snprintf(path, sizeof path, "/sandbox/%s/_control", s->ways[i].provider);
        sim_tell(s, "reset %s", s->ways[i].provider);
        s->resetting |= UINT64_C(1) << i;
        sim_ask(s, "POST", path, NULL, STR("{\"next\":\"reset\"}"), i, was_reset);
    }
}

/* The next order's call or callback, or an old one's. */
static void mislead(struct sim *s) {
    static const char *const WORDS[] = {"late",
                                        "duplicate",
                                        "reorder",
                                        "short",
                                        "over",
                                        "refused",
                                        "server_error",
                                        "rubbish",
                                        "wrong_signature",
                                        "timeout_before_debit",
                                        "timeout_after_debit",
                                        "slow"};
    int number = some(s);
    if (rng_below(&s->rng, 8) == 0) {
        reset(s);
        return;
    }
    const char *word = WORDS[rng_below(&s->rng, sizeof WORDS / sizeof WORDS[0])];
    bool takes_back = sim_provider(str_of(way_of(s, number)->provider))->takes_back;
    if (takes_back && rng_below(&s->rng, 4) == 0) word = "deny_after_settlement";
    bool declines = strcmp(word, "refused") == 0;
    if (declines && !sim_payment_may_decline(s)) return;
    s->declines += declines;
    if (rng_below(&s->rng, 2) == 0)
        control(s, number, "{\"next\":\"%s\"}", word);
    else
        control(s, number, "{\"next\":\"%s\",\"match\":{\"order_id\":\"p%d\"}}", word, number);
}

/* Paid ones, mostly, and of a way that can. */
static int some_paid(struct sim *s) {
    int number = some(s);
    for (int i = 0; i < 40; i++) {
        const struct sim_payment *p = &s->payments[number];
        if (p->status == PAYMENT_SUCCESS && (way_of(s, number)->refunds || i % 10 == 9)) break;
        number = (int)rng_below(&s->rng, (uint64_t)s->payment_count);
    }
    return number;
}

static void refund(struct sim *s) {
    int number = some_paid(s);
    struct sim_payment *p = &s->payments[number];
    if (p->id[0] == '\0') return;
    bool again = p->refunds > 0 && rng_below(&s->rng, 3) == 0;
    int which = again ? (int)rng_below(&s->rng, (uint64_t)p->refunds) : p->refunds++;
    char body[200], path[100], key[40];
    /* the same key is the same body */
    int64_t amount = which % 2 == 0 ? p->amount : 1000 + p->amount / (2 + which);
    int n = snprintf(body, sizeof body,
                     "{\"amount\":%lld,\"destination\":{\"bank\":\"bca\",\"account_number\":"
                     "\"1234567890\",\"account_holder\":\"Budi\"}}",
                     (long long)amount);
    snprintf(path, sizeof path, "/v1/payments/%s/refunds", p->id);
    snprintf(key, sizeof key, "rf-%d-%d", number, which);
    sim_tell(s, "refund p%d %d", number, which);
    sim_ask(s, "POST", path, key, text(body, n), number, refunded);
}

static void on(struct sim *s, const char *what, sim_answered answered) {
    int number = some(s);
    char path[100];
    if (s->payments[number].id[0] == '\0') return;
    snprintf(path, sizeof path, "/v1/payments/%s/%s", s->payments[number].id, what);
    sim_tell(s, "%s p%d", what, number);
    sim_ask(s, "POST", path, NULL, STR(""), number, answered);
}

void sim_payment_step(struct sim *s) {
    uint64_t what = rng_below(&s->rng, 100);
    if (s->payment_count == 0 || what < 38)
        create(s);
    else if (what < 72)
        pay(s);
    else if (what < 80)
        mislead(s);
    else if (what < 90)
        refund(s);
    else if (what < 95)
        on(s, "cancel", cancelled);
    else
        on(s, "sync", synced);
}

void sim_payment_peace(struct sim *s) {
    reset(s);
}
