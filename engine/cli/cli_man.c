/* The man page, man(7) macros, from the tables of commands and settings. */
#include "cli/cli.h"

#include <stdio.h>

/* Text as troff: backslashes and hyphens escaped, no line that begins like a request. */
static void add_text(struct buf *out, const char *text) {
    bool start = true;
    for (; *text != '\0'; text++) {
        if (start && (*text == '.' || *text == '\'')) buf_adds(out, "\\&");
        start = *text == '\n';
        if (*text == '\\') {
            buf_adds(out, "\\e");
        } else if (*text == '-') {
            buf_adds(out, "\\-");
        } else {
            buf_addc(out, *text);
        }
    }
}

/* Paragraphs: an empty line becomes .PP, a sentence begins a new input line, long ones are folded.
 */
static void add_paragraphs(struct buf *out, const char *text) {
    size_t column = 0;
    while (*text != '\0') {
        size_t n = strcspn(text, " \n");
        char word[128];
        snprintf(word, sizeof word, "%.*s", (int)n, text);
        if (column + n > 72) {
            buf_addc(out, '\n');
            column = 0;
        }
        if (column != 0) buf_addc(out, ' ');
        add_text(out, word);
        column += n + 1;
        text += n;
        bool sentence = n > 1 && strchr(".:", word[n - 1]) != NULL && *text == ' ';
        bool paragraph = *text == '\n';
        if (sentence || paragraph || *text == '\0') {
            buf_addc(out, '\n');
            column = 0;
        }
        if (paragraph) buf_adds(out, ".PP\n");
        text += strspn(text, " \n");
    }
}

static void add_term(struct buf *out, const char *bold, const char *italic, const char *doc) {
    buf_adds(out, ".TP\n\\fB");
    add_text(out, bold);
    buf_adds(out, "\\fR");
    if (italic != NULL) {
        buf_adds(out, " \\fI");
        add_text(out, italic);
        buf_adds(out, "\\fR");
    }
    buf_addc(out, '\n');
    add_paragraphs(out, doc);
}

static void add_option(struct buf *out, const struct cli_option *o) {
    char name[64];
    snprintf(name, sizeof name, "--%s", o->name);
    add_term(out, name, o->placeholder, o->doc);
}

static void add_command(struct buf *out, const struct cli_command *c) {
    buf_addf(out, ".SS luwak %s", c->name);
    for (const struct cli_arg *a = c->args; a->name != NULL; a++) {
        bool optional = a->count == ARG_OPTIONAL || a->count == ARG_ANY;
        bool many = a->count == ARG_MANY || a->count == ARG_ANY;
        buf_addf(out, " %s%s%s%s", optional ? "[" : "", a->choices == NULL ? a->name : a->choices,
                 many ? "..." : "", optional ? "]" : "");
    }
    buf_addc(out, '\n');
    add_paragraphs(out, c->about);
    for (const struct cli_arg *a = c->args; a->name != NULL; a++)
        add_term(out, a->name, NULL, a->doc);
    for (const struct cli_option *o = c->options; o->name != NULL; o++)
        add_option(out, o);
}

static void add_examples(struct buf *out) {
    for (const struct cli_command *c = CLI_COMMANDS; c->name != NULL; c++) {
        for (size_t i = 0; c->examples != NULL && c->examples[i] != NULL; i += 2)
            add_term(out, c->examples[i], NULL, c->examples[i + 1]);
    }
}

void cli_man(struct buf *out) {
    buf_adds(out, ".TH LUWAK 1 2026-01-01 \"Luwak " LUWAK_VERSION "\" \"Luwak Manual\"\n"
                  ".SH NAME\nluwak \\- scriptable payment engine\n"
                  ".SH SYNOPSIS\n\\fBluwak\\fR \\fIcommand\\fR [\\fIarguments\\fR] "
                  "[\\fIoptions\\fR]\n.SH DESCRIPTION\n");
    add_paragraphs(out, "Luwak is a payment engine in one binary. A C engine gives HTTP, crypto, "
                        "storage, scheduling and retry; every payment channel, fee rule and biller "
                        "product is a Lua file that is dropped into a folder and serves within a "
                        "second.");
    buf_adds(out, ".SH COMMANDS\n");
    for (const struct cli_command *c = CLI_COMMANDS; c->name != NULL; c++) {
        if (!c->hidden) add_command(out, c);
    }
    buf_adds(out, ".SH OPTIONS\nEvery command takes these.\n");
    for (const struct cli_option *o = CLI_COMMON; o->name != NULL; o++)
        add_option(out, o);
    buf_adds(out, ".SH ENVIRONMENT\n");
    for (int id = 0; id < SETTING_COUNT; id++) {
        const struct setting *s = &SETTINGS[id];
        char doc[512], fallback[80] = "";
        if (s->fallback != NULL) snprintf(fallback, sizeof fallback, " Default: %s.", s->fallback);
        snprintf(doc, sizeof doc, "%s%s", s->doc, fallback);
        add_term(out, s->name, setting_kind(s), doc);
    }
    buf_adds(out, ".SH FILES\n");
    add_term(out, ".env", NULL, "Settings of the folder that luwak is started in.");
    add_term(out, "data/", NULL,
             "The data directory: database, lock, control socket; what scripts declared.");
    buf_adds(out, ".SH EXIT STATUS\n");
    add_term(out, "0", NULL, "Good.");
    add_term(out, "1", NULL, "Found problems.");
    add_term(out, "2", NULL, "Wrong use.");
    buf_adds(out, ".SH EXAMPLES\n");
    add_examples(out);
}
