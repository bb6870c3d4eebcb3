/* See payment_policy.h: read the movement, ask the rule, commit; a refund at the provider is called
 * at once (by the attempt that brought the money, which may not be the one that the payment goes by),
 * and asked about when it does not answer. What is left to a person is noted, so that it is known to
 * be decided: scripts/jobs/suspense.lua asks about all that is not. */
#include "payment/payment_policy.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "payment/payment_inquire.h"
#include "payment/payment_price.h"
#include "payment/payment_settle.h"
#include "script/manifest.h"
#include "script/operation_text.h"
#include "script/rules.h"
#include "script/script_set.h"
#include "sys/log.h"

#include <stdio.h>

struct policing {
    const struct script_services *services;
    struct runtime *runtime;
    const struct core *core;
    struct loop *loop;
    struct script_set *set;
    int64_t movement, held, paid_at;
    char payment[ID_SIZE], operation[ID_SIZE];
    struct operation_hold begun; /* p->operation, until its call */
    char attempt[ID_SIZE];       /* that brought it */
    char reference[160];
    const char *on;
    enum rule_action action;
    struct version *channel;    /* of the attempt, of the set; NULL: gone */
    struct payment_price price; /* of what is accepted */
    struct buf input;
    payment_policed done;
    void *data;
    struct task task;
    int err;
};

static void end_now(struct task *task) {
    struct policing *p = CONTAINER_OF(task, struct policing, task);
    operation_release(p->services->gate, &p->begun);
    p->done(p->err, p->data);
    buf_free(&p->input);
    script_set_drop(p->set);
    mem_free(p);
}

static void end(struct policing *p, int err) {
    if (err != 0 && err != E_STATE)
        log_error("policy_not_followed", L_TEXT("payment", p->payment),
                  L_TEXT("error", err_text(err)));
    p->err = err;
    p->task.run = end_now;
    loop_post(p->loop, &p->task);
}

/* ---- a person decides ---- */

static void noted(const struct commit_result *result, void *data) {
    struct policing *p = data;
    end(p, result->err);
}

/* "12: late money of 150000 waits for a person": the query movements_to_judge reads the number. */
static void leave(struct policing *p, const char *why) {
    struct commit *c = NULL;
    char text[300];
    snprintf(text, sizeof text, "%lld: %s money of %lld waits for a person%s%s",
             (long long)p->movement, p->on, (long long)p->held, why == NULL ? "" : ": ",
             why == NULL ? "" : why);
    if (commit_new(&c) != 0) {
        end(p, E_NOMEM);
        return;
    }
    payment_add_note(p->core, c, str_of(p->payment), "policy_waits", str_of(text));
    store_submit(p->core->store, c, LANE_RESULT, p->loop, noted, p);
}

/* ---- what follows ---- */

static bool by_provider(const struct policing *p) {
    return p->channel != NULL && manifest_has(p->channel->manifest, "refund");
}

static int add_refund(struct policing *p, const struct core *core, struct payment *payment,
                      struct commit *c, struct why *why) {
    struct refund refund;
    struct payment_operation o = {0};
    const struct attempt *at = payment_attempt(payment, str_of(p->attempt));
    bool provider = by_provider(p) && at != NULL;
    struct refund_new what = {.amount = p->held,
                              .reason = str_of(p->on),
                              .by = provider ? STR("provider") : STR("hand"),
                              .movement = p->movement};
    operation_release(p->services->gate, &p->begun);
    p->operation[0] = '\0';
    if (provider) {
        struct json_out w;
        snprintf(p->reference, sizeof p->reference, "%.*s-m%lld",
                 (int)(at->reference.n > 40 ? 40 : at->reference.n), at->reference.p,
                 (long long)p->movement);
        buf_clear(&p->input);
        json_out_init(&w, &p->input);
        json_begin_object(&w);
        json_put_str(&w, "reference", at->reference);
        json_put_int(&w, "amount", p->held);
        json_put_text(&w, "reason", p->on);
        json_end_object(&w);
        int err = json_out_end(&w);
        if (err != 0) return err;
        o = (struct payment_operation){.kind = STR("refund"),
                                       .script = str_of(p->channel->path),
                                       .version = str_of(p->channel->id),
                                       .account = at->account,
                                       .reference = str_of(p->reference),
                                       .input = buf_str(&p->input),
                                       .amount = p->held,
                                       .ask_at = core_now(core) + ASK_AFTER_MS,
                                       .ask_backoff = ASK_BACKOFF};
        what.operation = &o;
    }
    int err = payment_add_refund(core, c, payment, &what, &refund, why);
    if (err != 0 || !provider) return err;
    memcpy(p->operation, o.id, sizeof p->operation);
    operation_hold(p->services->gate, &p->begun, p->operation);
    return 0;
}

