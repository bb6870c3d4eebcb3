/* check: see check.h. Findings go out as they are found; nothing is kept but versions, for the
 * routes. */
#include "script/check.h"

#include "base/mem.h"
#include "base/nearest.h"
#include "script/luac.h"
#include "script/manifest.h"
#include "script/script_set.h"
#include "script/source.h"

#include <stdio.h>
#include <stdlib.h>

struct check {
    const struct check_options *o;
    unsigned kinds;   /* of the script: one bit; of a module checked alone: all */
    const char *path; /* being read */
    int findings;
    bool globals;              /* unknown ones were found */
    struct version **versions; /* check_all: those that are good */
    size_t version_count;
    bool nomem;
};

static void finding(struct check *c, const char *path, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void finding(struct check *c, const char *path, int line, const char *format, ...) {
    char text[WHY_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->findings++;
    c->o->finding(c->o->data, path, line, text);
}

/* A `why` of ours begins with "PATH:LINE: ": taken apart, so that it can name a module's file. */
static void finding_why(struct check *c, const char *path, const char *text) {
    const char *lua = strstr(text, ".lua:");
    char file[SCRIPT_PATH_MAX];
    if (lua != NULL && (size_t)(lua + 4 - text) < sizeof file && strchr(text, ' ') > lua) {
        char *rest = NULL;
        long line = strtol(lua + 5, &rest, 10);
        snprintf(file, sizeof file, "%.*s", (int)(lua + 4 - text), text);
        if (rest != lua + 5 && rest[0] == ':') {
            finding(c, file, (int)line, "%s", rest + (rest[1] == ' ' ? 2 : 1));
            return;
        }
    }
    size_t n = strlen(path);
    long line = 0;
    if (strncmp(text, path, n) == 0 && text[n] == ':') {
        char *rest = NULL;
        line = strtol(text + n + 1, &rest, 10); /* 0: there is none */
        text = line > 0 && rest[0] == ':' ? rest + 1 : text + n + 1;
        text += text[0] == ' ';
    }
    finding(c, path, (int)line, "%s", text);
}

/* ---- names ---- */

/* Is it this module, or one below it? `core` is there because `core.operation` is. */
static bool within(const char *module, const char *name) {
    size_t n = strlen(name);
    return strncmp(module, name, n) == 0 && (module[n] == '\0' || (n != 0 && module[n] == '.'));
}

/* A name may be shared by several tables (the plain globals are). */
static bool is_module_name(const struct check *c, const char *name) {
    for (const struct bind_module *const *m = c->o->modules; *m != NULL; m++)
        if (within((*m)->name, name)) return true;
    return false;
}

static const struct bind_fn *function_of(const struct check *c, const char *module,
                                         struct str name) {
    const struct bind_fn *other = NULL; /* of another kind */
    for (const struct bind_module *const *m = c->o->modules; *m != NULL; m++) {
        if (strcmp((*m)->name, module) != 0) continue;
        for (const struct bind_fn *f = (*m)->fns; f != NULL && f->name != NULL; f++) {
            if (!str_eq(str_of(f->name), name)) continue;
            if ((f->kinds & c->kinds) != 0) return f;
            other = f;
        }
    }
    return other;
}

static bool seen_by(const struct check *c, const char *module) {
    for (const struct bind_module *const *m = c->o->modules; *m != NULL; m++)
        for (const struct bind_fn *f = (*m)->fns; f != NULL && f->name != NULL; f++)
            if (within((*m)->name, module) && (f->kinds & c->kinds) != 0) return true;
    return false;
}

static bool is_module(void *data, const char *path) {
    const struct check *c = data;
    if (strcmp(path, "ctx") == 0) return (c->kinds & KINDS_CAGED & ~(unsigned)KIND_RULE) != 0;
    return path[0] != '\0' && is_module_name(c, path);
}

static const char *kind_words(unsigned kinds) {
    switch (kinds) {
    case KIND_CHANNEL: return "a channel";
    case KIND_RULE: return "a rule, which is pure: no I/O, no clock, no waiting";
    case KIND_BILLER: return "a biller";
    case KIND_SANDBOX: return "a simulator";
    case KIND_API: return "an api script";
    case KIND_JOB: return "a job";
    case KIND_PAGE: return "a page";
    case KIND_TOOL: return "a tool";
    case KIND_MIGRATION: return "a migration";
    default: return "this script";
    }
}

static void unknown_global(struct check *c, struct str name, int line, const char *what) {
    struct nearest near;
    nearest_init(&near, name);
    for (const struct bind_module *const *m = c->o->modules; *m != NULL; m++) {
        if ((*m)->name[0] != '\0' && strchr((*m)->name, '.') == NULL && seen_by(c, (*m)->name) &&
            strcmp((*m)->name, "ctx") != 0)
            nearest_try(&near, str_of((*m)->name));
        for (const struct bind_fn *f = (*m)->fns;
             (*m)->name[0] == '\0' && f != NULL && f->name != NULL; f++)
            if ((f->kinds & c->kinds) != 0) nearest_try(&near, str_of(f->name));
    }
    if (near.best.n != 0)
        finding(c, c->path, line, "%s %.*s; did you mean %.*s?", what, STR_FMT(name),
                STR_FMT(near.best));
    else
        finding(c, c->path, line, "%s %.*s; declare it with local", what, STR_FMT(name));
}

static void global_read(struct check *c, struct str name, int line) {
    char text[64];
    const struct bind_fn *f = function_of(c, "", name);
    snprintf(text, sizeof text, "%.*s", STR_FMT(name));
    bool table = name.n < sizeof text && strcmp(text, "ctx") != 0 && strchr(text, '.') == NULL;
    bool m = table && name.n != 0 && is_module_name(c, text);
    if ((f != NULL && (f->kinds & c->kinds) != 0) || (m && seen_by(c, text))) return;
    if (str_eq(name, STR("require"))) return;
    if (f != NULL || m)
        finding(c, c->path, line, "%.*s is not for %s", STR_FMT(name), kind_words(c->kinds));
    else
        unknown_global(c, name, line, "there is no global");
}

static void field_read(struct check *c, const char *path, struct str name, int line) {
    const struct bind_fn *f = function_of(c, path, name);
    char inner[128];
    struct nearest near;
    if (is_module_name(c, path) && !seen_by(c, path)) return; /* told of the module already */
    if (f != NULL) {
        if ((f->kinds & c->kinds) == 0)
            finding(c, c->path, line, "%s.%.*s is not for %s", path, STR_FMT(name),
                    kind_words(c->kinds));
        return;
    }
    snprintf(inner, sizeof inner, "%s.%.*s", path, (int)(name.n > 60 ? 60 : name.n), name.p);
    if (is_module_name(c, inner)) return;
    nearest_init(&near, name);
    size_t n = strlen(path);
    for (const struct bind_module *const *k = c->o->modules; *k != NULL; k++) {
        for (f = (*k)->fns; strcmp((*k)->name, path) == 0 && f != NULL && f->name != NULL; f++)
            if ((f->kinds & c->kinds) != 0) nearest_try(&near, str_of(f->name));
        if (strncmp((*k)->name, path, n) == 0 && (*k)->name[n] == '.')
            nearest_try(&near, str_of((*k)->name + n + 1));
    }
    bool ctx = strcmp(path, "ctx") == 0; /* has plain facts too: only a near miss is a slip */
    if (near.best.n != 0 && (!ctx || near.distance == 1))
        finding(c, c->path, line, "%s has no %.*s; did you mean %s.%.*s?", path, STR_FMT(name),
                path, STR_FMT(near.best));
    else if (!ctx)
        finding(c, c->path, line, "%s has no %.*s; the script reference lists what it has", path,
                STR_FMT(name));
}

static void use(void *data, enum luac_use kind, const char *path, struct str name, int line) {
    struct check *c = data;
    int before = c->findings;
    if (kind == LUAC_READ) global_read(c, name, line);
    if (kind == LUAC_FIELD) field_read(c, path, name, line);
    if (kind == LUAC_WRITE)
        finding(c, c->path, line, "writes the global %.*s; make it local", STR_FMT(name));
    if (c->findings > before && kind != LUAC_FIELD) c->globals = true;
}

static void check_names(struct check *c, const struct part *part) {
    const struct luac_walk walk = {use, is_module, c};
    c->path = part->path;
    if (luac_walk(part->code, &walk) == E_NOMEM) c->nomem = true;
}

/* ---- one script ---- */

static void problem(void *data, int line, const char *text) {
    struct check *c = data;
    /* the cage stops at the first global that is not there; all of them were told before */
    bool told = c->globals && strstr(text, "is not declared") != NULL;
    if (line > 0)
        finding(c, c->path, line, "%s", text);
    else if (!told)
        finding_why(c, c->path, text);
}

static void check_keys(struct check *c, const struct version *v) {
    if (v->kind == KIND_SANDBOX) return; /* runs in simulated mode only, which needs no key */
    const struct manifest_configs *keys = &v->manifest->config;
    for (size_t i = 0; c->o->key_set != NULL && i < keys->count; i++)
        if (!c->o->key_set(c->o->data, keys->at[i].key)) {
            char text[256];
            snprintf(text, sizeof text,
                     "config.%s: %s is not set; set it in the environment or .env",
                     keys->at[i].name, keys->at[i].key);
            if (c->o->note != NULL)
                c->o->note(c->o->data, v->path, 0, text);
            else
                finding(c, v->path, 0, "%s", text);
        }
}

static int check_script(struct check *c, const char *path, enum script_kind kind,
                        const char *name) {
    struct version_files files = {source_read, (void *)c->o->root};
    struct version *v = NULL;
    struct why why = {0};
    int before = c->findings;
    c->globals = false;
    int err = version_build(&v, kind, name, path, &files, c->o->modules, &why);
    if (err != 0) {
        if (err == E_NOMEM) return err;
        finding_why(c, path, why.text);
        return 0;
    }
    c->kinds = kind == KIND_LIB ? (unsigned)KINDS_ALL : (unsigned)kind;
    for (size_t i = 0; i < v->part_count; i++)
        if (i == 0 || kind != KIND_LIB) check_names(c, &v->parts[i]);
    c->path = v->path;
    if (manifest_fields(kind) != NULL) {
        err = manifest_load(v, problem, c, &why);
        if (err == 0) check_keys(c, v);
    }
    if (err == 0 && c->versions != NULL && v->manifest != NULL)
        c->versions[c->version_count++] = version_keep(v);
    if (err != 0 && err != E_NOMEM && c->findings == before) finding_why(c, path, why.text);
    version_drop(v);
    return err == E_NOMEM || c->nomem ? E_NOMEM : 0;
}

/* "examples/NAME/channels/x.lua" is what it is when the folder NAME is copied into the root. */
static const char *as_copied(const char *path) {
    static const char EXAMPLES[] = "examples/";
    if (strncmp(path, EXAMPLES, sizeof EXAMPLES - 1) != 0) return path;
    const char *rest = strchr(path + sizeof EXAMPLES - 1, '/');
    return rest == NULL ? path : rest + 1;
}

int check_file(const struct check_options *o, const char *path, unsigned kind) {
    struct check c = {.o = o};
    enum script_kind by_folder = KIND_TOOL; /* what a file outside the folders is */
    char name[SCRIPT_PATH_MAX];
    if (!source_kind(as_copied(path), &by_folder, name)) snprintf(name, sizeof name, "%s", path);
    int err = check_script(&c, path, kind != 0 ? (enum script_kind)kind : by_folder, name);
    return err != 0 ? err : c.findings;
}

/* ---- all ---- */

struct paths {
    char **at;
    size_t count;
    bool nomem;
};

static int add_path(void *data, const char *path, enum script_kind kind, const struct stat *st) {
    (void)kind, (void)st;
    struct paths *p = data;
    char **bigger = mem_realloc(p->at, (p->count + 1) * sizeof *bigger);
    if (bigger != NULL) p->at = bigger;
    if (bigger == NULL || (p->at[p->count] = mem_strdup(path)) == NULL) {
        p->nomem = true;
        return E_NOMEM;
    }
    p->count++;
    return 0;
}

static void check_clashes(struct check *c) {
    for (size_t i = 0; i < c->version_count; i++)
        for (size_t k = 0; k < i; k++) {
            const struct version *a = c->versions[k], *b = c->versions[i];
            const struct manifest_route *of_a, *of_b;
            if (script_scripts_clash(a, b, &of_a, &of_b))
                finding(c, b->path, 0,
                        "\"%s\" is a route of %s already (\"%s\"); one of them must go", of_b->key,
                        a->path, of_a->key);
        }
}

int check_all(const struct check_options *o) {
    struct check c = {.o = o};
    struct paths paths = {0};
    int err = source_list(o->root, add_path, &paths);
    if (err == 0) c.versions = mem_array(paths.count + 1, sizeof *c.versions);
    if (err == 0 && c.versions == NULL) err = E_NOMEM;
    for (size_t i = 0; err == 0 && i < paths.count; i++) {
        enum script_kind kind = KIND_TOOL;
        char name[SCRIPT_PATH_MAX];
        if (source_kind(paths.at[i], &kind, name)) err = check_script(&c, paths.at[i], kind, name);
    }
    if (err == 0) check_clashes(&c);
    for (size_t i = 0; i < c.version_count; i++)
        version_drop(c.versions[i]);
    for (size_t i = 0; i < paths.count; i++)
        mem_free(paths.at[i]);
    mem_free(c.versions);
    mem_free(paths.at);
    return err != 0 ? err : c.findings;
}
