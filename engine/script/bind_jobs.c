/* jobs: durable work for later, from trusted scripts and, in simulated mode, simulators: theirs is
 * the one job that calls them again. */
#include "base/backoff.h"
#include "base/schedule.h"
#include "core/jobs.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/buf_lua.h"
#include "script/context.h"
#include "script/store_wait.h"
#include "script/version.h"

#include <string.h>

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

static int l_enqueue(lua_State *L) {
    struct job_new job = {0};
    const struct script_services *s = context_of(L)->services;
    job.name.p = luaL_checklstring(L, 1, &job.name.n);
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
    if (!lua_isnil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        int kind = lua_getfield(L, 3, "at");
        int64_t ms;
        if (kind == LUA_TSTRING) {
            struct str text;
            text.p = lua_tolstring(L, -1, &text.n);
            if (duration_parse(text, &ms, NULL) != 0)
                return luaL_error(L,
                                  "jobs.enqueue: at is a duration (\"15m\") or milliseconds UTC");
            job.due_at = clock_now_ms(s->clock) + ms;
        } else if (kind != LUA_TNIL) {
            job.due_at = luaL_checkinteger(L, -1);
        }
        if (lua_getfield(L, 3, "unique") != LUA_TNIL)
            job.unique.p = luaL_checklstring(L, -1, &job.unique.n);
        if (lua_getfield(L, 3, "priority") != LUA_TNIL)
            job.priority = (int)luaL_checkinteger(L, -1);
        lua_getfield(L, 3, "once");
        job.once = lua_toboolean(L, -1);
        if (lua_getfield(L, 3, "backoff") != LUA_TNIL) {
            luaL_checktype(L, -1, LUA_TTABLE);
            int table = lua_gettop(L);
            struct buf *text = buf_push(L);
            backoff_field(L, table, text);
            job.backoff = buf_str(text);
        }
    }
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
