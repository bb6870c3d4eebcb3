/* "did you mean ...?": the known name that is the fewest edits away from a mistyped one. */
#ifndef LUWAK_BASE_NEAREST_H
#define LUWAK_BASE_NEAREST_H

#include "base/str.h"

struct nearest {
    struct str word; /* what was typed */
    struct str best; /* empty: nothing is near */
    size_t distance;
};

void nearest_init(struct nearest *n, struct str word);
void nearest_try(struct nearest *n, struct str name);

/* Edits (insert, delete, replace, swap of neighbours) from a to b; both at most 64 bytes. */
size_t edit_distance(struct str a, struct str b);

#endif
