/* States, the snapshot, and writing it back. */
#include "base/mem.h"
#include "core/merchant.h"
#include "core/payment_private.h"

#define ANY_STATUS                                                                             \
    (TO(PAYMENT_PENDING) | TO(PAYMENT_PROCESSING) | TO(PAYMENT_SUCCESS) | TO(PAYMENT_FAILED) | \
     TO(PAYMENT_EXPIRED) | TO(PAYMENT_CANCELLED))

const struct state PAYMENT_STATES[PAYMENT_STATUSES_] = {
    [PAYMENT_PENDING] = {"pending", ANY_STATUS & ~TO(PAYMENT_PENDING)},
    [PAYMENT_PROCESSING] = {"processing", ANY_STATUS & ~TO(PAYMENT_PROCESSING)},
    [PAYMENT_SUCCESS] = {"success", 0},
    [PAYMENT_FAILED] = {"failed", TO(PAYMENT_SUCCESS)},
    [PAYMENT_EXPIRED] = {"expired", TO(PAYMENT_SUCCESS)},
    [PAYMENT_CANCELLED] = {"cancelled", TO(PAYMENT_SUCCESS)},
};

const struct state REFUND_STATES[REFUND_STATUSES_] = {
    [REFUND_PENDING] = {"pending", TO(REFUND_PROCESSING) | TO(REFUND_SUCCESS) | TO(REFUND_FAILED)},
    [REFUND_PROCESSING] = {"processing", TO(REFUND_SUCCESS) | TO(REFUND_FAILED)},
    [REFUND_SUCCESS] = {"success", 0},
    [REFUND_FAILED] = {"failed", TO(REFUND_SUCCESS)},
};

bool payment_open(enum payment_status status) {
    return status == PAYMENT_PENDING || status == PAYMENT_PROCESSING;
}

const char *verdict_name(enum verdict verdict) {
    static const char *const NAMES[VERDICTS_] = {
#define X(name, text) [VERDICT_##name] = text,
        VERDICT_MAP(X)
#undef X
    };
    return NAMES[verdict];
}

struct val text_or_null(struct str s) {
    return s.n == 0 ? V_NULL : V_STR(s);
}
struct val blob_or_null(struct str s) {
    return s.n == 0 ? V_NULL : V_BLOB(s);
}
struct val int_or_null(int64_t n) {
    return n == 0 ? V_NULL : V_INT(n);
}

struct str attempt_channel(const struct attempt *attempt) {
    struct str s = attempt->script;
    for (size_t i = s.n; i > 0; i--)
        if (s.p[i - 1] == '/') {
            s = str_sub(s, i, s.n);
            break;
        }
    return str_ends(s, STR(".lua")) ? str_sub(s, 0, s.n - 4) : s;
}

/* ---- reading ---- */

static void id_copy(char out[ID_SIZE], struct str id) {
    size_t n = id.n < ID_SIZE ? id.n : ID_SIZE - 1;
    memcpy(out, id.p, n);
    out[n] = '\0';
}

static int columns_read(const struct rows *r, size_t row, struct payment *p) {
    int status = states_find(PAYMENT_STATES, PAYMENT_STATUSES_, rows_text(r, row, 3));
    if (status < 0) return E_CORRUPT;
    id_copy(p->id, rows_text(r, row, 0));
    p->merchant = rows_text(r, row, 1);
    p->order_id = rows_text(r, row, 2);
    p->status = (enum payment_status)status;
    p->generation = rows_int(r, row, 4);
    p->open = rows_int(r, row, 6) != 0;
    int64_t *const numbers[] = {&p->amount,          &p->amount_due,      &p->received,
                                &p->amount_paid,     &p->amount_refunded, &p->refunding,
                                &p->amount_reversed, &p->unsettled,       &p->settle_at};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        *numbers[i] = rows_int(r, row, 7 + i);
    struct str *const texts[] = {&p->currency, &p->method,       &p->channel, &p->bank,
                                 &p->attempt,  &p->instructions, &p->fee,     &p->fee_version,
                                 &p->failure,  &p->person,       &p->doc};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = rows_text(r, row, 16 + i);
    p->expires_at = rows_int(r, row, 27);
    p->created_at = rows_int(r, row, 28);
    p->paid_at = rows_int(r, row, 5);
    return 0;
}

