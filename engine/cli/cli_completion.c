/* Completion scripts, from the table. */
#include "cli/cli.h"

static void add_options(struct buf *out, const struct cli_option *o) {
    for (; o->name != NULL; o++)
        buf_addf(out, " --%s", o->name);
}

static void add_words(struct buf *out, const char *choices) {
    for (; *choices != '\0'; choices++)
        buf_addc(out, *choices == '|' ? ' ' : *choices);
}

static const char *choices_of(const struct cli_option *o) {
    if (o->choices != NULL) return o->choices;
    return o->setting >= 0 && o->placeholder != NULL ? SETTINGS[o->setting].choices : NULL;
}

static void add_commands(struct buf *out) {
    for (const struct cli_command *c = CLI_COMMANDS; c->name != NULL; c++) {
        if (!c->hidden) buf_addf(out, " %s", c->name);
    }
}

static void bash(struct buf *out) {
    buf_adds(out, "# bash completion for luwak; made by `luwak completion bash`\n"
                  "_luwak() {\n"
                  "    local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words=\n"
                  "    COMPREPLY=()\n"
                  "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                  "        words=\"--help --version");
    add_commands(out);
    buf_adds(out, "\"\n    else\n        case $command in\n");
    for (const struct cli_command *c = CLI_COMMANDS; c->name != NULL; c++) {
        if (c->hidden) continue;
        buf_addf(out, "        %s)\n            case $cur in\n            -*) words=\"", c->name);
        add_options(out, c->options);
        add_options(out, CLI_COMMON);
        buf_adds(out, "\" ;;\n            *) ");
        if (c->run == cmd_help) {
            buf_adds(out, "words=\"");
            add_commands(out);
            buf_adds(out, "\" ;;\n");
        } else if (c->args[0].name != NULL && c->args[0].choices != NULL) {
            buf_adds(out, "[ \"$COMP_CWORD\" -eq 2 ] && words=\"");
            add_words(out, c->args[0].choices);
            buf_adds(out, "\" ;;\n");
        } else {
            buf_adds(out, ";;\n");
        }
        buf_adds(out, "            esac ;;\n");
    }
    buf_adds(out, "        esac\n    fi\n"
                  "    if [ -n \"$words\" ]; then\n"
                  "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                  "    else\n"
                  "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                  "        compopt -o filenames 2>/dev/null\n"
                  "    fi\n}\ncomplete -F _luwak luwak\n");
}

/* Text inside single quotes of zsh and fish; zsh's _arguments also reads [ ] and : */
static void add_quoted(struct buf *out, const char *text, const char *escape) {
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            buf_adds(out, "'\\''");
        } else if (strchr(escape, *text) != NULL) {
            buf_addc(out, '\\');
            buf_addc(out, *text);
        } else {
            buf_addc(out, *text);
        }
    }
}

static void zsh_option(struct buf *out, const struct cli_option *o) {
    buf_addf(out, " \\\n            '--%s[", o->name);
    add_quoted(out, o->doc, "[]:\\");
    buf_adds(out, "]");
    if (o->placeholder != NULL) {
        buf_addf(out,
                 ":%s:", strcmp(o->placeholder, "HOST:PORT") == 0 ? "address" : o->placeholder);
        if (choices_of(o) != NULL) {
            buf_addc(out, '(');
            add_words(out, choices_of(o));
            buf_addc(out, ')');
        } else {
            buf_adds(out, "_files");
        }
    }
    buf_addc(out, '\'');
}

static void zsh(struct buf *out) {
    buf_adds(out, "#compdef luwak\n# zsh completion for luwak; made by `luwak completion zsh`\n"
                  "_luwak() {\n    local -a commands\n    commands=(\n");
    for (const struct cli_command *c = CLI_COMMANDS; c->name != NULL; c++) {
        if (c->hidden) continue;
        buf_addf(out, "        '%s:", c->name);
        add_quoted(out, c->summary, ":\\");
        buf_adds(out, "'\n");
    }
    buf_adds(out, "    )\n    if (( CURRENT == 2 )); then\n"
                  "        _describe command commands\n        return\n    fi\n"
                  "    local command=${words[2]}\n    shift words\n    (( CURRENT-- ))\n"
                  "    case $command in\n");
    for (const struct cli_command *c = CLI_COMMANDS; c->name != NULL; c++) {
        if (c->hidden) continue;
        buf_addf(out, "    %s)\n        _arguments", c->name);
        for (const struct cli_option *o = c->options; o->name != NULL; o++)
            zsh_option(out, o);
        for (const struct cli_option *o = CLI_COMMON; o->name != NULL; o++)
            zsh_option(out, o);
        if (c->args[0].name != NULL && c->args[0].choices != NULL) {
            buf_addf(out, " \\\n            '1:%s:(", c->args[0].name);
            add_words(out, c->args[0].choices);
            buf_adds(out, ")'");
        }
        buf_adds(out, " \\\n            '*:file:_files' ;;\n");
    }
    buf_adds(out, "    esac\n}\n_luwak \"$@\"\n");
}

static void fish(struct buf *out) {
    buf_adds(out, "# fish completion for luwak; made by `luwak completion fish`\n");
    for (const struct cli_command *c = CLI_COMMANDS; c->name != NULL; c++) {
        if (c->hidden) continue;
        buf_addf(out, "complete -c luwak -n __fish_use_subcommand -f -a %s -d '", c->name);
        add_quoted(out, c->summary, "\\");
        buf_adds(out, "'\n");
        const struct cli_option *lists[] = {c->options, CLI_COMMON};
        for (size_t l = 0; l < 2; l++) {
            for (const struct cli_option *o = lists[l]; o->name != NULL; o++) {
                buf_addf(out, "complete -c luwak -n '__fish_seen_subcommand_from %s' -l %s%s -d '",
                         c->name, o->name, o->placeholder == NULL ? "" : " -r");
                add_quoted(out, o->doc, "\\");
                buf_adds(out, "'\n");
            }
        }
        if (c->args[0].name != NULL && c->args[0].choices != NULL) {
            buf_addf(out, "complete -c luwak -n '__fish_seen_subcommand_from %s' -f -a '", c->name);
            add_words(out, c->args[0].choices);
            buf_adds(out, "'\n");
        }
    }
}

int cli_completion(struct buf *out, const char *shell) {
    static const struct {
        const char *shell;
        void (*make)(struct buf *out);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(shells[i].shell, shell) != 0) continue;
        shells[i].make(out);
        return out->err;
    }
    return E_NOTFOUND;
}
