/* `luwak new`: a working file and its test from engine/templates, which the assembler puts into the
 * binary. In a template, @NAME@ is the name, @PROVIDER@ and @PREFIX@ its first word in small and
 * capital letters. `--like METHOD` writes a whole channel with its simulator and its play instead:
 * @LIKE@ is the word, @METHOD@, @SHOWN@ and @PLAY@ are its own, and lines that begin with @refund@ are
 * left out where nothing is given back.
 *
 * Nothing is ever overwritten: files are made with O_EXCL, and when one cannot be made those before
 * it are taken back. A simulator that is there already stays: it is the provider's, not the channel's. */
#include "base/ensure.h"
#include "base/mem.h"
#include "cli/cli.h"

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
EMBED(template_like_channel, "like_channel.lua");
EMBED(template_like_sandbox, "like_sandbox.lua");
EMBED(template_like_test, "like_test.lua");
EMBED(template_rule, "rule.lua");
EMBED(template_rule_test, "rule_test.lua");
EMBED(template_biller, "biller.lua");
EMBED(template_biller_test, "biller_test.lua");
EMBED(template_tool, "tool.lua");
EMBED(template_tool_test, "tool_test.lua");

enum { FILES_MAX = 3 };

static const struct kind {
    const char *name;
    struct {
        const char *path; /* below the root, %s is the name, or the provider's */
        const char *body;
        bool provider; /* named after the provider, and kept if it is there */
    } files[FILES_MAX];
    const char *next;
} KINDS[] = {
    {"channel",
     {{"channels/%s.lua", template_channel},
      {"tests/lua/channels/%s_test.lua", template_channel_test}},
     "fill in the provider's hosts and calls"},
    {"rule",
     {{"rules/fees/%s.lua", template_rule}, {"tests/lua/rules/%s_test.lua", template_rule_test}},
     "set what it matches and what it costs"},
    {"biller",
     {{"scripts/billers/%s.lua", template_biller},
      {"tests/lua/billers/%s_test.lua", template_biller_test}},
     "fill in the upstream's calls"},
    {"tool",
     {{"scripts/tools/%s.lua", template_tool}, {"tests/lua/tools/%s_test.lua", template_tool_test}},
     "write what it does"},
};

static const struct kind WHOLE_CHANNEL = {"channel",
                                          {{"channels/%s.lua", template_like_channel},
                                           {"tests/plays/%s_test.lua", template_like_test},
                                           {"scripts/sandbox/%s.lua", template_like_sandbox, true}},
                                          "put the provider's own in its place"};

static const struct like {
    const char *word, *method, *shown, *play;
    bool refund;
    size_t link; /* what is shown is a link of that many bytes and the provider's name */
} LIKES[] = {
    {"va", "virtual_account", "va_number = said.va_number", "va_number 99088... 13", false},
    {"bill", "virtual_account", "biller_code = said.biller_code, bill_key = said.bill_key",
     "bill 90801 000000000001", false},
    {"retail", "retail", "outlet = said.outlet, payment_code = said.payment_code",
     "retail store RT00000001", false},
    {"qris", "qris", "qr_string = said.qr_string", "qr 00020... 73", true},
    {"wallet", "ewallet", "redirect_url = said.redirect_url", "redirect /sand... ", true, 19},
    {"card", "card", "redirect_url = said.redirect_url", "redirect /sand... ", true, 17},
};

static bool is_name(const char *name) {
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return islower((unsigned char)name[0]) && n <= 48 && name[n] == '\0' && name[n - 1] != '_' &&
           strstr(name, "__") == NULL;
}

