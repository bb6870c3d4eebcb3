/* See operator.h. A call lives on the heap until its finish; deploys and grants go one by one. */
#include "serve/operator.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "net/address.h"
#include "net/url.h"
#include "script/grants.h"
#include "script/manifest.h"
#include "serve/worker.h"
#include "sys/crypto_text.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct asked {
    struct operator_call call;
    struct engine *engine;
    size_t at; /* of deploy: the path under way */
    const char *said;
};

static void lines(struct asked *a, struct buf *text) {
    struct str rest = buf_str(text), one;
    while (rest.n != 0) {
        str_cut(rest, '\n', &one, &rest);
        char *copy = mem_dup(one.p, one.n);
        if (copy != NULL) a->call.line(a->call.to, true, copy);
        mem_free(copy);
    }
    buf_free(text);
}

static void finish(struct asked *a, int err, const char *text) {
    a->call.finish(a->call.to, err, text);
    mem_free(a);
}

static const char *arg(const struct asked *a, size_t i) { /* NULL: not given, or empty */
    return i < a->call.count && a->call.args[i][0] != '\0' ? a->call.args[i] : NULL;
}

/* ---- scripts ---- */

/* The root, the version, and its text in pieces that fit a line. */
static int kept(struct asked *a, const char *path, struct buf *out, struct why *why) {
    enum { PIECE = 200 };
    char root[PATH_MAX], version[VERSION_ID_SIZE];
    struct buf text = {0};
    if (realpath(a->engine->root, root) == NULL)
        return why_set(why, E_IO, "%s: %s", a->engine->root, strerror(errno));
    int err = registry_kept_text(a->engine->registry, path, arg(a, 1), version, &text, why);
    if (err == 0) buf_addf(out, "%s\n%s\n", root, version);
    for (size_t at = 0; err == 0 && at < text.len; at += PIECE) {
        size_t end = text.len - at < PIECE ? text.len : at + PIECE;
        text_encode(out, ENC_HEX, str_sub(buf_str(&text), at, end));
        buf_adds(out, "\n");
    }
    buf_free(&text);
    return err;
}

static void scripts(struct asked *a, const char *what) {
    struct registry *r = a->engine->registry;
    struct buf text = {0};
    struct why why = {0};
    const char *path = arg(a, 0);
    int err = 0;
    if (strcmp(what, "list") == 0)
        registry_list(r, &text);
    else if (path == NULL)
        err = why_set(&why, E_USAGE, "which script? name its FILE");
    else if (strcmp(what, "history") == 0)
        err = registry_history(r, path, &text, &why);
    else if (strcmp(what, "diff") == 0)
        err = registry_diff(r, path, arg(a, 1), arg(a, 2), &text, &why);
    else if (strcmp(what, "kept") == 0)
        err = kept(a, path, &text, &why);
    else if (strcmp(what, "rollback") == 0)
        err = registry_rollback(r, path, arg(a, 1), &text, &why);
    else
        err = why_set(&why, E_NOTFOUND, "no such command");
    if (err == 0 && text.err != 0) err = why_set(&why, text.err, "%s", err_text(text.err));
    lines(a, &text);
    finish(a, err, why.text);
}

static void deploy_next(struct asked *a);

static void deployed(void *data, const struct why *why) {
    struct asked *a = data;
    if (why->code != 0) {
        finish(a, why->code, why->text);
        return;
    }
    char line[SCRIPT_PATH_MAX + 16];
    snprintf(line, sizeof line, "%s: live", a->call.args[a->at]);
    a->call.line(a->call.to, true, line);
    a->at++;
    deploy_next(a);
}

static void deploy_next(struct asked *a) {
    if (a->at == a->call.count)
        finish(a, 0, "");
    else
        registry_deploy(a->engine->registry, a->call.args[a->at], deployed, a);
}

/* ---- grants ---- */

/* Calls for each host and key that scripts of the provider (NULL: all) declare; once each. */
typedef void (*declared_cb)(void *data, const char *provider, const char *kind, const char *value);

