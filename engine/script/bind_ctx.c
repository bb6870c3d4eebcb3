/* ctx: what a caged call (channel, biller, simulator) has of the engine besides ctx.http: state
 * that outlives the call and is right across workers and restarts, its configuration, the clock.
 *
 * Every name is kept under the script's provider, so that no provider reads another's. All times
 * are business time. */
#include "base/buf.h"
#include "base/fault.h"
#include "base/pan.h"
#include "base/schedule.h"
#include "core/merchant.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/bind_secret.h"
#include "script/buf_lua.h"
#include "script/claims.h"
#include "script/context.h"
#include "script/grants.h"
#include "script/lua_util.h"
#include "script/manifest.h"
#include "script/store_wait.h"
#include "script/tokens.h"
#include "sys/config.h"

#include <string.h>

enum {
    NAME_MAX_BYTES = 200,
    VALUE_MAX_BYTES = 64 * 1024,
    TTL_MAX_S = 400 * 86400,
    STORE_ROWS_MAX = 1000
};
#define STORE_BYTES_MAX (INT64_C(16) << 20)

struct call_context *context_of(lua_State *L) {
    struct call_context *c = co_data(L);
    if (c == NULL) luaL_error(L, "not inside a call");
    return c;
}

static int64_t now(lua_State *L) {
    return clock_now_ms(context_of(L)->services->clock);
}

/* "demo:scope": pushed on the stack, so that it lives as long as the call needs it. */
static struct str own_name(lua_State *L, int index) {
    const struct call_context *c = context_of(L);
    size_t n;
    const char *name = luaL_checklstring(L, index, &n);
    luaL_argcheck(L, n >= 1 && n <= NAME_MAX_BYTES, index, "a name of 1 to 200 bytes");
    lua_pushstring(L, c->scope == SCOPE_SIMULATOR ? "sandbox/" : "");
    lua_pushlstring(L, c->provider.p, c->provider.n);
    lua_pushliteral(L, ":");
    lua_pushlstring(L, name, n);
    lua_concat(L, 4);
    struct str s;
    s.p = lua_tolstring(L, -1, &s.n);
    return s;
}

static struct str text_arg(lua_State *L, int index, size_t max) {
    struct str s;
    s.p = luaL_checklstring(L, index, &s.n);
    if (s.n > max) luaL_error(L, "argument %d is longer than %d bytes", index, (int)max);
    return s;
}

/* ---- once ---- */

/* A store that does not answer raises: false is "somebody has it", and the script would go home. */
static int once_done(lua_State *L, const struct store_answer *a) {
    if (a->err != 0 && a->err != E_GUARD) return luaL_error(L, "ctx.once: %s", err_text(a->err));
    lua_pushboolean(L, a->err == 0);
    return 1;
}

static int l_once(lua_State *L) {
    struct str scope = own_name(L, 1), key = text_arg(L, 2, NAME_MAX_BYTES);
    int64_t ttl_s = 0, ttl_ms = 0;
    if (lua_type(L, 3) == LUA_TSTRING) {
        struct why why = {0};
        if (duration_parse(text_arg(L, 3, NAME_MAX_BYTES), &ttl_ms, &why) != 0)
            return luaL_argerror(L, 3, why.text);
        ttl_s = (ttl_ms + 999) / 1000;
    } else {
        ttl_s = luaL_checkinteger(L, 3);
    }
    luaL_argcheck(L, ttl_s > 0 && ttl_s <= TTL_MAX_S, 3,
                  "seconds, or a duration such as \"24h\"; at most 400 days");
    co_require_wait(L, "ctx.once");
    int64_t at = now(L);
    struct commit *c = commit_push(L);
    commit_add(c, OP_ONCE_TAKE,
               VALS(V_STR(scope), V_STR(key), V_INT(at + ttl_s * 1000), V_INT(at)));
    return store_wait_commit(L, c, LANE_RESULT, once_done);
}

/* ---- counter ---- */

static int counter_done(lua_State *L, const struct store_answer *a) {
    if (a->err == E_GUARD) return bind_fail(L, E_LIMIT, "the counter is at its maximum");
    if (a->err != 0) return store_fail(L, a);
    lua_pushinteger(L, rows_int(a->rows, 0, 0));
    return 1;
}

