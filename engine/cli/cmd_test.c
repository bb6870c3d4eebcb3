/* luwak test: Lua tests, `return { tests = { ["name"] = function(t) ... end } }`.
 *
 * Each test has a whole engine of its own: virtual time that begins at the same instant, numbers
 * from a seed, a store in memory, the root's scripts, their simulators. So tests share nothing, run
 * in any order, and end the same way each time. What a test logs is shown only when it fails.
 *
 *   file built, names read aside --> per test: engine, scripts loaded --> t.* --> told, torn down
 */
#include "base/ensure.h"
#include "base/mem.h"
#include "base/sort.h"
#include "cli/cmd.h"
#include "cli/test_rig.h"
#include "script/source.h"
#include "script/version.h"
#include "sys/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_KEPT = 1 << 20, LOG_SHOWN = 4000, DEPTH_MAX = 8 };

struct testing {
    const struct cli_args *args;
    const struct config *config;
    const char *root, *filter;
    uint64_t seed;
    int passed, failed;
    struct buf log; /* of the test under way */
    char **files;
    size_t file_count;
};

static void keep_log(void *data, struct str line) {
    struct testing *all = data;
    if (all->log.len + line.n < LOG_KEPT) buf_addstr(&all->log, line);
}

static void run_one(struct testing *all, struct version *v, const char *name, struct buf *failure) {
    const struct test_rig_options o = {all->config, all->root, all->seed, &all->log};
    struct test_rig *rig;
    struct why why = {0};
    if (test_rig_new(&rig, &o, &why) != 0) {
        buf_adds(failure, why.text);
        return;
    }
    test_rig_call(rig, v, name, NULL, NULL, failure);
    test_rig_delete(rig);
}

/* ---- one file ---- */

static void indented(struct str text) {
    while (text.n != 0) {
        struct str line;
        str_cut(text, '\n', &line, &text);
        printf("       %.*s\n", STR_FMT(line));
    }
}

static void tell(struct testing *all, const char *path, const char *name,
                 const struct buf *failure) {
    printf("FAIL %s: %s\n", path, name == NULL ? "cannot be run" : name);
    indented(buf_str(failure));
    if (all->log.len != 0) {
        printf("       its log:\n");
        struct str log = buf_str(&all->log);
        indented(str_sub(log, 0, log.n < LOG_SHOWN ? log.n : LOG_SHOWN));
    }
    if (name != NULL) {
        printf("       alone: luwak test %s --filter '%s'", path, name);
        if (all->seed != 1) printf(" --seed %llu", (unsigned long long)all->seed);
        printf("\n");
    }
    fflush(stdout);
    all->failed++;
}

static void run_file(struct testing *all, const char *path) {
    const struct version_files files = {source_read, (void *)all->root};
    struct version *v = NULL;
    struct why why = {0};
    struct test_names names = {0};
    struct buf failure = {0};
    int passed = 0, before = all->failed;
    int err = version_build(&v, KIND_TEST, path, path, &files, BIND_MODULES, &why);
    if (err == 0) err = test_names_read(v, path, &names, &why);
    if (err != 0) {
        buf_adds(&failure, why.text);
        tell(all, path, NULL, &failure);
    }
    for (size_t i = 0; err == 0 && i < names.count; i++) {
        if (all->filter != NULL && strstr(names.at[i].text, all->filter) == NULL) continue;
        buf_clear(&failure);
        buf_clear(&all->log);
        run_one(all, v, names.at[i].text, &failure);
        if (failure.len != 0)
            tell(all, path, names.at[i].text, &failure);
        else
            passed++;
    }
    all->passed += passed;
    if (passed != 0 && all->failed == before) printf("ok   %s: %d\n", path, passed);
    fflush(stdout);
    buf_free(&failure);
    test_names_free(&names);
    if (v != NULL) version_drop(v);
}

/* ---- which files ---- */

static int add_file(struct testing *all, const char *path) {
    char **more = mem_realloc(all->files, (all->file_count + 1) * sizeof *more);
    if (more == NULL) return E_NOMEM;
    all->files = more;
    more[all->file_count] = mem_strdup(path);
    if (more[all->file_count] == NULL) return E_NOMEM;
    all->file_count++;
    return 0;
}

