/* diff: Myers' greedy algorithm (An O(ND) difference algorithm, 1986), its rows kept to walk back.
 * Lines are compared by their bytes; memory is bounded by DIFF_EDITS squared. */
#include "base/diff.h"

#include "base/err.h"
#include "base/mem.h"

#define CONTEXT 3

struct lines {
    struct str *at;
    int count;
};

static int split(struct str text, struct lines *out) {
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    out->at = mem_array(n + 1, sizeof *out->at);
    if (out->at == NULL) return E_NOMEM;
    while (text.n != 0) {
        ptrdiff_t end = str_find(text, '\n');
        size_t len = end < 0 ? text.n : (size_t)end + 1;
        out->at[out->count++] = str_sub(text, 0, len);
        text = str_sub(text, len, text.n);
    }
    return 0;
}

/* Marks which lines stay. rows[d] holds the furthest x of diagonals -d..d at offset d. */
struct myers {
    const struct lines *a, *b;
    int **rows;
    int edits;
    bool *keep_a, *keep_b;
};

static int furthest(const int *row, int d, int k) { /* row of d - 1 */
    if (d == 0) return 0;
    int down = k < d - 1 ? row[k + 1 + d - 1] : -1; /* insert: from diagonal k + 1 */
    int right = k > -d + 1 ? row[k - 1 + d - 1] + 1 : -1;
    return down > right || k == -d ? down : right;
}

static int forward(struct myers *m) {
    int n = m->a->count, o = m->b->count;
    for (int d = 0; d <= DIFF_EDITS; d++) {
        m->rows[d] = mem_array((size_t)(2 * d + 1), sizeof(int));
        if (m->rows[d] == NULL) return E_NOMEM;
        m->edits = d;
        for (int k = -d; k <= d; k++)
            m->rows[d][k + d] = -2; /* other parity: not reached */
        for (int k = -d; k <= d; k += 2) {
            int x = furthest(d == 0 ? NULL : m->rows[d - 1], d, k), y = x - k;
            if (x < 0 || x > n || y < 0 || y > o) continue;
            while (x < n && y < o && str_eq(m->a->at[x], m->b->at[y]))
                x++, y++;
            m->rows[d][k + d] = x;
            if (x == n && y == o) return 0;
        }
    }
    m->edits = -1;
    return 0;
}

static void back(struct myers *m) {
    int x = m->a->count, y = m->b->count;
    for (int d = m->edits; d >= 0; d--) {
        int k = x - y;
        int start = furthest(d == 0 ? NULL : m->rows[d - 1], d, k);
        while (x > start) {
            m->keep_a[--x] = true;
            m->keep_b[--y] = true;
        }
        if (d == 0) return;
        const int *row = m->rows[d - 1];
        int down = k < d - 1 ? row[k + 1 + d - 1] : -1;
        if (down == start && (k == -d || down > (k > -d + 1 ? row[k - 1 + d - 1] + 1 : -1)))
            y--;
        else
            x--;
    }
}

static void write_line(struct buf *out, char sign, struct str line) {
    buf_addc(out, sign);
    buf_addstr(out, line);
    if (line.n == 0 || line.p[line.n - 1] != '\n')
        buf_adds(out, "\n\\ No newline at end of file\n");
}

/* One hunk from (i, j) on; returns by moving both behind it. */
static void write_hunk(const struct myers *m, int *i, int *j, struct buf *out) {
    int n = m->a->count, o = m->b->count;
    int a0 = *i > CONTEXT ? *i - CONTEXT : 0, b0 = *j - (*i - a0);
    int x = *i, y = *j, same = 0;
    while ((x < n || y < o) && same < 2 * CONTEXT) {
        if (x < n && !m->keep_a[x])
            x++, same = 0;
        else if (y < o && !m->keep_b[y])
            y++, same = 0;
        else
            x++, y++, same++;
    }
    int extra = same > CONTEXT ? same - CONTEXT : 0;
    int a1 = x - extra, b1 = y - extra;
    buf_addf(out, "@@ -%d,%d +%d,%d @@\n", a1 == a0 ? a0 : a0 + 1, a1 - a0, b1 == b0 ? b0 : b0 + 1,
             b1 - b0);
    for (int p = a0, q = b0; p < a1 || q < b1;) {
        if (p < a1 && !m->keep_a[p])
            write_line(out, '-', m->a->at[p++]);
        else if (q < b1 && !m->keep_b[q])
            write_line(out, '+', m->b->at[q++]);
        else
            write_line(out, ' ', m->a->at[p++]), q++;
    }
    *i = x;
    *j = y;
}

int diff_write(struct str a, struct str b, const char *name_a, const char *name_b,
               struct buf *out) {
    struct lines la = {0}, lb = {0};
    struct myers m = {.a = &la, .b = &lb};
    int err = E_NOMEM;
    if (str_eq(a, b)) return 0;
    if (split(a, &la) != 0 || split(b, &lb) != 0) goto out;
    m.rows = mem_array(DIFF_EDITS + 1, sizeof *m.rows);
    m.keep_a = mem_array((size_t)la.count + 1, sizeof(bool));
    m.keep_b = mem_array((size_t)lb.count + 1, sizeof(bool));
    if (m.rows == NULL || m.keep_a == NULL || m.keep_b == NULL) goto out;
    if ((err = forward(&m)) != 0) goto out;
    if (m.edits >= 0) back(&m);
    buf_addf(out, "--- %s\n+++ %s\n", name_a, name_b);
    for (int i = 0, j = 0; i < la.count || j < lb.count;) {
        if (i < la.count && j < lb.count && m.keep_a[i] && m.keep_b[j])
            i++, j++;
        else
            write_hunk(&m, &i, &j, out);
    }
    err = out->err;
out:
    for (int d = 0; m.rows != NULL && d <= DIFF_EDITS; d++)
        mem_free(m.rows[d]);
    mem_free(m.rows);
    mem_free(m.keep_a);
    mem_free(m.keep_b);
    mem_free(la.at);
    mem_free(lb.at);
    return err;
}