static int build(const struct core *core, struct payment *payment, struct commit *c, void *data,
                 struct why *why) {
    struct policing *p = data;
    char text[120];
    snprintf(text, sizeof text, "%lld: %s money of %lld: %s", (long long)p->movement, p->on,
             (long long)p->held, p->action == ACTION_REFUND ? "it goes back" : "it counts");
    payment_add_note(core, c, str_of(payment->id), "policy", str_of(text));
    if (p->action == ACTION_REFUND) return add_refund(p, core, payment, c, why);
    if (p->price.unpriced)
        payment_add_note(core, c, str_of(payment->id), "unpriced",
                         STR("the fee rule failed; booked without a fee"));
    struct fee fee;
    return payment_add_accept(core, c, payment, p->movement, payment_price_fee(&p->price, &fee),
                              payment_settle_at(p->services, p->set, core_now(core)), why);
}

static void asked(int err, bool open, void *data) {
    (void)err, (void)open; /* its ask job stands */
    end(data, 0);
}

static void call_refund(struct policing *p) {
    struct rows *rows = NULL;
    struct operation_row row;
    int err = store_get(p->core->store, "operation_get", VALS(V_TEXT(p->operation)), &rows);
    if (err == 0 && (rows_count(rows) == 0 || operation_row_read(rows, 0, &row) != 0))
        err = E_NOTFOUND;
    if (err == 0)
        err = payment_inquire(&(struct payment_inquiry){.services = p->services,
                                                        .runtime = p->runtime,
                                                        .version = p->channel,
                                                        .function = "refund",
                                                        .operation = &row},
                              asked, p);
    rows_free(rows);
    operation_release(p->services->gate, &p->begun);
    if (err != 0) end(p, 0);
}

static void changed(int err, const struct why *why, void *data) {
    struct policing *p = data;
    if (err == 0 && p->operation[0] != '\0')
        call_refund(p);
    else if (err == E_STATE || err == E_LIMIT) /* the rule's answer does not fit any more */
        leave(p, why->text);
    else
        end(p, err);
}

/* What another moment may mend: the job asks again. */
static bool passes(int err) {
    return err == E_NOMEM || err == E_CLOSED || err == E_BUSY || err == E_CANCELLED;
}

static void follow(void *data) {
    struct policing *p = data;
    struct payment_change change = {.core = p->core,
                                    .loop = p->loop,
                                    .lane = LANE_RESULT,
                                    .id = str_of(p->payment),
                                    .build = build,
                                    .done = changed,
                                    .data = p};
    int err = payment_change(&change);
    if (err != 0) end(p, err);
}

/* What makes the payment paid costs what it does on the day it came. */
static int price(struct policing *p) {
    struct payment payment;
    if (p->action != ACTION_ACCEPT) return follow(p), 0;
    int err = payment_read(p->core, STR(""), str_of(p->payment), &payment);
    if (err != 0) return err;
    const struct attempt *a = payment_attempt(&payment, str_of(p->attempt));
    bool asks = a != NULL && p->channel != NULL && payment.status != PAYMENT_SUCCESS &&
                !payment_price_frozen(&payment);
    if (asks)
        err = payment_price(&p->price, p->core,
                            &(struct payment_price_of){.runtime = p->runtime,
                                                       .set = p->set,
                                                       .payment = &payment,
                                                       .attempt = a,
                                                       .provider = p->channel->manifest->provider,
                                                       .amount = p->held,
                                                       .paid_at = p->paid_at},
                            follow, p);
    payment_free(&payment);
    if (!asks) follow(p);
    return err;
}

static void judged(const struct rule_answer *answer, void *data) {
    struct policing *p = data;
    p->action = answer->action;
    if (answer->err != 0 && passes(answer->err)) {
        end(p, answer->err);
        return;
    }
    if (answer->err != 0 || p->action == ACTION_WAIT) {
        leave(p, answer->err == 0 ? NULL : "the rule failed");
        return;
    }
    int err = price(p);
    if (err != 0) end(p, err);
}

