/* See payment_flow.h: the request, what is known of it, and the rules. One struct per request, on the heap, from the question to the last commit; it
 * may outlive its answer. Every step ends in a callback that begins the next, or in flow_end(). */
#include "payment/payment_flow.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "base/money.h"
#include "base/timefmt.h"
#include "core/idempotency.h"
#include "core/person.h"
#include "payment/payment_flow_private.h"
#include "sys/config.h"
#include "sys/log.h"

#include <stdio.h>

enum {
    CREATING_LOOK_MS = 25, /* how often one looks at an order that is being created */
    TRY_LOOK_MS = 250      /* ... and at an attempt that is tried again */
};

static void flow_free(struct flow *f) {
    timer_stop(&f->patience);
    timer_stop(&f->look);
    if (f->payment_marked) operation_unmark(f->ask.services->gate, &f->payment_mark);
    if (f->attempt_marked) operation_unmark(f->ask.services->gate, &f->attempt_mark);
    flow_mark_none(f);
    payment_cancel_drop(f->ask.services, &f->withdrawal);
    payment_pass_return(&f->pass);
    if (f->has_payment) payment_free(&f->payment);
    if (f->request.doc.root != NULL) payment_request_free(&f->request);
    if (f->set != NULL) script_set_drop(f->set);
    payment_decision_free(&f->decision);
    payment_reply_free(&f->reply);
    buf_free(&f->doc);
    buf_free(&f->input);
    buf_free(&f->given);
    buf_free(&f->whole);
    buf_free(&f->backoff);
    mem_free(f->memory);
    mem_free(f);
}

/* ---- the answer ---- */

/* What is stored holds the customer's id; whoever asked gets the customer. */
static void fill_customer(struct flow *f) {
    struct buf filled = {0};
    if (f->reply.problem || f->reply.body.err != 0) return;
    int err = customer_fill(f->core, buf_str(&f->reply.body), &filled);
    buf_free(&f->reply.body);
    f->reply.body = filled;
    if (err != 0) f->reply.body.err = err;
}

static void tell(struct flow *f) {
    if (f->told) return;
    f->replied = f->told = true;
    timer_stop(&f->patience);
    fill_customer(f);
    if (f->reply.body.err != 0)
        payment_reply_store(&f->reply, f->reply.body.err, f->ask.request_id);
    f->done(&f->reply, f->data);
}

static void end_now(struct task *task) {
    struct flow *f = CONTAINER_OF(task, struct flow, task);
    tell(f);
    flow_free(f);
}

/* The last step of every way: what is in f->reply is the answer, if nobody was answered before. */
void flow_end(struct flow *f) {
    f->over = true;
    if (f->answering) return; /* patience_stored() comes here again */
    f->task.run = end_now;
    loop_post(f->loop, &f->task);
}

void flow_end_fault(struct flow *f, const struct refusal *fault) {
    payment_reply_fault(&f->reply, fault, f->ask.request_id);
    flow_end(f);
}

void flow_end_problem(struct flow *f, enum problem_code code, const char *detail) {
    payment_reply_problem(&f->reply, code, detail, f->ask.request_id);
    flow_end(f);
}

void flow_end_error(struct flow *f, int err) {
    payment_reply_store(&f->reply, err, f->ask.request_id);
    flow_end(f);
}

int flow_read_again(struct flow *f) {
    char id[ID_SIZE];
    memcpy(id, f->payment.id, sizeof id);
    payment_free(&f->payment);
    f->has_payment = false;
    int err = payment_read(f->core, f->ask.merchant, str_of(id), &f->payment);
    f->has_payment = err == 0;
    if (err != 0) memcpy(f->payment.id, id, sizeof id);
    return err;
}

void flow_end_payment(struct flow *f, int status) {
    int err = f->has_payment ? flow_read_again(f) : E_NOTFOUND;
    if (err != 0) {
        flow_end_error(f, err);
        return;
    }
    payment_reply_payment(&f->reply, f->core, status, &f->payment);
    flow_end(f);
}

/* ---- patience: whoever asked is answered with what is known, and the flow goes on ---- */

