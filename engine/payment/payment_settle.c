/* See payment_settle.h. Find the attempt, ask what the money costs on the day it was paid, commit;
 * lost races are decided anew by payment_change(). */
#include "payment/payment_settle.h"

#include "base/ensure.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/pan.h"
#include "base/timefmt.h"
#include "core/virtual_account.h"
#include "net/problem.h"
#include "payment/payment_cancel.h"
#include "payment/payment_policy.h"
#include "payment/payment_price.h"
#include "sys/config.h"
#include "sys/log.h"

#include <stdio.h>

struct telling {
    struct payment_told told; /* texts behind the struct */
    const struct core *core;
    struct loop *loop;
    struct script_set *set;
    char payment[ID_SIZE], attempt[ID_SIZE];
    char own[MONEY_OWN_ID_SIZE];  /* the money's id, where the provider gives none */
    struct withdrawal withdrawal; /* the cancel of another way that was shown */
    bool number; /* the reference is a number that stays: there is no payment yet */
    int tries;
    bool hashed, held; /* the body's hash is known; some of the payment's money is in suspense */
    bool never_came;   /* what was taken back; and this commit is the first to note it */
    uint8_t hash[INBOX_HASH];
    int inbox_at; /* the row's place in the commit; negative: none is added */
    int64_t inbox;
    struct found *found;
    struct payment_price price;
    int64_t settle_at;
    struct task task;
    int err;
    struct why why;
    enum verdict verdict;
    payment_told_cb done;
    void *data;
    char texts[];
};

void found_free(struct found *found) {
    if (found == NULL) return;
    payment_free(&found->payment);
    mem_free(found);
}

static void end_now(struct task *task) {
    struct telling *t = CONTAINER_OF(task, struct telling, task);
    payment_cancel_drop(t->told.services, &t->withdrawal);
    t->done(t->err, t->err == 0 ? NULL : &t->why, t->verdict, t->inbox, t->data);
    found_free(t->found);
    script_set_drop(t->set);
    mem_free(t);
}

static void end(struct telling *t, int err) {
    t->err = err;
    if (err != 0 && t->why.code == 0) why_set(&t->why, err, "%s", err_text(err));
    t->task.run = end_now;
    loop_post(t->loop, &t->task);
}

/* ---- T+n ---- */

static bool working_day(const struct script_set *set, int64_t at) {
    struct civil c;
    struct buf day = {0};
    if (civil_from_ms(at, ZONE_WIB, &c) != 0) return true;
    bool works = c.weekday != 0 && c.weekday != 6;
    if (works && time_format(at, STR("date"), ZONE_WIB, &day) == 0)
        works = !rules_holiday(set, buf_str(&day));
    buf_free(&day);
    return works;
}

int64_t payment_settle_at(const struct script_services *services, const struct script_set *set,
                          int64_t paid_at) {
    int64_t days = config_number(services->config, SET_PAYMENT_SETTLEMENT_DAYS);
    if (days == 0) return 0;
    int64_t day = (paid_at + WIB_OFFSET_MS) / DAY_MS * DAY_MS - WIB_OFFSET_MS;
    for (int passed = 0; days > 0 && passed < 60; passed++) {
        day += DAY_MS;
        if (working_day(set, day)) days--;
    }
    return day;
}

/* ---- the commit ---- */

static int add_inbox(struct telling *t, const struct core *core, struct commit *c,
                     enum inbox_state state, struct str payment) {
    t->inbox_at = inbox_add(core, c,
                            &(struct inbox_new){.account = t->told.account,
                                                .body = t->told.body,
                                                .state = state,
                                                .payment = payment,
                                                .reference = t->told.reference,
                                                .money_id = t->told.money_id,
                                                .amount = t->told.amount,
                                                .paid_at = t->told.paid_at,
                                                .hash = t->hashed ? t->hash : NULL});
    return t->inbox_at < 0 ? t->inbox_at : 0;
}

/* The same bytes are kept once: who repeats himself a hundred times leaves one row. *orphan: the row,
 * where they fitted nothing then. */
static bool heard_before(struct telling *t, const struct core *core, int64_t *orphan) {
    struct inbox_list list;
    struct inbox_row row;
    *orphan = t->told.orphan;
    if (*orphan != 0) return true;
    if (!t->hashed && inbox_hash(core, t->told.body, t->hash) != 0) return false;
    t->hashed = true;
    if (inbox_find_hash(core, t->told.account, t->hash, &list) != 0) return false;
    if (inbox_row(&list, 0, &row) == 0 &&
        (row.state == INBOX_ORPHAN || row.state == INBOX_SUSPENSE))
        *orphan = row.id;
    inbox_list_free(&list);
    return true;
}

