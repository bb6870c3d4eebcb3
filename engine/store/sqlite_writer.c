/* The writer: the only one who changes the file. It takes all commits that wait (results of calls
 * already made before new work), runs them one behind the other, makes one COMMIT for all, and only
 * then answers each. The more load, the fewer fsyncs per commit.
 *
 * How a group can end:
 *   committed            each commit is answered: done, or which guard failed
 *   torn                 a commit failed behind something it had written: all is undone, and the
 *                        group runs again with a savepoint for each
 *   lost, ours to mend   (no memory, disk full) it is run again one commit at a time
 *   lost, not to mend    (I/O error, damage) store_fatal: after a failed fsync the kernel may have
 *                        dropped pages, so no later COMMIT can be believed; the process ends
 *   gone                 the file is no longer the one of that name (the data directory was deleted
 *                        or replaced): store_fatal as well, for what we write nobody would find
 *
 * Full disk: new work is refused (E_FULL) until space returns, which is tried every 250 ms. Results
 * use the reserve file's space; when that is gone too they wait here, in order, and go in as soon
 * as there is room. Those that are impatient are refused instead.
 *
 * Inline (simulation) the same runs as a task of the loop instead of a thread. */
#include "base/ensure.h"
#include "base/fault.h"
#include "base/mem.h"
#include "store/sqlite_private.h"
#include "sys/log.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void fatal(const char *what, const char *detail) {
    log_error(
        "store_fatal", L_TEXT("what", what), L_TEXT("detail", detail),
        L_TEXT("advice", "what was acknowledged is on disk; check the disk, then start again"));
    _exit(74); /* EX_IOERR */
}

void (*store_fatal)(const char *what, const char *detail) = fatal;

enum group_end { GROUP_DONE, GROUP_TORN, GROUP_LOST, GROUP_BROKEN, GROUP_GONE };

static void broken(struct writer *w, enum group_end end, int rc, const char *what) {
    if (end == GROUP_GONE) what = "the data file was deleted or replaced while in use";
    pthread_mutex_lock(&w->lock);
    w->broken = true;
    pthread_mutex_unlock(&w->lock);
    store_fatal(what, rc == SQLITE_OK ? "" : sqlite3_errstr(rc));
}

static uint64_t now_ns(const struct writer *w) {
    return clock_mono_ns(w->store->base.clock);
}

/* ---- one group ---- */

/* Asked after each COMMIT and before anything is answered: a deleted file can still be written. */
static bool file_stands(const struct writer *w) {
    struct stat st;
    if (w->file == NULL) return true;
    if (stat(w->file, &st) != 0 || st.st_dev != w->file_dev || st.st_ino != w->file_ino)
        return false;
    return stat(w->wal, &st) == 0;
}

static int note_file(struct writer *w) {
    struct stat st;
    struct buf wal = {0};
    if (w->conn.role != DB_WRITER || stat(w->store->file, &st) != 0) return 0;
    buf_addf(&wal, "%s-wal", w->store->file);
    if (wal.err != 0 || (w->wal = buf_take(&wal, NULL)) == NULL) {
        buf_free(&wal);
        return E_NOMEM;
    }
    w->file = w->store->file;
    w->file_dev = st.st_dev;
    w->file_ino = st.st_ino;
    return 0;
}

/* Runs one commit, under a savepoint where `careful`. True: the transaction still stands. *torn: it
 * has failed behind something it wrote, and there is no savepoint to go back to. */
static bool run_commit(struct writer *w, struct commit *c, bool careful, bool *torn,
                       struct buf *events, int *rc) {
    sqlite3 *db = w->conn.db;
    size_t mark = events->len;
    const int changes = sqlite3_total_changes(db);
    if (careful && (*rc = op_say(w->runner, WORD_SAVEPOINT)) != SQLITE_OK) return false;
    int err = op_run_all(w->runner, c, events, rc);
    if (err == E_NOMEM && *rc == SQLITE_OK) *rc = SQLITE_NOMEM; /* ours, not SQLite's */
    if (err == 0) {
        if (careful) *rc = op_say(w->runner, WORD_RELEASE);
        return *rc == SQLITE_OK;
    }
    if (err == E_FULL || err == E_NOMEM || err == E_BUSY || sqlite_is_fatal(*rc) ||
        sqlite3_get_autocommit(db) != 0)
        return false;
    events->len = mark;
    if (!careful) {
        *torn = sqlite3_total_changes(db) != changes;
        return !*torn;
    }
    op_undone(w->runner);
    int back = op_say(w->runner, WORD_ROLLBACK_TO);
    if (back == SQLITE_OK) back = op_say(w->runner, WORD_RELEASE);
    if (back != SQLITE_OK) *rc = back;
    return back == SQLITE_OK;
}

