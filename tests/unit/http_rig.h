/* A server on 127.0.0.1, port 0, and clients on non-blocking sockets, all on one thread: whoever
 * waits turns the loop. The clock is virtual, so rig_pass(20000) is twenty seconds and costs
 * nothing. Paths of the handler:
 *
 *   /echo    "METHOD TARGET BODY"        /later   kept in rig.held until the test answers
 *   /big     3 MB                        /stream  begun, kept in rig.held
 *   /broken  a header with CRLF in it    /peer    "PEER REQUEST_ID" */
#ifndef LUWAK_TESTS_HTTP_RIG_H
#define LUWAK_TESTS_HTTP_RIG_H

#include "base/buf.h"
#include "net/http_server.h"

struct rig {
    struct clock clock;
    struct rng rng;
    struct loop *loop;
    struct http_server *server;
    struct http_server_options options;
    struct timer poke;
    char address[64];
    int port;
    struct http_exchange *held;
    int held_count;
    int handled;
    int closed;   /* calls of closed hooks */
    int drained;  /* of drained hooks */
    int stopping; /* of stopping hooks */
    int answered; /* of the access hook */
    int last_status;
    bool stopped;
    bool no_stop_hook;
};

void rig_start(struct rig *r, const struct http_limits *limits);
void rig_start_with(struct rig *r, const struct http_server_options *options);
void rig_end(struct rig *r);  /* stops, waits until drained, deletes all */
void rig_turn(struct rig *r); /* one turn of the loop */
void rig_turns(struct rig *r, int n);
void rig_pass(struct rig *r, uint64_t ms);
void rig_stopped(void *data);

int rig_dial(struct rig *r);
void rig_send(struct rig *r, int fd, const char *text);
void rig_send_bytes(struct rig *r, int fd, const char *data, size_t n);

/* Reads one whole answer (head and body as framed) into out, cleared before. False: closed first.
 */
bool rig_reply(struct rig *r, int fd, struct buf *out);
bool rig_head_reply(struct rig *r, int fd, struct buf *out); /* the head only */
void rig_until(struct rig *r, int fd, struct buf *out, const char *text);
bool rig_closed(struct rig *r, int fd, struct buf *out); /* reads to the end; true: clean FIN */
bool rig_silent(struct rig *r, int fd);                  /* nothing comes for a while */

#define HAS(out, text) (str_search(buf_str(out), str_of(text)) >= 0)

#endif