static bool is(const struct telling *t, const char *status) {
    return str_eq(t->told.status, str_of(status));
}

static int add_states(struct telling *t, const struct core *core, struct payment *p,
                      struct commit *c, size_t attempt, struct why *why) {
    struct payment_result result = {.to = is(t, "failed")    ? OPERATION_FAILED
                                          : is(t, "expired") ? OPERATION_EXPIRED
                                                             : OPERATION_CANCELLED,
                                    .code = t->told.code,
                                    .message = t->told.message,
                                    .provider_code = t->told.provider_code};
    const struct attempt *a = &p->attempts[attempt];
    t->verdict = VERDICT_REFUSED;
    if (a->state == result.to || a->state == OPERATION_SUCCESS ||
        !states_may(OPERATION_STATES, a->state, result.to))
        return 0; /* known, or older news */
    return payment_add_result(core, c, p, attempt, a->generation, &result, why);
}

static struct money money_of(const struct telling *t, struct fee *fee) {
    return (struct money){.money_id = t->told.money_id,
                          .amount = t->told.amount,
                          .paid_at = t->told.paid_at,
                          .settle_at = t->settle_at,
                          .source = STR("callback"),
                          .fee = payment_price_fee(&t->price, fee),
                          .unpriced = t->price.unpriced};
}

/* The provider says that it took back what we never had by that way: a person finds out which money it
 * means. */
static int note_never_came(struct telling *t, const struct core *core, struct payment *p,
                           struct commit *c) {
    char text[400];
    int n =
        snprintf(text, sizeof text, "%.*s says that it took back %lld, id %.*s: %s never got it",
                 STR_FMT(t->told.account), (long long)t->told.amount,
                 STR_FMT(t->told.money_id.n == 0 ? STR("unknown") : t->told.money_id), t->attempt);
    struct str detail = {text, n < (int)sizeof text ? (size_t)n : sizeof text - 1};
    return payment_add_note_once(core, c, p, "taken_back_and_never_came", detail, &t->never_came);
}

static int add_reversed(struct telling *t, const struct core *core, struct payment *p,
                        struct commit *c, size_t attempt, const struct money *money,
                        struct why *why) {
    int err = payment_add_reverse(core, c, p, attempt, money, t->told.message, &t->verdict, why);
    if (err != 0 || t->verdict != VERDICT_REFUSED || t->told.denial) return err;
    return note_never_came(t, core, p, c);
}

static int add_money(struct telling *t, const struct core *core, struct payment *p,
                     struct commit *c, size_t attempt, struct why *why) {
    struct fee fee;
    struct money money = money_of(t, &fee);
    if (is(t, "reversed")) return add_reversed(t, core, p, c, attempt, &money, why);
    return payment_add_settle(core, c, p, attempt, &money, &t->verdict, why);
}

static bool withdrawn(const struct telling *t) {
    return t->told.withdrawn != NULL && *t->told.withdrawn;
}

static int build(const struct core *core, struct payment *p, struct commit *c, void *data,
                 struct why *why) {
    struct telling *t = data;
    const struct attempt *a = payment_attempt(p, str_of(t->attempt));
    if (withdrawn(t)) return why_set(why, E_CANCELLED, "the caller's time is over");
    if (a == NULL) return why_set(why, E_NOTFOUND, "attempt %s is gone", t->attempt);
    size_t attempt = (size_t)(a - p->attempts);
    if (t->told.withdrawn != NULL) commit_impatient(c);
    t->inbox_at = -1;
    t->never_came = false;
    bool money = is(t, "success") || is(t, "reversed");
    const struct attempt *shown = payment_attempt(p, p->attempt);
    bool waits = shown != NULL && shown->state == OPERATION_PENDING;
    payment_cancel_drop(t->told.services, &t->withdrawal);
    int err =
        money ? add_money(t, core, p, c, attempt, why) : add_states(t, core, p, c, attempt, why);
    if (err == 0 && waits && shown->state == OPERATION_SUPERSEDED) /* the older way was paid */
        err = payment_cancel_withdraw(t->told.services, t->set, core, c, p, shown, &t->withdrawal);
    int64_t orphan = 0;
    if (err != 0) return err;
    t->held = p->received > p->amount_paid;
    if (!heard_before(t, core, &orphan)) return add_inbox(t, core, c, INBOX_APPLIED, str_of(p->id));
    if (orphan != 0) inbox_add_adopt(core, c, orphan, str_of(p->id));
    return 0;
}

