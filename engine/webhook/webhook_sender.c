/* See webhook_sender.h. */
#include "webhook/webhook_private.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "net/http_client.h"
#include "sys/log.h"
#include "sys/metrics.h"

#include <stdio.h>

enum {
    PAGE = 64,          /* endpoints in one read */
    LOOK_LEAST_MS = 5,  /* between two looks; and four times what the last one took, */
    LOOK_MOST_MS = 2000 /* so that many endpoints do not keep a reader thread busy */
};
enum { RETRY_MS = 1000, COUNT_MS = 10000, DRAIN_MS = 2000, IDLE_CONNECTIONS = 128 };

static struct metric waiting = {.name = "luwak_webhooks_waiting",
                                .help = "Webhook deliveries that wait for their next try",
                                .type = METRIC_GAUGE};

static void note_idle(struct webhook_sender *s) {
    atomic_store(&s->idle, !s->looking && !timer_armed(&s->look_timer) && s->lines == NULL);
}

struct transport *sender_transport(struct webhook_sender *s) {
    return s->client != NULL ? s->client : s->options.transport(s->options.data);
}

/* ---- lines ---- */

static struct line *line_of(struct webhook_sender *s, struct str id) {
    struct line *line = s->lines;
    while (line != NULL && !str_eq(str_of(line->id), id))
        line = line->next;
    if (line != NULL || (line = mem_zalloc(sizeof *line)) == NULL) return line;
    snprintf(line->id, sizeof line->id, "%.*s", STR_FMT(id));
    line->next = s->lines;
    s->lines = line;
    return line;
}

static void line_forget(struct webhook_sender *s, struct line *line) {
    struct line **at = &s->lines;
    while (*at != line)
        at = &(*at)->next;
    *at = line->next;
    while (line->flights != NULL) {
        struct flight *f = line->flights;
        line->flights = f->next;
        flight_free(f);
    }
    mem_free(line);
}

/* How many more may be in flight to it. */
static int room(const struct webhook_sender *s, const struct line *line) {
    int most = s->flights >= FLIGHTS_EASY && line->failing ? 1 : LINE_FLIGHTS;
    int left = FLIGHTS_MAX - s->flights;
    return most - line->in_flight < left ? most - line->in_flight : left;
}

static bool in_flight(const struct line *line, int64_t sequence) {
    for (const struct flight *f = line->flights; f != NULL; f = f->next)
        if (f->sequence == sequence) return true;
    return false;
}

static void drop_ended(struct line *line) {
    for (struct flight **at = &line->flights; *at != NULL;) {
        struct flight *f = *at;
        if (!f->over) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        flight_free(f);
    }
}

static void line_next(struct webhook_sender *s, struct line *line);

struct asking {
    struct webhook_sender *sender;
    struct line *line;
};

static void due_known(int err, const struct why *why, struct rows *rows, void *data) {
    struct asking a = *(struct asking *)data;
    struct webhook_sender *s = a.sender;
    struct line *line = a.line;
    (void)why;
    mem_free(data);
    line->asking = false;
    size_t count = err == 0 && !s->closing ? rows_count(rows) : 0;
    line->more = count == 2 * LINE_FLIGHTS;
    if (err != 0) sender_look_in(s, RETRY_MS, true);
    for (size_t i = 0; i < count; i++) {
        int64_t sequence = rows_int(rows, i, 1);
        if (in_flight(line, sequence)) continue; /* or just over: these rows may be older */
        if (room(s, line) <= 0) {
            line->more = true;
            break;
        }
        if (!flight_start(s, line, sequence, rows_int(rows, i, 2))) {
            sender_look_in(s, RETRY_MS, true);
            break;
        }
    }
    rows_free(rows);
    drop_ended(line);
    if (line->in_flight == 0) {
        /* full elsewhere: a later look takes it in its turn */
        if (line->more) s->starved = true;
        line_forget(s, line);
    }
    note_idle(s);
}

