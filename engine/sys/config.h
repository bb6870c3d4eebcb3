/* The configuration: environment over credentials (systemd's $CREDENTIALS_DIRECTORY, one file per
 * key) over `.env` over defaults; options of the command line over all. Read once at start, then
 * immutable and shared by all threads.
 *
 * Loading never stops at the first mistake: what is wrong is collected as one-line problems, so
 * that `luwak config` can show them all; config_check() turns the first into an error for the
 * commands that need a good configuration. An empty value counts as not set. */
#ifndef LUWAK_SYS_CONFIG_H
#define LUWAK_SYS_CONFIG_H

#include "sys/settings.h"

struct config;

struct config_option {
    enum setting_id setting;
    const char *option; /* its name without dashes; outlives the config */
    const char *value;
};

struct config_sources {
    const char *const *environment; /* "NAME=value", NULL-ended */
    const char *env_file;           /* NULL: none; a missing file is no problem */
    bool env_file_named;            /* the operator named it: a missing file is a problem */
    const char *credentials;        /* directory, or NULL */
    const struct config_option *options;
    size_t option_count;
};

enum luwak_env { ENV_UNSET = -1, ENV_SIMULATED, ENV_SANDBOX, ENV_STAGING, ENV_PRODUCTION };

int config_load(struct config **out, const struct config_sources *sources, struct why *why);
void config_free(struct config *config); /* wipes what is secret */

/* 0, or E_CONFIG with the first problem. With needs_env, LUWAK_ENV must be decided and everything
 * that environment needs must be there: for commands that serve or touch data. */
int config_check(const struct config *config, bool needs_env, struct why *why);

size_t config_problem_count(const struct config *config);
const char *config_problem(const struct config *config, size_t i);
size_t config_warning_count(const struct config *config);
const char *config_warning(const struct config *config, size_t i);
/* What matters to who serves and to nobody else, or NULL. */
const char *config_serve_warning(const struct config *config);

enum luwak_env config_env(const struct config *config);
const char *config_text(const struct config *config, enum setting_id id); /* NULL: not set */
int64_t config_number(const struct config *config,
                      enum setting_id id); /* int, ms, bytes, bool, index of the choice */
bool config_given(const struct config *config, enum setting_id id); /* not only the default */
int config_data_key(const struct config *config, uint8_t key[32]);  /* E_NOTFOUND: not set */
bool config_staged(const struct config *config); /* LUWAK_SCRIPTS, with its default resolved */

/* A provider's own key, for scripts: `key` must begin with the provider's name ("midtrans" sees
 * MIDTRANS_...), else E_DENIED. E_NOTFOUND: not set. In simulated mode missing keys have demo
 * values. *out lives as long as the config. */
int config_provider(const struct config *config, const char *provider, const char *key,
                    const char **out);

/* The names of providers' keys that somebody set, one by one; NULL: no more. Of the environment only
 * what begins as a provider's that we know. */
const char *config_key_given(const struct config *config, size_t nth);

void config_print(const struct config *config, struct buf *out); /* value and origin of all */
void config_print_docs(struct buf *out);                         /* the table, for help */

#endif
