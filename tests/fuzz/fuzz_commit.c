/* Any bytes as a commit, and as rows: refused, or of the one form they can have. */
#include "base/ensure.h"
#include "store/store_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str bytes = {(const char *)data, size};
    struct commit *c;
    struct why why = {0};
    int err = commit_decode(&c, bytes, &why);
    ENSURE((err == 0) == (why.code == 0));
    if (err == 0) {
        struct commit *again;
        struct commit_cursor at = commit_walk(c);
        struct commit_step step;
        int made = commit_new(&again);
        ENSURE(made == 0);
        while (commit_next(&at, &step)) {
            int added = commit_add(again, step.op, step.values, step.count);
            ENSURE(added >= 0);
        }
        ENSURE(str_eq(commit_bytes(again), bytes));
        commit_free(again);
        commit_free(c);
    }
    struct wire_in in = wire_in(bytes);
    struct rows *rows;
    if (rows_decode(&in, &rows) == 0) {
        struct buf out = {0};
        rows_encode(rows, &out);
        ENSURE(out.err != 0 || out.len <= size);
        buf_free(&out);
        rows_free(rows);
    }
    return 0;
}
