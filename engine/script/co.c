/* co: one running call. See co.h for what bindings see, co_private.h for the phases.
 *
 * co_step holds the engine's only lua_resume. Everything of a call happens inside it, protected:
 * finding the function, pushing arguments, the script, reading results, the finish functions of
 * bindings. What a script leaves behind (error values, metatables) is never touched outside.
 *
 * A killed call that yielded is not resumed to die: its coroutine is dropped as it stands, so no
 * handler of the script runs any more. */
#include "base/ensure.h"
#include "script/co_private.h"

#include <lauxlib.h>
#include <stdio.h>

struct co *co_of(lua_State *L) {
    return *(struct co **)lua_getextraspace(L);
}
struct runtime *co_runtime(lua_State *L) {
    struct co *co = co_of(L);
    return co == NULL ? NULL : co->rt;
}
struct loop *co_loop(lua_State *L) {
    struct runtime *rt = co_runtime(L);
    return rt == NULL ? NULL : runtime_loop(rt);
}
const struct version *co_version(lua_State *L) {
    return state_of(L)->version;
}
void *co_data(lua_State *L) {
    struct co *co = co_of(L);
    return co == NULL ? NULL : co->call.data;
}

/* ---- waiting ---- */

void co_require_wait(lua_State *L, const char *name) {
    struct co *co = co_of(L);
    if (co == NULL || co->boot || co->rt == NULL)
        luaL_error(L, "%s: not while the script is loaded", name);
    if (co->no_wait) luaL_error(L, "%s: not inside a rule", name);
    if (!lua_isyieldable(L))
        luaL_error(L, "%s: cannot wait inside a sort, gsub or metamethod callback", name);
    if (co->wait != NULL) luaL_error(L, "%s: the call already waits", name);
}

void co_park(lua_State *L, struct co_wait *wait) {
    struct co *co = co_of(L);
    ENSURE(co != NULL && co->rt != NULL && co->wait == NULL);
    co->wait = wait;
    co->wait_generation = runtime_generation(co->rt);
    wait->ticket = (struct ticket){co->rt, co->slot, co->wait_generation};
}

static int resumed(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    struct co *co = co_of(L);
    struct co_wait *wait = co->wait;
    co->wait = NULL;
    return co->finish(L, wait);
}

int co_yield (lua_State *L, int (*finish)(lua_State *L, struct co_wait *wait)) {
    co_of(L)->finish = finish;
    return lua_yieldk(L, 0, 0, resumed);
}

bool co_wake(struct ticket ticket) {
    struct co *co = ticket.runtime == NULL ? NULL : runtime_slot(ticket.runtime, ticket.slot);
    if (co == NULL || ticket.generation == 0 || co->wait_generation != ticket.generation)
        return false;
    co->wait_generation = 0;
    co->cpu_wait_ns = 0;
    if (co->phase == CO_RUNNING)
        co->woken = true;
    else
        runtime_ready(co);
    return true;
}

/* ---- hooks of its end ---- */

void co_end_hook(lua_State *L, struct co_end_hook *hook) {
    struct co *co = co_of(L);
    ENSURE(co != NULL && hook->co == NULL);
    hook->co = co;
    hook->next = co->hooks;
    co->hooks = hook;
}

void co_end_unhook(struct co_end_hook *hook) {
    if (hook->co == NULL) return;
    struct co_end_hook **at = &hook->co->hooks;
    while (*at != hook)
        at = &(*at)->next;
    *at = hook->next;
    hook->co = NULL;
}

void co_run_hooks(struct co *co) {
    while (co->hooks != NULL) {
        struct co_end_hook *hook = co->hooks;
        co_end_unhook(hook);
        hook->ended(hook);
    }
}

/* ---- the body of a call: runs inside the resume ---- */

static int booted(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    if (!lua_istable(L, -1))
        return luaL_error(L, "%s: a script returns a table, this one returned %s",
                          co_version(L)->path, luaL_typename(L, -1));
    state_set_script(L);
    return 0;
}

static int boot(lua_State *L) {
    const struct version *v = co_version(L);
    state_push_part(L, &v->parts[0]);
    lua_pushstring(L, v->name);
    lua_callk(L, 1, 1, 0, booted);
    return booted(L, LUA_OK, 0);
}

static int returned(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    struct co *co = co_of(L);
    if (co->call.take != NULL) co->take_error = co->call.take(L, lua_gettop(L), co->call.data);
    return 0;
}

