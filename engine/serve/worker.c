/* See worker.h. Made and given back on the main thread, before its thread starts and after it
 * ended. */
#include "serve/worker.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "net/http_client.h"
#include "payment/payment_watch.h"
#include "sys/log.h"
#include "sys/metrics.h"
#include "webhook/webhook_sender.h"

#include <stdio.h>

enum { SET_RETRY_MS = 100 };

static struct metric http_requests = {.name = "luwak_http_requests_total",
                                      .help = "Requests answered, by status",
                                      .type = METRIC_COUNTER,
                                      .labels = {"status"}};
static struct metric out_requests = {.name = "luwak_out_requests_total",
                                     .help = "Requests to providers, by how they ended",
                                     .type = METRIC_COUNTER,
                                     .labels = {"label", "outcome"}};

/* ---- what scripts call through ---- */

static void reported(const struct http_report *r, void *data) {
    (void)data;
    char label[64];
    snprintf(label, sizeof label, "%.*s", STR_FMT(r->label));
    metric_add(&out_requests, 1, LABELS(label, r->name[0] == '\0' ? "answered" : r->name));
    if (r->name[0] != '\0')
        log_warn("request_out_failed", L_STR("label", r->label), L_STR("method", r->method),
                 L_STR("origin", r->origin), L_TEXT("outcome", r->name), L_TEXT("error", r->text),
                 L_BOOL("sent", r->sent), L_BOOL("effect", r->effect),
                 L_INT("us", (int64_t)r->took_us));
    else
        log_debug("request_out", L_STR("label", r->label), L_STR("method", r->method),
                  L_STR("origin", r->origin), L_INT("status", r->status),
                  L_INT("us", (int64_t)r->took_us));
}

static int open_transport(struct worker *w) {
    if (w->engine->simulated) return worker_simulators(w, &w->transport);
    struct http_client_options o = {.loop = w->loop,
                                    .ca_file = config_text(w->engine->config, SET_LUWAK_CA_FILE),
                                    .report = reported};
    return http_client_new(&w->transport, &o);
}

/* ---- scripts ---- */

static void close_state_run(struct pool_job *job) {
    lua_State *state = *(lua_State **)(job + 1);
    script_close_state(state);
    mem_free(job);
}

static struct pool *closing_pool; /* one engine per process closes off its loops */

static void close_state(lua_State *state) {
    struct pool_job *job = mem_zalloc(sizeof *job + sizeof state);
    if (job != NULL) {
        *(lua_State **)(job + 1) = state;
        if (pool_submit(closing_pool, NULL, job, close_state_run, NULL) == 0) return;
        mem_free(job);
    }
    script_close_state(state); /* on the loop, rather than never */
}

static void use_set(struct worker *w, struct script_set *set, struct worker_routes *routes) {
    struct script_set *old = w->set;
    struct worker_routes *old_routes = w->routes;
    w->set = set;
    w->routes = routes;
    if (old == NULL) return;
    for (size_t i = 0; i < old->count; i++) {
        const struct version *v = old->entries[i].version;
        const struct script_entry *now = NULL;
        for (size_t k = 0; k < set->count && now == NULL; k++)
            if (set->entries[k].version->serial == v->serial) now = &set->entries[k];
        if (now == NULL) runtime_retire(w->runtime, v);
    }
    worker_routes_delete(old_routes);
    script_set_drop(old);
}

/* Until the new set can be used the old routes go on serving their versions. What the registry
 * published has routes that fit together, so only memory can be missing: it is tried again. Should
 * they not fit, nothing that is saved serves before a next set does: that is an alarm. */
static void try_set(struct timer *timer) {
    struct worker *w = CONTAINER_OF(timer, struct worker, set_timer);
    struct worker_routes *routes = NULL;
    struct why why = {0};
    int err = worker_routes_new(&routes, w->next_set, w->engine->simulated, &why);
    if (err != 0) {
        if (err == E_NOMEM) {
            log_warn("routes_wait_for_memory", L_INT("worker", w->index));
            timer_start(w->loop, &w->set_timer, SET_RETRY_MS, try_set);
            return;
        }
        log_error("scripts_not_taken", L_INT("worker", w->index), L_TEXT("error", why.text),
                  L_INT("set", (int64_t)w->next_set->serial),
                  L_INT("serving", w->set == NULL ? 0 : (int64_t)w->set->serial));
        script_set_drop(w->next_set);
    } else {
        use_set(w, w->next_set, routes);
    }
    w->next_set = NULL;
}

static void set_changed(struct registry_listener *self, struct script_set *set) {
    struct worker *w = CONTAINER_OF(self, struct worker, listener);
    if (w->next_set != NULL) script_set_drop(w->next_set); /* a newer one came meanwhile */
    w->next_set = set;
    timer_stop(&w->set_timer);
    try_set(&w->set_timer);
}

struct version *worker_script(const struct worker *w, enum script_kind kind, struct str name) {
    const struct script_entry *entry = w->set == NULL ? NULL : script_set_find(w->set, kind, name);
    return entry == NULL || entry->deleted ? NULL : entry->version;
}

