/* Parsing by the table: `--opt value`, `--opt=value`, flags, `--`, options and arguments in any
 * order. What is wrong is one line that names the nearest right word. */
#include "base/ensure.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "cli/cli.h"

#include <stdio.h>

static const struct cli_option *find(const struct cli_option *list, struct str name,
                                     size_t *index) {
    for (size_t i = 0; list[i].name != NULL; i++) {
        *index = i;
        if (str_eq(str_of(list[i].name), name)) return &list[i];
    }
    return NULL;
}

static bool is_choice(const char *choices, struct str word) {
    struct str rest = str_of(choices), one;
    for (bool more = true; more;) {
        more = str_cut(rest, '|', &one, &rest);
        if (str_eq(one, word)) return true;
    }
    return false;
}

static int unknown_option(const struct cli_args *a, struct str name, struct why *why) {
    struct nearest near;
    nearest_init(&near, name);
    for (const struct cli_option *o = a->command->options; o->name != NULL; o++)
        nearest_try(&near, str_of(o->name));
    for (const struct cli_option *o = CLI_COMMON; o->name != NULL; o++)
        nearest_try(&near, str_of(o->name));
    if (str_eq(name, STR("port")) && strcmp(a->command->name, "serve") == 0)
        return why_set(why, E_USAGE, "no option --port; give --listen HOST:PORT");
    if (near.best.n != 0)
        return why_set(why, E_USAGE, "no option --%.*s; did you mean --%.*s?", STR_FMT(name),
                       STR_FMT(near.best));
    return why_set(why, E_USAGE, "no option --%.*s; `luwak %s --help` lists them", STR_FMT(name),
                   a->command->name);
}

static int check_value(const struct cli_option *o, const char *value, struct why *why) {
    int64_t number;
    char name[64];
    if (value[0] == '\0')
        return why_set(why, E_USAGE, "--%s needs a value: %s", o->name, o->placeholder);
    if (o->choices != NULL && !is_choice(o->choices, str_of(value)))
        return why_set(why, E_USAGE, "--%s %s: must be one of %s", o->name, value, o->choices);
    if (o->setting >= 0) {
        struct setting s = SETTINGS[o->setting];
        snprintf(name, sizeof name, "--%s", o->name);
        s.name = name;
        return setting_parse(&s, str_of(value), &number, why) == 0 ? 0 : E_USAGE;
    }
    if (strcmp(o->placeholder, "N") == 0 && (str_to_i64(str_of(value), &number) != 0 || number < 0))
        return why_set(why, E_USAGE, "--%s %s: must be a whole number", o->name, value);
    return 0;
}

/* argv[*at] is "--something". E_NOTFOUND: not one of ours. */
static int take_option(struct cli_args *a, int argc, char **argv, int *at, struct why *why) {
    struct str name, value;
    bool joined = str_cut(str_of(argv[*at] + 2), '=', &name, &value);
    size_t index = 0;
    const char **slot = a->option;
    const struct cli_option *o = find(a->command->options, name, &index);
    if (o == NULL) {
        slot = a->common;
        o = find(CLI_COMMON, name, &index);
    }
    if (o == NULL) return E_NOTFOUND;
    ENSURE(index < CLI_OPTIONS_MAX);
    if (o->placeholder == NULL) {
        slot[index] = "";
        return !joined ? 0 : why_set(why, E_USAGE, "--%s takes no value", o->name);
    }
    if (!joined && (*at + 1 >= argc || strncmp(argv[*at + 1], "--", 2) == 0))
        return why_set(why, E_USAGE, "--%s needs a value: %s", o->name, o->placeholder);
    const char *text = joined ? value.p : argv[++*at]; /* value.p ends where argv[at] ends */
    if (slot[index] != NULL && strcmp(slot[index], text) != 0)
        return why_set(why, E_USAGE, "--%s is given twice", o->name);
    slot[index] = text;
    return check_value(o, text, why);
}

static int check_args(const struct cli_args *a, struct why *why) {
    const struct cli_arg *spec = a->command->args;
    size_t at = 0;
    for (; spec->name != NULL; spec++) {
        bool wanted = spec->count == ARG_ONE || spec->count == ARG_MANY;
        if (at == a->count && wanted)
            return why_set(why, E_USAGE, "%s is missing; `luwak %s --help` shows how", spec->name,
                           a->command->name);
        if (at < a->count && spec->choices != NULL &&
            !is_choice(spec->choices, str_of(a->args[at]))) {
            struct nearest near;
            nearest_init(&near, str_of(a->args[at]));
            char words[160];
            snprintf(words, sizeof words, "%s", spec->choices);
            char *rest = NULL;
            for (char *w = strtok_r(words, "|", &rest); w != NULL; w = strtok_r(NULL, "|", &rest))
                nearest_try(&near, str_of(w));
            if (near.best.n == 0)
                return why_set(why, E_USAGE, "no %s %s; one of %s", spec->name, a->args[at],
                               spec->choices);
            return why_set(why, E_USAGE, "no %s %s; did you mean %.*s?", spec->name, a->args[at],
                           STR_FMT(near.best));
        }
        if (spec->count == ARG_MANY || spec->count == ARG_ANY) return 0;
        at += at < a->count;
    }
    if (at < a->count) return why_set(why, E_USAGE, "%s is one argument too many", a->args[at]);
    return 0;
}

/* argv[0] is the command's first word after its name. With --help nothing more is checked. */
int cli_parse(struct cli_args *a, int argc, char **argv, struct why *why) {
    bool ended = false;
    for (int i = 0; i < argc; i++) {
        bool option = !ended && strncmp(argv[i], "--", 2) == 0;
        bool scripts = a->command->script_args && a->count > 0;
        int err = E_NOTFOUND;
        if (option && argv[i][2] == '\0') {
            ended = true;
            continue;
        }
        if (!ended && !scripts && strcmp(argv[i], "-h") == 0) {
            a->common[0] = "";
            continue;
        }
        bool help_of_script = scripts && option && strcmp(argv[i], "--help") == 0;
        if (option && !help_of_script) err = take_option(a, argc, argv, &i, why);
        if (err == 0) continue;
        if (err != E_NOTFOUND) return err;
        if (!scripts && (option || (!ended && argv[i][0] == '-' && argv[i][1] != '\0'))) {
            if (a->common[0] != NULL) return 0;
            if (option) {
                struct str name, value;
                str_cut(str_of(argv[i] + 2), '=', &name, &value);
                return unknown_option(a, name, why);
            }
            return why_set(why, E_USAGE, "no option %s; options are long: `luwak %s --help`",
                           argv[i], a->command->name);
        }
        a->args[a->count++] = argv[i];
    }
    return a->common[0] != NULL ? 0 : check_args(a, why);
}
