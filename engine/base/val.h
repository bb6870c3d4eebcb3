/* struct val: one typed value on its way into or out of the store: what a column can hold. Text and
 * blobs are views; who builds a val keeps the bytes alive until the call that takes it returns. */
#ifndef LUWAK_BASE_VAL_H
#define LUWAK_BASE_VAL_H

#include "base/str.h"

enum val_type { VAL_NULL, VAL_INT, VAL_TEXT, VAL_BLOB };

struct val {
    enum val_type type;
    int64_t i;
    struct str s;
};

#define V_NULL    ((struct val){.type = VAL_NULL})
#define V_INT(n)  ((struct val){.type = VAL_INT, .i = (n)})
#define V_STR(v)  ((struct val){.type = VAL_TEXT, .s = (v)})
#define V_TEXT(z) ((struct val){.type = VAL_TEXT, .s = str_of(z)})
#define V_BLOB(v) ((struct val){.type = VAL_BLOB, .s = (v)})
/* (values, count) from a list: commit_add(c, OP_X, VALS(V_INT(1), V_TEXT("a"))) */
#define VALS(...)                      \
    (const struct val[]){__VA_ARGS__}, \
        sizeof((const struct val[]){__VA_ARGS__}) / sizeof(struct val)

#endif
