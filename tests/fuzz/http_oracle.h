/* Our request parser and libhttp-parser side by side, for the unit suite and the fuzzer.
 *
 * What we accept libhttp-parser must accept, with the same method, target, fields, body and end.
 * Exceptions, each its own limit: methods that it does not list; fields whose name only begins with
 * "transfer-encoding" (it takes them for that); a tab behind the value of Content-Length or
 * Transfer-Encoding (blanks it lets pass, RFC 9110 allows both). CONNECT and Upgrade would end HTTP there; `upgrade` is taken
 * back, for we ignore both. */
#ifndef LUWAK_TESTS_HTTP_ORACLE_H
#define LUWAK_TESTS_HTTP_ORACLE_H

#include "net/http_parse.h"

#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct http_parse_limits ORACLE_LIMITS = {16384, 4096, 64, 1 << 20};

struct ours {
    struct http_parse p;
    char *buf; /* head, then the body decoded in place, as the server does it */
    size_t body, body_len;
    size_t taken; /* bytes of this request */
};

/* Feeds data in pieces that end at `cuts` (sorted), then the rest; or byte by byte (cuts NULL). */
static inline void ours_run(struct ours *o, const char *data, size_t n, const size_t *cuts,
                            size_t count) {
    http_parse_init(&o->p, &ORACLE_LIMITS);
    o->buf = malloc(n + 1);
    if (o->buf == NULL) abort();
    if (n != 0) memcpy(o->buf, data, n);
    o->body = o->body_len = o->taken = 0;
    size_t steps = cuts == NULL ? n : count + 1;
    for (size_t i = 0; i < steps; i++) {
        size_t end = cuts == NULL ? i + 1 : i < count ? cuts[i] : n;
        if (o->p.phase == PARSE_HEAD) {
            http_parse_head(&o->p, o->buf, end);
            o->taken = o->body = o->p.at;
        }
        if (o->p.phase == PARSE_BODY) {
            size_t made;
            o->taken += http_parse_body(&o->p, o->buf + o->taken, end - o->taken,
                                        o->buf + o->body + o->body_len, &made);
            o->body_len += made;
        }
    }
}

static inline void ours_free(struct ours *o) {
    free(o->buf);
}

static inline bool ours_same(const struct ours *a, const struct ours *b) {
    if (a->p.phase != b->p.phase || a->p.status != b->p.status || a->taken != b->taken)
        return false;
    if (a->p.phase == PARSE_BAD) return strcmp(a->p.why, b->p.why) == 0;
    if (a->p.phase != PARSE_DONE) return true;
    if (a->body != b->body || a->body_len != b->body_len) return false;
    if (memcmp(a->buf, b->buf, a->body + a->body_len) != 0) return false;
    if (a->p.keep_alive != b->p.keep_alive || a->p.path_len != b->p.path_len ||
        a->p.wants_continue != b->p.wants_continue)
        return false;
    return a->p.field_count == b->p.field_count &&
           memcmp(a->p.fields, b->p.fields, a->p.field_count * sizeof a->p.fields[0]) == 0;
}

struct theirs {
    http_parser p;
    const struct ours *ours;
    const char *wrong; /* first difference */
    size_t url, body;  /* bytes seen */
    size_t field;      /* number of the current one */
    size_t in_field, in_value;
    bool value_last, trailing, done;
};

static inline struct theirs *theirs_of(http_parser *p) {
    return (struct theirs *)((char *)p - offsetof(struct theirs, p));
}
static inline int theirs_note(struct theirs *t, bool same, const char *what) {
    if (!same && t->wrong == NULL) t->wrong = what;
    return 0;
}

static inline int theirs_url(http_parser *p, const char *at, size_t n) {
    struct theirs *t = theirs_of(p);
    const struct ours *o = t->ours;
    bool same = t->url + n <= o->p.target_len && memcmp(o->buf + o->p.target + t->url, at, n) == 0;
    t->url += n;
    return theirs_note(t, same, "target");
}

static inline int theirs_field(http_parser *p, const char *at, size_t n) {
    struct theirs *t = theirs_of(p);
    const struct ours *o = t->ours;
    if (t->trailing) return 0;
    if (t->value_last) {
        t->field++;
        t->in_field = t->in_value = 0;
        t->value_last = false;
    }
    if (t->field >= o->p.field_count) return theirs_note(t, false, "more fields");
    const struct http_field *f = &o->p.fields[t->field];
    bool same = t->in_field + n <= f->name_len;
    for (size_t i = 0; same && i < n; i++) {
        char c = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] + 32) : at[i];
        same = o->buf[f->name + t->in_field + i] == c;
    }
    t->in_field += n;
    return theirs_note(t, same, "field name");
}

