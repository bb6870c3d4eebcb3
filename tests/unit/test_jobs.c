/* core/jobs and core/cron on a real store over a disk in memory, in virtual time: how a run can
 * end, what a crash leaves, that nothing runs twice at once, and that a due time makes one job. */
#include "base/fault.h"
#include "base/mem.h"
#include "core/cron.h"
#include "core/jobs.h"
#include "core/operation.h"
#include "store/vfs_record.h"
#include "store_conformance.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 4000
#define START_MS 1000000

struct world {
    struct store_fixture f;
    struct clock clock;
    struct rng rng;
    struct disk *disk;
    struct jobs *jobs;
    struct cron *cron;
    /* what was run, in order */
    char names[RUNS_MAX][24];
    int64_t at[RUNS_MAX];
    bool lost[RUNS_MAX];
    int count;
    const struct job *held[200]; /* begun, not ended; hold = true */
    int held_count, running_max, crashed_count;
    int at_once; /* bound of the queue; 0: its own */
    bool hold;
    enum job_end end;
};

static void run(struct jobs *jobs, const struct job *job, void *data) {
    struct world *w = data;
    CHECK(w->count < RUNS_MAX);
    snprintf(w->names[w->count], sizeof w->names[0], "%.*s", STR_FMT(job->name));
    w->lost[w->count] = job->lost;
    w->at[w->count++] = clock_now_ms(&w->clock);
    for (int i = 0; i < w->held_count; i++)
        CHECK(!str_eq(w->held[i]->id, job->id)); /* never twice at once */
    if (!w->hold) {
        jobs_finish(jobs, job, w->end, "because");
        return;
    }
    w->held[w->held_count++] = job;
    if (w->held_count > w->running_max) w->running_max = w->held_count;
}

static void start(struct world *w) {
    struct why why = {0};
    CHECK_OK(loop_sim_new(&w->f.loop, &w->clock, NULL));
    struct store_options o = {.path = disk_path(w->disk),
                              .vfs = VFS_RECORD,
                              .clock = &w->clock,
                              .reserve = 16384,
                              .inline_on = w->f.loop};
    CHECK_OK(store_open(&w->f.store, &o, &why));
    CHECK_OK(store_migrate(w->f.store, NULL, &why));
    struct jobs_options jo = {.store = w->f.store,
                              .loop = w->f.loop,
                              .rng = &w->rng,
                              .running_max = w->at_once,
                              .run = run,
                              .data = w};
    CHECK_OK(jobs_new(&w->jobs, &jo));
    CHECK_OK(cron_new(&w->cron, w->f.store, w->jobs, w->f.loop, &w->rng));
    jobs_start(w->jobs);
    loop_sim_drain(w->f.loop);
}

static void no_line(void *data, struct str line) {
    (void)data, (void)line;
}

static struct world *world_new(void) {
    log_capture(no_line, NULL); /* failures are what is wanted here */
    struct world *w = calloc(1, sizeof *w);
    rng_seeded(&w->rng, 1);
    clock_virtual(&w->clock, START_MS);
    CHECK_OK(disk_new(&w->disk, 1));
    w->f.pump = pump_sim;
    w->f.clock = &w->clock;
    start(w);
    return w;
}

static void stop(struct world *w) {
    for (int i = 0; i < w->held_count; i++)
        jobs_finish(w->jobs, w->held[i], JOB_END_CUT, NULL);
    w->held_count = 0;
    cron_delete(w->cron);
    jobs_delete(w->jobs);
    loop_sim_drain(w->f.loop);
    store_close(w->f.store);
    loop_sim_drain(w->f.loop);
    loop_delete(w->f.loop);
}

static void world_end(struct world *w) {
    CHECK_OK(store_verify(w->f.store, NULL));
    stop(w);
    disk_delete(w->disk);
    free(w);
}

/* Power off; then another life on what was safe. */
static void crash(struct world *w) {
    struct disk *image;
    CHECK_OK(disk_image(w->disk, IMAGE_NONE, &w->rng, &image));
    disk_cut(w->disk);
    stop(w);
    disk_delete(w->disk);
    w->disk = image;
    start(w);
}

