/* csv: rows from a text or a file, one at a time, and text from rows.
 *
 * The iterator is a closure over one userdata that owns the reader, and over the text if there is
 * one (as its user value). A file is read in pieces of 64 kB and closed at its end, at the first
 * error, or with the userdata. An error in the middle of a file raises: half of it was used. */
#include "base/csv.h"

#include "script/bind.h"
#include "script/co.h"
#include "script/lua_out.h"

#include <errno.h>
#include <stdio.h>

#define CSV_TYPE    "csv.rows"
#define CSV_OUT_MAX ((size_t)4 << 20)
#define PIECE       ((size_t)64 << 10)

struct rows {
    struct csv csv;
    bool open;   /* csv was initialised */
    bool header; /* the first row names the cells */
    bool done;
    FILE *file; /* NULL: a text */
    size_t row; /* rows given so far */
    char piece[];
};

static int rows_gc(lua_State *L) {
    struct rows *r = lua_touserdata(L, 1);
    if (r->open) csv_free(&r->csv);
    if (r->file != NULL) fclose(r->file);
    r->open = false;
    r->file = NULL;
    r->done = true;
    return 0;
}

static int rows_open(lua_State *L) {
    if (luaL_newmetatable(L, CSV_TYPE)) {
        lua_pushcfunction(L, rows_gc);
        lua_setfield(L, -2, "__gc");
        lua_pushliteral(L, CSV_TYPE);
        lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
    return 0;
}

/* The next row into r->csv; false at the end. Raises on errors. */
static bool next_row(lua_State *L, struct rows *r) {
    struct why why = {0};
    int got;
    while ((got = r->done ? 0 : csv_next(&r->csv, &why)) == 0) {
        if (r->done || r->csv.finished) {
            r->done = true;
            return false;
        }
        size_t n = r->file == NULL ? 0 : fread(r->piece, 1, PIECE, r->file);
        if (n == 0) {
            if (r->file != NULL && ferror(r->file))
                return luaL_error(L, "csv: the file cannot be read");
            csv_finish(&r->csv);
        }
        csv_push(&r->csv, (struct str){r->piece, n});
    }
    if (got < 0) {
        r->done = true;
        luaL_error(L, "%s", why.text);
    }
    if (++r->row % 256 == 0) co_check(L);
    return true;
}

/* Upvalues: 1 the userdata, 2 the list of names or nil. */
static int rows_next(lua_State *L) {
    struct rows *r = lua_touserdata(L, lua_upvalueindex(1));
    if (!next_row(L, r)) return 0;
    int names = (int)lua_rawlen(L, lua_upvalueindex(2));
    if (r->header && r->csv.count != (size_t)names)
        return luaL_error(L, "csv: row %d has %d cells, the header has %d", (int)r->row,
                          (int)r->csv.count, names);
    lua_createtable(L, (int)r->csv.count, names);
    for (size_t i = 0; i < r->csv.count; i++) {
        struct str cell = csv_cell(&r->csv, i);
        lua_pushlstring(L, cell.p, cell.n);
        if (r->header) {
            lua_rawgeti(L, lua_upvalueindex(2), (lua_Integer)i + 1);
            lua_pushvalue(L, -2);
            lua_rawset(L, -4);
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* {header = true, separator = ","} */
static char read_options(lua_State *L, int index, const char *who, bool *header) {
    char separator = ',';
    *header = true;
    if (lua_isnoneornil(L, index)) return separator;
    luaL_checktype(L, index, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        struct str key = {0}, value = {0};
        if (lua_type(L, -2) == LUA_TSTRING) key.p = lua_tolstring(L, -2, &key.n);
        if (lua_type(L, -1) == LUA_TSTRING) value.p = lua_tolstring(L, -1, &value.n);
        if (str_eq(key, STR("header")) && lua_isboolean(L, -1))
            *header = lua_toboolean(L, -1);
        else if (str_eq(key, STR("separator")) && value.n == 1 && strchr(",;\t|", *value.p) != NULL)
            separator = *value.p;
        else
            luaL_error(L, "%s: options are header and separator (one of , ; | tab)", who);
    }
    return separator;
}

static int start(lua_State *L, bool file, const char *who) {
    luaL_checktype(L, 1, LUA_TSTRING);
    lua_settop(L, 2);
    bool header;
    char separator = read_options(L, 2, who, &header);
    rows_open(L);
    struct rows *r = lua_newuserdatauv(L, sizeof *r + (file ? PIECE : 0), 1);
    r->open = false;
    r->file = NULL;
    luaL_setmetatable(L, CSV_TYPE);
    csv_init(&r->csv, separator);
    r->open = true;
    r->header = header;
    r->done = false;
    r->row = 0;
    if (file) {
        const char *path = lua_tostring(L, 1);
        r->file = fopen(path, "rbe");
        if (r->file == NULL)
            return bind_fail(L, errno == ENOENT ? E_NOTFOUND : E_IO, "csv: %s: %s", path,
                             strerror(errno));
        csv_push(&r->csv, (struct str){r->piece, 0});
    } else {
        struct str text;
        text.p = lua_tolstring(L, 1, &text.n);
        co_charge(L, text.n < CSV_ROW_MAX ? text.n : CSV_ROW_MAX); /* a row is C memory */
        lua_pushvalue(L, 1);
        lua_setiuservalue(L, -2, 1); /* keeps the text as long as the reader */
        csv_push(&r->csv, text);
        csv_finish(&r->csv);
    }
    lua_newtable(L);
    if (header && next_row(L, r))
        for (size_t i = 0; i < r->csv.count; i++) {
            struct str cell = csv_cell(&r->csv, i);
            lua_pushlstring(L, cell.p, cell.n);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
    lua_pushcclosure(L, rows_next, 2);
    return 1;
}

static int l_rows(lua_State *L) {
    return start(L, true, "csv.rows");
}

static int l_parse(lua_State *L) {
    return start(L, false, "csv.parse");
}

static void put_cell(struct lua_out *o, struct csv_out *w, lua_Integer row) {
    lua_State *L = o->L;
    struct str s = {"", 0};
    if (lua_type(L, -1) == LUA_TBOOLEAN)
        s = lua_toboolean(L, -1) ? STR("true") : STR("false");
    else if (lua_type(L, -1) == LUA_TSTRING || lua_isinteger(L, -1))
        s.p = lua_tolstring(L, -1, &s.n);
    else
        luaL_error(L, "csv.encode: row %d: a cell is a string, an integer or a boolean", (int)row);
    if (s.n > CSV_OUT_MAX / 4) luaL_error(L, "csv.encode: row %d: a cell is too long", (int)row);
    struct buf room = lua_out_room(o, s.n * 2 + 4);
    w->b = &room;
    csv_put(w, s);
    w->b = NULL;
    lua_out_took(o, &room);
}

static int l_encode(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    bool header;
    struct csv_out w = {.separator = read_options(L, 2, "csv.encode", &header)};
    struct lua_out o;
    lua_out_init(&o, L, "csv.encode", CSV_OUT_MAX);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    for (lua_Integer i = 1; i <= n; i++) {
        if (i % 256 == 0) co_check(L);
        if (lua_rawgeti(L, 1, i) != LUA_TTABLE) luaL_error(L, "csv.encode: rows are lists");
        lua_Integer cells = (lua_Integer)lua_rawlen(L, -1);
        for (lua_Integer c = 1; c <= cells; c++) {
            lua_rawgeti(L, -1, c);
            put_cell(&o, &w, i);
            lua_pop(L, 1);
        }
        struct buf room = lua_out_room(&o, 2);
        w.b = &room;
        csv_end_row(&w);
        lua_out_took(&o, &room);
        lua_pop(L, 1);
    }
    lua_out_push(&o);
    return 1;
}

static const struct bind_fn FNS[] = {
    {"rows", l_rows, KIND_TOOL | KIND_TEST,
     "path: string, options?: table -> function, string?, string?",
     "for row in csv.rows(path): cells by position and by the header's names; options: header, "
     "separator"},
    {"parse", l_parse, KINDS_ALL, "text: string, options?: table -> function",
     "likewise from a text"},
    {"encode", l_encode, KINDS_ALL, "rows: table, options?: table -> string",
     "lists of cells as text; cells that a spreadsheet would run are guarded"},
    {0},
};

const struct bind_module bind_csv = {"csv", "comma-separated values", FNS, NULL};
