/* luwak scripts, deploy, grant: the operator's commands (operator.h), in the running server where
 * there is one, else in an engine of our own that holds the lock. */
#include "base/ensure.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "script/source.h"
#include "serve/operator.h"
#include "sys/crypto_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cmd_script_path(const char *root, const char *given, char out[DATA_PATH_MAX]) {
    char *top = realpath(root, NULL), *path = realpath(given, NULL);
    size_t n = top == NULL ? 0 : strlen(top);
    if (path != NULL && n != 0 && strncmp(path, top, n) == 0 && path[n] == '/')
        snprintf(out, DATA_PATH_MAX, "%s", path + n + 1);
    else
        snprintf(out, DATA_PATH_MAX, "%s", strncmp(given, "./", 2) == 0 ? given + 2 : given);
    free(path); /* of libc */
    free(top);
}

static void print_line(void *data, bool good, const char *text) {
    (void)data;
    fprintf(good ? stdout : stderr, "%s\n", text);
}

/* Config with what the command needs of it; 0 or the exit code. */
static int set_up(const struct cli_args *args, struct config **config) {
    int code = cli_config(args, false, config);
    if (code == 0) code = cmd_setup(args, *config);
    return code;
}

/* Plays decide what may be deployed: whoever does not deploy need not wait for them. */
static int alone(const struct config *config, const char *name, const char *const *argv,
                 size_t count, const struct store_report *report, struct why *why) {
    struct engine *engine = NULL;
    const struct engine_options o = {.config = config,
                                     .mode = ENGINE_TOOL,
                                     .keep = true,
                                     .unplayed = strcmp(name, "deploy") != 0};
    int err = engine_new(&engine, &o, why);
    if (err == 0) err = operator_wait(engine, name, argv, count, report, why);
    engine_delete(engine);
    return err;
}

/* They make nothing, so they make no data directory either. */
static bool only_looks(const char *name) {
    static const char *const LOOKING[] = {"scripts.list", "scripts.history", "scripts.diff",
                                          "grant.show"};
    for (size_t i = 0; i < ARRAY_LEN(LOOKING); i++)
        if (strcmp(LOOKING[i], name) == 0) return true;
    return false;
}

/* `before`: what went wrong on the way here and matters if this does not help; NULL: nothing can. */
static int operate(const struct cli_args *args, const struct config *config, const char *name,
                   const char *const *argv, size_t count, const struct why *before) {
    const struct store_report report = {print_line, NULL};
    struct why why = {0};
    int err = data_belongs(config, &why);
    if (err == 0) err = data_command(config, name, argv, count, &report, &why);
    if (err == E_CONNECT) {
        why = (struct why){0};
        if (config_check(config, true, &why) != 0) /* the data belongs to an environment */
            err = E_USAGE;
        else if (only_looks(name) && !data_there(config))
            err = data_missing(config, &why);
        else
            err = alone(config, name, argv, count, &report, &why);
    }
    if (err == 0) return fflush(stdout) == 0 ? CLI_GOOD : CLI_PROBLEMS;
    bool also = before != NULL && before->code != 0;
    return cli_fail(args, err == E_USAGE ? CLI_USAGE : CLI_PROBLEMS, "%s%s%s", why.text,
                    also ? "; and from here: " : "", also ? before->text : "");
}

/* ---- rollback beside a server ---- */

struct kept {
    int lines;
    char root[DATA_PATH_MAX], version[VERSION_ID_SIZE];
    struct buf text;
    bool bad;
};

static void kept_line(void *data, bool good, const char *text) {
    struct kept *k = data;
    int at = k->lines++, n = 0;
    (void)good;
    if (at == 0)
        n = snprintf(k->root, sizeof k->root, "%s", text) >= (int)sizeof k->root;
    else if (at == 1)
        n = snprintf(k->version, sizeof k->version, "%s", text) >= (int)sizeof k->version;
    else
        n = text_decode(&k->text, ENC_HEX, str_of(text));
    k->bad = k->bad || n != 0;
}

/* The scripts belong to who gives this command, and a server that is shut in may only read them: so the
 * text is written here, and the server, which is asked next, finds it there. Only into the root that is ours
 * and the server's too: no server tells us where to write. What fails here the server tries itself. */
static void write_kept(const struct config *config, const char *path, const char *id,
                       char version[VERSION_ID_SIZE], struct why *why) {
    struct kept k = {0};
    char root[CLI_PATH_MAX];
    const struct store_report report = {kept_line, &k};
    const char *argv[] = {path, id};
    enum script_kind kind;
    char name[SCRIPT_PATH_MAX];
    if (data_belongs(config, NULL) != 0 || !source_kind(path, &kind, name)) return;
    int err = data_command(config, "scripts.kept", argv, 2, &report, NULL);
    char *ours = err != 0 || cli_root(config, root, NULL) != 0 ? NULL : realpath(root, NULL);
    if (err == 0 && !k.bad && k.text.err == 0 && k.lines > 1) {
        memcpy(version, k.version, VERSION_ID_SIZE);
        if (ours == NULL || strcmp(ours, k.root) != 0)
            why_set(why, E_CONFIG, "the server's scripts are in %s: name it with --root", k.root);
        else
            (void)source_write(ours, path, buf_str(&k.text), why);
    }
    free(ours); /* of libc */
    buf_free(&k.text);
}