static void policed(int err, void *data) {
    (void)err; /* what could not be decided waits in suspense; a job asks again */
    end(data, 0);
}

/* What of this money is in suspense is decided about at once, before the provider is answered. */
static bool ask_policy(struct telling *t) {
    struct rows *rows = NULL;
    char own[MONEY_OWN_ID_SIZE];
    struct str money_id = t->told.money_id;
    if (!is(t, "success") || t->verdict == VERDICT_DUPLICATE || !t->held) return false;
    if (money_id.n == 0) money_id = money_own_id(t->told.reference, own);
    int err = store_get(t->core->store, "movement_by_money",
                        VALS(V_STR(t->told.account), V_STR(money_id)), &rows);
    bool held = err == 0 && rows_count(rows) != 0 && rows_int(rows, 0, 7) > 0;
    int64_t movement = held ? rows_int(rows, 0, 0) : 0;
    rows_free(rows);
    return held && payment_policy(t->told.services, t->told.runtime, movement, policed, t) == 0;
}

static void changed(int err, const struct why *why, void *data) {
    struct telling *t = data;
    (void)FAULT("money.booked"); /* it is on disk, and nobody has decided what becomes of it */
    if (err != 0 && why != NULL) t->why = *why;
    if (err == 0 && t->never_came)
        log_warn("taken_back_and_never_came", L_TEXT("payment", t->payment),
                 L_TEXT("operation", t->attempt), L_STR("account", t->told.account),
                 L_STR("money_id", t->told.money_id), L_INT("amount", t->told.amount));
    if (err == 0) payment_cancel_send(t->told.services, t->told.runtime, t->set, &t->withdrawal);
    if (err != 0 || !ask_policy(t)) end(t, err);
}

static void inbox_row_known(struct telling *t, const struct commit_result *result) {
    if (t->inbox_at >= 0 && (size_t)t->inbox_at < rows_count(result->values))
        t->inbox = rows_int(result->values, (size_t)t->inbox_at, 0);
}

/* ---- money for a number that stays: a payment of its own ---- */

static void commit_number(struct telling *t);

static void number_stored(const struct commit_result *result, void *data) {
    struct telling *t = data;
    if (result->err == 0) inbox_row_known(t, result);
    bool lost = result->err == E_EXISTS || result->err == E_GUARD;
    if (lost && ++t->tries < PAYMENT_CHANGE_TRIES)
        commit_number(t); /* the same money came twice at once, or the number was closed */
    else
        end(t, result->err);
}

static int build_number(struct telling *t, struct commit *c) {
    struct virtual_account v;
    struct payment p = {0};
    struct fee fee;
    int err = virtual_account_find(t->core, t->told.account, t->told.reference, &v);
    if (err != 0) return err;
    struct money money = money_of(t, &fee);
    err = virtual_account_add_settle(t->core, c, &v, &money, &p, &t->verdict, &t->why);
    int64_t orphan = 0;
    t->inbox_at = -1;
    bool heard = err == 0 && heard_before(t, t->core, &orphan);
    if (heard && orphan != 0 && t->verdict == VERDICT_APPLIED)
        inbox_add_adopt(t->core, c, orphan, str_of(p.id));
    if (err == 0 && !heard)
        err =
            add_inbox(t, t->core, c, t->verdict == VERDICT_EXPIRED ? INBOX_SUSPENSE : INBOX_APPLIED,
                      t->verdict == VERDICT_APPLIED ? str_of(p.id) : STR(""));
    virtual_account_free(&v);
    payment_free(&p);
    return err;
}

static void commit_number(struct telling *t) {
    struct commit *c = NULL;
    int err = withdrawn(t) ? E_CANCELLED : commit_new(&c);
    if (err == 0 && t->told.withdrawn != NULL) commit_impatient(c);
    if (err == 0) err = build_number(t, c);
    if (err == 0) {
        store_submit(t->core->store, c, LANE_RESULT, t->loop, number_stored, t);
        return;
    }
    if (c != NULL) commit_free(c);
    end(t, err);
}

static void committed(const struct commit_result *result, void *data) {
    inbox_row_known(data, result);
}

