/* loop in virtual time: one thread, no sockets. Ready tasks run in an order that the seed picks,
 * which is how a simulation visits orders that a real machine shows once a year. */
#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "loop/loop_private.h"

struct sim_backend {
    struct loop loop;
    struct clock *clock;
    struct rng *rng; /* NULL: first in, first out */
    struct task *first;
    size_t ready;
    bool stopped;
};

static struct sim_backend *of(const struct loop *loop) {
    return CONTAINER_OF(loop, struct sim_backend, loop);
}

static void post(struct loop *loop, struct task *task) {
    struct sim_backend *b = of(loop);
    struct task **at = &b->first;
    while (*at != NULL)
        at = &(*at)->next;
    task->next = NULL;
    *at = task;
    b->ready++;
}

static struct task *pick(struct sim_backend *b) {
    uint64_t skip = b->rng == NULL ? 0 : rng_below(b->rng, b->ready);
    struct task **at = &b->first;
    while (skip-- != 0)
        at = &(*at)->next;
    struct task *task = *at;
    *at = task->next;
    task->next = NULL;
    b->ready--;
    return task;
}

static void timers_changed(struct loop *loop) {
    (void)loop;
}

static bool here(const struct loop *loop) {
    (void)loop;
    return true;
}

static void stop(struct loop *loop) {
    of(loop)->stopped = true;
}

static void destroy(struct loop *loop) {
    mem_free(of(loop));
}

static bool settle(struct loop *loop) {
    bool some = of(loop)->ready != 0;
    loop_sim_drain(loop);
    return some;
}

static const struct loop_backend SIM = {.post = post,
                                        .timers_changed = timers_changed,
                                        .here = here,
                                        .stop = stop,
                                        .settle = settle,
                                        .destroy = destroy};

int loop_sim_new(struct loop **out, struct clock *clock, struct rng *rng) {
    struct sim_backend *b = mem_zalloc(sizeof *b);
    if (b == NULL) return E_NOMEM;
    b->loop.backend = &SIM;
    b->loop.clock = b->clock = clock;
    b->rng = rng;
    *out = &b->loop;
    return 0;
}

/* One ready task. Or, where a seed orders, a timer that fell due while tasks waited: a real loop
 * looks at its timers between two batches of tasks, whatever these are for. */
static void turn(struct sim_backend *b) {
    struct timer *first = b->loop.timers.count == 0 ? NULL : b->loop.timers.at[0];
    if (b->rng != NULL && first != NULL && first->due_ns <= clock_mono_ns(b->clock) &&
        rng_below(b->rng, b->ready + 1) == 0) {
        loop_fire(&b->loop, first);
        return;
    }
    struct task *task = pick(b);
    task->run(task);
}

void loop_sim_drain(struct loop *loop) {
    struct sim_backend *b = of(loop);
    while (b->ready != 0)
        turn(b);
}

/* Fires the first timer if it is due by `until`; the clock jumps to its time. */
static bool fire_next(struct sim_backend *b, uint64_t until) {
    if (b->loop.timers.count == 0) return false;
    struct timer *t = b->loop.timers.at[0];
    if (t->due_ns > until) return false;
    uint64_t now = clock_mono_ns(b->clock);
    if (t->due_ns > now) clock_virtual_advance(b->clock, t->due_ns - now);
    loop_fire(&b->loop, t);
    return true;
}

bool loop_sim_step(struct loop *loop) {
    struct sim_backend *b = of(loop);
    if (b->ready == 0) return fire_next(b, UINT64_MAX);
    turn(b);
    return true;
}

void loop_sim_run_for(struct loop *loop, uint64_t ms) {
    struct sim_backend *b = of(loop);
    uint64_t until = clock_mono_ns(b->clock) + ms * 1000000u;
    b->stopped = false;
    do {
        loop_sim_drain(loop);
    } while (!b->stopped && fire_next(b, until));
    uint64_t now = clock_mono_ns(b->clock);
    if (!b->stopped && now < until) clock_virtual_advance(b->clock, until - now);
}

bool loop_sim_ready(const struct loop *loop) {
    return of((struct loop *)loop)->ready != 0;
}

int64_t loop_sim_next_ms(const struct loop *loop) {
    const struct sim_backend *b = of(loop);
    if (b->loop.timers.count == 0) return -1;
    uint64_t now = clock_mono_ns(b->clock);
    uint64_t due = b->loop.timers.at[0]->due_ns;
    return due <= now ? 0 : (int64_t)((due - now + 999999u) / 1000000u);
}
