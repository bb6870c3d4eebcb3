/* luwak serve: sockets in, signals, and the ordered end. */
#include "base/ensure.h"
#include "base/mem.h"
#include "data.h"
#include "loop/signals.h"
#include "script/script_set.h"
#include "serve/certificate_watch.h"
#include "serve/listen_fds.h"
#include "serve/operator.h"
#include "serve/pages.h"
#include "serve/plays.h"
#include "serve/worker.h"
#include "store/control.h"
#include "sys/log.h"
#include "sys/notify.h"

#include <signal.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_PATH_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

/* What comes after LUWAK_SHUTDOWN_WAIT: the store closes. */
enum { STOP_END_MS = 15000 };

struct serving {
    struct engine *engine;
    struct signals *signals;
    struct task drained;
    _Atomic int workers_left;
    uint64_t stop_by_ns; /* what is asked on the control socket may take so long */
    struct certificate_watch certificate;
    bool started;
    int err;
    struct why why;
};

static struct serving *serving; /* one server per process: signals are the process's */

/* ---- the control socket ---- */

static void answer_line(void *to, bool good, const char *text) {
    control_line(to, good, text);
}

static void answer_finish(void *to, int err, const char *text) {
    control_finish(to, err, text);
}

static void commanded(struct control_call *call, void *data) {
    struct engine *e = data;
    if (e->stopping) {
        control_finish(call, E_CLOSED, "the server is stopping");
        return;
    }
    log_info("command", L_TEXT("name", call->name), L_INT("arguments", (int64_t)call->count));
    operator_run(e, &(struct operator_call){.name = call->name,
                                            .args = call->args,
                                            .count = call->count,
                                            .line = answer_line,
                                            .finish = answer_finish,
                                            .to = call});
}

/* Without it the server serves all the same; only commands beside it are refused. */
static void open_control(struct engine *e) {
    char path[DATA_PATH_MAX];
    struct why why = {0};
    int err = data_socket(e->config, path, &why);
    if (err == 0 && strlen(path) >= SOCKET_PATH_MAX)
        err = why_set(&why, E_LIMIT, "%s: too long for a socket's path", path);
    if (err == 0)
        err = control_start(&e->control,
                            &(struct control_options){.path = path,
                                                      .version = LUWAK_VERSION,
                                                      .loop = e->loop,
                                                      .store = e->store,
                                                      .command = commanded,
                                                      .data = e},
                            &why);
    if (err != 0) log_warn("no_control_socket", L_TEXT("error", why.text));
}

/* ---- the end ---- */

static void signals_closed(void *data) {
    loop_stop(((struct engine *)data)->loop);
}

static void control_closed(void *data) {
    struct engine *e = data;
    e->control = NULL;
    signals_delete(serving->signals, signals_closed, e);
}

static uint64_t stop_left_ms(const struct engine *e) {
    uint64_t now = clock_mono_ns(loop_clock(e->loop));
    return now < serving->stop_by_ns ? (serving->stop_by_ns - now) / 1000000 : 0;
}

/* The last step on the main loop: with socket and signals gone it has nothing left to do. */
static void all_drained(struct task *task) {
    (void)task;
    certificate_watch_stop(&serving->certificate);
    struct engine *e = serving->engine;
    if (e->control != NULL)
        control_stop(e->control, stop_left_ms(e), control_closed, e);
    else
        control_closed(e);
}

static void worker_drained(struct worker *w) {
    if (atomic_fetch_sub(&serving->workers_left, 1) != 1) return;
    serving->drained.run = all_drained;
    loop_post(w->engine->loop, &serving->drained);
}

void engine_stop(struct engine *e) {
    if (e->stopping) return;
    e->stopping = true;
    uint64_t wait_ms = (uint64_t)config_number(e->config, SET_LUWAK_SHUTDOWN_WAIT);
    serving->stop_by_ns = clock_mono_ns(loop_clock(e->loop)) + wait_ms * 1000000u;
    if (serving->started) {
        char state[80]; /* the unit cannot know the setting, and would kill us before it is over */
        snprintf(state, sizeof state, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu",
                 (unsigned long long)(wait_ms + STOP_END_MS) * 1000);
        notify(state);
        log_info("stopping");
    }
    jobs_stop(e->jobs);
    plays_stop(e->plays);
    int running = 0;
    for (int i = 0; i < e->worker_count; i++)
        running += e->workers[i]->running;
    atomic_store(&serving->workers_left, running);
    if (running == 0) all_drained(NULL); /* it never got as far as listening */
    for (int i = 0; i < e->worker_count && running != 0; i++)
        if (e->workers[i]->running) worker_stop(e->workers[i], worker_drained);
}

static void told_to_stop(int number) {
    struct engine *e = serving->engine;
    if (e->stopping) { /* a second one: the operator means now */
        log_warn("stopped_at_once", L_INT("signal", number));
        _exit(1);
    }
    engine_stop(e);
}

static void told_to_reload(void) {
    struct engine *e = serving->engine;
    registry_look(e->registry);
    certificate_watch_now(&serving->certificate);
    log_info("reload");
}

