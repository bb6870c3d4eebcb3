/* See payment_try.h. From the first commit on, an end without a result is the ask job's. */
#include "payment/payment_try.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "core/jobs.h"
#include "core/person.h"
#include "payment/payment_adopt.h"
#include "payment/payment_breaker.h"
#include "script/operation_text.h"
#include "sys/config.h"
#include "sys/log.h"

#include <stdio.h>

struct trying {
    struct payment_try what;
    struct version *version;
    const struct core *core;
    struct loop *loop;
    char payment[ID_SIZE], operation[ID_SIZE], reference[200], account[64];
    int made, limit;    /* tries: this one's number, and how many there may be */
    int64_t generation; /* of the attempt when the call began */
    int64_t expires_at;
    bool late;  /* its time was over: it is not called any more */
    bool again; /* this one made nothing either */
    struct payment_pass pass;
    struct payment_decision decision;
    struct operation_mark mark;
    bool marked;
    payment_tried done;
    void *data;
};

static void end(struct trying *t, int err) {
    payment_tried done = t->done;
    void *data = t->data;
    payment_pass_return(&t->pass);
    if (t->marked) operation_unmark(t->what.services->gate, &t->mark);
    payment_decision_free(&t->decision);
    version_drop(t->version);
    mem_free(t);
    done(err, data);
}

/* ---- what came of it ---- */

static int build_end(const struct core *core, struct payment *p, struct commit *c, void *data,
                     struct why *why) {
    struct trying *t = data;
    const struct attempt *a = payment_attempt(p, str_of(t->operation));
    if (a == NULL) return why_set(why, E_NOTFOUND, "attempt %s is gone", t->operation);
    size_t at = (size_t)(a - p->attempts);
    if (t->again && a->generation == t->generation && payment_open(p->status))
        return payment_add_try_later(core, c, p, at, t->made, t->limit, &t->decision.result);
    return payment_add_result(core, c, p, at, t->generation, &t->decision.result, why);
}

static void written(int err, const struct why *why, void *data) {
    struct trying *t = data;
    if (err != 0)
        log_error("payment_result_not_stored", L_TEXT("payment", t->payment),
                  L_TEXT("error", why->code == 0 ? err_text(err) : why->text));
    else
        payment_adopt_result(t->what.services, t->what.runtime, str_of(t->account),
                             &t->decision.result);
    if (err == 0 && t->again) jobs_poke(t->what.services->jobs);
    end(t, 0); /* begun is begun */
}

static void change(struct trying *t, payment_build build,
                   void (*done)(int, const struct why *, void *)) {
    int err = payment_change(&(struct payment_change){.core = t->core,
                                                      .loop = t->loop,
                                                      .lane = LANE_RESULT,
                                                      .id = str_of(t->payment),
                                                      .build = build,
                                                      .done = done,
                                                      .data = t});
    if (err != 0) done(err, &(struct why){0}, t);
}

static void decided(const struct operation_decision *d, void *data) {
    struct trying *t = data;
    payment_decision_take(&t->decision, d, t->version, str_of(t->reference));
    payment_pass_report(&t->pass, d, &t->decision);
    t->again = payment_decision_nothing(&t->decision, d) && t->made < t->limit;
    change(t, build_end, written);
}

/* ---- the call ---- */

static int call(struct trying *t) {
    struct rows *rows = NULL;
    struct operation_row row;
    struct buf given = {0};
    int err = store_get(t->core->store, "operation_get", VALS(V_TEXT(t->operation)), &rows);
    if (err == 0 && (rows_count(rows) == 0 || operation_row_read(rows, 0, &row) != 0))
        err = E_CORRUPT;
    if (err == 0) err = input_fill(t->core, row.doc, &given);
    if (err == 0) {
        row.given = buf_str(&given);
        row.payment = str_of(t->payment);
        row.expires_at = t->expires_at;
        t->generation = row.generation;
        operation_mark(t->what.services->gate, &t->mark, str_of(t->operation));
        t->marked = true;
        err = dispatch_operation(&(struct operation_call){.runtime = t->what.runtime,
                                                          .services = t->what.services,
                                                          .version = t->version,
                                                          .function = "create",
                                                          .operation = &row,
                                                          .decided = decided},
                                 NULL, t);
    }
    buf_free(&given);
    rows_free(rows);
    return err;
}

