/* The server side of the control socket; see control.h. What is asked is in control_requests.c.
 *
 * Ownership: a connection lives until its handle is closed and no request of it is under way
 * (`references`). */
#include "store/control_private.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS_MAX 32
#define QUEUE_MAX       (80u * 1024 * 1024)

/* ---- sending ---- */

struct sending {
    uv_write_t write;
    char *data;
};

static void sent(uv_write_t *write, int status) {
    (void)status; /* an error shows in reading too */
    struct sending *s = CONTAINER_OF(write, struct sending, write);
    mem_free(s->data);
    mem_free(s);
}

/* Takes the buffer over. */
void connection_send(struct connection *c, struct buf *b) {
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

/* ---- connections ---- */

static void maybe_stopped(struct control *k) {
    if (!k->stopping || k->pipe_open || k->spare_open || k->handles != 0 || k->works != 0) return;
    if (k->count != 0 && !k->late) return;
    void (*stopped)(void *) = k->stopped;
    void *data = k->stopped_data;
    k->stopped = NULL;
    if (k->count == 0) {
        timer_stop(&k->deadline);
        mem_free(k->path);
        mem_free(k->version);
        mem_free(k);
    }
    if (stopped != NULL) stopped(data);
}

static void stop_late(struct timer *timer) {
    struct control *k = CONTAINER_OF(timer, struct control, deadline);
    k->late = true;
    maybe_stopped(k);
}

void connection_release(struct connection *c) {
    struct control *k = c->control;
    if (--c->references == 0) {
        struct connection **at = &k->connections;
        while (*at != c)
            at = &(*at)->next;
        *at = c->next;
        k->count--;
        buf_free(&c->in);
        mem_free(c);
    }
    maybe_stopped(k);
}

static void connection_closed(uv_handle_t *handle) {
    struct connection *c = handle->data;
    c->control->handles--;
    connection_release(c);
}

void connection_close(struct connection *c) {
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

static void did_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b);

void connection_go_on(struct connection *c) {
    c->paused = false;
    c->references++;
    if (uv_read_start((uv_stream_t *)&c->pipe, allocate, did_read) != 0) connection_close(c);
    frames_read(c); /* what came before the pause */
    connection_release(c);
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
    connection_release(c);
}

struct handed { /* an open file on its way out of libuv, for which it is some pipe */
    uv_pipe_t pipe;
    struct connection *connection;
};

static void handed_closed(uv_handle_t *handle) {
    struct handed *h = handle->data;
    struct connection *c = h->connection;
    mem_free(h);
    c->control->handles--;
    connection_release(c);
}

int connection_file(struct connection *c) {
    uv_os_fd_t fd;
    int out = -1;
    if (c->closing || uv_pipe_pending_count(&c->pipe) == 0) return -1;
    struct handed *h = mem_zalloc(sizeof *h);
    if (h == NULL) { /* libuv keeps it, and would give it to the next request */
        connection_close(c);
        return -1;
    }
    uv_pipe_init(c->pipe.loop, &h->pipe, 0);
    h->pipe.data = h;
    h->connection = c;
    c->references++;
    c->control->handles++;
    if (uv_accept((uv_stream_t *)&c->pipe, (uv_stream_t *)&h->pipe) == 0 &&
        uv_fileno((uv_handle_t *)&h->pipe, &fd) == 0)
        out = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    uv_close((uv_handle_t *)&h->pipe, handed_closed);
    return out;
}

static bool peer_allowed(uv_pipe_t *pipe) {
    uv_os_fd_t fd;
    struct ucred who;
    socklen_t size = sizeof who;
    if (uv_fileno((uv_handle_t *)pipe, &fd) != 0) return false;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return false;
    return who.uid == geteuid() || who.uid == 0;
}

/* Who waits for an answer hears that the server lives: a backup takes as long as the data is large,
 * and only silence tells a slow server from one that stands still. */
static void beat(struct timer *timer) {
    struct control *k = CONTAINER_OF(timer, struct control, beat);
    for (struct connection *c = k->connections; c != NULL; c = c->next) {
        if (c->closing || c->requests == 0) continue;
        struct buf b = {0};
        frame_end(&b, frame_begin(&b, CONTROL_ALIVE, 0));
        connection_send(c, &b);
    }
    if (k->count != 0) timer_start(k->options.loop, timer, (uint64_t)control_times.beat_ms, beat);
}

static void spare_closed(uv_handle_t *handle);

/* libuv hears nothing more until what it holds for us is accepted: so it is, into the spare one. */
static void turn_away(struct control *k) {
    k->waiting = k->spare_open;
    if (k->waiting || k->stopping) return;
    uv_pipe_init(k->pipe.loop, &k->spare, 0);
    k->spare.data = k;
    k->spare_open = true;
    (void)uv_accept((uv_stream_t *)&k->pipe, (uv_stream_t *)&k->spare);
    uv_close((uv_handle_t *)&k->spare, spare_closed);
}

static void spare_closed(uv_handle_t *handle) {
    struct control *k = handle->data;
    k->spare_open = false;
    if (k->waiting) turn_away(k);
    maybe_stopped(k);
}

static void connected(uv_stream_t *server, int status) {
    struct control *k = server->data;
    if (status != 0) return; /* there is none */
    struct connection *c = mem_zalloc(sizeof *c);
    if (c == NULL) {
        turn_away(k);
        return;
    }
    c->control = k;
    c->references = 1;
    c->in.max = CONTROL_REQUEST_MAX + 128 * 1024;
    uv_pipe_init(server->loop, &c->pipe, 1); /* 1: open files come through it */
    c->pipe.data = c;
    c->next = k->connections;
    k->connections = c;
    k->count++;
    k->handles++;
    if (!timer_armed(&k->beat))
        timer_start(k->options.loop, &k->beat, (uint64_t)control_times.beat_ms, beat);
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
    control_stop(k, 0, NULL, NULL);
    return err;
}

void control_stop(struct control *k, uint64_t wait_ms, void (*stopped)(void *data), void *data) {
    k->stopping = true;
    k->stopped = stopped;
    k->stopped_data = data;
    unlink(k->path);
    timer_stop(&k->beat);
    store_end_care(k->options.store);
    for (struct connection *c = k->connections, *next; c != NULL; c = next) {
        next = c->next;
        connection_close(c);
    }
    if (k->count != 0) timer_start(k->options.loop, &k->deadline, wait_ms, stop_late);
    uv_close((uv_handle_t *)&k->pipe, pipe_closed);
}
