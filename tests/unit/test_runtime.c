/* Calls and states of one worker, in virtual time. */
#include "base/ensure.h"
#include "base/mem.h"
#include "script_fixture.h"
#include "sys/log.h"
#include "unit.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

static void a_call_returns(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    struct version *v =
        fixture_script(KIND_JOB, "a", "return { f = function(x) return x .. '!' end }");
    struct outcome o = {.argument = "hello"};
    CHECK_OK(fixture_call(&f, v, "f", &o));
    CHECK_INT(o.done, 0); /* never inside start */
    loop_sim_drain(f.loop);
    CHECK_INT(o.done, 1);
    CHECK_STR(str_of(o.text), "");
    CHECK_INT(o.outcome, CALL_RETURNED);
    CHECK_STR(str_of(o.result), "hello!");
    CHECK_INT(lua_gettop(o.main), 0);
    fixture_stop(&f);
    fixture_drop(v);
}

/* A version that was not compiled is, before its state is built: only that skips the shell's line. */
static void a_call_compiles_what_is_not(void **state) {
    (void)state;
    struct fixture f;
    struct version *v = NULL;
    struct part_text *text = NULL;
    struct buf bytes = {0};
    buf_adds(&bytes, "#!/bin/sh\nreturn { f = function(x) return x .. '!' end }");
    CHECK_OK(part_text_new(&text, "scripts/jobs/a.lua", &bytes, NULL));
    CHECK_OK(version_new(&v, KIND_JOB, "a", "scripts/jobs/a.lua", NULL));
    CHECK_OK(version_add(v, STR(""), text, NULL));
    CHECK_OK(version_seal(v, NULL));
    part_text_drop(text);
    fixture_start(&f, NULL);
    f.live = -1; /* the bytecode stays with the version */
    struct outcome o = {.argument = "hello"};
    CHECK_OK(fixture_call(&f, v, "f", &o));
    loop_sim_drain(f.loop);
    CHECK_STR(str_of(o.text), "");
    CHECK_STR(str_of(o.result), "hello!");
    CHECK(part_code(&v->parts[0]).n != 0);
    fixture_stop(&f);
    version_drop(v);
}

static void one_state_is_built_per_turn(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    struct version *v[3];
    struct outcome o[3] = {0};
    for (int i = 0; i < 3; i++) {
        v[i] = fixture_script(KIND_JOB, "a", "return { f = function() return 1 end }");
        CHECK_OK(fixture_call(&f, v[i], "f", &o[i]));
    }
    /* turn 1 builds the first; turn n runs a main chunk and builds the next */
    int seen = 0;
    for (int turn = 1; turn <= 5; turn++) {
        CHECK(loop_sim_step(f.loop));
        int done = o[0].done + o[1].done + o[2].done;
        CHECK(done - seen <= 1);
        CHECK(done == 0 || turn >= 3);
        seen = done;
    }
    loop_sim_drain(f.loop);
    CHECK_INT(o[0].done + o[1].done + o[2].done, 3);
    fixture_stop(&f);
    for (int i = 0; i < 3; i++)
        fixture_drop(v[i]);
}

static void modules_are_found_in_the_version_only(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    struct version *v =
        VERSION(KIND_CHANNEL, "channels/a.lua",
                "local x = require 'x'\n"
                "return { f = function() return x.n .. require('x').n .. require 'y' end }",
                "scripts/lib/x.lua", "local y = require 'y' return { n = y .. 'x' }",
                "scripts/lib/y.lua", "return 'y'");
    struct outcome o = {0};
    CHECK_OK(fixture_call(&f, v, "f", &o));
    loop_sim_drain(f.loop);
    CHECK_STR(str_of(o.text), "");
    CHECK_STR(str_of(o.result), "yxyxy");
    struct version *loop =
        VERSION(KIND_CHANNEL, "channels/b.lua", "return require 'x'", "scripts/lib/x.lua",
                "return require 'y'", "scripts/lib/y.lua", "return require 'x'");
    struct outcome l = {0};
    CHECK_OK(fixture_call(&f, loop, "f", &l));
    loop_sim_drain(f.loop);
    CHECK_INT(l.outcome, CALL_RAISED);
    CHECK(strstr(l.text, "scripts/lib/y.lua:1: module 'x' requires itself") != NULL);
    fixture_stop(&f);
    fixture_drop(v);
    fixture_drop(loop);
}

