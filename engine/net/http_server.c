/* HTTP server: listening, deadlines, the pool of works, and the ordered end. See http_private.h for
 * how connections and works relate.
 *
 * We accept ourselves (uv_poll and accept4) instead of through uv_listen, because only then can
 * listening pause: at the connection cap new peers wait in the kernel's queue, and without file
 * descriptors the reserve one is spent to close the waiting peer cleanly, then we rest a moment
 * (a listening socket that stays readable would spin the loop).
 *
 * Deadlines: all of one kind last equally long, so each kind is a list in order of time and one
 * timer watches the first of each. A request costs two list moves and no timer. */
#include "net/http_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct http_server *of_timer(struct timer *t, size_t offset) {
    return (struct http_server *)((char *)t - offset);
}

uint64_t server_now_ms(const struct http_server *s) {
    return clock_mono_ns(loop_clock(s->loop)) / 1000000u;
}

/* Ids want 10 random bytes each; asking the kernel per request would be a system call each. */
static void fill_from_pool(struct rng *r, void *out, size_t n) {
    struct http_server *s = CONTAINER_OF(r, struct http_server, ids);
    ENSURE(n <= sizeof s->id_pool);
    if (n > sizeof s->id_pool - s->id_used) {
        rng_fill(s->options.rng, s->id_pool, sizeof s->id_pool);
        s->id_used = 0;
    }
    memcpy(out, s->id_pool + s->id_used, n);
    s->id_used += n;
}

void server_make_id(struct http_server *s, char out[40]) {
    id_make(out, "req_", loop_clock(s->loop), &s->ids);
}

/* ---- works ---- */

struct work *work_take(struct http_server *s) {
    struct work *w = s->pool;
    if (w != NULL) {
        s->pool = w->next;
        s->pool_count--;
    } else {
        w = mem_alloc(sizeof *w);
        if (w == NULL) return NULL;
        w->server = s;
        w->buf = w->small;
        w->cap = sizeof w->small;
    }
    w->state = WORK_READING;
    w->start = w->len = w->raw = w->body = w->body_end = 0;
    http_parse_init(&w->parser, &s->parse_limits);
    return w;
}

void work_release(struct work *w) {
    struct http_server *s = w->server;
    if (w->buf != w->small) mem_free(w->buf);
    if (s->deleted || s->pool_count == WORKS_KEPT) {
        mem_free(w);
        return;
    }
    w->buf = w->small;
    w->cap = sizeof w->small;
    w->next = s->pool;
    s->pool = w;
    s->pool_count++;
}

/* ---- deadlines ---- */

static void tick(struct timer *t);

static void tick_arm(struct http_server *s, uint64_t due) {
    uint64_t now = server_now_ms(s);
    s->tick_due = due;
    timer_start(s->loop, &s->tick, due > now ? due - now : 0, tick);
}

static void deadline_drop(struct conn *c) {
    if (c->dl_kind == DL_NONE) return;
    struct dl_list *l = &c->server->deadlines[c->dl_kind];
    *(c->dl_prev == NULL ? &l->first : &c->dl_prev->dl_next) = c->dl_next;
    *(c->dl_next == NULL ? &l->last : &c->dl_next->dl_prev) = c->dl_prev;
    c->dl_kind = DL_NONE;
}

void deadline_set(struct conn *c, enum deadline_kind kind, uint64_t due_ms) {
    struct http_server *s = c->server;
    deadline_drop(c);
    if (kind == DL_NONE) return;
    struct dl_list *l = &s->deadlines[kind];
    struct conn *after = l->last; /* nearly always the right place at once */
    while (after != NULL && after->dl_due > due_ms)
        after = after->dl_prev;
    c->dl_kind = kind;
    c->dl_due = due_ms;
    c->dl_prev = after;
    c->dl_next = after == NULL ? l->first : after->dl_next;
    *(after == NULL ? &l->first : &after->dl_next) = c;
    *(c->dl_next == NULL ? &l->last : &c->dl_next->dl_prev) = c;
    if (!timer_armed(&s->tick) || due_ms < s->tick_due) tick_arm(s, due_ms);
}

