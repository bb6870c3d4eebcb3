/* See payment_flow.h: what is stored, before and after the channel is called. */
#include "base/ensure.h"
#include "base/fault.h"
#include "base/money.h"
#include "core/jobs.h"
#include "core/person.h"
#include "core/webhook.h"
#include "payment/payment_adopt.h"
#include "payment/payment_flow_private.h"
#include "payment/payment_settle.h"
#include "sys/config.h"
#include "sys/log.h"

#include <stdio.h>

/* ---- commit 1 ---- */

/* The order id where every provider takes it, else what is left of it; then with 4 characters. */
void flow_make_reference(struct flow *f) {
    static const char *const KEPT = "-._~";
    size_t n = 0, max = REFERENCE_MAX_ - 5;
    bool changed = f->request.order_id.n > max, dots = true; /* "..": a step back in a path */
    for (size_t i = 0; i < f->request.order_id.n && n < max; i++) {
        char c = f->request.order_id.p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    strchr(KEPT, c) != NULL;
        f->reference[n++] = fine ? c : '-';
        changed = changed || !fine;
        dots = dots && c == '.';
    }
    f->reference[n] = '\0';
    if (f->reference_tries++ == 0 && !changed && !dots) return;
    char token[TOKEN_SIZE];
    token_make(token, f->core->rng);
    snprintf(f->reference + n, sizeof f->reference - n, "-%.4s", token);
}

/* Of one attempt: the merchant's own provider account where it has one, else the shared one. */
int flow_choose_account(struct flow *f, const struct version *v) {
    f->account[0] = '\0';
    if (v == NULL) return 0;
    return account_choose(f->core, str_of(v->manifest->provider), f->ask.merchant,
                          str_of(f->ask.services->environment), f->account);
}

static void put_json(struct json_out *w, const char *name, const struct json *value) {
    if (value == NULL) return;
    json_key(w, name);
    json_value(w, value);
}

static int write_doc(struct flow *f) {
    const struct payment_request *r = &f->request;
    struct json_out w;
    buf_clear(&f->doc);
    json_out_init(&w, &f->doc);
    json_begin_object(&w);
    put_json(&w, "items", r->items);
    put_str(&w, "description", r->description);
    put_json(&w, "metadata", r->metadata);
    put_json(&w, "return_urls", r->return_urls);
    if (f->reason[0] != '\0') json_put_text(&w, "risk", f->reason);
    put_str(&w, "api_key", f->ask.api_key); /* webhooks of other formats are signed with it */
    put_str(&w, "door", f->ask.door);
    if (f->ask.only) json_put_bool(&w, "only_named", true);
    if (flow_channel(f) == NULL) put_str(&w, "channel", r->channel); /* for when it goes on */
    json_end_object(&w);
    return json_out_end(&w);
}

static bool filled(const struct json *value) {
    return value != NULL && value->count != 0;
}

/* What the channel is given, and the same with the customer's id in his place, which is kept. */
int flow_write_inputs(struct flow *f) {
    const struct payment_request *r = &f->request;
    struct buf customer = {0};
    char placeholder[ID_SIZE + 16] = "";
    struct json_out w;
    int err = 0;
    if (f->person[0] == '\0' && (filled(r->customer) || filled(r->options)))
        id_make(f->person, "per_", f->core->clock, f->core->rng);
    if (f->person[0] != '\0')
        snprintf(placeholder, sizeof placeholder, "{\"id\":\"%s\"}", f->person);
    if (r->customer != NULL) {
        json_out_init(&w, &customer);
        json_value(&w, r->customer);
        err = json_out_end(&w);
    }
    buf_clear(&f->input);
    buf_clear(&f->given);
    channel_input(r, f->amount_due, str_of(placeholder), false, &f->input);
    if (f->ask.choose.n != 0 && f->input.err == 0) { /* see attempt_chosen() */
        f->input.len--;
        buf_adds(&f->input, ",\"chosen\":true}");
    }
    buf_adds(&f->given, "{\"input\":");
    channel_input(r, f->amount_due, buf_str(&customer), true, &f->given);
    buf_adds(&f->given, "}");
    buf_free(&customer);
    return err != 0 ? err : f->input.err != 0 ? f->input.err : f->given.err;
}

