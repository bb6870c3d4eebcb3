/* The engine: every part, wired. The only place that knows all layers, with worker.c.
 *
 *   start   config -> store (migrated) -> keys -> registry -> workers -> jobs -> listen -> ready
 *   stop    stop listening -> jobs claim nothing more -> workers finish what runs, bounded -> store
 *
 * The main thread's loop carries signals, script watching, the job queue and the control socket;
 * each worker is a thread with a loop of its own. A one-off script runs in an engine without
 * workers' threads: its one worker lives on the main loop. A simulation is the same in virtual
 * time. */
#ifndef LUWAK_ENGINE_H
#define LUWAK_ENGINE_H

#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "core/core.h"
#include "core/cron.h"
#include "core/jobs.h"
#include "core/limiter.h"
#include "core/questions.h"
#include "loop/loop.h"
#include "loop/pool.h"
#include "net/transport_local.h"
#include "own_url.h"
#include "script/dispatch.h"
#include "script/registry.h"
#include "store/store.h"
#include "sys/build_id.h"
#include "sys/config.h"
#include "sys/seal.h"
#include "sys/tls.h"

struct worker;
struct token_cache;
struct grants;
struct control;
struct plays;
struct webhook_sender;

enum engine_mode {
    ENGINE_SERVE, /* threads, sockets */
    ENGINE_TOOL,  /* one worker on the main loop, no sockets in */
    ENGINE_TEST,  /* one worker on a virtual loop, store in memory or over a given VFS */
};

/* TEST: what may go wrong between the engine and its providers' simulators. */
struct engine_chaos {
    struct local_odds odds;
    void (*decide)(const struct http_out *request, struct local_fate *fate, void *data);
    /* a status that is answered without asking the simulator; 0 */
    int (*instead)(const struct http_out *request, void *data);
    /* its answer, on the way back */
    void (*spoil)(void *data, const struct http_exchange *x, int *status, struct str *body);
    void *data;
};

struct engine_options {
    const struct config *config;
    enum engine_mode mode;
    struct store *store; /* TOOL: opened by the caller (local or a server's); NULL: open it here */
    struct clock *clock; /* TEST: virtual; else NULL */
    struct rng *rng;     /* TEST: seeded; orders what is ready, too */
    const char *vfs;     /* TEST: where `data` lies; NULL: in memory */
    struct engine_chaos *chaos; /* TEST: NULL: nothing goes wrong */
    const char *root;           /* NULL: from the configuration, or found */
    bool beside;                /* TOOL: through the control socket where a server runs */
    bool keep;        /* TOOL: versions are kept in the store, as a server does (operators) */
    bool unplayed;    /* TOOL, keep: no plays are run, and nothing is staged */
    const char *data; /* TOOL: another data directory than the configured one (dry runs) */
};

struct engine {
    const struct config *config;
    enum engine_mode mode;
    bool simulated;
    struct own_url url;
    bool unplayed;
    struct engine_chaos *chaos;
    char root[1024];
    char build[BUILD_ID_SIZE];
    struct clock own_clock;
    struct rng own_rng;
    struct clock *clock;
    struct rng *rng;
    struct loop *loop;
    struct store *store;
    bool own_store;
    bool remote; /* the store is a running server's */
    struct seal_ring *ring;
    struct core core; /* what the payment core is given */
    struct token_cache *tokens;
    struct limiter *limiter; /* requests of merchants */
    struct breaker *breaker; /* of channels */
    struct questions *questions;
    struct operation_gate gate;
    struct grants *grants; /* production only; NULL: all is allowed */
    struct pool *pool;
    struct plays *plays; /* runs the tests of staged versions; NULL: nothing is staged here */
    struct registry_store *registry_store;
    struct registry *registry;
    struct jobs *jobs;
    struct cron *cron;
    struct webhook_sender *webhooks; /* NULL: a one-off script, which sends none */
    struct tls_server *tls;
    int inherited; /* listening sockets of the service manager; 0: we open our own */
    struct worker **workers;
    int worker_count;
    int next_worker;          /* whose turn it is for a job */
    _Atomic int jobs_running; /* on workers, whose ordered end waits for them */
    bool ready;
    _Atomic bool stopping;
    int exit_code;
    int workers_left; /* still draining */
    struct control *control;
    struct registry_listener listener; /* of the jobs: schedules follow the scripts */
    struct script_set *scheduled;      /* whose schedules cron knows */
    struct timer schedule_timer;       /* one of them found no memory */
    struct walk *clock_walk;           /* the advance of the simulated clock under way */
    struct timer stop_timer;
};

int engine_new(struct engine **out, const struct engine_options *options, struct why *why);

/* Loads the scripts and starts the queue; `ready` runs once on the loop, with 0 or an error. */
void engine_start(struct engine *e, void (*ready)(struct engine *e, int err, void *data),
                  void *data);

void engine_stop(struct engine *e); /* begins the ordered end; loop_stop(e->loop) when it is over */
void engine_delete(struct engine *e);

/* serve (engine_serve.c): listens and runs until a signal; the exit code. */
int engine_serve(struct engine *e, struct why *why);

/* jobs (engine_jobs.c) */
int engine_jobs_open(struct engine *e);
void engine_schedule(struct engine *e, struct script_set *set);

#endif
