/* Verify: SQLite's own check of the file, foreign keys, then each invariant of ours as a query that
 * finds what breaks it. One line each through the report, good or bad, with the first finds. */
#include "store/sqlite_private.h"

#define FINDS_SHOWN 10

struct invariant {
    const char *name;
    const char *sql; /* rows of one text column: what breaks it */
    int since;       /* the schema it is true of; 0: any */
};

static const struct invariant INVARIANTS[] = {
    {"events are gapless in each topic, from the oldest that is kept",
     "SELECT t.name || ': head ' || t.last || ', kept from ' || coalesce(f.kept, 1) || ', '"
     " || coalesce(e.n, 0) || ' events from ' || coalesce(e.lo, 0) || ' to ' || coalesce(e.hi, 0)"
     " FROM topic t LEFT JOIN event_floor f ON f.topic = t.id LEFT JOIN"
     " (SELECT topic, count(*) AS n, min(sequence) AS lo, max(sequence) AS hi FROM event"
     " GROUP BY topic) e ON e.topic = t.id"
     " WHERE t.last - coalesce(f.kept, 1) + 1 <> coalesce(e.n, 0) OR t.last <> coalesce(e.hi, 0)"
     " OR (e.lo IS NOT NULL AND e.lo <> coalesce(f.kept, 1))",
     .since = 3},
    {"events belong to a topic", "SELECT 'topic ' || topic || ', sequence ' || sequence FROM event"
                                 " WHERE topic NOT IN (SELECT id FROM topic)"},
    {"jobs: a run belongs to what was claimed",
     "SELECT id FROM job WHERE (state = 'waiting') <> (run IS NULL)"},
    {"jobs: states are known, only once-jobs get lost",
     "SELECT id FROM job WHERE state NOT IN ('waiting', 'running', 'done', 'dead', 'lost')"
     " OR (state = 'lost' AND once <> 1)"},
    {"jobs: one open job per unique key",
     "SELECT unique_key FROM job WHERE unique_key IS NOT NULL AND state IN ('waiting', 'running')"
     " GROUP BY unique_key HAVING count(*) > 1"},
    {"jobs: times and attempts make sense",
     "SELECT id FROM job WHERE updated < 0 OR created < 0 OR due_at < 0 OR attempts < 0"},
    {"operations: the reference is unique per account",
     "SELECT account || ' ' || reference FROM operation GROUP BY account, reference"
     " HAVING count(*) > 1"},
    {"operations: statuses and generations make sense",
     "SELECT id FROM operation WHERE generation < 1 OR attempts < 0 OR attempts >= generation"
     " OR status NOT IN ('sending', 'pending', 'processing', 'success', 'failed', 'expired',"
     " 'cancelled', 'superseded', 'unknown')"},
    {"scripts: the text of each part of a live version is kept",
     "SELECT v.path || ' ' || v.version FROM script_version v WHERE v.state = 'live'"
     " AND json_valid(v.parts) AND EXISTS (SELECT 1 FROM json_tree(v.parts) p"
     " WHERE p.type = 'text' AND length(p.value) = 64 AND p.value NOT GLOB '*[^0-9a-f]*'"
     " AND p.value NOT IN (SELECT hash FROM script_text))"},
    {"values: versions are positive", "SELECT scope || ' ' || key FROM kv WHERE version < 1"
                                      " UNION ALL SELECT name FROM counter WHERE value < 1"},
    {"migrations are numbered without a gap",
     "SELECT 'number ' || max(number) || ', but ' || count(*) || ' applied' FROM migration"
     " HAVING count(*) > 0 AND max(number) <> count(*)"},
};

