/* manifest_outline: what a script's table holds, as bytes, so that a version whose texts are what
 * they were need not be run to be known (registry_unchanged.c). A main chunk has no clock, no
 * chance, no configuration and no store (they raise while a script is loaded), so what it declares
 * depends on its texts and on this build alone; whoever keeps an outline keeps it under both.
 *
 * A value is one letter and what belongs to it; numbers as this machine has them:
 *
 *   T F               true, false          i n   8 bytes: an integer, a number
 *   s LENGTH bytes    a text               k LENGTH bytes    a secret, by its name
 *   f                 a function, whichever
 *   t LIST OTHERS (key value)...           a table, with how many places it needs
 *   g LENGTH bytes t...                    a table with this tag: none "why"
 *
 * What else there is (userdata, tables within themselves) makes no outline. The bytes were written
 * by us, but are read as if they were not: any bytes give a table or nothing. */
#include "base/ensure.h"
#include "base/mem.h"
#include "script/bind_secret.h"
#include "script/manifest.h"
#include "script/runtime.h"

enum {
    DEPTH_MAX = 32,
    OUTLINE_MAX = 512 * 1024,
};

/* ---- writing ---- */

static void add_size(struct buf *out, size_t n) {
    uint32_t size = (uint32_t)n; /* a text is a part of a state's memory: far below 4 GB */
    buf_add(out, &size, sizeof size);
}

static void add_text(struct buf *out, char letter, struct str text) {
    buf_addc(out, letter);
    add_size(out, text.n);
    buf_addstr(out, text);
}

static bool write_value(lua_State *L, int index, int depth, struct buf *out);

static bool key_fits(lua_State *L, int index) {
    int type = lua_type(L, index);
    return type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TBOOLEAN;
}

static bool write_table(lua_State *L, int index, int depth, struct buf *out) {
    const char *tag = script_tag(L, index);
    size_t list = lua_rawlen(L, index), all = 0;
    if (tag != NULL) add_text(out, 'g', str_of(tag));
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1))
        all++;
    if (list > all) list = all; /* a border is any border */
    buf_addc(out, 't');
    add_size(out, list);
    add_size(out, all - list);
    bool fits = true;
    for (lua_pushnil(L); fits && lua_next(L, index) != 0; lua_pop(L, 1)) {
        int value = lua_gettop(L);
        fits = key_fits(L, value - 1) && write_value(L, value - 1, depth, out) &&
               write_value(L, value, depth, out);
    }
    return fits;
}

static bool write_value(lua_State *L, int index, int depth, struct buf *out) {
    struct str text;
    if (depth > DEPTH_MAX || out->err != 0) return false;
    luaL_checkstack(L, 6, NULL);
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN: buf_addc(out, lua_toboolean(L, index) ? 'T' : 'F'); return true;
    case LUA_TNUMBER:
        buf_addc(out, lua_isinteger(L, index) ? 'i' : 'n');
        if (lua_isinteger(L, index))
            buf_add(out, &(int64_t){lua_tointeger(L, index)}, 8);
        else
            buf_add(out, &(double){lua_tonumber(L, index)}, 8);
        return true;
    case LUA_TSTRING:
        text.p = lua_tolstring(L, index, &text.n);
        add_text(out, 's', text);
        return true;
    case LUA_TFUNCTION: buf_addc(out, 'f'); return true;
    case LUA_TTABLE: return write_table(L, index, depth + 1, out);
    default:
        if (!secret_is(L, index)) return false;
        add_text(out, 'k', str_of(secret_name(L, index)));
        return true;
    }
}

void manifest_outline(lua_State *L, struct buf *out) {
    out->max = OUTLINE_MAX;
    int top = lua_gettop(L);
    bool whole = write_value(L, 1, 0, out) && out->err == 0;
    lua_settop(L, top);
    if (!whole) buf_free(out);
}

/* ---- reading ---- */

struct outline {
    const char *at, *end;
};

static bool take(struct outline *o, void *to, size_t n) {
    if ((size_t)(o->end - o->at) < n) return false;
    memcpy(to, o->at, n);
    o->at += n;
    return true;
}

