/* Every operation a commit can hold: one list. The encoder, the guard of decoded bytes, the SQL
 * that runs it, the trusted scripts' `store.commit` and the reference come from it (ops.c holds the
 * table).
 *
 * X(NAME, "name", "fields", "doc"): fields are `name:type`, type one of int text blob, `?` = may be
 * null. */
#ifndef LUWAK_STORE_OPS_H
#define LUWAK_STORE_OPS_H

#include "store/ops_list.h"

enum store_op {
#define X(NAME, name, fields, doc) OP_##NAME,
    STORE_OPS(X)
#undef X
        OP_COUNT_
};

#endif
