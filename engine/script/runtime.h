/* The scripts of one worker: one Lua state per version that was needed, and the calls that run.
 * Single-threaded: everything here happens on the worker's loop, except that a retired state is
 * closed off it. */
#ifndef LUWAK_SCRIPT_RUNTIME_H
#define LUWAK_SCRIPT_RUNTIME_H

#include "base/err.h"
#include "script/co.h"
#include "script/version.h"

struct pool;
struct engine; /* what bindings reach through runtime_engine(): store, transport, secrets ... */

struct runtime_limits {
    size_t call_bytes;  /* 8 MB */
    size_t state_bytes; /* 16 MB */
    int live_versions;  /* 8 per script */
    int calls;          /* running at once, this worker */
};

struct runtime_options {
    struct loop *loop;
    struct engine *engine;
    struct rng *rng;
    struct pool *pool; /* for blocking work of bindings; NULL: it is done at once, on the loop */
    bool no_slices;    /* simulation: a call is not paused by the real clock, which no seed knows */
    struct runtime_limits limits; /* zero: the defaults above */
    void (*close_state)(
        lua_State *state); /* how to close off the loop; NULL: at once (simulation) */
};

int runtime_new(struct runtime **out, const struct runtime_options *options);

/* The end, in two steps: close cancels what runs, as unknown outcomes, and refuses what comes; what
 * the store and the pool still answer finds it closed. Delete once they have nothing more to say.
 */
void runtime_close(struct runtime *rt);
void runtime_delete(struct runtime *rt);        /* closes it if that is not done */
size_t runtime_calls(const struct runtime *rt); /* started and not ended */
struct engine *runtime_engine(struct runtime *rt);
struct loop *runtime_loop(struct runtime *rt);
struct rng *runtime_rng(struct runtime *rt);
struct pool *runtime_pool(struct runtime *rt);

enum call_outcome {
    CALL_RETURNED,  /* take() has seen the results */
    CALL_RAISED,    /* script error; traceback in `text` */
    CALL_BUDGET,    /* deadline or memory */
    CALL_CANCELLED, /* version retired, shutdown */
};

struct call_result {
    enum call_outcome outcome;
    const char *text; /* error with traceback (file:line), or NULL */
    uint64_t cpu_ns;
    size_t peak_bytes;
};

struct call {
    struct version *version;
    const char *const
        *entry; /* path into the returned table, NULL-ended: {"routes", "GET /x", "run"} */
    uint32_t deadline_ms; /* wall (monotonic) for the whole call, waits included; 0: the kind's */
    uint32_t cpu_ms;      /* running time between two waits; 0: the kind's default */
    void *data;           /* co_data() inside bindings */
    int (*push)(lua_State *L, void *data); /* protected: pushes arguments, returns how many */
    int (*take)(lua_State *L, int n, void *data); /* protected: reads n results; nonzero: E_ code */
    void (*done)(const struct call_result *result,
                 void *data); /* exactly once, never inside start */
};

/* Starts the call; if the version has no state here yet it is made first (at most one per loop
 * turn, the call waits its turn). */
int script_call(struct runtime *rt, const struct call *call, struct ticket *ticket);
void script_cancel(struct ticket ticket); /* done() comes with CALL_CANCELLED */

/* Loads a version aside and runs its main chunk with only the registration functions and a time
 * limit; `look` sees the returned table at index 1. For the checker and the registry; no worker
 * needed. */
int script_load_aside(const struct version *v, int (*look)(lua_State *L, void *data), void *data,
                      struct why *why);

/* What options.close_state ends in, on any one thread: lua_close and all that belongs to the state
 * (never call lua_close itself). */
void script_close_state(lua_State *state);

/* Pushes the state's `ctx` table (the bindings of modules "ctx" and "ctx.x"): for call.push. */
void script_push_ctx(lua_State *L);

/* The tag of a value made by pending{}, reply(), none, deny, allow ...: "pending", "reply",
 * "none", "deny", "allow"; NULL for anything else. Raw: never runs script
 * code. */
const char *script_tag(lua_State *L, int index);
void script_set_tag(lua_State *L, const char *tag); /* tags the table on top */

void runtime_retire(struct runtime *rt,
                    const struct version *v); /* no new calls; close when idle; a call that goes
                                                 on without a wait is cancelled */
void runtime_stop(struct runtime *rt); /* from now on a call that takes more than one slice without
                                          a wait is cancelled; those that wait go on */

#endif
