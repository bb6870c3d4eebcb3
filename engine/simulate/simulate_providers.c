/* What a simulation knows of each provider: one table. How its simulator's books are read (what was
 * paid, taken back and refunded under each reference), which of our requests move money there, and
 * where its callbacks are heard. A new provider is one row; one whose row is missing, and a request
 * that no row names, fail the simulation: nothing goes unlooked at. */
#include "base/json.h"
#include "net/url.h"
#include "script/engine_paths.h"
#include "simulate/simulate_private.h"

#include <stdio.h>

/* In the readers, `doc` holds the simulators' documents (key, v: JSON) and `few` the numbers of the
 * things in a short list. */
#define REFUNDS(provider, documents, fields)                                                  \
    "SELECT '" provider "', " fields " FROM (SELECT v, v ->> ('$.refunds[' || i || ']') AS r" \
    " FROM doc, few WHERE key GLOB '" documents                                               \
    "' AND v ->> '$.refunded' > 0) WHERE r IS NOT NULL"

/* A refund that Midtrans knows as a cancel only. */
#define VOIDED                                                                           \
    " UNION ALL SELECT 'midtrans', v ->> '$.order_id', voided.reference, v ->> '$.paid'" \
    " FROM voided, doc WHERE key GLOB 'sandbox/midtrans:tx *' AND v ->> '$.paid' > 0"    \
    " AND v ->> '$.transaction_id' = voided.id AND v ->> '$.status' = 'cancel'"

