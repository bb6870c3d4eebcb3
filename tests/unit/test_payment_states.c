/* The state tables, move by move: what core/ allows, the store's triggers allow, and nothing else;
 * and rows that never change, tried with raw SQL as a migration has it. The tables here are written
 * down from the design, not from the code. */
#include "base/ensure.h"
#include "books.h"
#include "core/inbox.h"

#include <stdio.h>
#include <sys/stat.h>

static const char *const PAYMENTS[PAYMENT_STATUSES_] = {
    /* to: pending processing success failed expired cancelled */
    [PAYMENT_PENDING] = ".xxxxx", [PAYMENT_PROCESSING] = "x.xxxx", [PAYMENT_SUCCESS] = "......",
    [PAYMENT_FAILED] = "..x...",  [PAYMENT_EXPIRED] = "..x...",    [PAYMENT_CANCELLED] = "..x...",
};
static const char *const REFUNDS[REFUND_STATUSES_] = {
    /* to: pending processing success failed */
    [REFUND_PENDING] = ".xxx",
    [REFUND_PROCESSING] = "..xx",
    [REFUND_SUCCESS] = "....",
    [REFUND_FAILED] = "..x.",
};
static const char *const INBOX[INBOX_STATES_] = {
    /* to: applied orphan suspense ignored */
    [INBOX_APPLIED] = "....",
    [INBOX_ORPHAN] = "x.xx",
    [INBOX_SUSPENSE] = "x...",
    [INBOX_IGNORED] = "....",
};

static void tables_are_the_designs(void **state) {
    (void)state;
    for (int from = 0; from < PAYMENT_STATUSES_; from++)
        for (int to = 0; to < PAYMENT_STATUSES_; to++)
            CHECK_INT(states_may(PAYMENT_STATES, from, to), PAYMENTS[from][to] == 'x');
    for (int from = 0; from < REFUND_STATUSES_; from++)
        for (int to = 0; to < REFUND_STATUSES_; to++)
            CHECK_INT(states_may(REFUND_STATES, from, to), REFUNDS[from][to] == 'x');
    for (int from = 0; from < INBOX_STATES_; from++)
        for (int to = 0; to < INBOX_STATES_; to++)
            CHECK_INT(states_may(INBOX_STATES, from, to), INBOX[from][to] == 'x');
}

/* A payment in that status, made as life makes it. */
static void payment_in(struct books *b, enum payment_status status) {
    CHECK_OK(books_create(b, &(struct offer){.amount = 1000, .fee = ""}));
    if (status == PAYMENT_PROCESSING) return;
    if (status == PAYMENT_FAILED) {
        CHECK_OK(books_result(b, b->last, OPERATION_FAILED));
        return;
    }
    CHECK_OK(books_result(b, b->last, OPERATION_PENDING));
    if (status == PAYMENT_SUCCESS) CHECK_OK(books_pay(b, b->last, b->last, 1000));
    if (status == PAYMENT_CANCELLED) CHECK_OK(books_cancel(b, b->last));
    if (status == PAYMENT_EXPIRED) {
        books_advance(b, 86400000);
        CHECK_OK(books_expire(b, b->last));
    }
}

/* The row as it is, moved by brute force: only the trigger stands in the way. */
static int force(struct books *b, enum payment_status to) {
    struct payment p;
    books_get(b, b->last, &p);
    int64_t paid = to == PAYMENT_SUCCESS || p.amount_paid > 0 ? 1000 : 0;
    int err = run_op(&b->f, OP_PAYMENT_MOVE,
                     VALS(V_TEXT(p.id), V_INT(p.generation), V_TEXT(PAYMENT_STATES[to].name),
                          V_INT(0), V_INT(1000), V_INT(paid), V_INT(paid), V_INT(0), V_INT(0),
                          V_INT(0), V_INT(0), V_NULL, V_NULL, V_NULL, V_NULL, V_STR(p.attempt),
                          V_NULL, V_NULL, V_NULL, V_NULL, V_NULL, V_NULL, V_INT(5)),
                     &b->a);
    payment_free(&p);
    return err;
}

