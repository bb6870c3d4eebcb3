/* One delivery: the event as the merchant gets it, signed with the endpoint's secrets that live, sent,
 * and what came of it on disk. Of the answer only the status counts; its body is dropped. */
#include "webhook/webhook_private.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "core/event.h"
#include "core/person.h"
#include "net/exchange.h"
#include "sys/log.h"
#include "sys/metrics.h"

#include <stdio.h>

enum { ANSWER_MAX = 64 * 1024, OUTCOME_RETRY_MS = 1000 };

static struct metric sent = {.name = "luwak_webhooks_total",
                             .help = "Tries of webhook deliveries, by how they ended",
                             .type = METRIC_COUNTER,
                             .labels = {"outcome"}};
static struct metric disabled = {.name = "luwak_webhook_endpoints_disabled_total",
                                 .help = "Webhook endpoints disabled because they failed",
                                 .type = METRIC_COUNTER};

static void letter_delete(struct webhook_letter *l) {
    if (l == NULL) return;
    buf_free(&l->event);
    buf_free(&l->body);
    mem_free(l);
}

void flight_free(struct flight *f) {
    timer_stop(&f->again);
    letter_delete(f->letter);
    mem_free(f);
}

void flight_cancel(struct flight *f) {
    timer_stop(&f->again);
    if (f->call != NULL && !f->sender->own_loop) {
        struct transport *t = sender_transport(f->sender);
        t->cancel(t, f->call);
    }
    f->call = NULL;
}

/* ---- the outcome ---- */

static bool good(const struct flight *f) {
    return f->outcome.status >= 200 && f->outcome.status < 300;
}

static void tell_disabled(struct flight *f) {
    struct rows *rows = NULL;
    if (store_get(f->sender->core.store, "endpoint_get", VALS(V_TEXT(f->line->id)), &rows) == 0 &&
        rows_count(rows) == 1 && str_eq(rows_text(rows, 0, ENDPOINT_STATE), STR("disabled"))) {
        metric_add(&disabled, 1, NULL);
        log_error("webhook_endpoint_disabled", L_TEXT("endpoint", f->line->id),
                  L_STR("merchant", rows_text(rows, 0, ENDPOINT_MERCHANT)),
                  L_INT("status", f->outcome.status), L_TEXT("error", f->error));
    }
    rows_free(rows);
}

static void write_outcome(struct flight *f);

static void write_again(struct timer *timer) {
    write_outcome(CONTAINER_OF(timer, struct flight, again));
}

static void outcome_written(const struct commit_result *result, void *data) {
    struct flight *f = data;
    struct webhook_sender *s = f->sender;
    /* E_GUARD: the endpoint was deleted or disabled meanwhile, and the delivery ended with it */
    if (result->err != 0 && result->err != E_GUARD) {
        if (!s->closing) timer_start(s->loop, &f->again, OUTCOME_RETRY_MS, write_again);
        return;
    }
    if (f->outcome.nothing) {
        sender_flight_over(s, f);
        return;
    }
    metric_add(&sent, 1, LABELS(good(f) ? "delivered" : "failed"));
    if (good(f)) {
        log_debug("webhook_delivered", L_TEXT("endpoint", f->line->id), L_TEXT("webhook", f->event),
                  L_INT("status", f->outcome.status), L_INT("tries", f->tries + 1));
    } else {
        log_warn("webhook_failed", L_TEXT("merchant", f->merchant), L_TEXT("endpoint", f->line->id),
                 L_TEXT("webhook", f->event), L_INT("status", f->outcome.status),
                 L_INT("tries", f->tries + 1), L_BOOL("given_up", f->wait_ms == 0),
                 L_INT("next_try_in_s", f->wait_ms / 1000), L_TEXT("error", f->error));
        if (result->err == 0) tell_disabled(f);
        sender_look_in(s, 0, true); /* when to try it next */
    }
    f->line->failing = !good(f);
    sender_flight_over(s, f);
}

static void write_outcome(struct flight *f) {
    struct webhook_sender *s = f->sender;
    struct rows *rows = NULL;
    struct commit *c = NULL;
    int err = store_get(s->core.store, "endpoint_get", VALS(V_TEXT(f->line->id)), &rows);
    if (err == 0) err = rows_count(rows) == 1 ? commit_new(&c) : E_NOTFOUND;
    if (err == 0) err = webhook_add_outcome(&s->core, c, rows, &f->outcome, &f->wait_ms);
    rows_free(rows);
    if (err == 0) {
        store_submit(s->core.store, c, LANE_RESULT, s->loop, outcome_written, f);
        return;
    }
    commit_free(c);
    timer_start(s->loop, &f->again, OUTCOME_RETRY_MS, write_again);
}

static int64_t retry_after(const struct http_answer *a) {
    const struct http_header *h = header_find(a->headers, a->header_count, "retry-after");
    int64_t s;
    if (h == NULL || str_to_i64(str_trim(h->value), &s) != 0 || s < 0) return 0;
    return s > 86400 ? 86400000 : s * 1000;
}

