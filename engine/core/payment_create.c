/* Creating a payment, another attempt for it, and other operations on it: what is written before a
 * provider hears of anything. */
#include "core/idempotency.h"
#include "core/payment_private.h"

bool attempt_chosen(const struct attempt *a) {
    struct json_doc doc = {0};
    bool chosen = false;
    if (str_search(a->doc, STR("\"chosen\":true")) < 0) return false;
    if (json_parse(&doc, a->doc, NULL, NULL) == 0)
        chosen = json_get(json_get(doc.root, "input"), "chosen") != NULL;
    json_doc_free(&doc);
    return chosen;
}

static int doc_of_input(struct payment *p, struct str input, struct str *out) {
    struct buf b = {0};
    struct json_out w;
    json_out_init(&w, &b);
    json_begin_object(&w);
    json_key(&w, "input");
    json_raw(&w, input.n == 0 ? STR("{}") : input);
    json_end_object(&w);
    int err = json_out_end(&w);
    *out = buf_str(&b);
    if (err == 0) err = payment_keep(p, out);
    buf_free(&b);
    return err;
}

static void attempt_write(const struct core *core, struct commit *commit, const struct payment *p,
                          const struct attempt *a, int64_t ask_at, struct str ask_backoff) {
    commit_add(commit, OP_ATTEMPT_ADD,
               VALS(V_TEXT(a->id), V_TEXT("create"), V_STR(a->script), V_STR(a->version),
                    V_STR(a->account), V_STR(a->reference), V_TEXT(OPERATION_STATES[a->state].name),
                    V_BLOB(a->doc), V_TEXT(p->id), V_INT(p->amount_due), text_or_null(a->method),
                    text_or_null(a->bank), V_INT(core_now(core))));
    if (ask_at != 0 && operation_open(a->state))
        operation_add_ask(commit, str_of(a->id), ask_at, ask_backoff, core->clock, core->rng);
}

/* What is decided in the same breath: no provider was called, so no money can have moved. */
static int apply_at_once(struct payment *p, struct attempt *a, const struct payment_result *r,
                         struct why *why) {
    if (r->to == OPERATION_SUCCESS || r->to == OPERATION_SENDING)
        return why_set(why, E_INVAL, "nothing is paid before it was created");
    p->status = r->to == OPERATION_PENDING     ? PAYMENT_PENDING
                : r->to == OPERATION_FAILED    ? PAYMENT_FAILED
                : r->to == OPERATION_EXPIRED   ? PAYMENT_EXPIRED
                : r->to == OPERATION_CANCELLED ? PAYMENT_CANCELLED
                                               : PAYMENT_PROCESSING;
    p->instructions = r->instructions;
    if (r->expires_at != 0) p->expires_at = r->expires_at;
    if (a != NULL) {
        a->state = r->to;
        if (r->doc.n != 0) a->doc = r->doc;
    }
    return r->to == OPERATION_FAILED ? failure_keep(p, r->code, r->message, r->provider_code) : 0;
}

static void keys_write(struct commit *commit, const struct attempt *a, const struct payment_key *k,
                       size_t count) {
    for (size_t i = 0; i < count; i++)
        commit_add(commit, OP_ATTEMPT_KEY,
                   VALS(V_STR(a->account), V_STR(k[i].kind), V_STR(k[i].value), V_TEXT(a->id),
                        V_INT(k[i].unique)));
}

static int check_new(const struct payment_new *n, struct why *why) {
    if (n->amount <= 0) return why_set(why, E_RANGE, "amount: must be more than 0");
    if (n->order_id.n == 0 || n->merchant.n == 0)
        return why_set(why, E_INVAL, "order_id: is missing");
    if (n->amount_due != 0 && n->amount_due < n->amount)
        return why_set(why, E_RANGE, "amount_due: is less than the amount");
    if (n->script.n != 0 && (n->reference.n == 0 || n->account.n == 0))
        return why_set(why, E_INVAL, "reference: an attempt needs one, and an account");
    return 0;
}

static const char *created_event(enum payment_status status) {
    return status == PAYMENT_FAILED ? "payment.failed" : NULL;
}