static void patience_stored(const struct commit_result *result, void *data) {
    struct flow *f = data;
    f->answering = false;
    if (result->err != 0 && result->err != E_EXISTS && result->err != E_GUARD)
        log_error("answer_not_stored", L_TEXT("payment", f->payment.id),
                  L_TEXT("error", err_text(result->err)));
    tell(f);
    if (f->over) flow_end(f);
}

/* The disk did not take it in time: he hears what stands, and the commit goes on without him. */
static void store_late(struct timer *timer) {
    struct flow *f = CONTAINER_OF(timer, struct flow, patience);
    struct payment now;
    if (f->told || (f->over && !f->answering)) return;
    if (!f->replied) { /* it is the result that waits for room: nobody may hear of it yet */
        int err = payment_read(f->core, f->ask.merchant, str_of(f->payment.id), &now);
        if (err == 0) {
            payment_reply_payment(&f->reply, f->core, 201, &now);
            payment_free(&now);
        } else {
            payment_reply_store(&f->reply, err, f->ask.request_id);
        }
    }
    tell(f);
    if (f->trying && !f->stored && !f->over) flow_end(f);
}

/* What stands is his answer, stored for its key; what is still under way goes on without him. */
static void answer_now(struct flow *f) {
    struct commit *c = NULL;
    struct payment now;
    timer_start(f->loop, &f->patience, payment_store_ms(f->ask.services->config), store_late);
    if (f->stored || payment_read(f->core, f->ask.merchant, str_of(f->payment.id), &now) != 0)
        return;
    bool over = f->trying; /* nothing else is under way */
    payment_reply_payment(&f->reply, f->core, 201, &now);
    if (f->ask.key.n != 0 && commit_new(&c) == 0 &&
        payment_add_answer(f->core, c, &now, f->ask.path, f->ask.key, 201,
                           buf_str(&f->reply.body)) == 0) {
        f->answering = f->replied = true; /* whatever comes meanwhile is not what he hears */
        store_submit(f->core->store, c, LANE_RESULT, f->loop, patience_stored, f);
    } else {
        if (c != NULL) commit_free(c);
        tell(f);
    }
    if (over) flow_end(f);
    payment_free(&now);
}

static void patience_over(struct timer *timer) {
    struct flow *f = CONTAINER_OF(timer, struct flow, patience);
    if (f->replied || f->over) return;
    if (!f->attempt_marked && !f->trying) return; /* see flow_out_of_patience() */
    timer_stop(&f->look);
    answer_now(f);
}

/* It was over before there was anything to tell, or while an order was looked at that another request
 * made: what stands is the answer now that its own attempt does. */
void flow_out_of_patience(struct flow *f) {
    if (!f->replied && !timer_armed(&f->patience))
        timer_start(f->loop, &f->patience, 0, patience_over);
}

/* ---- another try: a job's, here it is only waited for ---- */

static void look_try(struct timer *timer) {
    struct flow *f = CONTAINER_OF(timer, struct flow, look);
    struct payment now;
    if (payment_read(f->core, f->ask.merchant, str_of(f->payment.id), &now) == 0) {
        const struct attempt *a = payment_attempt(&now, str_of(f->attempt));
        bool waits = a != NULL && a->state == OPERATION_SENDING;
        payment_free(&now);
        if (!waits) {
            answer_now(f);
            return;
        }
    }
    timer_start(f->loop, &f->look, TRY_LOOK_MS, look_try);
}

void flow_await_try(struct flow *f) {
    timer_start(f->loop, &f->look, TRY_LOOK_MS, look_try);
}

/* ---- known before? ---- */

static void look_order(struct timer *timer);

static bool same_text(struct str asked, struct str stands) {
    return asked.n == 0 || str_eq(asked, stands);
}

static void order_known(struct flow *f, struct payment *p) {
    const struct payment_request *r = &f->request;
    if (p->amount != r->amount || !str_eq(p->currency, r->currency) ||
        !same_text(r->method, p->method) || !same_text(r->bank, p->bank) ||
        !same_text(r->channel, p->channel)) {
        payment_reply_duplicate(&f->reply, p->id, f->ask.request_id);
        flow_end(f);
        return;
    }
    bool creating = operation_under_way(f->ask.services->gate, str_of(p->id));
    if (creating && timer_armed(&f->patience)) {
        timer_start(f->loop, &f->look, CREATING_LOOK_MS, look_order);
        return;
    }
    struct payment
        now; /* it may have been made between being read and being looked for in the gate */
    int err = payment_read(f->core, f->ask.merchant, str_of(p->id), &now);
    if (err != 0) {
        flow_end_error(f, err);
        return;
    }
    payment_reply_payment(&f->reply, f->core, 200, &now);
    payment_free(&now);
    flow_end(f);
}

