/* What must hold of payments in a simulation: after each step of a few, at each crash and at the
 * end of all, and at the end against the books of the providers' simulators.
 *
 *   always       what was acknowledged is there and moves by the table; no more is booked of a
 *                reference than its provider has been paid; no order was debited twice
 *   in the end   reference by reference both books say the same: came, was taken back, was refunded
 *                (but for what a provider told us in vain, simulate_payments.c);
 *                the ledger's accounts say it too; fees stand where they belong; each thing that
 *                happened is one event; nothing waits but for a person, and no job is late */
#include "simulate_private.h"

#include <stdio.h>

/* Is it there, did it move by the table, do generations only grow? A crash may take back a move
 * that nobody heard of. */
void sim_check_payment(struct sim *s, int number) {
    struct sim_payment *p = &s->payments[number];
    struct payment row;
    if (p->id[0] == '\0' || s->off) return;
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
        sim_wrong(s, "p%d went back from generation %lld to %lld", number, (long long)p->generation,
                  (long long)row.generation);
    p->generation = row.generation;
    p->status = row.status;
    payment_free(&row);
}

void sim_check_payments_step(struct sim *s) {
    for (int i = 0; i < 3 && s->payment_count > 0; i++)
        sim_check_payment(s, s->payment_looked++ % s->payment_count);
}

/* ---- both books ---- */

/* `theirs`: what each provider says came under a reference, was taken back and refunded; `ours`:
 * the same from our movements and reversals. The bank of our own numbers knows no reference of ours,
 * so there each transfer has its own. */
#define BOOKS                                                                                     \
    "WITH doc AS MATERIALIZED (SELECT key, CAST(CASE WHEN key GLOB 'sandbox/midtrans:tx *' OR"    \
    " key GLOB 'sandbox/demo:charge *' OR key GLOB 'sandbox/self:money *' THEN value ELSE '{}'"   \
    " END AS TEXT) AS v FROM kv),"                                                                \
    " theirs AS MATERIALIZED (SELECT 'midtrans' AS account, v ->> '$.order_id' AS reference,"     \
    " coalesce(v ->> '$.paid', 0) AS paid, CASE WHEN v ->> '$.status' IN ('deny',"                \
    " 'cancel') THEN coalesce(v ->> '$.paid', 0) ELSE 0 END AS back, coalesce(v ->> "             \
    "'$.refunded', 0) AS"                                                                         \
    " refunded, v ->> '$.status' AS status, v ->> '$.refunds' AS refunds FROM doc WHERE key GLOB" \
    " 'sandbox/midtrans:tx *' UNION ALL"                                                          \
    " SELECT 'demo', v ->> '$.reference', CASE v ->> '$.status' WHEN 'PAID' THEN"                 \
    " v ->> '$.amount' ELSE 0 END, 0, 0, v ->> '$.status', NULL FROM doc WHERE key GLOB"          \
    " 'sandbox/demo:charge *' UNION ALL"                                                          \
    " SELECT 'self', v ->> '$.money_id', v ->> '$.amount', CASE v ->> '$.status' WHEN 'reversed'" \
    " THEN v ->> '$.amount' ELSE 0 END, 0, (v ->> '$.status') || ' ' ||"                          \
    " coalesce(v ->> '$.facts.order_id', '-'), NULL FROM doc WHERE key GLOB"                      \
    " 'sandbox/self:money *'),"                                                                   \
    " ours AS MATERIALIZED (SELECT m.account, CASE m.account WHEN 'self' THEN m.money_id ELSE"    \
    " o.reference END AS reference, m.amount AS paid, coalesce((SELECT v.amount FROM reversal v"  \
    " WHERE v.account = m.account AND v.money_id = m.money_id), 0) AS back, p.order_id,"          \
    " p.status FROM movement m LEFT JOIN operation o ON o.id = m.operation LEFT JOIN payment p"   \
    " ON p.id = m.payment),"                                                                      \
    " t AS MATERIALIZED (SELECT account, reference, sum(paid) AS paid, sum(back) AS back,"        \
    " group_concat(status) AS status FROM theirs GROUP BY account, reference),"                   \
    " o AS MATERIALIZED (SELECT account, reference, sum(paid) AS paid, sum(back) AS back,"        \
    " group_concat(order_id || ' ' || status) AS status FROM ours GROUP BY account, reference)"
