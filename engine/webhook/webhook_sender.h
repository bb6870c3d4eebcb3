/* Webhooks out: sends what core/webhook.h says is due. One sender per process, and one process owns
 * the data, so nothing is sent by two at once; a crash in between sends again.
 *
 * It has a thread, a loop and an HTTP client of its own: however slow or dead the merchants'
 * endpoints are, no worker's loop, connection or Lua state waits with them. In a test's virtual time
 * it lives on the given loop and calls through the given transport.
 *
 *   look   events behind an endpoint's cursor -> deliveries; endpoints with something due -> lines
 *   line   an endpoint: up to 8 deliveries in flight, next ones as these end
 *   flight one delivery: built, signed, sent, its outcome on disk
 *
 * A look is made when the store tells of an event, when the next delivery falls due, when poked, and
 * now and then. Fair: each endpoint has its own 8; where very many are busy at once those that fail
 * have one each, and endpoints are taken in turn. What cannot be had (memory, a full disk) is tried
 * again: a delivery stands in the store until its outcome does. */
#ifndef LUWAK_WEBHOOK_SENDER_H
#define LUWAK_WEBHOOK_SENDER_H

#include "core/core.h"
#include "core/webhook.h"
#include "loop/loop.h"
#include "net/transport.h"

struct webhook_sender;
struct worker;

/* What a delivery in another format says: asked of a script, on a worker. */
struct webhook_letter {
    struct task task;
    struct loop *back; /* where `written` runs */
    void (*written)(struct webhook_letter *letter);
    void *data;            /* of whoever asked */
    struct worker *worker; /* of whoever writes */
    char format[WEBHOOK_FORMAT_MAX + 1], merchant[ID_SIZE], object[ID_SIZE];
    bool named;       /* it goes to where the payment says itself */
    struct buf event; /* JSON {type,timestamp,sequence,data}, with the customer in it */
    int err;          /* 0: `body` is what to send, if it is not empty; else it is tried again */
    struct buf body;
    int64_t later_ms; /* not 0: it is not time to say it yet */
    char error[200];
};

struct webhook_sender_options {
    const struct core *core;
    struct loop *loop; /* NULL: its own, with a thread and a real HTTP client */
    struct transport *(*transport)(void *data);               /* with `loop` */
    void (*write)(struct webhook_letter *letter, void *data); /* `written` is called, later */
    void *data;
    const char *ca_file;
    uint32_t timeout_ms;
    bool private_ok; /* simulated: plain HTTP and private addresses */
};

int webhook_sender_new(struct webhook_sender **out, const struct webhook_sender_options *options);
int webhook_sender_start(struct webhook_sender *s);

/* From any thread: something may be due (redelivery, a clock that moved). NULL: nothing. */
void webhook_sender_poke(struct webhook_sender *s);
/* From any thread. Idle: all that was due when it was last poked has been tried. */
int64_t webhook_sender_next_due(struct webhook_sender *s); /* business time; INT64_MAX: never */
bool webhook_sender_idle(struct webhook_sender *s);

/* The end, on main, in two steps, as a worker's: close waits a little for what is in flight, then
 * cuts it (it is sent again after the next start) and joins the thread; delete when nothing can post
 * to the loop any more. */
void webhook_sender_close(struct webhook_sender *s);
bool webhook_sender_settle(struct webhook_sender *s); /* loop_settle of its own loop */
void webhook_sender_delete(struct webhook_sender *s);

#endif