/* True: the flow has ended, or waits. */
bool flow_find_order(struct flow *f) {
    struct payment p;
    int err = payment_of_order(f->core, f->ask.merchant, f->request.order_id, &p);
    if (err == E_NOTFOUND) return false;
    if (err != 0) {
        flow_end_error(f, err);
        return true;
    }
    order_known(f, &p);
    payment_free(&p);
    return true;
}

bool flow_find_key(struct flow *f) {
    if (f->ask.key.n == 0) return false;
    struct payment_key_of key = {f->ask.merchant, f->ask.path, f->ask.key, f->ask.raw,
                                 f->ask.request_id};
    int err = payment_reply_known(&f->reply, f->core, f->ask.services->gate, &key);
    if (err == E_NOTFOUND) return false;
    if (err != 0)
        flow_end_error(f, err);
    else
        flow_end(f);
    return true;
}

static void look_order(struct timer *timer) {
    struct flow *f = CONTAINER_OF(timer, struct flow, look);
    if (!flow_find_order(f)) flow_ask_risk(f); /* it failed meanwhile: this is a new one */
}

static void begin(struct flow *f) {
    struct refusal fault = {0};
    if (f->ask.choose.n != 0) {
        flow_choose(f);
        return;
    }
    if (f->ask.key.n != 0 && !idempotency_key_is(f->ask.key)) {
        refusal_set(&fault, PROBLEM_INVALID_REQUEST, "Idempotency-Key",
                    "an Idempotency-Key is 1 to %d characters of printable ASCII",
                    IDEMPOTENCY_KEY_MAX);
        flow_end_fault(f, &fault);
        return;
    }
    const struct config *config = f->ask.services->config;
    int err = payment_request_read(&f->request, f->ask.body, &fault);
    if (err == 0)
        err = payment_request_return_urls(&f->request, config_text(config, SET_PAYMENT_SUCCESS_URL),
                                          config_text(config, SET_PAYMENT_FAILURE_URL));
    if (err == E_INVAL) {
        flow_end_fault(f, &fault);
    } else if (err != 0) {
        flow_end_error(f, err);
    } else if (!flow_find_key(f) && !flow_find_order(f)) {
        err = payment_channels_find(f->ask.services, f->set, f->ask.merchant, &f->request,
                                    &f->channels, &fault);
        if (err == 0)
            flow_ask_risk(f);
        else if (err == E_INVAL)
            flow_end_fault(f, &fault);
        else
            flow_end_error(f, err);
    }
}

/* ---- rules ---- */

/* What rules are told. `v`: the channel it would go to; NULL: not known yet. */
static int facts_write(const struct flow *f, const struct version *v, struct buf *out) {
    const struct payment_request *r = &f->request;
    struct json_out w;
    struct buf day = {0};
    int err = time_format(core_now(f->core), STR("date"), ZONE_WIB, &day);
    json_out_init(&w, out);
    json_begin_object(&w);
    json_put_int(&w, "amount", r->amount);
    json_put_str(&w, "currency", r->currency);
    json_put_str(&w, "merchant", f->ask.merchant);
    json_put_str(&w, "order_id", r->order_id);
    json_put_str(&w, "paid_on", buf_str(&day));
    put_str(&w, "method", v == NULL ? r->method : str_of(v->manifest->method));
    put_str(&w, "bank", v == NULL ? r->bank : str_of(v->manifest->bank));
    put_str(&w, "channel", v == NULL ? r->channel : str_of(v->name));
    if (v != NULL) json_put_text(&w, "provider", v->manifest->provider);
    payment_facts_write(&f->facts, &w);
    if (v != NULL && err == 0) err = merchant_put_category(f->core, f->ask.merchant, &w);
    json_end_object(&w);
    if (err == 0) err = json_out_end(&w);
    buf_free(&day);
    return err;
}

