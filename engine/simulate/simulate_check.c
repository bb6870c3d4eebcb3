/* What a simulation looks at; see simulate.c for when. Reads go through the store's own queries. */
#include "base/json.h"
#include "base/mem.h"
#include "script/operation_text.h"
#include "simulate/simulate_private.h"

#include <stdio.h>

static const struct state *const S = OPERATION_STATES;

/* One operation: is it there, did it move by the table, do generations only grow? After a crash it
 * may be where it was before a move that nobody heard of. */
static void check_operation(struct sim *s, int number) {
    struct sim_operation *op = &s->operations[number];
    struct rows *rows = NULL;
    struct operation_row row;
    if (op->id[0] == '\0') return;
    if (store_get(s->engine->store, "operation_get", VALS(V_TEXT(op->id)), &rows) != 0) return;
    if (rows_count(rows) != 1) {
        sim_wrong(s, "r%d (%s) was acknowledged and is lost", number, op->id);
    } else if (operation_row_read(rows, 0, &row) != 0) {
        sim_wrong(s, "r%d: its row cannot be read", number);
    } else {
        if (row.generation != op->generation)
            sim_tell(s, "r%d is %s (%lld)", number, S[row.state].name, (long long)row.generation);
        if (row.generation == op->generation && row.state != op->state)
            sim_wrong(s, "r%d changed without a move", number);
        bool was_final = op->generation != 0 && !operation_open(op->state);
        if (was_final && row.state != op->state && row.state != OPERATION_SUCCESS)
            sim_wrong(s, "r%d was %s and is %s", number, S[op->state].name, S[row.state].name);
        if (row.generation < op->generation)
            sim_wrong(s, "r%d went back from generation %d to %lld", number, op->generation,
                      (long long)row.generation);
        op->generation = (int)row.generation;
        op->state = row.state;
    }
    rows_free(rows);
}

void sim_check_step(struct sim *s) {
    for (int i = 0; i < 3 && s->count > 0; i++)
        check_operation(s, s->looked++ % s->count);
    sim_check_payments_step(s);
}

static void finding(void *data, bool good, const char *text) {
    if (!good) sim_wrong(data, "the file: %s", text);
}

struct selected {
    struct sim *sim;
    bool done;
    struct rows *rows;
};

static void select_done(int err, const struct why *why, struct rows *rows, void *data) {
    struct selected *selected = data;
    if (err != 0) sim_wrong(selected->sim, "a look failed: %s", why->text);
    selected->rows = rows;
    selected->done = true;
}

struct rows *sim_look(struct sim *s, const char *sql) {
    struct selected selected = {s, false, NULL};
    store_select(s->engine->store, sql, NULL, 0, s->engine->loop, select_done, &selected);
    while (!selected.done && loop_sim_step(s->engine->loop)) {
    }
    return selected.rows;
}

void sim_none_of(struct sim *s, const char *what, const char *sql) {
    struct rows *rows = sim_look(s, sql);
    if (rows != NULL && rows_count(rows) != 0)
        sim_wrong(s, "%s: %.*s", what, STR_FMT(rows_text(rows, 0, 0)));
    rows_free(rows);
}

void sim_check_whole(struct sim *s) {
    int err = store_verify(s->engine->store, &(struct store_report){finding, s});
    if (err != 0) sim_wrong(s, "%s", err == E_CORRUPT ? "the file is damaged" : err_text(err));
    for (int i = 0; i < s->count; i++)
        check_operation(s, i);
    sim_none_of(s, "an open operation without an ask job, nor an end",
                "SELECT id || ' ' || reference || ' ' || status FROM operation o"
                " WHERE status IN ('sending', 'pending', 'processing', 'unknown')"
                " AND NOT EXISTS (SELECT 1 FROM job j WHERE j.unique_key = 'ask ' || o.id"
                " AND j.state IN ('waiting', 'running'))"
                /* nobody can be asked for our own numbers: their end is on the clock */
                " AND NOT (o.status = 'pending' AND o.account = 'self' AND EXISTS (SELECT 1 FROM"
                " payment p WHERE p.id = o.payment AND p.expires_at IS NOT NULL))");
    sim_none_of(s, "a dead job",
                "SELECT id || ' ' || name || ': ' || coalesce(error, '') FROM job"
                " WHERE state = 'dead'");
    sim_check_payments_whole(s);
}

/* Every reference in ours and in the simulator's books: same end, same amount. */
void sim_check_books(struct sim *s) {
    struct rows *rows =
        sim_look(s, "SELECT o.reference, o.status, k.value, o.id FROM operation o"
                    " LEFT JOIN kv k ON k.key = 'sandbox/demo:charge ' || o.reference"
                    " WHERE o.payment IS NULL");
    for (size_t i = 0; rows != NULL && i < rows_count(rows); i++) {
        struct str reference = rows_text(rows, i, 0), status = rows_text(rows, i, 1);
        int64_t number = 0, amount = 0;
        if (reference.n < 2 || str_to_i64(str_sub(reference, 1, reference.n), &number) != 0 ||
            number < 0 || number >= s->count) {
            sim_wrong(s, "an operation that nobody asked for: %.*s", STR_FMT(reference));
            break;
        }
        const char *said = "nothing";
        struct json_doc doc;
        struct str theirs;
        int err = rows_null(rows, i, 2) ? E_NOTFOUND
                                        : json_parse(&doc, rows_text(rows, i, 2), NULL, NULL);
        if (err == E_NOMEM) {
            sim_wrong(s, "a look failed: %s", err_text(err));
            break;
        }
        if (err == 0) {
            if (json_get_str(doc.root, "status", &theirs) == 0)
                said = str_eq(theirs, STR("PAID"))      ? "PAID"
                       : str_eq(theirs, STR("WAITING")) ? "WAITING"
                                                        : "REFUSED";
            json_get_i64(doc.root, "amount", &amount);
            if (amount != s->operations[number].amount)
                sim_wrong(s, "r%d: another amount in the wallet's books", (int)number);
            json_doc_free(&doc);
        }
        bool good = str_eq(status, STR("success")) ? strcmp(said, "PAID") == 0
                    : str_eq(status, STR("failed"))
                        ? strcmp(said, "REFUSED") == 0 || strcmp(said, "nothing") == 0
                        : strcmp(said, "WAITING") == 0;
        if (!good)
            sim_wrong(s, "r%d is %.*s here, and the wallet says %s", (int)number, STR_FMT(status),
                      said);
        if (!str_eq(status, STR("processing"))) s->result->final++;
    }
    rows_free(rows);
    sim_none_of(
        s, "a charge that nobody asked for",
        "SELECT key FROM kv WHERE key LIKE 'sandbox/demo:charge r%' AND substr(key, 21) NOT IN"
        " (SELECT reference FROM operation)");
}
