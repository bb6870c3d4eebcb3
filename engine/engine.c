/* See engine.h. What is under way ends first: jobs, then workers and webhooks. The loop turns until
 * nobody waits for an answer, and once more after the store, which answers the last ones as it closes.
 * Then each part is freed after those that use it; the loop last. */
#include "engine.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "core/breaker.h"
#include "data.h"
#include "net/http_client.h"
#include "script/grants.h"
#include "script/script_set.h"
#include "script/tokens.h"
#include "script_keys.h"
#include "serve/demo.h"
#include "serve/plays.h"
#include "serve/worker.h"
#include "stamp.h"
#include "sys/crypto.h"
#include "sys/log.h"
#include "sys/metrics.h"
#include "webhook/webhook_format.h"
#include "webhook/webhook_sender.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { POOL_THREADS = 2, POOL_QUEUE = 1024, READERS = 2, LIMITED_MAX = 100000 };

/* ---- where the scripts are ---- */

static bool holds_scripts(const char *dir) {
    char path[1100];
    snprintf(path, sizeof path, "%s/scripts/api", dir);
    return access(path, R_OK) == 0;
}

/* The named folder; else the working directory; else beside or above the binary; else installed. */
static int find_root(struct engine *e, const char *named, struct why *why) {
    if (named != NULL) {
        if (access(named, R_OK | X_OK) != 0)
            return why_set(why, E_CONFIG, "the root %s cannot be read", named);
        snprintf(e->root, sizeof e->root, "%s", named);
        return 0;
    }
    char self[900];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n < 0 ? 0 : n] = '\0';
    snprintf(e->root, sizeof e->root, ".");
    if (holds_scripts(e->root)) return 0;
    for (char *slash = strrchr(self, '/'); slash != NULL; slash = strrchr(self, '/')) {
        *slash = '\0';
        snprintf(e->root, sizeof e->root, "%s", self);
        if (holds_scripts(e->root)) return 0;
        snprintf(e->root, sizeof e->root, "%s/share/luwak", self);
        if (holds_scripts(e->root)) return 0;
    }
    return why_set(why, E_CONFIG,
                   "no folder with channels/, rules/ and scripts/ here; name it with --root DIR");
}

/* ---- the environment stamp and the stored clock ---- */

struct stamping {
    struct engine *e;
    int err;
};

static void stamped(const struct commit_result *result, void *data) {
    struct stamping *s = data;
    s->err = result->err;
    if (loop_uv_handle(s->e->loop) != NULL) loop_stop(s->e->loop);
}

/* Writes before anything else runs: the loop turns until it is on disk. */
static int write_now(struct engine *e, struct commit *c) {
    struct stamping s = {e, 1};
    store_submit(e->store, c, LANE_NEW, e->loop, stamped, &s);
    while (s.err == 1) {
        if (loop_uv_handle(e->loop) != NULL)
            loop_uv_run(e->loop);
        else if (!loop_sim_step(e->loop))
            return E_INTERNAL;
    }
    return s.err;
}

static int write_meta(struct engine *e, const char *key, const char *value) {
    struct commit *c;
    if (commit_new(&c) != 0) return E_NOMEM;
    commit_add(c, OP_META_SET, VALS(V_TEXT(key), V_TEXT(value)));
    return write_now(e, c);
}

static int stamp(struct engine *e, const char *key, const char *value, struct why *why) {
    int err = write_meta(e, key, value);
    return err == 0 ? 0
                    : why_set(why, err, "the data directory cannot be written: %s", err_text(err));
}

static int check_stamp(struct engine *e, struct why *why) {
    int err = stamp_check_environment(e->store, e->config, why);
    if (err == E_NOTFOUND) return stamp(e, STAMP_ENVIRONMENT, stamp_environment(e->config), why);
    char offset[32];
    int64_t ms;
    if (err == 0 && e->simulated &&
        stamp_read(e->store, "clock_offset", offset, sizeof offset) == 0 &&
        str_to_i64(str_of(offset), &ms) == 0)
        atomic_store(&e->clock->offset_ms, ms);
    return err;
}

/* ---- keys ---- */

/* Simulated data is worth nothing, so that its key may change; what the others seal under another
 * key could never be read together with what is there. */
static int open_ring(struct engine *e, struct why *why) {
    char mark[STAMP_MAX];
    int err = data_ring(&e->ring, e->config, why);
    if (err != 0 || e->simulated) return err;
    err = stamp_check_key(e->store, e->config, e->ring, why);
    if (err != E_NOTFOUND || e->remote) return err == E_NOTFOUND ? 0 : err;
    if ((err = stamp_fingerprint(e->ring, mark)) != 0)
        return why_set(why, err, "data key: %s", err_text(err));
    return stamp(e, STAMP_KEY, mark, why);
}

