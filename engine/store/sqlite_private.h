/* The SQLite driver's parts, for each other. Only files named sqlite_* and vfs_* include it. */
#ifndef LUWAK_STORE_SQLITE_PRIVATE_H
#define LUWAK_STORE_SQLITE_PRIVATE_H

#include "store/store_private.h"

#include <sqlite3.h>
#include <sys/stat.h>

/* ---- one connection (sqlite_db.c) ---- */

#define BUSY_MS 5000

enum db_role {
    DB_WRITER, /* writes and checkpoints; one per process */
    DB_READER, /* reads only, may neither write nor checkpoint */
    DB_SOLE,   /* the only connection there is: inline, or in memory */
    DB_BACKUP, /* reads; may write another file (VACUUM INTO) */
    DB_COPY,   /* a finished copy, not in use by anyone: checks */
};

struct conn {
    sqlite3 *db;
    enum db_role role;
    const struct clock *clock;
    sqlite3_stmt **prepared; /* by query index, made when first used; QUERIES_MAX of them */
    uint64_t deadline_ns;    /* 0: none */
    /* CPU time a read may take; 0: any. It counts from the first progress call: reading the clock is a
     * system call, and most reads end before one. */
    uint64_t cpu_left_ns, deadline_cpu_ns;
    int64_t steps_left; /* progress calls; -1: unbounded */
    /* a reader's snapshot over several reads; see conn_hold() */
    sqlite3_stmt *begin, *end;
    bool held, saying;
    uint64_t held_at;
};

int db_conn_open(struct conn *conn, const char *file, const char *vfs, enum db_role role,
                 const struct clock *clock, struct why *why);
void db_conn_close(struct conn *conn);
void conn_restrict(struct conn *conn, bool on); /* prepares reads only */

int sqlite_exec(sqlite3 *db, const char *sql); /* SQLite's code */
int sqlite_int(sqlite3 *db, const char *sql, int64_t *out);
int sqlite_err(int rc);       /* SQLite's code -> ours */
bool sqlite_is_fatal(int rc); /* the writer must end on it */
int sqlite_bind(sqlite3_stmt *stmt, int at, const struct val *value);
struct val sqlite_column(sqlite3_stmt *stmt, int column);

void sqlite_pcache_set(void); /* sqlite_pcache.c; before SQLite is first used */
/* What this thread runs from here on gets no page, and so ends, once the flag is true; NULL: it goes
 * on as ever. An integrity check of one large table heeds nothing else. */
void sqlite_end_on(const _Atomic bool *flag);

/* ---- reads (sqlite_reader.c) ---- */

#define POINT_CPU_NS    5000000u
#define POINT_STEPS     200 /* x 1000 virtual machine steps */
#define QUERY_TIME_MS   30000
#define READ_QUEUE_MAX  10000
#define READERS_DEFAULT 2
#define READERS_MAX     16

int conn_rows(struct conn *conn, sqlite3_stmt *stmt, const struct val *values, size_t count,
              struct rows **out, struct why *why);
void conn_read(struct conn *conn, struct read *read); /* fills err, why, rows */
/* The reads from here to conn_let_go() see one snapshot, taken now unless the one that is held is of
 * `at`: beginning one takes locks and forgets the pages that were read. It keeps the WAL from starting
 * over, so it is let go of as soon as there is nothing to do. */
void conn_hold(struct conn *conn, uint64_t at);
void conn_let_go(struct conn *conn);
int conn_point(struct conn *conn, bool by_steps, const struct query *query,
               const struct val *values, size_t count, struct rows **out);

struct readers;
int readers_start(struct readers **out, int threads, const char *file, const char *vfs,
                  const struct clock *clock, struct why *why);
void readers_stop(struct readers *readers, bool answer); /* answer: what waits gets its rows */
void readers_put(struct readers *readers, struct read *read);

/* ---- operations (sqlite_ops.c) ---- */

#define OP_STEPS_MAX 5

enum op_expect {
    ANY,    /* whatever it changes */
    ONE,    /* exactly one row changed, else the guard fails */
    ADDED,  /* likewise, and the rowid it got is the operation's value */
    ROW,    /* a row comes back, else the guard fails; it is the operation's value */
    CHECK_, /* likewise, but it is no value */
    ENOUGH, /* if a row comes back it is the value and the operation is done */
    DONE_,  /* if one row changed the operation is done */
    OPENED, /* the row of that name, the one parameter, is there for good: once is enough */
};
struct op_step {
    const char *sql;
    enum op_expect expect;
    const char *guard; /* what to say when it fails */
};
typedef struct op_step op_steps[OP_STEPS_MAX];
/* How each operation is run: the engine's own (sqlite_ops.c), the core's (sqlite_ops_core.c); an
 * operation is in one of the two. */
extern const op_steps OPS_CORE[OP_COUNT_];

