/* The command line. One table (cli_commands.c) of commands, arguments and options, from which come
 * parsing, help, the man page and shell completion. A command is a function that gets what was
 * parsed and returns the exit code: 0 good, 1 found problems, 2 wrong use. */
#ifndef LUWAK_CLI_H
#define LUWAK_CLI_H

#include "sys/config.h"

#ifndef LUWAK_VERSION
#define LUWAK_VERSION "0.1.0"
#endif

enum cli_exit { CLI_GOOD = 0, CLI_PROBLEMS = 1, CLI_USAGE = 2 };

#define CLI_OPTIONS_MAX 16

struct cli_option {
    const char *name;        /* without the dashes; NULL ends the list */
    const char *placeholder; /* NULL: a flag */
    int setting;             /* NO_SETTING, or the setting it sets, which checks its value */
    const char *choices;     /* "a|b", or NULL */
    const char *doc;
};
#define NO_SETTING (-1)

struct cli_arg {
    const char *name; /* NULL ends the list */
    enum { ARG_ONE, ARG_OPTIONAL, ARG_MANY, ARG_ANY /* none or more */ } count;
    const char *choices; /* "channel|rule", or NULL */
    const char *doc;
};

struct cli_args;

struct cli_command {
    const char *name;
    const char *summary; /* one line for the list */
    const char *about;   /* for --help and the man page; paragraphs divided by empty lines */
    const struct cli_arg *args;
    const struct cli_option *options;
    const char *const *examples; /* command, explanation, command, explanation ..., NULL */
    int (*run)(const struct cli_args *args);
    bool hidden;
    const char *tool; /* cmd_run: this script of scripts/tools/ is the command, the arguments its */
    bool script_args; /* what follows the first argument and is no option of ours is the script's */
};
extern const struct cli_command CLI_COMMANDS[]; /* ended by a NULL name */
extern const struct cli_option CLI_COMMON[];    /* options every command takes */

struct cli_args {
    const struct cli_command *command;
    const char *option[CLI_OPTIONS_MAX]; /* in the order of command->options; flags: "" */
    const char *common[CLI_OPTIONS_MAX]; /* in the order of CLI_COMMON */
    const char **args;                   /* what is left; owned by cli_main */
    size_t count;
};

int cli_main(int argc, char **argv);
int cli_parse(struct cli_args *out, int argc, char **argv, struct why *why); /* see cli_parse.c */

const char *cli_option(const struct cli_args *args, const char *name); /* NULL: not given */
bool cli_flag(const struct cli_args *args, const char *name);

int cli_load(const struct cli_args *args, struct config **out, struct why *why); /* unchecked */

/* Environment, credentials, .env and the options that set settings. With needs_env as in
 * config_check. Warnings and the first problem are printed. 0, or the exit code. */
int cli_config(const struct cli_args *args, bool needs_env, struct config **out);

/* The folder that holds channels/, rules/ and scripts/. */
#define CLI_PATH_MAX 1024
int cli_root(const struct config *config, char out[CLI_PATH_MAX], struct why *why);

/* "luwak serve: TEXT" on stderr, one line; returns `code`. */
int cli_fail(const struct cli_args *args, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- made from the table ---- */
void cli_help(struct buf *out, const struct cli_command *command, size_t columns);
void cli_overview(struct buf *out);
void cli_man(struct buf *out);
int cli_completion(struct buf *out, const char *shell); /* bash zsh fish; E_NOTFOUND */

/* ---- commands ---- */
int cmd_serve(const struct cli_args *args);
int cmd_run(const struct cli_args *args);
int cmd_check(const struct cli_args *args);
int cmd_test(const struct cli_args *args);
int cmd_conform(const struct cli_args *args);
int cmd_new(const struct cli_args *args);
int cmd_migrate(const struct cli_args *args);
int cmd_simulate(const struct cli_args *args);
int cmd_scripts(const struct cli_args *args);
int cmd_deploy(const struct cli_args *args);
int cmd_grant(const struct cli_args *args);
int cmd_merchant(const struct cli_args *args);
int cmd_key(const struct cli_args *args);
int cmd_listen(const struct cli_args *args);
int cmd_account(const struct cli_args *args);
int cmd_person(const struct cli_args *args);
int cmd_config(const struct cli_args *args);
int cmd_backup(const struct cli_args *args);
int cmd_verify(const struct cli_args *args);
int cmd_version(const struct cli_args *args);
int cmd_help(const struct cli_args *args);
int cmd_completion(const struct cli_args *args);
int cmd_man(const struct cli_args *args);

#endif
