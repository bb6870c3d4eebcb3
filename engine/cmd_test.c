/* luwak test: Lua tests, `return { tests = { ["name"] = function(t) ... end } }`.
 *
 * Each test has a whole engine of its own: virtual time that begins at the same instant, numbers
 * from a seed, a store in memory, the root's scripts, their simulators. So tests share nothing, run
 * in any order, and end the same way each time. What a test logs is shown only when it fails.
 *
 *   file built, names read aside --> per test: engine, scripts loaded --> t.* --> told, torn down
 */
#include "base/ensure.h"
#include "base/mem.h"
#include "base/sort.h"
#include "cmd.h"
#include "script/cage.h"
#include "script/dispatch_private.h"
#include "script/manifest.h"
#include "script/source.h"
#include "script/test_script.h"
#include "sys/log.h"
#include "worker.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define START_MS INT64_C(1767582000000) /* Monday 2026-01-05, 10:00 in Jakarta */

enum { TEST_MS = 3600 * 1000, TEST_CPU_MS = 20 * 1000, LOG_SHOWN = 4000, DEPTH_MAX = 8 };

struct names {
    struct name {
        char *text;
        int line;
    } * at;
    size_t count;
    const char *wrong; /* what the table is not */
    bool nomem;
};

struct testing {
    const struct cli_args *args;
    const struct config *config;
    const char *root, *filter;
    uint64_t seed;
    int passed, failed;
    struct buf log; /* of the test under way */
    char **files;
    size_t file_count;
};

/* ---- one test ---- */

struct test_run {
    struct testing *all;
    struct engine *engine;
    struct test_script script;
    struct call_context context;
    struct version *version;
    const char *entry[3];
    bool loaded, ended;
    struct buf trouble; /* the call's own error */
    /* t.clock */
    struct timer walk;
    int64_t goal;
    void (*arrived)(void *data, int err);
    void *arrived_data;
};

static void arrive(struct test_run *r, int err) {
    void (*arrived)(void *data, int err) = r->arrived;
    r->arrived = NULL;
    arrived(r->arrived_data, err);
}

/* Business time to its next due instant, until nothing is under way, and on; as the simulated
 * server's clock does. */
static void walk_step(struct timer *timer) {
    struct test_run *r = CONTAINER_OF(timer, struct test_run, walk);
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
    struct test_run *r = CONTAINER_OF(script, struct test_run, script);
    r->goal = goal;
    r->arrived = done;
    r->arrived_data = data;
    timer_start(r->engine->loop, &r->walk, 0, walk_step);
}

static int push_t(lua_State *L, void *data) {
    (void)data;
    if (!cage_builtin(L, "t", KIND_TEST)) return luaL_error(L, "no t");
    return 1;
}

static void test_done(const struct call_result *result, void *data) {
    struct test_run *r = CONTAINER_OF(data, struct test_run, context);
    r->ended = true;
    if (result->outcome != CALL_RETURNED)
        buf_adds(&r->trouble, result->text == NULL ? "cancelled" : result->text);
}

static void scripts_loaded(struct engine *e, int err, void *data) {
    (void)e;
    struct test_run *r = data;
    r->loaded = true;
    if (err != 0) buf_adds(&r->trouble, "the scripts cannot be loaded");
}

