/* What all drivers share: checking what comes in, copying reads, listeners and their news. */
#include "base/ensure.h"
#include "base/mem.h"
#include "store/store_private.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

int store_init(struct store *store, const struct store_driver *driver, const struct clock *clock) {
    store->driver = driver;
    store->clock = clock;
    int err = queries_init(&store->queries);
    if (err != 0) return err;
    pthread_mutex_init(&store->listen_lock, NULL);
    pthread_mutex_init(&store->spare_lock, NULL);
    return 0;
}

void store_free(struct store *store) {
    queries_free(&store->queries);
    pthread_mutex_destroy(&store->listen_lock);
    pthread_mutex_destroy(&store->spare_lock);
}

void store_close(struct store *store) {
    if (store != NULL) store->driver->close(store);
}

void store_crash(struct store *store) {
    if (store != NULL) store->driver->crash(store);
}

void store_submit(struct store *store, struct commit *commit, enum lane lane, struct loop *loop,
                  commit_done_cb done, void *data) {
    atomic_fetch_add(&store->under_way, 1);
    commit->store = store;
    commit->lane = lane;
    commit->loop = loop;
    commit->done = done;
    commit->data = data;
    if (commit->err != 0) {
        commit_answer(commit);
        return;
    }
    store->driver->submit(store, commit);
}

/* ---- reads ---- */

static struct read *read_new(struct store *store, const char *sql, const struct val *values,
                             size_t count) {
    size_t bytes = count * sizeof *values;
    for (size_t i = 0; i < count; i++)
        bytes += values[i].s.n;
    struct read *r = mem_zalloc(sizeof *r);
    struct val *copy = count == 0 ? NULL : mem_alloc(bytes);
    char *text = sql == NULL ? NULL : mem_strdup(sql);
    if (r != NULL && (count == 0 || copy != NULL) && (sql == NULL || text != NULL)) {
        char *at = (char *)(copy + count);
        for (size_t i = 0; i < count; i++) {
            copy[i] = values[i];
            if (values[i].type != VAL_TEXT && values[i].type != VAL_BLOB) continue;
            if (values[i].s.n != 0) memcpy(at, values[i].s.p, values[i].s.n);
            copy[i].s.p = at;
            at += values[i].s.n;
        }
        r->values = copy;
        r->count = count;
        r->sql = text;
        return r;
    }
    mem_free(copy), mem_free(text), mem_free(r);
    pthread_mutex_lock(&store->spare_lock);
    ENSURE(store->spares_used != UINT64_MAX); /* store_short() was heeded */
    int at = __builtin_ctzll(~store->spares_used);
    store->spares_used |= (uint64_t)1 << at;
    pthread_mutex_unlock(&store->spare_lock);
    r = &store->spares[at];
    *r = (struct read){.spare = true, .store = store, .err = E_NOMEM};
    why_set(&r->why, E_NOMEM, "out of memory");
    return r;
}

bool store_short(struct store *store) {
    pthread_mutex_lock(&store->spare_lock);
    int used = __builtin_popcountll(store->spares_used);
    pthread_mutex_unlock(&store->spare_lock);
    return used >= SPARE_READS / 2;
}

void read_delete(struct read *read) {
    if (read == NULL) return;
    if (read->spare) {
        struct store *store = read->store;
        pthread_mutex_lock(&store->spare_lock);
        store->spares_used &= ~((uint64_t)1 << (read - store->spares));
        pthread_mutex_unlock(&store->spare_lock);
        return;
    }
    rows_free(read->rows);
    mem_free(read->values);
    mem_free(read->sql);
    mem_free(read);
}

static void read_told(struct task *task) {
    struct read *r = CONTAINER_OF(task, struct read, task);
    struct rows *rows = r->rows;
    r->rows = NULL;
    rows_done_cb done = r->done;
    void *data = r->data;
    int err = r->err;
    struct why why = r->why;
    read_delete(r);
    done(err, &why, rows, data);
}

void read_answer(struct read *read) {
    struct store *store = read->store;
    read->task.run = read_told;
    loop_post(read->loop, &read->task);
    atomic_fetch_sub(&store->under_way, 1);
}

int read_failed(struct read *read, int err, const char *text) {
    read->err = err;
    return why_set(&read->why, err, "%s", text);
}

static void read_start(struct store *store, struct read *r, struct loop *loop, rows_done_cb done,
                       void *data) {
    atomic_fetch_add(&store->under_way, 1);
    r->store = store;
    r->loop = loop;
    r->done = done;
    r->data = data;
    if (r->err != 0)
        read_answer(r);
    else
        store->driver->read(store, r);
}

static const struct query *find(struct store *store, const char *name) {
    const struct query *query = queries_find(&store->queries, name);
    if (query != NULL || !store->driver->names_elsewhere) return query;
    (void)queries_add(&store->queries, name, "", NULL);
    return queries_find(&store->queries, name);
}

void store_query(struct store *store, const char *name, const struct val *values, size_t count,
                 struct loop *loop, rows_done_cb done, void *data) {
    const struct query *query = find(store, name);
    struct read *r = read_new(store, query == NULL ? name : NULL, values, count);
    if (query == NULL && r->err == 0) {
        r->err = why_set(&r->why, E_NOTFOUND, "no query is named %s", name);
    }
    r->query = query;
    read_start(store, r, loop, done, data);
}

void store_select(struct store *store, const char *sql, const struct val *values, size_t count,
                  struct loop *loop, rows_done_cb done, void *data) {
    read_start(store, read_new(store, sql, values, count), loop, done, data);
}

