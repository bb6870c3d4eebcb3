/* The remote driver: the store of a running server, through its control socket (control.h). One
 * thread carries commits and reads, which may overlap; point reads and care use a second, blocking
 * connection, since their callers wait anyway.
 *
 * When the connection ends, everything under way is answered E_CLOSED: whether a commit among it
 * was stored is not known, and the text says so. Nothing is sent twice. */
#include "base/ensure.h"
#include "base/mem.h"
#include "store/control_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define UNDER_WAY_MAX 10000

struct remote {
    struct store base;
    char *path;
    int fd, wake;
    pthread_t thread;
    pthread_mutex_t lock; /* all below */
    struct buf out;
    struct commit *commits; /* sent, not answered */
    struct read *reads;
    size_t under_way;
    uint32_t id;
    bool stopping, crashed, gone;
    pthread_mutex_t side_lock;
    int side; /* the blocking connection; -1: none now */
};

static struct remote *of(struct store *store) {
    return CONTAINER_OF(store, struct remote, base);
}

static void put_rows_request(struct buf *b, const char *text, const struct val *values,
                             size_t count) {
    wire_put_str(b, str_of(text));
    wire_put_u16(b, (unsigned)count);
    for (size_t i = 0; i < count; i++)
        wire_put_val(b, &values[i]);
}

/* ---- the blocking side ---- */

static int side_call(struct remote *r, struct buf *request, int file,
                     const struct store_report *report, struct buf *answer, struct wire_in *in,
                     struct why *why) {
    pthread_mutex_lock(&r->side_lock);
    int err = 0;
    if (r->side < 0) {
        int fd = control_dial(r->path, why);
        if (fd < 0) err = fd;
        r->side = fd < 0 ? -1 : fd;
    }
    if (err == 0) err = control_exchange(r->side, request, file, report, answer, in, why);
    if (err == E_CLOSED || err == E_TIMEOUT || err == E_BADREPLY ||
        err == E_NOMEM) { /* out of step: start afresh */
        if (r->side >= 0) close(r->side);
        r->side = -1;
    }
    pthread_mutex_unlock(&r->side_lock);
    buf_free(request);
    return err;
}

static int drv_get(struct store *store, const struct query *query, const struct val *values,
                   size_t count, struct rows **out) {
    struct buf request = {0}, answer = {0};
    struct wire_in in;
    size_t at = frame_begin(&request, CONTROL_GET, 1);
    put_rows_request(&request, query->name, values, count);
    frame_end(&request, at);
    int err = side_call(of(store), &request, -1, NULL, &answer, &in, NULL);
    if (err == 0) err = rows_decode(&in, out);
    buf_free(&answer);
    return err;
}

static int simple(struct store *store, enum control_kind kind, const char *a, const char *b,
                  const struct store_report *report, struct why *why) {
    struct buf request = {0}, answer = {0};
    struct wire_in in;
    size_t at = frame_begin(&request, kind, 1);
    if (a != NULL) wire_put_str(&request, str_of(a));
    if (b != NULL) wire_put_str(&request, str_of(b));
    frame_end(&request, at);
    int err = side_call(of(store), &request, -1, report, &answer, &in, why);
    buf_free(&answer);
    return err;
}

static int drv_add_query(struct store *store, const char *name, const char *sql, struct why *why) {
    return simple(store, CONTROL_ADD_QUERY, name, sql, NULL, why);
}
static int drv_migrate(struct store *store, const char *folder, struct why *why) {
    (void)folder;
    return simple(store, CONTROL_MIGRATE, NULL, NULL, NULL, why);
}
static int drv_backup(struct store *store, int fd, struct why *why) {
    struct buf request = {0}, answer = {0};
    struct wire_in in;
    frame_end(&request, frame_begin(&request, CONTROL_BACKUP, 1));
    int err = side_call(of(store), &request, fd, NULL, &answer, &in, why);
    if (err == E_CLOSED)
        why_set(why, err, "the server ended before the copy was whole: there is none");
    buf_free(&answer);
    return err;
}
static int drv_verify(struct store *store, const struct store_report *report) {
    struct why why = {0};
    int err = simple(store, CONTROL_VERIFY, NULL, NULL, report, &why);
    if (err != 0 && err != E_CORRUPT) store_report_line(report, false, "%s", why.text);
    return err;
}

/* ---- the thread ---- */

/* What every result begins with. E_BADREPLY: it is none, and says nothing of what was asked. */
static int take_result(struct wire_in *in, struct str *text) {
    int64_t code = wire_i64(in);
    *text = wire_str(in);
    if (!in->bad && code <= 0 && code >= ERR_FIRST_) return (int)code;
    *text = str_of(err_text(E_BADREPLY));
    return E_BADREPLY;
}