static void errors_carry_file_and_line(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    struct version *v = VERSION(KIND_CHANNEL, "channels/a.lua",
                                "local x = require 'x'\n\nreturn { f = function()\n"
                                "  local r = x.go()\n  return r end, n = 5 }",
                                "scripts/lib/x.lua", "return { go = function()\n error 'oh' end }");
    struct outcome o = {0}, missing = {0}, number = {0};
    CHECK_OK(fixture_call(&f, v, "f", &o));
    CHECK_OK(fixture_call(&f, v, "nothing", &missing));
    CHECK_OK(fixture_call(&f, v, "n", &number));
    loop_sim_drain(f.loop);
    CHECK_INT(o.outcome, CALL_RAISED);
    CHECK(strstr(o.text, "scripts/lib/x.lua:2: oh") != NULL);
    CHECK(strstr(o.text, "channels/a.lua:4: in function") != NULL);
    CHECK(strstr(missing.text, "nothing: the script has no such function") != NULL);
    CHECK(strstr(number.text, "n: the script has no such function") != NULL);
    fixture_stop(&f);
    fixture_drop(v);
}

static void a_broken_script_fails_its_calls_and_is_tried_again(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    struct version *v = fixture_script(KIND_JOB, "a", "local x = nil\nreturn x.y");
    for (int i = 0; i < 3; i++) {
        struct outcome o[2] = {0};
        CHECK_OK(fixture_call(&f, v, "f", &o[0]));
        CHECK_OK(fixture_call(&f, v, "f", &o[1]));
        loop_sim_drain(f.loop);
        CHECK_INT(o[0].done, 1);
        CHECK_INT(o[1].outcome, CALL_RAISED);
        CHECK(strstr(o[1].text, "channels/a.lua:2:") != NULL);
    }
    fixture_stop(&f);
    fixture_drop(v);
}

static void calls_are_bounded(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, &(struct runtime_limits){.calls = 2});
    struct version *v = fixture_script(KIND_JOB, "a", "return { f = function() return 1 end }");
    struct outcome o[3] = {0};
    CHECK_OK(fixture_call(&f, v, "f", &o[0]));
    CHECK_OK(fixture_call(&f, v, "f", &o[1]));
    CHECK_ERR(fixture_call(&f, v, "f", &o[2]), E_BUSY);
    loop_sim_drain(f.loop);
    CHECK_OK(fixture_call(&f, v, "f", &o[2]));
    loop_sim_drain(f.loop);
    CHECK_INT(o[2].done, 1);
    fixture_stop(&f);
    fixture_drop(v);
}

static const char COUNTS[] = "local n = 0\nlocal keep = {}\nreturn {\n"
                             "  f = function() n = n + 1 return n end,\n"
                             "  fill = function() keep[#keep + 1] = ('x'):rep(1000000) n = n + 1\n"
                             "    return n end,\n"
                             "  wait = function() engine.sleep('10s') return n end }";

static void a_retired_state_ends_with_its_last_call(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    struct version *v = fixture_script(KIND_JOB, "a", COUNTS);
    struct outcome parked = {0}, o = {0}, again = {0};
    CHECK_OK(fixture_call(&f, v, "wait", &parked));
    CHECK_OK(fixture_call(&f, v, "f", &o));
    loop_sim_drain(f.loop);
    CHECK_STR(str_of(o.result), "1");
    runtime_retire(f.rt, v);
    CHECK_OK(fixture_call(&f, v, "f", &again)); /* a fresh state */
    loop_sim_drain(f.loop);
    CHECK_STR(str_of(again.result), "1");
    CHECK_INT(parked.done, 0);
    CHECK_INT(atomic_load(&v->references), 3);
    loop_sim_run_for(f.loop, 10000);
    CHECK_STR(str_of(parked.result), "1"); /* it ran to its end in the old one */
    CHECK_INT(atomic_load(&v->references), 2);
    runtime_retire(f.rt, v);
    CHECK_INT(atomic_load(&v->references), 1);
    fixture_stop(&f);
    fixture_drop(v);
}

