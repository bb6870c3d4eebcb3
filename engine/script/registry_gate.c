/* registry_gate: what stands between a version that is good by itself and the workers.
 *
 * Plays (staged mode): the tests below tests/lua and tests/plays whose name begins with the name of
 * the script, or of a module it requires, and a "_". A test belongs to the longest name that fits:
 * bca_va_closed_test.lua is of bca_va_closed, not of bca_va. They run elsewhere (options.plays), of
 * one version at a time; when they have passed the script is built once more, so that what is
 * staged is what was played even if it was saved again meanwhile. What passes is a version with the
 * texts of its plays: where one of these changes, be it during the run or later, all run again.
 *
 * Grants: a version that may go live and lacks one is held; it is asked again when they change. */
#include "base/mem.h"
#include "script/registry_private.h"
#include "sys/log.h"

bool registry_busy(const struct registry *r, const struct entry *e) {
    return e->saving != NULL || e->dirty || e->waits || e->queued || registry_playing(r, e);
}

bool registry_playing(const struct registry *r, const struct entry *e) {
    return r->play.entry == e;
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

/* The files of v's plays, as they settled; an array of the caller's. The key stands for v and
 * them. */
static int plays_of(const struct registry *r, const struct version *v, const char ***files,
                    size_t *count, char key[SHA256_HEX_SIZE]) {
    struct buf text = {0};
    *count = 0;
    *files = mem_array(r->count + 1, sizeof **files);
    if (*files == NULL) return E_NOMEM;
    buf_adds(&text, v->id);
    for (size_t i = 0; i < r->count; i++) {
        const struct entry *test = r->entries[i];
        if (!is_play(r, test, v)) continue;
        (*files)[(*count)++] = test->path;
        buf_addf(&text, "\n%s %s", test->settled, test->path);
    }
    int err = text.err;
    if (err == 0) err = crypto_sha256_hex(buf_str(&text), key);
    if (err != 0) mem_free(*files);
    buf_free(&text);
    return err;
}

static bool plays_changed(const struct registry *r, const struct version *v, const char *key) {
    const char **files;
    size_t count;
    char now[SHA256_HEX_SIZE];
    if (plays_of(r, v, &files, &count, now) != 0) return true; /* to be safe */
    mem_free(files);
    return strcmp(now, key) != 0;
}

static void play_over(void *to, const struct why *why) {
    struct registry *r = to;
    struct entry *e = r->play.entry;
    struct version *v = r->play.version;
    bool of_yesterday =
        e->dirty || strcmp(e->built, v->id) != 0 || plays_changed(r, v, r->play.key);
    r->play.entry = NULL;
    r->play.version = NULL;
    if (why->code == 0) memcpy(e->passed, r->play.key, sizeof e->passed);
    if (why->code == E_NOMEM) {
        registry_short(r, e);
    } else if (why->code == 0 || (of_yesterday && why->code != E_CLOSED)) {
        registry_mark(r, e);
    } else if (why->code != E_CLOSED) {
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

static void stage_played(struct registry *r, struct entry *e, struct version *v) {
    if (e->staged == NULL || strcmp(e->staged->id, v->id) != 0) {
        registry_save(r, e, v, "staged");
        return;
    }
    registry_good_again(e);
    version_drop(v);
}

void registry_stage(struct registry *r, struct entry *e, struct version *v) {
    const char **files = NULL;
    size_t count = 0;
    char key[SHA256_HEX_SIZE];
    if (r->options.unplayed) {
        version_drop(e->staged);
        e->staged = v;
        registry_good_again(e);
        return;
    }
    if (r->options.plays == NULL) {
        stage_played(r, e, v);
        return;
    }
    if (plays_of(r, v, &files, &count, key) != 0) {
        registry_short(r, e);
        version_drop(v);
        return;
    }
    if (count == 0 || strcmp(e->passed, key) == 0) {
        stage_played(r, e, v);
    } else if (r->play.entry != NULL) {
        e->queued = !registry_playing(r, e) || strcmp(r->play.key, key) != 0;
        version_drop(v);
    } else {
        log_info("script_plays", L_TEXT("path", e->path), L_TEXT("version", v->id),
                 L_INT("files", (int64_t)count));
        r->play.entry = e;
        r->play.version = v;
        memcpy(r->play.key, key, sizeof key);
        r->options.plays(r->options.data, files, count, play_over, r);
    }
    mem_free(files);
}

/* What runs now is looked at when it is over. */
void registry_test_changed(struct registry *r) {
    for (size_t i = 0; i < r->count; i++)
        if (r->entries[i]->failed || r->entries[i]->staged != NULL) registry_mark(r, r->entries[i]);
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

/* A held version that has its grants now. It is held until it is live: what hinders it may pass. */
static void release(struct registry *r, struct entry *e) {
    struct buf command = {0};
    struct why why = {0};
    if (!registry_lacks(r, e->held, &command)) {
        if (registry_check_routes(r, e, e->held, &why) == 0)
            registry_save(r, e, version_keep(e->held), "live");
        else
            registry_report(r, e, why.text);
    }
    buf_free(&command);
}

void registry_settled(struct registry *r, struct entry *e) {
    if (e->held != NULL && !registry_busy(r, e)) release(r, e);
    registry_wish(r, e);
}

void registry_wish(struct registry *r, struct entry *e) {
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
