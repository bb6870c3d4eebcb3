/* See test_rig.h. */
#include "cli/test_rig.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "base/sort.h"
#include "script/cage.h"
#include "script/dispatch_private.h"
#include "script/manifest.h"
#include "script/test_script.h"
#include "serve/worker.h"

#include <stdlib.h>

#define START_MS INT64_C(1767582000000) /* Monday 2026-01-05, 10:00 in Jakarta */

enum { TEST_MS = 3600 * 1000, TEST_CPU_MS = 20 * 1000 };

struct test_rig {
    struct clock time;
    struct rng numbers;
    struct engine *engine;
    struct test_script script;
    struct call_context context;
    struct version *version;
    const char *entry[3];
    const struct buf *log;
    int (*take)(struct lua_State *L, int n, void *data);
    void *take_data;
    bool loaded, ended;
    struct buf trouble; /* the call's own error */
    /* t.clock */
    struct timer walk;
    int64_t goal;
    void (*arrived)(void *data, int err);
    void *arrived_data;
};

int test_rig_config(struct config **out, struct why *why) {
    const struct config_option options[] = {{SET_LUWAK_ENV, "simulated", "simulated"}};
    const struct config_sources sources = {.options = options, .option_count = 1};
    return config_load(out, &sources, why);
}

/* ---- the clock ---- */

static void arrive(struct test_rig *r, int err) {
    void (*arrived)(void *data, int err) = r->arrived;
    r->arrived = NULL;
    arrived(r->arrived_data, err);
}

/* Business time to its next due instant, until nothing is under way, and on; as the simulated
 * server's clock does. */
static void walk_step(struct timer *timer) {
    struct test_rig *r = CONTAINER_OF(timer, struct test_rig, walk);
    struct engine *e = r->engine;
    if (!jobs_idle(e->jobs) || !cron_idle(e->cron)) {
        /* Once no task is ready, what is under way waits for another timer, so time goes on to
         * that one and no further. Without one the test waits for what never comes. */
        int64_t next = loop_sim_ready(e->loop) ? 0 : loop_sim_next_ms(e->loop);
        if (next >= 0) timer_start(e->loop, timer, (uint64_t)next, walk_step);
        return;
    }
    int64_t now = clock_now_ms(e->clock), next = jobs_next_due(e->jobs);
    if (now >= r->goal) {
        arrive(r, 0);
        return;
    }
    if (cron_next_due(e->cron) < next) next = cron_next_due(e->cron);
    if (next > r->goal) next = r->goal;
    if (next > now) atomic_fetch_add(&e->clock->offset_ms, next - now);
    jobs_poke(e->jobs);
    cron_poke(e->cron);
    timer_start(e->loop, timer, 0, walk_step);
}

static void advance(struct test_script *script, int64_t goal, void (*done)(void *data, int err),
                    void *data) {
    struct test_rig *r = CONTAINER_OF(script, struct test_rig, script);
    r->goal = goal;
    r->arrived = done;
    r->arrived_data = data;
    timer_start(r->engine->loop, &r->walk, 0, walk_step);
}

/* ---- the call ---- */

static int push_t(lua_State *L, void *data) {
    (void)data;
    if (!cage_builtin(L, "t", KIND_TEST)) return luaL_error(L, "no t");
    return 1;
}

static int take_results(lua_State *L, int n, void *data) {
    struct test_rig *r = CONTAINER_OF(data, struct test_rig, context);
    return r->take == NULL ? 0 : r->take(L, n, r->take_data);
}

static void test_done(const struct call_result *result, void *data) {
    struct test_rig *r = CONTAINER_OF(data, struct test_rig, context);
    r->ended = true;
    if (result->outcome != CALL_RETURNED)
        buf_adds(&r->trouble, result->text == NULL ? "cancelled" : result->text);
}

static void scripts_loaded(struct engine *e, int err, void *data) {
    (void)e;
    struct test_rig *r = data;
    r->loaded = true;
    if (err != 0) buf_adds(&r->trouble, "the scripts cannot be loaded");
}

/* Until nothing of the test is under way, a minute of virtual time at most. */
static void wind_down(struct engine *e) {
    jobs_stop(e->jobs);
    int64_t until = clock_mono_ms(e->clock) + 60000;
    while ((!registry_idle(e->registry) || !jobs_idle(e->jobs) || !cron_idle(e->cron)) &&
           clock_mono_ms(e->clock) < until && loop_sim_step(e->loop)) {
    }
    loop_sim_drain(e->loop);
}

