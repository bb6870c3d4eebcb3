/* What a rule returned, held against the contract: every slip is an error of the rule that names the
 * field. Raw access only: no code of the rule runs here. */
#include "base/ensure.h"
#include "script/rules_private.h"

#include <stdio.h>

static struct str text_at(lua_State *L, int index) {
    struct str s = {0};
    if (lua_type(L, index) == LUA_TSTRING) s.p = lua_tolstring(L, index, &s.n);
    return s;
}

/* Only these keys, besides the list from 1 to n: what is misspelt must not be lost. */
static void only_keys(lua_State *L, int table, lua_Integer n, const char *const *names,
                      const char *what) {
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
        if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= n)
            continue;
        struct str key = text_at(L, -2);
        bool known = false;
        for (const char *const *name = names; *name != NULL && !known; name++)
            known = str_eq(key, str_of(*name));
        if (!known)
            luaL_error(L, "%s: there is no field %s", what,
                       key.p != NULL ? key.p : luaL_typename(L, -2));
    }
}

static const char *const NOTHING[] = {NULL};

/* ---- fee ---- */

static bool name_valid(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] == '_' || (s.p[i] >= 'a' && s.p[i] <= 'z') ||
              (s.p[i] >= '0' && s.p[i] <= '9')))
            return false;
    return s.n != 0 && s.n < RULE_LINE_NAME_SIZE;
}

static void read_line(lua_State *L, int index, int number, struct rule_fee *fee) {
    struct rule_line *line = &fee->lines[fee->count];
    if (!lua_istable(L, index)) luaL_error(L, "lines[%d]: expected { \"name\", amount }", number);
    only_keys(L, index, 2, NOTHING, "lines");
    lua_rawgeti(L, index, 1);
    lua_rawgeti(L, index, 2);
    struct str name = text_at(L, -2);
    if (!name_valid(name))
        luaL_error(L, "lines[%d]: the name is 1 to %d of a-z, 0-9 and _", number,
                   RULE_LINE_NAME_SIZE - 1);
    if (lua_type(L, -1) != LUA_TNUMBER || !lua_isinteger(L, -1) || lua_tointeger(L, -1) < 0)
        luaL_error(L, "lines[%d]: the amount of %s is an integer in minor units, 0 or more", number,
                   name.p);
    for (size_t i = 0; i < fee->count; i++)
        if (str_eq(str_of(fee->lines[i].name), name))
            luaL_error(L, "lines[%d]: %s comes twice", number, name.p);
    snprintf(line->name, sizeof line->name, "%.*s", STR_FMT(name));
    line->amount = lua_tointeger(L, -1);
    if (__builtin_add_overflow(fee->total, line->amount, &fee->total))
        luaL_error(L, "lines: their sum is too large");
    fee->count++;
    lua_pop(L, 2);
}

static void read_fee(lua_State *L, int index, bool qris, struct rule_fee *fee) {
    static const char *const FIELDS[] = {"bearer", "lines", NULL};
    if (!lua_istable(L, index)) luaL_error(L, "a fee is { bearer =, lines = }");
    only_keys(L, index, 0, FIELDS, "fee");
    lua_pushliteral(L, "bearer");
    lua_rawget(L, index);
    struct str bearer = text_at(L, -1);
    if (!str_eq(bearer, STR("merchant")) && !str_eq(bearer, STR("customer")))
        luaL_error(L, "bearer: expected \"merchant\" or \"customer\"");
    fee->bearer = bearer.p[0] == 'c' ? BEARER_CUSTOMER : BEARER_MERCHANT;
    lua_pushliteral(L, "lines");
    lua_rawget(L, index);
    if (!lua_istable(L, -1)) luaL_error(L, "lines: expected a list of { \"name\", amount }");
    int lines = lua_gettop(L);
    lua_Integer n = (lua_Integer)lua_rawlen(L, lines);
    if (n > RULE_LINES_MAX) luaL_error(L, "lines: at most %d", RULE_LINES_MAX);
    only_keys(L, lines, n, NOTHING, "lines");
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, lines, i);
        read_line(L, lua_gettop(L), (int)i, fee);
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
    if (qris && fee->bearer == BEARER_CUSTOMER && fee->total != 0)
        luaL_error(L, "bearer: nothing may be charged on top of QRIS");
}

