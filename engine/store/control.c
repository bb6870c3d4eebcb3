/* The server side of the control socket; see control.h. All on one loop, except backup and verify,
 * which run in libuv's pool and come back.
 *
 * Ownership: a connection lives until its handle is closed and no request of it is under way
 * (`references`); a request belongs to whoever will answer it. */
#include "store/control.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "store/store_private.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define CONNECTIONS_MAX 32
#define REQUESTS_MAX    64
#define QUEUE_MAX       (80u * 1024 * 1024)
#define VALUES_MAX      32

struct control {
    uv_pipe_t pipe;
    struct control_options options;
    char *path;
    char *version;
    struct connection *connections;
    size_t count;
    bool stopping, pipe_open;
    void (*stopped)(void *data);
    void *stopped_data;
};

struct connection {
    struct connection *next;
    struct control *control;
    uv_pipe_t pipe;
    struct buf in;
    int references; /* requests under way, and one while the handle is open */
    int requests;
    bool closing;
    bool paused; /* reads no more until half of its requests are answered */
    bool listening;
    struct store_listener listener;
};

struct request {
    struct connection *connection;
    uint32_t id;
    enum control_kind kind;
    uv_work_t work;
    char *path;
    int err;
    struct why why;
    struct buf lines; /* frames made in the pool */
    /* a command */
    struct control_call call;
    char *name;
    char *args[CONTROL_ARGS_MAX];
};

static void release(struct connection *c);
static void go_on(struct connection *c);

/* ---- sending ---- */

struct sending {
    uv_write_t write;
    char *data;
};

static void connection_close(struct connection *c);

static void sent(uv_write_t *write, int status) {
    (void)status; /* an error shows in reading too */
    struct sending *s = CONTAINER_OF(write, struct sending, write);
    mem_free(s->data);
    mem_free(s);
}

/* Takes the buffer over. */
static void send_buf(struct connection *c, struct buf *b) {
    size_t size = 0;
    struct sending *s = c->closing || b->err != 0 ? NULL : mem_zalloc(sizeof *s);
    if (s == NULL || uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe) > QUEUE_MAX) {
        mem_free(s);
        buf_free(b);
        connection_close(c); /* a client that missed an answer must not go on */
        return;
    }
    s->data = buf_take(b, &size);
    uv_buf_t out = uv_buf_init(s->data, (unsigned)size);
    if (uv_write(&s->write, (uv_stream_t *)&c->pipe, &out, 1, sent) == 0) return;
    mem_free(s->data);
    mem_free(s);
    connection_close(c);
}

static void put_result(struct buf *b, int err, const char *text) {
    wire_put_i64(b, err);
    wire_put_str(b, str_of(text == NULL ? "" : text));
}

static void request_end(struct request *r) {
    struct connection *c = r->connection;
    buf_free(&r->lines);
    mem_free(r->path);
    mem_free(r->name);
    for (size_t i = 0; i < r->call.count; i++)
        mem_free(r->args[i]);
    mem_free(r);
    c->requests--;
    if (c->paused && !c->closing && c->requests <= REQUESTS_MAX / 2) go_on(c);
    release(c);
}

static void request_answer(struct request *r, int err, const char *text) {
    struct buf b = {0};
    size_t at = frame_begin(&b, CONTROL_RESULT, r->id);
    put_result(&b, err, text);
    frame_end(&b, at);
    send_buf(r->connection, &b);
    request_end(r);
}

/* ---- what is asked ---- */

static void committed(const struct commit_result *result, void *data) {
    struct request *r = data;
    struct buf b = {0};
    size_t at = frame_begin(&b, CONTROL_RESULT, r->id);
    put_result(&b, result->err, result->detail);
    wire_put_i64(&b, result->failed_op);
    rows_encode(result->values, &b);
    frame_end(&b, at);
    send_buf(r->connection, &b);
    request_end(r);
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
    send_buf(r->connection, &b);
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
        why_set(&r->why, in->bad ? E_SYNTAX : E_NOMEM, "malformed request");
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
    r->err = r->kind == CONTROL_BACKUP ? store_backup(store, r->path, &r->why)
                                       : store_verify(store, &report);
}

