/* Money that goes back: refunds, asked for by us, and reversals, taken by the provider. Neither
 * changes the payment's status. What both may take together is bounded by what was paid.
 *
 * A refund's money is put aside in refund_clearing when it begins; success pays it out from there,
 * failure gives it back where it came from. */
#include "base/money.h"
#include "core/idempotency.h"
#include "core/merchant.h"
#include "core/payment_private.h"
#include "core/person.h"

#include <stdio.h>

#define DESTINATION "refund_destination"

static struct posting posting(const struct core *core, struct str object, const char *kind,
                              int64_t amount) {
    return (struct posting){
        .amount = amount, .kind = kind, .object = object, .now = core_now(core)};
}

/* `amount` of the payment's money goes to `credit`: what still waits first, then what the merchant
 * has, then what it owes us; of a payment that never succeeded, out of suspense. */
static void take_back(const struct core *core, struct commit *commit, struct payment *p,
                      struct str account, struct ledger_side credit, int64_t amount,
                      const char *kind, struct str object) {
    struct posting post = posting(core, object, kind, amount);
    post.credit = credit;
    if (account_direct(account) || p->status != PAYMENT_SUCCESS) {
        post.debit =
            p->status == PAYMENT_SUCCESS ? merchant_side(p, account) : suspense_side(account);
        ledger_post(commit, &post);
        return;
    }
    int64_t waiting = amount < p->unsettled ? amount : p->unsettled;
    post.debit = (struct ledger_side){LEDGER_PENDING, p->merchant};
    post.amount = waiting;
    ledger_post(commit, &post);
    p->unsettled -= waiting;
    post.amount = amount - waiting;
    ledger_take(commit, p->merchant, &post);
}

static struct ledger_side clearing(struct str account) {
    return (struct ledger_side){account_direct(account) ? LEDGER_MEMO_CLEARING
                                                        : LEDGER_REFUND_CLEARING};
}

/* Where the money came, that goes back: of the attempt that was paid, or of money in suspense. */
static int account_of(const struct core *core, const struct payment *p, const struct refund *r,
                      char out[LEDGER_NAME_MAX]) {
    struct rows *rows = NULL;
    out[0] = '\0';
    for (size_t i = 0; r->movement == 0 && i < p->attempt_count; i++)
        if (str_eq(str_of(p->attempts[i].id), p->attempt))
            snprintf(out, LEDGER_NAME_MAX, "%.*s", STR_FMT(p->attempts[i].account));
    if (r->movement == 0) return 0;
    int err = store_get(core->store, "movement_get", VALS(V_INT(r->movement)), &rows);
    if (err == 0 && rows_count(rows) == 0) err = E_NOTFOUND;
    if (err == 0) snprintf(out, LEDGER_NAME_MAX, "%.*s", STR_FMT(rows_text(rows, 0, 1)));
    rows_free(rows);
    return err;
}

/* ---- reading ---- */

static int refund_take(struct rows *rows, size_t row, struct refund *out) {
    int status = states_find(REFUND_STATES, REFUND_STATUSES_, rows_text(rows, row, 4));
    if (status < 0) return E_CORRUPT;
    *out = (struct refund){.status = (enum refund_status)status,
                           .amount = rows_int(rows, row, 3),
                           .generation = rows_int(rows, row, 5),
                           .reason = rows_text(rows, row, 6),
                           .operation = rows_text(rows, row, 7),
                           .by = rows_text(rows, row, 8),
                           .movement = rows_int(rows, row, 9),
                           .failure = rows_text(rows, row, 10),
                           .created_at = rows_int(rows, row, 11),
                           .rows = rows};
    snprintf(out->id, sizeof out->id, "%.*s", STR_FMT(rows_text(rows, row, 0)));
    snprintf(out->payment, sizeof out->payment, "%.*s", STR_FMT(rows_text(rows, row, 1)));
    return 0;
}

static int read_one(int err, struct str merchant, struct rows *rows, struct refund *out) {
    if (err == 0 && rows_count(rows) == 0) err = E_NOTFOUND;
    if (err == 0 && merchant.n != 0 && !str_eq(merchant, rows_text(rows, 0, 2))) err = E_NOTFOUND;
    if (err == 0) err = refund_take(rows, 0, out);
    if (err != 0) {
        rows_free(rows);
        *out = (struct refund){0};
    }
    return err;
}

int refund_read(const struct core *core, struct str merchant, struct str id, struct refund *out) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "refund_get", VALS(V_STR(id)), &rows);
    return read_one(err, merchant, rows, out);
}

