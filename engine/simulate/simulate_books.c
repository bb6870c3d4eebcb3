/* What must hold of payments in a simulation: after each step of a few, at each crash and at the
 * end of all, and at the end against the books of the providers' simulators.
 *
 *   always       what was acknowledged is there and moves by the table; no more is booked of a
 *                reference than its provider has been paid; no order was debited twice
 *   in the end   reference by reference both books say the same: came, was taken back, was refunded
 *                (but for what a provider told us in vain, simulate_calls.c);
 *                the ledger's accounts say it too; fees stand where they belong; each thing that
 *                happened is one event; nothing waits but for a person, and no job is late */
#include "simulate/simulate_private.h"

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

/* A look at both sides' books (simulate_providers.c). Beside them: t is theirs and o ours, summed by
 * reference; here, our refunds, of which `asked` is what waits for a person. */
static void add_books(const struct sim *s, struct buf *sql) {
    buf_adds(sql, "WITH ");
    sim_provider_books(sql);
    buf_adds(sql, ", t AS MATERIALIZED (SELECT account, reference, sum(paid) AS paid, sum(back)"
                  " AS back, group_concat(status) AS status FROM theirs GROUP BY account,"
                  " reference), o AS MATERIALIZED (SELECT account, reference, sum(paid) AS paid,"
                  " sum(back) AS back, group_concat(order_id || ' ' || status) AS status FROM"
                  " ours GROUP BY account, reference),"
                  " here AS (SELECT x.account, x.reference, coalesce((SELECT w.reference FROM"
                  " movement m JOIN operation w ON w.id = m.operation WHERE m.id = r.movement),"
                  " CAST(x.doc AS TEXT) ->> '$.input.reference') AS charge, r.amount *"
                  " (r.status = 'success') AS done, r.amount * (x.status = 'unknown' AND x.script"
                  " IN (SELECT script FROM mute)) AS asked, r.amount || ' ' || r.status || ' ' ||"
                  " x.status || ' ' || x.reference AS told FROM refund r JOIN operation x"
                  " ON x.id = r.operation), charge (script) AS (VALUES ('')");
    for (int i = 0; i < s->way_count; i++)
        if (s->ways[i].charge) buf_addf(sql, ", ('channels/%s.lua')", s->ways[i].channel);
    buf_adds(sql, ")");
}

static struct rows *look(struct sim *s, struct buf *sql) {
    struct rows *rows = NULL;
    if (sql->err == 0)
        rows = sim_look(s, sql->data);
    else
        sim_wrong(s, "a look failed: %s", err_text(sql->err));
    buf_free(sql);
    return rows;
}

struct promise {
    const char *broken;
    const char *sql; /* rows of one text: what breaks it */
};

/* All at one look, since reading the books costs most. */
static void none_in_books(struct sim *s, const struct promise *promises, size_t count) {
    struct buf sql = {0};
    add_books(s, &sql);
    for (size_t i = 0; i < count; i++)
        buf_addf(&sql, ", broken%zu (found) AS (%s)", i, promises[i].sql);
    for (size_t i = 0; i < count; i++)
        buf_addf(&sql, "%s SELECT '%s: ' || found FROM broken%zu", i == 0 ? "" : " UNION ALL",
                 promises[i].broken, i);
    struct rows *rows = look(s, &sql);
    if (rows != NULL && rows_count(rows) != 0) sim_wrong(s, "%.*s", STR_FMT(rows_text(rows, 0, 0)));
    rows_free(rows);
}

/* Of the few things in a list. */
#define INDEXES \
    "(SELECT column1 AS i FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)))"

#define DIFFERENCE                                                                        \
    "coalesce(t.account, o.account) || ' ' || coalesce(t.reference, o.reference, '-') ||" \
    " ': there ' || coalesce(t.paid, 0) || ' less ' || coalesce(t.back, 0) || ' (' ||"    \
    " coalesce(t.status, 'nothing') || '), here ' || coalesce(o.paid, 0) || ' less ' ||"  \
    " coalesce(o.back, 0) || ' (' || coalesce(o.status, 'nothing') || ')'"
#define BOTH " FROM t FULL JOIN o ON o.account = t.account AND o.reference = t.reference WHERE "

