/* Serves a renewed certificate without a restart: looks every 2 s whether the certificate, its key
 * or the clients' CA changed, and when two looks in a row saw the same new files, has them read
 * aside. What does not fit together is reported once and the old one goes on. Lives on the main
 * loop. */
#ifndef LUWAK_CERTIFICATE_WATCH_H
#define LUWAK_CERTIFICATE_WATCH_H

#include "loop/loop.h"
#include "sys/config.h"
#include "sys/tls.h"

#include <sys/stat.h>

enum { CERTIFICATE_FILES = 3 };

struct certificate_watch {
    struct loop *loop;
    struct tls_server *tls;
    const char *files[CERTIFICATE_FILES]; /* NULL: not set */
    struct stat served[CERTIFICATE_FILES], seen[CERTIFICATE_FILES];
    struct timer timer;
};

void certificate_watch_start(struct certificate_watch *w, struct loop *loop, struct tls_server *tls,
                             const struct config *config);
void certificate_watch_now(struct certificate_watch *w); /* SIGHUP: read them, changed or not */
void certificate_watch_stop(struct certificate_watch *w);

#endif