static int64_t int_field(lua_State *L, int table, const char *name, int64_t otherwise) {
    if (lua_isnoneornil(L, table)) return otherwise;
    int64_t v = otherwise;
    if (lua_getfield(L, table, name) != LUA_TNIL) {
        if (!lua_isinteger(L, -1)) luaL_error(L, "%s: an integer is expected", name);
        v = lua_tointeger(L, -1);
    }
    lua_pop(L, 1);
    return v;
}

static int l_counter(lua_State *L) {
    lua_settop(L, 2); /* own_name pushes: an argument left out must not become its text */
    struct str name = own_name(L, 1);
    if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
    int64_t max = int_field(L, 2, "max", INT64_MIN);
    int64_t ttl_s = int_field(L, 2, "ttl", TTL_MAX_S);
    luaL_argcheck(L, ttl_s > 0 && ttl_s <= TTL_MAX_S, 2, "ttl: seconds, at most 400 days");
    co_require_wait(L, "ctx.counter");
    int64_t at = now(L);
    struct commit *c = commit_push(L);
    commit_add(c, OP_COUNTER_TAKE,
               VALS(V_STR(name), max == INT64_MIN ? V_NULL : V_INT(max), V_INT(at + ttl_s * 1000),
                    V_INT(at)));
    return store_wait_commit(L, c, LANE_RESULT, counter_done);
}

/* ---- allocate ---- */

static int allocate_done(lua_State *L, const struct store_answer *a) {
    if (a->err == E_GUARD) return bind_fail(L, E_LIMIT, "every number of the range is taken");
    if (a->err != 0) return store_fail(L, a);
    lua_pushinteger(L, rows_int(a->rows, 0, 0));
    return 1;
}

