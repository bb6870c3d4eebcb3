/* See payment_act.h. Read, decide, commit what is asked of the provider, ask it, answer with what
 * stands then; or with what stands when LUWAK_CREATE_WAIT is over, and go on without whoever asked.
 * A cancel first waits until the call that makes the attempt is over: a provider that is asked to
 * cancel what is still on its way to it knows nothing of it, and then makes it.
 *
 *   begin --> commit --> the provider --> over: told, freed
 *                             '---(patience over)---> told, and over later
 *
 * An early answer is stored for its key before it is told, as far as the disk takes it in time. Here
 * are the ends, the call, cancel and sync; payment_act_keyed.c has refund and capture. */
#include "payment/payment_act_private.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "core/idempotency.h"
#include "core/jobs.h"
#include "core/person.h"
#include "payment/payment_cancel.h"
#include "payment/payment_inquire.h"
#include "script/manifest.h"
#include "script/operation_text.h"
#include "sys/log.h"

#include <stdio.h>

enum { CREATING_LOOK_MS = 100 };

/* ---- the ends ---- */

static void tell(struct act *a) {
    struct buf filled = {0};
    if (a->told) return;
    a->told = true;
    timer_stop(&a->patience);
    if (!a->reply.problem) {
        int err = customer_fill(a->core, buf_str(&a->reply.body), &filled);
        buf_free(&a->reply.body);
        a->reply.body = filled;
        if (err != 0 || filled.err != 0) payment_reply_store(&a->reply, E_NOMEM, a->ask.request_id);
    }
    a->done(&a->reply, a->data);
}

static void end_now(struct task *task) {
    struct act *a = CONTAINER_OF(task, struct act, task);
    tell(a);
    timer_stop(&a->patience);
    timer_stop(&a->look);
    if (a->marked) operation_unmark(a->ask.services->gate, &a->mark);
    operation_release(a->ask.services->gate, &a->begun);
    if (a->body.root != NULL) json_doc_free(&a->body);
    script_set_drop(a->set);
    payment_reply_free(&a->reply);
    if (a->plain.data != NULL) mem_wipe(a->plain.data, a->plain.cap);
    buf_free(&a->plain);
    buf_free(&a->input);
    mem_free(a);
}

/* The last step of every way. */
void act_end(struct act *a) {
    a->ended = true;
    if (a->storing) return; /* answer_stored() comes here again */
    a->task.run = end_now;
    loop_post(a->loop, &a->task);
}

void act_end_problem(struct act *a, enum problem_code code, const char *param, const char *detail) {
    struct refusal why = {.code = code};
    snprintf(why.param, sizeof why.param, "%s", param == NULL ? "" : param);
    snprintf(why.text, sizeof why.text, "%s", detail);
    payment_reply_fault(&a->reply, &why, a->ask.request_id);
    act_end(a);
}

void act_end_error(struct act *a, int err) {
    if (err == E_NOTFOUND)
        act_end_problem(a, PROBLEM_NOT_FOUND, NULL, "there is no such payment");
    else {
        payment_reply_store(&a->reply, err, a->ask.request_id);
        act_end(a);
    }
}

/* Of a cancel that its provider has not answered yet: it is asked about. */
static bool under_way(const struct act *a) {
    struct rows *rows = NULL;
    struct operation_row row;
    if (a->operation[0] == '\0') return false;
    int err = store_get(a->core->store, "operation_get", VALS(V_TEXT(a->operation)), &rows);
    bool open = err == 0 && rows_count(rows) != 0 && operation_row_read(rows, 0, &row) == 0 &&
                operation_open(row.state);
    rows_free(rows);
    return open;
}

/* The payment as it stands. Only what is over for good, or what the provider refused to cancel, is
 * refused: a cancel that is under way may still come true. */
static void reply_payment(struct act *a) {
    struct payment p;
    int err = payment_read(a->core, a->ask.merchant, str_of(a->id), &p);
    if (err != 0) {
        payment_reply_store(&a->reply, err, a->ask.request_id);
        return;
    }
    bool cancelled = p.status == PAYMENT_CANCELLED;
    if (a->action == ACT_CANCEL && !cancelled && !(payment_open(p.status) && under_way(a))) {
        struct refusal why = {.code = PROBLEM_INVALID_STATE};
        snprintf(why.text, sizeof why.text, "the payment is %s", PAYMENT_STATES[p.status].name);
        payment_reply_fault(&a->reply, &why, a->ask.request_id);
    } else {
        payment_reply_payment(&a->reply, a->core, 200, &p);
    }
    payment_free(&p);
}

static void answer_stored(const struct commit_result *result, void *data) {
    struct act *a = data;
    if (result->err != 0) log_warn("answer_not_stored", L_TEXT("error", err_text(result->err)));
    a->storing = false;
    tell(a);
    if (a->ended) act_end(a);
}

static void stored_late(struct timer *timer) {
    tell(CONTAINER_OF(timer, struct act, patience));
}

