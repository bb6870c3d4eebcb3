/* t.call and t.clock: what a test waits for. Both keep what ends later on the heap, so that a test
 * that dies first leaves nothing that points at its coroutine. */
#include "base/ensure.h"
#include "base/mem.h"
#include "base/schedule.h"
#include "base/timefmt.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/dispatch_private.h"
#include "script/lua_util.h"
#include "script/manifest.h"
#include "script/test_script.h"

enum { ENTRY_MAX = 4 };

/* The other call: on the heap, because it ends when it ends. */
struct caged {
    struct call_context context;
    struct loop *loop;
    struct ticket waiter;
    bool abandoned;
    struct str entry_text[ENTRY_MAX];
    const char *entry[ENTRY_MAX + 1];
    char *memory; /* of the entry's words and the arguments */
    struct str args;
    bool with_ctx;
    struct buf results;
    enum call_outcome outcome;
    struct buf text;
};

struct call_op {
    struct co_wait wait;
    struct caged *call; /* NULL: given back */
    struct ticket ticket;
};

static void caged_free(struct caged *c) {
    buf_free(&c->results);
    buf_free(&c->text);
    mem_free(c->memory);
    mem_free(c);
}

static int call_gc(lua_State *L) {
    struct call_op *op = lua_touserdata(L, 1);
    if (op->call != NULL) caged_free(op->call);
    op->call = NULL;
    return 0;
}

static void call_cancel(struct co_wait *wait) {
    struct call_op *op = CONTAINER_OF(wait, struct call_op, wait);
    op->call->abandoned = true;
    op->call = NULL;
    script_cancel(op->ticket);
}

/* In the other state: its arguments, a JSON list. */
static int push_args(lua_State *L, void *data) {
    const struct caged *c = CONTAINER_OF(data, struct caged, context);
    int n = 0;
    if (c->with_ctx) {
        script_push_ctx(L);
        n++;
    }
    if (json_decode_push(L, c->args) != 1) return luaL_error(L, "t.call: the arguments are lost");
    int list = lua_gettop(L);
    int count = (int)lua_rawlen(L, list);
    luaL_checkstack(L, count + 4, "t.call");
    for (int i = 1; i <= count; i++)
        lua_rawgeti(L, list, i);
    lua_remove(L, list);
    return n + count;
}

/* [[tag or false, value], ...] */
static int take_results(lua_State *L, int n, void *data) {
    struct caged *c = CONTAINER_OF(data, struct caged, context);
    int first = lua_gettop(L) - n + 1;
    lua_createtable(L, n, 0);
    json_push_meta(L, JSON_ARRAY_META);
    lua_setmetatable(L, -2);
    int list = lua_gettop(L);
    for (int i = 0; i < n; i++) {
        const char *tag = script_tag(L, first + i);
        lua_createtable(L, 2, 0);
        if (tag != NULL)
            lua_pushstring(L, tag);
        else
            lua_pushboolean(L, 0);
        lua_rawseti(L, -2, 1);
        if (lua_isnil(L, first + i)) {
            /* a missing second place is nil */
        } else if (tag != NULL) { /* the same fields without the tag */
            lua_newtable(L);
            for (lua_pushnil(L); lua_next(L, first + i) != 0;) {
                lua_pushvalue(L, -2);
                lua_insert(L, -2);
                lua_rawset(L, -4);
            }
            json_push_meta(L, JSON_OBJECT_META);
            lua_setmetatable(L, -2);
            lua_rawseti(L, -2, 2);
        } else {
            lua_pushvalue(L, first + i);
            lua_rawseti(L, -2, 2);
        }
        lua_rawseti(L, list, i + 1);
    }
    json_encode(L, list, 32, JSON_OUT_MAX, "t.call");
    struct str text;
    text.p = lua_tolstring(L, -1, &text.n);
    buf_addstr(&c->results, text);
    return c->results.err;
}

