/* The control socket (DIR/control.sock, mode 0600): how a command reaches the data of a running
 * server without opening its file. The server side lives on the control loop; the client side is
 * store_connect's driver (remote.c) and control_command.
 *
 * Frames, both ways: u32 length of what follows | u8 kind | u32 id | payload (wire.h). The id is
 * the client's and comes back with each frame that belongs to it; requests may overlap.
 *
 *   request    payload                                answer
 *   PING       -                                      RESULT + str version, i64 pid
 *   COMMIT     u8 lane, str bytes                     RESULT + i64 failed operation, rows
 *   QUERY      str name, u16 count, values            RESULT + rows
 *   SELECT     str sql, u16 count, values             RESULT + rows
 *   GET        as QUERY, a point read                 RESULT + rows
 *   BACKUP     -, and an open, empty file (SCM_RIGHTS) RESULT
 *   VERIFY     -                                      LINE each, RESULT
 *   MIGRATE    -                                      RESULT (always refused: a server runs)
 *   ADD_QUERY  str name, str sql                      RESULT
 *   LISTEN     -                                      RESULT, then EVENT each
 *   COMMAND    str name, u16 count, str each          LINE each, RESULT
 *
 *   RESULT: i64 error, str text, then as above    LINE: u8 good, str text
 *   EVENT:  str topic, i64 sequence               ALIVE: nothing
 *
 * While a request of a connection is under way the server says ALIVE on it now and then, so that a
 * client need not wait for one that stands still, however long a backup takes.
 *
 * Only processes of the same user (or root) are let in; a frame that breaks the form ends the
 * connection. Bounds: 32 connections, 2 MB a request, 64 requests under way on a connection; a
 * client that does not read is cut at 80 MB of waiting answers. */
#ifndef LUWAK_STORE_CONTROL_H
#define LUWAK_STORE_CONTROL_H

#include "store/store.h"

enum control_kind {
    CONTROL_PING = 1,
    CONTROL_COMMIT,
    CONTROL_QUERY,
    CONTROL_SELECT,
    CONTROL_BACKUP,
    CONTROL_VERIFY,
    CONTROL_MIGRATE,
    CONTROL_ADD_QUERY,
    CONTROL_LISTEN,
    CONTROL_COMMAND,
    CONTROL_GET,
    CONTROL_RESULT = 0x80,
    CONTROL_LINE,
    CONTROL_EVENT,
    CONTROL_ALIVE,
};

#define CONTROL_REQUEST_MAX (2u * 1024 * 1024)
#define CONTROL_ANSWER_MAX  (72u * 1024 * 1024)
#define CONTROL_ARGS_MAX    64
#define CONTROL_HEAD        9 /* length, kind, id */

extern struct control_times { /* tests shorten them */
    int beat_ms;              /* between two ALIVE */
    int patience_ms;          /* so long a client waits for the next word */
} control_times;

/* ---- server ---- */

struct control;

/* One command under way. Lines may come until control_finish, which ends it; both on the control
 * loop. `gone` turns true when the client left: finish soon. */
struct control_call {
    const char *name;
    const char *const *args;
    size_t count;
    void *data; /* the handler's own */
    bool gone;
};
void control_line(struct control_call *call, bool good, const char *text);
void control_finish(struct control_call *call, int err, const char *text); /* frees the call */

typedef void (*control_command_cb)(struct control_call *call, void *data);

struct control_options {
    const char *path; /* DIR/control.sock */
    const char *version;
    struct loop *loop; /* on libuv */
    struct store *store;
    control_command_cb command; /* NULL: no commands */
    void *data;
};
int control_start(struct control **out, const struct control_options *options, struct why *why);
/* Closes the socket and all connections and ends a backup or a check that is under way; `stopped` runs on
 * the loop when nothing is left, after wait_ms at most: what the store keeps longer (results on a full
 * disk) or a command does is answered to nobody, and the last such answer frees `control`. */
void control_stop(struct control *control, uint64_t wait_ms, void (*stopped)(void *data),
                  void *data);

/* ---- client ---- */

/* Runs a command of a server and waits for it. Lines come through `report`. */
int control_command(const char *path, const char *name, const char *const *args, size_t count,
                    const struct store_report *report, struct why *why);

#endif