static void commit_money(struct telling *t) {
    if (t->number) {
        commit_number(t);
        return;
    }
    struct payment_change change = {.core = t->core,
                                    .loop = t->loop,
                                    .lane = LANE_RESULT,
                                    .id = str_of(t->payment),
                                    .first = &t->found->payment,
                                    .build = build,
                                    .committed = committed,
                                    .done = changed,
                                    .data = t};
    int err = payment_change(&change);
    if (err != 0) end(t, err);
}

static void orphan_stored(const struct commit_result *result, void *data) {
    struct telling *t = data;
    if (result->err == 0) inbox_row_known(t, result);
    end(t, result->err);
}

/* Taking back what is nobody's. E_NOTFOUND: there is no such money. */
static int take_back_orphan(struct telling *t) {
    struct commit *c = NULL;
    int64_t orphan;
    t->inbox_at = -1;
    int err = commit_new(&c);
    if (err == 0 && t->told.withdrawn != NULL) commit_impatient(c);
    if (err == 0)
        err = money_add_orphan_reversed(t->core, c, t->told.account, t->told.money_id,
                                        t->told.amount, &t->verdict);
    if (err == 0 && !heard_before(t, t->core, &orphan))
        err = add_inbox(t, t->core, c, INBOX_APPLIED, STR(""));
    if (err == 0)
        store_submit(t->core->store, c, LANE_RESULT, t->loop, orphan_stored, t);
    else if (c != NULL)
        commit_free(c);
    return err;
}

static void keep_orphan(struct telling *t) {
    struct commit *c = NULL;
    int64_t orphan;
    t->verdict = VERDICT_NOT_FOUND;
    if (!is(t, "success")) t->told.amount = 0; /* what was taken back brings no money */
    if (heard_before(t, t->core, &orphan)) {
        end(t, 0);
        return;
    }
    int err = commit_new(&c);
    if (err == 0 && t->told.withdrawn != NULL) commit_impatient(c);
    if (err == 0) err = add_inbox(t, t->core, c, INBOX_ORPHAN, STR(""));
    if (err == 0) {
        store_submit(t->core->store, c, LANE_RESULT, t->loop, orphan_stored, t);
        return;
    }
    if (c != NULL) commit_free(c);
    end(t, err);
}

/* ---- what it costs ---- */

static void fee_known(void *data) {
    commit_money(data);
}

static int price(struct telling *t, const struct payment *p, const struct attempt *a) {
    return payment_price(&t->price, t->core,
                         &(struct payment_price_of){.runtime = t->told.runtime,
                                                    .set = t->set,
                                                    .payment = p,
                                                    .attempt = a,
                                                    .provider = t->told.channel->manifest->provider,
                                                    .amount = t->told.amount,
                                                    .paid_at = t->told.paid_at},
                         fee_known, t);
}

/* The reference may be a number that stays. What came for it before is a payment with a reference of
 * its own. E_NOTFOUND: it is none. */
static int find_number(struct telling *t, struct payment *p, size_t *attempt, bool *found) {
    struct virtual_account v;
    struct buf reference = {0};
    *found = false;
    int err = virtual_account_find(t->core, t->told.account, t->told.reference, &v);
    if (err != 0) return err;
    virtual_account_reference(t->told.reference, t->told.money_id, &reference);
    err = reference.err;
    if (err == 0 && t->told.money_id.n != 0)
        err = payment_find(t->core, t->told.account, buf_str(&reference), p, attempt);
    buf_free(&reference);
    *found = err == 0 && t->told.money_id.n != 0;
    bool fresh = !*found && (err == 0 || err == E_NOTFOUND) && is(t, "success");
    if (fresh && t->told.money_id.n == 0) {
        err = why_set(&t->why, E_INVAL, "money_id: a number that stays needs one");
    } else if (fresh) {
        const struct payment shape = {
            .merchant = v.merchant, .order_id = t->told.reference, .currency = STR("IDR")};
        const struct attempt way = {
            .script = v.script, .method = STR("virtual_account"), .bank = v.bank};
        t->number = true;
        err = price(t, &shape, &way);
    } else if (err == 0 && !*found) {
        err = E_NOTFOUND;
    }
    virtual_account_free(&v);
    return err;
}

/* As ctx.find has just read it, or read now. */
static int find(struct telling *t) {
    if (t->found != NULL) return 0;
    struct found *f = t->found = mem_zalloc(sizeof *f);
    if (f == NULL) return E_NOMEM;
    int err = payment_find(t->core, t->told.account, t->told.reference, &f->payment, &f->attempt);
    if (err == E_NOTFOUND)
        err = payment_find_key(t->core, t->told.account, STR("reference"), t->told.reference,
                               &f->payment, &f->attempt);
    return err;
}

