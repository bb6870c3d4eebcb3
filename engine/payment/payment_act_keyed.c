/* payment_act_keyed: what a merchant asks for with an Idempotency-Key: refund and capture. The key and
 * the body are looked at before anything is done, the key once more in the commit, and what it answered
 * is stored with it. */
#include "core/idempotency.h"
#include "payment/payment_act_private.h"

#include <stdio.h>

enum { REFUND_REASON_MAX = 255 };

/* "REFERENCE-c-ab12": of an operation on an attempt, unique at the provider too. */
static void make_reference(struct act *a, struct str reference, char letter) {
    char token[TOKEN_SIZE];
    token_make(token, a->core->rng);
    snprintf(a->reference, sizeof a->reference, "%.*s-%c%.6s",
             (int)(reference.n > 40 ? 40 : reference.n), reference.p, letter, token);
}

/* op.input.reference is what the provider knows the payment by. */
static int write_input(struct act *a, struct str reference, int64_t amount) {
    struct json_out w;
    buf_clear(&a->input);
    json_out_init(&w, &a->input);
    json_begin_object(&w);
    json_put_str(&w, "reference", reference);
    if (amount != 0) json_put_int(&w, "amount", amount);
    if (a->reason.n != 0) json_put_str(&w, "reason", a->reason);
    json_end_object(&w);
    return json_out_end(&w);
}

static struct payment_operation operation_of(struct act *a, const struct attempt *at,
                                             const char *kind, int64_t amount) {
    return (struct payment_operation){.kind = str_of(kind),
                                      .script = str_of(a->version->path),
                                      .version = str_of(a->version->id),
                                      .account = at->account,
                                      .reference = str_of(a->reference),
                                      .input = buf_str(&a->input),
                                      .amount = amount,
                                      .ask_at = core_now(a->core) + ASK_AFTER_MS,
                                      .ask_backoff = ASK_BACKOFF};
}

static const struct request_field DESTINATION[] = {
    {"bank", REQUEST_TEXT, .required = true, .min = 2, .max = 32},
    {"account_number", REQUEST_TEXT, .required = true, .min = 5, .max = 34},
    {"account_holder", REQUEST_TEXT, .required = true, .min = 1, .max = 100},
    {0}};
static const struct request_field REFUND[] = {
    {"amount", REQUEST_INT, .min = 1, .max = INT64_C(1000000000000)},
    {"reason", REQUEST_TEXT, .min = 1, .max = REFUND_REASON_MAX},
    {"destination", REQUEST_OBJECT, .members = DESTINATION},
    {0}};

static const struct request_field CAPTURE[] = {
    {"amount", REQUEST_INT, .min = 1, .max = INT64_C(1000000000000)}, {0}};

static bool key_known(struct act *a) {
    struct payment_key_of key = {a->ask.merchant, a->ask.path, a->ask.key, a->ask.raw,
                                 a->ask.request_id};
    int err = payment_reply_known(&a->reply, a->core, a->ask.services->gate, &key);
    if (err != 0 && err != E_NOTFOUND) payment_reply_store(&a->reply, err, a->ask.request_id);
    return err != E_NOTFOUND;
}

/* The key and the body, before anything is done. False: that was the end. */
static bool read_keyed(struct act *a, const struct request_field *fields) {
    struct refusal why = {0};
    if (!idempotency_key_is(a->ask.key)) {
        act_end_problem(a, PROBLEM_INVALID_REQUEST, "Idempotency-Key",
                        a->ask.key.n == 0
                            ? "this needs the header Idempotency-Key"
                            : "an Idempotency-Key is 1 to 255 characters of printable ASCII");
        return false;
    }
    if (key_known(a)) {
        act_end(a);
        return false;
    }
    int err = request_parse(&a->body, a->ask.body.n == 0 ? STR("{}") : a->ask.body, &why);
    if (err == 0) err = request_check(a->body.root, fields, "", &why);
    if (err == 0) return true;
    if (err == E_INVAL) {
        payment_reply_fault(&a->reply, &why, a->ask.request_id);
        act_end(a);
    } else {
        act_end_error(a, err);
    }
    return false;
}

/* ---- refund ---- */

static int write_destination(struct act *a) {
    struct json_out w;
    if (a->destination == NULL || a->plain.len != 0) return 0;
    json_out_init(&w, &a->plain);
    json_value(&w, a->destination);
    return json_out_end(&w);
}