static void caged_done(const struct call_result *result, void *data) {
    struct caged *c = CONTAINER_OF(data, struct caged, context);
    if (c->abandoned) {
        caged_free(c);
        return;
    }
    c->outcome = result->outcome;
    if (result->outcome != CALL_RETURNED)
        buf_adds(&c->text, result->text == NULL ? "cancelled" : result->text);
    co_wake(c->waiter);
}

static int call_finish(lua_State *L, struct co_wait *wait) {
    struct call_op *op = CONTAINER_OF(wait, struct call_op, wait);
    struct caged *c = op->call;
    if (c->context.unverified) {
        lua_pushliteral(L, "unverified");
        return 1;
    }
    if (c->outcome != CALL_RETURNED)
        return luaL_error(L, "%s", c->text.data == NULL ? "the call failed" : c->text.data);
    if (json_decode_push(L, buf_str(&c->results)) != 1)
        return luaL_error(L, "t.call: the results are lost");
    int list = lua_gettop(L), n = (int)lua_rawlen(L, list);
    luaL_checkstack(L, n + 4, "t.call");
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, list, i);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        if (lua_type(L, -2) == LUA_TSTRING) script_set_tag(L, lua_tostring(L, -2));
        lua_replace(L, -3);
        lua_pop(L, 1);
    }
    return n;
}

/* The entry's words are at the places words..words+count-1, the arguments' JSON on top. */
static struct caged *caged_new(lua_State *L, int words, int count) {
    struct caged *c = mem_zalloc(sizeof *c);
    size_t size = 1, n;
    for (int i = words; i < words + count; i++) {
        luaL_tolstring(L, i, &n);
        lua_pop(L, 1);
        size += n + 1;
    }
    struct str args;
    args.p = lua_tolstring(L, -1, &args.n);
    if (c != NULL) c->memory = mem_alloc(size + args.n + 1);
    if (c == NULL || c->memory == NULL) {
        mem_free(c);
        luaL_error(L, "out of memory");
        return NULL;
    }
    char *at = c->memory;
    for (int i = 0; i < count; i++) {
        const char *word = lua_tolstring(L, words + i, &n);
        c->entry[i] = str_copy(&at, (struct str){word, n}).p;
    }
    c->args = str_copy(&at, args);
    return c;
}

int test_l_call(lua_State *L) {
    struct test_script *test = test_of(L);
    struct version *v = test_l_version(L, luaL_checkstring(L, 1));
    int given = lua_gettop(L) - 2;
    if (given < 0) return luaL_error(L, "t.call: which function?");
    co_require_wait(L, "t.call");
    lua_createtable(L, given, 0); /* the arguments as one list */
    json_push_meta(L, JSON_ARRAY_META);
    lua_setmetatable(L, -2);
    for (int i = 1; i <= given; i++) {
        lua_pushvalue(L, 2 + i);
        lua_rawseti(L, -2, i);
    }
    int list = lua_gettop(L), words = list + 1, count = 0;
    if (lua_istable(L, 2)) {
        count = (int)lua_rawlen(L, 2);
        luaL_argcheck(L, count >= 1 && count <= ENTRY_MAX, 2, "a name, or a list of up to 4");
        for (int i = 1; i <= count; i++) {
            lua_rawgeti(L, 2, i);
            luaL_checkstring(L, -1);
        }
    } else {
        luaL_checkstring(L, 2);
        lua_pushvalue(L, 2);
        count = 1;
    }
    json_encode(L, list, 32, JSON_OUT_MAX, "t.call");
    struct call_op *op = lua_newuserdatauv(L, sizeof *op, 0);
    *op = (struct call_op){.wait.cancel = call_cancel};
    if (luaL_newmetatable(L, "luwak.test_call")) {
        lua_pushcfunction(L, call_gc);
        lua_setfield(L, -2, "__gc");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
    }
    lua_setmetatable(L, -2);
    lua_insert(L, words); /* below what is read, which stays on top */
    struct caged *c = op->call = caged_new(L, words + 1, count);
    call_context_init(&c->context, &test->services, v, STR(""));
    c->context.http.effect_ok = strcmp(c->entry[0], "inquire") != 0;
    c->with_ctx = (v->kind & KINDS_CAGED & ~(unsigned)KIND_RULE) != 0;
    const struct call call = {.version = v,
                              .entry = c->entry,
                              .data = &c->context,
                              .push = push_args,
                              .take = take_results,
                              .done = caged_done};
    int err = script_call(test->runtime, &call, &op->ticket);
    if (err != 0) return luaL_error(L, "t.call: %s", err_text(err));
    co_park(L, &op->wait);
    c->waiter = op->wait.ticket;
    return co_yield (L, call_finish);
}

