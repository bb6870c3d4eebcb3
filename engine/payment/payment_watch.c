/* See payment_watch.h. Streams lie in buckets by payment, so those of one payment are found
 * together, and in a queue by the time of their last byte, whose head is due for a sign of life.
 * A stream is freed where it ends: by us with the payment, or by its connection (closed). */
#include "payment/payment_watch.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "core/payment.h"

#include <stdio.h>

enum {
    BUCKETS = 4096,
    SAME_MAX = 64,      /* streams of one payment: who opens more is no payer */
    ALIVE_MS = 20000,   /* proxies cut what is silent; a peer that is gone shows by it */
    LOOK_MS = 1000,     /* the streams that are due are so in turn, not all at once */
    MESSAGE_SIZE = 256, /* of one message: all parts of it are short */
    RETRY_MS = 3000     /* after which a browser that lost its stream asks again */
};

struct stream {
    struct payment_watch *watch;
    struct http_exchange *x;
    struct stream *prev, *next;   /* in the bucket */
    struct stream *older, *newer; /* in the queue */
    uint64_t at_ms;               /* monotonic, of the last byte */
    char payment[ID_SIZE];
};

struct payment_watch {
    struct loop *loop;
    const struct core *core;
    struct store_listener listener;
    struct stream **buckets; /* NULL: nobody watched yet */
    struct stream *oldest, *newest;
    size_t count, max;
    struct timer alive;
    bool listening;
};

static uint64_t now_ms(const struct payment_watch *w) {
    return clock_mono_ns(loop_clock(w->loop)) / 1000000u;
}

static struct stream **bucket_of(struct payment_watch *w, struct str payment) {
    return &w->buckets[str_hash(payment) % BUCKETS];
}

/* ---- the lists ---- */

static void queue_put(struct stream *s) {
    struct payment_watch *w = s->watch;
    s->at_ms = now_ms(w);
    s->newer = NULL;
    s->older = w->newest;
    if (w->newest != NULL)
        w->newest->newer = s;
    else
        w->oldest = s;
    w->newest = s;
}

static void queue_take(struct stream *s) {
    struct payment_watch *w = s->watch;
    *(s->older != NULL ? &s->older->newer : &w->oldest) = s->newer;
    *(s->newer != NULL ? &s->newer->older : &w->newest) = s->older;
}

static void stop_listening(struct payment_watch *w) {
    if (!w->listening) return;
    store_unlisten(w->core->store, &w->listener);
    w->listening = false;
    timer_stop(&w->alive);
}

static void stream_free(struct stream *s) {
    struct payment_watch *w = s->watch;
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        *bucket_of(w, str_of(s->payment)) = s->next;
    if (s->next != NULL) s->next->prev = s->prev;
    queue_take(s);
    mem_free(s);
    if (--w->count == 0) stop_listening(w);
}

/* ---- what is said ---- */

/* False: it has ended, and nothing will follow. E_NOTFOUND where there is no such payment. */
static int message(const struct payment_watch *w, struct str id, char out[MESSAGE_SIZE],
                   bool *over) {
    struct rows *rows = NULL;
    int err = store_get(w->core->store, "payment_get", VALS(V_STR(id)), &rows);
    if (err == 0 && rows_count(rows) == 0) err = E_NOTFOUND;
    if (err == 0) {
        struct str status = rows_text(rows, 0, 3);
        int at = states_find(PAYMENT_STATES, PAYMENT_STATUSES_, status);
        int64_t generation = rows_int(rows, 0, 4);
        *over = at >= 0 && !payment_open((enum payment_status)at);
        snprintf(out, MESSAGE_SIZE,
                 "retry: %d\nid: %lld\ndata: {\"generation\":%lld,\"status\":\"%.*s\","
                 "\"attempt\":\"%.*s\"}\n\n",
                 RETRY_MS, (long long)generation, (long long)generation, STR_FMT(status),
                 STR_FMT(rows_text(rows, 0, 20)));
    }
    rows_free(rows);
    return err;
}

static void say(struct stream *s, struct str text) {
    (void)http_stream_write(s->x, text); /* who does not read it is cut by the server's stall */
    queue_take(s);
    queue_put(s);
}

