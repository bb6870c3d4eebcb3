/* See simulate.h. Each step does one thing: an operation or a handful of payments are asked for, time
 * passes, the clock jumps, the network turns better or worse, the disk fills or empties, the power
 * fails. What must hold (of payments more: simulate_payments.c, simulate_books.c):
 *
 *   after each step   an operation that was acknowledged is there, and its states move by the table
 *   at each crash     and at the end: the file is whole; every open operation has its ask job; one
 *                     reference left the engine as an effect once at most
 *   at the end        the network is healed and time passes: every operation is final (but those
 *                     that wait for a person), and the provider's books say the same as ours
 *
 * A crash is: power off, so that nothing that still runs reaches the disk or counts as answered;
 * the engine is taken down; another is started on what the disk could hold. */
#include "simulate/simulate.h"

#include "base/ensure.h"
#include "base/json.h"
#include "base/mem.h"
#include "engine.h"
#include "serve/worker.h"
#include "simulate/simulate_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define START_MS INT64_C(1767225600000) /* 2026-01-01 */

void sim_tell(struct sim *s, const char *format, ...) {
    char line[512];
    va_list args;
    int n = snprintf(line, sizeof line, "%6d %lld ", s->step,
                     (long long)(clock_now_ms(&s->clock) - START_MS));
    va_start(args, format);
    vsnprintf(line + n, sizeof line - (size_t)n, format, args);
    va_end(args);
    s->result->hash = s->result->hash * UINT64_C(1099511628211) ^ str_hash(str_of(line));
    if (s->options->story != NULL) s->options->story(s->options->data, line);
}

void sim_wrong(struct sim *s, const char *format, ...) {
    if (s->result->wrong[0] != '\0') return;
    va_list args;
    va_start(args, format);
    vsnprintf(s->result->wrong, sizeof s->result->wrong, format, args);
    va_end(args);
    s->result->step = s->step;
    sim_tell(s, "WRONG: %s", s->result->wrong);
}

/* ---- the network ---- */

/* Which operation an effect is for; -1: none. */
static int reference_in(const struct http_out *request) {
    for (size_t i = 0; i + 16 < request->body.n; i++)
        if (memcmp(request->body.p + i, "\"reference\":\"r", 14) == 0) {
            int number = atoi(request->body.p + i + 14);
            return number < SIM_OPERATIONS_MAX ? number : -1;
        }
    return -1;
}

static void decide(const struct http_out *request, struct local_fate *fate, void *data) {
    struct sim *s = data;
    if (s->calm) *fate = (struct local_fate){0};
    if (sim_payment_call(s, request, fate)) return;
    int number = reference_in(request);
    char what[100];
    if (number >= 0)
        snprintf(what, sizeof what, "r%d", number);
    else
        sim_payment_name(request, what, sizeof what);
    sim_tell(s, "out %.*s %s%s%s%s%s%s there=%u back=%u", STR_FMT(request->method), what,
             fate->refused ? " refused" : "", fate->lost ? " lost" : "",
             fate->answer_lost ? " answer-lost" : "", fate->reset ? " reset" : "",
             fate->twice ? " twice" : "", (unsigned)fate->there_ms, (unsigned)fate->back_ms);
    if (s->off || number < 0) return;
    s->operations[number].twice = fate->twice;
    s->result->effects++;
    if (++s->operations[number].effects > 1)
        sim_wrong(s, "reference r%d was sent as an effect twice", number);
}

/* Not of a doubled request: who refuses one and takes the other has not said what became of it. */
static int instead(const struct http_out *request, void *data) {
    struct sim *s = data;
    int number = reference_in(request);
    if (number >= 0 && s->operations[number].twice) return 0;
    if (s->calm || sim_payment_twice(s, request) || rng_below(&s->chaos_rng, 20) != 0) return 0;
    sim_payment_refused(s, request);
    char what[100];
    sim_payment_name(request, what, sizeof what);
    sim_tell(s, "503 instead %s", what);
    return 503;
}

static void spoil(void *data, const struct http_exchange *x, int *status, struct str *body) {
    struct sim *s = data;
    sim_payment_answer(s, x, *status);
    struct sim_word word;
    bool own = str_starts(x->path, STR("/v1/")) && !sim_word_of(x->path, x->body, &word);
    uint64_t what = s->calm || own ? 99 : rng_below(&s->chaos_rng, 60); /* own: a payer looks */
    if (what == 0) *status = 500;
    if (what == 1) *body = STR("<html>the wallet is tired</html>");
    if (what == 2) *body = STR("{\"status\":\"PERHAPS\"}");
    if (what == 3) body->n /= 2;
    if (what >= 4 && what < 7) *body = STR("7"); /* the script stumbles over it */
    if (what < 7) sim_tell(s, "spoiled %d %.*s", (int)what, STR_FMT(x->path));
}

