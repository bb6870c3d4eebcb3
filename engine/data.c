/* See data.h. */
#include "data.h"

#include "stamp.h"
#include "store/control.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int below(const struct config *config, const char *name, char out[DATA_PATH_MAX],
                 struct why *why) {
    int n = snprintf(out, DATA_PATH_MAX, "%s/%s", config_text(config, SET_LUWAK_DATA), name);
    return n < DATA_PATH_MAX ? 0 : why_set(why, E_CONFIG, "the data directory's path is too long");
}

int data_socket(const struct config *config, char out[DATA_PATH_MAX], struct why *why) {
    return below(config, "control.sock", out, why);
}

/* The bytes of a file of the data directory; -1: there is none. */
static long long size_of(const struct config *config, const char *name) {
    char path[DATA_PATH_MAX];
    struct stat st;
    return below(config, name, path, NULL) == 0 && stat(path, &st) == 0 ? (long long)st.st_size
                                                                        : -1;
}

bool data_there(const struct config *config) {
    return size_of(config, "luwak.db") > 0;
}

int data_emptied(const struct config *config, struct why *why) {
    bool used = size_of(config, "reserve") >= 0 || size_of(config, "luwak.db-wal") > 0;
    if (size_of(config, "luwak.db") != 0 || !used) return 0;
    return why_set(why, E_CORRUPT,
                   "luwak.db in %s is empty, and the directory is not new: put a backup in its "
                   "place, or remove the file to begin with empty books",
                   config_text(config, SET_LUWAK_DATA));
}

int data_missing(const struct config *config, struct why *why) {
    int err = data_emptied(config, why);
    if (err != 0) return err;
    return why_set(why, E_NOTFOUND, "there is no database in %s; name its directory with --data",
                   config_text(config, SET_LUWAK_DATA));
}

int data_open(struct store **out, const struct config *config, struct loop *loop, bool unchecked,
              bool *remote, struct why *why) {
    char path[DATA_PATH_MAX];
    int err = data_socket(config, path, why);
    if (err != 0) return err;
    *remote = false;
    if (access(path, F_OK) == 0) {
        struct why none = {0};
        err = store_connect(out, path, loop, &none);
        *remote = err == 0;
        if (err == 0) return 0;
        if (err != E_CONNECT) {
            if (why != NULL) *why = none;
            return err;
        }
    }
    const struct store_options o = {.path = config_text(config, SET_LUWAK_DATA),
                                    .clock = loop_clock(loop),
                                    .readers = 2,
                                    .unchecked = unchecked};
    return store_open(out, &o, why);
}

int data_belongs(const struct config *config, struct why *why) {
    char path[DATA_PATH_MAX];
    struct clock clock;
    struct loop *loop = NULL;
    struct store *store = NULL;
    clock_real(&clock);
    int err = data_socket(config, path, why);
    if (err != 0) return err;
    if (access(path, F_OK) != 0 || config_env(config) == ENV_UNSET) return 0;
    if ((err = loop_uv_new(&loop, &clock)) != 0) return why_set(why, err, "%s", err_text(err));
    struct why none = {0}; /* whoever asks the server next says why not */
    err = store_connect(&store, path, loop, &none);
    if (err != 0) err = E_CONNECT;
    if (err == 0) err = stamp_check_environment(store, config, why);
    if (store != NULL) store_close(store);
    loop_delete(loop);
    return err == E_CONNECT || err == E_NOTFOUND ? 0 : err;
}

int data_command(const struct config *config, const char *name, const char *const *args,
                 size_t count, const struct store_report *report, struct why *why) {
    char path[DATA_PATH_MAX];
    int err = data_socket(config, path, why);
    if (err != 0) return err;
    if (access(path, F_OK) != 0)
        return why_set(why, E_CONNECT, "no server runs on %s", config_text(config, SET_LUWAK_DATA));
    return control_command(path, name, args, count, report, why);
}

int data_temporary(char out[DATA_PATH_MAX], struct why *why) {
    const char *where = getenv("TMPDIR");
    if (where == NULL || where[0] == '\0') where = "/tmp";
    if (snprintf(out, DATA_PATH_MAX, "%s/luwak-XXXXXX", where) >= DATA_PATH_MAX)
        return why_set(why, E_CONFIG, "TMPDIR is too long");
    if (mkdtemp(out) == NULL) return why_set(why, E_IO, "%s: %s", out, strerror(errno));
    return 0;
}

void data_temporary_remove(const char *dir) {
    DIR *d = opendir(dir);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char path[DATA_PATH_MAX + 300];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) unlink(path);
    }
    if (d != NULL) closedir(d);
    rmdir(dir);
}

int data_ring(struct seal_ring **out, const struct config *config, struct why *why) {
    const char *key = config_text(config, SET_LUWAK_DATA_KEY);
    /* Simulated data is worth nothing: a key that everybody can read here keeps it readable. */
    if (key == NULL) key = "73696d756c6174656420646174612c2076616c75656c657373206b6579202121";
    return seal_ring_new(out, str_of(key), why);
}