static void payments_in_the_store(void **state) {
    (void)state;
    for (int from = 0; from < PAYMENT_STATUSES_; from++)
        for (int to = 0; to < PAYMENT_STATUSES_; to++) {
            struct books b;
            books_open(&b);
            payment_in(&b, (enum payment_status)from);
            CHECK_STATUS(&b, b.last, (enum payment_status)from);
            int err = force(&b, (enum payment_status)to);
            bool may = from == to || PAYMENTS[from][to] == 'x';
            /* money that moved stays moved: a success never loses it, whatever the status */
            if (err != (may ? 0 : E_STATE))
                print_error("%s -> %s: %s %s\n", PAYMENT_STATES[from].name, PAYMENT_STATES[to].name,
                            err_name(err), b.a.detail);
            CHECK_INT(err, may ? 0 : E_STATE);
            store_close(b.f.store);
            loop_delete(b.f.loop);
            seal_ring_delete(b.ring);
        }
}

static void refunds_in_the_store(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    for (int from = 0; from < REFUND_STATUSES_; from++)
        for (int to = 0; to < REFUND_STATUSES_; to++) {
            struct refund r;
            int64_t generation = 1;
            payment_in(&b, PAYMENT_SUCCESS);
            CHECK_OK(books_refund(&b, b.last, 1000, &r));
            if (from != REFUND_PENDING) {
                CHECK_OK(run_op(&b.f, OP_REFUND_MOVE,
                                VALS(V_TEXT(r.id), V_INT(generation++),
                                     V_TEXT(REFUND_STATES[from].name), V_NULL, V_INT(1)),
                                NULL));
            }
            int err = run_op(&b.f, OP_REFUND_MOVE,
                             VALS(V_TEXT(r.id), V_INT(generation), V_TEXT(REFUND_STATES[to].name),
                                  V_NULL, V_INT(1)),
                             NULL);
            CHECK_INT(err, from == to || REFUNDS[from][to] == 'x' ? 0 : E_STATE);
        }
    store_close(b.f.store);
    loop_delete(b.f.loop);
    seal_ring_delete(b.ring);
}

/* ---- rows that never change ---- */

