#include "serve/listen_fds.h"

#include "base/str.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FDS_MAX = 16 };

int listen_fds(struct why *why) {
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int64_t whose = 0, n = 0;
    int err = 0;
    if (pid != NULL && count != NULL) {
        if (str_to_i64(str_of(pid), &whose) != 0 || str_to_i64(str_of(count), &n) != 0 || n < 1 ||
            n > FDS_MAX)
            err = why_set(why, E_CONFIG,
                          "LISTEN_PID=%s LISTEN_FDS=%s: not two numbers, 1 to %d sockets", pid,
                          count, FDS_MAX);
        else if (whose != getpid())
            n = 0; /* meant for whoever started us */
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (err != 0) return err;
    for (int fd = LISTEN_FDS_FIRST; fd < LISTEN_FDS_FIRST + n; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
            return why_set(why, E_CONFIG, "LISTEN_FDS=%d, but file descriptor %d is not open",
                           (int)n, fd);
    return (int)n;
}
