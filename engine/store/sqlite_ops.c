/* How SQLite runs each operation. An operation is data: at most OP_STEPS_MAX statements, each with
 * what is expected of it, their parameters named after the operation's fields. All are prepared once,
 * when first used, and one function runs them. */
#include "base/ensure.h"
#include "base/mem.h"
#include "store/sqlite_private.h"

#include <stdio.h>

#define PARAMS_MAX OP_FIELDS_MAX

/* A job that runs was due when it was claimed: that it is due later says that it was hurried since, and
 * what it has seen may be older than what hurried it. */
#define HURRIED "due_at > updated"

static const op_steps OPS_ENGINE[OP_COUNT_] = {
    [OP_META_SET] = {{"INSERT INTO meta VALUES (:key, :value)"
                      " ON CONFLICT (key) DO UPDATE SET value = excluded.value"}},
    [OP_KV_PUT] = {{"INSERT INTO kv (scope, key, value, version)"
                    " SELECT :scope, :key, :value, version + 1 FROM kv_floor"
                    " WHERE :version IS NULL OR :version = 0"
                    " OR EXISTS (SELECT 1 FROM kv WHERE scope = :scope AND key = :key)"
                    " ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value,"
                    " version = kv.version + 1 WHERE :version IS NULL OR kv.version = :version"
                    " RETURNING version",
                    ROW, "the value has another version"}},
    [OP_KV_ROOM] = {{"SELECT 1 FROM (SELECT count(*) AS n, coalesce(sum(length(value)), 0) AS b,"
                     " coalesce(max(key = :key), 0) AS there FROM kv WHERE scope = :scope"
                     " AND key >= :from AND key < :to) WHERE n + 1 - there <= :rows_max"
                     " AND b + :bytes <= :bytes_max",
                     ROW, "the store is full"}},
    [OP_KV_DELETE] = {{"SELECT 1 WHERE :version IS NULL OR EXISTS (SELECT 1 FROM kv"
                       " WHERE scope = :scope AND key = :key AND version = :version)",
                       CHECK_, "the value has another version"},
                      {"UPDATE kv_floor SET version = max(version, (SELECT version FROM kv"
                       " WHERE scope = :scope AND key = :key))"
                       " WHERE EXISTS (SELECT 1 FROM kv WHERE scope = :scope AND key = :key)"},
                      {"DELETE FROM kv WHERE scope = :scope AND key = :key"}},
    /* each taking sweeps two that ran out, so the table stays as large as what is held */
    [OP_ONCE_TAKE] = {{"DELETE FROM once WHERE (scope, key) IN"
                       " (SELECT scope, key FROM once WHERE until <= :now ORDER BY until LIMIT 2)"},
                      {"INSERT INTO once VALUES (:scope, :key, :until, :now)"
                       " ON CONFLICT (scope, key) DO UPDATE SET until = excluded.until,"
                       " taken = excluded.taken WHERE once.until <= :now",
                       ONE, "somebody holds the key"}},
    [OP_COUNTER_TAKE] = {{"DELETE FROM counter WHERE name IN"
                          " (SELECT name FROM counter WHERE until <= :now ORDER BY until LIMIT 2)"},
                         {"INSERT INTO counter SELECT :name, 1, :until"
                          " WHERE :max IS NULL OR :max >= 1"
                          " ON CONFLICT (name) DO UPDATE SET"
                          " value = CASE WHEN counter.until <= :now THEN 1"
                          " ELSE counter.value + 1 END,"
                          " until = CASE WHEN counter.until <= :now THEN excluded.until"
                          " ELSE counter.until END"
                          " WHERE counter.until <= :now OR :max IS NULL OR counter.value < :max"
                          " RETURNING value",
                          ROW, "the counter is at its maximum"}},
    [OP_SLOT_TAKE] =
        {{"DELETE FROM slot WHERE pool = :pool AND until <= :now"},
         /* start itself, else the number behind a taken one that is free; then the same from low */
         {"INSERT INTO slot SELECT :pool, s, :holder, :until FROM (SELECT coalesce("
          "(SELECT :start WHERE :start BETWEEN :low AND :high AND NOT EXISTS"
          " (SELECT 1 FROM slot WHERE pool = :pool AND slot = :start)),"
          "(SELECT a.slot + 1 FROM slot a WHERE a.pool = :pool"
          " AND a.slot >= max(:start, :low) AND a.slot < :high AND NOT EXISTS"
          " (SELECT 1 FROM slot b WHERE b.pool = :pool AND b.slot = a.slot + 1)"
          " ORDER BY a.slot LIMIT 1),"
          "(SELECT :low WHERE :low <= :high AND NOT EXISTS"
          " (SELECT 1 FROM slot WHERE pool = :pool AND slot = :low)),"
          "(SELECT a.slot + 1 FROM slot a WHERE a.pool = :pool"
          " AND a.slot >= :low AND a.slot < :high AND NOT EXISTS"
          " (SELECT 1 FROM slot b WHERE b.pool = :pool AND b.slot = a.slot + 1)"
          " ORDER BY a.slot LIMIT 1)) AS s) WHERE s IS NOT NULL RETURNING slot",
          ROW, "the pool has no free number"}},
    [OP_SLOT_CLAIM] = {{"DELETE FROM slot WHERE pool = :pool AND until <= :now"},
                       {"INSERT INTO slot VALUES (:pool, :slot, :holder, :until)"
                        " ON CONFLICT (pool, slot) DO NOTHING",
                        ONE, "somebody holds the number"}},
    [OP_SLOT_FREE] = {{"DELETE FROM slot WHERE pool = :pool AND slot = :slot"
                       " AND holder = :holder"}},
    /* what an account has beside it: a script may name as many as it likes */
    [OP_TOKEN_PUT] = {{"DELETE FROM token WHERE key IN (SELECT key FROM token"
                       " WHERE key >= substr(:key, 1, instr(:key, ':'))"
                       " AND key < substr(:key, 1, instr(:key, ':') - 1) || ';' AND key <> :key"
                       " ORDER BY refresh_at DESC LIMIT -1 OFFSET 31)"},
                      {"INSERT INTO token VALUES (:key, :value, :refresh_at, :expires_at)"
                       " ON CONFLICT (key) DO UPDATE SET value = excluded.value,"
                       " refresh_at = excluded.refresh_at, expires_at = excluded.expires_at"}},
    /* no RETURNING on what is done all the time: SQLite opens a temporary table for it each time */
    [OP_EVENT_APPEND] = {{"INSERT INTO topic (name, last) VALUES (:topic, 1)"
                          " ON CONFLICT (name) DO UPDATE SET last = last + 1",
                          ONE, "topic"},
                         {"INSERT INTO event SELECT id, last, :type, :object, :doc, :at"
                          " FROM topic WHERE name = :topic",
                          ONE, "topic"},
                         {"SELECT last FROM topic WHERE name = :topic", ROW, "topic"}},
    [OP_EVENT_PURGE] = {{"INSERT INTO event_floor SELECT id, :kept FROM topic WHERE name = :topic"
                         " AND :kept > 1 AND :kept <= last ON CONFLICT (topic) DO UPDATE SET"
                         " kept = excluded.kept WHERE excluded.kept > event_floor.kept",
                         ONE, "what is kept only rises, up to the newest event"},
                        {"DELETE FROM event WHERE topic = (SELECT id FROM topic"
                         " WHERE name = :topic) AND sequence < :kept"},
                        {"DELETE FROM delivery WHERE sequence < :kept AND state <> 'waiting'"
                         " AND endpoint IN (SELECT id FROM endpoint WHERE merchant = :topic)"}},
    [OP_JOB_ENQUEUE] = {{"SELECT id FROM job WHERE :unique_key IS NOT NULL"
                         " AND unique_key = :unique_key AND state IN ('waiting', 'running')",
                         ENOUGH},
                        {"INSERT INTO job (id, name, args, state, due_at, priority, once, backoff,"
                         " unique_key, created, updated) VALUES (:id, :name, :args, 'waiting',"
                         " :due_at, :priority, :once, :backoff, :unique_key, :now, :now)",
                         ONE, "job"}},
    [OP_JOB_CLAIM] = {{"UPDATE job SET state = 'running', run = :run, updated = :now"
                       " WHERE id = :id AND state = 'waiting' AND due_at <= :now",
                       ONE, "the job is not waiting and due"}},
    [OP_JOB_DONE] = {{"UPDATE job SET state = CASE WHEN " HURRIED " THEN 'waiting' ELSE 'done' END,"
                      " run = CASE WHEN " HURRIED " THEN NULL ELSE run END,"
                      " attempts = CASE WHEN " HURRIED " THEN 0 ELSE attempts END,"
                      " due_at = min(due_at, :now), updated = :now"
                      " WHERE id = :id AND state = 'running' AND run = :run",
                      ONE, "the job is not in this run"}},
    [OP_JOB_HURRY] = {{"UPDATE job SET due_at = :now, updated = :now"
                       " WHERE unique_key = :unique_key AND state IN ('waiting', 'running')"
                       " AND state = 'waiting' AND due_at > :now AND updated < :since"},
                      {"UPDATE job SET priority = 1,"
                       " due_at = CASE state WHEN 'running' THEN :now + 1 ELSE due_at END"
                       " WHERE unique_key = :unique_key AND state IN ('waiting', 'running')"
                       " AND :urgent"}},
    [OP_JOB_RETRY] = {{"UPDATE job SET state = 'waiting', run = NULL,"
                       " due_at = CASE WHEN " HURRIED " AND :tries > 0 THEN :now ELSE :due_at END,"
                       " error = :error, attempts = attempts + :tries, updated = :now"
                       " WHERE id = :id AND state = 'running' AND run = :run",
                       ONE, "the job is not in this run"}},
    [OP_JOB_DEAD] = {{"UPDATE job SET state = 'dead', error = :error, updated = :now"
                      " WHERE id = :id AND state = 'running' AND run = :run",
                      ONE, "the job is not in this run"}},
    [OP_JOB_LOST] = {{"UPDATE job SET state = 'lost', updated = :now"
                      " WHERE id = :id AND state = 'running' AND run = :run AND once = 1",
                      ONE, "the job is not in this run, or may be repeated"}},
    [OP_JOB_PURGE] = {{"DELETE FROM job WHERE id IN (SELECT id FROM job WHERE state = 'done'"
                       " AND updated < :before ORDER BY updated LIMIT :limit)"}},
    [OP_CRON_RAN] = {{"INSERT INTO cron VALUES (:name, :due_at) ON CONFLICT (name)"
                      " DO UPDATE SET due_at = excluded.due_at WHERE cron.due_at < excluded.due_at",
                      ONE, "that time was already taken"}},
    [OP_OPERATION_INSERT] = {{"INSERT INTO operation (id, kind, script, version, account,"
                              " reference, status, doc, created, updated) VALUES (:id,"
                              " :kind, :script, :version, :account, :reference, :status, :doc,"
                              " :now, :now)",
                              ONE, "operation"}},
    [OP_OPERATION_MOVE] = {{"UPDATE operation SET status = :to, doc = :doc,"
                            " generation = generation + 1, attempts = attempts + (:to = 'sending'),"
                            " updated = :now WHERE id = :id AND generation = :generation"
                            " AND status = :from",
                            ONE, "the operation has moved on"}},
    [OP_SCRIPT_TEXT] = {{"INSERT INTO script_text VALUES (:hash, :text, :now)"
                         " ON CONFLICT (hash) DO NOTHING"}},
    [OP_SCRIPT_VERSION] = {{"INSERT INTO script_version (path, version, state, parts, at)"
                            " VALUES (:path, :version, :state, :parts, :now) RETURNING id",
                            ROW, "script version"}},
    [OP_GRANT_SET] = {{"INSERT INTO grant_ VALUES (:provider, :kind, :value, :now)"
                       " ON CONFLICT (provider, kind, value) DO NOTHING"}},
    [OP_GRANT_DROP] = {{"DELETE FROM grant_ WHERE provider = :provider AND kind = :kind"
                        " AND value = :value"}},
};

