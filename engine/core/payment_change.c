/* Read, decide, commit; and again, from the reading on, while others are faster. */
#include "base/ensure.h"
#include "base/mem.h"
#include "core/payment_private.h"
#include "sys/metrics.h"

#include <stdio.h>

struct change {
    struct payment_change what; /* its id in `id` */
    struct core core;
    struct task task;
    struct why why;
    int tries, err;
    char id[ID_SIZE];
    bool has_first;
    struct payment first;
    enum payment_status before, now; /* what the commit under way does to it */
};

static struct metric payments = {.name = "luwak_payments_total",
                                 .help = "Payments that were created, or came to another status",
                                 .type = METRIC_COUNTER,
                                 .labels = {"status"}};

void payment_count_moved(enum payment_status before, enum payment_status now) {
    if (now != before) metric_add(&payments, 1, LABELS(PAYMENT_STATES[now].name));
}

void payment_count_created(enum payment_status now) {
    metric_add(&payments, 1, LABELS("created"));
    payment_count_moved(PAYMENT_PENDING, now);
}

static void attempt_change(struct change *c);

static void ended(struct task *task) {
    struct change *c = CONTAINER_OF(task, struct change, task);
    c->what.done(c->err, c->err == 0 ? NULL : &c->why, c->what.data);
    if (c->has_first) payment_free(&c->first);
    mem_free(c);
}

static void committed(const struct commit_result *result, void *data) {
    struct change *c = data;
    bool lost = result->err == E_GUARD || result->err == E_EXISTS ||
                (result->err == E_STATE && result->detail != NULL && /* another line was faster */
                 str_starts(str_of(result->detail), STR("audit_append:")));
    if (lost && ++c->tries < PAYMENT_CHANGE_TRIES) {
        attempt_change(c);
        return;
    }
    c->err = result->err;
    if (c->err != 0) why_set(&c->why, c->err, "%s", result->detail == NULL ? "" : result->detail);
    if (c->err == 0) payment_count_moved(c->before, c->now);
    if (c->err == 0 && c->what.committed != NULL) c->what.committed(result, c->what.data);
    ended(&c->task);
}

static void later(struct change *c, int err) {
    c->err = err;
    if (c->why.code == 0) why_set(&c->why, err, "%s", err_text(err));
    c->task.run = ended;
    loop_post(c->what.loop, &c->task);
}

static void attempt_change(struct change *c) {
    struct payment p;
    struct commit *commit = NULL;
    c->why = (struct why){0};
    int err = 0;
    if (c->has_first) {
        p = c->first; /* its generation says whether it still stands */
        c->has_first = false;
    } else {
        err = payment_read(&c->core, STR(""), str_of(c->id), &p);
    }
    if (err != 0) {
        later(c, err);
        return;
    }
    c->before = p.status;
    err = commit_new(&commit);
    if (err == 0) err = c->what.build(&c->core, &p, commit, c->what.data, &c->why);
    c->now = p.status;
    payment_free(&p);
    if (err == 0) {
        store_submit(c->core.store, commit, c->what.lane, c->what.loop, committed, c);
        return;
    }
    commit_free(commit);
    later(c, err);
}

int payment_change(const struct payment_change *change) {
    struct change *c = mem_zalloc(sizeof *c);
    if (c == NULL) return E_NOMEM;
    c->what = *change;
    c->core = *change->core;
    snprintf(c->id, sizeof c->id, "%.*s", STR_FMT(change->id));
    if (change->first != NULL) {
        c->first = *change->first;
        c->has_first = true;
        memset(change->first, 0, sizeof *change->first);
    }
    attempt_change(c);
    return 0;
}
