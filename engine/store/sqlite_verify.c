/* Verify: SQLite's own check of the file, foreign keys, then each invariant of ours as a query that
 * finds what breaks it. One line each through the report, good or bad, with the first finds. */
#include "store/sqlite_private.h"

#include <stdlib.h>

#define FINDS_SHOWN 10

struct invariant {
    const char *name;
    const char *sql; /* rows of one text column: what breaks it */
};

static const struct invariant INVARIANTS[] = {
    {"events are gapless in each topic",
     "SELECT t.name || ': head ' || t.last || ', ' || coalesce(e.n, 0) || ' events from '"
     " || coalesce(e.lo, 0) || ' to ' || coalesce(e.hi, 0) FROM topic t LEFT JOIN"
     " (SELECT topic, count(*) AS n, min(sequence) AS lo, max(sequence) AS hi FROM event"
     " GROUP BY topic) e ON e.topic = t.id"
     " WHERE t.last <> coalesce(e.n, 0) OR t.last <> coalesce(e.hi, 0)"
     " OR coalesce(e.lo, 1) <> 1"},
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

bool sqlite_check_starved(const char *text) {
    const char *code = text == NULL ? NULL : strstr(text, "error code=");
    int rc = code == NULL ? 0 : atoi(code + strlen("error code="));
    return rc == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM;
}

/* 0; E_CORRUPT: something was found; else why it could not be looked at. `good_text`: a first row
 * that says all is well. */
static int look(sqlite3 *db, const struct store_report *report, const char *name, const char *sql,
                const char *good_text) {
    sqlite3_stmt *stmt = NULL;
    int found = 0, rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(stmt);
        if (rc != SQLITE_ROW) break;
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        if (text == NULL) text = "(null)";
        if (good_text != NULL && strcmp(text, good_text) == 0) continue;
        if (sqlite_check_starved(text) || sqlite3_errcode(db) == SQLITE_NOMEM) {
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
    for (size_t i = 0; i < sizeof INVARIANTS / sizeof INVARIANTS[0]; i++)
        worse(&err, look(db, report, INVARIANTS[i].name, INVARIANTS[i].sql, NULL));
    return err;
}

int sqlite_verify(struct store *store, const struct store_report *report) {
    struct sqlite_store *s = sqlite_of(store);
    if (s->sole) {
        pthread_mutex_lock(&s->writer.db_lock);
        int err = sqlite_check(s->writer.conn.db, report);
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
    err = sqlite_check(conn.db, report);
    db_conn_close(&conn);
    return err;
}
