/* core.webhook: where a merchant wants to hear of events, and an event sent once more. Reads are
 * point reads; a change waits until it is on disk and gives the endpoint as it stands then. */
#include "core/event.h"
#include "core/person.h"
#include "core/webhook.h"
#include "net/url.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/buf_lua.h"
#include "script/context.h"
#include "script/lua_util.h"
#include "script/manifest.h"
#include "script/script_set.h"
#include "script/store_wait.h"

#include <string.h>

enum { ENDPOINT_URL_MAX = 2000, ENDPOINTS_MAX = 16, TYPES_MAX = 32 };

static const struct core *core_of(lua_State *L) {
    return context_of(L)->services->core;
}

/* nil, text, CODE, the field that is wrong */
static int refuse(lua_State *L, int err, const char *param, const char *text) {
    int n = bind_fail(L, err, "%s", text);
    lua_pushstring(L, param);
    return n + 1;
}

/* The endpoint on the heap of rows, if it is that merchant's and lives; NULL after E_NOTFOUND. */
static struct rows *endpoint(lua_State *L, struct str merchant, struct str id, int *err) {
    struct rows **rows = rows_push(L);
    *err = store_get(core_of(L)->store, "endpoint_get", VALS(V_STR(id)), rows);
    if (*err != 0) return NULL;
    if (rows_count(*rows) == 1 && str_eq(rows_text(*rows, 0, ENDPOINT_MERCHANT), merchant) &&
        rows_null(*rows, 0, ENDPOINT_NAMED) &&
        !str_eq(rows_text(*rows, 0, ENDPOINT_STATE), STR("deleted")))
        return *rows;
    *err = E_NOTFOUND;
    return NULL;
}

static int push_endpoint(lua_State *L, const struct rows *rows, size_t row, const char *secret) {
    struct buf *json = buf_push(L);
    int err = endpoint_json(rows, row, secret, json);
    if (err != 0) return luaL_error(L, "%s", err_text(err));
    return json_decode_push(L, buf_str(json));
}

/* What every change leaves on the stack below the wait: merchant, what, id, secret or nil. */
enum { AT_MERCHANT = 1, AT_WHAT, AT_ID, AT_SECRET };

static int changed(lua_State *L, const struct store_answer *a) {
    int err;
    if (a->err == E_GUARD) return bind_fail(L, E_NOTFOUND, "there is no such endpoint");
    if (a->err != 0) return store_fail(L, a);
    struct rows *rows = endpoint(L, check_str(L, AT_MERCHANT), check_str(L, AT_ID), &err);
    if (err == E_NOTFOUND) return lua_pushboolean(L, 1), 1; /* deleted, as it should be */
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    return push_endpoint(L, rows, 0, lua_tostring(L, AT_SECRET));
}

static int l_list(lua_State *L) {
    struct str merchant = check_str(L, 1);
    struct rows **rows = rows_push(L);
    int err = store_get(core_of(L)->store, "endpoints_of_merchant", VALS(V_STR(merchant)), rows);
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    lua_newtable(L);
    json_push_meta(L, JSON_ARRAY_META);
    lua_setmetatable(L, -2);
    int list = lua_gettop(L);
    for (size_t i = 0; i < rows_count(*rows); i++) {
        push_endpoint(L, *rows, i, NULL);
        lua_rawseti(L, list, (lua_Integer)i + 1);
        lua_settop(L, list);
    }
    return 1;
}

static int l_get(lua_State *L) {
    int err;
    struct rows *rows = endpoint(L, check_str(L, 1), check_str(L, 2), &err);
    if (err == E_NOTFOUND) return lua_pushnil(L), 1;
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    return push_endpoint(L, rows, 0, NULL);
}

/* Names are judged when they are called, by the address they have then. */
static const char *url_fault(struct str text, bool simulated) {
    static _Thread_local char detail[WHY_MAX + 8];
    struct url url;
    struct why why = {0};
    if (text.n > ENDPOINT_URL_MAX) return "url is longer than 2000 characters";
    if (url_parse(&url, text, &why) != 0) {
        snprintf(detail, sizeof detail, "url: %s", why.text);
        return detail;
    }
    if (!url.tls && !simulated) return "url begins with https://";
    if (!url.is_address) return NULL;
    enum address_class class = address_class(&url.address);
    if (class == ADDRESS_NEVER || (class == ADDRESS_PRIVATE && !simulated))
        return "url names an address that is not on the public internet";
    return NULL;
}

/* Fields of the table at AT_WHAT; types are left on the stack, that the views live. `n` holds what
 * stands now; false: *text says what is wrong with *param. */