/* ---- a merchant asks ---- */

struct ask {
    struct http_exchange exchange;
    struct sim *sim;
    int number;
    sim_answered answered;
    char path[120], key[64];
    struct http_header headers[3];
    char body[];
};

static void ask_answered(struct http_exchange *x, int status, const struct http_header *headers,
                         size_t count, struct str body) {
    (void)headers, (void)count;
    struct ask *ask = CONTAINER_OF(x, struct ask, exchange);
    if (!ask->sim->off) ask->answered(ask->sim, ask->number, status, body);
    mem_free(ask);
}

void sim_ask(struct sim *s, const char *method, const char *path, const char *key, struct str body,
             int number, sim_answered answered) {
    struct ask *ask = mem_zalloc(sizeof *ask + body.n);
    if (ask == NULL) return;
    ask->sim = s;
    ask->number = number;
    ask->answered = answered;
    memcpy(ask->body, body.p, body.n);
    snprintf(ask->path, sizeof ask->path, "%s", path);
    struct http_exchange *x = &ask->exchange;
    snprintf(x->request_id, sizeof x->request_id, "req_%d", number);
    x->method = str_of(method);
    x->target = x->path = str_of(ask->path);
    x->query = STR("");
    x->headers = ask->headers;
    ask->headers[x->header_count++] =
        (struct http_header){STR("content-type"), STR("application/json")};
    ask->headers[x->header_count++] = (struct http_header){
        STR("authorization"), STR("Basic c2tfdGVzdF9kZW1vOg==")}; /* sk_test_demo: */
    if (key != NULL) {
        snprintf(ask->key, sizeof ask->key, "%s", key);
        ask->headers[x->header_count++] =
            (struct http_header){STR("idempotency-key"), str_of(ask->key)};
    }
    x->body = (struct str){ask->body, body.n};
    x->received_ms = clock_now_ms(&s->clock);
    x->first_byte_ns = clock_mono_ns(&s->clock);
    x->answer = ask_answered;
    worker_handle(x, s->engine->workers[0]);
}

static void operation_answered(struct sim *s, int number, int status, struct str body) {
    struct sim_operation *op = &s->operations[number];
    struct json_doc doc;
    struct str id;
    sim_tell(s, "answer r%d %d", number, status);
    int err = status == 201 ? json_parse(&doc, body, NULL, NULL) : E_NOTFOUND;
    if (err == 0) {
        if (json_get_str(doc.root, "id", &id) == 0)
            snprintf(op->id, sizeof op->id, "%.*s", STR_FMT(id));
        json_doc_free(&doc);
    }
    if (status == 201 && op->id[0] == '\0')
        sim_wrong(s, "r%d: a 201 without an id%s", number, err == E_NOMEM ? ": out of memory" : "");
    if (status != 201 && status != 409 && status != 503 && status != 500)
        sim_wrong(s, "r%d: status %d: %.*s", number, status, STR_FMT(body));
}

static void merchant_asks(struct sim *s) {
    bool again = s->count > 0 && rng_below(&s->rng, 8) == 0;
    if (!again && s->count == SIM_OPERATIONS_MAX) return;
    int number = again ? (int)rng_below(&s->rng, (uint64_t)s->count) : s->count++;
    struct sim_operation *op = &s->operations[number];
    static const char *const ENDS[] = {"1234", "1234", "0000", "1111"};
    if (!again) {
        op->amount = 1000 + (int64_t)rng_below(&s->rng, 100000);
        op->end = ENDS[rng_below(&s->rng, 4)];
    }
    char body[200];
    int n = snprintf(body, sizeof body,
                     "{\"channel\":\"demo_wallet\",\"reference\":\"r%d\",\"input\":{\"amount\":"
                     "%lld,\"phone\":\"0812%s\"}}",
                     number, (long long)op->amount, op->end);
    sim_tell(s, "ask r%d%s", number, again ? " again" : "");
    sim_ask(s, "POST", "/v1/operations", NULL, (struct str){body, (size_t)n}, number,
            operation_answered);
}

/* ---- lives ---- */

static void ready(struct engine *e, int err, void *data) {
    (void)e;
    struct sim *s = data;
    s->started = true;
    s->start_err = err;
}

