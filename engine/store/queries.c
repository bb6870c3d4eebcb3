/* See queries.h. The list below is the engine's own; its columns are what their callers read. */
#include "store/queries.h"

#include "base/mem.h"

#define JOB_COLUMNS                                                                              \
    "id, name, args, state, due_at, priority, once, backoff, unique_key, attempts, run, error, " \
    "created, updated"
#define OPERATION_COLUMNS                                                                        \
    "id, kind, script, version, account, reference, status, generation, attempts, doc, ask_at, " \
    "created, updated"

static struct query BUILT_IN[] = {
    {"meta_get", "SELECT value FROM meta WHERE key = ?1"},
    {"meta_all", "SELECT key, value FROM meta ORDER BY key"},
    {"kv_get", "SELECT value, version FROM kv WHERE scope = ?1 AND key = ?2"},
    {"kv_list",
     "SELECT key, value, version FROM kv WHERE scope = ?1 AND key > ?2 ORDER BY key LIMIT ?3"},
    {"once_get", "SELECT until, taken FROM once WHERE scope = ?1 AND key = ?2"},
    {"counter_get", "SELECT value, until FROM counter WHERE name = ?1"},
    {"slot_get", "SELECT holder, until FROM slot WHERE pool = ?1 AND slot = ?2"},
    {"slots_taken", "SELECT count(*) AS taken FROM slot WHERE pool = ?1 AND until > ?2"},
    {"token_get", "SELECT value, refresh_at, expires_at FROM token WHERE key = ?1"},
    {"topic_head", "SELECT last FROM topic WHERE name = ?1"},
    {"topics", "SELECT name, last FROM topic ORDER BY name"},
    {"events_after",
     "SELECT e.sequence, e.type, e.object, e.doc, e.at FROM event e JOIN topic t ON t.id = e.topic"
     " WHERE t.name = ?1 AND e.sequence > ?2 ORDER BY e.sequence LIMIT ?3"},
    {"event_get", "SELECT e.type, e.object, e.doc, e.at FROM event e JOIN topic t ON t.id = e.topic"
                  " WHERE t.name = ?1 AND e.sequence = ?2"},
    {"job_get", "SELECT " JOB_COLUMNS " FROM job WHERE id = ?1"},
    {"job_by_key", "SELECT " JOB_COLUMNS " FROM job"
                   " WHERE unique_key = ?1 AND state IN ('waiting', 'running')"},
    /* due by ?1, the most urgent first, ?2 at most */
    {"jobs_due", "SELECT " JOB_COLUMNS " FROM job WHERE state = 'waiting' AND due_at <= ?1"
                 " ORDER BY priority DESC, due_at, id LIMIT ?2"},
    {"jobs_running", "SELECT " JOB_COLUMNS " FROM job WHERE state = 'running' ORDER BY id"},
    {"jobs_by_state", "SELECT " JOB_COLUMNS " FROM job WHERE state = ?1 AND id > ?2"
                      " ORDER BY id LIMIT ?3"},
    {"job_next_due", "SELECT min(due_at) AS due_at FROM job WHERE state = 'waiting'"},
    {"jobs_count", "SELECT state, count(*) AS jobs FROM job GROUP BY state ORDER BY state"},
    {"cron_last", "SELECT due_at FROM cron WHERE name = ?1"},
    {"operation_get", "SELECT " OPERATION_COLUMNS " FROM operation WHERE id = ?1"},
    {"operation_by_reference",
     "SELECT " OPERATION_COLUMNS " FROM operation WHERE account = ?1 AND reference = ?2"},
    /* to be asked by ?1, the longest waiting first */
    {"operations_to_ask", "SELECT " OPERATION_COLUMNS " FROM operation"
                          " WHERE ask_at IS NOT NULL AND ask_at <= ?1 ORDER BY ask_at LIMIT ?2"},
    {"operation_next_ask", "SELECT min(ask_at) AS ask_at FROM operation WHERE ask_at IS NOT NULL"},
    {"operations_open", "SELECT " OPERATION_COLUMNS " FROM operation"
                        " WHERE status IN ('sending', 'processing', 'unknown') ORDER BY id"},
    {"script_text", "SELECT text FROM script_text WHERE hash = ?1"},
    {"script_history", "SELECT id, path, version, state, parts, at FROM script_version"
                       " WHERE path = ?1 ORDER BY id DESC LIMIT ?2"},
    {"script_version", "SELECT id, path, version, state, parts, at FROM script_version"
                       " WHERE path = ?1 AND version = ?2 ORDER BY id DESC LIMIT 1"},
    /* the newest word on each path */
    {"scripts_now", "SELECT v.id, v.path, v.version, v.state, v.parts, v.at FROM script_version v"
                    " JOIN (SELECT path, max(id) AS id FROM script_version GROUP BY path) n"
                    " ON n.id = v.id ORDER BY v.path"},
    {"scripts_live", "SELECT v.id, v.path, v.version, v.state, v.parts, v.at FROM script_version v"
                     " JOIN (SELECT path, max(id) AS id FROM script_version"
                     " WHERE state IN ('live', 'deleted') GROUP BY path) n"
                     " ON n.id = v.id WHERE v.state = 'live' ORDER BY v.path"},
    {"grants", "SELECT provider, kind, value, at FROM grant_ WHERE provider = ?1"
               " ORDER BY kind, value"},
    {"grants_all", "SELECT provider, kind, value, at FROM grant_ ORDER BY provider, kind, value"},
};