int payment_add_create(const struct core *core, struct commit *commit, const struct payment_new *n,
                       struct payment *p, struct why *why) {
    memset(p, 0, sizeof *p);
    int err = check_new(n, why);
    if (err != 0) return err;
    id_make(p->id, "pay_", core->clock, core->rng);
    p->merchant = n->merchant;
    p->order_id = n->order_id;
    p->open = n->open;
    p->amount = n->amount;
    p->amount_due = n->amount_due == 0 ? n->amount : n->amount_due;
    p->currency = n->currency;
    p->method = n->method;
    p->bank = n->bank;
    p->person = n->person;
    p->doc = n->doc.n == 0 ? STR("{}") : n->doc;
    p->expires_at = n->expires_at;
    p->created_at = core_now(core);
    p->generation = 1;
    p->status = n->script.n == 0 ? PAYMENT_PENDING : PAYMENT_PROCESSING;
    if (n->fee.count != 0) err = fee_keep(p, &n->fee);
    struct attempt *a = NULL;
    if (err == 0 && n->script.n != 0) {
        a = &p->attempts[p->attempt_count++];
        id_make(a->id, "att_", core->clock, core->rng);
        a->script = n->script;
        a->version = n->version;
        a->account = n->account;
        a->reference = n->reference;
        a->method = n->method;
        a->bank = n->bank;
        a->state = OPERATION_SENDING;
        a->generation = 1;
        payment_goes_by(p, a);
        err = doc_of_input(p, n->input, &a->doc);
    }
    if (err == 0 && n->at_once != NULL) err = apply_at_once(p, a, n->at_once, why);
    struct buf json = {0};
    if (err == 0) payment_json(core, p, &json);
    if (err == 0) err = json.err;
    if (err == 0 && n->idempotency_key.n != 0) {
        bool answered = n->at_once != NULL && n->answer_status != 0;
        err = idempotency_take(core, commit,
                               &(struct idempotency){.merchant = n->merchant,
                                                     .path = n->path,
                                                     .key = n->idempotency_key,
                                                     .body = n->body,
                                                     .object = str_of(p->id),
                                                     .status = answered ? n->answer_status : 0,
                                                     .answer = buf_str(&json)});
    }
    if (err == 0) {
        commit_add(commit, OP_PAYMENT_ADD,
                   VALS(V_TEXT(p->id), V_STR(p->merchant), V_STR(p->order_id),
                        V_TEXT(PAYMENT_STATES[p->status].name), V_INT(p->open), V_INT(p->amount),
                        V_INT(p->amount_due), V_STR(p->currency), text_or_null(p->method),
                        text_or_null(p->channel), text_or_null(p->bank), text_or_null(p->attempt),
                        blob_or_null(p->instructions), blob_or_null(p->fee),
                        text_or_null(p->fee_version), blob_or_null(p->failure),
                        text_or_null(p->person), V_BLOB(p->doc), int_or_null(p->expires_at),
                        V_INT(p->created_at)));
        if (a != NULL) attempt_write(core, commit, p, a, n->ask_at, n->ask_backoff);
        if (a != NULL && n->at_once != NULL)
            keys_write(commit, a, n->at_once->keys, n->at_once->key_count);
        event_add(core, commit, p->merchant, "payment.created", str_of(p->id), buf_str(&json));
        const char *also = created_event(p->status);
        if (also != NULL) event_add(core, commit, p->merchant, also, str_of(p->id), buf_str(&json));
    }
    if (err == 0 && n->json != NULL) {
        buf_free(n->json);
        *n->json = json;
    } else {
        buf_free(&json);
    }
    if (err != 0) payment_free(p);
    return err;
}

enum create_clash payment_clash(const struct commit_result *result) {
    if (result->err != E_EXISTS || result->detail == NULL) return CLASH_NONE;
    struct str detail = str_of(result->detail);
    if (str_starts(detail, STR("idempotency_take:"))) return CLASH_IDEMPOTENCY;
    if (str_starts(detail, STR("payment_add:"))) return CLASH_ORDER;
    if (str_starts(detail, STR("attempt_add:")) || str_starts(detail, STR("attempt_key:")))
        return CLASH_REFERENCE;
    return CLASH_NONE;
}

/* ---- another attempt ---- */

