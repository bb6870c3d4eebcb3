/* Payments in a simulation, through the merchant API's own routes and on every channel: a merchant
 * creates, asks again, cancels, refunds, syncs; payers pay, late, twice, too little or too much;
 * providers misbehave in the words of their simulators and take settled money back. What must hold
 * is in simulate_books.c. */
#include "base/json.h"
#include "simulate_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct way {
    const char *channel, *provider;
    const char *more; /* of the create's body */
    bool calls;       /* the provider is called to create */
} WAYS[] = {
    {"self_va", "self", "\"method\":\"virtual_account\",\"bank\":\"self\"", false},
    {"midtrans_bca_va", "midtrans", "\"method\":\"virtual_account\",\"bank\":\"bca\"", true},
    {"midtrans_qris", "midtrans", "\"method\":\"qris\"", true},
    {"midtrans_gopay", "midtrans", "\"method\":\"ewallet\",\"bank\":\"gopay\"", true},
    {"demo_wallet", "demo", "\"method\":\"ewallet\",\"channel\":\"demo_wallet\"", true},
    {"midtrans_bni_va", "midtrans", "\"method\":\"virtual_account\",\"bank\":\"bni\"", true},
    {"midtrans_bri_va", "midtrans", "\"method\":\"virtual_account\",\"bank\":\"bri\"", true},
    {"midtrans_permata_va", "midtrans", "\"method\":\"virtual_account\",\"bank\":\"permata\"",
     true},
    {"midtrans_mandiri_bill", "midtrans", "\"method\":\"virtual_account\",\"bank\":\"mandiri\"",
     true},
};
#define WAYS_COUNT (sizeof WAYS / sizeof WAYS[0])

static struct str text(const char *buf, int n) {
    return (struct str){buf, (size_t)n};
}

/* ---- the network ---- */

static bool in(struct str where, const char *what) {
    size_t n = strlen(what);
    for (size_t i = 0; i + n <= where.n; i++)
        if (memcmp(where.p + i, what, n) == 0) return true;
    return false;
}

/* What a simulator does within its own house is not what goes wrong here. A callback gets through
 * at the third try: what all tries of a provider lost, only its settlement file could tell. */
bool sim_payment_call(struct sim *s, const struct http_out *request, struct local_fate *fate) {
    if (!in(request->url, "luwak.simulated")) return false;
    if (!in(request->url, "/callbacks/")) {
        *fate = (struct local_fate){0};
        return true;
    }
    uint8_t *told = &s->told[str_hash(request->body) % SIM_TOLD_MAX];
    if (*told >= 2) *fate = (struct local_fate){.twice = fate->twice};
    bool gone = fate->refused || fate->lost || fate->answer_lost || fate->reset;
    if (gone) ++*told;
    sim_tell(s, "callback %.*s%s%s there=%u", STR_FMT(request->url), gone ? " lost" : "",
             fate->twice ? " twice" : "", (unsigned)fate->there_ms);
    return true;
}

/* ---- who asks ---- */

static void fine(struct sim *s, const char *what, int number, int status, struct str body,
                 const char *allowed) {
    char code[8];
    snprintf(code, sizeof code, "%d", status);
    sim_tell(s, "%s p%d %d", what, number, status);
    if (strstr(allowed, code) == NULL)
        sim_wrong(s, "%s p%d: status %d: %.*s", what, number, status, STR_FMT(body));
}

static void created(struct sim *s, int number, int status, struct str body) {
    struct sim_payment *p = &s->payments[number];
    struct json_doc doc;
    struct str id = STR("");
    fine(s, "created", number, status, body, "200 201 409 503");
    if (status != 201 && status != 200) return;
    int err = json_parse(&doc, body, NULL, NULL);
    if (err == 0) json_get_str(doc.root, "id", &id);
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
        p->way = (int)rng_below(&s->rng, WAYS_COUNT);
        p->end = ENDS[rng_below(&s->rng, 4)];
        p->seconds = rng_below(&s->rng, 3) == 0 ? 60 : 600 + (int)rng_below(&s->rng, 3000);
    }
    char body[400];
    int n = snprintf(body, sizeof body,
                     "{\"order_id\":\"p%d\",\"amount\":%lld,%s,\"expires_in\":%d%s%s%s}", number,
                     (long long)p->amount, WAYS[p->way].more, p->seconds,
                     p->way == 4 ? ",\"options\":{\"phone\":\"0812" : "", p->way == 4 ? p->end : "",
                     p->way == 4 ? "\"}" : "");
    sim_tell(s, "create p%d by %s%s", number, WAYS[p->way].channel, again ? " again" : "");
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
    snprintf(path, sizeof path, "/sandbox/%s/_control", WAYS[s->payments[number].way].provider);
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
    const char *word = WORDS[rng_below(&s->rng, sizeof WORDS / sizeof WORDS[0])];
    if (rng_below(&s->rng, 2) == 0)
        control(s, number, "{\"next\":\"%s\"}", word);
    else
        control(s, number, "{\"next\":\"%s\",\"match\":{\"order_id\":\"p%d\"}}", word, number);
}

static void refund(struct sim *s) {
    int number = some(s);
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
    if (s->payment_count == 0 || what < 50)
        create(s);
    else if (what < 75)
        pay(s);
    else if (what < 82)
        mislead(s);
    else if (what < 90)
        refund(s);
    else if (what < 96)
        on(s, "cancel", cancelled);
    else
        on(s, "sync", synced);
}
