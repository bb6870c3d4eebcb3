/* The plays of a staged version: its tests, run by `luwak test` in a process of its own, so that no
 * request waits for them, whatever they do. */
#ifndef LUWAK_PLAYS_H
#define LUWAK_PLAYS_H

#include "base/err.h"
#include "loop/loop.h"

struct plays;

int plays_new(struct plays **out, struct loop *loop, const char *root);

/* As registry_options wants it; `data` is the engine. One run at a time. */
void plays_run(void *data, const char *const *files, size_t count,
               void (*done)(void *to, const struct why *why), void *to);

/* What the end of `luwak test` says of the plays; 0: they passed. */
struct child_end;
void plays_judge(const struct child_end *end, struct why *why);

/* What runs is ended, and what would begin is not begun: E_CLOSED, by a task on the loop. */
void plays_stop(struct plays *p);
void plays_delete(struct plays *p); /* no run is under way */

#endif
