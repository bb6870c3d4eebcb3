/* registry_store: the registry's words as commits and named queries of the store. Saving and the
 * list at start are asynchronous; history, one version and one text are point reads by index.
 *
 * Texts of a version with many modules may not fit one commit (COMMIT_BYTES_MAX): they go in
 * several, one after the other, and the version's row goes last, so that a row never stands without
 * its texts. A text that is kept already costs nothing. */
#include "script/registry_store.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "store/store.h"

struct kept_store {
    struct registry_store api;
    struct store *store;
    struct loop *loop;
};

struct save {
    struct kept_store *s;
    struct version *v;
    const char *state;
    size_t part; /* the next one to send */
    registry_done_cb done;
    void *data;
};

static void send_some(struct save *save);

static void sent(const struct commit_result *result, void *data) {
    struct save *save = data;
    if (result->err == 0 && save->part <= save->v->part_count) {
        send_some(save);
        return;
    }
    registry_done_cb done = save->done;
    void *done_data = save->data;
    version_drop(save->v);
    mem_free(save);
    done(done_data, result->err);
}

static void no_commit(struct save *save) {
    sent(&(struct commit_result){.err = E_NOMEM, .failed_op = -1}, save);
}

/* As many texts as fit half a commit; then the row. save->part runs one past the parts at the end.
 */
static void send_some(struct save *save) {
    const struct version *v = save->v;
    struct commit *commit = NULL;
    struct buf parts = {0};
    int64_t now = clock_now_ms(loop_clock(save->s->loop));
    if (commit_new(&commit) != 0) {
        no_commit(save);
        return;
    }
    size_t bytes = 0;
    while (save->part < v->part_count &&
           (bytes == 0 || bytes + v->parts[save->part].text.n < COMMIT_BYTES_MAX / 2)) {
        const struct part *p = &v->parts[save->part++];
        bytes += p->text.n;
        commit_add(commit, OP_SCRIPT_TEXT, VALS(V_TEXT(p->hash), V_BLOB(p->text), V_INT(now)));
    }
    if (save->part == v->part_count) {
        save->part++;
        version_write_parts(v, &parts);
        if (parts.err != 0) {
            buf_free(&parts);
            commit_free(commit);
            no_commit(save);
            return;
        }
        commit_add(commit, OP_SCRIPT_VERSION,
                   VALS(V_TEXT(v->path), V_TEXT(v->id), V_TEXT(save->state), V_STR(buf_str(&parts)),
                        V_INT(now)));
    }
    store_submit(save->s->store, commit, LANE_RESULT, save->s->loop, sent, save);
    buf_free(&parts);
}

static void save_version(struct registry_store *api, const struct version *v, const char *state,
                         registry_done_cb done, void *data) {
    struct save *save = mem_alloc(sizeof *save);
    if (save == NULL) { /* no memory to say so later: the registry takes it at once as well */
        done(data, E_NOMEM);
        return;
    }
    *save = (struct save){CONTAINER_OF(api, struct kept_store, api),
                          version_keep((struct version *)v),
                          state,
                          0,
                          done,
                          data};
    send_some(save);
}

static struct registry_row row_at(const struct rows *rows, size_t i) {
    /* id, path, version, state, parts, at */
    return (struct registry_row){rows_text(rows, i, 1), rows_text(rows, i, 2),
                                 rows_text(rows, i, 3), rows_text(rows, i, 4),
                                 rows_int(rows, i, 5)};
}

static void each_row(struct rows *rows, registry_row_cb row, void *data) {
    for (size_t i = 0; i < rows_count(rows); i++) {
        struct registry_row r = row_at(rows, i);
        row(data, &r);
    }
    rows_free(rows);
}

struct living {
    registry_row_cb row;
    registry_done_cb done;
    void *data;
};

static void live_read(int err, const struct why *why, struct rows *rows, void *data) {
    (void)why;
    struct living living = *(struct living *)data;
    mem_free(data);
    if (err == 0) each_row(rows, living.row, living.data);
    living.done(living.data, err);
}

static void live_versions(struct registry_store *api, registry_row_cb row, registry_done_cb done,
                          void *data) {
    struct kept_store *s = CONTAINER_OF(api, struct kept_store, api);
    struct living *living = mem_alloc(sizeof *living);
    if (living == NULL) {
        done(data, E_NOMEM);
        return;
    }
    *living = (struct living){row, done, data};
    store_query(s->store, "scripts_live", NULL, 0, s->loop, live_read, living);
}

static int history(struct registry_store *api, const char *path, int max, registry_row_cb row,
                   void *data) {
    struct kept_store *s = CONTAINER_OF(api, struct kept_store, api);
    struct rows *rows = NULL;
    int err = store_get(s->store, "script_history", VALS(V_TEXT(path), V_INT(max)), &rows);
    if (err == 0) each_row(rows, row, data);
    return err;
}

static int one_version(struct registry_store *api, const char *path, const char *id,
                       registry_row_cb row, void *data) {
    struct kept_store *s = CONTAINER_OF(api, struct kept_store, api);
    struct rows *rows = NULL;
    int err = store_get(s->store, "script_version", VALS(V_TEXT(path), V_TEXT(id)), &rows);
    if (err != 0) return err;
    size_t count = rows_count(rows);
    each_row(rows, row, data);
    return count == 0 ? E_NOTFOUND : 0;
}

static int one_text(struct registry_store *api, struct str hash, struct buf *out) {
    struct kept_store *s = CONTAINER_OF(api, struct kept_store, api);
    struct rows *rows = NULL;
    int err = store_get(s->store, "script_text", VALS(V_STR(hash)), &rows);
    if (err != 0) return err;
    if (rows_count(rows) == 0)
        err = E_NOTFOUND;
    else
        buf_addstr(out, rows_at(rows, 0, 0).s);
    rows_free(rows);
    return err == 0 ? out->err : err;
}

int registry_store_new(struct registry_store **out, struct store *store, struct loop *loop) {
    struct kept_store *s = mem_zalloc(sizeof *s);
    if (s == NULL) return E_NOMEM;
    s->api = (struct registry_store){save_version, live_versions, history, one_version, one_text};
    s->store = store;
    s->loop = loop;
    *out = &s->api;
    return 0;
}

void registry_store_delete(struct registry_store *s) {
    if (s != NULL) mem_free(CONTAINER_OF(s, struct kept_store, api));
}