static int l_allocate(lua_State *L) {
    const struct call_context *ctx = context_of(L);
    lua_settop(L, 4);
    struct str pool = own_name(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_rawgeti(L, 2, 1);
    lua_rawgeti(L, 2, 2);
    luaL_argcheck(L, lua_isinteger(L, -2) && lua_isinteger(L, -1), 2, "a range {low, high}");
    int64_t low = lua_tointeger(L, -2), high = lua_tointeger(L, -1);
    luaL_argcheck(L, low >= 0 && low <= high && high < INT64_C(1000000000000000000), 2,
                  "0 <= low <= high < 10^18");
    int64_t until = luaL_checkinteger(L, 3);
    struct str holder = lua_isnoneornil(L, 4) ? STR("") : text_arg(L, 4, NAME_MAX_BYTES);
    co_require_wait(L, "ctx.allocate");
    int64_t start = low + (int64_t)rng_below(ctx->services->rng, (uint64_t)(high - low) + 1);
    if (FAULT("allocate.low")) start = low; /* the same guess for all */
    if (claims_take(ctx->claims, pool, high - low, start, holder, until)) {
        lua_pushinteger(L, start);
        return 1;
    }
    struct commit *c = commit_push(L);
    commit_add(c, OP_SLOT_TAKE,
               VALS(V_STR(pool), V_INT(low), V_INT(high), V_INT(start), V_STR(holder), V_INT(until),
                    V_INT(now(L))));
    return store_wait_commit(L, c, LANE_RESULT, allocate_done);
}

/* nil is "it never had one", and what a script concludes from that may be about money: a store that
 * cannot be read raises. */
static int allocated_done(lua_State *L, const struct store_answer *a) {
    if (a->err != 0) return luaL_error(L, "ctx.allocated: %s", err_text(a->err));
    if (rows_count(a->rows) == 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, rows_int(a->rows, 0, 0));
    return 1;
}

static int l_allocated(lua_State *L) {
    lua_settop(L, 2); /* own_name pushes */
    struct str pool = own_name(L, 1), holder = text_arg(L, 2, NAME_MAX_BYTES);
    luaL_argcheck(L, holder.n != 0, 2, "a holder");
    co_require_wait(L, "ctx.allocated");
    return store_wait_query(L, "slot_of", VALS(V_STR(pool), V_STR(holder)), allocated_done);
}

/* ---- the provider's small durable store ---- */

/* A store that cannot be read raises: nil is "there is none", and what a script concludes from that
 * may be about money. */
static int get_done(lua_State *L, const struct store_answer *a) {
    if (a->err != 0) return luaL_error(L, "ctx.store.get: %s", err_text(a->err));
    if (rows_count(a->rows) == 0) {
        lua_pushnil(L);
        lua_pushinteger(L, 0);
        return 2;
    }
    struct str value = rows_text(a->rows, 0, 0);
    lua_pushlstring(L, value.p, value.n);
    lua_pushinteger(L, rows_int(a->rows, 0, 1));
    return 2;
}

static int l_store_get(lua_State *L) {
    struct str key = own_name(L, 1);
    co_require_wait(L, "ctx.store.get");
    const struct call_context *ctx = context_of(L);
    return store_wait_query(L, "kv_get", VALS(V_STR(ctx->provider), V_STR(key)), get_done);
}

static int put_done(lua_State *L, const struct store_answer *a) {
    if (a->err == E_GUARD && str_search(str_of(a->detail), STR("the store is full")) >= 0)
        return bind_fail(L, E_LIMIT,
                         "the store is full: %d values and 16 MB for one provider; remove some",
                         STORE_ROWS_MAX);
    if (a->err == E_GUARD) return bind_fail(L, E_GUARD, "somebody else has changed it");
    if (a->err != 0) return store_fail(L, a);
    lua_pushinteger(L, rows_int(a->rows, rows_count(a->rows) - 1, 0));
    return 1;
}

/* Channels and billers keep cursors and the like: so many, so much. Simulators keep books. */
static void add_room(lua_State *L, struct commit *c, struct str key, struct str value) {
    const struct call_context *ctx = context_of(L);
    if (ctx->scope == SCOPE_SIMULATOR) return;
    size_t from, to;
    if (pan_find(value, &from, &to))
        luaL_error(L, "ctx.store: this looks like a card number; card numbers are not kept");
    lua_pushlstring(L, ctx->provider.p, ctx->provider.n);
    lua_pushliteral(L, ":");
    lua_concat(L, 2);
    lua_pushlstring(L, ctx->provider.p, ctx->provider.n);
    lua_pushliteral(L, ";"); /* the next character */
    lua_concat(L, 2);
    commit_add(c, OP_KV_ROOM,
               VALS(V_STR(ctx->provider), V_STR(key), V_TEXT(lua_tostring(L, -2)),
                    V_TEXT(lua_tostring(L, -1)), V_INT((int64_t)value.n), V_INT(STORE_ROWS_MAX),
                    V_INT(STORE_BYTES_MAX)));
}

static int put(lua_State *L, struct val version) {
    const struct call_context *ctx = context_of(L);
    struct str key = own_name(L, 1);
    struct str value = lua_isnil(L, 2) ? STR("") : text_arg(L, 2, VALUE_MAX_BYTES);
    co_require_wait(L, "ctx.store.put");
    struct commit *c = commit_push(L);
    if (lua_isnil(L, 2))
        commit_add(c, OP_KV_DELETE, VALS(V_STR(ctx->provider), V_STR(key), version));
    else {
        add_room(L, c, key, value);
        commit_add(c, OP_KV_PUT, VALS(V_STR(ctx->provider), V_STR(key), V_BLOB(value), version));
    }
    return store_wait_commit(L, c, LANE_RESULT, put_done);
}

static int l_store_put(lua_State *L) {
    luaL_checkany(L, 2);
    return put(L, V_NULL);
}

static int l_store_cas(lua_State *L) {
    luaL_checkany(L, 2);
    return put(L, V_INT(luaL_checkinteger(L, 3)));
}

/* ---- clock, configuration, verification ---- */

static int l_now(lua_State *L) {
    lua_pushinteger(L, now(L));
    return 1;
}

/* In simulated mode the sandbox's host: it is our simulator. */
static int l_host(lua_State *L) {
    const struct call_context *c = context_of(L);
    const struct manifest *m = c->version->manifest;
    const char *environment = c->services->simulated ? "sandbox" : c->services->environment;
    const char *host = m == NULL ? NULL : manifest_pair(&m->hosts, environment);
    if (host == NULL) return luaL_error(L, "ctx.host: hosts has none for %s", environment);
    lua_pushstring(L, host);
    return 1;
}

/* Where the gateway's callbacks go when the operator named another place for them. */
static const char *webhook_url(const struct call_context *c, const char *path) {
    const struct config *config = c->services->config;
    const char *gateway = config == NULL ? NULL : config_text(config, SET_PAYMENT_GATEWAY);
    if (gateway == NULL || !str_eq(c->provider, str_of(gateway)) ||
        strncmp(path, "/callbacks/", 11) != 0 || strcmp(path + 11, gateway) != 0)
        return NULL;
    return config_text(config, SET_PAYMENT_WEBHOOK_URL);
}

/* A merchant's own account is called back at a path of its own: its key is what must fit there. */
static bool own_callbacks(const struct call_context *c, const char *path) {
    struct str rest = str_of(path);
    if (!str_starts(rest, STR("/callbacks/"))) return false;
    return str_eq(str_sub(rest, 11, rest.n), c->provider);
}

static int l_url(lua_State *L) {
    const char *path = luaL_checkstring(L, 1), *url = context_of(L)->services->url;
    struct str merchant;
    luaL_argcheck(L, path[0] == '/', 1, "a path that begins with /");
    bool own = account_own(context_of(L)->account, &merchant) && own_callbacks(context_of(L), path);
    const char *named = own ? NULL : webhook_url(context_of(L), path);
    if (named != NULL) return lua_pushstring(L, named), 1;
    if (url == NULL || url[0] == '\0') return lua_pushnil(L), 1;
    lua_pushfstring(L, "%s%s%s%s", url, path, own ? "/" : "", own ? merchant.p : "");
    return 1;
}

static int l_verify(lua_State *L) {
    if (lua_isboolean(L, 1) && lua_toboolean(L, 1)) {
        context_of(L)->verified = true;
        return 0;
    }
    const char *why = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
    context_of(L)->unverified = true;
    co_refuse(L, why == NULL ? "the signature does not fit" : why);
}

/* The key of a merchant's own account; there is no other one behind it. */
static int push_own_key(lua_State *L, const char *name, const struct manifest_config *key) {
    const struct call_context *c = context_of(L);
    struct buf *value = buf_push(L);
    value->secret = true;
    int err = account_key(c->services->core, c->account, str_of(key->key), value);
    if (err == E_NOTFOUND)
        return luaL_error(L, "ctx.config.%s: %s is not set in the account %s", name, key->key,
                          c->account.p);
    if (err != 0) return luaL_error(L, "ctx.config.%s: %s", name, err_text(err));
    if (key->secret)
        secret_push(L, buf_str(value), key->key);
    else
        push_str(L, buf_str(value));
    return 1;
}

/* ctx.config.NAME: the declared key's value, a secret where the script said so. Kept nowhere: a
 * grant that is taken back ends with the next read, and configuration never changes. */
static int config_index(lua_State *L) {
    const struct call_context *c = context_of(L);
    const struct manifest *m = c->version->manifest;
    const char *name = luaL_checkstring(L, 2), *owner = manifest_owner(c->version);
    const struct manifest_config *key = NULL;
    for (size_t i = 0; m != NULL && i < m->config.count && key == NULL; i++)
        if (strcmp(m->config.at[i].name, name) == 0) key = &m->config.at[i];
    if (key == NULL || owner == NULL)
        return luaL_error(L, "ctx.config.%s: the script does not declare it", name);
    if (!grants_have(c->services->grants, c->provider, "key", key->key))
        return luaL_error(L,
                          "ctx.config.%s: %s is not granted to %s; grant it with: luwak grant %s",
                          name, key->key, owner, owner);
    struct str merchant;
    if (account_own(c->account, &merchant)) return push_own_key(L, name, key);
    const char *value;
    int err = config_provider(c->services->config, owner, key->key, &value);
    if (err == E_DENIED)
        return luaL_error(L, "ctx.config.%s: %s is not a key of provider %s", name, key->key,
                          owner);
    if (err != 0) return luaL_error(L, "ctx.config.%s: %s is not set", name, key->key);
    if (key->secret)
        secret_push(L, str_of(value), key->key);
    else
        lua_pushstring(L, value);
    return 1;
}

/* The simulator's view of who is a customer of its provider: the merchants' own accounts, by name,
 * with their keys. Only in simulated mode, where simulators are the only ones to have it. */
static int l_accounts(lua_State *L) {
    const struct call_context *c = context_of(L);
    const struct core *core = c->services->core;
    struct rows **rows = rows_push(L);
    lua_newtable(L);
    int list = lua_gettop(L);
    if (core == NULL || !c->services->simulated) return 1;
    int err = store_get(core->store, "accounts_of_provider",
                        VALS(V_STR(c->provider), V_TEXT(c->services->environment)), rows);
    if (err != 0) return luaL_error(L, "ctx.accounts: %s", err_text(err));
    for (size_t i = 0; i < rows_count(*rows); i++) {
        struct buf *config = buf_push(L);
        config->secret = true;
        err = account_open(core, rows_text(*rows, i, 0), config);
        if (err != 0) return luaL_error(L, "ctx.accounts: %s", err_text(err));
        if (json_decode_push(L, buf_str(config)) != 1)
            return luaL_error(L, "ctx.accounts: an account is damaged");
        lua_pushnil(L);
        while (lua_next(L, -2) != 0) { /* each key a secret; a table may be changed while it is
                                          walked, if nothing is added */
            struct str value;
            value.p = lua_tolstring(L, -1, &value.n);
            lua_pushvalue(L, -2);
            secret_push(L, value, lua_tostring(L, -3));
            lua_rawset(L, -5);
            lua_pop(L, 1);
        }
        push_str(L, rows_text(*rows, i, 0));
        lua_insert(L, -2);
        lua_rawset(L, list);
        lua_settop(L, list);
    }
    return 1;
}

static int value_config(lua_State *L) {
    lua_newtable(L);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, config_index);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    return 1;
}

