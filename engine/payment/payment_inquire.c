/* See payment_inquire.h. A question that goes wrong changes nothing. */
#include "payment/payment_inquire.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "core/person.h"
#include "payment/payment_adopt.h"
#include "payment/payment_cancel.h"
#include "payment/payment_decision.h"
#include "payment/payment_price.h"
#include "payment/payment_settle.h"
#include "script/manifest.h"
#include "sys/log.h"

#include <stdio.h>

/* How long what was sent may be on its way, where its provider says that it is not there: a charge, and
 * money that goes back or is taken. The latter are sent again under another name once they have failed,
 * and then both would be done: a day, counted from the intent, which is on disk just before. */
enum { ARRIVES_MS = 120000, MOVES_MS = 86400000 + ASK_AFTER_MS };

struct inquiry {
    struct payment_inquiry what;
    struct version *version;
    const struct core *core;
    struct loop *loop;
    char payment[ID_SIZE], operation[ID_SIZE], kind[32], reference[200], account[64];
    char of[200]; /* of a cancel: the reference of the attempt that it is for */
    int64_t generation, begun_at;
    enum operation_state state;
    bool asks;    /* what became of it; else the call itself */
    bool nothing; /* the provider knows nothing of it */
    bool lost;    /* and did not for so long that it has failed: an operator hears of it */
    struct payment_decision decision;
    struct payment_price price;
    struct fee fee;
    struct script_set *set;       /* while it is priced; or NULL */
    struct withdrawal withdrawal; /* the cancel of another way that was shown */
    struct operation_mark mark;   /* while the operation's own call runs */
    bool marked;
    bool open;
    bool expire; /* the payment's time is over: what is said to be unpaid now has expired */
    payment_inquired done;
    void *data;
};

static void end(struct inquiry *q, int err, bool open) {
    payment_inquired done = q->done;
    void *data = q->data;
    if (q->marked) operation_unmark(q->what.services->gate, &q->mark);
    payment_cancel_drop(q->what.services, &q->withdrawal);
    payment_decision_free(&q->decision);
    if (q->set != NULL) script_set_drop(q->set);
    version_drop(q->version);
    mem_free(q);
    done(err, open, data);
}

static struct script_set *scripts(const struct inquiry *q) {
    return q->what.services->scripts(q->what.services->worker);
}

/* ---- what was said of an attempt ---- */

static bool unpaid(enum operation_state to) {
    return to == OPERATION_PENDING || to == OPERATION_FAILED || to == OPERATION_EXPIRED ||
           to == OPERATION_CANCELLED;
}

/* When nobody can pay it any more: the provider's own time, else the payment's, and the grace. */
static int64_t over_at(const struct inquiry *q, const struct payment *p, const struct attempt *a) {
    struct json_doc doc;
    int64_t at = 0;
    if (json_parse(&doc, a->doc, NULL, NULL) == 0) {
        (void)json_get_i64(json_get(doc.root, "result"), "expires_at", &at);
        json_doc_free(&doc);
    }
    if (at == 0) at = p->expires_at;
    return at == 0 ? INT64_MAX : at + q->version->manifest->expires.grace_ms;
}

/* An older way: only money moves it, and it is watched while somebody could still pay by it. */
static bool watched(const struct core *core, const struct inquiry *q, const struct payment *p,
                    const struct attempt *a, enum operation_state said) {
    if (said == OPERATION_UNKNOWN) return true;
    if (said != OPERATION_PENDING && said != OPERATION_PROCESSING) return false;
    return core_now(core) < over_at(q, p, a);
}

/* A charge that is not there may be on its way still, and nobody had to be shown anything for it to be
 * paid: that nothing is there counts when it has had the time to get there. */
static bool may_still_come(const struct core *core, const struct inquiry *q,
                           const struct attempt *a) {
    return q->version->manifest->effect == EFFECT_CHARGE &&
           (a->state == OPERATION_SENDING || a->state == OPERATION_UNKNOWN) &&
           core_now(core) < a->moved_at + ARRIVES_MS;
}

