/* A Lua state of one version on one worker: its memory, its environment, its spare coroutines.
 * Private to script/: bindings use co.h. */
#ifndef LUWAK_SCRIPT_STATE_H
#define LUWAK_SCRIPT_STATE_H

#include "base/err.h"
#include "script/runtime.h"
#include "script/version.h"

#include <lua.h>

#define STATE_IDLE_MAX     16                /* coroutines kept for reuse */
#define STATE_CLASSES      24                /* blocks by power of two, from STATE_BIG up */
#define STATE_BIG          (16u << 10)       /* blocks from here on make the hook fire more often */
#define STATE_STRING_MAX   ((1u << 20) + 64) /* one string of a caged script, with its header */
#define STATE_KEYS_MAX     (2u << 20)        /* the keys of one table: 65,536 */
#define STATE_BYTES        (16u << 20)
#define STATE_CALL_BYTES   (8u << 20)
#define STATE_TRUSTED_MORE 16 /* trusted kinds: this many times the memory of a caged one */

enum state_phase {
    STATE_WANTED,  /* waits for its turn to be built */
    STATE_BOOTING, /* its main chunk runs */
    STATE_READY,
    STATE_BROKEN, /* did not build: calls fail with `trouble` */
};

struct state {
    struct state *next;       /* in the runtime's list */
    struct state *next_build; /* in the runtime's build queue */
    lua_State *L;             /* main thread: never runs script code */
    struct runtime *rt;       /* NULL: loaded aside */
    struct version *version;  /* kept */
    enum state_phase phase;
    bool caged;
    bool retired;       /* takes no new calls; closed when the last one ends */
    bool replaced;      /* its version was replaced or deleted */
    int calls;          /* that are in it or wait for it */
    struct co *waiting; /* calls that wait for STATE_READY, first in first out */
    struct co *boot;    /* runs the main chunk */
    char *trouble;      /* why it is broken */

    size_t bytes;                /* Lua's blocks */
    size_t max_bytes;            /* cap of the state */
    size_t call_bytes;           /* cap of one call */
    size_t max_string;           /* cap of one string; SIZE_MAX: none */
    size_t max_keys;             /* cap of one table's keys; SIZE_MAX: none */
    bool starved;                /* memory itself was short, not a cap's worth of it */
    size_t spent;                /* big allocations since the hook last looked */
    struct co *running;          /* who is charged; NULL: the engine */
    uint32_t big[STATE_CLASSES]; /* live blocks by size */
    int classes;                 /* highest class with a block, plus one */

    lua_State *idle[STATE_IDLE_MAX];
    int idle_count;
};

/* Fills st (zeroed but for version and rt) and makes the state with its environment; no script code
 * runs. On failure everything is given back but the struct. */
int state_open(struct state *st, const struct runtime_limits *limits, struct why *why);
void state_close(struct state *st);

/* A coroutine anchored in the state; NULL without memory. */
lua_State *state_take_thread(struct state *st);
void state_give_thread(struct state *st, lua_State *thread, bool clean);

/* Instructions between two looks of the budget hook: fewer while huge blocks are about, as one
 * instruction can then take long (comparing, concatenating, converting). */
int state_interval(const struct state *st);

/* Pushes the function of a part, with the state's environment; raises. */
void state_push_part(lua_State *L, const struct part *part);
void state_push_env(lua_State *L);
void state_push_script(lua_State *L); /* the table the script returned, or nil */
void state_set_script(lua_State *L);  /* pops it */
struct state *state_of(lua_State *L);
int state_require(lua_State *L); /* the scripts' `require` */

#endif
