/* Money that came: what it is (due, short, over, second, late), and how it is booked.
 *
 * What counts for a payment that is not fully paid yet stays in suspense until it is; so suspense
 * holds what movements hold back and what open and ended payments have been paid in part. */
#include "base/money.h"
#include "core/merchant.h"
#include "core/payment_private.h"
#include "sys/log.h"

#include <stdio.h>

/* ---- the books ---- */

struct ledger_side provider_side(struct str account) {
    return (struct ledger_side){
        account_direct(account) ? LEDGER_MEMO_PROVIDER : LEDGER_PROVIDER_RECEIVABLE, account};
}
struct ledger_side suspense_side(struct str account) {
    return (struct ledger_side){account_direct(account) ? LEDGER_MEMO_SUSPENSE : LEDGER_SUSPENSE,
                                STR("")};
}
struct ledger_side merchant_side(const struct payment *p, struct str account) {
    return (struct ledger_side){account_direct(account) ? LEDGER_MEMO_MERCHANT : LEDGER_PENDING,
                                p->merchant};
}

static void post(const struct core *core, struct commit *commit, const struct payment *p,
                 struct ledger_side debit, struct ledger_side credit, int64_t amount,
                 const char *kind) {
    ledger_post(commit, &(struct posting){.debit = debit,
                                          .credit = credit,
                                          .amount = amount,
                                          .kind = kind,
                                          .object = str_of(p->id),
                                          .now = core_now(core)});
}

struct line_account {
    enum ledger_code code;
    bool cost; /* the provider keeps it: our expense, not the merchant's fee */
};

static struct line_account line_account(struct str name) {
    bool cost = str_starts(name, STR("provider_"));
    struct str what = cost ? str_sub(name, strlen("provider_"), name.n) : name;
    bool vat = str_eq(what, STR("ppn")) || str_eq(what, STR("vat"));
    return (struct line_account){cost ? (vat ? LEDGER_INPUT_VAT : LEDGER_PROVIDER_FEE)
                                      : (vat ? LEDGER_OUTPUT_VAT : LEDGER_FEE_INCOME),
                                 cost};
}

/* Fee lines out of the merchant's share, as far as it goes; the rest the merchant owes. *share is
 * what is left of it. */
static void book_fees(const struct core *core, struct commit *commit, const struct payment *p,
                      struct str account, const struct fee *fee, int64_t *share) {
    bool direct = account_direct(account);
    for (size_t i = 0; i < fee->count; i++) {
        struct line_account to = line_account(fee->lines[i].name);
        int64_t amount = fee->lines[i].amount, here = 0;
        const char *kind =
            to.code == LEDGER_OUTPUT_VAT || to.code == LEDGER_INPUT_VAT ? "vat" : "fee";
        if (to.cost) {
            if (!direct)
                post(core, commit, p, (struct ledger_side){to.code}, provider_side(account), amount,
                     kind);
            continue;
        }
        if (!direct) here = amount < *share ? amount : *share;
        post(core, commit, p, merchant_side(p, account), (struct ledger_side){to.code}, here, kind);
        post(core, commit, p, (struct ledger_side){LEDGER_RECEIVABLE, p->merchant},
             (struct ledger_side){to.code}, amount - here, kind);
        *share -= here;
    }
}

/* The merchant's share waits for T+n, or is available at once. */
static int book_share(const struct core *core, struct commit *commit, struct payment *p,
                      struct str account, int64_t share, int64_t settle_at) {
    if (account_direct(account) || share == 0) return 0;
    if (settle_at > core_now(core)) {
        if (p->unsettled == 0 || settle_at > p->settle_at) p->settle_at = settle_at;
        return money_add(p->unsettled, share, &p->unsettled);
    }
    ledger_give(commit, p->merchant,
                &(struct posting){.debit = {LEDGER_PENDING, p->merchant},
                                  .amount = share,
                                  .kind = "available",
                                  .object = str_of(p->id),
                                  .now = core_now(core)});
    return 0;
}

/* The payment is paid: `fresh` from `from`, and what was in suspense before, becomes the
 * merchant's, less the fee. */
