/* runtime: the states and calls of one worker. See runtime.h.
 *
 * One task per loop turn builds at most one state, then runs what is ready, oldest first, for
 * TURN_NS at most, then one slice of the oldest call that used up a slice before. So a call that
 * never waits costs the others one slice a turn, and they never wait for its end.
 *
 * Calls of a state that is not built wait in the state; one that cannot be built fails them and is
 * dropped, so that the next call tries again. Slots are reused, generations are not: they count up
 * for calls and waits alike.
 *
 * A call that ran a second without a wait is named in the log. When its version was replaced or
 * deleted, or the engine stops, it is cancelled: only one that waits may end in its own time.
 *
 * A state leaves when it is retired (a newer version, memory past 80 %, too many live versions) and
 * its last call has ended; close_state closes it off the loop. */
#include "base/ensure.h"
#include "base/mem.h"
#include "script/runtime_private.h"
#include "sys/log.h"

#include <stdio.h>

#define CALLS_MAX     4096
#define LIVE_VERSIONS 8
#define TURN_NS       5000000u
#define LONG_NS       1000000000u /* without a wait: worth a line in the log */

static void run_turn(struct task *task);

void runtime_wake(struct runtime *rt) {
    if (rt->turn->posted || rt->closing) return;
    rt->turn->posted = true;
    loop_post(rt->options.loop, &rt->turn->task);
}

uint32_t runtime_generation(struct runtime *rt) {
    if (++rt->generation == 0) rt->generation = 1;
    return rt->generation;
}
struct pool *runtime_pool(struct runtime *rt) {
    return rt->options.pool;
}

struct rng *runtime_rng(struct runtime *rt) {
    return rt->options.rng;
}
struct engine *runtime_engine(struct runtime *rt) {
    return rt->options.engine;
}
struct loop *runtime_loop(struct runtime *rt) {
    return rt->options.loop;
}
struct co *runtime_slot(struct runtime *rt, uint32_t slot) {
    return slot < rt->slot_count && rt->slots[slot]->phase != CO_FREE ? rt->slots[slot] : NULL;
}

void runtime_ready(struct co *co) {
    struct runtime *rt = co->rt;
    struct queue *q = co->sliced && !co->woken ? &rt->sliced : &rt->ready;
    co->phase = CO_READY;
    co->next = NULL;
    if (q->last == NULL)
        q->first = co;
    else
        q->last->next = co;
    q->last = co;
    runtime_wake(rt);
}

static struct co *queue_take(struct queue *q) {
    struct co *co = q->first;
    q->first = co->next;
    if (q->first == NULL) q->last = NULL;
    return co;
}

static bool queue_unlink(struct queue *q, const struct co *co) {
    struct co *before = NULL;
    for (struct co *at = q->first; at != NULL; before = at, at = at->next) {
        if (at != co) continue;
        *(before == NULL ? &q->first : &before->next) = co->next;
        if (q->last == co) q->last = before;
        return true;
    }
    return false;
}

static void unlink_ready(struct runtime *rt, struct co *co) {
    if (!queue_unlink(&rt->ready, co)) (void)queue_unlink(&rt->sliced, co);
}

/* ---- slots ---- */

struct co *runtime_slot_new(struct runtime *rt) {
    struct co *co = rt->free;
    if (co != NULL) {
        rt->free = co->next;
    } else {
        if (rt->slot_count == rt->slot_room) {
            size_t room = rt->slot_room == 0 ? 64 : rt->slot_room * 2;
            struct co **slots = mem_realloc(rt->slots, room * sizeof *slots);
            if (slots == NULL) return NULL;
            rt->slots = slots;
            rt->slot_room = room;
        }
        co = mem_alloc(sizeof *co);
        if (co == NULL) return NULL;
        rt->slots[rt->slot_count] = co;
        *co = (struct co){.slot = (uint32_t)rt->slot_count++};
    }
    *co = (struct co){
        .slot = co->slot, .rt = rt, .phase = CO_QUEUED, .may_pause = !rt->options.no_slices};
    co->call_generation = runtime_generation(rt);
    return co;
}

void runtime_slot_free(struct co *co) {
    struct runtime *rt = co->rt;
    co->phase = CO_FREE;
    co->call_generation = co->wait_generation = 0;
    co->next = rt->free;
    rt->free = co;
}

/* ---- the end of a call ---- */

static void drop_wait(struct co *co) {
    struct co_wait *wait = co->wait;
    bool pending = wait != NULL && co->wait_generation != 0;
    co->wait = NULL;
    co->wait_generation = 0;
    if (pending) wait->cancel(wait);
}

static void leave_thread(struct co *co, bool clean) {
    if (co->L != NULL) state_give_thread(co->state, co->L, clean);
    co->L = NULL;
}

