/* source: files of the root folder. Blocking calls on small files; for the main thread and for
 * commands, never for a worker. See source.h. */
#include "script/source.h"

#include "base/ensure.h"
#include "sys/file_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEPTH_MAX 4
#define FULL_MAX  4096

static const struct folder {
    const char *path;
    enum script_kind kind;
    const char *text;
} FOLDERS[] = {
    {"channels/", KIND_CHANNEL, "a channel"},
    {"rules/", KIND_RULE, "a rule"},
    {"scripts/billers/", KIND_BILLER, "a biller"},
    {"scripts/sandbox/", KIND_SANDBOX, "a simulator"},
    {"scripts/api/", KIND_API, "an API script"},
    {"scripts/jobs/", KIND_JOB, "a job"},
    {"scripts/pages/", KIND_PAGE, "a page"},
    {"scripts/lib/", KIND_LIB, "a module"},
    {"scripts/tools/", KIND_TOOL, "a tool"},
    {"scripts/migrations/", KIND_MIGRATION, "a migration"},
    {"examples/shop/scripts/pages/", KIND_PAGE,
     "a page"}, /* its routes exist in simulated mode only */
};
/* What is watched with them. */
static const struct beside {
    const char *path, *suffix;
    enum script_kind kind;
} BESIDE[] = {
    {"scripts/queries/", ".sql", KIND_QUERY},
    {"tests/lua/", "_test.lua", KIND_TEST},
    {"tests/plays/", "_test.lua", KIND_TEST},
};

bool source_kind(const char *path, enum script_kind *kind, char name[SCRIPT_PATH_MAX]) {
    struct str p = str_of(path);
    if (!str_ends(p, STR(".lua")) || p.n >= SCRIPT_PATH_MAX || str_search(p, STR("/.")) >= 0)
        return false;
    if (str_ends(p, STR("_test.lua"))) return false; /* a test beside its script */
    for (size_t i = 0; i < ARRAY_LEN(FOLDERS); i++) {
        struct str folder = str_of(FOLDERS[i].path);
        if (!str_starts(p, folder) || p.n <= folder.n + 4) continue;
        *kind = FOLDERS[i].kind;
        snprintf(name, SCRIPT_PATH_MAX, "%.*s", (int)(p.n - folder.n - 4), p.p + folder.n);
        return true;
    }
    return false;
}

const char *source_kind_text(enum script_kind kind) {
    for (size_t i = 0; i < ARRAY_LEN(FOLDERS); i++)
        if (FOLDERS[i].kind == kind) return FOLDERS[i].text;
    return "a script";
}

bool source_below(const char *root, const char *given, char out[SCRIPT_PATH_MAX]) {
    char *top = realpath(root, NULL), *file = realpath(given, NULL);
    size_t n = top == NULL ? 0 : strlen(top);
    bool below = n != 0 && file != NULL && strncmp(file, top, n) == 0 && file[n] == '/' &&
                 strlen(file + n + 1) < SCRIPT_PATH_MAX;
    if (below) strcpy(out, file + n + 1);
    free(file); /* of libc */
    free(top);
    return below;
}

static int full_path(char out[FULL_MAX], const char *root, const char *path, struct why *why) {
    int n = path[0] == '/' ? snprintf(out, FULL_MAX, "%s", path)
                           : snprintf(out, FULL_MAX, "%s/%s", root, path);
    if (n < 0 || n >= FULL_MAX) return why_set(why, E_LIMIT, "%s: the path is too long", path);
    return 0;
}

static int io_error(struct why *why, const char *path, const char *what) {
    int code = errno == ENOENT || errno == ENOTDIR  ? E_NOTFOUND
               : errno == ENOSPC || errno == EDQUOT ? E_FULL
                                                    : E_IO;
    return why_set(why, code, "%s: cannot %s: %s", path, what, strerror(errno));
}

int source_read(void *root, const char *path, struct buf *text, struct why *why) {
    char full[FULL_MAX];
    int err = full_path(full, root, path, why);
    if (err != 0) return err;
    if (text->max == 0) text->max = SCRIPT_TEXT_MAX;
    err = file_read(full, text, why);
    if (err != 0) why_prefix(why, "%s: ", path);
    return err;
}

struct walk {
    const char *root;
    int (*found)(void *data, const char *path, enum script_kind kind, const struct stat *st);
    void *data;
    const struct beside *beside; /* NULL: scripts */
};

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}
static int no_dots(const struct dirent *d) {
    return d->d_name[0] != '.';
}

