/* The JSON reader, tree and writer, against RFC 8259. The public suite: test_json_suite.c. */
#include "base/json.h"
#include "base/mem.h"
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int parse(const char *text, size_t n) {
    struct json_doc doc;
    int err = json_parse(&doc, (struct str){text, n}, NULL, NULL);
    if (err == 0) json_doc_free(&doc);
    return err;
}
#define PARSE(literal) parse("" literal, sizeof(literal) - 1)

static int parse_lenient(const char *text, struct json_doc *doc) {
    struct json_limits limits = {.lenient = true};
    return json_parse(doc, str_of(text), &limits, NULL);
}

/* What the tree writes back must equal `out`. */
static void check_writes(const char *in, size_t n, const char *out) {
    struct json_doc doc;
    struct why why = {0};
    int err = json_parse(&doc, (struct str){in, n}, NULL, &why);
    if (err != 0) print_error("%s: %s\n", in, why.text);
    CHECK_OK(err);
    struct buf b = {0};
    struct json_out w;
    json_out_init(&w, &b);
    json_value(&w, doc.root);
    CHECK_OK(json_out_end(&w));
    CHECK_STR(buf_str(&b), out);
    buf_free(&b);
    json_doc_free(&doc);
}
#define WRITES(in, out) check_writes("" in, sizeof(in) - 1, out)

static void integers_are_exact(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } GOOD[] = {{"0", 0},
                {"-1", -1},
                {"150000", 150000},
                {"9007199254740993", 9007199254740993},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        struct json_doc doc;
        CHECK_OK(json_parse(&doc, str_of(GOOD[i].text), NULL, NULL));
        CHECK_INT(doc.root->type, JT_INT);
        CHECK(doc.root->i == GOOD[i].value);
        json_doc_free(&doc);
    }
}

static void other_numbers_keep_their_text(void **state) {
    (void)state;
    static const char *const TEXTS[] = {"72500.00",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "12345678901234567890",
                                        "1e5",
                                        "1E+5",
                                        "-0",
                                        "0.10",
                                        "-1.5e-300",
                                        "1e999999",
                                        "-0.0"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        struct json_doc doc;
        CHECK_OK(json_parse(&doc, str_of(TEXTS[i]), NULL, NULL));
        CHECK_INT(doc.root->type, JT_NUMBER);
        CHECK_STR(doc.root->s, TEXTS[i]);
        json_doc_free(&doc);
        check_writes(TEXTS[i], strlen(TEXTS[i]), TEXTS[i]);
    }
    static const char *const BAD[] = {"01",       "-",    "+1",  "1.",   ".5",   "1e",
                                      "1e+",      "0x10", "1_0", "NaN",  "-01",  "--1",
                                      "Infinity", "1.e1", "-a",  "1ee2", "1.5.2"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        CHECK_ERR(parse(BAD[i], strlen(BAD[i])), E_SYNTAX);
        CHECK(!json_is_number(str_of(BAD[i])));
    }
    CHECK(json_is_number(STR("-12.50e+3")));
    CHECK(!json_is_number(STR("")));
    CHECK(!json_is_number(STR("12 ")));
}