static void line_ask(struct webhook_sender *s, struct line *line) {
    if (line->asking || s->closing) return;
    struct asking *a = mem_alloc(sizeof *a);
    if (a == NULL) {
        sender_look_in(s, RETRY_MS, true);
        if (line->in_flight == 0) line_forget(s, line);
        return;
    }
    *a = (struct asking){s, line};
    line->asking = true;
    store_query(s->core.store, "deliveries_due",
                VALS(V_TEXT(line->id), V_INT(core_now(&s->core)), V_INT(2 * LINE_FLIGHTS)), s->loop,
                due_known, a);
}

static void line_next(struct webhook_sender *s, struct line *line) {
    if (line->more && line->in_flight <= LINE_FLIGHTS / 2 && room(s, line) > 0) {
        line_ask(s, line);
    } else if (line->in_flight == 0 && !line->asking) {
        s->starved = s->starved || line->more;
        line_forget(s, line);
    }
}

void sender_flight_over(struct webhook_sender *s, struct flight *f) {
    struct line *line = f->line;
    quiet_left(f);
    f->over = true;
    line->in_flight--;
    s->flights--;
    if (!line->asking) drop_ended(line);
    line_next(s, line);
    if (s->starved && s->flights <= FLIGHTS_MAX / 2) {
        s->starved = false;
        sender_look_in(s, 0, true);
    }
    note_idle(s);
}

/* ---- the look ---- */

static void look(struct webhook_sender *s);

static void look_fires(struct timer *timer) {
    look(CONTAINER_OF(timer, struct webhook_sender, look_timer));
}

void sender_look_in(struct webhook_sender *s, uint64_t ms, bool full) {
    if (s->closing) return;
    atomic_store(&s->idle, false);
    if (full) s->want_full = true;
    uint64_t least = s->look_ms * 4 < LOOK_MOST_MS ? s->look_ms * 4 : LOOK_MOST_MS;
    if (ms < least) ms = least;
    if (ms < LOOK_LEAST_MS) ms = LOOK_LEAST_MS;
    uint64_t due = clock_mono_ns(loop_clock(s->loop)) + ms * 1000000u;
    if (!timer_armed(&s->look_timer) || due < s->look_timer.due_ns)
        timer_start(s->loop, &s->look_timer, ms, look_fires);
}

static void look_over(struct webhook_sender *s) {
    s->looking = false;
    s->look_ms = (clock_mono_ns(loop_clock(s->loop)) - s->look_began) / 1000000u;
    if (s->again) sender_look_in(s, 0, false);
    s->again = false;
    note_idle(s);
}

static void due_fires(struct timer *timer) {
    sender_look_in(CONTAINER_OF(timer, struct webhook_sender, due_timer), 0, true);
}

static void next_known(int err, const struct why *why, struct rows *rows, void *data) {
    struct webhook_sender *s = data;
    (void)why;
    bool some = err == 0 && rows_count(rows) == 1 && !rows_null(rows, 0, 0);
    int64_t at = some ? rows_int(rows, 0, 0) : INT64_MAX;
    rows_free(rows);
    if (s->closing) return;
    atomic_store(&s->next_due, at);
    timer_stop(&s->due_timer);
    int64_t wait = at - core_now(&s->core);
    if (some) timer_start(s->loop, &s->due_timer, wait < 0 ? 0 : (uint64_t)wait, due_fires);
    if (err != 0) sender_look_in(s, RETRY_MS, true);
    look_over(s);
}

static void endpoints_next(struct webhook_sender *s);

static void endpoints_known(int err, const struct why *why, struct rows *rows, void *data) {
    struct webhook_sender *s = data;
    (void)why;
    size_t count = err == 0 && !s->closing ? rows_count(rows) : 0, i = 0;
    for (; i < count && s->flights < FLIGHTS_MAX; i++) {
        struct str id = rows_text(rows, i, 0);
        struct line *line = line_of(s, id);
        if (line == NULL) break;
        snprintf(s->after, sizeof s->after, "%.*s", STR_FMT(id));
        line->more = true;
        if (room(s, line) > 0) line_ask(s, line);
    }
    bool cut = i < count; /* the rest has its turn when some of these are over */
    rows_free(rows);
    if (s->closing) return;
    if (cut) s->starved = true;
    if (!cut && count == PAGE) {
        endpoints_next(s);
        return;
    }
    if (!cut && s->after[0] != '\0') s->after[0] = '\0';
    store_query(s->core.store, "delivery_next", VALS(V_INT(s->now)), s->loop, next_known, s);
}