struct seen {
    const char *provider, *kind, *value;
};
static bool seen_before(struct seen *seen, size_t *count, size_t max, struct seen one) {
    for (size_t i = 0; i < *count; i++)
        if (strcmp(seen[i].provider, one.provider) == 0 && strcmp(seen[i].kind, one.kind) == 0 &&
            strcmp(seen[i].value, one.value) == 0)
            return true;
    if (*count < max) seen[(*count)++] = one;
    return false;
}

enum { SEEN_MAX = 4096 };

struct declaring {
    const char *provider, *env; /* provider NULL: all */
    declared_cb each;
    void *data;
    struct seen *seen;
    size_t count;
};

static void declare(void *data, const char *provider, const char *kind, const char *value) {
    struct declaring *d = data;
    if (d->provider != NULL && strcmp(provider, d->provider) != 0) return;
    if (!seen_before(d->seen, &d->count, SEEN_MAX, (struct seen){provider, kind, value}))
        d->each(d->data, provider, kind, value);
}

static void declare_version(void *data, const struct version *v) {
    grants_each_asked(v, ((struct declaring *)data)->env, declare, data);
}

static int each_declared(struct engine *e, const char *provider, declared_cb each, void *data) {
    struct declaring d = {provider,
                          e->simulated ? "" : e->workers[0]->services.environment,
                          each,
                          data,
                          mem_array(SEEN_MAX, sizeof *d.seen),
                          0};
    if (d.seen == NULL) return E_NOMEM;
    registry_each(e->registry, declare_version, &d);
    mem_free(d.seen);
    return 0;
}

struct showing {
    struct asked *a;
    const struct rows *rows;
    int shown;
};

static bool granted(const struct rows *rows, const char *provider, const char *kind,
                    const char *value) {
    for (size_t i = 0; i < rows_count(rows); i++)
        if (str_eq(rows_text(rows, i, 0), str_of(provider)) &&
            str_eq(rows_text(rows, i, 1), str_of(kind)) &&
            str_eq(rows_text(rows, i, 2), str_of(value)))
            return true;
    return false;
}

static void show_line(struct showing *s, const char *provider, const char *kind, const char *value,
                      const char *state) {
    char line[512];
    snprintf(line, sizeof line, "%-16s %-8s %-40s %s", provider, kind, value, state);
    s->a->call.line(s->a->call.to, true, line);
    s->shown++;
}

static void show_declared(void *data, const char *provider, const char *kind, const char *value) {
    struct showing *s = data;
    show_line(s, provider, kind, value,
              granted(s->rows, provider, kind, value) ? "granted" : "asked for, not granted");
}

static void is_declared(void *data, const char *provider, const char *kind, const char *value) {
    struct seen *s = data;
    if (strcmp(s->provider, provider) == 0 && strcmp(s->kind, kind) == 0 &&
        strcmp(s->value, value) == 0)
        s->provider = "";
}

static void show_rows(int err, const struct why *why, struct rows *rows, void *data) {
    struct asked *a = data;
    if (err != 0) {
        finish(a, err, why->text);
        return;
    }
    struct showing s = {a, rows, 0};
    const char *only = arg(a, 0);
    err = each_declared(a->engine, only, show_declared, &s);
    for (size_t i = 0; err == 0 && i < rows_count(rows);
         i++) { /* what no script asks for any more */
        struct str provider = rows_text(rows, i, 0);
        if (only != NULL && !str_eq(provider, str_of(only))) continue;
        char name[64], kind[16], value[256];
        snprintf(name, sizeof name, "%.*s", STR_FMT(provider));
        snprintf(kind, sizeof kind, "%.*s", STR_FMT(rows_text(rows, i, 1)));
        snprintf(value, sizeof value, "%.*s", STR_FMT(rows_text(rows, i, 2)));
        struct seen one = {name, kind, value};
        err = each_declared(a->engine, name, is_declared, &one);
        if (err == 0 && one.provider[0] != '\0')
            show_line(&s, name, kind, value,
                      strcmp(kind, "network") == 0 ? "granted" : "granted, not asked for");
    }
    rows_free(rows);
    if (err != 0) {
        finish(a, err, err_text(err));
    } else if (only != NULL && s.shown == 0) {
        char text[160];
        snprintf(text, sizeof text, "%.64s: no script of this provider, and no grants", only);
        finish(a, E_NOTFOUND, text);
    } else {
        finish(a, 0, "");
    }
}

