#ifndef LUWAK_NAMED_QUERIES_H
#define LUWAK_NAMED_QUERIES_H

#include "store/store.h"

/* Adds every ROOT/scripts/queries/NAME.sql; the first that is no good is the error. */
int named_queries_load(struct store *store, const char *root, struct why *why);

#endif