static void strings_are_checked_and_decoded(void **state) {
    (void)state;
    WRITES("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"", "\"a\\\"\\\\/\\b\\f\\n\\r\\tA\"");
    WRITES("\"\\u00e9\\u20AC\\ud83D\\uDE00\"", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
    WRITES("\"\\u0000\\u001f\x7f\"", "\"\\u0000\\u001f\x7f\"");
    WRITES("\"\xF4\x8F\xBF\xBF\xED\x9F\xBF\xE0\xA0\x80\xF0\x90\x80\x80\xC2\x80\xEE\x80\x80\"",
           "\"\xF4\x8F\xBF\xBF\xED\x9F\xBF\xE0\xA0\x80\xF0\x90\x80\x80\xC2\x80\xEE\x80\x80\"");
    static const char *const BAD[] = {"\"",
                                      "\"\\",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12G4\"",
                                      "\"\n\"",
                                      "\"\x1f\"",
                                      "\"\\ud800\"",
                                      "\"\\udc00\"",
                                      "\"\\ud800\\u0041\"",
                                      "\"\\ud800x\"",
                                      "\"\\ud800\\n23456\"",
                                      "\"\x80\"",
                                      "\"\xC0\x80\"",
                                      "\"\xC1\xBF\"",
                                      "\"\xE0\x9F\xBF\"",
                                      "\"\xED\xA0\x80\"",
                                      "\"\xF0\x8F\xBF\xBF\"",
                                      "\"\xF4\x90\x80\x80\"",
                                      "\"\xF5\x80\x80\x80\"",
                                      "\"\xE2\x82\"",
                                      "\"\xC3\"",
                                      "\"\xE2\x28\xA1\"",
                                      "\"\xFF\"",
                                      "\"\\ud800\\ue000\"",
                                      "\"\\ud800\\uZZZZ\"",
                                      "\"\\ud800\\udc0\"",
                                      "\"\xF0\x9F\x98"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        CHECK_ERR(parse(BAD[i], strlen(BAD[i])), E_SYNTAX);
    CHECK_ERR(PARSE("\"\\\0\""), E_SYNTAX);
    CHECK_ERR(PARSE("\"a\0b\""), E_SYNTAX);
    CHECK(utf8_valid(STR("a\xC3\xA9")));
    CHECK(!utf8_valid(STR("a\xC3")));
    CHECK_INT(utf8_step(STR("")), 0);
}

static void structure_is_strict(void **state) {
    (void)state;
    WRITES(" { \"b\" : [ 1 , true , { } ] ,\r\n\t\"a\" : null } ",
           "{\"b\":[1,true,{}],\"a\":null}");
    WRITES("[[[]],{\"x\":{\"y\":[false]}},2]", "[[[]],{\"x\":{\"y\":[false]}},2]");
    static const char *const BAD[] = {"",
                                      " ",
                                      "[",
                                      "]",
                                      "{",
                                      "}",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "[1}",
                                      "{\"a\"}",
                                      "{a:1}",
                                      "{1:1}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{\"a\" 1}",
                                      "{,}",
                                      "[1",
                                      "{\"a\"",
                                      "{\"a\":1",
                                      "{\"a\":1 \"b\":2}",
                                      "nul",
                                      "tru",
                                      "True",
                                      "nullx",
                                      "[1]]",
                                      "1 2",
                                      "{\"a\":1]",
                                      "[1,",
                                      "{\"a\":1,",
                                      "{\"a",
                                      "// c\n1",
                                      "'a'",
                                      "\xEF\xBB\xBF{}",
                                      "\v1",
                                      "[\"a\",\n4\n,1,"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        CHECK_ERR(parse(BAD[i], strlen(BAD[i])), E_SYNTAX);
    CHECK_ERR(PARSE("1\0"), E_SYNTAX);
}

static void errors_say_where(void **state) {
    (void)state;
    struct json_doc doc;
    struct why why = {0};
    CHECK_ERR(json_parse(&doc, STR("{\n \"a\": 01}"), NULL, &why), E_SYNTAX);
    CHECK_STR(str_of(why.text), "json: line 2, column 7: malformed number");
    struct json_reader r;
    json_reader_init(&r, STR("[x"), NULL);
    CHECK_INT(json_next(&r, NULL), JSON_ARRAY);
    CHECK_ERR(json_next(&r, &why), E_SYNTAX);
    CHECK_ERR(json_next(&r, &why), E_SYNTAX); /* it sticks */
    json_reader_init(&r, STR("1"), NULL);
    CHECK_INT(json_next(&r, NULL), JSON_INT);
    CHECK_INT(json_next(&r, NULL), JSON_END);
    CHECK_INT(json_next(&r, NULL), JSON_END);
}

static void keys_come_once(void **state) {
    (void)state;
    struct json_doc doc;
    struct why why = {0};
    CHECK_ERR(json_parse(&doc, STR("{\"a\":1, \"\\u0061\":2}"), NULL, &why), E_SYNTAX);
    CHECK_STR(str_of(why.text), "json: line 1, column 9: this key is there twice");
    CHECK_OK(PARSE("{\"a\":{\"a\":1},\"b\":[{\"a\":2}]}"));
    CHECK_ERR(PARSE("{\"\":1,\"\":2}"), E_SYNTAX);
    /* more members than are compared pair by pair */
    struct buf b = {0};
    for (int twice = 0; twice < 2; twice++) {
        buf_clear(&b);
        buf_adds(&b, "{");
        for (int i = 0; i < 300; i++)
            buf_addf(&b, "\"k%d\":%d,", (i * 7919) % 300, i);
        buf_adds(&b, twice ? "\"k77\":0}" : "\"k300\":0}");
        CHECK_ERR(parse(b.data, b.len), twice ? E_SYNTAX : 0);
    }
    buf_free(&b);
}

static void lenient_takes_the_last_of_twins(void **state) {
    (void)state;
    struct json_doc doc;
    CHECK_OK(parse_lenient("{\"a\":1,\"\":0,\"b\":2,\"a\":3,\"a\":4,\"\":5}", &doc));
    CHECK_INT(doc.root->count, 3);
    CHECK_INT(json_get(doc.root, "a")->i, 4);
    CHECK_INT(json_get(doc.root, "b")->i, 2);
    CHECK_INT(json_get(doc.root, "")->i, 5);
    json_doc_free(&doc);
    struct buf b = {0};
    buf_adds(&b, "{");
    for (int i = 0; i < 60; i++)
        buf_addf(&b, "\"k%d\":%d,", i % 20, i);
    buf_adds(&b, "\"z\":1}");
    CHECK_OK(parse_lenient(b.data, &doc));
    buf_free(&b);
    CHECK_INT(doc.root->count, 21);
    CHECK_INT(json_get(doc.root, "k7")->i, 47);
    json_doc_free(&doc);
}

static void lenient_takes_unescaped_json_in_a_string(void **state) {
    (void)state;
    static const struct {
        const char *text, *value; /* value NULL: refused */
    } CASES[] = {{"{\"x\":\"{\"a\":\"b\"}\",\"n\":1}", "{\"a\":\"b\"}"},
                 {"{\"x\":\"[{\"a\":1},2]\",\"n\":1}", "[{\"a\":1},2]"},
                 {"{\"x\":\"{\" ,\"n\":1}", "{"},
                 {"{\"x\":\"[\"\n}", "["},
                 {"{\"x\":\"{\\\"a\\\":1}\"}", "{\"a\":1}"},
                 {"{\"x\":\"{}\"}", "{}"},
                 {"{\"x\":\"{\"a\":1}}", NULL},
                 {"{\"x\":\"{\"a\":1", NULL},
                 {"{\"x\":\"{\"a\":1}x\"}", NULL},
                 {"{\"x\":\"{\"a\":1,}\"}", NULL},
                 {"{\"x\":\"a\"b\"}", NULL},
                 {"{\"x\":\"", NULL},
                 {"{\"x\":\"{\"a\":1}", NULL}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct json_doc doc;
        CHECK_ERR(parse_lenient(CASES[i].text, &doc), CASES[i].value == NULL ? E_SYNTAX : 0);
        if (CASES[i].value == NULL) continue;
        struct str value = {0};
        CHECK_OK(json_get_str(doc.root, "x", &value));
        CHECK_STR(value, CASES[i].value);
        json_doc_free(&doc);
    }
    CHECK_ERR(PARSE("{\"x\":\"{\"a\":\"b\"}\"}"), E_SYNTAX);
    struct json_doc doc;
    CHECK_OK(parse_lenient("\"{\"", &doc)); /* nothing behind it */
    json_doc_free(&doc);
}

static void depth_and_size_are_bounded(void **state) {
    (void)state;
    char text[4096];
    for (int depth = 63; depth <= 66; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        CHECK_ERR(parse(text, (size_t)depth * 2), depth > JSON_DEPTH ? E_LIMIT : 0);
    }
    for (int depth = 511; depth <= 513; depth++) {
        struct json_limits limits = {.depth = 100000};
        struct json_doc doc;
        struct buf b = {0};
        for (int i = 0; i < depth; i++)
            buf_adds(&b, i % 2 ? "[" : "{\"k\":");
        buf_adds(&b, "0");
        for (int i = depth; i-- > 0;)
            buf_adds(&b, i % 2 ? "]" : "}");
        CHECK_ERR(json_parse(&doc, buf_str(&b), &limits, NULL), depth > 512 ? E_LIMIT : 0);
        if (depth <= 512) {
            struct buf out = {0};
            struct json_out w;
            json_out_init(&w, &out);
            json_value(&w, doc.root);
            CHECK_OK(json_out_end(&w));
            CHECK(str_eq(buf_str(&b), buf_str(&out)));
            buf_free(&out);
            buf_clear(&out);
            json_out_init(&w, &out); /* one deeper than may be */
            json_begin_array(&w);
            json_value(&w, doc.root);
            json_end_array(&w);
            CHECK_ERR(json_out_end(&w), depth == 512 ? E_LIMIT : 0);
            buf_free(&out);
            json_doc_free(&doc);
        }
        buf_free(&b);
    }
    struct json_limits limits = {.size = 4};
    struct json_doc doc;
    CHECK_OK(json_parse(&doc, STR("1234"), &limits, NULL));
    json_doc_free(&doc);
    CHECK_ERR(json_parse(&doc, STR("12345"), &limits, NULL), E_LIMIT);
}

static void trees_are_looked_up(void **state) {
    (void)state;
    struct json_doc doc;
    CHECK_OK(json_parse(
        &doc, STR("{\"s\":\"x\",\"i\":7,\"t\":true,\"n\":null,\"a\":[1,[2]],\"z\":\"a\\u0000\"}"),
        NULL, NULL));
    const struct json *o = doc.root;
    struct str s = STR("old");
    int64_t i = -1;
    bool t = false;
    CHECK_OK(json_get_str(o, "s", &s));
    CHECK_STR(s, "x");
    CHECK_ERR(json_get_str(o, "i", &s), E_INVAL);
    CHECK_ERR(json_get_str(o, "n", &s), E_NOTFOUND);
    CHECK_ERR(json_get_str(o, "none", &s), E_NOTFOUND);
    CHECK_ERR(json_get_str(o, "z", &s), E_INVAL);
    CHECK_STR(s, "x");
    CHECK_OK(json_get_i64(o, "i", &i));
    CHECK_INT(i, 7);
    CHECK_ERR(json_get_i64(o, "s", &i), E_INVAL);
    CHECK_OK(json_get_bool(o, "t", &t));
    CHECK(t);
    CHECK_ERR(json_get_bool(o, "i", &t), E_INVAL);
    CHECK_INT(json_at(json_at(json_get(o, "a"), 1), 0)->i, 2);
    CHECK(json_at(json_get(o, "a"), 2) == NULL);
    CHECK(json_at(o, 0) == NULL);
    CHECK(json_at(NULL, 0) == NULL);
    CHECK(json_get(json_get(o, "none"), "x") == NULL);
    CHECK(json_get(json_get(o, "a"), "x") == NULL);
    json_doc_free(&doc);
}

static void the_writer_writes(void **state) {
    (void)state;
    struct buf b = {0};
    struct json_out w;
    json_out_init(&w, &b);
    json_begin_object(&w);
    json_put_text(&w, "a", "x\n");
    json_put_text(&w, "b", NULL);
    json_put_int(&w, "c", INT64_MIN);
    json_put_bool(&w, "d", true);
    json_put_bool(&w, "e", false);
    json_put_str(&w, "f\"", STR("\0\x1f"));
    json_key(&w, "g");
    json_begin_array(&w);
    json_number(&w, STR("72500.00"));
    json_raw(&w, STR("{\"k\":1}"));
    json_begin_array(&w);
    json_end_array(&w);
    json_null(&w);
    json_end_array(&w);
    json_end_object(&w);
    CHECK_OK(json_out_end(&w));
    CHECK_STR(buf_str(&b), "{\"a\":\"x\\n\",\"b\":null,\"c\":-9223372036854775808,\"d\":true,"
                           "\"e\":false,\"f\\\"\":\"\\u0000\\u001f\","
                           "\"g\":[72500.00,{\"k\":1},[],null]}");
    buf_clear(&b);
    json_out_init(&w, &b);
    w.repair = true;
    json_str(&w, STR("a\xC3(\xFF\n\xE2\x82"));
    CHECK_OK(json_out_end(&w));
    CHECK_STR(buf_str(&b), "\"a\xEF\xBF\xBD(\xEF\xBF\xBD\\n\xEF\xBF\xBD\xEF\xBF\xBD\"");
    /* errors stick, and what comes later is nothing */
    static const struct str BAD[] = {{"\xFF", 1}, {"x", 1}};
    for (int i = 0; i < 2; i++) {
        buf_clear(&b);
        json_out_init(&w, &b);
        json_begin_object(&w);
        json_key(&w, "k");
        i == 0 ? json_str(&w, BAD[i]) : json_number(&w, BAD[i]);
        json_key(&w, "l");
        json_number(&w, STR("1"));
        json_begin_array(&w);
        json_end_array(&w);
        json_end_object(&w);
        CHECK_ERR(json_out_end(&w), E_SYNTAX);
    }
    /* a buffer that is full */
    for (size_t max = 1; max < 30; max++) {
        buf_free(&b);
        b.max = max;
        json_out_init(&w, &b);
        w.repair = true;
        json_begin_array(&w);
        json_str(&w, STR("abcdef"));
        json_str(&w, STR("abc\xFFxyz"));
        json_end_array(&w);
        CHECK_ERR(json_out_end(&w), max < 22 ? E_LIMIT : 0);
    }
    buf_free(&b);
}

/* After an error nothing more is written, whatever is said, and the error stays the first one. */
static void after_an_error_nothing_is_written(void **state) {
    (void)state;
    struct buf b = {0};
    struct json_out w;
    json_out_init(&w, &b);
    json_begin_array(&w);
    json_number(&w, STR("0x1"));
    size_t len = b.len;
    json_str(&w, STR("x"));
    json_int(&w, 1);
    json_bool(&w, true);
    json_null(&w);
    json_begin_object(&w);
    json_put_int(&w, "a", 1);
    json_end_object(&w);
    json_end_array(&w);
    CHECK_INT(b.len, len);
    CHECK_ERR(json_out_end(&w), E_SYNTAX);
    buf_free(&b);
}

/* ---- calls in a wrong order are our own mistake and stop the process ---- */

static void misuse(int which) {
    struct buf b = {0};
    struct json_out w;
    json_out_init(&w, &b);
    switch (which) {
    case 0: json_int(&w, 1), json_int(&w, 2); break;          /* two values at the top */
    case 1: json_begin_object(&w), json_int(&w, 1); break;    /* a value without its key */
    case 2: json_key(&w, "a"); break;                         /* a key outside an object */
    case 3: json_begin_array(&w), json_key(&w, "a"); break;   /* likewise */
    case 4: json_begin_object(&w), json_end_array(&w); break; /* the other end */
    case 5: json_begin_array(&w), json_end_object(&w); break; /* the other end */
    case 6: json_end_array(&w); break;                        /* nothing open */
    case 7: json_begin_array(&w), json_out_end(&w); break;    /* not closed */
    case 8: json_begin_object(&w), json_key(&w, "a"), json_key(&w, "b"); break;
    case 9: json_begin_object(&w), json_key(&w, "a"), json_end_object(&w); break;
    }
    buf_free(&b);
}

static void stopped(int signal) {
    (void)signal;
    _exit(99); /* nothing else is allowed in a signal handler */
}

static void misuse_stops_the_process(void **state) {
    (void)state;
    for (int which = 0; which < 10; which++) {
        fflush(NULL);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            signal(SIGABRT, stopped);
            if (freopen("/dev/null", "w", stderr) == NULL) exit(1);
            misuse(which);
            exit(0);
        }
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status));
        CHECK_INT(WEXITSTATUS(status), 99);
    }
}