/* ---- the payment core ---- */

static int open_core(struct engine *e, struct why *why) {
    struct commit *c = NULL;
    bool made;
    e->core = (struct core){.store = e->store,
                            .clock = e->clock,
                            .rng = e->rng,
                            .ring = e->ring,
                            .public_url = str_of(config_text(e->config, SET_LUWAK_PUBLIC_URL)),
                            .livemode = config_env(e->config) == ENV_PRODUCTION};
    if (limiter_new(&e->limiter, e->clock, LIMITED_MAX) != 0 ||
        breaker_new(&e->breaker, e->clock, NULL) != 0 ||
        questions_new(&e->questions, e->clock,
                      (uint32_t)config_number(e->config, SET_LUWAK_ASK_RATE)) != 0)
        return why_set(why, E_NOMEM, "out of memory");
    if (!e->simulated || e->remote) return 0;
    if (commit_new(&c) != 0) return why_set(why, E_NOMEM, "out of memory");
    int err = demo_add(&e->core, c, &made, why);
    if (err != 0 || !made) {
        commit_free(c);
        return err;
    }
    err = write_now(e, c);
    return err == 0 ? 0
                    : why_set(why, err, "the demo merchant cannot be written: %s", err_text(err));
}

/* ---- grants ---- */

struct granting {
    struct engine *e;
    int err;
};

static void grants_read(int err, const struct why *why, struct rows *rows, void *data) {
    (void)why;
    struct granting *g = data;
    if (err == 0) grants_set(g->e->grants, rows);
    rows_free(rows);
    g->err = err;
    if (loop_uv_handle(g->e->loop) != NULL) loop_stop(g->e->loop);
}

/* In production a provider's scripts have what the operator granted; elsewhere, what they declare.
 */
static int open_grants(struct engine *e, struct why *why) {
    if (config_env(e->config) != ENV_PRODUCTION) return 0;
    struct granting g = {e, 1};
    int err = grants_new(&e->grants);
    if (err != 0) return why_set(why, err, "%s", err_text(err));
    store_query(e->store, "grants_all", NULL, 0, e->loop, grants_read, &g);
    while (g.err == 1) {
        if (loop_uv_handle(e->loop) != NULL)
            loop_uv_run(e->loop);
        else if (!loop_sim_step(e->loop))
            return E_INTERNAL;
    }
    return g.err == 0 ? 0 : why_set(why, g.err, "the grants cannot be read: %s", err_text(g.err));
}

/* ---- making and giving back ---- */

static int open_loop(struct engine *e, const struct engine_options *o) {
    if (o->clock != NULL) {
        e->clock = o->clock;
        e->rng = o->rng;
        return loop_sim_new(&e->loop, e->clock, o->rng);
    }
    clock_real(&e->own_clock);
    rng_system(&e->own_rng);
    e->clock = &e->own_clock;
    e->rng = &e->own_rng;
    return loop_uv_new(&e->loop, e->clock);
}

/* Beside a server: its store, which it has migrated. */
static int open_beside(struct engine *e, struct why *why) {
    int err = data_open(&e->store, e->config, e->loop, false, &e->remote, why);
    if (err == 0) e->own_store = true;
    return err;
}

static int open_store(struct engine *e, const struct engine_options *o, struct why *why) {
    if (o->store != NULL) {
        e->store = o->store;
        return 0;
    }
    bool test = e->mode == ENGINE_TEST;
    const char *data = o->data != NULL ? o->data : config_text(e->config, SET_LUWAK_DATA);
    struct store_options so = {.path = test && o->vfs == NULL ? NULL : data,
                               .vfs = o->vfs,
                               .clock = e->clock,
                               .inline_on = test ? e->loop : NULL,
                               .readers = READERS,
                               .reserve = o->data != NULL ? 4096 : 0,
                               .checkpoint_pages = o->vfs != NULL ? 100 : 0};
    int err = o->data == NULL && !test ? data_emptied(e->config, why) : 0;
    if (err == 0) err = o->beside ? open_beside(e, why) : store_open(&e->store, &so, why);
    if (err != 0) return err;
    e->own_store = true;
    if (e->remote) return check_stamp(e, why);
    char folder[1100];
    snprintf(folder, sizeof folder, "%s/scripts/migrations", e->root);
    err = store_migrate(e->store, access(folder, R_OK) == 0 ? folder : NULL, why);
    return err != 0 ? err : check_stamp(e, why);
}

static struct metric scripts_broken = {.name = "luwak_script_broken_total",
                                       .help = "Versions of scripts that were refused",
                                       .type = METRIC_COUNTER,
                                       .labels = {"script"}};

