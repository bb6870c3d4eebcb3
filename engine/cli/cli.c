/* Finds the command, parses, runs it. */
#include "cli/cli.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "base/nearest.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

extern char **environ;

int cli_fail(const struct cli_args *args, int code, const char *format, ...) {
    char text[WHY_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    for (char *p = text; *p != '\0'; p++) { /* one line, whatever an argument holds */
        if ((unsigned char)*p < 0x20 || *p == 0x7F) *p = '?';
    }
    if (args == NULL || args->command == NULL) {
        fprintf(stderr, "luwak: %s\n", text);
    } else {
        fprintf(stderr, "luwak %s: %s\n", args->command->name, text);
    }
    return code;
}

const char *cli_option(const struct cli_args *args, const char *name) {
    for (size_t i = 0; args->command->options[i].name != NULL; i++) {
        if (strcmp(args->command->options[i].name, name) == 0) return args->option[i];
    }
    for (size_t i = 0; CLI_COMMON[i].name != NULL; i++) {
        if (strcmp(CLI_COMMON[i].name, name) == 0) return args->common[i];
    }
    return NULL;
}

bool cli_flag(const struct cli_args *args, const char *name) {
    return cli_option(args, name) != NULL;
}

/* Loads without checking: cmd_config shows problems itself. */
int cli_load(const struct cli_args *args, struct config **out, struct why *why) {
    struct config_option options[CLI_OPTIONS_MAX];
    size_t count = 0;
    for (size_t i = 0; args->command->options[i].name != NULL; i++) {
        const struct cli_option *o = &args->command->options[i];
        if (o->setting < 0 || args->option[i] == NULL) continue;
        options[count].setting = (enum setting_id)o->setting;
        options[count].option = o->name;
        options[count].value = o->placeholder == NULL ? o->name : args->option[i];
        count++;
    }
    const char *file = cli_option(args, "env-file");
    struct config_sources sources = {
        .environment = (const char *const *)environ,
        .env_file = file == NULL ? ".env" : file,
        .env_file_named = file != NULL,
        .credentials = getenv("CREDENTIALS_DIRECTORY"),
        .options = options,
        .option_count = count,
    };
    return config_load(out, &sources, why);
}

int cli_config(const struct cli_args *args, bool needs_env, struct config **out) {
    struct why why = {0};
    int err = cli_load(args, out, &why);
    if (err != 0) return cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    for (size_t i = 0; i < config_warning_count(*out); i++)
        cli_fail(args, 0, "warning: %s", config_warning(*out, i));
    if (config_check(*out, needs_env, &why) == 0) return 0;
    config_free(*out);
    *out = NULL;
    return cli_fail(args, CLI_USAGE, "%s", why.text);
}

static int print(struct buf *out) {
    int code = out->err == 0 ? CLI_GOOD : CLI_PROBLEMS;
    if (code == CLI_GOOD &&
        fwrite(out->data == NULL ? "" : out->data, 1, out->len, stdout) != out->len)
        code = CLI_PROBLEMS;
    if (fflush(stdout) != 0) code = CLI_PROBLEMS;
    if (code != CLI_GOOD && errno != EPIPE)
        fprintf(stderr, "luwak: cannot write: %s\n",
                out->err != 0 ? err_text(out->err) : strerror(errno));
    buf_free(out);
    return code;
}

static size_t columns(void) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col < 40 ? 40 : size.ws_col > 100 ? 100 : size.ws_col;
}

static const struct cli_command *find_command(const char *name, struct why *why) {
    struct nearest near;
    nearest_init(&near, str_of(name));
    for (const struct cli_command *c = CLI_COMMANDS; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) return c;
        if (!c->hidden) nearest_try(&near, str_of(c->name));
    }
    if (near.best.n != 0) {
        why_set(why, E_USAGE, "no command %s; did you mean %.*s?", name, STR_FMT(near.best));
    } else {
        why_set(why, E_USAGE, "no command %s; `luwak --help` lists them", name);
    }
    return NULL;
}

static int show_help(const struct cli_command *command) {
    struct buf out = {0};
    cli_help(&out, command, columns());
    return print(&out);
}

static int show_overview(void) {
    struct buf out = {0};
    cli_overview(&out);
    return print(&out);
}

int cmd_help(const struct cli_args *args) {
    struct why why = {0};
    if (args->count == 0) return show_overview();
    const struct cli_command *c = find_command(args->args[0], &why);
    return c == NULL ? cli_fail(args, CLI_USAGE, "%s", why.text) : show_help(c);
}

int cmd_version(const struct cli_args *args) {
    (void)args;
    struct buf out = {0};
    buf_adds(&out, "luwak " LUWAK_VERSION " (script api 1)\n");
    return print(&out);
}

int cmd_completion(const struct cli_args *args) {
    struct buf out = {0};
    int err = cli_completion(&out, args->args[0]);
    ENSURE(err == 0); /* the table lists the shells */
    return print(&out);
}

int cmd_man(const struct cli_args *args) {
    (void)args;
    struct buf out = {0};
    cli_man(&out);
    return print(&out);
}

int cli_main(int argc, char **argv) {
    struct why why = {0};
    signal(SIGCHLD, SIG_DFL); /* ignored by who started us, no child's end would be heard */
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away is a write error, no end without a word, */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file that may grow no more (LimitFSIZE, ulimit -f) */
    if (argc < 2) {
        cli_fail(NULL, 0, "no command; `luwak --help` lists them");
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) return show_overview();
    if (strcmp(argv[1], "--version") == 0) return cmd_version(NULL);
    if (argv[1][0] == '-')
        return cli_fail(NULL, CLI_USAGE,
                        "%s: options come behind the command; `luwak --help` lists them", argv[1]);
    struct cli_args args = {.command = find_command(argv[1], &why)};
    if (args.command == NULL) return cli_fail(NULL, CLI_USAGE, "%s", why.text);
    args.args = mem_array((size_t)argc, sizeof *args.args);
    if (args.args == NULL) return cli_fail(&args, CLI_PROBLEMS, "out of memory");
    int code;
    if (cli_parse(&args, argc - 2, argv + 2, &why) != 0) {
        code = cli_fail(&args, CLI_USAGE, "%s", why.text);
    } else if (cli_flag(&args, "help")) {
        code = show_help(args.command);
    } else {
        code = args.command->run(&args);
    }
    mem_free(args.args);
    return code;
}
