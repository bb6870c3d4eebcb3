/* The payer chooses how to pay a payment that is there: one made without a method, one that a person
 * let go on, or one whose way does not suit him. From the payment and his choice a request is made as
 * if it came now, so that channels, routing, fee and the calls are those of payment_flow.c; what
 * differs is what is stored: one attempt more, the old one superseded (its money is still caught) and
 * withdrawn at its provider where that can be. What is due is fixed by the first attempt. */
#include "base/ensure.h"
#include "base/mem.h"
#include "core/jobs.h"
#include "core/person.h"
#include "payment/payment_cancel.h"
#include "payment/payment_flow_private.h"
#include "sys/log.h"

#include <stdio.h>

enum { CHOOSE_TRIES = 16 };

/* ---- the request as it would be now ---- */

static const struct request_field WAY[] = {{"method", REQUEST_TEXT, .min = 1, .max = 32},
                                           {"bank", REQUEST_TEXT, .min = 1, .max = 32},
                                           {"channel", REQUEST_TEXT, .min = 1, .max = 64},
                                           {"options", REQUEST_OBJECT, .max = 50},
                                           {0}};

static void put_part(struct json_out *w, const struct json *from, const char *name) {
    const struct json *value = json_get(from, name);
    if (value == NULL) return;
    json_key(w, name);
    json_value(w, value);
}

static int put_customer(struct flow *f, struct json_out *w) {
    struct buf customer = {0};
    if (f->payment.person.n == 0) return 0;
    int err = person_open(f->core, f->payment.person, &customer);
    if (err == 0) {
        json_key(w, "customer");
        json_raw(w, buf_str(&customer));
    }
    if (customer.data != NULL) mem_wipe(customer.data, customer.cap);
    buf_free(&customer);
    return err == E_CLOSED || err == E_NOTFOUND ? 0 : err; /* erased: nobody's then */
}

/* Whoever chose here comes back here. */
static void put_return(struct json_out *w, const struct flow *f) {
    char bytes[512];
    struct buf url = {.data = bytes, .cap = sizeof bytes, .max = sizeof bytes - 1};
    buf_addf(&url, "%.*s/pay/%s", STR_FMT(f->core->public_url), f->payment.id + 4);
    if (url.err != 0) return;
    json_key(w, "return_urls");
    json_begin_object(w);
    json_put_str(w, "success", buf_str(&url));
    json_put_str(w, "failure", buf_str(&url));
    json_end_object(w);
}

static int write_whole(struct flow *f, const struct json *way, const struct json *doc) {
    static const char *const KEPT[] = {"items", "description", "metadata"};
    struct json_out w;
    json_out_init(&w, &f->whole);
    json_begin_object(&w);
    json_put_str(&w, "order_id", f->payment.order_id);
    json_put_int(&w, "amount", f->payment.amount);
    json_put_str(&w, "currency", f->payment.currency);
    for (size_t i = 0; i < ARRAY_LEN(KEPT); i++)
        put_part(&w, doc, KEPT[i]);
    if (f->core->public_url.n == 0)
        put_part(&w, doc, "return_urls");
    else
        put_return(&w, f); /* the shop's own are behind the checkout's last page */
    for (size_t i = 0; WAY[i].name != NULL; i++)
        put_part(&w, way, WAY[i].name);
    int err = put_customer(f, &w);
    json_end_object(&w);
    return err != 0 ? err : json_out_end(&w);
}

/* E_INVAL with the fault. */
static int read_way(struct flow *f, struct refusal *fault) {
    struct json_doc way = {0}, doc = {0};
    int err = request_parse(&way, f->ask.body, fault);
    if (err != 0) return err;
    err = request_check(way.root, WAY, "", fault);
    if (err == 0) err = json_parse(&doc, f->payment.doc, NULL, NULL);
    if (err == 0) err = write_whole(f, way.root, doc.root);
    if (err == 0) f->released = json_get(doc.root, "risk") != NULL;
    json_doc_free(&way);
    json_doc_free(&doc);
    if (err == 0) err = payment_request_read(&f->request, buf_str(&f->whole), fault);
    if (err == 0 && f->request.method.n == 0 && f->request.channel.n == 0)
        err = refusal_set(fault, PROBLEM_INVALID_REQUEST, "method", "how is it to be paid?");
    return err;
}

