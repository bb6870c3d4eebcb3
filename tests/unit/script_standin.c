/* Stands in for the script states while they are not linked: loads a version's main chunk with a
 * handful of functions. Goes when engine/script/runtime.c is there. */
#include "base/mem.h"
#include "script/bind_secret.h"
#include "script/runtime.h"

#include <lualib.h>
#include <stdio.h>

static const struct bind_fn CRYPTO_FNS[] = {
    {"sha256", NULL, KINDS_ALL, "data: string|secret|list -> string", "SHA-256, raw bytes"},
    {"hmac", NULL, KINDS_ALL,
     "name: string, key: string|secret, data: string, form?: string -> string", "HMAC"},
    {0}};
static const struct bind_fn JSON_FNS[] = {
    {"decode", NULL, KINDS_ALL, "text: string -> any, string?", "reads"},
    {"encode", NULL, KINDS_ALL, "value: any -> string", "writes"},
    {0}};
static const struct bind_fn LOG_FNS[] = {
    {"info", NULL, KINDS_IO, "text: string, fields?: table", "logs"}, {0}};
static const struct bind_fn BASE_FNS[] = {
    {"secret", NULL, KINDS_IO, "key: string -> secret", "a configuration value nobody sees"},
    {"none", NULL, KINDS_CAGED, "why: string -> table", "is not there, and why"},
    {"pending", NULL, KINDS_IO, "fields: table -> decision", "a decision"},
    {"reply", NULL, KINDS_IO, "status: integer, body?: any -> table", "an answer"},
    {"require", NULL, KINDS_ALL, "name: string -> any", "a module"},
    {"tostring", NULL, KINDS_ALL, "value: any -> string", "as text"},
    {"type", NULL, KINDS_ALL, "value: any -> string", "its type"},
    {"pairs", NULL, KINDS_ALL, "t: table -> function, table, nil", "walks"},
    {"error", NULL, KINDS_ALL, "message: any, level?: integer", "raises"},
    {0}};
static const struct bind_fn STRING_FNS[] = {
    {"sub", NULL, KINDS_ALL, "s: string, i: integer, j?: integer -> string", "part"}, {0}};
static const struct bind_fn HTTP_FNS[] = {
    {"get", NULL, KINDS_IO, "request: table -> response?, string?, string?", "asks"},
    {"effect", NULL, KINDS_IO, "request: table -> response?, string?, string?", "the one request"},
    {0}};
static const struct bind_fn CTX_FNS[] = {
    {"settle", NULL, KIND_CHANNEL, "fact: table -> string", "books"}, {0}};
static const struct bind_module CRYPTO = {"crypto", "digests", CRYPTO_FNS, NULL},
                                JSON = {"json", "JSON", JSON_FNS, NULL},
                                LOG = {"log", "log lines", LOG_FNS, NULL},
                                STRING = {"string", "text", STRING_FNS, NULL},
                                BASE = {"", "plain", BASE_FNS, NULL},
                                CTX = {"ctx", "the call", CTX_FNS, NULL},
                                HTTP = {"ctx.http", "requests", HTTP_FNS, NULL};
const struct bind_module *const BIND_MODULES[] = {&CRYPTO, &JSON, &LOG,  &STRING,
                                                  &BASE,   &CTX,  &HTTP, NULL};

bool secret_is(lua_State *L, int index) {
    return luaL_testudata(L, index, SECRET_TYPE) != NULL;
}
const char *secret_name(lua_State *L, int index) {
    return lua_touserdata(L, index);
}
static int l_secret(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    strcpy(lua_newuserdatauv(L, strlen(name) + 1, 0), name);
    luaL_newmetatable(L, SECRET_TYPE);
    lua_setmetatable(L, -2);
    return 1;
}
static int l_none(lua_State *L) {
    lua_newtable(L);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "none");
    return 1;
}
static int run_part(lua_State *L, const struct part *p) {
    char chunk[300];
    snprintf(chunk, sizeof chunk, "@%s", p->path);
    if (luaL_loadbufferx(L, p->code.p, p->code.n, chunk, "b") != LUA_OK) return lua_error(L);
    lua_call(L, 0, 1);
    return 1;
}
static int l_require(lua_State *L) {
    const struct version *v = lua_touserdata(L, lua_upvalueindex(1));
    const char *name = luaL_checkstring(L, 1);
    const struct part *p = version_part(v, name);
    if (p != NULL) return run_part(L, p);
    if (lua_getglobal(L, name) != LUA_TNIL) return 1;
    return luaL_error(L, "module '%s' not found", name);
}
static void too_long(lua_State *L, lua_Debug *ar) {
    lua_getinfo(L, "Sl", ar);
    luaL_error(L, "%s:%d: ran too long", ar->short_src, ar->currentline);
}

struct aside {
    const struct version *v;
    int (*look)(lua_State *L, void *data);
    void *data;
    int result;
};
static int inside(lua_State *L) {
    struct aside *a = lua_touserdata(L, 1);
    luaL_openlibs(L);
    lua_register(L, "secret", l_secret);
    lua_register(L, "none", l_none);
    lua_newtable(L), lua_setglobal(L, "json");
    lua_newtable(L), lua_setglobal(L, "crypto");
    lua_pushlightuserdata(L, (void *)a->v);
    lua_pushcclosure(L, l_require, 1);
    lua_setglobal(L, "require");
    lua_settop(L, 0);
    lua_sethook(L, too_long, LUA_MASKCOUNT, 1000000);
    run_part(L, &a->v->parts[0]);
    a->result = a->look(L, a->data);
    return 0;
}
static void *memory(void *data, void *ptr, size_t old, size_t size) {
    (void)data, (void)old;
    if (size == 0) return mem_free(ptr), NULL;
    return mem_realloc(ptr, size);
}
int script_load_aside(const struct version *v, int (*look)(lua_State *L, void *data), void *data,
                      struct why *why) {
    struct aside a = {v, look, data, 0};
    lua_State *L = lua_newstate(memory, NULL);
    if (L == NULL) return why_set(why, E_NOMEM, "%s: out of memory", v->path);
    lua_pushcfunction(L, inside);
    lua_pushlightuserdata(L, &a);
    int status = lua_pcall(L, 1, 0, 0);
    int err = a.result;
    if (status == LUA_ERRMEM)
        err = why_set(why, E_NOMEM, "%s: out of memory", v->path);
    else if (status != LUA_OK)
        err = why_set(why, E_SCRIPT, "%s", lua_tostring(L, -1));
    lua_close(L);
    return err;
}
