/* State tables: what may follow what, as data. One table per kind of thing, drawn in a comment
 * above it; one function moves a thing and asks states_may() first.
 *
 *     static const struct state STATES[] = {
 *         [PAY_PENDING] = {"pending", TO(PAY_PAID) | TO(PAY_FAILED)},
 *     }; */
#ifndef LUWAK_BASE_STATES_H
#define LUWAK_BASE_STATES_H

#include "base/str.h"

struct state {
    const char *name;
    uint32_t to; /* bits of the states that may follow */
};

#define TO(state) (1u << (state))

static inline bool states_may(const struct state *table, int from, int to) {
    return (table[from].to & TO(to)) != 0;
}
static inline bool states_final(const struct state *table, int at) {
    return table[at].to == 0;
}
/* The index of a name; -1: none has it. */
static inline int states_find(const struct state *table, size_t count, struct str name) {
    for (size_t i = 0; i < count; i++)
        if (str_eq(name, str_of(table[i].name))) return (int)i;
    return -1;
}

#endif