static bool read_fields(lua_State *L, struct endpoint_new *n, struct str types[TYPES_MAX],
                        const char **param, const char **text) {
    luaL_checktype(L, AT_WHAT, LUA_TTABLE);
    *param = "url";
    int type = lua_getfield(L, AT_WHAT, "url");
    if (type == LUA_TSTRING)
        n->url.p = lua_tolstring(L, -1, &n->url.n);
    else if (type != LUA_TNIL || n->url.n == 0)
        return *text = "url is the address to call, a text", false;
    if (type == LUA_TSTRING &&
        (*text = url_fault(n->url, context_of(L)->services->simulated)) != NULL)
        return false;
    *param = "enabled_types";
    *text = "enabled_types is a list of event types, or [\"*\"]";
    if (lua_getfield(L, AT_WHAT, "enabled_types") == LUA_TNIL) return true;
    if (lua_type(L, -1) != LUA_TTABLE) return false;
    size_t count = lua_rawlen(L, -1);
    if (count == 0 || count > TYPES_MAX) return false;
    int list = lua_gettop(L);
    n->types = types;
    n->type_count = count;
    luaL_checkstack(L, TYPES_MAX, NULL);
    for (size_t i = 0; i < count; i++) {
        if (lua_rawgeti(L, list, (lua_Integer)i + 1) != LUA_TSTRING) return false;
        types[i].p = lua_tolstring(L, -1, &types[i].n);
        for (size_t k = 0; k < i; k++)
            if (str_eq(types[k], types[i])) return *text = "enabled_types names one twice", false;
    }
    if (count == 1 && str_eq(types[0], STR("*"))) n->type_count = 0;
    return true;
}

/* Whether there is a script that writes it. */
static bool format_known(lua_State *L, struct str format) {
    const struct script_services *s = context_of(L)->services;
    const struct script_set *set = s->scripts(s->worker);
    if (str_eq(format, WEBHOOK_STANDARD)) return true;
    if (format.n > WEBHOOK_FORMAT_MAX || set == NULL) return false;
    const struct script_entry *e = script_set_find(set, KIND_API, format);
    return e != NULL && !e->deleted && manifest_has(e->version->manifest, "webhook");
}

/* Raises; a text on the stack. */
static const char *formats(lua_State *L) {
    const struct script_services *s = context_of(L)->services;
    const struct script_set *set = s->scripts(s->worker);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    luaL_addstring(&b, "format is one of \"standard\"");
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        const struct version *v = set->entries[i].version;
        if (v->kind != KIND_API || !format_known(L, str_of(v->name))) continue;
        luaL_addstring(&b, ", \"");
        luaL_addstring(&b, v->name);
        luaL_addstring(&b, "\"");
    }
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

static bool read_format(lua_State *L, struct endpoint_new *n) {
    int type = lua_getfield(L, AT_WHAT, "format"); /* stays on the stack, and so alive */
    if (type == LUA_TNIL) return true;
    if (type != LUA_TSTRING) return false;
    n->format.p = lua_tolstring(L, -1, &n->format.n);
    return format_known(L, n->format);
}

static int l_add(lua_State *L) {
    struct endpoint_new n = {.merchant = check_str(L, AT_MERCHANT)};
    struct str types[TYPES_MAX];
    const char *param, *text;
    char id[ID_SIZE], secret[WEBHOOK_SECRET_SIZE];
    struct why why = {0};
    co_require_wait(L, "core.webhook.add");
    lua_settop(L, AT_WHAT);
    lua_pushnil(L);
    lua_pushnil(L);
    if (!read_fields(L, &n, types, &param, &text)) return refuse(L, E_INVAL, param, text);
    if (!read_format(L, &n)) return refuse(L, E_INVAL, "format", formats(L));
    struct rows **rows = rows_push(L);
    int err = store_get(core_of(L)->store, "endpoints_of_merchant", VALS(V_STR(n.merchant)), rows);
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    if (rows_count(*rows) >= ENDPOINTS_MAX)
        return refuse(L, E_LIMIT, "url", "there are 16 endpoints already; delete one");
    struct commit *c = commit_push(L);
    err = endpoint_add(core_of(L), c, &n, id, secret, &why);
    if (err != 0) return refuse(L, err, param, why.text);
    lua_pushstring(L, id);
    lua_replace(L, AT_ID);
    lua_pushstring(L, secret);
    lua_replace(L, AT_SECRET);
    return store_wait_audited(L, c, "webhook_endpoint.add", check_str(L, AT_ID), changed);
}

/* ---- where one payment's notifications go ---- */

static int named(lua_State *L, const struct store_answer *a) {
    if (a->err ==
        E_EXISTS) /* somebody made one of them at the same moment, so none of ours was made */
        return bind_fail(L, E_BUSY, "try again");
    if (a->err != 0) return store_fail(L, a);
    return lua_pushboolean(L, 1), 1;
}

