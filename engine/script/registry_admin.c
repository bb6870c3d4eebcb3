/* registry_admin: what an operator asks of the registry: list, history, diff, rollback, deploy. Texts
 * for the command line; one line says what is wrong. */
#include "base/diff.h"
#include "base/mem.h"
#include "base/schedule.h"
#include "script/manifest.h"
#include "script/registry_private.h"

#include <stdio.h>

const char *registry_error(const struct registry *r, const char *path) {
    const struct entry *e = registry_entry(r, path);
    return e == NULL ? NULL : e->error;
}

static const char *state_of(const struct entry *e) {
    if (e->deleted) return "deleted";
    if (e->error != NULL) return "broken";
    if (e->held != NULL) return "held";
    if (e->staged != NULL) return "staged";
    return e->live != NULL ? "live" : "-";
}

/* What somebody has to do before it serves, a line for each step. */
static void add_steps(struct registry *r, const struct entry *e, const struct version *v,
                      struct buf *out) {
    struct buf command = {0};
    if (registry_lacks(r, v, &command))
        buf_addf(out, "         %.12s lacks grants: %.*s\n", v->id, STR_FMT(buf_str(&command)));
    if (v == e->staged)
        buf_addf(out, "         %.12s waits%s: luwak deploy %s\n", v->id,
                 r->options.unplayed ? ", its tests not run" : "", e->path);
    if (command.err != 0) out->err = command.err;
    buf_free(&command);
}

/* What serves and misses something: a grant that was taken back, a key that nobody set. */
static void add_lacking(struct registry *r, const struct version *v, struct buf *out) {
    struct buf text = {0};
    if (registry_lacks(r, v, &text))
        buf_addf(out, "         %.12s lacks grants: %.*s\n", v->id, STR_FMT(buf_str(&text)));
    buf_clear(&text);
    if (r->options.unset != NULL && r->options.unset(r->options.data, v, &text))
        buf_addf(out, "         %.12s lacks config: %.*s\n", v->id, STR_FMT(buf_str(&text)));
    if (text.err != 0) out->err = text.err;
    buf_free(&text);
}

void registry_list(struct registry *r, struct buf *out) {
    for (size_t i = 0; i < r->count; i++) {
        const struct entry *e = r->entries[i];
        if (!entry_is_script(e) && e->error == NULL) continue;
        buf_addf(out, "%-8s %-12.12s %s\n", state_of(e), e->live == NULL ? "-" : e->live->id,
                 e->path);
        if (e->error != NULL) buf_addf(out, "         %s\n", e->error);
        if (e->live != NULL && !e->deleted) add_lacking(r, e->live, out);
        if (e->held != NULL) add_steps(r, e, e->held, out);
        if (e->staged != NULL) add_steps(r, e, e->staged, out);
    }
}

static int no_script(struct why *why, const char *path) {
    return why_set(why, E_NOTFOUND, "%s: there is no such script; `luwak scripts list` shows them",
                   path);
}

/* ---- history ---- */

struct listing {
    struct buf *out;
    const char *serves; /* the version that does; NULL: none */
};

static void add_row(void *data, const struct registry_row *row) {
    struct listing *list = data;
    struct buf *out = list->out;
    bool live = str_eq(row->state, STR("live"));
    bool serves = live && list->serves != NULL && str_eq(row->version, str_of(list->serves));
    struct str state = serves ? STR("serves") : live ? STR("was live") : row->state;
    if (serves) list->serves = NULL; /* only the newest line of it does */
    int64_t t = (row->at + WIB_OFFSET_MS) / 1000, day = t / 86400, s = t % 86400;
    /* days to year, month, day: Howard Hinnant's civil_from_days, for days after 1970 */
    int64_t z = day + 719468, era = z / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9, year = yoe + era * 400 + (month <= 2);
    buf_addf(out, "%04d-%02d-%02d %02d:%02d:%02d +07:00  %-8.*s %.*s\n", (int)year, (int)month,
             (int)(doy - (153 * mp + 2) / 5 + 1), (int)(s / 3600), (int)(s / 60 % 60),
             (int)(s % 60), STR_FMT(state), (int)(row->version.n > 12 ? 12 : row->version.n),
             row->version.p);
}

int registry_history(struct registry *r, const char *path, struct buf *out, struct why *why) {
    struct registry_store *s = r->options.store;
    if (s == NULL) return why_set(why, E_STATE, "versions are kept by a server; this is none");
    size_t before = out->len;
    const struct entry *e = registry_entry(r, path);
    struct listing list = {out, e != NULL && e->live != NULL && !e->deleted ? e->live->id : NULL};
    int err = s->history(s, path, 100, add_row, &list);
    if (err != 0) return why_set(why, err, "%s: the store cannot be read: %s", path, err_text(err));
    return out->len == before ? no_script(why, path) : out->err;
}

