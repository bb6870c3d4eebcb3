/* XML: expat's callbacks build a tree in an arena.
 *
 * The first failure is kept in the builder and stops the parser; later callbacks, which expat may
 * still make, see it and do nothing. The text of an element is gathered in the buffer of its depth
 * and copied into the arena when the element ends. */
#include "base/xml.h"

#include "base/json.h" /* utf8_step */
#include "base/mem.h"

#include <expat.h>

#define SEPARATOR '\n' /* between namespace and name; no name holds it */

struct builder {
    struct xml_doc *doc;
    XML_Parser parser;
    struct xml_node *open[XML_DEPTH];
    struct xml_node *last[XML_DEPTH]; /* the last child of each */
    struct buf text[XML_DEPTH];       /* kept for the next element of that depth */
    int depth;
    int nodes;
    int err;
    const char *wrong; /* what err is about */
};

static void stop(struct builder *b, int err, const char *wrong) {
    if (b->err != 0) return;
    b->err = err;
    b->wrong = wrong;
    XML_StopParser(b->parser, XML_FALSE);
}

static bool split_name(struct builder *b, const char *name, struct str *space, struct str *local) {
    struct str whole = str_of(name);
    char *copy = arena_dup(&b->doc->arena, whole.p, whole.n);
    if (copy == NULL) return false;
    whole.p = copy;
    if (!str_cut(whole, SEPARATOR, space, local)) {
        *local = whole;
        *space = STR("");
    }
    return true;
}

static bool add_attr(struct builder *b, struct xml_attr **link, const char **pair) {
    struct xml_attr *a = arena_alloc(&b->doc->arena, sizeof *a);
    if (a == NULL || !split_name(b, pair[0], &a->space, &a->name)) return false;
    size_t n = strlen(pair[1]);
    char *value = arena_dup(&b->doc->arena, pair[1], n);
    if (value == NULL) return false;
    a->value = (struct str){value, n};
    *link = a;
    return true;
}

static void on_start(void *data, const char *name, const char **attrs) {
    struct builder *b = data;
    if (b->err != 0) return;
    if (b->depth == XML_DEPTH) {
        stop(b, E_LIMIT, "nested too deep");
        return;
    }
    struct xml_node *node = arena_alloc(&b->doc->arena, sizeof *node);
    if (node == NULL || !split_name(b, name, &node->space, &node->name)) {
        stop(b, E_NOMEM, "out of memory");
        return;
    }
    struct xml_attr **link = &node->attrs;
    b->nodes++;
    for (; *attrs != NULL; attrs += 2) {
        if (b->nodes++ >= XML_NODES_MAX) break;
        if (!add_attr(b, link, attrs)) {
            stop(b, E_NOMEM, "out of memory");
            return;
        }
        link = &(*link)->next;
    }
    if (b->nodes > XML_NODES_MAX) {
        stop(b, E_LIMIT, "too many elements");
        return;
    }
    if (b->depth == 0)
        b->doc->root = node;
    else if (b->last[b->depth - 1] == NULL)
        b->open[b->depth - 1]->first = node;
    else
        b->last[b->depth - 1]->next = node;
    if (b->depth > 0) b->last[b->depth - 1] = node;
    b->open[b->depth] = node;
    b->last[b->depth] = NULL;
    buf_clear(&b->text[b->depth++]);
}

static void on_end(void *data, const char *name) {
    (void)name;
    struct builder *b = data;
    if (b->err != 0) return;
    struct buf *text = &b->text[--b->depth];
    char *copy = text->err != 0 ? NULL : arena_dup(&b->doc->arena, text->data, text->len);
    if (copy == NULL) {
        stop(b, E_NOMEM, "out of memory");
        return;
    }
    b->open[b->depth]->text = (struct str){copy, text->len};
}

static void on_text(void *data, const char *text, int n) {
    struct builder *b = data;
    if (b->err == 0) buf_add(&b->text[b->depth - 1], text, (size_t)n);
}

static void on_doctype(void *data, const char *name, const char *system, const char *public,
                       int internal) {
    (void)name, (void)system, (void)public, (void)internal;
    stop(data, E_DENIED, "a document type is not allowed");
}

