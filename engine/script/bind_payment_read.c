/* core.payment: reading: a payment, lists, refunds, events; core.balance. Point reads on the loop,
 * lists on the reader threads. The customer is put in where it is shown. */
#include "core/event.h"
#include "core/ledger.h"
#include "core/payment.h"
#include "core/person.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/buf_lua.h"
#include "script/context.h"
#include "script/lua_util.h"
#include "script/store_wait.h"

enum { PAGE_MAX = 100 };

static const struct core *core_of(lua_State *L) {
    return context_of(L)->services->core;
}

/* JSON of ours, with the customer put in, as a table. Nothing of ours is held when Lua raises. */
static int push_filled(lua_State *L, const struct buf *json) {
    struct buf *filled = buf_push(L);
    int err = json->err != 0 ? json->err : customer_fill(core_of(L), buf_str(json), filled);
    if (err != 0) return luaL_error(L, "%s", err_text(err));
    return json_decode_push(L, buf_str(filled));
}

static int l_get(lua_State *L) {
    struct str merchant = check_str(L, 1), id = check_str(L, 2);
    struct buf *json = buf_push(L);
    struct payment p;
    int err = payment_read(core_of(L), merchant, id, &p);
    if (err == E_NOTFOUND) return lua_pushnil(L), 1;
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    payment_json(core_of(L), &p, json);
    payment_free(&p);
    return push_filled(L, json);
}

static int l_get_refund(lua_State *L) {
    struct str merchant = check_str(L, 1), id = check_str(L, 2);
    struct buf *json = buf_push(L);
    struct refund r;
    int err = refund_read(core_of(L), merchant, id, &r);
    if (err == E_NOTFOUND) return lua_pushnil(L), 1;
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    refund_json(&r, json);
    refund_free(&r);
    return push_filled(L, json);
}

/* ---- lists: {object = "list", data, has_more}; one row more than shown is asked for. Long rows
 * make a shorter piece, of one row at least ---- */

typedef int (*row_json)(const struct core *core, const struct rows *rows, size_t row,
                        struct buf *out);

static int payment_row(const struct core *core, const struct rows *rows, size_t row,
                       struct buf *out) {
    struct payment p;
    int err = payment_read_row(core, rows, row, &p);
    if (err != 0) return err;
    payment_json(core, &p, out);
    payment_free(&p);
    return out->err;
}

static int refund_row(const struct core *core, const struct rows *rows, size_t row,
                      struct buf *out) {
    struct refund r;
    int err = refund_read_row(rows, row, &r);
    (void)core;
    if (err != 0) return err;
    refund_json(&r, out);
    refund_free(&r);
    return out->err;
}

static int event_row(const struct core *core, const struct rows *rows, size_t row,
                     struct buf *out) {
    (void)core;
    return event_json(rows, row, out);
}

/* The limit stands at place 2 of the call's stack. */
static int push_list(lua_State *L, const struct store_answer *a, row_json write) {
    if (a->err != 0) return store_fail(L, a);
    size_t limit = (size_t)lua_tointeger(L, 2), count = rows_count(a->rows), bytes = 0;
    size_t shown = count < limit ? count : limit;
    struct buf *json = buf_push(L);
    lua_createtable(L, 0, 3);
    lua_createtable(L, (int)shown, 0);
    json_push_meta(L, JSON_ARRAY_META);
    lua_setmetatable(L, -2);
    for (size_t i = 0; i < shown; i++) {
        buf_clear(json);
        int err = write(core_of(L), a->rows, i, json);
        if (err != 0) return luaL_error(L, "%s", err_text(err));
        bytes += json->len;
        if (i > 0 && bytes > JSON_LIST_MAX) shown = i;
        if (i == shown) break;
        int top = lua_gettop(L);
        if (push_filled(L, json) != 1) return luaL_error(L, "a row is damaged");
        lua_rawseti(L, top, (lua_Integer)i + 1);
        lua_settop(L, top);
    }
    lua_setfield(L, -2, "data");
    lua_pushboolean(L, count > shown);
    lua_setfield(L, -2, "has_more");
    lua_pushliteral(L, "list");
    lua_setfield(L, -2, "object");
    return 1;
}

static int payments_done(lua_State *L, const struct store_answer *a) {
    return push_list(L, a, payment_row);
}
static int refunds_done(lua_State *L, const struct store_answer *a) {
    return push_list(L, a, refund_row);
}
static int events_done(lua_State *L, const struct store_answer *a) {
    return push_list(L, a, event_row);
}

static int64_t check_limit(lua_State *L) {
    lua_Integer limit = luaL_checkinteger(L, 2);
    luaL_argcheck(L, limit >= 1 && limit <= PAGE_MAX, 2, "1 to 100");
    return limit;
}

