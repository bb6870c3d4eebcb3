/* What the commands share. */
#ifndef LUWAK_CMD_H
#define LUWAK_CMD_H

#include "cli/cli.h"
#include "data.h"
#include "sys/tls.h"

/* Log, crypto, HTTP client, store: what every command needs that runs the engine. Exit code. */
int cmd_setup(const struct cli_args *args, const struct config *config);

/* What LUWAK_TLS_* name; *tls stays NULL where they name nothing. */
int cmd_tls(const struct config *config, struct tls_server **tls, struct why *why);

/* A snapshot of the data (of a server's too) in a directory of its own; cmd_data.c */
int data_copy(const struct config *config, char out[DATA_PATH_MAX], struct why *why);

/* A path as the root knows it ("channels/x.lua"): what lies below the root loses its front. */
void cmd_script_path(const char *root, const char *given, char out[DATA_PATH_MAX]);

#endif
