/* CSV: a machine over bytes that stops at each row.
 *
 *   BEGIN ──▶ PLAIN ──sep──▶ CELL ──"──▶ QUOTED ──"──▶ QUOTE ──"──▶ QUOTED
 *     │          └─CR─▶ CR ─LF─▶ row                     └─sep, CR, LF: as in PLAIN
 *     └ an empty line is no row
 *
 * The row's cells stand one behind the other in c->bytes, which c owns. */
#include "base/csv.h"

#include "base/json.h" /* json_is_number: what a plain number is */

enum state { BEGIN, CELL, PLAIN, QUOTED, QUOTE, CR, EMPTY_CR };

void csv_init(struct csv *c, char separator) {
    memset(c, 0, sizeof *c);
    c->separator = separator == 0 ? ',' : separator;
    c->line = 1;
    c->bytes.max = CSV_ROW_MAX;
}

void csv_free(struct csv *c) {
    buf_free(&c->bytes);
}

void csv_push(struct csv *c, struct str bytes) {
    c->p = bytes.p;
    c->end = bytes.p + bytes.n;
}

void csv_finish(struct csv *c) {
    c->finished = true;
}

static int fail(struct csv *c, int code, struct why *why, const char *text) {
    c->error = code;
    return why_set(why, code, "csv: line %zu: %s", c->line, text);
}

static int end_cell(struct csv *c, struct why *why) {
    if (c->count == CSV_CELLS_MAX) return fail(c, E_LIMIT, why, "too many cells");
    c->ends[c->count++] = c->bytes.len;
    buf_addc(&c->bytes, '\0');
    return 0;
}

static int end_row(struct csv *c, struct why *why) {
    int err = end_cell(c, why);
    c->state = BEGIN;
    if (err == 0 && c->bytes.err != 0)
        err =
            fail(c, c->bytes.err, why, c->bytes.err == E_LIMIT ? "row too long" : "out of memory");
    return err == 0 ? 1 : err;
}

/* A byte that is not part of a quoted cell. 1: the row is whole. */
static int outside(struct csv *c, char byte, struct why *why) {
    if (byte == c->separator) {
        c->state = CELL;
        return end_cell(c, why);
    }
    if (byte == '\n') return end_row(c, why);
    if (byte == '\r') {
        c->state = CR;
        return 0;
    }
    if (c->state == QUOTE) return fail(c, E_SYNTAX, why, "something behind a closing quote");
    if (byte == '"') {
        if (c->state == PLAIN) return fail(c, E_SYNTAX, why, "a quote inside a plain cell");
        c->state = QUOTED;
        return 0;
    }
    c->state = PLAIN;
    buf_addc(&c->bytes, byte);
    return 0;
}

static int step(struct csv *c, char byte, struct why *why) {
    if (byte == '\0') return fail(c, E_SYNTAX, why, "a NUL byte");
    switch ((enum state)c->state) {
    case BEGIN:
        if (byte == '\n') return 0;
        if (byte == '\r') {
            c->state = EMPTY_CR;
            return 0;
        }
        return outside(c, byte, why);
    case QUOTED:
        if (byte == '"')
            c->state = QUOTE;
        else
            buf_addc(&c->bytes, byte);
        return 0;
    case QUOTE:
        if (byte != '"') return outside(c, byte, why);
        buf_addc(&c->bytes, '"');
        c->state = QUOTED;
        return 0;
    case CR:
    case EMPTY_CR:
        if (byte != '\n') return fail(c, E_SYNTAX, why, "a carriage return alone");
        if (c->state == CR) return end_row(c, why);
        c->state = BEGIN;
        return 0;
    default: return outside(c, byte, why);
    }
}

static int at_end(struct csv *c, struct why *why) {
    switch ((enum state)c->state) {
    case BEGIN: return 0;
    case QUOTED: return fail(c, E_SYNTAX, why, "a quoted cell without an end");
    case CR:
    case EMPTY_CR: return fail(c, E_SYNTAX, why, "a carriage return alone");
    default: return end_row(c, why); /* the last line may lack its end */
    }
}

int csv_next(struct csv *c, struct why *why) {
    static const char BOM[] = "\xEF\xBB\xBF";
    if (c->error != 0) return why_set(why, c->error, "csv: %s", err_text(c->error));
    if (c->state == BEGIN) {
        c->count = 0;
        buf_clear(&c->bytes);
    }
    while (c->p != c->end) {
        char byte = *c->p++;
        if (c->bom < 3) {
            if (byte == BOM[c->bom]) {
                if (++c->bom == 3)
                    buf_clear(&c->bytes), c->state = BEGIN;
                else
                    buf_addc(&c->bytes, byte), c->state = PLAIN;
                continue;
            }
            c->bom = 3; /* what looked like one was text, and is in the cell already */
        }
        int got = step(c, byte, why);
        if (byte == '\n') c->line++;
        if (c->bytes.err == E_LIMIT && got >= 0) return fail(c, E_LIMIT, why, "row too long");
        if (got != 0) return got;
    }
    return c->finished ? at_end(c, why) : 0;
}

struct str csv_cell(const struct csv *c, size_t index) {
    if (index >= c->count) return (struct str){"", 0};
    size_t from = index == 0 ? 0 : c->ends[index - 1] + 1;
    return (struct str){c->bytes.data + from, c->ends[index] - from};
}

/* ---- writing ---- */

void csv_put(struct csv_out *w, struct str cell) {
    char separator = w->separator == 0 ? ',' : w->separator;
    if (w->inside) buf_addc(w->b, separator);
    w->inside = true;
    bool guard = cell.n != 0 && memchr("=+-@\t\r", cell.p[0], 6) != NULL && !json_is_number(cell);
    bool quote = cell.n == 0; /* so that a row of one empty cell is not an empty line */
    for (size_t i = 0; i < cell.n && !quote; i++)
        quote = cell.p[i] == separator || memchr("\"\r\n", cell.p[i], 3) != NULL;
    if (cell.n != 0) quote = quote || cell.p[0] == ' ' || cell.p[cell.n - 1] == ' ';
    if (quote) buf_addc(w->b, '"');
    if (guard) buf_addc(w->b, '\'');
    for (size_t i = 0; i < cell.n; i++) {
        if (cell.p[i] == '"') buf_addc(w->b, '"');
        buf_addc(w->b, cell.p[i]);
    }
    if (quote) buf_addc(w->b, '"');
}

void csv_end_row(struct csv_out *w) {
    buf_adds(w->b, "\r\n");
    w->inside = false;
}