static void commit_again(struct commit *c) {
    rows_free(c->values);
    c->values = NULL;
    c->err = 0;
    c->failed_op = -1;
    c->detail[0] = '\0';
}

static enum group_end run_group_once(struct writer *w, struct commit *list, bool careful, int *rc) {
    sqlite3 *db = w->conn.db;
    struct buf events = {0};
    struct news *news = NULL;
    bool torn = false;
    for (struct commit *c = list; c != NULL; c = c->next)
        commit_again(c);
    *rc = FAULT("store.begin") ? SQLITE_NOMEM : op_runner_ready(w->runner);
    if (*rc == SQLITE_OK) *rc = op_say(w->runner, WORD_BEGIN);
    bool stands = *rc == SQLITE_OK;
    for (struct commit *c = list; c != NULL && stands; c = c->next)
        stands = run_commit(w, c, careful, &torn, &events, rc);
    if (stands && news_new(&w->store->base, &events, &news) != 0) {
        stands = false;
        *rc = SQLITE_NOMEM;
    }
    if (stands && FAULT("store.commit")) {
        stands = false;
        *rc = SQLITE_NOMEM;
    }
    if (stands) {
        *rc = op_say(w->runner, WORD_COMMIT);
        stands = *rc == SQLITE_OK;
    }
    buf_free(&events);
    if (stands && !file_stands(w)) {
        news_drop(news);
        return GROUP_GONE;
    }
    if (stands) {
        atomic_fetch_add(&w->committed, 1);
        (void)FAULT("store.committed");
        news_tell(news);
        return GROUP_DONE;
    }
    news_drop(news);
    op_undone(w->runner);
    if (sqlite3_get_autocommit(db) == 0) op_say(w->runner, WORD_ROLLBACK);
    if (sqlite_is_fatal(*rc)) return GROUP_BROKEN;
    /* a transaction that neither ended nor can be ended would hold all later ones */
    if (sqlite3_get_autocommit(db) == 0) return GROUP_BROKEN;
    return torn ? GROUP_TORN : GROUP_LOST;
}

/* A savepoint costs a copy of each page that the commit touches, and nearly every commit goes through
 * or fails at its first guard, with nothing written: so all run without one first. */
static enum group_end run_group(struct writer *w, struct commit *list, int *rc) {
    enum group_end end = run_group_once(w, list, false, rc);
    return end == GROUP_TORN ? run_group_once(w, list, true, rc) : end;
}

static void answer_all(struct writer *w, struct commit *list) {
    pthread_mutex_lock(&w->lock);
    for (struct commit *c = list; c != NULL; c = c->next)
        *(c->err == 0 ? &w->stats.commits : &w->stats.failed) += 1;
    w->stats.groups++;
    pthread_mutex_unlock(&w->lock);
    while (list != NULL) {
        struct commit *next = list->next;
        commit_answer(list);
        list = next;
    }
}

static void answer_one(struct writer *w, struct commit *c, int err, const char *detail) {
    rows_free(c->values);
    c->values = NULL;
    c->next = NULL;
    commit_failed(c, err, -1, detail);
    pthread_mutex_lock(&w->lock);
    w->stats.failed++;
    pthread_mutex_unlock(&w->lock);
    commit_answer(c);
}

static void set_full(struct writer *w, bool full) {
    pthread_mutex_lock(&w->lock);
    bool changed = w->full != full;
    w->full = full;
    w->full_next_ns = now_ns(w) + FULL_RETRY_MS * 1000000u;
    pthread_mutex_unlock(&w->lock);
    if (!changed) return;
    if (full)
        log_error("store_full", L_TEXT("advice", "the disk is full: new work is refused until "
                                                 "there is space; results still go in"));
    else
        log_info("store_has_space");
}

/* Puts results back to the front of their lane, in order; they wait for space. */
static void hold(struct writer *w, struct commit *first, struct commit *last, size_t count) {
    pthread_mutex_lock(&w->lock);
    last->next = w->first[LANE_RESULT];
    if (last->next == NULL) w->last[LANE_RESULT] = &last->next;
    w->first[LANE_RESULT] = first;
    w->waiting[LANE_RESULT] += count;
    w->held = true;
    pthread_mutex_unlock(&w->lock);
}

