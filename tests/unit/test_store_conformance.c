/* The conformance suite on each driver and shape. */
#include "base/ensure.h"
#include "base/mem.h"
#include "shim_vfs.h"
#include "store/control.h"
#include "store_conformance.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void with_threads(const char *path, const char *name) {
    struct clock clock;
    clock_real(&clock);
    struct store_fixture f = {.clock = &clock, .pump = pump_uv, .listens = true};
    char dir[300];
    snprintf(dir, sizeof dir, "%s/%s", unit_tmpdir(), name);
    CHECK_OK(loop_uv_new(&f.loop, &clock));
    struct why why = {0};
    struct store_options o = {.path = path == NULL ? NULL : dir, .clock = &clock};
    int err = store_open(&f.store, &o, &why);
    if (err != 0) print_error("%s\n", why.text);
    CHECK_OK(err);
    CHECK_OK(store_migrate(f.store, NULL, &why));
    store_conformance(&f);
    store_close(f.store);
    loop_delete(f.loop);
}

static void file_with_threads(void **state) {
    (void)state;
    with_threads("", "threads");
}

static void memory_with_threads(void **state) {
    (void)state;
    with_threads(NULL, "");
}

static void simulated(const char *name) {
    struct clock clock;
    struct rng rng;
    clock_virtual(&clock, 1000);
    rng_seeded(&rng, 42);
    struct store_fixture f = {.clock = &clock, .pump = pump_sim, .listens = true};
    char dir[300];
    snprintf(dir, sizeof dir, "%s/%s", unit_tmpdir(), name == NULL ? "" : name);
    CHECK_OK(loop_sim_new(&f.loop, &clock, &rng));
    struct why why = {0};
    struct store_options o = {
        .path = name == NULL ? NULL : dir, .clock = &clock, .inline_on = f.loop};
    CHECK_OK(store_open(&f.store, &o, &why));
    CHECK_OK(store_migrate(f.store, NULL, &why));
    store_conformance(&f);
    store_close(f.store);
    loop_delete(f.loop);
}

static void file_inline(void **state) {
    (void)state;
    simulated("inline");
}

static void memory_inline(void **state) {
    (void)state;
    simulated(NULL);
}

/* ---- remote: a server on a thread of its own, a client here ---- */

struct server {
    char dir[300], path[320];
    struct clock clock;
    struct loop *loop;
    struct store *store;
    struct control *control;
    struct task stop;
    struct timer slow;
    struct control_call *call, *late;
    const char *vfs;
    pthread_t thread;
    sem_t ready;
};

static void control_gone(void *data) {
    loop_stop(((struct server *)data)->loop);
}

static void server_stops(struct task *task) {
    struct server *s = CONTAINER_OF(task, struct server, stop);
    control_stop(s->control, 50, control_gone, s);
}

static void slow_over(struct timer *timer) {
    struct server *s = CONTAINER_OF(timer, struct server, slow);
    control_finish(s->call, 0, "");
}

static void command(struct control_call *call, void *data) {
    struct server *s = data;
    if (strcmp(call->name, "never") == 0) {
        s->late = call;
        control_line(call, true, "taken");
        return;
    }
    if (strcmp(call->name, "slow") == 0) {
        s->call = call;
        timer_start(s->loop, &s->slow, 3 * (uint64_t)control_times.patience_ms, slow_over);
        return;
    }
    for (size_t i = 0; i < call->count; i++)
        control_line(call, true, call->args[i]);
    control_finish(call, strcmp(call->name, "echo") == 0 ? 0 : E_USAGE, "no such command");
}

static void *serve(void *data) {
    struct server *s = data;
    struct why why = {0};
    CHECK_OK(loop_uv_new(&s->loop, &s->clock));
    struct store_options o = {.path = s->dir, .clock = &s->clock, .vfs = s->vfs, .reserve = 65536};
    CHECK_OK(store_open(&s->store, &o, &why));
    CHECK_OK(store_migrate(s->store, NULL, &why));
    struct control_options c = {.path = s->path,
                                .version = "1",
                                .loop = s->loop,
                                .store = s->store,
                                .command = command,
                                .data = s};
    CHECK_OK(control_start(&s->control, &c, &why));
    sem_post(&s->ready);
    loop_uv_run(s->loop);
    if (s->late != NULL) control_finish(s->late, 0, "");
    store_close(s->store);
    loop_settle(s->loop); /* what was answered late is heard by what is left of the control */
    loop_delete(s->loop);
    return NULL;
}