static void endpoints_next(struct webhook_sender *s) {
    store_query(s->core.store, "delivery_endpoints",
                VALS(V_INT(s->now), V_INT(PAGE), V_TEXT(s->after)), s->loop, endpoints_known, s);
}

/* ---- events behind an endpoint's cursor ---- */

static void behind_next(struct webhook_sender *s);

static void fan_over(const struct commit_result *result, void *data) {
    struct webhook_sender *s = data;
    if (result->err == 0) s->fanned++;
    if (--s->fans != 0 || s->closing) return;
    s->full = true; /* there is something to send */
    if (s->fanned != 0) {
        behind_next(s);
        return;
    }
    sender_look_in(s, RETRY_MS, true); /* refused: a full queue or disk, or changed meanwhile */
    s->now = core_now(&s->core);
    endpoints_next(s);
}

static void behind_known(int err, const struct why *why, struct rows *rows, void *data) {
    struct webhook_sender *s = data;
    (void)why;
    size_t count = err == 0 && !s->closing ? rows_count(rows) : 0;
    s->fans = s->fanned = 0;
    for (size_t i = 0; i < count; i++) {
        struct commit *c;
        if (commit_new(&c) != 0) break;
        webhook_add_fan(&s->core, c, rows_text(rows, i, 0), rows_int(rows, i, 2),
                        rows_int(rows, i, 3));
        s->fans++;
        store_submit(s->core.store, c, LANE_NEW, s->loop, fan_over, s);
    }
    rows_free(rows);
    if (s->closing || s->fans != 0) return;
    if (err != 0 || count != 0) sender_look_in(s, RETRY_MS, true);
    s->now = core_now(&s->core);
    if (!s->full)
        look_over(s); /* an event that no endpoint wants: most of them, mostly */
    else
        endpoints_next(s);
}

static void behind_next(struct webhook_sender *s) {
    store_query(s->core.store, "endpoints_behind", VALS(V_INT(PAGE)), s->loop, behind_known, s);
}

static void look(struct webhook_sender *s) {
    if (s->looking || s->closing) {
        s->again = true;
        return;
    }
    timer_stop(&s->look_timer);
    s->looking = true;
    s->again = false;
    s->full = s->want_full;
    s->want_full = false;
    s->look_began = clock_mono_ns(loop_clock(s->loop));
    behind_next(s);
}

/* ---- what wakes it ---- */

static void heard(struct store_listener *self, struct str topic, int64_t sequence) {
    (void)sequence;
    if (str_starts(topic, STR("pay_"))) return; /* a payment moved: its events have their topic */
    sender_look_in(CONTAINER_OF(self, struct webhook_sender, listener), 0, false);
}

static void poked(struct task *task) {
    struct webhook_sender *s = CONTAINER_OF(task, struct webhook_sender, poke_task);
    atomic_store(&s->idle, false);
    atomic_store(&s->poked, false);
    sender_look_in(s, 0, true);
}

void webhook_sender_poke(struct webhook_sender *s) {
    if (s != NULL && !atomic_exchange(&s->poked, true)) loop_post(s->loop, &s->poke_task);
}

int64_t webhook_sender_next_due(struct webhook_sender *s) {
    return s == NULL ? INT64_MAX : atomic_load(&s->next_due);
}

bool webhook_sender_idle(struct webhook_sender *s) {
    return s == NULL || (!atomic_load(&s->poked) && atomic_load(&s->idle));
}

static void counted(int err, const struct why *why, struct rows *rows, void *data) {
    (void)why, (void)data;
    if (err == 0) metric_set(&waiting, rows_int(rows, 0, 0), NULL);
    rows_free(rows);
}