/* A folder that is a link is followed only inside the root, and not to a folder it lies in. */
static bool may_enter(const struct walk *w, const char *full) {
    struct stat st;
    if (lstat(full, &st) != 0) return false;
    if (!S_ISLNK(st.st_mode)) return true;
    char *root = realpath(w->root, NULL), *there = realpath(full, NULL), *here = NULL;
    char parent[FULL_MAX];
    snprintf(parent, sizeof parent, "%s", full);
    char *slash = strrchr(parent, '/');
    if (slash != NULL) *slash = '\0';
    here = realpath(parent, NULL);
    bool may = false;
    if (root != NULL && there != NULL && here != NULL) {
        struct str r = str_of(root), t = str_of(there), h = str_of(here);
        bool inside = r.n == 1 || (str_starts(t, r) && t.n > r.n && t.p[r.n] == '/');
        bool above = str_starts(h, t) && (h.n == t.n || h.p[t.n] == '/');
        may = inside && !above;
    }
    free(root); /* realpath's memory is libc's */
    free(there);
    free(here);
    return may;
}

/* `path` ends with '/'. */
static int walk_folder(const struct walk *w, const char *path, int depth) {
    char full[FULL_MAX], file[SCRIPT_PATH_MAX], name[SCRIPT_PATH_MAX];
    if (depth > DEPTH_MAX || full_path(full, w->root, path, NULL) != 0) return 0;
    struct dirent **list = NULL;
    int count = scandir(full, &list, no_dots, by_name); /* sorted: the same order everywhere */
    int err = 0;
    if (count < 0 && errno != ENOENT && errno != ENOTDIR)
        return errno == ENOMEM ? E_NOMEM : errno == EACCES ? E_DENIED : E_IO;
    for (int i = 0; i < count; i++) {
        struct stat st;
        enum script_kind kind;
        int n = snprintf(file, sizeof file, "%s%s", path, list[i]->d_name);
        bool fits = n > 0 && n < (int)sizeof file - 1 && full_path(full, w->root, file, NULL) == 0;
        /* what is no file but has a script's name is found too: reading it tells what is wrong */
        if (err == 0 && fits &&
            (stat(full, &st) == 0 || (errno == ELOOP && lstat(full, &st) == 0))) {
            if (S_ISDIR(st.st_mode)) {
                if (may_enter(w, full)) {
                    memcpy(file + n, "/", 2);
                    err = walk_folder(w, file, depth + 1);
                }
            } else if (w->beside != NULL) {
                if (str_ends(str_of(file), str_of(w->beside->suffix)))
                    err = w->found(w->data, file, w->beside->kind, &st);
            } else if (source_kind(file, &kind, name)) {
                err = w->found(w->data, file, kind, &st);
            }
        }
        free(list[i]);
    }
    free(list);
    return err;
}

int source_list(const char *root,
                int (*found)(void *data, const char *path, enum script_kind kind,
                             const struct stat *st),
                void *data) {
    const struct walk w = {root, found, data, NULL};
    int err = 0;
    for (size_t i = 0; i < ARRAY_LEN(FOLDERS) && err == 0; i++)
        err = walk_folder(&w, FOLDERS[i].path, 1);
    return err;
}

int source_list_beside(const char *root, int kinds,
                       int (*found)(void *data, const char *path, enum script_kind kind,
                                    const struct stat *st),
                       void *data) {
    int err = 0;
    for (size_t i = 0; i < ARRAY_LEN(BESIDE) && err == 0; i++) {
        const struct walk w = {root, found, data, &BESIDE[i]};
        if ((BESIDE[i].kind & kinds) != 0) err = walk_folder(&w, BESIDE[i].path, 1);
    }
    return err;
}

struct str source_query_name(const char *path) {
    struct str p = str_of(path);
    return str_sub(p, strlen("scripts/queries/"), p.n - strlen(".sql"));
}

static int write_all(int fd, struct str text) {
    while (text.n != 0) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        text = str_sub(text, (size_t)n, text.n);
    }
    return fsync(fd);
}

int source_write(const char *root, const char *path, struct str text, struct why *why) {
    char full[FULL_MAX], temp[FULL_MAX + 32];
    int err = full_path(full, root, path, why);
    if (err != 0) return err;
    char *slash = strrchr(full, '/');
    snprintf(temp, sizeof temp, "%.*s/.%s.XXXXXX", (int)(slash - full), full, slash + 1);
    int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0) return io_error(why, path, "write beside it");
    if (fchmod(fd, 0644) != 0 || write_all(fd, text) != 0) err = io_error(why, path, "write");
    if (close(fd) != 0 && err == 0) err = io_error(why, path, "write");
    if (err == 0 && rename(temp, full) != 0) err = io_error(why, path, "replace");
    if (err != 0) {
        unlink(temp);
        return err;
    }
    *slash = '\0';
    int folder = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
    return 0;
}
