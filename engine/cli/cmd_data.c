/* luwak migrate, backup, verify: care of the data, through a running server's control socket where
 * there is one, else under the lock. */
#include "base/ensure.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "core/audit.h"
#include "data.h"
#include "engine.h"
#include "stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- migrate ---- */

int cmd_migrate(const struct cli_args *args) {
    struct config *config = NULL;
    int code = cli_config(args, true, &config);
    if (code == 0) code = cmd_setup(args, config);
    if (code != 0) {
        config_free(config);
        return code;
    }
    struct why why = {0};
    char copy[DATA_PATH_MAX] = "";
    struct engine *engine = NULL;
    int err = data_command(config, "ping", NULL, 0, NULL, &why);
    if (err != E_CONNECT) {
        code = cli_fail(args, CLI_PROBLEMS,
                        "a server runs on %s: stop it, then migrate (its next start migrates too)",
                        config_text(config, SET_LUWAK_DATA));
        goto out;
    }
    struct engine_options o = {.config = config, .mode = ENGINE_TOOL};
    if (cli_flag(args, "dry-run")) { /* all of it, on a copy */
        err = data_copy(config, copy, &why);
        o.data = copy;
    } else {
        err = 0;
    }
    if (err == 0) err = engine_new(&engine, &o, &why); /* opening migrates */
    if (err != 0)
        code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    else
        printf("%s\n", o.data != NULL ? "all steps pass on a copy; nothing was changed"
                                      : "the database is up to date");
    engine_delete(engine);
out:
    if (copy[0] != '\0') data_temporary_remove(copy);
    config_free(config);
    return code;
}

/* ---- backup ---- */

static int absolute(const char *path, char out[DATA_PATH_MAX], struct why *why) {
    char here[DATA_PATH_MAX / 2];
    if (path[0] == '/' || getcwd(here, sizeof here) == NULL) here[0] = '\0';
    int n = snprintf(out, DATA_PATH_MAX, "%s%s%s", here, here[0] == '\0' ? "" : "/", path);
    return n < DATA_PATH_MAX ? 0 : why_set(why, E_USAGE, "%.60s...: the path is too long", path);
}