static const struct bind_fn CTX[] = {
    {"config", value_config, KINDS_CAGED & ~KIND_RULE, "value: table",
     "the keys that the script declares, by its own names; secrets stay hidden"},
    {"once", l_once, KINDS_CAGED & ~KIND_RULE,
     "scope: string, key: string, ttl: integer|string -> boolean",
     "true for the first who takes the key, false for others until it expires; seconds, or "
     "\"24h\""},
    {"counter", l_counter, KINDS_CAGED & ~KIND_RULE,
     "name: string, options?: table -> integer?, string?, string?",
     "adds one and returns the value; {max=, ttl=} bound it"},
    {"allocate", l_allocate, KINDS_CAGED & ~KIND_RULE,
     "pool: string, range: table, until_ms: integer, holder?: string -> integer?, string?, string?",
     "reserves a free number of {low, high} until a time"},
    {"allocated", l_allocated, KINDS_CAGED & ~KIND_RULE, "pool: string, holder: string -> integer?",
     "the number that was reserved for the holder; nil: none was, or its time is over"},
    {"token", tokens_l_token, KINDS_CAGED & ~KIND_RULE, "key: string, fetch: function -> any",
     "a cached access token; fetch() -> value, seconds runs once for all who wait"},
    {"now", l_now, KINDS_CAGED & ~KIND_RULE, "-> integer", "business time, milliseconds UTC"},
    {"host", l_host, KINDS_CAGED & ~KIND_RULE, "-> string",
     "the declared host of this environment, for the URL of a request"},
    {"url", l_url, KINDS_CAGED & ~KIND_RULE, "path: string -> string?",
     "a path of ours as others call it (LUWAK_PUBLIC_URL), for callbacks; nil where that is not "
     "set"},
    {"accounts", l_accounts, KIND_SANDBOX, "-> table",
     "merchants' own accounts at the simulated provider: {name = {KEY = secret}}"},
    {"verify", l_verify, KINDS_CAGED & ~KIND_RULE, "fact: any, why?: string",
     "anything but true ends the call: it answers 401 and nothing changes"},
    {0},
};
static const struct bind_fn STORE[] = {
    {"get", l_store_get, KINDS_CAGED & ~KIND_RULE, "key: string -> string?, integer",
     "the value and its version; nil and 0 without one"},
    {"put", l_store_put, KINDS_CAGED & ~KIND_RULE,
     "key: string, value: string? -> integer?, string?, string?",
     "writes (nil removes); returns the new version"},
    {"cas", l_store_cas, KINDS_CAGED & ~KIND_RULE,
     "key: string, value: string?, version: integer -> integer?, string?, string?",
     "writes only if the version still stands; 0: must not exist"},
    {0},
};
const struct bind_module bind_ctx = {
    "ctx", "the running call: state that outlives it, clock, verification", CTX, NULL};
const struct bind_module bind_ctx_store = {
    "ctx.store", "a small durable store of the provider's own", STORE, NULL};
