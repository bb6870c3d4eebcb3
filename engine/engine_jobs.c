/* Jobs are claimed on the main loop and run on a worker's: a job of a script calls its `run` (or
 * `lost`), `ask_operation` asks a channel what became of an operation, within the provider account's
 * budget of questions, `try_operation` calls it again where nothing was made. The end goes back to
 * the queue. Schedules of job scripts follow the script set. */
#include "base/ensure.h"
#include "base/mem.h"
#include "payment/payment_channels.h"
#include "payment/payment_inquire.h"
#include "payment/payment_try.h"
#include "script/bind_json.h"
#include "script/dispatch_private.h"
#include "script/operation_text.h"
#include "script_keys.h"
#include "serve/worker.h"
#include "sys/log.h"

#include <stdio.h>

#define JOBS_FOLDER STR("scripts/jobs/")

struct job_run {
    struct call_context context;
    struct engine *engine;
    struct worker *worker;
    const struct job *job;
    struct version *version;
    struct task task;
    const char *entry[2];
    struct question question;
    bool asking;     /* the question counts */
    bool told, over; /* its provider told of something; it had its end before that question */
    int64_t told_at; /* or when it had its end, where that was later */
    char operation[ID_SIZE]; /* that it asks about */
    bool no_answer;          /* it was sent, and its end is not known */
    int64_t since;           /* when it was begun */
    int64_t hold_ms;         /* until its turn */
    enum job_end end;
    char error[512];
};

/* ---- back on the main loop ---- */

static void ended(struct task *task) {
    struct job_run *run = CONTAINER_OF(task, struct job_run, task);
    if (run->end == JOB_END_HELD)
        jobs_hold(run->engine->jobs, run->job, run->hold_ms, run->error);
    else
        jobs_finish(run->engine->jobs, run->job, run->end, run->error);
    if (run->version != NULL) version_drop(run->version);
    atomic_fetch_sub(&run->engine->jobs_running, 1);
    mem_free(run);
}

static void end(struct job_run *run, enum job_end how, const char *error) {
    if (run->asking) questions_end(run->engine->questions, &run->question);
    run->end = how;
    snprintf(run->error, sizeof run->error, "%s", error == NULL ? "" : error);
    run->task.run = ended;
    loop_post(run->engine->loop, &run->task);
}

/* ---- a script's job ---- */

static int push(lua_State *L, void *data) {
    struct job_run *run = data;
    const struct job *job = run->job;
    lua_createtable(L, 0, 6);
    lua_pushlstring(L, job->id.p, job->id.n);
    lua_setfield(L, -2, "id");
    lua_pushinteger(L, job->due_at);
    lua_setfield(L, -2, "due_at");
    lua_pushinteger(L, job->attempts + 1);
    lua_setfield(L, -2, "attempt");
    if (json_decode_push(L, job->args) != 1)
        luaL_error(L, "the arguments of job %s are damaged", job->id.p);
    lua_setfield(L, -2, "args");
    return 1;
}

static int take(lua_State *L, int n, void *data) {
    (void)L, (void)n, (void)data;
    return 0;
}

static void script_done(const struct call_result *result, void *data) {
    struct job_run *run = data;
    dispatch_count(run->version, result);
    if (result->outcome == CALL_RETURNED)
        end(run, JOB_END_DONE, NULL);
    else if (result->outcome == CALL_CANCELLED && run->engine->stopping)
        end(run, JOB_END_CUT, NULL);
    else if (run->job->once)
        end(run, JOB_END_DEAD, result->text);
    else
        end(run, JOB_END_AGAIN, result->text);
}

