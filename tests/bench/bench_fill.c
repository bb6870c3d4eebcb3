/* Many payments in a database, fast, for tests/bench/payments.mjs: a payment that the engine itself
 * has made is copied, row by row, with ids, numbers, keys and order ids of its own.
 *
 *     bench_fill DB [stored] ORDER TAG FROM COUNT ...
 *
 * copies all rows of the payment ORDER (payment, attempt, its keys, number, ask job, events, stored
 * answer, inbox, movement, entries of the ledger with the merchant's mutations) COUNT times; the
 * copies' order ids are TAG + ten digits from FROM, as long as ORDER. The sums of the accounts and the
 * heads of the sequences go along, so every invariant of `luwak verify` holds afterwards. With `stored`
 * the documents of events and stored answers are cut to the id: they only lie there, and five million
 * of them would be as large as all the rest. Triggers are dropped first and made again at the end, with
 * `stored` the indexes too. */
#include "base/clock.h"
#include "base/id.h"
#include "base/rng.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number of self_va's payment is what its channel remembers. */
#define ITS_SLOT                                                                               \
    "slot IN (SELECT CAST(doc AS TEXT) ->> '$.data.number' FROM operation WHERE payment = ?1)" \
    " AND pool = 'self:va'"

enum { TOKENS_MAX = 40, ROWS_MAX = 64, COLUMNS_MAX = 40, PATCHES_MAX = 24, SIZE_MAX_ = 8192 };

/* A text of the original that each copy has of its own, of the same length. */
struct token {
    char from[64], to[64];
    size_t n;
    enum { TOKEN_ID, TOKEN_ORDER, TOKEN_NUMBER, TOKEN_HEX } kind;
};
struct column {
    int type; /* SQLite's */
    int64_t i;
    char *bytes;
    size_t n, patch_count;
    struct {
        size_t at, token;
    } patch[PATCHES_MAX];
    int64_t *counted;   /* an integer that is another one in each copy */
    bool spread, loose; /* a number of the pool; bytes that only have to differ */
};
struct row {
    sqlite3_stmt *insert;
    size_t count;
    struct column column[COLUMNS_MAX];
    int64_t *step, by; /* counted up after each copy: the sequence, the merchant's balance */
};

static sqlite3 *db;
static struct token tokens[TOKENS_MAX];
static struct row rows[ROWS_MAX];
static size_t token_count, row_count;
static int64_t payment_n, entry_n, balance, number, event_n[ROWS_MAX];
static bool stored;
static int64_t later;

static void die(const char *what, const char *why) {
    fprintf(stderr, "bench_fill: %s: %s\n", what, why);
    exit(1);
}

static void sql(const char *text) {
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) die(text, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(const char *text) {
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, text, -1, &s, NULL) != SQLITE_OK) die(text, sqlite3_errmsg(db));
    return s;
}

static int64_t number_of(const char *text) {
    sqlite3_stmt *s = prepare(text);
    int64_t n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_finalize(s);
    return n;
}

/* ---- what is copied ---- */

static void token_add(const char *text, int kind) {
    size_t n = text == NULL ? 0 : strlen(text);
    if (n == 0) return;
    for (size_t i = 0; i < token_count; i++)
        if (strcmp(tokens[i].from, text) == 0) return;
    if (token_count == TOKENS_MAX || n >= sizeof tokens[0].from) die(text, "too many, or too long");
    struct token *t = &tokens[token_count++];
    t->kind = kind;
    t->n = n;
    memcpy(t->from, text, n + 1);
    memcpy(t->to, text, n + 1);
}

static void tokens_of(const char *text, const char *payment, int kind) {
    sqlite3_stmt *s = prepare(text);
    sqlite3_bind_text(s, 1, payment, -1, SQLITE_STATIC);
    while (sqlite3_step(s) == SQLITE_ROW)
        token_add((const char *)sqlite3_column_text(s, 0), kind);
    sqlite3_finalize(s);
}

