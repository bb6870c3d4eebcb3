/* CSV and XML: what is read writes back to a text that reads the same; the first byte chooses how
 * the text is cut into pieces. */
#include "base/csv.h"
#include "base/ensure.h"
#include "base/xml.h"

/* All rows, as text that shows every boundary; pieces of `piece` bytes. */
static int all_rows(struct str text, size_t piece, struct buf *out) {
    static struct csv c;
    int got;
    csv_init(&c, ',');
    csv_push(&c, STR(""));
    for (;;) {
        got = csv_next(&c, NULL);
        if (got < 0 || (got == 0 && c.finished)) break;
        if (got == 0) {
            size_t n = text.n < piece ? text.n : piece;
            if (n == 0) csv_finish(&c);
            csv_push(&c, str_sub(text, 0, n));
            text = str_sub(text, n, text.n);
            continue;
        }
        for (size_t i = 0; i < c.count; i++) {
            buf_addf(out, "%zu:", csv_cell(&c, i).n);
            buf_addstr(out, csv_cell(&c, i));
        }
        buf_addc(out, '\n');
    }
    csv_free(&c);
    return got;
}

static void walk(const struct xml_node *node, struct buf *out) {
    buf_clear(out);
    ENSURE(xml_escape(node->text, out) == 0);
    for (const struct xml_attr *a = node->attrs; a != NULL; a = a->next)
        ENSURE(xml_escape(a->value, out) == 0);
    for (const struct xml_node *child = node->first; child != NULL; child = child->next)
        walk(child, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    struct str text = {(const char *)data + 1, size - 1};
    struct buf whole = {0}, cut = {0};
    int a = all_rows(text, SIZE_MAX, &whole), b = all_rows(text, 1 + data[0] % 5, &cut);
    ENSURE(a == b && str_eq(buf_str(&whole), buf_str(&cut)));
    struct xml_doc doc;
    if (xml_parse(&doc, text, NULL) == 0) {
        walk(doc.root, &cut);
        xml_doc_free(&doc);
    }
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