static void finish(struct co *co, const struct co_end *end) {
    struct state *st = co->state;
    struct runtime *rt = co->rt;
    timer_stop(&co->deadline);
    drop_wait(co);
    co_run_hooks(co);
    leave_thread(co, end->outcome == CALL_RETURNED);
    if (co->boot) {
        runtime_boot_ended(co, end);
        return;
    }
    struct call call = co->call;
    struct call_result result = {.outcome = end->outcome,
                                 .text = end->text[0] == '\0' ? NULL : end->text,
                                 .cpu_ns = co->cpu_total_ns,
                                 .peak_bytes = (size_t)co->peak};
    if (result.outcome == CALL_RETURNED && co->take_error != 0) {
        result.outcome = CALL_RAISED;
        result.text = err_text(co->take_error);
    }
    rt->calls--;
    st->calls--;
    if (!st->retired && st->bytes > st->max_bytes / 5 * 4) st->retired = true;
    runtime_slot_free(co);
    runtime_leave_state(st);
    call.done(&result, call.data);
}

void runtime_end_call(struct co *co, enum call_outcome outcome, const char *text) {
    struct co_end end = {.outcome = outcome};
    snprintf(end.text, sizeof end.text, "%s", text);
    finish(co, &end);
}

/* ---- turns ---- */

static bool start(struct co *co) {
    co->L = state_take_thread(co->state);
    if (co->L == NULL) return false;
    co_begin(co);
    return true;
}

static void run_one(struct co *co) {
    if (!co->started && co->kill == KILL_NONE && !start(co)) {
        runtime_end_call(co, CALL_BUDGET, "no memory for a coroutine");
        return;
    }
    if (!co->started) {
        runtime_end_call(co, CALL_CANCELLED, "cancelled");
        return;
    }
    struct co_end end;
    if (co_step(co, &end)) finish(co, &end);
}

/* Tools, tests and migrations may take long; nobody else should. */
static void run_sliced(struct runtime *rt, struct co *co) {
    const struct version *v = co->state->version;
    if ((v->kind & (KIND_TOOL | KIND_TEST | KIND_MIGRATION)) == 0 && co->cpu_wait_ns >= LONG_NS) {
        if (!co->told_long)
            log_warn("script_runs_long", L_TEXT("script", v->path), L_TEXT("version", v->id),
                     L_INT("cpu_ms", (int64_t)(co->cpu_wait_ns / 1000000)),
                     L_TEXT("advice", "it runs without a wait; a loop without end?"));
        co->told_long = true;
        if (co->state->replaced && co->kill == KILL_NONE) co->kill = KILL_CANCEL;
    }
    if (rt->stopping && co->kill == KILL_NONE) co->kill = KILL_CANCEL;
    run_one(co);
}

static void run_turn(struct task *task) {
    struct turn *turn = CONTAINER_OF(task, struct turn, task);
    struct runtime *rt = turn->rt;
    turn->posted = false;
    if (rt == NULL) {
        mem_free(turn);
        return;
    }
    const struct co *last = rt->ready.last; /* what gets ready in this turn waits for the next */
    bool sliced = rt->sliced.first != NULL;
    if (rt->first_build != NULL) { /* first: calls that never wait must not keep it from being */
        struct state *st = rt->first_build;
        rt->first_build = st->next_build;
        if (rt->first_build == NULL) rt->last_build = NULL;
        runtime_build(rt, st);
    }
    uint64_t began = budget_mono_ns();
    while (last != NULL && rt->ready.first != NULL) {
        bool was_last = rt->ready.first == last;
        run_one(queue_take(&rt->ready));
        if (was_last) break;
        if (!rt->options.no_slices && budget_mono_ns() - began >= TURN_NS) break;
    }
    if (sliced && rt->sliced.first != NULL) run_sliced(rt, queue_take(&rt->sliced));
    if (rt->ready.first != NULL || rt->sliced.first != NULL || rt->first_build != NULL)
        runtime_wake(rt);
}

/* ---- calls ---- */

static void deadline_fired(struct timer *timer) {
    struct co *co = CONTAINER_OF(timer, struct co, deadline);
    struct co_end end;
    if (co->phase == CO_QUEUED) {
        struct co **at = &co->state->waiting;
        while (*at != co)
            at = &(*at)->next;
        *at = co->next;
    } else if (co->phase == CO_READY) {
        unlink_ready(co->rt, co);
    }
    if (co->kill == KILL_NONE) co->kill = KILL_DEADLINE;
    if (co->started && co_step(co, &end))
        finish(co, &end);
    else
        runtime_end_call(co, CALL_BUDGET, "budget: the deadline of the call is past");
}

