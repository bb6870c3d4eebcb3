/* JSON: nothing crashes, strict is a part of lenient, and what is accepted writes back to a text
 * that reads the same. */
#include "base/ensure.h"
#include "base/json.h"

static void write_tree(const struct json *root, struct buf *b) {
    struct json_out w;
    json_out_init(&w, b);
    json_value(&w, root);
    ENSURE(json_out_end(&w) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = {(const char *)data, size};
    int strict = E_SYNTAX;
    for (int lenient = 0; lenient < 2; lenient++) {
        struct json_limits limits = {.lenient = lenient != 0};
        struct json_doc doc, again;
        int err = json_parse(&doc, text, &limits, NULL);
        if (lenient == 0) strict = err;
        ENSURE(lenient == 0 || strict != 0 || err == 0);
        if (err != 0) continue;
        struct buf one = {0}, two = {0};
        write_tree(doc.root, &one);
        ENSURE(json_parse(&again, buf_str(&one), NULL, NULL) == 0);
        write_tree(again.root, &two);
        ENSURE(str_eq(buf_str(&one), buf_str(&two)));
        buf_free(&one);
        buf_free(&two);
        json_doc_free(&doc);
        json_doc_free(&again);
    }
    /* any bytes as a string for the log */
    struct buf b = {0};
    struct json_out w;
    struct json_doc doc;
    json_out_init(&w, &b);
    w.repair = true;
    json_str(&w, text);
    ENSURE(json_out_end(&w) == 0);
    ENSURE(json_parse(&doc, buf_str(&b), NULL, NULL) == 0);
    json_doc_free(&doc);
    buf_free(&b);
    return 0;
}
