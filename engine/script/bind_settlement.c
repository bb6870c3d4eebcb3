/* core.settlement, for jobs and tools that read providers' settlement files: books a row, once. */
#include "core/settlement.h"
#include "script/bind.h"
#include "script/context.h"
#include "script/lua_util.h"
#include "script/store_wait.h"

enum { BOOK_MAX = 32 }; /* rows of one commit: each is some five operations of COMMIT_OPS_MAX */

/* Fields of the row on top of the stack; its table keeps the texts. */
static struct str text_field(lua_State *L, const char *name) {
    struct str s = {0};
    lua_pushstring(L, name);
    if (lua_rawget(L, -2) != LUA_TSTRING) luaL_error(L, "settlement: %s is a text", name);
    s.p = lua_tolstring(L, -1, &s.n);
    lua_pop(L, 1);
    return s;
}

static int64_t amount_field(lua_State *L, const char *name) {
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    if (!lua_isinteger(L, -1)) luaL_error(L, "settlement: %s is an integer", name);
    int64_t amount = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return amount;
}

static int booked(lua_State *L, const struct store_answer *a) {
    if (a->err != 0 && a->err != E_GUARD && a->err != E_EXISTS) return store_fail(L, a);
    lua_pushboolean(L, a->err == 0);
    return 1;
}

static int add_row(lua_State *L, const struct core *core, struct commit *c, struct why *why) {
    struct settlement_row row = {.account = text_field(L, "account"),
                                 .key = text_field(L, "key"),
                                 .payment = text_field(L, "payment"),
                                 .detail = text_field(L, "detail"),
                                 .gross = amount_field(L, "gross"),
                                 .fee = amount_field(L, "fee"),
                                 .vat = amount_field(L, "vat"),
                                 .net = amount_field(L, "net")};
    return settlement_add(core, c, &row, why);
}

static int l_book(lua_State *L) {
    const struct core *core = context_of(L)->services->core;
    struct why why = {0};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    co_require_wait(L, "core.settlement.book");
    lua_Unsigned count = lua_rawlen(L, 1);
    luaL_argcheck(L, count <= BOOK_MAX, 1, "32 rows at most");
    struct commit *c = commit_push(L);
    int err = 0;
    if (count == 0) {
        lua_pushvalue(L, 1);
        err = add_row(L, core, c, &why);
    }
    for (lua_Unsigned i = 1; i <= count && err == 0; i++) {
        if (lua_rawgeti(L, 1, (lua_Integer)i) != LUA_TTABLE)
            return luaL_error(L, "settlement: row %d is no table", (int)i);
        err = add_row(L, core, c, &why);
        lua_pop(L, 1);
    }
    if (err != 0) return bind_fail(L, err, "%s", why.code != 0 ? why.text : err_text(err));
    return store_wait_commit(L, c, LANE_NEW, booked);
}

#define KINDS (KIND_JOB | KIND_TOOL | KIND_TEST)
static const struct bind_fn FNS[] = {
    {"book", l_book, KINDS, "rows: table -> boolean?, string?, string?",
     "books what a provider paid out for one transfer, or for a list of 32 at most, in one commit: "
     "{account, key, payment, gross, fee, vat, net, detail}; false: a key was booked before, and "
     "nothing was booked now"},
    {0},
};
const struct bind_module bind_settlement = {"core.settlement", "what providers paid out", FNS,
                                            NULL};
