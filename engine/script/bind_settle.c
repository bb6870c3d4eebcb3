/* ctx.find, ctx.settle and ctx.ask: what a channel does when its provider calls. All work within the
 * channel's own provider account, so no provider touches another's payments; nothing is settled
 * before the request was verified. */
#include "base/ensure.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "core/core.h"
#include "core/jobs.h"
#include "core/operation.h"
#include "core/virtual_account.h"
#include "payment/payment_settle.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/buf_lua.h"
#include "script/context.h"
#include "script/lua_util.h"
#include "script/store_wait.h"
#include "sys/log.h"

/* ---- find ---- */

static void put_str(lua_State *L, const char *name, struct str value) {
    push_str(L, value);
    lua_setfield(L, -2, name);
}

/* The settle that follows begins with what was found. */
static void keep_found(const struct call_context *c, struct payment *p, size_t at) {
    struct found *found = c->callback == NULL ? NULL : mem_alloc(sizeof *found);
    if (found == NULL) {
        payment_free(p);
        return;
    }
    found_free(c->callback->found);
    *found = (struct found){.payment = *p, .attempt = at};
    c->callback->found = found;
}

/* The attempt as an operation is given to a script, with its payment's id; the snapshot is given
 * away before Lua could raise. */
static int push_attempt(lua_State *L, struct payment *p, size_t at, struct buf *doc,
                        struct buf *reference) {
    char id[ID_SIZE], payment[ID_SIZE];
    const struct attempt *a = &p->attempts[at];
    const char *status = OPERATION_STATES[a->state].name;
    int64_t due = p->amount_due;
    memcpy(id, a->id, sizeof id);
    memcpy(payment, p->id, sizeof payment);
    buf_addstr(doc, a->doc);
    buf_addstr(reference, a->reference);
    keep_found(context_of(L), p, at);
    if (doc->err != 0 || reference->err != 0) return luaL_error(L, "out of memory");
    if (json_decode_push(L, buf_str(doc)) != 1)
        return luaL_error(L, "attempt %s: its document is damaged", id);
    put_str(L, "id", str_of(id));
    put_str(L, "payment", str_of(payment));
    put_str(L, "kind", STR("create"));
    put_str(L, "reference", buf_str(reference));
    put_str(L, "status", str_of(status));
    lua_pushinteger(L, due);
    lua_setfield(L, -2, "amount_due");
    return 1;
}

/* A number that stays, which is what it is settled by: each money_id is a payment of its own. */
static int push_account(lua_State *L, struct str number) {
    const struct call_context *c = context_of(L);
    struct virtual_account v;
    int err = virtual_account_find(c->services->core, c->account, number, &v);
    if (err == E_NOTFOUND) return lua_pushnil(L), 1;
    if (err != 0) return luaL_error(L, "ctx.find: %s", err_text(err));
    char id[ID_SIZE];
    bool closed = v.closed;
    memcpy(id, v.id, sizeof id);
    virtual_account_free(&v);
    lua_createtable(L, 0, 5);
    put_str(L, "id", str_of(id));
    put_str(L, "kind", STR("virtual_account"));
    put_str(L, "reference", number);
    put_str(L, "va_number", number);
    put_str(L, "status", closed ? STR("closed") : STR("active"));
    return 1;
}

static int64_t amount_at(const struct rows *operations, size_t row) {
    return rows_int(operations, row, rows_columns(operations) - 1);
}

/* The largest of our refunds of an attempt's money that has not failed: where to give back is at the provider what
 * others do as well, what is told of it is only news if it was not ours. */