static void server_start_on(struct server *s, const char *name, const char *vfs) {
    memset(s, 0, sizeof *s);
    s->vfs = vfs;
    clock_real(&s->clock);
    snprintf(s->dir, sizeof s->dir, "%s/%s", unit_tmpdir(), name);
    snprintf(s->path, sizeof s->path, "%s/control.sock", s->dir);
    sem_init(&s->ready, 0, 0);
    CHECK(pthread_create(&s->thread, NULL, serve, s) == 0);
    sem_wait(&s->ready);
}

static void server_start(struct server *s, const char *name) {
    server_start_on(s, name, NULL);
}

static void server_end(struct server *s) {
    s->stop.run = server_stops;
    loop_post(s->loop, &s->stop);
    pthread_join(s->thread, NULL);
    sem_destroy(&s->ready);
}

static void remote(void **state) {
    (void)state;
    struct server s;
    struct clock clock;
    clock_real(&clock);
    server_start(&s, "remote");
    struct stat st;
    CHECK(stat(s.path, &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    struct store_fixture f = {.clock = &clock, .pump = pump_uv, .listens = true};
    CHECK_OK(loop_uv_new(&f.loop, &clock));
    struct why why = {0};
    CHECK_OK(store_connect(&f.store, s.path, f.loop, &why));
    store_conformance(&f);
    store_close(f.store);
    loop_delete(f.loop);
    server_end(&s);
    CHECK(stat(s.path, &st) != 0);
}

struct lines {
    int good, bad;
    char last[200];
};

static void line_came(void *data, bool good, const char *text) {
    struct lines *l = data;
    *(good ? &l->good : &l->bad) += 1;
    snprintf(l->last, sizeof l->last, "%s", text);
}

static void remote_care(void **state) {
    (void)state;
    struct server s;
    struct clock clock;
    clock_real(&clock);
    server_start(&s, "care");
    struct store_fixture f = {.clock = &clock, .pump = pump_uv};
    CHECK_OK(loop_uv_new(&f.loop, &clock));
    struct why why = {0};
    CHECK_OK(store_connect(&f.store, s.path, f.loop, &why));
    struct lines l = {0};
    const struct store_report report = {line_came, &l};
    CHECK_OK(store_verify(f.store, &report));
    CHECK(l.good > 5);
    CHECK_INT(l.bad, 0);
    char to[400];
    snprintf(to, sizeof to, "%s/copy.db", unit_tmpdir());
    CHECK_OK(store_backup(f.store, to, &why));
    struct stat st;
    CHECK(stat(to, &st) == 0);
    CHECK_ERR(store_migrate(f.store, NULL, &why), E_STATE);
    CHECK(strstr(why.text, "server") != NULL);
    memset(&l, 0, sizeof l);
    CHECK_OK(control_command(s.path, "echo", (const char *[]){"a", "b"}, 2, &report, &why));
    CHECK_INT(l.good, 2);
    CHECK(strcmp(l.last, "b") == 0);
    CHECK_ERR(control_command(s.path, "what", NULL, 0, &report, &why), E_USAGE);
    /* a second owner is told who has it */
    struct store *second;
    struct store_options o = {.path = s.dir, .clock = &clock};
    CHECK_ERR(store_open(&second, &o, &why), E_BUSY);
    char pid[20];
    snprintf(pid, sizeof pid, "process %d:", (int)getpid());
    CHECK(strstr(why.text, pid) != NULL);
    /* a server that goes away leaves its client with answers */
    server_end(&s);
    struct answer a;
    submit(&f, one_op(OP_META_SET, VALS(V_TEXT("k"), V_TEXT("v"))), LANE_NEW, &a);
    f.pump(&f, &a.done);
    CHECK_ERR(a.err, E_CLOSED);
    CHECK_ERR(store_verify(f.store, &report), E_CLOSED);
    store_close(f.store);
    CHECK_ERR(store_connect(&f.store, s.path, f.loop, &why), E_CONNECT);
    loop_delete(f.loop);
}

/* A server that stands still: its socket takes connections and says nothing. Every call ends, and says
 * what is not known. */
static void a_server_that_stands_still_is_given_up(void **state) {
    (void)state;
    struct clock clock;
    struct why why = {0};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/still.sock", unit_tmpdir());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    CHECK(listen(fd, 4) == 0);
    const struct control_times was = control_times;
    control_times.patience_ms = 50;
    clock_real(&clock);
    struct store_fixture f = {.clock = &clock, .pump = pump_uv};
    CHECK_OK(loop_uv_new(&f.loop, &clock));
    CHECK_OK(store_connect(&f.store, at.sun_path, f.loop, &why));
    struct lines l = {0};
    const struct store_report report = {line_came, &l};
    CHECK_ERR(store_verify(f.store, &report), E_TIMEOUT);
    CHECK_INT(l.bad, 1);
    CHECK(strstr(l.last, "stands still") != NULL);
    CHECK_ERR(store_backup(f.store, "/nowhere", &why), E_TIMEOUT);
    CHECK(strstr(why.text, "stands still") != NULL && strstr(why.text, "not known") != NULL);
    CHECK_ERR(store_migrate(f.store, NULL, &why), E_TIMEOUT);
    CHECK_ERR(store_add_query(f.store, "q", "SELECT 1", &why), E_TIMEOUT);
    CHECK_ERR(control_command(at.sun_path, "echo", NULL, 0, &report, &why), E_TIMEOUT);
    struct rows *rows = NULL;
    CHECK_ERR(store_get(f.store, "meta_get", VALS(V_TEXT("k")), &rows), E_TIMEOUT);
    struct answer a;
    submit(&f, one_op(OP_META_SET, VALS(V_TEXT("k"), V_TEXT("v"))), LANE_NEW, &a);
    f.pump(&f, &a.done);
    CHECK_ERR(a.err, E_CLOSED);
    store_close(f.store);
    /* nobody even takes the connection */
    int filling[16], count = 0;
    while (count < 16 && (filling[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) >= 0 &&
           connect(filling[count++], (struct sockaddr *)&at, sizeof at) == 0) {
    }
    CHECK(count < 16);
    CHECK_ERR(store_connect(&f.store, at.sun_path, f.loop, &why), E_TIMEOUT);
    CHECK(strstr(why.text, "stands still") != NULL);
    while (count > 0)
        close(filling[--count]);
    loop_delete(f.loop);
    close(fd);
    control_times = was;
}

/* A result that is cut short, or says what no result says: it may have been stored or not. */
static void a_broken_answer_is_not_known(void **state) {
    (void)state;
    static const struct {
        const char *bytes; /* behind the head: err, text, operation, values */
        size_t n;
        int err;
        const char *text;
    } cases[] = {
        {"", 0, E_BADREPLY, "not known"},
        {"\0\0\0\0", 4, E_BADREPLY, "not known"},
        {"\0\0\0\0\0\0\0\0\5\0\0\0ab", 14, E_BADREPLY, "not known"},
        {"\0\0\0\0\0\0\0\0\0\0\0\0\0", 13, E_BADREPLY, "not known"},
        {"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 28, E_BADREPLY, "not known"},
        {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0", 22, E_SYNTAX, "values are lost"},
    };
    struct clock clock;
    struct why why = {0};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/broken.sock", unit_tmpdir());
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(listener, (struct sockaddr *)&at, sizeof at) == 0);
    CHECK(listen(listener, 4) == 0);
    clock_real(&clock);
    struct store_fixture f = {.clock = &clock, .pump = pump_uv};
    CHECK_OK(loop_uv_new(&f.loop, &clock));
    CHECK_OK(store_connect(&f.store, at.sun_path, f.loop, &why));
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct answer a;
        unsigned char head[9], frame[64] = {0};
        submit(&f, one_op(OP_META_SET, VALS(V_TEXT("k"), V_TEXT("v"))), LANE_NEW, &a);
        CHECK(recv(fd, head, sizeof head, MSG_WAITALL) == sizeof head);
        for (size_t rest = head[0] | (size_t)head[1] << 8; rest > 5; rest--)
            CHECK(recv(fd, frame, 1, 0) == 1);
        frame[0] = (unsigned char)(5 + cases[i].n);
        frame[4] = CONTROL_RESULT;
        memcpy(frame + 5, head + 5, 4);
        memcpy(frame + 9, cases[i].bytes, cases[i].n);
        CHECK(send(fd, frame, 9 + cases[i].n, 0) == (ssize_t)(9 + cases[i].n));
        f.pump(&f, &a.done);
        if (a.err != cases[i].err || strstr(a.detail, cases[i].text) == NULL)
            fail_msg("case %zu: %s (%s)", i, a.err == 0 ? "0" : err_name(a.err), a.detail);
    }
    close(fd);
    close(listener);
    store_close(f.store);
    loop_delete(f.loop);
}

/* Connections that memory is lacking for are closed; later ones are served. */
static void lacking_memory_does_not_deafen_it(void **state) {
    (void)state;
    struct server s;
    struct why why = {0};
    server_start(&s, "lacking");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, s.path, strlen(s.path));
    int fds[5];
    mem_fail_at(1, 1);
    for (size_t i = 0; i < 5; i++) {
        struct timeval patience = {.tv_sec = 20};
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        CHECK(connect(fds[i], (struct sockaddr *)&to, sizeof to) == 0);
    }
    for (size_t i = 0; i < 5; i++) {
        char c;
        CHECK_INT(recv(fds[i], &c, 1, 0), 0);
        close(fds[i]);
    }
    mem_fail_at(0, 0);
    CHECK_OK(control_command(s.path, "echo", NULL, 0, NULL, &why));
    server_end(&s);
}

/* A server that lives and takes its time is waited for: far longer than one silence may last. */
static void a_slow_answer_is_waited_for(void **state) {
    (void)state;
    const struct control_times was = control_times;
    control_times = (struct control_times){.beat_ms = 20, .patience_ms = 200};
    struct server s;
    struct why why = {0};
    server_start(&s, "slow");
    CHECK_OK(control_command(s.path, "slow", NULL, 0, NULL, &why));
    server_end(&s);
    control_times = was;
}

static void stop_it(void *data, bool good, const char *text) {
    struct server *s = data;
    CHECK(good && strcmp(text, "taken") == 0);
    s->stop.run = server_stops;
    loop_post(s->loop, &s->stop);
}

/* What is not answered by the deadline is answered to nobody, later; the server ends all the same. */
static void a_stop_has_an_end(void **state) {
    (void)state;
    struct server s;
    struct why why = {0};
    server_start(&s, "stop");
    const struct store_report report = {stop_it, &s};
    CHECK_ERR(control_command(s.path, "never", NULL, 0, &report, &why), E_CLOSED);
    pthread_join(s.thread, NULL);
    sem_destroy(&s.ready);
}

/* A full disk keeps a result until the store closes: a stop that waited for it would never end. */
static void a_stop_does_not_wait_for_a_full_disk(void **state) {
    (void)state;
    struct server s;
    struct why why = {0};
    struct clock clock;
    struct store_fixture f = {.clock = &clock, .pump = pump_uv};
    struct store_stats stats = {0};
    struct answer a;
    clock_real(&clock);
    shim_vfs_register();
    server_start_on(&s, "stop_full", SHIM_VFS);
    CHECK_OK(loop_uv_new(&f.loop, &clock));
    CHECK_OK(store_connect(&f.store, s.path, f.loop, &why));
    shim_room = 0;
    submit(&f, one_op(OP_META_SET, VALS(V_TEXT("k"), V_TEXT("v"))), LANE_RESULT, &a);
    while (!stats.full || store_under_way(s.store) == 0) {
        usleep(1000);
        store_stats(s.store, &stats);
    }
    server_end(&s);
    f.pump(&f, &a.done);
    CHECK_ERR(a.err, E_CLOSED); /* whether it was stored is not known */
    store_close(f.store);
    loop_delete(f.loop);
    shim_vfs_register();
}

static void strangers_frames_end_the_connection(void **state) {
    (void)state;
    struct server s;
    signal(SIGPIPE, SIG_IGN); /* as the engine does at its start */
    server_start(&s, "strangers");
    static const unsigned char BAD[][16] = {
        {0xff, 0xff, 0xff, 0x7f, 1}, /* too long */
        {1, 0, 0, 0, 1},             /* too short */
    };
    for (size_t i = 0; i < 2; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        memcpy(to.sun_path, s.path, strlen(s.path));
        CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
        CHECK(write(fd, BAD[i], 16) == 16);
        char c;
        CHECK(read(fd, &c, 1) <= 0);
        close(fd);
    }
    /* well framed, wrong inside: answered with an error */
    struct clock clock;
    clock_real(&clock);
    for (unsigned kind = 0; kind < 14; kind++) {
        unsigned char bad[12] = {8, 0, 0, 0, (unsigned char)kind, 7, 0, 0, 0, 0xff, 0xff, 0xff};
        unsigned char head[4];
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        memcpy(to.sun_path, s.path, strlen(s.path));
        CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
        CHECK(write(fd, bad, 12) == 12);
        CHECK(read(fd, head, 4) == 4);
        close(fd);
    }
    server_end(&s);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(file_with_threads),
    cmocka_unit_test(memory_with_threads),
    cmocka_unit_test(file_inline),
    cmocka_unit_test(memory_inline),
    cmocka_unit_test(remote),
    cmocka_unit_test(remote_care),
    cmocka_unit_test(a_server_that_stands_still_is_given_up),
    cmocka_unit_test(a_broken_answer_is_not_known),
    cmocka_unit_test(lacking_memory_does_not_deafen_it),
    cmocka_unit_test(a_slow_answer_is_waited_for),
    cmocka_unit_test(a_stop_has_an_end),
    cmocka_unit_test(a_stop_does_not_wait_for_a_full_disk),
    cmocka_unit_test(strangers_frames_end_the_connection),
};
UNIT_MAIN("store_conformance", TESTS)
