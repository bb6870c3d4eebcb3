/* request: what a route, a callback or a simulator is given. A userdata that reads the exchange
 * where it lies, so a request costs nothing that the script does not ask for. It is good for its
 * own call only: kept in a variable of the script and used later, it raises.
 *
 *     request.method  .path  .query  .body  .peer  .id     as received
 *     request.merchant  of a route with auth = "merchant": its id
 *     request.headers  table, names in lower case           request.params  of the route's path
 *     request:json()  request:form()  request:args()        the body or the query, taken apart */
#include "script/bind_request.h"

#include "base/buf.h"
#include "script/bind_form.h"
#include "script/bind_json.h"
#include "script/context.h"
#include "script/lua_util.h"

#define REQUEST_TYPE "request"
enum { UV_HEADERS = 1, UV_PARAMS, UV_COUNT = 2 };

struct request {
    const struct call_context *context;
    uint64_t serial;
};

static const struct call_context *context_for(lua_State *L, int index) {
    const struct request *r = luaL_checkudata(L, index, REQUEST_TYPE);
    const struct call_context *c = context_of(L);
    if (r->context != c || r->serial != c->serial) luaL_error(L, "this request is over");
    return c;
}

void request_push(lua_State *L, const struct call_context *context) {
    struct request *r = lua_newuserdatauv(L, sizeof *r, UV_COUNT);
    *r = (struct request){context, context->serial};
    luaL_setmetatable(L, REQUEST_TYPE);
}

/* A name that comes twice: the values joined by a comma, as RFC 9110 has it. */
static void push_headers(lua_State *L, const struct http_exchange *x) {
    lua_createtable(L, 0, (int)x->header_count);
    for (size_t i = 0; i < x->header_count; i++) {
        push_str(L, x->headers[i].name);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) == LUA_TNIL) {
            lua_pop(L, 1);
            push_str(L, x->headers[i].value);
        } else {
            lua_pushliteral(L, ", ");
            push_str(L, x->headers[i].value);
            lua_concat(L, 3);
        }
        lua_rawset(L, -3);
    }
}

static void push_params(lua_State *L, const struct call_context *c) {
    lua_createtable(L, 0, (int)c->param_count);
    for (size_t i = 0; i < c->param_count; i++) {
        push_str(L, c->params[i].name);
        push_str(L, c->params[i].value);
        lua_rawset(L, -3);
    }
}

static int once_made(lua_State *L, int slot) {
    if (lua_getiuservalue(L, 1, slot) != LUA_TNIL) return 1;
    lua_pop(L, 1);
    const struct call_context *c = context_for(L, 1);
    if (slot == UV_HEADERS)
        push_headers(L, c->exchange);
    else
        push_params(L, c);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, slot);
    return 1;
}

static int l_index(lua_State *L) {
    const struct call_context *c = context_for(L, 1);
    const struct http_exchange *x = c->exchange;
    struct str key;
    key.p = luaL_checklstring(L, 2, &key.n);
    switch (key.n) {
    case 2:
        if (str_eq(key, STR("id"))) return lua_pushstring(L, x->request_id), 1;
        break;
    case 4:
        if (str_eq(key, STR("body"))) return push_str(L, x->body), 1;
        if (str_eq(key, STR("path"))) return push_str(L, c->path), 1;
        if (str_eq(key, STR("peer"))) return lua_pushstring(L, x->peer), 1;
        break;
    case 5:
        if (str_eq(key, STR("query"))) return push_str(L, x->query), 1;
        break;
    case 6:
        if (str_eq(key, STR("method"))) return push_str(L, x->method), 1;
        if (str_eq(key, STR("params"))) return once_made(L, UV_PARAMS);
        break;
    case 8:
        if (str_eq(key, STR("merchant"))) {
            if (c->merchant[0] == '\0') return lua_pushnil(L), 1;
            return lua_pushstring(L, c->merchant), 1;
        }
        break;
    case 7:
        if (str_eq(key, STR("headers"))) return once_made(L, UV_HEADERS);
        break;
    }
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1)); /* methods */
    return 1;
}

static int l_json(lua_State *L) {
    return json_decode_push(L, context_for(L, 1)->exchange->body);
}

static int l_form(lua_State *L) {
    return form_table_push(L, context_for(L, 1)->exchange->body);
}

static int l_args(lua_State *L) {
    return form_table_push(L, context_for(L, 1)->exchange->query);
}

static const struct bind_fn METHODS[] = {
    {"json", l_json, KINDS_IO, "-> any, string?, string?",
     "the body as JSON; nil, text, code when it is none"},
    {"form", l_form, KINDS_IO, "-> table?, string?, string?",
     "the body as a form; nil, text, code when it is none"},
    {"args", l_args, KINDS_IO, "-> table?, string?, string?", "the query, taken apart"},
    {0},
};

static int open_type(lua_State *L) {
    luaL_newmetatable(L, REQUEST_TYPE);
    lua_newtable(L);
    for (const struct bind_fn *m = METHODS; m->name != NULL; m++) {
        lua_pushcfunction(L, m->fn);
        lua_setfield(L, -2, m->name);
    }
    lua_pushcclosure(L, l_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    return 0;
}

static const struct bind_type TYPES[] = {
    {REQUEST_TYPE, "a request being answered", METHODS, open_type},
    {0},
};
static const struct bind_fn NONE[] = {{0}};
const struct bind_module bind_request = {"", "requests", NONE, TYPES};
