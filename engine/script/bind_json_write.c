/* json.encode: a Lua value to text.
 *
 * All memory is Lua's (lua_out.h); the keys of a table, if they are many, are sorted in a userdata. No metamethod
 * runs, so no script code does. Keys are sorted by their bytes. */
#include "script/bind_json.h"
#include "script/bind_secret.h"
#include "script/co.h"
#include "script/lua_out.h"
#include "script/lua_util.h"

#include <math.h>
#include <stdio.h>

const char JSON_EMPTY_ARRAY = 0;

struct frame { /* the way from the root to a value, for messages */
    const struct frame *up;
    struct str key;
    lua_Integer index; /* 0: a key */
};

struct out {
    struct lua_out text;
    lua_State *L;
    int depth, depth_max;
    unsigned values; /* so far: the deadline is looked at now and then */
};

static void push_path(lua_State *L, const struct frame *f) {
    char path[256];
    size_t at = sizeof path - 1;
    path[at] = '\0';
    for (; f != NULL; f = f->up) {
        char part[80];
        int n = f->index != 0 ? snprintf(part, sizeof part, "[%lld]", (long long)f->index)
                              : snprintf(part, sizeof part, ".%.*s",
                                         (int)(f->key.n > 60 ? 60 : f->key.n), f->key.p);
        if (n < 0 || (size_t)n > at) break;
        at -= (size_t)n;
        memcpy(path + at, part, (size_t)n);
    }
    lua_pushstring(L, path[at] == '\0' ? "the value" : path + at);
}

static int refuse(struct out *o, const struct frame *f, const char *text) {
    push_path(o->L, f);
    return luaL_error(o->L, "%s: %s: %s", o->text.who, lua_tostring(o->L, -1), text);
}

static void put(struct out *o, struct str s) {
    lua_out_add(&o->text, s);
}

static void put_quoted(struct out *o, const struct frame *f, struct str s) {
    size_t size = json_quoted_size(s);
    if (size == 0) refuse(o, f, "the string is not UTF-8");
    json_quote(s, lua_out_reserve(&o->text, size));
    o->text.len += size;
}

/* Integers as they are; floats in the shortest form that reads back as the same float. */
static void put_number(struct out *o, const struct frame *f, int index) {
    if (lua_isinteger(o->L, index)) {
        struct buf room = lua_out_room(&o->text, 24);
        buf_addi(&room, lua_tointeger(o->L, index));
        lua_out_took(&o->text, &room);
        return;
    }
    char text[40];
    int n = 0;
    lua_Number x = lua_tonumber(o->L, index);
    if (!isfinite(x)) refuse(o, f, "not a finite number");
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof text, "%.*g", digits, x);
        if (lua_stringtonumber(o->L, text) != 0) {
            bool same = lua_tonumber(o->L, -1) == x;
            lua_pop(o->L, 1);
            if (same) break;
        }
    }
    put(o, (struct str){text, (size_t)n});
}

static void put_value(struct out *o, const struct frame *f, int index);