/* Of files whose schema has them: a backup may be older. */
#define CORE_SCHEMA 2
#define CORE_COUNT  (sizeof CORE_INVARIANTS / sizeof CORE_INVARIANTS[0])
static const struct invariant CORE_INVARIANTS[] = {
    /* ---- payments ---- */
    {"payments: what was received and what counts is what movements say",
     "SELECT p.id FROM payment p LEFT JOIN (SELECT payment, sum(amount) AS amount,"
     " sum(counted) AS counted FROM movement GROUP BY payment) m ON m.payment = p.id"
     " WHERE p.received <> coalesce(m.amount, 0) OR p.amount_paid <> coalesce(m.counted, 0)"},
    {"payments: no more goes back than was paid, and refunds say the same",
     "SELECT p.id FROM payment p LEFT JOIN (SELECT payment,"
     " sum(amount * (status = 'success')) AS done,"
     " sum(amount * (status IN ('pending', 'processing'))) AS open"
     " FROM refund WHERE movement IS NULL GROUP BY payment) r ON r.payment = p.id"
     " LEFT JOIN (SELECT payment, sum(counted) AS counted FROM reversal GROUP BY payment) v"
     " ON v.payment = p.id WHERE p.amount_refunded <> coalesce(r.done, 0)"
     " OR p.refunding <> coalesce(r.open, 0) OR p.amount_reversed <> coalesce(v.counted, 0)"
     " OR p.amount_refunded + p.refunding + p.amount_reversed > p.amount_paid"},
    {"payments: one open or paid payment per order",
     "SELECT merchant || ' ' || order_id FROM payment"
     " WHERE status IN ('pending', 'processing', 'success')"
     " GROUP BY merchant, order_id HAVING count(*) > 1"},
    {"payments: paid ones have been paid, and by an attempt that succeeded",
     "SELECT p.id FROM payment p WHERE p.status = 'success' AND (p.amount_paid = 0"
     " OR p.paid_at IS NULL OR NOT EXISTS (SELECT 1 FROM operation o WHERE o.payment = p.id"
     " AND o.kind = 'create' AND o.status = 'success'))"},
    {"payments: nothing is under way that nobody will ask for",
     "SELECT o.payment || ' ' || o.id FROM operation o WHERE o.payment IS NOT NULL"
     " AND o.status IN ('sending', 'processing', 'unknown') AND NOT EXISTS (SELECT 1 FROM job j"
     " WHERE j.unique_key = 'ask ' || o.id AND j.state IN ('waiting', 'running'))"},
    {"movements: each money id once per account",
     "SELECT account || ' ' || money_id FROM movement WHERE money_id IS NOT NULL"
     " GROUP BY account, money_id HAVING count(*) > 1"},
    {"what movements have returned are refunds, or was nobody's and taken back or booked twice",
     "SELECT m.id FROM movement m LEFT JOIN (SELECT movement, sum(amount) AS amount FROM refund"
     " WHERE movement IS NOT NULL AND status <> 'failed' GROUP BY movement) r"
     " ON r.movement = m.id WHERE m.returned <> coalesce(r.amount, 0) AND m.payment IS NOT NULL"
     " UNION ALL SELECT 'nobody''s: ' || m.s || ', entries ' || e.s FROM (SELECT"
     " coalesce(sum(returned), 0) AS s FROM movement WHERE payment IS NULL) m, (SELECT"
     " coalesce(sum(amount), 0) AS s FROM ledger_entry"
     " WHERE kind IN ('orphan_reversed', 'orphan_same')) e"
     " WHERE m.s <> e.s"},
    /* ---- the ledger ---- */
    {"the ledger balances: the sums of entries are the accounts",
     "SELECT a.name || ': debits ' || a.debits || ', credits ' || a.credits FROM ledger_account a"
     " LEFT JOIN (SELECT debit AS n, sum(amount) AS s FROM ledger_entry GROUP BY debit) d"
     " ON d.n = a.n LEFT JOIN (SELECT credit AS n, sum(amount) AS s FROM ledger_entry"
     " GROUP BY credit) c ON c.n = a.n"
     " WHERE a.debits <> coalesce(d.s, 0) OR a.credits <> coalesce(c.s, 0)"
     " UNION ALL SELECT 'debits ' || sum(debits) || ', credits ' || sum(credits)"
     " FROM ledger_account HAVING sum(debits) <> sum(credits)"},
    {"the ledger: nobody has less than nothing",
     "SELECT name || ': ' || (credits - debits) FROM ledger_account"
     " WHERE floor = 1 AND debits > credits"},
    {"the ledger: the entries have no gap",
     "SELECT 'head ' || max(n) || ', but ' || count(*) || ' entries' FROM ledger_entry"
     " HAVING count(*) > 0 AND max(n) <> count(*)"},
    {"the ledger: what waits for T+n is what payments say",
     "SELECT a.name || ': ' || (a.credits - a.debits) || ', payments ' || coalesce(p.s, 0)"
     " FROM ledger_account a LEFT JOIN (SELECT merchant, sum(unsettled) AS s FROM payment"
     " GROUP BY merchant) p ON p.merchant = a.merchant"
     " WHERE a.name GLOB 'merchant_payable.pending:*' AND a.credits - a.debits"
     " <> coalesce(p.s, 0)"},
    {"the ledger: what is put aside is what refunds under way say",
     "SELECT 'set aside ' || a.s || ', refunds ' || r.s FROM"
     " (SELECT coalesce(sum(credits - debits), 0) AS s FROM ledger_account"
     " WHERE name IN ('refund_clearing', 'memo_clearing')) a,"
     " (SELECT coalesce(sum(amount), 0) AS s FROM refund"
     " WHERE status IN ('pending', 'processing')) r WHERE a.s <> r.s"},
    /* what movements hold, and what unfinished payments were paid in part; less what providers
     * took back that had been refunded before */
    {"the ledger: suspense is what movements hold and payments wait for",
     "SELECT 'suspense ' || a.s || ', expected ' || (m.s + p.s - v.s) FROM"
     " (SELECT coalesce(sum(credits - debits), 0) AS s FROM ledger_account"
     " WHERE name IN ('suspense', 'memo_suspense')) a,"
     " (SELECT coalesce(sum(held), 0) AS s FROM movement) m,"
     " (SELECT coalesce(sum(amount_paid - amount_refunded - refunding - amount_reversed), 0) AS s"
     " FROM payment WHERE status <> 'success') p,"
     " (SELECT coalesce(sum(amount - counted), 0) AS s FROM reversal) v"
     " WHERE a.s <> m.s + p.s - v.s"},
    {"mutations: a running balance without a jump",
     "SELECT merchant || ' entry ' || entry FROM (SELECT merchant, entry, change, balance,"
     " coalesce(lag(balance) OVER (PARTITION BY merchant ORDER BY entry), 0) AS before"
     " FROM mutation) WHERE balance <> before + change"},
    {"mutations: the last one is what the merchant has",
     "SELECT m.merchant FROM (SELECT merchant, sum(change) AS s FROM mutation GROUP BY merchant) m"
     " LEFT JOIN (SELECT merchant, sum(credits - debits) AS s FROM ledger_account"
     " WHERE merchant IS NOT NULL GROUP BY merchant) a ON a.merchant = m.merchant"
     " WHERE m.s <> coalesce(a.s, 0)"},
    /* ---- in and out ---- */
    {"persons: what is erased has no key and no data",
     "SELECT id FROM person WHERE erased IS NOT NULL AND (key IS NOT NULL OR data IS NOT NULL)"},
    {"webhooks: no endpoint is ahead of its merchant's events",
     "SELECT p.id FROM endpoint p LEFT JOIN topic t ON t.name = p.merchant"
     " WHERE p.cursor > coalesce(t.last, 0)"},
    {"the audit log has no gap, and each line follows the one before",
     "SELECT 'line ' || n FROM (SELECT n, prev, lag(hash) OVER (ORDER BY n) AS before,"
     " row_number() OVER (ORDER BY n) AS want FROM audit)"
     " WHERE n <> want OR prev <> coalesce(before, x'')"},
};