static void patches_find(struct column *c) {
    for (size_t at = 0; at < c->n; at++)
        for (size_t t = 0; t < token_count; t++) {
            if (c->n - at < tokens[t].n || memcmp(c->bytes + at, tokens[t].from, tokens[t].n) != 0)
                continue;
            if (c->patch_count == PATCHES_MAX) die("a row", "too many places to change");
            c->patch[c->patch_count].at = at;
            c->patch[c->patch_count++].token = t;
            at += tokens[t].n - 1;
            break;
        }
}

static void column_take(struct column *c, sqlite3_stmt *s, int i, const char *payment) {
    const char *name = sqlite3_column_name(s, i);
    c->type = sqlite3_column_type(s, i);
    c->i = sqlite3_column_int64(s, i);
    bool cut = stored && (strcmp(name, "doc") == 0 || strcmp(name, "answer") == 0) &&
               c->type == SQLITE_BLOB && sqlite3_column_bytes(s, i) > 600;
    char small[128];
    int small_n = snprintf(small, sizeof small, "{\"id\":\"%s\",\"object\":\"payment\"}", payment);
    c->n = cut ? (size_t)small_n : (size_t)sqlite3_column_bytes(s, i);
    const void *bytes = cut ? small : sqlite3_column_blob(s, i);
    c->bytes = malloc(c->n + 1);
    if (c->bytes == NULL) die("memory", "");
    if (c->n != 0) memcpy(c->bytes, bytes, c->n);
    if (c->type == SQLITE_TEXT || c->type == SQLITE_BLOB) patches_find(c);
}

/* The rows that `select` finds for the payment, and how each is copied. */
static void take(const char *table, const char *where, const char *payment) {
    char text[4096];
    snprintf(text, sizeof text, "SELECT * FROM %s WHERE %s", table, where);
    sqlite3_stmt *s = prepare(text);
    sqlite3_bind_text(s, 1, payment, -1, SQLITE_STATIC);
    while (sqlite3_step(s) == SQLITE_ROW) {
        struct row *r = &rows[row_count++];
        char names[2048] = "", marks[128] = "";
        if (row_count == ROWS_MAX) die(table, "too many rows");
        for (int i = 0; i < sqlite3_column_count(s); i++) {
            const char *name = sqlite3_column_name(s, i);
            bool movement = strcmp(table, "movement") == 0 || strcmp(table, "inbox") == 0;
            if (movement && strcmp(name, "id") == 0) continue; /* SQLite's own count */
            struct column *c = &r->column[r->count++];
            column_take(c, s, i, payment);
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s",
                     r->count == 1 ? "" : ", ", name);
            strcat(marks, r->count == 1 ? "?" : ", ?");
            /* nothing of a copy falls due while one measures, this week or the next */
            if (strcmp(name, "due_at") == 0 || strcmp(name, "expires_at") == 0)
                if (c->type == SQLITE_INTEGER && c->i < later) c->i = later;
            c->loose = strcmp(table, "inbox") == 0 && strcmp(name, "hash") == 0;
            c->spread = strcmp(table, "slot") == 0 && strcmp(name, "slot") == 0;
            if (strcmp(table, "payment") == 0 && strcmp(name, "n") == 0)
                c->counted = r->step = &payment_n, r->by = 1;
            if (strcmp(table, "payment") == 0 && strcmp(name, "closed") == 0 && c->i != 0)
                c->counted = &payment_n;
            if (strcmp(table, "event") == 0 && strcmp(name, "sequence") == 0)
                c->counted = r->step = &event_n[0], r->by = 1;
            if (strcmp(table, "ledger_entry") == 0 && strcmp(name, "n") == 0)
                c->counted = r->step = &entry_n, r->by = 1;
            if (strcmp(table, "mutation") == 0 && strcmp(name, "entry") == 0) c->counted = &entry_n;
            if (strcmp(table, "mutation") == 0 && strcmp(name, "change") == 0) r->by = c->i;
            if (strcmp(table, "mutation") == 0 && strcmp(name, "balance") == 0)
                c->counted = r->step = &balance;
        }
        snprintf(text, sizeof text, "INSERT INTO %s (%s) VALUES (%s)", table, names, marks);
        r->insert = prepare(text);
    }
    sqlite3_finalize(s);
}