static bool has_meta(lua_State *L, int index, const char *name) {
    if (!lua_getmetatable(L, index)) return false;
    bool same = luaL_getmetatable(L, name) == LUA_TTABLE && lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static void put_array(struct out *o, const struct frame *f, int index, lua_Integer n) {
    put(o, STR("["));
    for (lua_Integer i = 1; i <= n; i++) {
        struct frame item = {.up = f, .index = i};
        if (i > 1) put(o, STR(","));
        lua_rawgeti(o->L, index, i);
        put_value(o, &item, lua_gettop(o->L));
        lua_pop(o->L, 1);
    }
    put(o, STR("]"));
}

/* The keys stay where they are while the table holds them, so their bytes need no copy. */
static void put_object(struct out *o, const struct frame *f, int index, size_t n) {
    enum { FEW = 12 }; /* most objects; their keys need no memory of Lua's */
    lua_State *L = o->L;
    int top = lua_gettop(L);
    struct str few[FEW];
    const struct str *keys = few;
    if (n <= FEW)
        sort_names(L, index, few, n);
    else
        keys = sorted_names(L, index, n);
    put(o, STR("{"));
    for (size_t i = 0; i < n; i++) {
        struct frame member = {.up = f, .key = keys[i]};
        if (i > 0) put(o, STR(","));
        put_quoted(o, &member, keys[i]);
        put(o, STR(":"));
        lua_pushlstring(L, keys[i].p, keys[i].n);
        lua_rawget(L, index);
        put_value(o, &member, lua_gettop(L));
        lua_pop(L, 1);
    }
    put(o, STR("}"));
    lua_settop(L, top);
}

static void put_table(struct out *o, const struct frame *f, int index) {
    lua_State *L = o->L;
    if (o->depth == o->depth_max) refuse(o, f, "nested too deep (or inside itself)");
    bool array = has_meta(L, index, JSON_ARRAY_META);
    bool object = has_meta(L, index, JSON_OBJECT_META);
    size_t strings = 0, others = 0;
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING)
            strings++;
        else
            others++;
        if ((strings + others) % 1024 == 0) co_check(L);
    }
    lua_Unsigned n = lua_rawlen(L, index);
    if (!object && !array) array = others != 0;
    o->depth++;
    if (array) {
        if (strings != 0) refuse(o, f, "an array has string keys");
        if (n != others) refuse(o, f, "an array has holes or keys that are no positions");
        for (lua_Unsigned i = 1; i <= n; i++) { /* n keys and a border at n: still, be sure */
            int type = lua_rawgeti(L, index, (lua_Integer)i);
            lua_pop(L, 1);
            if (type == LUA_TNIL) refuse(o, f, "an array has holes");
        }
        put_array(o, f, index, (lua_Integer)n);
    } else {
        if (others != 0) refuse(o, f, "an object has keys that are no strings");
        put_object(o, f, index, strings);
    }
    o->depth--;
}

static void put_userdata(struct out *o, const struct frame *f, int index) {
    struct str text = {0};
    if (luaL_testudata(o->L, index, SECRET_TYPE) != NULL)
        refuse(o, f, "a secret cannot be encoded");
    if (!json_to_text(o->L, index, JSON_NUMBER_TYPE, &text) &&
        !json_to_text(o->L, index, JSON_RAW_TYPE, &text))
        refuse(o, f, "this value cannot be encoded");
    put(o, text);
}

static void put_value(struct out *o, const struct frame *f, int index) {
    lua_State *L = o->L;
    struct str s;
    luaL_checkstack(L, 12, "json");
    if (++o->values % 1024 == 0) co_check(L);
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN: put(o, lua_toboolean(L, index) ? STR("true") : STR("false")); break;
    case LUA_TNUMBER: put_number(o, f, index); break;
    case LUA_TSTRING:
        s.p = lua_tolstring(L, index, &s.n);
        put_quoted(o, f, s);
        break;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, index) == NULL)
            put(o, STR("null"));
        else if (lua_touserdata(L, index) == &JSON_EMPTY_ARRAY)
            put(o, STR("[]"));
        else
            refuse(o, f, "this value cannot be encoded");
        break;
    case LUA_TTABLE: put_table(o, f, index); break;
    case LUA_TUSERDATA: put_userdata(o, f, index); break;
    case LUA_TNIL: refuse(o, f, "nil cannot be encoded (json.null can)"); break;
    default: refuse(o, f, "a function or thread cannot be encoded");
    }
}

void json_encode(lua_State *L, int index, int depth, size_t max, const char *who) {
    index = lua_absindex(L, index);
    struct out o = {.L = L, .depth_max = depth};
    lua_out_init(&o.text, L, who, max);
    put_value(&o, NULL, index);
    lua_out_push(&o.text);
    lua_replace(L, o.text.slot);
    lua_settop(L, o.text.slot);
}