/* ---- versions out of the store ---- */

struct wanted {
    const char *skip; /* version id that does not count, or NULL */
    const char *id;   /* its beginning, or NULL: any */
    char *version, *parts;
    bool served;  /* it was live once, as far as its history is read */
    bool several; /* the beginning fits more than one */
    bool nomem;
};

static void take_row(void *data, const struct registry_row *row) {
    struct wanted *w = data;
    if (!str_eq(row->state, STR("live")) && w->id == NULL) return;
    if (w->skip != NULL && str_eq(row->version, str_of(w->skip))) return;
    if (w->id != NULL && !str_starts(row->version, str_of(w->id))) return;
    if (w->version != NULL) {
        bool same = str_eq(row->version, str_of(w->version));
        w->several = w->several || (w->id != NULL && !same);
        w->served = w->served || (same && str_eq(row->state, STR("live")));
        return;
    }
    w->served = str_eq(row->state, STR("live"));
    w->version = mem_dup(row->version.p, row->version.n);
    w->parts = mem_dup(row->parts.p, row->parts.n);
    w->nomem = w->version == NULL || w->parts == NULL;
}

/* `served` NULL: it does not matter whether it was live. */
static int kept_version(struct registry *r, const char *path, const char *id, const char *skip,
                        struct version **out, bool *served, struct why *why) {
    struct registry_store *s = r->options.store;
    struct wanted w = {.skip = skip, .id = id};
    if (s == NULL) return why_set(why, E_STATE, "versions are kept by a server; this is none");
    int err = served == NULL && id != NULL && strlen(id) == 64
                  ? s->version(s, path, id, take_row, &w)
                  : s->history(s, path, 1000, take_row, &w);
    if (err == 0 && w.nomem) err = E_NOMEM;
    if (err != 0 && err != E_NOTFOUND) {
        why_set(why, err, "%s: the store cannot be read: %s", path, err_text(err));
    } else if (w.version == NULL) {
        err = why_set(why, E_NOTFOUND, "%s: there is no %s version%s%s", path,
                      id == NULL ? "earlier" : "such", id == NULL ? "" : " ", id == NULL ? "" : id);
    } else if (w.several) {
        err =
            why_set(why, E_USAGE, "%s: %s begins more than one version; give more of it", path, id);
    } else {
        struct registry_row row = {str_of(path), str_of(w.version), STR("live"), str_of(w.parts),
                                   0};
        struct version *v = NULL;
        err = registry_build_kept(s, &row, r->options.modules, &v, why);
        if (err == 0) err = manifest_load(v, NULL, NULL, why);
        if (err == 0)
            *out = v;
        else
            version_drop(v);
        if (served != NULL) *served = w.served;
    }
    mem_free(w.version);
    mem_free(w.parts);
    return err;
}

/* ---- diff and rollback ---- */

/* One side: a version's own text, what serves, or the file. Appends to text; names it. */
static int side(struct registry *r, const char *path, const char *id, bool file, struct buf *text,
                char *label, size_t size, struct why *why) {
    const struct entry *e = registry_entry(r, path);
    struct version *v = NULL;
    int err = 0;
    if (id == NULL && file) {
        snprintf(label, size, "%s (file)", path);
        return source_read(r->root, path, text, why);
    }
    if (id == NULL && (e == NULL || e->live == NULL))
        return e == NULL ? no_script(why, path)
                         : why_set(why, E_STATE, "%s: no version of it serves yet", path);
    if (id == NULL)
        v = version_keep(e->live);
    else
        err = kept_version(r, path, id, NULL, &v, NULL, why);
    if (err != 0) return err;
    snprintf(label, size, "%s (%.12s)", path, v->id);
    buf_addstr(text, v->parts[0].text);
    version_drop(v);
    return text->err;
}

int registry_diff(struct registry *r, const char *path, const char *from, const char *to,
                  struct buf *out, struct why *why) {
    struct buf a = {0}, b = {0};
    char name_a[SCRIPT_PATH_MAX + 32], name_b[SCRIPT_PATH_MAX + 32];
    int err = side(r, path, from, false, &a, name_a, sizeof name_a, why);
    if (err == 0) err = side(r, path, to, true, &b, name_b, sizeof name_b, why);
    if (err == 0 && diff_write(buf_str(&a), buf_str(&b), name_a, name_b, out) != 0)
        err = why_set(why, E_NOMEM, "out of memory");
    buf_free(&a);
    buf_free(&b);
    return err;
}

