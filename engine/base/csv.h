/* CSV by RFC 4180. Reading is incremental: push bytes, take rows. Strict about quotes (none inside
 * a plain cell, nothing behind a closing one), lines end with CRLF or LF, a byte-order mark at the
 * start is passed over, and so are empty lines. Writing guards against spreadsheets that run what
 * begins with = + - @: such a cell gets an apostrophe in front, unless it is a plain number. */
#ifndef LUWAK_BASE_CSV_H
#define LUWAK_BASE_CSV_H

#include "base/buf.h"
#include "base/err.h"

#define CSV_CELLS_MAX 1024              /* of one row */
#define CSV_ROW_MAX   ((size_t)1 << 20) /* bytes of one row */

struct csv {
    char separator; /* 0: ',' */
    const char *p, *end;
    bool finished;    /* no more bytes will come */
    int state;        /* csv.c */
    int error;        /* sticks */
    size_t line;      /* for messages: the line being read */
    size_t bom;       /* bytes of a byte-order mark seen at the start */
    struct buf bytes; /* the cells of the row, each with a NUL behind */
    size_t count;
    size_t ends[CSV_CELLS_MAX]; /* where each cell ends in bytes */
};

void csv_init(struct csv *c, char separator);
void csv_free(struct csv *c);
void csv_push(struct csv *c, struct str bytes); /* a view, used until csv_next returns 0 */
void csv_finish(struct csv *c);                 /* what was pushed last was the end */

/* 1: a row, its cells valid until the next call; 0: push more, or after csv_finish the end;
 * negative: E_SYNTAX, E_LIMIT, E_NOMEM. */
int csv_next(struct csv *c, struct why *why);
struct str csv_cell(const struct csv *c, size_t index);

struct csv_out {
    struct buf *b;
    char separator;
    bool inside; /* a cell was written in this row */
};

void csv_put(struct csv_out *w, struct str cell);
void csv_end_row(struct csv_out *w);

#endif