/* ---- routing ---- */

static uint64_t read_categories(lua_State *L, int index) {
    uint64_t on = 0;
    if (!lua_istable(L, index)) luaL_error(L, "on: expected a list of error categories");
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    only_keys(L, index, n, NOTHING, "on");
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, index, i);
        struct str word = text_at(L, -1);
        enum problem_code code = word.n == 0 ? PROBLEM_NONE : problem_find(word);
        if (code < PROBLEM_INSUFFICIENT_BALANCE) /* those before it are no provider's */
            luaL_error(L, "on[%d]: expected an error category such as \"BANK_UNAVAILABLE\"",
                       (int)i);
        on |= UINT64_C(1) << code;
        lua_pop(L, 1);
    }
    return on;
}

static void read_route(lua_State *L, int index, struct rule_route *route) {
    static const char *const FIELDS[] = {"on", NULL};
    if (!lua_istable(L, index)) luaL_error(L, "a route is a list of channels");
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    if (n > RULE_CHANNELS_MAX) luaL_error(L, "a route has at most %d channels", RULE_CHANNELS_MAX);
    only_keys(L, index, n, FIELDS, "route");
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, index, i);
        struct str name = text_at(L, -1);
        if (name.n == 0 || name.n >= RULE_CHANNEL_SIZE || memchr(name.p, '\0', name.n) != NULL)
            luaL_error(L, "channel %d: expected a name such as \"bni_va\"", (int)i);
        for (size_t k = 0; k < route->count; k++)
            if (str_eq(str_of(route->channels[k]), name))
                luaL_error(L, "channel %d: %s comes twice", (int)i, name.p);
        snprintf(route->channels[route->count++], RULE_CHANNEL_SIZE, "%.*s", STR_FMT(name));
        lua_pop(L, 1);
    }
    lua_pushliteral(L, "on");
    lua_rawget(L, index);
    if (!lua_isnil(L, -1)) route->on = read_categories(L, lua_gettop(L));
    lua_pop(L, 1);
}

/* ---- risk, policy ---- */

static void read_risk(lua_State *L, int index, struct rule_answer *a) {
    const char *tag = script_tag(L, index);
    if (tag != NULL && strcmp(tag, "allow") == 0) return;
    bool deny = tag != NULL && strcmp(tag, "deny") == 0;
    if (!deny && (tag == NULL || strcmp(tag, "review") != 0))
        luaL_error(L, "a judgement is allow, deny \"why\" or review \"why\"");
    a->risk.verdict = deny ? VERDICT_DENY : VERDICT_REVIEW;
    lua_pushliteral(L, "why");
    lua_rawget(L, index);
    struct str why = text_at(L, -1);
    snprintf(a->risk.reason, sizeof a->risk.reason, "%.*s", STR_FMT(why));
    lua_pop(L, 1);
}

static void read_policy(lua_State *L, int index, struct rule_answer *a) {
    static const char *const WORDS[] = {
        [ACTION_WAIT] = "wait", [ACTION_ACCEPT] = "accept", [ACTION_REFUND] = "refund"};
    struct str word = text_at(L, index);
    for (int i = 0; i < 3; i++) {
        if (!str_eq(word, str_of(WORDS[i]))) continue;
        a->action = (enum rule_action)i;
        return;
    }
    luaL_error(L, "a policy is \"accept\", \"refund\" or \"wait\"");
}

void rule_read(lua_State *L, int index, bool qris, struct rule_answer *a) {
    luaL_checkstack(L, 10, NULL);
    switch (a->rule) {
    case RULE_FEE: read_fee(L, index, qris, &a->fee); break;
    case RULE_ROUTING: read_route(L, index, &a->route); break;
    case RULE_RISK: read_risk(L, index, a); break;
    case RULE_POLICY: read_policy(L, index, a); break;
    case RULE_NONE:
    case RULE_HOLIDAYS: ENSURE(false);
    }
}