static const struct op_step *step_of(enum store_op op, size_t i) {
    if (i == OP_STEPS_MAX) return NULL;
    const struct op_step *step =
        OPS_ENGINE[op][0].sql != NULL ? &OPS_ENGINE[op][i] : &OPS_CORE[op][i];
    return step->sql == NULL ? NULL : step;
}

struct prepared {
    sqlite3_stmt *stmt;
    unsigned char param[PARAMS_MAX]; /* field index of parameter i + 1 */
    int params;
};

/* Said around every commit, so they are prepared too: parsing them costs as much as a row. */
static const char *const WORDS[WORD_COUNT_] = {
    [WORD_BEGIN] = "BEGIN IMMEDIATE", [WORD_COMMIT] = "COMMIT",
    [WORD_SAVEPOINT] = "SAVEPOINT c", [WORD_ROLLBACK_TO] = "ROLLBACK TO c",
    [WORD_RELEASE] = "RELEASE c",     [WORD_ROLLBACK] = "ROLLBACK"};

/* Names of rows that are there and are never deleted (OPENED); an undone one is asked for again. */
enum { OPENED_MAX = 256, OPENED_NAME = 80 };

struct op_runner {
    sqlite3 *db;
    char opened[OPENED_MAX][OPENED_NAME];
    struct prepared at[OP_COUNT_][OP_STEPS_MAX];
    sqlite3_stmt *words[WORD_COUNT_];
};