static void count_scripts(struct sim *s) {
    const struct script_set *set = s->engine->workers[0]->set;
    int live = 0;
    for (size_t i = 0; set != NULL && i < set->count; i++)
        live += !set->entries[i].deleted;
    if (s->result->scripts == 0) s->result->scripts = live;
    if (live == 0 || live != s->result->scripts)
        sim_wrong(s, "%d scripts are live, not %d (%s)", live, s->result->scripts,
                  s->started ? "started" : "never told so");
}

static int start(struct sim *s, struct why *why) {
    struct engine_options o = {.config = s->options->config,
                               .mode = ENGINE_TEST,
                               .clock = &s->clock,
                               .rng = &s->engine_rng,
                               .root = s->options->root,
                               .vfs = VFS_RECORD,
                               .data = disk_path(s->disk),
                               .chaos = &s->chaos};
    s->started = false;
    s->start_err = 0;
    s->off = false;
    int err = engine_new(&s->engine, &o, why);
    if (err != 0) return err;
    engine_start(s->engine, ready, s);
    for (int i = 0; i < 100000 && !s->started; i++)
        if (!loop_sim_step(s->engine->loop)) break;
    loop_sim_drain(s->engine->loop);
    if (s->start_err != 0) {
        engine_delete(s->engine);
        s->engine = NULL;
        return why_set(why, s->start_err, "the engine does not start: %s", err_text(s->start_err));
    }
    if (s->engine->workers[0]->set == NULL) loop_sim_run_for(s->engine->loop, 1000); /* no memory */
    count_scripts(s);
    return 0;
}

/* A start may be refused for lack of memory; then it must have left nothing that hinders the next. */
static int live(struct sim *s, struct why *why) {
    int err = start(s, why);
    if (err != E_NOMEM) return err;
    sim_tell(s, "no memory to start");
    *why = (struct why){0};
    return start(s, why);
}

/* What still runs may end, but nothing of it reaches the disk or the merchant. */
static void power_off(struct sim *s) {
    s->off = true;
    disk_quota(s->disk, -1);
    disk_cut(s->disk);
    jobs_stop(s->engine->jobs);
    loop_sim_run_for(s->engine->loop, 90000); /* longer than any call takes; then nothing waits */
    engine_delete(s->engine);
    s->engine = NULL;
}

static int crash(struct sim *s, struct why *why) {
    static const char *const KINDS[] = {"none", "all", "some", "torn"};
    enum disk_image kind = (enum disk_image)rng_below(&s->rng, 4);
    struct disk *image;
    sim_tell(s, "CRASH, unsynced: %s of %zu", KINDS[kind], disk_pending(s->disk));
    int err = disk_image(s->disk, kind, &s->rng, &image);
    if (err != 0) return err;
    power_off(s);
    disk_delete(s->disk);
    s->disk = image;
    s->full = false;
    s->result->crashes++;
    struct why found = {0};
    err = live(s, &found);
    if (err != 0) {
        sim_wrong(s, "it does not start after a crash: %s", found.text);
        return why_set(why, E_STATE, "%s", s->result->wrong);
    }
    sim_check_whole(s);
    return 0;
}

/* ---- steps ---- */

static void network(struct sim *s) {
    bool bad = rng_below(&s->rng, 3) == 0;
    s->chaos.odds = (struct local_odds){.refused = bad ? 100 : 10,
                                        .lost = bad ? 300 : 20,
                                        .answer_lost = bad ? 300 : 20,
                                        .reset = bad ? 100 : 10,
                                        .twice = 60,
                                        .delay_max_ms = bad ? 14000 : 300};
    transport_local_odds(s->engine->workers[0]->transport, &s->chaos.odds);
    sim_tell(s, "the network turns %s", bad ? "bad" : "good");
}

static void disk_turns(struct sim *s) {
    s->full = !s->full;
    disk_quota(s->disk, s->full ? disk_used(s->disk) + (int64_t)rng_below(&s->rng, 60000) : -1);
    sim_tell(s, "the disk %s", s->full ? "fills" : "has room");
}

static void turns(struct sim *s) {
    for (uint64_t n = 1 + rng_below(&s->rng, 30); n > 0; n--)
        if (loop_sim_next_ms(s->engine->loop) > 1000 || !loop_sim_step(s->engine->loop)) break;
    sim_tell(s, "turns");
}

static void passes(struct sim *s, uint64_t most_ms) {
    uint64_t ms = rng_below(&s->rng, most_ms);
    loop_sim_run_for(s->engine->loop, ms);
    sim_tell(s, "%llu ms pass", (unsigned long long)ms);
}

