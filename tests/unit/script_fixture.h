/* Versions made by hand, a runtime on the simulated loop, and calls that leave what came of them.
 */
#ifndef LUWAK_TESTS_SCRIPT_FIXTURE_H
#define LUWAK_TESTS_SCRIPT_FIXTURE_H

#include "base/rng.h"
#include "loop/loop.h"
#include "script/runtime.h"

/* texts: pairs (path, text), ended by NULL; the first is the script, the others are modules named
 * by their file name. The fixture holds one reference and frees all in fixture_drop. */
struct version *fixture_version(enum script_kind kind, const char *const *texts);
#define VERSION(kind, ...) fixture_version(kind, (const char *const[]){__VA_ARGS__, NULL})
/* One script named NAME.lua. */
struct version *fixture_script(enum script_kind kind, const char *name, const char *text);
void fixture_drop(struct version *v); /* fails the test when somebody still holds it */

struct fixture {
    struct clock clock;
    struct rng rng;
    struct loop *loop;
    struct runtime *rt;
    int64_t live; /* blocks before; -1: not compared */
};
void fixture_start(struct fixture *f, const struct runtime_limits *limits);
void fixture_stop(struct fixture *f); /* and checks that no block is left */

struct outcome {
    int done; /* how often */
    enum call_outcome outcome;
    char text[2100];
    char result[256]; /* the first result as text, "nil" without one */
    int results;
    uint64_t cpu_ns;
    size_t peak_bytes;
    const char *argument;   /* pushed when not NULL */
    lua_CFunction function; /* likewise: how a test gives a script a binding of its own */
    lua_State *main;        /* the state's main thread, seen by take */
    struct ticket ticket;
};
/* Starts a call of the function at `name` in the script's table; o must outlive it. */
int fixture_call(struct fixture *f, struct version *v, const char *name, struct outcome *o);
int fixture_call_within(struct fixture *f, struct version *v, const char *name, struct outcome *o,
                        uint32_t deadline_ms, uint32_t cpu_ms);

#endif
