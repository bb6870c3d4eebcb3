/* core.rules: asks the rules from trusted scripts: what a payment would cost, where it would go. The
 * question outlives a caller that is gone, so what it answers to is on the heap. A tool can load a
 * rule that does not serve and ask as if it did. */
#include "base/ensure.h"
#include "base/mem.h"
#include "core/core.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/context.h"
#include "script/lua_util.h"
#include "script/rules.h"
#include "script/source.h"
#include "script/store_wait.h"
#include "script/tool.h"

#include <errno.h>
#include <unistd.h>

struct asked {
    struct ticket ticket;
    bool abandoned;
    struct rule_answer answer;
    char path[SCRIPT_PATH_MAX], version[VERSION_ID_SIZE];
};
struct ask_wait {
    struct co_wait wait;
    struct asked *asked; /* NULL: given up, or not begun */
};

static void answered(const struct rule_answer *answer, void *data) {
    struct asked *a = data;
    if (a->abandoned) {
        mem_free(a);
        return;
    }
    a->answer = *answer;
    if (answer->path != NULL) { /* the version may go with its question */
        strcpy(a->path, answer->path);
        strcpy(a->version, answer->version);
        a->answer.path = a->path;
        a->answer.version = a->version;
    }
    co_wake(a->ticket);
}

static void wait_cancel(struct co_wait *wait) {
    struct ask_wait *w = CONTAINER_OF(wait, struct ask_wait, wait);
    w->asked->abandoned = true;
    w->asked = NULL;
}

static int wait_gc(lua_State *L) {
    struct ask_wait *w = lua_touserdata(L, 1);
    mem_free(w->asked);
    w->asked = NULL;
    return 0;
}