static int push_refund(lua_State *L, struct str reference) {
    const struct call_context *c = context_of(L);
    struct rows **rows = rows_push(L);
    struct payment p;
    size_t at, most = SIZE_MAX;
    int err = payment_find(c->services->core, c->account, reference, &p, &at);
    if (err == E_NOTFOUND) return lua_pushnil(L), 1;
    if (err == 0) {
        err =
            store_get(c->services->core->store, "operations_of_payment", VALS(V_TEXT(p.id)), rows);
        payment_free(&p);
    }
    if (err != 0) return luaL_error(L, "ctx.find: %s", err_text(err));
    for (size_t i = 0; i < rows_count(*rows); i++)
        if (str_eq(rows_text(*rows, i, 1), STR("refund")) &&
            str_eq(rows_text(*rows, i, 4), c->account) &&
            !str_eq(rows_text(*rows, i, 6), STR("failed")) &&
            (most == SIZE_MAX || amount_at(*rows, i) > amount_at(*rows, most)))
            most = i;
    if (most == SIZE_MAX) return lua_pushnil(L), 1;
    lua_createtable(L, 0, 5);
    put_str(L, "id", rows_text(*rows, most, 0));
    put_str(L, "kind", STR("refund"));
    put_str(L, "reference", rows_text(*rows, most, 5));
    put_str(L, "status", rows_text(*rows, most, 6));
    lua_pushinteger(L, amount_at(*rows, most));
    lua_setfield(L, -2, "amount");
    return 1;
}

/* What a provider tells may be signed and still be no name that anybody was given: the store takes no
 * NUL, and nobody's name is pages long. */
enum { NAME_MAX_ = 255 };

static bool can_be_name(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return s.n <= NAME_MAX_;
}

static int l_find(lua_State *L) {
    const struct call_context *c = context_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct buf *doc = buf_push(L), *reference = buf_push(L);
    lua_pushnil(L);
    if (lua_next(L, 1) == 0) return lua_pushnil(L), 1; /* {reference = nil} */
    if (lua_type(L, -2) != LUA_TSTRING)
        return luaL_error(L, "ctx.find: {reference = ...} or another key");
    struct str kind = check_str(L, -2), value = {0};
    if (lua_type(L, -1) == LUA_TSTRING) value.p = lua_tolstring(L, -1, &value.n);
    if (value.n == 0 || !can_be_name(value)) return lua_pushnil(L), 1; /* left out, or nobody's */
    if (str_eq(kind, STR("refund_of"))) return push_refund(L, value);
    struct payment p;
    size_t at;
    int err = E_NOTFOUND;
    if (str_eq(kind, STR("reference")))
        err = payment_find(c->services->core, c->account, value, &p, &at);
    if (err == E_NOTFOUND)
        err = payment_find_key(c->services->core, c->account, kind, value, &p, &at);
    if (err == E_NOTFOUND && str_eq(kind, STR("va_number"))) return push_account(L, value);
    if (err == E_NOTFOUND) return lua_pushnil(L), 1;
    if (err != 0) return luaL_error(L, "ctx.find: %s", err_text(err));
    return push_attempt(L, &p, at, doc, reference);
}

/* ---- settle ---- */

struct settled { /* on the heap: the commit does not forget who asked */
    struct ticket ticket;
    bool abandoned;
    struct callback *callback; /* of the request that is answered; lives until then */
    int err;
    enum verdict verdict;
};
struct settle_wait {
    struct co_wait wait;
    struct settled *settled;
};

static void told(int err, const struct why *why, enum verdict verdict, int64_t inbox, void *data) {
    struct settled *s = data;
    (void)why;
    if (s->abandoned) { /* the callback is over as well: it was answered with trouble, and repeats */
        mem_free(s);
        return;
    }
    s->err = err;
    s->verdict = verdict;
    if (err == 0 && verdict == VERDICT_NOT_FOUND)
        s->callback->orphan = true;
    else if (err == 0)
        s->callback->booked = true;
    if (err == 0 && verdict == VERDICT_DUPLICATE) s->callback->duplicate = true;
    if (inbox != 0) s->callback->inbox = inbox;
    co_wake(s->ticket);
}

static void wait_cancel(struct co_wait *wait) {
    struct settle_wait *w = CONTAINER_OF(wait, struct settle_wait, wait);
    w->settled->abandoned = true;
    w->settled = NULL;
}

static int wait_gc(lua_State *L) {
    struct settle_wait *w = lua_touserdata(L, 1);
    mem_free(w->settled);
    w->settled = NULL;
    return 0;
}