static void run_script(struct job_run *run) {
    struct str name = run->job->name;
    name = str_sub(name, JOBS_FOLDER.n, name.n);
    if (str_ends(name, STR(".lua"))) name.n -= 4;
    struct version *v = worker_script(run->worker, KIND_JOB, name);
    const char *function = run->job->lost ? "lost" : "run";
    if (v == NULL) {
        end(run, JOB_END_AGAIN, "there is no such job script now");
        return;
    }
    if (!manifest_has(v->manifest, function)) {
        end(run, JOB_END_DEAD, "the job was cut off and its script has no `lost`");
        return;
    }
    run->version = version_keep(v);
    run->entry[0] = function;
    call_context_init(&run->context, &run->worker->services, v, STR(""));
    struct call call = {.version = v,
                        .entry = run->entry,
                        .deadline_ms = (uint32_t)v->manifest->timeout_ms,
                        .data = run,
                        .push = push,
                        .take = take,
                        .done = script_done};
    int err = script_call(run->worker->runtime, &call, NULL);
    if (err != 0) end(run, err == E_CLOSED ? JOB_END_CUT : JOB_END_AGAIN, err_text(err));
}

/* ---- asking about an operation ---- */

enum { OPERATOR_HEARS_MS = 5 * 60000, TOLD_FOR_MS = 24 * 3600000 };

/* What it has told of an operation that is over, nobody confirms: after a day it is a person's. */
static void not_confirmed(struct job_run *run) {
    int64_t age = clock_now_ms(run->engine->clock) - run->told_at;
    if (age >= TOLD_FOR_MS) {
        log_error("told_and_given_up", L_STR("operation", str_of(run->operation)),
                  L_TEXT("account", run->question.account), L_INT("hours", age / 3600000),
                  L_TEXT("next", "nobody asks any more: look at what the provider says of it"));
        end(run, JOB_END_DONE, NULL);
        return;
    }
    if (age >= OPERATOR_HEARS_MS)
        log_warn("told_and_not_confirmed", L_STR("operation", str_of(run->operation)),
                 L_TEXT("account", run->question.account), L_INT("minutes", age / 60000));
    end(run, JOB_END_LATER, "no answer yet");
}

/* `open`: it has no end yet. What is only offered may stand for days; what was sent may not. */
static void answered(struct job_run *run, bool open) {
    int64_t age = clock_now_ms(run->engine->clock) - run->since;
    if (open && run->told && run->over) {
        not_confirmed(run);
        return;
    }
    if (open && run->no_answer && age >= OPERATOR_HEARS_MS)
        log_warn("operation_without_answer", L_STR("operation", str_of(run->operation)),
                 L_TEXT("account", run->question.account), L_INT("minutes", age / 60000));
    end(run, open ? JOB_END_LATER : JOB_END_DONE, "no end yet");
}

static void asked(int err, enum operation_state state, void *data) {
    if (err != 0 && err != E_GUARD)
        end(data, JOB_END_AGAIN, err_text(err));
    else
        answered(data, err == E_GUARD || operation_open(state));
}

static void inquired(int err, bool open, void *data) {
    if (err != 0)
        end(data, JOB_END_AGAIN, err_text(err));
    else
        answered(data, open);
}

/* Within the budget of the account; a channel that calls nobody has none. */
static bool may_ask(struct job_run *run, const struct version *channel,
                    const struct operation_row *row) {
    if (channel_is_local(channel)) return true;
    run->hold_ms =
        questions_begin(run->engine->questions, &run->question, row->account, row->state);
    run->asking = run->hold_ms == 0;
    return run->asking;
}

static void tried(int err, void *data) {
    end(data, err == 0 ? JOB_END_DONE : JOB_END_AGAIN, err_text(err));
}

enum { TRY_GRACE_MS = 120000 };

/* Another try of it is due: nothing was made so far, so there is nothing to ask about. */
static bool waits_for_try(const struct job_run *run, const struct operation_row *row) {
    struct payment_tries tries;
    return row->state == OPERATION_SENDING && payment_tries_read(row->doc, &tries) == 0 &&
           tries.next_at != 0 && clock_now_ms(run->engine->clock) < tries.next_at + TRY_GRACE_MS;
}