static const char MORE_THAN_THEIRS[] =
    "SELECT " DIFFERENCE BOTH
    "coalesce(o.paid, 0) > coalesce(t.paid, 0) OR coalesce(o.back, 0) > coalesce(t.back, 0)";
/* What was taken back before we had heard that it came need not be booked at all. */
static const char NOT_THEIRS[] =
    " SELECT " DIFFERENCE ", coalesce(t.reference, o.reference, '-')" BOTH
    "coalesce(t.paid, 0) - coalesce(t.back, 0) <> coalesce(o.paid, 0) - coalesce(o.back, 0)";
/* What we send as a debit: of one order at most one (that it leaves once: simulate_calls.c). What a payer
 * does by himself is his: paying another amount than was asked, or once more when it was over, be it on
 * a page that still stands after its first debit was cancelled. */
static const char DEBITED_TWICE[] =
    "SELECT p.order_id FROM payment p JOIN operation x ON x.payment = p.id"
    " JOIN theirs ON theirs.account = x.account AND theirs.reference = x.reference"
    " WHERE x.kind = 'create' AND x.script IN (SELECT script FROM charge) AND theirs.paid ="
    " p.amount_due AND theirs.status <> 'paid after it failed'"
    " GROUP BY p.order_id HAVING count(DISTINCT x.id) > 1";
/* No answer is never "failed": what failed here cannot be paid there. */
static const char FAILED_OPEN[] =
    "SELECT x.account || ' ' || x.reference || ': failed here (' || coalesce(CAST(x.doc AS TEXT) "
    "->> '$.result', '-') || '), ' || theirs.status || ' there' FROM"
    " operation x JOIN theirs ON theirs.account = x.account AND theirs.reference = x.reference"
    " JOIN open ON open.account = theirs.account AND open.status = theirs.status"
    " WHERE x.kind = 'create' AND x.payment IS NOT NULL AND x.status = 'failed' AND x.script NOT IN"
    " (SELECT script FROM unseen)";
/* Charge by charge as much went back there as here; what waits for a person may have. */
static const char REFUNDED[] =
    "WITH sums AS (SELECT account, charge, sum(done) AS done, sum(asked) AS asked,"
    " group_concat(told, '; ') AS told FROM here GROUP BY account, charge), there AS (SELECT "
    "account, charge, sum(amount) AS amount FROM their_refunds"
    " GROUP BY account, charge) SELECT coalesce(there.account, sums.account) || ' ' ||"
    " coalesce(there.charge, sums.charge) || ': there ' || coalesce(there.amount, 0) || ', here '"
    " || coalesce(sums.done, 0) || ' and ' || coalesce(sums.asked, 0) || ' in doubt (' ||"
    " coalesce(sums.told, 'none') || ')' FROM there"
    " FULL JOIN sums ON sums.account = there.account AND sums.charge = there.charge WHERE"
    " coalesce(there.amount, 0) NOT BETWEEN coalesce(sums.done, 0) AND coalesce(sums.done, 0) +"
    " coalesce(sums.asked, 0)";
/* And where it knows our name of a refund, each is that very refund. */
static const char REFUND_BY_NAME[] =
    "SELECT there.account || ' ' || there.reference || ': there ' ||"
    " there.amount || ', here ' || coalesce(here.done + here.asked, 0) FROM their_refunds there"
    " LEFT JOIN here ON here.account = there.account AND here.reference = there.reference WHERE"
    " there.reference IS NOT NULL AND there.amount IS NOT here.done + here.asked";
static const char RECEIVABLE[] =
    "SELECT account || ': owes ' || want || ', the ledger says ' || here FROM (SELECT"
    " w.account, sum(w.paid - w.back) - coalesce((SELECT sum(r.amount) FROM refund r JOIN"
    " operation x ON x.id = r.operation WHERE r.status = 'success' AND r.by = 'provider' AND"
    " x.account = w.account), 0) AS want, coalesce((SELECT a.debits - a.credits +"
    " coalesce((SELECT sum(e.amount) FROM ledger_entry e JOIN ledger_account c ON c.n ="
    " e.debit WHERE e.credit = a.n AND c.name IN ('provider_fee', 'input_vat')), 0)"
    " FROM ledger_account a WHERE a.name = 'provider_receivable:' || w.account), 0) AS here"
    " FROM ours w GROUP BY w.account) WHERE want <> here";