static int ask_rule(struct flow *f, enum manifest_rule rule, const struct version *v,
                    rule_done_cb done) {
    struct buf facts = {0};
    int err = facts_write(f, v, &facts);
    if (err == 0)
        err = rules_ask(
            &(struct rule_question){
                .rule = rule, .runtime = f->ask.runtime, .set = f->set, .facts = buf_str(&facts)},
            done, f);
    buf_free(&facts);
    return err;
}

static void rule_failed(struct flow *f) {
    flow_end_problem(f, PROBLEM_INTERNAL_ERROR, "a rule failed here; nothing was sent");
}

struct version *flow_channel(const struct flow *f) {
    return f->channels.count == 0 ? NULL : f->channels.at[f->channel];
}

static void fee_known(const struct rule_answer *answer, void *data) {
    struct flow *f = data;
    if (answer->err != 0) {
        rule_failed(f);
        return;
    }
    f->fee = answer->fee;
    snprintf(f->fee_version, sizeof f->fee_version, "%s",
             answer->version == NULL ? "" : answer->version);
    f->amount_due = f->request.amount;
    if (f->fee.bearer == BEARER_CUSTOMER &&
        money_add(f->amount_due, f->fee.total, &f->amount_due) != 0)
        rule_failed(f);
    else if (f->ask.choose.n == 0 || flow_choose_fee(f))
        flow_begin_channel(f);
}

static void ask_fee(struct flow *f) {
    struct version *v = flow_channel(f);
    f->amount_due = f->request.amount;
    f->expires_at = channel_expires_at(f->ask.services, v, &f->request, core_now(f->core));
    if (v == NULL && f->id[0] != '\0') {
        flow_end_problem(f, PROBLEM_UNAVAILABLE, "no channel is available for this now");
        return;
    }
    if (f->ask.choose.n != 0) flow_choose_expiry(f);
    if (v == NULL) { /* which way costs what is known when the payer chose one */
        flow_commit(f, NULL);
        return;
    }
    int err = ask_rule(f, RULE_FEE, v, fee_known);
    if (err != 0) flow_end_error(f, err);
}

bool flow_pick(struct flow *f, size_t from) {
    for (size_t i = from; i < f->channels.count; i++) {
        if (payment_pass_take(&f->pass, f->ask.services, f->channels.at[i])) {
            f->next_channel = i;
            return true;
        }
        f->skipped |= UINT64_C(1) << i;
    }
    return false;
}

/* For a person: those between that were not asked at all. */
void flow_note_skipped(struct flow *f, struct commit *c, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        char text[300];
        if ((f->skipped >> i & 1) == 0) continue;
        snprintf(text, sizeof text, "%s is not called: its last calls failed, it rests",
                 f->channels.at[i]->name);
        payment_add_note(f->core, c, str_of(f->payment.id), "channel_skipped", str_of(text));
    }
}

static void choose(struct flow *f) {
    payment_pass_return(&f->pass); /* of an order that was waited for */
    f->skipped = 0;
    if (f->channels.count != 0 && !flow_pick(f, 0)) {
        flow_end_problem(f, PROBLEM_UNAVAILABLE, "no channel is available for this now");
        return;
    }
    f->channel = f->channels.count == 0 ? 0 : f->next_channel;
    ask_fee(f);
}

static void route_known(const struct rule_answer *answer, void *data) {
    struct flow *f = data;
    if (answer->err == 0 && answer->path != NULL) { /* else file order */
        payment_channels_order(&f->channels, &answer->route);
        f->on = answer->route.on;
        if (f->channels.count == 0) {
            flow_end_problem(f, PROBLEM_UNAVAILABLE, "no channel is available for this now");
            return;
        }
    }
    choose(f);
}

static void ask_routing(struct flow *f) {
    f->on = UINT64_C(1) << PROBLEM_BANK_UNAVAILABLE | UINT64_C(1) << PROBLEM_PROVIDER_ERROR;
    int err = f->channels.count > 1 ? ask_rule(f, RULE_ROUTING, NULL, route_known) : 0;
    if (err != 0)
        flow_end_error(f, err);
    else if (f->channels.count <= 1)
        choose(f);
}

void flow_continue_channels(struct flow *f) {
    struct refusal fault = {0};
    int err = payment_channels_find(f->ask.services, f->set, f->ask.merchant, &f->request,
                                    &f->channels, &fault);
    if (err == 0)
        ask_routing(f);
    else if (err == E_INVAL)
        flow_end_fault(f, &fault);
    else
        flow_end_error(f, err);
}

