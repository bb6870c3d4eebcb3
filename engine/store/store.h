/* The store, as everything above sees it: commits in, rows out. No type or word of any database.
 *
 * A commit is a list of at most 200 typed operations (ops.h lists them: name, fields, what it
 * expects), encoded as bytes from the moment it is built, so that it goes unchanged to the writer
 * thread or through the control socket. Each operation may carry a guard: what must be true for it.
 * All operations of a commit happen or none does. `done` runs on the loop that asked, after the
 * disk has it: success is never reported earlier.
 *
 * Drivers (a struct of functions, store_private.h): sqlite (the file, or memory for tests), remote
 * (a running server's store through its control socket). tests/unit/store_conformance.c is what
 * each must pass.
 *
 * Reads are named queries. On a loop only point reads by index (store_get, under a time limit);
 * everything else goes to reader threads, each read on one snapshot. */
#ifndef LUWAK_STORE_STORE_H
#define LUWAK_STORE_STORE_H

#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/val.h"
#include "loop/loop.h"
#include "store/ops.h"

#define COMMIT_OPS_MAX   200
#define COMMIT_BYTES_MAX (1280 * 1024) /* a body of 1 MB as it came, and what it does */

struct store;
struct commit;
struct rows;

struct store_options {
    const char *path;          /* the data directory; NULL: in memory */
    const char *vfs;           /* name of a registered SQLite VFS, NULL: the default one */
    const struct clock *clock; /* for leases and time limits */
    struct loop *inline_on;    /* simulation: no threads; commits run as tasks of this loop */
    int readers;               /* reader threads; ignored inline */
    size_t queue_max;          /* waiting new commits before E_BUSY; 0: default */
    size_t reserve;            /* bytes kept back for results on a full disk; 0: default */
    int checkpoint_pages;      /* of WAL after which it is brought home; 0: default */
    bool unchecked;            /* opens even a damaged file: for `luwak verify` */
};

/* Points SQLite at base/mem.h. Before anything else uses SQLite; store_open calls it too. */
void store_setup(void);

int store_open(struct store **out, const struct store_options *options, struct why *why);
int store_connect(struct store **out, const char *control_socket, struct loop *loop,
                  struct why *why);    /* remote driver */
void store_close(struct store *store); /* waits for what was taken; leaves nothing half */
void store_crash(struct store *store); /* simulation: drops all memory, no flush, no goodbye */

/* ---- commits ---- */

int commit_new(struct commit **out);
void commit_free(struct commit *commit); /* only before it was submitted */

/* Adds one operation; values must fit the fields of `op`. The first error sticks and is what
 * store_submit reports, so a builder needs no check per line. Returns the operation's index. */
int commit_add(struct commit *commit, enum store_op op, const struct val *values, size_t count);

/* A result that somebody waits for who comes again when he is told no: where it would have to wait for
 * space (E_FULL), it is refused like new work. */
void commit_impatient(struct commit *commit);

int commit_error(const struct commit *commit); /* what sticks; 0: none */
size_t commit_count(const struct commit *commit);

/* The bytes, for the socket; decoding checks everything: count, sizes, types, ranges. */
struct str commit_bytes(const struct commit *commit);
int commit_decode(struct commit **out, struct str bytes, struct why *why);

enum lane {
    LANE_RESULT, /* results of calls already made, callbacks: always has room */
    LANE_NEW,    /* new work: E_BUSY when too much waits */
};

struct commit_result {
    int err;       /* 0; E_GUARD; E_EXISTS (unique); E_FULL, E_BUSY (503, nothing happened); ... */
    int failed_op; /* index of the operation that failed, or -1 */
    const char *detail; /* for logs: which guard or constraint */
    const struct rows
        *values; /* row i: what operation i returned; empty row where it returns nothing */
};
typedef void (*commit_done_cb)(const struct commit_result *result, void *data);

/* Takes the commit over. `done` is called exactly once, on `loop`, never from inside this call. */
void store_submit(struct store *store, struct commit *commit, enum lane lane, struct loop *loop,
                  commit_done_cb done, void *data);

/* ---- reads ---- */