/* An entry's mutation has the entry's number and the balance after it. */
static void take_ledger(const char *payment) {
    sqlite3_stmt *s = prepare("SELECT n FROM ledger_entry WHERE object = ?1 ORDER BY n");
    sqlite3_bind_text(s, 1, payment, -1, SQLITE_STATIC);
    while (sqlite3_step(s) == SQLITE_ROW) {
        char where[64];
        snprintf(where, sizeof where, "n = %lld AND ?1 <> ''",
                 (long long)sqlite3_column_int64(s, 0));
        take("ledger_entry", where, payment);
        snprintf(where, sizeof where, "entry = %lld AND ?1 <> ''",
                 (long long)sqlite3_column_int64(s, 0));
        take("mutation", where, payment);
    }
    sqlite3_finalize(s);
}

/* ---- copying ---- */

static struct clock clk;
static struct rng rng;

/* Numbers and keys rise evenly through all their room: quick to insert in order, and what comes later
 * falls anywhere between them. */
static void tokens_renew(const char *tag, long n, long i, long count) {
    for (size_t k = 0; k < token_count; k++) {
        struct token *t = &tokens[k];
        char text[160];
        unsigned char random[32];
        if (t->kind == TOKEN_ID) {
            char id[ID_SIZE], prefix[8] = "";
            memcpy(prefix, t->from, (size_t)(strchr(t->from, '_') + 1 - t->from));
            id_make(id, prefix, &clk, &rng);
            snprintf(text, sizeof text, "%s", id);
        } else if (t->kind == TOKEN_ORDER) {
            snprintf(text, sizeof text, "%s%010ld", tag, n);
        } else if (t->kind == TOKEN_NUMBER) {
            int64_t low = 1; /* no zero leads */
            for (size_t d = 1; d < t->n; d++)
                low *= 10;
            rng_fill(&rng, random, 4);
            double at = ((double)i + (double)random[0] / 256.0) / (double)count;
            number = low + 16 + (int64_t)(at * 8.9 * (double)low);
            number += tag[0] % 11 - number % 11; /* never one of another fill */
            snprintf(text, sizeof text, "%0*lld", (int)t->n, (long long)number);
        } else { /* hex digits; all else of it stays */
            rng_fill(&rng, random, sizeof random);
            uint64_t head = (uint64_t)((double)i / (double)count * 18446744073709549568.0);
            char digits[80];
            snprintf(digits, sizeof digits, "%016llx", (unsigned long long)head);
            for (size_t d = 8; d < 32; d++)
                sprintf(digits + 16 + 2 * (d - 8), "%02x", random[d]);
            size_t from = strncmp(t->from, "self-", 5) == 0 ? 5 : 0;
            memcpy(text, t->from, t->n + 1);
            for (size_t d = from, at = 0; d < t->n; d++)
                if (text[d] != '-') text[d] = digits[at++];
        }
        if (strlen(text) != t->n) die(t->from, "the copy is not as long");
        memcpy(t->to, text, t->n);
    }
}