static int build_attempt(const struct core *core, struct payment *p, struct commit *c,
                         struct inquiry *q, struct why *why) {
    struct attempt *a = payment_attempt(p, str_of(q->operation));
    struct payment_result *r = &q->decision.result;
    payment_cancel_drop(q->what.services, &q->withdrawal);
    if (a == NULL) return why_set(why, E_NOTFOUND, "attempt %s is gone", q->operation);
    bool counts = q->expire && str_eq(p->attempt, str_of(a->id));
    bool ends = counts && payment_open(p->status) && unpaid(r->to);
    /* the answer is older than what is known; that it was paid is no less true */
    bool moved = a->generation != q->generation && r->to != OPERATION_SUCCESS;
    q->open = operation_open(a->state);
    if (a->state == OPERATION_SUPERSEDED && r->to != OPERATION_SUCCESS) {
        q->open = watched(core, q, p, a, r->to);
        return 0;
    }
    /* It has an end, and was told of since: only money moves it. That a paid one is not paid any more
     * does not say which money went back: a person's. */
    if (!q->open && a->state != OPERATION_SUPERSEDED && r->to != OPERATION_SUCCESS) {
        q->open = r->to == OPERATION_UNKNOWN;
        bool back = r->to == OPERATION_FAILED || r->to == OPERATION_CANCELLED;
        if (a->state == OPERATION_SUCCESS && back && !moved) {
            payment_add_note(core, c, str_of(p->id), "said_to_be_unpaid", r->code);
            log_error("paid_and_said_to_be_unpaid", L_TEXT("payment", p->id),
                      L_TEXT("operation", q->operation));
        }
        return 0;
    }
    if (q->nothing && may_still_come(core, q, a)) return 0;
    /* a question without an answer is no news of what waits for its payer */
    if (a->state == OPERATION_PENDING && r->to == OPERATION_UNKNOWN) {
        if (q->expire) log_warn("expiry_without_answer", L_TEXT("operation", q->operation));
        return 0;
    }
    if (ends && !moved) {
        q->open = false;
        return payment_add_expire(core, c, p, why);
    }
    /* Unknown never expires: what the provider saw expire is known to be unpaid, and its own expiry
     * ends it, after the grace and a last question. */
    if (a->state == OPERATION_UNKNOWN && r->to == OPERATION_EXPIRED) r->to = OPERATION_PENDING;
    if (moved || (a->state == r->to && r->to != OPERATION_SUCCESS)) return 0;
    if (p->instructions.n != 0) r->instructions = STR(""); /* what was shown stands */
    if (r->to == OPERATION_PENDING && p->instructions.n == 0 && r->instructions.n == 0 &&
        str_eq(p->attempt, str_of(a->id)))
        payment_add_note(core, c, str_of(p->id), "nothing_to_show",
                         STR("the provider made it and does not say again how it is paid; once it "
                             "is cancelled the order can be paid in another way"));
    if (a->state == OPERATION_SUCCESS) return 0; /* what takes it back is told by callbacks */
    const struct attempt *shown = payment_attempt(p, p->attempt);
    bool waits = shown != NULL && shown->state == OPERATION_PENDING;
    int err = payment_add_result(core, c, p, (size_t)(a - p->attempts), q->generation, r, why);
    if (err == 0 && waits && shown != a && shown->state == OPERATION_SUPERSEDED)
        err = payment_cancel_withdraw(q->what.services, scripts(q), core, c, p, shown,
                                      &q->withdrawal);
    if (err == 0 && counts && r->to == OPERATION_SUCCESS && payment_open(p->status))
        err = payment_add_expire(core, c, p, why); /* paid, but not what is due: not paid */
    q->open = operation_open(a->state);            /* paid in part it goes on waiting */
    return err;
}

/* ---- of another operation ---- */

static int add_refund(const struct core *core, struct payment *p, struct commit *c,
                      struct inquiry *q, struct why *why) {
    struct refund refund;
    struct buf failure = {0};
    const struct payment_result *r = &q->decision.result;
    enum refund_status to = r->to == OPERATION_SUCCESS  ? REFUND_SUCCESS
                            : r->to == OPERATION_FAILED ? REFUND_FAILED
                                                        : REFUND_PROCESSING;
    int err = refund_of_operation(core, str_of(q->operation), &refund);
    if (err != 0) return err;
    if (to == REFUND_FAILED) {
        struct json_out w;
        json_out_init(&w, &failure);
        json_begin_object(&w);
        json_put_str(&w, "code", r->code);
        json_put_str(&w, "message", r->message);
        json_put_str(&w, "provider_code", r->provider_code);
        json_end_object(&w);
        err = json_out_end(&w);
    }
    if (err == 0 && refund.status != to)
        err = payment_add_refund_result(core, c, p, &refund, to, buf_str(&failure), why);
    buf_free(&failure);
    refund_free(&refund);
    return err;
}

/* It was sent, and nobody has answered: that it is not there is no end of it yet. The call itself knows
 * whether it has sent anything. */
static bool may_still_move(const struct core *core, const struct inquiry *q) {
    return q->asks && q->nothing && operation_open(q->state) &&
           core_now(core) < q->begun_at + MOVES_MS;
}