static const struct sim_provider PROVIDERS[] = {
    {
        .name = "midtrans",
        .host = "midtrans.com",
        .documents = "sandbox/midtrans:[to][xr]*", /* tx and order */
        /* of one that its order does not name (it died in between) Midtrans knows nothing itself; what
         * a card brought and was cancelled is a refund where we say that it was ours */
        .money = "SELECT 'midtrans', v ->> '$.order_id', coalesce(v ->> '$.paid', 0), CASE WHEN"
                 " v ->> '$.status' = 'deny' OR v ->> '$.status' = 'cancel' AND NOT EXISTS"
                 " (SELECT 1 FROM voided WHERE id = v ->> '$.transaction_id')"
                 " THEN coalesce(v ->> '$.paid', 0) ELSE 0 END, CASE WHEN v ->> '$.transaction_id' "
                 "IN (SELECT v FROM doc WHERE key GLOB"
                 " 'sandbox/midtrans:order *') THEN v ->> '$.status' ELSE 'unknown' END"
                 " FROM doc WHERE key GLOB 'sandbox/midtrans:tx *'",
        .refunds = REFUNDS("midtrans", "sandbox/midtrans:tx *",
                           "v ->> '$.order_id', r ->> '$.key', r ->> '$.amount'") VOIDED,
        .open = "pending",
        .effects = {{"/v2/charge", "transaction_details.order_id"},
                    {"/snap/v1/transactions", "transaction_details.order_id"},
                    {"/refund", "refund_key"},
                    {"/refund/online/direct", "refund_key"}},
        .harmless = {"/cancel"},
        .words = {{"/callbacks/midtrans", "order_id", "transaction_status", "settlement deny"}},
        .priced = true,
        .takes_back = true,
        .unseen = {"midtrans_danamon_va"},
    },
    {
        .name = "xendit",
        .host = "api.xendit.co",
        .documents = "sandbox/xendit:tx *",
        .money = "SELECT 'xendit', v ->> '$.reference',"
                 " (SELECT coalesce(sum(v ->> ('$.payments[' || i || '].amount')), 0) FROM few"
                 " WHERE v ->> ('$.payments[' || i || '].status') IN ('paid', 'voided')),"
                 " (SELECT coalesce(sum(v ->> ('$.payments[' || i || '].amount')), 0) FROM few"
                 " WHERE v ->> ('$.payments[' || i || '].status') = 'voided'),"
                 " CASE WHEN v ->> '$.status' = 'paid' AND v ->> '$.failure' IS NOT NULL THEN"
                 " 'paid after it failed' ELSE v ->> '$.status' END"
                 " FROM doc WHERE key GLOB 'sandbox/xendit:tx *'",
        .refunds = REFUNDS("xendit", "sandbox/xendit:tx *",
                           "v ->> '$.reference', r ->> '$.reference', r ->> '$.amount'"),
        .open = "pending",
        .effects = {{"/payment_requests", "reference_id"},
                    {"/v2/invoices", "external_id"},
                    {"/refunds", "reference_id"}},
        .harmless = {"/expire", "/expire!"},
        .words = {{"/callbacks/xendit", "data.reference_id", "event",
                   "payment.succeeded payment.voided"},
                  {"/callbacks/xendit", "external_id", "status", "PAID"}},
        .priced = true,
        .takes_back = true,
    },
    {
        .name = "doku",
        .host = "doku.com",
        .documents = "sandbox/doku:order *",
        .money = "SELECT 'doku', v ->> '$.ref', coalesce(v ->> '$.paid', 0), 0, v ->> '$.status'"
                 " FROM doc WHERE key GLOB 'sandbox/doku:order *'",
        /* a card's refund bears no name that we gave it */
        .refunds = REFUNDS("doku", "sandbox/doku:order *",
                           "v ->> '$.ref', CASE v ->> '$.channel' WHEN 'CREDIT_CARD' THEN NULL"
                           " ELSE r ->> '$.key' END, r ->> '$.amount'"),
        .open = "PENDING",
        .effects = {{"/create-va", "trxId"},
                    {"/payment-host-to-host", "partnerReferenceNo"},
                    {"/qr-mpm-generate", "partnerReferenceNo"},
                    {"/credit-card/v1/payment-page", "order.invoice_number"},
                    {"/v2/payment-code", "order.invoice_number"},
                    {"/ovo-emoney/v1/payment", "order.invoice_number"},
                    {"/debit/refund", "partnerRefundNo"},
                    {"/qr-mpm-refund", "partnerRefundNo"},
                    {"/credit-card/refund", "@Request-Id"}},
        .harmless = {"/delete-va", "/qr-mpm-cancel"},
        .words = {{"/v1/transfer-va/payment", "trxId", NULL, NULL},
                  {"/v1.0/debit/notify", "originalPartnerReferenceNo", "latestTransactionStatus",
                   "00"},
                  {"/callbacks/doku", "order.invoice_number", "transaction.status", "SUCCESS"}},
        .priced = true,
        .mute = {"doku_card", "doku_qris"},
    },
    {
        .name = "demo",
        .host = "demo-wallet.example",
        .documents = "sandbox/demo:charge *",
        .money = "SELECT 'demo', v ->> '$.reference', CASE v ->> '$.status' WHEN 'PAID' THEN"
                 " v ->> '$.amount' ELSE 0 END, 0, v ->> '$.status' FROM doc"
                 " WHERE key GLOB 'sandbox/demo:charge *'",
        .open = "WAITING",
        .effects = {{"/v1/charges", "reference"}},
    },
    {
        /* The bank of our own numbers knows no reference of ours: each transfer has its own. */
        .name = "self",
        .documents = "sandbox/self:money *",
        .money = "SELECT 'self', v ->> '$.money_id', v ->> '$.amount', CASE v ->> '$.status' WHEN"
                 " 'reversed' THEN v ->> '$.amount' ELSE 0 END, (v ->> '$.status') || ' ' ||"
                 " coalesce(v ->> '$.facts.order_id', '-') FROM doc"
                 " WHERE key GLOB 'sandbox/self:money *'",
        .words = {{"/callbacks/self", "money_id", "status", "paid reversed"}},
        .by_money_id = true,
        .takes_back = true,
    },
    {.name = NULL},
};

const struct sim_provider *sim_provider(struct str name) {
    for (const struct sim_provider *p = PROVIDERS; p->name != NULL; p++)
        if (str_eq(str_of(p->name), name)) return p;
    return NULL;
}

const struct sim_provider *sim_provider_at(uint64_t number) {
    return &PROVIDERS[number % (sizeof PROVIDERS / sizeof PROVIDERS[0] - 1)];
}

/* ---- the books, as parts of a WITH ----
 * A list that is asked by IN begins with '', which nothing is, so that it is never empty. */