/* What can be said about the place before anything is opened. */
static int place_check(const char *path, struct why *why) {
    char folder[DATA_PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    *(slash == folder ? slash + 1 : slash) = '\0';
    if (access(path, F_OK) == 0)
        return why_set(why, E_EXISTS, "%s exists: name a file that does not", path);
    if (access(folder, W_OK | X_OK) != 0)
        return why_set(why, E_IO, "%s: %s", folder, strerror(errno));
    return 0;
}

/* Of another environment than the one named? What cannot be read is found by who looks. */
static int belongs(struct store *store, const struct config *config, struct why *why) {
    struct why found = {0};
    if (stamp_check_environment(store, config, &found) != E_CONFIG) return 0;
    *why = found;
    return E_CONFIG;
}

/* Opens what is there, runs `with` and closes; makes no database where there is none. */
static int with_store(const struct config *config, bool unchecked,
                      int (*with)(struct store *store, bool remote, void *data, struct why *why),
                      void *data, struct why *why) {
    struct clock clock;
    struct loop *loop = NULL;
    struct store *store = NULL;
    bool remote;
    clock_real(&clock);
    if (!data_there(config)) return data_missing(config, why);
    int err = loop_uv_new(&loop, &clock);
    if (err != 0) return why_set(why, err, "%s", err_text(err));
    err = data_open(&store, config, loop, unchecked, &remote, why);
    if (err == 0) err = belongs(store, config, why);
    if (err == 0) err = with(store, remote, data, why);
    if (store != NULL) store_close(store);
    loop_delete(loop);
    return err;
}

static int back_up(struct store *store, bool remote, void *data, struct why *why) {
    (void)remote;
    return store_backup(store, data, why);
}

int data_copy(const struct config *config, char out[DATA_PATH_MAX], struct why *why) {
    char file[DATA_PATH_MAX + 16];
    int err = data_temporary(out, why);
    if (err != 0) {
        out[0] = '\0';
        return err;
    }
    if (!data_there(config)) return 0; /* nothing yet: an empty copy */
    snprintf(file, sizeof file, "%s/luwak.db", out);
    return with_store(config, false, back_up, file, why);
}

int cmd_backup(const struct cli_args *args) {
    struct config *config = NULL;
    int code = cli_config(args, false, &config);
    if (code == 0) code = cmd_setup(args, config);
    if (code == 0) {
        char path[DATA_PATH_MAX];
        struct why why = {0};
        int err = absolute(args->args[0], path, &why); /* so that it has a folder to look at */
        if (err == 0) err = place_check(path, &why);
        if (err == 0) err = with_store(config, false, back_up, path, &why);
        struct stat st = {0};
        if (err == 0 && stat(path, &st) != 0)
            err = why_set(&why, E_IO, "%s: the copy is not there: %s", path, strerror(errno));
        if (err != 0)
            code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
        else
            printf("%s: %lld bytes, checked\n", args->args[0], (long long)st.st_size);
    }
    config_free(config);
    return code;
}

/* ---- verify ---- */

struct findings {
    const struct config *config;
    int bad;
};

static void line(void *data, bool good, const char *text) {
    struct findings *f = data;
    f->bad += !good;
    printf("%-4s %s\n", good ? "ok" : "BAD", text);
}

/* The chain of the audit log, which only the data key can tell from a forged one. */
static int look_at_audit(struct store *store, struct findings *found, struct why *why) {
    struct core core = {.store = store};
    struct seal_ring *ring = NULL;
    int64_t lines = 0, bad = 0;
    char text[100];
    int err = data_ring(&ring, found->config, why);
    if (err != 0) return err;
    core.ring = ring;
    if (stamp_check_key(store, found->config, ring, why) == E_CONFIG) {
        seal_ring_delete(ring);
        return E_CONFIG;
    }
    /* a file of an older schema has no audit log yet: a backup, or a start that died half-way */
    struct rows *there = NULL;
    err = store_get(store, "audit_there", NULL, 0, &there);
    bool none = err == 0 && rows_count(there) == 0;
    rows_free(there);
    if (err == 0 && !none) err = audit_verify(&core, &lines, &bad);
    seal_ring_delete(ring);
    if (none) return 0;
    if (err != 0 && err != E_CORRUPT)
        return why_set(why, err, "the audit log cannot be read: %s", err_text(err));
    if (err == 0)
        snprintf(text, sizeof text, "the audit log's chain holds, %lld lines", (long long)lines);
    else
        snprintf(text, sizeof text,
                 "the audit log: line %lld was changed, or was written under another data key",
                 (long long)bad);
    line(found, err == 0, text);
    return 0;
}

static int look(struct store *store, bool remote, void *data, struct why *why) {
    (void)remote;
    const struct store_report report = {line, data};
    int err = store_verify(store, &report);
    if (err == 0) return look_at_audit(store, data, why);
    return err == E_CORRUPT ? 0 : why_set(why, err, "%s", err_text(err));
}

/* A backup is one file: it is looked at as a copy, so that not even a lock is left beside it. */
static int copy_file(const char *from, const char *to, struct why *why) {
    int in = open(from, O_RDONLY | O_CLOEXEC), out = -1, err = 0;
    struct stat st;
    if (in < 0 || fstat(in, &st) != 0)
        err = why_set(why, E_NOTFOUND, "%s: %s", from, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        err = why_set(why, E_INVAL, "%s: is no regular file", from);
    else if ((out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
        err = why_set(why, E_IO, "%s: %s", to, strerror(errno));
    for (ssize_t n = 1; err == 0 && n > 0;) {
        n = copy_file_range(in, NULL, out, NULL, 16 << 20, 0);
        if (n < 0) err = why_set(why, E_IO, "%s: %s", to, strerror(errno));
    }
    if (in >= 0) close(in);
    if (out >= 0) close(out);
    return err;
}

static bool is_database(const char *path) {
    static const char MAGIC[16] = "SQLite format 3";
    char head[sizeof MAGIC];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is = fd >= 0 && read(fd, head, sizeof head) == sizeof head &&
              memcmp(head, MAGIC, sizeof MAGIC) == 0;
    if (fd >= 0) close(fd);
    return is;
}

static int verify_file(const char *path, struct findings *found, struct why *why) {
    struct clock clock;
    struct store *store = NULL;
    char dir[DATA_PATH_MAX], file[DATA_PATH_MAX + 16];
    clock_real(&clock);
    int err = data_temporary(dir, why);
    if (err != 0) return err;
    snprintf(file, sizeof file, "%s/luwak.db", dir);
    err = copy_file(path, file, why);
    const struct store_options o = {
        .path = dir, .clock = &clock, .readers = 1, .reserve = 4096, .unchecked = true};
    if (err == 0 && !is_database(file))
        err = why_set(why, E_INVAL,
                      "%s: is no database of Luwak's: name a copy that `luwak backup` made", path);
    if (err == 0 && (err = store_open(&store, &o, why)) == E_CORRUPT)
        why_set(why, err, "%s: is damaged so that it cannot be opened: take an older backup", path);
    if (err == 0) err = belongs(store, found->config, why);
    if (err == 0) err = look(store, false, found, why);
    if (store != NULL) store_close(store);
    data_temporary_remove(dir);
    return err;
}

int cmd_verify(const struct cli_args *args) {
    struct config *config = NULL;
    int code = cli_config(args, false, &config);
    if (code == 0) code = cmd_setup(args, config);
    if (code == 0) {
        struct findings found = {config, 0};
        struct why why = {0};
        int err = args->count > 0 ? verify_file(args->args[0], &found, &why)
                                  : with_store(config, true, look, &found, &why);
        if (err != 0)
            code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
        else if (found.bad != 0)
            code = cli_fail(args, CLI_PROBLEMS,
                            "%d problem(s): restore a backup, or look at what the lines name",
                            found.bad);
    }
    config_free(config);
    return code;
}
