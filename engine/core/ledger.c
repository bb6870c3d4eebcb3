#include "core/ledger.h"

#include "base/money.h"

#include <stdio.h>

static const struct {
    const char *name;
    bool owned;
} CODES[LEDGER_CODES_] = {
#define X(NAME, text, owned) [LEDGER_##NAME] = {text, owned},
    LEDGER_MAP(X)
#undef X
};

struct str ledger_name(struct ledger_side side, char out[LEDGER_NAME_MAX]) {
    int n = CODES[side.code].owned ? snprintf(out, LEDGER_NAME_MAX, "%s:%.*s",
                                              CODES[side.code].name, STR_FMT(side.owner))
                                   : snprintf(out, LEDGER_NAME_MAX, "%s", CODES[side.code].name);
    if (n < 0 || n >= LEDGER_NAME_MAX) return STR(""); /* no account has that name: refused */
    return (struct str){out, (size_t)n};
}

static struct val object_of(const struct posting *p) {
    return p->object.n == 0 ? V_NULL : V_STR(p->object);
}

void ledger_post(struct commit *commit, const struct posting *p) {
    if (p->amount == 0) return;
    char debit[LEDGER_NAME_MAX], credit[LEDGER_NAME_MAX];
    commit_add(commit, OP_LEDGER_POST,
               VALS(V_STR(ledger_name(p->debit, debit)), V_STR(ledger_name(p->credit, credit)),
                    V_INT(p->amount), V_TEXT(p->kind), object_of(p), V_INT(p->now)));
}

static void post_own(struct commit *commit, enum store_op op, struct str merchant,
                     struct ledger_side other, const struct posting *p) {
    if (p->amount == 0) return;
    char name[LEDGER_NAME_MAX];
    commit_add(commit, op,
               VALS(V_STR(merchant), V_STR(ledger_name(other, name)), V_INT(p->amount),
                    V_TEXT(p->kind), V_STR(p->object), V_INT(p->now)));
}

void ledger_take(struct commit *commit, struct str merchant, const struct posting *p) {
    post_own(commit, OP_LEDGER_TAKE, merchant, p->credit, p);
}

void ledger_give(struct commit *commit, struct str merchant, const struct posting *p) {
    post_own(commit, OP_LEDGER_GIVE, merchant, p->debit, p);
}

void ledger_mirror(struct commit *commit, struct str object, const char *kind, const char *as,
                   int64_t now) {
    commit_add(commit, OP_LEDGER_MIRROR, VALS(V_STR(object), V_TEXT(kind), V_TEXT(as), V_INT(now)));
}

int ledger_balance(struct store *store, struct str merchant, struct balance *out) {
    struct rows *rows = NULL;
    *out = (struct balance){0};
    int err = store_get(store, "ledger_of_merchant", VALS(V_STR(merchant)), &rows);
    for (size_t i = 0; err == 0 && i < rows_count(rows); i++) {
        struct str code, owner;
        str_cut(rows_text(rows, i, 0), ':', &code, &owner);
        int64_t *to = str_eq(code, STR("merchant_payable.pending")) ? &out->pending
                      : str_eq(code, STR("merchant_payable.held"))  ? &out->held
                                                                    : &out->available;
        err = money_add(*to, rows_int(rows, i, 1), to);
    }
    rows_free(rows);
    return err;
}

void ledger_deposit(struct commit *commit, struct str merchant, int64_t amount, struct str object,
                    int64_t now) {
    ledger_post(commit, &(struct posting){.debit = {LEDGER_BANK},
                                          .credit = {LEDGER_DEPOSIT, merchant},
                                          .amount = amount,
                                          .kind = "deposit",
                                          .object = object,
                                          .now = now});
}

void ledger_hold(struct commit *commit, struct str merchant, int64_t amount, struct str object,
                 int64_t now) {
    ledger_post(commit, &(struct posting){.debit = {LEDGER_PAYABLE, merchant},
                                          .credit = {LEDGER_HELD, merchant},
                                          .amount = amount,
                                          .kind = "hold",
                                          .object = object,
                                          .now = now});
}

void ledger_hold_commit(struct commit *commit, struct str merchant, int64_t amount,
                        struct ledger_side to, struct str object, int64_t now) {
    ledger_post(commit, &(struct posting){.debit = {LEDGER_HELD, merchant},
                                          .credit = to,
                                          .amount = amount,
                                          .kind = "hold_committed",
                                          .object = object,
                                          .now = now});
}

void ledger_hold_release(struct commit *commit, struct str merchant, int64_t amount,
                         struct str object, int64_t now) {
    ledger_post(commit, &(struct posting){.debit = {LEDGER_HELD, merchant},
                                          .credit = {LEDGER_PAYABLE, merchant},
                                          .amount = amount,
                                          .kind = "hold_released",
                                          .object = object,
                                          .now = now});
}
