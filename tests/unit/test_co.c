/* Waiting calls: tickets, wakes, deadlines, cancels, errors behind a wait. */
#include "base/mem.h"
#include "script_fixture.h"
#include "unit.h"

#include <lauxlib.h>

/* A binding that waits until the test wakes it. */
static struct co_wait *waiting;
static int cancels;

static void wait_cancel(struct co_wait *wait) {
    CHECK(wait == waiting);
    waiting = NULL;
    cancels++;
}
static int wait_done(lua_State *L, struct co_wait *wait) {
    CHECK(wait == waiting);
    waiting = NULL;
    lua_pushliteral(L, "woken");
    return 1;
}
static int wait_done_raises(lua_State *L, struct co_wait *wait) {
    (void)wait;
    waiting = NULL;
    return luaL_error(L, "the answer is bad");
}
static int wait_with(lua_State *L, int (*finish)(lua_State *, struct co_wait *)) {
    co_require_wait(L, "wait");
    struct co_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct co_wait){.cancel = wait_cancel};
    waiting = w;
    co_park(L, w);
    return co_yield (L, finish);
}
static int l_wait(lua_State *L) {
    return wait_with(L, wait_done);
}
static int l_wait_raises(lua_State *L) {
    return wait_with(L, wait_done_raises);
}
/* Completed before the call has even yielded. */
static int l_wait_early(lua_State *L) {
    co_require_wait(L, "wait");
    struct co_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct co_wait){.cancel = wait_cancel};
    waiting = w;
    co_park(L, w);
    CHECK(co_wake(w->ticket));
    CHECK(!co_wake(w->ticket));
    return co_yield (L, wait_done);
}

static const char SCRIPT[] =
    "return {\n"
    "  wait = function(w) return w() end,\n"
    "  twice = function(w) return w() .. w() end,\n"
    "  held = function(w) local ok, e = pcall(w) return ok and e end,\n"
    "  caught = function(w) local ok, e = pcall(w) return e end,\n"
    "  sort = function(w) table.sort({ 2, 1 }, function() w() end) end,\n"
    "  meta = function(w)\n"
    "    return setmetatable({}, { __index = function() return w() end }).x\n"
    "  end,\n"
    "  sleep = function() engine.sleep('1s') return 'slept' end,\n"
    "  sleeps = function(s) engine.sleep(s) return 'slept' end,\n"
    "}\n";

struct world {
    struct fixture f;
    struct version *v;
};

static void start(struct world *w) {
    cancels = 0;
    waiting = NULL;
    fixture_start(&w->f, NULL);
    w->v = fixture_script(KIND_JOB, "a", SCRIPT);
}
static void stop(struct world *w) {
    fixture_stop(&w->f);
    fixture_drop(w->v);
}

static void sleeping_takes_its_time(void **state) {
    (void)state;
    struct world w;
    start(&w);
    struct outcome o = {0};
    CHECK_OK(fixture_call(&w.f, w.v, "sleep", &o));
    loop_sim_run_for(w.f.loop, 999);
    CHECK_INT(o.done, 0);
    loop_sim_run_for(w.f.loop, 1);
    CHECK_INT(o.done, 1);
    CHECK_STR(str_of(o.result), "slept");
    CHECK_INT(lua_gettop(o.main), 0);
    CHECK_INT(loop_sim_next_ms(w.f.loop), -1); /* the deadline's timer is gone too */
    stop(&w);
}

static void durations_are_strict(void **state) {
    (void)state;
    struct world w;
    start(&w);
    const char *bad[] = {"", "1", "s", "-1s", "1.5s", "1 s", "25h", "99999999999999999999d", "1w"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct outcome o = {.argument = bad[i]};
        CHECK_OK(fixture_call(&w.f, w.v, "sleeps", &o));
        loop_sim_drain(w.f.loop);
        CHECK_INT(o.outcome, CALL_RAISED);
    }
    stop(&w);
}

