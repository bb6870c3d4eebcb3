/* `luwak new`: a working file and its test from engine/templates, which the assembler puts into the
 * binary. In a template, @NAME@ is the name, @PROVIDER@ and @PREFIX@ its first word in small and
 * capital letters. Nothing is ever overwritten: files are made with O_EXCL, and when the second
 * cannot be made the first is taken back. */
#include "base/ensure.h"
#include "base/mem.h"
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define EMBED(symbol, file)                                    \
    __asm__(".pushsection .rodata\n"                           \
            ".global " #symbol "\n" #symbol ":\n"              \
            ".incbin \"engine/templates/" file "\"\n.byte 0\n" \
            ".popsection\n");                                  \
    extern const char symbol[]

EMBED(template_channel, "channel.lua");
EMBED(template_channel_test, "channel_test.lua");
EMBED(template_rule, "rule.lua");
EMBED(template_rule_test, "rule_test.lua");
EMBED(template_biller, "biller.lua");
EMBED(template_biller_test, "biller_test.lua");
EMBED(template_tool, "tool.lua");
EMBED(template_tool_test, "tool_test.lua");

static const struct kind {
    const char *name, *file, *test; /* paths below the root, %s is the name */
    const char *body, *test_body;
    const char *next;
} KINDS[] = {
    {"channel", "channels/%s.lua", "tests/lua/channels/%s_test.lua", template_channel,
     template_channel_test, "fill in the provider's hosts and calls"},
    {"rule", "rules/fees/%s.lua", "tests/lua/rules/%s_test.lua", template_rule, template_rule_test,
     "set what it matches and what it costs"},
    {"biller", "scripts/billers/%s.lua", "tests/lua/billers/%s_test.lua", template_biller,
     template_biller_test, "fill in the upstream's calls"},
    {"tool", "scripts/tools/%s.lua", "tests/lua/tools/%s_test.lua", template_tool,
     template_tool_test, "write what it does"},
};

static bool is_name(const char *name) {
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return islower((unsigned char)name[0]) && n <= 48 && name[n] == '\0' && name[n - 1] != '_' &&
           strstr(name, "__") == NULL;
}

static void fill(struct buf *out, const char *text, const char *name) {
    size_t word = strcspn(name, "_");
    while (*text != '\0') {
        const char *mark = strchr(text, '@');
        if (mark == NULL) mark = text + strlen(text);
        buf_add(out, text, (size_t)(mark - text));
        text = mark;
        if (strncmp(text, "@NAME@", 6) == 0) {
            buf_adds(out, name);
            text += 6;
        } else if (strncmp(text, "@PROVIDER@", 10) == 0) {
            buf_add(out, name, word);
            text += 10;
        } else if (strncmp(text, "@PREFIX@", 8) == 0) {
            for (size_t i = 0; i < word; i++)
                buf_addc(out, (char)toupper((unsigned char)name[i]));
            text += 8;
        } else if (*text == '@') {
            buf_addc(out, *text++);
        }
    }
}

static int make_folders(char *path) {
    for (char *p = path + 1; *p != '\0'; p++) {
        if (*p != '/') continue;
        *p = '\0';
        int failed = mkdir(path, 0777) != 0 && errno != EEXIST;
        *p = '/';
        if (failed) return E_IO;
    }
    return 0;
}

/* errno says what went wrong */
static int write_new(char *path, const char *body, const char *name) {
    struct buf text = {0};
    fill(&text, body, name);
    int err = text.err;
    if (err == 0) err = make_folders(path);
    int fd = err != 0 ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (err == 0 && fd < 0) err = errno == EEXIST ? E_EXISTS : E_IO;
    if (err == 0 && write(fd, text.data, text.len) != (ssize_t)text.len) err = E_FULL;
    if (fd >= 0 && close(fd) != 0 && err == 0) err = E_IO;
    if (fd >= 0 && err != 0) unlink(path);
    if (err == E_NOMEM) errno = ENOMEM;
    buf_free(&text);
    return err;
}

static int place(char out[512], const char *root, const char *shape, const char *name) {
    char below[160];
    const char *mark = strstr(shape, "%s");
    snprintf(below, sizeof below, "%.*s%s%s", (int)(mark - shape), shape, name, mark + 2);
    return snprintf(out, 512, "%s/%s", root, below) < 512 ? 0 : E_LIMIT;
}

int cmd_new(const struct cli_args *args) {
    const struct kind *kind = NULL;
    const char *name = args->args[1];
    char root[CLI_PATH_MAX], file[512], test[512];
    struct config *config = NULL;
    struct why why = {0};
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        if (strcmp(KINDS[i].name, args->args[0]) == 0) kind = &KINDS[i];
    }
    ENSURE(kind != NULL); /* the table lists them */
    if (!is_name(name))
        return cli_fail(args, CLI_USAGE,
                        "%s: a name is small letters, digits and single _, a letter first", name);
    if (strcmp(kind->name, "channel") == 0 && strchr(name, '_') == NULL)
        return cli_fail(args, CLI_USAGE, "%s: a channel is named PROVIDER_WHAT, e.g. %s_va", name,
                        name);
    int code = cli_config(args, false, &config);
    if (code != 0) return code;
    const char *given = config_text(config, SET_LUWAK_ROOT);
    /* A folder that is named may be a new one; what is found must hold scripts already. */
    int err = given == NULL ? cli_root(config, root, &why) : 0;
    char *whole = err == 0 && given == NULL && root[0] == '/' ? realpath(root, NULL) : NULL;
    if (given != NULL || whole != NULL)
        snprintf(root, sizeof root, "%s", given != NULL ? given : whole);
    free(whole); /* of libc */
    config_free(config);
    if (err != 0) return cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    if (place(file, root, kind->file, name) != 0 || place(test, root, kind->test, name) != 0)
        return cli_fail(args, CLI_USAGE, "%s: the path is too long", root);
    if (access(root, W_OK) != 0)
        return cli_fail(args, CLI_PROBLEMS, "%s: %s", root, strerror(errno));
    err = write_new(file, kind->body, name);
    if (err == E_EXISTS)
        return cli_fail(args, CLI_PROBLEMS, "%s exists: edit it, or choose another NAME", file);
    if (err != 0) return cli_fail(args, CLI_PROBLEMS, "%s: %s", file, strerror(errno));
    err = write_new(test, kind->test_body, name);
    if (err != 0) {
        int failed = errno;
        unlink(file);
        if (err == E_EXISTS)
            return cli_fail(args, CLI_PROBLEMS, "%s exists: remove it, or choose another NAME",
                            test);
        return cli_fail(args, CLI_PROBLEMS, "%s: %s", test, strerror(failed));
    }
    printf("%s\n%s\nNow %s, then: luwak check %s && luwak test %s\n", file, test, kind->next, file,
           test);
    return CLI_GOOD;
}