/* Runs a single commit to its end. False: it must wait for space. */
static bool run_alone(struct writer *w, struct commit *c) {
    int rc = SQLITE_OK;
    c->next = NULL;
    enum group_end end = run_group(w, c, &rc);
    if (end == GROUP_LOST && sqlite_err(rc) == E_FULL) {
        set_full(w, true);
        if (c->lane == LANE_RESULT) {
            reserve_use(w);
            end = run_group(w, c, &rc);
            if (end == GROUP_LOST && sqlite_err(rc) == E_FULL && !c->impatient) return false;
        }
    }
    if (end == GROUP_DONE) {
        answer_all(w, c);
        return true;
    }
    if (end == GROUP_BROKEN || end == GROUP_GONE) {
        broken(w, end, rc, "write failed");
        answer_one(w, c, E_IO, "the store has ended");
        return true;
    }
    int err = sqlite_err(rc);
    answer_one(w, c, err == 0 ? E_INTERNAL : err, sqlite3_errstr(rc));
    return true;
}

static void run_list(struct writer *w, struct commit *list) {
    int rc = SQLITE_OK;
    if (list->next != NULL && !w->broken) {
        enum group_end end = run_group(w, list, &rc);
        if (end == GROUP_DONE) {
            answer_all(w, list);
            return;
        }
        if (end == GROUP_BROKEN || end == GROUP_GONE) broken(w, end, rc, "write failed");
        pthread_mutex_lock(&w->lock);
        w->stats.reruns++;
        pthread_mutex_unlock(&w->lock);
    }
    struct commit *kept = NULL, **kept_last = &kept, *last = NULL;
    size_t kept_count = 0;
    while (list != NULL) {
        struct commit *c = list;
        list = c->next;
        if (w->broken) {
            answer_one(w, c, E_IO, "the store has ended");
        } else if (w->full && c->lane == LANE_NEW) {
            answer_one(w, c, E_FULL, "the disk is full");
        } else if (c->impatient && (kept_count != 0 || FAULT("store.no_room"))) {
            answer_one(w, c, E_FULL, "the disk is full");
        } else if (kept_count != 0 || !run_alone(w, c)) { /* results keep their order */
            c->next = NULL;
            *kept_last = last = c;
            kept_last = &c->next;
            kept_count++;
        }
    }
    if (kept_count != 0) hold(w, kept, last, kept_count);
}

/* ---- checkpoints: the writer's alone ----
 *
 * PASSIVE each CHECKPOINT_PAGES and when idle; it waits for nobody. A reader that never pauses
 * keeps the WAL from starting over, so past WAL_PAGES_MAX the writer waits up to 100 ms for the
 * readers.
 */

static int wal_left(const struct writer *w) {
    return w->wal_pages - w->wal_home;
}

static void checkpoint(struct writer *w, int mode) {
    if (wal_left(w) == 0 || w->broken || FAULT("store.checkpoint")) return;
    int log = 0, done = 0;
    if (mode == SQLITE_CHECKPOINT_RESTART) sqlite3_busy_timeout(w->conn.db, 100);
    int rc = sqlite3_wal_checkpoint_v2(w->conn.db, NULL, mode, &log, &done);
    if (mode == SQLITE_CHECKPOINT_RESTART) sqlite3_busy_timeout(w->conn.db, BUSY_MS);
    pthread_mutex_lock(&w->lock);
    w->stats.checkpoints++;
    pthread_mutex_unlock(&w->lock);
    if (log >= 0) {
        w->wal_pages = log;
        w->wal_home = done;
    }
    if (sqlite_is_fatal(rc)) broken(w, GROUP_BROKEN, rc, "checkpoint failed");
    if (sqlite_err(rc) == E_FULL) {
        set_full(w, true);
        w->checkpoint_next_ns = now_ns(w) + FULL_RETRY_MS * 1000000u;
    }
}

static int wal_grew(void *data, sqlite3 *db, const char *name, int pages) {
    (void)db, (void)name;
    struct writer *w = data;
    if (pages < w->wal_pages) w->wal_home = 0; /* the WAL started over */
    w->wal_pages = pages;
    return SQLITE_OK;
}

static void checkpoint_at_need(struct writer *w) {
    if (wal_left(w) < w->checkpoint_pages) return;
    if (w->full && now_ns(w) < w->checkpoint_next_ns) return; /* not at every turn */
    checkpoint(w, w->wal_pages >= WAL_PAGES_MAX ? SQLITE_CHECKPOINT_RESTART
                                                : SQLITE_CHECKPOINT_PASSIVE);
}

/* ---- taking turns ---- */

static void append(struct writer *w, struct commit *c) {
    c->next = NULL;
    *w->last[c->lane] = c;
    w->last[c->lane] = &c->next;
    w->waiting[c->lane]++;
}

