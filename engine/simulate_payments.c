/* Payments in a simulation, through the merchant API's own routes and on every channel whose
 * provider's books are known (the registry says which there are): a merchant creates, asks again,
 * cancels, refunds, syncs; payers pay, late, twice, too little or too much; providers misbehave in
 * the words of their simulators and take settled money back. What must hold is in simulate_books.c;
 * here, that no debit or refund leaves twice under one reference unless the first proved to have
 * made nothing, and that a callback in peace is never answered 500.
 *
 * What does not go wrong here: what a simulator does within its own house. What a provider told us
 * of some money as often as he does, and never heard a 2xx (we died, the disk was full, he could
 * not be asked), only his settlement file could tell: that money alone may differ. */
#include "base/json.h"
#include "script/manifest.h"
#include "script/script_set.h"
#include "simulate_private.h"
#include "worker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the ways to pay ---- */

static bool phone_alone(const struct manifest *m) {
    for (size_t i = 0; i < m->inputs.count; i++)
        if (strcmp(m->inputs.at[i].name, "phone") != 0 && m->inputs.at[i].required) return false;
    return true;
}

static bool takes_phone(const struct manifest *m) {
    for (size_t i = 0; i < m->inputs.count; i++)
        if (strcmp(m->inputs.at[i].name, "phone") == 0) return true;
    return false;
}

