/* Reads: how one is run on a connection, and the reader threads. A read is one statement, so it
 * sees one snapshot (which the point reads of a thread that rests share, conn_hold); it is reset
 * before its rows leave, since a statement left open would keep the WAL from ending. Each connection
 * keeps its prepared statements of the named queries. */
#include "base/ensure.h"
#include "base/mem.h"
#include "store/sqlite_private.h"

#include <ctype.h>

static int read_err(struct conn *conn, int rc, struct why *why) {
    int err = sqlite_err(rc);
    if (err == E_TIMEOUT) return why_set(why, err, "the query took too long");
    return why_set(why, err, "%s", sqlite3_errmsg(conn->db));
}

int conn_rows(struct conn *conn, sqlite3_stmt *stmt, const struct val *values, size_t count,
              struct rows **out, struct why *why) {
    struct rows_builder b = {0};
    int rc = SQLITE_OK, columns = sqlite3_column_count(stmt);
    if ((size_t)sqlite3_bind_parameter_count(stmt) != count)
        return why_set(why, E_INVAL, "the query takes %d values, not %zu",
                       sqlite3_bind_parameter_count(stmt), count);
    for (size_t i = 0; i < count && rc == SQLITE_OK; i++)
        rc = sqlite_bind(stmt, (int)i + 1, &values[i]);
    for (int i = 0; i < columns; i++)
        rows_build_name(&b, sqlite3_column_name(stmt, i));
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++) {
            struct val v = sqlite_column(stmt, i);
            rows_build_cell(&b, &v);
        }
        rc = b.cells.err == 0 && b.bytes.err == 0 ? SQLITE_OK : SQLITE_DONE;
    }
    int err = rc == SQLITE_DONE ? 0 : read_err(conn, rc, why);
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    struct rows *rows = NULL;
    int built = rows_build_done(&b, &rows);
    if (err == 0 && built != 0)
        err = why_set(why, built,
                      built == E_LIMIT ? "the answer is larger than 64 MB" : "out of memory");
    if (err != 0)
        rows_free(rows);
    else
        *out = rows;
    return err;
}

