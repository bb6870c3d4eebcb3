/* See claims.h. */
#include "script/claims.h"

#include <string.h>

static bool fits(size_t field, struct val value) {
    return op_field_wrong(&op_def(OP_SLOT_CLAIM)->fields[field], &value) == NULL;
}

static void copy(char *to, struct str from) {
    memcpy(to, from.p, from.n);
    to[from.n] = '\0';
}

bool claims_take(struct claims *claims, struct str pool, int64_t range, int64_t number,
                 struct str holder, int64_t until) {
    if (claims == NULL || claims->exact || claims->count == CLAIMS_MAX || range < CLAIM_RANGE_MIN)
        return false;
    if (pool.n >= CLAIM_POOL_SIZE || holder.n >= CLAIM_HOLDER_SIZE) return false;
    if (!fits(0, V_STR(pool)) || !fits(2, V_STR(holder)) || !fits(3, V_INT(until))) return false;
    for (size_t i = 0; i < claims->count; i++)
        if (claims->at[i].number == number && str_eq(str_of(claims->at[i].pool), pool))
            return false;
    struct claim *c = &claims->at[claims->count++];
    copy(c->pool, pool);
    copy(c->holder, holder);
    c->number = number;
    c->until = until;
    return true;
}

void claims_add(const struct claims *claims, struct commit *commit, int64_t now) {
    for (size_t i = 0; i < claims->count; i++) {
        const struct claim *c = &claims->at[i];
        commit_add(commit, OP_SLOT_CLAIM,
                   VALS(V_TEXT(c->pool), V_INT(c->number), V_TEXT(c->holder), V_INT(c->until),
                        V_INT(now)));
    }
}

bool claims_clash(const struct commit_result *result) {
    return result->err == E_GUARD && result->detail != NULL &&
           str_starts(str_of(result->detail), STR("slot_claim:"));
}