static int write_filled(const struct json *value, struct buf *out) {
    struct json_out w;
    if (!filled(value)) return 0;
    json_out_init(&w, out);
    json_value(&w, value);
    return json_out_end(&w);
}

/* The same person in every try to store this payment. */
static int add_person(struct flow *f, struct commit *c, struct why *why) {
    struct buf customer = {0}, options = {0};
    int err = write_filled(f->request.customer, &customer);
    if (err == 0) err = write_filled(f->request.options, &options);
    if (err == 0 && customer.len + options.len != 0)
        err = person_add(f->core, c, f->ask.merchant, buf_str(&customer), buf_str(&options),
                         f->person, why);
    buf_free(&customer);
    buf_free(&options);
    return err;
}

/* How it is asked about after the first time: as the channel says. */
struct str flow_ask_backoff(struct flow *f, const struct version *v) {
    buf_clear(&f->backoff);
    if (v->manifest->poll.first_ms == 0) return ASK_BACKOFF;
    backoff_write(&v->manifest->poll, &f->backoff);
    return f->backoff.err != 0 ? ASK_BACKOFF : buf_str(&f->backoff);
}

/* The attempt that this commit begins is marked before anybody can read of it: who asks about it, or
 * withdraws it, before it is called would hear that nothing is there, and then it is made. */
void flow_mark_next(struct flow *f, const struct payment *p) {
    flow_mark_none(f);
    memcpy(f->next, p->attempts[p->attempt_count - 1].id, sizeof f->next);
    operation_hold(f->ask.services->gate, &f->begun, f->next);
}

void flow_mark_none(struct flow *f) {
    operation_release(f->ask.services->gate, &f->begun);
    f->next[0] = '\0';
}

static void first_stored(const struct commit_result *result, void *data);

/* Where its notifications go, as the door that asked was told. */
static void add_urls(const struct flow *f, struct commit *c) {
    struct str rest = f->ask.urls, url;
    for (int64_t n = 1; n <= WEBHOOK_NAMED_MAX && rest.n != 0; n++) {
        str_cut(rest, ' ', &url, &rest);
        commit_add(c, OP_PAYMENT_URL_ADD, VALS(V_TEXT(f->payment.id), V_INT(n), V_STR(url)));
    }
}

static int build_first(struct flow *f, struct commit *c, const struct payment_result *at_once,
                       struct why *why) {
    const struct version *v = flow_channel(f);
    const struct manifest *m = v == NULL ? NULL : v->manifest;
    struct payment_new what = {.merchant = f->ask.merchant,
                               .order_id = f->request.order_id,
                               .amount = f->request.amount,
                               .amount_due = f->amount_due,
                               .currency = f->request.currency,
                               .method = m == NULL ? f->request.method : str_of(m->method),
                               .bank = m == NULL ? f->request.bank : str_of(m->bank),
                               .doc = buf_str(&f->doc),
                               .person = str_of(f->person),
                               .fee = fee_of_rule(&f->fee, f->fee_version),
                               .open = m != NULL && m->amounts == AMOUNTS_OPEN,
                               .expires_at = f->expires_at,
                               .at_once = at_once,
                               .answer_status = at_once == NULL ? 0 : 201,
                               .idempotency_key = f->ask.key,
                               .path = f->ask.path,
                               .body = f->ask.raw};
    bool answers = at_once != NULL || v == NULL; /* else the answer comes with commit 2 */
    payment_reply_free(&f->reply);
    if (answers) what.json = &f->reply.body;
    if (v != NULL) {
        what.script = str_of(v->path);
        what.version = str_of(v->id);
        what.account = str_of(f->account);
        what.reference = str_of(f->reference);
        what.input = buf_str(&f->input);
        bool settled = at_once != NULL && at_once->to != OPERATION_PROCESSING &&
                       at_once->to != OPERATION_UNKNOWN;
        what.ask_at = settled ? 0 : core_now(f->core) + ASK_AFTER_MS;
        what.ask_backoff = flow_ask_backoff(f, v);
    }
    int err = payment_add_create(f->core, c, &what, &f->payment, why);
    if (err != 0) return err;
    f->has_payment = true;
    if (v != NULL && at_once == NULL) flow_mark_next(f, &f->payment);
    flow_note_skipped(f, c, 0, f->channel);
    add_urls(f, c);
    payment_facts_add(&f->facts, f->core, c);
    claims_add(&f->claims, c, core_now(f->core));
    if (!answers) return 0;
    f->reply.status = 201;
    if (f->ask.key.n == 0 || at_once != NULL) return f->reply.body.err;
    return payment_add_answer(f->core, c, &f->payment, f->ask.path, f->ask.key, 201,
                              buf_str(&f->reply.body));
}