static int64_t now(struct world *w) {
    return clock_now_ms(&w->clock);
}

static void enqueue(struct world *w, struct job_new job) {
    struct commit *c;
    CHECK_OK(commit_new(&c));
    job_enqueue(c, &job, &w->clock, &w->rng);
    CHECK_OK(run_commit(&w->f, c, NULL));
    jobs_poke(w->jobs);
}

static int64_t in_state(struct world *w, const char *state) {
    struct rows *rows;
    CHECK_OK(run_select(&w->f, "SELECT count(*) FROM job WHERE state = ?1", VALS(V_TEXT(state)),
                        &rows, NULL));
    int64_t n = rows_int(rows, 0, 0);
    rows_free(rows);
    return n;
}

static void a_job_runs_once_when_it_is_due(void **state) {
    (void)state;
    struct world *w = world_new();
    enqueue(w, (struct job_new){.name = STR("a"), .due_at = START_MS + 60000});
    loop_sim_run_for(w->f.loop, 59000);
    CHECK_INT(w->count, 0);
    CHECK(jobs_idle(w->jobs));
    loop_sim_run_for(w->f.loop, 5000);
    CHECK_INT(w->count, 1);
    CHECK(w->at[0] >= START_MS + 60000);
    loop_sim_run_for(w->f.loop, 3600000);
    CHECK_INT(w->count, 1);
    CHECK_INT(in_state(w, "done"), 1);
    CHECK(jobs_idle(w->jobs));
    world_end(w);
}

static void a_failed_job_waits_by_its_backoff_and_dies(void **state) {
    (void)state;
    struct world *w = world_new();
    w->end = JOB_END_AGAIN;
    enqueue(w, (struct job_new){.name = STR("a"), .backoff = STR("first=5s factor=5 tries=4")});
    loop_sim_run_for(w->f.loop, 1000000);
    CHECK_INT(w->count, 4);
    static const int64_t WAITS[] = {5000, 25000, 125000};
    for (int i = 0; i < 3; i++) {
        int64_t wait = w->at[i + 1] - w->at[i];
        CHECK(wait >= WAITS[i] && wait <= WAITS[i] + 1100);
    }
    CHECK_INT(in_state(w, "dead"), 1);
    struct rows *rows;
    CHECK_OK(run_select(&w->f, "SELECT error, attempts FROM job", NULL, 0, &rows, NULL));
    CHECK_STR(rows_text(rows, 0, 0), "because");
    rows_free(rows);
    w->end = JOB_END_DEAD;
    enqueue(w, (struct job_new){.name = STR("b")});
    loop_sim_run_for(w->f.loop, 100000);
    CHECK_INT(w->count, 5);
    CHECK_INT(in_state(w, "dead"), 2);
    world_end(w);
}

static void one_open_job_per_unique_key(void **state) {
    (void)state;
    struct world *w = world_new();
    w->hold = true;
    for (int i = 0; i < 3; i++)
        enqueue(w, (struct job_new){.name = STR("a"), .unique = STR("k")});
    loop_sim_run_for(w->f.loop, 10000);
    CHECK_INT(w->count, 1);
    jobs_finish(w->jobs, w->held[--w->held_count], JOB_END_DONE, NULL);
    loop_sim_run_for(w->f.loop, 10000);
    enqueue(w, (struct job_new){.name = STR("a"), .unique = STR("k")});
    loop_sim_run_for(w->f.loop, 10000);
    CHECK_INT(w->count, 2); /* the key is free again */
    world_end(w);
}

