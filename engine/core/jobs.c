/* See jobs.h for the states. How it turns:
 *
 *   pump: one query asks for the jobs due now (and for the next due time). Each of them is claimed
 * by a commit of its own, so a claim that fails its guard (somebody cancelled the job) hurts
 * nobody. A claimed job is handed to `run`; finishing writes its end and pumps again. The result of
 * a run must not be lost for a full disk: a finish that cannot be written is kept and tried again
 * every second. Until then the job stays `running` in the file, which is the truth.
 *
 * Memory: a slot per claimed job, freed when its end is on disk. */
#include "core/jobs.h"

#include "base/backoff.h"
#include "base/ensure.h"
#include "base/fault.h"
#include "base/id.h"
#include "base/mem.h"
#include "sys/log.h"
#include "sys/metrics.h"

#include <stdio.h>

enum {
    RUNNING_MAX = 64,
    RETRY_FINISH_MS = 1000,
    LOOK_AGAIN_MS = 1000, /* a job that was enqueued without a poke is found by then */
};
#define LOST_MARK "!lost"

static const struct backoff USUAL = {
    .first_ms = 5000, .factor_milli = 3000, .max_ms = 3600000, .jitter_milli = 100, .tries = 12};

static struct metric jobs_total = {.name = "luwak_jobs_total",
                                   .help = "Jobs by how a run ended",
                                   .type = METRIC_COUNTER,
                                   .labels = {"name", "end"}};

struct slot {
    struct slot *next;
    struct jobs *jobs;
    struct job job;
    char *memory; /* the strings of job */
    struct str backoff;
    enum job_end end;
    int64_t hold_ms; /* of JOB_END_HELD */
    char error[256];
    struct timer again; /* writing the end failed; once more later */
    struct task run;
};

struct jobs {
    struct jobs_options options;
    struct slot *slots; /* claimed or being claimed */
    int running;        /* length of slots */
    bool serving;
    bool looking;    /* a query is under way */
    bool look_again; /* something changed since it began */
    bool seen_all;   /* the last look left nothing due behind */
    bool stopped;
    bool deleting;
    int in_flight; /* queries and commits whose answer will come to us */
    int64_t next_due;
    struct timer wake;
    struct task poke;
    _Atomic bool poked;
};

static void pump(struct jobs *j);

static int64_t now(const struct jobs *j) {
    return clock_now_ms(loop_clock(j->options.loop));
}

static void maybe_free(struct jobs *j) {
    if (j->deleting && j->in_flight == 0 && j->slots == NULL && !atomic_load(&j->poked))
        mem_free(j);
}

static void drop_slot(struct slot *s) {
    struct jobs *j = s->jobs;
    struct slot **at = &j->slots;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    j->running--;
    timer_stop(&s->again);
    mem_free(s->memory);
    mem_free(s);
}

/* ---- the end of a run ---- */

static void write_end(struct slot *s);

static void again_fired(struct timer *t) {
    write_end(CONTAINER_OF(t, struct slot, again));
}

static void end_written(const struct commit_result *result, void *data) {
    struct slot *s = data;
    struct jobs *j = s->jobs;
    j->in_flight--;
    if (result->err != 0 && result->err != E_GUARD && !j->deleting) {
        log_error("job_end_not_written", L_STR("job", s->job.id), L_STR("name", s->job.name),
                  L_TEXT("error", err_text(result->err)));
        timer_start(j->options.loop, &s->again, RETRY_FINISH_MS, again_fired);
        return;
    }
    drop_slot(s);
    if (j->deleting) {
        maybe_free(j);
        return;
    }
    pump(j);
}

static void submit(struct slot *s, struct commit *commit, commit_done_cb done) {
    struct jobs *j = s->jobs;
    j->in_flight++;
    store_submit(j->options.store, commit, LANE_RESULT, j->options.loop, done, s);
}

