/* The scheduler that everything above runs on: tasks, timers and nothing else.
 *
 * Two backends, same rules. `loop_uv` runs on libuv (one loop per worker thread); `loop_sim` runs a
 * whole engine on one thread in virtual time: what is ready runs in an order that a seed picks, and
 * when nothing is ready the clock jumps to the next timer. Code above never sees which it is,
 * except sockets (net/), which ask loop_uv_handle() and exist only on libuv.
 *
 * Tasks and timers are embedded in their owner's struct: no allocation, so neither can fail. A
 * timer may be stopped and its owner freed at any time on the loop's own thread. */
#ifndef LUWAK_LOOP_LOOP_H
#define LUWAK_LOOP_LOOP_H

#include "base/clock.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stddef.h>

struct loop;

struct task {
    struct task *next;
    void (*run)(struct task *task); /* on the loop's thread; may free its owner */
};

struct timer {
    struct loop *loop; /* NULL while not armed */
    uint64_t due_ns;   /* monotonic */
    uint64_t order;    /* among equal due times: first armed, first fired */
    size_t index;      /* place in the loop's heap */
    void (*fired)(struct timer *timer);
};

/* From any thread. The task must stay alive until it ran; posting it twice at once is a mistake. */
void loop_post(struct loop *loop, struct task *task);

/* On the loop's thread only. Starting an armed timer moves it. */
void timer_start(struct loop *loop, struct timer *timer, uint64_t delay_ms,
                 void (*fired)(struct timer *timer));
void timer_stop(struct timer *timer);
static inline bool timer_armed(const struct timer *timer) {
    return timer->loop != NULL;
}

const struct clock *loop_clock(const struct loop *loop);
bool loop_here(const struct loop *loop); /* are we on its thread? */

/* libuv backend */
struct uv_loop_s;
int loop_uv_new(struct loop **out, const struct clock *clock);
struct uv_loop_s *loop_uv_handle(struct loop *loop); /* NULL on the simulated loop */
void loop_uv_run(struct loop *loop);                 /* until loop_stop */
/* Before the loop runs: called each time it has done what there was and looks for more. */
void loop_uv_on_rest(struct loop *loop, void (*rest)(void *data), void *data);
void loop_stop(struct loop *loop); /* from any thread */

/* Runs what was posted, and what that posts, until nothing waits; no timer, no socket. For the end
 * of a loop that does not run any more. False: nothing was there. */
bool loop_settle(struct loop *loop);

/* simulated backend: `clock` must be a virtual clock */
int loop_sim_new(struct loop **out, struct clock *clock, struct rng *rng);
bool loop_sim_step(
    struct loop *loop); /* runs one ready task or fires the next timer; false: idle */
void loop_sim_run_for(struct loop *loop, uint64_t ms); /* all that falls due within ms */
void loop_sim_drain(struct loop *loop);                /* until no task is ready */
bool loop_sim_ready(const struct loop *loop);          /* some task is */
int64_t loop_sim_next_ms(const struct loop *loop);     /* until the next timer; -1: none */

void loop_delete(
    struct loop *loop); /* armed timers are dropped, waiting tasks too (simulated crash) */

#endif