void flow_commit(struct flow *f, const struct payment_result *at_once) {
    struct commit *c = NULL;
    struct why why = {0};
    if (f->ask.choose.n != 0) {
        flow_choose_commit(f, at_once);
        return;
    }
    if (f->reference[0] == '\0') flow_make_reference(f);
    /* a channel that decided at once was given its account */
    int err =
        at_once != NULL && flow_channel(f) != NULL ? 0 : flow_choose_account(f, flow_channel(f));
    if (err == 0) err = write_doc(f);
    if (err == 0) err = commit_new(&c);
    if (err == 0) err = add_person(f, c, &why);
    if (err == 0) err = flow_write_inputs(f);
    if (err == 0) err = build_first(f, c, at_once, &why);
    if (err != 0) {
        log_error("payment_not_created", L_TEXT("error", why.code == 0 ? err_text(err) : why.text));
        if (c != NULL) commit_free(c);
        flow_end_error(f, err);
        return;
    }
    f->stored = at_once != NULL || flow_channel(f) == NULL;
    operation_mark(f->ask.services->gate, &f->payment_mark, str_of(f->payment.id));
    f->payment_marked = true;
    store_submit(f->core->store, c, LANE_NEW, f->loop, first_stored, f);
}

/* It did not go in because somebody was faster. */
static void clashed(struct flow *f, const struct commit_result *result) {
    enum create_clash clash = payment_clash(result);
    f->amount_due -= f->code;
    f->code = 0;
    operation_unmark(f->ask.services->gate, &f->payment_mark);
    f->payment_marked = f->stored = false;
    payment_free(&f->payment);
    f->has_payment = false;
    payment_reply_free(&f->reply);
    if (clash == CLASH_REFERENCE && f->reference_tries < REFERENCE_TRIES) {
        flow_make_reference(f);
        flow_begin_channel(f);
    } else if (claims_clash(result) && !f->claims.exact) {
        f->claims.exact = true;
        flow_begin_channel(f);
    } else if (clash == CLASH_ORDER && flow_find_order(f)) {
        return;
    } else if (clash == CLASH_IDEMPOTENCY && flow_find_key(f)) {
        return;
    } else {
        if (result->err != E_BUSY && result->err != E_FULL) /* the store has said that it is full */
            log_error("payment_not_stored", L_TEXT("error", err_text(result->err)),
                      L_TEXT("detail", result->detail == NULL ? "" : result->detail));
        flow_end_error(f, result->err);
    }
}

static void first_stored(const struct commit_result *result, void *data) {
    struct flow *f = data;
    if (result->err != 0) {
        clashed(f, result);
        return;
    }
    payment_count_created(f->payment.status);
    if (f->stored) {
        flow_end(f);
        return;
    }
    jobs_poke(f->ask.services->jobs);
    memcpy(f->attempt, f->payment.attempts[0].id, sizeof f->attempt);
    flow_call_channel(f);
}

/* ---- the channel ---- */

static void decided(const struct operation_decision *decision, void *data);