static void row_copy(struct row *r) {
    static char space[COLUMNS_MAX][SIZE_MAX_];
    if (r->step != NULL) *r->step += r->by;
    for (size_t i = 0; i < r->count; i++) {
        struct column *c = &r->column[i];
        int at = (int)i + 1, n = (int)c->n;
        char *bytes = c->bytes;
        if (c->type == SQLITE_INTEGER) {
            sqlite3_bind_int64(r->insert, at,
                               c->counted != NULL ? *c->counted
                               : c->spread        ? number
                                                  : c->i);
            continue;
        }
        if (c->loose) {
            bytes = space[i];
            rng_fill(&rng, bytes, c->n);
        } else if (c->patch_count != 0) {
            if (c->n > SIZE_MAX_) die("a value", "too long");
            bytes = memcpy(space[i], c->bytes, c->n);
            for (size_t k = 0; k < c->patch_count; k++)
                memcpy(bytes + c->patch[k].at, tokens[c->patch[k].token].to,
                       tokens[c->patch[k].token].n);
        }
        if (c->type == SQLITE_TEXT)
            sqlite3_bind_text(r->insert, at, bytes, n, SQLITE_STATIC);
        else if (c->type == SQLITE_BLOB)
            sqlite3_bind_blob(r->insert, at, bytes, n, SQLITE_STATIC);
        else
            sqlite3_bind_null(r->insert, at);
    }
    if (sqlite3_step(r->insert) != SQLITE_DONE) die(sqlite3_sql(r->insert), sqlite3_errmsg(db));
    sqlite3_reset(r->insert);
}

/* ---- triggers and indexes: away, and back ---- */

struct made {
    char *text;
};

static size_t schema_drop(struct made *kept, size_t max, bool indexes) {
    size_t count = 0;
    char drop[256];
    sqlite3_stmt *s = prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND"
                              " (type = 'trigger' OR (type = 'index' AND ?1)) ORDER BY type, name");
    sqlite3_bind_int(s, 1, indexes);
    char(*names)[128] = calloc(max, sizeof *names);
    char(*types)[16] = calloc(max, sizeof *types);
    while (sqlite3_step(s) == SQLITE_ROW && count < max) {
        snprintf(types[count], sizeof types[0], "%s", sqlite3_column_text(s, 0));
        snprintf(names[count], sizeof names[0], "%s", sqlite3_column_text(s, 1));
        kept[count++].text = strdup((const char *)sqlite3_column_text(s, 2));
    }
    sqlite3_finalize(s);
    for (size_t i = 0; i < count; i++) {
        snprintf(drop, sizeof drop, "DROP %s %s", types[i], names[i]);
        sql(drop);
    }
    free(names), free(types);
    return count;
}

/* ---- what goes along ---- */

static void sums_add(const char *payment, long count) {
    sqlite3_stmt *s =
        prepare("UPDATE ledger_account SET debits = debits + ?2 * coalesce((SELECT sum(amount) FROM"
                " ledger_entry WHERE object = ?1 AND debit = ledger_account.n), 0),"
                " credits = credits + ?2 * coalesce((SELECT sum(amount) FROM ledger_entry"
                " WHERE object = ?1 AND credit = ledger_account.n), 0)");
    sqlite3_bind_text(s, 1, payment, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, count);
    if (sqlite3_step(s) != SQLITE_DONE) die("accounts", sqlite3_errmsg(db));
    sqlite3_finalize(s);
}

