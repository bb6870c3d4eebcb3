/* See child.h. The pid is ours until it is reaped, which happens under the lock that child_kill
 * takes: a signal never meets a stranger who has the number next. */
#include "sys/child.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 10 };

struct child {
    pthread_mutex_t lock;
    pthread_t thread;
    bool joined;
    pid_t pid; /* 0: reaped */
    int pipe;
    int64_t until_ms;
    struct buf output;
    struct child_end end;
    void (*ended)(void *data);
    void *data;
};

static int64_t mono_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

void child_kill(struct child *c) {
    pthread_mutex_lock(&c->lock);
    if (c->pid != 0) kill(-c->pid, SIGKILL);
    pthread_mutex_unlock(&c->lock);
}

static void check_limit(struct child *c) {
    if (c->end.too_long || mono_ms() < c->until_ms) return;
    c->end.too_long = true;
    child_kill(c);
}

/* To the end of what it writes; one that never stops writing has its limit all the same. */
static void hear(struct child *c) {
    for (;;) {
        check_limit(c);
        struct pollfd p = {.fd = c->pipe, .events = POLLIN};
        int64_t left = c->until_ms - mono_ms();
        int ready = poll(&p, 1, c->end.too_long ? -1 : left < 0 ? 0 : (int)left);
        if (ready < 0 && errno != EINTR) return; /* reap() sees to the limit */
        if (ready <= 0) continue;
        char block[4096];
        ssize_t n = read(c->pipe, block, sizeof block);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        if (c->output.len + (size_t)n <= CHILD_OUTPUT_MAX) buf_add(&c->output, block, (size_t)n);
    }
}

static void reap(struct child *c) {
    siginfo_t info = {0};
    int status = 0;
    /* It may close its output and live on. */
    for (;;) {
        int looked = waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOWAIT | WNOHANG);
        if (looked == 0 ? info.si_pid != 0 : errno != EINTR) break;
        check_limit(c);
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
    pthread_mutex_lock(&c->lock);
    pid_t reaped;
    do
        reaped = waitpid(c->pid, &status, 0);
    while (reaped < 0 && errno == EINTR);
    c->pid = 0;
    pthread_mutex_unlock(&c->lock);
    c->end.code = -1;
    if (reaped < 0) {
        c->end.err = E_IO;
        return;
    }
    c->end.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    c->end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void *wait_for(void *arg) {
    struct child *c = arg;
    hear(c);
    reap(c);
    c->ended(c->data);
    return NULL;
}

/* Between fork and exec: only what a signal handler may call, as other threads held locks. */
static _Noreturn void become(pid_t parent, char *const *argv, char *const *env, int out) {
    static const char failed[] = "the program cannot be started\n";
    sigset_t none;
    setpgid(0, 0);
    for (int s = 1; s < NSIG; s++) /* what we ignore is ignored beyond exec too */
        signal(s, SIG_DFL);
    int in = open("/dev/null", O_RDONLY);
    if (in >= 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2 &&
        close_range(3, ~0U, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
        getppid() == parent) { /* else it has died already, and no signal comes */
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execve(argv[0], argv, env);
    }
    ssize_t told = write(2, failed, sizeof failed - 1);
    _exit(told < 0 ? 126 : 127);
}

/* Not posix_spawn: only the child itself can ask to die with its parent, and one that outlives a
 * killed command would go on for its whole limit with nobody to hear it. */
static int spawn(struct child *c, char *const *argv, char *const *env, int out) {
    sigset_t all, before;
    pid_t parent = getpid();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* none of our handlers runs in the child */
    pid_t pid = fork();
    if (pid == 0) become(parent, argv, env, out);
    int failed = pid < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid > 0) {
        setpgid(pid, pid); /* whichever of us is first: child_kill is for the group */
        c->pid = pid;
    }
    return failed == 0 ? 0 : failed == ENOMEM || failed == EAGAIN ? E_NOMEM : E_IO;
}

int child_start(struct child **out, char *const *argv, char *const *env, int64_t limit_ms,
                void (*ended)(void *data), void *data) {
    int ends[2];
    struct child *c = mem_zalloc(sizeof *c);
    if (c == NULL) return E_NOMEM;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        mem_free(c);
        return E_IO;
    }
    pthread_mutex_init(&c->lock, NULL);
    c->pipe = ends[0];
    c->until_ms = mono_ms() + limit_ms;
    c->ended = ended;
    c->data = data;
    int err = spawn(c, argv, env, ends[1]);
    close(ends[1]);
    if (err == 0 && pthread_create(&c->thread, NULL, wait_for, c) != 0) {
        child_kill(c);
        reap(c);
        err = E_NOMEM;
    }
    if (err != 0) {
        close(c->pipe);
        pthread_mutex_destroy(&c->lock);
        mem_free(c);
        return err;
    }
    *out = c;
    return 0;
}

struct child_end child_end(const struct child *c) {
    struct child_end end = c->end;
    end.output = buf_str(&c->output);
    return end;
}

void child_wait(struct child *c) {
    if (!c->joined) pthread_join(c->thread, NULL);
    c->joined = true;
}

void child_delete(struct child *c) {
    if (c == NULL) return;
    child_kill(c);
    child_wait(c);
    close(c->pipe);
    pthread_mutex_destroy(&c->lock);
    buf_free(&c->output);
    mem_free(c);
}