static const char UNPRICED[] = "SELECT p.id || ' ' || p.channel FROM payment p JOIN operation x ON"
                               " x.id = p.attempt WHERE p.status = 'success' AND p.fee IS NULL"
                               " AND x.account IN (SELECT account FROM priced)";
/* But what waits for a person: a wallet's owner who has not said yes. */
static const char ENDLESS[] =
    "SELECT p.order_id || ' ' || p.status || ' ' || coalesce(x.status, '-') || ' ' ||"
    " coalesce(x.account, '-') FROM payment p LEFT JOIN operation x ON x.id = p.attempt"
    " WHERE p.status IN ('pending', 'processing') AND NOT EXISTS (SELECT 1 FROM t WHERE"
    " t.account = x.account AND t.reference = x.reference AND t.status = 'WAITING')";
static const char REFUND_ENDLESS[] =
    "SELECT r.id || ' ' || r.status || ' ' || x.script || ' ' || x.status FROM refund r JOIN"
    " operation x ON x.id = r.operation WHERE r.by = 'provider' AND r.status IN ('pending',"
    " 'processing') AND NOT (x.status = 'unknown' AND x.script IN (SELECT script FROM mute))";

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
/* What came when nobody waited for it any more, or was paid already, counts by a rule's word alone. */
static const char COUNTED[] =
    "SELECT p.order_id || ' ' || m.why || ' ' || m.amount FROM movement m JOIN payment p ON"
    " p.id = m.payment WHERE m.counted > 0 AND ((m.why IN ('late', 'second') AND NOT EXISTS"
    " (SELECT 1 FROM note n WHERE n.payment = p.id AND n.what = 'policy' AND CAST(n.detail AS"
    " TEXT) GLOB m.id || ': ' || m.why || ' money of *: it counts')) OR (m.why IN ('due', 'short',"
    " 'over') AND EXISTS (SELECT 1 FROM event e WHERE e.object = p.id AND e.type IN"
    " ('payment.expired', 'payment.cancelled') AND e.at < m.at)))";
/* What does not fit is told as well: too little, too much, once more. */
static const char ODD_MONEY[] =
    "SELECT m.payment || ' ' || m.why FROM movement m WHERE m.why IN ('short', 'over', 'second',"
    " 'mismatch') AND m.payment IS NOT NULL GROUP BY m.payment HAVING count(*) <> (SELECT count(*)"
    " FROM event e WHERE e.object = m.payment AND e.type IN ('payment.underpaid',"
    " 'payment.overpaid'))";

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
    static const struct promise ALWAYS[] = {
        {"we have booked what nobody paid", MORE_THAN_THEIRS},
        {"an order was debited twice", DEBITED_TWICE},
        {"no answer was taken for a no", FAILED_OPEN},
    };
    none_in_books(s, ALWAYS, sizeof ALWAYS / sizeof ALWAYS[0]);
    sim_none_of(s, "money counts that no rule let count", COUNTED);
}

/* But for money that was told of in vain, and that is rare. */
static void check_both_books(struct sim *s) {
    struct buf sql = {0};
    add_books(s, &sql);
    buf_adds(&sql, NOT_THEIRS);
    struct rows *rows = look(s, &sql);
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
    static const struct promise IN_THE_END[] = {
        {"refunds differ", REFUNDED},
        {"a refund differs", REFUND_BY_NAME},
        {"the ledger differs from what was booked", RECEIVABLE},
        {"a payment without its fee", UNPRICED},
        {"after days in peace it has no end", ENDLESS},
        {"a refund at a provider that has no end", REFUND_ENDLESS},
    };
    char late[200];
    if (!s->options->payments) return;
    check_both_books(s);
    none_in_books(s, IN_THE_END, sizeof IN_THE_END / sizeof IN_THE_END[0]);
    sim_none_of(s, "a fee stands where it does not belong", FEES);
    sim_none_of(s, "an event too few or too many", EVENTS);
    sim_none_of(s, "odd money that was not told", ODD_MONEY);
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
