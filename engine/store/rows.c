/* Rows: the answer of a query, immutable, in one allocation (struct, names, values, bytes), so that
 * handing them between threads and freeing them is one pointer. Built through a rows_builder; text
 * and blobs have a NUL behind them that is not counted. */
#include "base/ensure.h"
#include "base/mem.h"
#include "store/store_private.h"

#include <stdatomic.h>

struct rows {
    _Atomic int owners;
    size_t count;
    size_t columns;
    const char **names;
    struct val *cells;
};

/* A value while the bytes may still move: `offset` instead of a pointer. */
struct cell {
    enum val_type type;
    int64_t i; /* the number, or the offset in bytes */
    size_t n;
};

void rows_build_name(struct rows_builder *b, const char *name) {
    buf_add(&b->names, name, strlen(name) + 1);
    b->columns++;
}

void rows_build_cell(struct rows_builder *b, const struct val *value) {
    struct cell cell = {.type = value->type, .i = value->i};
    if (value->type == VAL_TEXT || value->type == VAL_BLOB) {
        cell.i = (int64_t)b->bytes.len;
        cell.n = value->s.n;
        b->bytes.max = ROWS_BYTES_MAX;
        buf_addstr(&b->bytes, value->s);
        buf_addc(&b->bytes, '\0');
    }
    b->cells.max = ROWS_BYTES_MAX;
    buf_add(&b->cells, &cell, sizeof cell);
    b->count++;
}

int rows_build_done(struct rows_builder *b, struct rows **out) {
    int err = b->names.err != 0 ? b->names.err : b->cells.err != 0 ? b->cells.err : b->bytes.err;
    if (err != 0) goto done;
    size_t head = sizeof(struct rows) + b->columns * sizeof(char *);
    head = (head + 15) & ~(size_t)15;
    size_t values = b->count * sizeof(struct val);
    char *block = mem_alloc(head + values + b->names.len + b->bytes.len);
    if (block == NULL) {
        err = E_NOMEM;
        goto done;
    }
    struct rows *rows = (struct rows *)block;
    rows->columns = b->columns;
    atomic_init(&rows->owners, 1);
    rows->count = b->columns == 0 ? 0 : b->count / b->columns;
    rows->names = (const char **)(block + sizeof *rows);
    rows->cells = (struct val *)(block + head);
    char *names = block + head + values, *bytes = names + b->names.len;
    if (b->names.len != 0) memcpy(names, b->names.data, b->names.len);
    if (b->bytes.len != 0) memcpy(bytes, b->bytes.data, b->bytes.len);
    for (size_t i = 0; i < b->columns; i++, names += strlen(names) + 1)
        rows->names[i] = names;
    for (size_t i = 0; i < b->count; i++) {
        struct cell cell;
        memcpy(&cell, b->cells.data + i * sizeof cell, sizeof cell);
        rows->cells[i] = (struct val){.type = cell.type, .i = cell.i};
        if (cell.type == VAL_TEXT || cell.type == VAL_BLOB)
            rows->cells[i] = (struct val){.type = cell.type, .s = {bytes + cell.i, cell.n}};
    }
    *out = rows;
done:
    buf_free(&b->names);
    buf_free(&b->cells);
    buf_free(&b->bytes);
    return err;
}

size_t rows_count(const struct rows *rows) {
    return rows == NULL ? 0 : rows->count;
}
size_t rows_columns(const struct rows *rows) {
    return rows == NULL ? 0 : rows->columns;
}
const char *rows_name(const struct rows *rows, size_t column) {
    ENSURE(column < rows->columns);
    return rows->names[column];
}
struct val rows_at(const struct rows *rows, size_t row, size_t column) {
    ENSURE(row < rows->count);
    ENSURE(column < rows->columns);
    return rows->cells[row * rows->columns + column];
}
int64_t rows_int(const struct rows *rows, size_t row, size_t column) {
    struct val v = rows_at(rows, row, column);
    return v.type == VAL_INT ? v.i : 0;
}
struct str rows_text(const struct rows *rows, size_t row, size_t column) {
    struct val v = rows_at(rows, row, column);
    return v.type == VAL_TEXT || v.type == VAL_BLOB ? v.s : STR("");
}
bool rows_null(const struct rows *rows, size_t row, size_t column) {
    return rows_at(rows, row, column).type == VAL_NULL;
}
void rows_free(struct rows *rows) {
    if (rows != NULL && atomic_fetch_sub(&rows->owners, 1) == 1) mem_free(rows);
}

struct rows *rows_keep(const struct rows *rows) {
    struct rows *kept = (struct rows *)rows; /* immutable but for its owners */
    atomic_fetch_add(&kept->owners, 1);
    return kept;
}

/* ---- for the socket: u32 columns, names, u32 rows, values ---- */

void rows_encode(const struct rows *rows, struct buf *out) {
    wire_put_u32(out, (uint32_t)rows_columns(rows));
    for (size_t i = 0; i < rows_columns(rows); i++)
        wire_put_str(out, str_of(rows->names[i]));
    wire_put_u32(out, (uint32_t)rows_count(rows));
    for (size_t i = 0; i < rows_count(rows) * rows_columns(rows); i++)
        wire_put_val(out, &rows->cells[i]);
}

int rows_decode(struct wire_in *in, struct rows **out) {
    struct rows_builder b = {0};
    uint32_t columns = wire_u32(in);
    for (uint32_t i = 0; i < columns && !in->bad; i++) {
        struct str name = wire_str(in);
        if (name.n != 0 && memchr(name.p, '\0', name.n) != NULL) in->bad = true;
        buf_addstr(&b.names, name);
        buf_addc(&b.names, '\0');
        b.columns++;
    }
    uint64_t cells = (uint64_t)wire_u32(in) * columns;
    for (uint64_t i = 0; i < cells && !in->bad; i++) {
        struct val v = wire_val(in);
        rows_build_cell(&b, &v);
    }
    if (in->bad && b.names.err == 0) b.names.err = E_SYNTAX;
    return rows_build_done(&b, out);
}