static int may_follow(const struct payment *p, const struct attempt *old, bool offer,
                      struct why *why) {
    if (!payment_open(p->status))
        return why_set(why, E_STATE, "the payment is %s", PAYMENT_STATES[p->status].name);
    if (p->amount_paid > 0)
        return why_set(why, E_STATE, "a part of it is paid already, by the other way");
    if (old == NULL && p->status == PAYMENT_PROCESSING)
        return why_set(why, E_STATE, "the payment is held until a person has looked at it");
    if (old == NULL) return 0;
    switch (old->state) {
    case OPERATION_PENDING:
    case OPERATION_FAILED:
    case OPERATION_EXPIRED:
    case OPERATION_CANCELLED:
    case OPERATION_SUPERSEDED: return 0;
    case OPERATION_UNKNOWN: /* nobody can pay what nobody was shown */
        return offer ? 0 : why_set(why, E_STATE, "the charge before it is unknown");
    default: return why_set(why, E_STATE, "the attempt before it is under way");
    }
}

int payment_add_attempt(const struct core *core, struct commit *commit, struct payment *p,
                        const struct attempt_new *n, struct why *why) {
    struct attempt *old = payment_attempt(p, p->attempt);
    int err = may_follow(p, old, n->old_is_offer, why);
    if (err != 0) return err;
    if (p->attempt_count == PAYMENT_ATTEMPTS_MAX)
        return why_set(why, E_LIMIT, "more than %d attempts", PAYMENT_ATTEMPTS_MAX);
    if (old != NULL && n->amount_due != 0 && n->amount_due != p->amount_due)
        return why_set(why, E_STATE, "what is due is fixed by the first attempt");
    if (old != NULL && (old->state == OPERATION_PENDING || old->state == OPERATION_UNKNOWN))
        err = attempt_move(core, commit, old, OPERATION_SUPERSEDED, STR(""));
    if (err == 0 && old == NULL && n->fee != NULL) err = fee_keep(p, n->fee);
    if (err != 0) return err;
    struct attempt *a = &p->attempts[p->attempt_count];
    *a = (struct attempt){.script = n->script,
                          .version = n->version,
                          .account = n->account,
                          .reference = n->reference,
                          .method = n->method.n != 0 ? n->method : p->method,
                          .bank = n->method.n != 0 ? n->bank : p->bank,
                          .state = OPERATION_SENDING,
                          .generation = 1};
    if (p->attempt_count == 0)
        id_make(a->id, "att_", core->clock, core->rng);
    else /* they are read in the order of their ids */
        id_make_after(a->id, "att_", p->attempts[p->attempt_count - 1].id, core->clock, core->rng);
    if ((err = doc_of_input(p, n->input, &a->doc)) != 0) return err;
    p->attempt_count++;
    payment_goes_by(p, a);
    p->instructions = STR("");
    p->open = n->open;
    if (n->amount_due != 0) p->amount_due = n->amount_due;
    if (p->status == PAYMENT_PENDING) err = payment_move(p, PAYMENT_PROCESSING, why);
    if (err != 0) return err;
    payment_save(core, commit, p);
    attempt_write(core, commit, p, a, n->ask_at, n->ask_backoff);
    return 0;
}

int payment_add_operation(const struct core *core, struct commit *commit, struct payment *p,
                          struct payment_operation *o) {
    struct str doc;
    id_make(o->id, "op_", core->clock, core->rng);
    int err = doc_of_input(p, o->input, &doc);
    if (err != 0) return err;
    payment_stands(commit, p); /* nothing goes out for a payment that went another way meanwhile */
    commit_add(commit, OP_ATTEMPT_ADD,
               VALS(V_TEXT(o->id), V_STR(o->kind), V_STR(o->script), V_STR(o->version),
                    V_STR(o->account), V_STR(o->reference),
                    V_TEXT(OPERATION_STATES[OPERATION_SENDING].name), V_BLOB(doc), V_TEXT(p->id),
                    V_INT(o->amount), V_NULL, V_NULL, V_INT(core_now(core))));
    if (o->ask_at != 0)
        operation_add_ask(commit, str_of(o->id), o->ask_at, o->ask_backoff, core->clock, core->rng);
    return 0;
}