static void a_full_state_is_replaced(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    struct version *v = fixture_script(KIND_CHANNEL, "a", COUNTS);
    int n = 0, started_anew = 0;
    for (int i = 0; i < 40; i++) {
        struct outcome o = {0};
        CHECK_OK(fixture_call(&f, v, "fill", &o));
        loop_sim_drain(f.loop);
        CHECK_INT(o.outcome, CALL_RETURNED); /* nobody runs into the cap of the state */
        int now = atoi(o.result);
        if (now == 1) started_anew++;
        CHECK(now == 1 || now == n + 1);
        n = now;
    }
    CHECK(started_anew >= 3);
    fixture_stop(&f);
    fixture_drop(v);
}

static void memory_is_charged_to_the_call(void **state) {
    (void)state;
    struct fixture f;
    /* small: under a sanitizer filling 9 MB takes longer than a call may hold the loop */
    fixture_start(&f, &(struct runtime_limits){.call_bytes = 1u << 20});
    struct version *v = fixture_script(
        KIND_CHANNEL, "a",
        "return { small = function() local t = {} for i = 1, 6 do t[i] = ('x'):rep(125000) end\n"
        "  return #t end,\n"
        "  big = function() local t = {} for i = 1, 9 do t[i] = ('x'):rep(125000) end end,\n"
        "  caught = function() local t = {} return pcall(function()\n"
        "    for i = 1, 9 do t[i] = ('x'):rep(125000) end end) end }");
    struct outcome small = {0}, big = {0}, caught = {0};
    CHECK_OK(fixture_call(&f, v, "small", &small));
    loop_sim_drain(f.loop);
    CHECK_INT(small.outcome, CALL_RETURNED);
    CHECK(small.peak_bytes > 6 * 125000 && small.peak_bytes <= 1u << 20);
    runtime_retire(f.rt, v); /* what the collector frees of an ended call is credited to who runs */
    CHECK_OK(fixture_call(&f, v, "big", &big));
    loop_sim_drain(f.loop);
    CHECK_INT(big.outcome, CALL_BUDGET);
    CHECK(strstr(big.text, "memory") != NULL);
    runtime_retire(f.rt, v);
    CHECK_OK(fixture_call(&f, v, "caught", &caught));
    loop_sim_drain(f.loop);
    CHECK_INT(caught.outcome, CALL_BUDGET);
    fixture_stop(&f);
    fixture_drop(v);
}

static void too_many_live_versions_cancel_the_oldest(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, &(struct runtime_limits){.live_versions = 3});
    struct version *v[5];
    struct outcome o[5] = {0};
    for (int i = 0; i < 5; i++) {
        v[i] = fixture_script(KIND_JOB, "a", COUNTS);
        CHECK_OK(fixture_call(&f, v[i], "wait", &o[i]));
        loop_sim_drain(f.loop);
    }
    CHECK_INT(o[0].outcome, CALL_CANCELLED);
    CHECK_INT(o[1].outcome, CALL_CANCELLED);
    CHECK_INT(o[2].done + o[3].done + o[4].done, 0);
    loop_sim_run_for(f.loop, 10000);
    for (int i = 2; i < 5; i++)
        CHECK_INT(o[i].outcome, CALL_RETURNED);
    fixture_stop(&f);
    for (int i = 0; i < 5; i++)
        fixture_drop(v[i]);
}

static void a_long_call_lets_others_run(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    struct version *v = fixture_script(
        KIND_JOB, "a",
        "return { long = function() local n = 0 for i = 1, 20000000 do n = n + i end return n end,"
        " f = function() return 1 end }");
    struct outcome warm = {0}, slow = {0}, o = {0};
    CHECK_OK(fixture_call(&f, v, "f", &warm));
    loop_sim_drain(f.loop);
    CHECK_OK(fixture_call(&f, v, "long", &slow));
    CHECK_OK(fixture_call(&f, v, "f", &o));
    int turns = 0;
    while (o.done == 0) {
        CHECK(loop_sim_step(f.loop));
        CHECK(++turns < 4);
    }
    CHECK_INT(slow.done, 0);
    loop_sim_drain(f.loop);
    CHECK_STR(str_of(slow.result), "200000010000000");
    fixture_stop(&f);
    fixture_drop(v);
}

static const char ENDLESS[] = "return { f = function() while true do end end,\n"
                              "  wait = function() engine.sleep('1h') end }";