/* A dead once-job's or any dead job's row stays, as the dead letter. */
static void add_end(struct slot *s, struct commit *c) {
    struct jobs *j = s->jobs;
    struct val id = V_STR(s->job.id), run = V_INT(s->job.run), error = V_TEXT(s->error);
    if (s->end == JOB_END_DONE) {
        commit_add(c, OP_JOB_DONE, VALS(id, run, V_INT(now(j))));
        return;
    }
    struct backoff backoff;
    struct why why = {0};
    if (backoff_parse(s->backoff, &backoff, &why) != 0) backoff = USUAL;
    if (s->end == JOB_END_LATER) backoff.tries = 0; /* nothing has failed */
    bool held = s->end == JOB_END_HELD;
    int64_t wait = held ? s->hold_ms
                   : s->end == JOB_END_AGAIN || s->end == JOB_END_LATER
                       ? backoff_delay(&backoff, (int)s->job.attempts + 1, j->options.rng)
                       : -1;
    if (wait < 0) {
        s->end = JOB_END_DEAD;
        commit_add(c, OP_JOB_DEAD, VALS(id, run, error, V_INT(now(j))));
    } else {
        commit_add(c, OP_JOB_RETRY,
                   VALS(id, run, V_INT(now(j) + wait), V_INT(held ? 0 : 1), error, V_INT(now(j))));
    }
}

static void write_end(struct slot *s) {
    struct commit *c;
    if (commit_new(&c) != 0) {
        timer_start(s->jobs->options.loop, &s->again, RETRY_FINISH_MS, again_fired);
        return;
    }
    add_end(s, c);
    submit(s, c, end_written);
}

void jobs_finish(struct jobs *j, const struct job *job, enum job_end end, const char *error) {
    struct slot *s = CONTAINER_OF(job, struct slot, job);
    ENSURE(s->jobs == j && loop_here(j->options.loop));
    static const char *const ENDS[] = {"done", "later", "again", "dead", "held", "cut"};
    metric_add(&jobs_total, 1, LABELS(s->memory == NULL ? "" : s->job.name.p, ENDS[end]));
    if (end == JOB_END_CUT) {
        drop_slot(s);
        if (j->deleting) maybe_free(j);
        return;
    }
    (void)FAULT("jobs.ran");
    s->end = end;
    size_t n = error == NULL ? 0 : strnlen(error, sizeof s->error - 1);
    memcpy(s->error, error == NULL ? "" : error, n);
    s->error[n] = '\0';
    if (end == JOB_END_AGAIN || end == JOB_END_DEAD)
        log_warn("job_failed", L_STR("job", s->job.id), L_STR("name", s->job.name),
                 L_INT("attempt", s->job.attempts + 1), L_TEXT("error", s->error));
    write_end(s);
}

void jobs_hold(struct jobs *j, const struct job *job, int64_t wait_ms, const char *why) {
    CONTAINER_OF(job, struct slot, job)->hold_ms = wait_ms < 1 ? 1 : wait_ms;
    jobs_finish(j, job, JOB_END_HELD, why);
}

/* ---- claiming ---- */

static void wake_fired(struct timer *t) {
    pump(CONTAINER_OF(t, struct jobs, wake));
}

static void claimed(const struct commit_result *result, void *data) {
    struct slot *s = data;
    struct jobs *j = s->jobs;
    j->in_flight--;
    if (result->err != 0 || j->deleting) {
        if (result->err != 0 && result->err != E_GUARD)
            log_error("job_not_claimed", L_STR("job", s->job.id),
                      L_TEXT("error", err_text(result->err)));
        drop_slot(s);
        if (j->deleting)
            maybe_free(j);
        else if (result->err == E_GUARD)
            pump(j);
        else if (!j->looking && !timer_armed(&j->wake)) /* all places were such claims */
            timer_start(j->options.loop, &j->wake, LOOK_AGAIN_MS, wake_fired);
        return;
    }
    s->job.run++; /* the number this claim stored */
    (void)FAULT("jobs.claimed");
    j->options.run(j, &s->job, j->options.data);
}