/* 0; E_CORRUPT: something was found; else why it could not be looked at. `good_text`: a first row
 * that says all is well. */
static int look(sqlite3 *db, const struct store_report *report, const char *name, const char *sql,
                const char *good_text) {
    sqlite3_stmt *stmt = NULL;
    const unsigned refused = sqlite_memory_refused();
    int found = 0, rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(stmt);
        if (rc != SQLITE_ROW) break;
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        if (text == NULL) text = "(null)";
        if (good_text != NULL && strcmp(text, good_text) == 0) continue;
        if (sqlite_memory_refused() != refused) {
            rc = SQLITE_NOMEM;
            break;
        }
        if (++found <= FINDS_SHOWN) store_report_line(report, false, "%s: %s", name, text);
    }
    int err = found != 0 ? E_CORRUPT : sqlite_err(rc);
    if (rc != SQLITE_DONE) store_report_line(report, false, "%s: %s", name, sqlite3_errstr(rc));
    sqlite3_finalize(stmt);
    if (err == 0) store_report_line(report, true, "%s", name);
    if (found > FINDS_SHOWN)
        store_report_line(report, false, "%s: %d more", name, found - FINDS_SHOWN);
    return err;
}

/* Damage says more than a look that failed. */
static void worse(int *err, int next) {
    if (*err == 0 || next == E_CORRUPT) *err = next;
}