static void work_done(uv_work_t *work, int status) {
    struct request *r = work->data;
    if (status != 0) r->err = E_CANCELLED;
    if (r->lines.len != 0) send_buf(r->connection, &r->lines);
    request_answer(r, r->err, r->err == 0 ? "" : r->why.text);
}

static void ask_work(struct request *r, struct wire_in *in) {
    struct str path = r->kind == CONTROL_BACKUP ? wire_str(in) : STR("");
    r->path = mem_dup(path.p, path.n);
    r->work.data = r;
    if (in->bad || r->path == NULL || (r->kind == CONTROL_BACKUP && path.n == 0))
        request_answer(r, E_SYNTAX, "malformed request");
    else if (uv_queue_work(r->connection->pipe.loop, &r->work, work_run, work_done) != 0)
        request_answer(r, E_LIMIT, "no thread for it");
}

static void ask_query_text(struct request *r, struct wire_in *in) {
    struct str name = wire_str(in), sql = wire_str(in);
    char *a = mem_dup(name.p, name.n), *b = mem_dup(sql.p, sql.n);
    int err = in->bad || a == NULL || b == NULL
                  ? why_set(&r->why, E_SYNTAX, "malformed request")
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
    send_buf(c, &b);
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
    send_buf(r->connection, &b);
    request_end(r);
}

static void ask_command(struct request *r, struct wire_in *in) {
    struct control *k = r->connection->control;
    struct str name = wire_str(in);
    unsigned count = wire_u16(in);
    bool good = !in->bad && count <= CONTROL_ARGS_MAX;
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
        request_answer(r, E_SYNTAX, "malformed request");
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
    send_buf(r->connection, &b);
    call->gone = r->connection->closing;
}

void control_finish(struct control_call *call, int err, const char *text) {
    request_answer(CONTAINER_OF(call, struct request, call), err, text);
}

static void request_new(struct connection *c, unsigned kind, uint32_t id, struct wire_in *in) {
    struct request *r = mem_zalloc(sizeof *r);
    if (r == NULL) {
        connection_close(c);
        return;
    }
    r->connection = c;
    r->id = id;
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
    case CONTROL_VERIFY: ask_work(r, in); break;
    case CONTROL_ADD_QUERY: ask_query_text(r, in); break;
    case CONTROL_LISTEN: ask_listen(r); break;
    case CONTROL_COMMAND: ask_command(r, in); break;
    case CONTROL_MIGRATE:
        request_answer(r, E_STATE, "a server runs on this data: stop it, then migrate");
        break;
    default: request_answer(r, E_NOTFOUND, "no such request"); break;
    }
}

/* ---- connections ---- */

static void maybe_stopped(struct control *k) {
    if (!k->stopping || k->count != 0 || k->pipe_open) return;
    void (*stopped)(void *) = k->stopped;
    void *data = k->stopped_data;
    mem_free(k->path);
    mem_free(k->version);
    mem_free(k);
    if (stopped != NULL) stopped(data);
}

static void release(struct connection *c) {
    if (--c->references != 0) return;
    struct control *k = c->control;
    struct connection **at = &k->connections;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    k->count--;
    buf_free(&c->in);
    mem_free(c);
    maybe_stopped(k);
}

static void connection_closed(uv_handle_t *handle) {
    release(handle->data);
}

static void connection_close(struct connection *c) {
    if (c->closing) return;
    c->closing = true;
    if (c->listening) store_unlisten(c->control->options.store, &c->listener);
    uv_close((uv_handle_t *)&c->pipe, connection_closed);
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    struct connection *c = handle->data;
    char *room = buf_reserve(&c->in, suggested);
    *out = uv_buf_init(room, room == NULL ? 0 : (unsigned)suggested);
}

