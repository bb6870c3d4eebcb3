/* luwak listen: a merchant's events as they happen, for a developer at a terminal: printed and, if
 * asked, posted to a URL as a webhook would be, signed with a secret that lasts as long as the
 * command. It hears of events through the control socket of the server, so it costs no request of
 * the merchant's. One event at a time, in order; what the receiver answers is shown, nothing is sent
 * again.
 *
 *     find the merchant -> where its events stand -> read on -> post and print one -> read on ...
 *
 * Ends with 0 on Ctrl-C, with 1 when the server goes away. */
#include "base/ensure.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "cli/cmd.h"
#include "core/event.h"
#include "core/merchant.h"
#include "core/person.h"
#include "core/webhook.h"
#include "engine.h"
#include "loop/signals.h"
#include "net/http_client.h"
#include "net/url.h"

#include <signal.h>
#include <stdio.h>

enum { LISTEN_PAGE = 20, LISTEN_LOOK_MS = 2000 };

struct listening {
    const struct cli_args *args;
    struct engine *engine;
    const struct core *core;
    const char *forward; /* or NULL */
    char merchant[ID_SIZE];
    char secret[WEBHOOK_SECRET_SIZE];
    struct signals *signals;
    struct transport *client;
    struct store_listener listener;
    struct timer look;
    int64_t after;
    bool reading, ended;
    struct rows *rows; /* being shown */
    size_t at;
    char id[ID_SIZE];
    int code;
};

static void end(struct listening *l, int code) {
    if (l->ended) return;
    l->ended = true;
    l->code = code;
    loop_stop(l->engine->loop);
}

/* ---- one event ---- */

static void next(struct listening *l);

static void show(struct listening *l, const char *came) {
    const struct rows *r = l->rows;
    struct buf line = {0};
    int err = 0;
    if (cli_flag(l->args, "json")) {
        struct buf json = {0};
        err = event_json(r, l->at, &json);
        if (err == 0) err = customer_fill(l->core, buf_str(&json), &line);
        buf_free(&json);
    } else {
        (void)time_format(rows_int(r, l->at, 5), STR("rfc3339"), ZONE_WIB, &line);
        buf_addf(&line, "  %lld  %.*s  %.*s  %s%s%s", (long long)rows_int(r, l->at, 1),
                 STR_FMT(rows_text(r, l->at, 2)), STR_FMT(rows_text(r, l->at, 3)), l->id,
                 came[0] == '\0' ? "" : "  -> ", came);
    }
    if (err == 0) err = line.err;
    if (err != 0)
        (void)cli_fail(l->args, CLI_PROBLEMS, "%s cannot be shown: %s", l->id, err_text(err));
    else
        printf("%.*s\n", STR_FMT(buf_str(&line)));
    buf_free(&line);
    if (cli_flag(l->args, "json") && came[0] != '\0') fprintf(stderr, "%s -> %s\n", l->id, came);
    if (fflush(stdout) != 0) end(l, CLI_PROBLEMS); /* nobody reads */
    l->after = rows_int(r, l->at, 1);
    l->at++;
    next(l);
}

static void forwarded(const struct http_answer *a, void *data) {
    struct listening *l = data;
    char came[256];
    if (l->ended) return;
    if (a->err == 0)
        snprintf(came, sizeof came, "%d in %llu ms", a->status,
                 (unsigned long long)(a->took_us / 1000));
    else
        snprintf(came, sizeof came, "%s: %s", a->name, a->text);
    show(l, came);
}