int refund_of_operation(const struct core *core, struct str operation, struct refund *out) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "refund_of_operation", VALS(V_STR(operation)), &rows);
    return read_one(err, STR(""), rows, out);
}

int refund_read_row(const struct rows *rows, size_t row, struct refund *out) {
    return refund_take(rows_keep(rows), row, out);
}

int refund_destination(const struct core *core, struct str id, struct buf *out) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "refund_destination", VALS(V_STR(id)), &rows);
    if (err == 0 && (rows_count(rows) == 0 || rows_null(rows, 0, 1))) err = E_NOTFOUND;
    if (err == 0)
        err = piece_open(core, DESTINATION, id, rows_text(rows, 0, 1), rows_text(rows, 0, 0), out);
    rows_free(rows);
    return err;
}

void refund_free(struct refund *refund) {
    rows_free(refund->rows);
    *refund = (struct refund){0};
}

/* ---- refunds ---- */

static int refund_event(const struct core *core, struct commit *commit, const struct payment *p,
                        const struct refund *r, const char *type) {
    struct buf json = {0};
    refund_json(r, &json);
    int err = json.err;
    if (err == 0) event_add(core, commit, p->merchant, type, str_of(r->id), buf_str(&json));
    buf_free(&json);
    return err;
}

int payment_taken_back(const struct core *core, struct str account, struct str money_id,
                       bool *before) {
    struct rows *rows = NULL;
    int err =
        store_get(core->store, "reversal_by_money", VALS(V_STR(account), V_STR(money_id)), &rows);
    *before = err == 0 && rows_count(rows) != 0;
    rows_free(rows);
    return err;
}

/* Out of a movement that is in suspense; *held is what it holds now. */
static int held_of(const struct core *core, const struct payment *p, int64_t movement,
                   int64_t *held) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "movement_get", VALS(V_INT(movement)), &rows);
    if (err == 0 && (rows_count(rows) != 1 || !str_eq(rows_text(rows, 0, 3), str_of(p->id))))
        err = E_NOTFOUND;
    bool gone = false;
    if (err == 0 && !rows_null(rows, 0, 2))
        err = payment_taken_back(core, rows_text(rows, 0, 1), rows_text(rows, 0, 2), &gone);
    if (err == 0) *held = gone ? 0 : rows_int(rows, 0, 7);
    rows_free(rows);
    return err;
}

static void hold_back(const struct core *core, struct commit *commit, struct str account,
                      const struct refund *r, int64_t held) {
    struct posting post = posting(core, str_of(r->id), "refund", r->amount);
    post.debit = suspense_side(account);
    post.credit = clearing(account);
    commit_add(commit, OP_MOVEMENT_MOVE,
               VALS(V_INT(r->movement), V_INT(held), V_INT(0), V_INT(r->amount)));
    ledger_post(commit, &post);
}

/* Puts the refund's money aside: at its beginning, and again when a failed one succeeded. */
static int put_aside(const struct core *core, struct commit *commit, struct payment *p,
                     const struct refund *r, struct why *why) {
    int64_t left = payment_left(p);
    char account[LEDGER_NAME_MAX];
    int err = account_of(core, p, r, account);
    if (r->movement != 0) {
        if (err == 0) err = held_of(core, p, r->movement, &left);
        if (err != 0) return why_set(why, err, "the payment has no such money");
        if (r->amount > left)
            return why_set(why, E_LIMIT, "amount: only %lld is in suspense", (long long)left);
        hold_back(core, commit, str_of(account), r, left);
        return 0;
    }
    if (err != 0) return err;
    if (r->amount > left)
        return why_set(why, E_LIMIT, "amount: at most %lld can be refunded", (long long)left);
    p->refunding += r->amount;
    take_back(core, commit, p, str_of(account), clearing(str_of(account)), r->amount, "refund",
              str_of(r->id));
    return 0;
}

static int add_row(const struct core *core, struct commit *commit, const struct payment *p,
                   const struct refund *r, struct str destination) {
    struct buf key = {0}, sealed = {0};
    int err = destination.n == 0
                  ? 0
                  : piece_seal(core, DESTINATION, str_of(r->id), destination, &key, &sealed);
    if (err == 0)
        commit_add(commit, OP_REFUND_ADD,
                   VALS(V_TEXT(r->id), V_TEXT(p->id), V_STR(p->merchant), V_INT(r->amount),
                        V_TEXT(REFUND_STATES[r->status].name), text_or_null(r->reason),
                        blob_or_null(buf_str(&sealed)), blob_or_null(buf_str(&key)),
                        text_or_null(r->operation), V_STR(r->by), int_or_null(r->movement),
                        V_INT(r->created_at)));
    buf_free(&key);
    buf_free(&sealed);
    return err;
}

