/* XML: trees, what is refused, limits, escaping. */
#include "base/mem.h"
#include "base/xml.h"
#include "unit.h"

static int parse(const char *text) {
    struct xml_doc doc;
    int err = xml_parse(&doc, str_of(text), NULL);
    if (err == 0) xml_doc_free(&doc);
    return err;
}

static void trees_are_read(void **state) {
    (void)state;
    struct xml_doc doc;
    CHECK_OK(xml_parse(&doc,
                       STR("<?xml version='1.0' encoding='UTF-8'?>\n"
                           "<s:Envelope xmlns:s='http://soap' xmlns='d'><s:Body>\n"
                           "<r a='1' s:b='&lt;2'>3<x/>6<![CDATA[<0>]]>&amp;&#65;<!-- no --></r>"
                           "<r>second</r></s:Body></s:Envelope>"),
                       NULL));
    CHECK_STR(doc.root->name, "Envelope");
    CHECK_STR(doc.root->space, "http://soap");
    const struct xml_node *r = xml_find(doc.root, STR("Body/r"));
    CHECK(r != NULL);
    CHECK_STR(r->space, "d");
    CHECK_STR(r->text, "36<0>&A");
    CHECK_STR(xml_attr(r, STR("a"))->value, "1");
    CHECK_STR(xml_attr(r, STR("a"))->space, "");
    CHECK_STR(xml_attr(r, STR("b"))->value, "<2");
    CHECK_STR(xml_attr(r, STR("b"))->space, "http://soap");
    CHECK_STR(r->next->text, "second");
    CHECK_STR(xml_find(r, STR("x"))->text, "");
    CHECK(xml_find(doc.root, STR("")) == doc.root);
    CHECK(xml_find(doc.root, STR("Body/none/r")) == NULL);
    CHECK(xml_attr(r, STR("none")) == NULL);
    CHECK(xml_attr(NULL, STR("none")) == NULL);
    xml_doc_free(&doc);
}

static void danger_is_refused(void **state) {
    (void)state;
    CHECK_ERR(parse("<!DOCTYPE a><a/>"), E_DENIED);
    CHECK_ERR(parse("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>"), E_DENIED);
    CHECK_ERR(parse("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"), E_DENIED);
    CHECK_ERR(parse("<a>&x;</a>"), E_SYNTAX);
    CHECK_ERR(parse("<a>&nbsp;</a>"), E_SYNTAX);
    CHECK_ERR(parse(""), E_SYNTAX);
    CHECK_ERR(parse("<a>"), E_SYNTAX);
    CHECK_ERR(parse("<a></b>"), E_SYNTAX);
    CHECK_ERR(parse("<a/><b/>"), E_SYNTAX);
    CHECK_ERR(parse("<a b='1' b='2'/>"), E_SYNTAX);
    CHECK_ERR(parse("<p:a/>"), E_SYNTAX);
    CHECK_ERR(parse("<a>\xFF</a>"), E_SYNTAX);
    CHECK_ERR(parse("<a>&#0;</a>"), E_SYNTAX);
    struct why why = {0};
    struct xml_doc doc;
    CHECK_ERR(xml_parse(&doc, STR("<a>\n<b></c></a>"), &why), E_SYNTAX);
    CHECK_STR(str_of(why.text), "xml: line 2, column 6: mismatched tag");
}

static void limits_hold(void **state) {
    (void)state;
    struct buf b = {0};
    for (int depth = XML_DEPTH; depth <= XML_DEPTH + 1; depth++) {
        buf_clear(&b);
        for (int i = 0; i < depth; i++)
            buf_adds(&b, "<a>");
        for (int i = 0; i < depth; i++)
            buf_adds(&b, "</a>");
        CHECK_ERR(parse(b.data), depth > XML_DEPTH ? E_LIMIT : 0);
    }
    for (int nodes = XML_NODES_MAX; nodes <= XML_NODES_MAX + 1; nodes++) {
        buf_clear(&b);
        buf_adds(&b, "<a>");
        for (int i = 1; i < nodes; i++)
            buf_adds(&b, "<a/>");
        buf_adds(&b, "</a>");
        CHECK_ERR(parse(b.data), nodes > XML_NODES_MAX ? E_LIMIT : 0);
    }
    buf_clear(&b);
    buf_adds(&b, "<a ");
    for (int i = 0; i <= XML_NODES_MAX; i++)
        buf_addf(&b, "b%d='' ", i);
    buf_adds(&b, "/>");
    CHECK_ERR(parse(b.data), E_LIMIT);
    buf_clear(&b);
    buf_adds(&b, "<a>");
    while (b.len <= XML_SIZE)
        buf_adds(&b, "xxxxxxxxxxxxxxxx");
    buf_adds(&b, "</a>");
    CHECK_ERR(parse(b.data), E_LIMIT);
    buf_free(&b);
}

static void every_failed_allocation_is_survived(void **state) {
    (void)state;
    int64_t live = mem_live();
    bool failed = true;
    int nth = 1;
    for (; failed; nth++) {
        mem_fail_at((uint64_t)nth, 0);
        int err = parse("<s:a xmlns:s='u' b='some value'>text<c>more text</c></s:a>");
        failed = mem_has_failed();
        mem_fail_at(0, 0);
        CHECK_ERR(err, failed ? E_NOMEM : 0);
        CHECK(mem_live() == live);
    }
    CHECK(nth > 10);
}

static void texts_are_escaped(void **state) {
    (void)state;
    struct buf b = {0};
    CHECK_OK(xml_escape(STR("a<b>&\"'\r\n\t\xC3\xA9\xEF\xBF\xBD"), &b));
    CHECK_STR(buf_str(&b), "a&lt;b&gt;&amp;&quot;&apos;&#13;\n\t\xC3\xA9\xEF\xBF\xBD");
    CHECK_ERR(xml_escape(STR("\1"), &b), E_SYNTAX);
    CHECK_ERR(xml_escape(STR("a\0"), &b), E_SYNTAX);
    CHECK_ERR(xml_escape(STR("\xFF"), &b), E_SYNTAX);
    CHECK_ERR(xml_escape(STR("\xEF\xBF\xBE"), &b), E_SYNTAX);
    CHECK_ERR(xml_escape(STR("\xEF\xBF\xBF"), &b), E_SYNTAX);
    buf_free(&b);
    CHECK(xml_is_name(STR("s:Envelope")));
    CHECK(xml_is_name(STR("_a-1.b")));
    static const char *const BAD[] = {"", ":", "a:", ":a", "a:b:c", "1a", "-a", "a b", "a<", "a:1"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        CHECK(!xml_is_name(str_of(BAD[i])));
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(trees_are_read),    cmocka_unit_test(danger_is_refused),
    cmocka_unit_test(limits_hold),       cmocka_unit_test(every_failed_allocation_is_survived),
    cmocka_unit_test(texts_are_escaped),
};
UNIT_MAIN("xml", TESTS)
