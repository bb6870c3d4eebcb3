/* bind_decide: what scripts return to the core: decisions, replies, verdicts, names of secrets.
 * Plain tables with a locked metatable of ours, one per tag and state, so that a table a script
 * made by hand never passes for one. script_tag reads the tag without running script code. */
#include "script/bind.h"
#include "script/bind_secret.h"
#include "script/runtime.h"

#include <string.h>

#define KINDS_DECIDE (KIND_CHANNEL | KIND_BILLER | KIND_TEST)
#define KINDS_REPLY  (KIND_CHANNEL | KIND_BILLER | KIND_SANDBOX | KIND_API | KIND_PAGE | KIND_TEST)
#define KINDS_SECRET (KIND_CHANNEL | KIND_BILLER | KIND_SANDBOX | KINDS_TRUSTED)

static const char TAG_KEY = 0;

/* Gives the table on top the tag's metatable. */
void script_set_tag(lua_State *L, const char *tag) {
    const char *key = lua_pushfstring(L, "luwak.tag.%s", tag);
    if (luaL_newmetatable(L, key)) {
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
        lua_pushstring(L, tag);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, "__name");
        lua_rawsetp(L, -2, &TAG_KEY);
    }
    lua_setmetatable(L, -3);
    lua_pop(L, 1);
}

const char *script_tag(lua_State *L, int index) {
    if (!lua_istable(L, index) || !lua_getmetatable(L, index)) return NULL;
    lua_rawgetp(L, -1, &TAG_KEY);
    const char *tag = lua_tostring(L, -1); /* the registry's metatable keeps it alive */
    lua_pop(L, 2);
    return tag;
}

static int decide(lua_State *L, const char *tag) {
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getmetatable(L, 1)) return luaL_error(L, "%s: a plain table is wanted", tag);
    script_set_tag(L, tag);
    return 1;
}

#define DECIDE(tag)                    \
    static int l_##tag(lua_State *L) { \
        return decide(L, #tag);        \
    }
DECIDE(pending)
DECIDE(processing)
DECIDE(success)
DECIDE(failed)
DECIDE(expired)
DECIDE(cancelled)
DECIDE(unknown)
DECIDE(not_created)

static int with_text(lua_State *L, const char *tag, const char *field) {
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, field);
    script_set_tag(L, tag);
    return 1;
}

static int l_none(lua_State *L) {
    return with_text(L, "none", "none");
}
static int l_deny(lua_State *L) {
    return with_text(L, "deny", "why");
}
static int l_review(lua_State *L) {
    return with_text(L, "review", "why");
}
static int l_secret(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    luaL_argcheck(L, n > 0 && name[n] == '\0', 1, "a configuration key (A-Z, 0-9, _)");
    secret_push(L, STR(""), name); /* the value comes with the call: ctx.config */
    return 1;
}

static int value_allow(lua_State *L) {
    lua_newtable(L);
    script_set_tag(L, "allow");
    return 1;
}

static int l_reply(lua_State *L) {
    lua_Integer status = luaL_checkinteger(L, 1);
    luaL_argcheck(L, status >= 200 && status <= 599, 1, "a status from 200 to 599");
    lua_settop(L, 3);
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "status");
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "body");
    lua_pushvalue(L, 3);
    lua_setfield(L, -2, "headers");
    script_set_tag(L, "reply");
    return 1;
}

static const struct bind_fn functions[] = {
    {"pending", l_pending, KINDS_DECIDE, "facts?: table -> decision", "waits for the payer"},
    {"processing", l_processing, KINDS_DECIDE, "facts?: table -> decision",
     "the provider works on it"},
    {"success", l_success, KINDS_DECIDE, "facts?: table -> decision", "done, money moved"},
    {"failed", l_failed, KINDS_DECIDE, "facts?: table -> decision",
     "the provider said no: category, code, message, final"},
    {"expired", l_expired, KINDS_DECIDE, "facts?: table -> decision", "the provider let it lapse"},
    {"cancelled", l_cancelled, KINDS_DECIDE, "facts?: table -> decision",
     "cancelled at the provider"},
    {"unknown", l_unknown, KINDS_DECIDE, "facts?: table -> decision",
     "nobody can say: it is asked again"},
    {"not_created", l_not_created, KINDS_DECIDE, "facts?: table -> decision",
     "the provider proves that it has no such operation"},
    {"none", l_none, KIND_CHANNEL | KIND_BILLER | KIND_TEST, "why: string -> none",
     "in place of a function: the provider has no such thing"},
    {"reply", l_reply, KINDS_REPLY, "status: integer, body?: any, headers?: table -> reply",
     "the answer to a request"},
    {"secret", l_secret, KINDS_SECRET, "name: string -> secret",
     "in config: a key whose value stays hidden"},
    {"deny", l_deny, KIND_RULE | KIND_TEST, "why: string -> deny", "a risk rule's no"},
    {"review", l_review, KIND_RULE | KIND_TEST, "why: string -> review",
     "a risk rule's wait: a person decides"},
    {"allow", value_allow, KIND_RULE | KIND_TEST, "= allow", "a risk rule's yes"},
    {0},
};

const struct bind_module bind_decide = {"", "decisions and replies", functions, NULL};