static void every_failed_allocation_is_survived(void **state) {
    (void)state;
    static char text[8192];
    size_t n = 0;
    n += (size_t)sprintf(text, "{\"long\":[");
    for (int i = 0; i < 200; i++)
        n += (size_t)sprintf(text + n, "{\"a\":null,\"b\":\"\\n\"},1.5,");
    n += (size_t)sprintf(text + n, "true],\"big\":{");
    for (int i = 0; i < 20; i++)
        n += (size_t)sprintf(text + n, "\"k%d\":%d,", i, i);
    n += (size_t)sprintf(text + n, "\"end\":0}}");
    int64_t live = mem_live();
    bool failed = true;
    int nth = 1;
    for (; failed; nth++) {
        struct json_doc doc;
        struct why why = {0};
        mem_fail_at((uint64_t)nth, 0);
        int err = json_parse(&doc, (struct str){text, n}, NULL, &why);
        failed = mem_has_failed();
        mem_fail_at(0, 0);
        CHECK_ERR(err, failed ? E_NOMEM : 0);
        if (err == 0) json_doc_free(&doc);
        CHECK(mem_live() == live);
    }
    CHECK(nth > 5);
    /* Each kind of value, when the next one does not fit: the arena is at its end for each. */
    static const char *const KINDS[] = {"[null]",
                                        "[1]",
                                        "[1.5]",
                                        "[[]]",
                                        "[\"abcdefghijklmnopqrst\"]",
                                        "{\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnop\":1}"};
    for (size_t k = 0; k < sizeof KINDS / sizeof *KINDS; k++)
        for (int fill = 0; fill < 80; fill++) {
            struct buf b = {0};
            buf_adds(&b, "[\"");
            for (int i = 0; i < fill * 16; i++)
                buf_addc(&b, 'x');
            buf_addf(&b, "\",%s]", KINDS[k]);
            for (int at = 1; at < 4; at++) {
                struct json_doc doc;
                mem_fail_at((uint64_t)at, 0);
                int err = json_parse(&doc, buf_str(&b), NULL, NULL);
                CHECK_ERR(err, mem_has_failed() ? E_NOMEM : 0);
                mem_fail_at(0, 0);
                if (err == 0) json_doc_free(&doc);
            }
            buf_free(&b);
        }
    CHECK(mem_live() == live);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(integers_are_exact),
    cmocka_unit_test(other_numbers_keep_their_text),
    cmocka_unit_test(strings_are_checked_and_decoded),
    cmocka_unit_test(structure_is_strict),
    cmocka_unit_test(errors_say_where),
    cmocka_unit_test(keys_come_once),
    cmocka_unit_test(lenient_takes_the_last_of_twins),
    cmocka_unit_test(lenient_takes_unescaped_json_in_a_string),
    cmocka_unit_test(depth_and_size_are_bounded),
    cmocka_unit_test(trees_are_looked_up),
    cmocka_unit_test(the_writer_writes),
    cmocka_unit_test(after_an_error_nothing_is_written),
    cmocka_unit_test(misuse_stops_the_process),
    cmocka_unit_test(every_failed_allocation_is_survived),
};
UNIT_MAIN("json", TESTS)