static int book_paid(const struct core *core, struct commit *commit, struct payment *p,
                     struct str account, struct ledger_side from, int64_t fresh, int64_t before,
                     const struct fee *fee, int64_t settle_at) {
    struct json_doc doc = {0};
    struct fee own = {0};
    int err = fee != NULL ? fee_keep(p, fee) : 0;
    if (err == 0 && fee == NULL && p->fee.n != 0) err = fee_read(p, &own, &doc);
    if (err == 0) {
        post(core, commit, p, from, merchant_side(p, account), fresh, "payment");
        post(core, commit, p, suspense_side(account), merchant_side(p, account), before, "payment");
        int64_t share = fresh + before;
        book_fees(core, commit, p, account, fee != NULL ? fee : &own, &share);
        err = book_share(core, commit, p, account, share, settle_at);
    }
    json_doc_free(&doc);
    return err;
}

/* ---- what the money is ---- */

struct sorting {
    int64_t counted, held;
    const char *why;
    enum verdict verdict;
    bool pays; /* with it the payment is paid */
};

/* A newer payment of the same order is open or paid: this one is over. */
static int order_taken(const struct core *core, const struct payment *p, bool *taken) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "payment_of_order",
                        VALS(V_STR(p->merchant), V_STR(p->order_id)), &rows);
    *taken = err == 0 && rows_count(rows) != 0 && !str_eq(rows_text(rows, 0, 0), str_of(p->id));
    rows_free(rows);
    return err;
}

static int sort_money(const struct core *core, const struct payment *p, int64_t amount,
                      struct sorting *s) {
    int64_t left = p->amount_due - p->amount_paid;
    bool late = p->status == PAYMENT_EXPIRED || p->status == PAYMENT_CANCELLED;
    if (p->status == PAYMENT_FAILED) { /* deny, then settlement: only the whole, only the last */
        int err = order_taken(core, p, &late);
        if (err != 0) return err;
        late = late || amount != left;
    }
    if (p->status == PAYMENT_SUCCESS)
        *s = (struct sorting){0, amount, "second", VERDICT_SECOND_PAYMENT, false};
    else if (late)
        *s = (struct sorting){0, amount, "late", VERDICT_EXPIRED, false};
    else if (amount == left)
        *s = (struct sorting){amount, 0, "due", VERDICT_APPLIED, true};
    else if (!p->open)
        *s = (struct sorting){0, amount, "mismatch", VERDICT_AMOUNT_MISMATCH, false};
    else if (amount < left)
        *s = (struct sorting){amount, 0, "short", VERDICT_APPLIED, false};
    else
        *s = (struct sorting){left, amount - left, "over", VERDICT_APPLIED, true};
    return 0;
}

/* money_id was here before: the same again, or something for a person. What was an orphan until now
 * is not: *orphan is the movement then. */
static int seen_before(const struct core *core, struct commit *commit, const struct payment *p,
                       struct str account, struct str money_id, int64_t amount, bool *seen,
                       int64_t *orphan, enum verdict *verdict) {
    struct rows *rows = NULL;
    int err =
        store_get(core->store, "movement_by_money", VALS(V_STR(account), V_STR(money_id)), &rows);
    *seen = err == 0 && rows_count(rows) != 0;
    *orphan = 0;
    bool nobodys = *seen && rows_null(rows, 0, 3);
    if (nobodys && rows_int(rows, 0, 7) == 0) { /* the provider took it back */
        *verdict = VERDICT_DUPLICATE;
        payment_add_note(core, commit, str_of(p->id), "money_was_taken_back", money_id);
    } else if (nobodys && rows_int(rows, 0, 5) == amount) {
        *seen = false;
        *orphan = rows_int(rows, 0, 0);
    } else if (*seen && rows_int(rows, 0, 5) == amount) {
        *verdict = VERDICT_DUPLICATE;
        if (!str_eq(rows_text(rows, 0, 3), str_of(p->id))) /* or two transfers bear one id */
            payment_add_note(core, commit, str_of(p->id), "money_id_of_another_payment", money_id);
    } else if (*seen) {
        *verdict = VERDICT_AMOUNT_MISMATCH;
        payment_add_note(core, commit, str_of(p->id), "money_id_with_another_amount", money_id);
    }
    rows_free(rows);
    return err;
}

/* Polling found money of this amount, by this way, before its id was known: it is claimed. Where what
 * comes now waited as nobody's in suspense, both were booked, and that they are one is likely and not
 * proven: it is not booked a third time, and a person looks at what is in suspense. */