static int build_operation(const struct core *core, struct payment *p, struct commit *c,
                           struct inquiry *q, struct why *why) {
    struct payment_result *r = &q->decision.result;
    struct attempt *a = payment_attempt(p, p->attempt);
    bool cancels = strcmp(q->kind, "cancel") == 0;
    if (!cancels && may_still_move(core, q)) r->to = OPERATION_UNKNOWN;
    q->lost =
        !cancels && q->asks && q->nothing && operation_open(q->state) && r->to == OPERATION_FAILED;
    /* of a way that the payer left for another: the payment goes by the newer one */
    bool its = a != NULL && (q->of[0] == '\0' || str_eq(a->reference, str_of(q->of)));
    if (cancels && its && r->to == OPERATION_SUCCESS && may_still_come(core, q, a))
        r->to = OPERATION_UNKNOWN; /* asked again when that is over */
    q->open = operation_open(r->to);
    int err = 0;
    if (r->to == q->state && q->state != OPERATION_SENDING) return 0;
    if (strcmp(q->kind, "refund") == 0) err = add_refund(core, p, c, q, why);
    /* A closed way that took another amount than due takes no more, so its provider has nothing left
     * to cancel: we can. */
    bool over = r->to == OPERATION_FAILED && !p->open && p->received > 0;
    if (cancels && its && (r->to == OPERATION_SUCCESS || over) && payment_open(p->status)) {
        struct payment_result gone = {.to = OPERATION_CANCELLED, .ends = true};
        err = payment_add_result(core, c, p, (size_t)(a - p->attempts), a->generation, &gone, why);
    }
    if (strcmp(q->kind, "capture") == 0 && r->to == OPERATION_SUCCESS) {
        /* the money is on its way to us */
        struct payment_result paid = {.to = OPERATION_SUCCESS,
                                      .fee = r->fee,
                                      .unpriced = r->unpriced,
                                      .money_id = r->money_id,
                                      .paid_at = r->paid_at,
                                      .settle_at = r->settle_at,
                                      .paid_total = r->paid_total};
        if (a != NULL && a->state != OPERATION_SUCCESS)
            err = payment_add_result(core, c, p, (size_t)(a - p->attempts), a->generation, &paid,
                                     why);
    }
    if (err == 0)
        err = operation_add_move(c, str_of(q->operation), q->generation, q->state, r->to, r->doc,
                                 core->clock);
    return err;
}

static int build(const struct core *core, struct payment *p, struct commit *c, void *data,
                 struct why *why) {
    struct inquiry *q = data;
    q->decision.result.settle_at =
        q->decision.result.settle_at != 0
            ? q->decision.result.settle_at
            : payment_settle_at(q->what.services, scripts(q), core_now(core));
    return strcmp(q->kind, "create") == 0 ? build_attempt(core, p, c, q, why)
                                          : build_operation(core, p, c, q, why);
}

static void written(int err, const struct why *why, void *data) {
    struct inquiry *q = data;
    if (err != 0)
        log_error("inquiry_not_written", L_TEXT("operation", q->operation),
                  L_TEXT("error", why == NULL ? err_text(err) : why->text));
    else if (strcmp(q->kind, "create") == 0)
        payment_adopt_result(q->what.services, q->what.runtime, str_of(q->account),
                             &q->decision.result);
    if (err == 0 && q->lost)
        log_error("operation_never_arrived", L_TEXT("payment", q->payment),
                  L_TEXT("operation", q->operation), L_TEXT("kind", q->kind),
                  L_TEXT("reference", q->reference),
                  L_TEXT("said", "its provider does not know it, a day after it was sent: failed"));
    if (err == 0)
        payment_cancel_send(q->what.services, q->what.runtime, scripts(q), &q->withdrawal);
    end(q, err, err != 0 || q->open);
}

/* ---- what came of it is written ---- */

static void write_it(void *data) {
    struct inquiry *q = data;
    q->decision.result.fee = payment_price_fee(&q->price, &q->fee);
    q->decision.result.unpriced = q->price.unpriced;
    struct payment_change change = {.core = q->core,
                                    .loop = q->loop,
                                    .lane = LANE_RESULT,
                                    .id = str_of(q->payment),
                                    .build = build,
                                    .done = written,
                                    .data = q};
    int err = payment_change(&change);
    if (err != 0) end(q, err, true);
}

static bool brings_money(const struct inquiry *q) {
    return q->decision.result.to == OPERATION_SUCCESS &&
           (strcmp(q->kind, "create") == 0 || strcmp(q->kind, "capture") == 0);
}

/* Money costs what it does on the day it came, also where it is a question that finds it. */
static int price(struct inquiry *q) {
    struct payment p;
    if (!brings_money(q)) return write_it(q), 0;
    int err = payment_read(q->core, STR(""), str_of(q->payment), &p);
    if (err != 0) return err;
    const struct payment_result *r = &q->decision.result;
    bool create = strcmp(q->kind, "create") == 0;
    const struct attempt *a = payment_attempt(&p, create ? str_of(q->operation) : p.attempt);
    bool asks = a != NULL && p.status != PAYMENT_SUCCESS && !payment_price_frozen(&p);
    if (asks) {
        q->set = script_set_keep(scripts(q));
        err = payment_price(
            &q->price, q->core,
            &(struct payment_price_of){.runtime = q->what.runtime,
                                       .set = q->set,
                                       .payment = &p,
                                       .attempt = a,
                                       .provider = q->version->manifest->provider,
                                       .amount = r->paid_total == 0 ? p.amount_due : r->paid_total,
                                       .paid_at = r->paid_at},
            write_it, q);
    }
    payment_free(&p);
    if (!asks) write_it(q);
    return err;
}

