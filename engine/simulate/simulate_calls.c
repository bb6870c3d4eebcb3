/* What is sent and told in a simulation of payments: no debit and no refund may leave twice under one
 * name unless the first proved to have made nothing; a callback in peace is never answered 500; and
 * whether any word of a provider about some money was ever heard. Which requests and callbacks these
 * are says simulate_providers.c. */
#include "simulate/simulate_private.h"

#include <stdio.h>

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

/* The path below this very server's own address; false: another's. */
static bool home(struct str url, struct str *path) {
    const struct str here = STR("http://luwak.simulated");
    struct str query;
    if (!str_starts(url, here)) return false;
    str_cut(str_sub(url, here.n, url.n), '?', path, &query);
    return true;
}

/* ---- what is sent ---- */

static struct sim_request request_of(const struct http_out *out) {
    return (struct sim_request){out->url, out->body, out->headers, out->header_count};
}

void sim_payment_name(const struct http_out *request, char *out, size_t size) {
    char name[100] = "";
    struct sim_request r = request_of(request);
    (void)sim_effect_of(&r, name, sizeof name);
    ptrdiff_t host = str_search(request->url, STR("://"));
    size_t from = host < 0 ? 0 : (size_t)host + 3;
    snprintf(out, size, "%.*s %s", STR_FMT(str_sub(request->url, from, request->url.n)), name);
}

/* The one debit or refund that a request would be at the provider; NULL: it moves no money. */
static struct sim_call *effect_of(struct sim *s, const struct sim_request *request) {
    char name[100] = "";
    if (sim_effect_of(request, name, sizeof name) != SIM_MOVES_MONEY) return NULL;
    struct str path = request->url, query;
    ptrdiff_t last = 0;
    str_cut(path, '?', &path, &query);
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] == '/') last = (ptrdiff_t)i;
    path =
        str_sub(path, (size_t)last, path.n); /* host and prefix differ on both sides of the wire */
    return call_of(s, str_hash(path) * 31 + str_hash(str_of(name)));
}

static struct sim_call *effect_out(struct sim *s, const struct http_out *out) {
    struct sim_request request = request_of(out);
    return out->effect && s->options->payments ? effect_of(s, &request) : NULL;
}

bool sim_payment_twice(struct sim *s, const struct http_out *request) {
    const struct sim_call *call = effect_out(s, request);
    return call != NULL && call->twice;
}

void sim_payment_refused(struct sim *s, const struct http_out *request) {
    struct sim_call *call = effect_out(s, request);
    if (call != NULL) call->times = 0;
}

/* Of a channel that cannot be asked what it has: what nobody was shown is made anew. */
static bool unseen(const struct sim *s, const struct sim_request *request, const char *name) {
    struct payment p;
    size_t at;
    const struct sim_provider *provider = sim_provider_called(request);
    if (payment_find(&s->engine->core, str_of(provider->name), str_of(name), &p, &at) != 0)
        return false;
    bool is = false;
    for (size_t i = 0; i < SIM_FEW && provider->unseen[i] != NULL; i++)
        is = is || str_eq(attempt_channel(&p.attempts[at]), str_of(provider->unseen[i]));
    payment_free(&p);
    return is;
}

enum { ARRIVED_MS = 1000 }; /* it is looked at when it comes */

bool sim_payment_may_decline(const struct sim *s) {
    return clock_mono_ns(&s->clock) >= s->doubled_ns;
}

/* Who declines one copy of an effect and takes the other has not said what became of it: while a
 * simulator may decline, nothing is doubled; and while what was doubled is on its way, nobody is told
 * to decline, nor does the clock jump: of the same token that is good for one and has ended for the
 * other, the sender hears only the no. */
static void effect_leaves(struct sim *s, const struct http_out *request, struct local_fate *fate) {
    char name[100];
    struct sim_request r = request_of(request);
    if (!request->effect || !s->options->payments) return;
    if (sim_effect_of(&r, name, sizeof name) == SIM_UNHEARD_OF)
        sim_wrong(s, "an effect that no row of simulate_providers.c names: %.*s",
                  STR_FMT(request->url));
    struct sim_call *call = effect_of(s, &r);
    if (call == NULL) return;
    if (s->declines != s->no_declines) fate->twice = false;
    if (s->off || fate->refused) return;
    s->result->effects++;
    call->twice = fate->twice;
    uint64_t there_ns = clock_mono_ns(&s->clock) +
                        ((uint64_t)fate->there_ms + fate->twice_ms + ARRIVED_MS) * 1000000;
    if (fate->twice && there_ns > s->doubled_ns) s->doubled_ns = there_ns;
    call->refusals = 0;
    if (++call->times > 1 && !unseen(s, &r, name))
        sim_wrong(s, "the same effect left twice: %.*s %.*s", STR_FMT(request->url),
                  STR_FMT(request->body));
}

/* 401 is a proof that nothing was made, once each copy of it was answered so. */
static void effect_answered(struct sim *s, const struct http_exchange *x, int status) {
    struct sim_request request = {x->path, x->body, x->headers, x->header_count};
    if (status != 401 || !s->options->payments) return;
    struct sim_call *call = effect_of(s, &request);
    if (call != NULL && ++call->refusals == (call->twice ? 2 : 1)) call->times = 0;
}

/* ---- what is told ---- */

/* One word about one transfer, however it is signed. */
static struct sim_call *word_of(struct sim *s, struct str path, struct str body,
                                struct sim_word *word) {
    if (!sim_word_of(path, body, word)) return NULL;
    struct sim_call *call =
        call_of(s, str_hash(str_of(word->about)) * 31 + str_hash(str_of(word->word)));
    if (word->money) snprintf(call->reference, sizeof call->reference, "%s", word->about);
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
    struct str path;
    struct sim_word word;
    if (!home(request->url, &path)) {
        effect_leaves(s, request, fate);
        return false;
    }
    struct sim_call *call = word_of(s, path, request->body, &word);
    if (call == NULL) {
        *fate = (struct local_fate){0};
        return true;
    }
    if (call->times >= 2) *fate = (struct local_fate){.twice = fate->twice};
    bool gone = fate->refused || fate->lost || fate->answer_lost || fate->reset;
    if (gone) call->times++;
    sim_tell(s, "callback %.*s %s %s%s%s there=%u", STR_FMT(path), word.about, word.word,
             gone ? " lost" : "", fate->twice ? " twice" : "", (unsigned)fate->there_ms);
    return true;
}

/* In peace nothing of a callback may go wrong here. The same bytes may have come before, and wait for
 * a provider whose answer was lost then. */
void sim_payment_answer(struct sim *s, const struct http_exchange *x, int status) {
    struct sim_word word;
    struct sim_call *call = s->off ? NULL : word_of(s, x->path, x->body, &word);
    if (s->off) return;
    if (call == NULL) {
        effect_answered(s, x, status);
        return;
    }
    sim_tell(s, "callback %s %s is answered %d", word.about, word.word, status);
    call->heard = call->heard || status / 100 == 2;
    if (s->calm && x->first_byte_ns >= s->calm_ns && status == 500)
        sim_wrong(s, "a callback in peace was answered %d: %.*s", status, STR_FMT(x->body));
}