static struct version *find_channel(const struct worker *w, struct str name) {
    return worker_script(w, KIND_CHANNEL, name);
}

static struct script_set *scripts(const struct worker *w) {
    return w->set;
}

static void webhooks_due(struct worker *w) {
    webhook_sender_poke(w->engine->webhooks);
}

static void rest(void *data) {
    const struct worker *w = data;
    store_rest(w->engine->store);
}

/* ---- making ---- */

int worker_new(struct worker **out, struct engine *engine, int index, struct loop *loop,
               struct why *why) {
    struct worker *w = mem_zalloc(sizeof *w);
    if (w == NULL) return why_set(why, E_NOMEM, "out of memory");
    w->engine = engine;
    w->index = index;
    w->loop = loop;
    int err = 0;
    if (loop == NULL) {
        if ((err = loop_uv_new(&w->loop, engine->clock)) != 0) goto fail;
        w->own_loop = true;
        loop_uv_on_rest(w->loop, rest, w);
    }
    closing_pool = engine->pool;
    struct runtime_options ro = {.loop = w->loop,
                                 .engine = engine,
                                 .rng = engine->rng,
                                 .pool = engine->pool,
                                 .no_slices = engine->mode == ENGINE_TEST,
                                 .close_state = engine->mode == ENGINE_SERVE ? close_state : NULL};
    if ((err = runtime_new(&w->runtime, &ro)) != 0) goto fail;
    if ((err = open_transport(w)) != 0) goto fail;
    static const char *const ENVS[] = {"simulated", "sandbox", "staging", "production"};
    w->services = (struct script_services){.store = engine->store,
                                           .core = &engine->core,
                                           .jobs = engine->jobs,
                                           .tokens = engine->tokens,
                                           .gate = &engine->gate,
                                           .breaker = engine->breaker,
                                           .clock = engine->clock,
                                           .rng = engine->rng,
                                           .transport = w->transport,
                                           .config = engine->config,
                                           .grants = engine->grants,
                                           .worker = w,
                                           .find_channel = find_channel,
                                           .scripts = scripts,
                                           .webhooks_due = webhooks_due,
                                           .simulated = engine->simulated,
                                           .url = engine->url.text,
                                           .root = engine->root,
                                           .environment = ENVS[config_env(engine->config)]};
    w->listener = (struct registry_listener){.loop = w->loop, .changed = set_changed};
    registry_listen(engine->registry, &w->listener);
    *out = w;
    return 0;
fail:
    worker_delete(w);
    return why_set(why, err, "worker: %s", err_text(err));
}

static void answered(const struct http_exchange *x, int status, uint64_t bytes, void *data) {
    (void)data, (void)bytes;
    const char text[] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                         (char)('0' + status % 10), '\0'}; /* 200 to 599 */
    metric_add(&http_requests, 1, LABELS(text));
    log_debug("request", L_TEXT("request", x->request_id), L_STR("method", x->method),
              L_STR("path", x->path), L_INT("status", status));
}

enum { PROXIES_MAX = 64 };

static int open_server(struct worker *w, struct why *why) {
    if (w->server != NULL) return 0;
    const struct config *config = w->engine->config;
    size_t connections = (size_t)config_number(config, SET_LUWAK_MAX_CONNECTIONS);
    struct str proxies[PROXIES_MAX], one,
        rest = str_of(config_text(config, SET_LUWAK_TRUSTED_PROXIES));
    size_t count = 0;
    while (rest.n != 0) {
        if (count == PROXIES_MAX)
            return why_set(why, E_CONFIG, "LUWAK_TRUSTED_PROXIES: at most %d networks",
                           PROXIES_MAX);
        if (!str_cut(rest, ',', &one, &rest)) rest.n = 0;
        one = str_trim(one);
        if (one.n != 0) proxies[count++] = one;
    }
    struct http_server_options o = {
        .loop = w->loop,
        .rng = w->engine->rng,
        .limits = {.body_max = (size_t)config_number(config, SET_LUWAK_MAX_BODY),
                   .connections_max = connections / (size_t)w->engine->worker_count + 1},
        .trusted_proxies = proxies,
        .trusted_proxy_count = count,
        .tls = w->engine->tls,
        .handle = worker_handle,
        .answered = answered,
        .data = w};
    int err = http_server_new(&w->server, &o);
    if (err == 0 && w->watch == NULL) /* an eighth is left for requests */
        err = payment_watch_new(&w->watch, w->loop, &w->engine->core,
                                o.limits.connections_max - o.limits.connections_max / 8);
    w->services.watch = w->watch;
    if (err == E_SYNTAX) return why_set(why, err, "LUWAK_TRUSTED_PROXIES: not a list of networks");
    return err == 0 ? 0 : why_set(why, err, "%s", err_text(err));
}

int worker_listen(struct worker *w, const char *address, struct why *why) {
    int err = open_server(w, why);
    if (err != 0) return err;
    return http_server_listen(w->server, address, w->engine->worker_count > 1, why);
}

