/* See tool.h. */
#include "script/tool.h"

#include "base/money.h"
#include "base/nearest.h"
#include "script/cage.h"
#include "script/source.h"

#include <lauxlib.h>

/* ---- loading ---- */

struct tool_files {
    const char *root, *path;
    bool own;
};

/* The script's own path is the caller's (from the working directory); modules are the root's. */
static int tool_read(void *data, const char *path, struct buf *text, struct why *why) {
    const struct tool_files *f = data;
    bool given = !f->own && strcmp(path, f->path) == 0;
    return source_read(given ? "." : (void *)f->root, path, text, why);
}

/* Where its folder says that it is something else, that is what is wrong with it, whatever its table
 * lacks of the kind that was asked for. */
static int check_kind(enum script_kind wanted, const char *root, const char *path, bool own,
                      struct why *why) {
    char below[SCRIPT_PATH_MAX], name[SCRIPT_PATH_MAX];
    enum script_kind kind;
    if (!own && !source_below(root, path, below)) return 0;
    if (!source_kind(own ? path : below, &kind, name) || kind == wanted) return 0;
    return why_set(why, E_INVAL, "%s is no %s: it is %s", path, source_kind_text(wanted) + 2,
                   source_kind_text(kind));
}

int tool_load_kind(struct version **out, enum script_kind kind, const char *root, const char *path,
                   bool own, struct why *why) {
    struct tool_files files = {root, path, own};
    const struct version_files source = {tool_read, &files};
    struct version *v = NULL;
    int err = check_kind(kind, root, path, own, why);
    if (err == 0) err = version_build(&v, kind, path, path, &source, BIND_MODULES, why);
    if (err == 0) err = manifest_load(v, NULL, NULL, why);
    if (err == 0)
        *out = v;
    else if (v != NULL)
        version_drop(v);
    return err;
}

int tool_load(struct version **out, const char *root, const char *path, bool own, struct why *why) {
    struct version *v = NULL;
    int err = tool_load_kind(&v, KIND_TOOL, root, path, own, why);
    if (err == 0 && v->manifest->args.count > TOOL_ARGS_MAX) {
        version_drop(v);
        return why_set(why, E_LIMIT, "%s: more than %d args", path, TOOL_ARGS_MAX);
    }
    *out = v;
    return err;
}

/* ---- arguments ---- */

static bool is_flag(const struct manifest_arg *a) {
    return strcmp(a->type, "flag") == 0;
}

/* dry_run is given as --dry-run too */
static bool same_name(struct str given, const char *name) {
    if (given.n != strlen(name)) return false;
    for (size_t i = 0; i < given.n; i++)
        if (given.p[i] != name[i] && !(given.p[i] == '-' && name[i] == '_')) return false;
    return true;
}

static int take(struct tool_args *t, size_t i, const char *text, struct why *why) {
    const struct manifest_arg *a = &t->spec->at[i];
    struct str s = str_of(text);
    struct why inner = {0};
    if (strcmp(a->type, "int") == 0) {
        if (str_to_i64(s, &t->number[i]) != 0)
            return why_set(why, E_USAGE, "%s: %s is no whole number", a->name, text);
    } else if (strcmp(a->type, "amount") == 0) {
        if (money_parse(s, STR("IDR"), &t->number[i], &inner) != 0)
            return why_set(why, E_USAGE, "%s: %s is no amount in rupiah, such as 150000", a->name,
                           text);
    } else if (strcmp(a->type, "date") == 0) {
        if (!manifest_date_valid(s))
            return why_set(why, E_USAGE, "%s: %s is no day, such as 2026-01-31", a->name, text);
    } else if (strcmp(a->type, "path") == 0 && s.n == 0) {
        return why_set(why, E_USAGE, "%s: an empty path", a->name);
    }
    t->text[i] = text;
    return 0;
}