static void decided(const struct operation_decision *d, void *data) {
    struct inquiry *q = data;
    struct why why = {0};
    q->nothing = d->not_created;
    int err = d->decided || !q->asks
                  ? payment_decision_read(&q->decision, d->to, d->doc, q->version->manifest,
                                          str_of(q->reference), &why)
                  : E_SCRIPT;
    if (err != 0 && !q->asks) { /* it was sent, or it was not: that much is known */
        payment_decision_free(&q->decision);
        q->decision = (struct payment_decision){
            .result = {.to = d->sent || d->decided ? OPERATION_UNKNOWN : OPERATION_FAILED,
                       .code = STR("PROVIDER_ERROR")}};
        err = 0;
    }
    if (err != 0) {
        if (why.code != 0)
            log_error("decision_refused", L_TEXT("script", q->version->path),
                      L_TEXT("error", why.text));
        end(q, 0, true);
        return;
    }
    if ((err = price(q)) != 0) end(q, err, true);
}

/* Whose it is: the payment, by what the store says. */
static int find_payment(const struct core *core, struct str operation, char out[ID_SIZE]) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "payment_of_operation", VALS(V_STR(operation)), &rows);
    if (err == 0 && rows_count(rows) == 0) err = E_NOTFOUND;
    if (err == 0) snprintf(out, ID_SIZE, "%.*s", STR_FMT(rows_text(rows, 0, 0)));
    rows_free(rows);
    return err;
}

static void read_of(struct inquiry *q, struct str doc) {
    struct json_doc parsed = {0};
    struct str of = {0};
    if (strcmp(q->kind, "cancel") != 0 || json_parse(&parsed, doc, NULL, NULL) != 0) return;
    if (json_get_str(json_get(parsed.root, "input"), "reference", &of) == 0)
        snprintf(q->of, sizeof q->of, "%.*s", STR_FMT(of));
    json_doc_free(&parsed);
}

static bool is_over(const struct inquiry *q, const struct payment *p) {
    return p->status == PAYMENT_PENDING && p->expires_at != 0 &&
           core_now(q->core) >= p->expires_at + q->what.version->manifest->expires.grace_ms;
}

int payment_inquire(const struct payment_inquiry *what, payment_inquired done, void *data) {
    struct inquiry *q = mem_zalloc(sizeof *q);
    struct buf given = {0};
    struct payment p;
    if (q == NULL) return E_NOMEM;
    struct operation_row row = *what->operation;
    q->what = *what;
    q->core = what->services->core;
    q->loop = runtime_loop(what->runtime);
    q->generation = row.generation;
    q->state = row.state;
    q->begun_at = row.created;
    q->asks = strcmp(what->function, "inquire") == 0;
    q->done = done;
    q->data = data;
    snprintf(q->operation, sizeof q->operation, "%.*s", STR_FMT(row.id));
    snprintf(q->kind, sizeof q->kind, "%.*s", STR_FMT(row.kind));
    snprintf(q->reference, sizeof q->reference, "%.*s", STR_FMT(row.reference));
    read_of(q, row.doc);
    snprintf(q->account, sizeof q->account, "%.*s", STR_FMT(row.account));
    int err = find_payment(q->core, row.id, q->payment);
    if (err == 0) err = payment_read(q->core, STR(""), str_of(q->payment), &p);
    if (err == 0) {
        row.expires_at = p.expires_at;
        q->expire = is_over(q, &p);
        payment_free(&p);
        row.payment = str_of(q->payment);
        err = input_fill(q->core, row.doc, &given);
        row.given = buf_str(&given);
    }
    if (err == 0) {
        q->version = version_keep(what->version);
        if (!q->asks) {
            operation_mark(what->services->gate, &q->mark, str_of(q->operation));
            q->marked = true;
        }
        err = dispatch_operation(&(struct operation_call){.runtime = what->runtime,
                                                          .services = what->services,
                                                          .version = q->version,
                                                          .function = what->function,
                                                          .operation = &row,
                                                          .decided = decided},
                                 NULL, q);
    }
    buf_free(&given);
    if (err == 0) return 0;
    if (q->marked) operation_unmark(what->services->gate, &q->mark);
    version_drop(q->version);
    mem_free(q);
    return err;
}
