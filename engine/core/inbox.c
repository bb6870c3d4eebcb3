#include "core/inbox.h"

#include "core/ledger.h"
#include "core/payment_private.h"
#include "core/person.h"

#define PURPOSE "inbox"

const struct state INBOX_STATES[INBOX_STATES_] = {
    [INBOX_APPLIED] = {"applied", 0},
    [INBOX_ORPHAN] = {"orphan", TO(INBOX_APPLIED) | TO(INBOX_SUSPENSE) | TO(INBOX_IGNORED)},
    [INBOX_SUSPENSE] = {"suspense", TO(INBOX_APPLIED)},
    [INBOX_IGNORED] = {"ignored", 0},
};

/* Keyed: a body holds personal data, and its plain hash could be guessed at. */
int inbox_hash(const struct core *core, struct str body, uint8_t out[INBOX_HASH]) {
    return core->ring == NULL ? E_STATE : seal_hash(core->ring, 0, PURPOSE, body, out);
}

int inbox_add(const struct core *core, struct commit *commit, const struct inbox_new *n) {
    uint8_t raw[INBOX_HASH];
    struct buf key = {0}, sealed = {0};
    struct str hash = {(const char *)(n->hash != NULL ? n->hash : raw), INBOX_HASH};
    int at = n->hash != NULL ? 0 : inbox_hash(core, n->body, raw);
    if (at == 0) at = piece_seal(core, PURPOSE, hash, n->body, &key, &sealed);
    if (at == 0)
        at = commit_add(commit, OP_INBOX_ADD,
                        VALS(V_STR(n->account), V_BLOB(buf_str(&key)), V_BLOB(buf_str(&sealed)),
                             V_BLOB(hash), V_TEXT(INBOX_STATES[n->state].name),
                             text_or_null(n->reference), text_or_null(n->money_id),
                             int_or_null(n->amount), int_or_null(n->paid_at),
                             text_or_null(n->payment), int_or_null(n->status),
                             n->status == 0 ? V_NULL : V_BLOB(n->answer), V_INT(core_now(core))));
    buf_free(&key);
    buf_free(&sealed);
    return at;
}

void inbox_add_answer(const struct core *core, struct commit *commit, int64_t id, int status,
                      struct str answer) {
    commit_add(commit, OP_INBOX_ANSWER,
               VALS(V_INT(id), V_INT(status), V_BLOB(answer), V_INT(core_now(core))));
}

static int list(const struct core *core, const char *query, const struct val *values, size_t count,
                struct inbox_list *out) {
    *out = (struct inbox_list){0};
    int err = store_get(core->store, query, values, count, &out->rows);
    if (err == 0) out->count = rows_count(out->rows);
    return err;
}

int inbox_find_hash(const struct core *core, struct str account, const uint8_t hash[INBOX_HASH],
                    struct inbox_list *out) {
    int err =
        list(core, "inbox_by_hash",
             VALS(V_STR(account), V_BLOB(((struct str){(const char *)hash, INBOX_HASH}))), out);
    if (err == 0 && out->count == 0) {
        inbox_list_free(out);
        err = E_NOTFOUND;
    }
    return err;
}

int inbox_find(const struct core *core, struct str account, struct str body,
               struct inbox_list *out) {
    uint8_t hash[INBOX_HASH];
    *out = (struct inbox_list){0};
    int err = inbox_hash(core, body, hash);
    return err != 0 ? err : inbox_find_hash(core, account, hash, out);
}

int inbox_orphans(const struct core *core, struct str account, struct str reference,
                  struct inbox_list *out) {
    return list(core, "orphans_of", VALS(V_STR(account), V_STR(reference)), out);
}

int inbox_orphans_known(const struct core *core, int64_t after, int limit, struct inbox_list *out) {
    return list(core, "orphans_known", VALS(V_INT(limit), V_INT(after)), out);
}

int inbox_find_id(const struct core *core, int64_t id, struct inbox_list *out) {
    int err = list(core, "inbox_get", VALS(V_INT(id)), out);
    if (err == 0 && out->count == 0) {
        inbox_list_free(out);
        err = E_NOTFOUND;
    }
    return err;
}

int inbox_of_payment(const struct core *core, struct str payment, struct inbox_list *out) {
    return list(core, "inbox_by_payment", VALS(V_STR(payment)), out);
}

int inbox_row(const struct inbox_list *l, size_t i, struct inbox_row *out) {
    int state = states_find(INBOX_STATES, INBOX_STATES_, rows_text(l->rows, i, 5));
    if (state < 0) return E_CORRUPT;
    *out = (struct inbox_row){.id = rows_int(l->rows, i, 0),
                              .state = (enum inbox_state)state,
                              .account = rows_text(l->rows, i, 1),
                              .reference = rows_text(l->rows, i, 6),
                              .money_id = rows_text(l->rows, i, 7),
                              .amount = rows_int(l->rows, i, 8),
                              .paid_at = rows_int(l->rows, i, 9),
                              .payment = rows_text(l->rows, i, 10),
                              .status = (int)rows_int(l->rows, i, 11),
                              .answer = rows_text(l->rows, i, 12),
                              .at = rows_int(l->rows, i, 13)};
    return 0;
}

int inbox_body(const struct core *core, const struct inbox_list *l, size_t i, struct buf *out) {
    if (rows_null(l->rows, i, 2)) return E_CLOSED;
    return piece_open(core, PURPOSE, rows_text(l->rows, i, 4), rows_text(l->rows, i, 2),
                      rows_text(l->rows, i, 3), out);
}

void inbox_list_free(struct inbox_list *l) {
    rows_free(l->rows);
    *l = (struct inbox_list){0};
}

static void move(const struct core *core, struct commit *commit, int64_t id, enum inbox_state to,
                 struct str payment) {
    commit_add(commit, OP_INBOX_MOVE,
               VALS(V_INT(id), V_TEXT(INBOX_STATES[to].name), text_or_null(payment),
                    V_INT(core_now(core))));
}

void inbox_add_adopt(const struct core *core, struct commit *commit, int64_t id,
                     struct str payment) {
    move(core, commit, id, INBOX_APPLIED, payment);
}

/* Money that was told of in other bytes as well, and is booked. */
static int booked_before(const struct core *core, struct str account, struct str money_id,
                         bool *before) {
    struct rows *rows = NULL;
    int err =
        store_get(core->store, "movement_by_money", VALS(V_STR(account), V_STR(money_id)), &rows);
    *before = err == 0 && rows_count(rows) != 0;
    rows_free(rows);
    return err;
}

int inbox_add_over(const struct core *core, struct commit *commit, const struct inbox_row *row) {
    char own[MONEY_OWN_ID_SIZE];
    bool before = false;
    if (row->state != INBOX_ORPHAN) return E_STATE;
    struct str money_id = row->money_id.n != 0 ? row->money_id : money_own_id(row->reference, own);
    int err = booked_before(core, row->account, money_id, &before);
    if (err != 0) return err;
    if (row->amount == 0 || before) {
        move(core, commit, row->id, INBOX_IGNORED, STR(""));
        return 0;
    }
    move(core, commit, row->id, INBOX_SUSPENSE, STR(""));
    return money_add_orphan(core, commit, row->account,
                            &(struct money){.money_id = money_id,
                                            .amount = row->amount,
                                            .paid_at = row->paid_at,
                                            .source = STR("callback")});
}
