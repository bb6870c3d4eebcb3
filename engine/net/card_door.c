/* See card_door.h. The order is path, query, headers, body; the first number found is told. */
#include "net/card_door.h"

#include "base/ensure.h"
#include "base/form.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pan.h"

#include <string.h>
#include <strings.h>

/* Fields whose values are long numbers that are no cards, without the '_' and '-' in their names
 * and in lower case, so that orderId, order_id and Order-Id are one. What providers' own shapes call
 * the same things is here too: their doors (/v2, /snap/v1 ...) take the same merchants' requests. */
static const struct str EXEMPT[] = {
    /* the merchant's own and the provider's references */
    STR("orderid"),
    STR("reference"),
    STR("referenceid"),
    STR("referenceno"),
    STR("referencenumber"),
    STR("externalid"),
    STR("partnerreferenceno"),
    STR("originalpartnerreferenceno"),
    STR("originalreferenceno"),
    STR("transactionid"),
    STR("trxid"),
    STR("invoicenumber"),
    STR("paymentid"),
    STR("idempotencykey"),
    STR("xexternalid"),
    /* virtual accounts, bills, retail codes, bank accounts */
    STR("va"),
    STR("vanumber"),
    STR("virtualaccount"),
    STR("virtualaccountno"),
    STR("virtualaccountnumber"),
    STR("customerno"),
    STR("bill"),
    STR("billkey"),
    STR("billnumber"),
    STR("billno"),
    STR("billercode"),
    STR("paymentcode"),
    STR("accountnumber"),
    STR("accountno"),
    STR("bankaccountnumber"),
    STR("beneficiaryaccountno"),
    /* goods, and what a provider gave in place of a card */
    STR("sku"),
    STR("ean"),
    STR("gtin"),
    STR("barcode"),
    STR("tokenid"),
    STR("savedtokenid"),
    /* people */
    STR("nik"),
    STR("npwp"),
    STR("phone"),
    STR("phonenumber"),
    STR("phoneno"),
    STR("mobile"),
    STR("mobilenumber"),
    STR("msisdn"),
};

/* Headers that a machine fills: digests and trace ids, where a run of digits is chance. Those of
 * Datadog are random numbers of up to 19 decimal digits, of which about two in a hundred read as a
 * card: a shop that traces its calls would have as many refused. No person types into any of these,
 * and we write none of them anywhere; X-Request-Id, from a proxy, is looked at where it is taken. */
static const struct str EXEMPT_HEADERS[] = {
    STR("authorization"),
    STR("x-signature"),
    STR("content-length"),
    /* W3C, Datadog, B3, Google, Amazon, Sentry, Jaeger, New Relic */
    STR("traceparent"),
    STR("tracestate"),
    STR("x-datadog-trace-id"),
    STR("x-datadog-parent-id"),
    STR("x-b3-traceid"),
    STR("x-b3-spanid"),
    STR("x-b3-parentspanid"),
    STR("b3"),
    STR("x-cloud-trace-context"),
    STR("x-amzn-trace-id"),
    STR("sentry-trace"),
    STR("uber-trace-id"),
    STR("newrelic"),
    STR("x-request-id"),
    STR("x-correlation-id"),
};

enum { NAME_MAX = 32 };

