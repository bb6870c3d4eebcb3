/* The request comes in on a worker; the queue and the schedules live on the main loop. One advance
 * runs at a time, as a walk there:
 *
 *   step: the next due time not after the goal -> store the offset -> set it -> poke -> wait until
 * the queue is idle -> step ... -> at the goal: answer
 *
 * A client that hangs up ends its walk where it is: the next one may begin.
 *
 * The offset is stored before it counts, so business time never goes back over a restart. */
#include "serve/sandbox_clock.h"

#include "base/ensure.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/schedule.h"
#include "base/timefmt.h"
#include "serve/admin.h"
#include "serve/worker.h"
#include "sys/log.h"
#include "webhook/webhook_sender.h"

#include <stdatomic.h>
#include <stdio.h>

enum { IDLE_LOOK_MS = 5, WEBHOOKS_WAIT_MS = 60000 };
#define AHEAD_MAX_MS (3660ll * 24 * 3600 * 1000) /* ten years, as a duration may have */

struct walk {
    struct engine *engine;
    struct loop *home; /* the worker's */
    struct http_exchange *exchange;
    struct task task;
    struct timer timer;
    int64_t began, goal; /* business time */
    int64_t offset;
    bool poked;             /* the webhooks of this step are being sent */
    int64_t webhooks_until; /* monotonic ms: receivers that hang hold a walk no longer than that */
    int err;
    _Atomic bool left; /* the client hung up: the walk ends where it is */
};

static void answer(struct task *task) {
    struct walk *k = CONTAINER_OF(task, struct walk, task);
    struct http_exchange *x = k->exchange;
    if (k->err != 0) {
        admin_problem(x, PROBLEM_UNAVAILABLE, str_of(err_text(k->err)), NULL);
    } else {
        struct buf body = {0};
        buf_adds(&body, "{\"now\":\"");
        time_format(clock_now_ms(k->engine->clock), STR("rfc3339"), ZONE_WIB, &body);
        buf_adds(&body, "\"}\n");
        const struct http_header type = {STR("Content-Type"), STR("application/json")};
        http_reply(x, 200, &type, 1, buf_str(&body));
        buf_free(&body);
    }
    mem_free(k);
}

static void finish(struct walk *k, int err) {
    k->err = err;
    if (k->engine->clock_walk == k && clock_now_ms(k->engine->clock) > k->began) {
        struct buf now = {0};
        time_format(clock_now_ms(k->engine->clock), STR("rfc3339"), ZONE_WIB, &now);
        log_info("clock_moved", L_STR("now", buf_str(&now)),
                 L_INT("seconds", (clock_now_ms(k->engine->clock) - k->began) / 1000),
                 L_BOOL("cut_off", err != 0));
        buf_free(&now);
    }
    if (k->engine->clock_walk == k) k->engine->clock_walk = NULL; /* a refused one has no say */
    k->task.run = answer;
    loop_post(k->home, &k->task);
}

static void client_left(struct http_exchange *x) {
    struct walk *k = x->user;
    atomic_store(&k->left, true);
}

static bool ends(const struct walk *k) {
    return k->engine->stopping || atomic_load(&k->left);
}

static void step(struct walk *k);

/* Poked when all else is quiet, so that it has heard of every event of this step. */
static bool webhooks_sent(struct walk *k) {
    struct engine *e = k->engine;
    if (!k->poked) webhook_sender_poke(e->webhooks);
    k->poked = true;
    return webhook_sender_idle(e->webhooks) || clock_mono_ms(e->clock) > k->webhooks_until;
}

static void idle_look(struct timer *timer) {
    struct walk *k = CONTAINER_OF(timer, struct walk, timer);
    struct engine *e = k->engine;
    if (ends(k))
        finish(k, E_CLOSED);
    else if (!jobs_idle(e->jobs) || !cron_idle(e->cron) || !webhooks_sent(k))
        timer_start(e->loop, &k->timer, IDLE_LOOK_MS, idle_look);
    else
        step(k);
}

static void stored(const struct commit_result *result, void *data) {
    struct walk *k = data;
    struct engine *e = k->engine;
    if (result->err != 0) {
        finish(k, result->err);
        return;
    }
    if (e->stopping) {
        finish(k, E_CLOSED);
        return;
    }
    atomic_store(&e->clock->offset_ms, k->offset);
    k->poked = false;
    jobs_poke(e->jobs);
    cron_poke(e->cron);
    timer_start(e->loop, &k->timer, 0, idle_look);
}

