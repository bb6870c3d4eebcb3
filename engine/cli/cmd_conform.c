/* luwak conform: the one suite that every channel passes, on the fake clock against the channel's
 * simulator (scripts/lib/conform.lua; `checks` in what it returns are the names, in order).
 *
 * One engine is started and its scripts loaded, once; each check runs in a process that is forked from
 * it, so that checks share nothing, one that crashes or hangs fails alone, and all processors are used.
 *
 *   engine loaded --> per channel: suite built, its checks listed --> per check: fork, run, verdict and
 *   evidence through a memory file --> told in order, evidence written, table
 */
#include "base/ensure.h"
#include "base/mem.h"
#include "base/sort.h"
#include "cli/cmd.h"
#include "cli/evidence.h"
#include "cli/test_rig.h"
#include "net/redact.h"
#include "script/lua_util.h"
#include "script/manifest.h"
#include "script/source.h"
#include "script/version.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHECKS_MAX = 64, SECRETS_MAX = 16, JOBS_MAX = 8, LOG_KEPT = 4 << 20 };
/* Ends one that hangs: the slowest takes 10 s, and more than 120 beside ten other loads. */
enum { CHECK_SECONDS = 400 };

enum verdict { CHECK_LEFT_OUT, CHECK_PASSED, CHECK_NOT_OFFERED, CHECK_FAILED };
static const char *const VERDICTS[] = {"", "passed", "not offered", "FAIL"};

struct check {
    char *name;
    enum verdict verdict;
    struct buf text, evidence; /* why it failed or is not offered; what was exchanged */
    pid_t pid;                 /* 0: not running */
    int file;
};

struct channel {
    char *name;
    struct version *channel, *suite;
    struct str secrets[SECRETS_MAX + 1];
    struct check checks[CHECKS_MAX];
    size_t check_count;
    size_t count[CHECK_FAILED + 1]; /* by verdict */
};

struct conforming {
    const struct cli_args *args;
    const struct config *config;
    const char *root, *evidence, *filter;
    bool markdown;
    struct test_rig *rig;
    struct buf log;
    char **names;
    size_t name_count;
    size_t passed, failed, not_offered;
};

/* ---- the suite of one channel ---- */

/* A file that is nowhere: the suite, for this channel. All else is the root's. */
struct suite_source {
    const char *root, *path, *channel;
};

static int suite_read(void *data, const char *path, struct buf *text, struct why *why) {
    const struct suite_source *s = data;
    if (strcmp(path, s->path) != 0) return source_read((void *)s->root, path, text, why);
    buf_addf(text, "return require \"conform\" \"%s\"\n", s->channel);
    return text->err;
}

static int read_checks(lua_State *L, void *data) {
    struct channel *c = data;
    lua_settop(L, 1);
    lua_getfield(L, 1, "checks");
    for (lua_Integer i = 1; lua_istable(L, 2) && lua_rawgeti(L, 2, i) == LUA_TSTRING; i++) {
        if (c->check_count == CHECKS_MAX) return E_LIMIT;
        char *name = mem_strdup(lua_tostring(L, -1));
        if (name == NULL) return E_NOMEM;
        c->checks[c->check_count++] = (struct check){.name = name, .file = -1};
        lua_pop(L, 1);
    }
    return 0;
}