static int word(struct op_runner *runner, enum op_word word) {
    if (runner->words[word] != NULL) return SQLITE_OK;
    return sqlite3_prepare_v3(runner->db, WORDS[word], -1, SQLITE_PREPARE_PERSISTENT,
                              &runner->words[word], NULL);
}

int op_runner_ready(struct op_runner *runner) {
    sqlite3_stmt **stmt = &runner->words[WORD_ROLLBACK];
    if (*stmt != NULL && !sqlite3_expired(*stmt)) return SQLITE_OK;
    sqlite3_finalize(*stmt);
    *stmt = NULL;
    return word(runner, WORD_ROLLBACK);
}

int op_runner_new(struct op_runner **out, sqlite3 *db) {
    *out = mem_zalloc(sizeof **out);
    if (*out == NULL) return E_NOMEM;
    (*out)->db = db;
    return 0;
}

void op_runner_delete(struct op_runner *runner) {
    if (runner == NULL) return;
    for (size_t op = 0; op < OP_COUNT_; op++)
        for (size_t i = 0; i < OP_STEPS_MAX; i++)
            sqlite3_finalize(runner->at[op][i].stmt);
    for (size_t i = 0; i < WORD_COUNT_; i++)
        sqlite3_finalize(runner->words[i]);
    mem_free(runner);
}