int payment_add_refund(const struct core *core, struct commit *commit, struct payment *p,
                       const struct refund_new *n, struct refund *r, struct why *why) {
    *r = (struct refund){.status = REFUND_PENDING,
                         .generation = 1,
                         .amount = n->amount,
                         .reason = n->reason,
                         .by = n->by,
                         .movement = n->movement,
                         .created_at = core_now(core)};
    id_make(r->id, "re_", core->clock, core->rng);
    memcpy(r->payment, p->id, sizeof r->payment);
    if (r->amount == 0 && n->movement == 0) r->amount = payment_left(p);
    if (r->amount <= 0)
        return why_set(why, p->amount_paid == 0 || n->amount == 0 ? E_STATE : E_RANGE,
                       "amount: there is nothing to refund");
    payment_stands(commit, p);
    int err = put_aside(core, commit, p, r, why);
    if (err == 0 && n->idempotency_key.n != 0)
        err = idempotency_take(core, commit,
                               &(struct idempotency){.merchant = p->merchant,
                                                     .path = n->path,
                                                     .key = n->idempotency_key,
                                                     .body = n->body,
                                                     .object = str_of(r->id)});
    if (err == 0 && n->operation != NULL) {
        n->operation->amount = r->amount;
        err = payment_add_operation(core, commit, p, n->operation);
        r->operation = str_of(n->operation->id);
    }
    if (err != 0) return err;
    payment_save(core, commit, p);
    err = add_row(core, commit, p, r, n->destination);
    return err != 0 ? err : refund_event(core, commit, p, r, "refund.created");
}

static int pay_out(const struct core *core, struct commit *commit, const struct payment *p,
                   const struct refund *r) {
    char account[LEDGER_NAME_MAX];
    int err = account_of(core, p, r, account);
    if (err != 0) return err;
    struct posting post = posting(core, str_of(r->id), "refund_paid", r->amount);
    bool provider = account_direct(str_of(account)) || str_eq(r->by, STR("provider"));
    post.debit = clearing(str_of(account));
    post.credit = provider ? provider_side(str_of(account))
                           : (struct ledger_side){LEDGER_BANK, str_of(account)};
    ledger_post(commit, &post);
    return 0;
}

/* What of the refund was taken from that account. */
static int taken_from(const struct core *core, const struct refund *r, struct ledger_side side,
                      int64_t *out) {
    struct rows *rows = NULL;
    char text[LEDGER_NAME_MAX];
    struct str name = ledger_name(side, text);
    int err = store_get(core->store, "entries_of", VALS(V_TEXT(r->id)), &rows);
    *out = 0;
    for (size_t i = 0; err == 0 && i < rows_count(rows); i++)
        if (str_eq(rows_text(rows, i, 1), name) && str_eq(rows_text(rows, i, 4), STR("refund")))
            *out += rows_int(rows, i, 3);
    rows_free(rows);
    return err;
}

/* Back to where it came from; what had waited for T+n waits for the next run. */
static int give_back(const struct core *core, struct commit *commit, struct payment *p,
                     const struct refund *r, struct why *why) {
    int64_t waited = 0, suspense = 0;
    ledger_mirror(commit, str_of(r->id), "refund", "refund_failed", core_now(core));
    if (r->movement != 0) {
        int64_t held = 0;
        int err = held_of(core, p, r->movement, &held);
        if (err != 0) return why_set(why, err, "the payment has no such money");
        commit_add(commit, OP_MOVEMENT_MOVE,
                   VALS(V_INT(r->movement), V_INT(held), V_INT(0), V_INT(-r->amount)));
        return 0;
    }
    char account[LEDGER_NAME_MAX];
    int err = account_of(core, p, r, account);
    if (err == 0 && !p->direct)
        err = taken_from(core, r, (struct ledger_side){LEDGER_PENDING, p->merchant}, &waited);
    if (err == 0 && p->status == PAYMENT_SUCCESS)
        err = taken_from(core, r, suspense_side(str_of(account)), &suspense);
    if (err != 0) return err;
    if (suspense != 0) { /* it was paid meanwhile: the merchant's, not suspense's */
        struct posting post = posting(core, str_of(r->id), "payment", suspense);
        post.debit = suspense_side(str_of(account));
        post.credit = merchant_side(p, str_of(account));
        ledger_post(commit, &post);
        if (!p->direct) waited += suspense;
    }
    p->unsettled += waited;
    if (p->unsettled != 0 && p->settle_at == 0) p->settle_at = core_now(core);
    return 0;
}