/* Under lock: the waiting commits, results first, GROUP_MAX at most. */
static struct commit *take(struct writer *w) {
    struct commit *list = NULL, **last = &list;
    size_t count = 0;
    for (int lane = 0; lane < 2; lane++) {
        if (lane == LANE_RESULT && w->held) continue;
        while (w->first[lane] != NULL && count < GROUP_MAX) {
            struct commit *c = w->first[lane];
            w->first[lane] = c->next;
            if (w->first[lane] == NULL) w->last[lane] = &w->first[lane];
            w->waiting[lane]--;
            c->next = NULL;
            *last = c;
            last = &c->next;
            count++;
        }
    }
    return list;
}

static struct read *take_reads(struct writer *w) {
    struct read *list = w->reads;
    w->reads = NULL;
    w->reads_last = &w->reads;
    w->reads_waiting = 0;
    return list;
}

static void refuse_new(struct writer *w, struct commit **list) {
    struct commit **at = list;
    while (*at != NULL) {
        struct commit *c = *at;
        if (c->lane == LANE_RESULT) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        answer_one(w, c, E_FULL, "the disk is full");
    }
}

/* Under lock: when full and it is time, looks whether there is space again. */
static void probe_space(struct writer *w) {
    if (!w->full || now_ns(w) < w->full_next_ns) return;
    bool space = reserve_make(w) == 0;
    w->held = false; /* the results may try in any case */
    pthread_mutex_unlock(&w->lock);
    set_full(w, !space);
    pthread_mutex_lock(&w->lock);
}

/* One turn: all that waits. Called and returns with the lock held. */
static void turn(struct writer *w) {
    probe_space(w);
    struct commit *list = take(w);
    struct read *reads = take_reads(w);
    bool full = w->full;
    pthread_mutex_unlock(&w->lock);
    if (full) refuse_new(w, &list);
    pthread_mutex_lock(&w->db_lock);
    if (list != NULL) run_list(w, list);
    checkpoint_at_need(w);
    int cache = 0, highest;
    sqlite3_db_status(w->conn.db, SQLITE_DBSTATUS_CACHE_USED, &cache, &highest, 0);
    while (reads != NULL) {
        struct read *r = reads;
        reads = r->next;
        conn_read(&w->conn, r);
        read_answer(r);
    }
    pthread_mutex_unlock(&w->db_lock);
    pthread_mutex_lock(&w->lock);
    w->stats.cache_bytes = (size_t)cache;
}

static bool has_work(const struct writer *w) {
    return w->first[LANE_NEW] != NULL || w->reads != NULL ||
           (w->first[LANE_RESULT] != NULL && !w->held);
}

/* Waits on the condition, at most ms. False: it timed out. */
static bool wait_ms(struct writer *w, int ms) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += (long)ms % 1000 * 1000000;
    at.tv_sec += ms / 1000 + at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return pthread_cond_timedwait(&w->wake, &w->lock, &at) == 0;
}

