/* Listening sockets that the service manager opened for us (systemd's LISTEN_FDS protocol): they
 * stand at file descriptors 3 and on, and are ours only if LISTEN_PID names this process. */
#ifndef LUWAK_LISTEN_FDS_H
#define LUWAK_LISTEN_FDS_H

#include "base/err.h"

enum { LISTEN_FDS_FIRST = 3 };

/* How many there are; 0: none, open your own; E_CONFIG: what was said makes no sense. Children do
 * not inherit them, and a second call finds none. */
int listen_fds(struct why *why);

#endif