static void answered(const struct http_answer *a, void *data) {
    struct flight *f = data;
    f->call = NULL;
    if (a->err == E_CANCELLED) { /* we stop: it is sent after the next start */
        sender_flight_over(f->sender, f);
        return;
    }
    f->outcome = (struct webhook_outcome){.sequence = f->sequence,
                                          .tries = f->tries,
                                          .status = a->err == 0 ? a->status : 0,
                                          .retry_after_ms = a->err == 0 ? retry_after(a) : 0};
    if (a->err != 0)
        snprintf(f->error, sizeof f->error, "%s: %s", a->name, a->text);
    else if (!good(f))
        snprintf(f->error, sizeof f->error, "the endpoint answered %d", a->status);
    f->outcome.error = str_of(f->error);
    quiet_heard(f, good(f));
    write_outcome(f);
}

/* ---- the request ---- */

struct envelope {
    struct rows *endpoint, *event, *named; /* named: where the payment wants it, or NULL */
    struct buf json, body, signature;
    int64_t timestamp;
};

static void envelope_free(struct envelope *l) {
    rows_free(l->endpoint);
    rows_free(l->event);
    rows_free(l->named);
    buf_free(&l->json);
    buf_free(&l->body);
    buf_free(&l->signature);
}

static bool named(const struct envelope *l) {
    return !rows_null(l->endpoint, 0, ENDPOINT_NAMED);
}

static struct str url_of(const struct envelope *l) {
    if (!named(l)) return rows_text(l->endpoint, 0, ENDPOINT_URL);
    return rows_count(l->named) == 0 ? STR("") : rows_text(l->named, 0, 0);
}

/* E_NOTFOUND: the endpoint is not enabled any more. The timestamp is the world's time, which the
 * receiver compares with its own clock, not business time, which a sandbox may have moved. */
static int envelope_read(struct flight *f, struct envelope *l) {
    const struct core *core = &f->sender->core;
    int err = store_get(core->store, "endpoint_get", VALS(V_TEXT(f->line->id)), &l->endpoint);
    if (err == 0 && (rows_count(l->endpoint) == 0 ||
                     !str_eq(rows_text(l->endpoint, 0, ENDPOINT_STATE), STR("enabled"))))
        err = E_NOTFOUND;
    if (err == 0)
        snprintf(f->merchant, sizeof f->merchant, "%.*s",
                 STR_FMT(rows_text(l->endpoint, 0, ENDPOINT_MERCHANT)));
    if (err == 0)
        err =
            store_get(core->store, "merchant_event",
                      VALS(V_STR(rows_text(l->endpoint, 0, ENDPOINT_MERCHANT)), V_INT(f->sequence)),
                      &l->event);
    if (err == 0 && rows_count(l->event) == 0) err = E_NOTFOUND;
    if (err == 0 && named(l))
        err = store_get(
            core->store, "payment_url",
            VALS(V_STR(rows_text(l->event, 0, 3)), V_INT(rows_int(l->endpoint, 0, ENDPOINT_NAMED))),
            &l->named);
    if (err != 0) return err;
    event_id_make(f->event, rows_int(l->event, 0, 5), rows_int(l->event, 0, 0), f->sequence);
    err = event_webhook_json(l->event, 0, &l->json);
    if (err == 0) err = customer_fill(core, buf_str(&l->json), &l->body);
    return err;
}

static int envelope_send(struct flight *f, struct envelope *l) {
    struct webhook_sender *s = f->sender;
    char timestamp[24];
    l->timestamp = s->core.clock->wall(s->core.clock) / 1000;
    int err = webhook_sign(&s->core, l->endpoint, str_of(f->event), l->timestamp, buf_str(&l->body),
                           &l->signature);
    if (err == E_NOTFOUND) err = E_STATE; /* the key that sealed the secret, not the endpoint */
    if (err != 0) return err;
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)l->timestamp);
    const struct http_header headers[] = {
        {STR("Content-Type"), STR("application/json")},
        {STR("User-Agent"), STR("Luwak")},
        {STR("webhook-id"), str_of(f->event)},
        {STR("webhook-timestamp"), str_of(timestamp)},
        {STR("webhook-signature"), buf_str(&l->signature)},
    };
    const struct http_out out = {.method = STR("POST"),
                                 .url = url_of(l),
                                 .headers = headers,
                                 .header_count = ARRAY_LEN(headers),
                                 .body = buf_str(&l->body),
                                 .total_ms = s->options.timeout_ms,
                                 .response_max = ANSWER_MAX,
                                 .private_ok = s->options.private_ok,
                                 .label = STR("webhook")};
    struct transport *t = sender_transport(s);
    quiet_begun(f);
    return t->start(t, &out, answered, f, &f->call);
}

