/* aside: loads a version away from all workers and shows the table it returned: for the checker and
 * the registry. The main chunk has the world of its kind, but no loop, so it cannot wait, and the
 * time of a main chunk. */
#include "base/mem.h"
#include "script/co_private.h"

#include <stdio.h>

struct looking {
    int (*look)(lua_State *L, void *data);
    void *data;
    int err;
};

/* One line, which names the file and, where the traceback knows it, the line: an error that is
 * raised carries its place, a budget that ended does not. */
static void one_line(struct why *why, const char *path) {
    char place[SCRIPT_PATH_MAX + 16];
    snprintf(place, sizeof place, "%s", path);
    char *traceback = strchr(why->text, '\n');
    const char *frame = traceback == NULL ? NULL : strstr(traceback, ".lua:");
    if (frame != NULL) {
        const char *from = frame, *to = frame + strlen(".lua:");
        while (from > traceback && from[-1] != '\t')
            from--;
        to += strspn(to, "0123456789");
        if (*to == ':') snprintf(place, sizeof place, "%.*s", (int)(to - from), from);
    }
    if (traceback != NULL) *traceback = '\0';
    if (strstr(why->text, ".lua:") == NULL) why_prefix(why, "%s: ", place);
}

/* A handler of errors: a value that is no text would come without a place. */
static int with_place(lua_State *L) {
    lua_Debug ar;
    if (lua_type(L, 1) == LUA_TSTRING) return 1;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        if (lua_getinfo(L, "Sl", &ar) == 0 || ar.currentline <= 0) continue;
        lua_pushfstring(L, "%s:%d: (the error is a %s value)", ar.short_src, ar.currentline,
                        luaL_typename(L, 1));
        return 1;
    }
    lua_pushfstring(L, "(the error is a %s value)", luaL_typename(L, 1));
    return 1;
}

static int look_protected(lua_State *L) {
    struct looking *l = lua_touserdata(L, 1);
    lua_settop(L, 0);
    state_push_script(L);
    l->err = l->look(L, l->data);
    return 0;
}

/* The table's values are the script's: looking at them may run its metamethods, so it happens in a
 * coroutine under the same budget. */
static int look_at(struct state *st, struct looking *l, struct co *co, struct why *why) {
    co->L = state_take_thread(st);
    if (co->L == NULL) return why_set(why, E_NOMEM, "no memory for a coroutine");
    *(struct co **)lua_getextraspace(co->L) = co;
    lua_pushcfunction(co->L, with_place);
    lua_pushcfunction(co->L, look_protected);
    lua_pushlightuserdata(co->L, l);
    st->running = co;
    budget_begin(co);
    int status = lua_pcall(co->L, 1, 0, 1);
    budget_end(co);
    st->running = NULL;
    int err = l->err;
    if (status != LUA_OK) {
        const char *text = lua_type(co->L, -1) == LUA_TSTRING ? lua_tostring(co->L, -1) : "?";
        if (co->kill == KILL_NONE)
            err = why_set(why, status == LUA_ERRMEM ? E_NOMEM : E_SCRIPT, "%s", text);
        else
            err = why_set(why, E_BUDGET, "%s: out of budget", co_version(co->L)->path);
    }
    lua_settop(co->L, 0);
    state_give_thread(st, co->L, status == LUA_OK);
    co->L = NULL;
    return err;
}

static int run_main(struct state *st, struct co *co, struct why *why) {
    co->L = state_take_thread(st);
    if (co->L == NULL) return why_set(why, E_NOMEM, "no memory for a coroutine");
    struct co_end end;
    co_begin(co);
    while (!co_step(co, &end)) {
        /* paused by the budget, which ends it in time */
    }
    state_give_thread(st, co->L, end.outcome == CALL_RETURNED);
    co->L = NULL;
    if (end.outcome == CALL_RETURNED) return 0;
    return why_set(why, end.outcome == CALL_RAISED ? E_SCRIPT : E_BUDGET, "%s", end.text);
}

int script_load_aside(const struct version *v, int (*look)(lua_State *L, void *data), void *data,
                      struct why *why) {
    int err = version_compile(v, why); /* what it costs is not the script's */
    if (err != 0) return err;
    struct state *st = mem_zalloc(sizeof *st);
    if (st == NULL) return why_set(why, E_NOMEM, "no memory to load %s", v->path);
    const struct runtime_limits limits = {.call_bytes = STATE_CALL_BYTES,
                                          .state_bytes = STATE_BYTES};
    st->version = (struct version *)v; /* borrowed: the caller holds it */
    err = state_open(st, &limits, why);
    if (err == 0) {
        st->starved = false; /* what was short then was found after a collection */
        struct co co = {.state = st, .boot = true};
        struct looking l = {look, data, 0};
        budget_aside(v->kind, &co);
        err = run_main(st, &co, why);
        co.cpu_wait_ns = 0;
        if (err == 0 && look != NULL) err = look_at(st, &l, &co, why);
        co_run_hooks(&co);
        if (err != 0 && st->starved) {
            err = why_set(why, E_NOMEM, "%s: out of memory", v->path);
        } else if (err == E_NOMEM) { /* its own bound, not ours */
            err = E_BUDGET;
            if (why != NULL) why->code = err;
        }
        if (err != 0 && why != NULL && why->code != 0) one_line(why, v->path);
        state_close(st);
    }
    mem_free(st);
    return err;
}