static void reread(int err, const struct why *why, struct rows *rows, void *data) {
    struct asked *a = data;
    if (err == 0 && a->engine->grants != NULL) {
        grants_set(a->engine->grants, rows);
        registry_granted(a->engine->registry); /* what was held for them goes live */
    }
    rows_free(rows);
    if (err == 0) a->call.line(a->call.to, true, a->said);
    finish(a, err, err == 0 ? "" : why->text);
}

static void granting_done(const struct commit_result *result, void *data) {
    struct asked *a = data;
    if (result->err != 0)
        finish(a, result->err, err_text(result->err));
    else
        store_query(a->engine->store, "grants_all", NULL, 0, a->engine->loop, reread, a);
}

struct adding {
    struct commit *commit;
    const struct clock *clock;
    int count;
};
static void add_grant(void *data, const char *provider, const char *kind, const char *value) {
    struct adding *add = data;
    commit_add(
        add->commit, OP_GRANT_SET,
        VALS(V_TEXT(provider), V_TEXT(kind), V_TEXT(value), V_INT(clock_now_ms(add->clock))));
    add->count++;
}

static void drop_all(int err, const struct why *why, struct rows *rows, void *data) {
    struct asked *a = data;
    struct commit *c = NULL;
    if (err == 0) err = commit_new(&c);
    if (err != 0) {
        rows_free(rows);
        finish(a, err, why != NULL ? why->text : err_text(err));
        return;
    }
    size_t n = rows_count(rows);
    for (size_t i = 0; i < n; i++)
        commit_add(c, OP_GRANT_DROP,
                   VALS(V_STR(rows_text(rows, i, 0)), V_STR(rows_text(rows, i, 1)),
                        V_STR(rows_text(rows, i, 2))));
    rows_free(rows);
    if (n == 0) {
        commit_free(c);
        finish(a, E_NOTFOUND, "nothing is granted to this provider");
    } else {
        store_submit(a->engine->store, c, LANE_NEW, a->engine->loop, granting_done, a);
    }
}

static int check_grant(const char *kind, const char *value, struct why *why) {
    struct cidr network;
    if (strcmp(kind, "network") == 0) return cidr_parse(&network, str_of(value), why);
    if (strcmp(kind, "host") == 0) return url_host_check(value, why);
    size_t n = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    if (n != 0 && value[n] == '\0') return 0;
    return why_set(why, E_USAGE, "\"%.100s\": a key is capital letters, digits and _", value);
}

/* It is granted all the same: the script that asks may come later. */
static void note_unasked(struct asked *a, const char *provider, const char *kind,
                         const char *value) {
    char line[400];
    struct seen one = {provider, kind, value};
    if (strcmp(kind, "network") == 0) return;
    each_declared(a->engine, provider, is_declared, &one);
    if (one.provider[0] == '\0') return;
    snprintf(line, sizeof line, "note: no script of %.60s asks for the %s %.250s", provider, kind,
             value);
    a->call.line(a->call.to, true, line);
}

