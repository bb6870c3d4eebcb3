#include "books.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

void books_open(struct books *b) {
    memset(b, 0, sizeof *b);
    rng_seeded(&b->rng, 7);
    clock_virtual(&b->clock, BOOKS_START);
    b->f.pump = pump_sim;
    b->f.clock = &b->clock;
    CHECK_OK(loop_sim_new(&b->f.loop, &b->clock, NULL));
    struct store_options o = {.clock = &b->clock, .inline_on = b->f.loop};
    CHECK_OK(store_open(&b->f.store, &o, &b->why));
    int err = store_migrate(b->f.store, NULL, &b->why);
    if (err != 0) print_error("%s\n", b->why.text);
    CHECK_OK(err);
    CHECK_OK(seal_ring_new(&b->ring,
                           STR("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
                           &b->why));
    b->core = (struct core){.store = b->f.store,
                            .clock = &b->clock,
                            .rng = &b->rng,
                            .ring = b->ring,
                            .public_url = STR("https://pay.test")};
    CHECK_OK(run_op(&b->f, OP_MERCHANT_PUT,
                    VALS(V_TEXT(MERCHANT), V_TEXT("Demo"), V_TEXT("collect"), V_TEXT("active"),
                         V_INT(100), V_TEXT(""), V_INT(1)),
                    NULL));
}

static void show_bad(void *data, bool good, const char *text) {
    (void)data;
    if (!good) print_error("verify: %s\n", text);
}

void books_verify(struct books *b) {
    CHECK_OK(store_verify(b->f.store, &(struct store_report){.line = show_bad}));
}

void books_close(struct books *b) {
    books_verify(b);
    store_close(b->f.store);
    loop_delete(b->f.loop);
    seal_ring_delete(b->ring);
}

void books_advance(struct books *b, int64_t ms) {
    clock_virtual_advance(&b->clock, (uint64_t)ms * 1000000u);
}

static int end(struct books *b, struct commit *c, int err) {
    if (err == 0) {
        err = run_commit(&b->f, c, &b->a);
        if (err == E_INVAL || err == E_INTERNAL) print_error("%s\n", b->a.detail);
        return err;
    }
    commit_free(c);
    return err;
}

int books_create(struct books *b, const struct offer *offer) {
    char order[32], reference[64];
    snprintf(order, sizeof order, "order-%d", ++b->orders);
    snprintf(reference, sizeof reference, "ref-%d", b->orders);
    struct payment_new n = {
        .merchant = STR(MERCHANT),
        .order_id = str_of(offer->order == NULL ? order : offer->order),
        .amount = offer->amount,
        .currency = STR("IDR"),
        .method = STR("virtual_account"),
        .bank = STR("bca"),
        .doc =
            STR("{\"items\":[{\"name\":\"shoe\",\"price\":1}],\"description\":\"a \\\"pair\\\"\","
                "\"metadata\":{\"a\":1},\"return_urls\":{\"success\":\"https://x\"}}"),
        .open = offer->open,
        .expires_at = core_now(&b->core) + (offer->expires_in == 0 ? 86400000 : offer->expires_in),
        .script = STR("channels/midtrans_bca_va.lua"),
        .version = STR("v1"),
        .account = offer->direct ? STR(OWN_ACCOUNT) : STR(ACCOUNT),
        .reference = str_of(reference),
        .input = STR("{\"x\":1}"),
        .ask_at = core_now(&b->core) + 120000,
        .ask_backoff = STR("first=2m factor=2 max=1h"),
        .idempotency_key = str_of(offer->key),
        .path = STR("POST /v1/payments"),
        .body = STR("{}"),
    };
    if (offer->fee == NULL) {
        n.fee = (struct fee){.bearer = STR("merchant"), .version = STR("f1"), .count = 2};
        n.fee.lines[0] = (struct fee_line){STR("mdr"), 4000};
        n.fee.lines[1] = (struct fee_line){STR("ppn"), 440};
    } else if (strcmp(offer->fee, "provider") == 0) {
        n.fee = (struct fee){.bearer = STR("merchant"), .version = STR("f2"), .count = 2};
        n.fee.lines[0] = (struct fee_line){STR("provider_mdr"), 3000};
        n.fee.lines[1] = (struct fee_line){STR("provider_ppn"), 330};
    }
    struct commit *c;
    struct payment p;
    CHECK_OK(commit_new(&c));
    int err = payment_add_create(&b->core, c, &n, &p, &b->why);
    if (err == 0) memcpy(b->last, p.id, sizeof b->last);
    payment_free(&p);
    return end(b, c, err);
}

#define CHANGE(id, call)                                       \
    struct payment p;                                          \
    struct commit *c;                                          \
    CHECK_OK(payment_read(&b->core, STR(""), str_of(id), &p)); \
    CHECK_OK(commit_new(&c));                                  \
    int err = (call);                                          \
    payment_free(&p);                                          \
    return end(b, c, err)

int books_result(struct books *b, const char *id, enum operation_state to) {
    struct payment_key key = {.kind = STR("va_number"), .value = str_of(id)};
    struct payment_result r = {.to = to, .code = STR("BANK_UNAVAILABLE"), .message = STR("no")};
    if (to == OPERATION_PENDING) {
        r.instructions = STR("{\"type\":\"va_number\",\"bank\":\"bca\",\"va_number\":\"123\"}");
        r.keys = &key;
        r.key_count = 1;
    }
    CHANGE(id, payment_add_result(&b->core, c, &p, p.attempt_count - 1,
                                  p.attempts[p.attempt_count - 1].generation, &r, &b->why));
}

int books_paid_there(struct books *b, const char *id, const char *money_id, int64_t amount) {
    struct payment_result r = {
        .to = OPERATION_SUCCESS, .money_id = str_of(money_id), .paid_total = amount};
    CHANGE(id, payment_add_result(&b->core, c, &p, p.attempt_count - 1,
                                  p.attempts[p.attempt_count - 1].generation, &r, &b->why));
}

int books_offer(struct books *b, const struct offer *offer) {
    int err = books_create(b, offer);
    return err != 0 ? err : books_result(b, b->last, OPERATION_PENDING);
}

static struct money money_of(struct books *b, const char *money_id, int64_t amount) {
    return (struct money){.money_id = str_of(money_id),
                          .amount = amount,
                          .settle_at = core_now(&b->core) + 2 * INT64_C(86400000),
                          .source = STR("callback")};
}

int books_pay(struct books *b, const char *id, const char *money_id, int64_t amount) {
    struct money m = money_of(b, money_id, amount);
    CHANGE(id, payment_add_settle(&b->core, c, &p, p.attempt_count - 1, &m, &b->verdict, &b->why));
}

int books_found(struct books *b, const char *id, int64_t total) {
    struct money m = money_of(b, NULL, 0);
    m.source = STR("poll");
    CHANGE(id, payment_add_found(&b->core, c, &p, p.attempt_count - 1, total, &m, &b->verdict,
                                 &b->why));
}

int books_cancel(struct books *b, const char *id) {
    CHANGE(id, payment_add_cancel(&b->core, c, &p, &b->why));
}
int books_expire(struct books *b, const char *id) {
    CHANGE(id, payment_add_expire(&b->core, c, &p, &b->why));
}
int books_accept(struct books *b, const char *id, int64_t movement) {
    CHANGE(id, payment_add_accept(&b->core, c, &p, movement, NULL, 0, &b->why));
}
int books_same(struct books *b, const char *id, int64_t movement) {
    CHANGE(id, payment_add_same(&b->core, c, &p, movement, &b->why));
}
int books_available(struct books *b, const char *id) {
    CHANGE(id, payment_add_available(&b->core, c, &p));
}

int books_refund(struct books *b, const char *id, int64_t amount, struct refund *out) {
    struct refund own;
    struct refund_new n = {.amount = amount, .by = STR("provider")};
    CHANGE(id, payment_add_refund(&b->core, c, &p, &n, out == NULL ? &own : out, &b->why));
}

int books_return(struct books *b, const char *id, int64_t movement, int64_t amount,
                 struct refund *out) {
    struct refund_new n = {.amount = amount, .by = STR("hand"), .movement = movement};
    CHANGE(id, payment_add_refund(&b->core, c, &p, &n, out, &b->why));
}

static int refund_change(struct books *b, const char *id, struct refund *r, enum refund_status to) {
    CHANGE(id, payment_add_refund_result(&b->core, c, &p, r, to,
                                         STR("{\"code\":\"PROVIDER_ERROR\",\"message\":\"no\","
                                             "\"provider_code\":null}"),
                                         &b->why));
}

int books_refunded(struct books *b, const char *refund, enum refund_status to) {
    struct refund r;
    CHECK_OK(refund_read(&b->core, STR(MERCHANT), str_of(refund), &r));
    int err = refund_change(b, r.payment, &r, to);
    refund_free(&r);
    return err;
}

int books_operate(struct books *b, const char *id, const char *kind, char op[ID_SIZE]) {
    char reference[40];
    snprintf(reference, sizeof reference, "op-%d", ++b->orders);
    struct payment_operation o = {.kind = str_of(kind),
                                  .script = STR("channels/midtrans_bca_va.lua"),
                                  .version = STR("v1"),
                                  .account = STR(ACCOUNT),
                                  .reference = str_of(reference),
                                  .amount = 1,
                                  .ask_at = core_now(&b->core) + 1000};
    struct payment p;
    struct commit *c;
    CHECK_OK(payment_read(&b->core, STR(""), str_of(id), &p));
    CHECK_OK(commit_new(&c));
    int err = payment_add_operation(&b->core, c, &p, &o);
    payment_free(&p);
    memcpy(op, o.id, ID_SIZE);
    return end(b, c, err);
}

int books_reverse(struct books *b, const char *id, const char *money_id, int64_t amount) {
    struct money m = money_of(b, money_id, amount);
    CHANGE(id, payment_add_reverse(&b->core, c, &p, p.attempt_count - 1, &m, STR("deny"),
                                   &b->verdict, &b->why));
}

void books_get(struct books *b, const char *id, struct payment *out) {
    CHECK_OK(payment_read(&b->core, STR(MERCHANT), str_of(id), out));
}

enum payment_status books_status(struct books *b, const char *id) {
    struct payment p;
    books_get(b, id, &p);
    enum payment_status s = p.status;
    payment_free(&p);
    return s;
}

int64_t books_int(struct books *b, const char *sql) {
    struct rows *rows;
    struct why why = {0};
    int err = run_select(&b->f, sql, NULL, 0, &rows, &why);
    if (err != 0) print_error("%s: %s\n", sql, why.text);
    CHECK_OK(err);
    int64_t n = rows_count(rows) == 0 ? 0 : rows_int(rows, 0, 0);
    rows_free(rows);
    return n;
}

int64_t books_balance(struct books *b, const char *account) {
    struct rows *rows;
    CHECK_OK(store_get(b->f.store, "ledger_balance", VALS(V_TEXT(account)), &rows));
    int64_t n = rows_count(rows) == 0 ? 0 : rows_int(rows, 0, 0);
    rows_free(rows);
    return n;
}

int books_events(struct books *b, const char *type) {
    char sql[160];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM event WHERE type = '%s'", type);
    return (int)books_int(b, sql);
}

struct commit *books_commit(void) {
    struct commit *c;
    CHECK_OK(commit_new(&c));
    return c;
}

bool rows_hold(const char *needle, const struct rows *rows) {
    for (size_t i = 0; i < rows_count(rows); i++)
        for (size_t k = 0; k < rows_columns(rows); k++)
            if (str_search(rows_text(rows, i, k), str_of(needle)) >= 0) return true;
    return false;
}
