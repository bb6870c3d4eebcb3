/* One test's engine: virtual time that begins at the same instant, numbers from a seed, a store in
 * memory, the root's scripts and their simulators, all of it on one thread. A test shares it with
 * nobody, so tests run in any order and end the same way each time.
 *
 *   test_rig_new (engine, scripts loaded) --> test_rig_call (one test) --> test_rig_delete
 *
 * Nothing of it is a thread or a socket, so a process may fork between new and call. */
#ifndef LUWAK_TEST_RIG_H
#define LUWAK_TEST_RIG_H

#include "base/buf.h"
#include "script/version.h"
#include "sys/config.h"

struct lua_State;
struct test_rig;
struct test_request;

struct test_rig_options {
    const struct config *config;
    const char *root;
    uint64_t seed;
    const struct buf
        *log; /* what the engine has logged since the test began, for t.log(); or NULL */
};

/* The settings of a test are nobody's environment: simulated, and defaults. */
int test_rig_config(struct config **out, struct why *why);

/* The order file of tests: its version, and its names in the order of its lines. */
struct test_names {
    struct test_name {
        char *text;
        int line;
    } * at;
    size_t count;
    const char *wrong; /* what the table is not */
    bool nomem;
};
int test_names_read(const struct version *v, const char *path, struct test_names *out,
                    struct why *why);
void test_names_free(struct test_names *names);

int test_rig_new(struct test_rig **out, const struct test_rig_options *options, struct why *why);

/* Runs tests[name] of a version, once. Why it failed is added to `failure`; empty: it passed. What
 * the function returned goes to `take`, if that is given. */
void test_rig_call(struct test_rig *rig, struct version *v, const char *name,
                   int (*take)(struct lua_State *L, int n, void *data), void *data,
                   struct buf *failure);

/* What was sent in the test, the newest first; see test_script.h. */
const struct test_request *test_rig_requests(const struct test_rig *rig);

void test_rig_delete(struct test_rig *rig);

#endif
