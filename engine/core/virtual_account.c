#include "core/virtual_account.h"

#include "core/payment_private.h"

#include <stdio.h>

void virtual_account_add(const struct core *core, struct commit *commit,
                         struct virtual_account *v) {
    id_make(v->id, "va_", core->clock, core->rng);
    v->created_at = core_now(core);
    commit_add(commit, OP_VIRTUAL_ACCOUNT_ADD,
               VALS(V_TEXT(v->id), V_STR(v->merchant), V_STR(v->account), V_STR(v->number),
                    V_STR(v->bank), V_STR(v->script), V_STR(v->version), text_or_null(v->person),
                    V_BLOB(v->doc.n == 0 ? STR("{}") : v->doc), V_INT(v->created_at)));
}

void virtual_account_add_close(const struct core *core, struct commit *commit,
                               const struct virtual_account *v) {
    commit_add(commit, OP_VIRTUAL_ACCOUNT_CLOSE,
               VALS(V_TEXT(v->id), V_STR(v->merchant), V_INT(core_now(core))));
}

int virtual_account_read_row(const struct rows *rows, size_t row, struct virtual_account *out) {
    *out = (struct virtual_account){.merchant = rows_text(rows, row, 1),
                                    .account = rows_text(rows, row, 2),
                                    .number = rows_text(rows, row, 3),
                                    .bank = rows_text(rows, row, 4),
                                    .script = rows_text(rows, row, 5),
                                    .version = rows_text(rows, row, 6),
                                    .person = rows_text(rows, row, 7),
                                    .doc = rows_text(rows, row, 8),
                                    .closed = str_eq(rows_text(rows, row, 9), STR("closed")),
                                    .created_at = rows_int(rows, row, 10),
                                    .rows = rows_keep(rows)};
    snprintf(out->id, sizeof out->id, "%.*s", STR_FMT(rows_text(rows, row, 0)));
    return 0;
}

static int read_one(int err, struct str merchant, struct rows *rows, struct virtual_account *out) {
    *out = (struct virtual_account){0};
    if (err == 0 && rows_count(rows) == 0) err = E_NOTFOUND;
    if (err == 0 && merchant.n != 0 && !str_eq(merchant, rows_text(rows, 0, 1))) err = E_NOTFOUND;
    if (err == 0) err = virtual_account_read_row(rows, 0, out);
    rows_free(rows);
    return err;
}

int virtual_account_read(const struct core *core, struct str merchant, struct str id,
                         struct virtual_account *out) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "virtual_account_get", VALS(V_STR(id)), &rows);
    return read_one(err, merchant, rows, out);
}

int virtual_account_find(const struct core *core, struct str account, struct str number,
                         struct virtual_account *out) {
    struct rows *rows = NULL;
    int err =
        store_get(core->store, "virtual_account_of", VALS(V_STR(account), V_STR(number)), &rows);
    return read_one(err, STR(""), rows, out);
}

void virtual_account_free(struct virtual_account *v) {
    rows_free(v->rows);
    *v = (struct virtual_account){0};
}

static void put_member(struct json_out *w, const struct json_doc *doc, const char *name) {
    const struct json *value = doc->root == NULL ? NULL : json_get(doc->root, name);
    json_key(w, name);
    if (value == NULL)
        json_null(w);
    else
        json_value(w, value);
}

void virtual_account_json(const struct virtual_account *v, struct buf *out) {
    struct json_out w;
    struct json_doc doc = {0};
    if (v->doc.n != 0 && json_parse(&doc, v->doc, NULL, NULL) != 0) {
        out->err = out->err != 0 ? out->err : E_NOMEM;
        return;
    }
    json_out_init(&w, out);
    json_begin_object(&w);
    json_put_text(&w, "id", v->id);
    json_put_text(&w, "object", "virtual_account");
    json_key(&w, "customer"); /* before what the merchant writes: customer_fill() */
    if (v->person.n == 0) {
        json_null(&w);
    } else {
        json_begin_object(&w);
        json_put_str(&w, "id", v->person);
        json_end_object(&w);
    }
    json_put_str(&w, "bank", v->bank);
    json_put_str(&w, "channel", attempt_channel(&(struct attempt){.script = v->script}));
    json_put_str(&w, "va_number", v->number);
    put_member(&w, &doc, "description");
    put_member(&w, &doc, "metadata");
    json_put_text(&w, "status", v->closed ? "closed" : "active");
    json_put_time(&w, "created_at", v->created_at);
    json_end_object(&w);
    if (json_out_end(&w) != 0 && out->err == 0) out->err = w.err;
    json_doc_free(&doc);
}

