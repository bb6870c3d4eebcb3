/* json: decode, and what the module holds. And cjson, for caged scripts that are used to its names.
 *
 * decode stands on the reader of base/json.h, which allocates nothing: what it makes is Lua's from
 * the first byte, so the cage's cap sees it and an error leaves nothing behind. An object becomes a
 * plain table, an array a table with the array mark (so that an empty one stays an array), null
 * json.null, a number that is no 64-bit integer a json.number that keeps its text. */
#include "script/bind_json.h"

#include "base/ensure.h"
#include "script/co.h"
#include "script/lua_util.h"

/* ---- json.number and json.raw ---- */

static void push_text(lua_State *L, const char *type, struct str text) {
    struct json_text *u = lua_newuserdatauv(L, sizeof *u + text.n, 0);
    u->n = text.n;
    if (text.n != 0) memcpy(u->text, text.p, text.n);
    json_push_meta(L, type);
    lua_setmetatable(L, -2);
}

void json_push_number(lua_State *L, struct str text) {
    push_text(L, JSON_NUMBER_TYPE, text);
}

bool json_to_text(lua_State *L, int index, const char *type, struct str *out) {
    const struct json_text *u = luaL_testudata(L, index, type);
    if (u == NULL) return false;
    *out = (struct str){u->text, u->n};
    return true;
}

static int text_tostring(lua_State *L) {
    struct str s;
    if (!json_to_text(L, 1, JSON_NUMBER_TYPE, &s) && !json_to_text(L, 1, JSON_RAW_TYPE, &s))
        return luaL_argerror(L, 1, "json.number expected");
    lua_pushlstring(L, s.p, s.n);
    return 1;
}

static int number_equal(lua_State *L) {
    struct str a, b;
    bool both =
        json_to_text(L, 1, JSON_NUMBER_TYPE, &a) && json_to_text(L, 2, JSON_NUMBER_TYPE, &b);
    lua_pushboolean(L, both && str_eq(a, b));
    return 1;
}

static const struct bind_fn TEXT_METHODS[] = {
    {"text", text_tostring, KINDS_ALL, "-> string", "the text as it came"}, {0}};

/* All metatables of this file are made here: locked, and without anything a script could change. */
void json_push_meta(lua_State *L, const char *name) {
    if (!luaL_newmetatable(L, name)) return;
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
    struct str s = str_of(name);
    bool number = str_eq(s, STR(JSON_NUMBER_TYPE));
    if (!number && !str_eq(s, STR(JSON_RAW_TYPE))) return;
    lua_pushcfunction(L, text_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, text_tostring);
    lua_setfield(L, -2, "text");
    lua_setfield(L, -2, "__index");
    if (!number) return;
    lua_pushcfunction(L, number_equal);
    lua_setfield(L, -2, "__eq");
}

static int open_number(lua_State *L) {
    json_push_meta(L, JSON_NUMBER_TYPE);
    lua_pop(L, 1);
    return 0;
}

static int open_raw(lua_State *L) {
    json_push_meta(L, JSON_RAW_TYPE);
    lua_pop(L, 1);
    return 0;
}

/* ---- decode ---- */

static void push_string(lua_State *L, const struct json_reader *r) {
    if (!r->escaped) {
        lua_pushlstring(L, r->raw.p, r->raw.n);
        return;
    }
    luaL_Buffer b;
    char *at = luaL_buffinitsize(L, &b, r->raw.n);
    luaL_pushresultsize(&b, json_unescape(r->raw, at));
}

static void push_container(lua_State *L, bool object) {
    lua_newtable(L);
    if (object) return;
    json_push_meta(L, JSON_ARRAY_META);
    lua_setmetatable(L, -2);
}

/* The key is on top, its object below it. */
static bool is_twin(lua_State *L) {
    lua_pushvalue(L, -1);
    bool there = lua_rawget(L, -3) != LUA_TNIL;
    lua_pop(L, 1);
    return there;
}

