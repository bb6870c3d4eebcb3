/* money: amounts are Lua integers in minor units. Floats and numeric strings are refused, overflow
 * raises: an unchecked wrong sum cannot happen. What comes from outside (texts) returns nil, text,
 * code instead. */
#include "base/money.h"

#include "base/ensure.h"
#include "script/bind_json.h"
#include "script/lua_util.h"

static int64_t check_int(lua_State *L, int index) {
    if (!lua_isinteger(L, index) || lua_type(L, index) != LUA_TNUMBER)
        luaL_argerror(L, index, "an integer in minor units expected");
    return lua_tointeger(L, index);
}

static enum money_round check_mode(lua_State *L, int index) {
    enum money_round mode = ROUND_DOWN;
    if (money_round_named(check_str(L, index), &mode) != 0)
        luaL_argerror(L, index, "half_up, half_even, up or down expected");
    return mode;
}

static int give(lua_State *L, int err, int64_t value, const char *name) {
    if (err != 0) return luaL_error(L, "money.%s: %s", name, err_text(err));
    lua_pushinteger(L, value);
    return 1;
}

static int l_parse(lua_State *L) {
    struct str text;
    if (!json_to_text(L, 1, JSON_NUMBER_TYPE, &text)) text = check_str(L, 1);
    struct str currency = check_str(L, 2);
    int64_t value = 0;
    struct why why = {0};
    int err = money_parse(text, currency, &value, &why);
    if (err == E_NOTFOUND) return luaL_argerror(L, 2, "no such currency");
    if (err != 0) return bind_fail(L, err, "%s", why.text);
    lua_pushinteger(L, value);
    return 1;
}

static int l_format(lua_State *L) {
    int64_t amount = check_int(L, 1);
    struct str currency = check_str(L, 2);
    int64_t decimals = lua_isnoneornil(L, 3) ? 0 : check_int(L, 3);
    luaL_argcheck(L, decimals >= 0 && decimals <= 9, 3, "0 to 9 decimals");
    struct buf b = {0};
    int err = money_format(amount, currency, (int)decimals, &b);
    char text[64];
    size_t n = b.len;
    ENSURE(n <= sizeof text);
    if (err == 0) memcpy(text, b.data, n);
    buf_free(&b); /* before anything can raise */
    if (err != 0)
        return luaL_error(L, "money.format: %s",
                          err == E_NOTFOUND ? "no such currency" : err_text(err));
    lua_pushlstring(L, text, n);
    return 1;
}

static int l_decimals(lua_State *L) {
    int n = money_decimals(check_str(L, 1));
    luaL_argcheck(L, n >= 0, 1, "no such currency");
    lua_pushinteger(L, n);
    return 1;
}

static int l_percent(lua_State *L) {
    int64_t amount = check_int(L, 1), out = 0;
    struct str percent = check_str(L, 2);
    enum money_round mode = check_mode(L, 3);
    int err = money_percent(amount, percent, mode, &out);
    if (err == E_SYNTAX) return luaL_argerror(L, 2, "a percentage like \"0.7%\" expected");
    return give(L, err, out, "percent");
}

static int l_ratio(lua_State *L) {
    int64_t amount = check_int(L, 1), out = 0;
    int64_t numerator = check_int(L, 2), denominator = check_int(L, 3);
    int err = money_ratio(amount, numerator, denominator, check_mode(L, 4), &out);
    return give(L, err, out, "ratio");
}

static int l_add(lua_State *L) {
    int64_t out = check_int(L, 1);
    for (int i = 2; i <= lua_gettop(L); i++)
        if (money_add(out, check_int(L, i), &out) != 0) return give(L, E_OVERFLOW, 0, "add");
    return give(L, 0, out, "add");
}

static int l_sub(lua_State *L) {
    int64_t out = 0;
    int err = money_sub(check_int(L, 1), check_int(L, 2), &out);
    return give(L, err, out, "sub");
}

static int l_mul(lua_State *L) {
    int64_t out = 0;
    int err = money_mul(check_int(L, 1), check_int(L, 2), &out);
    return give(L, err, out, "mul");
}

/* A number n stands for n equal weights. */
static int l_split(lua_State *L) {
    int64_t total = check_int(L, 1);
    bool list = lua_type(L, 2) == LUA_TTABLE;
    lua_Unsigned n = list ? lua_rawlen(L, 2) : (lua_Unsigned)check_int(L, 2);
    luaL_argcheck(L, n >= 1 && n <= MONEY_PARTS_MAX, 2, "1 to 10000 parts");
    int64_t *weights = lua_newuserdatauv(L, 2 * (size_t)n * sizeof *weights, 0);
    int64_t *parts = weights + n;
    for (size_t i = 0; i < n; i++) {
        weights[i] = 1;
        if (!list) continue;
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        luaL_argcheck(L, lua_isinteger(L, -1), 2, "weights are integers");
        weights[i] = lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    int err = money_split(total, weights, (size_t)n, parts);
    if (err == E_INVAL) return luaL_argerror(L, 2, "weights are not negative, and not all zero");
    if (err != 0) return give(L, err, 0, "split");
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushinteger(L, parts[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static const struct bind_fn FNS[] = {
    {"parse", l_parse, KINDS_ALL,
     "text: string|json.number, currency: string -> integer, string?, string?",
     "minor units of \"150000.00\"; a fraction the currency does not have is refused"},
    {"format", l_format, KINDS_ALL,
     "amount: integer, currency: string, decimals?: integer -> string",
     "decimal text, with more decimals if a provider wants them: \"10000.00\""},
    {"decimals", l_decimals, KINDS_ALL, "currency: string -> integer",
     "digits behind the point; IDR has none here"},
    {"percent", l_percent, KINDS_ALL, "amount: integer, percent: string, round: string -> integer",
     "money.percent(p.amount, \"0.7%\", \"half_up\"); rounds half_up, half_even, up or down"},
    {"ratio", l_ratio, KINDS_ALL,
     "amount: integer, numerator: integer, denominator: integer, round: string -> integer",
     "amount * numerator / denominator, rounded once"},
    {"split", l_split, KINDS_ALL, "total: integer, weights: table|integer -> table",
     "parts that add up to the total, by largest remainder"},
    {"add", l_add, KINDS_ALL, "a: integer, ... -> integer", "the sum; overflow raises"},
    {"sub", l_sub, KINDS_ALL, "a: integer, b: integer -> integer", "a - b; overflow raises"},
    {"mul", l_mul, KINDS_ALL, "a: integer, b: integer -> integer", "a * b; overflow raises"},
    {0},
};

const struct bind_module bind_money = {
    "money", "amounts as integers in minor units, exact or refused", FNS, NULL};