/* Of the few things in a list. */
#define INDEXES \
    "(SELECT column1 AS i FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)))"
static const char *const PROVIDERS[] = {"midtrans", "demo", "self"};

bool sim_books_known(const char *provider) {
    for (size_t i = 0; i < sizeof PROVIDERS / sizeof PROVIDERS[0]; i++)
        if (strcmp(PROVIDERS[i], provider) == 0) return true;
    return false;
}

#define DIFFERENCE(condition)                                                                   \
    BOOKS " SELECT coalesce(t.account, o.account) || ' ' || coalesce(t.reference, o.reference," \
          " '-') || ': there ' || coalesce(t.paid, 0) || ' less ' || coalesce(t.back, 0)"       \
          " || ' (' || coalesce(t.status, 'nothing') || '), here ' || coalesce(o.paid, 0) ||"   \
          " ' less ' || coalesce(o.back, 0) || ' (' || coalesce(o.status, 'nothing') || ')'"    \
          " , coalesce(t.reference, o.reference, '-') FROM t FULL JOIN o ON o.account = "       \
          "t.account AND o.reference = t.reference "                                            \
          "WHERE " condition

static const char MORE_THAN_THEIRS[] = DIFFERENCE(
    "coalesce(o.paid, 0) > coalesce(t.paid, 0) OR coalesce(o.back, 0) > coalesce(t.back, 0)");
/* What was taken back before we had heard that it came need not be booked at all. */
static const char NOT_THEIRS[] = DIFFERENCE(
    "coalesce(t.paid, 0) - coalesce(t.back, 0) <> coalesce(o.paid, 0) - coalesce(o.back, 0)");
/* What we send is a debit: of one order at most one. What a payer does twice is his. */
static const char DEBITED_TWICE[] =
    BOOKS " SELECT p.order_id FROM payment p JOIN operation x ON x.payment = p.id"
          " JOIN theirs ON theirs.account = x.account AND theirs.reference = x.reference"
          " WHERE x.kind = 'create' AND x.account = 'demo' AND theirs.paid > 0"
          " GROUP BY p.order_id HAVING count(*) > 1";
static const char REFUNDS[] =
    BOOKS ", there AS (SELECT r.value ->> '$.key' AS reference, sum(r.value ->> '$.amount') AS"
          " amount FROM (SELECT refunds ->> ('$[' || i || ']') AS value FROM theirs, " INDEXES
          " WHERE theirs.refunds IS NOT NULL) r WHERE r.value IS NOT NULL GROUP BY 1), here AS "
          "(SELECT x.reference, sum(r.amount) AS amount FROM refund r JOIN"
          " operation x ON x.id = r.operation WHERE r.status = 'success' GROUP BY 1)"
          " SELECT coalesce(there.reference, here.reference) || ': there ' ||"
          " coalesce(there.amount, 0) || ', here ' || coalesce(here.amount, 0) FROM there"
          " FULL JOIN here ON here.reference = there.reference"
          " WHERE there.amount IS NOT here.amount";
static const char RECEIVABLE[] =
    BOOKS " SELECT account || ': owes ' || want || ', the ledger says ' || here FROM (SELECT"
          " w.account, sum(w.paid - w.back) - coalesce((SELECT sum(r.amount) FROM refund r JOIN"
          " operation x ON x.id = r.operation WHERE r.status = 'success' AND r.by = 'provider' AND"
          " x.account = w.account), 0) AS want, coalesce((SELECT a.debits - a.credits +"
          " coalesce((SELECT sum(e.amount) FROM ledger_entry e JOIN ledger_account c ON c.n ="
          " e.debit WHERE e.credit = a.n AND c.name IN ('provider_fee', 'input_vat')), 0)"
          " FROM ledger_account a WHERE a.name = 'provider_receivable:' || w.account), 0) AS here"
          " FROM ours w GROUP BY w.account) WHERE want <> here";

