#include "serve/admin.h"

#include "base/json.h"
#include "base/mem.h"
#include "script/bind_docs.h"
#include "script/engine_paths.h"
#include "serve/pages.h"
#include "serve/sandbox_clock.h"
#include "serve/worker.h"
#include "sys/metrics.h"

#include <string.h>

static void answer(struct http_exchange *x, int status, const char *type, struct str body) {
    const struct http_header header = {STR("Content-Type"), str_of(type)};
    http_reply(x, status, &header, 1, body);
}

/* Alive: the loop turns. */
static void healthz(struct worker *w, struct http_exchange *x) {
    (void)w;
    answer(x, 200, "application/json", STR("{\"status\":\"ok\"}\n"));
}

/* Ready: scripts are loaded, the disk takes writes, we are not about to stop. */
static void readyz(struct worker *w, struct http_exchange *x) {
    struct store_stats stats;
    store_stats(w->engine->store, &stats);
    bool loaded = w->set != NULL, stopping = w->engine->stopping;
    struct buf body = {0};
    struct json_out j;
    json_out_init(&j, &body);
    json_begin_object(&j);
    json_put_text(&j, "status", loaded && !stats.full && !stopping ? "ready" : "not ready");
    json_put_bool(&j, "scripts", loaded);
    json_put_bool(&j, "store", !stats.full);
    json_put_bool(&j, "stopping", stopping);
    json_end_object(&j);
    json_out_end(&j);
    buf_addc(&body, '\n');
    answer(x, loaded && !stats.full && !stopping ? 200 : 503, "application/json", buf_str(&body));
    buf_free(&body);
}

static struct metric store_commits = {
    .name = "luwak_store_commits", .help = "Commits that are on disk", .type = METRIC_GAUGE};
static struct metric store_groups = {
    .name = "luwak_store_groups", .help = "Transactions that carried them", .type = METRIC_GAUGE};
static struct metric store_waiting = {.name = "luwak_store_waiting",
                                      .help = "Commits that wait for the writer",
                                      .type = METRIC_GAUGE};
static struct metric store_full = {
    .name = "luwak_store_full", .help = "1 while the disk takes no new work", .type = METRIC_GAUGE};

static struct metric store_cache = {.name = "luwak_store_cache_bytes",
                                    .help = "Pages of the data that the writer holds in memory",
                                    .type = METRIC_GAUGE};

static bool may_read_metrics(const struct worker *w, const struct http_exchange *x) {
    const char *token = config_text(w->engine->config, SET_LUWAK_METRICS_TOKEN);
    /* Behind a proxy on this machine everybody is 127.0.0.1. */
    if (token == NULL && config_env(w->engine->config) == ENV_PRODUCTION) return false;
    if (token == NULL) return strcmp(x->peer, "127.0.0.1") == 0 || strcmp(x->peer, "::1") == 0;
    struct str given = http_header(x, "authorization"), want = str_of(token);
    if (!str_starts(given, STR("Bearer ")) || given.n != want.n + 7) return false;
    unsigned char differs = 0;
    for (size_t i = 0; i < want.n; i++)
        differs |= (unsigned char)(given.p[i + 7] ^ want.p[i]);
    return differs == 0;
}

static void metrics(struct worker *w, struct http_exchange *x) {
    if (!may_read_metrics(w, x)) {
        admin_problem(x, PROBLEM_FORBIDDEN,
                      STR("metrics are for the bearer of LUWAK_METRICS_TOKEN; where it is not set, "
                          "for this machine, in production for nobody"),
                      NULL);
        return;
    }
    struct store_stats stats;
    store_stats(w->engine->store, &stats);
    metric_set(&store_commits, (int64_t)stats.commits, NULL);
    metric_set(&store_groups, (int64_t)stats.groups, NULL);
    metric_set(&store_waiting, (int64_t)stats.waiting, NULL);
    metric_set(&store_full, stats.full, NULL);
    metric_set(&store_cache, (int64_t)stats.cache_bytes, NULL);
    struct buf body = {0};
    metrics_write(&body);
    answer(x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&body));
    buf_free(&body);
}

static void answer_page(struct http_exchange *x, struct buf *body) {
    static const struct http_header HEADERS[] = {
        {STR("Content-Type"), STR("text/html; charset=utf-8")},
        {STR("Content-Security-Policy"), STR("default-src 'none'; style-src 'unsafe-inline'")},
        {STR("X-Content-Type-Options"), STR("nosniff")}};
    http_reply(x, body->err == 0 ? 200 : 503, HEADERS, 3, buf_str(body));
    buf_free(body);
}

static void index_page(struct worker *w, struct http_exchange *x) {
    struct buf body = {0}, base = {0};
    const char *url = config_text(w->engine->config, SET_LUWAK_PUBLIC_URL);
    struct str host = http_header(x, "host");
    if (url != NULL)
        buf_addstr(&base, (struct str){url, strlen(url) - str_ends(str_of(url), STR("/"))});
    else
        buf_addf(&base, "%s://%.*s", x->tls ? "https" : "http", STR_FMT(host));
    bool shop = worker_script(w, KIND_PAGE, STR("shop")) != NULL;
    page_index(&body, w->services.environment, w->engine->simulated, shop, buf_str(&base));
    if (base.err != 0) body.err = base.err;
    buf_free(&base);
    answer_page(x, &body);
}

static void docs_errors(struct worker *w, struct http_exchange *x) {
    (void)w;
    struct buf body = {0};
    page_errors(&body);
    answer_page(x, &body);
}

static void docs_scripts(struct worker *w, struct http_exchange *x) {
    (void)w;
    struct buf body = {0};
    docs_html(BIND_MODULES, &body);
    answer_page(x, &body);
}

static const struct page {
    const char *method;
    const char *path;
    void (*show)(struct worker *w, struct http_exchange *x);
    bool simulated; /* exists only there */
} PAGES[] = {
#define X(method, path, show, simulated) {method, path, show, simulated},
    ENGINE_PATHS(X)
#undef X
};

bool admin_handle(struct worker *w, struct http_exchange *x) {
    for (size_t i = 0; i < sizeof PAGES / sizeof PAGES[0]; i++) {
        const struct page *p = &PAGES[i];
        if (!str_eq(x->path, str_of(p->path)) || (p->simulated && !w->engine->simulated)) continue;
        bool head = str_eq(x->method, STR("HEAD")) && strcmp(p->method, "GET") == 0;
        if (head || str_eq(x->method, str_of(p->method))) {
            p->show(w, x);
        } else {
            struct http_header allow = {STR("Allow"), str_of(p->method)};
            admin_problem(x, PROBLEM_METHOD_NOT_ALLOWED, STR("this path does not take that method"),
                          &allow);
        }
        return true;
    }
    return false;
}
