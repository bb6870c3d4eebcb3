/* The blocking client of the control socket: one request at a time, and silence of the server has an
 * end (control_times). */
#include "base/mem.h"
#include "store/control_private.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

struct control_times control_times = {.beat_ms = 5000, .patience_ms = 30000};

int control_dial(const char *path, struct why *why) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof to.sun_path)
        return why_set(why, E_INVAL, "%s: too long for a socket's path", path);
    memcpy(to.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* A server that stands still must not hold us for ever: connecting waits as sending does. */
    const struct timeval limit = {.tv_sec = control_times.patience_ms / 1000,
                                  .tv_usec = control_times.patience_ms % 1000 * 1000};
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    int err =
        fd >= 0 && errno == EAGAIN
            ? why_set(why, E_TIMEOUT, "%s: the server takes no connection: it stands still", path)
            : why_set(why, E_CONNECT, "%s: no server answers (%s)", path, strerror(errno));
    if (fd >= 0) close(fd);
    return err;
}

/* A byte, at least, and the open file with it. */
static ssize_t put_file(int fd, struct str s, int file) {
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec bytes = {(void *)s.p, s.n};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof file);
    memcpy(CMSG_DATA(head), &file, sizeof file);
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static int put_all(int fd, struct str s, int file) {
    while (s.n != 0) {
        ssize_t n = file >= 0 ? put_file(fd, s, file) : send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return E_TIMEOUT;
        if (n <= 0) return E_CLOSED;
        file = -1; /* it is there */
        s = str_sub(s, (size_t)n, s.n);
    }
    return 0;
}

static int get_all(int fd, void *to, size_t n) {
    for (char *p = to; n != 0;) {
        ssize_t got = recv(fd, p, n, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return E_TIMEOUT;
        if (got <= 0) return E_CLOSED;
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

int control_exchange(int fd, const struct buf *request, int file, const struct store_report *report,
                     struct buf *answer, struct wire_in *in, struct why *why) {
    int err = request->err != 0 ? request->err : put_all(fd, buf_str(request), file);
    while (err == 0) {
        unsigned char head[4];
        if ((err = get_all(fd, head, sizeof head)) != 0) break;
        size_t n = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        if (n < CONTROL_HEAD - 4 || n > CONTROL_ANSWER_MAX) {
            err = E_BADREPLY;
            break;
        }
        buf_clear(answer);
        char *room = buf_reserve(answer, n);
        if (room == NULL) {
            err = E_NOMEM;
            break;
        }
        if ((err = get_all(fd, room, n)) != 0) break;
        answer->len = n;
        *in = wire_in(buf_str(answer));
        unsigned kind = wire_u8(in);
        wire_u32(in);
        if (kind == CONTROL_LINE) {
            bool good = wire_u8(in) != 0;
            struct str text = wire_str(in);
            store_report_line(report, good, "%.*s", STR_FMT(text));
        } else if (kind == CONTROL_RESULT) {
            int64_t code = wire_i64(in);
            struct str text = wire_str(in);
            if (in->bad || code > 0 || code < ERR_FIRST_) {
                err = E_BADREPLY;
                break;
            }
            if (code != 0) why_set(why, (int)code, "%.*s", STR_FMT(text));
            return (int)code;
        }
    }
    if (err == E_TIMEOUT)
        return why_set(
            why, err,
            "the server has not said a word for %d s: it stands still; what became of the "
            "request is not known",
            control_times.patience_ms / 1000);
    return why_set(why, err, "the server's control socket: %s", err_text(err));
}

int control_command(const char *path, const char *name, const char *const *args, size_t count,
                    const struct store_report *report, struct why *why) {
    struct buf request = {0}, answer = {0};
    struct wire_in in;
    int fd = control_dial(path, why);
    if (fd < 0) return fd;
    size_t at = frame_begin(&request, CONTROL_COMMAND, 1);
    wire_put_str(&request, str_of(name));
    wire_put_u16(&request, (unsigned)count);
    for (size_t i = 0; i < count; i++)
        wire_put_str(&request, str_of(args[i]));
    frame_end(&request, at);
    int err = control_exchange(fd, &request, -1, report, &answer, &in, why);
    buf_free(&request);
    buf_free(&answer);
    close(fd);
    return err;
}
