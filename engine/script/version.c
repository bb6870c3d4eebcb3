/* version: builds a version from texts: reads the script, finds the modules it requires, and
 * theirs, compiles each part (mode "t": no bytecode from outside ever), and names the whole by its
 * hash. A version that is put together from known texts (version_new, version_add, version_seal) is
 * compiled when a state first needs it.
 *
 * Equal parts (same path, same text) of all versions share one copy of text and bytecode, in a
 * table by hash: sixty channels that use one module hold it once, and a reload of one script costs
 * one script. The table is guarded by a mutex, since a worker may drop the last reference, or make
 * the bytecode: two may make it at once, and one of the two is kept.
 *
 * Failure: any, with file and line in `why`; nothing is left behind. */
#include "script/version.h"

#include "base/ensure.h"
#include "base/json.h"
#include "base/mem.h"
#include "script/lua_util.h"
#include "script/manifest.h"
#include "sys/crypto.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- shared texts ---- */

struct part_text {
    struct part_text *next;
    int references; /* under `lock` */
    char *path;     /* it is in the bytecode's debug information, so it belongs to the key */
    char hash[VERSION_ID_SIZE];
    char *text;
    size_t text_size;
    char *code; /* under `lock` until it is there, then it stays; NULL: not compiled yet */
    size_t code_size;
};

#define BUCKETS 256
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct part_text *buckets[BUCKETS];

static struct part_text **bucket_of(const char *hash) {
    unsigned at = 0;
    sscanf(hash, "%2x", &at);
    return &buckets[at % BUCKETS];
}

static struct part_text *shared_find(const char *path, const char *hash) {
    pthread_mutex_lock(&lock);
    struct part_text *t = *bucket_of(hash);
    while (t != NULL && (strcmp(t->hash, hash) != 0 || strcmp(t->path, path) != 0))
        t = t->next;
    if (t != NULL) t->references++;
    pthread_mutex_unlock(&lock);
    return t;
}

static void shared_keep(struct part_text *t) {
    pthread_mutex_lock(&lock);
    t->references++;
    pthread_mutex_unlock(&lock);
}

static void shared_add(struct part_text *t) {
    pthread_mutex_lock(&lock);
    struct part_text **at = bucket_of(t->hash);
    t->references = 1;
    t->next = *at;
    *at = t;
    pthread_mutex_unlock(&lock);
}

static void text_free(struct part_text *t) {
    if (t == NULL) return;
    mem_free(t->path);
    mem_free(t->text);
    mem_free(t->code);
    mem_free(t);
}

static void shared_drop(struct part_text *t) {
    if (t == NULL) return;
    pthread_mutex_lock(&lock);
    bool last = --t->references == 0;
    if (last) {
        struct part_text **at = bucket_of(t->hash);
        while (*at != t)
            at = &(*at)->next;
        *at = t->next;
    }
    pthread_mutex_unlock(&lock);
    if (last) text_free(t);
}

/* ---- compiling ---- */

static int dump_some(lua_State *L, const void *p, size_t size, void *data) {
    (void)L;
    struct buf *out = data;
    buf_add(out, p, size);
    return out->err;
}

/* A byte-order mark and a first line that begins with # (for the shell) are not Lua's. */
static struct str lua_text(struct str text) {
    if (str_starts(text, STR("\xef\xbb\xbf"))) text = str_sub(text, 3, text.n);
    if (text.n != 0 && text.p[0] == '#') {
        ptrdiff_t end = str_find(text, '\n');
        text = str_sub(text, end < 0 ? text.n : (size_t)end, text.n);
    }
    return text;
}

static int compile(struct str text, const char *path, struct buf *code, struct why *why) {
    if (str_starts(text, STR(LUA_SIGNATURE)))
        return why_set(why, E_SCRIPT, "%s:1: is bytecode; a script is text", path);
    lua_State *L = plain_state();
    if (L == NULL) return why_set(why, E_NOMEM, "%s: out of memory", path);
    lua_gc(L, LUA_GCSTOP); /* it is closed in a moment, with all that it holds */
    char chunk[SCRIPT_PATH_MAX + 2];
    snprintf(chunk, sizeof chunk, "@%s", path);
    struct str lua = lua_text(text);
    int err = 0;
    int status = luaL_loadbufferx(L, lua.p, lua.n, chunk, "t");
    if (status == LUA_ERRMEM) {
        err = why_set(why, E_NOMEM, "%s: out of memory", path);
    } else if (status != LUA_OK) {
        err = why_set(why, E_SCRIPT, "%s", lua_tostring(L, -1));
    } else if (lua_dump(L, dump_some, code, 0) != 0) {
        err = why_set(why, code->err, "%s: %s", path, err_text(code->err));
    }
    lua_close(L);
    return err;
}

static struct str shared_code(struct part_text *t) {
    pthread_mutex_lock(&lock);
    struct str code = {t->code, t->code_size};
    pthread_mutex_unlock(&lock);
    return code;
}

