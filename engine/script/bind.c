/* bind: builds a state's world from the tables of all bind_x.c. See bind.h.
 *
 * A function without C code is Lua's own, taken over from the standard library (state.c). A
 * signature "= number" or "value: number" names a constant: its function is called once, when the
 * state is made, and what it returns stands under the name. "ctx" and tables below it do not become
 * globals: they are what script_push_ctx pushes. */
#include "script/bind.h"

#include "base/err.h"
#include "script/cage.h"
#include "script/runtime.h"
#include "script/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char CTX_KEY = 0;

extern const struct bind_module bind_base, bind_base_string, bind_base_table, bind_base_math,
    bind_base_utf8, bind_base_io, bind_log, bind_engine, bind_decide, bind_problem, bind_json,
    bind_cjson, bind_money, bind_time, bind_form, bind_csv, bind_xml, bind_crypto, bind_http,
    bind_ctx, bind_settle, bind_ctx_http, bind_ctx_store, bind_store, bind_core, bind_rules,
    bind_payment, bind_payment_read, bind_payment_due, bind_payment_review, bind_payment_held,
    bind_settlement, bind_virtual_account, bind_checkout, bind_channels, bind_routes, bind_webhook,
    bind_jobs, bind_request, bind_say, bind_db, bind_qr, bind_t, bind_t_http, bind_t_clock;

const struct bind_module *const BIND_MODULES[] = {
    &bind_base,
    &bind_base_string,
    &bind_base_table,
    &bind_base_math,
    &bind_base_utf8,
    &bind_base_io,
    &bind_log,
    &bind_engine,
    &bind_decide,
    &bind_problem,
    &bind_json,
    &bind_cjson,
    &bind_money,
    &bind_time,
    &bind_form,
    &bind_csv,
    &bind_xml,
    &bind_crypto,
    &bind_http,
    &bind_ctx,
    &bind_settle,
    &bind_ctx_http,
    &bind_ctx_store,
    &bind_store,
    &bind_core,
    &bind_rules,
    &bind_payment,
    &bind_payment_read,
    &bind_payment_due,
    &bind_payment_review,
    &bind_payment_held,
    &bind_settlement,
    &bind_virtual_account,
    &bind_checkout,
    &bind_channels,
    &bind_routes,
    &bind_webhook,
    &bind_jobs,
    &bind_request,
    &bind_say,
    &bind_db,
    &bind_qr,
    &bind_t,
    &bind_t_http,
    &bind_t_clock,
    NULL,
};

/* Pushes the table for a dotted module name, made below `root` where it is missing. */
static void push_place(lua_State *L, int root, const char *name) {
    lua_pushvalue(L, root);
    while (*name != '\0') {
        const char *dot = strchr(name, '.');
        size_t n = dot == NULL ? strlen(name) : (size_t)(dot - name);
        lua_pushlstring(L, name, n);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) == LUA_TNIL) {
            lua_pop(L, 1);
            lua_newtable(L);
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_rawset(L, -5);
        }
        lua_replace(L, -3);
        lua_pop(L, 1);
        name += n + (dot != NULL);
    }
}

