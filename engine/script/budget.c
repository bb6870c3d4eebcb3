/* budget: how long a call may run. A count hook looks at the clock; where the call can yield it
 * yields (to let the loop turn, or to die unseen), where it cannot (inside a sort comparator or a
 * gsub callback) it goes on a little and then dies by an error. That error cannot be held: the
 * scripts' pcall raises it again, and the hook, armed at every instruction, kills whatever frame
 * still tries to run.
 *
 * Time is the thread's CPU time, read only once real time says that it could matter: a virtual
 * clock stands still while Lua runs, and a busy machine must not cost a script its budget. */
#include "base/ensure.h"
#include "script/cage.h"
#include "script/co_private.h"

#include <lauxlib.h>
#include <stdio.h>
#include <time.h>

#define MS            1000000u
#define SAMPLE_NS     (1u * MS)
#define SLICE_NS      (5u * MS)
#define HELD_NS       (12u * MS)  /* a caged call that cannot pause */
#define HELD_MORE_NS  (100u * MS) /* a trusted one: its worker serves nobody meanwhile */
#define ASIDE_NS      (100u * MS)
#define KINDS_PATIENT (KIND_TOOL | KIND_MIGRATION | KIND_TEST) /* run by command, not served */

uint64_t budget_mono_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void budget_defaults(enum script_kind kind, struct co *co, uint32_t *deadline_ms) {
    uint64_t cpu_ms = 100;
    *deadline_ms = 60 * 1000;
    if (kind == KIND_RULE) {
        cpu_ms = 50;
        *deadline_ms = 1000;
    } else if (kind & (KIND_API | KIND_PAGE)) {
        cpu_ms = 1000;
        *deadline_ms = 30 * 1000;
    } else if (kind == KIND_JOB) {
        cpu_ms = 10 * 1000;
        *deadline_ms = 10 * 60 * 1000;
    } else if (kind & KINDS_PATIENT) {
        cpu_ms = 3600 * 1000;
        *deadline_ms = 24 * 3600 * 1000;
    }
    co->cpu_limit_ns = cpu_ms * MS;
    co->slice_ns = SLICE_NS;
    co->held_ns = kind & KINDS_PATIENT   ? co->cpu_limit_ns
                  : kind & KINDS_TRUSTED ? HELD_MORE_NS
                                         : HELD_NS;
}

void budget_aside(enum script_kind kind, struct co *co) {
    uint32_t deadline_ms;
    budget_defaults(kind, co, &deadline_ms);
    if (kind & KINDS_PATIENT) return;
    if (co->cpu_limit_ns > ASIDE_NS) co->cpu_limit_ns = ASIDE_NS;
    if (co->held_ns > ASIDE_NS) co->held_ns = ASIDE_NS;
}

const char *budget_text(const struct co *co, char *out, size_t size) {
    switch (co->kill) {
    case KILL_CPU:
        snprintf(out, size, "budget: ran %llu ms without a wait, allowed are %llu",
                 (unsigned long long)(co->cpu_wait_ns / MS),
                 (unsigned long long)(co->cpu_limit_ns / MS));
        break;
    case KILL_HELD:
        snprintf(out, size, "budget: ran %llu ms where it cannot pause (sort or gsub callback)",
                 (unsigned long long)(co->held_ns / MS));
        break;
    case KILL_DEADLINE: snprintf(out, size, "budget: the deadline of the call is past"); break;
    case KILL_MEMORY: snprintf(out, size, "budget: out of memory for this call"); break;
    case KILL_CANCEL: snprintf(out, size, "cancelled"); break;
    case KILL_REFUSED: snprintf(out, size, "not verified: %s", co->refused); break;
    case KILL_NONE: snprintf(out, size, "no error"); break;
    }
    return out;
}

_Noreturn void budget_raise(lua_State *L) {
    struct co *co = co_of(L);
    budget_arm(co);
    lua_pushlightuserdata(L, (void *)&budget_raise);
    lua_error(L);
    __builtin_unreachable();
}

_Noreturn void co_refuse(lua_State *L, const char *why) {
    struct co *co = co_of(L);
    luaL_where(L, 1);
    snprintf(co->place, sizeof co->place, "%s", lua_tostring(L, -1));
    snprintf(co->refused, sizeof co->refused, "%s", why);
    if (co->kill == KILL_NONE) co->kill = KILL_REFUSED;
    budget_raise(L);
}

/* What the clock says: go on, pause, or die (then co->kill says of what). */
enum look { LOOK_FINE, LOOK_PAUSE, LOOK_DIE };