int queries_init(struct query_list *list) {
    list->count = 0;
    if (pthread_mutex_init(&list->lock, NULL) != 0) return E_NOMEM;
    for (size_t i = 0; i < sizeof BUILT_IN / sizeof BUILT_IN[0]; i++) {
        struct query *q = mem_dup(&BUILT_IN[i], sizeof *q);
        if (q == NULL) {
            queries_free(list);
            return E_NOMEM;
        }
        q->index = list->count;
        list->at[list->count++] = q;
    }
    return 0;
}

static void query_delete(struct query *q) {
    if (q == NULL) return;
    if (q->owned) mem_free((void *)q->name), mem_free((void *)q->sql);
    mem_free(q);
}

void queries_free(struct query_list *list) {
    for (unsigned i = 0; i < list->count; i++)
        query_delete(list->at[i]);
    list->count = 0;
    pthread_mutex_destroy(&list->lock);
}

int queries_add(struct query_list *list, const char *name, const char *sql, struct why *why) {
    const struct query *old = queries_find(list, name);
    if (old != NULL && strcmp(old->sql, sql) == 0) return 0;
    if (old != NULL && !old->owned)
        return why_set(why, E_EXISTS, "query %s: that name is the engine's", name);
    int err = 0;
    struct query *q = mem_zalloc(sizeof *q);
    if (q == NULL) return why_set(why, E_NOMEM, "query %s: out of memory", name);
    *q = (struct query){.name = mem_strdup(name), .sql = mem_strdup(sql), .owned = true};
    pthread_mutex_lock(&list->lock);
    if (q->name == NULL || q->sql == NULL) {
        err = why_set(why, E_NOMEM, "query %s: out of memory", name);
    } else if (list->count == QUERIES_MAX) {
        err = why_set(why, E_LIMIT,
                      "query %s: more than %d queries and changes of queries; a new start takes it",
                      name, QUERIES_MAX);
    } else {
        q->index = list->count;
        list->at[list->count++] = q;
        q = NULL;
    }
    pthread_mutex_unlock(&list->lock);
    query_delete(q);
    return err;
}

const struct query *queries_find(struct query_list *list, const char *name) {
    const struct query *found = NULL;
    pthread_mutex_lock(&list->lock);
    for (unsigned i = list->count; i > 0 && found == NULL; i--) /* the newest first */
        if (strcmp(list->at[i - 1]->name, name) == 0) found = list->at[i - 1];
    pthread_mutex_unlock(&list->lock);
    return found;
}
