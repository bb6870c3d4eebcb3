/* "Did you mean": the known word nearest to a mistyped one. */
#ifndef LUWAK_BASE_NEAREST_H
#define LUWAK_BASE_NEAREST_H

#include "base/str.h"

/* Edits (insert, delete, replace, swap of neighbours) from a to b; words over 64 bytes: 65. */
unsigned edit_distance(struct str a, struct str b);

/* Offers words one by one and keeps the best; `best` stays NULL when none is near enough (a third
 * of the word's length, at least 1 and at most 4 edits). The first of equals wins. */
struct nearest {
    struct str word;
    const char *best;
    unsigned distance;
};
void nearest_offer(struct nearest *n, const char *candidate);

#endif
