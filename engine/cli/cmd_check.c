/* luwak check: what can be known about scripts before they are live (script/check.h); and the files
 * that editors and luacheck read, made from the same tables of bindings. */
#include "base/ensure.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "script/bind_docs.h"
#include "script/check.h"
#include "script/source.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 8 };

struct checking {
    const struct cli_args *args;
    const struct config *config;
    const char *root;
    bool json;
    int checked, findings, notes;
    struct buf out;
};

/* ---- what is asked and told ---- */

/* BNI_SECRET_KEY is a key of provider bni. */
static bool key_set(void *data, const char *key) {
    const struct checking *c = data;
    char provider[64];
    size_t n = strcspn(key, "_");
    const char *value;
    if (n >= sizeof provider) return false;
    for (size_t i = 0; i < n; i++)
        provider[i] = (char)tolower((unsigned char)key[i]);
    provider[n] = '\0';
    return config_provider(c->config, provider, key, &value) != E_NOTFOUND;
}

static void print_one(struct checking *c, const char *path, int line, const char *text) {
    if (!c->json && line > 0) {
        printf("%s:%d: %s\n", path, line, text);
    } else if (!c->json) {
        printf("%s: %s\n", path, text);
    } else {
        struct json_out j;
        buf_clear(&c->out);
        json_out_init(&j, &c->out);
        j.repair = true;
        json_begin_object(&j);
        json_put_text(&j, "path", path);
        json_put_int(&j, "line", line);
        json_put_text(&j, "text", text);
        json_end_object(&j);
        if (json_out_end(&j) == 0) printf("%.*s\n", STR_FMT(buf_str(&c->out)));
    }
}

static void finding(void *data, const char *path, int line, const char *text) {
    struct checking *c = data;
    c->findings++;
    print_one(c, path, line, text);
}

static void note(void *data, const char *path, int line, const char *text) {
    struct checking *c = data;
    char noted[300];
    snprintf(noted, sizeof noted, "note: %s", text);
    c->notes++;
    print_one(c, path, line, noted);
}

/* Where nothing says what the engine is for, keys are looked for as outside of simulated mode. */
static void sum_up(const struct checking *c) {
    printf("%d scripts checked, %d found", c->checked, c->findings);
    switch (config_env(c->config)) {
    case ENV_UNSET:
        if (c->notes != 0)
            printf(", %d noted; LUWAK_ENV is not set: all but simulated needs these keys",
                   c->notes);
        break;
    case ENV_SIMULATED: printf("; simulated: no key is needed"); break;
    default: break;
    }
    printf("\n");
}

/* ---- what is checked ---- */

static int one(struct checking *c, const struct check_options *o, const char *path) {
    bool test = str_ends(str_of(path), STR("_test.lua"));
    c->checked++;
    int found = check_file(o, path, test ? KIND_TEST : 0);
    return found < 0 ? found : 0;
}

/* Every .lua below a folder; only the tests, where the scripts are checked as a whole. */
static int folder(struct checking *c, const struct check_options *o, const char *path, bool tests,
                  int depth) {
    char full[2 * DATA_PATH_MAX];
    snprintf(full, sizeof full, "%s%s%s", path[0] == '/' ? "" : c->root, path[0] == '/' ? "" : "/",
             path);
    DIR *dir = opendir(full);
    if (dir == NULL) return errno == ENOENT ? 0 : E_IO;
    int err = 0;
    for (struct dirent *e; err == 0 && (e = readdir(dir)) != NULL;) {
        char below[DATA_PATH_MAX], here[3 * DATA_PATH_MAX];
        struct stat st;
        const char *suffix = tests ? "_test.lua" : ".lua";
        if (e->d_name[0] == '.' || strcmp(e->d_name, "node_modules") == 0) continue;
        if (snprintf(below, sizeof below, "%s/%s", path, e->d_name) >= (int)sizeof below) continue;
        snprintf(here, sizeof here, "%s/%s", full, e->d_name);
        if (stat(here, &st) != 0) continue;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            err = folder(c, o, below, tests, depth + 1);
        else if (S_ISREG(st.st_mode) && str_ends(str_of(e->d_name), str_of(suffix)))
            err = one(c, o, below);
    }
    closedir(dir);
    return err;
}

