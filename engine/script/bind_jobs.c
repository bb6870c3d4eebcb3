/* jobs: durable work for later, from trusted scripts and, in simulated mode, simulators: theirs is
 * the one job that calls them again. */
#include "base/backoff.h"
#include "base/schedule.h"
#include "core/jobs.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/buf_lua.h"
#include "script/context.h"
#include "script/lua_util.h"
#include "script/store_wait.h"
#include "script/version.h"

#include <string.h>

enum { PRIORITY_MAX = 1000 };

static int enqueued(lua_State *L, const struct store_answer *a) {
    if (a->err != 0) return store_fail(L, a);
    struct str id = rows_text(a->rows, 0, 0);
    jobs_poke(context_of(L)->services->jobs);
    lua_pushlstring(L, id.p, id.n);
    return 1;
}

/* {first = "5s", factor = 3, max = "1h", jitter = 0.1, tries = 12} as the text a job keeps. */
static void backoff_field(lua_State *L, int table, struct buf *out) {
    static const char *const NAMES[] = {"first", "factor", "max", "jitter", "tries"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (lua_getfield(L, table, NAMES[i]) != LUA_TNIL) {
            if (out->len != 0) buf_addc(out, ' ');
            buf_addf(out, "%s=%s", NAMES[i], luaL_tolstring(L, -1, NULL));
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    struct backoff checked;
    struct why why = {0};
    if (backoff_parse(buf_str(out), &checked, &why) != 0)
        luaL_error(L, "jobs.enqueue: %s", why.text);
}

static void not_an_option(lua_State *L, int table) {
    static const char *const NAMES[] = {"at", "unique", "priority", "once", "backoff"};
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        bool known = false;
        for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0] && lua_isstring(L, -2); i++) {
            lua_pushvalue(L, -2); /* a number among the keys must stay one */
            known = known || strcmp(lua_tostring(L, -1), NAMES[i]) == 0;
            lua_pop(L, 1);
        }
        if (!known)
            luaL_error(L,
                       "jobs.enqueue: no option %s; there are at, unique, priority, once, backoff",
                       luaL_tolstring(L, -2, NULL));
        lua_pop(L, 1);
    }
}

/* The texts stay in the table, which the caller keeps on the stack; so does the backoff's. */
static void read_options(lua_State *L, int table, struct job_new *job, int64_t now) {
    if (!lua_istable(L, table)) luaL_error(L, "jobs.enqueue: the options are a table");
    not_an_option(L, table);
    int type = lua_getfield(L, table, "at");
    if (type == LUA_TSTRING) {
        struct str text = check_str(L, -1);
        int64_t ms;
        if (duration_parse(text, &ms, NULL) != 0) type = LUA_TNONE;
        job->due_at = type == LUA_TNONE ? 0 : now + ms;
    } else if (lua_isinteger(L, -1)) {
        job->due_at = lua_tointeger(L, -1);
    } else if (type != LUA_TNIL) {
        type = LUA_TNONE;
    }
    if (type == LUA_TNONE)
        luaL_error(L, "jobs.enqueue: at is a duration (\"15m\") or milliseconds UTC");
    type = lua_getfield(L, table, "unique");
    if (type == LUA_TSTRING)
        job->unique = check_str(L, -1);
    else if (type != LUA_TNIL)
        luaL_error(L, "jobs.enqueue: unique is a text");
    type = lua_getfield(L, table, "priority");
    lua_Integer priority = type == LUA_TNIL ? 0 : lua_tointeger(L, -1);
    if (type != LUA_TNIL &&
        (!lua_isinteger(L, -1) || priority < -PRIORITY_MAX || priority > PRIORITY_MAX))
        luaL_error(L, "jobs.enqueue: priority is a whole number from %d to %d", -PRIORITY_MAX,
                   PRIORITY_MAX);
    job->priority = (int)priority;
    type = lua_getfield(L, table, "once");
    if (type != LUA_TNIL && type != LUA_TBOOLEAN)
        luaL_error(L, "jobs.enqueue: once is true or false");
    job->once = lua_toboolean(L, -1);
    lua_pop(L, 4);
    type = lua_getfield(L, table, "backoff");
    if (type == LUA_TNIL) return;
    if (type != LUA_TTABLE) luaL_error(L, "jobs.enqueue: backoff is a table");
    int backoff = lua_gettop(L);
    struct buf *text = buf_push(L);
    backoff_field(L, backoff, text);
    job->backoff = buf_str(text);
}

static int l_enqueue(lua_State *L) {
    struct job_new job = {0};
    const struct script_services *s = context_of(L)->services;
    job.name = check_str(L, 1);
    luaL_argcheck(L, job.name.n >= 1 && job.name.n <= JOB_NAME_MAX, 1, "a script's name");
    if (!str_starts(job.name, STR("scripts/jobs/"))) {
        job.name.p = lua_pushfstring(L, "scripts/jobs/%s.lua", job.name.p);
        job.name.n = strlen(job.name.p);
        lua_replace(L, 1);
    }
    luaL_argcheck(L, job.name.n < SCRIPT_PATH_MAX, 1, "a script's name"); /* as it is stored */
    luaL_argcheck(L,
                  context_of(L)->version->kind != KIND_SANDBOX ||
                      str_eq(job.name, STR("scripts/jobs/simulator.lua")),
                  1, "a simulator's only job is \"simulator\"");
    lua_settop(L, 3);
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    json_encode(L, 2, JSON_DEPTH, JSON_OUT_MAX, "jobs.enqueue");
    job.args.p = lua_tolstring(L, -1, &job.args.n);
    if (!lua_isnil(L, 3)) read_options(L, 3, &job, clock_now_ms(s->clock));
    co_require_wait(L, "jobs.enqueue");
    struct commit *c = commit_push(L);
    job_enqueue(c, &job, s->clock, s->rng);
    return store_wait_commit(L, c, LANE_NEW, enqueued);
}

static const struct bind_fn FNS[] = {
    {"enqueue", l_enqueue, (KINDS_TRUSTED & ~KIND_MIGRATION) | KIND_SANDBOX,
     "name: string, args?: table, options?: table -> string?, string?, string?",
     "runs scripts/jobs/NAME.lua later; options at, unique, priority, once, backoff; returns its "
     "id"},
    {0},
};
const struct bind_module bind_jobs = {"jobs", "durable work for later", FNS, NULL};
