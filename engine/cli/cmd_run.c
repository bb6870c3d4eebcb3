/* luwak run FILE: one call of a tool's `run` in an engine of its own.
 *
 *   script built, arguments parsed --> data: a server's, the directory's, or a copy (--dry-run)
 *       --> scripts loaded --> run(args, say) --> loop stopped --> exit code
 *
 * With --dry-run the engine works on a copy, and requests other than GET and HEAD end as not sent.
 * The first Ctrl-C cancels the call, which undoes what it waits for; the second ends the process.
 */
#include "base/ensure.h"
#include "base/mem.h"
#include "cli/cmd.h"
#include "loop/signals.h"
#include "net/exchange.h"
#include "net/redact.h"
#include "net/replay.h"
#include "script/dispatch_private.h"
#include "script/tool.h"
#include "serve/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { EXIT_INTERRUPTED = 130, SHOWN_MAX = 2000 };

/* ---- a transport that sends nothing that could have an effect ---- */

struct unsent { /* a request that was shown in place of being sent */
    struct unsent *next;
    struct timer timer;
    http_answer_cb done;
    void *data;
    struct dry_transport *dry;
};

struct dry_transport {
    struct transport base;
    struct transport *inner;
    struct loop *loop;
    struct say *say;
    struct unsent *first;
    int shown;
};

static void unsent_free(struct unsent *u) {
    struct unsent **at = &u->dry->first;
    while (*at != u)
        at = &(*at)->next;
    *at = u->next;
    timer_stop(&u->timer);
    mem_free(u);
}

static void unsent_fired(struct timer *timer) {
    struct unsent *u = CONTAINER_OF(timer, struct unsent, timer);
    struct http_answer answer = {0};
    answer_fail(&answer, E_DENIED, "dry_run", "dry run: the request was shown, not sent");
    http_answer_cb done = u->done;
    void *data = u->data;
    unsent_free(u);
    done(&answer, data);
}

static void show(struct dry_transport *dry, const struct http_out *out) {
    struct buf text = {0};
    buf_addf(&text, "would send: %.*s ", STR_FMT(out->method));
    redact_text(out->url, NULL, &text);
    say_line(dry->say, buf_str(&text));
    buf_clear(&text);
    if (out->body.n != 0) {
        buf_adds(&text, "            ");
        redact_text(str_sub(out->body, 0, out->body.n < SHOWN_MAX ? out->body.n : SHOWN_MAX), NULL,
                    &text);
        say_line(dry->say, buf_str(&text));
    }
    buf_free(&text);
    dry->shown++;
}

static int dry_start(struct transport *t, const struct http_out *out, http_answer_cb done,
                     void *data, struct http_call **call) {
    struct dry_transport *dry = CONTAINER_OF(t, struct dry_transport, base);
    bool asks = str_eq(out->method, STR("GET")) || str_eq(out->method, STR("HEAD"));
    if (asks && !out->effect) return dry->inner->start(dry->inner, out, done, data, call);
    struct unsent *u = mem_zalloc(sizeof *u);
    if (u == NULL) return E_NOMEM;
    show(dry, out);
    *u = (struct unsent){.next = dry->first, .done = done, .data = data, .dry = dry};
    dry->first = u;
    timer_start(dry->loop, &u->timer, 0, unsent_fired);
    *call = (struct http_call *)u;
    return 0;
}

static void dry_cancel(struct transport *t, struct http_call *call) {
    struct dry_transport *dry = CONTAINER_OF(t, struct dry_transport, base);
    for (struct unsent *u = dry->first; u != NULL; u = u->next) {
        if ((struct http_call *)u != call) continue;
        unsent_free(u);
        return;
    }
    dry->inner->cancel(dry->inner, call);
}

static void dry_destroy(struct transport *t) {
    (void)t; /* lies in cmd_run's frame; the inner one is the worker's */
}

/* ---- the call ---- */

struct run {
    const struct cli_args *args;
    struct engine *engine;
    struct version *version;
    struct tool_args tool;
    struct say say;
    struct dry_transport dry;
    struct call_context context;
    struct ticket ticket;
    struct signals *signals;
    bool running, ran, interrupted;
    int code;
};

static void closed(void *data) {
    struct run *r = data;
    r->signals = NULL;
    loop_stop(r->engine->loop);
}

static void stop(struct run *r, int code) {
    r->code = code;
    r->running = false;
    say_end(&r->say);
    signals_delete(r->signals, closed, r);
}