/* One payment, as often as is asked. */
static void group(const char *order, const char *tag, long from, long count) {
    char payment[64] = "", merchant[64] = "", text[512];
    token_count = row_count = 0;
    memset(rows, 0, sizeof rows);
    sqlite3_stmt *s = prepare("SELECT id, merchant FROM payment WHERE order_id = ?1");
    sqlite3_bind_text(s, 1, order, -1, SQLITE_STATIC);
    if (sqlite3_step(s) != SQLITE_ROW) die(order, "there is no such order");
    snprintf(payment, sizeof payment, "%s", sqlite3_column_text(s, 0));
    snprintf(merchant, sizeof merchant, "%s", sqlite3_column_text(s, 1));
    sqlite3_finalize(s);

    token_add(payment, TOKEN_ID);
    token_add(order, TOKEN_ORDER);
    tokens_of("SELECT id FROM operation WHERE payment = ?1", payment, TOKEN_ID);
    tokens_of("SELECT id FROM job WHERE unique_key IN (SELECT 'ask ' || id FROM operation"
              " WHERE payment = ?1)",
              payment, TOKEN_ID);
    tokens_of("SELECT slot FROM slot WHERE " ITS_SLOT, payment, TOKEN_NUMBER);
    tokens_of("SELECT money_id FROM movement WHERE payment = ?1", payment, TOKEN_HEX);
    tokens_of("SELECT key FROM idempotency WHERE object = ?1", payment, TOKEN_HEX);
    tokens_of("SELECT value FROM operation_key WHERE kind = 'reference' AND operation IN"
              " (SELECT id FROM operation WHERE payment = ?1)",
              payment, TOKEN_HEX);

    payment_n = number_of("SELECT max(n) FROM payment");
    entry_n = number_of("SELECT max(n) FROM ledger_entry");
    snprintf(text, sizeof text, "SELECT last FROM topic WHERE name = '%s'", merchant);
    event_n[0] = number_of(text);
    snprintf(text, sizeof text,
             "SELECT balance FROM mutation WHERE merchant = '%s'"
             " ORDER BY entry DESC LIMIT 1",
             merchant);
    balance = number_of(text);
    take("payment", "id = ?1", payment);
    take("operation", "payment = ?1", payment);
    take("operation_key", "operation IN (SELECT id FROM operation WHERE payment = ?1)", payment);
    take("slot", ITS_SLOT, payment);
    take("job", "unique_key IN (SELECT 'ask ' || id FROM operation WHERE payment = ?1)", payment);
    take("event", "object = ?1 ORDER BY sequence", payment);
    take("idempotency", "object = ?1", payment);
    take("inbox", "payment = ?1", payment);
    take("movement", "payment = ?1", payment);
    take_ledger(payment);

    sums_add(payment, count);
    for (long i = 0; i < count; i++) {
        tokens_renew(tag, from + i, i, count);
        for (size_t k = 0; k < row_count; k++)
            row_copy(&rows[k]);
    }
    snprintf(text, sizeof text, "UPDATE topic SET last = %lld WHERE name = '%s'",
             (long long)event_n[0], merchant);
    sql(text);
    snprintf(text, sizeof text, "UPDATE endpoint SET cursor = %lld WHERE merchant = '%s'",
             (long long)event_n[0], merchant); /* nobody is told of copies */
    sql(text);
    for (size_t i = 0; i < row_count; i++)
        sqlite3_finalize(rows[i].insert);
}

int main(int argc, char **argv) {
    stored = argc > 2 && strcmp(argv[2], "stored") == 0;
    int first = stored ? 3 : 2;
    if (argc < first + 4 || (argc - first) % 4 != 0)
        die("use", "bench_fill DB [stored] ORDER TAG FROM COUNT ...");
    static struct made kept[256];
    clock_real(&clk);
    later = clock_now_ms(&clk) + INT64_C(30) * 86400000;
    rng_seeded(&rng, (uint64_t)clock_now_ms(&clk));
    if (sqlite3_open(argv[1], &db) != SQLITE_OK) die(argv[1], sqlite3_errmsg(db));
    sql("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1500000;"
        "PRAGMA foreign_keys = 0; PRAGMA ignore_check_constraints = 1; PRAGMA temp_store = 1;"
        "PRAGMA locking_mode = EXCLUSIVE");
    sql("BEGIN");
    size_t count_kept = schema_drop(kept, 256, stored);
    for (int i = first; i < argc; i += 4)
        group(argv[i], argv[i + 1], atol(argv[i + 2]), atol(argv[i + 3]));
    for (size_t i = 0; i < count_kept; i++)
        sql(kept[i].text);
    sql("COMMIT");
    sql("PRAGMA synchronous = FULL; PRAGMA locking_mode = NORMAL; PRAGMA journal_mode = WAL");
    sqlite3_close(db);
    return 0;
}