static void a_wake_resumes_once(void **state) {
    (void)state;
    struct world w;
    start(&w);
    struct outcome o = {.function = l_wait};
    CHECK_OK(fixture_call(&w.f, w.v, "twice", &o));
    loop_sim_drain(w.f.loop);
    CHECK(waiting != NULL);
    struct ticket first = waiting->ticket;
    CHECK(co_wake(first));
    CHECK(!co_wake(first));
    loop_sim_drain(w.f.loop);
    CHECK(waiting != NULL); /* the second wait */
    CHECK(!co_wake(first)); /* the old ticket is dead */
    CHECK_INT(o.done, 0);
    CHECK(co_wake(waiting->ticket));
    loop_sim_drain(w.f.loop);
    CHECK_INT(o.done, 1);
    CHECK_STR(str_of(o.result), "wokenwoken");
    CHECK_INT(cancels, 0);
    stop(&w);
}

static void a_wake_may_come_before_the_yield(void **state) {
    (void)state;
    struct world w;
    start(&w);
    struct outcome o = {.function = l_wait_early};
    CHECK_OK(fixture_call(&w.f, w.v, "twice", &o));
    loop_sim_drain(w.f.loop);
    CHECK_STR(str_of(o.result), "wokenwoken");
    stop(&w);
}

static void a_late_ticket_does_not_reach_the_next_call(void **state) {
    (void)state;
    struct world w;
    start(&w);
    struct outcome a = {.function = l_wait}, b = {.function = l_wait};
    CHECK_OK(fixture_call(&w.f, w.v, "wait", &a));
    loop_sim_drain(w.f.loop);
    struct ticket old = waiting->ticket;
    script_cancel(a.ticket);
    loop_sim_drain(w.f.loop);
    CHECK_INT(a.outcome, CALL_CANCELLED);
    CHECK_OK(fixture_call(&w.f, w.v, "wait", &b));
    CHECK_INT(b.ticket.slot, a.ticket.slot);
    loop_sim_drain(w.f.loop);
    CHECK(!co_wake(old));
    script_cancel(a.ticket); /* of the dead call: touches nobody */
    loop_sim_drain(w.f.loop);
    CHECK_INT(b.done, 0);
    CHECK(co_wake(waiting->ticket));
    loop_sim_drain(w.f.loop);
    CHECK_STR(str_of(b.result), "woken");
    CHECK_INT(cancels, 1);
    stop(&w);
}

static void a_deadline_ends_a_parked_call(void **state) {
    (void)state;
    struct world w;
    start(&w);
    struct outcome o = {.function = l_wait};
    CHECK_OK(fixture_call_within(&w.f, w.v, "held", &o, 500, 0));
    loop_sim_drain(w.f.loop);
    struct ticket t = waiting->ticket;
    loop_sim_run_for(w.f.loop, 499);
    CHECK_INT(o.done, 0);
    loop_sim_run_for(w.f.loop, 1);
    CHECK_INT(o.done, 1);
    CHECK_INT(o.outcome, CALL_BUDGET);
    CHECK(strstr(o.text, "deadline") != NULL);
    CHECK(strstr(o.text, "channels/a.lua:4:") != NULL); /* where it waited */
    CHECK_INT(cancels, 1);
    CHECK(!co_wake(t));
    stop(&w);
}

static void a_cancel_undoes_the_wait_once(void **state) {
    (void)state;
    struct world w;
    start(&w);
    struct outcome o = {.function = l_wait};
    CHECK_OK(fixture_call(&w.f, w.v, "wait", &o));
    loop_sim_drain(w.f.loop);
    script_cancel(o.ticket);
    script_cancel(o.ticket);
    CHECK_INT(cancels, 1);
    CHECK_INT(o.done, 0); /* never inside */
    loop_sim_drain(w.f.loop);
    CHECK_INT(o.done, 1);
    CHECK_INT(o.outcome, CALL_CANCELLED);
    CHECK_INT(cancels, 1);
    stop(&w);
}

static void a_cancel_before_the_start_is_enough(void **state) {
    (void)state;
    struct world w;
    start(&w);
    struct outcome a = {.function = l_wait}, b = {.function = l_wait};
    CHECK_OK(fixture_call(&w.f, w.v, "wait", &a)); /* the state is not built yet */
    script_cancel(a.ticket);
    loop_sim_drain(w.f.loop);
    CHECK_INT(a.outcome, CALL_CANCELLED);
    CHECK_OK(fixture_call(&w.f, w.v, "wait", &b)); /* now it is */
    script_cancel(b.ticket);
    loop_sim_drain(w.f.loop);
    CHECK_INT(b.outcome, CALL_CANCELLED);
    CHECK(waiting == NULL);
    stop(&w);
}