static void grant(struct asked *a, const char *what) {
    struct engine *e = a->engine;
    const char *provider = arg(a, 0);
    if (strcmp(what, "show") == 0) {
        store_query(e->store, "grants_all", NULL, 0, e->loop, show_rows, a);
        return;
    }
    bool drop = strcmp(what, "drop") == 0, all = strcmp(what, "all") == 0;
    if (provider == NULL || (!drop && !all && strcmp(what, "set") != 0)) {
        finish(a, E_USAGE, "grant: which PROVIDER?");
        return;
    }
    a->said = drop ? "taken back" : "granted";
    if (drop && a->call.count == 1) {
        const struct val value = V_TEXT(provider);
        store_query(e->store, "grants", &value, 1, e->loop, drop_all, a);
        return;
    }
    struct adding add = {.clock = e->clock};
    if (commit_new(&add.commit) != 0) {
        finish(a, E_NOMEM, "out of memory");
        return;
    }
    if (all && each_declared(e, provider, add_grant, &add) != 0) {
        commit_free(add.commit);
        finish(a, E_NOMEM, "out of memory");
        return;
    }
    for (size_t i = 1; !all && i + 1 < a->call.count; i += 2) {
        const char *kind = a->call.args[i], *value = a->call.args[i + 1];
        struct why why = {0};
        if (check_grant(kind, value, &why) != 0) {
            commit_free(add.commit);
            finish(a, E_USAGE, why.text);
            return;
        }
        if (drop)
            commit_add(add.commit, OP_GRANT_DROP,
                       VALS(V_TEXT(provider), V_TEXT(kind), V_TEXT(value)));
        else
            add_grant(&add, provider, kind, value);
        if (!drop) note_unasked(a, provider, kind, value);
        add.count++;
    }
    if (add.count == 0) {
        commit_free(add.commit);
        finish(a, E_NOTFOUND, "no script of this provider asks for anything");
        return;
    }
    store_submit(e->store, add.commit, LANE_NEW, e->loop, granting_done, a);
}

/* ---- the call ---- */

void operator_run(struct engine *e, const struct operator_call *call) {
    struct asked *a = mem_zalloc(sizeof *a);
    if (a == NULL) {
        call->finish(call->to, E_NOMEM, "out of memory");
        return;
    }
    a->call = *call;
    a->engine = e;
    if (strncmp(call->name, "scripts.", 8) == 0)
        scripts(a, call->name + 8);
    else if (strncmp(call->name, "grant.", 6) == 0)
        grant(a, call->name + 6);
    else if (strcmp(call->name, "deploy") == 0)
        deploy_next(a);
    else
        finish(a, E_NOTFOUND, "this server does not know that command: is it of another version?");
}

/* ---- alone ---- */

struct waiting {
    struct engine *engine;
    struct operator_call call;
    const struct store_report *report;
    struct why *why;
    struct timer timer;
    int err;
};

static void waiting_line(void *to, bool good, const char *text) {
    const struct waiting *w = to;
    w->report->line(w->report->data, good, text);
}

static void stop_when_idle(struct timer *timer) {
    struct waiting *w = CONTAINER_OF(timer, struct waiting, timer);
    if (registry_idle(w->engine->registry))
        loop_stop(w->engine->loop);
    else
        timer_start(w->engine->loop, timer, 2, stop_when_idle);
}

static void waiting_finish(void *to, int err, const char *text) {
    struct waiting *w = to;
    w->err = err == 0 ? 0 : why_set(w->why, err, "%s", text);
    timer_start(w->engine->loop, &w->timer, 0, stop_when_idle);
}

static void begin_when_idle(struct timer *timer) {
    struct waiting *w = CONTAINER_OF(timer, struct waiting, timer);
    if (registry_idle(w->engine->registry))
        operator_run(w->engine, &w->call);
    else
        timer_start(w->engine->loop, timer, 2, begin_when_idle);
}

static void loaded(struct engine *e, int err, void *data) {
    struct waiting *w = data;
    if (err != 0)
        waiting_finish(w, err, "the scripts cannot be loaded");
    else
        timer_start(e->loop, &w->timer, 0, begin_when_idle);
}

int operator_wait(struct engine *e, const char *name, const char *const *args, size_t count,
                  const struct store_report *report, struct why *why) {
    struct waiting w = {.engine = e,
                        .call = {name, args, count, waiting_line, waiting_finish, &w},
                        .report = report,
                        .why = why};
    engine_start(e, loaded, &w);
    loop_uv_run(e->loop);
    return w.err;
}
