#include "core/audit.h"

#include "base/buf.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "store/wire.h"
#include "sys/crypto.h"

#define HASH 32

/* Under the nth key of the ring; sizes stand before texts, so no two lines have the same bytes. */
static int chain(const struct core *core, size_t nth, struct str prev, int64_t n, int64_t at,
                 const struct audit_line *line, uint8_t out[HASH]) {
    struct buf b = {0};
    if (core->ring == NULL) return E_STATE;
    wire_put_str(&b, prev);
    wire_put_i64(&b, n);
    wire_put_i64(&b, at);
    wire_put_str(&b, line->actor);
    wire_put_str(&b, line->action);
    wire_put_str(&b, line->object);
    wire_put_str(&b, line->detail);
    int err = b.err != 0 ? b.err : seal_hash(core->ring, nth, "audit", buf_str(&b), out);
    buf_free(&b);
    return err;
}

int audit_add(const struct core *core, struct commit *commit, const struct audit_line *lines,
              size_t count) {
    struct rows *rows = NULL;
    uint8_t hash[2][HASH];
    int err = store_get(core->store, "audit_head", NULL, 0, &rows);
    if (err != 0) return err;
    bool any = rows_count(rows) != 0;
    int64_t n = any ? rows_int(rows, 0, 0) : 0, at = core_now(core);
    struct str prev = any ? rows_text(rows, 0, 1) : STR("");
    for (size_t i = 0; i < count && err == 0; i++) {
        uint8_t *to = hash[i % 2];
        n++;
        err = chain(core, 0, prev, n, at, &lines[i], to);
        if (err != 0) break;
        struct str now = {(const char *)to, HASH};
        commit_add(commit, OP_AUDIT_APPEND,
                   VALS(V_INT(n), V_INT(at), V_STR(lines[i].actor), V_STR(lines[i].action),
                        V_STR(lines[i].object), V_STR(lines[i].detail), V_BLOB(prev), V_BLOB(now)));
        prev = now;
    }
    rows_free(rows);
    return err;
}

/* ---- with a change ---- */

enum { AUDIT_TRIES = 256 };

struct audited {
    struct core core;
    struct buf bytes; /* of the change */
    struct audit_line line;
    int index; /* of the line in the commit: behind the change */
    int tries;
    enum lane lane;
    struct loop *loop;
    struct task task;
    int err;
    commit_done_cb done;
    void *data;
    char texts[];
};

static void audited_free(struct audited *a) {
    buf_free(&a->bytes);
    mem_free(a);
}

static void audited_failed(struct task *task) {
    struct audited *a = CONTAINER_OF(task, struct audited, task);
    a->done(&(struct commit_result){.err = a->err, .failed_op = -1, .detail = "audit log"},
            a->data);
    audited_free(a);
}

static void audited_try(struct audited *a);

static void audited_done(const struct commit_result *result, void *data) {
    struct audited *a = data;
    bool behind =
        result->failed_op == a->index && (result->err == E_STATE || result->err == E_EXISTS);
    if (behind && ++a->tries < AUDIT_TRIES) {
        audited_try(a);
        return;
    }
    struct commit_result told = *result;
    if (behind) told.err = E_BUSY;
    a->done(&told, a->data);
    audited_free(a);
}

static void audited_try(struct audited *a) {
    struct commit *c = NULL;
    a->err = commit_decode(&c, buf_str(&a->bytes), NULL);
    if (a->err == 0) a->err = audit_add(&a->core, c, &a->line, 1);
    if (a->err == 0) {
        store_submit(a->core.store, c, a->lane, a->loop, audited_done, a);
        return;
    }
    if (c != NULL) commit_free(c);
    a->task.run = audited_failed;
    loop_post(a->loop, &a->task);
}

int audit_submit(const struct core *core, struct commit *commit, const struct audit_line *line,
                 enum lane lane, struct loop *loop, commit_done_cb done, void *data) {
    size_t n = line->actor.n + line->action.n + line->object.n + line->detail.n + 4;
    if (commit_error(commit) != 0) { /* the store says what */
        store_submit(core->store, commit, lane, loop, done, data);
        return 0;
    }
    struct audited *a = mem_zalloc(sizeof *a + n);
    if (a != NULL) {
        char *at = a->texts;
        *a = (struct audited){.core = *core,
                              .line = {str_copy(&at, line->actor), str_copy(&at, line->action),
                                       str_copy(&at, line->object), str_copy(&at, line->detail)},
                              .index = (int)commit_count(commit),
                              .lane = lane,
                              .loop = loop,
                              .done = done,
                              .data = data};
        buf_addstr(&a->bytes, commit_bytes(commit));
    }
    int err = a == NULL ? E_NOMEM : a->bytes.err;
    commit_free(commit);
    if (err == 0)
        audited_try(a);
    else if (a != NULL)
        audited_free(a);
    return err;
}

/* Any key of the ring: it may have been changed while the log lived. */
static bool fits(const struct core *core, const struct rows *r, size_t i, struct str prev) {
    const struct audit_line line = {rows_text(r, i, 2), rows_text(r, i, 3), rows_text(r, i, 4),
                                    rows_text(r, i, 5)};
    uint8_t hash[HASH];
    for (size_t nth = 0; nth < SEAL_KEYS_MAX; nth++) {
        if (chain(core, nth, prev, rows_int(r, i, 0), rows_int(r, i, 1), &line, hash) != 0)
            return false;
        if (crypto_equal((struct str){(const char *)hash, HASH}, rows_text(r, i, 7))) return true;
    }
    return false;
}

int audit_verify(const struct core *core, int64_t *lines, int64_t *bad) {
    uint8_t last[HASH];
    struct str prev = STR("");
    *lines = *bad = 0;
    for (;;) {
        struct rows *r = NULL;
        int err = store_get(core->store, "audit_after", VALS(V_INT(*lines), V_INT(500)), &r);
        size_t count = err == 0 ? rows_count(r) : 0;
        for (size_t i = 0; i < count && err == 0; i++) {
            if (rows_int(r, i, 0) != *lines + 1 || !str_eq(rows_text(r, i, 6), prev) ||
                !fits(core, r, i, prev)) {
                *bad = *lines + 1;
                err = E_CORRUPT;
                break;
            }
            memcpy(last, rows_text(r, i, 7).p, HASH);
            prev = (struct str){(const char *)last, HASH};
            (*lines)++;
        }
        rows_free(r);
        if (err != 0 || count == 0) return err;
    }
}