static int forward(struct listening *l) {
    struct buf json = {0}, body = {0}, signature = {0};
    char timestamp[24];
    int64_t now = l->core->clock->wall(l->core->clock) / 1000;
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)now);
    int err = event_webhook_json(l->rows, l->at, &json);
    if (err == 0) err = customer_fill(l->core, buf_str(&json), &body);
    if (err == 0)
        err = webhook_sign_key(str_of(l->secret), str_of(l->id), now, buf_str(&body), &signature);
    const struct http_header headers[] = {{STR("Content-Type"), STR("application/json")},
                                          {STR("User-Agent"), STR("Luwak")},
                                          {STR("webhook-id"), str_of(l->id)},
                                          {STR("webhook-timestamp"), str_of(timestamp)},
                                          {STR("webhook-signature"), buf_str(&signature)}};
    const struct http_out out = {
        .method = STR("POST"),
        .url = str_of(l->forward),
        .headers = headers,
        .header_count = sizeof headers / sizeof headers[0],
        .body = buf_str(&body),
        .total_ms = (uint32_t)config_number(l->engine->config, SET_PAYMENT_WEBHOOK_TIMEOUT),
        .private_ok = true, /* the developer's own machine, named by the developer */
        .label = STR("listen")};
    struct http_call *call;
    if (err == 0) err = l->client->start(l->client, &out, forwarded, l, &call);
    buf_free(&json);
    buf_free(&body);
    buf_free(&signature);
    return err;
}

/* ---- reading on ---- */

static void read_on(struct listening *l);

static void next(struct listening *l) {
    if (l->ended) return;
    if (l->at == rows_count(l->rows)) {
        bool more = l->at == LISTEN_PAGE;
        rows_free(l->rows);
        l->rows = NULL;
        l->reading = false;
        if (more) read_on(l);
        return;
    }
    event_id_make(l->id, rows_int(l->rows, l->at, 5), rows_int(l->rows, l->at, 0),
                  rows_int(l->rows, l->at, 1));
    int err = l->forward == NULL ? 0 : forward(l);
    if (l->forward == NULL)
        show(l, "");
    else if (err != 0)
        show(l, err_text(err));
}

static void events_known(int err, const struct why *why, struct rows *rows, void *data) {
    struct listening *l = data;
    if (l->ended || err != 0) {
        rows_free(rows);
        l->reading = false;
        if (!l->ended)
            end(l, cli_fail(l->args, CLI_PROBLEMS, "the server does not answer any more: %s",
                            why->text));
        return;
    }
    l->rows = rows;
    l->at = 0;
    next(l);
}

static void read_on(struct listening *l) {
    if (l->reading || l->ended) return;
    l->reading = true;
    store_query(l->core->store, "merchant_events",
                VALS(V_TEXT(l->merchant), V_INT(l->after), V_INT(LISTEN_PAGE)), l->engine->loop,
                events_known, l);
}

static void heard(struct store_listener *self, struct str topic, int64_t sequence) {
    struct listening *l = CONTAINER_OF(self, struct listening, listener);
    if (str_eq(topic, str_of(l->merchant)) && sequence > l->after) read_on(l);
}

/* So that a server that went away is noticed, and an event that came between two reads. */
static void look(struct timer *timer) {
    struct listening *l = CONTAINER_OF(timer, struct listening, look);
    read_on(l);
    timer_start(l->engine->loop, timer, LISTEN_LOOK_MS, look);
}

/* ---- the command ---- */

static int find_merchant(struct listening *l, struct why *why) {
    const char *key = cli_option(l->args, "key");
    struct caller caller = {0};
    struct rows *rows = NULL;
    if (key == NULL && !l->engine->simulated)
        return why_set(why, E_USAGE, "whose events? name an API key with --key");
    int err = api_key_find(l->core, str_of(key == NULL ? "sk_test_demo" : key), &caller);
    snprintf(l->merchant, sizeof l->merchant, "%s", caller.merchant);
    caller_free(&caller);
    if (err == E_NOTFOUND || err == E_DENIED)
        return why_set(why, err, "--key: no merchant has this key, or it is revoked");
    if (err == 0) err = store_get(l->core->store, "topic_head", VALS(V_TEXT(l->merchant)), &rows);
    if (err != 0) return why_set(why, err, "%s", err_text(err));
    l->after = rows_count(rows) == 0 ? 0 : rows_int(rows, 0, 0);
    rows_free(rows);
    return 0;
}

