/* registry_unchanged: at a start, scripts whose texts are those that the store has live are not run
 * to learn what they declare: what their tables held was kept (manifest_outline.c) in the file
 * script-outlines of the data directory, and is read through the same reader, with the same checks.
 * Nor are they compiled: that is done when a worker first needs them.
 *
 * The file can be deleted at any time. It is read and written at the start only: scripts that were
 * loaded then, as they or their modules had changed, are in the next one; what is loaded later is
 * loaded once more at the next start. An outline counts for one version (all texts and the api
 * number) and one build of the engine; a file of another build, or a damaged one, is as none. Who can
 * write it can write the database beside it.
 *
 *   "luwak outlines 1\n" HASH "\n" BUILD { PATH VERSION OUTLINE }...
 *
 * HASH is of all that follows it; the others are a length (32 bits, as this machine has them) and
 * bytes. Failure: E_NOMEM fails the start, as everywhere in it; any other means that scripts are
 * loaded. */
#include "base/ensure.h"
#include "base/mem.h"
#include "script/lua_util.h"
#include "script/manifest.h"
#include "script/registry_private.h"
#include "sys/file_read.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC       "luwak outlines 1\n"
#define FILE_MAX    (256u << 20)
#define GARBAGE_MAX (8 * 1024) /* kB of tables that are kept until the end of the start */
#define PATH_MAX_   4096

/* ---- the file ---- */

static bool file_path(const struct registry *r, const char *tail, char out[PATH_MAX_]) {
    int n = snprintf(out, PATH_MAX_, "%s/script-outlines%s", r->options.outlines, tail);
    return n > 0 && n < PATH_MAX_;
}

static bool take(struct str *from, struct str *out) {
    uint32_t n;
    if (from->n < sizeof n) return false;
    memcpy(&n, from->p, sizeof n);
    if (from->n - sizeof n < n) return false;
    *out = str_sub(*from, sizeof n, sizeof n + n);
    *from = str_sub(*from, sizeof n + n, from->n);
    return true;
}

static void put(struct buf *out, struct str text) {
    uint32_t n = (uint32_t)text.n;
    buf_add(out, &n, sizeof n);
    buf_addstr(out, text);
}

/* Gives each entry the outline of the version that the store has live. */
static int read_file(struct registry *r) {
    char path[PATH_MAX_], hash[SHA256_HEX_SIZE];
    struct why why = {0};
    r->outlines.file.max = FILE_MAX;
    if (!file_path(r, "", path)) return E_NOTFOUND;
    int err = file_read(path, &r->outlines.file, &why);
    if (err != 0) return err;
    struct str rest = buf_str(&r->outlines.file), said, build;
    if (!str_starts(rest, STR(MAGIC))) return E_CORRUPT;
    rest = str_sub(rest, strlen(MAGIC), rest.n);
    if (!str_cut(rest, '\n', &said, &rest)) return E_CORRUPT;
    err = crypto_sha256_hex(rest, hash);
    if (err != 0) return err;
    if (!str_eq(said, str_of(hash)) || !take(&rest, &build)) return E_CORRUPT;
    if (!str_eq(build, str_of(r->options.build))) return E_VERSION;
    struct str one, version, outline;
    while (take(&rest, &one) && take(&rest, &version) && take(&rest, &outline)) {
        char name[SCRIPT_PATH_MAX];
        if (one.n >= sizeof name) continue;
        memcpy(name, one.p, one.n);
        name[one.n] = '\0';
        struct entry *e = registry_entry(r, name);
        if (e == NULL || e->kept_version == NULL || version.n != VERSION_ID_SIZE - 1 ||
            !str_eq(version, str_of(e->kept_version)))
            continue;
        e->start.outline = outline;
        memcpy(e->start.of, e->kept_version, VERSION_ID_SIZE);
    }
    return 0;
}

static int write_bytes(const char *path, struct str bytes) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int err = fd < 0 ? errno : 0;
    while (err == 0 && bytes.n != 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno != EINTR) err = errno;
        if (n > 0) bytes = str_sub(bytes, (size_t)n, bytes.n);
    }
    if (fd >= 0 && close(fd) != 0 && err == 0) err = errno;
    return err;
}

static void write_file(struct registry *r) {
    struct buf rest = {0}, all = {0};
    char path[PATH_MAX_], temp[PATH_MAX_], hash[SHA256_HEX_SIZE];
    put(&rest, str_of(r->options.build));
    for (size_t i = 0; i < r->count; i++) {
        const struct entry *e = r->entries[i];
        if (e->live == NULL || strcmp(e->live->id, e->start.of) != 0) continue;
        put(&rest, str_of(e->path));
        put(&rest, str_of(e->live->id));
        put(&rest, e->start.outline);
    }
    int err = rest.err;
    if (err == 0) err = crypto_sha256_hex(buf_str(&rest), hash);
    if (err == 0) {
        buf_addf(&all, MAGIC "%s\n", hash);
        buf_addstr(&all, buf_str(&rest));
        err = all.err;
    }
    const char *what = err == 0 ? NULL : err_text(err);
    if (what == NULL && (!file_path(r, "", path) || !file_path(r, ".new", temp)))
        what = "the path is too long";
    /* Not synced: a file that a power cut leaves short is no worse than none. */
    if (what == NULL) {
        int no = write_bytes(temp, buf_str(&all));
        if (no == 0 && rename(temp, path) != 0) no = errno;
        if (no != 0) {
            what = strerror(no);
            unlink(temp);
        }
    }
    if (what != NULL) log_warn("script_outlines_not_kept", L_TEXT("error", what));
    buf_free(&rest);
    buf_free(&all);
}

