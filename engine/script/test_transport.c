/* The transport of a test: see test_script.h. A stubbed exchange lives from start until its answer
 * was given or it was cancelled; the simulators' and recordings' own are theirs. */
#include "script/test_script.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "net/exchange.h"
#include "net/replay.h"
#include "net/url.h"
#include "script/bind_secret.h"
#include "script/co.h"
#include "script/manifest.h"
#include "script/source.h"

#include <stdarg.h>
#include <stdio.h>

struct stubbed {
    struct stubbed *next;
    struct test_transport *t;
    struct timer timer;
    struct test_answer *answer; /* used up; NULL: there was none */
    http_answer_cb done;
    void *data;
    bool denied;
};

/* One that goes to the simulators or a recording: its answer is kept on the way back. */
struct passed {
    struct passed *next;
    struct test_transport *t;
    struct test_request *request; /* the test's, as long as the test */
    struct http_call *inner;
    http_answer_cb done;
    void *data;
};

struct test_transport {
    struct transport base;
    struct test_script *test;
    struct stubbed *first;
    struct passed *passed;
};

static struct test_transport *of(struct transport *t) {
    return CONTAINER_OF(t, struct test_transport, base);
}

/* ---- failures ---- */

void test_fail(struct test_script *test, const char *format, ...) {
    if (test->failure.len != 0) return;
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    buf_adds(&test->failure, text);
}

/* ---- answers ---- */

void test_answer_free(struct test_answer *a) {
    if (a == NULL) return;
    for (size_t i = 0; i < a->header_count; i++) {
        mem_free((char *)a->headers[i].name.p);
        mem_free((char *)a->headers[i].value.p);
    }
    mem_free(a->headers);
    mem_free(a->method);
    mem_free(a->url);
    mem_free(a->body);
    mem_free(a);
}

int test_answer_add(struct test_script *test, struct test_answer *answer) {
    struct test_answer **at = &test->answers;
    while (*at != NULL)
        at = &(*at)->next;
    *at = answer;
    test->answering = true;
    return 0;
}

static struct test_answer *take_answer(struct test_script *test, const struct http_out *out) {
    for (struct test_answer **at = &test->answers; *at != NULL; at = &(*at)->next) {
        struct test_answer *a = *at;
        if (a->method != NULL && !str_eq(out->method, str_of(a->method))) continue;
        if (a->url != NULL && str_search(out->url, str_of(a->url)) < 0) continue;
        *at = a->next;
        a->next = NULL;
        return a;
    }
    return NULL;
}

/* ---- exchanges ---- */

static void stubbed_free(struct stubbed *s) {
    struct stubbed **at = &s->t->first;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    timer_stop(&s->timer);
    test_answer_free(s->answer);
    mem_free(s);
}

static void fault(struct http_answer *answer, enum test_fault fault) {
    answer->sent = fault != FAULT_REFUSED;
    if (fault == FAULT_REFUSED)
        answer_fail(answer, E_CONNECT, "refused", "the host refused the connection");
    else if (fault == FAULT_TIMEOUT)
        answer_fail(answer, E_TIMEOUT, "timeout", "no whole answer in time");
    else
        answer_fail(answer, E_RESET, "reset", "the connection ended without an answer");
}

static void answer_now(struct timer *timer) {
    struct stubbed *s = CONTAINER_OF(timer, struct stubbed, timer);
    struct http_answer answer = {0};
    const struct test_answer *a = s->answer;
    if (s->denied) {
        answer_fail(&answer, E_DENIED, "denied_host", "the host is not among the declared ones");
    } else if (a == NULL) {
        answer_fail(&answer, E_NOTFOUND, "no_answer", "the test has no answer for this request");
    } else if (a->fault != FAULT_NONE) {
        fault(&answer, a->fault);
    } else {
        answer.sent = true;
        answer.status = a->status;
        answer.headers = a->headers;
        answer.header_count = a->header_count;
        answer.body = (struct str){a->body, a->body_n};
    }
    http_answer_cb done = s->done;
    void *data = s->data;
    done(&answer, data);
    stubbed_free(s);
}