static bool is_exempt(struct str name) {
    char plain[NAME_MAX];
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c == '_' || c == '-') continue;
        if (n == sizeof plain) return false;
        plain[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    for (size_t i = 0; i < ARRAY_LEN(EXEMPT); i++)
        if (str_eq((struct str){plain, n}, EXEMPT[i])) return true;
    return false;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool holds(struct str text) {
    size_t from, to;
    return pan_find(text, &from, &to);
}

/* Names a field that is refused; a name that holds a number itself is not repeated. */
static int found(struct str name, char param[CARD_PARAM_SIZE]) {
    size_t n = name.n < CARD_PARAM_SIZE ? name.n : CARD_PARAM_SIZE - 1;
    if (n != 0) memcpy(param, name.p, n);
    param[n] = '\0';
    if (holds(name)) param[0] = '\0';
    return E_DENIED;
}

static int check_field(struct str name, struct str value, char *param) {
    return holds(name) || (holds(value) && !is_exempt(name)) ? found(name, param) : 0;
}

/* ---- forms and queries ---- */

/* E_SYNTAX: it is none. `values`: what is no pair, and names, are not looked at. */
static int check_form(struct str text, bool values, struct buf *scratch, char *param) {
    struct form_iter it = form_iter(text);
    struct form_pair pair;
    int more;
    while ((more = form_next(&it, &pair)) == 1) {
        buf_clear(scratch);
        int err = form_decode(pair.name, true, scratch);
        size_t n = scratch->len;
        if (err == 0) err = form_decode(pair.value, true, scratch);
        if (scratch->err != 0) return E_NOMEM;
        if (err != 0) return E_SYNTAX;
        struct str both = buf_str(scratch), name = str_sub(both, 0, n);
        struct str value = str_sub(both, n, both.n);
        if (values)
            err = holds(value) && !is_exempt(name) ? found(name, param) : 0;
        else
            err = check_field(name, value, param);
        if (err != 0) return err;
    }
    return more == 0 ? 0 : E_SYNTAX;
}

static int check_query(const struct http_exchange *x, struct buf *scratch, char *param) {
    int err = check_form(x->query, false, scratch, param);
    return err == E_SYNTAX ? (holds(x->query) ? found(STR("query"), param) : 0) : err;
}

/* ---- JSON ---- */

struct walk {
    struct json_reader reader;
    struct buf *scratch;
    char *param;
    /* The way to what is being read, "customer.name", and for each depth how much of it leads there.
     * Items of a list stand under the list's own name, and are exempt with it. */
    char path[CARD_PARAM_SIZE];
    size_t end[JSON_DEPTH + 1];
    bool exempt[JSON_DEPTH + 1];
};

static int text_of(struct walk *w, struct str *out) {
    *out = w->reader.raw;
    if (!w->reader.escaped) return 0;
    buf_clear(w->scratch);
    char *room = buf_reserve(w->scratch, out->n);
    if (room == NULL) return E_NOMEM;
    *out = (struct str){room, json_unescape(*out, room)};
    return 0;
}

static int refuse(struct walk *w, size_t path) {
    return found(path == 0 ? STR("body") : (struct str){w->path, path}, w->param);
}

static int on_key(struct walk *w, int depth) {
    struct str key;
    if (text_of(w, &key) != 0) return E_NOMEM;
    size_t n = w->end[depth - 1];
    if (holds(key)) return refuse(w, n);
    w->exempt[depth] = is_exempt(key);
    if (n != 0 && n < sizeof w->path) w->path[n++] = '.';
    if (key.n > sizeof w->path - n) key.n = sizeof w->path - n;
    if (key.n != 0) memcpy(w->path + n, key.p, key.n);
    w->end[depth] = n + key.n;
    return 0;
}

/* 4.111111111111111e15 is read as the number by whoever reads floats. */
static bool exponent_holds(struct str number) {
    char digits[64];
    size_t n = 0;
    if (memchr(number.p, 'e', number.n) == NULL && memchr(number.p, 'E', number.n) == NULL)
        return false;
    for (size_t i = 0; i < number.n && number.p[i] != 'e' && number.p[i] != 'E'; i++) {
        if (!is_digit(number.p[i]) || (n == 0 && number.p[i] == '0')) continue;
        if (n == sizeof digits) return false;
        digits[n++] = number.p[i];
    }
    while (n > 0 && digits[n - 1] == '0') /* which the exponent gives or takes */
        n--;
    for (; n <= 19; digits[n++] = '0')
        if (pan_is((struct str){digits, n})) return true;
    return false;
}

static int on_scalar(struct walk *w, int depth, int token) {
    struct str value = w->reader.raw;
    if (w->exempt[depth]) return 0;
    if (token == JSON_NUMBER && exponent_holds(value)) return refuse(w, w->end[depth]);
    if (token == JSON_STRING && text_of(w, &value) != 0) return E_NOMEM;
    return holds(value) ? refuse(w, w->end[depth]) : 0;
}

/* E_SYNTAX: it is none, or too deep. */
static int check_json(struct str text, struct buf *scratch, char *param) {
    struct walk w = {.scratch = scratch, .param = param};
    json_reader_init(&w.reader, text, NULL);
    for (int err = 0; err == 0;) {
        int token = json_next(&w.reader, NULL), depth = w.reader.depth;
        if (token < 0) return E_SYNTAX;
        if (token == JSON_END) break;
        if (token == JSON_OBJECT || token == JSON_ARRAY) {
            w.end[depth] = w.end[depth - 1];
            w.exempt[depth] = token == JSON_ARRAY && w.exempt[depth - 1];
        } else if (token == JSON_KEY) {
            err = on_key(&w, depth);
        } else if (token == JSON_STRING || token == JSON_INT || token == JSON_NUMBER) {
            err = on_scalar(&w, depth, token);
        }
        if (err != 0) return err;
    }
    return 0;
}

/* ---- the whole ---- */

static bool says_form(const struct http_exchange *x) {
    static const struct str FORM = STR("application/x-www-form-urlencoded");
    struct str type = http_header(x, "content-type");
    return type.n >= FORM.n && strncasecmp(type.p, FORM.p, FORM.n) == 0;
}

/* Whether the text, read as JSON or as a form, may say what it does not show. Where it does not, a
 * number in any of its fields is one in the whole: what stands around a name or a value there (a
 * quote, a colon, a comma, '&', '=') divides numbers as the end of a text does. */
static bool may_hide(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\\' || c == '%' || c == '+') return true;
        if ((c == 'e' || c == 'E') && i > 0 && is_digit(text.p[i - 1]))
            return true; /* an exponent */
    }
    return false;
}

