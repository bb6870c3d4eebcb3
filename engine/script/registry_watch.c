/* registry_watch: the poll over the root folder. Decides only that a path has other bytes now, or
 * is gone; a change counts when two looks in a row saw the same bytes, so that a save half done is
 * seldom taken for the whole, and a file that an editor removes and writes again never disappears.
 */
#include "base/ensure.h"
#include "base/mem.h"
#include "script/registry_private.h"
#include "sys/log.h"

static bool same_stat(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* A module that comes or goes may also stand before another one. */
static bool concerns(const struct version *v, const struct entry *module, bool came_or_went) {
    for (size_t i = 1; v != NULL && i < v->part_count; i++)
        if (came_or_went || strcmp(v->parts[i].path, module->path) == 0) return true;
    return false;
}

/* Scripts that this module may concern: those with a version that has it as a part, wherever that
 * version stands, and those that do not build, since it may be what they lack. */
static void module_changed(struct registry *r, const struct entry *module, bool came_or_went) {
    for (size_t i = 0; i < r->count; i++) {
        struct entry *e = r->entries[i];
        if (!entry_is_script(e) || !e->present) continue;
        const struct version *const versions[] = {e->live, e->staged, e->held, e->saving,
                                                  registry_playing(r, e) ? r->play.version : NULL};
        bool uses = e->error != NULL;
        for (size_t k = 0; k < ARRAY_LEN(versions) && !uses; k++)
            uses = concerns(versions[k], module, came_or_went);
        if (uses) registry_mark(r, e);
    }
}

/* A query whose file is gone stays: whoever asks it is not broken by that before the next start. */
static void take_query(struct registry *r, struct entry *e) {
    struct buf text = {0};
    struct why why = {0};
    int err = e->present ? source_read(r->root, e->path, &text, &why) : 0;
    if (err == 0 && e->present) {
        struct str name = source_query_name(e->path);
        char *key = mem_dup(name.p, name.n), *sql = mem_dup(text.data, text.len);
        if (key == NULL || sql == NULL)
            err = why_set(&why, E_NOMEM, "%s: out of memory", e->path);
        else if (memchr(sql, '\0', text.len) != NULL)
            err = why_set(&why, E_SYNTAX, "%s: it has a zero byte", e->path);
        else if ((err = r->options.query(r->options.data, key, sql, &why)) != 0)
            why_prefix(&why, "%s: ", e->path);
        mem_free(key);
        mem_free(sql);
    }
    buf_free(&text);
    if (err != 0) {
        registry_report(r, e, why.text);
    } else {
        if (e->present && r->started) log_info("query_live", L_TEXT("path", e->path));
        registry_good_again(e);
    }
    if (err == E_NOMEM) { /* the watch finds it again */
        e->settled[0] = '\0';
        e->again = LOOK_AGAIN;
    }
}

/* The bytes are settled at e->seen. */
static void settle(struct registry *r, struct entry *e) {
    bool was = e->present;
    memcpy(e->settled, e->seen, sizeof e->settled);
    e->present = e->seen[0] != '\0';
    if (e->kind == KIND_LIB)
        module_changed(r, e, was != e->present);
    else if (e->kind == KIND_TEST)
        registry_test_changed(r);
    else if (e->kind == KIND_QUERY)
        take_query(r, e);
    else if (e->present)
        registry_mark(r, e);
    else
        registry_gone(r, e);
}

/* False: it is there, but cannot be read as a script; the hash is that of what serves on. */
static bool read_bytes(struct registry *r, struct entry *e, char hash[SHA256_HEX_SIZE]) {
    struct buf text = {.max = SCRIPT_TEXT_MAX};
    struct why why = {0};
    int err = source_read(r->root, e->path, &text, &why);
    hash[0] = '\0';
    if (err == 0 && registry_keeps_text(r, e)) {
        err = part_text_new(&e->start.text, e->path, &text, &why);
        if (err == 0) memcpy(hash, part_text_hash(e->start.text), SHA256_HEX_SIZE);
    } else if (err == 0) {
        err = crypto_sha256_hex(buf_str(&text), hash);
    }
    bool readable = err == 0 || err == E_NOTFOUND || err == E_NOMEM;
    if (err == E_NOMEM) { /* as it was, and looked at again */
        memcpy(hash, e->seen, SHA256_HEX_SIZE);
        e->again = LOOK_AGAIN;
        if (!r->started) registry_short(r, e);
    } else if (!readable) {
        memcpy(hash, e->seen[0] != '\0' ? e->seen : e->settled, SHA256_HEX_SIZE);
        registry_report(r, e, why.text);
    }
    buf_free(&text);
    return readable;
}

/* What can be read again is settled anew though its bytes are those of before: what was said of it
 * since is over, and what it is good for is found out once more. */
static void look(struct registry *r, struct entry *e, bool all, bool first) {
    char now[SHA256_HEX_SIZE] = "";
    bool readable = true;
    if (e->found) {
        if (!all && e->again == 0) return;
        if (e->again > 0) e->again--;
        readable = read_bytes(r, e, now);
    }
    bool steady = first || strcmp(now, e->seen) == 0;
    bool mended = readable && e->unreadable && steady;
    memcpy(e->seen, now, sizeof now);
    if (!readable) e->unreadable = true;
    if (mended) {
        e->unreadable = false;
        registry_good_again(e);
    }
    if (steady && (mended || strcmp(now, e->settled) != 0)) settle(r, e);
}

static int found(void *data, const char *path, enum script_kind kind, const struct stat *st) {
    struct registry *r = data;
    char name[SCRIPT_PATH_MAX];
    if ((kind & (KIND_TOOL | KIND_MIGRATION)) != 0) return 0; /* not served: run by command */
    struct entry *e = registry_entry(r, path);
    if (e == NULL) {
        if ((kind & (KIND_TEST | KIND_QUERY)) != 0)
            memcpy(name, path, strlen(path) + 1);
        else
            ENSURE(source_kind(path, &kind, name));
        int err = registry_entry_add(r, path, kind, name, &e);
        if (err != 0) return err;
    }
    if (!same_stat(&e->stat, st)) {
        e->stat = *st;
        e->again = LOOK_AGAIN;
    }
    e->found = true;
    return 0;
}

void registry_scan(struct registry *r, bool first) {
    for (size_t i = 0; i < r->count; i++)
        r->entries[i]->found = false;
    /* of a folder that could not be listed nothing is known: it is not gone */
    int err = source_list(r->root, found, r);
    if (err == 0)
        err = source_list_beside(r->root,
                                 (r->options.plays != NULL ? KIND_TEST : 0) |
                                     (r->options.query != NULL ? KIND_QUERY : 0),
                                 found, r);
    if (err != 0) {
        if (first)
            r->start_err = err;
        else if (!r->unlisted)
            log_error("scripts_not_listed", L_TEXT("error", err_text(err)));
        r->unlisted = true;
        return;
    }
    r->unlisted = false;
    bool all = first || ++r->polls % LOOK_ALL == 0;
    for (int modules = 1; modules >= 0; modules--) /* modules first: scripts are built from them */
        for (size_t i = 0; i < r->count; i++)
            if ((r->entries[i]->kind == KIND_LIB) == modules) look(r, r->entries[i], all, first);
}
