/* The process's signals, on a libuv loop: for the server and for one-off runs. One owner per
 * process. */
#ifndef LUWAK_LOOP_SIGNALS_H
#define LUWAK_LOOP_SIGNALS_H

#include "loop/loop.h"

struct signals;

/* `numbers` ends with 0, 4 at most. `got` runs on the loop. */
int signals_new(struct signals **out, struct loop *loop, const int *numbers,
                void (*got)(int number, void *data), void *data);

/* `closed` (NULL allowed) runs on the loop once nothing of them is left. */
void signals_delete(struct signals *signals, void (*closed)(void *data), void *data);

#endif
