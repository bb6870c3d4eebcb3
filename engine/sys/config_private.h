/* Shared by config.c (loading) and config_get.c (asking and showing). */
#ifndef LUWAK_SYS_CONFIG_PRIVATE_H
#define LUWAK_SYS_CONFIG_PRIVATE_H

#include "sys/config.h"

enum origin { FROM_ENVIRONMENT, FROM_CREDENTIAL, FROM_FILE, FROM_ALIAS, FROM_OPTION };

struct var {
    char *name;
    char *value; /* with reference marks until it was expanded */
    enum origin origin;
    const char *label; /* option's name, or the alias's source; static or the setting's name */
    int line;          /* in .env */
    bool live;         /* may hold reference marks */
    enum { VAR_NEW, VAR_VISITING, VAR_DONE, VAR_BROKEN } state;
};

struct lines { /* problems, warnings */
    char **at;
    size_t count, cap;
};

struct config {
    struct var *vars;
    size_t var_count, var_cap;
    struct {
        struct var *var; /* NULL: the default */
        const char *text;
        int64_t number;
    } settings[SETTING_COUNT];
    struct lines problems, warnings;
    char *env_file;
    bool no_memory; /* sticks; config_load reports it */
};

struct var *config_find(const struct config *c, struct str name); /* not an empty or broken one */
int config_setting_of(struct str name);                           /* -1: none */

#endif
