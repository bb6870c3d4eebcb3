/* form: query strings, urlencoded bodies, cookies. A name that comes twice is refused by
 * form.decode (two parsers that pick different twins are an attack); form.pairs gives them all. */
#include "base/form.h"

#include "script/bind.h"
#include "script/bind_form.h"
#include "script/co.h"
#include "script/lua_out.h"
#include "script/lua_util.h"

#define FORM_OUT_MAX ((size_t)1 << 20)

/* Pushes the decoded text; a code, and nothing pushed, if it is malformed. */
static int push_decoded(lua_State *L, struct str encoded, bool plus) {
    luaL_Buffer b;
    int base = lua_gettop(L);
    char *room = luaL_buffinitsize(L, &b, encoded.n + 1);
    struct buf view = {.data = room, .cap = encoded.n + 1};
    int err = form_decode(encoded, plus, &view);
    luaL_pushresultsize(&b, view.len);
    if (err != 0) lua_settop(L, base);
    return err;
}

static int push_encoded(lua_State *L, struct str raw, bool plus) {
    struct lua_out o;
    lua_out_init(&o, L, "form.escape", FORM_OUT_MAX);
    luaL_argcheck(L, raw.n < FORM_OUT_MAX / 4, 1, "text too long");
    struct buf room = lua_out_room(&o, raw.n * 3);
    form_encode(raw, plus, &room);
    lua_out_took(&o, &room);
    lua_out_push(&o);
    return 1;
}

int form_table_push(lua_State *L, struct str text) {
    struct form_iter it = form_iter(text);
    struct form_pair pair;
    int got;
    lua_newtable(L);
    const int table = lua_gettop(L);
    while ((got = form_next(&it, &pair)) > 0) {
        if (push_decoded(L, pair.name, true) != 0 || push_decoded(L, pair.value, true) != 0)
            return bind_fail(L, E_SYNTAX, "form: malformed percent encoding");
        lua_pushvalue(L, -2);
        if (lua_rawget(L, table) != LUA_TNIL)
            return bind_fail(L, E_SYNTAX, "form: a name is there twice");
        lua_pop(L, 1);
        lua_rawset(L, table);
    }
    if (got < 0) return bind_fail(L, got, "form: more than %d names", FORM_PAIRS_MAX);
    return 1;
}

static int l_decode(lua_State *L) {
    return form_table_push(L, check_str(L, 1));
}

static int l_pairs(lua_State *L) {
    struct form_iter it = form_iter(check_str(L, 1));
    struct form_pair pair;
    int got;
    lua_newtable(L);
    const int list = lua_gettop(L);
    for (lua_Integer i = 1; (got = form_next(&it, &pair)) > 0; i++) {
        lua_createtable(L, 2, 0);
        if (push_decoded(L, pair.name, true) != 0) break;
        lua_rawseti(L, -2, 1);
        if (push_decoded(L, pair.value, true) != 0) break;
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, list, i);
    }
    if (got > 0) return bind_fail(L, E_SYNTAX, "form: malformed percent encoding");
    if (got < 0) return bind_fail(L, got, "form: more than %d names", FORM_PAIRS_MAX);
    return 1;
}

/* The value on top as text: strings, integers and booleans have one that is the same everywhere. */
static struct str value_text(lua_State *L, const char *name) {
    int type = lua_type(L, -1);
    if (type == LUA_TBOOLEAN) return lua_toboolean(L, -1) ? STR("true") : STR("false");
    if (type != LUA_TSTRING && !lua_isinteger(L, -1))
        luaL_error(L, "form.encode: %s: a string, an integer or a boolean expected", name);
    struct str s;
    s.p = lua_tolstring(L, -1, &s.n);
    return s;
}

static void put_pair(struct lua_out *o, struct str name, struct str value) {
    if (name.n > FORM_OUT_MAX || value.n > FORM_OUT_MAX) luaL_error(o->L, "form.encode: too long");
    struct buf room = lua_out_room(o, (name.n + value.n) * 3 + 2);
    if (o->len != 0) buf_addc(&room, '&');
    form_encode(name, true, &room);
    buf_addc(&room, '=');
    form_encode(value, true, &room);
    lua_out_took(o, &room);
}

static void encode_map(lua_State *L, struct lua_out *o) {
    size_t n = count_names(L, 1, "form.encode: names are strings");
    const struct str *names = sorted_names(L, 1, n);
    for (size_t i = 0; i < n; i++) {
        lua_pushlstring(L, names[i].p, names[i].n);
        lua_rawget(L, 1);
        put_pair(o, names[i], value_text(L, names[i].p));
        lua_pop(L, 1);
    }
}

static void encode_list(lua_State *L, struct lua_out *o, lua_Integer n) {
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_rawgeti(L, 1, i) != LUA_TTABLE)
            luaL_error(L, "form.encode: a list holds {name, value} pairs");
        lua_rawgeti(L, -1, 1);
        struct str name = value_text(L, "a name");
        lua_rawgeti(L, -2, 2);
        put_pair(o, name, value_text(L, name.p));
        lua_pop(L, 3);
    }
}

static int l_encode(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    struct lua_out o;
    lua_out_init(&o, L, "form.encode", FORM_OUT_MAX);
    lua_Unsigned n = lua_rawlen(L, 1);
    if (n == 0)
        encode_map(L, &o);
    else
        encode_list(L, &o, (lua_Integer)n);
    lua_out_push(&o);
    return 1;
}

static int l_escape(lua_State *L) {
    return push_encoded(L, check_str(L, 1), false);
}

static int l_unescape(lua_State *L) {
    if (push_decoded(L, check_str(L, 1), false) == 0) return 1;
    return bind_fail(L, E_SYNTAX, "form: malformed percent encoding");
}

static int l_cookies(lua_State *L) {
    struct form_iter it = form_iter(check_str(L, 1));
    struct form_pair pair;
    int got;
    lua_newtable(L);
    while ((got = cookie_next(&it, &pair)) != 0) {
        if (got == E_LIMIT) break;
        if (got < 0) continue;
        lua_pushlstring(L, pair.name.p, pair.name.n);
        lua_pushvalue(L, -1);
        bool there = lua_rawget(L, -3) != LUA_TNIL;
        lua_pop(L, 1);
        lua_pushlstring(L, pair.value.p, pair.value.n);
        if (there)
            lua_pop(L, 2); /* the first one has the longer path and counts */
        else
            lua_rawset(L, -3);
    }
    return 1;
}

static const struct bind_fn FNS[] = {
    {"decode", l_decode, KINDS_ALL, "text: string -> table, string?, string?",
     "name -> value of a query or form body; a name that comes twice is refused"},
    {"pairs", l_pairs, KINDS_ALL, "text: string -> table, string?, string?",
     "list of {name, value}, in order, with names that come twice"},
    {"encode", l_encode, KINDS_ALL, "fields: table -> string",
     "from name -> value (sorted by name) or a list of {name, value} (as it stands)"},
    {"escape", l_escape, KINDS_ALL, "text: string -> string",
     "percent encoding for a part of a path or query: all but letters, digits, - . _ ~"},
    {"unescape", l_unescape, KINDS_ALL, "text: string -> string, string?, string?",
     "the reverse, strictly; + stays +"},
    {"cookies", l_cookies, KINDS_ALL, "header: string -> table",
     "name -> value of a Cookie header; malformed ones are left out"},
    {0},
};

const struct bind_module bind_form = {"form", "query strings, urlencoded forms, cookies", FNS,
                                      NULL};
