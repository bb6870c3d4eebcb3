/* Children: how each way to end is told, and that none outlives its limit; what `luwak test` says of
 * the plays. The children are shells of a few words; a limit is short where it is to be met, and far
 * where it is not. */
#include "base/ensure.h"
#include "base/mem.h"
#include "serve/plays.h"
#include "sys/child.h"
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FAR_MS = 60000, SHORT_MS = 200 };

static struct over {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool over;
} over = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

static void ended(void *data) {
    (void)data;
    pthread_mutex_lock(&over.lock);
    over.over = true;
    pthread_cond_signal(&over.cond);
    pthread_mutex_unlock(&over.lock);
}

static struct child *start(const char *script, int64_t limit_ms) {
    char *const argv[] = {"/bin/sh", "-c", (char *)script, NULL};
    char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    struct child *c = NULL;
    over.over = false;
    CHECK_OK(child_start(&c, argv, env, limit_ms, ended, NULL));
    return c;
}

static void wait_end(struct child *c) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    pthread_mutex_lock(&over.lock);
    int err = 0;
    while (!over.over && err == 0)
        err = pthread_cond_timedwait(&over.cond, &over.lock, &until);
    pthread_mutex_unlock(&over.lock);
    CHECK(over.over);
    child_wait(c);
}

static struct child *run(const char *script, int64_t limit_ms) {
    struct child *c = start(script, limit_ms);
    wait_end(c);
    return c;
}

static int judged(struct child *c, char *text, size_t size) {
    struct why why = {0};
    struct child_end end = child_end(c);
    plays_judge(&end, &why);
    snprintf(text, size, "%s", why.text);
    child_delete(c);
    return why.code;
}

static void what_it_says_and_its_code_are_heard(void **state) {
    (void)state;
    struct child *c = run("echo one; echo two >&2; exit 3", FAR_MS);
    struct child_end end = child_end(c);
    CHECK_STR(end.output, "one\ntwo\n");
    CHECK_INT(end.code, 3);
    CHECK_INT(end.signal, 0);
    CHECK_INT(end.err, 0);
    CHECK(!end.too_long);
    child_delete(c);
}

static void a_silent_one_is_killed_at_its_limit(void **state) {
    (void)state;
    char text[WHY_MAX];
    struct child *c = run("sleep 1000", SHORT_MS);
    CHECK(child_end(c).too_long);
    CHECK_INT(child_end(c).signal, SIGKILL);
    CHECK_INT(judged(c, text, sizeof text), E_TIMEOUT);
}

/* The pipe is never silent. */
static void a_flood_is_killed_at_its_limit(void **state) {
    (void)state;
    struct child *c = run("exec cat /dev/zero", SHORT_MS);
    CHECK(child_end(c).too_long);
    CHECK(child_end(c).output.n <= CHILD_OUTPUT_MAX);
    child_delete(c);
}

static void one_that_closes_its_output_and_lives_on_is_killed_too(void **state) {
    (void)state;
    struct child *c = run("exec >&- 2>&-; sleep 1000", SHORT_MS);
    CHECK(child_end(c).too_long);
    child_delete(c);
}

static void one_that_closes_its_output_and_ends_in_time_is_waited_for(void **state) {
    (void)state;
    struct child *c = run("exec >&- 2>&-; sleep 0.1; exit 4", FAR_MS);
    CHECK(!child_end(c).too_long);
    CHECK_INT(child_end(c).code, 4);
    child_delete(c);
}

static void death_by_a_signal_is_no_success(void **state) {
    (void)state;
    char text[WHY_MAX];
    struct child *c = run("kill -TERM $$", FAR_MS);
    CHECK_INT(child_end(c).signal, SIGTERM);
    CHECK_INT(child_end(c).code, -1);
    CHECK(!child_end(c).too_long);
    CHECK_INT(judged(c, text, sizeof text), E_SCRIPT);
    CHECK_STR(str_of(text), "its plays were ended by signal 15");
}

