/* What must hold of payments in a simulation: after each step of a few, at each crash and at the
 * end of all, and at the end against the books of the providers' simulators. */
#include "simulate_private.h"

#include <stdio.h>

/* Is it there, did it move by the table, do generations only grow? A crash may take back a move
 * that nobody heard of. */
static void check_payment(struct sim *s, int number) {
    struct sim_payment *p = &s->payments[number];
    struct payment row;
    if (p->id[0] == '\0') return;
    int err = payment_read(&s->engine->core, STR(""), str_of(p->id), &row);
    if (err == E_NOTFOUND) sim_wrong(s, "p%d (%s) was acknowledged and is lost", number, p->id);
    if (err != 0) return;
    if (row.generation != p->generation)
        sim_tell(s, "p%d is %s (%lld)", number, PAYMENT_STATES[row.status].name,
                 (long long)row.generation);
    bool closed = p->generation != 0 && !payment_open(p->status);
    if (closed && row.status != p->status && row.status != PAYMENT_SUCCESS)
        sim_wrong(s, "p%d was %s and is %s", number, PAYMENT_STATES[p->status].name,
                  PAYMENT_STATES[row.status].name);
    if (row.generation == p->generation && row.status != p->status)
        sim_wrong(s, "p%d changed without a move", number);
    if (row.generation < p->generation)
        sim_wrong(s, "p%d went back from generation %lld to %lld", number,
                  (long long)p->generation, (long long)row.generation);
    p->generation = row.generation;
    p->status = row.status;
    payment_free(&row);
}

void sim_check_payments_step(struct sim *s) {
    for (int i = 0; i < 3 && s->payment_count > 0; i++)
        check_payment(s, s->payment_looked++ % s->payment_count);
}

void sim_check_payments_whole(struct sim *s) {
    for (int i = 0; i < s->payment_count; i++)
        check_payment(s, i);
    sim_none_of(s, "a payment that can be paid and never ends",
                "SELECT id FROM payment WHERE status = 'pending' AND open = 0"
                " AND expires_at IS NULL");
    sim_none_of(s, "more counts than was due",
                "SELECT id FROM payment WHERE amount_paid > amount_due");
    sim_none_of(s, "more than one transfer, and none is second, late or the rest",
                "SELECT p.id FROM payment p JOIN movement m ON m.payment = p.id GROUP BY p.id"
                " HAVING sum(m.amount) > p.amount_due AND sum(m.held + m.returned) ="
                " 0 AND p.amount_paid < sum(m.amount)");
}

/* ---- the providers' books ---- */

/* One row for each reference: what Midtrans was paid, and what we booked of it. Money it took back
 * may still stand here: a notification that all tries lost is found in its settlement file only. */
#define BOOKS                                                                                   \
    "WITH t AS MATERIALIZED (SELECT value ->> '$.transaction_id' AS id, value ->> '$.order_id'" \
    " AS reference, value ->> '$.status' AS status, coalesce(value ->> '$.paid', 0) AS paid,"   \
    " value ->> '$.refunded' AS refunded FROM (SELECT CAST(CASE WHEN key GLOB"                  \
    " 'sandbox/midtrans:tx *' THEN value ELSE '{}' END AS TEXT) AS value FROM kv)),"            \
    " w AS MATERIALIZED (SELECT value ->> '$.reference' AS reference, value ->> '$.amount'"     \
    " AS amount FROM (SELECT CAST(CASE WHEN key GLOB 'sandbox/demo:charge *' THEN value ELSE"   \
    " '{}' END AS TEXT) AS value FROM kv) WHERE value ->> '$.status' = 'PAID') "
static const char MIDTRANS[] =
    BOOKS "SELECT reference || ': Midtrans ' || theirs || ' (' || status || '), here ' || ours"
          " FROM (SELECT t.reference, group_concat(t.status) AS status, sum(t.paid) AS theirs,"
          " coalesce((SELECT sum(m.amount) FROM movement m JOIN operation o ON o.id = m.operation"
          " WHERE o.reference = t.reference AND o.account = 'midtrans'), 0) AS ours"
          " FROM t WHERE t.reference IS NOT NULL GROUP BY t.reference) WHERE ours <> theirs"
          " AND NOT (ours = 0 AND status LIKE '%deny%')";
static const char MIDTRANS_REFUNDS[] =
    BOOKS "SELECT p || ': refunded there ' || theirs || ', here ' || ours FROM (SELECT o.payment"
          " AS p, sum(t.refunded) AS theirs, (SELECT coalesce(sum(r.amount), 0) FROM refund r"
          " WHERE r.payment = o.payment AND r.by = 'provider' AND r.status = 'success') AS ours"
          " FROM t JOIN operation o ON o.account = 'midtrans' AND o.kind = 'create' AND"
          " o.reference = t.reference GROUP BY o.payment) WHERE ours <> theirs";
static const char WALLET[] =
    BOOKS "SELECT reference || ': the wallet says ' || theirs || ', here ' || ours FROM ("
          " SELECT o.reference, coalesce((SELECT sum(w.amount) FROM w WHERE w.reference ="
          " o.reference), 0) AS theirs,"
          " (SELECT coalesce(sum(m.amount), 0) FROM movement m WHERE m.operation = o.id) AS ours"
          " FROM operation o WHERE o.payment IS NOT NULL AND o.kind = 'create' AND"
          " o.account = 'demo') WHERE ours <> theirs";
/* What we send is a debit: of one order at most one. What a payer does twice is his. */
static const char DEBITED_TWICE[] =
    BOOKS "SELECT p.order_id FROM payment p JOIN operation o ON o.payment = p.id"
          " AND o.kind = 'create' JOIN w ON w.reference = o.reference"
          " GROUP BY p.order_id HAVING count(*) > 1";

static int count(struct sim *s, const char *sql) {
    struct rows *rows = sim_look(s, sql);
    int n = rows == NULL ? 0 : (int)rows_int(rows, 0, 0);
    rows_free(rows);
    return n;
}

void sim_check_payments_books(struct sim *s) {
    sim_none_of(s, "Midtrans' books are not ours", MIDTRANS);
    sim_none_of(s, "Midtrans' refunds are not ours", MIDTRANS_REFUNDS);
    sim_none_of(s, "the wallet's books are not ours", WALLET);
    sim_none_of(s, "an order was debited twice", DEBITED_TWICE);
    /* but what waits for a person: money that does not fit, a risk review, a wallet's owner */
    sim_none_of(s, "after days in peace it has no end",
                "SELECT p.order_id || ' ' || p.status || ' ' || coalesce(o.status, '')"
                " FROM payment p LEFT JOIN operation o ON o.id = p.attempt"
                " WHERE p.received = 0 AND (p.status = 'pending' OR p.status = 'processing') AND NOT"
                " (p.status = 'processing' AND coalesce(o.account, 'demo') = 'demo')");
    s->result->paid = count(s, "SELECT count(*) FROM movement");
    s->result->refunded = count(s, "SELECT count(*) FROM refund WHERE status = 'success'");
    s->result->taken_back = count(s, "SELECT count(*) FROM reversal");
}