static void put_text(lua_State *L, const char *name, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

static void push_fee(lua_State *L, const struct rule_fee *fee) {
    put_text(L, "bearer", fee->bearer == BEARER_CUSTOMER ? "customer" : "merchant");
    lua_pushinteger(L, fee->total);
    lua_setfield(L, -2, "total");
    lua_createtable(L, (int)fee->count, 0);
    json_push_meta(L, JSON_ARRAY_META);
    lua_setmetatable(L, -2);
    for (size_t i = 0; i < fee->count; i++) {
        lua_createtable(L, 0, 2);
        put_text(L, "name", fee->lines[i].name);
        lua_pushinteger(L, fee->lines[i].amount);
        lua_setfield(L, -2, "amount");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "lines");
}

static void push_route(lua_State *L, const struct rule_route *route) {
    lua_createtable(L, (int)route->count, 0);
    for (size_t i = 0; i < route->count; i++) {
        lua_pushstring(L, route->channels[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "channels");
    lua_newtable(L);
    lua_Integer n = 0;
    for (int code = 1; code < 64; code++) {
        if ((route->on >> code & 1) == 0) continue;
        lua_pushstring(L, problem_name((enum problem_code)code));
        lua_rawseti(L, -2, ++n);
    }
    lua_setfield(L, -2, "on");
}

static int asked_finish(lua_State *L, struct co_wait *wait) {
    static const char *const VERDICTS[] = {"allow", "deny", "review"};
    static const char *const ACTIONS[] = {"wait", "accept", "refund"};
    const struct rule_answer *a = &CONTAINER_OF(wait, struct ask_wait, wait)->asked->answer;
    if (a->err != 0) return bind_fail(L, a->err, "%s: %s", a->path, a->text);
    lua_createtable(L, 0, 5);
    if (a->path != NULL) {
        put_text(L, "rule", a->path);
        put_text(L, "version", a->version);
    }
    if (a->rule == RULE_FEE) push_fee(L, &a->fee);
    if (a->rule == RULE_ROUTING) push_route(L, &a->route);
    if (a->rule == RULE_RISK) {
        put_text(L, "verdict", VERDICTS[a->risk.verdict]);
        if (a->risk.reason[0] != '\0') put_text(L, "reason", a->risk.reason);
    }
    if (a->rule == RULE_POLICY) put_text(L, "action", ACTIONS[a->action]);
    return 1;
}

/* ---- a rule on trial ---- */

static int rule_gc(lua_State *L) {
    struct version **v = lua_touserdata(L, 1);
    version_drop(*v);
    *v = NULL;
    return 0;
}

/* Below the root it has the path that it would serve under; else the one that was given. */
static int load_rule(struct version **out, const char *root, const char *given, struct why *why) {
    char below[SCRIPT_PATH_MAX];
    if (access(given, R_OK) != 0) return why_set(why, E_NOTFOUND, "%s: %s", given, strerror(errno));
    bool own = root != NULL && source_below(root, given, below);
    return tool_load_kind(out, KIND_RULE, root, own ? below : given, own, why);
}

static void add_fact(const char *name, void *data) {
    lua_State *L = data;
    lua_pushstring(L, name);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

static int l_load(lua_State *L) {
    static const char *const KINDS[] = {
        [RULE_NONE] = "",     [RULE_FEE] = "fee",       [RULE_ROUTING] = "routing",
        [RULE_RISK] = "risk", [RULE_POLICY] = "policy", [RULE_HOLIDAYS] = "holidays"};
    struct why why = {0};
    const char *path = check_str(L, 1).p;
    struct version **v = lua_newuserdatauv(L, sizeof *v, 0);
    *v = NULL;
    set_freeing(L, "luwak.rule", rule_gc);
    int err = load_rule(v, context_of(L)->services->root, path, &why);
    if (err != 0) return bind_fail(L, err, "%s", why.text);
    const struct manifest *m = (*v)->manifest;
    lua_createtable(L, 0, 3);
    put_text(L, "kind", KINDS[m->rule]);
    if (m->on != NULL) put_text(L, "on", m->on);
    lua_newtable(L);
    rules_facts(context_of(L)->services->scripts(context_of(L)->services->worker), add_fact, L);
    for (size_t i = 0; i < m->facts.count; i++)
        add_fact(m->facts.at[i], L);
    lua_setfield(L, -2, "facts");
    return 2;
}

/* What is known of the merchant, unless the caller says otherwise. */
static void add_category(lua_State *L, const struct core *core) {
    struct rows **rows = rows_push(L);
    if (lua_getfield(L, 1, "merchant") == LUA_TSTRING &&
        lua_getfield(L, 1, "category") == LUA_TNIL &&
        store_get(core->store, "merchant_category", VALS(V_STR(check_str(L, -2))), rows) == 0 &&
        rows_count(*rows) != 0 && !rows_null(*rows, 0, 0)) {
        push_str(L, rows_text(*rows, 0, 0));
        lua_setfield(L, 1, "category");
    }
    lua_settop(L, 2);
}

static int ask(lua_State *L, enum manifest_rule rule, const char *name) {
    const struct script_services *s = context_of(L)->services;
    luaL_checktype(L, 1, LUA_TTABLE);
    struct version **trial =
        lua_isnoneornil(L, 2) ? NULL : (struct version **)luaL_checkudata(L, 2, "luwak.rule");
    lua_settop(L, 2);
    co_require_wait(L, name);
    add_category(L, s->core);
    json_encode(L, 1, JSON_DEPTH, RULE_INPUT_MAX, name);
    struct rule_question q = {.rule = rule, .runtime = co_runtime(L), .set = s->scripts(s->worker)};
    if (trial != NULL) q.trial = *trial;
    q.facts.p = lua_tolstring(L, -1, &q.facts.n);
    struct ask_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct ask_wait){.wait.cancel = wait_cancel};
    set_freeing(L, "luwak.ask_wait", wait_gc);
    w->asked = mem_zalloc(sizeof *w->asked);
    if (w->asked == NULL) return luaL_error(L, "out of memory");
    int err = rules_ask(&q, answered, w->asked);
    if (err != 0) return bind_fail(L, err, "%s: %s", name, err_text(err));
    co_park(L, &w->wait);
    w->asked->ticket = w->wait.ticket;
    return co_yield (L, asked_finish);
}

static int l_fee(lua_State *L) {
    return ask(L, RULE_FEE, "core.rules.fee");
}
static int l_route(lua_State *L) {
    return ask(L, RULE_ROUTING, "core.rules.route");
}
static int l_risk(lua_State *L) {
    return ask(L, RULE_RISK, "core.rules.risk");
}
static int l_policy(lua_State *L) {
    return ask(L, RULE_POLICY, "core.rules.policy");
}

static int l_holiday(lua_State *L) {
    const struct script_services *s = context_of(L)->services;
    lua_pushboolean(L, rules_holiday(s->scripts(s->worker), check_str(L, 1)));
    return 1;
}

#define KINDS (KINDS_TRUSTED & ~KIND_MIGRATION)
static const struct bind_fn RULES[] = {
    {"fee", l_fee, KINDS, "p: table, trial?: any -> table?, string?, string?",
     "what a payment costs: bearer, lines, total, and the rule and version that said it"},
    {"route", l_route, KINDS, "p: table, trial?: any -> table?, string?, string?",
     "the channels to try in turn, and after which error categories the next"},
    {"risk", l_risk, KINDS, "p: table, trial?: any -> table?, string?, string?",
     "verdict allow, deny or review, with the reason"},
    {"policy", l_policy, KINDS, "m: table, trial?: any -> table?, string?, string?",
     "action accept, refund or wait for money that does not fit; m.on says how"},
    {"load", l_load, KIND_TOOL, "path: string -> any?, table|string, string?",
     "a rule that need not serve, and its kind, a policy's `on` and the facts that rules want: "
     "given "
     "to the others as `trial` they answer as if it lay in its place"},
    {"holiday", l_holiday, KINDS, "day: string -> boolean",
     "is the day (YYYY-MM-DD) in rules/policy/holidays.lua?"},
    {0},
};
const struct bind_module bind_rules = {"core.rules", "what the rules say", RULES, NULL};