static void interrupted(int number, void *data) {
    struct run *r = data;
    if (r->interrupted || !r->running) _exit(EXIT_INTERRUPTED);
    (void)number;
    r->interrupted = true;
    script_cancel(r->ticket);
}

static int push(lua_State *L, void *data) {
    const struct run *r = CONTAINER_OF(data, struct run, context);
    return tool_push(L, &r->tool);
}

/* Did something go wrong in a script? Then the error begins with a place that the stack trace knows,
 * and the trace is of use. Others are words for the operator, whatever file they speak of. */
static bool is_placed(const char *text) {
    struct str line, trace;
    str_cut(str_of(text), '\n', &line, &trace);
    ptrdiff_t at = str_search(line, STR(".lua:"));
    if (at < 0) return false;
    size_t begin = (size_t)at + strlen(".lua:"), end = begin;
    while (end < line.n && line.p[end] >= '0' && line.p[end] <= '9')
        end++;
    return end != begin && str_search(trace, str_sub(line, 0, end)) >= 0;
}

static void done(const struct call_result *result, void *data) {
    struct run *r = CONTAINER_OF(data, struct run, context);
    say_end(&r->say);
    if (r->interrupted) {
        cli_fail(r->args, 0, "interrupted");
    } else if (result->outcome != CALL_RETURNED) {
        const char *text = result->text == NULL ? "cancelled" : result->text;
        fprintf(stderr, "luwak %s: %.*s\n", r->args->command->name,
                (int)(is_placed(text) ? strlen(text) : strcspn(text, "\n")), text);
    }
    stop(r, r->interrupted                     ? EXIT_INTERRUPTED
            : result->outcome == CALL_RETURNED ? CLI_GOOD
                                               : CLI_PROBLEMS);
}

static void loaded(struct engine *e, int err, void *data) {
    struct run *r = data;
    static const char *const ENTRY[] = {"run", NULL};
    struct worker *w = e->workers[0];
    call_context_init(&r->context, &w->services, r->version, STR(""));
    r->context.say = &r->say;
    const struct call call = {
        .version = r->version, .entry = ENTRY, .data = &r->context, .push = push, .done = done};
    r->running = true;
    if (err == 0) err = script_call(w->runtime, &call, &r->ticket);
    r->ran = err == 0;
    if (err != 0) stop(r, cli_fail(r->args, CLI_PROBLEMS, "%s", err_text(err)));
}

static int run_loop(struct run *r, struct why *why) {
    static const int NUMBERS[] = {SIGINT, SIGTERM, 0};
    int err = signals_new(&r->signals, r->engine->loop, NUMBERS, interrupted, r);
    if (err != 0) return why_set(why, err, "%s", err_text(err));
    engine_start(r->engine, loaded, r);
    loop_uv_run(r->engine->loop);
    return 0;
}

/* ---- around it ---- */

static void set_say(struct say *say) {
    struct winsize size = {0};
    *say = (struct say){.out = stdout, .err = stderr, .terminal = isatty(STDERR_FILENO) == 1};
    if (say->terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0) say->width = size.ws_col;
    if (say->width == 0) say->width = 80;
}

/* What the script is given: all behind FILE; or, of a command that is a script, its arguments and
 * those of its options that set nothing of ours. */
struct given {
    const char *path;
    const char **argv;
    size_t count;
    char *texts[CLI_OPTIONS_MAX];
    size_t text_count;
};

static int give(struct given *g, const struct cli_args *args) {
    const struct cli_command *command = args->command;
    size_t skip = command->tool == NULL ? 1 : 0;
    g->path = skip ? args->args[0] : command->tool;
    g->argv = mem_array(args->count + CLI_OPTIONS_MAX, sizeof *g->argv);
    if (g->argv == NULL) return E_NOMEM;
    for (size_t i = skip; i < args->count; i++)
        g->argv[g->count++] = args->args[i];
    for (size_t i = 0; !skip && command->options[i].name != NULL; i++) {
        const struct cli_option *o = &command->options[i];
        if (o->setting != NO_SETTING || args->option[i] == NULL) continue;
        struct buf text = {0};
        buf_addf(&text, "--%s", o->name);
        if (o->placeholder != NULL) buf_addf(&text, "=%s", args->option[i]);
        char *copy = text.err == 0 ? mem_strdup(text.data) : NULL;
        buf_free(&text);
        if (copy == NULL) return E_NOMEM;
        g->texts[g->text_count++] = copy;
        g->argv[g->count++] = copy;
    }
    return 0;
}

static void given_free(struct given *g) {
    for (size_t i = 0; i < g->text_count; i++)
        mem_free(g->texts[i]);
    mem_free(g->argv);
}