static int channel_open(struct conforming *all, const char *name, struct channel *c,
                        struct why *why) {
    char path[SCRIPT_PATH_MAX], suite[SCRIPT_PATH_MAX];
    snprintf(path, sizeof path, "channels/%s.lua", name);
    snprintf(suite, sizeof suite, "conform/%s.lua", name);
    const struct version_files files = {source_read, (void *)all->root};
    struct suite_source source = {all->root, suite, name};
    const struct version_files suite_files = {suite_read, &source};
    c->name = mem_strdup(name);
    if (c->name == NULL) return why_set(why, E_NOMEM, "out of memory");
    int err = version_build(&c->channel, KIND_CHANNEL, name, path, &files, BIND_MODULES, why);
    if (err == 0) err = manifest_load(c->channel, NULL, NULL, why);
    if (err == 0)
        err = version_build(&c->suite, KIND_TEST, suite, suite, &suite_files, BIND_MODULES, why);
    if (err == 0) err = script_load_aside(c->suite, read_checks, c, why);
    if (err == 0 && c->check_count == 0)
        err = why_set(why, E_SCRIPT, "scripts/lib/conform.lua names no checks");
    if (err != 0) return err;
    const struct manifest *m = c->channel->manifest;
    size_t n = 0;
    c->secrets[n++] = STR("sk_test_demo");
    for (size_t i = 0; i < m->config.count && n < SECRETS_MAX; i++) {
        const char *value;
        if (m->config.at[i].secret &&
            config_provider(all->config, m->provider, m->config.at[i].key, &value) == 0 &&
            strlen(value) >= 6) /* "demo" stands everywhere */
            c->secrets[n++] = str_of(value);
    }
    return 0;
}

static void channel_close(struct channel *c) {
    for (size_t i = 0; i < c->check_count; i++) {
        mem_free(c->checks[i].name);
        buf_free(&c->checks[i].text);
        buf_free(&c->checks[i].evidence);
    }
    if (c->suite != NULL) version_drop(c->suite);
    if (c->channel != NULL) version_drop(c->channel);
    mem_free(c->name);
}

/* ---- one check, in a process of its own ---- */

/* What a check returns says why the channel does not offer it. */
static int take_reason(lua_State *L, int n, void *data) {
    if (n >= 1 && lua_type(L, -n) == LUA_TSTRING) buf_adds(data, lua_tostring(L, -n));
    return 0;
}