/* What he hears is kept for his key. */
static void keep_reply(struct act *a, struct str object) {
    struct commit *c = NULL;
    if (a->reply.body.err != 0 || commit_new(&c) != 0) {
        payment_reply_store(&a->reply, E_NOMEM, a->ask.request_id);
        return;
    }
    idempotency_answer(c, a->ask.merchant, a->ask.path, a->ask.key, a->reply.status,
                       buf_str(&a->reply.body), object);
    a->storing = true;
    timer_start(a->loop, &a->patience, payment_store_ms(a->ask.services->config), stored_late);
    store_submit(a->core->store, c, LANE_RESULT, a->loop, answer_stored, a);
}

static void reply_capture(struct act *a) {
    struct payment p;
    int err = payment_read(a->core, a->ask.merchant, str_of(a->id), &p);
    if (err != 0) {
        payment_reply_store(&a->reply, err, a->ask.request_id);
        return;
    }
    payment_reply_payment(&a->reply, a->core, 200, &p);
    payment_free(&p);
    keep_reply(a, str_of(a->id));
}

static void reply_refund(struct act *a) {
    struct refund refund;
    int err = refund_read(a->core, a->ask.merchant, str_of(a->refund), &refund);
    if (err != 0) {
        payment_reply_store(&a->reply, err, a->ask.request_id);
        return;
    }
    a->reply.status = 201;
    refund_json(&refund, &a->reply.body);
    refund_free(&refund);
    keep_reply(a, str_of(a->refund));
}

static void reply_now(struct act *a) {
    if (a->told || a->storing) return; /* what he heard, or is to hear, stays */
    if (a->action == ACT_REFUND)
        reply_refund(a);
    else if (a->action == ACT_CAPTURE)
        reply_capture(a);
    else
        reply_payment(a);
}

static void act_over(struct act *a) {
    a->asking = false;
    reply_now(a);
    act_end(a);
}

static void patience_over(struct timer *timer) {
    struct act *a = CONTAINER_OF(timer, struct act, patience);
    if (a->waiting && !a->ended) { /* nothing is stored yet that could be gone on with */
        act_end_problem(a, PROBLEM_INVALID_STATE, NULL,
                        "its provider has not answered yet whether there is anything to cancel");
        return;
    }
    if (a->ended || !a->asking) return; /* its answer is on the way; see ask_provider() */
    reply_now(a);
    if (!a->storing) tell(a);
}

/* ---- at the provider ---- */

static void inquired(int err, bool open, void *data) {
    (void)err, (void)open; /* what stands in the store is what is answered */
    act_over(data);
}

static int ask_provider(struct act *a, const char *function, struct str operation) {
    struct rows *rows = NULL;
    struct operation_row row;
    int err = store_get(a->core->store, "operation_get", VALS(V_STR(operation)), &rows);
    if (err == 0 && (rows_count(rows) == 0 || operation_row_read(rows, 0, &row) != 0))
        err = E_NOTFOUND;
    if (err == 0)
        err = payment_inquire(&(struct payment_inquiry){.services = a->ask.services,
                                                        .runtime = a->ask.runtime,
                                                        .version = a->version,
                                                        .function = function,
                                                        .operation = &row},
                              inquired, a);
    rows_free(rows);
    operation_release(a->ask.services->gate, &a->begun);
    a->asking = err == 0;
    if (a->asking && !timer_armed(&a->patience)) /* it was over before: what stands is the answer */
        timer_start(a->loop, &a->patience, 0, patience_over);
    return err;
}

static void find_channel(struct act *a, const struct payment *p) {
    const struct script_entry *e =
        p->channel.n == 0 ? NULL : script_set_find(a->set, KIND_CHANNEL, p->channel);
    a->version = e == NULL ? NULL : e->version; /* deleted ones serve what is open */
}

bool act_can(const struct act *a, const char *function) {
    return a->version != NULL && manifest_has(a->version->manifest, function);
}

void act_begin_none(struct act *a) {
    operation_release(a->ask.services->gate, &a->begun);
    a->operation[0] = '\0';
}

void act_begun(struct act *a) {
    operation_hold(a->ask.services->gate, &a->begun, a->operation);
}

/* ---- cancel ---- */

static int build_cancel(const struct core *core, struct payment *p, struct commit *c, void *data,
                        struct why *why) {
    struct act *a = data;
    const struct attempt *at = payment_attempt(p, p->attempt);
    act_begin_none(a);
    /* Begun since begin_cancel() looked: its provider would be asked to cancel what is not there yet. */
    a->creating = at != NULL && payment_open(p->status) &&
                  operation_under_way(a->ask.services->gate, str_of(at->id));
    if (a->creating) return why_set(why, E_BUSY, "the attempt is being made");
    a->version = payment_cancel_channel(a->set, at);
    if (a->version == NULL) return payment_add_cancel(core, c, p, why);
    if (!payment_open(p->status))
        return why_set(why, E_STATE, "the payment is %s", PAYMENT_STATES[p->status].name);
    int err = payment_cancel_add(core, c, p, at, a->version, a->operation);
    if (err == 0) act_begun(a);
    return err;
}

static void look_creating(struct timer *timer);

