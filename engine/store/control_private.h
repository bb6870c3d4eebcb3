/* Shared by control.c (connections), control_requests.c (what is asked on them), control_client.c
 * (the blocking client) and remote.c. */
#ifndef LUWAK_STORE_CONTROL_PRIVATE_H
#define LUWAK_STORE_CONTROL_PRIVATE_H

#include "store/control.h"
#include "store/store_private.h"

#include <uv.h>

#define REQUESTS_MAX 64

struct control {
    uv_pipe_t pipe;
    uv_pipe_t spare; /* takes the connections that memory is lacking for, to close them */
    struct control_options options;
    char *path;
    char *version;
    struct connection *connections;
    size_t count;
    struct timer beat;     /* tells those who wait that we live */
    size_t handles;        /* of connections, and of files that came: libuv still has them */
    size_t works;          /* in the pool */
    struct timer deadline; /* of the stop */
    bool stopping, pipe_open, spare_open;
    bool late;    /* the deadline is past: what is not answered by now is answered to nobody */
    bool waiting; /* a connection came while the spare one was being closed */
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
    int file; /* that came with it; -1: none */
    int err;
    struct why why;
    struct buf lines; /* frames made in the pool */
    struct buf acts;  /* of a commit's audit lines: actor, action, object, each with its NUL */
    /* a command */
    struct control_call call;
    char *name;
    char *args[CONTROL_ARGS_MAX];
};

/* ---- connections ---- */

void connection_send(struct connection *c, struct buf *b); /* takes the buffer over */
void connection_close(struct connection *c);
void connection_go_on(struct connection *c); /* after its pause */
void connection_release(struct connection *c);

/* The open file that came with the request being read, now the caller's; -1: none did. */
int connection_file(struct connection *c);

/* ---- requests ---- */

void request_new(struct connection *c, unsigned kind, uint32_t id, struct wire_in *in);

/* ---- the blocking client ---- */

/* A socket (>= 0) or an error. */
int control_dial(const char *path, struct why *why);
/* Sends one frame, and an open file with it unless that is -1, and reads until its RESULT; `in` then stands behind the text. E_TIMEOUT: the server
 * did not say a word for control_times.patience_ms. */
int control_exchange(int fd, const struct buf *request, int file, const struct store_report *report,
                     struct buf *answer, struct wire_in *in, struct why *why);

#endif
