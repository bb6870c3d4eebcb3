/* The budget of questions to one provider account, shared by all workers: so many in a minute
 * (LUWAK_ASK_RATE), and never so many at once that a provider which hangs holds every place of the
 * job queue. What waits to be paid (asked by the thousand, because callbacks get lost) may use half
 * of the rate; the other half is kept for what has no answer.
 *
 * Who is refused is told when his turn is, each a moment after the one before: a backlog of an outage
 * spreads itself over time instead of coming again all at once. */
#ifndef LUWAK_CORE_QUESTIONS_H
#define LUWAK_CORE_QUESTIONS_H

#include "base/clock.h"
#include "core/operation.h"

struct questions;

struct question { /* one that is being asked; its owner keeps it until questions_end() */
    struct question *next;
    char account[64];
};

enum { QUESTIONS_AT_ONCE = 16 }; /* to one account; the queue has 64 places */

int questions_new(struct questions **out, const struct clock *clock, uint32_t per_minute);
void questions_delete(struct questions *questions);

/* From any thread. 0: ask, and questions_end(); else not now, and after how many milliseconds. */
int64_t questions_begin(struct questions *questions, struct question *question, struct str account,
                        enum operation_state state);
void questions_end(struct questions *questions, struct question *question);

#endif
