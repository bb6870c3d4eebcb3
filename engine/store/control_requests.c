/* What is asked on the control socket; see control.h for the frames. Backup and verify run in libuv's
 * pool and come back; all else is on the control loop. A request belongs to whoever will answer it. */
#include "base/ensure.h"
#include "base/mem.h"
#include "store/control_private.h"
#include "sys/log.h"

#include <stdio.h>
#include <unistd.h>

#define VALUES_MAX 32

static void put_result(struct buf *b, int err, const char *text) {
    wire_put_i64(b, err);
    wire_put_str(b, str_of(text == NULL ? "" : text));
}

static void request_end(struct request *r) {
    struct connection *c = r->connection;
    buf_free(&r->lines);
    buf_free(&r->acts);
    if (r->file >= 0) close(r->file);
    mem_free(r->name);
    for (size_t i = 0; i < r->call.count; i++)
        mem_free(r->args[i]);
    mem_free(r);
    c->requests--;
    if (c->paused && !c->closing && c->requests <= REQUESTS_MAX / 2) connection_go_on(c);
    connection_release(c);
}

static void request_answer(struct request *r, int err, const char *text) {
    struct buf b = {0};
    size_t at = frame_begin(&b, CONTROL_RESULT, r->id);
    put_result(&b, err, text);
    frame_end(&b, at);
    connection_send(r->connection, &b);
    request_end(r);
}

/* ---- one kind after the other ---- */

/* What an operator's command changed beside us is nowhere else in our log. What the line's detail says
 * stays in the audit log. */
static void keep_acts(struct request *r, const struct commit *commit) {
    struct commit_cursor at = commit_walk(commit);
    struct commit_step step;
    while (commit_next(&at, &step)) {
        if (step.op != OP_AUDIT_APPEND) continue;
        for (int i = 2; i < 5; i++) { /* actor, action, object */
            buf_addstr(&r->acts, step.values[i].s);
            buf_addc(&r->acts, '\0');
        }
    }
}

static void tell_acts(const struct request *r) {
    struct str rest = r->acts.err == 0 ? buf_str(&r->acts) : STR(""), one[3];
    while (rest.n != 0) {
        for (int i = 0; i < 3; i++)
            (void)str_cut(rest, '\0', &one[i], &rest);
        log_info("operator", L_STR("actor", one[0]), L_STR("action", one[1]),
                 L_STR("subject", one[2]));
    }
}

static void committed(const struct commit_result *result, void *data) {
    struct request *r = data;
    struct buf b = {0};
    if (result->err == 0) tell_acts(r);
    size_t at = frame_begin(&b, CONTROL_RESULT, r->id);
    put_result(&b, result->err, result->detail);
    wire_put_i64(&b, result->failed_op);
    rows_encode(result->values, &b);
    frame_end(&b, at);
    connection_send(r->connection, &b);
    request_end(r);
}

/* Why a request was not taken in: it is no request, or there is no room for it. */
static int why_unread(struct why *why, const struct wire_in *in) {
    return in->bad ? why_set(why, E_SYNTAX, "malformed request")
                   : why_set(why, E_NOMEM, "out of memory");
}

static void ask_commit(struct request *r, struct wire_in *in) {
    struct control *k = r->connection->control;
    unsigned lane = wire_u8(in);
    struct str bytes = wire_str(in);
    struct commit *commit;
    int err = in->bad || lane > LANE_NEW ? why_set(&r->why, E_SYNTAX, "malformed request")
                                         : commit_decode(&commit, bytes, &r->why);
    if (err != 0) {
        struct commit_result bad = {.err = err, .failed_op = -1, .detail = r->why.text};
        committed(&bad, r);
        return;
    }
    keep_acts(r, commit);
    store_submit(k->options.store, commit, (enum lane)lane, k->options.loop, committed, r);
}

static void rows_came(int err, const struct why *why, struct rows *rows, void *data) {
    struct request *r = data;
    struct buf b = {.max = CONTROL_ANSWER_MAX};
    size_t at = frame_begin(&b, CONTROL_RESULT, r->id);
    put_result(&b, err, why == NULL ? "" : why->text);
    rows_encode(rows, &b);
    frame_end(&b, at);
    rows_free(rows);
    if (b.err == E_LIMIT) {
        buf_free(&b);
        b = (struct buf){0};
        at = frame_begin(&b, CONTROL_RESULT, r->id);
        put_result(&b, E_LIMIT, "the answer is too large for the control socket");
        rows_encode(NULL, &b);
        frame_end(&b, at);
    }
    connection_send(r->connection, &b);
    request_end(r);
}

static void ask_rows(struct request *r, struct wire_in *in) {
    struct control *k = r->connection->control;
    struct str text = wire_str(in);
    unsigned count = wire_u16(in);
    struct val values[VALUES_MAX];
    if (count > VALUES_MAX) in->bad = true;
    for (unsigned i = 0; i < count && !in->bad; i++)
        values[i] = wire_val(in);
    char *sql = in->bad ? NULL : mem_dup(text.p, text.n);
    if (sql == NULL) {
        why_unread(&r->why, in);
        rows_came(r->why.code, &r->why, NULL, r);
        return;
    }
    if (r->kind == CONTROL_GET) {
        struct rows *rows = NULL;
        int err = store_get(k->options.store, sql, values, count, &rows);
        why_set(&r->why, err, "%s", err_text(err));
        rows_came(err, &r->why, rows, r);
    } else {
        (r->kind == CONTROL_QUERY ? store_query : store_select)(
            k->options.store, sql, values, count, k->options.loop, rows_came, r);
    }
    mem_free(sql);
}