static bool has_slot(const struct jobs *j, struct str id) {
    for (const struct slot *s = j->slots; s != NULL; s = s->next)
        if (str_eq(s->job.id, id)) return true;
    return false;
}

/* Columns of `jobs_due` and `jobs_running`. */
enum {
    COL_ID,
    COL_NAME,
    COL_ARGS,
    COL_STATE,
    COL_DUE,
    COL_PRIORITY,
    COL_ONCE,
    COL_BACKOFF,
    COL_UNIQUE,
    COL_ATTEMPTS,
    COL_RUN
};

static struct slot *slot_new(struct jobs *j, const struct rows *rows, size_t row) {
    struct str id = rows_text(rows, row, COL_ID), name = rows_text(rows, row, COL_NAME);
    struct str args = rows_text(rows, row, COL_ARGS), backoff = rows_text(rows, row, COL_BACKOFF);
    struct slot *s = mem_zalloc(sizeof *s);
    char *memory = mem_alloc(id.n + name.n + args.n + backoff.n + 4);
    if (s == NULL || memory == NULL) {
        mem_free(s);
        mem_free(memory);
        return NULL;
    }
    s->jobs = j;
    s->memory = memory;
    s->job.id = str_copy(&memory, id);
    s->job.name = str_copy(&memory, name);
    s->job.args = str_copy(&memory, args);
    s->backoff = str_copy(&memory, backoff);
    s->job.due_at = rows_int(rows, row, COL_DUE);
    s->job.attempts = rows_int(rows, row, COL_ATTEMPTS);
    s->job.priority = rows_int(rows, row, COL_PRIORITY);
    /* a waiting job has no run: the next one's number follows from its failed tries. One that was held
     * has the same number again: nobody is left who could end that run a second time. */
    s->job.run = rows_null(rows, row, COL_RUN) ? s->job.attempts : rows_int(rows, row, COL_RUN);
    s->job.once = rows_int(rows, row, COL_ONCE) != 0;
    if (str_ends(s->job.name, STR(LOST_MARK))) {
        s->job.lost = true;
        s->job.name.n -= sizeof LOST_MARK - 1;
        ((char *)s->job.name.p)[s->job.name.n] = '\0';
    }
    s->next = j->slots;
    j->slots = s;
    j->running++;
    return s;
}

static bool claim(struct jobs *j, const struct rows *rows, size_t row) {
    struct commit *c;
    if (commit_new(&c) != 0) return false;
    struct slot *s = slot_new(j, rows, row);
    if (s == NULL) {
        commit_free(c);
        return false;
    }
    commit_add(c, OP_JOB_CLAIM, VALS(V_STR(s->job.id), V_INT(s->job.run + 1), V_INT(now(j))));
    submit(s, c, claimed);
    return true;
}

static void sleep_until_due(struct jobs *j) {
    int64_t wait = j->next_due == INT64_MAX ? LOOK_AGAIN_MS : j->next_due - now(j);
    if (wait > LOOK_AGAIN_MS) wait = LOOK_AGAIN_MS;
    if (wait < 1) wait = j->running == 0 ? 1 : LOOK_AGAIN_MS; /* an end looks at once */
    timer_start(j->options.loop, &j->wake, (uint64_t)wait, wake_fired);
}

/* An answer of the store came; true: the queue is being deleted, or something changed meanwhile. */
static bool looked(struct jobs *j, int err, const struct why *why, struct rows *rows) {
    j->in_flight--;
    j->looking = false;
    if (!j->deleting && err == 0) return false;
    rows_free(rows);
    if (j->deleting) {
        maybe_free(j);
    } else {
        log_error("jobs_not_read", L_TEXT("error", why->text));
        timer_start(j->options.loop, &j->wake, LOOK_AGAIN_MS, wake_fired);
    }
    return true;
}