static void frames_read(struct connection *c) {
    size_t used = 0;
    while (!c->closing && c->requests < REQUESTS_MAX && c->in.len - used >= CONTROL_HEAD) {
        struct wire_in in = wire_in(str_sub(buf_str(&c->in), used, c->in.len));
        uint32_t n = wire_u32(&in);
        if (n < CONTROL_HEAD - 4 || n > CONTROL_REQUEST_MAX) {
            connection_close(c);
            return;
        }
        if (in.left < n) break;
        in.left = n;
        unsigned kind = wire_u8(&in);
        uint32_t id = wire_u32(&in);
        request_new(c, kind, id, &in);
        used += 4 + n;
    }
    if (used != 0) buf_consume(&c->in, used);
    if (c->closing || c->requests < REQUESTS_MAX) return;
    c->paused = true;
    uv_read_stop((uv_stream_t *)&c->pipe);
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *out);
static void did_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b);

static void go_on(struct connection *c) {
    c->paused = false;
    c->references++;
    if (uv_read_start((uv_stream_t *)&c->pipe, allocate, did_read) != 0) connection_close(c);
    frames_read(c); /* what came before the pause */
    release(c);
}

static void did_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b) {
    (void)b;
    struct connection *c = stream->data;
    if (n < 0) {
        connection_close(c);
        return;
    }
    c->in.len += (size_t)n;
    c->references++; /* a request may close the connection while we read on */
    frames_read(c);
    release(c);
}

static bool peer_allowed(uv_pipe_t *pipe) {
    uv_os_fd_t fd;
    struct ucred who;
    socklen_t size = sizeof who;
    if (uv_fileno((uv_handle_t *)pipe, &fd) != 0) return false;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return false;
    return who.uid == geteuid() || who.uid == 0;
}

static void connected(uv_stream_t *server, int status) {
    struct control *k = server->data;
    struct connection *c = status == 0 ? mem_zalloc(sizeof *c) : NULL;
    if (c == NULL) return; /* libuv keeps it and waits; the listener goes on with the next one */
    c->control = k;
    c->references = 1;
    c->in.max = CONTROL_REQUEST_MAX + 128 * 1024;
    uv_pipe_init(server->loop, &c->pipe, 0);
    c->pipe.data = c;
    c->next = k->connections;
    k->connections = c;
    k->count++;
    if (uv_accept(server, (uv_stream_t *)&c->pipe) != 0 || k->stopping ||
        k->count > CONNECTIONS_MAX || !peer_allowed(&c->pipe) ||
        uv_read_start((uv_stream_t *)&c->pipe, allocate, did_read) != 0)
        connection_close(c);
}

static void pipe_closed(uv_handle_t *handle) {
    struct control *k = handle->data;
    k->pipe_open = false;
    maybe_stopped(k);
}

int control_start(struct control **out, const struct control_options *options, struct why *why) {
    struct control *k = mem_zalloc(sizeof *k);
    if (k == NULL) return why_set(why, E_NOMEM, "%s: out of memory", options->path);
    k->options = *options;
    k->path = mem_strdup(options->path);
    k->version = mem_strdup(options->version == NULL ? "" : options->version);
    if (k->path == NULL || k->version == NULL) {
        mem_free(k->path), mem_free(k->version), mem_free(k);
        return why_set(why, E_NOMEM, "%s: out of memory", options->path);
    }
    uv_pipe_init(loop_uv_handle(options->loop), &k->pipe, 0);
    k->pipe.data = k;
    k->pipe_open = true;
    unlink(k->path); /* we hold the lock of the directory: what is there is a leftover */
    mode_t old = umask(0177);
    int rc = uv_pipe_bind(&k->pipe, k->path);
    umask(old);
    if (rc == 0) rc = uv_listen((uv_stream_t *)&k->pipe, 16, connected);
    if (rc == 0) {
        *out = k;
        return 0;
    }
    int err = why_set(why, E_IO, "%s: %s", options->path, uv_strerror(rc));
    control_stop(k, NULL, NULL);
    return err;
}

void control_stop(struct control *k, void (*stopped)(void *data), void *data) {
    k->stopping = true;
    k->stopped = stopped;
    k->stopped_data = data;
    unlink(k->path);
    for (struct connection *c = k->connections, *next; c != NULL; c = next) {
        next = c->next;
        connection_close(c);
    }
    uv_close((uv_handle_t *)&k->pipe, pipe_closed);
}
