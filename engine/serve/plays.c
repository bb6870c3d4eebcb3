/* See plays.h. Of what `luwak test` prints, the first failure is told. */
#include "serve/plays.h"

#include "base/buf.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine.h"
#include "sys/child.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PLAYS_MS INT64_C(120000)

struct plays {
    struct loop *loop;
    const char *root;
    struct child *child;
    struct task task; /* it has ended, or never began */
    struct why why;
    bool stopped;
    void (*done)(void *to, const struct why *why); /* NULL: nothing is under way */
    void *to;
};

int plays_new(struct plays **out, struct loop *loop, const char *root) {
    struct plays *p = mem_zalloc(sizeof *p);
    if (p == NULL) return E_NOMEM;
    p->loop = loop;
    p->root = root;
    *out = p;
    return 0;
}

/* "FAIL FILE: NAME", then what was wrong, with its file and line. */
static void first_failure(struct str output, struct why *why) {
    struct str rest = output, one, last = STR("it said nothing");
    while (rest.n != 0) {
        str_cut(rest, '\n', &one, &rest);
        if (str_starts(one, STR("FAIL "))) {
            struct str detail = {0}, name = str_sub(one, 5, one.n);
            str_cut(rest, '\n', &detail, &rest);
            detail = str_trim(detail);
            why_set(why, E_SCRIPT, "its plays fail: %.*s (in %.*s)", STR_FMT(detail),
                    STR_FMT(name));
            return;
        }
        if (str_trim(one).n != 0) last = str_trim(one);
    }
    why_set(why, E_SCRIPT, "its plays cannot be run: %.*s", STR_FMT(last));
}

void plays_judge(const struct child_end *end, struct why *why) {
    if (end->err != 0)
        why_set(why, end->err, "how its plays ended is not known: %s", err_text(end->err));
    else if (end->too_long)
        why_set(why, E_TIMEOUT, "its plays took longer than %d s", (int)(PLAYS_MS / 1000));
    else if (end->signal != 0)
        why_set(why, E_SCRIPT, "its plays were ended by signal %d", end->signal);
    else if (end->code != 0)
        first_failure(end->output, why);
}

static void ended(struct task *task) {
    struct plays *p = CONTAINER_OF(task, struct plays, task);
    void (*done)(void *to, const struct why *why) = p->done;
    if (p->child != NULL) {
        struct child_end end = child_end(p->child);
        if (p->stopped)
            why_set(&p->why, E_CLOSED, "the server is stopping");
        else
            plays_judge(&end, &p->why);
        child_delete(p->child);
        p->child = NULL;
    }
    p->done = NULL;
    done(p->to, &p->why);
}

static void child_over(void *data) { /* on the child's thread */
    struct plays *p = data;
    loop_post(p->loop, &p->task);
}

/* The child sees none of our settings and keys: what a test needs is in its file. */
static int start(struct plays *p, const char *const *files, size_t count) {
    static char *const env[] = {"LUWAK_ENV=simulated", "LANG=C.UTF-8", NULL};
    char **argv = mem_array(count + 5, sizeof *argv);
    char *root = realpath(p->root, NULL);
    size_t n = 0;
    int err = argv == NULL || (root == NULL && errno == ENOMEM) ? E_NOMEM
              : root == NULL                                    ? E_NOTFOUND
                                                                : 0;
    if (err == 0) {
        argv[n++] = "/proc/self/exe";
        argv[n++] = "test";
        argv[n++] = "--root";
        argv[n++] = root;
    }
    size_t fixed = n;
    for (size_t i = 0; err == 0 && i < count; i++) {
        struct buf path = {0};
        buf_addf(&path, "%s/%s", root, files[i]);
        if ((err = path.err) == 0 && (argv[n] = buf_take(&path, NULL)) != NULL) n++;
        buf_free(&path);
    }
    if (err == 0) {
        argv[n] = NULL;
        err = child_start(&p->child, argv, env, PLAYS_MS, child_over, p);
    }
    for (size_t i = fixed; i < n; i++)
        mem_free(argv[i]);
    mem_free(argv);
    free(root); /* of libc */
    return err;
}

void plays_run(void *data, const char *const *files, size_t count,
               void (*done)(void *to, const struct why *why), void *to) {
    struct plays *p = ((struct engine *)data)->plays;
    ENSURE(p->done == NULL);
    p->done = done;
    p->to = to;
    p->why = (struct why){0};
    p->task = (struct task){.run = ended};
    int err =
        p->stopped ? why_set(&p->why, E_CLOSED, "the server is stopping") : start(p, files, count);
    if (err != 0 && p->why.code == 0)
        why_set(&p->why, err, "its plays cannot be started: %s", err_text(err));
    if (err != 0) loop_post(p->loop, &p->task);
}

void plays_stop(struct plays *p) {
    if (p == NULL) return;
    p->stopped = true;
    if (p->child == NULL) return;
    child_kill(p->child);
    child_wait(p->child);
}

void plays_delete(struct plays *p) {
    if (p == NULL) return;
    ENSURE(p->done == NULL);
    mem_free(p);
}