static void take_commit(struct remote *r, uint32_t id, struct wire_in *in) {
    struct commit **at = &r->commits;
    while (*at != NULL && (*at)->wire != id)
        at = &(*at)->next;
    struct commit *c = *at;
    if (c == NULL) return;
    *at = c->next;
    r->under_way--;
    struct str text;
    c->err = take_result(in, &text);
    c->failed_op = (int)wire_i64(in);
    snprintf(c->detail, sizeof c->detail, "%.*s", (int)(text.n < 190 ? text.n : 190), text.p);
    if (in->bad || c->err == E_BADREPLY) {
        commit_failed(c, E_BADREPLY, -1,
                      "the answer is damaged: whether this was stored is not known");
    } else {
        int err = rows_decode(in, &c->values);
        if (err != 0 && c->err == 0) commit_failed(c, err, -1, "stored, but its values are lost");
    }
    commit_answer(c);
}

static void take_read(struct remote *r, uint32_t id, struct wire_in *in) {
    struct read **at = &r->reads;
    while (*at != NULL && (*at)->wire != id)
        at = &(*at)->next;
    struct read *read = *at;
    if (read == NULL) return;
    *at = read->next;
    r->under_way--;
    struct str text;
    read->err = take_result(in, &text);
    if (read->err != 0) why_set(&read->why, read->err, "%.*s", STR_FMT(text));
    if (read->err == 0) {
        read->err = rows_decode(in, &read->rows);
        if (read->err != 0) why_set(&read->why, read->err, "%s", err_text(read->err));
    }
    read_answer(read);
}

static void take_event(struct remote *r, struct wire_in *in) {
    struct buf events = {0};
    struct news *news = NULL;
    struct str topic = wire_str(in);
    int64_t sequence = wire_i64(in);
    if (!in->bad) news_add(&events, topic, sequence);
    if (events.err == 0) (void)news_new(&r->base, &events, &news);
    news_tell(news);
    buf_free(&events);
}

/* False: the form is broken. Called under lock. */
static bool take_frames(struct remote *r, struct buf *b) {
    size_t used = 0;
    while (b->len - used >= CONTROL_HEAD) {
        struct wire_in in = wire_in(str_sub(buf_str(b), used, b->len));
        uint32_t n = wire_u32(&in);
        if (n < CONTROL_HEAD - 4 || n > CONTROL_ANSWER_MAX) return false;
        if (in.left < n) break;
        in.left = n;
        unsigned kind = wire_u8(&in);
        uint32_t id = wire_u32(&in);
        if (kind == CONTROL_EVENT) {
            take_event(r, &in);
        } else if (kind == CONTROL_RESULT) {
            struct wire_in again = in;
            take_commit(r, id, &in);
            take_read(r, id, &again);
        }
        used += 4 + n;
    }
    buf_consume(b, used);
    return b->err == 0;
}

static void answer_gone(struct remote *r) {
    while (r->commits != NULL) {
        struct commit *c = r->commits;
        r->commits = c->next;
        commit_failed(c, E_CLOSED, -1,
                      "the server went away: whether this was stored is not known");
        if (r->crashed)
            commit_free(c);
        else
            commit_answer(c);
    }
    while (r->reads != NULL) {
        struct read *read = r->reads;
        r->reads = read->next;
        read_failed(read, E_CLOSED, "the server went away");
        if (r->crashed)
            read_delete(read);
        else
            read_answer(read);
    }
    r->under_way = 0;
}

static bool exchange_some(struct remote *r, struct buf *in, short events) {
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        char *room = buf_reserve(in, 65536);
        if (room == NULL) return false;
        ssize_t n = recv(r->fd, room, 65536, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return false;
        if (n > 0) in->len += (size_t)n;
    }
    pthread_mutex_lock(&r->lock);
    bool good = take_frames(r, in) && r->out.err == 0;
    if (good && r->out.len != 0) {
        ssize_t n = send(r->fd, r->out.data, r->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) buf_consume(&r->out, (size_t)n);
        good = n > 0 || errno == EAGAIN || errno == EINTR;
    }
    pthread_mutex_unlock(&r->lock);
    return good;
}

static void *remote_main(void *data) {
    struct remote *r = data;
    struct buf in = {0};
    for (;;) {
        pthread_mutex_lock(&r->lock);
        bool end = r->crashed || r->gone || (r->stopping && r->under_way == 0);
        bool writes = r->out.len != 0, waits = r->under_way != 0;
        pthread_mutex_unlock(&r->lock);
        if (end) break;
        struct pollfd p[2] = {{.fd = r->fd, .events = (short)(POLLIN | (writes ? POLLOUT : 0))},
                              {.fd = r->wake, .events = POLLIN}};
        int some = poll(p, 2, waits ? control_times.patience_ms : -1);
        if (some == 0 || (some < 0 && errno != EINTR)) break;
        uint64_t count;
        if (p[1].revents != 0 && read(r->wake, &count, sizeof count) < 0) break;
        if (exchange_some(r, &in, p[0].revents)) continue;
        pthread_mutex_lock(&r->lock);
        r->gone = true;
        pthread_mutex_unlock(&r->lock);
    }
    pthread_mutex_lock(&r->lock);
    r->gone = true;
    answer_gone(r);
    pthread_mutex_unlock(&r->lock);
    buf_free(&in);
    return NULL;
}

