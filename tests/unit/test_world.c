/* Walks every value that a caged script can reach, tables, metatables and userdata types, by raw
 * access, and compares with the list checked in beside this file: tests/unit/world_KIND.txt. What
 * is new there was put there by somebody who thought about it (WORLD_WRITE=1 rewrites the lists).
 * Upvalues are not walked: C functions have none that a script could read without `debug`. */
#include "base/mem.h"
#include "script/state.h"
#include "script_fixture.h"
#include "unit.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct walk {
    char *lines[4096];
    size_t count;
};

static void note(struct walk *w, const char *path, const char *type) {
    char line[512];
    snprintf(line, sizeof line, "%s %s", path, type);
    CHECK(w->count < sizeof w->lines / sizeof w->lines[0]);
    w->lines[w->count++] = strdup(line);
}

/* The value on top, known as `path`; `seen` holds every table and userdata once. */
static void walk(lua_State *L, struct walk *w, const char *path, int seen, int depth) {
    note(w, path, luaL_typename(L, -1));
    CHECK(depth < 16);
    luaL_checkstack(L, 8, NULL);
    lua_pushvalue(L, -1);
    bool fresh = lua_isnil(L, -1) || lua_rawget(L, seen) == LUA_TNIL;
    lua_pop(L, 1);
    int type = lua_type(L, -1);
    if (!fresh || (type != LUA_TTABLE && type != LUA_TUSERDATA)) return;
    char name[400];
    lua_pushvalue(L, -1);
    lua_pushboolean(L, 1);
    lua_rawset(L, seen);
    if (type == LUA_TTABLE) {
        lua_pushnil(L);
        while (lua_next(L, -2)) {
            if (lua_type(L, -2) == LUA_TSTRING)
                snprintf(name, sizeof name, "%s.%s", path, lua_tostring(L, -2));
            else /* a tag of ours, an index */
                snprintf(name, sizeof name, "%s.(%s)", path, luaL_typename(L, -2));
            walk(L, w, name, seen, depth + 1);
            lua_pop(L, 1);
        }
    }
    /* a script sees a metatable only when it is not locked; what is behind a lock is listed too */
    if (lua_getmetatable(L, -1)) {
        lua_pushliteral(L, "__metatable");
        bool locked = lua_rawget(L, -2) != LUA_TNIL;
        lua_pop(L, 1);
        snprintf(name, sizeof name, "%s<%s>", path, locked ? "locked" : "open");
        walk(L, w, name, seen, depth + 1);
        lua_pop(L, 1);
    }
}

static int walk_all(lua_State *L) {
    struct walk *w = lua_touserdata(L, 1);
    lua_newtable(L);
    int seen = lua_gettop(L);
    state_push_env(L);
    walk(L, w, "_ENV", seen, 0);
    lua_pop(L, 1);
    script_push_ctx(L);
    if (!lua_isnil(L, -1)) walk(L, w, "ctx", seen, 0);
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    CHECK(lua_getmetatable(L, -1));
    walk(L, w, "(string)", seen, 0);
    return 0;
}

/* Methods of userdata, which no script holds at the start. */
static void note_types(struct walk *w, enum script_kind kind) {
    char name[200];
    for (const struct bind_module *const *m = BIND_MODULES; *m != NULL; m++)
        for (const struct bind_type *t = (*m)->types; t != NULL && t->name != NULL; t++)
            for (const struct bind_fn *f = t->methods; f != NULL && f->name != NULL; f++) {
                if ((f->kinds & kind) == 0) continue;
                snprintf(name, sizeof name, "(type) %s:%s", t->name, f->name);
                note(w, name, "function");
            }
}

static int look(lua_State *L, void *data) {
    lua_settop(L, 0);
    lua_pushcfunction(L, walk_all);
    lua_pushlightuserdata(L, data);
    lua_call(L, 1, 0);
    return 0;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *read_list(const char *path) {
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 18);
    if (file == NULL) return text;
    text[fread(text, 1, (1 << 18) - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* Lists are short: two sorted lists side by side. */
static int compare(const char *path, struct walk *w) {
    char *text = read_list(path), *rest = text;
    size_t i = 0;
    int bad = 0;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (line[0] == '\0') continue;
        while (i < w->count && strcmp(w->lines[i], line) < 0) {
            print_error("%s: + %s\n", path, w->lines[i++]);
            bad++;
        }
        if (i < w->count && strcmp(w->lines[i], line) == 0) {
            i++;
            continue;
        }
        print_error("%s: - %s\n", path, line);
        bad++;
    }
    for (; i < w->count; i++, bad++)
        print_error("%s: + %s\n", path, w->lines[i]);
    free(text);
    return bad;
}

static void write_list(const char *path, const struct walk *w) {
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    for (size_t i = 0; i < w->count; i++)
        fprintf(file, "%s\n", w->lines[i]);
    fclose(file);
}

static int world_of(enum script_kind kind, const char *name) {
    struct walk *w = calloc(1, sizeof *w);
    struct version *v = fixture_script(kind, "a", "return {}");
    struct why why = {0};
    char path[128];
    CHECK_OK(script_load_aside(v, look, w, &why));
    note_types(w, kind);
    qsort(w->lines, w->count, sizeof w->lines[0], by_text);
    snprintf(path, sizeof path, "tests/unit/world_%s.txt", name);
    if (getenv("WORLD_WRITE") != NULL) write_list(path, w);
    int bad = compare(path, w);
    for (size_t i = 0; i < w->count; i++)
        free(w->lines[i]);
    free(w);
    fixture_drop(v);
    return bad;
}

static void caged_worlds_are_as_listed(void **state) {
    (void)state;
    int64_t live = mem_live();
    int bad = world_of(KIND_CHANNEL, "channel");
    bad += world_of(KIND_RULE, "rule");
    bad += world_of(KIND_BILLER, "biller");
    bad += world_of(KIND_SANDBOX, "sandbox");
    CHECK_INT(bad, 0);
    CHECK_INT(mem_live(), live);
}

/* What must never be there, whatever the lists say. */
static void nothing_dangerous_is_listed(void **state) {
    (void)state;
    static const char *const kinds[] = {"channel", "rule", "biller", "sandbox"};
    static const char *const never[] = {
        "_ENV.coroutine ", "_ENV.debug ",       "_ENV.io ",         "_ENV.os ",
        "_ENV.package ",   "_ENV.load ",        "_ENV.loadstring ", "_ENV.loadfile ",
        "_ENV.dofile ",    "_ENV.xpcall ",      "_ENV._G ",         "_ENV.collectgarbage ",
        "_ENV.print ",     "_ENV.string.dump ", "_ENV.warn ",       "_ENV.math.randomseed "};
    for (size_t k = 0; k < 4; k++) {
        char path[128];
        snprintf(path, sizeof path, "tests/unit/world_%s.txt", kinds[k]);
        char *text = read_list(path);
        CHECK(strstr(text, "_ENV.pcall function") != NULL);
        for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
            CHECK(strstr(text, never[i]) == NULL);
        free(text);
    }
    char *rule = read_list("tests/unit/world_rule.txt");
    CHECK(strstr(rule, "random") == NULL);
    CHECK(strstr(rule, "ctx") == NULL);
    CHECK(strstr(rule, "engine") == NULL);
    free(rule);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caged_worlds_are_as_listed),
        cmocka_unit_test(nothing_dangerous_is_listed),
    };
    return unit_main(argc, argv, "world", tests, sizeof tests / sizeof tests[0]);
}