static void endless_calls_keep_no_new_script_from_running(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    struct version *hog = fixture_script(KIND_JOB, "hog", ENDLESS);
    struct version *v = fixture_script(KIND_API, "a", "return { f = function() return 1 end }");
    struct outcome hogs[5] = {0}, o = {0};
    for (int i = 0; i < 5; i++)
        CHECK_OK(fixture_call(&f, hog, "f", &hogs[i]));
    for (int i = 0; i < 12; i++)
        CHECK(loop_sim_step(f.loop)); /* all five have used a slice by now */
    CHECK_OK(fixture_call(&f, v, "f", &o));
    for (int turns = 0; o.done == 0; turns++) {
        CHECK(turns < 3); /* its state is built and it runs, whoever else does */
        CHECK(loop_sim_step(f.loop));
    }
    fixture_stop(&f);
    fixture_drop(v);
    fixture_drop(hog);
}

/* Bounded far below the ten seconds of a job's own budget, by turns of 5 ms each. */
static bool ends_soon(struct fixture *f, const struct outcome *o) {
    for (int i = 0; i < 600 && o->done == 0; i++)
        CHECK(loop_sim_step(f->loop));
    return o->done != 0;
}

static void an_endless_call_ends_when_its_script_is_deleted(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    struct version *hog = fixture_script(KIND_JOB, "hog", ENDLESS);
    struct outcome o = {0}, waits = {0};
    CHECK_OK(fixture_call(&f, hog, "wait", &waits));
    CHECK_OK(fixture_call(&f, hog, "f", &o));
    for (int i = 0; i < 5; i++)
        CHECK(loop_sim_step(f.loop));
    runtime_retire(f.rt, hog);
    CHECK(ends_soon(&f, &o));
    CHECK_INT(o.outcome, CALL_CANCELLED);
    CHECK_INT(waits.done, 0);
    fixture_stop(&f);
    fixture_drop(hog);
}

static void an_endless_call_ends_when_the_engine_stops(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    struct version *hog = fixture_script(KIND_JOB, "hog", ENDLESS);
    struct outcome o = {0}, waits = {0};
    CHECK_OK(fixture_call(&f, hog, "wait", &waits));
    CHECK_OK(fixture_call(&f, hog, "f", &o));
    for (int i = 0; i < 5; i++)
        CHECK(loop_sim_step(f.loop));
    runtime_stop(f.rt);
    for (int i = 0; i < 4 && o.done == 0; i++)
        CHECK(loop_sim_step(f.loop));
    CHECK_INT(o.done, 1);
    CHECK_INT(o.outcome, CALL_CANCELLED);
    CHECK_INT(waits.done, 0);
    fixture_stop(&f);
    fixture_drop(hog);
}

static int closed;
static void close_later(lua_State *L) {
    closed++;
    script_close_state(L); /* a real engine hands it to another thread */
}

static void states_are_closed_by_the_option(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    runtime_delete(f.rt);
    struct runtime_options options = {.loop = f.loop, .rng = &f.rng, .close_state = close_later};
    CHECK_OK(runtime_new(&f.rt, &options));
    struct version *v = fixture_script(KIND_JOB, "a", COUNTS);
    struct outcome o = {0};
    CHECK_OK(fixture_call(&f, v, "f", &o));
    loop_sim_drain(f.loop);
    closed = 0;
    runtime_retire(f.rt, v);
    CHECK_INT(closed, 1);
    fixture_stop(&f);
    fixture_drop(v);
}

static int look_title(lua_State *L, void *data) {
    lua_getfield(L, 1, "title");
    snprintf(data, 32, "%s", lua_tostring(L, -1));
    return 0;
}

