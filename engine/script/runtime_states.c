/* runtime_states: the Lua states of a worker, one per version: found, asked for, built, given up.
 *
 *   WANTED --runtime_build--> BOOTING --main chunk returned--> READY --retired and idle--> gone
 *                                |
 *                                +--cannot be built: BROKEN, its calls fail--> gone
 */
#include "base/mem.h"
#include "script/runtime_private.h"
#include "sys/log.h"

static struct state **place_of(struct runtime *rt, const struct version *v) {
    return &rt->states[v->serial % BUCKETS];
}

struct state *runtime_state(struct runtime *rt, const struct version *v) {
    for (struct state *st = *place_of(rt, v); st != NULL; st = st->next)
        if (st->version->serial == v->serial && !st->retired) return st;
    return NULL;
}

static void state_free(struct state *st) {
    version_drop(st->version);
    mem_free(st->trouble);
    mem_free(st);
}

void script_close_state(lua_State *L) {
    struct state *st = state_of(L);
    state_close(st);
    state_free(st);
}

static void state_unlink_build(struct runtime *rt, struct state *st) {
    struct state *before = NULL;
    for (struct state *at = rt->first_build; at != NULL; before = at, at = at->next_build) {
        if (at != st) continue;
        *(before == NULL ? &rt->first_build : &before->next_build) = st->next_build;
        if (rt->last_build == st) rt->last_build = before;
        return;
    }
}

/* A retired state without calls goes: its memory is given back off the loop where one can. */
void runtime_leave_state(struct state *st) {
    struct runtime *rt = st->rt;
    if (!st->retired || st->calls != 0 || st->boot != NULL) return;
    if (st->phase == STATE_WANTED) state_unlink_build(rt, st);
    struct state **at = place_of(rt, st->version);
    while (*at != st)
        at = &(*at)->next;
    *at = st->next;
    st->rt = NULL;
    if (st->L == NULL)
        state_free(st);
    else if (rt->options.close_state == NULL || rt->closing)
        script_close_state(st->L);
    else
        rt->options.close_state(st->L);
}

struct state *runtime_add_state(struct runtime *rt, struct version *v) {
    struct state *st = mem_zalloc(sizeof *st);
    if (st == NULL) return NULL;
    st->rt = rt;
    st->version = version_keep(v);
    st->next = *place_of(rt, v);
    *place_of(rt, v) = st;
    if (rt->last_build == NULL)
        rt->first_build = st;
    else
        rt->last_build->next_build = st;
    rt->last_build = st;
    runtime_wake(rt);
    return st;
}

/* ---- building ---- */

static void start_waiting(struct state *st) {
    struct co *co = st->waiting;
    st->waiting = NULL;
    while (co != NULL) {
        struct co *next = co->next;
        runtime_ready(co);
        co = next;
    }
}

/* Fails every call that waits for the state and forgets it: the next call builds anew. */
static void state_broken(struct state *st, enum call_outcome outcome, const char *text) {
    st->phase = STATE_BROKEN;
    st->retired = true;
    st->calls++; /* keeps it while we use it */
    while (st->waiting != NULL) {
        struct co *co = st->waiting;
        st->waiting = co->next;
        runtime_end_call(co, outcome, text);
    }
    st->calls--;
    runtime_leave_state(st);
}

void runtime_boot_ended(struct co *co, const struct co_end *end) {
    struct state *st = co->state;
    st->boot = NULL;
    runtime_slot_free(co);
    if (end->outcome != CALL_RETURNED) {
        log_error("script_load_failed", L_TEXT("script", st->version->path),
                  L_TEXT("error", end->text));
        state_broken(st, end->outcome, end->text);
        return;
    }
    st->phase = STATE_READY;
    start_waiting(st);
    runtime_leave_state(st);
}

void runtime_build(struct runtime *rt, struct state *st) {
    struct why why = {0};
    st->phase = STATE_BOOTING;
    struct co *co = runtime_slot_new(rt);
    int err = co == NULL ? why_set(&why, E_NOMEM, "no memory for a call") : 0;
    if (err == 0) err = version_compile(st->version, &why); /* outside of any call's budget */
    if (err == 0) err = state_open(st, &rt->options.limits, &why);
    if (err == 0) {
        co->L = state_take_thread(st);
        if (co->L == NULL) err = why_set(&why, E_NOMEM, "no memory for a coroutine");
    }
    if (err != 0) {
        if (co != NULL) runtime_slot_free(co);
        state_broken(st, err == E_NOMEM ? CALL_BUDGET : CALL_RAISED, why.text);
        return;
    }
    uint32_t deadline_ms;
    co->state = st;
    co->boot = true;
    budget_defaults(st->version->kind, co, &deadline_ms);
    st->boot = co;
    co_begin(co);
    runtime_ready(co);
}

/* More live versions of one script than allowed: calls on the oldest are cancelled. */
void runtime_bound_versions(struct runtime *rt, const struct version *v) {
    struct state *oldest = NULL;
    int live = 0;
    for (int i = 0; i < BUCKETS; i++) {
        for (struct state *st = rt->states[i]; st != NULL; st = st->next) {
            if (strcmp(st->version->path, v->path) != 0) continue;
            live++;
            if (oldest == NULL || st->version->serial < oldest->version->serial) oldest = st;
        }
    }
    if (live <= rt->options.limits.live_versions || oldest->version->serial == v->serial) return;
    oldest->retired = true;
    for (size_t i = 0; i < rt->slot_count; i++) {
        struct co *co = rt->slots[i];
        if (co->phase == CO_FREE || co->state != oldest || co->boot) continue;
        script_cancel((struct ticket){rt, co->slot, co->call_generation});
    }
    runtime_leave_state(oldest);
}

void runtime_retire(struct runtime *rt, const struct version *v) {
    struct state *st = NULL;
    for (struct state *at = *place_of(rt, v); at != NULL; at = at->next) {
        if (at->version->serial != v->serial) continue;
        at->replaced = true; /* an older state of it, retired because it was full, as well */
        if (!at->retired) st = at;
    }
    if (st == NULL) return;
    st->retired = true;
    runtime_leave_state(st);
}