static void tick(struct timer *t) {
    struct http_server *s = of_timer(t, offsetof(struct http_server, tick));
    uint64_t now = server_now_ms(s), next = UINT64_MAX;
    for (int kind = 0; kind < DL_KINDS; kind++) {
        struct conn *c;
        while ((c = s->deadlines[kind].first) != NULL && c->dl_due <= now) {
            deadline_drop(c);
            conn_expired(c, (enum deadline_kind)kind);
        }
        if (c != NULL && c->dl_due < next) next = c->dl_due;
    }
    if (next != UINT64_MAX) tick_arm(s, next);
}

/* ---- continuing a connection after an answer that came later ---- */

static void kick(struct timer *t) {
    struct http_server *s = of_timer(t, offsetof(struct http_server, kick));
    struct conn *c = s->kick_first;
    s->kick_first = NULL;
    while (c != NULL) {
        struct conn *next = c->kick_next;
        c->kicked = false;
        conn_process(c);
        c = next;
    }
}

void server_kick(struct conn *c) {
    struct http_server *s = c->server;
    if (c->kicked) return;
    c->kicked = true;
    c->kick_next = s->kick_first;
    s->kick_first = c;
    if (!timer_armed(&s->kick)) timer_start(s->loop, &s->kick, 0, kick);
}

/* ---- listening ---- */

static void accept_ready(uv_poll_t *poll, int status, int events);

static void accept_pause(struct http_server *s) {
    s->accepting = false;
    for (size_t i = 0; i < s->listener_count; i++)
        uv_poll_stop(&s->listeners[i]->poll);
}

static void accept_resume(struct http_server *s) {
    if (s->accepting || s->stopping || timer_armed(&s->accept_rest)) return;
    s->accepting = true;
    for (size_t i = 0; i < s->listener_count; i++)
        uv_poll_start(&s->listeners[i]->poll, UV_READABLE, accept_ready);
}

static void accept_rested(struct timer *t) {
    struct http_server *s = of_timer(t, offsetof(struct http_server, accept_rest));
    if (s->reserve_fd < 0) s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (s->conn_count < s->options.limits.connections_max) accept_resume(s);
}

/* No file descriptor is left: close the waiting peer with the reserve, so that it learns at once.
 */
static void accept_starved(struct http_server *s, int listening) {
    if (s->reserve_fd >= 0) {
        close(s->reserve_fd);
        int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            close(fd);
            s->stats.refused++;
        }
        s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    accept_pause(s);
    timer_start(s->loop, &s->accept_rest, ACCEPT_REST_MS, accept_rested);
}

static void accept_ready(uv_poll_t *poll, int status, int events) {
    struct listener *l = CONTAINER_OF(poll, struct listener, poll);
    struct http_server *s = l->server;
    (void)status, (void)events;
    for (int i = 0; i < ACCEPT_BURST; i++) {
        if (s->conn_count >= s->options.limits.connections_max) {
            accept_pause(s); /* until one ends */
            return;
        }
        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            s->stats.accepted++;
            conn_open(s, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            accept_starved(s, l->fd);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return; /* EAGAIN */
        }
    }
}

static int listener_add(struct http_server *s, int fd, struct why *why) {
    struct listener *l = NULL;
    int one = 1, err = E_NOMEM;
    if (s->listener_count == LISTENERS_MAX) {
        err = why_set(why, E_LIMIT, "at most %d listening sockets", LISTENERS_MAX);
        goto fail;
    }
    l = mem_zalloc(sizeof *l);
    if (l == NULL) {
        why_set(why, err, "out of memory");
        goto fail;
    }
    l->server = s;
    l->fd = fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* accepted sockets inherit it */
    int uverr = uv_poll_init(s->uv, &l->poll, fd);
    if (uverr != 0) {
        err = why_set(why, E_IO, "cannot watch the listening socket: %s", uv_strerror(uverr));
        goto fail;
    }
    s->listeners[s->listener_count++] = l;
    s->handles++;
    uv_poll_start(&l->poll, UV_READABLE, accept_ready);
    s->accepting = true;
    return 0;
fail:
    mem_free(l);
    close(fd);
    return err;
}

/* "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "*:8080" */
static int resolve(const char *address, struct addrinfo **out, struct why *why) {
    const char *colon = strrchr(address, ':');
    if (colon == NULL || strlen(address) > 255)
        return why_set(why, E_INVAL, "%s: expected HOST:PORT, such as 127.0.0.1:8080", address);
    char host[256];
    const char *from = address;
    size_t n = (size_t)(colon - address);
    if (n >= 2 && from[0] == '[' && from[n - 1] == ']') from++, n -= 2;
    memcpy(host, from, n);
    host[n] = '\0';
    int64_t port = 0;
    if (str_to_i64(str_of(colon + 1), &port) != 0 || port < 0 || port > 65535)
        return why_set(why, E_INVAL, "%s: the port must be a number from 0 to 65535", address);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    bool any = n == 0 || strcmp(host, "*") == 0;
    int err = getaddrinfo(any ? NULL : host, colon + 1, &hints, out);
    if (err != 0) return why_set(why, E_RESOLVE, "%s: %s", address, gai_strerror(err));
    return 0;
}

