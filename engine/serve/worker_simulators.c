/* Simulated mode: every request of a script goes straight to the simulator of the provider that
 * declares the host, on the same worker, through the same routes as POST /sandbox/PROVIDER/...
 * What calls our own address (a simulator's callback) comes in likewise, at our own routes.
 *
 * A delivery becomes an exchange like one from a socket, so a simulator cannot tell the difference.
 */
#include "base/ensure.h"
#include "base/id.h"
#include "base/mem.h"
#include "net/transport_local.h"
#include "net/url.h"
#include "script/engine_paths.h"
#include "serve/worker.h"

#include <ctype.h>
#include <stdio.h>

struct delivery {
    struct http_exchange exchange;
    struct engine_chaos *chaos;
    struct local_exchange *local;
    char *target; /* "/sandbox/demo/v1/charges?x=1" */
    struct http_header *headers;
};

static void delivery_free(struct delivery *d) {
    mem_free(d->target);
    mem_free(d->headers);
    mem_free(d);
}

static void answered(struct http_exchange *x, int status, const struct http_header *headers,
                     size_t count, struct str body) {
    struct delivery *d = CONTAINER_OF(x, struct delivery, exchange);
    if (d->chaos != NULL && d->chaos->spoil != NULL)
        d->chaos->spoil(d->chaos->data, x, &status, &body);
    local_answer(d->local, status, headers, count, body);
    delivery_free(d);
}

/* The provider whose channel or biller declares this host, in any environment. */
static const char *provider_of(const struct worker *w, const struct url *url) {
    for (size_t i = 0; w->set != NULL && i < w->set->count; i++) {
        const struct version *v = w->set->entries[i].version;
        const struct manifest *m = v->manifest;
        if (v->kind == KIND_SANDBOX || manifest_owner(v) == NULL) continue;
        for (size_t k = 0; k < m->hosts.count; k++) {
            const char *const one[] = {m->hosts.at[k].value, NULL};
            if (url_allowed(url, one, true)) return manifest_owner(v);
        }
    }
    return NULL;
}

/* `provider` NULL: the target is one of our own. */
static int fill(struct delivery *d, const struct worker *w, const char *provider, struct str target,
                const struct http_out *request) {
    struct http_exchange *x = &d->exchange;
    const char *below = provider == NULL ? "" : ENGINE_SANDBOX;
    if (provider == NULL) provider = "";
    size_t size = strlen(below) + strlen(provider) + target.n + 2;
    d->target = mem_alloc(size);
    size_t names_size = 0;
    for (size_t i = 0; i < request->header_count; i++)
        names_size += request->headers[i].name.n;
    d->headers = mem_zalloc((request->header_count + 1) * sizeof *d->headers + names_size);
    if (d->target == NULL || d->headers == NULL) return E_NOMEM;
    const char *slash = target.n != 0 && target.p[0] == '/' ? "" : "/";
    int n = snprintf(d->target, size, "%s%s%s%.*s", below, provider, slash, STR_FMT(target));
    char *names = (char *)(d->headers + request->header_count);
    for (size_t i = 0; i < request->header_count; i++) { /* servers see names in lower case */
        struct str name = request->headers[i].name;
        for (size_t k = 0; k < name.n; k++)
            names[k] = (char)tolower((unsigned char)name.p[k]);
        d->headers[i] = (struct http_header){{names, name.n}, request->headers[i].value};
        names += name.n;
    }
    id_make(x->request_id, "req_", w->engine->clock, w->engine->rng);
    x->method = request->method;
    x->target = (struct str){d->target, (size_t)n};
    if (!str_cut(x->target, '?', &x->path, &x->query)) x->query = STR("");
    x->headers = d->headers;
    x->header_count = request->header_count;
    x->body = request->body;
    snprintf(x->peer, sizeof x->peer, "127.0.0.1");
    x->received_ms = clock_now_ms(w->engine->clock);
    x->first_byte_ns = clock_mono_ns(w->engine->clock);
    x->answer = answered;
    return 0;
}

static void handle(struct local_exchange *local, const struct http_out *request, void *data) {
    struct worker *w = data;
    struct url url;
    bool good = url_parse(&url, request->url, NULL) == 0;
    const char *provider = good ? provider_of(w, &url) : NULL;
    struct str target = good ? url.target : STR("");
    if (provider == NULL && (!good || !own_url_is(&w->engine->url, &url, &target))) {
        local_answer(local, 502, NULL, 0, STR("no simulator for this host"));
        return;
    }
    struct engine_chaos *chaos = w->engine->chaos;
    int instead =
        chaos == NULL || chaos->instead == NULL ? 0 : chaos->instead(request, chaos->data);
    if (instead != 0) {
        local_answer(local, instead, NULL, 0, STR("out of order"));
        return;
    }
    struct delivery *d = mem_zalloc(sizeof *d);
    if (d == NULL || fill(d, w, provider, target, request) != 0) {
        if (d != NULL) delivery_free(d);
        local_answer(local, 503, NULL, 0, STR("out of memory"));
        return;
    }
    d->local = local;
    d->chaos = chaos;
    worker_handle(&d->exchange, w);
}

static void decide(const struct http_out *request, struct local_fate *fate, void *data) {
    const struct worker *w = data;
    w->engine->chaos->decide(request, fate, w->engine->chaos->data);
}

int worker_simulators(struct worker *w, struct transport **out) {
    struct local_options o = {.loop = w->loop, .rng = w->engine->rng, .handle = handle, .data = w};
    struct engine_chaos *chaos = w->engine->chaos;
    if (chaos != NULL) {
        o.odds = chaos->odds;
        if (chaos->decide != NULL) o.decide = decide;
    }
    return transport_local_new(out, &o);
}