static enum look look(struct co *co) {
    uint64_t ran = budget_mono_ns() - co->slice_mono_ns;
    uint64_t left = co->cpu_limit_ns > co->cpu_wait_ns ? co->cpu_limit_ns - co->cpu_wait_ns : 0;
    if (ran < co->slice_ns && ran < left) return LOOK_FINE;
    uint64_t cpu = clock_thread_cpu_ns() - co->slice_cpu_ns;
    if (cpu >= left) {
        co->kill = KILL_CPU;
        return LOOK_DIE;
    }
    if (cpu < co->slice_ns) return LOOK_FINE;
    if (lua_isyieldable(co->L)) {
        if (co->may_pause) return LOOK_PAUSE;
        co->held_from_ns = cpu; /* in a simulation slices do not end: only the held part counts */
        return LOOK_FINE;
    }
    if (cpu - co->held_from_ns < co->held_ns) return LOOK_FINE;
    co->kill = KILL_HELD;
    return LOOK_DIE;
}

/* Only here is the line right: a coroutine that yielded in a hook stands one instruction back. */
static void note_place(lua_State *L, lua_Debug *ar, struct co *co) {
    if (co->place[0] == '\0' && lua_getinfo(L, "Sl", ar) != 0 && ar->currentline > 0)
        snprintf(co->place, sizeof co->place, "%s:%d: ", ar->short_src, ar->currentline);
}

static void hook(lua_State *L, lua_Debug *ar) {
    struct co *co = co_of(L);
    enum look seen = co->kill != KILL_NONE ? LOOK_DIE : look(co);
    if (seen == LOOK_DIE) {
        note_place(L, ar, co);
        budget_arm(co);
        if (lua_isyieldable(L)) {
            lua_yield(L, 0); /* co_step sees co->kill and never resumes */
            return;
        }
        budget_raise(L);
    }
    int interval = state_interval(co->state);
    if (interval != co->interval) {
        co->interval = interval;
        lua_sethook(L, hook, LUA_MASKCOUNT, interval);
    }
    if (seen == LOOK_PAUSE) {
        co->sliced = true;
        lua_yield(L, 0);
    }
}

/* Arming walks all frames of the coroutine, so an armed one is left alone: a chain of ten thousand
 * pcalls that unwinds would walk itself at each. */
void budget_arm(struct co *co) {
    if (co->interval == 1) return;
    co->interval = 1;
    lua_sethook(co->L, hook, LUA_MASKCOUNT, 1);
}

/* Reading the thread's CPU time is a system call, dearer than a small call of a script. So it is
 * read once a millisecond at most; a slice counts from the last reading, up to SAMPLE_NS too much,
 * and what was shorter than that is taken by real time. */
static _Thread_local uint64_t sampled_mono_ns, sampled_cpu_ns;

static void sample(uint64_t mono) {
    sampled_mono_ns = mono;
    sampled_cpu_ns = clock_thread_cpu_ns();
}

void budget_begin(struct co *co) {
    co->slice_mono_ns = budget_mono_ns();
    if (co->slice_mono_ns - sampled_mono_ns > SAMPLE_NS) sample(co->slice_mono_ns);
    co->slice_cpu_ns = sampled_cpu_ns;
    co->held_from_ns = 0;
    co->interval = state_interval(co->state);
    lua_sethook(co->L, hook, LUA_MASKCOUNT, co->interval);
}

void budget_end(struct co *co) {
    uint64_t now = budget_mono_ns(), used = now - co->slice_mono_ns;
    if (used > SAMPLE_NS) {
        sample(now);
        used = sampled_cpu_ns - co->slice_cpu_ns;
    }
    co->cpu_wait_ns += used;
    co->cpu_total_ns += used;
}

void co_check(lua_State *L) {
    struct co *co = co_of(L);
    if (co == NULL) return;
    if (co->kill == KILL_NONE && look(co) != LOOK_DIE) return;
    budget_raise(L);
}

bool co_pause_due(lua_State *L) {
    struct co *co = co_of(L);
    if (co == NULL) return false;
    enum look seen = co->kill != KILL_NONE ? LOOK_DIE : look(co);
    if (seen == LOOK_DIE) budget_raise(L);
    if (seen == LOOK_PAUSE) co->sliced = true;
    return seen == LOOK_PAUSE;
}

void cage_enter(lua_State *L) {
    struct co *co = co_of(L);
    if (co != NULL && co->kill != KILL_NONE) budget_raise(L);
}

void cage_spent(lua_State *L, size_t n) {
    struct co *co = co_of(L);
    if (co == NULL) return;
    co->state->spent += n * 16;
    if (co->state->spent < (256u << 10)) return;
    co->state->spent = 0;
    budget_arm(co);
}

void co_charge(lua_State *L, size_t n) {
    struct co *co = co_of(L);
    if (co == NULL) return;
    if (n > co->state->call_bytes || co->bytes + (int64_t)n > (int64_t)co->state->call_bytes) {
        co->kill = KILL_MEMORY;
        budget_raise(L);
    }
    co->bytes += (int64_t)n;
    co->outside += (int64_t)n;
    if (co->bytes > co->peak) co->peak = co->bytes;
}
