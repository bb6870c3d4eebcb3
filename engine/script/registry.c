/* registry: builds, checks, keeps and publishes. See registry.h for the life of a file.
 *
 * One entry per path that was ever seen. An entry has at most one save under way; what comes in
 * meanwhile marks it dirty again. Memory: entries own their versions by reference; sets and workers
 * hold their own references, so nothing here decides when a version dies. */
#include "script/registry.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "script/registry_private.h"
#include "sys/log.h"

#include <stdlib.h>

/* ---- entries ---- */

static size_t place_of(const struct registry *r, const char *path) {
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(r->entries[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct entry *registry_entry(const struct registry *r, const char *path) {
    size_t at = place_of(r, path);
    return at < r->count && strcmp(r->entries[at]->path, path) == 0 ? r->entries[at] : NULL;
}

static void entry_delete(struct entry *e) {
    if (e == NULL) return;
    version_drop(e->live);
    version_drop(e->staged);
    version_drop(e->held);
    version_drop(e->saving);
    mem_free(e->path);
    mem_free(e->error);
    mem_free(e->kept_version);
    mem_free(e->kept_parts);
    mem_free(e);
}

int registry_entry_add(struct registry *r, const char *path, enum script_kind kind,
                       const char *name, struct entry **out) {
    struct entry **bigger = mem_realloc(r->entries, (r->count + 1) * sizeof *bigger);
    if (bigger == NULL) return E_NOMEM;
    r->entries = bigger;
    struct entry *e = mem_zalloc(sizeof *e);
    if (e == NULL || (e->path = mem_strdup(path)) == NULL) {
        entry_delete(e);
        return E_NOMEM;
    }
    e->kind = kind;
    memcpy(e->name, name, strlen(name) + 1);
    size_t at = place_of(r, path);
    memmove(r->entries + at + 1, r->entries + at, (r->count - at) * sizeof *r->entries);
    r->entries[at] = e;
    r->count++;
    *out = e;
    return 0;
}

/* Said once: the same text again is not news. */
void registry_report(struct registry *r, struct entry *e, const char *text) {
    if (e->error != NULL && strcmp(e->error, text) == 0) return;
    mem_free(e->error);
    e->error = mem_strdup(text);
    log_error("script_broken", L_TEXT("path", e->path), L_TEXT("error", text),
              L_TEXT("serving", e->live == NULL ? "" : e->live->id));
    if (r->options.broken != NULL) r->options.broken(r->options.data, e->path, text);
}

void registry_good_again(struct entry *e) {
    mem_free(e->error);
    e->error = NULL;
    e->clash = false;
    e->failed = false;
}

/* ---- going live ---- */

/* A route is free again, maybe: scripts that were refused for a clash are tried once more. */
static void retry_clashes(struct registry *r, const struct entry *but) {
    for (size_t i = 0; i < r->count; i++)
        if (r->entries[i]->clash && r->entries[i] != but) registry_mark(r, r->entries[i]);
}

static void make_live(struct registry *r, struct entry *e, struct version *v) {
    version_drop(e->live);
    e->live = version_keep(v);
    e->deleted = false;
    e->approved[0] = '\0';
    registry_drop_held(e);
    /* what was held may be older than a save that is broken */
    if (strcmp(e->built, v->id) == 0) registry_good_again(e);
    if (e->staged != NULL && strcmp(e->staged->id, v->id) == 0) {
        version_drop(e->staged);
        e->staged = NULL;
    }
    e->unsaid = true;
    registry_publish(r);
    retry_clashes(r, e);
}

/* ---- keeping ---- */

struct save {
    struct registry *r;
    struct entry *e;
};

static void finish_save(struct registry *r, struct entry *e, int err) {
    struct version *v = e->saving;
    struct deploying deploy = e->deploy;
    const char *state = e->saving_as;
    struct why why = {0};
    e->saving = NULL;
    e->deploy = (struct deploying){0};
    if (err != 0) {
        why_set(&why, err,
                "%s: the store cannot keep it (%s); what serves goes on, it is tried again",
                e->path, err_text(err));
        registry_report(r, e, why.text);
        e->settled[0] = '\0'; /* the watch finds it again */
        if (strcmp(state, "deleted") == 0) memset(e->settled, '-', 1);
        e->again = LOOK_AGAIN;
        if (err == E_NOMEM && !r->started) registry_short(r, e);
    } else if (strcmp(state, "live") == 0) {
        make_live(r, e, v);
    } else if (strcmp(state, "staged") == 0) {
        log_info("script_staged", L_TEXT("path", e->path), L_TEXT("version", v->id));
        version_drop(e->staged);
        e->staged = version_keep(v);
        registry_good_again(e);
    } else if (!e->present) {
        log_info("script_deleted", L_TEXT("path", e->path), L_TEXT("version", v->id));
        e->deleted = true;
        registry_publish(r);
        retry_clashes(r, e);
    }
    version_drop(v);
    if (deploy.done != NULL) deploy.done(deploy.data, &why);
    if (e->dirty) registry_mark(r, e);
    if (err == 0)
        registry_settled(r, e);
    else /* what is held is tried again when the watch comes by, not at once and for ever */
        registry_wish(r, e);
}

static void start_over(struct registry *r);

static void saved(void *data, int err) {
    struct save s = *(struct save *)data;
    mem_free(data);
    s.r->saves--;
    finish_save(s.r, s.e, err);
    if (s.r->starting && s.r->saves == 0) start_over(s.r);
}

/* Takes the reference to v over. */
void registry_save(struct registry *r, struct entry *e, struct version *v, const char *state) {
    ENSURE(e->saving == NULL);
    e->saving = v;
    e->saving_as = state;
    if (r->options.store == NULL) {
        finish_save(r, e, 0);
        return;
    }
    struct save *s = mem_alloc(sizeof *s);
    if (s == NULL) {
        finish_save(r, e, E_NOMEM);
        return;
    }
    *s = (struct save){r, e};
    r->saves++;
    r->options.store->save(r->options.store, v, state, saved, s);
}

void registry_gone(struct registry *r, struct entry *e) {
    version_drop(e->staged);
    e->staged = NULL;
    e->queued = false;
    registry_drop_held(e);
    registry_good_again(e);
    e->dirty = e->saving != NULL;
    if (e->live == NULL || e->saving != NULL || e->deleted)
        registry_settled(r, e);
    else
        registry_save(r, e, version_keep(e->live), "deleted");
}

/* ---- building ---- */

static bool clash_with(struct entry *e, const struct version *v, const struct entry *other,
                       const struct version *theirs, struct why *why) {
    const struct manifest_route *a, *b;
    if (theirs == NULL || !script_scripts_clash(v, theirs, &a, &b)) return false;
    e->clash = true;
    why_set(why, E_EXISTS, "%s: \"%s\" is a route of %s already (\"%s\"); one of them must go",
            e->path, a->key, other->path, b->key);
    return true;
}

int registry_check_routes(struct registry *r, struct entry *e, const struct version *v,
                          struct why *why) {
    const struct manifest_routes *mine = &v->manifest->routes;
    for (size_t i = 0; i < mine->count; i++)
        for (size_t k = 0; k < i; k++)
            if (script_routes_clash(&mine->at[i], &mine->at[k]))
                return why_set(why, E_SCRIPT, "%s: it has \"%s\" and \"%s\", which are the same",
                               e->path, mine->at[k].key, mine->at[i].key);
    for (size_t n = 0; n < r->count; n++) {
        const struct entry *other = r->entries[n];
        /* what serves, and what will in a moment */
        bool next = other->saving != NULL && strcmp(other->saving_as, "live") == 0;
        if (other != e && ((!other->deleted && clash_with(e, v, other, other->live, why)) ||
                           (next && clash_with(e, v, other, other->saving, why))))
            return E_EXISTS;
    }
    return 0;
}

static int build_checked(struct registry *r, struct entry *e, struct version **out,
                         struct why *why) {
    struct version_files files = {source_read, r->root};
    struct version *v = NULL;
    int err = version_build(&v, e->kind, e->name, e->path, &files, r->options.modules, why);
    if (err != 0) return err;
    bool known = strcmp(e->approved, v->id) != 0 &&
                 ((e->live != NULL && !e->deleted && strcmp(e->live->id, v->id) == 0) ||
                  (e->staged != NULL && strcmp(e->staged->id, v->id) == 0) ||
                  (e->held != NULL && strcmp(e->held->id, v->id) == 0));
    e->clash = false;
    if (!known) {
        err = registry_load(r, e, v, why);
        if (err == 0) err = registry_check_routes(r, e, v, why);
    }
    if (err != 0) {
        version_drop(v);
        return err;
    }
    *out = v;
    return 0;
}

/* At start only: the store's version serves where the file does not build, or waits to be deployed.
 */
static void serve_kept(struct registry *r, struct entry *e) {
    struct version *v = NULL;
    struct why why = {0};
    if (e->kept_version == NULL || e->live != NULL || r->options.store == NULL) return;
    struct registry_row row = {str_of(e->path), str_of(e->kept_version), STR("live"),
                               str_of(e->kept_parts), 0};
    int err = registry_build_kept(r->options.store, &row, r->options.modules, &v, &why);
    if (err == 0) err = registry_load(r, e, v, &why);
    /* somebody else may have its path by now */
    if (err == 0 && e->present) err = registry_check_routes(r, e, v, &why);
    if (err == 0) {
        e->live = v;
        return;
    }
    version_drop(v);
    if (err == E_NOMEM)
        registry_short(r, e);
    else
        registry_report(r, e, why.text);
}

void registry_build(struct registry *r, struct entry *e) {
    struct version *v = NULL;
    struct why why = {0};
    e->dirty = e->saving != NULL; /* then again when that is over */
    e->waits = false;
    if (e->dirty) return;
    if (!e->present) {
        registry_gone(r, e);
        return;
    }
    e->queued = false;
    bool kept = e->live == NULL && e->kept_version != NULL;
    int err = kept ? registry_unchanged(r, e, &v) : E_NOTFOUND;
    if (err == E_NOTFOUND) {
        if (kept && r->options.mode == SCRIPTS_STAGED) serve_kept(r, e);
        err = build_checked(r, e, &v, &why);
    }
    if (err == E_NOMEM) {
        registry_short(r, e);
        return;
    }
    bool approved = err == 0 && strcmp(e->approved, v->id) == 0;
    memcpy(e->built, err == 0 ? v->id : "", err == 0 ? sizeof e->built : 1);
    if (err == 0 && !approved) e->approved[0] = '\0'; /* it gave another version than asked for */
    if (err != 0) {
        if (kept) serve_kept(r, e);
        registry_report(r, e, why.text);
    } else if (e->live != NULL && !e->deleted && strcmp(e->live->id, v->id) == 0) {
        version_drop(e->staged); /* what was staged or held was taken back */
        e->staged = NULL;
        registry_drop_held(e);
        registry_good_again(e);
        e->approved[0] = '\0';
        version_drop(v);
    } else if (!approved && e->held != NULL && strcmp(e->held->id, v->id) == 0) {
        version_drop(e->staged); /* taken back */
        e->staged = NULL;
        registry_good_again(e);
        version_drop(v);
    } else if (kept && strcmp(e->kept_version, v->id) == 0) { /* nothing new to keep */
        make_live(r, e, v);
        version_drop(v);
    } else if (r->options.mode == SCRIPTS_STAGED && !r->bootstrap && !approved) {
        registry_stage(r, e, v);
    } else {
        registry_go_live(r, e, v);
    }
    registry_settled(r, e);
}

static void build_next(struct task *task) {
    struct registry *r = CONTAINER_OF(task, struct registry, build_task);
    r->building = false;
    struct entry *next = NULL;
    for (size_t i = 0; i < r->count && next == NULL; i++)
        if (r->entries[i]->dirty && r->entries[i]->saving == NULL) next = r->entries[i];
    if (next == NULL) return;
    registry_build(r, next);
    for (size_t i = 0; i < r->count && !r->building; i++)
        if (r->entries[i]->dirty && r->entries[i]->saving == NULL) registry_mark(r, r->entries[i]);
}

void registry_mark(struct registry *r, struct entry *e) {
    e->dirty = true;
    if (!r->started || r->building) return;
    r->building = true;
    r->build_task.run = build_next;
    loop_post(r->options.loop, &r->build_task);
}

/* ---- start and stop ---- */

static void poll_again(struct timer *timer) {
    struct registry *r = CONTAINER_OF(timer, struct registry, timer);
    registry_look(r);
    timer_start(r->options.loop, &r->timer, POLL_MS, poll_again);
}

void registry_look(struct registry *r) {
    if (!r->started) return;
    registry_scan(r, false);
}

int registry_new(struct registry **out, const struct registry_options *options, struct why *why) {
    struct stat st;
    if (stat(options->root, &st) != 0 || !S_ISDIR(st.st_mode))
        return why_set(why, E_NOTFOUND,
                       "%s: is no folder; --root names the one that holds channels/, "
                       "rules/ and scripts/",
                       options->root);
    struct registry *r = mem_zalloc(sizeof *r);
    if (r == NULL || (r->root = mem_strdup(options->root)) == NULL) {
        mem_free(r);
        return why_set(why, E_NOMEM, "out of memory");
    }
    r->options = *options;
    r->options.root = r->root;
    *out = r;
    return 0;
}

/* What was built is kept: now the first set is whole, and it is one publication. */
static void start_over(struct registry *r) {
    r->started = r->start_err == 0;
    registry_publish(r);
    r->starting = false;
    if (r->set_pending) r->start_err = E_NOMEM;
    r->started = r->start_err == 0;
    registry_outlines_close(r);
    if (!r->started) {
        r->start_done(r->start_data, r->start_err);
        return;
    }
    for (size_t i = 0; i < r->count; i++)
        if (r->entries[i]->dirty || r->entries[i]->clash) registry_mark(r, r->entries[i]);
    if (!r->options.unwatched) timer_start(r->options.loop, &r->timer, POLL_MS, poll_again);
    r->start_done(r->start_data, 0);
}

/* All scripts are built here, in one go, before anything serves. */
static void start(struct registry *r, int err) {
    if (err == 0) err = registry_outlines_open(r);
    if (err != 0) {
        r->start_done(r->start_data, err);
    } else {
        bool known = false;
        for (size_t i = 0; i < r->count; i++)
            known = known || r->entries[i]->kept_version != NULL;
        r->bootstrap = !known;
        registry_scan(r, true);
        for (size_t i = 0; i < r->count; i++) {
            struct entry *e = r->entries[i];
            if (e->dirty) {
                registry_build(r, e);
            } else if (!e->present && e->kept_version != NULL) { /* deleted while we were down */
                serve_kept(r, e);
                if (!e->unreadable) registry_gone(r, e);
            }
        }
        r->bootstrap = false;
        r->starting = true;
        if (r->saves == 0) start_over(r);
    }
}

static void start_task(struct task *task) {
    struct registry *r = CONTAINER_OF(task, struct registry, start_task);
    start(r, 0);
}

static void kept_row(void *data, const struct registry_row *row) {
    struct registry *r = data;
    struct entry *e = NULL;
    enum script_kind kind;
    char path[SCRIPT_PATH_MAX], name[SCRIPT_PATH_MAX];
    if (row->path.n >= sizeof path) return;
    memcpy(path, row->path.p, row->path.n);
    path[row->path.n] = '\0';
    if (!source_kind(path, &kind, name)) return;
    if (registry_entry_add(r, path, kind, name, &e) != 0 ||
        (e->kept_version = mem_dup(row->version.p, row->version.n)) == NULL ||
        (e->kept_parts = mem_dup(row->parts.p, row->parts.n)) == NULL)
        r->start_err = E_NOMEM;
}

static void kept_read(void *data, int err) {
    struct registry *r = data;
    r->saves--;
    start(r, err != 0 ? err : r->start_err);
}

void registry_start(struct registry *r, void (*started)(void *data, int err), void *data) {
    r->start_done = started;
    r->start_data = data;
    if (r->options.store == NULL) {
        r->start_task.run = start_task;
        loop_post(r->options.loop, &r->start_task);
        return;
    }
    r->saves++;
    r->options.store->live(r->options.store, kept_row, kept_read, r);
}

bool registry_idle(const struct registry *r) {
    return r->saves == 0 && !r->building && r->play.entry == NULL;
}

void registry_delete(struct registry *r) {
    if (r == NULL) return;
    ENSURE(r->saves == 0 && r->play.entry == NULL);
    timer_stop(&r->timer);
    timer_stop(&r->retry);
    registry_outlines_close(r);
    for (size_t i = 0; i < r->count; i++)
        entry_delete(r->entries[i]);
    mem_free(r->entries);
    script_set_drop(r->set);
    mem_free(r->root);
    mem_free(r);
}
