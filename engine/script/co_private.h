/* The insides of a running call, for co.c, runtime.c, budget.c, state.c and what bounds a call. */
#ifndef LUWAK_SCRIPT_CO_PRIVATE_H
#define LUWAK_SCRIPT_CO_PRIVATE_H

#include "script/runtime.h"
#include "script/state.h"

/*            script_call
 *                |
 *  QUEUED --state ready--> READY --turn--> RUNNING --> finished
 *                            ^                | |
 *                            |<--slice used---+ |
 *                            +<--wake-- PARKED<-+       any --kill--> finished
 */
enum co_phase { CO_FREE, CO_QUEUED, CO_READY, CO_RUNNING, CO_PARKED };

enum co_kill {
    KILL_NONE,
    KILL_CPU,
    KILL_HELD,
    KILL_DEADLINE,
    KILL_MEMORY,
    KILL_CANCEL,
    KILL_REFUSED
};

struct co {
    struct co *next; /* in the ready, waiting or free list */
    struct runtime *rt;
    struct state *state;
    lua_State *L;
    uint32_t slot;
    uint32_t call_generation; /* of script_call's ticket */
    uint32_t wait_generation; /* of the wait; 0: nothing to wake */
    enum co_phase phase;
    char place[96];    /* "channels/x.lua:12: " where the budget ended; or empty */
    char refused[96];  /* KILL_REFUSED: what for */
    enum co_kill kill; /* set once; from then on the call only dies */
    bool boot;         /* runs a main chunk */
    bool no_wait;      /* a rule or a main chunk: may not wait */
    bool may_pause;    /* long ones give way to others: not aside, not in a simulation */
    bool sliced;       /* yielded by the hook, not by a binding */
    bool woken;        /* while it was still running */
    bool started;
    bool told_long; /* the log knows that it runs long */
    int pcalls;     /* nested now */
    struct call call;
    int take_error; /* what take() returned */
    struct co_end_hook *hooks;
    struct co_wait *wait;
    int (*finish)(lua_State *L, struct co_wait *wait);
    struct timer deadline;

    /* budget; real clocks, also in a simulation, where virtual time stands still while Lua runs */
    uint64_t cpu_limit_ns; /* between two waits */
    uint64_t cpu_wait_ns;  /* used since the last wait, without this slice */
    uint64_t cpu_total_ns;
    uint64_t slice_mono_ns; /* when this slice began */
    uint64_t slice_cpu_ns;
    uint64_t slice_ns;     /* pause after so much */
    uint64_t held_ns;      /* die after so much where a pause is not possible */
    uint64_t held_from_ns; /* of the slice: where it was seen last that it could have paused */
    int interval;          /* what the hook is armed with */
    int64_t bytes;         /* charged to this call */
    int64_t outside;       /* part of bytes that is not Lua's */
    int64_t peak;

    struct { /* bind_log.c */
        int lines;
        size_t bytes;
        int dropped;             /* lines that were too much */
        struct co_end_hook told; /* at the end, how many */
    } log;
};

/* budget.c */
uint64_t budget_mono_ns(void);    /* real time, also in a simulation */
void budget_begin(struct co *co); /* before each lua_resume */
void budget_end(struct co *co);   /* after it */
void budget_arm(struct co *co);   /* the hook fires at the next instruction */
_Noreturn void budget_raise(lua_State *L);
void budget_defaults(enum script_kind kind, struct co *co, uint32_t *deadline_ms);
/* Of a main chunk that is looked at aside: it runs to its end on the loop of whoever looks. That of a
 * server is the main one, where until then no signal, no command and no other script has its turn. */
void budget_aside(enum script_kind kind, struct co *co);
const char *budget_text(const struct co *co, char *out, size_t size);

/* co.c */
struct co_end {
    enum call_outcome outcome;
    char text[2048];
};
void co_run_hooks(struct co *co);
void co_begin(struct co *co); /* a fresh coroutine: the first co_step runs the call */
/* Runs until it pauses, parks or ends; true: it ended, see end. */
bool co_step(struct co *co, struct co_end *end);

/* runtime.c */
uint32_t runtime_generation(struct runtime *rt);
void runtime_ready(struct co *co);
struct co *runtime_slot(struct runtime *rt, uint32_t slot);

#endif