static int dispatch(struct flow *f, const struct operation_row *row, struct claims *claims) {
    return dispatch_operation(&(struct operation_call){.runtime = f->ask.runtime,
                                                       .services = f->ask.services,
                                                       .version = flow_channel(f),
                                                       .function = "create",
                                                       .operation = row,
                                                       .decided = decided,
                                                       .claims = claims},
                              NULL, f);
}

/* ---- commit 1 of a payment that exists: its first attempt ---- */

static int build_attempt(const struct core *core, struct payment *p, struct commit *c, void *data,
                         struct why *why) {
    struct flow *f = data;
    const struct version *v = flow_channel(f);
    struct fee fee = fee_of_rule(&f->fee, f->fee_version);
    if (p->status != PAYMENT_PENDING || p->attempt_count != 0)
        return why_set(why, E_STATE, "the payment is %s%s", PAYMENT_STATES[p->status].name,
                       p->attempt_count != 0 ? " and has its way to be paid" : "");
    int err = flow_choose_account(f, v);
    if (err != 0) return why_set(why, err, "the provider account: %s", err_text(err));
    flow_make_reference(f);
    struct attempt_new first = {.script = str_of(v->path),
                                .version = str_of(v->id),
                                .account = str_of(f->account),
                                .reference = str_of(f->reference),
                                .input = buf_str(&f->input),
                                .method = str_of(v->manifest->method),
                                .bank = str_of(v->manifest->bank),
                                .ask_at = core_now(core) + ASK_AFTER_MS,
                                .ask_backoff = flow_ask_backoff(f, v),
                                .amount_due = f->amount_due,
                                .fee = &fee,
                                .open = v->manifest->amounts == AMOUNTS_OPEN};
    err = payment_add_attempt(core, c, p, &first, why);
    if (err == 0) flow_mark_next(f, p);
    return err;
}

static void attempt_stored(int err, const struct why *why, void *data) {
    struct flow *f = data;
    struct refusal fault = {.code = PROBLEM_INVALID_STATE};
    if (err == E_STATE) {
        snprintf(fault.text, sizeof fault.text, "%.200s", why->text);
        flow_end_fault(f, &fault);
        return;
    }
    if (err == 0) err = flow_read_again(f);
    if (err != 0) {
        flow_end_error(f, err);
        return;
    }
    jobs_poke(f->ask.services->jobs);
    memcpy(f->attempt, f->payment.attempts[f->payment.attempt_count - 1].id, sizeof f->attempt);
    flow_call_channel(f);
}

static void add_first(struct flow *f) {
    struct payment_change change = {.core = f->core,
                                    .loop = f->loop,
                                    .lane = LANE_NEW,
                                    .id = str_of(f->payment.id),
                                    .build = build_attempt,
                                    .done = attempt_stored,
                                    .data = f};
    int err = flow_channel(f) == NULL ? E_STATE : flow_write_inputs(f);
    if (err == 0) {
        operation_mark(f->ask.services->gate, &f->payment_mark, str_of(f->payment.id));
        f->payment_marked = true;
        err = payment_change(&change);
    }
    if (err != 0) flow_end_error(f, err);
}

/* A channel that calls nobody is asked before anything is stored; the others after commit 1. */
void flow_begin_channel(struct flow *f) {
    struct version *v = flow_channel(f);
    if (f->id[0] != '\0') {
        add_first(f);
        return;
    }
    if (v == NULL || !channel_is_local(v)) {
        flow_commit(f, NULL);
        return;
    }
    if (f->reference[0] == '\0') flow_make_reference(f);
    f->claims.count = 0;
    struct buf doc = {0};
    int err = flow_choose_account(f, v);
    if (err == 0) err = flow_write_inputs(f);
    buf_adds(&doc, "{\"input\":");
    buf_addstr(&doc, buf_str(&f->input));
    buf_adds(&doc, "}");
    if (err == 0) err = doc.err;
    if (err == 0)
        err = dispatch(f,
                       &(struct operation_row){.id = str_of(f->reference),
                                               .kind = STR("create"),
                                               .script = str_of(v->path),
                                               .version = str_of(v->id),
                                               .account = str_of(f->account),
                                               .reference = str_of(f->reference),
                                               .doc = buf_str(&doc),
                                               .given = buf_str(&f->given),
                                               .expires_at = f->expires_at,
                                               .state = OPERATION_SENDING,
                                               .generation = 1},
                       f->ask.choose.n != 0 ? NULL : &f->claims);
    buf_free(&doc);
    if (err != 0) flow_end_error(f, err);
}

