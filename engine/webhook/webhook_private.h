/* What webhook_sender.c (what to send when) and webhook_flight.c (one delivery) share. All of it is
 * the sender's loop's. */
#ifndef LUWAK_WEBHOOK_PRIVATE_H
#define LUWAK_WEBHOOK_PRIVATE_H

#include "core/webhook.h"
#include "webhook/webhook_sender.h"

#include <pthread.h>

#define LINE_FLIGHTS 8   /* of one endpoint */
#define FLIGHTS_EASY 128 /* from here on an endpoint that fails has one */
#define FLIGHTS_MAX  512
#define QUIET_MAX    64 /* hosts */

struct flight;

struct line { /* an endpoint with something in flight or asked for */
    struct line *next;
    char id[ID_SIZE];
    struct flight
        *flights; /* also those that ended while `asking`, whose rows may be in its answer */
    int in_flight;
    bool asking;  /* what is due is being read */
    bool more;    /* something was left */
    bool failing; /* its last outcome was none */
};

struct flight {
    struct flight *next;
    struct line *line;
    struct webhook_sender *sender;
    int64_t sequence, tries;
    char event[ID_SIZE], merchant[ID_SIZE];
    int64_t wait_ms; /* until the next try, when this one has failed; 0: there is none */
    struct webhook_letter *letter; /* while a script writes it; NULL: in our own words */
    struct http_call *call;        /* while it is out */
    struct timer again;            /* the outcome could not be written */
    bool over;
    uint64_t host; /* that a payment named; 0: an endpoint of the merchant's */
    uint64_t began_ms;
    bool tries_host; /* while it is quiet */
    struct webhook_outcome outcome;
    char error[256];
};

struct quiet { /* a host that payments name */
    uint64_t host;
    int held; /* flights, to their end, without a good answer in between */
    int64_t until;
    bool tried; /* one flight is out */
};

struct webhook_sender {
    struct webhook_sender_options options;
    struct core core;
    struct loop *loop;
    bool own_loop, running, listening, closing;
    pthread_t thread;
    struct transport *client; /* own */
    struct store_listener listener;
    struct timer look_timer, due_timer, count_timer;
    struct task poke_task, close_task;
    _Atomic bool poked, idle;
    _Atomic int64_t next_due;
    struct line *lines;
    int flights;
    bool looking, again;  /* a look is under way; and one was due meanwhile */
    bool full, want_full; /* not only events behind a cursor: this look, the next one */
    bool starved;         /* an endpoint was passed over: there was no room */
    size_t fans, fanned;  /* commits under way; that went well in this page */
    int64_t now;          /* of the look */
    uint64_t look_began;
    uint64_t look_ms;
    struct quiet quiet[QUIET_MAX];
    char after[ID_SIZE]; /* the endpoint that was taken last; "": begin anew */
};

/* Takes the delivery off; false: there is no room for it now, the sender looks again later. */
bool flight_start(struct webhook_sender *s, struct line *line, int64_t sequence, int64_t tries);
void flight_cancel(struct flight *f);
void flight_free(struct flight *f);

/* webhook_quiet.c. True: the host does not answer, and is not to be asked by this one. */
bool quiet_now(struct flight *f, struct str url);
void quiet_begun(struct flight *f); /* the request goes out */
void quiet_heard(struct flight *f, bool good);
void quiet_left(struct flight *f); /* however it ended */

/* webhook_sender.c */
void sender_flight_over(struct webhook_sender *s, struct flight *f);
/* full: deliveries may be due, too; else only that an event was heard of. */
void sender_look_in(struct webhook_sender *s, uint64_t ms, bool full);
struct transport *sender_transport(struct webhook_sender *s);

#endif