static void heard(struct store_listener *self, struct str topic, int64_t sequence) {
    struct payment_watch *w = CONTAINER_OF(self, struct payment_watch, listener);
    char text[MESSAGE_SIZE] = "";
    bool over = false;
    (void)sequence;
    if (!str_starts(topic, STR("pay_"))) return;
    for (struct stream *s = *bucket_of(w, topic), *next; s != NULL; s = next) {
        next = s->next;
        if (!str_eq(str_of(s->payment), topic)) continue;
        if (text[0] == '\0' && message(w, topic, text, &over) != 0)
            return; /* the next one says it */
        say(s, str_of(text));
        if (!over) continue;
        http_stream_end(s->x);
        stream_free(s);
    }
}

static void look_alive(struct timer *timer) {
    struct payment_watch *w = CONTAINER_OF(timer, struct payment_watch, alive);
    uint64_t now = now_ms(w);
    timer_start(w->loop, timer, LOOK_MS, look_alive);
    while (w->oldest != NULL && w->oldest->at_ms + ALIVE_MS <= now)
        say(w->oldest, STR(":\n\n"));
}

/* ---- streams ---- */

static void closed(struct http_exchange *x) {
    stream_free(x->user);
}

static const struct http_stream_hooks HOOKS = {.closed = closed};

static bool room_for(struct payment_watch *w, struct str payment) {
    size_t same = 0;
    if (w->count >= w->max) return false;
    if (w->buckets == NULL) w->buckets = mem_array(BUCKETS, sizeof *w->buckets);
    if (w->buckets == NULL) return false;
    for (const struct stream *s = *bucket_of(w, payment); s != NULL; s = s->next)
        same += str_eq(str_of(s->payment), payment);
    return same < SAME_MAX;
}

static void stream_put(struct payment_watch *w, struct stream *s) {
    struct stream **bucket = bucket_of(w, str_of(s->payment));
    s->next = *bucket;
    if (s->next != NULL) s->next->prev = s;
    *bucket = s;
    w->count++;
    queue_put(s);
    if (w->listening) return;
    w->listener = (struct store_listener){.loop = w->loop, .heard = heard};
    store_listen(w->core->store, &w->listener);
    w->listening = true;
    timer_start(w->loop, &w->alive, LOOK_MS, look_alive);
}

static const struct http_header HEAD[] = {{{"Content-Type", 12}, {"text/event-stream", 17}},
                                          {{"Cache-Control", 13}, {"no-store", 8}},
                                          {{"X-Accel-Buffering", 17}, {"no", 2}}};

void payment_watch_open(struct payment_watch *w, struct http_exchange *x, struct str payment) {
    char text[MESSAGE_SIZE];
    bool over = false;
    struct stream *s = NULL;
    if (w == NULL || payment.n >= ID_SIZE || !room_for(w, payment) ||
        (s = mem_zalloc(sizeof *s)) == NULL) {
        http_reply(x, 204, NULL, 0, STR(""));
        return;
    }
    s->watch = w;
    s->x = x;
    memcpy(s->payment, payment.p, payment.n);
    stream_put(w, s); /* first it listens, then it looks: nothing falls in between */
    int err = message(w, payment, text, &over);
    bool stays = err == 0 && !over && x->answer == NULL;
    if (!stays) stream_free(s);
    if (err != 0) {
        enum problem_code code = err == E_NOTFOUND ? PROBLEM_NOT_FOUND : PROBLEM_UNAVAILABLE;
        http_problem(x, (struct problem){.code = code}, NULL);
    } else if (!stays) {
        http_reply(x, 200, HEAD, ARRAY_LEN(HEAD), str_of(text));
    } else {
        x->user = s;
        if (http_stream_begin(x, 200, HEAD, ARRAY_LEN(HEAD), &HOOKS) != 0)
            stream_free(s); /* the peer was gone */
        else
            (void)http_stream_write(x, str_of(text));
    }
}

size_t payment_watch_streams(const struct payment_watch *w) {
    return w->count;
}

int payment_watch_new(struct payment_watch **out, struct loop *loop, const struct core *core,
                      size_t streams_max) {
    struct payment_watch *w = mem_zalloc(sizeof *w);
    if (w == NULL) return E_NOMEM;
    w->loop = loop;
    w->core = core;
    w->max = streams_max;
    *out = w;
    return 0;
}

void payment_watch_delete(struct payment_watch *w) {
    if (w == NULL) return;
    while (w->oldest != NULL) /* the server was cut short */
        stream_free(w->oldest);
    stop_listening(w);
    mem_free(w->buckets);
    mem_free(w);
}