static void the_urgent_go_first_and_the_bound_holds(void **state) {
    (void)state;
    struct world *w = world_new();
    char name[20];
    for (int i = 0; i < 150; i++) {
        struct commit *c;
        CHECK_OK(commit_new(&c));
        snprintf(name, sizeof name, "p%d", i % 3);
        job_enqueue(c, &(struct job_new){.name = str_of(name), .priority = i % 3}, &w->clock,
                    &w->rng);
        CHECK_OK(run_commit(&w->f, c, NULL));
    }
    w->hold = true;
    jobs_poke(w->jobs);
    loop_sim_run_for(w->f.loop, 10);
    CHECK_INT(w->held_count, 64);
    int urgent = 0;
    for (int i = 0; i < 50; i++)
        urgent += strcmp(w->names[i], "p2") == 0;
    CHECK_INT(urgent, 50);
    w->hold = false;
    while (w->held_count > 0)
        jobs_finish(w->jobs, w->held[--w->held_count], JOB_END_DONE, NULL);
    loop_sim_run_for(w->f.loop, 10000);
    CHECK_INT(w->count, 150);
    CHECK_INT(in_state(w, "done"), 150);
    world_end(w);
}

static void told(struct world *w, const char *operation) {
    struct commit *c;
    CHECK_OK(commit_new(&c));
    operation_add_ask_told(c, str_of(operation), OPERATION_PENDING, &w->clock, &w->rng);
    CHECK_OK(run_commit(&w->f, c, NULL));
    jobs_poke(w->jobs);
}

/* What it asks is answered with what was before that: it asks once more, however the question ended. */
static void what_is_told_while_it_is_asked_about_is_asked_again(void **state) {
    (void)state;
    static const enum job_end ENDS[] = {JOB_END_DONE, JOB_END_LATER, JOB_END_AGAIN};
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        struct world *w = world_new();
        w->hold = true;
        told(w, "op_1");
        loop_sim_run_for(w->f.loop, 1);
        CHECK_INT(w->held_count, 1);
        told(w, "op_1");
        loop_sim_run_for(w->f.loop, 5);
        told(w, "op_1");
        CHECK_INT(w->held_count, 1);
        jobs_finish(w->jobs, w->held[--w->held_count], ENDS[i], NULL);
        loop_sim_run_for(w->f.loop, 10);
        CHECK_INT(w->count, 2);
        jobs_finish(w->jobs, w->held[--w->held_count], JOB_END_DONE, NULL);
        loop_sim_run_for(w->f.loop, 60000);
        CHECK_INT(w->count, 2);
        CHECK_INT(in_state(w, "done"), 1);
        world_end(w);
    }
}

/* The job that waits for its turn is the one that asks. */
static void what_is_told_while_it_waits_is_asked_at_once(void **state) {
    (void)state;
    struct world *w = world_new();
    struct commit *c;
    CHECK_OK(commit_new(&c));
    operation_add_ask(c, STR("op_1"), START_MS + 3600000, ASK_BACKOFF, &w->clock, &w->rng);
    CHECK_OK(run_commit(&w->f, c, NULL));
    w->hold = true;
    told(w, "op_1");
    loop_sim_run_for(w->f.loop, 10);
    CHECK_INT(w->held_count, 1);
    CHECK_INT(w->held[0]->priority, 1);
    jobs_finish(w->jobs, w->held[--w->held_count], JOB_END_DONE, NULL);
    loop_sim_run_for(w->f.loop, 7200000);
    CHECK_INT(w->count, 1);
    world_end(w);
}

static void after_a_crash_repeatable_runs_again_and_once_is_lost(void **state) {
    (void)state;
    struct world *w = world_new();
    w->hold = true;
    enqueue(w, (struct job_new){.name = STR("again")});
    enqueue(w, (struct job_new){.name = STR("once"), .once = true});
    loop_sim_run_for(w->f.loop, 2000);
    CHECK_INT(w->count, 2);
    w->hold = false;
    crash(w);
    loop_sim_run_for(w->f.loop, 60000);
    int again = 0, once = 0, lost = 0;
    for (int i = 2; i < w->count; i++) {
        again += strcmp(w->names[i], "again") == 0;
        once += strcmp(w->names[i], "once") == 0 && !w->lost[i];
        lost += strcmp(w->names[i], "once") == 0 && w->lost[i];
    }
    CHECK_INT(again, 1);
    CHECK_INT(once, 0);
    CHECK_INT(lost, 1);
    CHECK_INT(in_state(w, "lost"), 1);
    CHECK_INT(in_state(w, "done"), 2);
    crash(w); /* and once it is over it stays over */
    loop_sim_run_for(w->f.loop, 60000);
    CHECK_INT(w->count, 4);
    world_end(w);
}

