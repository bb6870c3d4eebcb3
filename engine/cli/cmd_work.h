/* What the commands share that change who and what the engine serves (merchants, keys, accounts,
 * persons): the store, beside a running server through its control socket, else under the lock; and
 * the line in the audit log that each change leaves. */
#ifndef LUWAK_CMD_WORK_H
#define LUWAK_CMD_WORK_H

#include "cli/cmd.h"
#include "core/core.h"
#include "core/merchant.h"

struct engine;

struct work {
    const struct cli_args *args;
    const struct config *config;
    struct engine *engine;
    const struct core *core;
    const char *id; /* what is worked on: the first argument behind the action */
    char made[100]; /* what is new, or ended: its id or name; empty: `id` */
    char key[API_KEY_SIZE];
    int err;
    char detail[200];
    struct rows *rows; /* of the last query */
    bool waiting;
};

int work_query(struct work *w, const char *name, const struct val *values, size_t count,
               struct why *why);
/* Builds the change with its audit line, by whom the command was run, and commits it; anew when
 * another line came first. */
int work_change(struct work *w, int (*build)(struct work *w, struct commit *c, struct why *why),
                const char *action, struct why *why);
/* The whole command around `what`; its exit code. */
int work_run(const struct cli_args *args, int (*what)(struct work *w, struct why *why));

#endif
