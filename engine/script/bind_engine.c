/* bind_engine: sleeping. The pattern of every binding that waits: see co.h. */
#include "base/ensure.h"
#include "base/str.h"
#include "script/bind.h"
#include "script/co.h"

#define SLEEP_MAX_MS (24ll * 3600 * 1000)

struct sleep_op {
    struct co_wait wait;
    struct timer timer;
};

/* "250ms", "1s", "5m", "24h", "30d", or an integer of milliseconds; raises. */
static int64_t duration_arg(lua_State *L, int index) {
    if (lua_isinteger(L, index)) return lua_tointeger(L, index);
    struct str s;
    s.p = luaL_checklstring(L, index, &s.n);
    size_t digits = 0;
    while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
        digits++;
    static const struct {
        struct str unit;
        int64_t ms;
    } units[] = {{STR("ms"), 1},
                 {STR("s"), 1000},
                 {STR("m"), 60000},
                 {STR("h"), 3600000},
                 {STR("d"), 86400000}};
    int64_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (!str_eq(str_sub(s, digits, s.n), units[i].unit)) continue;
        if (str_to_i64(str_sub(s, 0, digits), &n) != 0) break;
        if (__builtin_mul_overflow(n, units[i].ms, &n)) break;
        return n;
    }
    return luaL_argerror(L, index, "a duration such as \"250ms\", \"1s\", \"5m\", \"24h\"");
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