static void operation_known(int err, const struct why *why, struct rows *rows, void *data) {
    struct job_run *run = data;
    struct operation_row row;
    bool trying = str_eq(run->job->name, STR(OPERATION_TRY_JOB));
    if (err != 0)
        end(run, JOB_END_AGAIN, why->text);
    else if (rows_count(rows) == 0 || operation_row_read(rows, 0, &row) != 0)
        end(run, JOB_END_DEAD, "there is no such operation");
    else if (!operation_open(row.state) && row.state != OPERATION_SUPERSEDED && !run->told)
        end(run, JOB_END_DONE, NULL);
    else if (operation_under_way(&run->engine->gate, row.id))
        end(run, JOB_END_AGAIN, "its own call is still under way");
    else if (!trying && waits_for_try(run, &row))
        end(run, JOB_END_LATER, "another try is due");
    else {
        struct str name = row.script;
        if (str_starts(name, STR("channels/"))) name = str_sub(name, 9, name.n);
        if (str_ends(name, STR(".lua"))) name.n -= 4;
        const struct script_entry *entry =
            run->worker->set == NULL ? NULL : script_set_find(run->worker->set, KIND_CHANNEL, name);
        snprintf(run->operation, sizeof run->operation, "%.*s", STR_FMT(row.id));
        run->no_answer = operation_open(row.state) && row.state != OPERATION_PENDING;
        run->over = !operation_open(row.state) && row.state != OPERATION_SUPERSEDED;
        run->since = row.created;
        if (run->told_at < row.updated) run->told_at = row.updated;
        if (entry == NULL) { /* deleted ones are in the set: open operations are still served */
            end(run, JOB_END_AGAIN, "the channel's script is not there");
        } else if (!trying && !may_ask(run, entry->version, &row)) {
            end(run, JOB_END_HELD, "others are asked before it");
        } else if (trying) {
            err = payment_try(&(struct payment_try){.services = &run->worker->services,
                                                    .runtime = run->worker->runtime,
                                                    .version = entry->version,
                                                    .operation = &row},
                              tried, run);
            if (err != 0) end(run, err == E_CLOSED ? JOB_END_CUT : JOB_END_AGAIN, err_text(err));
        } else {
            err = payment_inquire(&(struct payment_inquiry){.services = &run->worker->services,
                                                            .runtime = run->worker->runtime,
                                                            .version = entry->version,
                                                            .function = "inquire",
                                                            .operation = &row},
                                  inquired, run);
            if (err == E_NOTFOUND) /* an operation on its own */
                err =
                    dispatch_operation(&(struct operation_call){.runtime = run->worker->runtime,
                                                                .services = &run->worker->services,
                                                                .version = entry->version,
                                                                .function = "inquire",
                                                                .operation = &row},
                                       asked, run);
            if (err != 0) end(run, err == E_CLOSED ? JOB_END_CUT : JOB_END_AGAIN, err_text(err));
        }
    }
    rows_free(rows);
}

static void ask_operation(struct job_run *run) {
    struct json_doc doc;
    struct str id;
    int err = json_parse(&doc, run->job->args, NULL, NULL);
    if (err != 0) { /* a question that is not asked again for lack of memory would never be */
        end(run, err == E_NOMEM ? JOB_END_AGAIN : JOB_END_DEAD,
            err == E_NOMEM ? err_text(err) : "damaged arguments");
        return;
    }
    /* One that waited was told of by its priority: what a job is given never changes. */
    run->told = run->job->priority > 0 || json_get(doc.root, "told") != NULL ||
                json_get(doc.root, "ended") != NULL; /* as it was written before */
    (void)json_get_i64(doc.root, "told", &run->told_at);
    if (json_get_str(doc.root, "id", &id) != 0)
        end(run, JOB_END_DEAD, "damaged arguments");
    else
        store_query(run->engine->store, "operation_get", VALS(V_STR(id)), run->worker->loop,
                    operation_known, run);
    json_doc_free(&doc);
}

/* ---- on the worker ---- */

