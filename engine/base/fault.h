/* Named fault points, in the test build only (LUWAK_FAULTS): FAULT("store.committed") does what
 * LUWAK_FAULT says for that name and nothing otherwise. LUWAK_FAULT is a comma-separated list of
 * NAME=ACTION[@N]: at the Nth passing (default 1) `kill` (SIGKILL to ourselves), `exit`, `hang`
 * (sleeps for ever), or `fail` (fault_at returns 1, and the caller takes its error path). */
#ifndef LUWAK_BASE_FAULT_H
#define LUWAK_BASE_FAULT_H

#ifdef LUWAK_FAULTS
int fault_at(const char *name);
void fault_set(const char *plan); /* replaces what the environment said; for tests in-process */
#define FAULT(name) fault_at(name)
#else
#define FAULT(name) 0
#endif

#endif
