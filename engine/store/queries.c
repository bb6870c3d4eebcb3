/* See queries.h. The list below is the engine's own; its columns are what their callers read. */
#include "store/queries.h"

#include "base/mem.h"

#define JOB_COLUMNS                                                                              \
    "id, name, args, state, due_at, priority, once, backoff, unique_key, attempts, run, error, " \
    "created, updated"
#define OPERATION_COLUMNS                                                                         \
    "id, kind, script, version, account, reference, status, generation, attempts, doc, updated, " \
    "created"

/* core/payment.c takes them by position. */
#define PAYMENT_COLUMNS                                                                      \
    "p.id, p.merchant, p.order_id, p.status, p.generation, p.paid_at, p.open, p.amount, "    \
    "p.amount_due, p.received, p.amount_paid, p.amount_refunded, p.refunding, "              \
    "p.amount_reversed, p.unsettled, p.settle_at, p.currency, p.method, p.channel, p.bank, " \
    "p.attempt, p.instructions, p.fee, p.fee_version, p.failure, p.person, p.doc, "          \
    "p.expires_at, p.created"
#define REFUND_COLUMNS                                                                     \
    "id, payment, merchant, amount, status, generation, reason, operation, by, movement, " \
    "failure, created"
#define MOVEMENT_COLUMNS                                                                        \
    "id, account, money_id, payment, operation, amount, counted, held, returned, why, source, " \
    "paid_at, at"
#define VIRTUAL_ACCOUNT_COLUMNS                                                             \
    "v.id, v.merchant, v.account, v.number, v.bank, v.script, v.version, v.person, v.doc, " \
    "v.status, v.created"
#define INBOX_COLUMNS                                                                      \
    "id, account, key, body, hash, state, reference, money_id, amount, paid_at, payment, " \
    "status, answer, at"
#define ENDPOINT_COLUMNS                                                       \
    "id, merchant, url, secret, old_secret, old_until, types, state, cursor, " \
    "failing_since, created, format, named"