/* The lost step cut off by a crash runs again: it only asks. */
static void a_lost_step_survives_the_next_crash(void **state) {
    (void)state;
    struct world *w = world_new();
    w->hold = true;
    enqueue(w, (struct job_new){.name = STR("once"), .once = true});
    loop_sim_run_for(w->f.loop, 2000);
    for (int i = 0; i < 3; i++) {
        crash(w);
        loop_sim_run_for(w->f.loop, 2000);
        CHECK_INT(w->count, i + 2);
        CHECK(w->lost[i + 1]);
    }
    world_end(w);
}

static void an_end_waits_for_a_full_disk(void **state) {
    (void)state;
    struct world *w = world_new();
    w->hold = true;
    enqueue(w, (struct job_new){.name = STR("a")});
    loop_sim_run_for(w->f.loop, 2000);
    CHECK_INT(w->held_count, 1);
    disk_quota(w->disk, 0);
    jobs_finish(w->jobs, w->held[--w->held_count], JOB_END_DONE, NULL);
    loop_sim_run_for(w->f.loop, 20000);
    struct disk_counts before = disk_counts(w->disk);
    loop_sim_run_for(w->f.loop, 10000);
    CHECK(disk_counts(w->disk).writes - before.writes < 2000); /* it waits, it does not spin */
    disk_quota(w->disk, -1);
    loop_sim_run_for(w->f.loop, 20000);
    CHECK_INT(in_state(w, "done"), 1);
    CHECK_INT(w->count, 1);
    world_end(w);
}

/* A claim that waits for space must not keep the queue busy meanwhile. */
static void claims_wait_for_a_full_disk(void **state) {
    (void)state;
    struct world *w = world_new();
    for (int i = 0; i < 5; i++)
        enqueue(w, (struct job_new){.name = STR("a"), .due_at = START_MS + 5000});
    loop_sim_drain(w->f.loop);
    disk_quota(w->disk, 0);
    int64_t until = now(w) + 30000;
    int steps = 0;
    while (now(w) < until && steps < 20000) {
        CHECK(loop_sim_step(w->f.loop));
        steps++;
    }
    CHECK(steps < 20000);
    disk_quota(w->disk, -1);
    loop_sim_run_for(w->f.loop, 60000);
    CHECK_INT(w->count, 5);
    CHECK_INT(in_state(w, "done"), 5);
    world_end(w);
}

/* All places were taken by claims, and the store had no memory for any of them: nobody ends, so
 * nobody's end looks again, and nobody pokes. */
static void claims_that_are_lost_are_made_again(void **state) {
    (void)state;
    struct world *w = world_new();
    stop(w);
    w->at_once = 4;
    start(w);
    for (int i = 0; i < 6; i++)
        enqueue(w, (struct job_new){.name = STR("a"), .due_at = START_MS + 5000});
    loop_sim_run_for(w->f.loop, 4900);
    /* the group of four, then each alone */
    fault_set("store.begin=fail,store.begin=fail@2,store.begin=fail@3,store.begin=fail@4,"
              "store.begin=fail@5");
    loop_sim_run_for(w->f.loop, 500);
    fault_set("");
    CHECK_INT(w->count, 0);
    CHECK(!jobs_idle(w->jobs));
    loop_sim_run_for(w->f.loop, 3000);
    CHECK_INT(w->count, 6);
    CHECK_INT(in_state(w, "done"), 6);
    world_end(w);
}

/* From the nth allocation on there is none, over the time at which the jobs come due. */
static void memory_that_comes_back_finds_the_jobs(void **state) {
    (void)state;
    for (uint64_t n = 1; n <= 40; n++) {
        struct world *w = world_new();
        for (int i = 0; i < 3; i++)
            enqueue(w, (struct job_new){.name = STR("a"), .due_at = START_MS + 5000});
        loop_sim_run_for(w->f.loop, 4900);
        mem_fail_at(n, 1);
        loop_sim_run_for(w->f.loop, 500);
        mem_fail_at(0, 0);
        loop_sim_run_for(w->f.loop, 5000);
        if (w->count != 3) print_error("allocation %d: %d ran\n", (int)n, w->count);
        CHECK_INT(w->count, 3);
        world_end(w);
    }
}

