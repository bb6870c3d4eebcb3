#include "script/store_wait.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "core/audit.h"
#include "script/bind.h"
#include "script/context.h"

#include <stdio.h>

#define COMMIT_TYPE "luwak.commit"
#define ROWS_TYPE   "luwak.rows"
#define WAIT_TYPE   "luwak.store_wait"

/* Sets the metatable `type`, whose only content is how to free; made at its first use. */
static void set_freeing(lua_State *L, const char *type, lua_CFunction gc) {
    if (luaL_newmetatable(L, type)) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
    }
    lua_setmetatable(L, -2);
}

/* ---- commits on the Lua stack ---- */

static int commit_gc(lua_State *L) {
    struct commit **held = lua_touserdata(L, 1);
    commit_free(*held);
    *held = NULL;
    return 0;
}

struct commit *commit_push(lua_State *L) {
    struct commit **held = lua_newuserdatauv(L, sizeof(struct commit *), 0);
    *held = NULL;
    set_freeing(L, COMMIT_TYPE, commit_gc);
    if (commit_new(held) != 0) luaL_error(L, "out of memory");
    return *held;
}

/* Whoever submits it owns it: the userdata must not free it as well. */
void commit_release(lua_State *L, const struct commit *commit) {
    for (int i = lua_gettop(L); i > 0; i--) {
        struct commit **held = luaL_testudata(L, i, COMMIT_TYPE);
        if (held != NULL && *held == commit) *held = NULL;
    }
}

static int rows_gc(lua_State *L) {
    struct rows **held = lua_touserdata(L, 1);
    rows_free(*held);
    *held = NULL;
    return 0;
}

struct rows **rows_push(lua_State *L) {
    struct rows **held = lua_newuserdatauv(L, sizeof(struct rows *), 0);
    *held = NULL;
    set_freeing(L, ROWS_TYPE, rows_gc);
    return held;
}

/* ---- the wait ---- */

static void answer_free(struct store_answer *a) {
    rows_free(a->rows);
    mem_free(a);
}

static int wait_gc(lua_State *L) {
    struct store_wait *w = lua_touserdata(L, 1);
    struct store_answer *a = w->answer;
    w->answer = NULL;
    if (a != NULL) answer_free(a);
    return 0;
}

static void wait_cancel(struct co_wait *wait) {
    struct store_wait *w = CONTAINER_OF(wait, struct store_wait, wait);
    w->answer->abandoned = true;
    w->answer = NULL;
}

static struct store_wait *wait_push(lua_State *L) {
    struct store_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct store_wait){.wait.cancel = wait_cancel};
    set_freeing(L, WAIT_TYPE, wait_gc);
    w->answer = mem_zalloc(sizeof *w->answer);
    if (w->answer == NULL) luaL_error(L, "out of memory");
    return w;
}

static void wake(struct store_answer *a) {
    if (a->abandoned)
        answer_free(a);
    else
        co_wake(a->ticket);
}

static void committed(const struct commit_result *result, void *data) {
    struct store_answer *a = data;
    a->err = result->err;
    a->failed_op = result->failed_op;
    snprintf(a->detail, sizeof a->detail, "%s", result->detail == NULL ? "" : result->detail);
    if (!a->abandoned && result->values != NULL) a->rows = rows_keep(result->values);
    wake(a);
}

/* There was no memory to begin: an answer like others, in the next turn. */
static void no_memory(struct task *task) {
    struct store_answer *a = CONTAINER_OF(task, struct store_answer, task);
    a->err = E_NOMEM;
    a->failed_op = -1;
    wake(a);
}

static void committed_failed(struct store_answer *a, struct loop *loop) {
    a->task.run = no_memory;
    loop_post(loop, &a->task);
}

static void queried(int err, const struct why *why, struct rows *rows, void *data) {
    struct store_answer *a = data;
    a->err = err;
    a->failed_op = -1;
    a->rows = rows;
    if (err != 0 && why != NULL) snprintf(a->detail, sizeof a->detail, "%.255s", why->text);
    wake(a);
}

static int finished(lua_State *L, struct co_wait *wait) {
    struct store_wait *w = CONTAINER_OF(wait, struct store_wait, wait);
    if (w->answer->err == E_FULL) context_of(L)->unavailable = true;
    return w->finish(L, w->answer);
}

/* A commit is let go of before parking: from then on Lua is not touched. */
static struct store_answer *park(lua_State *L, const struct commit *commit, store_finish finish) {
    struct store_wait *w = wait_push(L);
    w->finish = finish;
    if (commit != NULL) commit_release(L, commit);
    co_park(L, &w->wait);
    w->answer->ticket = w->wait.ticket;
    return w->answer;
}

static const struct script_services *services(lua_State *L) {
    return context_of(L)->services;
}

/* A client waits, or a channel that has sent nothing yet: nothing is lost where there is no room. */
static bool may_refuse(const struct call_context *c) {
    bool caged = c->version->kind == KIND_CHANNEL || c->version->kind == KIND_BILLER;
    return c->exchange != NULL || (caged && !c->http.effect_sent);
}

int store_wait_commit(lua_State *L, struct commit *commit, enum lane lane, store_finish finish) {
    const struct script_services *s = services(L);
    if (may_refuse(context_of(L))) commit_impatient(commit);
    struct store_answer *a = park(L, commit, finish);
    store_submit(s->store, commit, lane, co_loop(L), committed, a);
    return co_yield (L, finished);
}

struct str audit_actor(const struct call_context *c, char out[AUDIT_ACTOR_SIZE]) {
    if (c->key[0] != '\0')
        snprintf(out, AUDIT_ACTOR_SIZE, "%s", c->key);
    else
        snprintf(out, AUDIT_ACTOR_SIZE, "script %s", c->version->path);
    return str_of(out);
}

int store_wait_audited(lua_State *L, struct commit *commit, const char *action, struct str object,
                       store_finish finish) {
    const struct call_context *c = context_of(L);
    char actor[AUDIT_ACTOR_SIZE];
    const struct audit_line line = {.actor = audit_actor(c, actor),
                                    .action = str_of(action),
                                    .object = object,
                                    .detail = STR("{}")};
    struct store_answer *a = park(L, commit, finish);
    if (audit_submit(c->services->core, commit, &line, LANE_NEW, co_loop(L), committed, a) != 0)
        committed_failed(a, co_loop(L));
    return co_yield (L, finished);
}

int store_wait_query(lua_State *L, const char *name, const struct val *values, size_t count,
                     store_finish finish) {
    const struct script_services *s = services(L);
    if (store_short(s->store)) return luaL_error(L, "out of memory");
    struct store_answer *a = park(L, NULL, finish);
    store_query(s->store, name, values, count, co_loop(L), queried, a);
    return co_yield (L, finished);
}

int store_wait_select(lua_State *L, const char *sql, const struct val *values, size_t count,
                      store_finish finish) {
    const struct script_services *s = services(L);
    if (store_short(s->store)) return luaL_error(L, "out of memory");
    struct store_answer *a = park(L, NULL, finish);
    store_select(s->store, sql, values, count, co_loop(L), queried, a);
    return co_yield (L, finished);
}

int store_fail(lua_State *L, const struct store_answer *answer) {
    return bind_fail(L, answer->err, "%s%s%s", err_text(answer->err),
                     answer->detail[0] == '\0' ? "" : ": ", answer->detail);
}