static int claim(const struct core *core, struct commit *commit, const struct payment *p,
                 const struct attempt *a, struct str money_id, int64_t amount, int64_t orphan,
                 bool *claimed) {
    struct rows *rows = NULL;
    *claimed = false;
    if (p->received == 0) return 0;
    int err = store_get(core->store, "movement_unclaimed",
                        VALS(V_TEXT(p->id), V_INT(amount), V_TEXT(a->id)), &rows);
    *claimed = err == 0 && rows_count(rows) != 0;
    if (*claimed && orphan != 0)
        payment_add_note(core, commit, str_of(p->id), "orphan_may_be_what_polling_found", money_id);
    else if (*claimed)
        commit_add(commit, OP_MOVEMENT_CLAIM, VALS(V_INT(rows_int(rows, 0, 0)), V_STR(money_id)));
    rows_free(rows);
    return err;
}

static const char *event_of(const struct sorting *s, int64_t amount, const struct payment *p) {
    if (strcmp(s->why, "late") == 0) return "payment.late";
    if (strcmp(s->why, "short") == 0) return "payment.underpaid";
    if (strcmp(s->why, "mismatch") == 0)
        return amount < p->amount_due - p->amount_paid ? "payment.underpaid" : "payment.overpaid";
    return strcmp(s->why, "due") == 0 ? NULL : "payment.overpaid";
}

/* An account of a merchant's own is its own contract: memo accounts. */
static struct posting orphan_posting(const struct core *core, struct str account, int64_t amount) {
    struct str whose;
    bool memo = account_own(account, &whose);
    return (struct posting){
        .debit = {memo ? LEDGER_MEMO_PROVIDER : LEDGER_PROVIDER_RECEIVABLE, account},
        .credit = {memo ? LEDGER_MEMO_SUSPENSE : LEDGER_SUSPENSE},
        .amount = amount,
        .kind = "orphan",
        .now = core_now(core)};
}

static void post_orphan_gone(const struct core *core, struct commit *commit, struct str account,
                             int64_t amount, const char *kind, struct str object) {
    struct posting gone = orphan_posting(core, account, amount);
    struct ledger_side debit = gone.debit;
    gone.debit = gone.credit;
    gone.credit = debit;
    gone.kind = kind;
    gone.object = object;
    ledger_post(commit, &gone);
}

/* Whose it is was not known: it is taken out of suspense, and booked as if it came now. */
static void book_owned(const struct core *core, struct commit *commit, const struct payment *p,
                       const struct attempt *a, int64_t orphan, int64_t amount,
                       const struct sorting *s) {
    post_orphan_gone(core, commit, a->account, amount, "orphan_owned", str_of(p->id));
    commit_add(commit, OP_MOVEMENT_OWN,
               VALS(V_INT(orphan), V_TEXT(p->id), V_TEXT(a->id), V_INT(s->counted), V_INT(s->held),
                    V_TEXT(s->why)));
}

/* The payment goes by the way that was paid. Another that was shown still is one that the payer has
 * left: its money is caught. */
static int paid_by(const struct core *core, struct commit *commit, struct payment *p,
                   const struct attempt *a) {
    struct attempt *shown = payment_attempt(p, p->attempt);
    payment_goes_by(p, a);
    if (shown == NULL || shown == a || shown->state != OPERATION_PENDING) return 0;
    return attempt_move(core, commit, shown, OPERATION_SUPERSEDED, STR(""));
}

/* Books one transfer that was not seen before, or was an `orphan` (a movement; 0: it was none), and
 * moves what it moves. */
static int book_new(const struct core *core, struct commit *commit, struct payment *p,
                    struct attempt *a, const struct money *m, struct val money_id, int64_t orphan,
                    enum verdict *verdict, struct why *why) {
    struct sorting s = {0};
    int err = sort_money(core, p, m->amount, &s);
    if (err != 0) return err;
    int64_t now = core_now(core), paid_at = m->paid_at == 0 ? now : m->paid_at;
    int64_t before = payment_left(p); /* in suspense: what went back is not */
    const char *also = event_of(&s, m->amount, p);
    if (money_add(p->received, m->amount, &p->received) != 0 ||
        money_add(p->amount_paid, s.counted, &p->amount_paid) != 0)
        return why_set(why, E_OVERFLOW, "more money than can be counted");
    if (orphan != 0)
        book_owned(core, commit, p, a, orphan, m->amount, &s);
    else
        commit_add(commit, OP_MOVEMENT_ADD,
                   VALS(V_STR(a->account), money_id, V_TEXT(p->id), V_TEXT(a->id), V_INT(m->amount),
                        V_INT(s.counted), V_INT(s.held), V_TEXT(s.why), V_STR(m->source),
                        V_INT(paid_at), V_INT(now)));
    struct ledger_side from = provider_side(a->account);
    if (s.pays) {
        p->paid_at = paid_at;
        p->failure = STR("");
        err = book_paid(core, commit, p, a->account, from, s.counted, before, m->fee, m->settle_at);
        if (err == 0) err = payment_move(p, PAYMENT_SUCCESS, why);
        if (err == 0 && a->state != OPERATION_SUCCESS)
            err = attempt_move(core, commit, a, OPERATION_SUCCESS, STR(""));
        if (err == 0) err = paid_by(core, commit, p, a);
        if (err != 0) return err;
        if (m->unpriced)
            payment_add_note(core, commit, str_of(p->id), "unpriced",
                             STR("the fee rule failed; booked without a fee"));
    }
    post(core, commit, p, from, suspense_side(a->account), m->amount - (s.pays ? s.counted : 0),
         "payment");
    payment_save(core, commit, p);
    if (s.pays) err = payment_event(core, commit, p, "payment.succeeded");
    if (err == 0 && also != NULL) err = payment_event(core, commit, p, also);
    *verdict = s.verdict;
    return err;
}