static int settle_finish(lua_State *L, struct co_wait *wait) {
    const struct settled *s = CONTAINER_OF(wait, struct settle_wait, wait)->settled;
    if (s->err == E_FULL) context_of(L)->unavailable = true;
    if (s->err != 0) return luaL_error(L, "ctx.settle: %s", err_text(s->err));
    lua_pushstring(L, verdict_name(s->verdict));
    return 1;
}

static bool bool_field(lua_State *L, const char *name) {
    lua_pushstring(L, name);
    int type = lua_rawget(L, 1);
    if (type != LUA_TNIL && type != LUA_TBOOLEAN)
        luaL_error(L, "ctx.settle: %s is true or false", name);
    return lua_toboolean(L, -1);
}

static struct str text_field(lua_State *L, const char *name, bool wanted) {
    struct str s = {0};
    lua_pushstring(L, name);
    int type = lua_rawget(L, 1);
    if (type == LUA_TSTRING)
        s.p = lua_tolstring(L, -1, &s.n);
    else if (type != LUA_TNIL || wanted)
        luaL_error(L, "ctx.settle: %s is a text", name);
    if (wanted && s.n == 0) luaL_error(L, "ctx.settle: %s is missing", name);
    return s;
}

static int64_t int_field(lua_State *L, const char *name, bool wanted) {
    lua_pushstring(L, name);
    int type = lua_rawget(L, 1);
    if (type == LUA_TNIL && !wanted) return 0;
    if (type != LUA_TNUMBER || !lua_isinteger(L, -1) || lua_tointeger(L, -1) <= 0)
        luaL_error(L, "ctx.settle: %s is an integer above 0", name);
    return lua_tointeger(L, -1);
}

/* A provider's clock is no reason to refuse its money, nor to keep it from the merchant for years:
 * what cannot be is left out, and counts as now. */
static int64_t paid_at_field(lua_State *L, int64_t now) {
    lua_pushliteral(L, "paid_at");
    int type = lua_rawget(L, 1);
    if (type == LUA_TNIL) return 0;
    if (!lua_isinteger(L, -1)) luaL_error(L, "ctx.settle: paid_at is an integer");
    int64_t at = lua_tointeger(L, -1);
    if (at > TIME_MAX) luaL_error(L, "ctx.settle: paid_at is no time up to 9999");
    if (at > 0 && at <= now + DAY_MS) return at;
    log_warn("paid_at_cannot_be", L_INT("paid_at", at));
    return 0;
}

static int l_settle(lua_State *L) {
    static const char *const WORDS[] = {"success", "reversed", "failed", "expired", "cancelled"};
    const struct call_context *c = context_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (c->callback == NULL) return luaL_error(L, "ctx.settle: nobody has called us");
    if (!c->verified)
        return luaL_error(L, "ctx.settle: the request is not verified yet; call ctx.verify first");
    struct payment_told what = {.services = c->services,
                                .runtime = co_runtime(L),
                                .channel = c->version,
                                .account = c->account,
                                .reference = text_field(L, "reference", true),
                                .body = c->exchange == NULL ? STR("") : c->exchange->body,
                                .status = text_field(L, "status", true),
                                .money_id = text_field(L, "money_id", false),
                                .code = text_field(L, "category", false),
                                .message = text_field(L, "message", false),
                                .provider_code = text_field(L, "code", false),
                                .denial = bool_field(L, "denial"),
                                .found = &c->callback->found};
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(WORDS) && !known; i++)
        known = str_eq(what.status, str_of(WORDS[i]));
    if (!known) return luaL_error(L, "ctx.settle: status %s is no end", what.status.p);
    what.amount = int_field(L, "amount", str_eq(what.status, STR("success")));
    what.paid_at = paid_at_field(L, clock_now_ms(c->services->core->clock));
    if (str_eq(what.status, STR("failed")) && what.code.n == 0) what.code = STR("PROVIDER_ERROR");
    co_require_wait(L, "ctx.settle");
    if (!can_be_name(what.reference) || !can_be_name(what.money_id)) {
        log_error("told_of_nobody", L_STR("account", c->account), L_STR("status", what.status),
                  L_INT("reference_bytes", (int64_t)what.reference.n),
                  L_INT("money_id_bytes", (int64_t)what.money_id.n), L_INT("amount", what.amount),
                  L_TEXT("next", "its names cannot be anybody's: nothing is kept"));
        return lua_pushstring(L, verdict_name(VERDICT_NOT_FOUND)), 1;
    }
    struct settle_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct settle_wait){.wait.cancel = wait_cancel};
    set_freeing(L, "luwak.settle_wait", wait_gc);
    w->settled = mem_zalloc(sizeof *w->settled);
    if (w->settled == NULL) return luaL_error(L, "out of memory");
    w->settled->callback = c->callback;
    what.withdrawn = &w->settled->abandoned;
    if (payment_tell(&what, told, w->settled) != 0) return luaL_error(L, "out of memory");
    co_park(L, &w->wait);
    w->settled->ticket = w->wait.ticket;
    return co_yield (L, settle_finish);
}