static void risk_known(const struct rule_answer *answer, void *data) {
    struct flow *f = data;
    if (answer->err != 0) {
        rule_failed(f);
        return;
    }
    if (answer->risk.verdict != VERDICT_ALLOW && f->ask.choose.n != 0) {
        flow_end_problem(f, PROBLEM_FRAUD_DETECTED, "this way of paying cannot be used here");
        return;
    }
    if (answer->risk.verdict != VERDICT_ALLOW) {
        memcpy(f->reason, answer->risk.reason, sizeof f->reason);
        f->amount_due = f->request.amount;
        f->channels.count = 0; /* nothing goes anywhere */
        f->expires_at = channel_expires_at(f->ask.services, NULL, &f->request, core_now(f->core));
        struct payment_result result = {
            .to = answer->risk.verdict == VERDICT_REVIEW ? OPERATION_PROCESSING : OPERATION_FAILED,
            .code = STR("FRAUD_DETECTED"),
            .message = str_of(f->reason)};
        flow_commit(f, &result);
        return;
    }
    ask_routing(f);
}

void flow_ask_risk(struct flow *f) {
    if (f->released || config_number(f->ask.services->config, SET_PAYMENT_FRAUD_DETECTION) == 0) {
        static const struct rule_answer NOBODY_ASKED = {.rule = RULE_RISK};
        risk_known(&NOBODY_ASKED, f);
        return;
    }
    int err = payment_facts_read(&f->facts, f->core, f->set, f->ask.merchant, &f->request);
    if (f->ask.choose.n != 0) payment_facts_without(&f->facts); /* itself was counted */
    if (err == 0) err = ask_rule(f, RULE_RISK, NULL, risk_known);
    if (err != 0) flow_end_error(f, err);
}

/* ---- beginning ---- */

static void begin_now(struct task *task) {
    struct flow *f = CONTAINER_OF(task, struct flow, task);
    if (f->id[0] != '\0')
        flow_continue(f);
    else
        begin(f);
}

void payment_flow_hurry(struct flow *f) {
    if (!timer_armed(&f->look) || f->trying) return;
    timer_stop(&f->look);
    flow_end_problem(f, PROBLEM_UNAVAILABLE, "try again");
}

struct flow *payment_flow_continue(const struct payment_ask *ask, struct str id,
                                   payment_replied done, void *data) {
    struct flow *f = payment_flow_start(ask, done, data);
    if (f != NULL) snprintf(f->id, sizeof f->id, "%.*s", STR_FMT(id));
    return f;
}

struct flow *payment_flow_start(const struct payment_ask *ask, payment_replied done, void *data) {
    struct flow *f = mem_zalloc(sizeof *f);
    struct str raw = ask->raw.p == NULL ? ask->body : ask->raw;
    if (f == NULL) return NULL;
    f->memory =
        mem_alloc(ask->merchant.n + ask->body.n + raw.n + ask->key.n + ask->path.n + ask->choose.n +
                  ask->request_id.n + ask->api_key.n + ask->door.n + ask->urls.n + 10);
    if (f->memory == NULL) {
        mem_free(f);
        return NULL;
    }
    char *at = f->memory;
    f->ask = *ask;
    f->ask.merchant = str_copy(&at, ask->merchant);
    f->ask.body = str_copy(&at, ask->body);
    f->ask.raw = str_copy(&at, raw);
    f->ask.key = str_copy(&at, ask->key);
    f->ask.path = str_copy(&at, ask->path);
    f->ask.choose = str_copy(&at, ask->choose);
    f->ask.request_id = str_copy(&at, ask->request_id);
    f->ask.api_key = str_copy(&at, ask->api_key);
    f->ask.door = str_copy(&at, ask->door);
    f->ask.urls = str_copy(&at, ask->urls);
    f->core = ask->services->core;
    f->loop = runtime_loop(ask->runtime);
    f->set = script_set_keep(ask->services->scripts(ask->services->worker));
    f->done = done;
    f->data = data;
    timer_start(f->loop, &f->patience, payment_patience_ms(ask->services->config), patience_over);
    f->task.run = begin_now;
    loop_post(f->loop, &f->task);
    return f;
}