static bool write_whole(int fd, const void *data, size_t n) {
    const char *p = data;
    while (n != 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

static void check_run(struct conforming *all, const struct channel *c, const struct check *check) {
    struct buf failure = {0}, reason = {0}, evidence = {0};
    alarm(CHECK_SECONDS);
    test_rig_call(all->rig, c->suite, check->name, take_reason, &reason, &failure);
    evidence_write(test_rig_requests(all->rig), c->secrets, &evidence);
    enum verdict verdict = failure.len != 0  ? CHECK_FAILED
                           : reason.len != 0 ? CHECK_NOT_OFFERED
                                             : CHECK_PASSED;
    const struct buf *text = verdict == CHECK_FAILED ? &failure : &reason;
    uint32_t head[2] = {verdict, (uint32_t)text->len};
    bool good = text->err == 0 && evidence.err == 0 &&
                write_whole(check->file, head, sizeof head) &&
                write_whole(check->file, text->data, text->len) &&
                write_whole(check->file, evidence.data, evidence.len);
    _exit(good ? 0 : 1); /* what the process was forked from is not this one's to end */
}

static int check_start(struct conforming *all, const struct channel *c, struct check *check) {
    check->file = memfd_create("check", MFD_CLOEXEC);
    if (check->file < 0) return E_IO;
    check->pid = fork();
    if (check->pid == 0) check_run(all, c, check);
    return check->pid < 0 ? E_IO : 0;
}

/* It has ended. */
static void check_take(struct check *check, int status) {
    uint32_t head[2] = {0};
    char part[4096];
    ssize_t n;
    check->pid = 0;
    check->verdict = CHECK_FAILED;
    lseek(check->file, 0, SEEK_SET);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 ||
        read(check->file, head, sizeof head) != (ssize_t)sizeof head) {
        bool late = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
        buf_adds(&check->text, late ? "it took too long" : "the check's process died");
        if (WIFSIGNALED(status) && !late) buf_addf(&check->text, " by signal %d", WTERMSIG(status));
    } else {
        check->verdict = (enum verdict)head[0];
        while (check->text.len < head[1]) {
            size_t want = head[1] - check->text.len;
            n = read(check->file, part, want < sizeof part ? want : sizeof part);
            if (n <= 0) break;
            buf_add(&check->text, part, (size_t)n);
        }
        while ((n = read(check->file, part, sizeof part)) > 0)
            buf_add(&check->evidence, part, (size_t)n);
    }
    close(check->file);
    check->file = -1;
}

static int run_checks(struct conforming *all, struct channel *c, struct why *why) {
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = cpus < 1 ? 1 : cpus > JOBS_MAX ? JOBS_MAX : (size_t)cpus, running = 0, next = 0;
    int err = 0;
    fflush(NULL); /* what stands in a buffer is written once */
    while (running != 0 || (next < c->check_count && err == 0)) {
        if (running < most && next < c->check_count && err == 0) {
            struct check *check = &c->checks[next++];
            if (all->filter != NULL && strstr(check->name, all->filter) == NULL) continue;
            err = check_start(all, c, check);
            if (err != 0) why_set(why, err, "a check cannot be started: %s", strerror(errno));
            running += err == 0;
            continue;
        }
        int status;
        pid_t pid = wait(&status);
        if (pid < 0 && errno == EINTR) continue;
        if (pid < 0) return why_set(why, E_IO, "wait: %s", strerror(errno));
        for (size_t i = 0; i < c->check_count; i++) {
            if (c->checks[i].pid != pid) continue;
            check_take(&c->checks[i], status);
            running--;
        }
    }
    for (size_t i = 0; i < c->check_count; i++)
        c->count[c->checks[i].verdict]++;
    return err;
}

/* ---- the evidence ---- */

static int write_evidence(const struct conforming *all, const struct channel *c,
                          char path[CLI_PATH_MAX], struct why *why) {
    const struct manifest *m = c->channel->manifest;
    struct buf out = {0};
    snprintf(path, CLI_PATH_MAX, "%s", all->evidence);
    for (char *p = path + 1;; p++) {
        if (*p != '/' && *p != '\0') continue;
        char end = *p;
        *p = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return why_set(why, E_IO, "%s: %s", path, strerror(errno));
        *p = end;
        if (end == '\0') break;
    }
    snprintf(path, CLI_PATH_MAX, "%s/%s.txt", all->evidence, c->name);
    buf_addf(
        &out,
        "%s: %s, provider %s, method %s\nVersion %s\nLuwak %s; against the simulator of %s, on a "
        "clock of the test's own.\nWhat is secret is replaced by %s or by its name in brackets.\n",
        c->name, m->title, m->provider, m->method, c->channel->id, LUWAK_VERSION, m->provider,
        REDACTED);
    for (size_t i = 0; i < c->check_count; i++) {
        const struct check *check = &c->checks[i];
        if (check->verdict == CHECK_LEFT_OUT) continue;
        buf_addf(&out, "\n%zu. %s: %s%s%s\n\n", i + 1, check->name, VERDICTS[check->verdict],
                 check->text.len != 0 ? ", " : "", check->text.len != 0 ? check->text.data : "");
        buf_addstr(&out, buf_str(&check->evidence));
    }
    FILE *file = out.err == 0 ? fopen(path, "w") : NULL;
    bool good = file != NULL && fwrite(out.data, 1, out.len, file) == out.len;
    if (file != NULL) good = fclose(file) == 0 && good;
    buf_free(&out);
    return good ? 0 : why_set(why, E_IO, "%s: cannot be written: %s", path, strerror(errno));
}

/* ---- told ---- */

/* Where in the suite it was raised is for who looks at one check alone. */
static void tell_failures(const struct channel *c, bool alone) {
    for (size_t i = 0; i < c->check_count; i++) {
        struct str rest = buf_str(&c->checks[i].text), line;
        if (c->checks[i].verdict != CHECK_FAILED) continue;
        printf("FAIL %s: %s\n", c->name, c->checks[i].name);
        while (rest.n != 0) {
            str_cut(rest, '\n', &line, &rest);
            if (!alone && str_eq(line, STR("stack traceback:"))) break;
            printf("       %.*s\n", STR_FMT(line));
        }
        printf("       alone: luwak conform %s --check '%s'\n", c->name, c->checks[i].name);
    }
}

static void tell_one(const struct channel *c, bool alone, const char *evidence) {
    const struct manifest *m = c->channel->manifest;
    printf("%s: %s, %s of %s\n", c->name, m->title, m->method, m->provider);
    for (size_t i = 0; i < c->check_count; i++) {
        const struct check *check = &c->checks[i];
        if (check->verdict == CHECK_LEFT_OUT) continue;
        printf("  %-12s %s", VERDICTS[check->verdict], check->name);
        if (check->verdict == CHECK_NOT_OFFERED) printf(": %s", check->text.data);
        printf("\n");
    }
    tell_failures(c, alone);
    printf("evidence: %s\n", evidence);
}

static void tell_line(const struct channel *c) {
    printf("%-4s %-28s %3zu passed, %2zu not offered, %zu failed\n",
           c->count[CHECK_FAILED] == 0 ? "ok" : "FAIL", c->name, c->count[CHECK_PASSED],
           c->count[CHECK_NOT_OFFERED], c->count[CHECK_FAILED]);
    tell_failures(c, false);
}

static size_t lines_of(const struct channel *c) {
    struct str rest = c->channel->parts[0].text;
    size_t lines = 0;
    for (size_t i = 0; i < rest.n; i++)
        lines += rest.p[i] == '\n';
    return lines;
}

static void tell_markdown(const struct channel *c) {
    static const char *const CAN[] = {"cancel", "capture", "refund", "reverse", "report"};
    const struct manifest *m = c->channel->manifest;
    const char *between = "";
    printf("| `%s` | %s%s%s | %s | %zu | ", c->name, m->method, m->bank == NULL ? "" : ", ",
           m->bank == NULL ? "" : m->bank, m->provider, lines_of(c));
    for (size_t i = 0; i < ARRAY_LEN(CAN); i++) {
        if (!manifest_has(m, CAN[i])) continue;
        printf("%s%s", between, CAN[i]);
        between = ", ";
    }
    printf(" | %zu passed, %zu not offered%s |\n", c->count[CHECK_PASSED],
           c->count[CHECK_NOT_OFFERED], c->count[CHECK_FAILED] == 0 ? "" : ", **some failed**");
}

static int conform_one(struct conforming *all, const char *name) {
    char path[CLI_PATH_MAX];
    struct why why = {0};
    struct channel *c = mem_zalloc(sizeof *c);
    if (c == NULL) return cli_fail(all->args, CLI_PROBLEMS, "out of memory");
    int err = channel_open(all, name, c, &why);
    if (err == 0) err = run_checks(all, c, &why);
    if (err == 0) err = write_evidence(all, c, path, &why);
    if (err != 0) {
        if (!all->markdown) printf("FAIL %s: %s\n", name, why.text);
        all->failed++;
    } else {
        all->passed += c->count[CHECK_PASSED];
        all->failed += c->count[CHECK_FAILED];
        all->not_offered += c->count[CHECK_NOT_OFFERED];
        if (all->markdown)
            tell_markdown(c);
        else if (cli_flag(all->args, "all"))
            tell_line(c);
        else
            tell_one(c, all->filter != NULL, path);
    }
    fflush(stdout);
    channel_close(c);
    mem_free(c);
    return CLI_GOOD;
}

/* ---- which channels ---- */

static int found_channel(void *data, const char *path, enum script_kind kind,
                         const struct stat *st) {
    struct conforming *all = data;
    char name[SCRIPT_PATH_MAX];
    (void)st;
    if (kind != KIND_CHANNEL || !source_kind(path, &kind, name)) return 0;
    char **more = mem_realloc(all->names, (all->name_count + 1) * sizeof *more);
    if (more == NULL) return E_NOMEM;
    all->names = more;
    more[all->name_count] = mem_strdup(name);
    return more[all->name_count] == NULL ? E_NOMEM : (all->name_count++, 0);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int choose(struct conforming *all) {
    int err = source_list(all->root, found_channel, all);
    if (err != 0) return cli_fail(all->args, CLI_PROBLEMS, "%s: %s", all->root, err_text(err));
    if (all->name_count != 0) qsort(all->names, all->name_count, sizeof *all->names, by_text);
    if (all->args->count == 0) return CLI_GOOD;
    for (size_t i = 0; i < all->name_count; i++)
        if (strcmp(all->names[i], all->args->args[0]) == 0) return CLI_GOOD;
    return cli_fail(all->args, CLI_USAGE, "%s: there is no channels/%s.lua under %s",
                    all->args->args[0], all->args->args[0], all->root);
}

static void keep_log(void *data, struct str line) {
    struct conforming *all = data;
    if (all->log.len + line.n >= LOG_KEPT) return;
    buf_addstr(&all->log, line);
    if (line.n == 0 || line.p[line.n - 1] != '\n') buf_addc(&all->log, '\n');
}

static int run(struct conforming *all) {
    const struct test_rig_options o = {all->config, all->root, 1, &all->log};
    const char *only = all->args->count == 0 ? NULL : all->args->args[0];
    struct why why = {0};
    if (test_rig_new(&all->rig, &o, &why) != 0)
        return cli_fail(all->args, CLI_PROBLEMS, "%s", why.text);
    if (all->markdown)
        printf("| Channel | Method | Provider | Lines | Can | Conformance "
               "|\n|---|---|---|---:|---|---|\n");
    int code = CLI_GOOD;
    for (size_t i = 0; i < all->name_count && code == CLI_GOOD; i++)
        if (only == NULL || strcmp(all->names[i], only) == 0)
            code = conform_one(all, all->names[i]);
    test_rig_delete(all->rig);
    if (code == CLI_GOOD && !all->markdown)
        printf("%zu passed, %zu failed; %zu not offered\n", all->passed, all->failed,
               all->not_offered);
    if (code == CLI_GOOD && all->filter != NULL &&
        all->passed + all->failed + all->not_offered == 0)
        return cli_fail(all->args, CLI_PROBLEMS, "no check is named like --check %s", all->filter);
    return code != CLI_GOOD ? code : all->failed == 0 ? CLI_GOOD : CLI_PROBLEMS;
}

int cmd_conform(const struct cli_args *args) {
    struct config *own = NULL, *config = NULL;
    struct why why = {0};
    char root[CLI_PATH_MAX];
    struct conforming all = {.args = args,
                             .evidence = cli_option(args, "evidence"),
                             .filter = cli_option(args, "check"),
                             .markdown = cli_option(args, "table") != NULL};
    if ((args->count == 0) != cli_flag(args, "all"))
        return cli_fail(args, CLI_USAGE, "say which: a CHANNEL, or --all");
    if (all.evidence == NULL) all.evidence = "build/conform";
    int code = cli_config(args, false, &config); /* for the root and the log only */
    if (code == 0) code = cmd_setup(args, config);
    if (code == 0 && (test_rig_config(&own, &why) != 0 || cli_root(config, root, &why) != 0))
        code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    if (code == 0) {
        char *top = realpath(root, NULL);
        all.root = top == NULL ? root : top;
        all.config = own;
        log_setup(LOG_LEVEL_DEBUG, LOG_JSON, STDERR_FILENO); /* every line is looked at */
        log_capture(keep_log, &all);
        code = choose(&all);
        if (code == 0) code = run(&all);
        log_capture(NULL, NULL);
        free(top);
    }
    for (size_t i = 0; i < all.name_count; i++)
        mem_free(all.names[i]);
    mem_free(all.names);
    buf_free(&all.log);
    config_free(own);
    config_free(config);
    return code;
}