static struct test_request *note_new(struct test_script *test) {
    struct test_request *r = mem_zalloc(sizeof *r);
    if (r == NULL) return NULL;
    r->at = clock_now_ms(test->clock);
    r->next = test->requests;
    test->requests = r;
    return r;
}

static struct test_request *note_request(struct test_script *test, const struct http_out *out) {
    struct test_request *r = note_new(test);
    if (r == NULL) return NULL;
    buf_addstr(&r->method, out->method);
    buf_addstr(&r->url, out->url);
    buf_addstr(&r->body, out->body);
    for (size_t i = 0; i < out->header_count; i++)
        buf_addf(&r->headers, "%.*s: %.*s\n", STR_FMT(out->headers[i].name),
                 STR_FMT(out->headers[i].value));
    test->request_count++;
    return r;
}

static void note_answer(const struct test_transport *t, struct test_request *r,
                        const struct http_answer *a) {
    r->done_at = clock_now_ms(t->test->clock);
    if (a->err != 0) {
        buf_addf(&r->answer, "%s: %s", a->name, a->text);
        return;
    }
    r->status = a->status;
    buf_addstr(&r->answer, a->body);
    for (size_t i = 0; i < a->header_count; i++)
        buf_addf(&r->answer_headers, "%.*s: %.*s\n", STR_FMT(a->headers[i].name),
                 STR_FMT(a->headers[i].value));
}

void test_signing(struct lua_State *L, const char *scheme, int data) {
    const struct call_context *c = co_data(L);
    struct test_script *test = c == NULL ? NULL : c->services->test;
    struct test_request *r = test == NULL ? NULL : note_new(test);
    if (r == NULL) return;
    r->signing = true;
    buf_adds(&r->url, scheme);
    bytes_shown(L, data, &r->body);
}

static void passed_free(struct passed *p) {
    struct passed **at = &p->t->passed;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    mem_free(p);
}

static void passed_done(const struct http_answer *answer, void *data) {
    struct passed *p = data;
    http_answer_cb done = p->done;
    void *user = p->data;
    note_answer(p->t, p->request, answer);
    passed_free(p);
    done(answer, user);
}

static int pass(struct test_transport *t, struct test_request *request, struct transport *next,
                const struct http_out *out, http_answer_cb done, void *data,
                struct http_call **call) {
    struct passed *p = mem_zalloc(sizeof *p);
    if (p == NULL) return E_NOMEM;
    *p = (struct passed){t->passed, t, request, NULL, done, data};
    t->passed = p;
    int err = next->start(next, out, passed_done, p, &p->inner);
    if (err != 0)
        passed_free(p);
    else
        *call = (struct http_call *)p;
    return err;
}

static int stub(struct test_transport *t, const struct http_out *out, http_answer_cb done,
                void *data, struct http_call **call) {
    struct stubbed *s = mem_zalloc(sizeof *s);
    if (s == NULL) return E_NOMEM;
    struct url url;
    *s = (struct stubbed){.next = t->first, .t = t, .done = done, .data = data};
    s->denied = url_parse(&url, out->url, NULL) != 0 ||
                (out->hosts != NULL && !url_allowed(&url, out->hosts, out->private_ok));
    if (!s->denied) {
        s->answer = take_answer(t->test, out);
        if (s->answer == NULL)
            test_fail(t->test, "no answer is set for %.*s %.*s", STR_FMT(out->method),
                      STR_FMT(out->url));
    }
    t->first = s;
    uint32_t after = s->answer == NULL ? 0 : s->answer->after_ms;
    timer_start(t->test->loop, &s->timer, after, answer_now);
    *call = (struct http_call *)s;
    return 0;
}

static int start(struct transport *transport, const struct http_out *out, http_answer_cb done,
                 void *data, struct http_call **call) {
    struct test_transport *t = of(transport);
    struct test_script *test = t->test;
    struct test_request *request = note_request(test, out);
    if (request == NULL) return E_NOMEM;
    if (test->answering) return stub(t, out, done, data, call);
    return pass(t, request, test->replay != NULL ? test->replay : test->inner, out, done, data,
                call);
}