static void keep_log(void *data, struct str line) {
    struct testing *all = data;
    if (all->log.len + line.n < LOG_SHOWN) buf_addstr(&all->log, line);
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

static void run_call(struct test_run *r) {
    struct engine *e = r->engine;
    struct worker *w = e->workers[0];
    r->script = (struct test_script){.loop = e->loop,
                                     .rng = e->rng,
                                     .clock = e->clock,
                                     .runtime = w->runtime,
                                     .root = e->root,
                                     .services = w->services,
                                     .advance = advance};
    if (test_script_init(&r->script, w->transport) != 0) {
        buf_adds(&r->trouble, "out of memory");
        return;
    }
    w->services.transport = r->script.transport; /* jobs and operations too */
    call_context_init(&r->context, &r->script.services, r->version, STR(""));
    r->context.test = &r->script;
    const struct call call = {.version = r->version,
                              .entry = r->entry,
                              .deadline_ms = TEST_MS,
                              .cpu_ms = TEST_CPU_MS,
                              .data = &r->context,
                              .push = push_t,
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

static void run_one(struct testing *all, struct version *v, const char *name, struct buf *failure) {
    struct clock clock;
    struct rng rng;
    struct why why = {0};
    clock_virtual(&clock, START_MS);
    rng_seeded(&rng, all->seed);
    struct test_run *r = mem_zalloc(sizeof *r);
    if (r == NULL) {
        buf_adds(failure, "out of memory");
        return;
    }
    r->all = all;
    r->version = v;
    r->entry[0] = "tests";
    r->entry[1] = name;
    const struct engine_options o = {.config = all->config,
                                     .mode = ENGINE_TEST,
                                     .clock = &clock,
                                     .rng = &rng,
                                     .root = all->root};
    if (engine_new(&r->engine, &o, &why) != 0) {
        buf_adds(&r->trouble, why.text);
    } else {
        engine_start(r->engine, scripts_loaded, r);
        while (!r->loaded && loop_sim_step(r->engine->loop)) {
        }
        loop_sim_drain(r->engine->loop); /* the worker has heard of the scripts */
        if (r->loaded && r->trouble.len == 0) run_call(r);
        wind_down(r->engine);
        test_script_detach(&r->script);
        engine_delete(r->engine);
    }
    buf_addstr(failure, buf_str(r->script.failure.len != 0 ? &r->script.failure : &r->trouble));
    test_script_free(&r->script);
    buf_free(&r->trouble);
    mem_free(r);
}

/* ---- one file ---- */

static int by_line(const void *a, const void *b) {
    return ((const struct name *)a)->line - ((const struct name *)b)->line;
}

static int read_names(lua_State *L, void *data) {
    struct names *names = data;
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
        struct name *more = mem_realloc(names->at, (names->count + 1) * sizeof *more);
        if (more != NULL) names->at = more;
        char *text = more == NULL ? NULL : mem_strdup(lua_tostring(L, -2));
        if (text == NULL) {
            names->nomem = true;
            return E_NOMEM;
        }
        more[names->count++] = (struct name){text, info.linedefined};
    }
    return 0;
}

static void names_free(struct names *names) {
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->at[i].text);
    mem_free(names->at);
}

static void indented(struct str text) {
    while (text.n != 0) {
        struct str line;
        str_cut(text, '\n', &line, &text);
        printf("       %.*s\n", STR_FMT(line));
    }
}

static void tell(struct testing *all, const char *path, const char *name,
                 const struct buf *failure) {
    printf("FAIL %s: %s\n", path, name == NULL ? "cannot be run" : name);
    indented(buf_str(failure));
    if (all->log.len != 0) {
        printf("       its log:\n");
        indented(buf_str(&all->log));
    }
    if (name != NULL) {
        printf("       alone: luwak test %s --filter '%s'", path, name);
        if (all->seed != 1) printf(" --seed %llu", (unsigned long long)all->seed);
        printf("\n");
    }
    fflush(stdout);
    all->failed++;
}

static void run_file(struct testing *all, const char *path) {
    const struct version_files files = {source_read, (void *)all->root};
    struct version *v = NULL;
    struct why why = {0};
    struct names names = {0};
    struct buf failure = {0};
    int passed = 0, before = all->failed;
    int err = version_build(&v, KIND_TEST, path, path, &files, BIND_MODULES, &why);
    if (err == 0) err = script_load_aside(v, read_names, &names, &why);
    if (err == 0 && names.wrong != NULL) err = why_set(&why, E_SCRIPT, "%s: %s", path, names.wrong);
    if (err != 0) {
        buf_adds(&failure, why.text);
        tell(all, path, NULL, &failure);
    } else if (names.count != 0) {
        qsort(names.at, names.count, sizeof *names.at, by_line);
    }
    for (size_t i = 0; err == 0 && i < names.count; i++) {
        if (all->filter != NULL && strstr(names.at[i].text, all->filter) == NULL) continue;
        buf_clear(&failure);
        buf_clear(&all->log);
        run_one(all, v, names.at[i].text, &failure);
        if (failure.len != 0)
            tell(all, path, names.at[i].text, &failure);
        else
            passed++;
    }
    all->passed += passed;
    if (passed != 0 && all->failed == before) printf("ok   %s: %d\n", path, passed);
    fflush(stdout);
    buf_free(&failure);
    names_free(&names);
    if (v != NULL) version_drop(v);
}

/* ---- which files ---- */

static int add_file(struct testing *all, const char *path) {
    char **more = mem_realloc(all->files, (all->file_count + 1) * sizeof *more);
    if (more == NULL) return E_NOMEM;
    all->files = more;
    more[all->file_count] = mem_strdup(path);
    if (more[all->file_count] == NULL) return E_NOMEM;
    all->file_count++;
    return 0;
}

/* Every *_test.lua below a folder of the root. */
static int add_folder(struct testing *all, const char *path, int depth) {
    char full[DATA_PATH_MAX];
    snprintf(full, sizeof full, "%s%s%s", path[0] == '/' ? "" : all->root,
             path[0] == '/' ? "" : "/", path);
    DIR *dir = opendir(full);
    if (dir == NULL) return errno == ENOENT ? 0 : E_IO;
    int err = 0;
    for (struct dirent *e; err == 0 && (e = readdir(dir)) != NULL;) {
        char below[DATA_PATH_MAX], here[2 * DATA_PATH_MAX];
        struct stat st;
        if (e->d_name[0] == '.' || strcmp(e->d_name, "node_modules") == 0) continue;
        if (snprintf(below, sizeof below, "%s/%s", path, e->d_name) >= (int)sizeof below) continue;
        snprintf(here, sizeof here, "%s/%s", full, e->d_name);
        if (stat(here, &st) != 0) continue;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            err = add_folder(all, below, depth + 1);
        else if (S_ISREG(st.st_mode) && str_ends(str_of(e->d_name), STR("_test.lua")))
            err = add_file(all, below);
    }
    closedir(dir);
    return err;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int choose(struct testing *all, struct why *why) {
    static const char *const FOLDERS[] = {"tests/lua", "tests/plays", "channels",
                                          "rules",     "scripts",     "examples"};
    int err = 0;
    for (size_t i = 0; all->args->count == 0 && i < ARRAY_LEN(FOLDERS) && err == 0; i++)
        err = add_folder(all, FOLDERS[i], 0);
    for (size_t i = 0; i < all->args->count && err == 0; i++) {
        char path[DATA_PATH_MAX];
        struct stat st;
        if (stat(all->args->args[i], &st) != 0)
            return why_set(why, E_NOTFOUND, "%s: %s", all->args->args[i], strerror(errno));
        cmd_script_path(all->root, all->args->args[i], path);
        err = S_ISDIR(st.st_mode) ? add_folder(all, path, 0) : add_file(all, path);
    }
    if (err != 0) return why_set(why, err, "%s", err_text(err));
    if (all->file_count != 0) qsort(all->files, all->file_count, sizeof *all->files, by_text);
    return 0;
}

/* The settings of a test are nobody's environment: simulated, and defaults. */
static int test_config(struct config **out, struct why *why) {
    const struct config_option options[] = {{SET_LUWAK_ENV, "simulated", "simulated"}};
    const struct config_sources sources = {.options = options, .option_count = 1};
    return config_load(out, &sources, why);
}

int cmd_test(const struct cli_args *args) {
    struct config *own = NULL, *config = NULL;
    struct why why = {0};
    char root[CLI_PATH_MAX];
    struct testing all = {.args = args, .seed = 1, .filter = cli_option(args, "filter")};
    const char *seed = cli_option(args, "seed");
    int64_t n = 1;
    if (seed != NULL && (str_to_i64(str_of(seed), &n) != 0 || n < 0))
        return cli_fail(args, CLI_USAGE, "--seed %s: must be a whole number", seed);
    all.seed = (uint64_t)n;
    int code = cli_config(args, false, &config); /* for the root and the log only */
    if (code == 0) code = cmd_setup(args, config);
    if (code == 0 && (test_config(&own, &why) != 0 || cli_root(config, root, &why) != 0))
        code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    if (code == 0) {
        char *top = realpath(root, NULL); /* files are named from it */
        all.root = top == NULL ? root : top;
        all.config = own;
        log_capture(keep_log, &all);
        if (choose(&all, &why) != 0) code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
        for (size_t i = 0; code == 0 && i < all.file_count; i++)
            run_file(&all, all.files[i]);
        log_capture(NULL, NULL);
        if (code == 0 && all.passed + all.failed == 0)
            code = cli_fail(args, CLI_PROBLEMS, "no test found%s; a test file is named *_test.lua",
                            all.filter == NULL ? "" : " by this --filter");
        else if (code == 0)
            printf("%d passed, %d failed\n", all.passed, all.failed);
        if (all.failed != 0) code = CLI_PROBLEMS;
        free(top);
    }
    for (size_t i = 0; i < all.file_count; i++)
        mem_free(all.files[i]);
    mem_free(all.files);
    buf_free(&all.log);
    config_free(own);
    config_free(config);
    return code;
}
