/* core.payment: payments, for trusted scripts: the merchant API and whatever speaks for a merchant.
 *
 * What changes something returns the answer itself, as reply() makes it, for the route to return:
 * status and bytes are then exactly what an Idempotency-Key keeps. */
#include "base/ensure.h"
#include "base/mem.h"
#include "core/core.h"
#include "core/person.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/buf_lua.h"
#include "script/context.h"
#include "script/lua_util.h"
#include "script/payment_flow.h"
#include "script/store_wait.h"

/* ---- waiting for an answer; on the heap, because the flow does not forget who asked ---- */

struct asked {
    struct ticket ticket;
    bool abandoned;
    struct flow *flow; /* until it has replied */
    struct payment_reply reply;
};
struct ask_wait {
    struct co_wait wait;
    struct asked *asked; /* NULL: it goes on without us */
};

static void asked_free(struct asked *a) {
    if (a == NULL) return;
    payment_reply_free(&a->reply);
    mem_free(a);
}

static void replied(const struct payment_reply *reply, void *data) {
    struct asked *a = data;
    if (a->abandoned) {
        asked_free(a);
        return;
    }
    a->reply = *reply;
    a->reply.body = (struct buf){0};
    buf_addstr(&a->reply.body, buf_str(&reply->body));
    co_wake(a->ticket);
}

static void wait_cancel(struct co_wait *wait) {
    struct ask_wait *w = CONTAINER_OF(wait, struct ask_wait, wait);
    w->asked->abandoned = true;
    payment_flow_hurry(w->asked->flow);
    w->asked = NULL;
}

static int wait_gc(lua_State *L) {
    struct ask_wait *w = lua_touserdata(L, 1);
    asked_free(w->asked);
    w->asked = NULL;
    return 0;
}

static int reply_finish(lua_State *L, struct co_wait *wait) {
    const struct payment_reply *r = &CONTAINER_OF(wait, struct ask_wait, wait)->asked->reply;
    if (r->body.err != 0) return luaL_error(L, "out of memory");
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, r->status);
    lua_setfield(L, -2, "status");
    push_str(L, buf_str(&r->body));
    lua_setfield(L, -2, "body");
    lua_createtable(L, 0, 2);
    lua_pushstring(L, r->problem ? "application/problem+json" : "application/json");
    lua_setfield(L, -2, "Content-Type");
    if (r->replayed) {
        lua_pushliteral(L, "true");
        lua_setfield(L, -2, "Idempotent-Replayed");
    }
    if (r->status == 503) {
        lua_pushliteral(L, "1");
        lua_setfield(L, -2, "Retry-After");
    }
    lua_setfield(L, -2, "headers");
    script_set_tag(L, "reply");
    return 1;
}

static struct str text_field(lua_State *L, const char *name) {
    struct str s = {0};
    lua_pushstring(L, name);
    int type = lua_rawget(L, 1);
    if (type == LUA_TSTRING)
        s.p = lua_tolstring(L, -1, &s.n);
    else if (type != LUA_TNIL)
        luaL_error(L, "core.payment: %s is a text", name);
    return s; /* stays on the stack, and so alive */
}

/* The body as JSON text: as it came, or a table that a script made. */
static struct str body_field(lua_State *L) {
    struct str s;
    lua_pushliteral(L, "body");
    if (lua_rawget(L, 1) == LUA_TTABLE)
        json_encode(L, lua_gettop(L), JSON_DEPTH, JSON_OUT_MAX, "core.payment: body");
    if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "core.payment: body is JSON text or a table");
    s.p = lua_tolstring(L, -1, &s.n);
    return s;
}

static int l_create(lua_State *L) {
    const struct call_context *ctx = context_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct payment_ask ask = {.services = ctx->services,
                              .runtime = co_runtime(L),
                              .merchant = text_field(L, "merchant"),
                              .direct = ctx->direct,
                              .body = body_field(L),
                              .raw = text_field(L, "raw"),
                              .key = text_field(L, "key"),
                              .path = text_field(L, "path")};
    if (ask.merchant.n == 0) return luaL_error(L, "core.payment.create: whose payment?");
    if (ask.path.n == 0) ask.path = STR("POST /v1/payments");
    if (ctx->exchange != NULL) ask.request_id = str_of(ctx->exchange->request_id);
    co_require_wait(L, "core.payment.create");
    struct ask_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct ask_wait){.wait.cancel = wait_cancel};
    set_freeing(L, "luwak.payment_wait", wait_gc);
    w->asked = mem_zalloc(sizeof *w->asked);
    if (w->asked != NULL) w->asked->flow = payment_flow_start(&ask, replied, w->asked);
    if (w->asked == NULL || w->asked->flow == NULL) return luaL_error(L, "out of memory");
    co_park(L, &w->wait);
    w->asked->ticket = w->wait.ticket;
    return co_yield (L, reply_finish);
}

/* ---- reading ---- */

/* JSON of ours, with the customer put in, as a table. */
static int push_filled(lua_State *L, const struct core *core, const struct buf *json) {
    struct buf *filled = buf_push(L);
    int err = json->err != 0 ? json->err : customer_fill(core, buf_str(json), filled);
    if (err != 0) return luaL_error(L, "%s", err_text(err));
    return json_decode_push(L, buf_str(filled));
}

static int l_get(lua_State *L) {
    const struct core *core = context_of(L)->services->core;
    struct str merchant = check_str(L, 1), id = check_str(L, 2);
    struct buf *json = buf_push(L); /* nothing of ours may be held when Lua raises */
    struct payment p;
    int err = payment_read(core, merchant, id, &p);
    if (err == E_NOTFOUND) return lua_pushnil(L), 1;
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    payment_json(core, &p, json);
    payment_free(&p);
    return push_filled(L, core, json);
}

#define KINDS (KINDS_TRUSTED & ~KIND_MIGRATION)
static const struct bind_fn PAYMENT[] = {
    {"create", l_create, KINDS, "ask: table -> reply",
     "creates a payment: {merchant=, body=, key=, path=, raw=}; the answer, for the route to "
     "return"},
    {"get", l_get, KINDS, "merchant: string, id: string -> table?, string?, string?",
     "a payment of that merchant, or nil"},
    {0},
};
const struct bind_module bind_payment = {"core.payment", "payments", PAYMENT, NULL};
