/* replay: see replay.h. Both transports work on the same text form of a request, its "key": method,
 * URL and body after redaction. The recorder keeps the key of each call in flight; the replayer
 * holds all exchanges of its file in memory. */
#include "net/replay.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "net/exchange.h"
#include "net/redact.h"
#include "sys/file_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_MAX (64u << 20)

/* ---- writing ---- */

static bool printable(struct str body) {
    for (size_t i = 0; i < body.n; i++) {
        unsigned char c = (unsigned char)body.p[i];
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

static void write_body(struct buf *b, char mark, struct str body) {
    if (body.n == 0) return;
    if (!printable(body)) {
        buf_addf(b, "%cx ", mark);
        for (size_t i = 0; i < body.n; i++)
            buf_addf(b, "%02x", (unsigned)(unsigned char)body.p[i]);
        buf_addc(b, '\n');
        return;
    }
    bool more = true;
    while (more) {
        struct str line;
        more = str_cut(body, '\n', &line, &body);
        buf_addf(b, "%c| ", mark);
        buf_addstr(b, line);
        buf_addc(b, '\n');
    }
}

static void write_headers(struct buf *b, char mark, const struct http_header *headers, size_t count,
                          const struct str *secrets) {
    for (size_t i = 0; i < count; i++) {
        buf_addf(b, "%c %.*s: ", mark, STR_FMT(headers[i].name));
        if (redact_name(headers[i].name))
            buf_adds(b, REDACTED);
        else
            redact_text(headers[i].value, secrets, b);
        buf_addc(b, '\n');
    }
}

/* The request's URL and body as they are written and compared. */
static void redact_request(const struct http_out *out, const struct str *secrets, struct buf *url,
                           struct buf *body) {
    redact_text(out->url, secrets, url);
    redact_text(out->body, secrets, body);
}

/* ---- the recorder ---- */

struct recorder {
    struct transport transport;
    struct transport *inner;
    const struct str *secrets;
    int fd;
    int err; /* sticks */
    struct recorded *calls;
};

struct recorded {
    struct recorder *recorder;
    struct recorded *next, *prev;
    struct http_call *inner;
    struct buf text; /* the request's part of the file */
    http_answer_cb done;
    void *data;
};

static void recorded_free(struct recorded *r) {
    if (r->prev != NULL)
        r->prev->next = r->next;
    else
        r->recorder->calls = r->next;
    if (r->next != NULL) r->next->prev = r->prev;
    buf_free(&r->text);
    mem_free(r);
}

static int write_all(int fd, struct str text) {
    while (text.n != 0) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return E_IO;
        text = str_sub(text, (size_t)n, text.n);
    }
    return 0;
}

static void recorder_answered(const struct http_answer *a, void *data) {
    struct recorded *r = data;
    struct recorder *recorder = r->recorder;
    struct buf *b = &r->text;
    if (a->err != 0) {
        buf_addf(b, "! %s %s %s %s\n", err_name(a->err), a->name, a->sent ? "sent" : "unsent",
                 a->text);
    } else {
        struct buf body = {0};
        buf_addf(b, "< %d\n", a->status);
        write_headers(b, '<', a->headers, a->header_count, recorder->secrets);
        redact_text(a->body, recorder->secrets, &body);
        write_body(b, '<', buf_str(&body));
        if (body.err != 0) b->err = body.err;
        buf_free(&body);
    }
    buf_addc(b, '\n');
    int err = b->err != 0 ? b->err : write_all(recorder->fd, buf_str(b));
    if (recorder->err == 0) recorder->err = err;
    http_answer_cb done = r->done;
    void *user = r->data;
    recorded_free(r);
    done(a, user);
}

static int recorder_start(struct transport *t, const struct http_out *out, http_answer_cb done,
                          void *data, struct http_call **call) {
    struct recorder *recorder = CONTAINER_OF(t, struct recorder, transport);
    struct recorded *r = mem_zalloc(sizeof *r);
    struct buf url = {0}, body = {0};
    if (r == NULL) return E_NOMEM;
    r->recorder = recorder;
    r->done = done;
    r->data = data;
    r->next = recorder->calls;
    if (r->next != NULL) r->next->prev = r;
    recorder->calls = r;
    redact_request(out, recorder->secrets, &url, &body);
    buf_addf(&r->text, "> %.*s %.*s\n", STR_FMT(out->method), STR_FMT(buf_str(&url)));
    write_headers(&r->text, '>', out->headers, out->header_count, recorder->secrets);
    write_body(&r->text, '>', buf_str(&body));
    int err = url.err != 0 ? url.err : body.err != 0 ? body.err : r->text.err;
    buf_free(&url);
    buf_free(&body);
    if (err == 0)
        err = recorder->inner->start(recorder->inner, out, recorder_answered, r, &r->inner);
    if (err != 0)
        recorded_free(r);
    else if (call != NULL)
        *call = (struct http_call *)r;
    return err;
}

static void recorder_cancel(struct transport *t, struct http_call *call) {
    struct recorder *recorder = CONTAINER_OF(t, struct recorder, transport);
    struct recorded *r = (struct recorded *)call;
    recorder->inner->cancel(recorder->inner, r->inner);
    recorded_free(r);
}

static void recorder_destroy(struct transport *t) {
    struct recorder *recorder = CONTAINER_OF(t, struct recorder, transport);
    while (recorder->calls != NULL)
        recorder_cancel(t, (struct http_call *)recorder->calls);
    close(recorder->fd);
    mem_free(recorder);
}

int transport_record_error(struct transport *t) {
    return CONTAINER_OF(t, struct recorder, transport)->err;
}

int transport_record_new(struct transport **out, struct transport *inner, const char *path,
                         const struct str *secrets, struct why *why) {
    struct recorder *recorder = mem_zalloc(sizeof *recorder);
    if (recorder == NULL) return why_set(why, E_NOMEM, "out of memory");
    recorder->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (recorder->fd < 0) {
        mem_free(recorder);
        return why_set(why, E_IO, "%s: cannot be written: %s", path, strerror(errno));
    }
    recorder->inner = inner;
    recorder->secrets = secrets;
    recorder->transport = (struct transport){recorder_start, recorder_cancel, recorder_destroy};
    *out = &recorder->transport;
    return 0;
}

/* ---- reading ---- */

struct exchange {
    struct exchange *next;
    struct str method; /* views of the file */
    struct str url;
    struct buf body; /* of the request */
    struct answer_copy answer;
    bool used;
};

struct replayer {
    struct transport transport;
    struct loop *loop;
    const struct str *secrets;
    char *text; /* the file */
    size_t size;
    struct exchange *exchanges; /* in the file's order */
    struct replay_call *calls;
    struct buf misses;
};

struct replay_call {
    struct replayer *replayer;
    struct replay_call *next, *prev;
    struct timer timer;
    struct exchange *exchange; /* NULL: a miss */
    struct http_answer miss;
    http_answer_cb done;
    void *data;
};

static int nibble(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int add_hex(struct buf *b, struct str hex) {
    if (hex.n % 2 != 0) return E_SYNTAX;
    for (size_t i = 0; i < hex.n; i += 2) {
        int high = nibble(hex.p[i]), low = nibble(hex.p[i + 1]);
        if (high < 0 || low < 0) return E_SYNTAX;
        buf_addc(b, (char)(high << 4 | low));
    }
    return b->err;
}

static int parse_failure(struct http_answer *a, struct str text) {
    struct str code, name, sent;
    str_cut(text, ' ', &code, &text);
    str_cut(text, ' ', &name, &text);
    str_cut(text, ' ', &sent, &text);
    a->err = 0;
    for (int e = ERR_FIRST_; e < 0; e++)
        if (str_eq(str_of(err_name(e)), code)) a->err = e;
    if (a->err == 0 || name.n == 0 || name.n >= sizeof a->name) return E_SYNTAX;
    snprintf(a->name, sizeof a->name, "%.*s", STR_FMT(name));
    snprintf(a->text, sizeof a->text, "%.*s", STR_FMT(text));
    a->sent = str_eq(sent, STR("sent"));
    return a->sent || str_eq(sent, STR("unsent")) ? 0 : E_SYNTAX;
}

struct parse {
    struct exchange **last;
    struct exchange *x;
    bool answered;  /* its status or failure was there */
    bool more_body; /* the line before was a body line of the same side */
};

static int parse_begin(struct parse *p, struct str line) {
    struct str method, url;
    if (!str_cut(line, ' ', &method, &url)) return E_SYNTAX;
    struct exchange *x = mem_zalloc(sizeof *x);
    if (x == NULL) return E_NOMEM;
    x->method = method;
    x->url = url;
    *p->last = p->x = x;
    p->last = &x->next;
    p->answered = false;
    return 0;
}

/* One line of a block; `>` before the status belongs to the request, all else to the answer. */
static int parse_line(struct parse *p, struct str line) {
    char side = line.p[0], kind = line.n > 1 ? line.p[1] : '\0';
    struct str rest = str_sub(line, line.n < 3 ? line.n : 3, line.n);
    struct str plain = str_sub(line, line.n < 2 ? line.n : 2, line.n);
    bool body_before = p->more_body;
    p->more_body = kind == '|';
    if (side == '>' && kind == ' ' && (p->x == NULL || p->answered)) return parse_begin(p, plain);
    if (p->x == NULL || (side == '>' && p->answered)) return E_SYNTAX;
    if (side != '>' && !p->answered) {
        int64_t status = 0;
        p->answered = true;
        p->more_body = false;
        if (side == '!') return parse_failure(&p->x->answer.answer, plain);
        if (str_to_i64(plain, &status) != 0 || status < 100 || status > 599) return E_SYNTAX;
        p->x->answer.answer.status = (int)status;
        p->x->answer.answer.sent = true;
        return 0;
    }
    if (side != '>' && side != '<') return E_SYNTAX;
    struct buf *body = side == '>' ? &p->x->body : &p->x->answer.body;
    if (kind == 'x') return add_hex(body, rest);
    if (kind == '|') {
        if (body_before) buf_addc(body, '\n');
        buf_addstr(body, rest);
        return body->err;
    }
    struct str name, value;
    if (kind != ' ' || !str_cut(plain, ':', &name, &value)) return E_SYNTAX;
    if (side == '>') return 0; /* headers of requests are there to be read, not compared */
    return answer_add_header(&p->x->answer, name, str_trim(value));
}

static int parse_file(struct replayer *r, const char *path, struct why *why) {
    struct parse p = {.last = &r->exchanges};
    struct str text = {r->text, r->size}, line;
    for (int number = 1; text.n != 0; number++) {
        str_cut(text, '\n', &line, &text);
        if (line.n == 0 || line.p[0] == '#') continue;
        int err = parse_line(&p, line);
        if (err != 0)
            return why_set(why, err, "%s:%d: %s", path, number,
                           err == E_NOMEM ? "out of memory" : "not a line of a recording");
    }
    if (p.x != NULL && !p.answered)
        return why_set(why, E_SYNTAX, "%s: the last request has no answer", path);
    for (struct exchange *x = r->exchanges; x != NULL; x = x->next)
        answer_seal(&x->answer);
    return 0;
}

/* ---- the replayer ---- */

static size_t common(struct str a, struct str b) {
    size_t n = 0;
    while (n < a.n && n < b.n && a.p[n] == b.p[n])
        n++;
    return n;
}

static struct exchange *nearest(struct replayer *r, struct str method, struct str url,
                                struct str body) {
    struct exchange *best = NULL;
    size_t best_score = 0;
    for (struct exchange *x = r->exchanges; x != NULL; x = x->next) {
        bool same_url = str_eq(x->url, url);
        size_t score = 1 + 2 * common(x->url, url) + (same_url ? 10000 : 0) +
                       (str_eq(x->method, method) ? 8 : 0) +
                       (same_url ? common(buf_str(&x->body), body) : 0) + (x->used ? 0 : 1);
        if (score > best_score) best_score = score, best = x;
    }
    return best;
}

static void describe_miss(struct replayer *r, struct replay_call *call, struct str method,
                          struct str url, struct str body) {
    const struct exchange *x = nearest(r, method, url, body);
    struct buf why = {0};
    if (x == NULL) {
        buf_adds(&why, "nothing is recorded");
    } else if (!str_eq(x->url, url) || !str_eq(x->method, method)) {
        buf_addf(&why, "nearest: %.*s %.*s", STR_FMT(x->method), STR_FMT(x->url));
    } else if (str_eq(buf_str(&x->body), body)) {
        buf_adds(&why, "recorded, but asked more often than that");
    } else {
        size_t at = common(buf_str(&x->body), body);
        struct str theirs = buf_str(&x->body);
        buf_addf(&why, "recorded with another body, from byte %zu on: \"%.*s\", asked \"%.*s\"", at,
                 (int)(theirs.n - at < 30 ? theirs.n - at : 30), theirs.p + at,
                 (int)(body.n - at < 30 ? body.n - at : 30), body.p + at);
    }
    call->miss.body = STR("");
    answer_fail(&call->miss, E_NOTFOUND, "replay_miss", "no recording of %.*s %.*s; %.*s",
                STR_FMT(method), (int)(url.n < 80 ? url.n : 80), url.p, STR_FMT(buf_str(&why)));
    buf_addf(&r->misses, "no recording of %.*s %.*s\n%.*s\n%.*s\n\n", STR_FMT(method), STR_FMT(url),
             STR_FMT(body), STR_FMT(buf_str(&why)));
    buf_free(&why);
}

static void replay_call_free(struct replay_call *call) {
    timer_stop(&call->timer);
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        call->replayer->calls = call->next;
    if (call->next != NULL) call->next->prev = call->prev;
    mem_free(call);
}

static void replay_deliver(struct timer *timer) {
    struct replay_call *call = CONTAINER_OF(timer, struct replay_call, timer);
    const struct http_answer *a =
        call->exchange == NULL ? &call->miss : &call->exchange->answer.answer;
    call->done(a, call->data);
    replay_call_free(call);
}

static int replay_start(struct transport *t, const struct http_out *out, http_answer_cb done,
                        void *data, struct http_call **handle) {
    struct replayer *r = CONTAINER_OF(t, struct replayer, transport);
    struct buf url = {0}, body = {0};
    struct replay_call *call = mem_zalloc(sizeof *call);
    if (call == NULL) return E_NOMEM;
    redact_request(out, r->secrets, &url, &body);
    int err = url.err != 0 ? url.err : body.err;
    if (err != 0) {
        mem_free(call);
        goto out;
    }
    call->replayer = r;
    call->done = done;
    call->data = data;
    call->next = r->calls;
    if (call->next != NULL) call->next->prev = call;
    r->calls = call;
    struct exchange *x = r->exchanges;
    while (x != NULL &&
           (x->used || !str_eq(x->method, out->method) || !str_eq(x->url, buf_str(&url)) ||
            !str_eq(buf_str(&x->body), buf_str(&body))))
        x = x->next;
    call->exchange = x;
    if (x != NULL)
        x->used = true;
    else
        describe_miss(r, call, out->method, buf_str(&url), buf_str(&body));
    timer_start(r->loop, &call->timer, 0, replay_deliver);
    if (handle != NULL) *handle = (struct http_call *)call;
out:
    buf_free(&url);
    buf_free(&body);
    return err;
}

static void replay_cancel(struct transport *t, struct http_call *call) {
    (void)t;
    replay_call_free((struct replay_call *)call);
}

static void replay_destroy(struct transport *t) {
    struct replayer *r = CONTAINER_OF(t, struct replayer, transport);
    while (r->calls != NULL)
        replay_call_free(r->calls);
    while (r->exchanges != NULL) {
        struct exchange *x = r->exchanges;
        r->exchanges = x->next;
        buf_free(&x->body);
        answer_free(&x->answer);
        mem_free(x);
    }
    buf_free(&r->misses);
    mem_free(r->text);
    mem_free(r);
}

struct str transport_replay_misses(struct transport *t) {
    return buf_str(&CONTAINER_OF(t, struct replayer, transport)->misses);
}

size_t transport_replay_unused(struct transport *t) {
    size_t n = 0;
    const struct replayer *r = CONTAINER_OF(t, struct replayer, transport);
    for (const struct exchange *x = r->exchanges; x != NULL; x = x->next)
        n += !x->used;
    return n;
}

int transport_replay_new(struct transport **out, struct loop *loop, const char *path,
                         const struct str *secrets, struct why *why) {
    struct replayer *r = mem_zalloc(sizeof *r);
    if (r == NULL) return why_set(why, E_NOMEM, "out of memory");
    struct buf text = {.max = FILE_MAX};
    r->loop = loop;
    r->secrets = secrets;
    r->transport = (struct transport){replay_start, replay_cancel, replay_destroy};
    int err = file_read(path, &text, why);
    if (err != 0) why_prefix(why, "%s: ", path);
    if (err == 0 && (r->text = buf_take(&text, &r->size)) == NULL)
        err = why_set(why, E_NOMEM, "out of memory");
    if (err == 0) err = parse_file(r, path, why);
    buf_free(&text);
    if (err != 0)
        replay_destroy(&r->transport);
    else
        *out = &r->transport;
    return err;
}