static bool take_text(struct outline *o, struct str *text) {
    uint32_t n;
    if (!take(o, &n, sizeof n) || (size_t)(o->end - o->at) < n) return false;
    *text = (struct str){o->at, n};
    o->at += n;
    return true;
}

static int no_function(lua_State *L) {
    return luaL_error(L, "a function of an outline");
}

static bool push_value(lua_State *L, struct outline *o, int depth);

static bool push_table(lua_State *L, struct outline *o, int depth) {
    uint32_t list, others;
    if (!take(o, &list, sizeof list) || !take(o, &others, sizeof others)) return false;
    size_t pairs = (size_t)list + others;
    if (pairs > (size_t)(o->end - o->at) / 2) return false; /* each is two letters at least */
    lua_createtable(L, (int)list, (int)others);
    int table = lua_gettop(L);
    for (size_t i = 0; i < pairs; i++) {
        if (!push_value(L, o, depth) || !key_fits(L, table + 1)) return false;
        if (!push_value(L, o, depth)) return false;
        lua_rawset(L, table);
    }
    return true;
}

/* False: no outline of ours; what was pushed so far stays. */
static bool push_value(lua_State *L, struct outline *o, int depth) {
    char letter;
    int64_t integer;
    double number;
    struct str text;
    if (depth > DEPTH_MAX || !take(o, &letter, 1)) return false;
    luaL_checkstack(L, 6, NULL);
    switch (letter) {
    case 'T':
    case 'F': lua_pushboolean(L, letter == 'T'); return true;
    case 'i':
        if (!take(o, &integer, sizeof integer)) return false;
        lua_pushinteger(L, integer);
        return true;
    case 'n':
        if (!take(o, &number, sizeof number)) return false;
        lua_pushnumber(L, number);
        return true;
    case 's':
        if (!take_text(o, &text)) return false;
        lua_pushlstring(L, text.p, text.n);
        return true;
    case 'k':
        if (!take_text(o, &text)) return false;
        secret_push(L, STR(""), lua_pushlstring(L, text.p, text.n));
        lua_remove(L, -2);
        return true;
    case 'f': lua_pushcfunction(L, no_function); return true;
    case 't': return push_table(L, o, depth + 1);
    case 'g':
        if (!take_text(o, &text) || !take(o, &letter, 1) || letter != 't') return false;
        const char *tag = lua_pushlstring(L, text.p, text.n);
        if (!push_table(L, o, depth + 1)) return false;
        script_set_tag(L, tag);
        lua_remove(L, -2);
        return true;
    default: return false;
    }
}

struct from_outline {
    struct manifest_reader reader;
    struct outline outline;
    int err;
};

static int read_protected(lua_State *L) {
    struct from_outline *f = lua_touserdata(L, 1);
    lua_settop(L, 0);
    f->err = E_CORRUPT;
    if (push_value(L, &f->outline, 0) && f->outline.at == f->outline.end)
        f->err = manifest_look(L, &f->reader);
    return 0;
}

int manifest_of_outline(struct version *v, lua_State *L, struct str outline) {
    struct why why = {0};
    ENSURE(v->manifest == NULL);
    v->manifest = mem_zalloc(sizeof *v->manifest);
    if (v->manifest == NULL) return E_NOMEM;
    v->manifest->kind = v->kind;
    struct from_outline f = {.reader = {.m = v->manifest, .v = v, .why = &why},
                             .outline = {outline.p, outline.p + outline.n}};
    int status = LUA_ERRMEM;
    if (lua_checkstack(L, 2)) {
        lua_pushcfunction(L, read_protected);
        lua_pushlightuserdata(L, &f);
        status = lua_pcall(L, 1, 0, 0);
    }
    lua_settop(L, 0);
    int err = status == LUA_ERRMEM || v->manifest->nomem || f.err == E_NOMEM ? E_NOMEM
              : status != LUA_OK || f.err != 0                               ? E_CORRUPT
                                                                             : 0;
    if (err != 0) {
        manifest_delete(v->manifest);
        v->manifest = NULL;
    }
    return err;
}
