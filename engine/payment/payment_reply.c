/* See payment_reply.h. */
#include "payment/payment_reply.h"

#include "core/idempotency.h"
#include "script/dispatch.h"
#include "sys/config.h"

void payment_reply_free(struct payment_reply *r) {
    buf_free(&r->body);
    *r = (struct payment_reply){0};
}

static void write(struct payment_reply *r, const struct problem *problem) {
    payment_reply_free(r);
    r->problem = true;
    r->status = problem_status(problem->code);
    problem_write(&r->body, problem);
}

void payment_reply_fault(struct payment_reply *r, const struct refusal *f, struct str request_id) {
    write(r, &(struct problem){.code = f->code,
                               .detail = str_of(f->text),
                               .param = str_of(f->param),
                               .request_id = request_id});
}

void payment_reply_problem(struct payment_reply *r, enum problem_code code, const char *detail,
                           struct str request_id) {
    write(r, &(struct problem){.code = code, .detail = str_of(detail), .request_id = request_id});
}

void payment_reply_duplicate(struct payment_reply *r, const char *payment, struct str request_id) {
    write(r,
          &(struct problem){.code = PROBLEM_DUPLICATE_TRANSACTION,
                            .detail = STR("this order has a payment of another amount or method"),
                            .param = STR("order_id"),
                            .payment_id = str_of(payment),
                            .request_id = request_id});
}

void payment_reply_payment(struct payment_reply *r, const struct core *core, int status,
                           const struct payment *payment) {
    payment_reply_free(r);
    r->status = status;
    payment_json(core, payment, &r->body);
}

void payment_reply_store(struct payment_reply *r, int err, struct str request_id) {
    bool later = err == E_BUSY || err == E_FULL || err == E_NOMEM || err == E_TIMEOUT ||
                 err == E_CLOSED || err == E_LIMIT;
    payment_reply_problem(r, later ? PROBLEM_UNAVAILABLE : PROBLEM_INTERNAL_ERROR,
                          later ? "try again" : "the request failed here; its id is in our log",
                          request_id);
}

/* ---- what a key stands for ---- */

/* A refund, as it stands. */
static int refund_state(struct payment_reply *r, const struct core *core,
                        const struct payment_key_of *k, struct str id) {
    struct refund refund;
    int err = refund_read(core, k->merchant, id, &refund);
    if (err != 0) return err;
    payment_reply_free(r);
    r->status = 201;
    r->replayed = true;
    refund_json(&refund, &r->body);
    refund_free(&refund);
    return r->body.err;
}

static int from_state(struct payment_reply *r, const struct core *core, struct operation_gate *gate,
                      const struct payment_key_of *k, struct str id) {
    struct payment payment;
    if (gate != NULL && operation_under_way(gate, id)) {
        payment_reply_problem(r, PROBLEM_IDEMPOTENCY_IN_PROGRESS,
                              "the first request with this key is still running", k->request_id);
        return 0;
    }
    if (str_starts(id, STR("re_"))) return refund_state(r, core, k, id);
    int err = payment_read(core, k->merchant, id, &payment);
    if (err != 0) return err;
    bool made = !str_ends(k->path, STR("/capture")); /* that changes what is there */
    payment_reply_payment(r, core, made ? 201 : 200, &payment);
    r->replayed = true;
    payment_free(&payment);
    return 0;
}

int payment_reply_known(struct payment_reply *r, const struct core *core,
                        struct operation_gate *gate, const struct payment_key_of *k) {
    struct idempotency_found found;
    int err = idempotency_find(core, k->merchant, k->path, k->key, k->raw, &found);
    if (err != 0) return err;
    switch (found.state) {
    case IDEMPOTENCY_FREE: err = E_NOTFOUND; break;
    case IDEMPOTENCY_MISMATCH:
        payment_reply_problem(r, PROBLEM_IDEMPOTENCY_MISMATCH,
                              "this Idempotency-Key came with another body before", k->request_id);
        break;
    case IDEMPOTENCY_RUNNING: err = from_state(r, core, gate, k, found.object); break;
    case IDEMPOTENCY_ANSWERED:
        payment_reply_free(r);
        r->status = found.status;
        r->replayed = true;
        buf_addstr(&r->body, found.answer);
        err = r->body.err;
    }
    idempotency_found_free(&found);
    return err;
}

/* ---- patience ---- */

enum { STORE_MAX_MS = 2000, STORE_SHARE = 4 };

uint64_t payment_store_ms(const struct config *config) {
    uint64_t ms = (uint64_t)config_number(config, SET_LUWAK_CREATE_WAIT) / STORE_SHARE;
    return ms > STORE_MAX_MS ? STORE_MAX_MS : ms;
}

uint64_t payment_patience_ms(const struct config *config) {
    return (uint64_t)config_number(config, SET_LUWAK_CREATE_WAIT) - payment_store_ms(config);
}
