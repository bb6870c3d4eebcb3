/* The table of commands is sound, and the parser keeps a script's own arguments for the script. */
#include "base/mem.h"
#include "cli/cli.h"
#include "unit.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct cli_command *command(const char *name) {
    const struct cli_command *c = CLI_COMMANDS;
    while (c->name != NULL && strcmp(c->name, name) != 0)
        c++;
    return c;
}

static void check_doc(const char *doc) {
    size_t n = strlen(doc);
    CHECK(n > 3 && doc[n - 1] == '.');
}

static void the_table_is_sound(void **state) {
    (void)state;
    for (const struct cli_command *c = CLI_COMMANDS; c->name != NULL; c++) {
        size_t count = 0;
        CHECK(c->run != NULL);
        CHECK(command(c->name) == c); /* no name twice */
        check_doc(c->about);
        CHECK(c->summary[strlen(c->summary) - 1] != '.' && strlen(c->summary) < 60);
        for (const struct cli_option *o = c->options; o->name != NULL; o++, count++) {
            check_doc(o->doc);
            for (const struct cli_option *p = c->options; p < o; p++)
                CHECK(strcmp(p->name, o->name) != 0);
            for (const struct cli_option *p = CLI_COMMON; p->name != NULL; p++)
                CHECK(strcmp(p->name, o->name) != 0);
        }
        CHECK(count < CLI_OPTIONS_MAX);
        for (const struct cli_arg *a = c->args; a->name != NULL; a++)
            check_doc(a->doc);
    }
    for (int id = 0; id < SETTING_COUNT; id++) {
        int64_t n;
        const struct setting *s = &SETTINGS[id];
        CHECK(strlen(s->doc) > 10);
        CHECK(isupper((unsigned char)s->name[0]));
        if (s->fallback != NULL) CHECK_OK(setting_parse(s, str_of(s->fallback), &n, NULL));
    }
}

/* The command's own options in brackets, then the script's arguments. */
static void check_run(const char *const *words, const char *expected) {
    char *argv[16], text[600] = "";
    const char *args[16];
    int argc = 0;
    struct why why = {0};
    struct cli_args a = {.command = command("run"), .args = args};
    for (; words[argc] != NULL; argc++)
        argv[argc] = (char *)words[argc];
    if (cli_parse(&a, argc, argv, &why) != 0) {
        snprintf(text, sizeof text, "%s", why.text);
    } else {
        snprintf(text, sizeof text, "[%s%s%s]", cli_flag(&a, "dry-run") ? "dry " : "",
                 cli_option(&a, "data") == NULL ? "" : cli_option(&a, "data"),
                 cli_flag(&a, "help") ? "help" : "");
        for (size_t i = 0; i < a.count; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), " %s", a.args[i]);
    }
    CHECK_STR(str_of(text), expected);
}
#define RUN(expected, ...) check_run((const char *const[]){__VA_ARGS__, NULL}, expected)

static void a_script_keeps_its_arguments(void **state) {
    (void)state;
    RUN("[dry ] t.lua in.csv", "t.lua", "in.csv", "--dry-run");
    RUN("[dry ] t.lua in.csv", "--dry-run", "t.lua", "in.csv");
    RUN("[d] t.lua --own=1 -v", "t.lua", "--own=1", "--data", "d", "-v");
    RUN("[] t.lua --dry-run", "t.lua", "--", "--dry-run");
    RUN("[] t.lua --help", "t.lua", "--help");
    RUN("[help]", "--help");
    RUN("no option --own; `luwak run --help` lists them", "--own", "t.lua");
    RUN("FILE is missing; `luwak run --help` shows how", "--dry-run");
    RUN("[] -", "-");
    RUN("[] --odd", "--", "--odd");
}

static void the_root_is_found(void **state) {
    (void)state;
    char path[300], out[CLI_PATH_MAX], here[512], option[320];
    struct config *c = NULL;
    struct why why = {0};
    CHECK(getcwd(here, sizeof here) != NULL);
    snprintf(path, sizeof path, "%s/root", unit_tmpdir());
    CHECK_INT(mkdir(path, 0700), 0);
    snprintf(option, sizeof option, "LUWAK_ROOT=%s", path);
    struct config_sources sources = {.environment = (const char *const[]){option, NULL}};
    CHECK_OK(config_load(&c, &sources, NULL));
    CHECK_ERR(cli_root(c, out, &why), E_CONFIG); /* nothing in it yet */
    snprintf(path, sizeof path, "%s/root/channels", unit_tmpdir());
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK_OK(cli_root(c, out, &why));
    CHECK_STR(str_of(out), option + strlen("LUWAK_ROOT="));
    config_free(c);

    sources.environment = NULL;
    CHECK_OK(config_load(&c, &sources, NULL));
    CHECK_INT(chdir(option + strlen("LUWAK_ROOT=")), 0);
    CHECK_OK(cli_root(c, out, &why));
    CHECK_STR(str_of(out), ".");
    CHECK_INT(chdir(here), 0);
    config_free(c);
}

static void pages_survive_no_memory(void **state) {
    (void)state;
    struct buf out = {.max = 100}; /* the first failure sticks, nothing is written past it */
    cli_man(&out);
    CHECK_INT(out.err, E_LIMIT);
    CHECK(out.len <= 100);
    buf_free(&out);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_table_is_sound),
    cmocka_unit_test(a_script_keeps_its_arguments),
    cmocka_unit_test(the_root_is_found),
    cmocka_unit_test(pages_survive_no_memory),
};
UNIT_MAIN("cli", tests)