struct op_runner; /* the prepared statements of all operations on one connection */
int op_runner_new(struct op_runner **out, sqlite3 *db);
void op_runner_delete(struct op_runner *runner);
/* Before BEGIN: ROLLBACK may have to be said because there is no memory, so it is prepared by then. */
int op_runner_ready(struct op_runner *runner); /* SQLite's code */
/* Runs all operations of a commit. Returns 0 or our code; *rc is SQLite's where it spoke. Appends
 * to `events` what was appended (news_add). */
int op_run_all(struct op_runner *runner, struct commit *commit, struct buf *events, int *rc);
enum op_word {
    WORD_BEGIN,
    WORD_COMMIT,
    WORD_SAVEPOINT,
    WORD_ROLLBACK_TO,
    WORD_RELEASE,
    WORD_ROLLBACK,
    WORD_COUNT_
};
int op_say(struct op_runner *runner, enum op_word word); /* SQLite's code */
void op_undone(struct op_runner *runner); /* what was written since the last COMMIT is gone */

/* ---- the writer (sqlite_writer.c) ---- */

#define WRITER_QUEUE_MAX 10000
#define GROUP_MAX        1000
#define CHECKPOINT_PAGES 2000  /* 8 MB of WAL; twice that costs 2 % less, but all wait longer */
#define WAL_PAGES_MAX    64000 /* 256 MB: readers are asked to make room */
#define FULL_RETRY_MS    250
#define RESERVE_DEFAULT  (8u * 1024 * 1024)

struct sqlite_store;
struct writer {
    struct sqlite_store *store;
    struct conn conn;
    struct op_runner *runner;
    pthread_mutex_t db_lock; /* held while the connection is in use */
    pthread_mutex_t lock;    /* all below */
    pthread_cond_t wake;
    struct commit *first[2], **last[2]; /* by lane, oldest first */
    size_t waiting[2];
    size_t queue_max;
    struct read *reads, **reads_last; /* only where the connection is the sole one */
    size_t reads_waiting;
    _Atomic uint64_t committed; /* groups; raised before their commits are answered */
    bool stopping;              /* runs what waits, then ends */
    bool crashed;               /* ends at once */
    bool broken;                /* fatal was told and returned (tests): refuse all */
    bool full;
    bool held; /* results wait for space */
    uint64_t full_next_ns;
    uint64_t checkpoint_next_ns; /* when one found no room */
    _Atomic int wal_pages;       /* in the WAL file; written under db_lock, by a migration too */
    _Atomic int wal_home;        /* how many of them are in the database by now */
    int64_t reserve;             /* bytes; 0: no reserve */
    char *reserve_path;
    const char *reserve_vfs; /* it lies on the VFS's disk, too; NULL: a plain file */
    const char *file;        /* must stay what the connection has open; NULL: not looked at */
    dev_t file_dev;
    ino_t file_ino;
    char *wal; /* likewise: it must be there after a COMMIT */
    int checkpoint_pages;
    struct store_stats stats;
    pthread_t thread;
    bool has_thread;
    /* inline */
    struct loop *loop;
    struct task turn;
    bool turn_posted;
    struct timer retry;
};

int writer_start(struct writer *w, struct why *why); /* conn is open */
void writer_stop(struct writer *w, bool crash);
void writer_submit(struct writer *w, struct commit *commit);
void writer_read(struct writer *w, struct read *read); /* sole connection only */

int reserve_make(struct writer *w); /* 0: it is there; E_FULL */
void reserve_use(struct writer *w);

/* ---- the store (sqlite.c) ---- */

#define POINT_CONNS_MAX 128

struct sqlite_store {
    struct store base;
    struct writer writer;
    struct readers *readers; /* NULL: reads go to the writer's connection */
    char *dir;               /* NULL: in memory */
    char *file;
    char *vfs;
    int lock_fd;
    bool sole;
    pthread_mutex_t point_lock;
    struct point_conn {
        pthread_t thread;
        struct conn conn;
    } * points[POINT_CONNS_MAX];
    size_t point_count;
};

static inline struct sqlite_store *sqlite_of(struct store *store) {
    return (struct sqlite_store *)store;
}

/* ---- schema, migrations, care ---- */

extern const char *const SCHEMA_STEPS[]; /* step i brings user_version from i to i + 1 */
extern const int SCHEMA_STEP_COUNT;
extern const char SCHEMA_CORE[];         /* step 2 (sqlite_schema_core.c) */
#define SCHEMA_APPLICATION_ID 0x4c77616b /* "Lwak" */

int sqlite_migrate(struct store *store, const char *folder, struct why *why);
int sqlite_backup(struct store *store, int fd, struct why *why);
int sqlite_verify(struct store *store, const struct store_report *report);
int sqlite_check(sqlite3 *db, const struct store_report *report); /* all checks on a connection */
int dir_sync(const char *path); /* fsync of the directory that holds path */
/* How often SQLite got no memory in this thread. An integrity check reports a page that it had no
 * memory for as damaged, in various words: what it finds counts when this did not change. */
unsigned sqlite_memory_refused(void);

#endif