size_t store_under_way(struct store *store) {
    return atomic_load(&store->under_way);
}

void store_will_rest(struct store *store) {
    if (store->driver->rest != NULL) store->driver->rest(store, true);
}

void store_rest(struct store *store) {
    if (store->driver->rest != NULL) store->driver->rest(store, false);
}

int store_get(struct store *store, const char *name, const struct val *values, size_t count,
              struct rows **out) {
    const struct query *query = find(store, name);
    if (query == NULL) return E_NOTFOUND;
    return store->driver->get(store, query, values, count, out);
}

int store_add_query(struct store *store, const char *name, const char *sql, struct why *why) {
    int err = store->driver->add_query(store, name, sql, why);
    if (err != 0) {
        why_prefix(why, "query %s: ", name);
        return err;
    }
    return queries_add(&store->queries, name, sql, why);
}

/* ---- listeners ---- */

/* One letter to one listener. It may be unlistened (and freed) before the letter arrives: the
 * serial, looked up under the lock, tells. Both happen on the listener's loop. */
struct letter {
    struct task task;
    struct store_listener *to;
    uint64_t serial;
    struct news *news;
};

struct news {
    struct store *store;
    _Atomic int references;
    struct buf events;
    size_t count;
    struct letter letters[];
};

void news_add(struct buf *events, struct str topic, int64_t sequence) {
    wire_put_str(events, topic);
    wire_put_i64(events, sequence);
}

int news_new(struct store *store, const struct buf *events, struct news **out) {
    *out = NULL;
    if (events->len == 0) return 0;
    int err = 0;
    pthread_mutex_lock(&store->listen_lock);
    size_t count = 0;
    for (struct store_listener *l = store->listeners; l != NULL; l = l->next)
        count++;
    if (count == 0) goto out;
    err = E_NOMEM;
    struct news *news = mem_zalloc(sizeof *news + count * sizeof news->letters[0]);
    if (news == NULL) goto out;
    buf_addstr(&news->events, buf_str(events));
    if (news->events.err != 0) {
        mem_free(news);
        goto out;
    }
    news->store = store;
    atomic_init(&news->references, 1);
    for (struct store_listener *l = store->listeners; l != NULL; l = l->next)
        news->letters[news->count++] = (struct letter){.to = l, .serial = l->serial, .news = news};
    *out = news;
    err = 0;
out:
    pthread_mutex_unlock(&store->listen_lock);
    return err;
}

void news_drop(struct news *news) {
    if (news == NULL || atomic_fetch_sub(&news->references, 1) != 1) return;
    buf_free(&news->events);
    mem_free(news);
}

static bool listening(struct store *store, const struct letter *letter) {
    bool found = false;
    pthread_mutex_lock(&store->listen_lock);
    for (struct store_listener *l = store->listeners; l != NULL; l = l->next)
        found = found || (l == letter->to && l->serial == letter->serial);
    pthread_mutex_unlock(&store->listen_lock);
    return found;
}

static void letter_read(struct task *task) {
    struct letter *letter = CONTAINER_OF(task, struct letter, task);
    struct news *news = letter->news;
    struct wire_in in = wire_in(buf_str(&news->events));
    while (in.left != 0 && listening(news->store, letter)) {
        struct str topic = wire_str(&in);
        int64_t sequence = wire_i64(&in);
        letter->to->heard(letter->to, topic, sequence);
    }
    news_drop(news);
}

void news_tell(struct news *news) {
    if (news == NULL) return;
    struct store *store = news->store;
    pthread_mutex_lock(&store->listen_lock); /* who is still here has a loop that still runs */
    for (size_t i = 0; i < news->count; i++) {
        struct letter *letter = &news->letters[i];
        for (struct store_listener *l = store->listeners; l != NULL; l = l->next) {
            if (l != letter->to || l->serial != letter->serial) continue;
            atomic_fetch_add(&news->references, 1);
            letter->task.run = letter_read;
            loop_post(l->loop, &letter->task);
        }
    }
    pthread_mutex_unlock(&store->listen_lock);
    news_drop(news);
}

void store_listen(struct store *store, struct store_listener *listener) {
    pthread_mutex_lock(&store->listen_lock);
    bool first = store->listeners == NULL;
    listener->serial = ++store->listen_serial;
    listener->next = store->listeners;
    store->listeners = listener;
    pthread_mutex_unlock(&store->listen_lock);
    if (first && store->driver->listening != NULL) store->driver->listening(store);
}

void store_unlisten(struct store *store, struct store_listener *listener) {
    pthread_mutex_lock(&store->listen_lock);
    struct store_listener **at = &store->listeners;
    while (*at != NULL && *at != listener)
        at = &(*at)->next;
    if (*at != NULL) *at = listener->next;
    listener->next = NULL;
    pthread_mutex_unlock(&store->listen_lock);
}

/* ---- care ---- */

int store_migrate(struct store *store, const char *folder, struct why *why) {
    return store->driver->migrate(store, folder, why);
}

int store_backup_into(struct store *store, int fd, struct why *why) {
    return store->driver->backup(store, fd, why);
}

void store_end_care(struct store *store) {
    atomic_store(&store->care_ended, true);
}

int store_verify(struct store *store, const struct store_report *report) {
    return store->driver->verify(store, report);
}

void store_report_line(const struct store_report *report, bool good, const char *format, ...) {
    if (report == NULL || report->line == NULL) return;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report->line(report->data, good, text);
}