void virtual_account_reference(struct str number, struct str money_id, struct buf *out) {
    buf_addstr(out, number);
    buf_addc(out, '-');
    buf_addstr(out, money_id);
}

/* Its payment is one of this number: the same transfer came twice at once. */
static bool is_own(const struct core *core, const struct virtual_account *v,
                   const struct money *m) {
    struct payment p;
    size_t at;
    struct buf reference = {0};
    virtual_account_reference(v->number, m->money_id, &reference);
    int err = reference.err;
    if (err == 0) err = payment_find(core, v->account, buf_str(&reference), &p, &at);
    if (err == 0) payment_free(&p);
    buf_free(&reference);
    return err != E_NOTFOUND;
}

/* That transfer was here: as it is now, or with another amount. */
static int seen_before(const struct core *core, struct commit *commit,
                       const struct virtual_account *v, const struct money *m, bool *seen,
                       enum verdict *verdict) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "movement_by_money",
                        VALS(V_STR(v->account), V_STR(m->money_id)), &rows);
    *seen = err == 0 && rows_count(rows) != 0;
    if (*seen && rows_int(rows, 0, 5) == m->amount) {
        *verdict = VERDICT_DUPLICATE;
        if (!rows_null(rows, 0, 3) && !is_own(core, v, m)) /* or two transfers bear one id */
            payment_add_note(core, commit, rows_text(rows, 0, 3), "money_id_of_another_payment",
                             m->money_id);
    } else if (*seen) {
        *verdict = VERDICT_AMOUNT_MISMATCH;
        payment_add_note(core, commit, rows_text(rows, 0, 3), "money_id_with_another_amount",
                         m->money_id);
    }
    rows_free(rows);
    return err;
}

int virtual_account_add_settle(const struct core *core, struct commit *commit,
                               const struct virtual_account *v, const struct money *m,
                               struct payment *p, enum verdict *verdict, struct why *why) {
    bool seen = false;
    *p = (struct payment){0};
    if (m->money_id.n == 0) return why_set(why, E_INVAL, "money_id: an open account needs one");
    if (m->amount <= 0) return why_set(why, E_RANGE, "amount: must be more than 0");
    int err = seen_before(core, commit, v, m, &seen, verdict);
    if (err != 0 || seen) return err;
    if (v->closed) {
        *verdict = VERDICT_EXPIRED;
        return money_add_orphan(core, commit, v->account, m);
    }
    struct buf reference = {0};
    virtual_account_reference(v->number, m->money_id, &reference);
    const struct payment_result shown = {.to = OPERATION_PENDING};
    const struct payment_new n = {.merchant = v->merchant,
                                  .order_id = buf_str(&reference),
                                  .amount = m->amount,
                                  .currency = STR("IDR"),
                                  .method = STR("virtual_account"),
                                  .bank = v->bank,
                                  .doc = v->doc,
                                  .person = v->person,
                                  .script = v->script,
                                  .version = v->version,
                                  .account = v->account,
                                  .reference = buf_str(&reference),
                                  .at_once = &shown};
    err = reference.err;
    if (err == 0) err = payment_add_create(core, commit, &n, p, why);
    /* the snapshot outlives the reference */
    if (err == 0) err = payment_keep(p, &p->order_id);
    if (err == 0) err = payment_keep(p, &p->attempts[0].reference);
    buf_free(&reference);
    if (err == 0) err = payment_add_settle(core, commit, p, 0, m, verdict, why);
    if (err != 0) payment_free(p);
    return err;
}