static void loading_aside_shows_the_table(void **state) {
    (void)state;
    int64_t live = mem_live();
    char title[32] = "";
    struct why why = {0};
    struct version *good = fixture_script(KIND_CHANNEL, "a", "return { title = 'A' }");
    struct version *bad = fixture_script(KIND_CHANNEL, "b", "return {\n  x = }");
    struct version *hangs = fixture_script(KIND_CHANNEL, "c", "while true do end");
    struct version *hidden =
        fixture_script(KIND_CHANNEL, "d",
                       "return setmetatable({}, { __index = function() while true do end end })");
    CHECK_OK(script_load_aside(good, look_title, title, &why));
    CHECK_STR(str_of(title), "A");
    CHECK_ERR(script_load_aside(bad, look_title, title, &why), E_SCRIPT);
    CHECK(strstr(why.text, "channels/b.lua:2:") != NULL);
    CHECK_ERR(script_load_aside(hangs, look_title, title, &why), E_BUDGET);
    CHECK_ERR(script_load_aside(hidden, look_title, title, &why), E_BUDGET);
    fixture_drop(good);
    fixture_drop(bad);
    fixture_drop(hangs);
    fixture_drop(hidden);
    CHECK_INT(mem_live(), live);
}

/* The server's main loop looks at scripts: what a call of a job may take is no measure there. */
static void loading_aside_is_short_whatever_the_kind(void **state) {
    (void)state;
    static const char *const TEXTS[] = {
        "while true do end",
        "local function less(a, b) while true do end end table.sort({ 1, 2 }, less)",
        "return setmetatable({}, { __index = function() while true do end end })"};
    static const enum script_kind KINDS[] = {KIND_JOB, KIND_API, KIND_PAGE, KIND_CHANNEL};
    char title[32] = "";
    for (size_t i = 0; i < ARRAY_LEN(TEXTS) * ARRAY_LEN(KINDS); i++) {
        struct version *v =
            fixture_script(KINDS[i % ARRAY_LEN(KINDS)], "a", TEXTS[i / ARRAY_LEN(KINDS)]);
        struct why why = {0};
        uint64_t began = clock_thread_cpu_ns();
        CHECK_ERR(script_load_aside(v, look_title, title, &why), E_BUDGET);
        uint64_t took_ms = (clock_thread_cpu_ns() - began) / 1000000;
        if (took_ms >= 500) fail_msg("%zu: %llu ms", i, (unsigned long long)took_ms);
        fixture_drop(v);
    }
}

/* Where a call cannot pause its worker serves nobody: trusted ones may hold it no second either. */
static void a_callback_holds_no_loop_for_long(void **state) {
    (void)state;
    static const enum script_kind KINDS[] = {KIND_JOB, KIND_API, KIND_PAGE, KIND_CHANNEL};
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        struct fixture f;
        fixture_start(&f, NULL);
        struct version *v = fixture_script(
            KINDS[i], "a",
            "return { sort = function()\n"
            "  table.sort({ 1, 2 }, function(a, b) while true do end end) end,\n"
            "  gsub = function() return (('x'):gsub('x', function() while true do end end)) end }");
        struct outcome sort = {0}, gsub = {0};
        CHECK_OK(fixture_call(&f, v, "sort", &sort));
        CHECK_OK(fixture_call(&f, v, "gsub", &gsub));
        loop_sim_drain(f.loop);
        CHECK_INT(sort.outcome, CALL_BUDGET);
        CHECK_INT(gsub.outcome, CALL_BUDGET);
        CHECK(strstr(sort.text, "where it cannot pause") != NULL);
        CHECK(sort.cpu_ns < 500000000 && gsub.cpu_ns < 500000000);
        fixture_stop(&f);
        fixture_drop(v);
    }
}

/* What ran long before, and could have paused, is not held against a callback, also where slices do
 * not end. */
static void a_callback_late_in_a_long_call_is_fine(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    struct runtime *other = NULL;
    struct runtime_options o = {.loop = f.loop, .rng = &f.rng, .no_slices = true};
    struct runtime *mine = f.rt;
    CHECK_OK(runtime_new(&other, &o));
    f.rt = other;
    struct version *v = fixture_script(
        KIND_PAGE, "a",
        "return { f = function() local n, t = 0, {} for i = 1, 40000000 do n = n + i end\n"
        "  for i = 1, 2000 do t[i] = -i end\n"
        "  table.sort(t, function(a, b) return a < b end) return t[1] end }");
    struct outcome out = {0};
    CHECK_OK(fixture_call_within(&f, v, "f", &out, 0, 60000));
    loop_sim_drain(f.loop);
    CHECK_STR(str_of(out.result), "-2000");
    f.rt = mine;
    runtime_delete(other);
    fixture_stop(&f);
    fixture_drop(v);
}