static void script_broken(void *data, const char *path, const char *text) {
    (void)data, (void)text; /* the registry logs it */
    metric_add(&scripts_broken, 1, LABELS(path));
}

static bool lacks_grants(void *data, const struct version *v, struct buf *command) {
    const struct engine *e = data;
    return grants_lack(e->grants, v, stamp_environment(e->config), command);
}

static bool unset_keys(void *data, const struct version *v, struct buf *keys) {
    return script_keys_lack(data, v, keys);
}

static int take_query(void *data, const char *name, const char *sql, struct why *why) {
    return store_add_query(((struct engine *)data)->store, name, sql, why);
}

static int open_registry(struct engine *e, bool kept, struct why *why) {
    bool real = kept && e->mode != ENGINE_TEST;
    int err = registry_store_new(&e->registry_store, e->store, e->loop);
    if (err != 0) return why_set(why, err, "%s", err_text(err));
    if (real && config_staged(e->config)) {
        if ((err = plays_new(&e->plays, e->loop, e->root)) != 0)
            return why_set(why, err, "%s", err_text(err));
    }
    build_id(e->build);
    struct registry_options ro = {.loop = e->loop,
                                  .root = e->root,
                                  .modules = BIND_MODULES,
                                  .mode = config_staged(e->config) ? SCRIPTS_STAGED : SCRIPTS_AUTO,
                                  .store = kept ? e->registry_store : NULL,
                                  .outlines = real && e->mode == ENGINE_SERVE && !e->remote
                                                  ? config_text(e->config, SET_LUWAK_DATA)
                                                  : NULL,
                                  .build = e->build,
                                  .unwatched = e->mode != ENGINE_SERVE,
                                  .unplayed = e->unplayed,
                                  .broken = script_broken,
                                  .query = e->remote ? NULL : take_query,
                                  .plays = e->plays != NULL ? plays_run : NULL,
                                  .lacks = real ? lacks_grants : NULL,
                                  .unset = real ? unset_keys : NULL,
                                  .data = e};
    return registry_new(&e->registry, &ro, why);
}

static int worker_wanted(const struct engine *e) {
    if (e->mode != ENGINE_SERVE) return 1;
    int64_t n = config_number(e->config, SET_LUWAK_WORKERS);
    if (n > 0) return (int)n;
    /* One core is left to the writer and the main thread, on machines that have several. */
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores <= 2 ? 1 : cores > 17 ? 16 : (int)cores - 1;
}

static int open_workers(struct engine *e, struct why *why) {
    int wanted = worker_wanted(e);
    e->workers = mem_array((size_t)wanted, sizeof *e->workers);
    if (e->workers == NULL) return why_set(why, E_NOMEM, "out of memory");
    for (int i = 0; i < wanted; i++) {
        int err = worker_new(&e->workers[i], e, i, e->mode == ENGINE_SERVE ? NULL : e->loop, why);
        if (err != 0) return err;
        e->worker_count++;
    }
    return 0;
}

/* What scripts call through: in a test its own answers, else the simulators. */
static struct transport *tests_transport(void *data) {
    return ((struct engine *)data)->workers[0]->services.transport;
}

static int open_webhooks(struct engine *e) {
    if (e->mode == ENGINE_TOOL) return 0;
    bool test = e->mode == ENGINE_TEST;
    return webhook_sender_new(
        &e->webhooks,
        &(struct webhook_sender_options){
            .core = &e->core,
            .loop = test ? e->loop : NULL,
            .transport = test ? tests_transport : NULL,
            .write = webhook_format_write,
            .data = e,
            .ca_file = config_text(e->config, SET_LUWAK_CA_FILE),
            .timeout_ms = (uint32_t)config_number(e->config, SET_PAYMENT_WEBHOOK_TIMEOUT),
            .private_ok = e->simulated});
}

int engine_new(struct engine **out, const struct engine_options *o, struct why *why) {
    struct engine *e = mem_zalloc(sizeof *e);
    if (e == NULL) return why_set(why, E_NOMEM, "out of memory");
    e->config = o->config;
    e->mode = o->mode;
    e->chaos = o->chaos;
    e->unplayed = o->unplayed;
    pthread_mutex_init(&e->gate.lock, NULL);
    e->simulated = config_env(o->config) == ENV_SIMULATED;
    own_url_set(&e->url, o->config, NULL);
    int err = open_loop(e, o);
    if (err != 0) {
        mem_free(e);
        return why_set(why, err, "%s", err_text(err));
    }
    if ((err = find_root(e, o->root != NULL ? o->root : config_text(o->config, SET_LUWAK_ROOT),
                         why)) != 0)
        goto fail;
    if ((err = open_store(e, o, why)) != 0) goto fail;
    if ((err = open_grants(e, why)) != 0) goto fail;
    if ((err = open_ring(e, why)) != 0) goto fail;
    if ((err = open_core(e, why)) != 0) goto fail;
    if ((err = tokens_new(&e->tokens, e->ring)) != 0) goto nomem;
    if ((err = pool_new(&e->pool, o->mode == ENGINE_TEST ? 0 : POOL_THREADS, POOL_QUEUE)) != 0)
        goto nomem;
    if ((err = open_registry(e, o->mode != ENGINE_TOOL || o->keep, why)) != 0) goto fail;
    if ((err = engine_jobs_open(e)) != 0) goto nomem;
    if ((err = open_workers(e, why)) != 0) goto fail;
    if ((err = open_webhooks(e)) != 0) goto nomem;
    *out = e;
    return 0;
nomem:
    why_set(why, err, "%s", err_text(err));
fail:
    engine_delete(e);
    return err;
}