int script_call(struct runtime *rt, const struct call *call, struct ticket *ticket) {
    if (rt->closing) return E_CLOSED;
    if (rt->calls >= (size_t)rt->options.limits.calls) return E_BUSY;
    struct state *st = runtime_state(rt, call->version);
    bool fresh = st == NULL;
    if (fresh && (st = runtime_add_state(rt, call->version)) == NULL) return E_NOMEM;
    struct co *co = runtime_slot_new(rt);
    if (co == NULL) {
        if (fresh) {
            st->retired = true;
            runtime_leave_state(st);
        }
        return E_NOMEM;
    }
    uint32_t deadline_ms;
    co->state = st;
    co->call = *call;
    co->no_wait = st->version->kind == KIND_RULE;
    budget_defaults(st->version->kind, co, &deadline_ms);
    if (call->cpu_ms != 0) {
        bool same = co->held_ns == co->cpu_limit_ns;
        co->cpu_limit_ns = call->cpu_ms * 1000000ull;
        if (same || co->held_ns > co->cpu_limit_ns) co->held_ns = co->cpu_limit_ns;
    }
    if (call->deadline_ms != 0) deadline_ms = call->deadline_ms;
    timer_start(rt->options.loop, &co->deadline, deadline_ms, deadline_fired);
    rt->calls++;
    st->calls++;
    if (ticket != NULL) *ticket = (struct ticket){rt, co->slot, co->call_generation};
    if (st->phase == STATE_READY) {
        runtime_ready(co);
    } else {
        struct co **at = &st->waiting;
        while (*at != NULL)
            at = &(*at)->next;
        *at = co;
    }
    if (fresh) runtime_bound_versions(rt, call->version);
    return 0;
}

void script_cancel(struct ticket ticket) {
    struct co *co = ticket.runtime == NULL ? NULL : runtime_slot(ticket.runtime, ticket.slot);
    if (co == NULL || ticket.generation == 0 || co->call_generation != ticket.generation) return;
    if (co->kill != KILL_NONE) return;
    co->kill = KILL_CANCEL;
    switch (co->phase) {
    case CO_RUNNING: budget_arm(co); break;
    case CO_PARKED:
        drop_wait(co);
        runtime_ready(co);
        break;
    case CO_QUEUED: {
        struct co **at = &co->state->waiting;
        while (*at != co)
            at = &(*at)->next;
        *at = co->next;
        runtime_ready(co);
        break;
    }
    case CO_READY:
    case CO_FREE: break;
    }
}

void runtime_stop(struct runtime *rt) {
    rt->stopping = true;
}

/* ---- life ---- */

int runtime_new(struct runtime **out, const struct runtime_options *options) {
    struct runtime *rt = mem_zalloc(sizeof *rt);
    struct turn *turn = mem_zalloc(sizeof *turn);
    if (rt == NULL || turn == NULL) {
        mem_free(rt);
        mem_free(turn);
        return E_NOMEM;
    }
    rt->options = *options;
    struct runtime_limits *l = &rt->options.limits;
    if (l->call_bytes == 0) l->call_bytes = STATE_CALL_BYTES;
    if (l->state_bytes == 0) l->state_bytes = STATE_BYTES;
    if (l->live_versions == 0) l->live_versions = LIVE_VERSIONS;
    if (l->calls == 0) l->calls = CALLS_MAX;
    turn->task.run = run_turn;
    turn->rt = rt;
    rt->turn = turn;
    *out = rt;
    return 0;
}

size_t runtime_calls(const struct runtime *rt) {
    return rt->calls;
}

void runtime_close(struct runtime *rt) {
    if (rt->closing) return;
    rt->closing = true;
    for (size_t i = 0; i < rt->slot_count; i++) {
        struct co *co = rt->slots[i];
        if (co->phase == CO_FREE || co->boot) continue;
        if (co->phase == CO_QUEUED) co->state->waiting = NULL;
        runtime_end_call(co, CALL_CANCELLED, "cancelled: shutdown");
    }
    for (size_t i = 0; i < rt->slot_count; i++) {
        struct co *co = rt->slots[i];
        if (co->phase != CO_FREE) runtime_end_call(co, CALL_CANCELLED, "cancelled: shutdown");
    }
    for (int i = 0; i < BUCKETS; i++) {
        while (rt->states[i] != NULL) {
            rt->states[i]->retired = true;
            runtime_leave_state(rt->states[i]);
        }
    }
    rt->ready = rt->sliced = (struct queue){0}; /* its turn may still be posted */
    rt->first_build = rt->last_build = NULL;
}

void runtime_delete(struct runtime *rt) {
    if (rt == NULL) return;
    runtime_close(rt);
    for (size_t i = 0; i < rt->slot_count; i++)
        mem_free(rt->slots[i]);
    mem_free(rt->slots);
    if (rt->turn->posted)
        rt->turn->rt = NULL;
    else
        mem_free(rt->turn);
    mem_free(rt);
}