/* ---- ours alone ---- */

/* The lines of each paid payment's fee are its entries, account by account. */
static const char FEES[] =
    "WITH want AS (SELECT id, account, sum(amount) AS amount FROM (SELECT p.id, CASE WHEN"
    " l.value ->> '$.name' IN ('ppn', 'vat') THEN 'output_vat' WHEN l.value ->> '$.name' IN"
    " ('provider_ppn', 'provider_vat') THEN 'input_vat' WHEN l.value ->> '$.name' GLOB"
    " 'provider_*' THEN 'provider_fee' ELSE 'fee_income' END AS account,"
    " l.value ->> '$.amount' AS amount FROM payment p, (SELECT f.id, CAST(f.fee AS TEXT) ->>"
    " ('$.lines[' || i || ']') AS value FROM payment f, " INDEXES " WHERE f.fee IS NOT NULL) l"
    " WHERE l.id = p.id AND p.status = 'success') WHERE amount > 0 GROUP BY id, account),"
    " have AS (SELECT e.object AS id, a.name AS account, sum(CASE a.n WHEN e.credit THEN e.amount"
    " WHEN e.debit THEN -e.amount END) * CASE WHEN a.name IN ('fee_income', 'output_vat') THEN 1"
    " ELSE -1 END AS amount FROM ledger_entry e JOIN ledger_account a ON a.n = e.credit OR"
    " a.n = e.debit WHERE a.name IN ('fee_income', 'output_vat', 'input_vat', 'provider_fee')"
    " GROUP BY e.object, a.name)"
    " SELECT coalesce(want.id, have.id) || ' ' || coalesce(want.account, have.account) || ': fee '"
    " || coalesce(want.amount, 0) || ', booked ' || coalesce(have.amount, 0) FROM want FULL JOIN"
    " have ON have.id = want.id AND have.account = want.account"
    " WHERE want.amount IS NOT have.amount";
static const char UNPRICED[] =
    "SELECT id FROM payment WHERE status = 'success' AND channel GLOB 'midtrans_*' AND fee IS NULL";

/* Each thing that happened, and how often it may be told. */
static const char EVENTS[] =
    "WITH want AS (SELECT id AS object, 'payment.created' AS type, 1 AS n FROM payment UNION ALL"
    " SELECT id, 'payment.succeeded', 1 FROM payment WHERE status = 'success' UNION ALL"
    " SELECT id, 'payment.' || status, 1 FROM payment"
    " WHERE status IN ('failed', 'expired', 'cancelled') UNION ALL"
    " SELECT payment, 'payment.reversed', count(*) FROM reversal GROUP BY payment UNION ALL"
    " SELECT payment, 'payment.late', count(*) FROM movement WHERE why = 'late' AND payment IS NOT"
    " NULL GROUP BY payment UNION ALL"
    " SELECT id, 'refund.created', 1 FROM refund UNION ALL"
    " SELECT id, 'refund.succeeded', 1 FROM refund WHERE status = 'success' UNION ALL"
    " SELECT id, 'refund.failed', 1 FROM refund WHERE status = 'failed'),"
    " have AS (SELECT object, type, count(*) AS n FROM event GROUP BY object, type)"
    " SELECT coalesce(want.object, have.object) || ' ' || coalesce(want.type, have.type) || ': '"
    " || coalesce(want.n, 0) || ' times, told ' || coalesce(have.n, 0) FROM want FULL JOIN have"
    " ON have.object = want.object AND have.type = want.type"
    " WHERE want.n IS NOT have.n AND NOT (want.n IS NULL AND (have.type IN ('payment.processing',"
    " 'payment.underpaid', 'payment.overpaid') OR (have.n = 1 AND have.type IN ('payment.failed',"
    " 'payment.expired', 'payment.cancelled') AND EXISTS (SELECT 1 FROM payment p WHERE"
    " p.id = have.object AND p.status = 'success'))))";
