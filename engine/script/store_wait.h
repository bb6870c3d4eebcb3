/* Waiting for the store from a binding. The store cannot be told to forget a commit, so what it
 * answers to lives on the heap and outlasts a call that died meanwhile; the userdata on the
 * coroutine's stack only points there. */
#ifndef LUWAK_SCRIPT_STORE_WAIT_H
#define LUWAK_SCRIPT_STORE_WAIT_H

#include "script/co.h"
#include "store/store.h"

struct store_answer {
    struct ticket ticket;
    struct task task;
    bool abandoned; /* the call is gone */
    int err;
    int failed_op;
    char detail[256];
    struct rows *rows;
};

typedef int (*store_finish)(lua_State *L, const struct store_answer *answer);

struct store_wait {
    struct co_wait wait;
    struct store_answer *answer; /* NULL once it was dropped */
    store_finish finish;
};

/* Only ever as a tail call. They take the commit over, park, and come back in `finish`. */
int store_wait_commit(lua_State *L, struct commit *commit, enum lane lane, store_finish finish);
/* With a line of the audit log in the same commit: the key (or script) that this call is made for did
 * `action` to `object`. */
int store_wait_audited(lua_State *L, struct commit *commit, const char *action, struct str object,
                       store_finish finish);
int store_wait_query(lua_State *L, const char *name, const struct val *values, size_t count,
                     store_finish finish);
int store_wait_select(lua_State *L, const char *sql, const struct val *values, size_t count,
                      store_finish finish);

/* A commit that a Lua error cannot leak: a userdata pushed on the stack. store_wait_commit empties
 * it. */
struct commit *commit_push(lua_State *L);

/* Whoever submits it owns it: the userdata must not free it as well. */
void commit_release(lua_State *L, const struct commit *commit);

/* Rows that a Lua error cannot leak: a userdata pushed on the stack that frees what it points to.
 */
struct rows **rows_push(lua_State *L);

/* nil, text, CODE for a store error. */
int store_fail(lua_State *L, const struct store_answer *answer);

#endif