struct rows; /* immutable; columns by position or name */
size_t rows_count(const struct rows *rows);
size_t rows_columns(const struct rows *rows);
const char *rows_name(const struct rows *rows, size_t column);
struct val rows_at(const struct rows *rows, size_t row, size_t column);
int64_t rows_int(const struct rows *rows, size_t row, size_t column);     /* 0 for NULL */
struct str rows_text(const struct rows *rows, size_t row, size_t column); /* empty for NULL */
bool rows_null(const struct rows *rows, size_t row, size_t column);
void rows_free(struct rows *rows);
struct rows *rows_keep(const struct rows *rows); /* one more owner; each frees it */

typedef void (*rows_done_cb)(int err, const struct why *why, struct rows *rows, void *data);

/* A named query (queries.h, or scripts/queries/NAME.sql once store_add_query() knows it). `done`
 * owns the rows. */
void store_query(struct store *store, const char *name, const struct val *values, size_t count,
                 struct loop *loop, rows_done_cb done, void *data);

/* Raw read-only SQL, for trusted one-off scripts. Refused unless it is one SELECT. */
void store_select(struct store *store, const char *sql, const struct val *values, size_t count,
                  struct loop *loop, rows_done_cb done, void *data);

/* A point read on the calling loop, at most 5 ms; E_TIMEOUT says the query is no point read. */
/* Said once by a thread that will call store_rest() whenever it has done what there was: its point
 * reads may then share a snapshot until somebody commits. */
void store_will_rest(struct store *store);
void store_rest(struct store *store);
int store_get(struct store *store, const char *name, const struct val *values, size_t count,
              struct rows **out);

int store_add_query(struct store *store, const char *name, const char *sql, struct why *why);

/* So many reads had no memory, and nobody has heard of it yet, that another one is refused: there is
 * room for only so many such answers. For whoever may ask any number in one turn; from any thread. */
bool store_short(struct store *store);

/* How many commits and queries are asked and their answers not posted yet; from any thread. */
size_t store_under_way(struct store *store);

/* ---- what happened ---- */

/* After a commit, every subscriber hears (topic, sequence) of each event it appended, and (payment
 * id, generation) of each payment it moved, on its loop. */
struct store_listener {
    struct store_listener *next;
    uint64_t serial; /* the store's */
    struct loop *loop;
    void (*heard)(struct store_listener *self, struct str topic, int64_t sequence);
};
void store_listen(struct store *store, struct store_listener *listener);
void store_unlisten(struct store *store, struct store_listener *listener);

/* ---- care ---- */

struct store_stats {
    uint64_t commits;     /* that ended well */
    uint64_t groups;      /* transactions they took */
    uint64_t failed;      /* guards, constraints, no room */
    uint64_t refused;     /* E_BUSY */
    uint64_t reruns;      /* groups that were lost and run again one by one */
    uint64_t checkpoints; /* */
    bool full;            /* the disk is full: new work is refused, results still go in */
    size_t waiting;
    size_t cache_bytes; /* the writer's pages in memory: fills up to its bound, 32 MB, and stays */
};
void store_stats(struct store *store, struct store_stats *out); /* zero for a remote store */

/* The store cannot go on (I/O error, damage found while writing): what was acknowledged is safe,
 * what follows would not be. NULL: log and end the process. A test may put its own here. */
extern void (*store_fatal)(const char *what, const char *detail);

/* A Lua migration, run inside the step's transaction. Set by the script layer. */
struct store_migration;
typedef int (*store_migration_run)(void *data, const char *path, struct str text,
                                   struct store_migration *db, struct why *why);
void store_migration_hook(store_migration_run run, void *data);
int store_migration_exec(struct store_migration *db, const char *sql, struct why *why);
int store_migration_select(struct store_migration *db, const char *sql, const struct val *values,
                           size_t count, struct rows **out, struct why *why);

struct store_report {
    void (*line)(void *data, bool good, const char *text); /* one check's finding */
    void *data;
};
int store_migrate(struct store *store, const char *folder,
                  struct why *why); /* own steps, then folder */
int store_backup(struct store *store, const char *to,
                 struct why *why); /* online, checked, atomic */
/* The copy alone, into an open and empty file of whoever asked: neither checked nor synced. */
int store_backup_into(struct store *store, int fd, struct why *why);
/* From any thread: a backup or a check under way ends soon, with E_CLOSED; later ones do at once. */
void store_end_care(struct store *store);
int store_verify(struct store *store,
                 const struct store_report *report); /* E_CORRUPT: found some */

#endif