/* What is taken back is the money of that id, whoever it was given to since, and whatever the reference
 * that it came with stands for by now. E_NOTFOUND: no such money is a payment's. */
static int find_owned(struct telling *t) {
    struct rows *rows = NULL;
    struct found *f = NULL;
    int err = store_get(t->core->store, "movement_by_money",
                        VALS(V_STR(t->told.account), V_STR(t->told.money_id)), &rows);
    if (err == 0 && (rows_count(rows) == 0 || rows_null(rows, 0, 3))) err = E_NOTFOUND;
    bool same =
        err == 0 && t->found != NULL && str_eq(str_of(t->found->payment.id), rows_text(rows, 0, 3));
    if (err == 0 && !same && (f = mem_zalloc(sizeof *f)) == NULL) err = E_NOMEM;
    if (f != NULL &&
        (err = payment_read(t->core, STR(""), rows_text(rows, 0, 3), &f->payment)) == 0) {
        const struct attempt *a = payment_attempt(&f->payment, rows_text(rows, 0, 4));
        f->attempt = a == NULL ? 0 : (size_t)(a - f->payment.attempts);
        found_free(t->found);
        t->found = f;
        f = NULL;
    }
    mem_free(f);
    rows_free(rows);
    return err;
}

/* Taking back goes by the money first. *over: it was nobody's, and that is being written. */
static int find_taken_back(struct telling *t, bool *over) {
    if (!is(t, "reversed")) return E_NOTFOUND;
    struct str told = t->told.money_id;
    if (told.n == 0) t->told.money_id = money_own_id(t->told.reference, t->own);
    int err = find_owned(t);
    if (err == E_NOTFOUND) {
        err = take_back_orphan(t);
        *over = err == 0;
    }
    if (err == E_NOTFOUND) t->told.money_id = told;
    return err;
}

static void look(struct task *task) {
    struct telling *t = CONTAINER_OF(task, struct telling, task);
    bool found = true, over = false;
    int err = find_taken_back(t, &over);
    if (over) return;
    if (err == E_NOTFOUND) err = find(t);
    if (err == E_NOTFOUND) err = find_number(t, &t->found->payment, &t->found->attempt, &found);
    if (err == 0 && !found) return; /* a number that stays: priced, then stored */
    if (err == E_NOTFOUND) {
        keep_orphan(t);
        return;
    }
    if (err != 0) {
        end(t, err);
        return;
    }
    const struct payment *p = &t->found->payment;
    memcpy(t->payment, p->id, sizeof t->payment);
    memcpy(t->attempt, p->attempts[t->found->attempt].id, sizeof t->attempt);
    if (!is(t, "success") || payment_price_frozen(p))
        commit_money(t);
    else if ((err = price(t, p, &p->attempts[t->found->attempt])) != 0)
        end(t, err);
}

int payment_tell(const struct payment_told *told, payment_told_cb done, void *data) {
    size_t n = told->account.n + told->reference.n + told->body.n + told->status.n +
               told->money_id.n + told->code.n + told->message.n + told->provider_code.n + 8;
    struct telling *t = mem_zalloc(sizeof *t + n);
    if (t == NULL) return E_NOMEM;
    char *at = t->texts;
    t->told = *told;
    t->told.account = str_copy(&at, told->account);
    t->told.reference = str_copy(&at, told->reference);
    t->told.body = str_copy(&at, told->body);
    t->told.status = str_copy(&at, told->status);
    t->told.money_id = str_copy(&at, told->money_id);
    t->told.code = str_copy(&at, told->code);
    char *message = at; /* a provider's words are kept and shown */
    t->told.message = str_copy(&at, told->message);
    pan_mask(message, told->message.n);
    t->told.provider_code = str_copy(&at, told->provider_code);
    t->core = told->services->core;
    t->loop = runtime_loop(told->runtime);
    t->set = script_set_keep(told->services->scripts(told->services->worker));
    if (t->told.paid_at == 0) t->told.paid_at = core_now(t->core);
    t->settle_at = payment_settle_at(told->services, t->set, t->told.paid_at);
    struct found *found = told->found == NULL ? NULL : *told->found;
    if (found != NULL &&
        str_eq(found->payment.attempts[found->attempt].reference, told->reference)) {
        t->found = found;
        *told->found = NULL;
    }
    t->done = done;
    t->data = data;
    t->task.run = look;
    loop_post(t->loop, &t->task);
    return 0;
}