static int attempts_read(const struct core *core, struct payment *p) {
    int err = store_get(core->store, "attempts_of_payment",
                        VALS(V_TEXT(p->id), V_INT(PAYMENT_ATTEMPTS_MAX)), &p->rows[1]);
    if (err != 0) return err;
    const struct rows *r = p->rows[1];
    for (size_t i = 0; i < rows_count(r); i++) {
        struct attempt *a = &p->attempts[p->attempt_count++];
        int state = states_find(OPERATION_STATES, OPERATION_STATES_, rows_text(r, i, 5));
        if (state < 0) return E_CORRUPT;
        id_copy(a->id, rows_text(r, i, 0));
        a->script = rows_text(r, i, 1);
        a->version = rows_text(r, i, 2);
        a->account = rows_text(r, i, 3);
        a->reference = rows_text(r, i, 4);
        a->state = (enum operation_state)state;
        a->generation = rows_int(r, i, 6);
        a->doc = rows_text(r, i, 7);
        a->method = rows_text(r, i, 8);
        a->bank = rows_text(r, i, 9);
        a->moved_at = rows_int(r, i, 10);
    }
    const struct attempt *a = payment_attempt(p, p->attempt);
    p->direct = a != NULL && account_direct(a->account);
    return 0;
}

/* The payment's row comes first: what is read after it may be newer, and then its generation does
 * not stand any more when the change is committed. */
int payment_read(const struct core *core, struct str merchant, struct str id, struct payment *out) {
    memset(out, 0, sizeof *out);
    int err = store_get(core->store, "payment_get", VALS(V_STR(id)), &out->rows[0]);
    if (err == 0 && rows_count(out->rows[0]) == 0) err = E_NOTFOUND;
    if (err == 0) err = columns_read(out->rows[0], 0, out);
    if (err == 0 && merchant.n != 0 && !str_eq(merchant, out->merchant)) err = E_NOTFOUND;
    if (err == 0) err = attempts_read(core, out);
    if (err != 0) payment_free(out);
    return err;
}

int payment_read_row(const struct core *core, const struct rows *rows, size_t row,
                     struct payment *out) {
    memset(out, 0, sizeof *out);
    out->rows[0] = rows_keep(rows);
    int err = columns_read(rows, row, out);
    if (err == 0) err = attempts_read(core, out);
    if (err != 0) payment_free(out);
    return err;
}

/* `found`: rows of (payment, attempt). */
static int found_read(const struct core *core, int err, struct rows *found, struct payment *out,
                      size_t *at) {
    if (err == 0 && rows_count(found) == 0) err = E_NOTFOUND;
    if (err == 0) err = payment_read(core, STR(""), rows_text(found, 0, 0), out);
    if (err == 0 && at != NULL) {
        struct attempt *a = payment_attempt(out, rows_text(found, 0, 1));
        if (a == NULL) { /* an operation of another kind */
            payment_free(out);
            err = E_NOTFOUND;
        } else {
            *at = (size_t)(a - out->attempts);
        }
    }
    rows_free(found);
    return err;
}

int payment_find(const struct core *core, struct str account, struct str reference,
                 struct payment *out, size_t *at) {
    struct rows *found = NULL;
    int err = store_get(core->store, "payment_of_reference", VALS(V_STR(account), V_STR(reference)),
                        &found);
    return found_read(core, err, found, out, at);
}

int payment_find_key(const struct core *core, struct str account, struct str kind, struct str value,
                     struct payment *out, size_t *at) {
    struct rows *found = NULL;
    int err = store_get(core->store, "payment_of_key",
                        VALS(V_STR(account), V_STR(kind), V_STR(value)), &found);
    return found_read(core, err, found, out, at);
}

int payment_of_order(const struct core *core, struct str merchant, struct str order_id,
                     struct payment *out) {
    struct rows *found = NULL;
    int err =
        store_get(core->store, "payment_of_order", VALS(V_STR(merchant), V_STR(order_id)), &found);
    return found_read(core, err, found, out, NULL);
}

void payment_free(struct payment *payment) {
    rows_free(payment->rows[0]);
    rows_free(payment->rows[1]);
    arena_free(&payment->memory);
    memset(payment, 0, sizeof *payment);
}

struct attempt *payment_attempt(struct payment *payment, struct str id) {
    for (size_t i = 0; i < payment->attempt_count; i++)
        if (str_eq(str_of(payment->attempts[i].id), id)) return &payment->attempts[i];
    return NULL;
}