static void a_clock_that_jumps_makes_due(void **state) {
    (void)state;
    struct world *w = world_new();
    enqueue(w, (struct job_new){.name = STR("a"), .due_at = START_MS + 86400000});
    loop_sim_run_for(w->f.loop, 2000);
    CHECK(jobs_next_due(w->jobs) == START_MS + 86400000);
    atomic_store(&w->clock.offset_ms, 86400000);
    jobs_poke(w->jobs);
    CHECK(!jobs_idle(w->jobs));
    loop_sim_run_for(w->f.loop, 2000);
    CHECK_INT(w->count, 1);
    world_end(w);
}

/* ---- cron ---- */

static struct schedule every(int64_t ms) {
    return (struct schedule){.period_ms = ms};
}

static void a_due_time_makes_one_job(void **state) {
    (void)state;
    struct world *w = world_new();
    struct schedule s = every(60000);
    CHECK_OK(cron_set(w->cron, STR("tick"), &s, false, STR("")));
    loop_sim_run_for(w->f.loop, 600000);
    CHECK(w->count >= 9 && w->count <= 10);
    int before = w->count;
    for (int i = 0; i < 5; i++) { /* crashes at any moment add none and lose none */
        crash(w);
        CHECK_OK(cron_set(w->cron, STR("tick"), &s, false, STR("")));
        loop_sim_run_for(w->f.loop, 60000);
    }
    CHECK(w->count >= before + 4 && w->count <= before + 6);
    for (int i = 1; i < w->count; i++)
        CHECK(w->at[i] - w->at[i - 1] > 50000);
    struct rows *rows;
    CHECK_OK(run_select(&w->f, "SELECT count(*) - count(DISTINCT due_at) FROM job", NULL, 0, &rows,
                        NULL));
    CHECK_INT(rows_int(rows, 0, 0), 0);
    rows_free(rows);
    world_end(w);
}

static void missed_due_times_are_made_up_for_once(void **state) {
    (void)state;
    struct world *w = world_new();
    struct schedule s = every(60000);
    CHECK_OK(cron_set(w->cron, STR("tick"), &s, false, STR("")));
    loop_sim_run_for(w->f.loop, 70000);
    int before = w->count;
    stop(w);
    clock_virtual_advance(&w->clock, (uint64_t)3600 * 1000000000u); /* an hour down */
    start(w);
    CHECK_OK(cron_set(w->cron, STR("tick"), &s, false, STR("")));
    loop_sim_run_for(w->f.loop, 5000);
    CHECK_INT(w->count, before + 1);
    cron_drop(w->cron, STR("tick"));
    loop_sim_run_for(w->f.loop, 600000);
    CHECK_INT(w->count, before + 1);
    world_end(w);
}

static void a_schedule_never_overlaps_itself(void **state) {
    (void)state;
    struct world *w = world_new();
    struct schedule s = every(1000);
    w->hold = true; /* a run that takes longer than the schedule has time between two */
    CHECK_OK(cron_set(w->cron, STR("tick"), &s, false, STR("")));
    loop_sim_run_for(w->f.loop, 20000);
    CHECK_INT(w->count, 1);
    jobs_finish(w->jobs, w->held[--w->held_count], JOB_END_DONE, NULL);
    loop_sim_run_for(w->f.loop, 1500); /* the next due time has its run again */
    CHECK_INT(w->count, 2);
    world_end(w);
}

/* ---- operations ---- */