/* It is in suspense again, and the policy is not asked twice: a person has to. */
static void note_held(const struct core *core, struct commit *commit, const struct payment *p,
                      const struct refund *r) {
    char text[160];
    snprintf(text, sizeof text, "%lld: its refund %s failed; %lld waits for a person",
             (long long)r->movement, r->id, (long long)r->amount);
    payment_add_note(core, commit, str_of(p->id), "policy_waits", str_of(text));
}

int payment_add_refund_result(const struct core *core, struct commit *commit, struct payment *p,
                              struct refund *r, enum refund_status to, struct str failure,
                              struct why *why) {
    if (!states_may(REFUND_STATES, r->status, to))
        return why_set(why, E_STATE, "the refund is %s, it cannot become %s",
                       REFUND_STATES[r->status].name, REFUND_STATES[to].name);
    int err = 0;
    payment_stands(commit, p);
    if (r->status == REFUND_FAILED) err = put_aside(core, commit, p, r, why);
    bool counts = r->movement == 0;
    if (err == 0 && to == REFUND_SUCCESS) {
        err = pay_out(core, commit, p, r);
        if (counts) p->refunding -= r->amount, p->amount_refunded += r->amount;
    } else if (err == 0 && to == REFUND_FAILED) {
        err = give_back(core, commit, p, r, why);
        if (counts) p->refunding -= r->amount;
    }
    if (err == 0 && to == REFUND_FAILED && r->movement != 0) note_held(core, commit, p, r);
    if (err != 0) return err;
    r->status = to;
    r->failure = to == REFUND_FAILED ? failure : STR("");
    payment_save(core, commit, p);
    commit_add(commit, OP_REFUND_MOVE,
               VALS(V_TEXT(r->id), V_INT(r->generation), V_TEXT(REFUND_STATES[to].name),
                    blob_or_null(r->failure), V_INT(core_now(core))));
    r->generation++;
    return to == REFUND_SUCCESS  ? refund_event(core, commit, p, r, "refund.succeeded")
           : to == REFUND_FAILED ? refund_event(core, commit, p, r, "refund.failed")
                                 : 0;
}

/* ---- reversals ---- */

/* How much of the money that is taken back counts for the payment: what is in suspense is taken
 * from there. Money that polling found before its id was known is claimed. E_NOTFOUND: we have
 * booked no such money. */
static int counted_of(const struct core *core, struct commit *commit, const struct payment *p,
                      const struct attempt *a, struct str money_id, int64_t amount,
                      int64_t *counted) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "movement_by_money", VALS(V_STR(a->account), V_STR(money_id)),
                        &rows);
    if (err == 0 && rows_count(rows) == 0) {
        rows_free(rows);
        rows = NULL;
        err = store_get(core->store, "movement_unclaimed",
                        VALS(V_TEXT(p->id), V_INT(amount), V_TEXT(a->id)), &rows);
        int64_t movement = err == 0 && rows_count(rows) != 0 ? rows_int(rows, 0, 0) : 0;
        rows_free(rows);
        rows = NULL;
        if (movement != 0) {
            commit_add(commit, OP_MOVEMENT_CLAIM, VALS(V_INT(movement), V_STR(money_id)));
            err = store_get(core->store, "movement_get", VALS(V_INT(movement)), &rows);
        }
    }
    if (err == 0 && (rows_count(rows) == 0 || !str_eq(rows_text(rows, 0, 3), str_of(p->id))))
        err = E_NOTFOUND;
    if (err == 0) *counted = rows_int(rows, 0, 6);
    rows_free(rows);
    return err;
}

/* Every transfer that the way brought is known by its id: one that bears another never came here, and what
 * takes it back (the denial of a payer's first try, heard when the second was paid) has nothing to take. */
static int all_named(const struct core *core, const struct payment *p, const struct attempt *a,
                     bool *named) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "movements_of_payment", VALS(V_TEXT(p->id)), &rows);
    *named = err == 0;
    for (size_t i = 0; err == 0 && i < rows_count(rows); i++)
        if (str_eq(rows_text(rows, i, 4), str_of(a->id)) && rows_null(rows, i, 2)) *named = false;
    rows_free(rows);
    return err;
}