/* Why it cannot be chosen for; NULL: it can. The core says so again when it is stored. */
static const char *not_choosable(const struct flow *f) {
    const struct payment *p = &f->payment;
    if (!payment_open(p->status)) return "the payment has ended";
    if (payment_held(p)) return "the payment is held until a person has looked at it";
    if (p->expires_at != 0 && core_now(f->core) >= p->expires_at) return "its time is over";
    return NULL;
}

static const struct attempt *waiting(const struct flow *f) {
    struct payment *p = (struct payment *)&f->payment;
    const struct attempt *a = payment_attempt(p, p->attempt);
    return a != NULL && a->state == OPERATION_PENDING ? a : NULL;
}

static bool same_way(const struct flow *f) {
    const struct payment_request *r = &f->request;
    if (r->channel.n != 0) return str_eq(r->channel, f->payment.channel);
    return str_eq(r->method, f->payment.method) && str_eq(r->bank, f->payment.bank);
}

static bool reference_taken(struct flow *f) {
    struct payment other;
    size_t at;
    if (f->payment.attempt_count != 0) return true;
    if (payment_find(f->core, str_of(f->account), f->payment.order_id, &other, &at) != 0)
        return false;
    payment_free(&other);
    return true;
}

void flow_choose(struct flow *f) {
    struct refusal fault = {0};
    int err = payment_read(f->core, f->ask.merchant, f->ask.choose, &f->payment);
    f->has_payment = err == 0;
    if (err == E_NOTFOUND) {
        flow_end_problem(f, PROBLEM_NOT_FOUND, "there is no such payment");
        return;
    }
    const char *why = err == 0 ? not_choosable(f) : NULL;
    if (why != NULL) {
        flow_end_problem(f, PROBLEM_INVALID_STATE, why);
        return;
    }
    if (err == 0) err = read_way(f, &fault);
    if (err == 0)
        err = payment_channels_find(f->ask.services, f->set, f->ask.merchant, &f->request,
                                    &f->channels, &fault);
    if (err == E_INVAL) {
        flow_end_fault(f, &fault);
    } else if (err != 0) {
        flow_end_error(f, err);
    } else if (waiting(f) != NULL && same_way(f)) {
        flow_end_payment(f, 200); /* twice pressed: it is that way already */
    } else {
        snprintf(f->person, sizeof f->person, "%.*s", STR_FMT(f->payment.person));
        flow_ask_risk(f);
    }
}

/* ---- what stays as it is ---- */

void flow_choose_expiry(struct flow *f) {
    const struct version *v = flow_channel(f);
    int64_t max = v == NULL ? 0 : v->manifest->expires.max_ms;
    if (f->payment.expires_at != 0) f->expires_at = f->payment.expires_at;
    if (max != 0 && f->expires_at > core_now(f->core) + max)
        f->expires_at = core_now(f->core) + max;
}

bool flow_choose_fee(struct flow *f) {
    if (f->payment.attempt_count == 0) return true;
    bool dearer = f->payment.amount_due > f->payment.amount;
    if (dearer && strcmp(flow_channel(f)->manifest->method, "qris") == 0) {
        struct refusal fault = {0};
        (void)refusal_set(&fault, PROBLEM_INVALID_REQUEST, "method",
                          "a fee of the payer is part of what is due, and QRIS forbids that");
        flow_end_fault(f, &fault);
        return false;
    }
    f->amount_due = f->payment.amount_due;
    return true;
}

/* ---- the commit ---- */

static bool old_is_offer(const struct flow *f, const struct attempt *old) {
    const struct script_entry *e =
        old == NULL ? NULL : script_set_find(f->set, KIND_CHANNEL, attempt_channel(old));
    return e != NULL && e->version->manifest->effect == EFFECT_OFFER;
}

