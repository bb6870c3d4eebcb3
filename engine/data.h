/* How a command comes to the data: beside a running server through its control socket, without one
 * by taking the lock of the directory. */
#ifndef LUWAK_DATA_H
#define LUWAK_DATA_H

#include "cli/cli.h"
#include "store/store.h"
#include "sys/seal.h"

#define DATA_PATH_MAX 1024

int data_socket(const struct config *config, char out[DATA_PATH_MAX], struct why *why);

/* Is there a database at all? A command that only looks must not make one. */
bool data_there(const struct config *config);
int data_missing(const struct config *config, struct why *why); /* says so: E_NOTFOUND */
/* A file without a byte, as a copy that failed leaves it, is to the store a new database: E_CORRUPT. */
int data_emptied(const struct config *config, struct why *why);

/* *remote: a server runs and the store is its. Nothing is migrated. */
int data_open(struct store **out, const struct config *config, struct loop *loop, bool unchecked,
              bool *remote, struct why *why);

/* Where a server runs: does the configuration name its environment? E_CONFIG: another. 0 where none
 * runs: who opens the directory asks there. */
int data_belongs(const struct config *config, struct why *why);

/* Is a server there? Asks it; E_CONNECT: none. */
int data_command(const struct config *config, const char *name, const char *const *args,
                 size_t count, const struct store_report *report, struct why *why);

/* The keys that data is sealed under: LUWAK_DATA_KEY; simulated data has a key of its own. */
int data_ring(struct seal_ring **out, const struct config *config, struct why *why);

/* A directory of our own below $TMPDIR, and its end. */
int data_temporary(char out[DATA_PATH_MAX], struct why *why);
void data_temporary_remove(const char *dir);

#endif