static void fill(struct buf *out, const char *text, const char *name, const struct like *like) {
    const struct {
        const char *mark, *value;
    } OF_LIKE[] = {{"@LIKE@", like == NULL ? "" : like->word},
                   {"@METHOD@", like == NULL ? "" : like->method},
                   {"@SHOWN@", like == NULL ? "" : like->shown},
                   {"@PLAY@", like == NULL ? "" : like->play}};
    size_t word = strcspn(name, "_");
    while (*text != '\0') {
        const char *mark = strchr(text, '@');
        if (mark == NULL) mark = text + strlen(text);
        buf_add(out, text, (size_t)(mark - text));
        text = mark;
        size_t i = 0;
        while (i < ARRAY_LEN(OF_LIKE) &&
               strncmp(text, OF_LIKE[i].mark, strlen(OF_LIKE[i].mark)) != 0)
            i++;
        if (i < ARRAY_LEN(OF_LIKE)) {
            buf_adds(out, OF_LIKE[i].value);
            if (strcmp(OF_LIKE[i].mark, "@PLAY@") == 0 && like != NULL && like->link != 0)
                buf_addi(out, (int64_t)(like->link + word));
            text += strlen(OF_LIKE[i].mark);
        } else if (strncmp(text, "@NAME@", 6) == 0) {
            buf_adds(out, name);
            text += 6;
        } else if (strncmp(text, "@PROVIDER@", 10) == 0) {
            buf_add(out, name, word);
            text += 10;
        } else if (strncmp(text, "@PREFIX@", 8) == 0) {
            for (size_t k = 0; k < word; k++)
                buf_addc(out, (char)toupper((unsigned char)name[k]));
            text += 8;
        } else if (strncmp(text, "@refund@", 8) == 0) {
            text += 8;
            if (like == NULL || !like->refund) text += strcspn(text, "\n") + 1;
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
static int write_new(char *path, const char *body, const char *name, const struct like *like) {
    struct buf text = {0};
    fill(&text, body, name, like);
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

static int place(char out[512], const char *root, const char *shape, const char *name, size_t n) {
    char below[160];
    const char *mark = strstr(shape, "%s");
    snprintf(below, sizeof below, "%.*s%.*s%s", (int)(mark - shape), shape, (int)n, name, mark + 2);
    return snprintf(out, 512, "%s/%s", root, below) < 512 ? 0 : E_LIMIT;
}

/* All of a kind's files, or none. */
static int write_files(const struct cli_args *args, const struct kind *kind,
                       const struct like *like, const char *root, const char *name) {
    char path[FILES_MAX][512];
    bool fresh[FILES_MAX] = {false};
    size_t count = 0;
    while (count < FILES_MAX && kind->files[count].path != NULL) {
        size_t n = kind->files[count].provider ? strcspn(name, "_") : strlen(name);
        if (place(path[count], root, kind->files[count].path, name, n) != 0)
            return cli_fail(args, CLI_USAGE, "%s: the path is too long", root);
        count++;
    }
    if (access(root, W_OK) != 0)
        return cli_fail(args, CLI_PROBLEMS, "%s: %s", root, strerror(errno));
    for (size_t i = 0; i < count; i++) {
        int err = write_new(path[i], kind->files[i].body, name, like), failed = errno;
        fresh[i] = err == 0;
        if (err == 0 || (err == E_EXISTS && kind->files[i].provider)) continue;
        for (size_t k = 0; k < i; k++)
            if (fresh[k]) unlink(path[k]);
        if (err == E_EXISTS)
            return cli_fail(args, CLI_PROBLEMS, "%s exists: %s it, or choose another NAME", path[i],
                            i == 0 ? "edit" : "remove");
        return cli_fail(args, CLI_PROBLEMS, "%s: %s", path[i], strerror(failed));
    }
    for (size_t i = 0; i < count; i++)
        printf("%s%s\n", path[i], fresh[i] ? "" : " was there, and stays");
    printf("Now %s, then: luwak check %s && luwak test %s\n", kind->next, path[0], path[1]);
    if (like == NULL && strcmp(kind->name, "channel") == 0)
        printf("Nobody answers it in simulated mode yet; with --like it comes with a simulator.\n");
    if (like != NULL) printf("It passes `luwak conform %s`, and shall go on passing it.\n", name);
    return CLI_GOOD;
}

int cmd_new(const struct cli_args *args) {
    const struct kind *kind = NULL;
    const char *name = args->args[1];
    char root[CLI_PATH_MAX];
    const struct like *like = NULL;
    struct config *config = NULL;
    struct why why = {0};
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        if (strcmp(KINDS[i].name, args->args[0]) == 0) kind = &KINDS[i];
    }
    ENSURE(kind != NULL); /* the table lists them */
    const char *word = cli_option(args, "like");
    for (size_t i = 0; i < ARRAY_LEN(LIKES); i++)
        if (word != NULL && strcmp(LIKES[i].word, word) == 0) like = &LIKES[i];
    if (like != NULL && strcmp(kind->name, "channel") != 0)
        return cli_fail(args, CLI_USAGE, "--like is for channels");
    if (like != NULL) kind = &WHOLE_CHANNEL;
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
    return write_files(args, kind, like, root, name);
}