/* ---- what the rule is told ---- */

static int64_t day_of(int64_t ms) {
    return (ms + WIB_OFFSET_MS) / DAY_MS;
}

static int write_facts(const struct policing *p, const struct payment *payment,
                       const struct attempt *a, struct buf *out) {
    struct json_out w;
    struct str method = payment->method, bank = payment->bank, channel = payment->channel;
    if (a != NULL) channel = attempt_channel(a);
    if (a != NULL && a->method.n != 0) {
        method = a->method;
        bank = a->bank;
    }
    struct buf day = {0};
    int64_t late = payment->expires_at == 0 || p->paid_at < payment->expires_at
                       ? 0
                       : day_of(p->paid_at) - day_of(payment->expires_at);
    int err = time_format(p->paid_at, STR("date"), ZONE_WIB, &day);
    json_out_init(&w, out);
    json_begin_object(&w);
    json_put_text(&w, "on", p->on);
    json_put_int(&w, "amount", p->held);
    json_put_int(&w, "amount_due", payment->amount_due);
    json_put_int(&w, "amount_paid", payment->amount_paid);
    json_put_int(&w, "days_late", late);
    json_put_text(&w, "status", PAYMENT_STATES[payment->status].name);
    json_put_str(&w, "merchant", payment->merchant);
    json_put_str(&w, "paid_on", buf_str(&day));
    json_put_str(&w, "method", method);
    json_put_str(&w, "channel", channel);
    if (bank.n != 0) json_put_str(&w, "bank", bank);
    if (p->channel != NULL) json_put_text(&w, "provider", p->channel->manifest->provider);
    json_end_object(&w);
    if (err == 0) err = json_out_end(&w);
    buf_free(&day);
    return err;
}

static const char *on_of(struct str why, int64_t held, const struct payment *payment) {
    if (str_eq(why, STR("late"))) return "late";
    if (str_eq(why, STR("second"))) return "second";
    if (str_eq(why, STR("mismatch")))
        return held < payment->amount_due - payment->amount_paid ? "short" : "over";
    return str_eq(why, STR("short")) ? "short" : "over";
}

static void begin(struct task *task) {
    struct policing *p = CONTAINER_OF(task, struct policing, task);
    struct rows *rows = NULL;
    struct payment payment;
    struct buf facts = {0};
    int err = store_get(p->core->store, "movement_get", VALS(V_INT(p->movement)), &rows);
    if (err == 0 && (rows_count(rows) == 0 || rows_null(rows, 0, 3) || rows_int(rows, 0, 7) == 0))
        err = E_STATE;
    if (err == 0) err = payment_read(p->core, STR(""), rows_text(rows, 0, 3), &payment);
    if (err == 0) {
        memcpy(p->payment, payment.id, sizeof p->payment);
        const struct attempt *a = payment_attempt(&payment, rows_text(rows, 0, 4));
        snprintf(p->attempt, sizeof p->attempt, "%.*s", STR_FMT(rows_text(rows, 0, 4)));
        p->held = rows_int(rows, 0, 7);
        p->paid_at = rows_int(rows, 0, 11);
        p->on = on_of(rows_text(rows, 0, 9), p->held, &payment);
        const struct script_entry *e =
            a == NULL ? NULL : script_set_find(p->set, KIND_CHANNEL, attempt_channel(a));
        p->channel = e == NULL ? NULL : e->version;
        err = write_facts(p, &payment, a, &facts);
        payment_free(&payment);
        if (err == 0)
            err = rules_ask(&(struct rule_question){.rule = RULE_POLICY,
                                                    .runtime = p->runtime,
                                                    .set = p->set,
                                                    .facts = buf_str(&facts)},
                            judged, p);
    }
    rows_free(rows);
    buf_free(&facts);
    if (err != 0) end(p, err);
}

int payment_policy(const struct script_services *services, struct runtime *runtime,
                   int64_t movement, payment_policed done, void *data) {
    struct policing *p = mem_zalloc(sizeof *p);
    if (p == NULL) return E_NOMEM;
    p->services = services;
    p->runtime = runtime;
    p->core = services->core;
    p->loop = runtime_loop(runtime);
    p->set = script_set_keep(services->scripts(services->worker));
    p->movement = movement;
    p->done = done;
    p->data = data;
    p->task.run = begin;
    loop_post(p->loop, &p->task);
    return 0;
}