int worker_listen_fd(struct worker *w, int fd, struct why *why) {
    int err = open_server(w, why);
    return err != 0 ? err : http_server_listen_fd(w->server, fd, why);
}

static void *thread_main(void *data) {
    struct worker *w = data;
    pthread_setname_np(pthread_self(), "worker"); /* who is who, in top and perf */
    store_will_rest(w->engine->store);
    loop_uv_run(w->loop);
    store_rest(w->engine->store);
    return NULL;
}

int worker_run(struct worker *w) {
    if (pthread_create(&w->thread, NULL, thread_main, w) != 0) return E_NOMEM;
    w->running = true;
    return 0;
}

/* ---- the ordered end ---- */

/* Answered requests are not the end: calls behind them go on (an operation whose caller was
 * answered `pending`), and jobs. All have until the bound; then requests out are cut, which their
 * scripts hear, and what those decide has LAST_WORDS_MS to be decided. */
enum { STOP_LOOK_MS = 10, LAST_WORDS_MS = 1000 };

static void stop_over(struct worker *w) {
    if (w->own_loop) loop_stop(w->loop);
    w->drained(w);
}

static uint64_t stop_left_ms(const struct worker *w) {
    uint64_t now = clock_mono_ns(loop_clock(w->loop));
    return now >= w->stop_by_ns ? 0 : (w->stop_by_ns - now) / 1000000u + 1;
}

static void last_words(struct timer *timer) {
    struct worker *w = CONTAINER_OF(timer, struct worker, stop_timer);
    size_t calls = runtime_calls(w->runtime);
    if (calls != 0 && stop_left_ms(w) != 0) {
        timer_start(w->loop, timer, STOP_LOOK_MS, last_words);
        return;
    }
    if (calls != 0) log_warn("calls_cut", L_INT("calls", (int64_t)calls));
    stop_over(w);
}

static void requests_over(size_t left, void *data) {
    struct worker *w = data;
    if (left != 0) log_warn("requests_cut", L_INT("requests", (int64_t)left));
    w->stop_by_ns = clock_mono_ns(loop_clock(w->loop)) + LAST_WORDS_MS * 1000000ull;
    timer_start(w->loop, &w->stop_timer, 0, last_words);
}

static void calls_look(struct timer *timer) {
    struct worker *w = CONTAINER_OF(timer, struct worker, stop_timer);
    bool busy = runtime_calls(w->runtime) != 0 || atomic_load(&w->engine->jobs_running) != 0;
    if (busy && stop_left_ms(w) != 0)
        timer_start(w->loop, timer, STOP_LOOK_MS, calls_look);
    else if (w->engine->simulated)
        requests_over(0, w);
    else
        http_client_drain(w->transport, 0, requests_over, w);
}

static void server_drained(void *data) {
    struct worker *w = data;
    timer_start(w->loop, &w->stop_timer, 0, calls_look);
}

static void stop_runs(struct task *task) {
    struct worker *w = CONTAINER_OF(task, struct worker, stop_task);
    uint32_t bound = (uint32_t)config_number(w->engine->config, SET_LUWAK_SHUTDOWN_WAIT);
    w->stop_by_ns = clock_mono_ns(loop_clock(w->loop)) + bound * 1000000ull;
    w->stopped = true;
    runtime_stop(w->runtime);
    if (w->server != NULL)
        http_server_stop(w->server, bound, server_drained, w);
    else
        server_drained(w);
}

void worker_stop(struct worker *w, void (*drained)(struct worker *w)) {
    w->drained = drained;
    w->stop_task.run = stop_runs;
    loop_post(w->loop, &w->stop_task);
}

static void server_closed(void *data) {
    loop_stop(((struct worker *)data)->loop);
}

/* Its thread never ran, or the start went wrong after it listened. */
static void close_unstopped(struct worker *w) {
    if (w->server == NULL || w->stopped) return;
    w->stopped = true;
    http_server_stop(w->server, 0, server_closed, w);
    loop_uv_run(w->loop);
}

void worker_close(struct worker *w) {
    if (w->running) pthread_join(w->thread, NULL);
    w->running = false;
    if (w->listener.changed != NULL) registry_unlisten(w->engine->registry, &w->listener);
    w->listener.changed = NULL;
    timer_stop(&w->set_timer);
    if (w->next_set != NULL) script_set_drop(w->next_set);
    w->next_set = NULL;
    close_unstopped(w);
    if (w->server != NULL) http_server_delete(w->server);
    w->server = NULL;
    payment_watch_delete(w->watch); /* its streams ended with the server's connections */
    w->watch = w->services.watch = NULL;
    if (w->runtime != NULL) runtime_close(w->runtime);
}

void worker_delete(struct worker *w) {
    if (w == NULL) return;
    worker_close(w);
    if (w->runtime != NULL) runtime_delete(w->runtime);
    if (w->transport != NULL) w->transport->destroy(w->transport);
    if (w->routes != NULL) worker_routes_delete(w->routes);
    if (w->set != NULL) script_set_drop(w->set);
    if (w->own_loop) loop_delete(w->loop);
    mem_free(w);
}
