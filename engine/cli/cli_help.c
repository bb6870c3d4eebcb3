/* Help for people at a terminal, from the table. */
#include "cli/cli.h"

#include <stdio.h>

#define INDENT 2
#define COLUMN 26 /* where the doc of options and arguments begins */

/* Words of `text` in lines of at most `columns`, each line set in by `indent`; the first line
 * begins at column `at`. Empty lines divide paragraphs. */
static void add_wrapped(struct buf *out, const char *text, size_t at, size_t indent,
                        size_t columns) {
    bool first = true;
    while (*text != '\0') {
        size_t n = strcspn(text, " \n");
        if (!first && at + 1 + n > columns) {
            buf_addf(out, "\n%*s", (int)indent, "");
            at = indent;
            first = true;
        }
        if (!first) {
            buf_addc(out, ' ');
            at++;
        }
        buf_add(out, text, n);
        at += n;
        text += n;
        first = false;
        if (text[0] == '\n') {
            buf_addf(out, "\n\n%*s", (int)indent, "");
            at = indent;
            first = true;
            text += strspn(text, "\n");
        } else if (*text == ' ') {
            text++;
        }
    }
    buf_addc(out, '\n');
}

static void add_entry(struct buf *out, const char *head, const char *doc, size_t columns) {
    int width = (int)strlen(head);
    buf_addf(out, "%*s%s", INDENT, "", head);
    if (INDENT + width + 2 > COLUMN) {
        buf_addf(out, "\n%*s", COLUMN, "");
    } else {
        buf_addf(out, "%*s", COLUMN - INDENT - width, "");
    }
    add_wrapped(out, doc, COLUMN, COLUMN, columns);
}

static void add_usage(struct buf *out, const struct cli_command *c) {
    buf_addf(out, "luwak %s", c->name);
    for (const struct cli_arg *a = c->args; a->name != NULL; a++) {
        const char *name = a->choices != NULL ? a->choices : a->name;
        static const char *const shapes[] = {" %s", " [%s]", " %s...", " [%s...]"};
        char text[128];
        const char *shape = shapes[a->count];
        size_t lead = strcspn(shape, "%");
        snprintf(text, sizeof text, "%.*s%s%s", (int)lead, shape, name, shape + lead + 2);
        buf_adds(out, text);
    }
    if (c->options[0].name != NULL) buf_adds(out, " [OPTIONS]");
    buf_addc(out, '\n');
}

static void add_option(struct buf *out, const struct cli_option *o, size_t columns) {
    char head[96];
    snprintf(head, sizeof head, o->placeholder == NULL ? "--%s" : "--%s %s", o->name,
             o->placeholder);
    add_entry(out, head, o->doc, columns);
}

void cli_help(struct buf *out, const struct cli_command *c, size_t columns) {
    add_usage(out, c);
    buf_addc(out, '\n');
    add_wrapped(out, c->about, 0, 0, columns);
    if (c->args[0].name != NULL) buf_adds(out, "\nArguments\n");
    for (const struct cli_arg *a = c->args; a->name != NULL; a++)
        add_entry(out, a->name, a->doc, columns);
    buf_adds(out, "\nOptions\n");
    for (const struct cli_option *o = c->options; o->name != NULL; o++)
        add_option(out, o, columns);
    for (const struct cli_option *o = CLI_COMMON; o->name != NULL; o++)
        add_option(out, o, columns);
    if (c->examples != NULL) buf_adds(out, "\nExamples\n");
    for (size_t i = 0; c->examples != NULL && c->examples[i] != NULL; i += 2) {
        buf_addf(out, "  %s\n      ", c->examples[i]);
        add_wrapped(out, c->examples[i + 1], 6, 6, columns);
    }
    if (c->run == cmd_config) {
        buf_adds(out, "\nSettings\n");
        config_print_docs(out);
    }
    buf_adds(out, "\nExit: 0 good, 1 found problems, 2 wrong use.\n");
}

void cli_overview(struct buf *out) {
    buf_adds(out, "Luwak, a scriptable payment engine.\n\nluwak COMMAND [ARGUMENTS] [OPTIONS]\n\n");
    for (const struct cli_command *c = CLI_COMMANDS; c->name != NULL; c++) {
        if (!c->hidden) buf_addf(out, "  %-12s %s\n", c->name, c->summary);
    }
    buf_adds(out, "\n`luwak COMMAND --help` tells more; `luwak config --help` lists all settings.\n"
                  "Try it: luwak serve --simulated\n");
}