static int shared_compile(struct part_text *t, struct why *why) {
    struct buf code = {0};
    if (shared_code(t).n != 0) return 0;
    int err = compile((struct str){t->text, t->text_size}, t->path, &code, why);
    size_t size = 0;
    char *made = err == 0 ? buf_take(&code, &size) : NULL;
    buf_free(&code);
    if (err != 0) return err;
    if (made == NULL) return why_set(why, E_NOMEM, "%s: out of memory", t->path);
    pthread_mutex_lock(&lock);
    if (t->code == NULL) {
        t->code = made;
        t->code_size = size;
        made = NULL;
    }
    pthread_mutex_unlock(&lock);
    mem_free(made);
    return 0;
}

int part_text_new(struct part_text **out, const char *path, struct buf *text, struct why *why) {
    char hash[VERSION_ID_SIZE];
    struct part_text *t = NULL;
    int err = crypto_sha256_hex(buf_str(text), hash);
    if (err != 0) {
        why_set(why, err, "%s: %s", path, err_text(err));
        goto out;
    }
    if ((*out = shared_find(path, hash)) != NULL) goto out;
    err = E_NOMEM;
    if ((t = mem_zalloc(sizeof *t)) == NULL) goto out;
    memcpy(t->hash, hash, sizeof hash);
    if ((t->path = mem_strdup(path)) == NULL) goto out;
    if ((t->text = buf_take(text, &t->text_size)) == NULL) goto out;
    shared_add(t);
    *out = t;
    t = NULL;
    err = 0;
out:
    if (err == E_NOMEM) why_set(why, err, "%s: out of memory", path);
    text_free(t);
    buf_free(text);
    return err;
}

const char *part_text_hash(const struct part_text *text) {
    return text->hash;
}

void part_text_drop(struct part_text *text) {
    shared_drop(text);
}

/* ---- parts ---- */

struct build {
    struct version *v;
    const struct version_files *files;
    const struct bind_module *const *modules;
    const struct part *from; /* whose requires are being read */
};

bool module_builtin(const struct bind_module *const *modules, struct str name) {
    for (; modules != NULL && *modules != NULL; modules++)
        if ((*modules)->name[0] != '\0' && str_eq(str_of((*modules)->name), name)) return true;
    return str_eq(name, STR("cjson")) || str_eq(name, STR("cjson.safe"));
}

bool module_name_valid(struct str name) {
    if (name.n == 0 || name.n > 64) return false;
    bool start = true; /* of a part between dividers */
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool divider = c == '.' || c == '/';
        if (divider && start) return false;
        if (!divider && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
            return false;
        start = divider;
    }
    return !start;
}

void module_path(char out[SCRIPT_PATH_MAX], struct str name, const char *tail) {
    int n = snprintf(out, SCRIPT_PATH_MAX, "scripts/lib/%.*s%s", STR_FMT(name), tail);
    ENSURE(n > 0 && n < SCRIPT_PATH_MAX);
    for (size_t i = strlen("scripts/lib/"), left = name.n; left != 0; i++, left--)
        if (out[i] == '.') out[i] = '/';
}

int version_add(struct version *v, struct str name, struct part_text *text, struct why *why) {
    struct part part = {.name = mem_dup(name.p, name.n), .path = text->path, .shared = text};
    struct part *parts = mem_realloc(v->parts, (v->part_count + 1) * sizeof *parts);
    if (parts != NULL) v->parts = parts;
    if (part.name == NULL || parts == NULL) {
        mem_free(part.name);
        return why_set(why, E_NOMEM, "%s: out of memory", text->path);
    }
    part.text = (struct str){text->text, text->text_size};
    part.code = shared_code(text);
    memcpy(part.hash, text->hash, sizeof part.hash);
    shared_keep(text);
    v->parts[v->part_count++] = part;
    return 0;
}

/* Adds a part with this text, which it takes over, compiled. */
static int add_part(struct version *v, struct str name, const char *path, struct buf *text,
                    struct why *why) {
    struct part_text *shared = NULL;
    int err = part_text_new(&shared, path, text, why);
    if (err != 0) return err;
    err = shared_compile(shared, why);
    if (err == 0) err = version_add(v, name, shared, why);
    shared_drop(shared);
    return err;
}

static int read_module(struct build *b, struct str name, int line, struct why *why) {
    static const char *const tails[] = {".lua", "/init.lua"};
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        char path[SCRIPT_PATH_MAX];
        struct buf text = {.max = SCRIPT_TEXT_MAX};
        module_path(path, name, tails[i]);
        int err = b->files->read(b->files->data, path, &text, why);
        if (err == 0) return add_part(b->v, name, path, &text, why);
        buf_free(&text);
        if (err != E_NOTFOUND) {
            why_prefix(why, "%s:%d: ", b->from->path, line);
            return err;
        }
    }
    return why_set(why, E_NOTFOUND,
                   "%s:%d: there is no module \"%.*s\": neither scripts/lib/%.*s.lua nor "
                   "scripts/lib/%.*s/init.lua",
                   b->from->path, line, STR_FMT(name), STR_FMT(name), STR_FMT(name));
}

