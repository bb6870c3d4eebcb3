/* The registry's store on store.h: texts by hash, versions as rows; a version and its texts are one
 * commit. Reads of single rows happen at once, on the registry's loop. */
#include "script/registry_store.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "store/store.h"

struct kept_store {
    struct registry_store base;
    struct store *store;
    struct loop *loop;
};

static struct kept_store *of(struct registry_store *s) {
    return CONTAINER_OF(s, struct kept_store, base);
}

/* ---- save ---- */

struct saving {
    registry_done_cb done;
    void *data;
};

static void saved(const struct commit_result *result, void *data) {
    struct saving s = *(struct saving *)data;
    mem_free(data);
    s.done(s.data, result->err);
}

static void save(struct registry_store *base, const struct version *v, const char *state,
                 registry_done_cb done, void *data) {
    struct kept_store *k = of(base);
    struct saving *s = mem_alloc(sizeof *s);
    struct commit *c = NULL;
    struct buf parts = {0};
    version_write_parts(v, &parts);
    if (s == NULL || parts.err != 0 || commit_new(&c) != 0) {
        mem_free(s);
        buf_free(&parts);
        done(data, E_NOMEM);
        return;
    }
    *s = (struct saving){done, data};
    struct val now = V_INT(clock_now_ms(loop_clock(k->loop)));
    for (size_t i = 0; i < v->part_count; i++)
        commit_add(c, OP_SCRIPT_TEXT,
                   VALS(V_TEXT(v->parts[i].hash), V_BLOB(v->parts[i].text), now));
    commit_add(c, OP_SCRIPT_VERSION,
               VALS(V_TEXT(v->path), V_TEXT(v->id), V_TEXT(state), V_STR(buf_str(&parts)), now));
    buf_free(&parts);
    store_submit(k->store, c, LANE_RESULT, k->loop, saved, s);
}

/* ---- read ---- */

enum { COL_ID, COL_PATH, COL_VERSION, COL_STATE, COL_PARTS, COL_AT };

static void tell_row(const struct rows *rows, size_t i, registry_row_cb row, void *data) {
    row(data, &(struct registry_row){.path = rows_text(rows, i, COL_PATH),
                                     .version = rows_text(rows, i, COL_VERSION),
                                     .state = rows_text(rows, i, COL_STATE),
                                     .parts = rows_text(rows, i, COL_PARTS),
                                     .at = rows_int(rows, i, COL_AT)});
}

struct listing {
    registry_row_cb row;
    registry_done_cb done;
    void *data;
};

static void listed(int err, const struct why *why, struct rows *rows, void *data) {
    (void)why;
    struct listing l = *(struct listing *)data;
    mem_free(data);
    for (size_t i = 0; err == 0 && i < rows_count(rows); i++)
        tell_row(rows, i, l.row, l.data);
    rows_free(rows);
    l.done(l.data, err);
}

static void live(struct registry_store *base, registry_row_cb row, registry_done_cb done, void *data) {
    struct kept_store *k = of(base);
    struct listing *l = mem_alloc(sizeof *l);
    if (l == NULL) {
        done(data, E_NOMEM);
        return;
    }
    *l = (struct listing){row, done, data};
    store_query(k->store, "scripts_live", NULL, 0, k->loop, listed, l);
}

static int history(struct registry_store *base, const char *path, int max, registry_row_cb row,
                   void *data) {
    struct rows *rows = NULL;
    int err = store_get(of(base)->store, "script_history", VALS(V_TEXT(path), V_INT(max)), &rows);
    for (size_t i = 0; err == 0 && i < rows_count(rows); i++)
        tell_row(rows, i, row, data);
    rows_free(rows);
    return err;
}

static int version(struct registry_store *base, const char *path, const char *id, registry_row_cb row,
                   void *data) {
    struct rows *rows = NULL;
    int err = store_get(of(base)->store, "script_version", VALS(V_TEXT(path), V_TEXT(id)), &rows);
    if (err == 0 && rows_count(rows) == 0) err = E_NOTFOUND;
    if (err == 0) tell_row(rows, 0, row, data);
    rows_free(rows);
    return err;
}

static int text(struct registry_store *base, struct str hash, struct buf *out) {
    struct rows *rows = NULL;
    int err = store_get(of(base)->store, "script_text", VALS(V_STR(hash)), &rows);
    if (err == 0 && rows_count(rows) == 0) err = E_NOTFOUND;
    if (err == 0) buf_addstr(out, rows_text(rows, 0, 0));
    rows_free(rows);
    return err != 0 ? err : out->err;
}

int registry_store_new(struct registry_store **out, struct store *store, struct loop *loop) {
    struct kept_store *k = mem_zalloc(sizeof *k);
    if (k == NULL) return E_NOMEM;
    k->base = (struct registry_store){
        .save = save, .live = live, .history = history, .version = version, .text = text};
    k->store = store;
    k->loop = loop;
    *out = &k->base;
    return 0;
}

void registry_store_delete(struct registry_store *s) {
    if (s != NULL) mem_free(of(s));
}