int sqlite_check(sqlite3 *db, const struct store_report *report) {
    int err = look(db, report, "the file is whole", "PRAGMA integrity_check(20)", "ok");
    worse(&err,
          look(db, report, "foreign keys hold",
               "SELECT \"table\" || ' row ' || coalesce(rowid, '?') || ' points to nothing in '"
               " || parent FROM pragma_foreign_key_check",
               NULL));
    int64_t schema = 0, tables = 0;
    int rc = sqlite_int(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc == SQLITE_OK) rc = sqlite_int(db, "PRAGMA user_version", &schema);
    worse(&err, sqlite_err(rc));
    if (rc == SQLITE_OK && schema == 0 && tables == 0) {
        store_report_line(report, true, "nothing is in it: its first start was cut short");
        return err;
    }
    for (size_t i = 0; i < sizeof INVARIANTS / sizeof INVARIANTS[0]; i++)
        if (schema >= INVARIANTS[i].since)
            worse(&err, look(db, report, INVARIANTS[i].name, INVARIANTS[i].sql, NULL));
    for (size_t i = 0; schema >= CORE_SCHEMA && i < CORE_COUNT; i++)
        worse(&err, look(db, report, CORE_INVARIANTS[i].name, CORE_INVARIANTS[i].sql, NULL));
    return err;
}

/* A check that is cut short finds faults that are none: what it says from then on is not told. */
struct verifying {
    const struct store_report *report;
    const _Atomic bool *ended;
};

static void verify_line(void *data, bool good, const char *text) {
    const struct verifying *v = data;
    if (!*v->ended) store_report_line(v->report, good, "%s", text);
}

static int check_until(sqlite3 *db, const struct store_report *report, const _Atomic bool *ended) {
    struct verifying v = {report, ended};
    const struct store_report told = {verify_line, &v};
    sqlite_end_on(ended);
    int err = sqlite_check(db, &told);
    sqlite_end_on(NULL);
    return *ended ? E_CLOSED : err;
}

int sqlite_verify(struct store *store, const struct store_report *report) {
    struct sqlite_store *s = sqlite_of(store);
    if (s->sole) {
        pthread_mutex_lock(&s->writer.db_lock);
        int err = check_until(s->writer.conn.db, report, &store->care_ended);
        pthread_mutex_unlock(&s->writer.db_lock);
        return err;
    }
    struct conn conn;
    struct why why = {0};
    int err = db_conn_open(&conn, s->file, s->vfs, DB_BACKUP, s->base.clock, &why);
    if (err != 0) {
        store_report_line(report, false, "%s", why.text);
        return err;
    }
    err = check_until(conn.db, report, &store->care_ended);
    db_conn_close(&conn);
    return err;
}
