/* luwak serve: sockets in, signals, and the ordered end. */
#include "base/ensure.h"
#include "base/mem.h"
#include "certificate_watch.h"
#include "listen_fds.h"
#include "sys/log.h"
#include "sys/notify.h"
#include "worker.h"

#include <signal.h>
#include <stdio.h>
#include <uv.h>

struct serving {
    struct engine *engine;
    uv_signal_t term, interrupt, hangup;
    int open_handles;
    struct task drained;
    _Atomic int workers_left;
    struct certificate_watch certificate;
    int inherited; /* sockets of the service manager */
    bool started;
    int err;
    struct why why;
};

static struct serving *serving; /* one server per process: signals are the process's */

static void closed(uv_handle_t *handle) {
    (void)handle;
    if (--serving->open_handles == 0) loop_stop(serving->engine->loop);
}

/* The last step on the main loop: with the signal handles gone it has nothing left to do. */
static void all_drained(struct task *task) {
    (void)task;
    certificate_watch_stop(&serving->certificate);
    uv_close((uv_handle_t *)&serving->term, closed);
    uv_close((uv_handle_t *)&serving->interrupt, closed);
    uv_close((uv_handle_t *)&serving->hangup, closed);
}

static void worker_drained(struct worker *w) {
    if (atomic_fetch_sub(&serving->workers_left, 1) != 1) return;
    serving->drained.run = all_drained;
    loop_post(w->engine->loop, &serving->drained);
}

void engine_stop(struct engine *e) {
    if (e->stopping) return;
    e->stopping = true;
    notify("STOPPING=1");
    log_info("stopping");
    jobs_stop(e->jobs);
    int running = 0;
    for (int i = 0; i < e->worker_count; i++)
        running += e->workers[i]->running;
    atomic_store(&serving->workers_left, running);
    if (running == 0) all_drained(NULL); /* it never got as far as listening */
    for (int i = 0; i < e->worker_count && running != 0; i++)
        if (e->workers[i]->running) worker_stop(e->workers[i], worker_drained);
}

static void told_to_stop(uv_signal_t *handle, int number) {
    (void)handle;
    struct engine *e = serving->engine;
    if (e->stopping) { /* a second one: the operator means now */
        log_warn("stopped_at_once", L_INT("signal", number));
        _exit(1);
    }
    engine_stop(e);
}

static void told_to_reload(uv_signal_t *handle, int number) {
    (void)handle, (void)number;
    struct engine *e = serving->engine;
    registry_look(e->registry);
    certificate_watch_now(&serving->certificate);
    log_info("reload");
}

static void open_signals(struct serving *s) {
    struct uv_loop_s *uv = loop_uv_handle(s->engine->loop);
    uv_signal_init(uv, &s->term);
    uv_signal_init(uv, &s->interrupt);
    uv_signal_init(uv, &s->hangup);
    s->open_handles = 3;
    uv_signal_start(&s->term, told_to_stop, SIGTERM);
    uv_signal_start(&s->interrupt, told_to_stop, SIGINT);
    uv_signal_start(&s->hangup, told_to_reload, SIGHUP);
}

static void address_of(const struct engine *e, char *out, size_t size) {
    if (http_server_address(e->workers[0]->server, out, size) != 0) snprintf(out, size, "?");
}

/* Opens what `w` listens on. Port 0: the first worker is given one, the others share it. */
static int listen_on(struct serving *s, struct worker *w, const char *address) {
    int err = 0;
    if (s->inherited == 0) return worker_listen(w, address, &s->why);
    for (int i = 0; i < s->inherited && err == 0; i++)
        err = worker_listen_fd(w, LISTEN_FDS_FIRST + i, &s->why);
    return err;
}

static void started(struct engine *e, int err, void *data) {
    struct serving *s = data;
    if (err == 0) {
        const char *listen = config_text(e->config, SET_LUWAK_LISTEN);
        char first[128];
        for (int i = 0; i < e->worker_count && err == 0; i++) {
            err = listen_on(s, e->workers[i], i == 0 ? listen : first);
            if (err == 0 && i == 0) address_of(e, first, sizeof first);
        }
        for (int i = 0; i < e->worker_count && err == 0; i++)
            err = worker_run(e->workers[i]);
    } else {
        why_set(&s->why, err, "the scripts cannot be loaded: %s", err_text(err));
    }
    s->err = err;
    s->started = err == 0;
    if (err != 0) {
        engine_stop(e);
        return;
    }
    certificate_watch_start(&s->certificate, e->loop, e->tls, e->config);
    char address[128];
    address_of(e, address, sizeof address);
    printf("listening on %s\n", address);
    fflush(stdout);
    log_info("listening", L_TEXT("address", address), L_INT("workers", e->worker_count),
             L_TEXT("environment", e->workers[0]->services.environment));
    notify("READY=1");
}

int engine_serve(struct engine *e, struct why *why) {
    struct serving s = {.engine = e, .inherited = listen_fds(why)};
    if (s.inherited < 0) return s.inherited;
    serving = &s;
    open_signals(&s);
    engine_start(e, started, &s);
    loop_uv_run(e->loop);
    serving = NULL;
    if (s.err != 0 && why != NULL) *why = s.why;
    if (s.err == 0) log_info("stopped");
    return s.err;
}
