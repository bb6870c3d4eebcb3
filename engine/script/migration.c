/* See migration.h. A migration is built aside from its text alone: it can require nothing of
 * scripts/lib, which changes, while what a migration does must stay the same for ever. It runs
 * under the budget of its kind; an error, of Lua or of SQL, undoes the whole step. */
#include "script/migration.h"

#include "base/mem.h"
#include "script/cage.h"
#include "script/manifest.h"
#include "script/runtime.h"

#include <lauxlib.h>

enum { PARAMS_MAX = 32 };
static const char DB_KEY = 0;

struct migration {
    struct store_migration *db;
    struct str text;
};

/* ---- what `up` is given ---- */

static struct store_migration *db_of(lua_State *L, const char *who) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &DB_KEY);
    struct store_migration *db = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (db == NULL) luaL_error(L, "%s: only inside up()", who);
    return db;
}

static int l_exec(lua_State *L) {
    struct why why = {0};
    if (store_migration_exec(db_of(L, "db.exec"), luaL_checkstring(L, 1), &why) != 0)
        return luaL_error(L, "db.exec: %s", why.text);
    return 0;
}

static int rows_gc(lua_State *L) {
    struct rows **held = lua_touserdata(L, 1);
    rows_free(*held);
    *held = NULL;
    return 0;
}

static void push_cell(lua_State *L, struct val v) {
    switch (v.type) {
    case VAL_INT: lua_pushinteger(L, v.i); break;
    case VAL_TEXT:
    case VAL_BLOB: lua_pushlstring(L, v.s.p == NULL ? "" : v.s.p, v.s.n); break;
    case VAL_NULL: lua_pushnil(L); break;
    }
}

static int l_select(lua_State *L) {
    struct val values[PARAMS_MAX];
    const char *sql = luaL_checkstring(L, 1);
    int n = lua_gettop(L) - 1;
    if (n > PARAMS_MAX) return luaL_error(L, "at most %d parameters", PARAMS_MAX);
    for (int i = 0; i < n; i++) {
        struct str s = {0};
        if (lua_isinteger(L, i + 2)) {
            values[i] = V_INT(lua_tointeger(L, i + 2));
        } else if (lua_isnil(L, i + 2)) {
            values[i] = V_NULL;
        } else {
            s.p = luaL_checklstring(L, i + 2, &s.n);
            values[i] = V_STR(s);
        }
    }
    struct rows **held = lua_newuserdatauv(L, sizeof(struct rows *), 0);
    *held = NULL;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, rows_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    struct why why = {0};
    if (store_migration_select(db_of(L, "db.select"), sql, values, (size_t)n, held, &why) != 0)
        return luaL_error(L, "db.select: %s", why.text);
    lua_createtable(L, (int)rows_count(*held), 0);
    for (size_t i = 0; i < rows_count(*held); i++) {
        lua_createtable(L, 0, (int)rows_columns(*held));
        for (size_t k = 0; k < rows_columns(*held); k++) {
            push_cell(L, rows_at(*held, i, k));
            lua_setfield(L, -2, rows_name(*held, k));
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static const struct bind_fn FNS[] = {
    {"exec", l_exec, KIND_MIGRATION, "sql: string", "runs statements inside the step; raises"},
    {"select", l_select, KIND_MIGRATION, "sql: string, ...: any -> table[]",
     "the rows of a SELECT"},
    {0},
};
const struct bind_module bind_db = {"db", "the database, inside a migration", FNS, NULL};

/* ---- running ---- */

static int run_up(lua_State *L, void *data) {
    const struct migration *m = data;
    lua_pushlightuserdata(L, m->db);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &DB_KEY);
    lua_getfield(L, 1, "up"); /* the manifest has seen that it is a function */
    if (!cage_builtin(L, "db", KIND_MIGRATION)) return E_INTERNAL;
    lua_call(L, 1, 0);
    return 0;
}

static int read_text(void *data, const char *path, struct buf *text, struct why *why) {
    const struct migration *m = data;
    if (strncmp(path, "scripts/lib/", 12) == 0)
        return why_set(why, E_NOTFOUND,
                       "a migration requires no module of scripts/lib: they change");
    buf_addstr(text, m->text);
    return text->err == 0 ? 0 : why_set(why, text->err, "%s", err_text(text->err));
}

static int run(void *data, const char *path, struct str text, struct store_migration *db,
               struct why *why) {
    (void)data;
    struct migration m = {db, text};
    const struct version_files files = {read_text, &m};
    struct version *v = NULL;
    const char *name = strrchr(path, '/');
    name = name == NULL ? path : name + 1;
    int err = version_build(&v, KIND_MIGRATION, name, name, &files, BIND_MODULES, why);
    if (err == 0) err = manifest_load(v, NULL, NULL, why);
    if (err == 0) err = script_load_aside(v, run_up, &m, why);
    if (v != NULL) version_drop(v);
    return err;
}

void migration_setup(void) {
    store_migration_hook(run, NULL);
}