int payment_book(const struct core *core, struct commit *commit, struct payment *p, size_t attempt,
                 const struct money *m, enum verdict *verdict, struct why *why) {
    struct attempt *a = &p->attempts[attempt];
    if (m->amount <= 0) return why_set(why, E_RANGE, "amount: must be more than 0");
    bool known = false;
    int64_t orphan;
    int err =
        seen_before(core, commit, p, a->account, m->money_id, m->amount, &known, &orphan, verdict);
    if (err != 0 || known) return err;
    err = claim(core, commit, p, a, m->money_id, m->amount, orphan, &known);
    *verdict = known && orphan != 0 ? VERDICT_DUPLICATE : VERDICT_APPLIED;
    if (err != 0 || known) return err;
    return book_new(core, commit, p, a, m, V_STR(m->money_id), orphan, verdict, why);
}

struct str money_own_id(struct str reference, char out[MONEY_OWN_ID_SIZE]) {
    int n =
        snprintf(out, MONEY_OWN_ID_SIZE, "=%.*s",
                 (int)(reference.n > MONEY_OWN_ID_SIZE - 2 ? MONEY_OWN_ID_SIZE - 2 : reference.n),
                 reference.p);
    return (struct str){out, (size_t)n};
}

int payment_add_settle(const struct core *core, struct commit *commit, struct payment *p,
                       size_t attempt, const struct money *money, enum verdict *verdict,
                       struct why *why) {
    struct money m = *money;
    char id[MONEY_OWN_ID_SIZE];
    if (m.money_id.n == 0) m.money_id = money_own_id(p->attempts[attempt].reference, id);
    int err = payment_book(core, commit, p, attempt, &m, verdict, why);
    if (err != 0 || *verdict == VERDICT_DUPLICATE) return err;
    return payment_known_again(core, commit, p, &p->attempts[attempt], why);
}

int payment_booked_of(const struct core *core, const struct payment *p, const struct attempt *a,
                      int64_t *out) {
    struct rows *rows = NULL;
    *out = p->received;
    if (p->received == 0 || p->attempt_count == 1) return 0;
    int err = store_get(core->store, "movements_of_payment", VALS(V_TEXT(p->id)), &rows);
    *out = 0;
    for (size_t i = 0; err == 0 && i < rows_count(rows); i++)
        if (str_eq(rows_text(rows, i, 4), str_of(a->id)))
            err = money_add(*out, rows_int(rows, i, 5), out);
    rows_free(rows);
    return err;
}

int payment_add_found(const struct core *core, struct commit *commit, struct payment *p,
                      size_t attempt, int64_t total, const struct money *how, enum verdict *verdict,
                      struct why *why) {
    int64_t booked = 0;
    struct attempt *a = &p->attempts[attempt];
    int err = payment_booked_of(core, p, a, &booked);
    *verdict = VERDICT_DUPLICATE;
    if (err != 0 || total <= booked) return err;
    struct money m = *how;
    m.amount = total - booked;
    return book_new(core, commit, p, a, &m, V_NULL, 0, verdict, why);
}

