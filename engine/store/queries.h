/* Named queries: what the engine itself reads, and what scripts/queries/NAME.sql adds. Parameters
 * are ?1, ?2 ... by position; the SQL keeps to the subset that PostgreSQL reads too.
 *
 * A query never changes or moves once it is in the list: a name that is added again gets a new
 * entry, and reads under way finish on the old one. */
#ifndef LUWAK_STORE_QUERIES_H
#define LUWAK_STORE_QUERIES_H

#include "base/err.h"
#include "base/str.h"

#include <pthread.h>

#define QUERIES_MAX    1024 /* entries, old ones counted */
#define QUERIES_HASHES 256

struct query {
    const char *name;
    const char *sql;
    unsigned index;      /* of its prepared statement in each connection */
    bool owned;          /* name and sql are on the heap */
    struct query *below; /* older ones of the same hash */
};

struct query_list {
    pthread_mutex_t lock;
    struct query *at[QUERIES_MAX];
    unsigned count;
    struct query *by_hash[QUERIES_HASHES]; /* the newest first */
};

int queries_init(struct query_list *list);
void queries_free(struct query_list *list);
int queries_add(struct query_list *list, const char *name, const char *sql, struct why *why);
const struct query *queries_find(struct query_list *list, const char *name); /* NULL: unknown */

#endif