/* The same function of the standard library: f is nil where Lua has none. */
static void push_std(lua_State *L, const char *module, const char *name) {
    lua_getfield(L, LUA_REGISTRYINDEX, CAGE_STD);
    lua_getfield(L, -1, module);
    if (lua_istable(L, -1))
        lua_getfield(L, -1, name);
    else
        lua_pushnil(L);
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* "= number", or "value: null" without a "->": no function but what it makes. */
static bool is_constant(const char *sig) {
    return sig[0] == '=' || (strncmp(sig, "value: ", 7) == 0 && strstr(sig, "->") == NULL);
}

static void add_function(lua_State *L, const struct bind_module *m, const struct bind_fn *f) {
    if (f->fn == NULL) {
        push_std(L, m->name, f->name);
    } else if (is_constant(f->sig)) {
        lua_pushcfunction(L, f->fn);
        lua_call(L, 0, 1);
    } else if (strcmp(m->name, "string") == 0) { /* ours may end in Lua's */
        push_std(L, m->name, f->name);
        lua_pushcclosure(L, f->fn, 1);
    } else {
        lua_pushcfunction(L, f->fn);
    }
    lua_setfield(L, -2, f->name);
}

static bool any_for(const struct bind_fn *f, enum script_kind kind) {
    for (; f->name != NULL; f++)
        if (f->kinds & kind) return true;
    return false;
}

static bool sees(const struct bind_module *m, enum script_kind kind) {
    if (any_for(m->fns, kind)) return true;
    for (const struct bind_type *t = m->types; t != NULL && t->name != NULL; t++)
        if (any_for(t->methods, kind)) return true;
    return false;
}

static bool below_ctx(const char *name) {
    return strncmp(name, "ctx", 3) == 0 && (name[3] == '\0' || name[3] == '.');
}

static int l_read_only(lua_State *L) {
    return luaL_error(L, "ctx is the engine's: %s cannot be set", luaL_tolstring(L, 2, NULL));
}

/* rawset goes round __newindex: what is locked refuses it as well. */
int bind_l_rawset(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    luaL_checkany(L, 3);
    lua_settop(L, 3);
    if (luaL_getmetafield(L, 1, "__newindex") != LUA_TNIL) {
        if (lua_tocfunction(L, -1) == l_read_only) return l_read_only(L);
        lua_pop(L, 1);
    }
    lua_rawset(L, 1);
    return 1;
}

/* The table on the top, and those in it, behind one that nobody can write to: ctx serves all calls
 * of a state. A table with a metatable of its own only loses its writes. */
static void freeze(lua_State *L) {
    luaL_checkstack(L, 8, NULL);
    int table = lua_gettop(L);
    if (lua_getmetatable(L, table)) {
        lua_pushcfunction(L, l_read_only);
        lua_setfield(L, -2, "__newindex");
        lua_settop(L, table);
        return;
    }
    for (lua_pushnil(L); lua_next(L, table) != 0;) {
        if (!lua_istable(L, -1)) {
            lua_pop(L, 1);
            continue;
        }
        freeze(L);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, table); /* a key that is there: lua_next goes on */
    }
    lua_newtable(L);
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, table);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_read_only);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_replace(L, table);
}

void bind_open(lua_State *L, enum script_kind kind) {
    luaL_checkstack(L, 10, NULL);
    int env = lua_gettop(L);
    lua_newtable(L); /* holds "ctx" */
    int roots = lua_gettop(L);
    for (const struct bind_module *const *at = BIND_MODULES; *at != NULL; at++) {
        const struct bind_module *m = *at;
        if (!sees(m, kind)) continue;
        for (const struct bind_type *t = m->types; t != NULL && t->name != NULL; t++) {
            if (t->open == NULL) continue;
            lua_pushcfunction(L, t->open);
            lua_call(L, 0, 0);
        }
        push_place(L, below_ctx(m->name) ? roots : env, m->name);
        for (const struct bind_fn *f = m->fns; f->name != NULL; f++)
            if (f->kinds & kind) add_function(L, m, f);
        lua_pop(L, 1);
    }
    if (lua_getfield(L, roots, "ctx") == LUA_TTABLE) freeze(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &CTX_KEY);
    lua_settop(L, env);
}

void script_push_ctx(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &CTX_KEY);
}

bool cage_builtin(lua_State *L, const char *name, enum script_kind kind) {
    for (const struct bind_module *const *at = BIND_MODULES; *at != NULL; at++) {
        const struct bind_module *m = *at;
        if (m->name[0] == '\0' || strcmp(m->name, name) != 0 || below_ctx(name)) continue;
        if (!sees(m, kind)) return false;
        state_push_env(L);
        lua_pushstring(L, name);
        lua_rawget(L, -2);
        lua_remove(L, -2);
        return true;
    }
    return false;
}

int bind_fail(lua_State *L, int err, const char *format, ...) {
    char text[WHY_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    lua_pushnil(L);
    lua_pushstring(L, text);
    lua_pushstring(L, err_name(err));
    return 3;
}