/* The version that is not to come back to: what serves now. */
static const char *serves_now(const struct entry *e) {
    return e != NULL && e->live != NULL && !e->deleted ? e->live->id : NULL;
}

int registry_kept_text(struct registry *r, const char *path, const char *id,
                       char version[VERSION_ID_SIZE], struct buf *text, struct why *why) {
    struct version *old = NULL;
    bool served;
    int err = kept_version(r, path, id, serves_now(registry_entry(r, path)), &old, &served, why);
    if (err != 0) return err;
    memcpy(version, old->id, VERSION_ID_SIZE);
    buf_addstr(text, old->parts[0].text);
    version_drop(old);
    return text->err;
}

/* Who asked may have written it already: into a folder where we may not. */
static int write_back(struct registry *r, const char *path, struct str text, struct why *why) {
    struct buf there = {0};
    bool stands = source_read(r->root, path, &there, NULL) == 0 && str_eq(buf_str(&there), text);
    buf_free(&there);
    return stands ? 0 : source_write(r->root, path, text, why);
}

/* Modules are shared, so only the script itself goes back; those that differ now are named, and the
 * text with them is a version like any new one. */
int registry_rollback(struct registry *r, const char *path, const char *id, struct buf *out,
                      struct why *why) {
    struct entry *e = registry_entry(r, path);
    struct version *old = NULL;
    enum script_kind kind;
    char name[SCRIPT_PATH_MAX];
    bool served = false, same = true;
    if (e == NULL && !source_kind(path, &kind, name)) return no_script(why, path);
    int err = kept_version(r, path, id, serves_now(e), &old, &served, why);
    if (err == E_NOTFOUND && e == NULL && id == NULL) return no_script(why, path);
    if (err != 0) return err;
    /* without an entry its file was deleted before this start */
    if (e == NULL && registry_entry_add(r, path, kind, name, &e) != 0) {
        version_drop(old);
        return why_set(why, E_NOMEM, "out of memory");
    }
    err = write_back(r, path, old->parts[0].text, why);
    e->approved[0] = '\0';
    if (err == 0) {
        if (served) memcpy(e->approved, old->id, sizeof e->approved);
        if (e->present) registry_mark(r, e); /* the file may have had these bytes */
        buf_addf(out, "%s: the text of %.12s is back in the folder\n", path, old->id);
        for (size_t i = 1; i < old->part_count; i++) {
            const struct entry *module = registry_entry(r, old->parts[i].path);
            if (module != NULL && strcmp(module->settled, old->parts[i].hash) == 0) continue;
            buf_addf(out, "%s: is not what it was then\n", old->parts[i].path);
            same = false;
        }
        if (r->options.mode == SCRIPTS_STAGED && !(served && same))
            buf_addf(out, "%s: never served so: it waits for luwak deploy %s\n", path, path);
        err = out->err;
    }
    version_drop(old);
    return err;
}

void registry_deploy(struct registry *r, const char *path,
                     void (*done)(void *data, const struct why *why), void *data) {
    struct entry *e = registry_entry(r, path);
    struct why why = {0};
    struct buf command = {0};
    if (e == NULL) {
        no_script(&why, path);
    } else if (registry_busy(r, e)) {
        if (e->wish.done == NULL) {
            e->wish = (struct deploying){done, data};
            return;
        }
        why_set(&why, E_BUSY, "%s: another deploy of it is under way", path);
    } else if (e->error != NULL) {
        why_set(&why, E_SCRIPT, "not deployed: %s", e->error);
    } else if (e->staged == NULL && e->held == NULL) {
        why_set(&why, E_STATE, "%s: nothing waits to be deployed", path);
    } else if (registry_lacks(r, e->staged != NULL ? e->staged : e->held, &command)) {
        if (e->staged != NULL) registry_go_live(r, e, version_keep(e->staged)); /* is held */
        why_set(&why, E_STATE, "%s: lacks grants; it goes live with: %.*s", path,
                STR_FMT(buf_str(&command)));
    } else if (e->staged == NULL) {
        why_set(&why, E_BUSY, "%s: is going live", path);
    } else if (registry_check_routes(r, e, e->staged, &why) == 0) {
        e->deploy = (struct deploying){done, data};
        registry_save(r, e, version_keep(e->staged), "live");
        return;
    }
    buf_free(&command);
    done(data, &why);
}