/* ---- changing ---- */

void payment_goes_by(struct payment *payment, const struct attempt *a) {
    payment->attempt = str_of(a->id);
    payment->channel = attempt_channel(a);
    payment->direct = account_direct(a->account);
    if (a->method.n == 0) return; /* of before attempts knew it */
    payment->method = a->method;
    payment->bank = a->bank; /* which is part of the method */
}

int payment_move(struct payment *payment, enum payment_status to, struct why *why) {
    if (!states_may(PAYMENT_STATES, payment->status, to))
        return why_set(why, E_STATE, "the payment is %s, it cannot become %s",
                       PAYMENT_STATES[payment->status].name, PAYMENT_STATES[to].name);
    payment->status = to;
    return 0;
}

void payment_save(const struct core *core, struct commit *commit, struct payment *p) {
    commit_add(commit, OP_PAYMENT_MOVE,
               VALS(V_TEXT(p->id), V_INT(p->generation), V_TEXT(PAYMENT_STATES[p->status].name),
                    V_INT(p->open), V_INT(p->amount_due), V_INT(p->received), V_INT(p->amount_paid),
                    V_INT(p->amount_refunded), V_INT(p->refunding), V_INT(p->amount_reversed),
                    V_INT(p->unsettled), int_or_null(p->unsettled == 0 ? 0 : p->settle_at),
                    text_or_null(p->method), text_or_null(p->channel), text_or_null(p->bank),
                    text_or_null(p->attempt), blob_or_null(p->instructions), blob_or_null(p->fee),
                    text_or_null(p->fee_version), blob_or_null(p->failure),
                    int_or_null(p->expires_at), int_or_null(p->paid_at), V_INT(core_now(core))));
    p->generation++;
}

void payment_stands(struct commit *commit, const struct payment *p) {
    commit_add(commit, OP_PAYMENT_STANDS, VALS(V_TEXT(p->id), V_INT(p->generation)));
}

int64_t payment_left(const struct payment *p) {
    return p->amount_paid - p->amount_refunded - p->refunding - p->amount_reversed;
}

int payment_event(const struct core *core, struct commit *commit, const struct payment *payment,
                  const char *type) {
    struct buf json = {0};
    payment_json(core, payment, &json);
    if (json.err == 0)
        event_add(core, commit, payment->merchant, type, str_of(payment->id), buf_str(&json));
    int err = json.err;
    buf_free(&json);
    return err;
}

int attempt_move(const struct core *core, struct commit *commit, struct attempt *a,
                 enum operation_state to, struct str doc) {
    if (doc.n != 0) a->doc = doc;
    if (to != a->state) {
        int err = operation_add_move(commit, str_of(a->id), a->generation, a->state, to, a->doc,
                                     core->clock);
        if (err != 0) return err;
        a->state = to;
    } else if (doc.n != 0) {
        operation_add_doc(commit, str_of(a->id), a->generation, to, a->doc, core->clock);
    } else {
        return 0;
    }
    a->generation++;
    a->moved_at = core_now(core);
    return 0;
}

int payment_keep(struct payment *payment, struct str *text) {
    if (text->n == 0) return 0;
    char *copy = arena_dup(&payment->memory, text->p, text->n);
    if (copy == NULL) return E_NOMEM;
    text->p = copy;
    return 0;
}

void payment_add_note(const struct core *core, struct commit *commit, struct str payment,
                      const char *what, struct str detail) {
    commit_add(commit, OP_NOTE_ADD,
               VALS(V_STR(payment), V_TEXT(what), V_BLOB(detail), V_INT(core_now(core))));
}

int payment_add_note_once(const struct core *core, struct commit *commit, struct payment *payment,
                          const char *what, struct str detail, bool *added) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "notes_of_payment", VALS(V_TEXT(payment->id)), &rows);
    *added = err == 0;
    for (size_t i = 0; err == 0 && i < rows_count(rows); i++)
        if (str_eq(rows_text(rows, i, 0), str_of(what)) && str_eq(rows_text(rows, i, 1), detail))
            *added = false;
    rows_free(rows);
    if (!*added) return err;
    payment_stands(commit, payment);
    payment_add_note(core, commit, str_of(payment->id), what, detail);
    payment_save(core, commit, payment);
    return 0;
}
