/* What store.h hides: the driver interface, commits and reads on their way, rows being built. Still
 * no word of any database. */
#ifndef LUWAK_STORE_PRIVATE_H
#define LUWAK_STORE_PRIVATE_H

#include "base/buf.h"
#include "store/queries.h"
#include "store/store.h"
#include "store/wire.h"

#include <pthread.h>

#define DETAIL_MAX 200

/* A commit being built, then waiting, then answered: one allocation for its whole way, so that
 * submitting cannot fail. */
struct commit {
    struct buf bytes; /* u8 version, u16 count, then per operation u8 op, u8 values, values */
    unsigned count;
    int err; /* the first that sticks */
    int failed_op;
    char detail[DETAIL_MAX];
    /* from store_submit on */
    struct task task;
    struct commit *next;
    enum lane lane;
    bool impatient;
    struct loop *loop;
    commit_done_cb done;
    void *data;
    struct store *store;
    struct rows *values;
    int tries;     /* how often a full disk sent it back */
    uint32_t wire; /* remote: the frame that answers it */
};

struct commit_cursor {
    struct wire_in in;
    unsigned left;
};
struct commit_step {
    enum store_op op;
    struct val values[OP_FIELDS_MAX];
    size_t count;
};
struct commit_cursor commit_walk(const struct commit *commit);
bool commit_next(struct commit_cursor *cursor, struct commit_step *step); /* false: at the end */

int commit_failed(struct commit *commit, int err, int op, const char *detail);
void commit_answer(struct commit *commit); /* posts `done`; the commit is gone after it */

/* ---- rows ---- */

#define ROWS_BYTES_MAX (64u * 1024 * 1024)

struct rows_builder {
    struct buf names; /* NUL-ended, one after the other */
    struct buf cells; /* struct cell each */
    struct buf bytes;
    size_t columns;
    size_t count; /* cells */
};
void rows_build_name(struct rows_builder *b, const char *name);
void rows_build_cell(struct rows_builder *b, const struct val *value);
int rows_build_done(struct rows_builder *b, struct rows **out); /* frees the builder either way */
void rows_encode(const struct rows *rows, struct buf *out);
int rows_decode(struct wire_in *in, struct rows **out);

/* ---- reads ---- */

struct read {
    struct task task;
    struct read *next;
    const struct query *query; /* NULL: `sql` */
    char *sql;
    struct val *values; /* copied, in one block with their bytes */
    size_t count;
    struct loop *loop;
    rows_done_cb done;
    void *data;
    int err;
    struct why why;
    struct rows *rows;
    uint32_t wire;
    struct store *store;
    bool spare; /* belongs to the store, not to the heap */
};
void read_answer(struct read *read); /* posts `done`; the read is gone after it */
int read_failed(struct read *read, int err, const char *text);
void read_delete(struct read *read);

/* ---- the driver ---- */

struct store_driver {
    void (*close)(struct store *store);
    void (*crash)(struct store *store);
    void (*submit)(struct store *store, struct commit *commit);
    void (*read)(struct store *store, struct read *read);
    int (*get)(struct store *store, const struct query *query, const struct val *values,
               size_t count, struct rows **out);
    void (*rest)(struct store *store, bool promise); /* may be NULL */
    int (*add_query)(struct store *store, const char *name, const char *sql, struct why *why);
    int (*migrate)(struct store *store, const char *folder, struct why *why);
    int (*backup)(struct store *store, int fd, struct why *why); /* fills an empty file */
    int (*verify)(struct store *store, const struct store_report *report);
    void (*listening)(struct store *store); /* the first listener came; may be NULL */
    bool names_elsewhere; /* a query that we do not know may be known where the data is */
};

#define SPARE_READS 64

struct store {
    const struct store_driver *driver;
    const struct clock *clock;
    struct query_list queries;
    _Atomic bool care_ended;
    pthread_mutex_t listen_lock;
    struct store_listener *listeners;
    uint64_t listen_serial;
    struct read spares[SPARE_READS]; /* to say "out of memory" with when there is none */
    uint64_t spares_used;
    pthread_mutex_t spare_lock;
    _Atomic size_t under_way; /* asked, and the answer not yet posted */
};

int store_init(struct store *store, const struct store_driver *driver, const struct clock *clock);
void store_free(struct store *store); /* what store_init made */

/* What a group of commits appended, told to all listeners after COMMIT. Made before it, so that
 * telling cannot fail. */
struct news;
int news_new(struct store *store, const struct buf *events, struct news **out);
void news_tell(struct news *news);
void news_drop(struct news *news);
/* `events` holds, per event: str topic, i64 sequence (wire). */
void news_add(struct buf *events, struct str topic, int64_t sequence);

void store_report_line(const struct store_report *report, bool good, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