static void push_entry(lua_State *L, const struct call *call) {
    state_push_script(L);
    for (const char *const *key = call->entry; key != NULL && *key != NULL; key++) {
        if (!lua_istable(L, -1)) luaL_error(L, "%s: no function", *key);
        lua_pushstring(L, *key);
        lua_rawget(L, -2);
        lua_remove(L, -2);
    }
    if (!lua_isfunction(L, -1)) {
        const char *last = "?";
        for (const char *const *key = call->entry; key != NULL && *key != NULL; key++)
            last = *key;
        luaL_error(L, "%s: the script has no such function", last);
    }
}

static int body(lua_State *L) {
    struct co *co = co_of(L);
    push_entry(L, &co->call);
    int n = co->call.push == NULL ? 0 : co->call.push(L, co->call.data);
    ENSURE(lua_gettop(L) == n + 1);
    lua_callk(L, n, LUA_MULTRET, 0, returned);
    return returned(L, LUA_OK, 0);
}

void co_begin(struct co *co) {
    ENSURE(lua_gettop(co->L) == 0);
    *(struct co **)lua_getextraspace(co->L) = co;
    lua_pushcfunction(co->L, co->boot ? boot : body); /* the stack has room for it */
    co->started = true;
}

/* ---- resuming ---- */

struct trace {
    struct co *co;
    const char *text;
    struct co_end *end;
};

static int make_trace(lua_State *L) {
    struct trace *t = lua_touserdata(L, 1);
    luaL_traceback(L, t->co->L, t->text, 0);
    size_t n;
    const char *text = lua_tolstring(L, -1, &n);
    if (n >= sizeof t->end->text) n = sizeof t->end->text - 1;
    memcpy(t->end->text, text, n);
    t->end->text[n] = '\0';
    return 0;
}

/* The error text without a traceback goes in first: it stays if there is no memory for more. */
static void explain(struct co *co, const char *text, struct co_end *end) {
    snprintf(end->text, sizeof end->text, "%s", text);
    char head[512];
    snprintf(head, sizeof head, "%s", text);
    struct trace trace = {co, head, end};
    lua_State *main = co->state->L;
    lua_pushcfunction(main, make_trace);
    lua_pushlightuserdata(main, &trace);
    (void)lua_pcall(main, 1, 0, 0);
    lua_settop(main, 0);
}

static void end_killed(struct co *co, struct co_end *end) {
    char budget[128], text[sizeof co->place + sizeof budget];
    end->outcome = co->kill == KILL_CANCEL    ? CALL_CANCELLED
                   : co->kill == KILL_REFUSED ? CALL_RAISED
                                              : CALL_BUDGET;
    snprintf(text, sizeof text, "%s%s", co->place, budget_text(co, budget, sizeof budget));
    explain(co, text, end);
}

/* Only a string or a number is turned into text: anything else could have a __tostring. */
static void end_raised(struct co *co, int status, struct co_end *end) {
    if (status == LUA_ERRMEM && co->kill == KILL_NONE) co->kill = KILL_MEMORY;
    if (co->kill != KILL_NONE) {
        end_killed(co, end);
        return;
    }
    end->outcome = CALL_RAISED;
    char text[512];
    int type = lua_type(co->L, -1);
    if (type == LUA_TSTRING)
        snprintf(text, sizeof text, "%s", lua_tostring(co->L, -1));
    else if (type == LUA_TNUMBER && lua_isinteger(co->L, -1))
        snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(co->L, -1));
    else if (type == LUA_TNUMBER)
        snprintf(text, sizeof text, "%.14g", lua_tonumber(co->L, -1));
    else
        snprintf(text, sizeof text, "(the error is a %s value)", lua_typename(co->L, type));
    explain(co, text, end);
}

bool co_step(struct co *co, struct co_end *end) {
    struct state *st = co->state;
    end->text[0] = '\0';
    if (co->kill != KILL_NONE) {
        end_killed(co, end);
        return true;
    }
    co->phase = CO_RUNNING;
    co->sliced = false;
    co->woken = false;
    st->running = co;
    budget_begin(co);
    int count = 0;
    int status = lua_resume(co->L, NULL, 0, &count);
    budget_end(co);
    st->running = NULL;
    if (status == LUA_YIELD) {
        if (co->kill != KILL_NONE) {
            end_killed(co, end);
            return true;
        }
        if (co->sliced || co->woken) {
            if (co->rt != NULL) runtime_ready(co);
            return false;
        }
        ENSURE(co->wait != NULL); /* a binding that yields parks first */
        co->phase = CO_PARKED;
        return false;
    }
    if (status == LUA_OK && co->kill == KILL_NONE) {
        end->outcome = CALL_RETURNED;
        lua_settop(co->L, 0);
        return true;
    }
    end_raised(co, status, end);
    return true;
}