static void work_line(void *data, bool good, const char *text) {
    struct request *r = data;
    size_t at = frame_begin(&r->lines, CONTROL_LINE, r->id);
    wire_put_u8(&r->lines, good);
    wire_put_str(&r->lines, str_of(text));
    frame_end(&r->lines, at);
}

static void work_run(uv_work_t *work) {
    struct request *r = work->data;
    struct store *store = r->connection->control->options.store;
    const struct store_report report = {work_line, r};
    r->err = r->kind == CONTROL_BACKUP ? store_backup_into(store, r->file, &r->why)
                                       : store_verify(store, &report);
}

static void work_done(uv_work_t *work, int status) {
    struct request *r = work->data;
    r->connection->control->works--;
    if (status != 0) r->err = E_CANCELLED;
    if (r->lines.len != 0) connection_send(r->connection, &r->lines);
    request_answer(r, r->err, r->err == 0 ? "" : r->why.text);
}

static void ask_work(struct request *r) {
    r->work.data = r;
    if (r->kind == CONTROL_BACKUP) r->file = connection_file(r->connection);
    if (r->kind == CONTROL_BACKUP && r->file < 0)
        request_answer(r, E_INVAL, "no open file came with it");
    else if (uv_queue_work(r->connection->pipe.loop, &r->work, work_run, work_done) != 0)
        request_answer(r, E_LIMIT, "no thread for it");
    else
        r->connection->control->works++;
}

static void ask_query_text(struct request *r, struct wire_in *in) {
    struct str name = wire_str(in), sql = wire_str(in);
    char *a = mem_dup(name.p, name.n), *b = mem_dup(sql.p, sql.n);
    int err = in->bad || a == NULL || b == NULL
                  ? why_unread(&r->why, in)
                  : store_add_query(r->connection->control->options.store, a, b, &r->why);
    mem_free(a), mem_free(b);
    request_answer(r, err, r->why.text);
}

static void heard(struct store_listener *self, struct str topic, int64_t sequence) {
    struct connection *c = CONTAINER_OF(self, struct connection, listener);
    struct buf b = {0};
    size_t at = frame_begin(&b, CONTROL_EVENT, 0);
    wire_put_str(&b, topic);
    wire_put_i64(&b, sequence);
    frame_end(&b, at);
    connection_send(c, &b);
}

static void ask_listen(struct request *r) {
    struct connection *c = r->connection;
    if (!c->listening) {
        c->listener = (struct store_listener){.loop = c->control->options.loop, .heard = heard};
        store_listen(c->control->options.store, &c->listener);
        c->listening = true;
    }
    request_answer(r, 0, "");
}

static void ask_ping(struct request *r) {
    struct buf b = {0};
    size_t at = frame_begin(&b, CONTROL_RESULT, r->id);
    put_result(&b, 0, "");
    wire_put_str(&b, str_of(r->connection->control->version));
    wire_put_i64(&b, getpid());
    frame_end(&b, at);
    connection_send(r->connection, &b);
    request_end(r);
}

static void ask_command(struct request *r, struct wire_in *in) {
    struct control *k = r->connection->control;
    struct str name = wire_str(in);
    unsigned count = wire_u16(in);
    if (count > CONTROL_ARGS_MAX) in->bad = true;
    bool good = !in->bad;
    r->name = good ? mem_dup(name.p, name.n) : NULL;
    good = r->name != NULL;
    for (unsigned i = 0; good && i < count; i++) {
        struct str arg = wire_str(in);
        r->args[i] = in->bad ? NULL : mem_dup(arg.p, arg.n);
        good = r->args[i] != NULL;
        if (good) r->call.count++;
    }
    r->call.name = r->name;
    r->call.args = (const char *const *)r->args;
    if (!good)
        request_answer(r, why_unread(&r->why, in), r->why.text);
    else if (k->options.command == NULL)
        request_answer(r, E_NOTFOUND, "this server takes no commands");
    else
        k->options.command(&r->call, k->options.data);
}

void control_line(struct control_call *call, bool good, const char *text) {
    struct request *r = CONTAINER_OF(call, struct request, call);
    struct buf b = {0};
    size_t at = frame_begin(&b, CONTROL_LINE, r->id);
    wire_put_u8(&b, good);
    wire_put_str(&b, str_of(text));
    frame_end(&b, at);
    connection_send(r->connection, &b);
    call->gone = r->connection->closing;
}

void control_finish(struct control_call *call, int err, const char *text) {
    request_answer(CONTAINER_OF(call, struct request, call), err, text);
}

void request_new(struct connection *c, unsigned kind, uint32_t id, struct wire_in *in) {
    struct request *r = mem_zalloc(sizeof *r);
    if (r == NULL) {
        connection_close(c);
        return;
    }
    r->connection = c;
    r->id = id;
    r->file = -1;
    r->kind = (enum control_kind)kind;
    c->requests++;
    c->references++;
    switch (kind) {
    case CONTROL_PING: ask_ping(r); break;
    case CONTROL_COMMIT: ask_commit(r, in); break;
    case CONTROL_GET:
    case CONTROL_QUERY:
    case CONTROL_SELECT: ask_rows(r, in); break;
    case CONTROL_BACKUP:
    case CONTROL_VERIFY: ask_work(r); break;
    case CONTROL_ADD_QUERY: ask_query_text(r, in); break;
    case CONTROL_LISTEN: ask_listen(r); break;
    case CONTROL_COMMAND: ask_command(r, in); break;
    case CONTROL_MIGRATE:
        request_answer(r, E_STATE, "a server runs on this data: stop it, then migrate");
        break;
    default: request_answer(r, E_NOTFOUND, "no such request"); break;
    }
}