static bool settle_once(struct engine *e) {
    bool some = loop_settle(e->loop);
    if (webhook_sender_settle(e->webhooks)) some = true;
    for (int i = 0; i < e->worker_count; i++)
        if (e->workers[i]->own_loop && loop_settle(e->workers[i]->loop)) some = true;
    return some;
}

enum { SETTLE_LOOK_MS = 1, SETTLE_MS = 5000 };

/* Until the store has answered everything and every answer was heard: the last results are written
 * here. What a full disk keeps longer is answered by store_close. In virtual time all that can
 * happen at all is a task of the loop. */
static void settle(struct engine *e) {
    bool real = loop_uv_handle(e->loop) != NULL;
    for (int waited = 0; waited < SETTLE_MS;) {
        bool quiet = e->store == NULL || store_under_way(e->store) == 0;
        if (settle_once(e)) continue;
        if (quiet || !real) return;
        nanosleep(&(struct timespec){.tv_nsec = SETTLE_LOOK_MS * 1000000L}, NULL);
        waited += SETTLE_LOOK_MS;
    }
}

/* The loops go last: whoever can post to them (pool, store) has ended by then, and everything that
 * was asked has been answered and heard, so that nobody is left waiting with memory in hand. */
void engine_delete(struct engine *e) {
    if (e == NULL) return;
    e->stopping = true;
    plays_stop(e->plays);
    if (e->jobs != NULL) jobs_stop(e->jobs);
    for (int i = 0; i < e->worker_count; i++)
        worker_close(e->workers[i]);
    webhook_sender_close(e->webhooks);
    if (e->listener.changed != NULL) registry_unlisten(e->registry, &e->listener);
    timer_stop(&e->schedule_timer);
    cron_delete(e->cron);
    if (e->pool != NULL) pool_delete(e->pool);
    settle(e);
    if (e->own_store && e->store != NULL) {
        store_close(e->store);
        e->store = NULL;
        settle(e);
    }
    webhook_sender_delete(
        e->webhooks); /* before the worker whose transport a test's calls through */
    for (int i = 0; i < e->worker_count; i++)
        worker_delete(e->workers[i]);
    mem_free(e->workers);
    limiter_delete(e->limiter);
    breaker_delete(e->breaker);
    questions_delete(e->questions);
    jobs_delete(e->jobs);
    if (e->scheduled != NULL) script_set_drop(e->scheduled);
    if (e->registry != NULL) registry_delete(e->registry);
    plays_delete(e->plays);
    if (e->registry_store != NULL) registry_store_delete(e->registry_store);
    tokens_delete(e->tokens);
    grants_delete(e->grants);
    if (e->ring != NULL) seal_ring_delete(e->ring);
    if (e->tls != NULL) tls_server_delete(e->tls);
    loop_delete(e->loop);
    pthread_mutex_destroy(&e->gate.lock);
    mem_free(e);
}

/* ---- start ---- */

struct starting {
    struct engine *e;
    void (*ready)(struct engine *e, int err, void *data);
    void *data;
};

static void scripts_loaded(void *data, int err) {
    struct starting *s = data;
    struct engine *e = s->e;
    void (*ready)(struct engine *, int, void *) = s->ready;
    void *ready_data = s->data;
    mem_free(s);
    if (e->stopping) return; /* nobody waits for it any more */
    if (err == 0 && e->mode != ENGINE_TOOL) {
        jobs_start(e->jobs);
        err = webhook_sender_start(e->webhooks);
    }
    e->ready = err == 0;
    ready(e, err, ready_data);
}

void engine_start(struct engine *e, void (*ready)(struct engine *e, int err, void *data),
                  void *data) {
    struct starting *s = mem_alloc(sizeof *s);
    if (s == NULL) {
        ready(e, E_NOMEM, data);
        return;
    }
    *s = (struct starting){e, ready, data};
    registry_start(e->registry, scripts_loaded, s);
}