static void next_known(int err, const struct why *why, struct rows *rows, void *data) {
    struct jobs *j = data;
    if (looked(j, err, why, rows)) return;
    j->next_due = rows_count(rows) == 0 || rows_null(rows, 0, 0) ? INT64_MAX : rows_int(rows, 0, 0);
    rows_free(rows);
    j->seen_all = true;
    /* What is due while slots are taken may be what they hold: a claim that waits for space on a
     * full disk. Asking again at once would do nothing else until there is room. */
    if (j->look_again || (j->next_due <= now(j) && j->running == 0)) {
        pump(j);
        return;
    }
    sleep_until_due(j);
}

static void due_known(int err, const struct why *why, struct rows *rows, void *data) {
    struct jobs *j = data;
    if (looked(j, err, why, rows)) return;
    bool room = true;
    bool short_of_memory = false; /* nothing claimed, though it is due: later */
    for (size_t i = 0; i < rows_count(rows) && j->serving; i++) {
        if (has_slot(j, rows_text(rows, i, COL_ID))) continue;
        room = j->running < j->options.running_max;
        if (!room) break;
        if (!claim(j, rows, i)) short_of_memory = true;
    }
    rows_free(rows);
    if (!room || !j->serving) return; /* a slot that gets free looks again */
    if (short_of_memory && j->running == 0) {
        timer_start(j->options.loop, &j->wake, LOOK_AGAIN_MS, wake_fired);
        return;
    }
    if (j->running != 0) {
        /* What was claimed is not idle; its end looks again. Until then: what else comes due? */
        sleep_until_due(j);
        return;
    }
    j->looking = true;
    j->in_flight++;
    store_query(j->options.store, "job_next_due", NULL, 0, j->options.loop, next_known, j);
}

static void pump(struct jobs *j) {
    if (!j->serving || j->deleting) return;
    j->look_again = j->looking;
    if (j->looking) return;
    if (j->running >= j->options.running_max) return;
    j->looking = true;
    j->seen_all = false;
    j->in_flight++;
    timer_stop(&j->wake);
    store_query(j->options.store, "jobs_due",
                VALS(V_INT(now(j)), V_INT(2 * j->options.running_max)), j->options.loop, due_known,
                j);
}

static void poke_ran(struct task *t) {
    struct jobs *j = CONTAINER_OF(t, struct jobs, poke);
    atomic_store(&j->poked, false);
    if (j->deleting)
        maybe_free(j);
    else
        pump(j);
}

void jobs_poke(struct jobs *j) {
    if (!atomic_exchange(&j->poked, true)) loop_post(j->options.loop, &j->poke);
}

/* ---- after a crash ---- */

static void recover_again(struct slot *s);

static void recover_fired(struct timer *t) {
    recover_again(CONTAINER_OF(t, struct slot, again));
}

static void recovered(const struct commit_result *result, void *data) {
    struct slot *s = data;
    struct jobs *j = s->jobs;
    j->in_flight--;
    if (result->err != 0 && !j->deleting) {
        log_error("job_not_recovered", L_STR("job", s->job.id),
                  L_TEXT("error", err_text(result->err)));
        if (result->err != E_GUARD) { /* a full disk: this job must not be forgotten until then */
            timer_start(j->options.loop, &s->again, RETRY_FINISH_MS, recover_fired);
            return;
        }
    }
    drop_slot(s);
    if (j->deleting)
        maybe_free(j);
    else
        pump(j);
}