int http_server_listen(struct http_server *s, const char *address, bool reuse_port,
                       struct why *why) {
    struct addrinfo *found = NULL;
    int err = resolve(address, &found, why);
    if (err != 0) return err;
    int one = 1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        err = why_set(why, E_IO, "%s: %s", address, strerror(errno));
        goto out;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0) {
        err = why_set(why, E_IO, "%s: SO_REUSEPORT: %s", address, strerror(errno));
    } else if (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 1024) != 0) {
        if (errno == EADDRINUSE)
            err = why_set(why, E_BUSY,
                          "%s is in use: stop what listens there, or choose another with --listen "
                          "(make run LISTEN=127.0.0.1:8081)",
                          address);
        else if (errno == EACCES)
            err = why_set(why, E_DENIED, "%s: not permitted; choose a port above 1023", address);
        else
            err = why_set(why, E_IO, "%s: %s", address, strerror(errno));
    }
    if (err != 0)
        close(fd);
    else
        err = listener_add(s, fd, why);
out:
    freeaddrinfo(found);
    return err;
}

int http_server_listen_fd(struct http_server *s, int fd, struct why *why) {
    int listening = 0;
    socklen_t size = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || !listening)
        return why_set(why, E_INVAL, "file descriptor %d is no listening socket", fd);
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0) return why_set(why, E_IO, "file descriptor %d: %s", fd, strerror(errno));
    return listener_add(s, own, why);
}

int http_server_address(const struct http_server *s, char *out, size_t size) {
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    char host[INET6_ADDRSTRLEN] = "";
    if (s->listener_count == 0) return E_STATE;
    if (getsockname(s->listeners[0]->fd, (struct sockaddr *)&a, &n) != 0) return E_IO;
    if (a.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)&a;
        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
        snprintf(out, size, "[%s]:%u", host, ntohs(in->sin6_port));
    } else if (a.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&a;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(out, size, "%s:%u", host, ntohs(in->sin_port));
    } else {
        snprintf(out, size, "unix");
    }
    return 0;
}

void http_server_stats(const struct http_server *s, struct http_server_stats *out) {
    *out = s->stats;
    out->connections = s->conn_count;
}

/* ---- start and end ---- */

static size_t files_allowed(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
    return r.rlim_cur > 128 ? (size_t)r.rlim_cur - 64 : (size_t)r.rlim_cur / 2 + 1;
}

static void set_defaults(struct http_limits *l) {
#define DEFAULT(field, value) \
    if (l->field == 0) l->field = (value)
    DEFAULT(head_max, 16384);
    DEFAULT(fields_max, HTTP_FIELDS_CAP);
    DEFAULT(target_max, 4096);
    DEFAULT(body_max, 1 << 20);
    DEFAULT(head_ms, 10000);
    DEFAULT(request_ms, 30000);
    DEFAULT(idle_ms, 60000);
    DEFAULT(stall_ms, 30000);
    DEFAULT(requests_max, 1000);
    DEFAULT(out_soft, 256 << 10);
    DEFAULT(out_hard, 1 << 20);
    if (l->connections_max == 0) {
        size_t files = files_allowed();
        l->connections_max = files < 10000 ? files : 10000;
    }
#undef DEFAULT
}

