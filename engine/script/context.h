/* What a running call may reach: set by whoever starts the call (a route, a job, an operation),
 * read by the bindings through co_data(). Lives as long as the call. */
#ifndef LUWAK_SCRIPT_CONTEXT_H
#define LUWAK_SCRIPT_CONTEXT_H

#include "base/clock.h"
#include "base/id.h"
#include "base/rng.h"
#include "net/http_server.h"
#include "script/bind_http.h"
#include "script/version.h"
#include "store/store.h"

struct lua_State;
struct breaker;
struct jobs;
struct token_cache;
struct config;
struct grants;
struct core;
struct script_set;

struct operation_gate; /* dispatch.h */
struct claims;

/* What every call of one worker shares: the parts of the engine that bindings use. */
struct script_services {
    struct operation_gate *gate; /* one for all workers; NULL: nobody asks meanwhile */
    struct breaker *breaker;     /* of channels, one for all workers; NULL: all are called */
    struct store *store;
    const struct core *core; /* this worker's, with its own generator */
    struct jobs *jobs;
    struct token_cache *tokens;
    const struct clock *clock;
    struct rng *rng;
    struct transport *transport;
    struct worker *worker;
    const struct config *config;
    struct grants *grants; /* NULL: everything declared is allowed (not in production) */
    struct script_set *(*scripts)(const struct worker *worker); /* that serve now; NULL: none yet */
    struct version *(*find_channel)(const struct worker *worker, struct str name); /* NULL: none */
    void (*webhooks_due)(struct worker *worker); /* something may be; NULL: nobody sends */
    struct test_script *test;                    /* a running test, whose engine it is; or NULL */
    struct payment_watch *watch; /* event streams of payments; NULL: nobody can wait for news */
    bool simulated;
    const char *environment; /* "simulated", "sandbox", ... */
    const char *root;        /* folder of the scripts */
    const char *url;         /* where the world reaches us, no '/' at the end; "": it does not */
};

struct param {
    struct str name;
    struct str value; /* decoded */
};

#define CONTEXT_HOSTS_MAX     8
#define CONTEXT_NETWORKS_SIZE 256

enum context_scope { SCOPE_CHANNEL, SCOPE_SIMULATOR };

/* What ctx.settle did in this call of a provider: how it may be answered hangs on it. */
struct callback {
    bool booked;         /* something is on disk: the provider must not hear that it failed */
    bool duplicate;      /* and was there before */
    bool orphan;         /* it fits no attempt: the provider shall repeat it */
    int64_t inbox;       /* the row of its bytes, where this call added it; 0: none */
    struct found *found; /* what ctx.find read last: payment_settle.h; NULL: nothing */
};

struct call_context {
    const struct script_services *services;
    const struct version *version;
    const char *hosts[CONTEXT_HOSTS_MAX + 1]; /* that it may call; NULL-ended */
    size_t host_count;
    enum context_scope scope; /* both sides of a provider bear its name; their stores are apart */
    char networks[CONTEXT_NETWORKS_SIZE]; /* private ones that are granted, with commas between */
    struct str provider; /* whose state, configuration and hosts; empty: a trusted script */
    struct str account;  /* provider account: "demo", "demo/mer_..." */
    struct http_caps http;
    uint64_t serial;                /* of the call: what a kept request is known by */
    struct http_exchange *exchange; /* the request being answered, or NULL */
    struct str path;                /* as the script sees it: a simulator's without its prefix */
    const struct param *params;     /* of the route's path */
    size_t param_count;
    char merchant[ID_SIZE];    /* whose key the request came with; empty: nobody's */
    char key[ID_SIZE];         /* that key's id */
    struct callback *callback; /* of a channel that a provider calls; or NULL */
    struct claims *claims;     /* its numbers are reserved with what it decides; or NULL: at once */
    bool verified;             /* ctx.verify said yes */
    bool unverified;           /* ctx.verify said no: the answer is 401 and nothing changes */
    bool unavailable;          /* the store took nothing more (full): who asked may come again */
    struct say *say;           /* one-off scripts: where lines and progress go; or NULL */
    struct test_script *test;  /* a running test; or NULL */
};

struct call_context *context_of(struct lua_State *L); /* raises outside a call */

/* Who did it, for the audit log: the API key's id, else the script. */
#define AUDIT_ACTOR_SIZE 320
struct str audit_actor(const struct call_context *context, char out[AUDIT_ACTOR_SIZE]);

#endif