static void run_call(struct test_rig *r) {
    struct engine *e = r->engine;
    struct worker *w = e->workers[0];
    r->script = (struct test_script){.loop = e->loop,
                                     .rng = e->rng,
                                     .clock = e->clock,
                                     .runtime = w->runtime,
                                     .root = e->root,
                                     .services = w->services,
                                     .log = r->log,
                                     .advance = advance};
    if (test_script_init(&r->script, w->transport) != 0) {
        buf_adds(&r->trouble, "out of memory");
        return;
    }
    w->services.transport = r->script.transport; /* jobs and operations too */
    w->services.test = r->script.services.test = &r->script;
    call_context_init(&r->context, &r->script.services, r->version, STR(""));
    r->context.test = &r->script;
    const struct call call = {.version = r->version,
                              .entry = r->entry,
                              .deadline_ms = TEST_MS,
                              .cpu_ms = TEST_CPU_MS,
                              .data = &r->context,
                              .push = push_t,
                              .take = take_results,
                              .done = test_done};
    int err = script_call(w->runtime, &call, NULL);
    if (err != 0) buf_adds(&r->trouble, err_text(err));
    while (err == 0 && !r->ended && loop_sim_step(e->loop)) {
    }
    if (err == 0 && !r->ended) test_fail(&r->script, "the test waits for what never comes");
    if (r->ended && r->trouble.len == 0) test_script_end(&r->script);
    timer_stop(&r->walk);
    if (r->arrived != NULL) arrive(r, E_CANCELLED); /* nobody waits, but it is somebody's memory */
}

int test_rig_new(struct test_rig **out, const struct test_rig_options *options, struct why *why) {
    struct test_rig *r = mem_zalloc(sizeof *r);
    if (r == NULL) return why_set(why, E_NOMEM, "out of memory");
    clock_virtual(&r->time, START_MS);
    rng_seeded(&r->numbers, options->seed);
    r->log = options->log;
    const struct engine_options o = {.config = options->config,
                                     .mode = ENGINE_TEST,
                                     .clock = &r->time,
                                     .rng = &r->numbers,
                                     .root = options->root};
    int err = engine_new(&r->engine, &o, why);
    if (err != 0) {
        r->engine = NULL;
    } else {
        engine_start(r->engine, scripts_loaded, r);
        while (!r->loaded && loop_sim_step(r->engine->loop)) {
        }
        loop_sim_drain(r->engine->loop); /* the worker has heard of the scripts */
        if (!r->loaded || r->trouble.len != 0)
            err = why_set(why, E_SCRIPT, "%s",
                          r->trouble.len != 0 ? r->trouble.data : "the scripts cannot be loaded");
    }
    if (err != 0) {
        test_rig_delete(r);
        return err;
    }
    *out = r;
    return 0;
}

void test_rig_call(struct test_rig *r, struct version *v, const char *name,
                   int (*take)(struct lua_State *L, int n, void *data), void *data,
                   struct buf *failure) {
    r->version = v;
    r->entry[0] = "tests";
    r->entry[1] = name;
    r->take = take;
    r->take_data = data;
    run_call(r);
    buf_addstr(failure, buf_str(r->script.failure.len != 0 ? &r->script.failure : &r->trouble));
}

const struct test_request *test_rig_requests(const struct test_rig *r) {
    return r->script.requests;
}

void test_rig_delete(struct test_rig *r) {
    if (r->engine != NULL) {
        wind_down(r->engine);
        test_script_detach(&r->script);
        engine_delete(r->engine);
    }
    test_script_free(&r->script);
    buf_free(&r->trouble);
    mem_free(r);
}

/* ---- the names in a file ---- */

static int by_line(const void *a, const void *b) {
    return ((const struct test_name *)a)->line - ((const struct test_name *)b)->line;
}

static int read_names(lua_State *L, void *data) {
    struct test_names *names = data;
    lua_settop(L, 1);
    if (lua_getfield(L, 1, "tests") != LUA_TTABLE) {
        names->wrong = "a test file returns { tests = { [\"name\"] = function(t) ... end } }";
        return 0;
    }
    for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || !lua_isfunction(L, -1)) {
            names->wrong = "tests: each is a name and a function";
            return 0;
        }
        lua_Debug info;
        lua_pushvalue(L, -1);
        lua_getinfo(L, ">S", &info);
        struct test_name *more = mem_realloc(names->at, (names->count + 1) * sizeof *more);
        if (more != NULL) names->at = more;
        char *text = more == NULL ? NULL : mem_strdup(lua_tostring(L, -2));
        if (text == NULL) {
            names->nomem = true;
            return E_NOMEM;
        }
        more[names->count++] = (struct test_name){text, info.linedefined};
    }
    return 0;
}

int test_names_read(const struct version *v, const char *path, struct test_names *out,
                    struct why *why) {
    int err = script_load_aside(v, read_names, out, why);
    if (err == 0 && out->wrong != NULL) err = why_set(why, E_SCRIPT, "%s: %s", path, out->wrong);
    if (err == 0 && out->count != 0) qsort(out->at, out->count, sizeof *out->at, by_line);
    return err;
}

void test_names_free(struct test_names *names) {
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->at[i].text);
    mem_free(names->at);
    *names = (struct test_names){0};
}