static int found_require(void *data, struct str name, int line, struct why *why) {
    struct build *b = data;
    if (module_builtin(b->modules, name)) return 0;
    if (!module_name_valid(name))
        return why_set(why, E_SCRIPT,
                       "%s:%d: \"%.*s\" is no module name; a-z, 0-9 and _ with . or / between",
                       b->from->path, line, (int)(name.n > 64 ? 64 : name.n), name.p);
    for (size_t i = 1; i < b->v->part_count; i++)
        if (str_eq(str_of(b->v->parts[i].name), name)) return 0;
    if (b->v->part_count >= SCRIPT_PARTS_MAX)
        return why_set(why, E_LIMIT, "%s:%d: more than %d modules in one script", b->from->path,
                       line, SCRIPT_PARTS_MAX - 1);
    return read_module(b, name, line, why);
}

static int by_path(const void *a, const void *b) {
    return strcmp((*(const struct part *const *)a)->path, (*(const struct part *const *)b)->path);
}

int version_seal(struct version *v, struct why *why) {
    const struct part *sorted[SCRIPT_PARTS_MAX];
    for (size_t i = 0; i < v->part_count; i++)
        sorted[i] = &v->parts[i];
    // cppcheck-suppress uninitvar ; all below part_count are set
    qsort(sorted, v->part_count, sizeof sorted[0], by_path);
    struct buf all = {0};
    for (size_t i = 0; i < v->part_count; i++) {
        if (i > 0 && strcmp(sorted[i]->path, sorted[i - 1]->path) == 0) continue;
        buf_add(&all, sorted[i]->path, strlen(sorted[i]->path) + 1);
        buf_addf(&all, "%s\n", sorted[i]->hash);
    }
    buf_addf(&all, "api %d\n", SCRIPT_API);
    int err = all.err == 0 ? crypto_sha256_hex(buf_str(&all), v->id) : all.err;
    buf_free(&all);
    return err == 0 ? 0 : why_set(why, err, "%s: %s", v->path, err_text(err));
}

int version_new(struct version **out, enum script_kind kind, const char *name, const char *path,
                struct why *why) {
    static _Atomic uint64_t serials;
    if (strlen(path) >= SCRIPT_PATH_MAX)
        return why_set(why, E_LIMIT, "%s: the path is too long", path);
    if (!utf8_valid(str_of(path)))
        return why_set(why, E_INVAL, "%s: the file's name is not UTF-8: rename it", path);
    struct version *v = mem_zalloc(sizeof *v);
    if (v == NULL) return why_set(why, E_NOMEM, "%s: out of memory", path);
    atomic_store(&v->references, 1);
    v->kind = kind;
    v->serial = atomic_fetch_add(&serials, 1) + 1;
    v->name = mem_strdup(name);
    v->path = mem_strdup(path);
    if (v->name == NULL || v->path == NULL) {
        version_drop(v);
        return why_set(why, E_NOMEM, "%s: out of memory", path);
    }
    *out = v;
    return 0;
}

int version_build(struct version **out, enum script_kind kind, const char *name, const char *path,
                  const struct version_files *files, const struct bind_module *const *modules,
                  struct why *why) {
    struct buf text = {.max = SCRIPT_TEXT_MAX};
    struct version *v = NULL;
    int err = version_new(&v, kind, name, path, why);
    if (err != 0) return err;
    if ((err = files->read(files->data, path, &text, why)) != 0) goto out;
    if ((err = add_part(v, STR(""), path, &text, why)) != 0) goto out;
    struct build b = {.v = v, .files = files, .modules = modules};
    for (size_t i = 0; i < v->part_count; i++) {
        struct part from = v->parts[i]; /* adding may move the parts */
        b.from = &from;
        err = require_scan(from.text, from.path, found_require, &b, why);
        if (err != 0) goto out;
    }
    if ((err = version_seal(v, why)) != 0) goto out;
    if (why != NULL) *why = (struct why){0};
    *out = v;
    v = NULL;
out:
    buf_free(&text);
    version_drop(v);
    return err;
}

int version_compile(const struct version *v, struct why *why) {
    int err = 0;
    for (size_t i = 0; i < v->part_count && err == 0; i++)
        if (v->parts[i].code.n == 0 && v->parts[i].shared != NULL)
            err = shared_compile(v->parts[i].shared, why);
    return err;
}

struct str part_code(const struct part *part) {
    return part->code.n != 0 || part->shared == NULL ? part->code : shared_code(part->shared);
}

struct version *version_keep(struct version *v) {
    if (v != NULL) atomic_fetch_add_explicit(&v->references, 1, memory_order_relaxed);
    return v;
}

void version_drop(struct version *v) {
    if (v == NULL || atomic_fetch_sub_explicit(&v->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < v->part_count; i++) {
        mem_free(v->parts[i].name);
        shared_drop(v->parts[i].shared);
    }
    mem_free(v->parts);
    manifest_delete(v->manifest);
    mem_free(v->name);
    mem_free(v->path);
    mem_free(v);
}

const struct part *version_part(const struct version *v, const char *module) {
    for (size_t i = 1; i < v->part_count; i++)
        if (strcmp(v->parts[i].name, module) == 0) return &v->parts[i];
    return NULL;
}
