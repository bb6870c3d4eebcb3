/* What every store driver must pass. A fixture opens a migrated, empty store; the suite drives it
 * only through store.h. `pump` lets the fixture's loop run until `*flag` is set. */
#ifndef LUWAK_TESTS_STORE_CONFORMANCE_H
#define LUWAK_TESTS_STORE_CONFORMANCE_H

#include "store/store.h"
#include "unit.h"

struct store_fixture {
    struct store *store;
    struct loop *loop;
    struct clock *clock;
    void (*pump)(struct store_fixture *f, const bool *flag);
    bool listens; /* the driver tells news */
    void *data;
};

/* Each check in turn, on the same store: names are fresh per check. */
void store_conformance(struct store_fixture *f);

/* ---- helpers for suites of the store ---- */

struct answer {
    bool done;
    int err;
    int failed_op;
    char detail[256];
    struct val values[COMMIT_OPS_MAX]; /* ints, or texts in `texts` */
    char texts[COMMIT_OPS_MAX][64];
    int times; /* how often done was called */
};

struct commit *one_op(enum store_op op, const struct val *values, size_t count);
void submit(struct store_fixture *f, struct commit *c, enum lane lane, struct answer *a);
int run_commit(struct store_fixture *f, struct commit *c, struct answer *a); /* waits; a may be 0 */
int run_op(struct store_fixture *f, enum store_op op, const struct val *values, size_t count,
           struct answer *a);
int run_query(struct store_fixture *f, const char *name, const struct val *values, size_t count,
              struct rows **out);
int run_select(struct store_fixture *f, const char *sql, const struct val *values, size_t count,
               struct rows **out, struct why *why);
int64_t count_rows(struct store_fixture *f, const char *table);

/* Fixtures' loops: a real one on this thread, or a simulated one. */
void pump_uv(struct store_fixture *f, const bool *flag);
void pump_sim(struct store_fixture *f, const bool *flag);

#endif