/* The parent is killed, as by `timeout`, and gives nobody a chance to end what it began. */
static void none_outlives_its_parent(void **state) {
    (void)state;
    char dir[] = "/tmp/luwak-child-XXXXXX", fifo[64], script[128], said[32] = "";
    int status = 0;
    CHECK(mkdtemp(dir) != NULL);
    snprintf(fifo, sizeof fifo, "%s/pid", dir);
    snprintf(script, sizeof script, "echo $$ >%s; exec sleep 1000", fifo);
    CHECK_INT(mkfifo(fifo, 0600), 0);
    CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* whoever is left alone becomes ours */
    pid_t parent = fork();
    if (parent == 0) {
        start(script, FAR_MS);
        for (;;)
            pause();
    }
    int fd = open(fifo, O_RDONLY);
    CHECK(read(fd, said, sizeof said - 1) > 0);
    close(fd);
    pid_t child = (pid_t)atol(said);
    CHECK(child > 0);
    kill(parent, SIGKILL);
    CHECK_INT(waitpid(parent, &status, 0), parent);
    pid_t gone = 0;
    for (int i = 0; i < 1000 && gone == 0; i++) {
        gone = waitpid(child, &status, WNOHANG);
        if (gone == 0) nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    if (gone == 0) kill(child, SIGKILL);
    CHECK_INT(gone, child);
    CHECK_INT(WTERMSIG(status), SIGKILL);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    unlink(fifo);
    rmdir(dir);
}

static void one_that_cannot_be_started_says_so(void **state) {
    (void)state;
    char text[WHY_MAX];
    char *const argv[] = {"/there/is/none", NULL};
    struct child *c = NULL;
    over.over = false;
    CHECK_OK(child_start(&c, argv, argv + 1, FAR_MS, ended, NULL));
    wait_end(c);
    CHECK_INT(judged(c, text, sizeof text), E_SCRIPT);
    CHECK_STR(str_of(text), "its plays cannot be run: the program cannot be started");
}

static void one_is_killed_when_it_is_deleted(void **state) {
    (void)state;
    int64_t before = mem_live();
    child_delete(start("sleep 1000", FAR_MS));
    CHECK(over.over);
    CHECK_INT(mem_live(), before);
}

/* As under a parent that ignores SIGCHLD: the system reaps, and nobody learns how it ended. */
static void an_end_that_nobody_saw_is_no_success(void **state) {
    (void)state;
    char text[WHY_MAX];
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    struct child *c = run("exit 1", FAR_MS);
    signal(SIGCHLD, before);
    CHECK(child_end(c).err != 0);
    CHECK_INT(judged(c, text, sizeof text), E_IO);
    CHECK(str_starts(str_of(text), STR("how its plays ended is not known")));
}

static void the_first_failure_is_told(void **state) {
    (void)state;
    static const struct {
        int code;
        const char *output, *text;
    } CASES[] = {
        {0, "FAIL is a word of a test's own\n", ""},
        {1, "ok one\nFAIL a_test.lua: pays\n  a_test.lua:3: expected 1\nFAIL b: x\n  y\n1 failed\n",
         "its plays fail: a_test.lua:3: expected 1 (in a_test.lua: pays)"},
        {1, "FAIL a_test.lua: pays", "its plays fail:  (in a_test.lua: pays)"},
        {2, "luwak test: no such file\n\n", "its plays cannot be run: luwak test: no such file"},
        {2, "", "its plays cannot be run: it said nothing"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct why why = {0};
        plays_judge(&(struct child_end){.code = CASES[i].code, .output = str_of(CASES[i].output)},
                    &why);
        CHECK_INT(why.code, CASES[i].code == 0 ? 0 : E_SCRIPT);
        CHECK_STR(str_of(why.text), CASES[i].text);
    }
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(what_it_says_and_its_code_are_heard),
    cmocka_unit_test(a_silent_one_is_killed_at_its_limit),
    cmocka_unit_test(a_flood_is_killed_at_its_limit),
    cmocka_unit_test(one_that_closes_its_output_and_lives_on_is_killed_too),
    cmocka_unit_test(one_that_closes_its_output_and_ends_in_time_is_waited_for),
    cmocka_unit_test(death_by_a_signal_is_no_success),
    cmocka_unit_test(none_outlives_its_parent),
    cmocka_unit_test(one_that_cannot_be_started_says_so),
    cmocka_unit_test(one_is_killed_when_it_is_deleted),
    cmocka_unit_test(an_end_that_nobody_saw_is_no_success),
    cmocka_unit_test(the_first_failure_is_told),
};
UNIT_MAIN("child", TESTS)