static void begin(struct task *task) {
    struct job_run *run = CONTAINER_OF(task, struct job_run, task);
    if (str_eq(run->job->name, STR(OPERATION_ASK_JOB)) ||
        str_eq(run->job->name, STR(OPERATION_TRY_JOB)))
        ask_operation(run);
    else if (str_starts(run->job->name, JOBS_FOLDER))
        run_script(run);
    else
        end(run, JOB_END_DEAD, "nobody knows this kind of job");
}

static void run_job(struct jobs *jobs, const struct job *job, void *data) {
    struct engine *e = data;
    struct job_run *run = e->stopping ? NULL : mem_zalloc(sizeof *run);
    if (run == NULL) {
        jobs_finish(jobs, job, e->stopping ? JOB_END_CUT : JOB_END_AGAIN, "out of memory");
        return;
    }
    run->engine = e;
    run->worker = e->workers[e->next_worker++ % e->worker_count];
    run->job = job;
    run->task.run = begin;
    atomic_fetch_add(&e->jobs_running, 1);
    loop_post(run->worker->loop, &run->task);
}

/* ---- schedules ---- */

_Static_assert(JOB_NAME_MAX >= SCRIPT_PATH_MAX + 5, "a path and the mark of a lost job");

static void job_name(const struct version *v, char out[JOB_NAME_MAX]) {
    snprintf(out, JOB_NAME_MAX, "%s", v->path);
}

enum { SCHEDULE_RETRY_MS = 1000 };

static void schedule_again(struct timer *timer) {
    struct engine *e = CONTAINER_OF(timer, struct engine, schedule_timer);
    engine_schedule(e, script_set_keep(e->scheduled));
}

void engine_schedule(struct engine *e, struct script_set *set) {
    struct script_set *old = e->scheduled;
    char name[JOB_NAME_MAX];
    for (size_t i = 0; old != NULL && i < old->count; i++) {
        const struct version *v = old->entries[i].version;
        if (v->kind != KIND_JOB) continue;
        const struct script_entry *now = script_set_find(set, KIND_JOB, str_of(v->name));
        if (now != NULL && !now->deleted && now->version->manifest->every.period_ms != 0) continue;
        job_name(v, name);
        cron_drop(e->cron, str_of(name));
    }
    for (size_t i = 0; i < set->count; i++) {
        const struct version *v = set->entries[i].version;
        if (v->kind != KIND_JOB || set->entries[i].deleted || v->manifest->every.period_ms == 0)
            continue;
        struct buf backoff = {0};
        if (v->manifest->backoff.first_ms != 0) backoff_write(&v->manifest->backoff, &backoff);
        job_name(v, name);
        int err = backoff.err;
        if (err == 0)
            err = cron_set(e->cron, str_of(name), &v->manifest->every, v->manifest->job == JOB_ONCE,
                           buf_str(&backoff));
        if (err != 0) { /* only memory can be missing */
            log_error("schedule_not_set", L_TEXT("script", v->path),
                      L_TEXT("error", err_text(err)));
            timer_start(e->loop, &e->schedule_timer, SCHEDULE_RETRY_MS, schedule_again);
        }
        buf_free(&backoff);
    }
    e->scheduled = set;
    if (old != NULL) script_set_drop(old);
}

static void set_changed(struct registry_listener *self, struct script_set *set) {
    struct engine *e = CONTAINER_OF(self, struct engine, listener);
    script_keys_warn(e, e->scheduled, set);
    engine_schedule(e, set);
}

int engine_jobs_open(struct engine *e) {
    struct jobs_options o = {
        .store = e->store, .loop = e->loop, .rng = e->rng, .run = run_job, .data = e};
    int err = jobs_new(&e->jobs, &o);
    if (err == 0) err = cron_new(&e->cron, e->store, e->jobs, e->loop, e->rng);
    if (err != 0) return err;
    if (e->mode == ENGINE_TOOL) return 0; /* a one-off script repeats nothing */
    e->listener = (struct registry_listener){.loop = e->loop, .changed = set_changed};
    registry_listen(e->registry, &e->listener);
    return 0;
}