/* Also what no news told: they need memory, and a clock may jump. */
static void count_fires(struct timer *timer) {
    struct webhook_sender *s = CONTAINER_OF(timer, struct webhook_sender, count_timer);
    store_query(s->core.store, "deliveries_waiting", NULL, 0, s->loop, counted, NULL);
    timer_start(s->loop, timer, COUNT_MS, count_fires);
    sender_look_in(s, 0, true);
}

/* ---- its life ---- */

static void *thread_main(void *data) {
    struct webhook_sender *s = data;
    pthread_setname_np(pthread_self(), "webhooks");
    loop_uv_run(s->loop);
    return NULL;
}

int webhook_sender_new(struct webhook_sender **out, const struct webhook_sender_options *options) {
    *out = NULL;
    struct webhook_sender *s = mem_zalloc(sizeof *s);
    if (s == NULL) return E_NOMEM;
    s->options = *options;
    s->core = *options->core;
    s->loop = options->loop;
    s->poke_task.run = poked;
    atomic_init(&s->next_due, INT64_MAX);
    atomic_init(&s->idle, true);
    int err = 0;
    if (s->loop == NULL) {
        err = loop_uv_new(&s->loop, s->core.clock);
        s->own_loop = err == 0;
        const struct http_client_options o = {.loop = s->loop,
                                              .ca_file = options->ca_file,
                                              .calls_max = FLIGHTS_MAX,
                                              .idle_max = IDLE_CONNECTIONS};
        if (err == 0) err = http_client_new(&s->client, &o);
    }
    if (err != 0) {
        webhook_sender_delete(s);
        return err;
    }
    *out = s;
    return 0;
}

static void begun(struct task *task) {
    struct webhook_sender *s = CONTAINER_OF(task, struct webhook_sender, poke_task);
    s->poke_task.run = poked;
    s->listener = (struct store_listener){.loop = s->loop, .heard = heard};
    store_listen(s->core.store, &s->listener);
    s->listening = true;
    if (s->own_loop) timer_start(s->loop, &s->count_timer, 0, count_fires);
    poked(task);
}

int webhook_sender_start(struct webhook_sender *s) {
    s->poke_task.run = begun;
    webhook_sender_poke(s);
    if (!s->own_loop) return 0;
    if (pthread_create(&s->thread, NULL, thread_main, s) != 0) return E_NOMEM;
    s->running = true;
    return 0;
}

static void drained(size_t left, void *data) {
    struct webhook_sender *s = data;
    if (left != 0) log_warn("webhooks_cut", L_INT("deliveries", (int64_t)left));
    loop_stop(s->loop);
}

static void stop_listening(struct webhook_sender *s) {
    s->closing = true;
    if (s->listening) store_unlisten(s->core.store, &s->listener);
    s->listening = false;
    timer_stop(&s->look_timer);
    timer_stop(&s->due_timer);
    timer_stop(&s->count_timer);
}

static void close_runs(struct task *task) {
    struct webhook_sender *s = CONTAINER_OF(task, struct webhook_sender, close_task);
    stop_listening(s);
    http_client_drain(s->client, s->flights == 0 ? 0 : DRAIN_MS, drained, s);
}

void webhook_sender_close(struct webhook_sender *s) {
    if (s == NULL) return;
    if (s->running) {
        s->close_task.run = close_runs;
        loop_post(s->loop, &s->close_task);
        pthread_join(s->thread, NULL);
        s->running = false;
    } else {
        stop_listening(s);
    }
    for (struct line *line = s->lines; line != NULL; line = line->next)
        for (struct flight *f = line->flights; f != NULL; f = f->next)
            flight_cancel(f);
}

bool webhook_sender_settle(struct webhook_sender *s) {
    return s != NULL && s->own_loop && loop_settle(s->loop);
}

void webhook_sender_delete(struct webhook_sender *s) {
    if (s == NULL) return;
    webhook_sender_close(s);
    while (s->lines != NULL)
        line_forget(s, s->lines);
    if (s->client != NULL) s->client->destroy(s->client);
    if (s->own_loop) loop_delete(s->loop);
    mem_free(s);
}