static int count_script(void *data, const char *path, enum script_kind kind,
                        const struct stat *st) {
    (void)path, (void)kind, (void)st;
    ((struct checking *)data)->checked++;
    return 0;
}

static int all(struct checking *c, const struct check_options *o) {
    static const char *const TESTS[] = {"tests/lua", "tests/plays", "channels", "rules", "scripts"};
    int err = source_list(c->root, count_script, c);
    if (err == 0 && (err = check_all(o)) > 0) err = 0;
    for (size_t i = 0; i < ARRAY_LEN(TESTS) && err == 0; i++)
        err = folder(c, o, TESTS[i], true, 0);
    return err == 0 ? folder(c, o, "examples", false, 0) : err;
}

static int named(struct checking *c, const struct check_options *o, struct why *why) {
    int err = 0;
    for (size_t i = 0; i < c->args->count && err == 0; i++) {
        const char *given = c->args->args[i];
        char path[DATA_PATH_MAX];
        struct stat st;
        if (stat(given, &st) != 0)
            return why_set(why, E_NOTFOUND, "%s: %s", given, strerror(errno));
        cmd_script_path(c->root, given, path);
        char *whole = path[0] == '/' ? NULL : realpath(given, NULL);
        struct stat below;
        char under[2 * DATA_PATH_MAX];
        snprintf(under, sizeof under, "%s/%s", c->root, path);
        if (whole != NULL && stat(under, &below) != 0) snprintf(path, sizeof path, "%s", whole);
        free(whole); /* of libc */
        err = S_ISDIR(st.st_mode) ? folder(c, o, path, false, 0) : one(c, o, path);
    }
    return err == 0 ? 0 : why_set(why, err, "%s", err_text(err));
}

/* ---- files for editors ---- */

static int write_file(const char *dir, const char *name,
                      void (*make)(const struct bind_module *const *modules, struct buf *out),
                      struct why *why) {
    char path[DATA_PATH_MAX];
    struct buf text = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    make(BIND_MODULES, &text);
    FILE *f = text.err == 0 ? fopen(path, "we") : NULL;
    bool good = f != NULL && fwrite(text.data, 1, text.len, f) == text.len;
    int failed = errno;
    if (f != NULL && fclose(f) != 0) good = false;
    int err = good ? 0 : why_set(why, E_IO, "%s: %s", path, strerror(failed));
    if (good) printf("%s\n", path);
    buf_free(&text);
    return err;
}

static int write_docs(const char *dir, struct why *why) {
    int err = write_file(dir, ".luacheckrc", docs_luacheck, why);
    if (err == 0) err = write_file(dir, "luwak_meta.lua", docs_stubs, why);
    return err != 0 ? err : write_file(dir, "scripts.md", docs_markdown, why);
}

int cmd_check(const struct cli_args *args) {
    struct checking c = {.args = args, .json = cli_flag(args, "json")};
    struct config *config = NULL;
    struct why why = {0};
    char root[CLI_PATH_MAX];
    const char *docs = cli_option(args, "write");
    int code = cli_config(args, false, &config);
    if (code == 0) code = cmd_setup(args, config);
    if (code == 0 && docs != NULL) {
        if (write_docs(docs, &why) != 0) code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    } else if (code == 0 && cli_root(config, root, &why) != 0) {
        code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    } else if (code == 0) {
        c.config = config;
        c.root = root;
        const struct check_options o = {.root = root,
                                        .modules = BIND_MODULES,
                                        .key_set = key_set,
                                        .note = config_env(config) == ENV_UNSET ? note : NULL,
                                        .finding = finding,
                                        .data = &c};
        int err = args->count != 0 ? named(&c, &o, &why) : all(&c, &o);
        if (err != 0 && why.code == 0) why_set(&why, err, "%s", err_text(err));
        if (err != 0)
            code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
        else if (c.checked == 0)
            code = cli_fail(args, CLI_PROBLEMS, "%s: no scripts here",
                            args->count != 0 ? args->args[0] : root);
        else if (!c.json)
            sum_up(&c);
        if (c.findings != 0) code = CLI_PROBLEMS;
    }
    if (fflush(stdout) != 0) code = CLI_PROBLEMS;
    buf_free(&c.out);
    config_free(config);
    return code;
}