int op_say(struct op_runner *runner, enum op_word which) {
    int rc = word(runner, which);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(runner->words[which]);
    int end = sqlite3_reset(runner->words[which]);
    return rc == SQLITE_DONE ? SQLITE_OK : end != SQLITE_OK ? end : rc;
}

static int prepare(struct op_runner *runner, enum store_op op, size_t step) {
    struct prepared *p = &runner->at[op][step];
    int rc = sqlite3_prepare_v3(runner->db, step_of(op, step)->sql, -1, SQLITE_PREPARE_PERSISTENT,
                                &p->stmt, NULL);
    if (rc != SQLITE_OK) return rc;
    const struct op_def *def = op_def(op);
    p->params = sqlite3_bind_parameter_count(p->stmt);
    ENSURE(p->params <= PARAMS_MAX);
    for (int i = 0; i < p->params; i++) {
        struct str name = str_of(sqlite3_bind_parameter_name(p->stmt, i + 1) + 1);
        size_t field = 0;
        while (field < def->field_count && !str_eq(def->fields[field].name, name))
            field++;
        ENSURE(field < def->field_count);
        p->param[i] = (unsigned char)field;
    }
    return SQLITE_OK;
}

/* The value an operation returned so far; bytes of a text are kept here. */
struct returned {
    struct val value;
    char text[512];
};

static void keep(struct returned *r, sqlite3_stmt *stmt) {
    r->value = sqlite_column(stmt, 0);
    if (r->value.type == VAL_INT || r->value.type == VAL_NULL) return;
    if (r->value.s.n > sizeof r->text) r->value.s.n = sizeof r->text;
    memcpy(r->text, r->value.s.p, r->value.s.n);
    r->value.s.p = r->text;
}

static char *opened_at(struct op_runner *runner, struct str name) {
    return name.n == 0 || name.n >= OPENED_NAME ? NULL
                                                : runner->opened[str_hash(name) % OPENED_MAX];
}

static bool is_opened(struct op_runner *runner, struct str name) {
    const char *at = opened_at(runner, name);
    return at != NULL && str_eq(str_of(at), name);
}

static void note_opened(struct op_runner *runner, struct str name) {
    char *at = opened_at(runner, name);
    if (at == NULL) return;
    memcpy(at, name.p, name.n);
    at[name.n] = '\0';
}