static void wake(struct remote *r) {
    uint64_t one = 1;
    ssize_t n = write(r->wake, &one, sizeof one);
    (void)n; /* full means that it will wake anyway */
}

/* Under lock: puts a finished frame behind the others. Whoever waits for its answer is noted before
 * the lock goes. */
static int send_frame(struct remote *r, struct buf *frame) {
    int err = r->gone || r->stopping          ? E_CLOSED
              : r->under_way >= UNDER_WAY_MAX ? E_BUSY
                                              : frame->err;
    if (err == 0 && buf_reserve(&r->out, frame->len) == NULL) {
        err = E_NOMEM;
        r->out.err = 0; /* nothing of it was added */
    }
    if (err == 0) {
        buf_addstr(&r->out, buf_str(frame));
        wake(r);
    }
    buf_free(frame);
    return err;
}

static void drv_submit(struct store *store, struct commit *c) {
    struct remote *r = of(store);
    struct buf frame = {0};
    pthread_mutex_lock(&r->lock);
    c->wire = ++r->id;
    size_t at = frame_begin(&frame, CONTROL_COMMIT, c->wire);
    wire_put_u8(&frame, c->lane);
    wire_put_str(&frame, buf_str(&c->bytes));
    frame_end(&frame, at);
    int err = send_frame(r, &frame);
    if (err == 0) {
        c->next = r->commits;
        r->commits = c;
        r->under_way++;
    }
    pthread_mutex_unlock(&r->lock);
    if (err == 0) return;
    commit_failed(c, err, -1, "not sent to the server");
    commit_answer(c);
}

static void drv_read(struct store *store, struct read *read) {
    struct remote *r = of(store);
    struct buf frame = {0};
    pthread_mutex_lock(&r->lock);
    read->wire = ++r->id;
    size_t at =
        frame_begin(&frame, read->query != NULL ? CONTROL_QUERY : CONTROL_SELECT, read->wire);
    put_rows_request(&frame, read->query != NULL ? read->query->name : read->sql, read->values,
                     read->count);
    frame_end(&frame, at);
    int err = send_frame(r, &frame);
    if (err == 0) {
        read->next = r->reads;
        r->reads = read;
        r->under_way++;
    }
    pthread_mutex_unlock(&r->lock);
    if (err == 0) return;
    read_failed(read, err, "not sent to the server");
    read_answer(read);
}

/* In order with the commits behind it on the same connection. */
static void drv_listening(struct store *store) {
    struct remote *r = of(store);
    struct buf frame = {0};
    size_t at = frame_begin(&frame, CONTROL_LISTEN, 0);
    frame_end(&frame, at);
    pthread_mutex_lock(&r->lock);
    (void)send_frame(r, &frame);
    pthread_mutex_unlock(&r->lock);
}

static void stop(struct store *store, bool crash) {
    struct remote *r = of(store);
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    r->crashed = crash;
    pthread_mutex_unlock(&r->lock);
    wake(r);
    pthread_join(r->thread, NULL);
    close(r->fd);
    close(r->wake);
    if (r->side >= 0) close(r->side);
    buf_free(&r->out);
    pthread_mutex_destroy(&r->lock);
    pthread_mutex_destroy(&r->side_lock);
    store_free(&r->base);
    mem_free(r->path);
    mem_free(r);
}

static void drv_close(struct store *store) {
    stop(store, false);
}
static void drv_crash(struct store *store) {
    stop(store, true);
}

static const struct store_driver REMOTE = {
    .close = drv_close,
    .crash = drv_crash,
    .submit = drv_submit,
    .read = drv_read,
    .get = drv_get,
    .add_query = drv_add_query,
    .migrate = drv_migrate,
    .backup = drv_backup,
    .verify = drv_verify,
    .listening = drv_listening,
    .names_elsewhere = true,
};

int store_connect(struct store **out, const char *control_socket, struct loop *loop,
                  struct why *why) {
    int fd = control_dial(control_socket, why);
    if (fd < 0) return fd;
    struct remote *r = mem_zalloc(sizeof *r);
    char *path = mem_strdup(control_socket);
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r == NULL || path == NULL || wake_fd < 0 ||
        store_init(&r->base, &REMOTE, loop_clock(loop)) != 0)
        goto no_memory;
    r->path = path;
    r->fd = fd;
    r->wake = wake_fd;
    r->side = -1;
    r->id = 1;
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->side_lock, NULL);
    if (pthread_create(&r->thread, NULL, remote_main, r) != 0) {
        pthread_mutex_destroy(&r->lock);
        pthread_mutex_destroy(&r->side_lock);
        store_free(&r->base);
        goto no_memory;
    }
    *out = &r->base;
    return 0;
no_memory:
    if (wake_fd >= 0) close(wake_fd);
    close(fd);
    mem_free(path);
    mem_free(r);
    return why_set(why, E_NOMEM, "%s: out of memory", control_socket);
}