/* It counts as a try that failed: where a key does not open what it says, or its script is broken or
 * gone, it is tried later, like one whose endpoint is, and those behind it have their turn. */
static void not_written(struct flight *f, const char *error) {
    f->outcome = (struct webhook_outcome){.sequence = f->sequence, .tries = f->tries};
    snprintf(f->error, sizeof f->error, "%s", error);
    f->outcome.error = str_of(f->error);
    write_outcome(f);
}

/* ---- other formats ---- */

/* The format has no word for this event: there is nothing to deliver. */
static void nothing_to_say(struct flight *f) {
    f->outcome =
        (struct webhook_outcome){.sequence = f->sequence, .tries = f->tries, .nothing = true};
    write_outcome(f);
}

/* It waits in the store, not in a flight: another delivery has the room. */
static void not_yet_written(const struct commit_result *result, void *data) {
    struct flight *f = data;
    struct webhook_sender *s = f->sender;
    if (result->err != 0) sender_look_in(s, OUTCOME_RETRY_MS, true); /* asked again all the same */
    sender_look_in(s, 0, true);                                      /* when to ask it next */
    sender_flight_over(s, f);
}

static void not_yet(struct flight *f, int64_t wait_ms) {
    struct webhook_sender *s = f->sender;
    struct commit *c = NULL;
    if (commit_new(&c) != 0) {
        not_written(f, err_text(E_NOMEM));
        return;
    }
    webhook_add_later(&s->core, c, str_of(f->line->id), f->sequence, wait_ms);
    store_submit(s->core.store, c, LANE_RESULT, s->loop, not_yet_written, f);
}

static void written(struct webhook_letter *letter) {
    struct flight *f = letter->data;
    struct envelope l = {0};
    if (f->sender->closing) { /* it is sent after the next start */
        sender_flight_over(f->sender, f);
        return;
    }
    int err = letter->err;
    if (err == 0 && letter->later_ms != 0) {
        not_yet(f, letter->later_ms);
        return;
    }
    if (err == 0 && letter->body.len == 0) {
        nothing_to_say(f);
        return;
    }
    if (err != 0) {
        not_written(f, letter->error);
        return;
    }
    err = envelope_read(f, &l);
    if (err == 0) {
        buf_free(&l.body);
        l.body = letter->body;
        letter->body = (struct buf){0};
        err = envelope_send(f, &l);
    }
    envelope_free(&l);
    if (err == E_NOTFOUND)
        sender_flight_over(f->sender, f); /* disabled meanwhile: it ended with its endpoint */
    else if (err != 0)
        not_written(f, err_text(err));
}

static int ask_letter(struct flight *f, const struct envelope *l) {
    struct webhook_sender *s = f->sender;
    struct webhook_letter *letter = mem_zalloc(sizeof *letter);
    if (letter == NULL) return E_NOMEM;
    f->letter = letter;
    letter->back = s->loop;
    letter->written = written;
    letter->data = f;
    snprintf(letter->format, sizeof letter->format, "%.*s",
             STR_FMT(rows_text(l->endpoint, 0, ENDPOINT_FORMAT)));
    snprintf(letter->merchant, sizeof letter->merchant, "%.*s",
             STR_FMT(rows_text(l->endpoint, 0, ENDPOINT_MERCHANT)));
    snprintf(letter->object, sizeof letter->object, "%.*s", STR_FMT(rows_text(l->event, 0, 3)));
    letter->named = named(l);
    buf_addstr(&letter->event, buf_str(&l->body));
    if (letter->event.err != 0) return E_NOMEM;
    s->options.write(letter, s->options.data);
    return 0;
}

static bool standard(const struct envelope *l) {
    return str_eq(rows_text(l->endpoint, 0, ENDPOINT_FORMAT), WEBHOOK_STANDARD);
}

bool flight_start(struct webhook_sender *s, struct line *line, int64_t sequence, int64_t tries) {
    struct flight *f = mem_zalloc(sizeof *f);
    if (f == NULL) return false;
    *f = (struct flight){.line = line, .sender = s, .sequence = sequence, .tries = tries};
    struct envelope l = {0};
    int err = envelope_read(f, &l);
    if (err == 0 && named(&l) && quiet_now(f, url_of(&l)))
        not_written(f, "its host has not answered others a moment ago");
    else if (err == 0)
        err = standard(&l) ? envelope_send(f, &l) : ask_letter(f, &l);
    envelope_free(&l);
    if (err != 0 && err != E_NOTFOUND)
        log_error("webhook_not_sent", L_TEXT("endpoint", line->id), L_INT("sequence", sequence),
                  L_TEXT("error", err_text(err)));
    if (err == E_NOTFOUND || err == E_NOMEM || err == E_CLOSED) {
        quiet_left(f);
        flight_free(f);
        return err == E_NOTFOUND;
    }
    f->next = line->flights;
    line->flights = f;
    line->in_flight++;
    s->flights++;
    if (err != 0) not_written(f, err_text(err));
    return true;
}