/* How much was not said: all of that transfer, in suspense as well; else all that the way brought. */
static int whole_of(const struct core *core, struct str account, struct str money_id,
                    int64_t booked, int64_t *amount) {
    struct rows *rows = NULL;
    int err =
        store_get(core->store, "movement_by_money", VALS(V_STR(account), V_STR(money_id)), &rows);
    if (err == 0) *amount = rows_count(rows) == 0 ? booked : rows_int(rows, 0, 5);
    rows_free(rows);
    return err;
}

/* Which money was not said: that of the one transfer of that way which was as much, by its own id,
 * so that it is the same when it is told with that. *before: such a one was taken back. *rows hold
 * *money_id, which stays as it is where more than one fits, or none that has an id. */
static int unnamed(const struct core *core, const struct payment *p, const struct attempt *a,
                   int64_t amount, struct rows **rows, struct str *money_id, bool *before) {
    size_t fits = 0;
    struct str found = {0};
    int err = store_get(core->store, "movements_of_payment", VALS(V_TEXT(p->id)), rows);
    for (size_t i = 0; err == 0 && !*before && i < rows_count(*rows); i++) {
        bool as_much = amount == 0 || rows_int(*rows, i, 5) == amount;
        if (!as_much || !str_eq(rows_text(*rows, i, 4), str_of(a->id))) continue;
        fits++;
        found = rows_null(*rows, i, 2) ? STR("") : rows_text(*rows, i, 2);
        if (found.n != 0) err = payment_taken_back(core, a->account, found, before);
    }
    if (err == 0 && fits == 1 && found.n != 0) *money_id = found;
    return err;
}

/* `told`: the provider said that id, it is none that we made up. */
static int reverse(const struct core *core, struct commit *commit, struct payment *p,
                   const struct attempt *a, struct str money_id, bool told, int64_t amount,
                   struct str reason, enum verdict *verdict) {
    char id[ID_SIZE];
    int64_t left = payment_left(p), counted = left;
    int err = counted_of(core, commit, p, a, money_id, amount, &counted);
    if (err == E_NOTFOUND) {
        bool nothing = p->amount_paid == 0;
        err = nothing || !told ? 0 : all_named(core, p, a, &nothing);
        if (nothing) *verdict = VERDICT_REFUSED;
        if (err != 0 || nothing) return err;
    }
    if (err != 0) return err;
    if (counted > left) counted = left;
    if (counted > amount) counted = amount;
    id_make(id, "rev_", core->clock, core->rng);
    payment_stands(commit, p);
    struct ledger_side to = provider_side(a->account);
    p->amount_reversed += counted;
    take_back(core, commit, p, a->account, to, counted, "reversal", str_of(id));
    struct posting claim = posting(core, str_of(id), "reversal", amount - counted);
    claim.debit = suspense_side(a->account);
    claim.credit = to;
    ledger_post(commit, &claim);
    payment_save(core, commit, p);
    commit_add(commit, OP_REVERSAL_ADD,
               VALS(V_TEXT(id), V_TEXT(p->id), V_STR(a->account), V_STR(money_id), V_INT(amount),
                    V_INT(counted), text_or_null(reason), V_INT(core_now(core))));
    return payment_event(core, commit, p, "payment.reversed");
}

int payment_add_reverse(const struct core *core, struct commit *commit, struct payment *p,
                        size_t attempt, const struct money *m, struct str reason,
                        enum verdict *verdict, struct why *why) {
    const struct attempt *a = &p->attempts[attempt];
    char own[MONEY_OWN_ID_SIZE];
    bool told = m->money_id.n != 0, before = false;
    struct str money_id = m->money_id;
    struct rows *rows = NULL;
    int64_t booked = 0, amount = m->amount;
    *verdict = VERDICT_REFUSED;
    int err = payment_booked_of(core, p, a, &booked);
    if (err != 0 || booked == 0) return err; /* it brought nothing to take back: only a denial */
    if (m->amount < 0) return why_set(why, E_RANGE, "amount: must be more than 0");
    if (!told) money_id = money_own_id(a->reference, own);
    err = payment_taken_back(core, a->account, money_id, &before);
    if (err == 0 && !before && !told) err = unnamed(core, p, a, amount, &rows, &money_id, &before);
    if (err == 0 && amount == 0) err = whole_of(core, a->account, money_id, booked, &amount);
    *verdict = before ? VERDICT_DUPLICATE : VERDICT_APPLIED;
    if (err == 0 && !before)
        err = reverse(core, commit, p, a, money_id, told, amount, reason, verdict);
    rows_free(rows);
    return err;
}