static void result_stored(int err, const struct why *why, void *data);

void flow_call_channel(struct flow *f) {
    const struct attempt *a = payment_attempt(&f->payment, str_of(f->attempt));
    if (f->attempt_marked) operation_unmark(f->ask.services->gate, &f->attempt_mark);
    operation_mark(f->ask.services->gate, &f->attempt_mark, str_of(f->attempt));
    f->attempt_marked = true;
    flow_mark_none(f);
    flow_out_of_patience(f);
    struct operation_row row = {.id = str_of(f->attempt),
                                .kind = STR("create"),
                                .script = a->script,
                                .version = a->version,
                                .account = a->account,
                                .reference = a->reference,
                                .doc = a->doc,
                                .given = buf_str(&f->given),
                                .payment = str_of(f->payment.id),
                                .expires_at = f->expires_at,
                                .state = OPERATION_SENDING,
                                .generation = a->generation};
    int err = dispatch(f, &row, NULL);
    if (err != 0)
        flow_end_payment(f, 201); /* not called, or not known to be: the ask job takes it */
}

/* ---- commit 2 ---- */

static bool has_next(struct flow *f, const struct operation_decision *d) {
    if (f->decision.result.to != OPERATION_FAILED) return false;
    bool nothing = payment_decision_nothing(&f->decision, d);
    if (!nothing && (!f->decision.final || (f->on >> f->decision.code & 1) == 0)) return false;
    return flow_pick(f, f->channel + 1);
}

/* The story, for a person: why it went on to another channel. */
static void note_fallover(struct flow *f, struct commit *c, const struct version *to) {
    char text[300];
    snprintf(text, sizeof text, "%s said %.*s: %s takes over", flow_channel(f)->name,
             STR_FMT(f->decision.result.code), to->name);
    payment_add_note(f->core, c, str_of(f->payment.id), "fell_over", str_of(text));
}

static int add_next(struct flow *f, const struct core *core, struct payment *p, struct commit *c,
                    struct why *why) {
    const struct version *v = f->channels.at[f->next_channel];
    int err = flow_choose_account(f, v);
    if (err != 0) return why_set(why, err, "the provider account: %s", err_text(err));
    flow_note_skipped(f, c, f->channel + 1, f->next_channel);
    note_fallover(f, c, v);
    flow_make_reference(f);
    struct attempt_new next = {.script = str_of(v->path),
                               .version = str_of(v->id),
                               .account = str_of(f->account),
                               .reference = str_of(f->reference),
                               .input = buf_str(&f->input),
                               .method = str_of(v->manifest->method),
                               .bank = str_of(v->manifest->bank),
                               .ask_at = core_now(core) + ASK_AFTER_MS,
                               .ask_backoff = flow_ask_backoff(f, v),
                               .open = v->manifest->amounts == AMOUNTS_OPEN};
    err = payment_add_attempt(core, c, p, &next, why);
    if (err == 0) flow_mark_next(f, p);
    return err;
}

static int tries_max(const struct flow *f) {
    return (int)config_number(f->ask.services->config, SET_PAYMENT_RETRY_ATTEMPTS);
}