int http_server_new(struct http_server **out, const struct http_server_options *options) {
    int err = E_NOMEM;
    struct http_server *s = mem_zalloc(sizeof *s);
    if (s == NULL) return E_NOMEM;
    s->options = *options;
    s->loop = options->loop;
    s->uv = loop_uv_handle(options->loop);
    ENSURE(s->uv != NULL);
    struct http_limits *l = &s->options.limits;
    set_defaults(l);
    if (l->head_max > HTTP_HEAD_CAP || l->fields_max > HTTP_FIELDS_CAP ||
        l->target_max >= l->head_max) {
        err = E_RANGE;
        goto fail;
    }
    s->parse_limits = (struct http_parse_limits){(uint32_t)l->head_max, (uint32_t)l->target_max,
                                                 (uint32_t)l->fields_max, l->body_max};
    s->ids.fill = fill_from_pool;
    s->id_used = sizeof s->id_pool;
    s->date_second = -1;
    s->reserve_fd = -1;
    const uint32_t lasts[DL_KINDS] = {[DL_HEAD] = l->head_ms,
                                      [DL_REQUEST] = l->request_ms,
                                      [DL_IDLE] = l->idle_ms,
                                      [DL_STALL] = l->stall_ms,
                                      [DL_LINGER] = LINGER_MS};
    for (int i = 0; i < DL_KINDS; i++)
        s->deadlines[i].ms = lasts[i];
    s->scratch = mem_alloc(SCRATCH_SIZE);
    s->ranges = mem_array(options->trusted_proxy_count + 1, sizeof *s->ranges);
    if (s->scratch == NULL || s->ranges == NULL) goto fail;
    for (size_t i = 0; i < options->trusted_proxy_count; i++)
        if ((err = net_range_parse(options->trusted_proxies[i], &s->ranges[i])) != 0) goto fail;
    s->range_count = options->trusted_proxy_count;
    s->options.trusted_proxies = NULL; /* the caller's */
    s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    *out = s;
    return 0;
fail:
    mem_free(s->scratch);
    mem_free(s->ranges);
    mem_free(s);
    return err;
}

static void stop_timer(struct timer *t);

/* All gone? Told from a timer, so that it never runs inside somebody's call. */
void server_conn_gone(struct http_server *s) {
    if (s->deleted) {
        if (s->stats.running == 0) mem_free(s);
        return;
    }
    if (!s->stopping) {
        if (s->conn_count < s->options.limits.connections_max) accept_resume(s);
        return;
    }
    bool none = s->handles == 0 && (s->stats.running == 0 || s->cut_off);
    if (none && !s->drained_told) timer_start(s->loop, &s->stop_timer, 0, stop_timer);
}

static void stop_timer(struct timer *t) {
    struct http_server *s = of_timer(t, offsetof(struct http_server, stop_timer));
    if (s->handles == 0 && (s->stats.running == 0 || s->cut_off)) {
        s->drained_told = true;
        s->drained(s->drained_data); /* may delete us */
        return;
    }
    s->cut_off = true;
    for (struct conn *c = s->conns, *next; c != NULL; c = next) {
        next = c->next;
        conn_close(c);
    }
    server_conn_gone(s);
}

static void listener_closed(uv_handle_t *handle) {
    struct listener *l = CONTAINER_OF(handle, struct listener, poll);
    struct http_server *s = l->server;
    close(l->fd);
    mem_free(l);
    s->handles--;
    server_conn_gone(s);
}

void http_server_stop(struct http_server *s, uint32_t bound_ms, void (*drained)(void *data),
                      void *data) {
    ENSURE(!s->stopping);
    s->stopping = true;
    s->drained = drained;
    s->drained_data = data;
    timer_stop(&s->accept_rest);
    for (size_t i = 0; i < s->listener_count; i++)
        uv_close((uv_handle_t *)&s->listeners[i]->poll, listener_closed);
    s->listener_count = 0;
    timer_start(s->loop, &s->stop_timer, bound_ms, stop_timer);
    for (struct conn *c = s->conns, *next; c != NULL; c = next) {
        next = c->next;
        if (c->state != CONN_OPEN) continue;
        if (c->work == NULL)
            conn_linger(c); /* idle: what is still to be written goes out first */
        else if (c->work->state == WORK_STREAMING)
            stream_stopping(c->work);
    }
    server_conn_gone(s);
}

void http_server_delete(struct http_server *s) {
    if (s == NULL) return;
    ENSURE(s->handles == 0);
    timer_stop(&s->tick);
    timer_stop(&s->kick);
    timer_stop(&s->accept_rest);
    timer_stop(&s->stop_timer);
    if (s->reserve_fd >= 0) close(s->reserve_fd);
    while (s->pool != NULL) {
        struct work *w = s->pool;
        s->pool = w->next;
        mem_free(w);
    }
    buf_free(&s->head);
    buf_free(&s->body);
    mem_free(s->scratch);
    mem_free(s->ranges);
    s->deleted = true;
    if (s->stats.running == 0) mem_free(s);
}