static int build_refund(const struct core *core, struct payment *p, struct commit *c, void *data,
                        struct why *why) {
    struct act *a = data;
    struct refund refund = {0};
    struct attempt *at = payment_attempt(p, p->attempt);
    act_begin_none(a);
    if (key_known(a)) return E_CANCELLED;
    if (p->amount_paid == 0)
        return why_set(why, E_STATE, "the payment is %s: there is nothing to refund",
                       PAYMENT_STATES[p->status].name);
    int64_t left = p->amount_paid - p->amount_refunded - p->refunding - p->amount_reversed;
    int64_t amount = a->amount == 0 ? left : a->amount;
    bool provider = at != NULL && act_can(a, "refund");
    if (!provider && a->destination == NULL)
        return why_set(why, E_USAGE,
                       "destination is missing: this way of paying cannot be paid back through");
    int err = write_destination(a);
    struct payment_operation o = {0};
    if (err == 0 && provider) {
        make_reference(a, at->reference, 'r');
        err = write_input(a, at->reference, amount);
        o = operation_of(a, at, "refund", amount);
    }
    struct refund_new what = {.amount = amount,
                              .reason = a->reason,
                              .by = provider ? STR("provider") : STR("hand"),
                              .destination = buf_str(&a->plain),
                              .operation = provider ? &o : NULL,
                              .idempotency_key = a->ask.key,
                              .path = a->ask.path,
                              .body = a->ask.raw};
    if (err == 0 && amount <= 0) err = why_set(why, E_LIMIT, "amount: nothing is left to refund");
    if (err == 0) err = payment_add_refund(core, c, p, &what, &refund, why);
    memcpy(a->refund, refund.id, sizeof a->refund);
    if (err != 0 || !provider) return err;
    memcpy(a->operation, o.id, sizeof a->operation);
    act_begun(a);
    return 0;
}

/* A repeat that comes before the provider has answered hears that it is still running. */
static void call_marked(struct act *a, const char *object, int err, const struct why *why) {
    if (err == 0) {
        operation_mark(a->ask.services->gate, &a->mark, str_of(object));
        a->marked = true;
    }
    act_changed(err, why, a);
}

static void refund_changed(int err, const struct why *why, void *data) {
    struct act *a = data;
    if (err == E_USAGE) {
        act_end_problem(a, PROBLEM_INVALID_REQUEST, "destination", why->text);
        return;
    }
    call_marked(a, a->refund, err, why);
}

void act_begin_refund(struct act *a) {
    if (!read_keyed(a, REFUND)) return;
    (void)json_get_i64(a->body.root, "amount", &a->amount);
    (void)json_get_str(a->body.root, "reason", &a->reason);
    a->destination = json_get(a->body.root, "destination");
    if (a->destination != NULL && a->destination->type != JT_OBJECT) a->destination = NULL;
    act_change(a, build_refund, refund_changed);
}

/* ---- capture: of money that a channel has authorised; all of it, once ---- */

static int build_capture(const struct core *core, struct payment *p, struct commit *c, void *data,
                         struct why *why) {
    struct act *a = data;
    struct attempt *at = payment_attempt(p, p->attempt);
    struct rows *rows = NULL;
    act_begin_none(a);
    if (key_known(a)) return E_CANCELLED;
    if (at == NULL || !act_can(a, "capture"))
        return why_set(why, E_STATE,
                       "there is nothing to capture: this way of paying takes money "
                       "at once");
    if (!payment_open(p->status) ||
        (at->state != OPERATION_PENDING && at->state != OPERATION_PROCESSING))
        return why_set(why, E_STATE, "there is nothing to capture: the payment is %s",
                       PAYMENT_STATES[p->status].name);
    if (a->amount != 0 && a->amount != p->amount_due)
        return why_set(why, E_RANGE, "amount: all of it is captured, %lld",
                       (long long)p->amount_due);
    int err = store_get(core->store, "capture_of_payment", VALS(V_TEXT(p->id)), &rows);
    bool before = err == 0 && rows_count(rows) != 0;
    rows_free(rows);
    if (before) return why_set(why, E_STATE, "it is captured already, or being captured");
    make_reference(a, at->reference, 'k');
    if (err == 0) err = write_input(a, at->reference, p->amount_due);
    struct payment_operation o = operation_of(a, at, "capture", p->amount_due);
    if (err == 0) err = payment_add_operation(core, c, p, &o);
    if (err == 0)
        err = idempotency_take(core, c,
                               &(struct idempotency){.merchant = a->ask.merchant,
                                                     .path = a->ask.path,
                                                     .key = a->ask.key,
                                                     .body = a->ask.raw,
                                                     .object = str_of(p->id)});
    memcpy(a->operation, o.id, sizeof a->operation);
    if (err == 0) act_begun(a);
    return err;
}

static void capture_changed(int err, const struct why *why, void *data) {
    struct act *a = data;
    call_marked(a, a->id, err, why);
}

void act_begin_capture(struct act *a) {
    if (!read_keyed(a, CAPTURE)) return;
    (void)json_get_i64(a->body.root, "amount", &a->amount);
    act_change(a, build_capture, capture_changed);
}
