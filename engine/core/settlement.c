#include "core/settlement.h"

#include "base/money.h"

#include <stdio.h>

/* What this payment's entries have booked to an account of our cost; kind "fee" or "vat" when the
 * money came, "settlement" by earlier rows. A refund's row counts by itself. */
static int booked(const struct core *core, struct str payment, enum ledger_code code,
                  int64_t *out) {
    struct rows *rows = NULL;
    char text[LEDGER_NAME_MAX];
    struct str name = ledger_name((struct ledger_side){code, STR("")}, text);
    int err = store_get(core->store, "entries_of", VALS(V_STR(payment)), &rows);
    *out = 0;
    for (size_t i = 0; err == 0 && i < rows_count(rows); i++) {
        if (str_eq(rows_text(rows, i, 4), STR("settlement"))) continue;
        if (str_eq(rows_text(rows, i, 1), name))
            err = money_add(*out, rows_int(rows, i, 3), out);
        else if (str_eq(rows_text(rows, i, 2), name))
            err = money_add(*out, -rows_int(rows, i, 3), out);
    }
    rows_free(rows);
    return err;
}

/* From what the provider owes to where it went; a negative amount goes back. */
static void post(const struct core *core, struct commit *commit, const struct settlement_row *row,
                 enum ledger_code to, int64_t amount) {
    struct posting p = {.debit = {to},
                        .credit = {LEDGER_PROVIDER_RECEIVABLE, row->account},
                        .amount = amount < 0 ? -amount : amount,
                        .kind = "settlement",
                        .object = row->payment,
                        .now = core_now(core)};
    if (amount < 0) {
        struct ledger_side side = p.debit;
        p.debit = p.credit;
        p.credit = side;
    }
    ledger_post(commit, &p);
}

static int check(const struct settlement_row *row, struct why *why) {
    int64_t sum = 0;
    if (row->account.n == 0 || row->key.n == 0 || row->payment.n == 0)
        return why_set(why, E_INVAL, "a row has an account, a key and a payment");
    if (row->gross == 0) return why_set(why, E_INVAL, "gross: is 0");
    int err = money_add(row->net, row->fee, &sum);
    if (err == 0) err = money_add(sum, row->vat, &sum);
    if (err != 0 || sum != row->gross)
        return why_set(why, E_INVAL, "gross %lld is not net %lld, fee %lld and tax %lld together",
                       (long long)row->gross, (long long)row->net, (long long)row->fee,
                       (long long)row->vat);
    return 0;
}

int settlement_add(const struct core *core, struct commit *commit, const struct settlement_row *row,
                   struct why *why) {
    char scope[LEDGER_NAME_MAX];
    int64_t fee = 0, vat = 0;
    int err = check(row, why);
    int n = snprintf(scope, sizeof scope, SETTLEMENT_SCOPE "%.*s", STR_FMT(row->account));
    if (err == 0 && (n < 0 || (size_t)n >= sizeof scope))
        err = why_set(why, E_INVAL, "account: is too long");
    if (err == 0 && row->gross > 0) err = booked(core, row->payment, LEDGER_PROVIDER_FEE, &fee);
    if (err == 0 && row->gross > 0) err = booked(core, row->payment, LEDGER_INPUT_VAT, &vat);
    if (err != 0) return err;
    commit_add(commit, OP_KV_PUT,
               VALS(V_TEXT(scope), V_STR(row->key), V_BLOB(row->detail), V_INT(0)));
    post(core, commit, row, LEDGER_BANK, row->net);
    post(core, commit, row, LEDGER_PROVIDER_FEE, row->fee - fee);
    post(core, commit, row, LEDGER_INPUT_VAT, row->vat - vat);
    payment_add_note(core, commit, row->payment, "settled_by_provider", row->detail);
    return 0;
}