static void add_all(struct buf *sql, bool refunds) {
    const char *separator = "";
    for (const struct sim_provider *p = PROVIDERS; p->name != NULL; p++) {
        const char *text = refunds ? p->refunds : p->money;
        if (text == NULL) continue;
        buf_addf(sql, "%s%s", separator, text);
        separator = " UNION ALL ";
    }
}

static void add_documents(struct buf *sql) {
    const char *separator = "";
    for (const struct sim_provider *p = PROVIDERS; p->name != NULL; p++) {
        buf_addf(sql, "%skey GLOB '%s'", separator, p->documents);
        separator = " OR ";
    }
}

/* The accounts whose transfers are known by their own ids only. */
static void add_by_money_id(struct buf *sql) {
    const char *separator = "";
    for (const struct sim_provider *p = PROVIDERS; p->name != NULL; p++)
        if (p->by_money_id) {
            buf_addf(sql, "%s'%s'", separator, p->name);
            separator = ", ";
        }
}

void sim_provider_books(struct buf *sql) {
    buf_adds(sql, "few (i) AS (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)),"
                  " doc AS MATERIALIZED (SELECT key, CAST(value AS TEXT) AS v FROM kv WHERE ");
    add_documents(sql);
    /* What was cancelled at Midtrans and is a refund of ours that stands: the first of an order's with
     * the first of as much, and so on, for a page can be paid again. */
    buf_adds(sql,
             "), gone AS (SELECT v ->> '$.transaction_id' AS id, v ->> '$.order_id' AS charge,"
             " v ->> '$.paid' AS amount, row_number() OVER (PARTITION BY v ->> '$.order_id',"
             " v ->> '$.paid' ORDER BY key) AS k FROM doc WHERE key GLOB"
             " 'sandbox/midtrans:tx *' AND v ->> '$.payment_type' = 'credit_card' AND"
             " v ->> '$.status' = 'cancel'), given AS (SELECT a.reference AS charge, x.amount,"
             " x.reference, row_number() OVER (PARTITION BY a.reference, x.amount ORDER BY x.id)"
             " AS k FROM operation x JOIN operation a ON a.payment = x.payment AND a.kind ="
             " 'create' AND a.account = 'midtrans' WHERE x.kind = 'refund' AND x.account ="
             " 'midtrans' AND x.status <> 'failed'), voided (id, reference) AS MATERIALIZED"
             " (SELECT gone.id, given.reference FROM gone JOIN given USING (charge, amount, k)),"
             " theirs (account, reference, paid, back, status) AS MATERIALIZED (");
    add_all(sql, false);
    buf_adds(sql, "), their_refunds (account, charge, reference, amount) AS MATERIALIZED (");
    add_all(sql, true);
    buf_adds(sql, "), ours AS MATERIALIZED (SELECT m.account, CASE WHEN m.account IN (");
    add_by_money_id(sql);
    buf_adds(sql, ") THEN m.money_id ELSE o.reference END AS reference, m.amount AS paid,"
                  " coalesce((SELECT v.amount FROM reversal v WHERE v.account = m.account AND"
                  " v.money_id = m.money_id), 0) AS back, p.order_id, p.status FROM movement m"
                  " LEFT JOIN operation o ON o.id = m.operation LEFT JOIN payment p"
                  " ON p.id = m.payment), mute (script) AS (VALUES ('')");
    for (const struct sim_provider *p = PROVIDERS; p->name != NULL; p++)
        for (size_t i = 0; i < SIM_FEW && p->mute[i] != NULL; i++)
            buf_addf(sql, ", ('channels/%s.lua')", p->mute[i]);
    buf_adds(sql, "), unseen (script) AS (VALUES ('')");
    for (const struct sim_provider *p = PROVIDERS; p->name != NULL; p++)
        for (size_t i = 0; i < SIM_FEW && p->unseen[i] != NULL; i++)
            buf_addf(sql, ", ('channels/%s.lua')", p->unseen[i]);
    buf_adds(sql, "), open (account, status) AS (VALUES ('', '')");
    for (const struct sim_provider *p = PROVIDERS; p->name != NULL; p++)
        if (p->open != NULL) buf_addf(sql, ", ('%s', '%s')", p->name, p->open);
    buf_adds(sql, "), priced (account) AS (VALUES ('')");
    for (const struct sim_provider *p = PROVIDERS; p->name != NULL; p++)
        if (p->priced) buf_addf(sql, ", ('%s')", p->name);
    buf_adds(sql, ")");
}

