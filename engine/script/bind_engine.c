/* bind_engine: sleeping. The pattern of every binding that waits: see co.h. */
#include "base/ensure.h"
#include "base/schedule.h"
#include "script/bind.h"
#include "script/co.h"

#define SLEEP_MAX_MS (24ll * 3600 * 1000)

struct sleep_op {
    struct co_wait wait;
    struct timer timer;
};

/* "250ms", "1s", "1h30m", or an integer of milliseconds; raises. */
static int64_t duration_arg(lua_State *L, int index) {
    if (lua_isinteger(L, index)) return lua_tointeger(L, index);
    struct str s;
    s.p = luaL_checklstring(L, index, &s.n);
    struct why why = {0};
    int64_t ms = 0;
    if (duration_parse(s, &ms, &why) != 0) luaL_argerror(L, index, why.text);
    return ms;
}

static void sleep_cancel(struct co_wait *wait) {
    timer_stop(&CONTAINER_OF(wait, struct sleep_op, wait)->timer);
}
static void sleep_fired(struct timer *timer) {
    co_wake(CONTAINER_OF(timer, struct sleep_op, timer)->wait.ticket);
}
static int sleep_done(lua_State *L, struct co_wait *wait) {
    (void)L, (void)wait;
    return 0;
}

static int l_sleep(lua_State *L) {
    int64_t ms = duration_arg(L, 1);
    luaL_argcheck(L, ms >= 0 && ms <= SLEEP_MAX_MS, 1, "from 0 to 24 hours");
    co_require_wait(L, "engine.sleep");
    struct sleep_op *op = lua_newuserdatauv(L, sizeof *op, 0);
    *op = (struct sleep_op){.wait.cancel = sleep_cancel};
    co_park(L, &op->wait);
    timer_start(co_loop(L), &op->timer, (uint64_t)ms, sleep_fired);
    return co_yield (L, sleep_done);
}

static const struct bind_fn functions[] = {
    {"sleep", l_sleep, KINDS_TRUSTED | KIND_SANDBOX, "time: string|integer",
     "waits; others run meanwhile"},
    {0},
};

const struct bind_module bind_engine = {"engine", "the engine itself", functions, NULL};