/* What lies in channels/ and can be asked for with no more than a phone number. */
void sim_payment_ways(struct sim *s) {
    const struct script_set *set = s->engine->workers[0]->set;
    for (size_t i = 0; i < set->count && s->way_count < SIM_WAYS_MAX; i++) {
        const struct version *v = set->entries[i].version;
        const struct manifest *m = v->manifest;
        if (v->kind != KIND_CHANNEL || !sim_books_known(m->provider) || !phone_alone(m)) continue;
        struct sim_way *way = &s->ways[s->way_count++];
        snprintf(way->channel, sizeof way->channel, "%s", v->name);
        snprintf(way->provider, sizeof way->provider, "%s", m->provider);
        snprintf(way->method, sizeof way->method, "%s", m->method);
        snprintf(way->bank, sizeof way->bank, "%s", m->bank == NULL ? "" : m->bank);
        way->phone = takes_phone(m);
        way->refunds = manifest_has(m, "refund");
    }
    if (s->way_count == 0) sim_wrong(s, "there is no channel to pay by");
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

/* ---- the network ---- */

static size_t find(struct str where, const char *what) {
    size_t n = strlen(what), i = 0;
    while (i + n <= where.n && memcmp(where.p + i, what, n) != 0)
        i++;
    return i + n <= where.n ? i + n : 0; /* behind it */
}

static struct sim_call *call_of(struct sim *s, uint64_t hash) {
    size_t i = hash % SIM_CALLS_MAX;
    hash |= 1;
    while (s->calls[i].hash != 0 && s->calls[i].hash != hash)
        i = (i + 1) % SIM_CALLS_MAX;
    if (s->calls[i].hash == 0 && ++s->call_count > SIM_CALLS_MAX / 2)
        sim_wrong(s, "more calls than can be kept apart");
    s->calls[i].hash = hash;
    return &s->calls[i];
}

static struct str value_of(struct str body, const char *name) { /* name: "\"x\":\"" */
    size_t at = find(body, name), end = at;
    while (at != 0 && end < body.n && body.p[end] != '"')
        end++;
    return str_sub(body, at, end);
}

/* Where a provider is told what it is about; a refund's own key before its charge's, and what is a
 * provider's reference before the merchant's order, which may have more than one. */
static struct str reference_of(const struct http_out *request) {
    static const char *const NAMES[] = {"\"refund_key\":\"", "\"reference\":\"",
                                        "\"reference_id\":\"", "\"external_id\":\"",
                                        "\"order_id\":\""};
    struct str key = {0};
    for (size_t i = 0; key.n == 0 && i < sizeof NAMES / sizeof NAMES[0]; i++)
        key = value_of(request->body, NAMES[i]);
    return key;
}

void sim_payment_name(const struct http_out *request, char *out, size_t size) {
    size_t host = find(request->url, "://");
    snprintf(out, size, "%.*s %.*s", STR_FMT(str_sub(request->url, host, request->url.n)),
             STR_FMT(reference_of(request)));
}

/* The one debit or refund that this request would be at the provider; NULL: it moves no money. */
static struct sim_call *effect_of(struct sim *s, const struct http_out *request) {
    struct str reference = reference_of(request);
    if (!request->effect || !s->options->payments || reference.n == 0) return NULL;
    return call_of(s, str_hash(request->url) * 31 + str_hash(reference));
}

bool sim_payment_twice(struct sim *s, const struct http_out *request) {
    const struct sim_call *call = effect_of(s, request);
    return call != NULL && call->twice;
}

void sim_payment_refused(struct sim *s, const struct http_out *request) {
    struct sim_call *call = effect_of(s, request);
    if (call != NULL) call->times = 0;
}

/* Who declines one copy of an effect and takes the other has not said what became of it: while a
 * simulator may decline, nothing is doubled. */
static void effect_leaves(struct sim *s, const struct http_out *request, struct local_fate *fate) {
    struct sim_call *call = effect_of(s, request);
    if (call == NULL) return;
    if (s->declines != s->no_declines) fate->twice = false;
    if (s->off || fate->refused) return;
    s->result->effects++;
    call->twice = fate->twice;
    if (++call->times > 1)
        sim_wrong(s, "the same effect left twice: %.*s %.*s", STR_FMT(request->url),
                  STR_FMT(request->body));
}

/* One word about one transfer, however it is signed. */
static struct sim_call *callback_of(struct sim *s, struct str body) {
    struct str about = value_of(body, "\"money_id\":\"");
    struct str word = value_of(body, "\"transaction_status\":\"");
    if (about.n == 0) about = value_of(body, "\"order_id\":\"");
    if (word.n == 0) word = value_of(body, "\"status\":\"");
    struct sim_call *call = call_of(s, str_hash(about) * 31 + str_hash(word));
    bool money = str_eq(word, STR("settlement")) || str_eq(word, STR("deny")) ||
                 str_eq(word, STR("paid")) || str_eq(word, STR("reversed"));
    if (money) snprintf(call->reference, sizeof call->reference, "%.*s", STR_FMT(about));
    return call;
}

bool sim_payment_unheard(const struct sim *s, struct str reference) {
    for (size_t i = 0; i < SIM_CALLS_MAX; i++)
        if (s->calls[i].hash != 0 && !s->calls[i].heard &&
            str_eq(str_of(s->calls[i].reference), reference))
            return true;
    return false;
}

/* What a simulator does within its own house is not what goes wrong here. A callback gets through
 * at the third try. */
bool sim_payment_call(struct sim *s, const struct http_out *request, struct local_fate *fate) {
    if (find(request->url, "luwak.simulated") == 0) {
        effect_leaves(s, request, fate);
        return false;
    }
    size_t path = find(request->url, "/callbacks/");
    if (path == 0) {
        *fate = (struct local_fate){0};
        return true;
    }
    struct sim_call *call = callback_of(s, request->body);
    if (call->times >= 2) *fate = (struct local_fate){.twice = fate->twice};
    bool gone = fate->refused || fate->lost || fate->answer_lost || fate->reset;
    if (gone) call->times++;
    call->calm = s->calm;
    sim_tell(s, "callback %.*s %s%s%s there=%u",
             STR_FMT(str_sub(request->url, path, request->url.n)), call->reference,
             gone ? " lost" : "", fate->twice ? " twice" : "", (unsigned)fate->there_ms);
    return true;
}

/* In peace nothing of a callback may go wrong here. The same bytes may have come before, and wait for
 * a provider whose answer was lost then. */
void sim_payment_answer(struct sim *s, const struct http_exchange *x, int status) {
    if (s->off || !str_starts(x->path, STR("/callbacks/"))) return;
    struct sim_call *call = callback_of(s, x->body);
    sim_tell(s, "callback %s is answered %d", call->reference, status);
    call->heard = call->heard || status / 100 == 2;
    if (call->calm && x->first_byte_ns >= s->calm_ns && status == 500)
        sim_wrong(s, "a callback in peace was answered %d: %.*s", status, STR_FMT(x->body));
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

static void create(struct sim *s) {
    bool again = s->payment_count > 0 && rng_below(&s->rng, 6) == 0;
    if (!again && s->payment_count == SIM_PAYMENTS_MAX) return;
    int number = again ? (int)rng_below(&s->rng, (uint64_t)s->payment_count) : s->payment_count++;
    struct sim_payment *p = &s->payments[number];
    static const char *const ENDS[] = {"1234", "1234", "0000", "1111"};
    if (!again) {
        p->amount = 10000 + (int64_t)rng_below(&s->rng, 1000000);
        p->way = (int)rng_below(&s->rng, (uint64_t)s->way_count);
        p->end = ENDS[rng_below(&s->rng, 4)];
        p->seconds = rng_below(&s->rng, 3) == 0 ? 60 : 600 + (int)rng_below(&s->rng, 3000);
    }
    const struct sim_way *way = way_of(s, number);
    char body[400], more[64] = "";
    bool bank = way->bank[0] != '\0';
    if (way->phone) snprintf(more, sizeof more, ",\"options\":{\"phone\":\"0812%s\"}", p->end);
    int n = snprintf(body, sizeof body,
                     "{\"order_id\":\"p%d\",\"amount\":%lld,\"method\":\"%s\",\"%s\":\"%s\","
                     "\"expires_in\":%d%s}",
                     number, (long long)p->amount, way->method, bank ? "bank" : "channel",
                     bank ? way->bank : way->channel, p->seconds, more);
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
                                        "slow",
                                        "deny_after_settlement",
                                        "deny_after_settlement"};
    int number = some(s);
    if (rng_below(&s->rng, 8) == 0) {
        reset(s);
        return;
    }
    const char *word = WORDS[rng_below(&s->rng, sizeof WORDS / sizeof WORDS[0])];
    if (strcmp(word, "refused") == 0) s->declines++;
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
