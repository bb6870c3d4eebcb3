/* What a call came back with, and the ends that need no call: the attempt moves, and with it the
 * payment, if it is the attempt that counts. */
#include "base/json.h"
#include "core/idempotency.h"
#include "core/payment_private.h"

static void keys_add(struct commit *commit, const struct attempt *a,
                     const struct payment_result *r) {
    for (size_t i = 0; i < r->key_count; i++)
        commit_add(commit, OP_ATTEMPT_KEY,
                   VALS(V_STR(a->account), V_STR(r->keys[i].kind), V_STR(r->keys[i].value),
                        V_TEXT(a->id), V_INT(r->keys[i].unique)));
}

/* Somebody was faster: the statuses stand, what we learned besides is kept. Money is no status: what
 * was paid is paid, and is booked once however often it is heard. */
static int keep_only(const struct core *core, struct commit *commit, struct payment *p,
                     struct attempt *a, const struct payment_result *r) {
    int err = attempt_move(core, commit, a, a->state, r->doc);
    if (err != 0) return err;
    keys_add(commit, a, r);
    bool counts =
        str_eq(p->attempt, str_of(a->id)); /* what an older way shows is not what to pay by */
    if (counts && p->instructions.n == 0 && payment_open(p->status))
        p->instructions = r->instructions;
    payment_add_note(core, commit, str_of(p->id), "result_came_late",
                     str_of(OPERATION_STATES[r->to].name));
    payment_save(core, commit, p);
    return 0;
}

/* The payer chose this way, and there is time to choose another: that it came to nothing is not the
 * end of the order. */
static bool again(const struct core *core, const struct payment *p, const struct attempt *a,
                  const struct payment_result *r) {
    bool nothing =
        r->to == OPERATION_FAILED || r->to == OPERATION_EXPIRED || r->to == OPERATION_CANCELLED;
    return nothing && !r->ends && !r->more && attempt_chosen(a) && payment_open(p->status) &&
           (p->expires_at == 0 || core_now(core) < p->expires_at);
}

/* Where a decision about the attempt that counts leads the payment. */
static enum payment_status leads_to(const struct payment *p, const struct payment_result *r) {
    switch (r->to) {
    case OPERATION_PENDING: return PAYMENT_PENDING;
    case OPERATION_PROCESSING:
    case OPERATION_UNKNOWN: return PAYMENT_PROCESSING;
    case OPERATION_FAILED: return r->more ? p->status : PAYMENT_FAILED;
    case OPERATION_EXPIRED: return PAYMENT_EXPIRED;
    case OPERATION_CANCELLED: return PAYMENT_CANCELLED;
    default: return p->status; /* success is money's; superseded has its successor */
    }
}

static const char *const EVENTS[PAYMENT_STATUSES_] = {
    [PAYMENT_PROCESSING] = "payment.processing",
    [PAYMENT_FAILED] = "payment.failed",
    [PAYMENT_EXPIRED] = "payment.expired",
    [PAYMENT_CANCELLED] = "payment.cancelled",
};

/* `sent`: the first news after the request went out; that it is processing is news then. */
static int follow(const struct core *core, struct commit *commit, struct payment *p,
                  const struct attempt *a, const struct payment_result *r, bool sent,
                  struct why *why) {
    bool chooses = again(core, p, a, r);
    enum payment_status to = chooses ? PAYMENT_PENDING : leads_to(p, r);
    bool moves = to != p->status, open = payment_open(p->status);
    if (!open) to = p->status; /* only money opens an end */
    if (open && r->instructions.n != 0) p->instructions = r->instructions;
    if (chooses) p->instructions = STR("");
    /* a way that the payer chose may end sooner than the order */
    bool own = p->expires_at == 0 || !attempt_chosen(a);
    if (open && r->expires_at != 0 && own) p->expires_at = r->expires_at;
    int err = 0;
    if (open && r->to == OPERATION_FAILED && !r->more && !chooses)
        err = failure_keep(p, r->code, r->message, r->provider_code);
    if (err == 0 && open && moves) err = payment_move(p, to, why);
    if (err != 0) return err;
    payment_save(core, commit, p);
    bool news = open && (moves || (sent && to == PAYMENT_PROCESSING && !r->more));
    return news && EVENTS[to] != NULL ? payment_event(core, commit, p, EVENTS[to]) : 0;
}