/* The statement of a named query on this connection. */
static int named(struct conn *conn, const struct query *query, sqlite3_stmt **out,
                 struct why *why) {
    sqlite3_stmt **stmt = &conn->prepared[query->index];
    if (*stmt == NULL) {
        if (conn->role != DB_READER) conn_restrict(conn, true);
        int rc =
            sqlite3_prepare_v3(conn->db, query->sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
        if (conn->role != DB_READER) conn_restrict(conn, false);
        if (rc != SQLITE_OK) return read_err(conn, rc, why);
    }
    *out = *stmt;
    return 0;
}

/* A stranger's SQL: one statement that only reads. */
static int foreign(struct conn *conn, const char *sql, sqlite3_stmt **out, struct why *why) {
    const char *rest = sql;
    *out = NULL;
    if (conn->role != DB_READER) conn_restrict(conn, true);
    int rc = sqlite3_prepare_v2(conn->db, sql, -1, out, &rest);
    if (conn->role != DB_READER) conn_restrict(conn, false);
    if (rc == SQLITE_AUTH) return why_set(why, E_DENIED, "only SELECT is allowed here");
    if (rc != SQLITE_OK) return read_err(conn, rc, why);
    while (isspace((unsigned char)*rest) || *rest == ';')
        rest++;
    if (*out != NULL && *rest == '\0' && sqlite3_stmt_readonly(*out) &&
        sqlite3_column_count(*out) > 0)
        return 0;
    sqlite3_finalize(*out);
    *out = NULL;
    return why_set(why, E_DENIED, "only one SELECT is allowed here");
}

void conn_read(struct conn *conn, struct read *read) {
    sqlite3_stmt *stmt = NULL;
    conn->deadline_ns = clock_mono_ns(conn->clock) + QUERY_TIME_MS * 1000000ull;
    if (read->query != NULL) {
        read->err = named(conn, read->query, &stmt, &read->why);
    } else {
        read->err = foreign(conn, read->sql, &stmt, &read->why);
    }
    if (read->err == 0)
        read->err = conn_rows(conn, stmt, read->values, read->count, &read->rows, &read->why);
    if (read->query == NULL) sqlite3_finalize(stmt);
    conn->deadline_ns = 0;
}

static bool word(struct conn *conn, sqlite3_stmt **stmt, const char *text) {
    if (*stmt != NULL) return true;
    conn->saying = true;
    int rc = sqlite3_prepare_v3(conn->db, text, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
    conn->saying = false;
    return rc == SQLITE_OK;
}

static bool say(struct conn *conn, sqlite3_stmt *stmt) {
    conn->saying = true;
    int rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    conn->saying = false;
    return rc == SQLITE_DONE;
}

void conn_let_go(struct conn *conn) {
    if (conn->held) say(conn, conn->end);
    conn->held = sqlite3_get_autocommit(conn->db) == 0;
}

/* COMMIT is ready before BEGIN is said, so it cannot want memory. A read that failed for want of it has
 * ended the transaction by itself. */
void conn_hold(struct conn *conn, uint64_t at) {
    if (conn->held && conn->held_at == at && sqlite3_get_autocommit(conn->db) == 0) return;
    conn_let_go(conn);
    if (!word(conn, &conn->end, "COMMIT") || !word(conn, &conn->begin, "BEGIN")) return;
    conn->held = say(conn, conn->begin);
    conn->held_at = at;
}

/* Bounded by CPU time, which other load does not change; in a simulation by steps, which are the
 * same on each run. */
int conn_point(struct conn *conn, bool by_steps, const struct query *query,
               const struct val *values, size_t count, struct rows **out) {
    sqlite3_stmt *stmt = NULL;
    int err = named(conn, query, &stmt, NULL);
    if (err != 0) return err;
    if (by_steps)
        conn->steps_left = POINT_STEPS;
    else
        conn->cpu_left_ns = POINT_CPU_NS;
    err = conn_rows(conn, stmt, values, count, out, NULL);
    conn->steps_left = -1;
    conn->cpu_left_ns = conn->deadline_cpu_ns = 0;
    return err;
}

/* ---- the threads ---- */

struct readers {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct read *first, **last;
    size_t waiting;
    bool stopping;
    int count;
    struct reader {
        struct readers *pool;
        struct conn conn;
        pthread_t thread;
    } at[READERS_MAX];
};

static void *reader_main(void *data) {
    struct reader *self = data;
    struct readers *pool = self->pool;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct read *r = pool->first;
        if (r == NULL && pool->stopping) break;
        if (r == NULL) {
            pthread_cond_wait(&pool->wake, &pool->lock);
            continue;
        }
        pool->first = r->next;
        if (pool->first == NULL) pool->last = &pool->first;
        pool->waiting--;
        pthread_mutex_unlock(&pool->lock);
        conn_read(&self->conn, r);
        read_answer(r);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

int readers_start(struct readers **out, int threads, const char *file, const char *vfs,
                  const struct clock *clock, struct why *why) {
    struct readers *pool = mem_zalloc(sizeof *pool);
    if (pool == NULL) return why_set(why, E_NOMEM, "store: out of memory");
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->last = &pool->first;
    if (threads <= 0) threads = READERS_DEFAULT;
    if (threads > READERS_MAX) threads = READERS_MAX;
    int err = 0;
    while (pool->count < threads) {
        struct reader *r = &pool->at[pool->count];
        r->pool = pool;
        err = db_conn_open(&r->conn, file, vfs, DB_READER, clock, why);
        if (err != 0) break;
        if (pthread_create(&r->thread, NULL, reader_main, r) != 0) {
            db_conn_close(&r->conn);
            err = why_set(why, E_LIMIT, "store: no thread for a reader");
            break;
        }
        pool->count++;
    }
    if (err != 0)
        readers_stop(pool, false);
    else
        *out = pool;
    return err;
}

void readers_stop(struct readers *pool, bool answer) {
    if (pool == NULL) return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    for (struct read *r = answer ? NULL : pool->first, *next; r != NULL; r = next) {
        next = r->next;
        pool->first = next;
        read_delete(r);
    }
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->count; i++) {
        pthread_join(pool->at[i].thread, NULL);
        db_conn_close(&pool->at[i].conn);
    }
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->wake);
    mem_free(pool);
}

void readers_put(struct readers *pool, struct read *read) {
    pthread_mutex_lock(&pool->lock);
    bool room = pool->waiting < READ_QUEUE_MAX && !pool->stopping;
    if (room) {
        read->next = NULL;
        *pool->last = read;
        pool->last = &read->next;
        pool->waiting++;
        pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    if (room) return;
    read_failed(read, E_BUSY, "too many reads wait");
    read_answer(read);
}