/* Every *_test.lua below a folder of the root. */
static int add_folder(struct testing *all, const char *path, int depth) {
    char full[DATA_PATH_MAX];
    snprintf(full, sizeof full, "%s%s%s", path[0] == '/' ? "" : all->root,
             path[0] == '/' ? "" : "/", path);
    DIR *dir = opendir(full);
    if (dir == NULL) return errno == ENOENT ? 0 : E_IO;
    int err = 0;
    for (struct dirent *e; err == 0 && (e = readdir(dir)) != NULL;) {
        char below[DATA_PATH_MAX], here[2 * DATA_PATH_MAX];
        struct stat st;
        if (e->d_name[0] == '.' || strcmp(e->d_name, "node_modules") == 0) continue;
        if (snprintf(below, sizeof below, "%s/%s", path, e->d_name) >= (int)sizeof below) continue;
        snprintf(here, sizeof here, "%s/%s", full, e->d_name);
        if (stat(here, &st) != 0) continue;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            err = add_folder(all, below, depth + 1);
        else if (S_ISREG(st.st_mode) && str_ends(str_of(e->d_name), STR("_test.lua")))
            err = add_file(all, below);
    }
    closedir(dir);
    return err;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int choose(struct testing *all, struct why *why) {
    static const char *const FOLDERS[] = {"tests/lua", "tests/plays", "channels",
                                          "rules",     "scripts",     "examples"};
    int err = 0;
    for (size_t i = 0; all->args->count == 0 && i < ARRAY_LEN(FOLDERS) && err == 0; i++)
        err = add_folder(all, FOLDERS[i], 0);
    for (size_t i = 0; i < all->args->count && err == 0; i++) {
        char path[DATA_PATH_MAX];
        struct stat st;
        if (stat(all->args->args[i], &st) != 0)
            return why_set(why, E_NOTFOUND, "%s: %s", all->args->args[i], strerror(errno));
        cmd_script_path(all->root, all->args->args[i], path);
        err = S_ISDIR(st.st_mode) ? add_folder(all, path, 0) : add_file(all, path);
    }
    if (err != 0) return why_set(why, err, "%s", err_text(err));
    if (all->file_count != 0) qsort(all->files, all->file_count, sizeof *all->files, by_text);
    return 0;
}

int cmd_test(const struct cli_args *args) {
    struct config *own = NULL, *config = NULL;
    struct why why = {0};
    char root[CLI_PATH_MAX];
    struct testing all = {.args = args, .seed = 1, .filter = cli_option(args, "filter")};
    const char *seed = cli_option(args, "seed");
    int64_t n = 1;
    if (seed != NULL && (str_to_i64(str_of(seed), &n) != 0 || n < 0))
        return cli_fail(args, CLI_USAGE, "--seed %s: must be a whole number", seed);
    all.seed = (uint64_t)n;
    int code = cli_config(args, false, &config); /* for the root and the log only */
    if (code == 0) code = cmd_setup(args, config);
    if (code == 0 && (test_rig_config(&own, &why) != 0 || cli_root(config, root, &why) != 0))
        code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    if (code == 0) {
        char *top = realpath(root, NULL); /* files are named from it */
        all.root = top == NULL ? root : top;
        all.config = own;
        log_capture(keep_log, &all);
        if (choose(&all, &why) != 0) code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
        for (size_t i = 0; code == 0 && i < all.file_count; i++)
            run_file(&all, all.files[i]);
        log_capture(NULL, NULL);
        if (code == 0 && all.passed + all.failed == 0)
            code = cli_fail(args, CLI_PROBLEMS, "no test found%s; a test file is named *_test.lua",
                            all.filter == NULL ? "" : " by this --filter");
        else if (code == 0)
            printf("%d passed, %d failed\n", all.passed, all.failed);
        if (all.failed != 0) code = CLI_PROBLEMS;
        free(top);
    }
    for (size_t i = 0; i < all.file_count; i++)
        mem_free(all.files[i]);
    mem_free(all.files);
    buf_free(&all.log);
    config_free(own);
    config_free(config);
    return code;
}
