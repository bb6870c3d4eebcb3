/* store: commits and reads for trusted scripts. Commits are the typed operations of
 * store/ops_list.h, by name; reads are named queries; free SQL is read-only and for one-off scripts
 * and tests. */
#include "script/bind.h"
#include "script/context.h"
#include "script/store_wait.h"

enum { PARAMS_MAX = 32 };

static struct val to_val(lua_State *L, int index, const char *what) {
    switch (lua_type(L, index)) {
    case LUA_TNIL: return V_NULL;
    case LUA_TBOOLEAN: return V_INT(lua_toboolean(L, index));
    case LUA_TNUMBER:
        if (lua_isinteger(L, index)) return V_INT(lua_tointeger(L, index));
        break;
    case LUA_TSTRING: {
        struct str s;
        s.p = lua_tolstring(L, index, &s.n);
        return V_STR(s);
    }
    }
    luaL_error(L, "%s: a text, an integer, a boolean or nil is expected, got %s", what,
               luaL_typename(L, index));
    return V_NULL;
}

static void push_val(lua_State *L, struct val v) {
    switch (v.type) {
    case VAL_NULL: lua_pushnil(L); break;
    case VAL_INT: lua_pushinteger(L, v.i); break;
    case VAL_TEXT:
    case VAL_BLOB: lua_pushlstring(L, v.s.p, v.s.n); break;
    }
}

/* One operation, a table {"kv_put", scope = ..., ...}, on top of the stack. Its texts stay alive:
 * they are in that table. */
static void add_op(lua_State *L, struct commit *c, int number) {
    int table = lua_gettop(L);
    if (!lua_istable(L, table)) luaL_error(L, "operation %d: a table is expected", number);
    lua_rawgeti(L, table, 1);
    struct str name = {0};
    if (lua_type(L, -1) == LUA_TSTRING) name.p = lua_tolstring(L, -1, &name.n);
    enum store_op op = OP_COUNT_;
    if (!op_find(name, &op))
        luaL_error(L, "operation %d: there is no operation \"%s\"", number,
                   name.n == 0 ? "" : name.p);
    const struct op_def *def = op_def(op);
    struct val values[OP_FIELDS_MAX];
    luaL_checkstack(L, (int)def->field_count + 8, "too many fields");
    for (size_t i = 0; i < def->field_count; i++) {
        const struct op_field *f = &def->fields[i];
        lua_pushlstring(L, f->name.p, f->name.n);
        lua_rawget(L, table);
        values[i] = to_val(L, -1, f->name.p);
        if (values[i].type == VAL_TEXT && f->type == VAL_BLOB) values[i].type = VAL_BLOB;
        const char *wrong = op_field_wrong(f, &values[i]);
        if (wrong != NULL)
            luaL_error(L, "operation %d (%s), field %s: %s", number, def->name,
                       lua_pushlstring(L, f->name.p, f->name.n), wrong);
    }
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING) continue;
        size_t n;
        const char *key = lua_tolstring(L, -2, &n);
        bool known = false;
        for (size_t i = 0; i < def->field_count; i++)
            known = known || str_eq(def->fields[i].name, (struct str){key, n});
        if (!known)
            luaL_error(L, "operation %d (%s): there is no field \"%s\"", number, def->name, key);
    }
    commit_add(c, op, values, def->field_count);
    lua_settop(L, table);
}

static void push_row(lua_State *L, const struct rows *rows, size_t row) {
    size_t columns = rows_columns(rows);
    lua_createtable(L, 0, (int)columns);
    for (size_t i = 0; i < columns; i++) {
        push_val(L, rows_at(rows, row, i));
        lua_setfield(L, -2, rows_name(rows, i));
    }
}

static int commit_done(lua_State *L, const struct store_answer *a) {
    if (a->err != 0) {
        bind_fail(L, a->err, "%s%s%s", err_text(a->err), a->detail[0] == '\0' ? "" : ": ",
                  a->detail);
        lua_pushinteger(L, a->failed_op + 1);
        return 4;
    }
    size_t n = a->rows == NULL ? 0 : rows_count(a->rows);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_val(L, rows_at(a->rows, i, 0));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int l_commit(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    co_require_wait(L, "store.commit");
    struct commit *c = commit_push(L);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    luaL_argcheck(L, n >= 1 && n <= COMMIT_OPS_MAX, 1, "a list of 1 to 200 operations");
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        add_op(L, c, (int)i);
        lua_pop(L, 1);
    }
    return store_wait_commit(L, c, LANE_NEW, commit_done);
}

static int rows_done(lua_State *L, const struct store_answer *a) {
    if (a->err != 0) return store_fail(L, a);
    size_t n = rows_count(a->rows);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_row(L, a->rows, i);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static size_t params(lua_State *L, struct val *values) {
    int n = lua_gettop(L) - 1;
    if (n > PARAMS_MAX) luaL_error(L, "at most %d parameters", PARAMS_MAX);
    for (int i = 0; i < n; i++)
        values[i] = to_val(L, i + 2, "parameter");
    return (size_t)n;
}

static int l_query(lua_State *L) {
    struct val values[PARAMS_MAX];
    const char *name = luaL_checkstring(L, 1);
    size_t n = params(L, values);
    co_require_wait(L, "store.query");
    return store_wait_query(L, name, values, n, rows_done);
}

static int l_select(lua_State *L) {
    struct val values[PARAMS_MAX];
    const char *sql = luaL_checkstring(L, 1);
    size_t n = params(L, values);
    co_require_wait(L, "store.select");
    return store_wait_select(L, sql, values, n, rows_done);
}

static int l_get(lua_State *L) {
    struct val values[PARAMS_MAX];
    const char *name = luaL_checkstring(L, 1);
    size_t n = params(L, values);
    struct rows **rows = rows_push(L);
    int err = store_get(context_of(L)->services->store, name, values, n, rows);
    if (err != 0) return bind_fail(L, err, "%s: %s", name, err_text(err));
    if (rows_count(*rows) == 0)
        lua_pushnil(L);
    else
        push_row(L, *rows, 0);
    return 1;
}

static const struct bind_fn FNS[] = {
    {"commit", l_commit, KINDS_TRUSTED, "operations: table[] -> any[]?, string?, string?, integer?",
     "all operations or none; returns what each returned, or nil, text, code and which one failed"},
    {"query", l_query, KINDS_TRUSTED, "name: string, ...: any -> table[]?, string?, string?",
     "the rows of a named query"},
    {"get", l_get, KINDS_TRUSTED, "name: string, ...: any -> table?, string?, string?",
     "one row, by index, at once"},
    {"select", l_select, KIND_TOOL | KIND_TEST,
     "sql: string, ...: any -> table[]?, string?, string?", "the rows of one SELECT"},
    {0},
};
const struct bind_module bind_store = {"store", "commits and reads", FNS, NULL};