static void await_creation(struct act *a) {
    a->waiting = true;
    if (timer_armed(&a->patience))
        timer_start(a->loop, &a->look, CREATING_LOOK_MS, look_creating);
    else
        patience_over(&a->patience);
}

void act_changed(int err, const struct why *why, void *data) {
    static const char *const FUNCTIONS[] = {[ACT_CANCEL] = "cancel",
                                            [ACT_SYNC] = "inquire",
                                            [ACT_CAPTURE] = "capture",
                                            [ACT_REFUND] = "refund"};
    struct act *a = data;
    if (err == E_BUSY && a->creating)
        await_creation(a);
    else if (err == E_STATE)
        act_end_problem(a, PROBLEM_INVALID_STATE, NULL, why->text);
    else if (err == E_LIMIT || err == E_RANGE)
        act_end_problem(a, PROBLEM_INVALID_REQUEST, "amount", why->text);
    else if (err == E_EXISTS && a->action == ACT_CANCEL) /* one is under way: as it stands */
        act_over(a);
    else if (err == E_CANCELLED) /* the key was used meanwhile: a->reply says it */
        act_end(a);
    else if (err != 0)
        act_end_error(a, err);
    else if (a->operation[0] == '\0')
        act_over(a);
    else {
        jobs_poke(a->ask.services->jobs);
        if (ask_provider(a, FUNCTIONS[a->action], str_of(a->operation)))
            act_over(a); /* the ask job takes it */
    }
}

void act_change(struct act *a, payment_build build,
                void (*done)(int err, const struct why *why, void *data)) {
    struct payment_change what = {.core = a->core,
                                  .loop = a->loop,
                                  .lane = LANE_NEW,
                                  .id = str_of(a->id),
                                  .build = build,
                                  .done = done,
                                  .data = a};
    int err = payment_change(&what);
    if (err != 0) act_end_error(a, err);
}

static void begin_cancel(struct act *a, struct payment *p) {
    const struct attempt *at = payment_attempt(p, p->attempt);
    if (at != NULL && payment_open(p->status) &&
        operation_under_way(a->ask.services->gate, str_of(at->id)))
        await_creation(a);
    else if (!payment_open(p->status))
        act_over(a); /* cancelled: the same again; else 409 */
    else
        act_change(a, build_cancel, act_changed);
}

static void look_creating(struct timer *timer) {
    struct act *a = CONTAINER_OF(timer, struct act, look);
    struct payment p;
    if (a->ended) return;
    int err = payment_read(a->core, a->ask.merchant, str_of(a->id), &p);
    a->waiting = false;
    if (err != 0) {
        act_end_error(a, err);
        return;
    }
    begin_cancel(a, &p);
    payment_free(&p);
}

/* ---- sync ---- */

static void begin_sync(struct act *a, struct payment *p) {
    const struct attempt *at = payment_attempt(p, p->attempt);
    struct payment_tries tries = {0}; /* one that waits for its next try has made nothing so far */
    bool ask = at != NULL && payment_tries_read(at->doc, &tries) == 0 && tries.next_at == 0 &&
               operation_open(at->state) && act_can(a, "inquire") &&
               !operation_under_way(a->ask.services->gate, str_of(at->id));
    if (!ask || ask_provider(a, "inquire", str_of(at->id)) != 0) act_over(a);
}

/* ---- beginning ---- */

static void begin(struct task *task) {
    struct act *a = CONTAINER_OF(task, struct act, task);
    struct payment p;
    int err = payment_read(a->core, a->ask.merchant, str_of(a->id), &p);
    if (err != 0) {
        act_end_error(a, err);
        return;
    }
    find_channel(a, &p);
    switch (a->action) {
    case ACT_CANCEL: begin_cancel(a, &p); break;
    case ACT_SYNC: begin_sync(a, &p); break;
    case ACT_REFUND: act_begin_refund(a); break;
    case ACT_CAPTURE: act_begin_capture(a); break;
    }
    payment_free(&p);
}

int payment_act(enum payment_action action, const struct payment_ask *ask, struct str id,
                payment_replied done, void *data) {
    struct act *a = mem_zalloc(sizeof *a + ask->merchant.n + ask->body.n + ask->key.n +
                               ask->path.n + ask->request_id.n + 5);
    if (a == NULL) return E_NOMEM;
    char *at = a->texts;
    a->action = action;
    a->ask = *ask;
    a->ask.merchant = str_copy(&at, ask->merchant);
    a->ask.body = a->ask.raw = str_copy(&at, ask->body);
    a->ask.key = str_copy(&at, ask->key);
    a->ask.path = str_copy(&at, ask->path);
    a->ask.request_id = str_copy(&at, ask->request_id);
    snprintf(a->id, sizeof a->id, "%.*s", STR_FMT(id));
    a->core = ask->services->core;
    a->loop = runtime_loop(ask->runtime);
    a->set = script_set_keep(ask->services->scripts(ask->services->worker));
    a->done = done;
    a->data = data;
    timer_start(a->loop, &a->patience, payment_patience_ms(ask->services->config), patience_over);
    a->task.run = begin;
    loop_post(a->loop, &a->task);
    return 0;
}
