/* Running calls: coroutines, their tickets, and the engine's only lua_resume.
 *
 * A call runs in a coroutine of its version's state. When a binding must wait it parks the call on
 * one pending operation and yields; whoever completes the operation holds a ticket (slot +
 * generation), never a lua_State *: a late or second completion finds the generation gone and is
 * dropped.
 *
 *   static int l_sleep(lua_State *L) {
 *       struct sleep_op *op = lua_newuserdatauv(L, sizeof *op, 0);   on the coroutine's stack
 *       ...everything that can raise...
 *       op->wait.cancel = sleep_cancel;
 *       co_park(L, &op->wait);                                       the call waits on op from here
 *       timer_start(co_loop(L), &op->timer, ms, sleep_fired);
 *       return co_yield(L, sleep_done);                              only ever as a tail call
 *   }
 *   static void sleep_fired(struct timer *t) { co_wake(...op->wait.ticket); }
 *   static int sleep_done(lua_State *L, struct co_wait *wait) {      protected, inside the resume
 *       return 0;                                                    pushes results as a C function
 *   }
 *
 * Nothing of Lua is touched between co_park and the wake, so nothing can raise while the operation
 * is in flight. If the call dies first (deadline, memory, reload, shutdown), `cancel` is called
 * once and must leave nothing that still points at the wait. */
#ifndef LUWAK_SCRIPT_CO_H
#define LUWAK_SCRIPT_CO_H

#include "base/clock.h"
#include "loop/loop.h"

#include <lua.h>

struct runtime;
struct co;
struct version;

struct ticket {
    struct runtime *runtime;
    uint32_t slot;
    uint32_t generation; /* 0: never valid */
};

struct co_wait {
    struct ticket ticket;
    void (*cancel)(struct co_wait *wait); /* the call is gone: undo, drop every pointer to wait */
};

/* The running call of a state: set in the coroutine's extra space. */
struct co *co_of(lua_State *L);
struct runtime *co_runtime(lua_State *L);
struct loop *co_loop(lua_State *L);
const struct version *co_version(lua_State *L);
void *co_data(lua_State *L); /* what the caller of script_call gave: the call's context */

/* Raises "NAME: not inside a fee rule / not in a sort callback" when this call cannot wait here. */
void co_require_wait(lua_State *L, const char *name);

void co_park(lua_State *L, struct co_wait *wait);
int co_yield (lua_State *L, int (*finish)(lua_State *L, struct co_wait *wait));

/* On the runtime's loop. Resumes the call that waits with this ticket; false: nobody does any more.
 */
bool co_wake(struct ticket ticket);

/* Ends the call here, whatever the script holds around it: no pcall goes on after it. */
_Noreturn void co_refuse(lua_State *L, const char *why);

/* What must happen at the end of the call even when it is killed, and its coroutine dropped as it
 * stands. `ended` runs on the runtime's loop, without Lua, before anything of the call is freed;
 * the hook is off by then. */
struct co_end_hook {
    struct co *co; /* NULL: not on */
    struct co_end_hook *next;
    void (*ended)(struct co_end_hook *hook);
};
void co_end_hook(lua_State *L, struct co_end_hook *hook);
void co_end_unhook(struct co_end_hook *hook); /* nothing where it is not on */

/* Charges `n` bytes outside Lua's allocator to the running call; raises over the cap. */
void co_charge(lua_State *L, size_t n);

/* To be called in C loops of bindings that may run long: raises once the deadline is past. */
void co_check(lua_State *L);

#endif
