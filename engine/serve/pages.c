/* The engine's own pages for people: where things are, and what the error codes mean. */
#include "serve/pages.h"

#include "net/problem.h"

static const char HEAD[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
    "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 "
    "1rem;"
    "color:#222;background:#fff}code{background:#f3f3f3;padding:.1em "
    ".3em}pre{white-space:pre-wrap;overflow-wrap:anywhere}table{border-collapse:"
    "collapse}td,th{text-align:left;padding:.3em 1em .3em 0;border-bottom:1px solid #ddd}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}code{background:#2a2a2a}"
    "td,th{border-color:#333}a{color:#8bf}}</style>";

/* What a person can copy: the text is a client's, so it is escaped. */
static void add_escaped(struct buf *out, struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '&': buf_adds(out, "&amp;"); break;
        case '<': buf_adds(out, "&lt;"); break;
        case '>': buf_adds(out, "&gt;"); break;
        case '"': buf_adds(out, "&quot;"); break;
        case '\'': buf_adds(out, "&#39;"); break;
        default: buf_addc(out, s.p[i]);
        }
    }
}

/* A payment to try, for a shell. */
#define PAYMENT                                            \
    "'{\"order_id\":\"o-1\",\"amount\":150000,\"method\":" \
    "\"virtual_account\",\"bank\":\"self\"}'"

static void add_command(struct buf *out, const char *before, struct str base, const char *after) {
    buf_adds(out, "<pre><code>");
    add_escaped(out, str_of(before));
    add_escaped(out, base);
    add_escaped(out, str_of(after));
    buf_adds(out, "</code></pre>");
}

void page_index(struct buf *out, const char *environment, bool simulated, bool shop,
                struct str base) {
    buf_adds(out, HEAD);
    buf_addf(out,
             "<title>Luwak</title><h1>Luwak</h1><p>A scriptable payment engine, serving in "
             "<strong>%s</strong> mode.</p><ul>"
             "<li><a href=\"/docs\">The merchant API</a>, <a "
             "href=\"/openapi.json\">openapi.json</a></li>"
             "<li><a href=\"/docs/scripts\">What scripts can call</a></li>"
             "<li><a href=\"/docs/errors\">Error codes</a></li>"
             "<li><a href=\"/healthz\">/healthz</a>, <a href=\"/readyz\">/readyz</a>, "
             "<a href=\"/metrics\">/metrics</a></li></ul>",
             environment);
    if (!simulated) return;
    if (shop)
        buf_adds(out, "<h2><a href=\"/shop\">The example shop</a></h2><p>Fill a basket, pay at the "
                      "checkout, and see the webhook arrive.</p>");
    buf_adds(out, "<h2>Try</h2><p>Ask for a payment:</p>");
    add_command(out, "curl -u sk_test_demo: --json " PAYMENT " ", base, "/v1/payments");
    buf_adds(out, "<p>Be the one who pays it:</p>");
    add_command(out, "curl --json '{\"pay\":\"o-1\"}' ", base, "/sandbox/self/_control");
    buf_adds(out, "<p>See what became of it:</p>");
    add_command(out, "curl -u sk_test_demo: '", base, "/v1/payments?order_id=o-1'");
    buf_adds(out, "<p>The providers' stand-ins, with what was made there and a button to pay it: "
                  "<a href=\"/sandbox/midtrans/\">Midtrans</a>, "
                  "<a href=\"/sandbox/xendit/\">Xendit</a>, "
                  "<a href=\"/sandbox/doku/\">DOKU</a>, "
                  "<a href=\"/sandbox/demo/\">Demo Wallet</a>, "
                  "<a href=\"/sandbox/self/\">our own virtual accounts</a>. Move the clock:</p>");
    add_command(out, "curl -d '{\"advance\":\"5m\"}' ", base, "/sandbox/_clock");
    buf_adds(out, "<p>Edit <code>scripts/api/ping.lua</code> and ask <a href=\"/v1/ping\">"
                  "/v1/ping</a> again: no restart.</p>");
}

void page_banner(struct buf *out, bool shop, struct str base) {
    if (shop)
        buf_addf(out, "\n  Open   %.*s/shop  a basket, the checkout, a webhook\n         %.*s/\n",
                 STR_FMT(base), STR_FMT(base));
    else
        buf_addf(out, "\n  Open   %.*s/\n", STR_FMT(base));
    buf_addf(out,
             "         %.*s/sandbox/midtrans/  .../sandbox/xendit/\n"
             "         .../sandbox/doku/  .../sandbox/demo/  .../sandbox/self/\n"
             "  Try    curl -u sk_test_demo: --json " PAYMENT " %.*s/v1/payments\n"
             "         curl --json '{\"pay\":\"o-1\"}' %.*s/sandbox/self/_control\n"
             "         curl -u sk_test_demo: '%.*s/v1/payments?order_id=o-1'\n"
             "         curl -d '{\"advance\":\"24h\"}' %.*s/sandbox/_clock\n"
             "  Edit   scripts/api/ping.lua, and curl -i %.*s/v1/ping\n"
             "  End    Ctrl-C\n\n",
             STR_FMT(base), STR_FMT(base), STR_FMT(base), STR_FMT(base), STR_FMT(base),
             STR_FMT(base));
}

void page_errors(struct buf *out) {
    static const struct {
        const char *name;
        int status;
        const char *title;
    } CODES[] = {
#define X(code, status, title) {#code, status, title},
        PROBLEM_MAP(X)
#undef X
    };
    buf_adds(out, HEAD);
    buf_adds(out, "<title>Errors</title><h1>Errors</h1><p>Every error is a problem document "
                  "(RFC 9457) with one of these codes; <code>param</code> names the field, "
                  "<code>request_id</code> is in our log.</p>"
                  "<table><tr><th>code<th>status<th>meaning");
    for (size_t i = 0; i < sizeof CODES / sizeof CODES[0]; i++)
        buf_addf(out, "<tr id=\"%s\"><td><code>%s</code><td>%d<td>%s", CODES[i].name, CODES[i].name,
                 CODES[i].status, CODES[i].title);
    buf_adds(out, "</table>");
}