void op_undone(struct op_runner *runner) {
    for (size_t i = 0; i < OPENED_MAX; i++)
        runner->opened[i][0] = '\0';
}

enum went { WENT_ON, WENT_ENOUGH, WENT_GUARD, WENT_WRONG };

static enum went run_step(struct op_runner *runner, const struct commit_step *step, size_t i,
                          struct returned *r, int *rc) {
    struct prepared *p = &runner->at[step->op][i];
    const struct op_step *how = step_of(step->op, i);
    *rc = p->stmt == NULL ? prepare(runner, step->op, i) : SQLITE_OK;
    for (int k = 0; k < p->params && *rc == SQLITE_OK; k++) {
        *rc = sqlite_bind(p->stmt, k + 1, &step->values[p->param[k]]);
    }
    if (*rc != SQLITE_OK) return WENT_WRONG;
    const struct str opens = how->expect == OPENED ? step->values[p->param[0]].s : STR("");
    if (is_opened(runner, opens)) return WENT_ON;
    *rc = sqlite3_step(p->stmt);
    bool row = *rc == SQLITE_ROW;
    if (row && (how->expect == ROW || how->expect == ENOUGH)) keep(r, p->stmt);
    if (row) *rc = sqlite3_step(p->stmt);
    int end = sqlite3_reset(p->stmt);
    if (*rc != SQLITE_DONE) {
        *rc = end != SQLITE_OK ? end : *rc;
        return WENT_WRONG;
    }
    *rc = SQLITE_OK;
    switch (how->expect) {
    case ANY: return WENT_ON;
    case ADDED: r->value = V_INT(sqlite3_last_insert_rowid(runner->db)); /* fall through */
    case ONE: return sqlite3_changes(runner->db) == 1 ? WENT_ON : WENT_GUARD;
    case ROW:
    case CHECK_: return row ? WENT_ON : WENT_GUARD;
    case ENOUGH: return row ? WENT_ENOUGH : WENT_ON;
    case DONE_: return sqlite3_changes(runner->db) == 1 ? WENT_ENOUGH : WENT_ON;
    case OPENED: note_opened(runner, opens); return WENT_ON;
    }
    return WENT_WRONG;
}

static int run_op(struct op_runner *runner, const struct commit_step *step, struct commit *commit,
                  int index, struct returned *r, int *rc) {
    char detail[DETAIL_MAX];
    for (size_t i = 0; step_of(step->op, i) != NULL; i++) {
        switch (run_step(runner, step, i, r, rc)) {
        case WENT_ON: break;
        case WENT_ENOUGH: return 0;
        case WENT_GUARD:
            snprintf(detail, sizeof detail, "%s: %s", op_def(step->op)->name,
                     step_of(step->op, i)->guard);
            return commit_failed(commit, E_GUARD, index, detail);
        case WENT_WRONG:
            snprintf(detail, sizeof detail, "%s: %s", op_def(step->op)->name,
                     sqlite3_errmsg(runner->db));
            return commit_failed(commit, sqlite_err(*rc), index, detail);
        }
    }
    if (step->op == OP_JOB_ENQUEUE) r->value = step->values[0]; /* the new one's own id */
    if (step->op == OP_OPERATION_MOVE) r->value = V_INT(step->values[1].i + 1); /* generation */
    return 0;
}

int op_run_all(struct op_runner *runner, struct commit *commit, struct buf *events, int *rc) {
    struct commit_cursor cursor = commit_walk(commit);
    struct commit_step step;
    struct rows_builder b = {0};
    int err = 0;
    rows_build_name(&b, "value");
    for (int i = 0; err == 0 && commit_next(&cursor, &step); i++) {
        struct returned r = {.value = V_NULL};
        err = run_op(runner, &step, commit, i, &r, rc);
        if (err != 0) break;
        rows_build_cell(&b, &r.value);
        if (step.op == OP_EVENT_APPEND) news_add(events, step.values[0].s, r.value.i);
        if (step.op == OP_PAYMENT_MOVE) /* it stands at the next generation now */
            news_add(events, step.values[0].s, step.values[1].i + 1);
    }
    struct rows *rows = NULL;
    int built = rows_build_done(&b, &rows);
    if (built == 0 && events->err != 0) built = events->err;
    if (err == 0 && built != 0) err = commit_failed(commit, built, -1, "out of memory");
    if (err != 0)
        rows_free(rows);
    else
        commit->values = rows;
    return err;
}