/* By what it may be read as, not by what it says it is: a handler may read a form as JSON, and any
 * text as a form. Only one that says it is a form, and is, has fields that are exempt. */
static int check_body(const struct http_exchange *x, struct buf *scratch, char *param) {
    if (!holds(x->body) && !may_hide(x->body)) return 0;
    int err = check_json(x->body, scratch, param);
    if (err == 0) { /* a page may read it as a form all the same: {"a":"&name=value&"} */
        err = check_form(x->body, true, scratch, param);
        return err == E_SYNTAX ? 0 : err;
    }
    if (err != E_SYNTAX) return err;
    bool text = !says_form(x);
    if (text && holds(x->body)) return found(STR("body"), param);
    err = check_form(x->body, false, scratch, param);
    if (err == E_SYNTAX) err = !text && holds(x->body) ? found(STR("body"), param) : 0;
    return err;
}

static int check_headers(const struct http_exchange *x, char *param) {
    for (size_t i = 0; i < x->header_count; i++) {
        struct str name = x->headers[i].name;
        bool exempt = false;
        for (size_t k = 0; k < ARRAY_LEN(EXEMPT_HEADERS) && !exempt; k++)
            exempt = str_eq(name, EXEMPT_HEADERS[k]);
        int err = exempt ? 0 : check_field(name, x->headers[i].value, param);
        if (err != 0) return err;
    }
    return 0;
}

int card_door_check(const struct http_exchange *x, const struct route_match *match,
                    char param[CARD_PARAM_SIZE]) {
    struct buf scratch = {0};
    int err = 0;
    param[0] = '\0';
    for (size_t i = 0; err == 0 && i < match->param_count; i++)
        err = check_field(match->params[i].name, match->params[i].value, param);
    if (err == 0) err = check_query(x, &scratch, param);
    if (err == 0) err = check_headers(x, param);
    if (err == 0 && x->body.n != 0) err = check_body(x, &scratch, param);
    buf_free(&scratch);
    return err;
}