/* The list at AT_WHAT, looked at; how many. Nothing is wrong: *text is NULL. */
static size_t read_urls(lua_State *L, const char **text) {
    luaL_checktype(L, AT_WHAT, LUA_TTABLE);
    size_t count = lua_rawlen(L, AT_WHAT);
    *text = count == 0 || count > WEBHOOK_NAMED_MAX ? "name 1 to 3 URLs" : NULL;
    for (size_t i = 0; i < count && *text == NULL; i++) {
        lua_rawgeti(L, AT_WHAT, (lua_Integer)i + 1);
        *text = lua_type(L, -1) == LUA_TSTRING
                    ? url_fault(check_str(L, -1), context_of(L)->services->simulated)
                    : "a URL is a text";
        lua_pop(L, 1);
    }
    return count;
}

/* What the places that are missing need; *added: some are. */
static int add_places(lua_State *L, struct commit *c, struct endpoint_new *n, size_t count,
                      bool *added) {
    struct rows **rows = rows_push(L);
    char id[ID_SIZE], secret[WEBHOOK_SECRET_SIZE];
    struct why why = {0};
    *added = false;
    int err = store_get(core_of(L)->store, "endpoints_named",
                        VALS(V_STR(n->merchant), V_TEXT(""), V_STR(n->format)), rows);
    for (size_t i = 1; i <= count && err == 0; i++) {
        bool there = false;
        for (size_t k = 0; k < rows_count(*rows); k++)
            there = there || rows_int(*rows, k, ENDPOINT_NAMED) == (int64_t)i;
        if (there) continue;
        n->named = (int64_t)i;
        err = endpoint_add(core_of(L), c, n, id, secret, &why);
        *added = true;
    }
    return err;
}

/* Each place in such a list has an endpoint of the merchant's that is not listed: it has the cursor,
 * the secret and the deliveries; the URL is the payment's. So a URL per order costs a row per order. */
static int l_name(lua_State *L) {
    struct endpoint_new n = {.merchant =
                                 check_str(L, AT_MERCHANT)}; /* hears all there is of them */
    const char *text;
    bool added;
    co_require_wait(L, "core.webhook.name");
    lua_settop(L, 3);
    n.format = check_str(L, 3);
    size_t count = read_urls(L, &text);
    if (text != NULL) return bind_fail(L, E_INVAL, "%s", text);
    struct commit *c = commit_push(L);
    int err = add_places(L, c, &n, count, &added);
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    if (!added) return lua_pushboolean(L, 1), 1;
    return store_wait_commit(L, c, LANE_NEW, named);
}

/* The id comes second for scripts, and third on the stack. */
static struct rows *begin_change(lua_State *L, const char *name, int *err) {
    struct str merchant = check_str(L, 1), id = check_str(L, 2);
    co_require_wait(L, name);
    lua_settop(L, 3);
    lua_insert(L, AT_WHAT); /* merchant, what, id */
    lua_pushnil(L);
    return endpoint(L, merchant, id, err);
}

static int l_set(lua_State *L) {
    int err;
    struct str types[TYPES_MAX];
    const char *param, *text;
    struct why why = {0};
    struct rows *rows = begin_change(L, "core.webhook.set", &err);
    if (rows == NULL) return bind_fail(L, err, "%s", err_text(err));
    struct endpoint_new n = {.merchant = check_str(L, AT_MERCHANT),
                             .url = rows_text(rows, 0, ENDPOINT_URL)};
    struct str state = rows_text(rows, 0, ENDPOINT_STATE);
    n.types = types;
    n.type_count = endpoint_types(rows, 0, types, TYPES_MAX);
    if (!read_fields(L, &n, types, &param, &text)) return refuse(L, E_INVAL, param, text);
    if (lua_getfield(L, AT_WHAT, "disabled") != LUA_TNIL)
        state = lua_toboolean(L, -1) ? STR("disabled") : STR("enabled");
    if (lua_getfield(L, AT_WHAT, "deleted") != LUA_TNIL) state = STR("deleted");
    struct commit *c = commit_push(L);
    err = endpoint_set(core_of(L), c, check_str(L, AT_ID), &n, state, &why);
    if (err != 0) return refuse(L, err, param, why.text);
    const char *action =
        str_eq(state, STR("deleted")) ? "webhook_endpoint.delete" : "webhook_endpoint.change";
    return store_wait_audited(L, c, action, check_str(L, AT_ID), changed);
}

static int l_rotate(lua_State *L) {
    int err;
    char secret[WEBHOOK_SECRET_SIZE];
    struct rows *rows = begin_change(L, "core.webhook.rotate", &err);
    if (rows == NULL) return bind_fail(L, err, "%s", err_text(err));
    struct commit *c = commit_push(L);
    err = endpoint_rotate(core_of(L), c, rows, secret);
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    lua_pushstring(L, secret);
    lua_replace(L, AT_SECRET);
    return store_wait_audited(L, c, "webhook_endpoint.rotate_secret", check_str(L, AT_ID), changed);
}