/* Pushes the value, or nothing and returns a code. On the stack stand the open containers, each
 * but the innermost (in objects: that too, while a value is read) with the key of what follows. */
static int decode(lua_State *L, struct str text, const struct json_limits *limits,
                  struct why *why) {
    lua_Integer filled[JSON_DEPTH_MAX]; /* items of each open array; -1: an object */
    struct json_reader r;
    json_reader_init(&r, text, limits);
    luaL_checkstack(L, r.limits.depth * 2 + 12, "json");
    const int base = lua_gettop(L);
    for (unsigned tokens = 1;; tokens++) {
        if (tokens % 1024 == 0) co_check(L);
        int token = json_next(&r, why);
        if (token < 0) {
            lua_settop(L, base);
            return token;
        }
        switch ((enum json_token)token) {
        case JSON_END: return 0;
        case JSON_OBJECT:
        case JSON_ARRAY:
            push_container(L, token == JSON_OBJECT);
            filled[r.depth - 1] = token == JSON_OBJECT ? -1 : 0;
            continue;
        case JSON_KEY:
            push_string(L, &r);
            if (r.limits.lenient || !is_twin(L)) continue;
            lua_settop(L, base);
            return json_complain(&r, r.start, E_SYNTAX, why, "this key is there twice");
        case JSON_OBJECT_END:
        case JSON_ARRAY_END: break;
        case JSON_NULL: lua_pushlightuserdata(L, NULL); break;
        case JSON_FALSE:
        case JSON_TRUE: lua_pushboolean(L, token == JSON_TRUE); break;
        case JSON_INT: lua_pushinteger(L, r.i); break;
        case JSON_NUMBER: json_push_number(L, r.raw); break;
        case JSON_STRING: push_string(L, &r); break;
        }
        if (r.depth == 0) continue;
        if (filled[r.depth - 1] < 0)
            lua_rawset(L, -3);
        else
            lua_rawseti(L, -2, ++filled[r.depth - 1]);
    }
}

/* {lenient = true, depth = 64, size = bytes}; any other option is a mistake. */
static void read_options(lua_State *L, int index, const char *who, struct json_limits *limits) {
    *limits = (struct json_limits){0};
    if (lua_isnoneornil(L, index)) return;
    luaL_checktype(L, index, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        struct str key = {0};
        if (lua_type(L, -2) == LUA_TSTRING) key.p = lua_tolstring(L, -2, &key.n);
        bool number = lua_isinteger(L, -1) && lua_tointeger(L, -1) > 0;
        if (str_eq(key, STR("lenient")) && lua_isboolean(L, -1))
            limits->lenient = lua_toboolean(L, -1);
        else if (str_eq(key, STR("depth")) && number && lua_tointeger(L, -1) <= JSON_DEPTH_MAX)
            limits->depth = (int)lua_tointeger(L, -1);
        else if (str_eq(key, STR("size")) && number)
            limits->size = (size_t)lua_tointeger(L, -1);
        else
            luaL_error(L, "%s: options are lenient, depth (to %d) and size", who, JSON_DEPTH_MAX);
    }
}

int json_decode_push(lua_State *L, struct str text) {
    struct json_limits limits = {0};
    struct why why = {0};
    int err = decode(L, text, &limits, &why);
    return err == 0 ? 1 : bind_fail(L, err, "%s", why.text);
}

static int l_decode(lua_State *L) {
    struct str text = check_str(L, 1);
    struct json_limits limits;
    struct why why = {0};
    read_options(L, 2, "json.decode", &limits);
    int err = decode(L, text, &limits, &why);
    return err == 0 ? 1 : bind_fail(L, err, "%s", why.text);
}

static int l_encode(lua_State *L) {
    struct json_limits limits;
    luaL_checkany(L, 1);
    read_options(L, 2, "json.encode", &limits);
    json_encode(L, 1, limits.depth == 0 ? JSON_DEPTH : limits.depth,
                limits.size == 0 ? JSON_OUT_MAX : limits.size, "json.encode");
    return 1;
}