static int xml_error(struct builder *b, struct why *why) {
    enum XML_Error code = XML_GetErrorCode(b->parser);
    const char *wrong = b->wrong;
    if (b->err == 0) {
        b->err = code == XML_ERROR_NO_MEMORY ? E_NOMEM : E_SYNTAX;
        wrong = XML_ErrorString(code);
    }
    return why_set(why, b->err, "xml: line %lu, column %lu: %s",
                   (unsigned long)XML_GetCurrentLineNumber(b->parser),
                   (unsigned long)XML_GetCurrentColumnNumber(b->parser) + 1, wrong);
}

int xml_parse(struct xml_doc *doc, struct str text, struct why *why) {
    *doc = (struct xml_doc){0};
    if (text.n > XML_SIZE) return why_set(why, E_LIMIT, "xml: text too long");
    static const XML_Memory_Handling_Suite MEMORY = {mem_alloc, mem_realloc, mem_free};
    static const char NAME_SEPARATOR[] = {SEPARATOR, '\0'};
    struct builder *b = mem_zalloc(sizeof *b); /* too big for a coroutine's C stack */
    if (b == NULL) return why_set(why, E_NOMEM, "xml: out of memory");
    b->doc = doc;
    b->parser = XML_ParserCreate_MM("UTF-8", &MEMORY, NAME_SEPARATOR);
    int err = E_NOMEM;
    if (b->parser == NULL) {
        why_set(why, err, "xml: out of memory");
        goto out;
    }
    XML_SetUserData(b->parser, b);
    XML_SetElementHandler(b->parser, on_start, on_end);
    XML_SetCharacterDataHandler(b->parser, on_text);
    XML_SetStartDoctypeDeclHandler(b->parser, on_doctype);
    err = XML_Parse(b->parser, text.p, (int)text.n, 1) == XML_STATUS_OK ? 0 : xml_error(b, why);
    XML_ParserFree(b->parser);
out:
    for (int i = 0; i < XML_DEPTH; i++)
        buf_free(&b->text[i]);
    mem_free(b);
    if (err != 0) xml_doc_free(doc);
    return err;
}

void xml_doc_free(struct xml_doc *doc) {
    arena_free(&doc->arena);
    doc->root = NULL;
}

const struct xml_node *xml_find(const struct xml_node *node, struct str path) {
    while (node != NULL && path.n != 0) {
        struct str name;
        str_cut(path, '/', &name, &path);
        const struct xml_node *child = node->first;
        while (child != NULL && !str_eq(child->name, name))
            child = child->next;
        node = child;
    }
    return node;
}

const struct xml_attr *xml_attr(const struct xml_node *node, struct str name) {
    const struct xml_attr *a = node == NULL ? NULL : node->attrs;
    while (a != NULL && !str_eq(a->name, name))
        a = a->next;
    return a;
}

int xml_escape(struct str s, struct buf *out) {
    while (s.n != 0) {
        size_t n = utf8_step(s);
        unsigned char c = (unsigned char)s.p[0];
        if (n == 0 || (c < 0x20 && c != '\t' && c != '\n' && c != '\r')) return E_SYNTAX;
        if (n == 3 && c == 0xEF && memcmp(s.p, "\xEF\xBF\xBE", 2) == 0 &&
            (unsigned char)s.p[2] >= 0xBE)
            return E_SYNTAX; /* U+FFFE, U+FFFF */
        switch (c) {
        case '&': buf_adds(out, "&amp;"); break;
        case '<': buf_adds(out, "&lt;"); break;
        case '>': buf_adds(out, "&gt;"); break;
        case '"': buf_adds(out, "&quot;"); break;
        case '\'': buf_adds(out, "&apos;"); break;
        case '\r': buf_adds(out, "&#13;"); break; /* a parser would make it a newline */
        default: buf_add(out, s.p, n);
        }
        s = str_sub(s, n, s.n);
    }
    return out->err;
}

bool xml_is_name(struct str name) {
    bool colon = false, start = true;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c == ':' && !colon && !start) {
            colon = true;
            start = true;
            continue;
        }
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (start || !((c >= '0' && c <= '9') || c == '-' || c == '.'))) return false;
        start = false;
    }
    return !start;
}