/* ---- ask ---- */

static int asked(lua_State *L, const struct store_answer *a) {
    if (a->err != 0) return store_fail(L, a);
    jobs_poke(context_of(L)->services->jobs);
    return lua_pushboolean(L, 1), 1;
}

/* The attempt that ctx.find read last, or one that is looked for now. */
static int attempt_of(const struct call_context *c, struct str reference, char id[ID_SIZE],
                      enum operation_state *state) {
    const struct found *found = c->callback->found;
    const struct attempt *a = found == NULL ? NULL : &found->payment.attempts[found->attempt];
    struct payment p = {0};
    size_t at;
    int err = 0;
    if (a == NULL || !str_eq(a->reference, reference)) {
        err = payment_find(c->services->core, c->account, reference, &p, &at);
        if (err == E_NOTFOUND)
            err = payment_find_key(c->services->core, c->account, STR("reference"), reference, &p,
                                   &at);
        if (err == 0) a = &p.attempts[at];
    }
    if (err != 0) return err;
    memcpy(id, a->id, ID_SIZE);
    *state = a->state;
    payment_free(&p);
    return 0;
}

static int l_ask(lua_State *L) {
    const struct call_context *c = context_of(L);
    char id[ID_SIZE];
    enum operation_state state;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (c->callback == NULL || !c->verified)
        return luaL_error(L, "ctx.ask: nobody has told us anything that is verified");
    struct str reference = text_field(L, "reference", true);
    co_require_wait(L, "ctx.ask");
    int err = can_be_name(reference) ? attempt_of(c, reference, id, &state) : E_NOTFOUND;
    if (err == E_NOTFOUND) return lua_pushboolean(L, 0), 1;
    if (err != 0) return luaL_error(L, "ctx.ask: %s", err_text(err));
    struct commit *commit = commit_push(L);
    operation_add_ask_told(commit, str_of(id), state, c->services->core->clock, c->services->rng);
    return store_wait_commit(L, commit, LANE_RESULT, asked);
}

static const struct bind_fn SETTLE[] = {
    {"find", l_find, KIND_CHANNEL, "by: table -> table?",
     "the attempt known by {reference = ...}, {va_number = ...} or a key of its decision; "
     "{refund_of = reference}: our largest refund of that attempt that has not failed, {id, kind, "
     "reference, status, amount}"},
    {"settle", l_settle, KIND_CHANNEL, "told: table -> string",
     "applies what the provider told: {reference, status, money_id, amount, paid_at}; the verdict. "
     "Reversed money that never came is noted for a person, once; not with denial = true: it may "
     "be a try that was never paid"},
    {"ask", l_ask, KIND_CHANNEL, "about: table -> boolean?, string?, string?",
     "what was told of {reference = ...} could not be checked now: the engine asks by `inquire`, "
     "until it is answered, also about one that has an end (for a day); false: there is none"},
    {0},
};
const struct bind_module bind_settle = {"ctx", "what a provider's call is applied with", SETTLE,
                                        NULL};