int money_add_orphan(const struct core *core, struct commit *commit, struct str account,
                     const struct money *m) {
    int64_t now = core_now(core);
    if (m->amount <= 0 || m->money_id.n == 0) return E_INVAL;
    commit_add(commit, OP_MOVEMENT_ADD,
               VALS(V_STR(account), V_STR(m->money_id), V_NULL, V_NULL, V_INT(m->amount), V_INT(0),
                    V_INT(m->amount), V_TEXT("orphan"), V_STR(m->source),
                    V_INT(m->paid_at == 0 ? now : m->paid_at), V_INT(now)));
    struct posting post = orphan_posting(core, account, m->amount);
    ledger_post(commit, &post);
    return 0;
}

int money_add_orphan_reversed(const struct core *core, struct commit *commit, struct str account,
                              struct str money_id, int64_t amount, enum verdict *verdict) {
    struct rows *rows = NULL;
    int err =
        store_get(core->store, "movement_by_money", VALS(V_STR(account), V_STR(money_id)), &rows);
    if (err == 0 && (rows_count(rows) == 0 || !rows_null(rows, 0, 3))) err = E_NOTFOUND;
    int64_t held = err == 0 ? rows_int(rows, 0, 7) : 0;
    bool part = err == 0 && held != 0 && amount != 0 && amount != held;
    *verdict = part ? VERDICT_AMOUNT_MISMATCH : held == 0 ? VERDICT_DUPLICATE : VERDICT_APPLIED;
    if (part) /* which part of it is nobody's is a person's to find out */
        log_error("orphan_reversed_in_part", L_STR("account", account), L_STR("money_id", money_id),
                  L_INT("held", held), L_INT("taken_back", amount));
    if (held != 0 && !part) {
        commit_add(commit, OP_MOVEMENT_MOVE,
                   VALS(V_INT(rows_int(rows, 0, 0)), V_INT(held), V_INT(0), V_INT(held)));
        post_orphan_gone(core, commit, account, held, "orphan_reversed", STR(""));
    }
    rows_free(rows);
    return err;
}

struct attempt *payment_attempt_at(struct payment *p, struct str account) {
    for (size_t i = p->attempt_count; i-- > 0;)
        if (str_eq(p->attempts[i].account, account)) return &p->attempts[i];
    return NULL;
}

/* Money that is nobody's, all of it in suspense, and the newest way of the payment at its account. */
static int nobodys(const struct core *core, struct payment *p, int64_t movement, struct rows **rows,
                   struct attempt **a, struct why *why) {
    int err = store_get(core->store, "movement_get", VALS(V_INT(movement)), rows);
    if (err != 0) return err;
    if (rows_count(*rows) == 0) return why_set(why, E_NOTFOUND, "there is no such money");
    if (!rows_null(*rows, 0, 3))
        return why_set(why, E_STATE, "that money belongs to %.*s", STR_FMT(rows_text(*rows, 0, 3)));
    *a = payment_attempt_at(p, rows_text(*rows, 0, 1));
    if (*a == NULL)
        return why_set(why, E_STATE, "%s has no way to be paid at %.*s", p->id,
                       STR_FMT(rows_text(*rows, 0, 1)));
    if (rows_int(*rows, 0, 7) != rows_int(*rows, 0, 5))
        return why_set(why, E_STATE, "some of that money went back");
    return 0;
}

int payment_add_own(const struct core *core, struct commit *commit, struct payment *p,
                    int64_t movement, const struct money *how, enum verdict *verdict,
                    struct why *why) {
    struct rows *rows = NULL;
    struct attempt *a = NULL;
    int err = nobodys(core, p, movement, &rows, &a, why);
    if (err == 0)
        err = book_new(core, commit, p, a,
                       &(struct money){.amount = rows_int(rows, 0, 5),
                                       .paid_at = rows_int(rows, 0, 11),
                                       .settle_at = how->settle_at,
                                       .fee = how->fee,
                                       .unpriced = how->unpriced,
                                       .source = STR("hand")},
                       V_NULL, movement, verdict, why);
    rows_free(rows);
    return err;
}

/* Which of the payment's movements polling had booked for it; 0: none. */
static int polled(const struct core *core, const struct payment *p, struct str account,
                  int64_t amount, int64_t *movement) {
    int err = 0;
    *movement = 0;
    for (size_t i = 0; err == 0 && *movement == 0 && i < p->attempt_count; i++) {
        struct rows *rows = NULL;
        if (!str_eq(p->attempts[i].account, account)) continue;
        err = store_get(core->store, "movement_unclaimed",
                        VALS(V_TEXT(p->id), V_INT(amount), V_TEXT(p->attempts[i].id)), &rows);
        if (err == 0 && rows_count(rows) != 0) *movement = rows_int(rows, 0, 0);
        rows_free(rows);
    }
    return err;
}