static void an_error_behind_the_wait_is_the_scripts(void **state) {
    (void)state;
    struct world w;
    start(&w);
    struct outcome o = {.function = l_wait_raises}, c = {.function = l_wait_raises};
    CHECK_OK(fixture_call(&w.f, w.v, "twice", &o));
    loop_sim_drain(w.f.loop);
    CHECK(co_wake(waiting->ticket));
    loop_sim_drain(w.f.loop);
    CHECK_INT(o.outcome, CALL_RAISED);
    CHECK(strstr(o.text, "the answer is bad") != NULL);
    CHECK(strstr(o.text, "channels/a.lua:3:") != NULL);
    CHECK_OK(fixture_call(&w.f, w.v, "caught", &c)); /* and it can catch it */
    loop_sim_drain(w.f.loop);
    CHECK(co_wake(waiting->ticket));
    loop_sim_drain(w.f.loop);
    CHECK_STR(str_of(c.result), "the answer is bad");
    stop(&w);
}

static void waiting_is_refused_where_it_cannot_be(void **state) {
    (void)state;
    struct world w;
    start(&w);
    struct outcome o = {.function = l_wait}, m = {.function = l_wait}, r = {.function = l_wait};
    CHECK_OK(fixture_call(&w.f, w.v, "sort", &o));
    loop_sim_drain(w.f.loop);
    CHECK_INT(o.outcome, CALL_RAISED);
    CHECK(strstr(o.text, "cannot wait inside") != NULL);
    CHECK_OK(fixture_call(&w.f, w.v, "meta", &m)); /* a metamethod of Lua's VM can */
    loop_sim_drain(w.f.loop);
    CHECK(co_wake(waiting->ticket));
    loop_sim_drain(w.f.loop);
    CHECK_STR(str_of(m.result), "woken");
    struct version *rule = fixture_script(KIND_RULE, "r", SCRIPT);
    CHECK_OK(fixture_call(&w.f, rule, "wait", &r));
    loop_sim_drain(w.f.loop);
    CHECK(strstr(r.text, "not inside a rule") != NULL);
    struct version *load = fixture_script(KIND_JOB, "l", "engine.sleep(1) return {}");
    struct outcome l = {0};
    CHECK_OK(fixture_call(&w.f, load, "wait", &l));
    loop_sim_drain(w.f.loop);
    CHECK(strstr(l.text, "not while the script is loaded") != NULL);
    CHECK(strstr(l.text, "channels/l.lua:1:") != NULL);
    stop(&w);
    fixture_drop(rule);
    fixture_drop(load);
}

static void shutdown_cancels_what_waits(void **state) {
    (void)state;
    struct world w;
    start(&w);
    struct outcome o[3] = {{.function = l_wait}, {0}, {0}};
    struct version *other = fixture_script(KIND_JOB, "b", "return {}");
    CHECK_OK(fixture_call(&w.f, w.v, "wait", &o[0]));
    loop_sim_drain(w.f.loop);
    CHECK_OK(fixture_call(&w.f, w.v, "sleep", &o[1]));
    CHECK_OK(fixture_call(&w.f, other, "x", &o[2]));
    fixture_stop(&w.f);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(o[i].done, 1);
        CHECK_INT(o[i].outcome, CALL_CANCELLED);
    }
    CHECK_INT(cancels, 1);
    fixture_drop(w.v);
    fixture_drop(other);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleeping_takes_its_time),
        cmocka_unit_test(durations_are_strict),
        cmocka_unit_test(a_wake_resumes_once),
        cmocka_unit_test(a_wake_may_come_before_the_yield),
        cmocka_unit_test(a_late_ticket_does_not_reach_the_next_call),
        cmocka_unit_test(a_deadline_ends_a_parked_call),
        cmocka_unit_test(a_cancel_undoes_the_wait_once),
        cmocka_unit_test(a_cancel_before_the_start_is_enough),
        cmocka_unit_test(an_error_behind_the_wait_is_the_scripts),
        cmocka_unit_test(waiting_is_refused_where_it_cannot_be),
        cmocka_unit_test(shutdown_cancels_what_waits),
    };
    return unit_main(argc, argv, "co", tests, sizeof tests / sizeof tests[0]);
}
