/* core.channels: the channels that serve now, as the merchant API shows them; and core.routes: what
 * the API itself answers to. */
#include "payment/payment_channels.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/context.h"
#include "script/manifest.h"

static void put_text(lua_State *L, const char *name, const char *value) {
    if (value == NULL)
        lua_pushlightuserdata(L, NULL); /* json.null */
    else
        lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

static void put_int(lua_State *L, const char *name, int64_t value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

/* What a create request's `options` must or may hold. */
static void put_options(lua_State *L, const struct manifest *m) {
    static const char *const TYPES[] = {"string", "integer", "boolean", "object", "list"};
    lua_newtable(L);
    json_push_meta(L, JSON_OBJECT_META);
    lua_setmetatable(L, -2);
    for (size_t i = 0; i < m->inputs.count; i++) {
        const struct manifest_input *in = &m->inputs.at[i];
        lua_newtable(L);
        put_text(L, "type", TYPES[in->type]);
        lua_pushboolean(L, in->required);
        lua_setfield(L, -2, "required");
        if (in->doc != NULL) put_text(L, "description", in->doc);
        lua_setfield(L, -2, in->name);
    }
    lua_setfield(L, -2, "options");
}

static void put_capabilities(lua_State *L, const struct manifest *m) {
    static const char *const CAN[] = {"cancel", "capture", "open_account", "refund"};
    lua_newtable(L);
    json_push_meta(L, JSON_ARRAY_META);
    lua_setmetatable(L, -2);
    lua_Integer n = 0;
    for (size_t i = 0; i < sizeof CAN / sizeof CAN[0]; i++) {
        if (!manifest_has(m, CAN[i])) continue;
        lua_pushstring(L, CAN[i]);
        lua_rawseti(L, -2, ++n);
    }
    lua_setfield(L, -2, "capabilities");
}

static void push_channel(lua_State *L, const struct script_services *s, const struct version *v) {
    const struct manifest *m = v->manifest;
    lua_createtable(L, 0, 10);
    put_text(L, "name", v->name);
    put_text(L, "title", m->title);
    put_text(L, "method", m->method);
    put_text(L, "provider", m->provider);
    put_text(L, "bank", m->bank);
    lua_newtable(L);
    put_int(L, "min", m->limits.min);
    if (m->limits.max != 0) put_int(L, "max", m->limits.max);
    lua_setfield(L, -2, "limits");
    lua_newtable(L);
    json_push_meta(L, JSON_OBJECT_META);
    lua_setmetatable(L, -2);
    if (m->expires.default_ms != 0) put_int(L, "default", m->expires.default_ms / 1000);
    if (m->expires.max_ms != 0) put_int(L, "max", m->expires.max_ms / 1000);
    lua_setfield(L, -2, "expires");
    put_options(L, m);
    put_capabilities(L, m);
    lua_pushboolean(L, channel_configured(s, v, str_of(context_of(L)->merchant)));
    lua_setfield(L, -2, "available");
}

static int l_list(lua_State *L) {
    const struct script_services *s = context_of(L)->services;
    const struct script_set *set = s->scripts(s->worker);
    lua_newtable(L);
    json_push_meta(L, JSON_ARRAY_META);
    lua_setmetatable(L, -2);
    lua_Integer n = 0;
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        const struct script_entry *e = &set->entries[i];
        if (e->deleted || e->version->kind != KIND_CHANNEL || e->version->manifest == NULL)
            continue;
        push_channel(L, s, e->version);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

static int l_routes(lua_State *L) {
    static const char *const AUTHS[] = {"none", "merchant", "session", "admin", "simulated"};
    const struct script_services *s = context_of(L)->services;
    const struct script_set *set = s->scripts(s->worker);
    lua_newtable(L);
    lua_Integer n = 0;
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        const struct version *v = set->entries[i].version;
        if (set->entries[i].deleted || v->kind != KIND_API || v->manifest == NULL) continue;
        for (size_t k = 0; k < v->manifest->routes.count; k++) {
            const struct manifest_route *route = &v->manifest->routes.at[k];
            lua_createtable(L, 0, 5);
            put_text(L, "script", v->path);
            put_text(L, "method", route->method);
            put_text(L, "path", route->path);
            put_text(L, "auth", AUTHS[route->auth]);
            put_text(L, "about", route->about == NULL ? "" : route->about);
            lua_rawseti(L, -2, ++n);
        }
    }
    return 1;
}

static const struct bind_fn ROUTES[] = {
    {"list", l_routes, KINDS_TRUSTED & ~KIND_MIGRATION, "-> table[]",
     "the routes of scripts/api that serve: script, method, path, auth, about"},
    {0},
};
const struct bind_module bind_routes = {"core.routes", "the routes that serve now", ROUTES, NULL};

static const struct bind_fn CHANNELS[] = {
    {"list", l_list, KINDS_TRUSTED & ~KIND_MIGRATION, "-> table",
     "the channels that serve: name, title, method, limits, options, available"},
    {0},
};
const struct bind_module bind_channels = {"core.channels", "the channels that serve now", CHANNELS,
                                          NULL};