int payment_add_same(const struct core *core, struct commit *commit, struct payment *p,
                     int64_t movement, struct why *why) {
    struct rows *rows = NULL;
    struct attempt *a = NULL;
    int64_t found = 0;
    int err = nobodys(core, p, movement, &rows, &a, why);
    if (err == 0) err = polled(core, p, a->account, rows_int(rows, 0, 5), &found);
    if (err == 0 && found == 0)
        err = why_set(why, E_STATE, "polling has found no money of that amount for %s", p->id);
    if (err == 0) {
        commit_add(commit, OP_MOVEMENT_DROP, VALS(V_INT(movement)));
        commit_add(commit, OP_MOVEMENT_CLAIM, VALS(V_INT(found), V_STR(rows_text(rows, 0, 2))));
        post_orphan_gone(core, commit, a->account, rows_int(rows, 0, 5), "orphan_same",
                         str_of(p->id));
    }
    rows_free(rows);
    return err;
}

/* ---- out of suspense ---- */

int payment_add_accept(const struct core *core, struct commit *commit, struct payment *p,
                       int64_t movement, const struct fee *fee, int64_t settle_at,
                       struct why *why) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "movement_get", VALS(V_INT(movement)), &rows);
    if (err != 0) return err;
    bool ours = rows_count(rows) == 1 && str_eq(rows_text(rows, 0, 3), str_of(p->id));
    int64_t held = ours ? rows_int(rows, 0, 7) : 0, paid_at = ours ? rows_int(rows, 0, 11) : 0;
    bool counts = ours && rows_int(rows, 0, 6) > 0;
    char account[LEDGER_NAME_MAX];
    snprintf(account, sizeof account, "%.*s", STR_FMT(ours ? rows_text(rows, 0, 1) : STR("")));
    struct attempt *a = ours ? payment_attempt(p, rows_text(rows, 0, 4)) : NULL;
    bool gone = false;
    if (ours && !rows_null(rows, 0, 2))
        err = payment_taken_back(core, str_of(account), rows_text(rows, 0, 2), &gone);
    rows_free(rows);
    if (err != 0) return err;
    if (gone) return why_set(why, E_STATE, "the provider has taken that money back");
    if (!ours) return why_set(why, E_NOTFOUND, "the payment has no such money");
    bool first = p->status != PAYMENT_SUCCESS, taken = false;
    if (held == 0 && !(first && counts))
        return why_set(why, E_STATE, "that money is not in suspense");
    if (first && !payment_open(p->status)) err = order_taken(core, p, &taken);
    if (err != 0) return err;
    if (taken) return why_set(why, E_STATE, "another payment of this order is open or paid");
    int64_t before = first ? payment_left(p) : 0;
    payment_stands(commit, p);
    if (held > 0)
        commit_add(commit, OP_MOVEMENT_MOVE,
                   VALS(V_INT(movement), V_INT(held), V_INT(held), V_INT(0)));
    if (money_add(p->amount_paid, held, &p->amount_paid) != 0) return E_OVERFLOW;
    if (first) {
        p->paid_at = paid_at;
        p->failure = STR("");
        err = book_paid(core, commit, p, str_of(account), suspense_side(str_of(account)), held,
                        before, fee, settle_at);
        if (err == 0) err = payment_move(p, PAYMENT_SUCCESS, why);
        if (err == 0 && a != NULL && a->state != OPERATION_SUCCESS)
            err = attempt_move(core, commit, a, OPERATION_SUCCESS, STR(""));
        if (err == 0 && a != NULL) err = paid_by(core, commit, p, a);
    } else {
        post(core, commit, p, suspense_side(str_of(account)), merchant_side(p, str_of(account)),
             held, "accepted");
        err = book_share(core, commit, p, str_of(account), held, settle_at);
    }
    if (err != 0) return err;
    payment_save(core, commit, p);
    return first ? payment_event(core, commit, p, "payment.succeeded") : 0;
}

int payment_add_available(const struct core *core, struct commit *commit, struct payment *p) {
    int64_t share = p->unsettled;
    if (share == 0) return E_STATE;
    payment_stands(commit, p);
    p->unsettled = 0;
    p->settle_at = 0;
    int err = book_share(core, commit, p, STR(""), share, 0); /* what waits passed us */
    if (err == 0) payment_save(core, commit, p);
    return err;
}