static void recover_again(struct slot *s) {
    struct jobs *j = s->jobs;
    struct commit *c;
    if (commit_new(&c) != 0) {
        timer_start(j->options.loop, &s->again, RETRY_FINISH_MS, recover_fired);
        return;
    }
    struct val id = V_STR(s->job.id), run = V_INT(s->job.run);
    if (s->job.once) {
        char name[JOB_NAME_MAX + sizeof LOST_MARK];
        snprintf(name, sizeof name, "%.*s" LOST_MARK, STR_FMT(s->job.name));
        commit_add(c, OP_JOB_LOST, VALS(id, run, V_INT(now(j))));
        job_enqueue(
            c,
            &(struct job_new){
                .name = str_of(name), .args = s->job.args, .unique = s->job.id, .priority = 1},
            loop_clock(j->options.loop), j->options.rng);
    } else {
        commit_add(
            c, OP_JOB_RETRY,
            VALS(id, run, V_INT(now(j)), V_INT(1), V_TEXT("cut off by a restart"), V_INT(now(j))));
    }
    log_warn("job_cut_off", L_STR("job", s->job.id), L_STR("name", s->job.name),
             L_BOOL("once", s->job.once));
    submit(s, c, recovered);
}

static void start_fired(struct timer *t) {
    jobs_start(CONTAINER_OF(t, struct jobs, wake));
}

static void running_known(int err, const struct why *why, struct rows *rows, void *data) {
    struct jobs *j = data;
    j->in_flight--;
    if (j->deleting) {
        rows_free(rows);
        maybe_free(j);
        return;
    }
    bool all = err == 0;
    if (err != 0) log_error("jobs_not_read", L_TEXT("error", why->text));
    for (size_t i = 0; err == 0 && i < rows_count(rows); i++) {
        if (has_slot(j, rows_text(rows, i, COL_ID))) continue;
        struct slot *s = slot_new(j, rows, i);
        if (s == NULL)
            all = false;
        else
            recover_again(s);
    }
    rows_free(rows);
    if (!all && !j->stopped) { /* nothing is served before everything the crash left is in hand */
        timer_start(j->options.loop, &j->wake, RETRY_FINISH_MS, start_fired);
        return;
    }
    if (j->stopped) return;
    j->serving = true;
    pump(j);
}

void jobs_start(struct jobs *j) {
    j->stopped = false;
    j->in_flight++;
    store_query(j->options.store, "jobs_running", NULL, 0, j->options.loop, running_known, j);
}

/* ---- the rest ---- */

int jobs_new(struct jobs **out, const struct jobs_options *options) {
    struct jobs *j = mem_zalloc(sizeof *j);
    if (j == NULL) return E_NOMEM;
    j->options = *options;
    if (j->options.running_max == 0) j->options.running_max = RUNNING_MAX;
    j->poke.run = poke_ran;
    j->next_due = INT64_MAX;
    *out = j;
    return 0;
}

void jobs_stop(struct jobs *j) {
    j->serving = false;
    j->stopped = true;
    timer_stop(&j->wake);
}

void jobs_delete(struct jobs *j) {
    if (j == NULL) return;
    jobs_stop(j);
    j->deleting = true;
    for (struct slot *s = j->slots, *next; s != NULL; s = next) {
        next = s->next;
        if (timer_armed(&s->again)) drop_slot(s); /* its end waits for the next start */
    }
    maybe_free(j);
}

bool jobs_idle(const struct jobs *j) {
    return !j->looking && !atomic_load(&j->poked) && j->slots == NULL &&
           (!j->serving || (j->seen_all && j->next_due > now(j)));
}

int64_t jobs_next_due(const struct jobs *j) {
    return j->next_due;
}

void job_enqueue(struct commit *commit, const struct job_new *job, const struct clock *clock,
                 struct rng *rng) {
    ENSURE(job->name.n <= JOB_NAME_MAX);
    char id[ID_SIZE];
    id_make(id, "job_", clock, rng);
    int64_t at = clock_now_ms(clock);
    struct str args = job->args.n == 0 ? STR("{}") : job->args;
    commit_add(commit, OP_JOB_ENQUEUE,
               VALS(V_TEXT(id), V_STR(job->name), V_BLOB(args),
                    V_INT(job->due_at == 0 ? at : job->due_at), V_INT(job->priority),
                    V_INT(job->once), job->backoff.n == 0 ? V_NULL : V_STR(job->backoff),
                    job->unique.n == 0 ? V_NULL : V_STR(job->unique), V_INT(at)));
}