static void *writer_main(void *data) {
    struct writer *w = data;
    pthread_setname_np(pthread_self(), "writer");
    pthread_mutex_lock(&w->lock);
    while (!w->crashed) {
        if (has_work(w)) {
            /* On a core that is shared with those who make commits, who woke us has more of them in
             * hand: let it finish. A larger group writes the pages that all touch once. */
            pthread_mutex_unlock(&w->lock);
            sched_yield();
            pthread_mutex_lock(&w->lock);
            if (!w->crashed) turn(w);
        } else if (w->stopping) {
            break;
        } else if (w->full) {
            wait_ms(w, FULL_RETRY_MS);
            probe_space(w);
        } else if (wal_left(w) == 0) {
            pthread_cond_wait(&w->wake, &w->lock);
        } else if (!wait_ms(w, 1000)) { /* idle: a good moment to bring the WAL home */
            pthread_mutex_unlock(&w->lock);
            pthread_mutex_lock(&w->db_lock);
            checkpoint(w, SQLITE_CHECKPOINT_PASSIVE);
            int left = wal_left(w);
            pthread_mutex_unlock(&w->db_lock);
            pthread_mutex_lock(&w->lock);
            if (left != 0 && !has_work(w)) wait_ms(w, 1000); /* a reader is in the way */
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void retry_inline(struct timer *timer);

static void turn_inline(struct task *task) {
    struct writer *w = CONTAINER_OF(task, struct writer, turn);
    pthread_mutex_lock(&w->lock);
    w->turn_posted = false;
    turn(w);
    if (w->held && !timer_armed(&w->retry))
        timer_start(w->loop, &w->retry, FULL_RETRY_MS + 1, retry_inline);
    pthread_mutex_unlock(&w->lock);
}

static void wake(struct writer *w) { /* under lock */
    if (w->loop == NULL) {
        pthread_cond_signal(&w->wake);
        return;
    }
    if (w->turn_posted) return;
    w->turn_posted = true;
    loop_post(w->loop, &w->turn);
}

static void retry_inline(struct timer *timer) {
    struct writer *w = CONTAINER_OF(timer, struct writer, retry);
    pthread_mutex_lock(&w->lock);
    wake(w);
    pthread_mutex_unlock(&w->lock);
}

void writer_submit(struct writer *w, struct commit *c) {
    int err = 0;
    const char *detail = "";
    pthread_mutex_lock(&w->lock);
    if (w->broken || w->stopping) {
        err = w->broken ? E_IO : E_CLOSED;
        detail = "the store has ended";
    } else if (c->lane == LANE_NEW && w->waiting[LANE_NEW] >= w->queue_max) {
        err = E_BUSY;
        detail = "too many commits wait";
        w->stats.refused++;
    } else {
        append(w, c);
        wake(w);
    }
    pthread_mutex_unlock(&w->lock);
    if (err == 0) return;
    commit_failed(c, err, -1, detail);
    commit_answer(c);
}

void writer_read(struct writer *w, struct read *r) {
    pthread_mutex_lock(&w->lock);
    bool room = !w->stopping && w->reads_waiting < READ_QUEUE_MAX;
    if (room) {
        r->next = NULL;
        *w->reads_last = r;
        w->reads_last = &r->next;
        w->reads_waiting++;
        wake(w);
    }
    pthread_mutex_unlock(&w->lock);
    if (room) return;
    read_failed(r, E_BUSY, "too many reads wait");
    read_answer(r);
}

int writer_start(struct writer *w, struct why *why) {
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&w->lock, NULL);
    pthread_mutex_init(&w->db_lock, NULL);
    for (int lane = 0; lane < 2; lane++)
        w->last[lane] = &w->first[lane];
    w->reads_last = &w->reads;
    w->turn.run = turn_inline;
    if (w->queue_max == 0) w->queue_max = WRITER_QUEUE_MAX;
    if (w->checkpoint_pages == 0) w->checkpoint_pages = CHECKPOINT_PAGES;
    sqlite3_wal_hook(w->conn.db, wal_grew, w);
    w->wal_pages = 1; /* what an earlier run left there, perhaps */
    int err = note_file(w);
    if (err == 0) err = op_runner_new(&w->runner, w->conn.db);
    if (err == 0 && (err = reserve_make(w)) != E_NOMEM) {
        if (err != 0) set_full(w, true);
        err = 0;
    }
    if (err != 0) return why_set(why, E_NOMEM, "store: out of memory");
    if (w->loop != NULL) return 0;
    if (pthread_create(&w->thread, NULL, writer_main, w) != 0)
        return why_set(why, E_LIMIT, "store: no thread for the writer");
    w->has_thread = true;
    return 0;
}

static void drop_queues(struct writer *w, bool crash) {
    struct commit *list = NULL;
    w->held = false;
    while ((list = take(w)) != NULL) {
        while (list != NULL) {
            struct commit *next = list->next;
            if (crash) {
                commit_free(list);
            } else {
                commit_failed(list, w->full ? E_FULL : E_CLOSED, -1, "the store closes");
                commit_answer(list);
            }
            list = next;
        }
    }
    for (struct read *r = take_reads(w), *next; r != NULL; r = next) {
        next = r->next;
        if (crash) {
            read_delete(r);
        } else {
            read_failed(r, E_CLOSED, "the store closes");
            read_answer(r);
        }
    }
}

void writer_stop(struct writer *w, bool crash) {
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    w->crashed = crash;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    if (w->has_thread) pthread_join(w->thread, NULL);
    pthread_mutex_lock(&w->lock);
    if (w->loop != NULL) {
        timer_stop(&w->retry);
        while (!crash && has_work(w))
            turn(w);
    }
    drop_queues(w, crash);
    pthread_mutex_unlock(&w->lock);
    if (!crash && !w->broken) checkpoint(w, SQLITE_CHECKPOINT_TRUNCATE);
    op_runner_delete(w->runner);
    if (crash || w->broken)
        sqlite3_db_config(w->conn.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    db_conn_close(&w->conn);
    pthread_mutex_destroy(&w->db_lock);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    mem_free(w->reserve_path);
    mem_free(w->wal);
}
