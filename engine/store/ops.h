/* Every operation a commit can hold: one list. The encoder, the guard of decoded bytes, the SQL
 * that runs it, the trusted scripts' `store.commit` and the reference come from it.
 *
 * X(NAME, "name", "fields", "doc"): fields are `name:type`, type one of
 *   int   any int64            bool  0 or 1
 *   time  ms UTC, 0 to year 9999
 *   text  UTF-8 without NUL    blob  any bytes
 * and `?` behind it = may be null. op_def() gives the parsed form; how an operation is run is the
 * driver's matter (sqlite_ops.c). */
#ifndef LUWAK_STORE_OPS_H
#define LUWAK_STORE_OPS_H

#include "base/val.h"
#include "store/ops_list.h"

enum store_op {
#define X(NAME, name, fields, doc) OP_##NAME,
    STORE_OPS(X)
#undef X
        OP_COUNT_
};

#define OP_FIELDS_MAX 28

struct op_field {
    struct str name;
    enum val_type type; /* VAL_INT, VAL_TEXT or VAL_BLOB */
    bool nullable;
    int64_t least, most; /* of an int */
};

struct op_def {
    const char *name;
    const char *doc;
    struct op_field fields[OP_FIELDS_MAX];
    size_t field_count;
};

const struct op_def *op_def(enum store_op op);    /* never NULL for op < OP_COUNT_ */
bool op_find(struct str name, enum store_op *op); /* "event_append" -> OP_EVENT_APPEND */

/* NULL when the value fits the field, else what is wrong with it. */
const char *op_field_wrong(const struct op_field *field, const struct val *value);

#endif