/* ---- t.clock ---- */

struct clock_op {
    struct co_wait wait;
    struct clock_end *end; /* on the heap, shared with the callback */
};
struct clock_end {
    struct ticket ticket;
    bool abandoned;
    int err;
};

static void clock_cancel(struct co_wait *wait) {
    struct clock_op *op = CONTAINER_OF(wait, struct clock_op, wait);
    op->end->abandoned = true; /* clock_moved frees it */
    op->end = NULL;
}

static int clock_gc(lua_State *L) { /* something raised before the clock was asked to move */
    struct clock_op *op = lua_touserdata(L, 1);
    mem_free(op->end);
    op->end = NULL;
    return 0;
}

static void clock_moved(void *data, int err) {
    struct clock_end *end = data;
    end->err = err;
    if (end->abandoned)
        mem_free(end);
    else
        co_wake(end->ticket);
}

static int clock_finish(lua_State *L, struct co_wait *wait) {
    struct clock_op *op = CONTAINER_OF(wait, struct clock_op, wait);
    int err = op->end->err;
    mem_free(op->end);
    op->end = NULL;
    if (err != 0) return luaL_error(L, "t.clock: %s", err_text(err));
    lua_pushinteger(L, clock_now_ms(test_of(L)->clock));
    return 1;
}

static int move_clock(lua_State *L, int64_t goal) {
    struct test_script *test = test_of(L);
    co_require_wait(L, "t.clock");
    struct clock_op *op = lua_newuserdatauv(L, sizeof *op, 0);
    *op = (struct clock_op){.wait.cancel = clock_cancel};
    set_freeing(L, "luwak.test_clock", clock_gc);
    op->end = mem_zalloc(sizeof *op->end);
    if (op->end == NULL) return luaL_error(L, "out of memory");
    co_park(L, &op->wait);
    op->end->ticket = op->wait.ticket;
    test->advance(test, goal, clock_moved, op->end);
    return co_yield (L, clock_finish);
}

static int l_advance(lua_State *L) {
    struct str text;
    int64_t ms;
    text.p = luaL_checklstring(L, 1, &text.n);
    luaL_argcheck(L, duration_parse(text, &ms, NULL) == 0 && ms >= 0, 1,
                  "a duration such as \"90s\", \"2h\", \"30d\"");
    return move_clock(L, clock_now_ms(test_of(L)->clock) + ms);
}

static int l_set(lua_State *L) {
    struct str text;
    int64_t goal;
    text.p = luaL_checklstring(L, 1, &text.n);
    luaL_argcheck(L, time_parse(text, STR("rfc3339"), ZONE_WIB, &goal, NULL) == 0, 1,
                  "a time such as 2026-01-31T10:00:00+07:00");
    luaL_argcheck(L, goal >= clock_now_ms(test_of(L)->clock), 1, "the clock does not go back");
    return move_clock(L, goal);
}

static int l_now(lua_State *L) {
    lua_pushinteger(L, clock_now_ms(test_of(L)->clock));
    return 1;
}

static const struct bind_fn CLOCK_FNS[] = {
    {"advance", l_advance, KIND_TEST, "time: string -> integer",
     "moves business time on; all that falls due runs, in order"},
    {"set", l_set, KIND_TEST, "time: string -> integer", "moves it to an instant (RFC 3339)"},
    {"now", l_now, KIND_TEST, "-> integer", "milliseconds UTC"},
    {0},
};
const struct bind_module bind_t_clock = {"t.clock", "the clock, which only the test moves",
                                         CLOCK_FNS, NULL};