static int money_found(const struct core *core, struct commit *commit, struct payment *p,
                       size_t attempt, const struct payment_result *r, struct why *why) {
    enum verdict verdict;
    struct money m = {.money_id = r->money_id,
                      .amount = r->paid_total == 0 ? p->amount_due : r->paid_total,
                      .paid_at = r->paid_at,
                      .settle_at = r->settle_at,
                      .source = STR("poll"),
                      .fee = r->fee,
                      .unpriced = r->unpriced};
    if (r->money_id.n != 0) return payment_book(core, commit, p, attempt, &m, &verdict, why);
    return payment_add_found(core, commit, p, attempt, m.amount, &m, &verdict, why);
}

/* Nobody knows yet what became of it: it is asked for, not ended. */
static bool in_the_dark(const struct attempt *a) {
    return a != NULL && (a->state == OPERATION_SENDING || a->state == OPERATION_UNKNOWN ||
                         a->state == OPERATION_PROCESSING);
}

/* The provider was paid, but not what is due: what became of it is known, so it waits no longer for
 * news but for the rest, or for its end. */
int payment_known_again(const struct core *core, struct commit *commit, struct payment *p,
                        struct attempt *a, struct why *why) {
    static const struct payment_result WAITS = {.to = OPERATION_PENDING};
    if (!payment_open(p->status) || !in_the_dark(a)) return 0;
    int err = attempt_move(core, commit, a, OPERATION_PENDING, STR(""));
    if (err != 0 || !str_eq(p->attempt, str_of(a->id))) return err;
    return follow(core, commit, p, a, &WAITS, false, why);
}

void payment_said(const struct payment_result *r, struct buf *out) {
    struct json_doc doc = {0};
    struct str code = r->provider_code, message = r->message;
    bool there = r->doc.n != 0 && json_parse(&doc, r->doc, NULL, NULL) == 0;
    if (there) {
        const struct json *result = json_get(doc.root, "result");
        (void)json_get_str(result, "code", &code);
        (void)json_get_str(result, "message", &message);
    }
    if (code.n != 0) buf_addf(out, ": code %.*s", STR_FMT(code));
    if (message.n != 0) buf_addf(out, "%s said %.*s", code.n != 0 ? "," : ":", STR_FMT(message));
    if (there) json_doc_free(&doc);
}

/* The attempt's document holds the last words only: those of a state that is not the last are for
 * whoever asks later why it came so. A pending one has none that matter. */
static int note_words(const struct core *core, struct commit *commit, const struct payment *p,
                      const struct attempt *a, const struct payment_result *r) {
    struct buf text = {0};
    if (r->to != OPERATION_UNKNOWN && r->to != OPERATION_PROCESSING) return 0;
    buf_addf(&text, "%s is %s", a->id, OPERATION_STATES[r->to].name);
    size_t bare = text.len;
    payment_said(r, &text);
    if (text.err == 0 && text.len > bare)
        payment_add_note(core, commit, str_of(p->id), "attempt", buf_str(&text));
    int err = text.err;
    buf_free(&text);
    return err;
}