static void jump(struct sim *s, int64_t ms) {
    atomic_fetch_add(&s->clock.offset_ms, ms);
    jobs_poke(s->engine->jobs);
    cron_poke(s->engine->cron);
}

static void jumps(struct sim *s) {
    int64_t ms = (int64_t)rng_below(&s->rng, 3600000);
    if (!sim_payment_may_decline(s)) return; /* the second copy's token would have ended */
    jump(s, ms);
    sim_tell(s, "the clock jumps %lld ms", (long long)ms);
}

/* Payments: several at a time, so that they meet; and a disk that is full for a short while only,
 * because nothing is made meanwhile. */
static int payments_step(struct sim *s, struct why *why) {
    uint64_t what = rng_below(&s->rng, 200);
    if (s->full && rng_below(&s->rng, 5) == 0) disk_turns(s);
    if (what < 120) {
        for (uint64_t n = 1 + rng_below(&s->rng, 8); n > 0; n--)
            sim_payment_step(s);
    } else if (what < 155) {
        turns(s);
    } else if (what < 189) {
        passes(s, what < 184 ? 5000 : 200000);
    } else if (what < 192) {
        jumps(s);
    } else if (what < 196) {
        network(s);
    } else if (what < 198) {
        if (!s->full) disk_turns(s);
    } else if (rng_below(&s->rng, 2000 + (uint64_t)s->payment_count) < 2000) {
        return crash(s, why); /* rarer in a large world: each is followed by a look at all of it */
    }
    return 0;
}

static int one_step(struct sim *s, struct why *why) {
    uint64_t what = rng_below(&s->rng, 100);
    if (what < 30) {
        merchant_asks(s);
    } else if (what < 60) {
        turns(s);
    } else if (what < 90) {
        passes(s, what < 85 ? 5000 : 200000);
    } else if (what < 93) {
        jumps(s);
    } else if (what < 95) {
        network(s);
    } else if (what < 97) {
        disk_turns(s);
    } else {
        return crash(s, why);
    }
    return 0;
}

static void heal(struct sim *s) {
    sim_tell(s, "all is well again");
    s->calm = true;
    s->calm_ns = clock_mono_ns(&s->clock);
    s->full = false;
    disk_quota(s->disk, -1);
    if (s->options->payments) sim_payment_peace(s);
    for (int i = 0; i < (s->options->payments ? 40 : 12) && s->result->wrong[0] == '\0'; i++) {
        loop_sim_run_for(s->engine->loop, 60000);
        jump(s, 2 * 3600000);
    }
    loop_sim_run_for(s->engine->loop, 60000);
}

static bool goes_on(const struct sim *s) {
    if (s->result->wrong[0] != '\0') return false;
    return (s->options->payments ? s->payment_count : s->step - 1) < s->options->steps;
}

int simulate_run(const struct simulate_options *options, struct simulate_result *result,
                 struct why *why) {
    struct sim *s = mem_zalloc(sizeof *s);
    if (s == NULL) return why_set(why, E_NOMEM, "out of memory");
    memset(result, 0, sizeof *result);
    s->options = options;
    s->result = result;
    rng_seeded(&s->rng, options->seed);
    rng_seeded(&s->engine_rng, options->seed ^ UINT64_C(0x9e3779b97f4a7c15));
    rng_seeded(&s->chaos_rng, options->seed ^ UINT64_C(0xc2b2ae3d27d4eb4f));
    clock_virtual(&s->clock, START_MS);
    s->chaos =
        (struct engine_chaos){.decide = decide, .instead = instead, .spoil = spoil, .data = s};
    struct rng whole;
    rng_seeded(&whole, options->seed);
    int err = options->made == NULL ? disk_new(&s->disk, options->seed)
                                    : disk_image(options->made, IMAGE_ALL, &whole, &s->disk);
    if (err == 0) err = live(s, why);
    if (err == 0) network(s);
    if (err == 0 && options->payments) sim_payment_ways(s);
    for (s->step = 1; err == 0 && goes_on(s); s->step++) {
        err = options->payments ? payments_step(s, why) : one_step(s, why);
        if (err == 0) sim_check_step(s);
    }
    if (err == 0 && result->wrong[0] == '\0') {
        heal(s);
        sim_check_whole(s);
        sim_check_books(s);
        sim_check_payments_books(s);
    }
    if (s->engine != NULL) power_off(s);
    if (s->disk != NULL) disk_delete(s->disk);
    result->operations = s->count;
    result->payments = s->payment_count;
    mem_free(s);
    if (err == 0 && result->wrong[0] != '\0') err = why_set(why, E_STATE, "%s", result->wrong);
    return err;
}