static struct listening *interrupted; /* signals are the process's */

static void told_to_stop(int number, void *data) {
    (void)number, (void)data;
    end(interrupted, CLI_GOOD);
}

static int no_server(const struct config *config, struct why *why) {
    return why_set(why, E_CONNECT, "no server runs on %s; start one with luwak serve",
                   config_text(config, SET_LUWAK_DATA));
}

static int begin(struct listening *l, struct why *why) {
    static const int NUMBERS[] = {SIGTERM, SIGINT, 0};
    int err = l->engine->remote ? find_merchant(l, why) : no_server(l->engine->config, why);
    if (err != 0) return err;
    interrupted = l;
    err = signals_new(&l->signals, l->engine->loop, NUMBERS, told_to_stop, NULL);
    const struct http_client_options o = {
        .loop = l->engine->loop, .ca_file = config_text(l->engine->config, SET_LUWAK_CA_FILE)};
    if (err == 0) err = http_client_new(&l->client, &o);
    if (err == 0) err = webhook_secret(l->core->rng, l->secret);
    if (err != 0) return why_set(why, err, "%s", err_text(err));
    l->listener = (struct store_listener){.loop = l->engine->loop, .heard = heard};
    store_listen(l->core->store, &l->listener);
    timer_start(l->engine->loop, &l->look, 0, look);
    FILE *to = cli_flag(l->args, "json") ? stderr : stdout;
    fprintf(to, "listening to events of %s", l->merchant);
    if (l->forward != NULL)
        fprintf(to, ", forwarding to %s\nsigned with %s", l->forward, l->secret);
    fprintf(to, "\n");
    fflush(to);
    return 0;
}

static void signals_closed(void *data) {
    loop_stop(((struct listening *)data)->engine->loop);
}

static void finish(struct listening *l) {
    timer_stop(&l->look);
    if (l->listener.heard != NULL) store_unlisten(l->core->store, &l->listener);
    if (l->signals != NULL) {
        signals_delete(l->signals, signals_closed, l);
        loop_uv_run(l->engine->loop);
    }
    if (l->client != NULL) l->client->destroy(l->client);
    rows_free(l->rows);
    mem_wipe(l->secret, sizeof l->secret);
}

static int check_forward(struct listening *l, struct why *why) {
    struct url url;
    l->forward = cli_option(l->args, "forward");
    if (l->forward == NULL || url_parse(&url, str_of(l->forward), why) == 0) return 0;
    why_prefix(why, "--forward: ");
    return E_USAGE;
}

int cmd_listen(const struct cli_args *args) {
    struct config *config = NULL;
    struct why why = {0};
    struct listening l = {.args = args};
    int err = check_forward(&l, &why);
    if (err != 0) return cli_fail(args, CLI_USAGE, "%s", why.text);
    int code = cli_config(args, true, &config);
    if (code == 0) code = cmd_setup(args, config);
    if (code == 0) {
        const struct engine_options o = {.config = config, .mode = ENGINE_TOOL, .beside = true};
        /* asked first: without one the engine would make a database */
        bool there = data_command(config, "ping", NULL, 0, NULL, &why) != E_CONNECT;
        why = (struct why){0};
        err = there ? 0 : no_server(config, &why);
        if (err == 0) err = engine_new(&l.engine, &o, &why);
        if (err == 0) {
            l.core = &l.engine->core;
            err = begin(&l, &why);
            if (err == 0) loop_uv_run(l.engine->loop);
            finish(&l);
            code = l.code;
        }
        if (err != 0)
            code = cli_fail(args, err == E_USAGE ? CLI_USAGE : CLI_PROBLEMS, "%s", why.text);
        engine_delete(l.engine);
    }
    config_free(config);
    return code;
}
