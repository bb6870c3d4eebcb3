/* registry_gate: what stands between a version that is good by itself and the workers.
 *
 * Plays (staged mode): the tests below tests/lua and tests/plays whose name begins with the name of
 * the script, or of a module it requires, and a "_". A test belongs to the longest name that fits:
 * bca_va_closed_test.lua is of bca_va_closed, not of bca_va. They run elsewhere (options.plays), of
 * one version at a time; when they have passed the script is built once more, so that what is
 * staged is what was played even if it was saved again meanwhile.
 *
 * Grants: a version that may go live and lacks one is held; it is asked again when they change. */
#include "base/mem.h"
#include "script/registry_private.h"
#include "sys/log.h"

bool registry_busy(const struct registry *r, const struct entry *e) {
    return e->saving != NULL || e->dirty || e->queued || r->playing == e;
}

/* ---- plays ---- */

static struct str base_of(const char *path) {
    const char *slash = strrchr(path, '/');
    struct str name = str_of(slash == NULL ? path : slash + 1);
    return str_sub(name, 0, name.n - 4); /* .lua */
}

static bool names(struct str test, const char *path) {
    struct str base = base_of(path);
    return test.n > base.n && test.p[base.n] == '_' && str_starts(test, base);
}

static bool is_play(const struct registry *r, const struct entry *test, const struct version *v) {
    struct str name = base_of(test->path);
    size_t longest = 0, ours = 0;
    if (test->kind != KIND_TEST || !test->present) return false;
    for (size_t i = 0; i < r->count; i++)
        if ((r->entries[i]->kind & (KIND_TEST | KIND_QUERY)) == 0 && r->entries[i]->present &&
            names(name, r->entries[i]->path) && base_of(r->entries[i]->path).n > longest)
            longest = base_of(r->entries[i]->path).n;
    for (size_t i = 0; i < v->part_count; i++)
        if (names(name, v->parts[i].path) && base_of(v->parts[i].path).n > ours)
            ours = base_of(v->parts[i].path).n;
    return ours != 0 && ours >= longest;
}

static void played(void *to, const struct why *why) {
    struct registry *r = to;
    struct entry *e = r->playing;
    struct version *v = r->played;
    r->playing = NULL;
    r->played = NULL;
    if (why->code == 0) {
        memcpy(e->played, v->id, sizeof e->played);
        registry_mark(r, e);
    } else if (why->code != E_CLOSED && !e->dirty) { /* dirty: it is of yesterday */
        struct why told = *why;
        why_prefix(&told, "%s: ", e->path);
        registry_report(r, e, told.text);
        e->failed = true;
    }
    version_drop(v);
    if (why->code == E_CLOSED && e->wish.done != NULL) {
        struct deploying wish = e->wish;
        e->wish = (struct deploying){0};
        wish.done(wish.data, why);
    }
    for (size_t i = 0; i < r->count; i++)
        if (r->entries[i]->queued) registry_mark(r, r->entries[i]);
    registry_settled(r, e);
}

void registry_stage(struct registry *r, struct entry *e, struct version *v) {
    size_t count = 0;
    if (r->options.plays == NULL || strcmp(e->played, v->id) == 0) {
        registry_save(r, e, v, "staged");
        return;
    }
    if (r->playing != NULL) {
        e->queued = true;
        version_drop(v);
        return;
    }
    const char **files = mem_array(r->count, sizeof *files);
    for (size_t i = 0; files != NULL && i < r->count; i++)
        if (is_play(r, r->entries[i], v)) files[count++] = r->entries[i]->path;
    if (files == NULL) {
        registry_report(r, e, "out of memory");
        e->failed = true;
        version_drop(v);
    } else if (count == 0) {
        registry_save(r, e, v, "staged");
    } else {
        log_info("script_plays", L_TEXT("path", e->path), L_TEXT("version", v->id),
                 L_INT("files", (int64_t)count));
        r->playing = e;
        r->played = v;
        r->options.plays(r->options.data, files, count, played, r);
    }
    mem_free(files);
}

void registry_test_changed(struct registry *r) {
    for (size_t i = 0; i < r->count; i++)
        if (r->entries[i]->failed) registry_mark(r, r->entries[i]);
}

/* ---- grants ---- */

bool registry_lacks(struct registry *r, const struct version *v, struct buf *command) {
    return r->options.lacks != NULL && r->options.lacks(r->options.data, v, command);
}

void registry_drop_held(struct entry *e) {
    version_drop(e->held);
    e->held = NULL;
}

void registry_go_live(struct registry *r, struct entry *e, struct version *v) {
    struct buf command = {0};
    if (registry_lacks(r, v, &command)) {
        log_warn("script_held", L_TEXT("path", e->path), L_TEXT("version", v->id),
                 L_TEXT("serving", e->live == NULL ? "" : e->live->id),
                 L_STR("lacks_grants", buf_str(&command)));
        registry_drop_held(e);
        e->held = v;
        if (e->staged != NULL && strcmp(e->staged->id, v->id) == 0) {
            version_drop(e->staged);
            e->staged = NULL;
        }
        registry_good_again(e);
    } else {
        registry_save(r, e, v, "live");
    }
    buf_free(&command);
}

void registry_granted(struct registry *r) {
    for (size_t i = 0; i < r->count; i++)
        registry_settled(r, r->entries[i]);
}

/* A held version that has its grants now. */
static void release(struct registry *r, struct entry *e) {
    struct buf command = {0};
    struct why why = {0};
    if (!registry_lacks(r, e->held, &command)) {
        struct version *v = e->held;
        e->held = NULL;
        if (registry_check_routes(r, e, v, &why) == 0) {
            registry_save(r, e, v, "live");
        } else {
            registry_report(r, e, why.text);
            version_drop(v);
        }
    }
    buf_free(&command);
}

void registry_settled(struct registry *r, struct entry *e) {
    if (registry_busy(r, e)) return;
    if (e->held != NULL) release(r, e);
    if (e->wish.done == NULL || registry_busy(r, e)) return;
    struct deploying wish = e->wish;
    e->wish = (struct deploying){0};
    registry_deploy(r, e->path, wish.done, wish.data);
}

void registry_each(const struct registry *r, void (*each)(void *data, const struct version *v),
                   void *data) {
    for (size_t i = 0; i < r->count; i++) {
        const struct entry *e = r->entries[i];
        if (e->live != NULL && !e->deleted) each(data, e->live);
        if (e->staged != NULL) each(data, e->staged);
        if (e->held != NULL) each(data, e->held);
    }
}