static void path_of(const struct config *config, const char *given, char out[DATA_PATH_MAX]) {
    char root[CLI_PATH_MAX];
    if (cli_root(config, root, NULL) != 0) snprintf(root, sizeof root, ".");
    cmd_script_path(root, given, out);
}

int cmd_scripts(const struct cli_args *args) {
    struct config *config = NULL;
    char name[32], path[DATA_PATH_MAX] = "";
    bool list = strcmp(args->args[0], "list") == 0, diff = strcmp(args->args[0], "diff") == 0;
    const char *from = cli_option(args, "from"), *to = cli_option(args, "to");
    if (list && args->count > 1) return cli_fail(args, CLI_USAGE, "list takes no FILE");
    if (!list && args->count < 2)
        return cli_fail(args, CLI_USAGE, "FILE is missing; `luwak scripts --help` shows how");
    if (from != NULL && !diff) return cli_fail(args, CLI_USAGE, "--from is for diff");
    int code = set_up(args, &config);
    if (code == 0) {
        if (!list) path_of(config, args->args[1], path);
        snprintf(name, sizeof name, "scripts.%s", args->args[0]);
        if (from == NULL) from = "";
        if (to == NULL) to = "";
        char version[VERSION_ID_SIZE] = "";
        struct why why = {0};
        if (strcmp(args->args[0], "rollback") == 0) write_kept(config, path, to, version, &why);
        if (version[0] != '\0') to = version;
        const char *argv[] = {path, diff ? from : to, to};
        code = operate(args, config, name, argv, list ? 0 : diff ? 3 : 2, &why);
    }
    config_free(config);
    return code;
}

int cmd_deploy(const struct cli_args *args) {
    struct config *config = NULL;
    int code = set_up(args, &config);
    if (code == 0) {
        const char **argv = mem_array(args->count, sizeof *argv);
        char(*paths)[DATA_PATH_MAX] = mem_array(args->count, sizeof *paths);
        for (size_t i = 0; argv != NULL && paths != NULL && i < args->count; i++) {
            path_of(config, args->args[i], paths[i]);
            argv[i] = paths[i];
        }
        code = argv == NULL || paths == NULL
                   ? cli_fail(args, CLI_PROBLEMS, "out of memory")
                   : operate(args, config, "deploy", argv, args->count, NULL);
        mem_free(paths);
        mem_free(argv);
    }
    config_free(config);
    return code;
}

enum { GRANTS_MAX = 100 };

int cmd_grant(const struct cli_args *args) {
    static const char *const KINDS[] = {"host", "key", "network"};
    const char *argv[1 + 2 * GRANTS_MAX];
    char values[ARRAY_LEN(KINDS)][4096];
    size_t count = 0;
    bool yes = cli_flag(args, "yes"), revoke = cli_flag(args, "revoke");
    if (args->count > 0) argv[count++] = args->args[0];
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        const char *value = cli_option(args, KINDS[i]);
        if (value == NULL) continue;
        if (args->count == 0)
            return cli_fail(args, CLI_USAGE, "PROVIDER is missing; `luwak grant --help` shows how");
        if (snprintf(values[i], sizeof values[i], "%s", value) >= (int)sizeof values[i])
            return cli_fail(args, CLI_USAGE, "--%s: too long", KINDS[i]);
        for (char *rest = values[i], *one; (one = strsep(&rest, ",")) != NULL;) {
            if (count > 2 * (GRANTS_MAX - 1))
                return cli_fail(args, CLI_USAGE, "more than %d grants at once", GRANTS_MAX);
            argv[count++] = KINDS[i];
            argv[count++] = one;
        }
    }
    if ((yes || revoke) && args->count == 0)
        return cli_fail(args, CLI_USAGE, "PROVIDER is missing; `luwak grant --help` shows how");
    if (yes && (revoke || count > 1))
        return cli_fail(args, CLI_USAGE,
                        "--yes grants all that is asked for: leave the others out");
    struct config *config = NULL;
    int code = set_up(args, &config);
    if (code == 0)
        code = operate(args, config,
                       yes          ? "grant.all"
                       : revoke     ? "grant.drop"
                       : count <= 1 ? "grant.show"
                                    : "grant.set",
                       argv, count, NULL);
    config_free(config);
    return code;
}
