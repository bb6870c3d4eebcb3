/* See evidence.h. */
#include "cli/evidence.h"

#include "base/mem.h"
#include "base/timefmt.h"
#include "net/redact.h"

#include <stdio.h>

enum { BODY_SHOWN = 4096 }; /* what a provider says is shorter; what a test makes up is not */

static bool between_us(const struct test_request *r) {
    const struct str NOT_OURS[] = {STR("http://luwak.simulated/v1/"), STR("/_control"),
                                   STR("/_due")};
    if (r->signing) return true;
    struct str url = buf_str(&r->url);
    return !str_starts(url, NOT_OURS[0]) && !str_ends(url, NOT_OURS[1]) &&
           !str_ends(url, NOT_OURS[2]);
}

static void write_time(int64_t ms, struct buf *out) {
    if (time_format(ms, STR("rfc3339"), ZONE_WIB, out) != 0) buf_adds(out, "?");
}

/* "name: value\n" each; a header whose name says so is hidden whole, whatever spaces it has. */
static void write_headers(struct str headers, const struct str *secrets, struct buf *out) {
    struct str line, name, value;
    while (headers.n != 0) {
        str_cut(headers, '\n', &line, &headers);
        if (!str_cut(line, ':', &name, &value)) continue;
        buf_addf(out, "    %.*s: ", STR_FMT(name));
        if (redact_name(name))
            buf_adds(out, REDACTED);
        else
            redact_text(str_trim(value), secrets, out);
        buf_addc(out, '\n');
    }
}

static void write_body(struct str body, const struct str *secrets, struct buf *out) {
    struct buf shown = {0};
    if (body.n == 0) return;
    if (body.n > BODY_SHOWN) {
        buf_addf(out, "    (%zu bytes, the first %d)\n", body.n, BODY_SHOWN);
        body.n = BODY_SHOWN;
    }
    redact_text(body, secrets, &shown);
    struct str rest = buf_str(&shown), line;
    for (bool more = true; more;) {
        more = str_cut(rest, '\n', &line, &rest);
        buf_addf(out, "    | %.*s\n", STR_FMT(line));
    }
    if (shown.err != 0) out->err = shown.err;
    buf_free(&shown);
}

static void write_exchange(const struct test_request *r, const struct str *secrets,
                           struct buf *out) {
    buf_addf(out, "%.*s ", STR_FMT(buf_str(&r->method)));
    redact_text(buf_str(&r->url), secrets, out);
    buf_addc(out, '\n');
    write_headers(buf_str(&r->headers), secrets, out);
    write_body(buf_str(&r->body), secrets, out);
    if (r->done_at == 0) {
        buf_adds(out, "  no answer was waited for\n");
        return;
    }
    buf_adds(out, "  ");
    write_time(r->done_at, out);
    if (r->status == 0)
        buf_addf(out, "  no answer: %.*s\n", STR_FMT(buf_str(&r->answer)));
    else
        buf_addf(out, "  answered %d\n", r->status);
    if (r->status == 0) return;
    write_headers(buf_str(&r->answer_headers), secrets, out);
    write_body(buf_str(&r->answer), secrets, out);
}

void evidence_write(const struct test_request *requests, const struct str *secrets,
                    struct buf *out) {
    size_t count = 0, i = 0;
    for (const struct test_request *r = requests; r != NULL; r = r->next)
        count++;
    const struct test_request **list = mem_alloc((count + 1) * sizeof *list);
    if (list == NULL) {
        out->err = E_NOMEM;
        return;
    }
    for (const struct test_request *r = requests; r != NULL; r = r->next)
        list[count - ++i] = r;
    for (i = 0; i < count; i++) {
        if (!between_us(list[i])) continue;
        buf_adds(out, "  ");
        write_time(list[i]->at, out);
        buf_adds(out, "  ");
        if (list[i]->signing) {
            buf_addf(out, "signed, %.*s over\n", STR_FMT(buf_str(&list[i]->url)));
            write_body(buf_str(&list[i]->body), secrets, out);
        } else {
            write_exchange(list[i], secrets, out);
        }
    }
    mem_free(list);
}