static int build(struct flow *f, struct commit *c, const struct payment_result *at_once,
                 struct why *why) {
    struct payment *p = &f->payment;
    const struct version *v = flow_channel(f);
    const struct attempt *old = payment_attempt(p, p->attempt), *shown = waiting(f);
    struct fee fee = fee_of_rule(&f->fee, f->fee_version);
    struct attempt_new next = {.script = str_of(v->path),
                               .version = str_of(v->id),
                               .account = str_of(f->account),
                               .reference = str_of(f->reference),
                               .input = buf_str(&f->input),
                               .method = str_of(v->manifest->method),
                               .bank = str_of(v->manifest->bank),
                               .ask_at = at_once != NULL ? 0 : core_now(f->core) + ASK_AFTER_MS,
                               .ask_backoff = flow_ask_backoff(f, v),
                               .old_is_offer = old_is_offer(f, old),
                               .amount_due = old == NULL ? f->amount_due : 0,
                               .fee = fee.count == 0 ? NULL : &fee,
                               .open = v->manifest->amounts == AMOUNTS_OPEN};
    if (old != NULL && f->amount_due != p->amount_due)
        next.amount_due = f->amount_due; /* refused */
    int err = payment_add_attempt(f->core, c, p, &next, why);
    /* what was paid by the old way is caught */
    payment_cancel_drop(f->ask.services, &f->withdrawal);
    if (err == 0 && !f->no_withdrawal)
        err =
            payment_cancel_withdraw(f->ask.services, f->set, f->core, c, p, shown, &f->withdrawal);
    if (err == 0 && at_once == NULL) flow_mark_next(f, p);
    if (err != 0 || at_once == NULL) return err;
    return payment_add_result(f->core, c, p, p->attempt_count - 1, 1, at_once, why);
}

static const struct payment_result *decided_before(struct flow *f) {
    return channel_is_local(flow_channel(f)) ? &f->decision.result : NULL;
}

static void chosen(const struct commit_result *result, void *data) {
    struct flow *f = data;
    bool lost = result->err == E_GUARD || result->err == E_EXISTS;
    f->stored = false;
    if (lost && ++f->choose_tries < CHOOSE_TRIES) {
        if (payment_clash(result) ==
            CLASH_REFERENCE) { /* ours, its number's, or the withdrawal's */
            f->no_withdrawal = true;
            flow_make_reference(f);
            flow_begin_channel(f);
        } else {
            flow_choose_commit(f, decided_before(f));
        }
        return;
    }
    if (result->err != 0) {
        flow_end_error(f, lost ? E_BUSY : result->err);
        return;
    }
    payment_count_moved(f->status_before, f->payment.status);
    payment_cancel_send(f->ask.services, f->ask.runtime, f->set, &f->withdrawal);
    if (decided_before(f) != NULL) {
        flow_end_payment(f, 201);
        return;
    }
    jobs_poke(f->ask.services->jobs);
    memcpy(f->attempt, f->payment.attempts[f->payment.attempt_count - 1].id, sizeof f->attempt);
    flow_call_channel(f);
}

void flow_choose_commit(struct flow *f, const struct payment_result *at_once) {
    struct commit *c = NULL;
    struct why why = {0};
    int err = flow_read_again(f);
    if (err == 0) f->status_before = f->payment.status;
    if (err == 0) err = flow_choose_account(f, flow_channel(f));
    if (err == 0 && f->reference[0] == '\0') {
        f->reference_tries += reference_taken(f);
        flow_make_reference(f);
    }
    if (err == 0) err = flow_write_inputs(f);
    if (err == 0) err = commit_new(&c);
    if (err == 0) err = build(f, c, at_once, &why);
    if (err == 0) {
        f->stored = true;
        store_submit(f->core->store, c, LANE_NEW, f->loop, chosen, f);
        return;
    }
    if (c != NULL) commit_free(c);
    if (err == E_STATE || err == E_LIMIT)
        flow_end_problem(f, PROBLEM_INVALID_STATE, why.text);
    else
        flow_end_error(f, err);
}