static void cancel(struct transport *transport, struct http_call *call) {
    struct test_transport *t = of(transport);
    for (struct stubbed *s = t->first; s != NULL; s = s->next) {
        if ((struct http_call *)s != call) continue;
        stubbed_free(s);
        return;
    }
    struct passed *p = (struct passed *)call;
    struct transport *next = t->test->replay != NULL ? t->test->replay : t->test->inner;
    next->cancel(next, p->inner);
    passed_free(p);
}

static void destroy(struct transport *transport) {
    struct test_transport *t = of(transport);
    while (t->first != NULL)
        stubbed_free(t->first);
    while (t->passed != NULL)
        passed_free(t->passed);
    mem_free(t);
}

/* ---- the test's whole ---- */

int test_script_init(struct test_script *test, struct transport *inner) {
    struct test_transport *t = mem_zalloc(sizeof *t);
    if (t == NULL) return E_NOMEM;
    t->base = (struct transport){start, cancel, destroy};
    t->test = test;
    test->transport = &t->base;
    test->inner = inner;
    test->services.transport = &t->base;
    return 0;
}

void test_script_end(struct test_script *test) {
    size_t unused = 0;
    for (const struct test_answer *a = test->answers; a != NULL; a = a->next)
        unused++;
    if (unused != 0) {
        const struct test_answer *a = test->answers;
        test_fail(test, "%zu answer(s) nobody asked for, the first: %s %s", unused,
                  a->method == NULL ? "any" : a->method, a->url == NULL ? "url" : a->url);
    }
    if (test->replay == NULL) return;
    struct str misses = transport_replay_misses(test->replay);
    if (misses.n != 0) test_fail(test, "not in the recording: %.*s", STR_FMT(misses));
}

void test_script_detach(struct test_script *test) {
    struct test_transport *t = test->transport == NULL ? NULL : of(test->transport);
    for (struct stubbed *s = t == NULL ? NULL : t->first; s != NULL; s = s->next)
        timer_stop(&s->timer);
}

void test_script_free(struct test_script *test) {
    if (test->replay != NULL) test->replay->destroy(test->replay);
    if (test->transport != NULL) test->transport->destroy(test->transport);
    while (test->answers != NULL) {
        struct test_answer *a = test->answers;
        test->answers = a->next;
        test_answer_free(a);
    }
    while (test->requests != NULL) {
        struct test_request *r = test->requests;
        test->requests = r->next;
        buf_free(&r->method), buf_free(&r->url), buf_free(&r->body), buf_free(&r->headers);
        buf_free(&r->answer), buf_free(&r->answer_headers);
        mem_free(r);
    }
    for (size_t i = 0; i < test->loaded_count; i++)
        version_drop(test->loaded[i]);
    buf_free(&test->failure);
}

int test_load(struct test_script *test, const char *path, struct version **out, struct why *why) {
    enum script_kind kind = KIND_TOOL; /* what a file outside the folders is */
    char name[SCRIPT_PATH_MAX];
    for (size_t i = 0; i < test->loaded_count; i++) {
        if (strcmp(test->loaded[i]->path, path) != 0) continue;
        *out = test->loaded[i];
        return 0;
    }
    if (test->loaded_count == TEST_SCRIPTS_MAX)
        return why_set(why, E_LIMIT, "a test loads at most %d files", TEST_SCRIPTS_MAX);
    if (!source_kind(path, &kind, name)) snprintf(name, sizeof name, "%s", path);
    const struct version_files files = {source_read, (void *)test->root};
    struct version *v = NULL;
    int err = version_build(&v, kind, name, path, &files, BIND_MODULES, why);
    if (err == 0 && manifest_fields(kind) != NULL) err = manifest_load(v, NULL, NULL, why);
    if (err != 0) {
        if (v != NULL) version_drop(v);
        return err;
    }
    test->loaded[test->loaded_count++] = *out = v;
    return 0;
}
