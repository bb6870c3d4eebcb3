/* See questions.h. */
#include "core/questions.h"

#include "base/mem.h"
#include "core/limiter.h"

#include <pthread.h>
#include <stdio.h>

enum {
    ACCOUNTS_MAX = 4096,
    MINUTE_MS = 60000,
    BURST_SHARE = 10,   /* of a minute's at once */
    LINE_MAX = 1000000, /* who stands behind so many is told the same as the last one */
    KEYS = 4            /* of an account: two halves, and the line before each */
};

struct questions {
    struct limiter *limiter;
    struct rate rate; /* of each of the two halves */
    struct rate
        line; /* the same without an end: when it is full again is when the last one's turn is */
    pthread_mutex_t lock;
    struct question *asked; /* under the lock; at most as many as the queue has places */
};

int questions_new(struct questions **out, const struct clock *clock, uint32_t per_minute) {
    struct questions *q = mem_zalloc(sizeof *q);
    if (q == NULL) return E_NOMEM;
    int err = limiter_new(&q->limiter, clock, KEYS * ACCOUNTS_MAX);
    if (err != 0) {
        mem_free(q);
        return err;
    }
    uint32_t half = per_minute / 2 > 0 ? per_minute / 2 : 1;
    uint32_t burst = half / BURST_SHARE > 0 ? half / BURST_SHARE : 1;
    q->rate = (struct rate){.count = half, .period_ms = MINUTE_MS, .burst = burst};
    q->line = (struct rate){.count = half, .period_ms = MINUTE_MS, .burst = LINE_MAX};
    pthread_mutex_init(&q->lock, NULL);
    *out = q;
    return 0;
}

void questions_delete(struct questions *q) {
    if (q == NULL) return;
    limiter_delete(q->limiter);
    pthread_mutex_destroy(&q->lock);
    mem_free(q);
}

static bool place(struct questions *q, struct question *question) {
    int same = 0;
    pthread_mutex_lock(&q->lock);
    for (const struct question *other = q->asked; other != NULL; other = other->next)
        if (strcmp(other->account, question->account) == 0) same++;
    if (same < QUESTIONS_AT_ONCE) {
        question->next = q->asked;
        q->asked = question;
    }
    pthread_mutex_unlock(&q->lock);
    return same < QUESTIONS_AT_ONCE;
}

/* The turn of one more who has to wait. */
static int64_t stand_in_line(struct questions *q, const char *key) {
    char line[sizeof((struct question *)0)->account + 16];
    snprintf(line, sizeof line, "line %s", key);
    struct rate_verdict v = limiter_take(q->limiter, str_of(line), &q->line, 1);
    int64_t wait = v.ok ? v.reset_ms : v.wait_ms;
    return wait > 0 ? wait : 1;
}

int64_t questions_begin(struct questions *q, struct question *question, struct str account,
                        enum operation_state state) {
    char key[sizeof question->account + 8];
    bool waits = state == OPERATION_PENDING || state == OPERATION_SUPERSEDED;
    snprintf(question->account, sizeof question->account, "%.*s", STR_FMT(account));
    snprintf(key, sizeof key, "%s %s", waits ? "paid?" : "what?", question->account);
    if (!place(q, question)) return stand_in_line(q, key);
    if (limiter_take(q->limiter, str_of(key), &q->rate, 1).ok) return 0;
    questions_end(q, question);
    return stand_in_line(q, key);
}

void questions_end(struct questions *q, struct question *question) {
    pthread_mutex_lock(&q->lock);
    struct question **at = &q->asked;
    while (*at != question)
        at = &(*at)->next;
    *at = question->next;
    pthread_mutex_unlock(&q->lock);
}
