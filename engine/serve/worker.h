/* A worker: one loop with its HTTP server, its transports and its Lua states. In a server each has
 * a thread; for one-off scripts and in simulations the only one lives on the main loop. */
#ifndef LUWAK_WORKER_H
#define LUWAK_WORKER_H

#include "engine.h"
#include "net/http_server.h"
#include "net/router.h"
#include "script/context.h"
#include "script/runtime.h"

#include <pthread.h>

struct worker_routes; /* the routers of one script set */

struct worker {
    struct engine *engine;
    int index;
    struct loop *loop;
    bool own_loop;
    pthread_t thread;
    bool running;
    bool stopped; /* its server is being stopped, or is */
    struct runtime *runtime;
    struct transport *transport; /* what scripts call through */
    struct http_server *server;  /* NULL without sockets */
    struct payment_watch *watch;
    struct script_services services;
    struct registry_listener listener;
    struct script_set *set;
    struct script_set *next_set; /* published, but there was no memory for its routes yet */
    struct timer set_timer;
    struct worker_routes *routes;
    struct task stop_task;
    struct timer stop_timer;
    uint64_t stop_by_ns; /* monotonic; calls that run longer are cut */
    void (*drained)(struct worker *w);
};

int worker_new(struct worker **out, struct engine *engine, int index, struct loop *loop,
               struct why *why);
int worker_listen(struct worker *w, const char *address, struct why *why);
int worker_listen_fd(struct worker *w, int fd, struct why *why); /* a socket that listens already */
int worker_run(struct worker *w);                                /* starts its thread */
void worker_stop(struct worker *w,
                 void (*drained)(struct worker *w)); /* any thread; drained on main */

/* The end, on main, in two steps. Close joins the thread, takes the server down and ends all calls;
 * the loop stays and takes the store's answers. Delete when nothing can post to it any more. */
void worker_close(struct worker *w);
void worker_delete(struct worker *w);

/* worker_http.c */
void worker_handle(struct http_exchange *x, void *data);
int worker_routes_new(struct worker_routes **out, const struct script_set *set, bool simulated,
                      struct why *why);
void worker_routes_delete(struct worker_routes *r);

/* worker_simulators.c: the transport of simulated mode. */
int worker_simulators(struct worker *w, struct transport **out);

/* The script that serves as a channel, job ... now; NULL: none. On the worker's loop. */
struct version *worker_script(const struct worker *w, enum script_kind kind, struct str name);

#endif