int payment_add_result(const struct core *core, struct commit *commit, struct payment *p,
                       size_t attempt, int64_t began, const struct payment_result *r,
                       struct why *why) {
    struct attempt *a = &p->attempts[attempt];
    bool sent = a->state == OPERATION_SENDING;
    if (r->to == OPERATION_SENDING || r->to >= OPERATION_STATES_)
        return why_set(why, E_INVAL, "no decision");
    bool stands = a->generation == began;
    if (!stands && r->to != OPERATION_SUCCESS) return keep_only(core, commit, p, a, r);
    if (r->to == OPERATION_SUCCESS) {
        if (stands && r->instructions.n != 0) p->instructions = r->instructions;
        int err = attempt_move(core, commit, a, a->state, r->doc);
        if (err == 0) keys_add(commit, a, r);
        if (err == 0) err = money_found(core, commit, p, attempt, r, why);
        return err != 0 ? err : payment_known_again(core, commit, p, a, why);
    }
    if (a->state == OPERATION_SUCCESS) /* it was paid: what takes it back is a reversal */
        return why_set(why, E_STATE, "the attempt has succeeded");
    int err = attempt_move(core, commit, a, r->to, r->doc);
    if (err == E_STATE)
        return why_set(why, E_STATE, "the attempt is %s, it cannot become %s",
                       OPERATION_STATES[a->state].name, OPERATION_STATES[r->to].name);
    if (err == 0) err = note_words(core, commit, p, a, r);
    if (err != 0) return err;
    keys_add(commit, a, r);
    if (str_eq(p->attempt, str_of(a->id))) return follow(core, commit, p, a, r, sent, why);
    payment_save(core, commit, p); /* an older way: the payment goes by the newer one */
    return 0;
}

int payment_add_answer(const struct core *core, struct commit *commit, const struct payment *p,
                       struct str path, struct str key, int status, struct str body) {
    (void)core;
    idempotency_answer(commit, p->merchant, path, key, status, body, str_of(p->id));
    return 0;
}

/* ---- ends without a call ---- */

static int end(const struct core *core, struct commit *commit, struct payment *p,
               enum payment_status to, enum operation_state attempt_to, struct why *why) {
    struct attempt *a = payment_attempt(p, p->attempt);
    if (!payment_open(p->status))
        return why_set(why, E_STATE, "the payment is %s", PAYMENT_STATES[p->status].name);
    if (in_the_dark(a))
        return why_set(why, E_STATE, "the attempt is %s: the provider has to be asked first",
                       OPERATION_STATES[a->state].name);
    int err = 0;
    if (a != NULL && a->state == OPERATION_PENDING)
        err = attempt_move(core, commit, a, attempt_to, STR(""));
    if (err == 0) err = payment_move(p, to, why);
    if (err != 0) return err;
    payment_save(core, commit, p);
    return payment_event(core, commit, p, EVENTS[to]);
}

int payment_add_cancel(const struct core *core, struct commit *commit, struct payment *p,
                       struct why *why) {
    return end(core, commit, p, PAYMENT_CANCELLED, OPERATION_CANCELLED, why);
}

int payment_add_expire(const struct core *core, struct commit *commit, struct payment *p,
                       struct why *why) {
    if (p->expires_at == 0 || core_now(core) < p->expires_at)
        return why_set(why, E_STATE, "the payment's time is not over");
    return end(core, commit, p, PAYMENT_EXPIRED, OPERATION_EXPIRED, why);
}

int payment_add_fail(const struct core *core, struct commit *commit, struct payment *p,
                     struct str code, struct str message, struct why *why) {
    int err = failure_keep(p, code, message, STR(""));
    return err != 0 ? err : end(core, commit, p, PAYMENT_FAILED, OPERATION_CANCELLED, why);
}

bool payment_held(const struct payment *p) {
    return p->status == PAYMENT_PROCESSING && p->attempt_count == 0;
}

int payment_add_release(const struct core *core, struct commit *commit, struct payment *p,
                        struct why *why) {
    if (!payment_held(p))
        return why_set(why, E_STATE, "the payment is %s and not held for a person",
                       PAYMENT_STATES[p->status].name);
    int err = payment_move(p, PAYMENT_PENDING, why);
    if (err == 0) payment_save(core, commit, p);
    return err;
}
