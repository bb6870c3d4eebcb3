/* See file_read.h. */
#include "sys/file_read.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(struct why *why, const char *what) {
    int err = errno == ENOENT || errno == ENOTDIR ? E_NOTFOUND : E_IO;
    return why_set(why, err, "cannot %s: %s", what, strerror(errno));
}

/* One byte more than is there, so that the end is seen without the buffer moving. */
static int read_all(int fd, size_t size, struct buf *out, struct why *why) {
    for (size_t room = size + 1;; room = 16384) {
        if (out->max != 0 && room > out->max - out->len) room = out->max - out->len;
        char past = 0;
        char *at = room == 0 ? &past : buf_reserve(out, room);
        if (at == NULL) return why_set(why, out->err, "%s", err_text(out->err));
        ssize_t n = read(fd, at, room == 0 ? 1 : room);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed(why, "read");
        if (n == 0) break;
        if (room == 0) return why_set(why, E_LIMIT, "is greater than %zu kB", out->max / 1024);
        out->len += (size_t)n;
    }
    if (buf_reserve(out, 0) == NULL) return why_set(why, out->err, "%s", err_text(out->err));
    out->data[out->len] = '\0';
    return 0;
}

int file_read(const char *path, struct buf *out, struct why *why) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hold us */
    if (fd < 0) return failed(why, "open");
    struct stat st;
    int err = 0;
    if (fstat(fd, &st) != 0)
        err = failed(why, "look at it");
    else if (!S_ISREG(st.st_mode))
        err = why_set(why, E_INVAL, "is no regular file");
    else
        err = read_all(fd, (size_t)st.st_size, out, why);
    close(fd);
    return err;
}