static void signalled(int number, void *data) {
    (void)data;
    if (number == SIGHUP)
        told_to_reload();
    else
        told_to_stop(number);
}

static void address_of(const struct engine *e, char *out, size_t size) {
    if (http_server_address(e->workers[0]->server, out, size) != 0) snprintf(out, size, "?");
}

/* Opens what `w` listens on: what systemd gave us, else the address. */
static int listen_on(struct serving *s, struct worker *w, const char *address) {
    int err = 0;
    if (s->engine->inherited == 0) return worker_listen(w, address, &s->why);
    for (int i = 0; i < s->engine->inherited && err == 0; i++)
        err = worker_listen_fd(w, LISTEN_FDS_FIRST + i, &s->why);
    return err;
}

/* Bound before anything is loaded, so that a port in use is told at once; what connects meanwhile
 * waits in the backlog. Port 0: the first worker is given one, the others share it. */
static int listen_all(struct serving *s) {
    struct engine *e = s->engine;
    char first[128];
    int err = 0;
    for (int i = 0; i < e->worker_count && err == 0; i++) {
        const char *address = i == 0 ? config_text(e->config, SET_LUWAK_LISTEN) : first;
        err = listen_on(s, e->workers[i], address);
        if (err == 0 && i == 0) address_of(e, first, sizeof first);
    }
    if (err == 0) own_url_set(&e->url, e->config, first);
    if (err == 0) e->core.public_url = str_of(e->url.text); /* simulated: where it listens */
    return err;
}

/* An empty root serves, which is hardly what was meant. */
static void check_root(const struct engine *e) {
    static const char *const FOLDERS[] = {"channels", "scripts"};
    char missing[64] = "";
    for (size_t i = 0; i < ARRAY_LEN(FOLDERS); i++) {
        char path[sizeof e->root + 16];
        size_t n = strlen(missing);
        snprintf(path, sizeof path, "%s/%s", e->root, FOLDERS[i]);
        if (access(path, R_OK | X_OK) != 0)
            snprintf(missing + n, sizeof missing - n, "%s%s/", n == 0 ? "" : " ", FOLDERS[i]);
    }
    if (missing[0] != '\0')
        log_warn("root_incomplete", L_TEXT("root", e->root), L_TEXT("missing", missing),
                 L_TEXT("advice", "--root names the folder that holds channels/ and scripts/"));
}

static int64_t live_count(const struct engine *e) {
    const struct script_set *set = registry_set(e->registry);
    int64_t n = 0;
    for (size_t i = 0; i < set->count; i++)
        n += !set->entries[i].deleted;
    return n;
}

/* Last, so that a person finds it below the log. */
static void say_where(const struct engine *e, const char *address) {
    struct buf text = {0}, base = {0};
    buf_addf(&text, "listening on %s\n", address);
    buf_addf(&base, "%s://%s", e->tls != NULL ? "https" : "http", address);
    const struct script_entry *shop =
        script_set_find(registry_set(e->registry), KIND_PAGE, STR("shop"));
    if (e->simulated) page_banner(&text, shop != NULL && !shop->deleted, buf_str(&base));
    fwrite(text.data == NULL ? "" : text.data, 1, text.len, stdout);
    fflush(stdout);
    buf_free(&text);
    buf_free(&base);
}

static void started(struct engine *e, int err, void *data) {
    struct serving *s = data;
    if (e->stopping) return; /* told to stop while the scripts were loaded */
    if (err != 0) why_set(&s->why, err, "the scripts cannot be loaded: %s", err_text(err));
    check_root(e);
    for (int i = 0; i < e->worker_count && err == 0; i++)
        err = worker_run(e->workers[i]);
    if (err != 0 && s->why.code == 0) why_set(&s->why, err, "%s", err_text(err));
    s->err = err;
    s->started = err == 0;
    if (err != 0) {
        engine_stop(e);
        return;
    }
    certificate_watch_start(&s->certificate, e->loop, e->tls, e->config);
    open_control(e);
    char address[128];
    address_of(e, address, sizeof address);
    log_info("scripts_live", L_INT("count", live_count(e)));
    log_info("listening", L_TEXT("address", address), L_INT("workers", e->worker_count),
             L_TEXT("environment", e->workers[0]->services.environment));
    notify("READY=1");
    say_where(e, address);
}

int engine_serve(struct engine *e, struct why *why) {
    struct serving s = {.engine = e};
    serving = &s;
    static const int NUMBERS[] = {SIGTERM, SIGINT, SIGHUP, 0};
    int err = signals_new(&s.signals, e->loop, NUMBERS, signalled, NULL);
    if (err != 0) return why_set(why, err, "%s", err_text(err));
    s.err = listen_all(&s);
    if (s.err == 0)
        engine_start(e, started, &s);
    else
        engine_stop(e);
    loop_uv_run(e->loop);
    serving = NULL;
    if (s.err != 0 && why != NULL) *why = s.why;
    if (s.err == 0) log_info("stopped");
    return s.err;
}