/* Its breaker is open: this try made nothing without a call. */
static void rest(struct trying *t) {
    static const struct operation_decision RESTS = {.not_created = true, .to = OPERATION_FAILED};
    decided(&RESTS, t);
}

static void begun(int err, const struct why *why, void *data) {
    struct trying *t = data;
    (void)why;
    if (err == E_STATE || err == E_NOTFOUND || (err == 0 && t->late)) {
        end(t, 0);
    } else if (err != 0) {
        end(t, err);
    } else if (!payment_pass_take(&t->pass, t->what.services, t->version)) {
        struct payment p; /* the generation that its begin made */
        if (payment_read(t->core, STR(""), str_of(t->payment), &p) == 0) {
            const struct attempt *a = payment_attempt(&p, str_of(t->operation));
            t->generation = a == NULL ? 0 : a->generation;
            payment_free(&p);
        }
        rest(t);
    } else if (call(t) != 0) {
        end(t, 0);
    }
}

static int build_begin(const struct core *core, struct payment *p, struct commit *c, void *data,
                       struct why *why) {
    static const struct payment_result LATE = {
        .to = OPERATION_FAILED,
        .code = {"TIMEOUT", 7},
        .message = {"the provider could not be reached in time", 41}};
    struct trying *t = data;
    const struct attempt *a = payment_attempt(p, str_of(t->operation));
    if (a == NULL) return why_set(why, E_NOTFOUND, "attempt %s is gone", t->operation);
    size_t at = (size_t)(a - p->attempts);
    struct payment_tries tries;
    int err = payment_tries_read(a->doc, &tries);
    if (err != 0) return err;
    t->made = tries.made + 1;
    t->expires_at = p->expires_at;
    t->late = p->expires_at != 0 && core_now(core) >= p->expires_at;
    err = payment_add_try(core, c, p, at, why);
    if (err == 0 && t->late)
        err = payment_add_result(core, c, p, at, p->attempts[at].generation, &LATE, why);
    return err;
}

int payment_try(const struct payment_try *what, payment_tried done, void *data) {
    struct rows *rows = NULL;
    int err = store_get(what->services->core->store, "payment_of_operation",
                        VALS(V_STR(what->operation->id)), &rows);
    if (err == 0 && rows_count(rows) == 0) err = E_NOTFOUND;
    struct trying *t = err == 0 ? mem_zalloc(sizeof *t) : NULL;
    if (t == NULL) {
        rows_free(rows);
        return err != 0 ? err : E_NOMEM;
    }
    t->what = *what;
    t->core = what->services->core;
    t->loop = runtime_loop(what->runtime);
    t->version = version_keep(what->version);
    t->limit = (int)config_number(what->services->config, SET_PAYMENT_RETRY_ATTEMPTS);
    t->done = done;
    t->data = data;
    snprintf(t->payment, sizeof t->payment, "%.*s", STR_FMT(rows_text(rows, 0, 0)));
    snprintf(t->operation, sizeof t->operation, "%.*s", STR_FMT(what->operation->id));
    snprintf(t->reference, sizeof t->reference, "%.*s", STR_FMT(what->operation->reference));
    snprintf(t->account, sizeof t->account, "%.*s", STR_FMT(what->operation->account));
    rows_free(rows);
    err = payment_change(&(struct payment_change){.core = t->core,
                                                  .loop = t->loop,
                                                  .lane = LANE_RESULT,
                                                  .id = str_of(t->payment),
                                                  .build = build_begin,
                                                  .done = begun,
                                                  .data = t});
    if (err == 0) return 0;
    version_drop(t->version);
    mem_free(t);
    return err;
}