static inline int theirs_value(http_parser *p, const char *at, size_t n) {
    struct theirs *t = theirs_of(p);
    const struct ours *o = t->ours;
    if (t->trailing) return 0;
    t->value_last = true;
    if (t->field >= o->p.field_count) return 0;
    const struct http_field *f = &o->p.fields[t->field];
    bool same = true;
    for (size_t i = 0; same && i < n; i++) {
        size_t k = t->in_value + i; /* it keeps the blanks behind a value */
        same = k < f->value_len ? o->buf[f->value + k] == at[i] : at[i] == ' ' || at[i] == '\t';
    }
    t->in_value += n;
    return theirs_note(t, same, "field value");
}

static inline int theirs_head(http_parser *p) {
    struct theirs *t = theirs_of(p);
    const struct ours *o = t->ours;
    const char *method = http_method_str((enum http_method)p->method);
    p->upgrade = 0;
    theirs_note(t, t->url == o->p.target_len, "length of the target");
    theirs_note(t,
                strlen(method) == o->p.method_len &&
                    memcmp(method, o->buf + o->p.method, o->p.method_len) == 0,
                "method");
    theirs_note(t, t->field + (t->value_last || t->in_field != 0) == o->p.field_count,
                "number of fields");
    theirs_note(t, p->http_major == 1 && p->http_minor == (o->p.minor_one ? 1 : 0), "version");
    t->trailing = true;
    return 0;
}

static inline int theirs_body(http_parser *p, const char *at, size_t n) {
    struct theirs *t = theirs_of(p);
    const struct ours *o = t->ours;
    bool same = t->body + n <= o->body_len && memcmp(o->buf + o->body + t->body, at, n) == 0;
    t->body += n;
    return theirs_note(t, same, "body");
}

static inline int theirs_done(http_parser *p) {
    struct theirs *t = theirs_of(p);
    t->done = true;
    http_parser_pause(p, 1);
    return 0;
}

static inline bool oracle_misnamed(const struct ours *o) {
    for (size_t i = 0; i < o->p.field_count; i++) {
        const struct http_field *f = &o->p.fields[i];
        if (f->name_len > 17 && memcmp(o->buf + f->name, "transfer-encoding", 17) == 0) return true;
    }
    return false;
}

static inline bool oracle_tabbed(const struct ours *o, const char *name) {
    for (size_t i = 0; i < o->p.field_count; i++) {
        const struct http_field *f = &o->p.fields[i];
        const char *end = o->buf + f->value + f->value_len;
        if (f->name_len != strlen(name) || memcmp(o->buf + f->name, name, f->name_len) != 0)
            continue;
        while (*end == ' ')
            end++;
        if (*end == '\t') return true;
    }
    return false;
}

/* NULL: both agree, or it is one of the exceptions. Only for what we accepted. */
static inline const char *oracle_differs(const struct ours *o, const char *data) {
    struct theirs t = {.ours = o};
    http_parser_settings settings;
    http_parser_settings_init(&settings);
    settings.on_url = theirs_url;
    settings.on_header_field = theirs_field;
    settings.on_header_value = theirs_value;
    settings.on_headers_complete = theirs_head;
    settings.on_body = theirs_body;
    settings.on_message_complete = theirs_done;
    http_parser_init(&t.p, HTTP_REQUEST);
    size_t n = http_parser_execute(&t.p, &settings, data, o->taken);
    enum http_errno e = HTTP_PARSER_ERRNO(&t.p);
    if (e == HPE_INVALID_METHOD) return NULL;
    if ((e == HPE_UNEXPECTED_CONTENT_LENGTH || e == HPE_INVALID_TRANSFER_ENCODING) &&
        oracle_misnamed(o))
        return NULL;
    if (e == HPE_INVALID_CONTENT_LENGTH && oracle_tabbed(o, "content-length")) return NULL;
    if (e == HPE_INVALID_TRANSFER_ENCODING && oracle_tabbed(o, "transfer-encoding")) return NULL;
    if (t.wrong != NULL) return t.wrong;
    if (!t.done) return e == HPE_OK ? "not whole" : http_errno_name(e);
    if (t.body != o->body_len) return "length of the body";
    return n == o->taken ? NULL : "end of the request";
}

#endif