static int tag_done(const char *script, char *out) {
    struct fixture f;
    fixture_start(&f, NULL);
    struct version *v = fixture_script(KIND_CHANNEL, "a", script);
    struct outcome o = {0};
    CHECK_OK(fixture_call(&f, v, "f", &o));
    loop_sim_drain(f.loop);
    snprintf(out, 64, "%.63s", o.outcome == CALL_RETURNED ? o.result : "error");
    fixture_stop(&f);
    fixture_drop(v);
    return 0;
}

static void decisions_carry_their_tag(void **state) {
    (void)state;
    char out[64];
    tag_done("return { f = function() return pending { reference = 'x' } end }", out);
    CHECK_STR(str_of(out), "pending");
    tag_done("return { f = function() return reply(200, {}) end }", out);
    CHECK_STR(str_of(out), "reply");
    tag_done("local s = secret 'BNI_KEY' return { f = function() return s end }", out);
    CHECK_STR(str_of(out), "userdata");
    tag_done("return { f = function() return { reference = 'x' } end }", out);
    CHECK_STR(str_of(out), "table");
    tag_done("return { f = function() return deny 'x' end }", out); /* rules only */
    CHECK_STR(str_of(out), "error");
    tag_done("return { f = function() return secret 'lower' end }", out);
    CHECK_STR(str_of(out), "error");
}

static void tools_get_the_package_and_channels_our_codec(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    const char *script = "local c = require 'cjson'\n"
                         "return { f = function() return c.encode { 150000000000000001 } end }";
    struct version *tool = fixture_script(KIND_TOOL, "t", script);
    struct version *channel = fixture_script(KIND_CHANNEL, "c", script);
    struct outcome a = {0}, b = {0};
    CHECK_OK(fixture_call(&f, tool, "f", &a));
    CHECK_OK(fixture_call(&f, channel, "f", &b));
    loop_sim_drain(f.loop);
    CHECK_STR(str_of(a.result), "[1.5e+17]"); /* the package loses digits, as everybody expects */
    CHECK_STR(str_of(b.result), "[150000000000000001]");
    fixture_stop(&f);
    fixture_drop(tool);
    fixture_drop(channel);
}

/* ---- the nth allocation fails, for every n ---- */

static void nothing(struct timer *timer) {
    (void)timer;
}

/* The loop's timer heap stops the process when it cannot grow (loop/heap.c), so it has its room
 * before the failures begin. */
static void warm_timers(struct loop *loop) {
    struct timer timers[16] = {0};
    for (int i = 0; i < 16; i++)
        timer_start(loop, &timers[i], 1, nothing);
    for (int i = 0; i < 16; i++)
        timer_stop(&timers[i]);
}

static struct buf logged;

static void keep_line(void *data, struct str line) {
    (void)data;
    const char *from = memchr(line.p, ',', line.n);
    CHECK(from != NULL);
    buf_addstr(&logged, str_sub(line, (size_t)(from - line.p), line.n));
    buf_addc(&logged, '\n');
}

/* Readers of JSON take the last of two members of one name. */
static void a_field_takes_no_member_of_the_line(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    struct version *v =
        fixture_script(KIND_CHANNEL, "a",
                       "return { f = function() log.info('paid', { event = 'none' })\n"
                       "  log.info('x', { level = 'y' }) log.info('x', { time = 0 }) log.info('x', "
                       "{ from = 'y' })\n"
                       "  log.info { event = 'told', a = 2 } return 'ok' end }");
    struct outcome o = {0};
    log_setup(LOG_LEVEL_INFO, LOG_JSON, -1);
    log_capture(keep_line, NULL);
    CHECK_OK(fixture_call(&f, v, "f", &o));
    loop_sim_drain(f.loop);
    log_capture(NULL, NULL);
    CHECK_STR(str_of(o.text), "");
#define LINE(event, field) \
    ",\"level\":\"info\",\"event\":\"" event "\",\"" field ",\"from\":\"channels/a.lua\"}\n"
    CHECK_STR(buf_str(&logged),
              LINE("paid", "event_\":\"none\"") LINE("x", "level_\":\"y\"") LINE("x", "time_\":0")
                  LINE("x", "from_\":\"y\"") LINE("told", "a\":2"));
    buf_free(&logged);
    fixture_stop(&f);
    fixture_drop(v);
}

