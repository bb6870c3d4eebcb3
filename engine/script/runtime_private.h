/* The worker's runtime, for runtime.c (calls and turns) and runtime_states.c (states: found, built,
 * left) only. */
#ifndef LUWAK_SCRIPT_RUNTIME_PRIVATE_H
#define LUWAK_SCRIPT_RUNTIME_PRIVATE_H

#include "script/co_private.h"

#define BUCKETS 64

struct turn { /* lives until the loop ran it, which may be after the runtime */
    struct task task;
    struct runtime *rt;
    bool posted;
};

struct queue {
    struct co *first, *last;
};

struct runtime {
    struct runtime_options options;
    struct turn *turn;
    struct state *states[BUCKETS]; /* by serial of the version */
    struct state *first_build, *last_build;
    struct co **slots;
    size_t slot_count, slot_room;
    struct co *free;            /* slots without a call */
    struct queue ready, sliced; /* sliced: used up a slice and goes on when it is its turn */
    size_t calls;               /* started and not ended, main chunks not counted */
    uint32_t generation;
    bool stopping; /* calls that do not wait are cancelled */
    bool closing;
};

/* runtime.c */
void runtime_wake(struct runtime *rt); /* a turn is due */
struct co *runtime_slot_new(struct runtime *rt);
void runtime_slot_free(struct co *co);
void runtime_end_call(struct co *co, enum call_outcome outcome, const char *text);

/* runtime_states.c */
struct state *runtime_state(struct runtime *rt, const struct version *v); /* NULL: none serves it */
struct state *runtime_add_state(struct runtime *rt, struct version *v);   /* to be built; NULL */
void runtime_leave_state(struct state *st); /* if it is retired and idle */
void runtime_bound_versions(struct runtime *rt, const struct version *v);
void runtime_build(struct runtime *rt, struct state *st);
void runtime_boot_ended(struct co *co, const struct co_end *end);

#endif