/* ---- one start ---- */

int registry_outlines_open(struct registry *r) {
    if (r->options.outlines == NULL || r->options.build == NULL || r->options.build[0] == '\0')
        return 0;
    r->outlines.wanted = true;
    int err = read_file(r);
    if (err == 0 && (r->outlines.L = plain_state()) == NULL) err = E_NOMEM;
    if (err == 0) lua_gc(r->outlines.L, LUA_GCSTOP);
    if (err != 0 && err != E_NOMEM && err != E_NOTFOUND)
        log_info("script_outlines_not_used", L_TEXT("error", err_text(err)));
    return err == E_NOMEM ? err : 0;
}

void registry_outlines_close(struct registry *r) {
    bool news = false;
    for (size_t i = 0; i < r->count; i++) {
        const struct entry *e = r->entries[i];
        news = news ||
               (e->start.made != NULL && e->live != NULL && strcmp(e->live->id, e->start.of) == 0);
    }
    if (news && r->started) write_file(r);
    for (size_t i = 0; i < r->count; i++) {
        struct entry *e = r->entries[i];
        mem_free(e->start.made);
        part_text_drop(e->start.text);
        memset(&e->start, 0, sizeof e->start);
    }
    buf_free(&r->outlines.file);
    if (r->outlines.L != NULL) lua_close(r->outlines.L);
    r->outlines.L = NULL;
    r->outlines.wanted = false;
}

bool registry_keeps_text(const struct registry *r, const struct entry *e) {
    return r->outlines.L != NULL && (e->kind & (KIND_TEST | KIND_QUERY)) == 0;
}

int registry_load(struct registry *r, struct entry *e, struct version *v, struct why *why) {
    if (!r->outlines.wanted) return manifest_load(v, NULL, NULL, why);
    struct buf outline = {0};
    int err = manifest_load_outlined(v, &outline, why);
    if (err == 0 && outline.len != 0) {
        mem_free(e->start.made);
        e->start.made = buf_take(&outline, &e->start.outline.n);
        e->start.outline.p = e->start.made;
        memcpy(e->start.of, v->id, sizeof e->start.of);
    }
    buf_free(&outline);
    return err;
}

/* ---- one script ---- */

struct unchanged {
    struct registry *r;
    struct entry *e;
    struct version *v;
    int err; /* E_NOTFOUND: something is not as it was */
};

/* Whose text a part is, as the folder stands: the script's own, or where `name` is looked for. */
static const struct entry *part_entry(const struct unchanged *u, struct str name) {
    static const char *const tails[] = {".lua", "/init.lua"};
    if (u->v->part_count == 0) return name.n == 0 ? u->e : NULL;
    if (!module_name_valid(name) || module_builtin(u->r->options.modules, name)) return NULL;
    if (str_ends(name, STR("_test"))) return NULL; /* its file is not watched */
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        char path[SCRIPT_PATH_MAX];
        module_path(path, name, tails[i]);
        const struct entry *module = registry_entry(u->r, path);
        if (module != NULL && module->present) return module;
    }
    return NULL;
}

static void add_part(void *data, struct str name, struct str path, struct str hash) {
    struct unchanged *u = data;
    if (u->err != 0) return;
    const struct entry *part = part_entry(u, name);
    if (part == NULL || part->start.text == NULL || !str_eq(path, str_of(part->path)) ||
        !str_eq(hash, str_of(part_text_hash(part->start.text))) ||
        u->v->part_count >= SCRIPT_PARTS_MAX)
        u->err = E_NOTFOUND;
    else
        u->err = version_add(u->v, name, part->start.text, NULL);
}

int registry_unchanged(struct registry *r, struct entry *e, struct version **out) {
    struct why why = {0};
    if (r->outlines.L == NULL || e->start.outline.p == NULL || e->start.text == NULL)
        return E_NOTFOUND;
    struct unchanged u = {.r = r, .e = e};
    int err = version_new(&u.v, e->kind, e->name, e->path, NULL);
    if (err == 0) err = registry_parts(str_of(e->kept_parts), add_part, &u);
    if (err == 0) err = u.err;
    if (err == 0) err = version_seal(u.v, NULL);
    if (err == 0 && strcmp(u.v->id, e->kept_version) != 0) err = E_NOTFOUND;
    if (err == 0) err = manifest_of_outline(u.v, r->outlines.L, e->start.outline);
    if (err == 0) err = registry_check_routes(r, e, u.v, &why);
    if (lua_gc(r->outlines.L, LUA_GCCOUNT) > GARBAGE_MAX) lua_gc(r->outlines.L, LUA_GCCOLLECT);
    if (err == 0)
        *out = u.v;
    else
        version_drop(u.v);
    return err == 0 || err == E_NOMEM ? err : E_NOTFOUND;
}