static bool wants_help(const struct given *g) {
    for (size_t i = 0; i < g->count; i++)
        if (strcmp(g->argv[i], "--help") == 0) return true;
    return false;
}

static int print_help(const struct run *r) {
    struct buf out = {0};
    tool_help(r->version->manifest, r->args->args[0], &out);
    fwrite(out.data == NULL ? "" : out.data, 1, out.len, stdout);
    buf_free(&out);
    return fflush(stdout) == 0 ? CLI_GOOD : CLI_PROBLEMS;
}

static int run_engine(struct run *r, const struct config *config, const char *root) {
    struct why why = {0};
    char copy[DATA_PATH_MAX] = "";
    struct transport *recorder = NULL;
    bool own = r->args->command->tool != NULL, dry = !own && cli_flag(r->args, "dry-run");
    const char *record = own ? NULL : cli_option(r->args, "record");
    struct engine_options o = {
        .config = config, .mode = ENGINE_TOOL, .root = root, .beside = !dry, .data = NULL};
    int err = dry ? data_copy(config, copy, &why) : 0;
    if (dry) o.data = copy;
    if (err == 0) err = engine_new(&r->engine, &o, &why);
    if (err == 0) {
        struct script_services *s = &r->engine->workers[0]->services;
        static const struct str NO_SECRETS[] = {{0}};
        if (record != NULL)
            err = transport_record_new(&recorder, s->transport, record, NO_SECRETS, &why);
        if (recorder != NULL) s->transport = recorder;
        r->dry = (struct dry_transport){.base = {dry_start, dry_cancel, dry_destroy},
                                        .inner = s->transport,
                                        .loop = r->engine->loop,
                                        .say = &r->say};
        if (dry) s->transport = &r->dry.base;
    }
    if (err == 0) err = run_loop(r, &why);
    if (err != 0) r->code = cli_fail(r->args, CLI_PROBLEMS, "%s", why.text);
    if (recorder != NULL && transport_record_error(recorder) != 0)
        r->code = cli_fail(r->args, CLI_PROBLEMS, "%s: not all exchanges were written", record);
    if (dry && r->ran) /* however it ended: what it has said was not done */
        fprintf(stderr, "dry run: nothing was changed, %d request(s) not sent\n", r->dry.shown);
    if (recorder != NULL) recorder->destroy(recorder);
    engine_delete(r->engine);
    if (copy[0] != '\0') data_temporary_remove(copy);
    return r->code;
}

/* A command that is a script looks at data: it makes none where there is none. */
static int data_check(const struct cli_args *args, const struct config *config) {
    if (args->command->tool == NULL || data_there(config)) return 0;
    return cli_fail(args, CLI_PROBLEMS,
                    "there is no database in %s; name its directory with --data",
                    config_text(config, SET_LUWAK_DATA));
}

int cmd_run(const struct cli_args *args) {
    struct run *r = mem_zalloc(sizeof *r);
    struct config *config = NULL;
    struct given given = {0};
    struct why why = {0};
    char root[CLI_PATH_MAX];
    bool own = args->command->tool != NULL;
    int code = 0;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* through a pipe, too, each line is seen as it comes */
    if (r == NULL || give(&given, args) != 0) code = cli_fail(args, CLI_PROBLEMS, "out of memory");
    if (code == 0) {
        r->args = args;
        set_say(&r->say);
    }
    if (code == 0 && !own && access(given.path, R_OK) != 0)
        code = cli_fail(args, CLI_PROBLEMS, "%s: %s", given.path, strerror(errno));
    if (code == 0) code = cli_config(args, false, &config);
    if (code == 0) code = cmd_setup(args, config);
    if (code == 0 && cli_root(config, root, &why) != 0)
        code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    if (code == 0 && tool_load(&r->version, root, given.path, own, &why) != 0)
        code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    if (code == 0 && wants_help(&given)) {
        code = print_help(r);
    } else if (code == 0 && tool_parse(&r->tool, &r->version->manifest->args, given.argv,
                                       given.count, &why) != 0) {
        code = cli_fail(args, CLI_USAGE, "%s", why.text);
    } else if (code == 0 && config_check(config, true, &why) != 0) {
        code = cli_fail(args, CLI_USAGE, "%s", why.text);
    } else if (code == 0 && (code = data_check(args, config)) == 0) {
        code = run_engine(r, config, root);
    }
    if (r != NULL && r->version != NULL) version_drop(r->version);
    config_free(config);
    given_free(&given);
    mem_free(r);
    return code;
}