static void what_the_database_refuses(void **state) {
    (void)state;
    static const struct {
        const char *sql, *says;
    } TRIES[] = {
        {"UPDATE ledger_entry SET amount = amount + 1", "entries never change"},
        {"DELETE FROM ledger_entry", "never deleted"},
        {"REPLACE INTO ledger_entry SELECT * FROM ledger_entry", "never"},
        {"UPDATE ledger_account SET debits = debits - 1 WHERE debits > 0", "only grows"},
        {"DELETE FROM ledger_account", "never deleted"},
        {"UPDATE mutation SET balance = 0", "never change"},
        {"INSERT INTO ledger_entry (debit, credit, amount, kind, at) SELECT n, n, 1, 'x', 1 FROM"
         " ledger_account LIMIT 1",
         "CHECK"},
        {"INSERT INTO ledger_entry (debit, credit, amount, kind, at) SELECT a.n, b.n, -1, 'x', 1"
         " FROM ledger_account a JOIN ledger_account b ON a.n < b.n LIMIT 1",
         "CHECK"},
        {"INSERT INTO ledger_entry (debit, credit, amount, kind, at) SELECT a.n, b.n, 1000000, 'x',"
         " 1 FROM ledger_account a, ledger_account b WHERE a.name = "
         "'merchant_payable.pending:" MERCHANT "' AND b.name = 'fee_income'",
         "overdrawn"},
        {"UPDATE event SET doc = x'00'", "events never change"},
        {"DELETE FROM event", "never deleted"},
        {"UPDATE topic SET last = last - 1", "only grows"},
        {"UPDATE audit SET actor = 'x'", "never change"},
        {"DELETE FROM audit", "never deleted"},
        {"INSERT INTO audit VALUES (3, 1, 'a', 'b', 'c', 'd', x'', zeroblob(32))", "follow"},
        {"UPDATE movement SET amount = amount + 1", "never changes"},
        {"UPDATE movement SET money_id = 'other'", "claimed once"},
        {"UPDATE movement SET counted = 0, held = amount", "goes on counting"},
        {"DELETE FROM movement", "never deleted"},
        {"UPDATE payment SET status = 'failed', closed = n, generation = generation + 1",
         "no such move"},
        {"UPDATE payment SET bank = 'bni'", "one generation"},
        {"UPDATE payment SET amount = 1, generation = generation + 1", "asked for"},
        {"UPDATE payment SET amount_due = 1, generation = generation + 1", "what is due"},
        {"UPDATE payment SET amount_paid = 0, generation = generation + 1", "stays moved"},
        {"UPDATE payment SET refunding = amount_paid + 1, generation = generation + 1",
         "more_back_than_paid"},
        {"DELETE FROM payment", "never deleted"},
        {"UPDATE refund SET amount = 1, generation = generation + 1", "asked for"},
        {"DELETE FROM refund", "never deleted"},
        {"DELETE FROM operation", "never deleted"},
        {"UPDATE operation SET payment = NULL, generation = generation + 1", "what was sent"},
        {"UPDATE idempotency SET answer = x'00'", "stored once"},
        {"DELETE FROM api_key", "never deleted"},
        {"INSERT INTO payment (id, merchant, order_id, closed, status, generation, open,"
         " amount, amount_due, currency, doc, created, updated) SELECT 'pay_x', merchant, order_id,"
         " 0, 'pending', 1, 0, 1, 1, 'IDR', x'', 1, 1 FROM payment LIMIT 1",
         "UNIQUE"},
        {"INSERT INTO refund (id, payment, merchant, amount, status, by, created, updated)"
         " VALUES ('re_x', 'pay_none', 'mer_none', 1, 'pending', 'hand', 1, 1)",
         "FOREIGN KEY"},
    };
    struct books b;
    books_open(&b);
    CHECK_OK(books_create(&b, &(struct offer){.amount = 150000, .key = "k"}));
    CHECK_OK(run_op(&b.f, OP_IDEMPOTENCY_ANSWER,
                    VALS(V_TEXT(MERCHANT), V_TEXT("POST /v1/payments"), V_TEXT("k"), V_INT(201),
                         V_BLOB(STR("{}")), V_NULL),
                    NULL));
    CHECK_OK(books_pay(&b, b.last, "m1", 150000));
    CHECK_OK(books_refund(&b, b.last, 10, NULL));
    CHECK_OK(run_op(&b.f, OP_AUDIT_APPEND,
                    VALS(V_INT(1), V_INT(1), V_TEXT("a"), V_TEXT("b"), V_TEXT("c"), V_TEXT("d"),
                         V_BLOB(STR("")), V_BLOB(STR("0123456789abcdef0123456789abcdef"))),
                    NULL));
    CHECK_OK(run_op(&b.f, OP_API_KEY_ADD,
                    VALS(V_TEXT("key_1"), V_TEXT(MERCHANT),
                         V_BLOB(STR("0123456789abcdef0123456789abcdef")), V_BLOB(STR("s")),
                         V_TEXT("test"), V_TEXT(""), V_INT(1)),
                    NULL));
    char folder[300], file[340];
    snprintf(folder, sizeof folder, "%s/migrations", unit_tmpdir());
    snprintf(file, sizeof file, "%s/0001_try.sql", folder);
    CHECK_INT(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < ARRAY_LEN(TRIES); i++) {
        struct why why = {0};
        FILE *f = fopen(file, "w");
        fprintf(f, "%s;\n", TRIES[i].sql);
        fclose(f);
        int err = store_migrate(b.f.store, folder, &why);
        if (err == 0 || strstr(why.text, TRIES[i].says) == NULL)
            print_error("%s: %s\n", TRIES[i].sql, err == 0 ? "was let through" : why.text);
        CHECK(err != 0);
        CHECK(strstr(why.text, TRIES[i].says) != NULL);
    }
    store_close(b.f.store); /* the made-up audit line would not verify; it is not looked at here */
    loop_delete(b.f.loop);
    seal_ring_delete(b.ring);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(tables_are_the_designs),
    cmocka_unit_test(payments_in_the_store),
    cmocka_unit_test(refunds_in_the_store),
    cmocka_unit_test(what_the_database_refuses),
};

UNIT_MAIN("payment_states", tests)