static void an_operation_begins_with_its_ask_job(void **state) {
    (void)state;
    struct world *w = world_new();
    w->hold = true;
    struct operation_new op = {.kind = STR("create"),
                               .script = STR("channels/x.lua"),
                               .version = STR("v"),
                               .account = STR("x"),
                               .reference = STR("r1"),
                               .doc = STR("{}"),
                               .ask_at = START_MS + 120000,
                               .ask_backoff = STR("first=2m factor=2 max=1h")};
    struct operation_new twin = op;
    struct commit *c;
    CHECK_OK(commit_new(&c));
    operation_add_start(c, &op, &w->clock, &w->rng);
    CHECK_OK(run_commit(&w->f, c, NULL));
    CHECK_OK(commit_new(&c));
    operation_add_start(c, &twin, &w->clock, &w->rng);
    CHECK_ERR(run_commit(&w->f, c, NULL), E_EXISTS); /* and no job of it */
    CHECK_INT(in_state(w, "waiting"), 1);
    loop_sim_run_for(w->f.loop, 125000);
    CHECK_INT(w->count, 1);
    CHECK(strcmp(w->names[0], OPERATION_ASK_JOB) == 0);

    /* two answers race: the first wins, the other's generation does not stand any more */
    struct commit *a, *b;
    CHECK_OK(commit_new(&a));
    CHECK_OK(commit_new(&b));
    CHECK_OK(operation_add_move(a, str_of(op.id), 1, OPERATION_SENDING, OPERATION_SUCCESS,
                                STR("{}"), &w->clock));
    CHECK_OK(operation_add_move(b, str_of(op.id), 1, OPERATION_SENDING, OPERATION_FAILED, STR("{}"),
                                &w->clock));
    CHECK_OK(run_commit(&w->f, a, NULL));
    CHECK_ERR(run_commit(&w->f, b, NULL), E_GUARD);
    world_end(w);
}

/* The table of moves, from the specification: unknown never expires, nothing is sent again, success
 * is the end, and only success follows an end. */
static void only_allowed_moves(void **state) {
    (void)state;
    static const char *const MAY[OPERATION_STATES_] = {
        /* to: sending pending processing unknown success failed cancelled expired superseded */
        [OPERATION_SENDING] = ".xxxxxxxx",    [OPERATION_PENDING] = ".xxxxxxxx",
        [OPERATION_PROCESSING] = ".xxxxxxxx", [OPERATION_UNKNOWN] = ".xxxxxx.x",
        [OPERATION_SUCCESS] = ".........",    [OPERATION_FAILED] = "....x....",
        [OPERATION_CANCELLED] = "....x....",  [OPERATION_EXPIRED] = "....x....",
        [OPERATION_SUPERSEDED] = "....x....",
    };
    for (int from = 0; from < OPERATION_STATES_; from++)
        for (int to = 0; to < OPERATION_STATES_; to++)
            if (states_may(OPERATION_STATES, from, to) != (MAY[from][to] == 'x')) {
                print_error("%s -> %s\n", OPERATION_STATES[from].name, OPERATION_STATES[to].name);
                CHECK(false);
            }
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(a_job_runs_once_when_it_is_due),
    cmocka_unit_test(a_failed_job_waits_by_its_backoff_and_dies),
    cmocka_unit_test(one_open_job_per_unique_key),
    cmocka_unit_test(the_urgent_go_first_and_the_bound_holds),
    cmocka_unit_test(what_is_told_while_it_is_asked_about_is_asked_again),
    cmocka_unit_test(what_is_told_while_it_waits_is_asked_at_once),
    cmocka_unit_test(after_a_crash_repeatable_runs_again_and_once_is_lost),
    cmocka_unit_test(a_lost_step_survives_the_next_crash),
    cmocka_unit_test(an_end_waits_for_a_full_disk),
    cmocka_unit_test(claims_wait_for_a_full_disk),
    cmocka_unit_test(claims_that_are_lost_are_made_again),
    cmocka_unit_test(memory_that_comes_back_finds_the_jobs),
    cmocka_unit_test(a_clock_that_jumps_makes_due),
    cmocka_unit_test(a_due_time_makes_one_job),
    cmocka_unit_test(missed_due_times_are_made_up_for_once),
    cmocka_unit_test(a_schedule_never_overlaps_itself),
    cmocka_unit_test(an_operation_begins_with_its_ask_job),
    cmocka_unit_test(only_allowed_moves),
};
UNIT_MAIN("jobs", TESTS)