static int build_result(const struct core *core, struct payment *p, struct commit *c, void *data,
                        struct why *why) {
    struct flow *f = data;
    const struct attempt *a = payment_attempt(p, str_of(f->attempt));
    if (a == NULL) return why_set(why, E_NOTFOUND, "attempt %s is gone", f->attempt);
    size_t at = (size_t)(a - p->attempts);
    if (a->generation != 1) f->decision.result.more = false; /* somebody was faster */
    if (f->decision.result.settle_at == 0)                   /* paid at once is T+n as well */
        f->decision.result.settle_at = payment_settle_at(f->ask.services, f->set, core_now(core));
    flow_mark_none(f);
    f->trying = f->again && a->generation == 1 && payment_open(p->status);
    if (f->trying)
        return payment_add_try_later(core, c, p, at, 1, tries_max(f), &f->decision.result);
    int err = payment_add_result(core, c, p, at, 1, &f->decision.result, why);
    if (err != 0) return err;
    if (f->decision.result.more) return add_next(f, core, p, c, why);
    if (f->replied || f->ask.key.n == 0) return 0;
    payment_reply_payment(&f->reply, core, 201, p);
    return payment_add_answer(core, c, p, f->ask.path, f->ask.key, 201, buf_str(&f->reply.body));
}

static void result_stored(int err, const struct why *why, void *data) {
    struct flow *f = data;
    (void)FAULT("operation.moved"); /* the result is on disk, nobody has heard of it */
    f->stored = false;
    if (err != 0)
        log_error("payment_result_not_stored", L_TEXT("payment", f->payment.id),
                  L_TEXT("error", why->code == 0 ? err_text(err) : why->text));
    if (err == 0 && f->trying) { /* it is a job's from here on */
        operation_unmark(f->ask.services->gate, &f->attempt_mark);
        f->attempt_marked = false;
        jobs_poke(f->ask.services->jobs);
    }
    const struct attempt *a = payment_attempt(&f->payment, str_of(f->attempt));
    if (err == 0 && a != NULL)
        payment_adopt_result(f->ask.services, f->ask.runtime, a->account, &f->decision.result);
    if (err == 0 && f->next[0] != '\0' && flow_read_again(f) == 0) {
        f->channel = f->next_channel;
        memcpy(f->attempt, f->next, sizeof f->attempt);
        jobs_poke(f->ask.services->jobs);
        flow_call_channel(f);
    } else if (f->replied) {
        flow_end(f);
    } else if (err == 0 && f->trying) {
        flow_await_try(f);
    } else if (err == 0 && f->ask.key.n != 0) {
        flow_end(f); /* the very bytes that were stored */
    } else {
        flow_end_payment(f, 201);
    }
}

static void write_result(struct flow *f, const struct operation_decision *d) {
    f->decision.result.more = has_next(f, d);
    f->again =
        !f->decision.result.more && payment_decision_nothing(&f->decision, d) && tries_max(f) > 1;
    f->stored = true;
    struct payment_change change = {.core = f->core,
                                    .loop = f->loop,
                                    .lane = LANE_RESULT,
                                    .id = str_of(f->payment.id),
                                    .build = build_result,
                                    .done = result_stored,
                                    .data = f};
    int err = payment_change(&change);
    if (err != 0) result_stored(err, &(struct why){0}, f);
}

/* A channel that called nobody: what it decided and the payment are one commit. */
static void local_decided(struct flow *f) {
    const struct json *code = json_get(json_get(f->decision.doc.root, "result"), "unique_code");
    if (code != NULL && code->type == JT_INT && code->i > 0) f->code = code->i;
    if (money_add(f->amount_due, f->code, &f->amount_due) != 0) {
        flow_end_problem(f, PROBLEM_INTERNAL_ERROR, "the amount is too large with its code");
        return;
    }
    if (f->decision.result.to == OPERATION_FAILED &&
        f->decision.code == PROBLEM_UNIQUE_CODES_EXHAUSTED) {
        flow_end_problem(f, PROBLEM_UNIQUE_CODES_EXHAUSTED, "no number is free; try later");
        return;
    }
    flow_commit(f, &f->decision.result);
}

static void decided(const struct operation_decision *d, void *data) {
    struct flow *f = data;
    (void)FAULT("operation.decided"); /* the provider has answered, nobody here knows */
    payment_decision_take(&f->decision, d, flow_channel(f), str_of(f->reference));
    payment_pass_report(&f->pass, d, &f->decision);
    if (f->attempt[0] == '\0')
        local_decided(f);
    else
        write_result(f, d);
}