static bool whole_life(uint64_t nth, int and_all_after) {
    struct fixture f = {0};
    clock_virtual(&f.clock, 0);
    rng_seeded(&f.rng, 1);
    CHECK_OK(loop_sim_new(&f.loop, &f.clock, NULL));
    warm_timers(f.loop);
    mem_fail_at(nth, and_all_after);
    struct runtime_options options = {.loop = f.loop, .rng = &f.rng};
    bool good = false;
    struct version *v =
        VERSION(KIND_SANDBOX, "channels/a.lua",
                "local x = require 'x'\n"
                "return { f = function(s) engine.sleep(1)\n"
                "  local t = { s, x.n }\n"
                "  local ok = pcall(error, 'e') engine.sleep(1)\n"
                "  return (table.concat(t, ','):gsub('a', '%0%0')) .. tostring(ok) end,\n"
                "  bad = function() engine.sleep(1) error 'bad' end }",
                "scripts/lib/x.lua", "return { n = ('%d'):format(5) }");
    if (runtime_new(&f.rt, &options) == 0) {
        struct outcome o = {.argument = "abc"}, bad = {0};
        int err = fixture_call(&f, v, "f", &o);
        int err_bad = fixture_call(&f, v, "bad", &bad);
        loop_sim_run_for(f.loop, 100);
        CHECK(err == 0 || err == E_NOMEM);
        CHECK_INT(o.done, err == 0);
        CHECK_INT(bad.done, err_bad == 0);
        good = err == 0 && o.outcome == CALL_RETURNED && strcmp(o.result, "aabc,5false") == 0 &&
               bad.outcome == CALL_RAISED;
        runtime_delete(f.rt);
        loop_sim_drain(f.loop);
    }
    loop_delete(f.loop);
    fixture_drop(v);
    return good;
}

static void any_allocation_may_fail(void **state) {
    (void)state;
    log_setup(LOG_LEVEL_ERROR, LOG_JSON, -1);
    CHECK(whole_life(0, 0));
    int64_t live = mem_live();
    uint64_t n = 1;
    for (;; n++) {
        whole_life(n, 0);
        int failed = mem_has_failed();
        mem_fail_at(0, 0);
        CHECK_INT(mem_live(), live);
        if (!failed) break;
        if (n % 7 != 0) continue;
        whole_life(n, 1); /* and all from there on */
        mem_fail_at(0, 0);
        CHECK_INT(mem_live(), live);
    }
    CHECK(n > 300);
    CHECK(whole_life(0, 0));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_returns),
        cmocka_unit_test(a_call_compiles_what_is_not),
        cmocka_unit_test(one_state_is_built_per_turn),
        cmocka_unit_test(modules_are_found_in_the_version_only),
        cmocka_unit_test(errors_carry_file_and_line),
        cmocka_unit_test(a_broken_script_fails_its_calls_and_is_tried_again),
        cmocka_unit_test(calls_are_bounded),
        cmocka_unit_test(a_retired_state_ends_with_its_last_call),
        cmocka_unit_test(a_full_state_is_replaced),
        cmocka_unit_test(memory_is_charged_to_the_call),
        cmocka_unit_test(too_many_live_versions_cancel_the_oldest),
        cmocka_unit_test(a_long_call_lets_others_run),
        cmocka_unit_test(endless_calls_keep_no_new_script_from_running),
        cmocka_unit_test(an_endless_call_ends_when_its_script_is_deleted),
        cmocka_unit_test(an_endless_call_ends_when_the_engine_stops),
        cmocka_unit_test(states_are_closed_by_the_option),
        cmocka_unit_test(loading_aside_shows_the_table),
        cmocka_unit_test(loading_aside_is_short_whatever_the_kind),
        cmocka_unit_test(a_callback_holds_no_loop_for_long),
        cmocka_unit_test(a_callback_late_in_a_long_call_is_fine),
        cmocka_unit_test(decisions_carry_their_tag),
        cmocka_unit_test(tools_get_the_package_and_channels_our_codec),
        cmocka_unit_test(a_field_takes_no_member_of_the_line),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return unit_main(argc, argv, "runtime", tests, sizeof tests / sizeof tests[0]);
}
