/* core.payment: payments, for trusted scripts: the merchant API and whatever speaks for a merchant.
 *
 * What changes something returns the answer itself, as reply() makes it, for the route to return:
 * status and bytes are then exactly what an Idempotency-Key keeps. */
#include "base/ensure.h"
#include "base/mem.h"
#include "core/core.h"
#include "payment/payment_act.h"
#include "payment/virtual_account_open.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/context.h"
#include "script/lua_util.h"
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
    if (w->asked->flow != NULL) payment_flow_hurry(w->asked->flow);
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
    int type = lua_rawget(L, 1);
    if (type == LUA_TNIL) return STR("");
    if (type == LUA_TTABLE)
        json_encode(L, lua_gettop(L), JSON_DEPTH, JSON_OUT_MAX, "core.payment: body");
    if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "core.payment: body is JSON text or a table");
    s.p = lua_tolstring(L, -1, &s.n);
    return s;
}

static struct ask_wait *wait_push(lua_State *L) {
    struct ask_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct ask_wait){.wait.cancel = wait_cancel};
    set_freeing(L, "luwak.payment_wait", wait_gc);
    w->asked = mem_zalloc(sizeof *w->asked);
    if (w->asked == NULL) luaL_error(L, "out of memory");
    return w;
}

static struct payment_ask ask_of(lua_State *L, const char *name) {
    const struct call_context *ctx = context_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct payment_ask ask = {.services = ctx->services,
                              .runtime = co_runtime(L),
                              .merchant = text_field(L, "merchant"),
                              .body = body_field(L),
                              .raw = text_field(L, "raw"),
                              .key = text_field(L, "key"),
                              .path = text_field(L, "path"),
                              .api_key = str_of(ctx->key)};
    if (ask.merchant.n == 0) luaL_error(L, "%s: whose payment?", name);
    if (ctx->exchange != NULL) ask.request_id = str_of(ctx->exchange->request_id);
    co_require_wait(L, name);
    return ask;
}

static int l_create(lua_State *L) {
    struct payment_ask ask = ask_of(L, "core.payment.create");
    if (ask.path.n == 0) ask.path = STR("POST /v1/payments");
    ask.door = text_field(L, "door");
    ask.urls = text_field(L, "urls");
    lua_pushliteral(L, "only");
    lua_rawget(L, 1);
    ask.only = lua_toboolean(L, -1);
    struct ask_wait *w = wait_push(L);
    w->asked->flow = payment_flow_start(&ask, replied, w->asked);
    if (w->asked->flow == NULL) return luaL_error(L, "out of memory");
    co_park(L, &w->wait);
    w->asked->ticket = w->wait.ticket;
    return co_yield (L, reply_finish);
}

static int l_choose(lua_State *L) {
    struct payment_ask ask = ask_of(L, "core.payment.choose");
    ask.choose = text_field(L, "id");
    if (ask.choose.n == 0) luaL_error(L, "core.payment.choose: for which payment?");
    ask.key = STR("");
    struct ask_wait *w = wait_push(L);
    w->asked->flow = payment_flow_start(&ask, replied, w->asked);
    if (w->asked->flow == NULL) return luaL_error(L, "out of memory");
    co_park(L, &w->wait);
    w->asked->ticket = w->wait.ticket;
    return co_yield (L, reply_finish);
}

/* A payment that a person let go on, with the way that its create asked for. */
static int l_start(lua_State *L) {
    struct payment_ask ask = ask_of(L, "core.payment.start");
    struct str id = text_field(L, "id");
    struct ask_wait *w = wait_push(L);
    w->asked->flow = payment_flow_continue(&ask, id, replied, w->asked);
    if (w->asked->flow == NULL) return luaL_error(L, "out of memory");
    co_park(L, &w->wait);
    w->asked->ticket = w->wait.ticket;
    return co_yield (L, reply_finish);
}

static int l_open_account(lua_State *L) {
    struct payment_ask ask = ask_of(L, "core.payment.open_account");
    if (ask.path.n == 0) ask.path = STR("POST /v1/virtual_accounts");
    char actor[AUDIT_ACTOR_SIZE];
    struct ask_wait *w = wait_push(L);
    if (virtual_account_open(&ask, audit_actor(context_of(L), actor), replied, w->asked) != 0)
        return luaL_error(L, "out of memory");
    co_park(L, &w->wait);
    w->asked->ticket = w->wait.ticket;
    return co_yield (L, reply_finish);
}

static int act(lua_State *L, enum payment_action action, const char *name) {
    struct payment_ask ask = ask_of(L, name);
    struct str id = text_field(L, "id");
    struct ask_wait *w = wait_push(L);
    if (payment_act(action, &ask, id, replied, w->asked) != 0)
        return luaL_error(L, "out of memory");
    co_park(L, &w->wait);
    w->asked->ticket = w->wait.ticket;
    return co_yield (L, reply_finish);
}

static int l_cancel(lua_State *L) {
    return act(L, ACT_CANCEL, "core.payment.cancel");
}
static int l_sync(lua_State *L) {
    return act(L, ACT_SYNC, "core.payment.sync");
}
static int l_capture(lua_State *L) {
    return act(L, ACT_CAPTURE, "core.payment.capture");
}
static int l_refund(lua_State *L) {
    return act(L, ACT_REFUND, "core.payment.refund");
}

#define KINDS (KINDS_TRUSTED & ~KIND_MIGRATION)
static const struct bind_fn PAYMENT[] = {
    {"create", l_create, KINDS, "ask: table -> reply",
     "creates a payment: {merchant=, body=, key=, path=, raw=}; the answer, for the route to "
     "return; a door names itself, and where to tell of it: {door=, urls = \"URL URL\", only=}"},
    {"choose", l_choose, KINDS, "ask: table -> reply",
     "the payer's way for one that waits: {merchant=, id=, body = {method, bank, channel, "
     "options}}"},
    {"start", l_start, KINDS, "ask: table -> reply",
     "goes on with one that has no attempt yet, as its create asked: {merchant=, id=}"},
    {"open_account", l_open_account, KINDS, "ask: table -> reply",
     "gives out a virtual account that stays: {merchant=, body=, key=, path=}"},
    {"cancel", l_cancel, KINDS, "ask: table -> reply",
     "cancels an open one, at the provider too: {merchant=, id=}"},
    {"sync", l_sync, KINDS, "ask: table -> reply", "asks the provider now: {merchant=, id=}"},
    {"capture", l_capture, KINDS, "ask: table -> reply",
     "takes money that was authorised: {merchant=, id=, body=, key=, path=}"},
    {"refund", l_refund, KINDS, "ask: table -> reply",
     "gives money back: {merchant=, id=, body=, key=, path=}"},
    {0},
};
const struct bind_module bind_payment = {"core.payment", "payments", PAYMENT, NULL};
