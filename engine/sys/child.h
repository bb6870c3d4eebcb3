/* A child process: started, heard, and ended when it takes too long. For work that must not share
 * our memory or our threads' time. One thread per child waits for it; the child has a process group
 * of its own, an empty stdin, and none of our open files. It dies with the thread that started it,
 * so with us, however we end.
 *
 *   child_start --> (it writes, it ends, or its time is over: killed) --> ended() --> child_delete
 */
#ifndef LUWAK_SYS_CHILD_H
#define LUWAK_SYS_CHILD_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define CHILD_OUTPUT_MAX (256 * 1024) /* what it writes beyond is read and thrown away */

struct child;

/* SIGCHLD must not be ignored in this process: the system would forget how the child ended.
 *
 * argv[0] is the file; argv and env end with NULL. `ended` runs once, on the child's thread, as the
 * last thing that touches `data`. */
int child_start(struct child **out, char *const *argv, char *const *env, int64_t limit_ms,
                void (*ended)(void *data), void *data);
void child_kill(struct child *child); /* any thread; ended() still comes */

/* After ended(). */
struct child_end {
    int err;           /* not 0: how it ended is not known; the rest says nothing */
    bool too_long;     /* killed by the limit */
    int code;          /* exit code; -1: it was killed */
    int signal;        /* by which, 0: none */
    struct str output; /* stdout and stderr, as they came; until child_delete */
};
struct child_end child_end(const struct child *child);
void child_wait(struct child *child);   /* until ended() has returned */
void child_delete(struct child *child); /* kills it, waits */

#endif
