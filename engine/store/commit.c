/* A commit as bytes: built by commit_add, or taken from a stranger by commit_decode. Both end in
 * the same form, checked by the same guard (step_wrong), so who runs a commit need not look again.
 *
 *     u8 version (1) | u16 count | count x ( u8 op | u8 values | values as in wire.h )
 *
 * Owner: whoever holds it until store_submit; the store from then on. */
#include "base/ensure.h"
#include "base/mem.h"
#include "store/store_private.h"

#include <stdio.h>

#define COMMIT_VERSION 1
#define COMMIT_HEAD    3

int commit_new(struct commit **out) {
    struct commit *c = mem_zalloc(sizeof *c);
    if (c == NULL) return E_NOMEM;
    c->bytes.max = COMMIT_BYTES_MAX;
    c->failed_op = -1;
    wire_put_u8(&c->bytes, COMMIT_VERSION);
    wire_put_u16(&c->bytes, 0);
    if (c->bytes.err != 0) {
        commit_free(c);
        return E_NOMEM;
    }
    *out = c;
    return 0;
}

void commit_free(struct commit *commit) {
    if (commit == NULL) return;
    rows_free(commit->values);
    buf_free(&commit->bytes);
    mem_free(commit);
}

void commit_impatient(struct commit *commit) {
    commit->impatient = true;
}

int commit_error(const struct commit *commit) {
    return commit->err != 0 ? commit->err : commit->bytes.err;
}

size_t commit_count(const struct commit *commit) {
    return commit->count;
}

int commit_failed(struct commit *commit, int err, int op, const char *detail) {
    commit->err = err;
    commit->failed_op = op;
    snprintf(commit->detail, sizeof commit->detail, "%s", detail);
    return err;
}

/* The guard of one operation. False and a text in `detail` when something does not fit. */
static bool step_good(const struct commit_step *step, char *detail, size_t size) {
    const struct op_def *def = op_def(step->op);
    if (step->count != def->field_count) {
        snprintf(detail, size, "%s takes %zu values, not %zu", def->name, def->field_count,
                 step->count);
        return false;
    }
    for (size_t i = 0; i < step->count; i++) {
        const struct op_field *field = &def->fields[i];
        const char *wrong = op_field_wrong(field, &step->values[i]);
        if (wrong == NULL) continue;
        snprintf(detail, size, "%s: %.*s %s", def->name, STR_FMT(field->name), wrong);
        return false;
    }
    return true;
}

int commit_add(struct commit *commit, enum store_op op, const struct val *values, size_t count) {
    if (commit->err != 0) return commit->err;
    int index = (int)commit->count;
    if (index == COMMIT_OPS_MAX)
        return commit_failed(commit, E_LIMIT, index, "more than 200 operations");
    if (op >= OP_COUNT_ || count > OP_FIELDS_MAX)
        return commit_failed(commit, E_INVAL, index, "no such operation");
    struct commit_step step = {.op = op, .count = count};
    if (count != 0) memcpy(step.values, values, count * sizeof *values);
    char detail[DETAIL_MAX];
    if (!step_good(&step, detail, sizeof detail))
        return commit_failed(commit, E_INVAL, index, detail);
    wire_put_u8(&commit->bytes, op);
    wire_put_u8(&commit->bytes, (unsigned)count);
    for (size_t i = 0; i < count; i++)
        wire_put_val(&commit->bytes, &values[i]);
    if (commit->bytes.err != 0)
        return commit_failed(commit, commit->bytes.err, index,
                             commit->bytes.err == E_LIMIT ? "more than 1280 kB" : "out of memory");
    commit->count++;
    commit->bytes.data[1] = (char)(commit->count & 0xff);
    commit->bytes.data[2] = (char)(commit->count >> 8);
    return index;
}

struct str commit_bytes(const struct commit *commit) {
    return buf_str(&commit->bytes);
}

/* Reads one operation's bytes. False: malformed (in->bad), or unknown. */
static bool step_read(struct wire_in *in, struct commit_step *step) {
    unsigned op = wire_u8(in), count = wire_u8(in);
    if (in->bad || op >= OP_COUNT_ || count > OP_FIELDS_MAX) return false;
    step->op = (enum store_op)op;
    step->count = count;
    for (unsigned i = 0; i < count; i++)
        step->values[i] = wire_val(in);
    return !in->bad;
}

int commit_decode(struct commit **out, struct str bytes, struct why *why) {
    if (bytes.n > COMMIT_BYTES_MAX) return why_set(why, E_LIMIT, "commit: more than 1280 kB");
    struct wire_in in = wire_in(bytes);
    unsigned version = wire_u8(&in), count = wire_u16(&in);
    if (in.bad) return why_set(why, E_SYNTAX, "commit: cut short");
    if (version != COMMIT_VERSION)
        return why_set(why, E_VERSION, "commit: form %u, this engine reads %d", version,
                       COMMIT_VERSION);
    if (count > COMMIT_OPS_MAX) return why_set(why, E_LIMIT, "commit: %u operations", count);
    for (unsigned i = 0; i < count; i++) {
        struct commit_step step;
        char detail[DETAIL_MAX];
        if (!step_read(&in, &step))
            return why_set(why, E_SYNTAX, "commit: operation %u is malformed", i);
        if (!step_good(&step, detail, sizeof detail))
            return why_set(why, E_INVAL, "commit: operation %u: %s", i, detail);
    }
    if (in.left != 0) return why_set(why, E_SYNTAX, "commit: %zu bytes too many", in.left);
    struct commit *c;
    if (commit_new(&c) != 0) goto no_memory;
    buf_clear(&c->bytes);
    buf_addstr(&c->bytes, bytes);
    c->count = count;
    if (c->bytes.err != 0) {
        commit_free(c);
        goto no_memory;
    }
    *out = c;
    return 0;
no_memory:
    return why_set(why, E_NOMEM, "commit: out of memory");
}

struct commit_cursor commit_walk(const struct commit *commit) {
    struct commit_cursor c = {wire_in(buf_str(&commit->bytes)), commit->count};
    c.in.p += COMMIT_HEAD;
    c.in.left -= COMMIT_HEAD;
    return c;
}

bool commit_next(struct commit_cursor *cursor, struct commit_step *step) {
    if (cursor->left == 0) return false;
    cursor->left--;
    bool good = step_read(&cursor->in, step);
    ENSURE(good); /* the guard saw these bytes */
    return true;
}

static void commit_told(struct task *task) {
    struct commit *c = CONTAINER_OF(task, struct commit, task);
    const struct commit_result result = {
        .err = c->err,
        .failed_op = c->failed_op,
        .detail = c->err == 0 ? NULL : c->detail,
        .values = c->values,
    };
    c->done(&result, c->data);
    commit_free(c);
}

void commit_answer(struct commit *commit) {
    struct store *store = commit->store;
    commit->task.run = commit_told;
    loop_post(commit->loop, &commit->task);
    atomic_fetch_sub(&store->under_way, 1);
}