static struct query BUILT_IN[] = {
    {"meta_get", "SELECT value FROM meta WHERE key = ?1"},
    {"audit_there", "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'audit'"},
    {"meta_all", "SELECT key, value FROM meta ORDER BY key"},
    {"kv_get", "SELECT value, version FROM kv WHERE scope = ?1 AND key = ?2"},
    {"kv_list",
     "SELECT key, value, version FROM kv WHERE scope = ?1 AND key > ?2 ORDER BY key LIMIT ?3"},
    {"once_get", "SELECT until, taken FROM once WHERE scope = ?1 AND key = ?2"},
    {"counter_get", "SELECT value, until FROM counter WHERE name = ?1"},
    {"slot_of", "SELECT slot FROM slot WHERE pool = ?1 AND holder = ?2 AND holder <> ''"
                " ORDER BY until DESC LIMIT 1"},
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
    {"jobs_due",
     "SELECT * FROM (SELECT " JOB_COLUMNS " FROM job WHERE state = 'waiting' AND priority <> 0"
     " AND priority > 0 AND due_at <= ?1 ORDER BY priority DESC, due_at, id LIMIT ?2)"
     " UNION ALL SELECT * FROM (SELECT " JOB_COLUMNS " FROM job WHERE state = 'waiting'"
     " AND priority = 0 AND due_at <= ?1 ORDER BY due_at, id LIMIT ?2)"
     " UNION ALL SELECT * FROM (SELECT " JOB_COLUMNS " FROM job WHERE state = 'waiting'"
     " AND priority <> 0 AND priority < 0 AND due_at <= ?1"
     " ORDER BY priority DESC, due_at, id LIMIT ?2) LIMIT ?2"},
    {"jobs_running", "SELECT " JOB_COLUMNS " FROM job WHERE state = 'running' ORDER BY id"},
    {"jobs_by_state", "SELECT " JOB_COLUMNS " FROM job WHERE state = ?1 AND id > ?2"
                      " ORDER BY id LIMIT ?3"},
    {"job_next_due",
     "SELECT min(due_at) AS due_at FROM ("
     "SELECT min(due_at) AS due_at FROM job WHERE state = 'waiting' AND priority = 0"
     " UNION ALL SELECT min(due_at) FROM job WHERE state = 'waiting' AND priority <> 0)"},
    {"jobs_count", "SELECT state, count(*) AS jobs FROM job GROUP BY state ORDER BY state"},
    {"cron_last", "SELECT due_at FROM cron WHERE name = ?1"},
    {"operation_get", "SELECT " OPERATION_COLUMNS " FROM operation WHERE id = ?1"},
    {"operation_by_reference",
     "SELECT " OPERATION_COLUMNS " FROM operation WHERE account = ?1 AND reference = ?2"},
    {"merchant_get", "SELECT id, name, kind, status, rate, allow, created FROM merchant"
                     " WHERE id = ?1"},
    {"merchants", "SELECT id, name, kind, status, rate, allow, created, category FROM merchant"
                  " ORDER BY id"},
    {"merchant_category", "SELECT category FROM merchant WHERE id = ?1"},
    {"api_key_by_hash", "SELECT k.id, k.merchant, k.mode, k.revoked, m.status, m.kind, m.rate,"
                        " m.allow FROM api_key k JOIN merchant m ON m.id = k.merchant"
                        " WHERE k.hash = ?1"},
    {"api_keys", "SELECT id, mode, label, created, revoked, sealed FROM api_key"
                 " WHERE merchant = ?1 ORDER BY id"},
    /* that one, else the newest that lives: of its label, where there is one */
    {"api_key_to_sign", "SELECT id, sealed FROM api_key WHERE merchant = ?1 AND revoked IS NULL"
                        " ORDER BY id = ?2 DESC, label IS (SELECT label FROM api_key"
                        " WHERE id = ?2) DESC, id DESC LIMIT 1"},
    {"account_get", "SELECT name, provider, merchant, environment, config FROM provider_account"
                    " WHERE name = ?1"},
    /* the merchant's own */
    {"account_for", "SELECT name FROM provider_account"
                    " WHERE provider = ?1 AND environment = ?2 AND coalesce(merchant, '') = ?3"},
    {"accounts_of_provider", "SELECT name FROM provider_account"
                             " WHERE provider = ?1 AND environment = ?2 AND merchant IS NOT NULL"
                             " ORDER BY name LIMIT 100"},
    {"accounts", "SELECT name, provider, merchant, environment, updated FROM provider_account"
                 " ORDER BY name"},
    {"person_get", "SELECT id, merchant, key, data, created, erased FROM person WHERE id = ?1"},
    {"payments_of_person", "SELECT id FROM payment WHERE person = ?1 ORDER BY n"},
    {"payment_get", "SELECT " PAYMENT_COLUMNS " FROM payment p WHERE p.id = ?1"},
    {"payment_of_order", "SELECT id FROM payment WHERE merchant = ?1 AND order_id = ?2"
                         " AND closed = 0"},
    {"payments_of_order", "SELECT id FROM payment WHERE merchant = ?1 AND order_id = ?2"
                          " ORDER BY n DESC"},
    {"payment_n", "SELECT n FROM payment WHERE merchant = ?1 AND id = ?2"},
    /* newest first; before n ?2 (null: from the newest), ?3 at most */
    {"payments_of_merchant", "SELECT " PAYMENT_COLUMNS ", p.n FROM payment p"
                             " WHERE p.merchant = ?1 AND p.n < coalesce(?2, 9223372036854775807)"
                             " ORDER BY p.n DESC LIMIT ?3"},
    /* the same, of one status (?4), created from ?6 to before ?7; null: any */
    {"payments_found", "SELECT " PAYMENT_COLUMNS ", p.n FROM payment p"
                       " WHERE p.merchant = ?1 AND p.n < coalesce(?2, 9223372036854775807)"
                       " AND (?4 IS NULL OR p.status = ?4) AND (?5 IS NULL OR p.created >= ?5)"
                       " AND (?6 IS NULL OR p.created < ?6) ORDER BY p.n DESC LIMIT ?3"},
    /* the same, of one order (?7): by the order's own index, which the plus is for, however many
     * others there are */
    {"payments_found_order",
     "SELECT " PAYMENT_COLUMNS ", p.n FROM payment p"
     " WHERE p.merchant = ?1 AND p.order_id = ?7 AND +p.n < coalesce(?2, 9223372036854775807)"
     " AND (?4 IS NULL OR p.status = ?4) AND (?5 IS NULL OR p.created >= ?5)"
     " AND (?6 IS NULL OR p.created < ?6) ORDER BY +p.n DESC LIMIT ?3"},
    /* due by ?1, ?2 at a time, behind the one that is named ?3 (null: from the first) */
    {"payments_to_expire",
     "SELECT id, expires_at FROM payment WHERE status = 'pending' AND expires_at <= ?1"
     " AND (expires_at, n) > (coalesce((SELECT a.expires_at FROM payment a WHERE a.id = ?3), 0),"
     " coalesce((SELECT a.n FROM payment a WHERE a.id = ?3), 0)) ORDER BY expires_at, n LIMIT ?2"},
    {"payments_to_settle",
     "SELECT id, settle_at FROM payment WHERE settle_at <= ?1"
     " AND (settle_at, n) > (coalesce((SELECT a.settle_at FROM payment a WHERE a.id = ?3), 0),"
     " coalesce((SELECT a.n FROM payment a WHERE a.id = ?3), 0)) ORDER BY settle_at, n LIMIT ?2"},
    {"attempts_of_payment",
     "SELECT id, script, version, account, reference, status, generation,"
     " doc, method, bank, updated FROM operation WHERE payment = ?1 AND kind = 'create'"
     " ORDER BY id LIMIT ?2"},
    {"operations_of_payment", "SELECT " OPERATION_COLUMNS ", amount FROM operation"
                              " WHERE payment = ?1 ORDER BY id"},
    {"payment_of_reference", "SELECT payment, id FROM operation"
                             " WHERE account = ?1 AND reference = ?2 AND payment IS NOT NULL"},
    {"payment_of_operation", "SELECT payment, id FROM operation"
                             " WHERE id = ?1 AND payment IS NOT NULL"},
    {"payment_of_key", "SELECT o.payment, o.id FROM operation_key k"
                       " JOIN operation o ON o.id = k.operation WHERE k.account = ?1"
                       " AND k.kind = ?2 AND k.value = ?3 ORDER BY k.operation DESC LIMIT 1"},
    {"capture_of_payment", "SELECT id FROM operation WHERE payment = ?1 AND kind = 'capture'"
                           " AND status <> 'failed' AND status <> 'cancelled'"},
    {"virtual_account_get", "SELECT " VIRTUAL_ACCOUNT_COLUMNS " FROM virtual_account v"
                            " WHERE v.id = ?1"},
    /* the one that lives, else the last that did */
    {"virtual_account_of", "SELECT " VIRTUAL_ACCOUNT_COLUMNS " FROM virtual_account v"
                           " WHERE v.account = ?1"
                           " AND v.number = ?2 ORDER BY v.status, v.id DESC LIMIT 1"},
    {"virtual_accounts_of_merchant", "SELECT " VIRTUAL_ACCOUNT_COLUMNS " FROM virtual_account v"
                                     " WHERE v.merchant = ?1"
                                     " AND v.id < coalesce(?2, 'w') ORDER BY v.id DESC LIMIT ?3"},
    {"movement_by_money", "SELECT " MOVEMENT_COLUMNS " FROM movement"
                          " WHERE account = ?1 AND money_id = ?2"},
    {"movement_get", "SELECT " MOVEMENT_COLUMNS " FROM movement WHERE id = ?1"},
    /* of one attempt (?3): another way's money has another id, perhaps at another provider */
    {"movement_unclaimed", "SELECT id FROM movement WHERE payment = ?1 AND money_id IS NULL"
                           " AND amount = ?2 AND operation = ?3 ORDER BY id LIMIT 1"},
    {"movements_of_payment", "SELECT " MOVEMENT_COLUMNS " FROM movement WHERE payment = ?1"
                             " ORDER BY id"},
    {"movements_held", "SELECT " MOVEMENT_COLUMNS " FROM movement WHERE held > 0"
                       " ORDER BY at LIMIT ?1"},
    /* that came by ?1, and neither the policy nor a person was asked about it; behind the one ?3 */
    {"movements_to_judge",
     "SELECT m.id, m.at FROM movement m WHERE m.held > 0 AND m.at <= ?1 AND m.payment IS NOT NULL"
     " AND NOT EXISTS (SELECT 1 FROM refund r WHERE r.payment = m.payment AND r.movement = m.id)"
     " AND NOT EXISTS (SELECT 1 FROM note n WHERE n.payment = m.payment"
     " AND n.what = 'policy_waits'"
     " AND substr(CAST(n.detail AS TEXT), 1, length(m.id) + 1) = m.id || ':')"
     " AND (m.at, m.id) > (coalesce((SELECT a.at FROM movement a WHERE a.id = ?3), 0),"
     " coalesce(?3, 0)) ORDER BY m.at, m.id LIMIT ?2"},
    {"refund_get", "SELECT " REFUND_COLUMNS " FROM refund WHERE id = ?1"},
    {"refund_destination", "SELECT destination, destination_key FROM refund WHERE id = ?1"},
    {"refund_of_operation", "SELECT " REFUND_COLUMNS " FROM refund WHERE operation = ?1"},
    /* newest first; before the one that is named ?3 (null: from the newest) */
    {"refunds_of_payment",
     "SELECT " REFUND_COLUMNS " FROM refund WHERE payment = ?1 AND n < coalesce("
     "(SELECT a.n FROM refund a WHERE a.id = ?3), 9223372036854775807) ORDER BY n DESC LIMIT ?2"},
    {"reversal_by_money", "SELECT id, payment, amount FROM reversal"
                          " WHERE account = ?1 AND money_id = ?2"},
    {"reversals_of_payment", "SELECT id, account, money_id, amount, counted, reason, at"
                             " FROM reversal WHERE payment = ?1 ORDER BY id"},
    {"notes_of_payment", "SELECT what, detail, at FROM note WHERE payment = ?1 ORDER BY id"},
    {"ledger_balance", "SELECT credits - debits AS balance, debits, credits FROM ledger_account"
                       " WHERE name = ?1"},
    {"ledger_accounts", "SELECT name, debits, credits FROM ledger_account ORDER BY name"},
    {"ledger_of_merchant", "SELECT name, credits - debits AS balance FROM ledger_account"
                           " WHERE merchant = ?1 ORDER BY name"},
    {"entries_of", "SELECT e.n, d.name AS debit, c.name AS credit, e.amount, e.kind, e.at"
                   " FROM ledger_entry e JOIN ledger_account d ON d.n = e.debit"
                   " JOIN ledger_account c ON c.n = e.credit WHERE e.object = ?1 ORDER BY e.n"},
    /* newest first; before entry ?2 (null: from the newest) */
    {"mutations", "SELECT m.entry, e.kind, m.change, m.balance, e.object, e.at FROM mutation m"
                  " JOIN ledger_entry e ON e.n = m.entry WHERE m.merchant = ?1"
                  " AND m.entry < coalesce(?2, 9223372036854775807) ORDER BY m.entry DESC"
                  " LIMIT ?3"},
    {"idempotency_get", "SELECT hash, object, status, answer, at FROM idempotency"
                        " WHERE merchant = ?1 AND path = ?2 AND key = ?3"},
    /* with the topic, for the events' ids */
    {"merchant_events", "SELECT t.id, e.sequence, e.type, e.object, e.doc, e.at FROM event e"
                        " JOIN topic t ON t.id = e.topic WHERE t.name = ?1 AND e.sequence > ?2"
                        " ORDER BY e.sequence LIMIT ?3"},
    {"merchant_event_oldest", "SELECT min(e.sequence) AS sequence FROM event e"
                              " WHERE e.topic = (SELECT id FROM topic WHERE name = ?1)"},
    {"merchant_event", "SELECT t.id, e.sequence, e.type, e.object, e.doc, e.at FROM event e"
                       " JOIN topic t ON t.id = e.topic WHERE t.name = ?1 AND e.sequence = ?2"},
    /* of one object (?3), in order */
    {"events_of_object", "SELECT t.id, e.sequence, e.type, e.object, e.doc, e.at FROM event e"
                         " JOIN topic t ON t.id = e.topic WHERE t.name = ?1 AND e.sequence > ?2"
                         " AND e.object = ?3 ORDER BY e.sequence LIMIT ?4"},
    /* Per topic behind ?3: up to where it may be forgotten, ?2 at a time. Older than ?1 without a
     * break, never the newest, never what an endpoint still has to be told. */
    {"events_over",
     "SELECT name, kept FROM (SELECT t.name, coalesce(f.kept, 1) AS old, min("
     " coalesce((SELECT min(e.sequence) FROM event e WHERE e.topic = t.id"
     "  AND e.sequence >= coalesce(f.kept, 1) AND e.sequence < coalesce(f.kept, 1) + ?2"
     "  AND e.at >= ?1), coalesce(f.kept, 1) + ?2), t.last,"
     " coalesce((SELECT min(p.cursor) + 1 FROM endpoint p WHERE p.merchant = t.name"
     "  AND p.state = 'enabled'), t.last),"
     " coalesce((SELECT min(d.sequence) FROM endpoint p JOIN delivery d ON d.endpoint = p.id"
     "  AND d.state = 'waiting' WHERE p.merchant = t.name AND p.state = 'enabled'), t.last))"
     " AS kept FROM topic t LEFT JOIN event_floor f ON f.topic = t.id WHERE t.name > ?3)"
     " WHERE kept > old ORDER BY name LIMIT 100"},
    {"merchant_topic", "SELECT id, last FROM topic WHERE name = ?1"},
    {"endpoint_get", "SELECT " ENDPOINT_COLUMNS " FROM endpoint WHERE id = ?1"},
    {"endpoints_of_merchant", "SELECT " ENDPOINT_COLUMNS " FROM endpoint WHERE merchant = ?1"
                              " AND state <> 'deleted' AND named IS NULL ORDER BY id DESC"},
    /* for what a payment (or a refund's) names itself; ?3: all there are of a format, else NULL */
    {"endpoints_named", "SELECT " ENDPOINT_COLUMNS " FROM endpoint WHERE merchant = ?1"
                        " AND named IS NOT NULL AND (format = ?3 OR named IN (SELECT n"
                        " FROM payment_url WHERE payment ="
                        " coalesce((SELECT payment FROM refund WHERE id = ?2), ?2)))"},
    {"payment_url", "SELECT url FROM payment_url WHERE n = ?2"
                    " AND payment = coalesce((SELECT payment FROM refund WHERE id = ?1), ?1)"},
    /* those whose events were not all fanned out yet */
    {"endpoints_behind", "SELECT p.id, p.merchant, p.cursor, t.last FROM endpoint p JOIN topic t"
                         " ON t.name = p.merchant WHERE p.state = 'enabled'"
                         " AND p.cursor < t.last ORDER BY p.id LIMIT ?1"},
    {"deliveries_due", "SELECT endpoint, sequence, tries, due_at FROM delivery WHERE endpoint = ?1"
                       " AND state = 'waiting' AND due_at <= ?2 ORDER BY due_at LIMIT ?3"},
    /* the first due after ?1: one look into the index per endpoint */
    {"delivery_next", "SELECT min(at) AS at FROM (SELECT (SELECT min(d.due_at) FROM delivery d"
                      " WHERE d.endpoint = p.id AND d.state = 'waiting' AND d.due_at > ?1) AS at"
                      " FROM endpoint p WHERE p.state = 'enabled')"},
    /* with something due by ?1, behind the one named ?3 */
    {"delivery_endpoints", "SELECT p.id FROM endpoint p WHERE p.state = 'enabled' AND p.id > ?3"
                           " AND EXISTS (SELECT 1 FROM delivery d WHERE d.endpoint = p.id"
                           " AND d.state = 'waiting' AND d.due_at <= ?1) ORDER BY p.id LIMIT ?2"},
    {"deliveries_waiting", "SELECT count(*) AS deliveries FROM delivery WHERE state = 'waiting'"},
    {"delivery_get", "SELECT endpoint, sequence, state, tries, due_at, status, error FROM delivery"
                     " WHERE endpoint = ?1 AND sequence = ?2"},
    {"inbox_by_hash", "SELECT " INBOX_COLUMNS " FROM inbox WHERE account = ?1 AND hash = ?2"
                      " ORDER BY id LIMIT 1"},
    {"inbox_by_payment", "SELECT " INBOX_COLUMNS " FROM inbox WHERE payment = ?1 ORDER BY id"},
    {"inbox_get", "SELECT " INBOX_COLUMNS " FROM inbox WHERE id = ?1"},
    {"orphans_of", "SELECT " INBOX_COLUMNS " FROM inbox WHERE account = ?1 AND reference = ?2"
                   " AND state = 'orphan' ORDER BY id LIMIT 20"},
    /* that came by ?1; behind the one ?3 (null: from the first) */
    {"orphans_before",
     "SELECT " INBOX_COLUMNS " FROM inbox WHERE state = 'orphan' AND at <= ?1"
     " AND (at, id) > (coalesce((SELECT a.at FROM inbox a WHERE a.id = ?3), 0), coalesce(?3, 0))"
     " ORDER BY at, id LIMIT ?2"},
    /* with money, and an attempt has their reference by now; behind the one ?2 */
    {"orphans_known",
     "SELECT " INBOX_COLUMNS " FROM inbox WHERE state = 'orphan' AND amount > 0"
     " AND (EXISTS (SELECT 1 FROM operation o WHERE o.account = inbox.account"
     " AND o.reference = inbox.reference AND o.kind = 'create' AND o.payment IS NOT NULL)"
     " OR EXISTS (SELECT 1 FROM operation_key k WHERE k.account = inbox.account"
     " AND k.kind = 'reference' AND k.value = inbox.reference)) AND (at, id) >"
     " (coalesce((SELECT a.at FROM inbox a WHERE a.id = ?2), 0), coalesce(?2, 0))"
     " ORDER BY at, id LIMIT ?1"},
    {"audit_head", "SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1"},
    {"audit_after", "SELECT n, at, actor, action, object, detail, prev, hash FROM audit"
                    " WHERE n > ?1 ORDER BY n LIMIT ?2"},
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

static struct query **slot_of(struct query_list *list, const char *name) {
    return &list->by_hash[str_hash(str_of(name)) % QUERIES_HASHES];
}

static void put(struct query_list *list, struct query *q) {
    struct query **slot = slot_of(list, q->name);
    q->index = list->count;
    q->below = *slot;
    *slot = q;
    list->at[list->count++] = q;
}

int queries_init(struct query_list *list) {
    list->count = 0;
    memset(list->by_hash, 0, sizeof list->by_hash);
    if (pthread_mutex_init(&list->lock, NULL) != 0) return E_NOMEM;
    for (size_t i = 0; i < sizeof BUILT_IN / sizeof BUILT_IN[0]; i++) {
        struct query *q = mem_dup(&BUILT_IN[i], sizeof *q);
        if (q == NULL) {
            queries_free(list);
            return E_NOMEM;
        }
        put(list, q);
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
        put(list, q);
        q = NULL;
    }
    pthread_mutex_unlock(&list->lock);
    query_delete(q);
    return err;
}

const struct query *queries_find(struct query_list *list, const char *name) {
    pthread_mutex_lock(&list->lock);
    const struct query *found = *slot_of(list, name);
    while (found != NULL && strcmp(found->name, name) != 0)
        found = found->below;
    pthread_mutex_unlock(&list->lock);
    return found;
}