static int take_named(struct tool_args *t, const char *const *argv, size_t count, size_t *at,
                      struct why *why) {
    struct str name, value;
    bool has_value = str_cut(str_of(argv[*at] + 2), '=', &name, &value);
    struct nearest near;
    nearest_init(&near, name);
    for (size_t i = 0; i < t->spec->count; i++) {
        const struct manifest_arg *a = &t->spec->at[i];
        nearest_try(&near, str_of(a->name));
        if (!same_name(name, a->name)) continue;
        if (t->text[i] != NULL) return why_set(why, E_USAGE, "--%s is given twice", a->name);
        if (is_flag(a) && has_value) return why_set(why, E_USAGE, "--%s takes no value", a->name);
        if (is_flag(a)) {
            t->text[i] = "";
            t->number[i] = 1;
            return 0;
        }
        if (!has_value && *at + 1 == count)
            return why_set(why, E_USAGE, "--%s needs a value: %s", a->name, a->type);
        return take(t, i, has_value ? value.p : argv[++*at], why);
    }
    if (near.best.n != 0)
        return why_set(why, E_USAGE, "the script has no option --%.*s; did you mean --%.*s?",
                       STR_FMT(name), STR_FMT(near.best));
    return why_set(why, E_USAGE, "the script has no option --%.*s; --help behind it shows its own",
                   STR_FMT(name));
}

int tool_parse(struct tool_args *t, const struct manifest_args *spec, const char *const *argv,
               size_t count, struct why *why) {
    *t = (struct tool_args){.spec = spec};
    size_t place = 0;
    for (size_t i = 0; i < count; i++) {
        int err;
        if (strncmp(argv[i], "--", 2) == 0 && argv[i][2] != '\0') {
            err = take_named(t, argv, count, &i, why);
        } else {
            while (place < spec->count && (is_flag(&spec->at[place]) || t->text[place] != NULL))
                place++;
            if (place == spec->count)
                return why_set(why, E_USAGE, "%s is one argument too many", argv[i]);
            err = take(t, place, argv[i], why);
        }
        if (err != 0) return err;
    }
    for (size_t i = 0; i < spec->count; i++) {
        const struct manifest_arg *a = &spec->at[i];
        if (t->text[i] != NULL || is_flag(a)) continue;
        if (a->fallback == NULL)
            return why_set(why, E_USAGE, "%s is missing; --help behind FILE shows how", a->name);
        int err = take(t, i, a->fallback, why);
        if (err != 0) return err;
    }
    return 0;
}

void tool_help(const struct manifest *m, const char *path, struct buf *out) {
    buf_addf(out, "luwak run %s", path);
    for (size_t i = 0; i < m->args.count; i++) {
        const struct manifest_arg *a = &m->args.at[i];
        if (is_flag(a))
            buf_addf(out, " [--%s]", a->name);
        else
            buf_addf(out, a->fallback == NULL ? " %s" : " [%s]", a->name);
    }
    buf_addf(out, "\n\n%s\n", m->about);
    if (m->args.count != 0) buf_adds(out, "\n");
    for (size_t i = 0; i < m->args.count; i++) {
        const struct manifest_arg *a = &m->args.at[i];
        buf_addf(out, "  %s%-16s %-7s %s", is_flag(a) ? "--" : "  ", a->name, a->type,
                 a->doc == NULL ? "" : a->doc);
        if (a->fallback != NULL && !is_flag(a)) buf_addf(out, " (default %s)", a->fallback);
        buf_adds(out, "\n");
    }
    buf_adds(out, "\nEach but a flag can be given by its place or as --name=value. `luwak run "
                  "--help` shows what\ncan stand before them.\n");
}

static int say_call(lua_State *L) { /* say "text" is say.line "text" */
    lua_getfield(L, 1, "line");
    lua_replace(L, 1);
    lua_call(L, lua_gettop(L) - 1, 0);
    return 0;
}

int tool_push(lua_State *L, const struct tool_args *t) {
    lua_createtable(L, 0, (int)t->spec->count);
    for (size_t i = 0; i < t->spec->count; i++) {
        const struct manifest_arg *a = &t->spec->at[i];
        if (is_flag(a))
            lua_pushboolean(L, t->number[i] != 0);
        else if (strcmp(a->type, "int") == 0 || strcmp(a->type, "amount") == 0)
            lua_pushinteger(L, t->number[i]);
        else
            lua_pushstring(L, t->text[i]);
        lua_setfield(L, -2, a->name);
    }
    if (!cage_builtin(L, "say", KIND_TOOL)) return luaL_error(L, "no say");
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, say_call);
    lua_setfield(L, -2, "__call");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    return 2;
}