static void step(struct walk *k) {
    struct engine *e = k->engine;
    int64_t now = clock_now_ms(e->clock), next = jobs_next_due(e->jobs);
    int64_t cron = cron_next_due(e->cron);
    int64_t webhooks = webhook_sender_next_due(e->webhooks);
    if (cron < next) next = cron;
    if (webhooks < next) next = webhooks;
    if (next > k->goal) next = k->goal;
    if (now >= k->goal) {
        finish(k, 0);
        return;
    }
    if (next < now) next = now; /* due already; the queue just has not taken it */
    struct commit *c;
    if (commit_new(&c) != 0) {
        finish(k, E_NOMEM);
        return;
    }
    k->offset = atomic_load(&e->clock->offset_ms) + (next - now);
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)k->offset);
    commit_add(c, OP_META_SET, VALS(V_TEXT("clock_offset"), V_TEXT(text)));
    store_submit(e->store, c, LANE_RESULT, e->loop, stored, k);
}

static void begin(struct task *task) {
    struct walk *k = CONTAINER_OF(task, struct walk, task);
    if (k->engine->clock_walk != NULL || k->engine->stopping) {
        finish(k, E_BUSY);
        return;
    }
    k->engine->clock_walk = k;
    k->began = clock_now_ms(k->engine->clock);
    k->webhooks_until = clock_mono_ms(k->engine->clock) + WEBHOOKS_WAIT_MS;
    timer_start(k->engine->loop, &k->timer, 0, idle_look);
}

/* The goal out of the body; E_SYNTAX with the field named. */
static int read_goal(struct http_exchange *x, int64_t now, int64_t *goal, struct why *why) {
    struct json_doc doc;
    int err = json_parse(&doc, x->body, NULL, why);
    if (err != 0) return err;
    struct str text;
    int64_t ms;
    const struct json *both[] = {json_get(doc.root, "advance"), json_get(doc.root, "set")};
    int known = (both[0] != NULL) + (both[1] != NULL);
    if (known == 2)
        err = why_set(why, E_SYNTAX, "advance or set, not both");
    else if (known != 1 || doc.root->count != 1)
        err = why_set(why, E_SYNTAX, "advance or set is wanted, and nothing else");
    else if (json_get_str(doc.root, "advance", &text) == 0) {
        err = duration_parse(text, &ms, why);
        if (err == 0) *goal = now + ms;
        why_prefix(why, "advance: ");
    } else if (json_get_str(doc.root, "set", &text) == 0) {
        err = time_parse(text, STR("rfc3339"), ZONE_UTC, goal, NULL);
        if (err != 0)
            why_set(why, err, "set: not a time of RFC 3339");
        else if (*goal < now)
            err = why_set(why, E_RANGE, "set: the clock does not go back");
        else if (*goal - now > AHEAD_MAX_MS)
            err = why_set(why, E_RANGE, "set: more than ten years ahead");
    } else {
        err = why_set(why, E_SYNTAX,
                      both[0] != NULL ? "advance: expected a duration as text, \"24h\" or \"1h30m\""
                                      : "set: expected a time of RFC 3339 as text, "
                                        "\"2026-03-01T09:00:00+07:00\"");
    }
    json_doc_free(&doc);
    return err;
}

void sandbox_clock(struct worker *w, struct http_exchange *x) {
    struct engine *e = w->engine;
    struct why why = {0};
    int64_t goal = 0;
    if (x->answer != NULL) { /* its walk waits for all that runs, and that would be the caller */
        admin_problem(x, PROBLEM_FORBIDDEN, STR("scripts do not move the clock they run by"), NULL);
        return;
    }
    int err = read_goal(x, clock_now_ms(e->clock), &goal, &why);
    struct walk *k = err == 0 ? mem_zalloc(sizeof *k) : NULL;
    if (err != 0) {
        admin_problem(x, PROBLEM_INVALID_REQUEST, str_of(why.text), NULL);
        return;
    }
    if (k == NULL) {
        admin_problem(x, PROBLEM_UNAVAILABLE, STR("out of memory"), NULL);
        return;
    }
    *k =
        (struct walk){.engine = e, .home = w->loop, .exchange = x, .goal = goal, .task.run = begin};
    x->user = k;
    x->closed = x->eof = client_left;
    loop_post(e->loop, &k->task);
}
