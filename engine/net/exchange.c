/* exchange: see exchange.h. */
#include "net/exchange.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "net/url.h"

#include <stdio.h>

static bool is_token_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool header_name_ok(struct str name) {
    for (size_t i = 0; i < name.n; i++)
        if (!is_token_char(name.p[i])) return false;
    return name.n != 0;
}

bool header_value_ok(struct str value) {
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

const struct http_header *header_find(const struct http_header *headers, size_t count,
                                      const char *name) {
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(headers[i].name, str_of(name))) return &headers[i];
    return NULL;
}

/* These say how the message is framed or where it goes; a script that sets one could make the far
 * side see another request than we think we sent. */
static bool belongs_to_transport(struct str name) {
    static const char *const NAMES[] = {"host",    "content-length", "transfer-encoding",
                                        "te",      "trailer",        "connection",
                                        "upgrade", "keep-alive",     "expect"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (str_eq_nocase(name, str_of(NAMES[i]))) return true;
    return name.n >= 6 && str_eq_nocase(str_sub(name, 0, 6), STR("proxy-"));
}

int out_check(const struct http_out *out, struct why *why) {
    struct url url;
    if (out->method.n == 0 || out->method.n > 16)
        return why_set(why, E_SYNTAX, "a method of 1 to 16 letters is needed");
    for (size_t i = 0; i < out->method.n; i++)
        if (out->method.p[i] < 'A' || out->method.p[i] > 'Z')
            return why_set(why, E_SYNTAX, "the method must be in capital letters");
    if (str_eq(out->method, STR("CONNECT")) || str_eq(out->method, STR("TRACE")))
        return why_set(why, E_SYNTAX, "method %.*s is not allowed", STR_FMT(out->method));
    int err = url_parse(&url, out->url, why);
    if (err != 0) return err;
    if (out->effect && out->follow_redirects)
        return why_set(why, E_SYNTAX, "an effect request never follows redirects");
    if (out->header_count > OUT_HEADERS_MAX)
        return why_set(why, E_SYNTAX, "more than %d headers", OUT_HEADERS_MAX);
    size_t total = 0;
    for (size_t i = 0; i < out->header_count; i++) {
        struct http_header h = out->headers[i];
        if (!header_name_ok(h.name))
            return why_set(why, E_SYNTAX, "header %zu: the name is no token", i + 1);
        if (!header_value_ok(h.value))
            return why_set(why, E_SYNTAX, "header %.*s: control bytes in the value",
                           STR_FMT(h.name));
        if (belongs_to_transport(h.name))
            return why_set(why, E_SYNTAX, "header %.*s is set by the engine alone",
                           STR_FMT(h.name));
        total += h.name.n + h.value.n;
    }
    if (total > OUT_HEADER_BYTES_MAX)
        return why_set(why, E_SYNTAX, "more than %d bytes of headers", OUT_HEADER_BYTES_MAX);
    return 0;
}

/* ---- copies ---- */

static struct str put(struct buf *b, struct str s) {
    struct str at = {b->data + b->len, s.n};
    buf_add(b, s.p, s.n);
    buf_addc(b, '\0'); /* the parts serve as C strings too */
    return at;
}

static const char *put_text(struct buf *b, const char *text) {
    return text == NULL ? NULL : put(b, str_of(text)).p;
}

/* All bytes are reserved first, so that the views into the buffer stay where they are. */
int out_copy(struct out_copy *copy, const struct http_out *out) {
    *copy = (struct out_copy){.out = *out, .bytes.secret = true};
    struct http_out *o = &copy->out;
    const char **const texts[] = {&o->ca_file, &o->pinned_key, &o->client_cert, &o->client_key,
                                  &o->networks};
    size_t need = out->method.n + out->url.n + out->body.n + out->label.n + 4, hosts = 0;
    for (size_t i = 0; i < out->header_count; i++)
        need += out->headers[i].name.n + out->headers[i].value.n + 2;
    for (; out->hosts != NULL && out->hosts[hosts] != NULL; hosts++)
        need += strlen(out->hosts[hosts]) + 1;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        need += *texts[i] == NULL ? 0 : strlen(*texts[i]) + 1;

    copy->headers = mem_array(out->header_count, sizeof *copy->headers);
    copy->hosts = out->hosts == NULL ? NULL : mem_array(hosts + 1, sizeof *copy->hosts);
    if (copy->headers == NULL || (out->hosts != NULL && copy->hosts == NULL) ||
        buf_reserve(&copy->bytes, need) == NULL) {
        out_copy_free(copy);
        return E_NOMEM;
    }
    struct buf *b = &copy->bytes;
    o->method = put(b, out->method);
    o->url = put(b, out->url);
    o->body = put(b, out->body);
    o->label = put(b, out->label);
    for (size_t i = 0; i < out->header_count; i++)
        copy->headers[i] = (struct http_header){.name = put(b, out->headers[i].name),
                                                .value = put(b, out->headers[i].value)};
    for (size_t i = 0; i < hosts; i++)
        copy->hosts[i] = put_text(b, out->hosts[i]);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = put_text(b, *texts[i]);
    ENSURE(b->err == 0 && b->len == need);
    o->headers = copy->headers;
    o->hosts = copy->hosts;
    if (o->connect_ms == 0) o->connect_ms = OUT_CONNECT_MS;
    if (o->total_ms == 0) o->total_ms = OUT_TOTAL_MS;
    if (o->response_max == 0) o->response_max = OUT_RESPONSE_MAX;
    return 0;
}

void out_copy_free(struct out_copy *copy) {
    buf_free(&copy->bytes);
    mem_free(copy->headers);
    mem_free(copy->hosts);
    *copy = (struct out_copy){0};
}

int answer_add_header(struct answer_copy *a, struct str name, struct str value) {
    if (a->count == a->cap) {
        size_t cap = a->cap == 0 ? 16 : a->cap * 2;
        size_t *marks = mem_realloc(a->marks, cap * 3 * sizeof *marks);
        if (marks == NULL) return E_NOMEM;
        a->marks = marks;
        struct http_header *headers = mem_realloc(a->headers, cap * sizeof *headers);
        if (headers == NULL) return E_NOMEM;
        a->headers = headers;
        a->cap = cap;
    }
    size_t *mark = a->marks + 3 * a->count;
    mark[0] = a->head.len;
    for (size_t i = 0; i < name.n; i++)
        buf_addc(&a->head,
                 name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i]);
    mark[1] = a->head.len;
    buf_addstr(&a->head, value);
    mark[2] = a->head.len;
    if (a->head.err != 0) return a->head.err;
    a->count++;
    return 0;
}

void answer_seal(struct answer_copy *a) {
    struct str all = buf_str(&a->head);
    for (size_t i = 0; i < a->count; i++) {
        const size_t *mark = a->marks + 3 * i;
        a->headers[i].name = str_sub(all, mark[0], mark[1]);
        a->headers[i].value = str_sub(all, mark[1], mark[2]);
    }
    a->answer.headers = a->headers;
    a->answer.header_count = a->count;
    a->answer.body = buf_str(&a->body);
}

void answer_clear_headers(struct answer_copy *a) {
    a->count = 0;
    buf_clear(&a->head);
}

void answer_free(struct answer_copy *a) {
    buf_free(&a->head);
    buf_free(&a->body);
    mem_free(a->headers);
    mem_free(a->marks);
    *a = (struct answer_copy){0};
}

void answer_fail(struct http_answer *a, int err, const char *name, const char *format, ...) {
    va_list args;
    va_start(args, format);
    a->err = err;
    a->status = 0;
    snprintf(a->name, sizeof a->name, "%s", name);
    vsnprintf(a->text, sizeof a->text, format, args);
    va_end(args);
}