static int again_written(lua_State *L, const struct store_answer *a) {
    const struct script_services *s = context_of(L)->services;
    if (a->err != 0) return store_fail(L, a);
    if (s->webhooks_due != NULL) s->webhooks_due(s->worker);
    lua_pushvalue(L, 3);
    return 1;
}

/* To those of them that take it; how many. */
static size_t add_again(const struct core *core, struct commit *c, const struct rows *rows,
                        const struct rows *event) {
    size_t count = 0;
    for (size_t i = 0; i < rows_count(rows); i++) {
        if (!str_eq(rows_text(rows, i, ENDPOINT_STATE), STR("enabled")) ||
            !endpoint_hears(rows, i, rows_text(event, 0, 2)))
            continue;
        webhook_add_again(core, c, rows_text(rows, i, 0), rows_int(event, 0, 1));
        count++;
    }
    return count;
}

/* redeliver(merchant, event) -> the event; nil, text, code */
static int l_redeliver(lua_State *L) {
    const struct core *core = core_of(L);
    struct str merchant = check_str(L, 1), id = check_str(L, 2);
    co_require_wait(L, "core.webhook.redeliver");
    lua_settop(L, 2);
    lua_pushnil(L); /* the event, at 3 */
    struct rows **event = rows_push(L), **rows = rows_push(L);
    int err = event_read(core, merchant, id, event);
    if (err == 0)
        err = store_get(core->store, "endpoints_of_merchant", VALS(V_STR(merchant)), rows);
    if (err != 0)
        return bind_fail(L, err, "%s", err == E_NOTFOUND ? "no such event" : err_text(err));
    struct buf *json = buf_push(L), *filled = buf_push(L);
    struct commit *c = commit_push(L);
    size_t count = add_again(core, c, *rows, *event);
    struct rows **places = rows_push(L);
    err = store_get(core->store, "endpoints_named",
                    VALS(V_STR(merchant), V_STR(rows_text(*event, 0, 3)), V_NULL), places);
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    count += add_again(core, c, *places, *event);
    if (count == 0) return bind_fail(L, E_STATE, "no enabled endpoint takes events of this type");
    err = event_json(*event, 0, json);
    if (err == 0) err = customer_fill(core, buf_str(json), filled);
    if (err != 0) return luaL_error(L, "%s", err_text(err));
    if (json_decode_push(L, buf_str(filled)) != 1) return luaL_error(L, "an event is damaged");
    lua_replace(L, 3);
    return store_wait_commit(L, c, LANE_NEW, again_written);
}

/* oldest(merchant) -> the sequence of the oldest event that is kept; nil: there is none */
static int l_oldest(lua_State *L) {
    struct rows **rows = rows_push(L);
    int err =
        store_get(core_of(L)->store, "merchant_event_oldest", VALS(V_STR(check_str(L, 1))), rows);
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    if (rows_count(*rows) == 0 || rows_null(*rows, 0, 0)) return lua_pushnil(L), 1;
    lua_pushinteger(L, rows_int(*rows, 0, 0));
    return 1;
}

#define KINDS (KINDS_TRUSTED & ~KIND_MIGRATION)
#define GIVES "-> table?, string?, string?, string?"
static const struct bind_fn WEBHOOK[] = {
    {"list", l_list, KINDS, "merchant: string -> table?, string?, string?",
     "the merchant's endpoints, newest first"},
    {"get", l_get, KINDS, "merchant: string, id: string -> table?, string?, string?",
     "one of them, or nil"},
    {"add", l_add, KINDS, "merchant: string, what: table " GIVES,
     "an endpoint with its secret: {url=, enabled_types=, format=}; or nil, text, code and the "
     "field"},
    {"name", l_name, KINDS,
     "merchant: string, urls: table, format: string -> boolean?, string?, string?",
     "looks at the URLs of one payment, 3 at most, and makes ready what tells them: for "
     "core.payment.create {urls=}"},
    {"set", l_set, KINDS, "merchant: string, id: string, what: table " GIVES,
     "changes it: url, enabled_types, disabled, deleted"},
    {"rotate", l_rotate, KINDS, "merchant: string, id: string " GIVES,
     "a new secret, shown once; the old one lives on for a day"},
    {"redeliver", l_redeliver, KINDS, "merchant: string, event: string -> table?, string?, string?",
     "sends an event once more; gives the event"},
    {"oldest", l_oldest, KINDS, "merchant: string -> integer?, string?, string?",
     "sequence of the oldest event that is kept"},
    {0},
};
const struct bind_module bind_webhook = {"core.webhook", "webhooks out", WEBHOOK, NULL};
