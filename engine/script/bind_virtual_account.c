/* core.virtual_account: numbers that stay: shown, listed, closed. They are given out by
 * core.payment.open_account. */
#include "core/person.h"
#include "core/virtual_account.h"
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

/* Frees the account; nothing of ours is held when Lua raises. */
static int push_account(lua_State *L, struct virtual_account *v) {
    struct buf *json = buf_push(L), *filled = buf_push(L);
    virtual_account_json(v, json);
    virtual_account_free(v);
    int err = json->err != 0 ? json->err : customer_fill(core_of(L), buf_str(json), filled);
    if (err != 0) return luaL_error(L, "%s", err_text(err));
    return json_decode_push(L, buf_str(filled));
}

/* get(merchant, id) */
static int l_get(lua_State *L) {
    struct virtual_account v;
    int err = virtual_account_read(core_of(L), check_str(L, 1), check_str(L, 2), &v);
    if (err == E_NOTFOUND) return lua_pushnil(L), 1;
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    return push_account(L, &v);
}

/* The limit stands at place 2 of the call's stack. */
static int listed(lua_State *L, const struct store_answer *a) {
    if (a->err != 0) return store_fail(L, a);
    size_t limit = (size_t)lua_tointeger(L, 2), count = rows_count(a->rows), bytes = 0, shown = 0;
    lua_createtable(L, 0, 3);
    lua_createtable(L, (int)count, 0);
    json_push_meta(L, JSON_ARRAY_META);
    lua_setmetatable(L, -2);
    int list = lua_gettop(L);
    for (; shown < count && shown < limit; shown++) { /* long ones make a shorter piece */
        struct virtual_account v;
        (void)virtual_account_read_row(a->rows, shown, &v);
        bytes += v.doc.n;
        if (shown > 0 && bytes > JSON_LIST_MAX) {
            virtual_account_free(&v);
            break;
        }
        if (push_account(L, &v) != 1) return luaL_error(L, "a row is damaged");
        lua_rawseti(L, list, (lua_Integer)shown + 1);
        lua_settop(L, list);
    }
    lua_setfield(L, -2, "data");
    lua_pushboolean(L, count > shown);
    lua_setfield(L, -2, "has_more");
    lua_pushliteral(L, "list");
    lua_setfield(L, -2, "object");
    return 1;
}

/* list(merchant, limit, starting_after?) */
static int l_list(lua_State *L) {
    struct str merchant = check_str(L, 1), after = {0};
    lua_Integer limit = luaL_checkinteger(L, 2);
    luaL_argcheck(L, limit >= 1 && limit <= PAGE_MAX, 2, "1 to 100");
    if (!lua_isnoneornil(L, 3)) {
        struct virtual_account v;
        after = check_str(L, 3);
        int err = virtual_account_read(core_of(L), merchant, after, &v);
        if (err != 0) return bind_fail(L, err, "%s", err_text(err));
        virtual_account_free(&v);
    }
    co_require_wait(L, "core.virtual_account.list");
    return store_wait_query(
        L, "virtual_accounts_of_merchant",
        VALS(V_STR(merchant), after.n == 0 ? V_NULL : V_STR(after), V_INT(limit + 1)), listed);
}

/* Merchant and id stand at places 1 and 2. */
static int closed(lua_State *L, const struct store_answer *a) {
    if (a->err != 0 && a->err != E_GUARD) return store_fail(L, a);
    return l_get(L); /* E_GUARD: it was closed, or is nobody's */
}

static int l_close(lua_State *L) {
    struct virtual_account v;
    struct commit *c;
    int err = virtual_account_read(core_of(L), check_str(L, 1), check_str(L, 2), &v);
    if (err == E_NOTFOUND) return lua_pushnil(L), 1;
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    bool over = v.closed;
    virtual_account_free(&v);
    if (over) return l_get(L);
    co_require_wait(L, "core.virtual_account.close");
    lua_settop(L, 2);
    c = commit_push(L);
    struct virtual_account named = {.merchant = check_str(L, 1)};
    snprintf(named.id, sizeof named.id, "%s", check_str(L, 2).p);
    virtual_account_add_close(core_of(L), c, &named);
    return store_wait_audited(L, c, "virtual_account.close", check_str(L, 2), closed);
}

#define KINDS (KINDS_TRUSTED & ~KIND_MIGRATION)
static const struct bind_fn FNS[] = {
    {"get", l_get, KINDS, "merchant: string, id: string -> table?, string?, string?",
     "a virtual account of that merchant, or nil"},
    {"list", l_list, KINDS,
     "merchant: string, limit: integer, starting_after?: string -> table?, string?, string?",
     "the merchant's virtual accounts, newest first"},
    {"close", l_close, KINDS, "merchant: string, id: string -> table?, string?, string?",
     "closes it: money that comes then stands in suspense; the account as it is then, or nil"},
    {0},
};
const struct bind_module bind_virtual_account = {"core.virtual_account",
                                                 "virtual accounts that stay", FNS, NULL};
