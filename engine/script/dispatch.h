/* From the outside to a script's function and back: routes, simulators, jobs, operations. */
#ifndef LUWAK_SCRIPT_DISPATCH_H
#define LUWAK_SCRIPT_DISPATCH_H

#include "core/jobs.h"
#include "core/merchant.h"
#include "core/operation.h"
#include "net/http_server.h"
#include "net/problem.h"
#include "script/context.h"
#include "script/runtime.h"

#include <pthread.h>

/* ---- a route ---- */

struct route_call {
    struct runtime *runtime;
    const struct script_services *services;
    struct version *version;
    const char *key;    /* of the routes table: "GET /v1/ping"; NULL: the channel's notify */
    bool has_run;       /* the function stands under `run` */
    struct str path;    /* as the script sees it */
    struct str account; /* provider account of a callback, copied; empty: the shared one */
    const struct param *params;
    size_t param_count;
    const struct caller *caller; /* of a merchant's route; copied */
    bool caged;                  /* the function is given ctx, request instead of request */
    uint32_t deadline_ms;        /* 0: the kind's */
    bool has_refused;            /* problems are told by the route's `refused`, in its own shape */
    const struct problem *refused; /* it is not let in: `refused` runs, not `run`; copied */
};

/* Answers `x` with what the route returns; an error of the script is a 500 for the caller and a
 * traceback in the log. */
void dispatch_route(const struct route_call *route, struct http_exchange *x);

/* ---- an operation ---- */

struct operation_row {
    struct str id, kind, script, version, account, reference;
    enum operation_state state;
    int64_t generation;
    int64_t created, updated;
    struct str doc;
    struct str
        given; /* what the script is given in its place (personal data filled in); empty: doc */
    struct str payment; /* whose it is; empty: none */
    int64_t expires_at; /* of the payment; 0: none */
};

/* How a function of the channel ended, for those who write it themselves. Its texts live as long as
 * the call that tells it. */
struct operation_decision {
    bool decided;     /* false: it failed, and `to`, `doc` say what that comes to */
    bool sent;        /* the request that can move money had begun */
    bool called;      /* any request of it went on its way */
    bool unavailable; /* the store took something of it no more: a full disk */
    bool not_created; /* the provider proved that there is nothing; `to` is failed */
    enum operation_state to;
    struct str doc;    /* {"input","data","result"}: all that is kept */
    const char *error; /* not decided: for the log */
};

/* Runs one function of the channel ("create", "inquire") for the operation and writes the decision
 * as the operation's next state. `done` hears the state it is in then; err: the store refused.
 * With `decided` nothing is written and `done` is not called: it hears the decision, once, and has
 * marked the operation at the gate itself. */
struct operation_call {
    struct runtime *runtime;
    const struct script_services *services;
    struct version *version;
    const char *function;
    const struct operation_row *operation; /* copied */
    void (*decided)(const struct operation_decision *decision, void *data);
    struct claims *claims; /* with `decided`: the numbers it is given, to be stored; or NULL */
};
/* Which operations' own calls are under way in this process. Who asks about one of them would be
 * told "not known" while the request is still on its way, and write off money that then moves: a
 * clock that jumps makes a question due early. */
struct operation_gate {
    pthread_mutex_t lock;
    struct operation_mark *first;
};
struct operation_mark {
    struct operation_mark *next;
    struct str id; /* the caller's, until it is unmarked */
};
void operation_mark(struct operation_gate *gate, struct operation_mark *mark, struct str id);
void operation_unmark(struct operation_gate *gate, struct operation_mark *mark); /* gate NULL: no */
/* From the commit that begins an operation until its call is marked itself: who asks about it in
 * between would hear that nothing is there, and then it is made. The id stays until the release. */
struct operation_hold {
    struct operation_mark mark;
    bool held;
};
void operation_hold(struct operation_gate *gate, struct operation_hold *hold, const char *id);
void operation_release(struct operation_gate *gate, struct operation_hold *hold);
bool operation_under_way(struct operation_gate *gate, struct str id);

typedef void (*operation_done_cb)(int err, enum operation_state state, void *data);
int dispatch_operation(const struct operation_call *call, operation_done_cb done, void *data);

#endif