static struct val text_filter(lua_State *L, const char *name) {
    if (lua_getfield(L, 3, name) == LUA_TNIL) return V_NULL; /* stays on the stack */
    return V_STR(check_str(L, -1));
}

static struct val int_filter(lua_State *L, const char *name) {
    if (lua_getfield(L, 3, name) == LUA_TNIL) return V_NULL;
    return V_INT(luaL_checkinteger(L, -1));
}

/* list(merchant, limit, {starting_after, status, order_id, created_after, created_before}) */
static int l_list(lua_State *L) {
    struct str merchant = check_str(L, 1);
    int64_t limit = check_limit(L);
    struct val before = V_NULL;
    lua_settop(L, 3);
    if (lua_isnil(L, 3)) {
        lua_newtable(L);
        lua_replace(L, 3);
    }
    luaL_checktype(L, 3, LUA_TTABLE);
    struct val after = text_filter(L, "starting_after");
    if (after.type == VAL_TEXT) {
        struct rows **rows = rows_push(L);
        int err = store_get(core_of(L)->store, "payment_n", VALS(V_STR(merchant), after), rows);
        if (err != 0) return bind_fail(L, err, "%s", err_text(err));
        if (rows_count(*rows) == 0) return bind_fail(L, E_NOTFOUND, "there is no such payment");
        before = V_INT(rows_int(*rows, 0, 0));
    }
    const struct val values[] = {V_STR(merchant),
                                 before,
                                 V_INT(limit + 1),
                                 text_filter(L, "status"),
                                 int_filter(L, "created_after"),
                                 int_filter(L, "created_before"),
                                 text_filter(L, "order_id")};
    const size_t count = sizeof values / sizeof values[0];
    bool order = values[count - 1].type == VAL_TEXT;
    co_require_wait(L, "core.payment.list");
    return store_wait_query(L, order ? "payments_found_order" : "payments_found", values,
                            order ? count : count - 1, payments_done);
}

static int l_refunds(lua_State *L) {
    struct str payment = check_str(L, 1);
    int64_t limit = check_limit(L);
    struct val after = lua_isnoneornil(L, 3) ? V_NULL : V_STR(check_str(L, 3));
    co_require_wait(L, "core.payment.refunds");
    return store_wait_query(L, "refunds_of_payment", VALS(V_STR(payment), V_INT(limit + 1), after),
                            refunds_done);
}

/* events(merchant, limit, after, object?) */
static int l_events(lua_State *L) {
    struct str merchant = check_str(L, 1);
    int64_t limit = check_limit(L), after = luaL_checkinteger(L, 3);
    co_require_wait(L, "core.payment.events");
    if (lua_isnoneornil(L, 4))
        return store_wait_query(L, "merchant_events",
                                VALS(V_STR(merchant), V_INT(after), V_INT(limit + 1)), events_done);
    return store_wait_query(
        L, "events_of_object",
        VALS(V_STR(merchant), V_INT(after), V_STR(check_str(L, 4)), V_INT(limit + 1)), events_done);
}

static int l_balance(lua_State *L) {
    struct balance b;
    int err = ledger_balance(core_of(L)->store, check_str(L, 1), &b);
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    lua_createtable(L, 0, 4);
    lua_pushliteral(L, "IDR");
    lua_setfield(L, -2, "currency");
    lua_pushinteger(L, b.available);
    lua_setfield(L, -2, "available");
    lua_pushinteger(L, b.pending);
    lua_setfield(L, -2, "pending");
    lua_pushinteger(L, b.held);
    lua_setfield(L, -2, "held");
    return 1;
}

#define KINDS (KINDS_TRUSTED & ~KIND_MIGRATION)
static const struct bind_fn READ[] = {
    {"get", l_get, KINDS, "merchant: string, id: string -> table?, string?, string?",
     "a payment of that merchant, or nil"},
    {"get_refund", l_get_refund, KINDS, "merchant: string, id: string -> table?, string?, string?",
     "a refund, or nil"},
    {"list", l_list, KINDS,
     "merchant: string, limit: integer, filter?: table -> table?, string?, string?",
     "newest first: starting_after, status, order_id, created_after, created_before"},
    {"refunds", l_refunds, KINDS,
     "payment: string, limit: integer, starting_after?: string -> table?, string?, string?",
     "refunds of a payment, newest first"},
    {"events", l_events, KINDS,
     "merchant: string, limit: integer, after: integer, object?: string -> table?, string?, "
     "string?",
     "events in order, from behind a sequence; of one object"},
    {"balance", l_balance, KINDS, "merchant: string -> table?, string?, string?",
     "what the merchant has: available, pending, held"},
    {0},
};
const struct bind_module bind_payment_read = {"core.payment", "payments", READ, NULL};
