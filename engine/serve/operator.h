/* What an operator asks of the scripts: list, history, diff, rollback, deploy, grant. The same code
 * answers through a server's control socket and in a command that holds the lock itself. On the
 * engine's main loop.
 *
 *   scripts.list                       scripts.rollback PATH [VERSION]
 *   scripts.kept PATH [VERSION]: what a rollback writes: the root, the version, its text in hex
 *   scripts.history PATH               deploy PATH...
 *   scripts.diff PATH FROM TO          grant.show [PROVIDER]
 *   (FROM, TO may be empty)            grant.all PROVIDER
 *                                      grant.set PROVIDER KIND VALUE...   grant.drop likewise; KIND
 *                                      and VALUE in pairs; drop without a pair takes all back */
#ifndef LUWAK_OPERATOR_H
#define LUWAK_OPERATOR_H

#include "engine.h"

struct operator_call {
    const char *name;
    const char *const *args; /* alive until finish */
    size_t count;
    void (*line)(void *to, bool good, const char *text);
    void (*finish)(void *to, int err, const char *text); /* exactly once; may come at once */
    void *to;
};
void operator_run(struct engine *engine, const struct operator_call *call);

/* Runs one to its end on an engine of its own that nobody else turns; lines go to `report`. */
int operator_wait(struct engine *engine, const char *name, const char *const *args, size_t count,
                  const struct store_report *report, struct why *why);

#endif