static int mark(lua_State *L, const char *name) {
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    json_push_meta(L, name);
    if (lua_getmetatable(L, 1) && !lua_rawequal(L, -1, -2))
        return luaL_error(L, "%s: the table has a metatable already", name);
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static int l_array(lua_State *L) {
    return mark(L, JSON_ARRAY_META);
}

static int l_object(lua_State *L) {
    return mark(L, JSON_OBJECT_META);
}

static int l_number(lua_State *L) {
    struct str text = check_str(L, 1);
    if (!json_is_number(text)) return bind_fail(L, E_SYNTAX, "json.number: this is no number");
    json_push_number(L, text);
    return 1;
}

static int l_raw(lua_State *L) {
    struct str text = check_str(L, 1);
    struct why why = {0};
    int err = decode(L, text, NULL, &why); /* only to see that it is good */
    if (err != 0) return bind_fail(L, err, "%s", why.text);
    push_text(L, JSON_RAW_TYPE, text);
    return 1;
}

static int l_null(lua_State *L) {
    lua_pushlightuserdata(L, NULL);
    return 1;
}

static const struct bind_fn JSON_FNS[] = {
    {"decode", l_decode, KINDS_ALL, "text: string, options?: table -> any, string?, string?",
     "reads JSON, strictly; options: lenient (a provider's broken JSON), depth, size"},
    {"encode", l_encode, KINDS_ALL, "data: any, options?: table -> string",
     "writes JSON, keys sorted; an empty table is {}, json.array{} is []; refuses secrets"},
    {"array", l_array, KINDS_ALL, "t?: table -> table", "marks a table as an array"},
    {"object", l_object, KINDS_ALL, "t?: table -> table", "marks a table as an object"},
    {"number", l_number, KINDS_ALL, "text: string -> json.number, string?, string?",
     "a number that keeps its text: json.number \"72500.00\""},
    {"raw", l_raw, KINDS_ALL, "text: string -> json.raw, string?, string?",
     "JSON text that encode puts in as it is"},
    {"null", l_null, KINDS_ALL, "value: null", "JSON's null"},
    {0},
};

static const struct bind_type JSON_TYPES[] = {
    {JSON_NUMBER_TYPE, "a JSON number that is no 64-bit integer, kept as its text", TEXT_METHODS,
     open_number},
    {JSON_RAW_TYPE, "JSON text that is encoded already", TEXT_METHODS, open_raw},
    {0},
};

const struct bind_module bind_json = {
    "json", "JSON that can carry money: integers exact, other numbers as text", JSON_FNS,
    JSON_TYPES};

/* ---- cjson's names ---- */

static int cjson_decode(lua_State *L) {
    struct str text = check_str(L, 1);
    struct why why = {0};
    if (decode(L, text, NULL, &why) != 0) return luaL_error(L, "%s", why.text);
    return 1;
}

static int cjson_encode(lua_State *L) {
    luaL_checkany(L, 1);
    json_encode(L, 1, JSON_DEPTH, JSON_OUT_MAX, "cjson.encode");
    return 1;
}

static int cjson_empty_array(lua_State *L) {
    lua_pushlightuserdata(L, (void *)&JSON_EMPTY_ARRAY);
    return 1;
}

static const struct bind_fn CJSON_FNS[] = {
    {"decode", cjson_decode, KINDS_CAGED, "text: string -> any", "json.decode that raises"},
    {"encode", cjson_encode, KINDS_CAGED, "data: any -> string", "json.encode"},
    {"null", l_null, KINDS_CAGED, "value: null", "JSON's null"},
    {"empty_array", cjson_empty_array, KINDS_CAGED, "value: empty_array", "encoded as []"},
    {0},
};

const struct bind_module bind_cjson = {
    "cjson", "the engine's own codec under the names of lua-cjson, for caged scripts", CJSON_FNS,
    NULL};