/* ---- what is sent and told ---- */

/* The text at "data.reference_id"; empty where there is none. */
static void text_at(const struct json *at, const char *path, char *out, size_t size) {
    char name[64];
    struct str text = STR("");
    for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
        at = json_get(at, name);
    }
    (void)json_get_str(at, path, &text);
    snprintf(out, size, "%.*s", STR_FMT(text));
}

static void header_of(const struct http_header *headers, size_t count, const char *name, char *out,
                      size_t size) {
    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(headers[i].name, str_of(name)))
            snprintf(out, size, "%.*s", STR_FMT(headers[i].value));
}

static struct str path_of(struct str target) {
    struct str path, query;
    str_cut(target, '?', &path, &query);
    return path;
}

/* The row of a host, or of a path of ours below /sandbox; NULL: of none. */
static const struct sim_provider *called(const struct sim_request *request, struct str *path) {
    struct str rest, name;
    struct url url;
    if (str_starts(request->url, STR(ENGINE_SANDBOX))) {
        size_t n = sizeof ENGINE_SANDBOX - 1;
        str_cut(str_sub(request->url, n, request->url.n), '/', &name, &rest);
        *path = path_of(str_sub(request->url, n + name.n, request->url.n));
        return sim_provider(name);
    }
    if (url_parse(&url, request->url, NULL) != 0) return NULL;
    *path = path_of(url.target);
    for (const struct sim_provider *p = PROVIDERS; p->name != NULL; p++)
        if (p->host != NULL && str_ends(str_of(url.host), str_of(p->host))) return p;
    return NULL;
}

const struct sim_provider *sim_provider_called(const struct sim_request *request) {
    struct str path;
    return called(request, &path);
}

enum sim_effect sim_effect_of(const struct sim_request *request, char *name, size_t size) {
    struct json_doc doc;
    struct str path;
    const struct sim_provider *p = called(request, &path);
    for (size_t i = 0; p != NULL && i < SIM_FEW && p->harmless[i] != NULL; i++)
        if (str_ends(path, str_of(p->harmless[i]))) return SIM_MOVES_NOTHING;
    for (size_t i = 0; p != NULL && i < SIM_EFFECTS && p->effects[i].path != NULL; i++) {
        const struct sim_effect_row *e = &p->effects[i];
        if (!str_ends(path, str_of(e->path))) continue;
        if (e->name[0] == '@') {
            header_of(request->headers, request->header_count, e->name + 1, name, size);
            return SIM_MOVES_MONEY;
        }
        if (json_parse(&doc, request->body, NULL, NULL) != 0)
            return SIM_MOVES_NOTHING; /* no memory */
        text_at(doc.root, e->name, name, size);
        json_doc_free(&doc);
        return SIM_MOVES_MONEY;
    }
    return SIM_UNHEARD_OF;
}

static bool has_word(const char *words, const char *word) {
    size_t n = strlen(word);
    for (const char *at = words; n != 0 && (at = strstr(at, word)) != NULL; at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0')) return true;
    return false;
}

bool sim_word_of(struct str path, struct str body, struct sim_word *out) {
    struct json_doc doc;
    bool here = false, parsed = false;
    *out = (struct sim_word){0};
    for (const struct sim_provider *p = PROVIDERS; p->name != NULL; p++)
        for (size_t i = 0; i < SIM_FEW && p->words[i].path != NULL; i++) {
            const struct sim_word_row *w = &p->words[i];
            if (!str_eq(path, str_of(w->path)) || out->about[0] != '\0') continue;
            here = true;
            if (!parsed && json_parse(&doc, body, NULL, NULL) != 0) return true;
            parsed = true;
            text_at(doc.root, w->about, out->about, sizeof out->about);
            if (w->word != NULL) text_at(doc.root, w->word, out->word, sizeof out->word);
            out->money = w->money == NULL || has_word(w->money, out->word);
        }
    if (parsed) json_doc_free(&doc);
    return here;
}