/* What does not fit is told as well: too little, too much, once more. */
static const char ODD_MONEY[] =
    "SELECT m.payment || ' ' || m.why FROM movement m WHERE m.why IN ('short', 'over', 'second',"
    " 'mismatch') AND m.payment IS NOT NULL GROUP BY m.payment HAVING count(*) <> (SELECT count(*)"
    " FROM event e WHERE e.object = m.payment AND e.type IN ('payment.underpaid',"
    " 'payment.overpaid'))";

/* But what waits for a person: a wallet's owner who has not said yes. */
static const char ENDLESS[] =
    BOOKS " SELECT p.order_id || ' ' || p.status || ' ' || coalesce(x.status, '-') || ' ' ||"
          " coalesce(x.account, '-') FROM payment p LEFT JOIN operation x ON x.id = p.attempt"
          " WHERE p.status IN ('pending', 'processing') AND NOT EXISTS (SELECT 1 FROM t WHERE"
          " t.account = x.account AND t.reference = x.reference AND t.status = 'WAITING')";

static int count(struct sim *s, const char *sql) {
    struct rows *rows = sim_look(s, sql);
    int n = rows == NULL ? 0 : (int)rows_int(rows, 0, 0);
    rows_free(rows);
    return n;
}

void sim_check_payments_whole(struct sim *s) {
    for (int i = 0; i < s->payment_count; i++)
        sim_check_payment(s, i);
    sim_none_of(s, "a payment that can be paid and never ends",
                "SELECT id FROM payment WHERE status = 'pending' AND open = 0"
                " AND expires_at IS NULL");
    sim_none_of(s, "it is paid, and not with what was due",
                "SELECT id || ' ' || amount_paid || ' of ' || amount_due FROM payment WHERE"
                " amount_paid > amount_due OR (status = 'success' AND amount_paid < amount_due)");
    if (!s->options->payments) return;
    sim_none_of(s, "we have booked what nobody paid", MORE_THAN_THEIRS);
    sim_none_of(s, "an order was debited twice", DEBITED_TWICE);
}

/* But for money that was told of in vain, and that is rare. */
static void check_both_books(struct sim *s) {
    struct rows *rows = sim_look(s, NOT_THEIRS);
    for (size_t i = 0; rows != NULL && i < rows_count(rows); i++)
        if (sim_payment_unheard(s, rows_text(rows, i, 1)))
            s->result->unheard++;
        else
            sim_wrong(s, "the books differ: %.*s", STR_FMT(rows_text(rows, i, 0)));
    rows_free(rows);
    if (s->result->unheard > 2 + s->payment_count / 100)
        sim_wrong(s, "%d transfers were told of in vain", s->result->unheard);
}

void sim_check_payments_books(struct sim *s) {
    char late[200];
    if (!s->options->payments) return;
    check_both_books(s);
    sim_none_of(s, "a refund differs", REFUNDS);
    sim_none_of(s, "the ledger differs from what was booked", RECEIVABLE);
    sim_none_of(s, "a fee stands where it does not belong", FEES);
    sim_none_of(s, "a payment without its fee", UNPRICED);
    sim_none_of(s, "an event too few or too many", EVENTS);
    sim_none_of(s, "odd money that was not told", ODD_MONEY);
    sim_none_of(s, "after days in peace it has no end", ENDLESS);
    sim_none_of(s, "a refund at a provider that has no end",
                "SELECT id || ' ' || status FROM refund WHERE by = 'provider'"
                " AND status IN ('pending', 'processing')");
    sim_none_of(s, "a notification that nobody looks at any more",
                "SELECT id FROM inbox WHERE state = 'orphan'");
    snprintf(late, sizeof late,
             "SELECT id || ' ' || name FROM job WHERE state IN ('waiting', 'running')"
             " AND due_at < %lld",
             (long long)clock_now_ms(&s->clock) - 600000);
    sim_none_of(s, "a job that is due and does not run", late);
    s->result->paid = count(s, "SELECT count(*) FROM movement");
    s->result->refunded = count(s, "SELECT count(*) FROM refund WHERE status = 'success'");
    s->result->taken_back = count(s, "SELECT count(*) FROM reversal");
}
