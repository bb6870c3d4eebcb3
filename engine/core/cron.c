/*  new --(when did it last run?)--> armed --due--> firing --(commit)--> armed
 *
 * An entry that is dropped while the store works on it is freed when the answer comes. */
#include "core/cron.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "sys/log.h"

#include <stdio.h>

enum { LOOK_AGAIN_MS = 1000 };

struct entry {
    struct entry *next;
    struct cron *cron;
    char *name;
    char *backoff;
    struct schedule schedule;
    bool once;
    bool known;       /* last_due was read */
    bool busy;        /* the store works for it */
    bool dropped;     /* free it when that is over */
    int64_t last_due; /* 0: never ran */
    int64_t due;      /* next */
};

struct cron {
    struct store *store;
    struct jobs *jobs;
    struct loop *loop;
    struct rng *rng;
    struct entry *entries;
    struct timer timer;
    bool deleting;
};

static void look(struct cron *c);
static void timer_fired(struct timer *t);

static int64_t now(const struct cron *c) {
    return clock_now_ms(loop_clock(c->loop));
}

static void entry_free(struct entry *e) {
    struct cron *c = e->cron;
    struct entry **at = &c->entries;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    mem_free(e->name);
    mem_free(e->backoff);
    mem_free(e);
    if (c->deleting && c->entries == NULL) mem_free(c);
}

/* The due time to serve next: the latest one that was missed, else the first to come. */
static void plan(struct entry *e) {
    int64_t at = now(e->cron);
    e->due = schedule_next(&e->schedule, e->last_due == 0 ? at : e->last_due);
    if (e->due < at) {
        int64_t latest = schedule_next(&e->schedule, at - e->schedule.period_ms);
        if (latest <= at && latest > e->due) e->due = latest;
    }
}

static bool settled(struct entry *e) {
    e->busy = false;
    if (!e->dropped) return false;
    entry_free(e);
    return true;
}

/* What failed is not asked for again at once. */
static void look_later(struct cron *c) {
    if (!c->deleting) timer_start(c->loop, &c->timer, LOOK_AGAIN_MS, timer_fired);
}

static void last_known(int err, const struct why *why, struct rows *rows, void *data) {
    struct entry *e = data;
    struct cron *c = e->cron;
    if (err == 0 && rows_count(rows) != 0) e->last_due = rows_int(rows, 0, 0);
    rows_free(rows);
    if (settled(e)) return;
    if (err != 0) log_error("cron_not_read", L_TEXT("name", e->name), L_TEXT("error", why->text));
    e->known = err == 0;
    if (!e->known) {
        look_later(c);
        return;
    }
    plan(e);
    look(c);
}

static void fired(const struct commit_result *result, void *data) {
    struct entry *e = data;
    struct cron *c = e->cron;
    bool done = result->err == 0 || result->err == E_GUARD;
    if (settled(e)) return;
    if (done) {
        e->last_due = e->due;
        plan(e);
        jobs_poke(c->jobs);
    } else {
        log_error("cron_not_written", L_TEXT("name", e->name),
                  L_TEXT("error", err_text(result->err)));
        look_later(c);
        return;
    }
    look(c);
}

static void fire(struct entry *e) {
    struct cron *c = e->cron;
    struct commit *commit;
    if (commit_new(&commit) != 0) return; /* the timer looks again */
    char args[64];
    snprintf(args, sizeof args, "{\"due_at\":%lld}", (long long)e->due);
    commit_add(commit, OP_CRON_RAN, VALS(V_TEXT(e->name), V_INT(e->due)));
    job_enqueue(commit,
                &(struct job_new){.name = str_of(e->name),
                                  .args = str_of(args),
                                  .due_at = e->due,
                                  .once = e->once,
                                  .backoff = str_of(e->backoff),
                                  .unique = str_of(e->name)},
                loop_clock(c->loop), c->rng);
    e->busy = true;
    store_submit(c->store, commit, LANE_RESULT, c->loop, fired, e);
}

static void ask_last(struct entry *e) {
    e->busy = true;
    store_query(e->cron->store, "cron_last", VALS(V_TEXT(e->name)), e->cron->loop, last_known, e);
}

static void timer_fired(struct timer *t) {
    look(CONTAINER_OF(t, struct cron, timer));
}

static void look(struct cron *c) {
    if (c->deleting) return;
    for (struct entry *e = c->entries; e != NULL; e = e->next) {
        if (e->busy || e->dropped) continue;
        if (!e->known)
            ask_last(e);
        else if (e->due <= now(c))
            fire(e);
    }
    int64_t wait = cron_next_due(c) == INT64_MAX ? LOOK_AGAIN_MS : cron_next_due(c) - now(c);
    if (wait > LOOK_AGAIN_MS) wait = LOOK_AGAIN_MS;
    if (c->entries != NULL)
        timer_start(c->loop, &c->timer, wait < 10 ? 10 : (uint64_t)wait, timer_fired);
}

int cron_new(struct cron **out, struct store *store, struct jobs *jobs, struct loop *loop,
             struct rng *rng) {
    struct cron *c = mem_zalloc(sizeof *c);
    if (c == NULL) return E_NOMEM;
    *c = (struct cron){.store = store, .jobs = jobs, .loop = loop, .rng = rng};
    *out = c;
    return 0;
}

void cron_delete(struct cron *c) {
    if (c == NULL) return;
    timer_stop(&c->timer);
    c->deleting = true;
    if (c->entries == NULL)
        mem_free(c);
    else
        for (struct entry *e = c->entries, *next; e != NULL; e = next) {
            next = e->next;
            if (e->busy)
                e->dropped = true;
            else
                entry_free(e); /* with the last one the cron goes too */
        }
}

static struct entry *find(const struct cron *c, struct str name) {
    for (struct entry *e = c->entries; e != NULL; e = e->next)
        if (!e->dropped && str_eq(str_of(e->name), name)) return e;
    return NULL;
}

int cron_set(struct cron *c, struct str name, const struct schedule *schedule, bool once,
             struct str backoff) {
    char *text = mem_dup(backoff.p, backoff.n);
    if (text == NULL) return E_NOMEM;
    struct entry *e = find(c, name);
    if (e == NULL) {
        e = mem_zalloc(sizeof *e);
        char *copy = mem_dup(name.p, name.n);
        if (e == NULL || copy == NULL) {
            mem_free(e);
            mem_free(copy);
            mem_free(text);
            return E_NOMEM;
        }
        *e = (struct entry){.next = c->entries, .cron = c, .name = copy};
        c->entries = e;
    }
    mem_free(e->backoff);
    e->backoff = text;
    e->schedule = *schedule;
    e->once = once;
    if (e->known && !e->busy) plan(e);
    look(c);
    return 0;
}

void cron_drop(struct cron *c, struct str name) {
    struct entry *e = find(c, name);
    if (e == NULL) return;
    if (e->busy)
        e->dropped = true;
    else
        entry_free(e);
}

bool cron_idle(const struct cron *c) {
    for (const struct entry *e = c->entries; e != NULL; e = e->next)
        if (e->busy || !e->known || e->due <= now(c)) return false;
    return true;
}

int64_t cron_next_due(const struct cron *c) {
    int64_t first = INT64_MAX;
    for (const struct entry *e = c->entries; e != NULL; e = e->next)
        if (e->known && !e->dropped && e->due < first) first = e->due;
    return first;
}

void cron_poke(struct cron *c) {
    look(c);
}
