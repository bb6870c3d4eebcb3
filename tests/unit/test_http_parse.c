/* The request parser against the table of raw requests (tests/gate/http.txt): every verdict, the
 * same verdict however the bytes are cut, and libhttp-parser agreeing with all that we accept. */
#include "unit.h"

#include "../fuzz/http_oracle.h"
#include "base/buf.h"

struct http_case {
    int line;
    char name[80];
    char verdict[8192];
    struct buf bytes;
};

static int hex_digit(char c) {
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

/* One character, perhaps written as an escape. */
static const char *unescape_one(const char *z, char *c) {
    if (z[0] != '\\') {
        *c = z[0];
        return z + 1;
    }
    switch (z[1]) {
    case 'r': *c = '\r'; break;
    case 'n': *c = '\n'; break;
    case 't': *c = '\t'; break;
    case 's': *c = ' '; break;
    case '0': *c = '\0'; break;
    case 'x': *c = (char)(hex_digit(z[2]) << 4 | hex_digit(z[3])); return z + 4;
    default: *c = z[1]; break;
    }
    return z + 2;
}

static void unescape(struct buf *out, const char *z) {
    char c;
    while (*z != '\0') {
        if (*z != '{') {
            z = unescape_one(z, &c);
            buf_addc(out, c);
            continue;
        }
        struct buf what = {0};
        for (z++; *z != '*' || strchr("0123456789", z[1]) == NULL;) {
            z = unescape_one(z, &c);
            buf_addc(&what, c);
        }
        char *end;
        long times = strtol(z + 1, &end, 10);
        for (long i = 0; i < times; i++)
            buf_addstr(out, buf_str(&what));
        z = end + 1;
        buf_free(&what);
    }
}

static struct http_case *load(size_t *count) {
    static char line[16384];
    struct http_case *cases = NULL, *now = NULL;
    FILE *f = fopen("tests/gate/http.txt", "r");
    size_t n = 0;
    int at = 0;
    if (f == NULL) fail_msg("run from the top of the repository");
    while (fgets(line, sizeof line, f) != NULL) {
        at++;
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "## ", 3) == 0 || strncmp(line, "##", 3) == 0) continue;
        if (strncmp(line, "== ", 3) == 0) {
            cases = realloc(cases, (n + 1) * sizeof *cases);
            now = &cases[n++];
            memset(now, 0, sizeof *now);
            now->line = at;
            snprintf(now->name, sizeof now->name, "%.*s", (int)sizeof now->name - 1, line + 3);
        } else if (strncmp(line, "=> ", 3) == 0) {
            snprintf(now->verdict, sizeof now->verdict, "%.*s", (int)sizeof now->verdict - 1,
                     line + 3);
        } else {
            size_t len = strlen(line);
            bool no_end = len != 0 && line[len - 1] == '\\' && (len < 2 || line[len - 2] != '\\');
            if (no_end) line[len - 1] = '\0';
            unescape(&now->bytes, line);
            if (!no_end) buf_adds(&now->bytes, "\r\n");
        }
    }
    fclose(f);
    *count = n;
    return cases;
}

static void unload(struct http_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++)
        buf_free(&cases[i].bytes);
    free(cases);
}

static bool field_is(const struct ours *o, struct str name, struct str value) {
    for (size_t i = 0; i < o->p.field_count; i++) {
        const struct http_field *f = &o->p.fields[i];
        if (str_eq((struct str){o->buf + f->name, f->name_len}, name) &&
            str_eq((struct str){o->buf + f->value, f->value_len}, value))
            return true;
    }
    return false;
}

/* One word of an accepting verdict, such as "rest=0". */
static bool word_holds(const struct ours *o, size_t total, struct str word, struct str raw) {
    struct str key, value;
    bool has = str_cut(word, '=', &key, &value);
    if (str_eq(raw, STR("keep"))) return o->p.keep_alive;
    if (str_eq(raw, STR("close"))) return !o->p.keep_alive;
    if (str_eq(raw, STR("continue"))) return o->p.wants_continue;
    if (!has) return false;
    if (str_eq(key, STR("body"))) return str_eq(value, (struct str){o->buf + o->body, o->body_len});
    if (str_eq(key, STR("field"))) {
        size_t colon = value.p[0] == ':' ? 0 : (size_t)str_find(value, ':');
        return field_is(o, str_sub(value, 0, colon), str_sub(value, colon + 1, value.n));
    }
    int64_t n = 0;
    CHECK_OK(str_to_i64(value, &n));
    if (str_eq(key, STR("size"))) return o->body_len == (size_t)n;
    if (str_eq(key, STR("rest"))) return total - o->taken == (size_t)n;
    if (str_eq(key, STR("fields"))) return o->p.field_count == (size_t)n;
    return false;
}

static const char *check(const struct http_case *c, const struct ours *o) {
    static char why[256];
    if (strcmp(c->verdict, "more") == 0)
        return o->p.phase == PARSE_HEAD || o->p.phase == PARSE_BODY ? NULL : "expected: needs more";
    if (c->verdict[0] >= '0' && c->verdict[0] <= '9') {
        if (o->p.phase == PARSE_BAD && o->p.status == atoi(c->verdict)) return NULL;
        snprintf(why, sizeof why, "expected %.3s, got phase %d, status %d (%s)", c->verdict,
                 o->p.phase, o->p.status, o->p.why == NULL ? "" : o->p.why);
        return why;
    }
    if (o->p.phase != PARSE_DONE) {
        snprintf(why, sizeof why, "expected to be accepted: phase %d, %d %s", o->p.phase,
                 o->p.status, o->p.why == NULL ? "" : o->p.why);
        return why;
    }
    struct str rest = str_of(c->verdict), raw;
    for (int i = 0; rest.n != 0; i++) {
        str_cut(rest, ' ', &raw, &rest);
        char z[8192];
        snprintf(z, sizeof z, "%.*s", STR_FMT(raw));
        struct buf word = {0};
        unescape(&word, z);
        bool holds =
            i == 0   ? str_eq(buf_str(&word), (struct str){o->buf + o->p.method, o->p.method_len})
            : i == 1 ? str_eq(buf_str(&word), (struct str){o->buf + o->p.target, o->p.target_len})
                     : word_holds(o, c->bytes.len, buf_str(&word), raw);
        buf_free(&word);
        if (!holds) {
            snprintf(why, sizeof why, "does not hold: %.100s", z);
            return why;
        }
    }
    return NULL;
}

static void table_holds(void **state) {
    (void)state;
    size_t count, failed = 0, accepted = 0;
    struct http_case *cases = load(&count);
    assert_true(count >= 150);
    for (size_t i = 0; i < count; i++) {
        struct ours o;
        ours_run(&o, cases[i].bytes.data, cases[i].bytes.len, (size_t[]){0}, 0);
        const char *why = check(&cases[i], &o);
        if (why != NULL) print_error("line %d, %s: %s\n", cases[i].line, cases[i].name, why);
        failed += why != NULL;
        accepted += o.p.phase == PARSE_DONE;
        ours_free(&o);
    }
    print_message("%zu cases, %zu accepted\n", count, accepted);
    unload(cases, count);
    CHECK_INT(failed, 0);
}

/* Every cut in two, and byte by byte. Of cases above 20 kB only the cuts near both ends and some
 * between: their middle is one run of equal bytes. */
static void verdict_does_not_depend_on_cuts(void **state) {
    (void)state;
    size_t count, failed = 0;
    struct http_case *cases = load(&count);
    for (size_t i = 0; i < count; i++) {
        const struct http_case *c = &cases[i];
        size_t n = c->bytes.len;
        struct ours whole, cut;
        ours_run(&whole, c->bytes.data, n, (size_t[]){0}, 0);
        for (size_t at = 0; at <= n; at++) {
            if (n > 2000 && at > 200 && at < n - 200 && at % (n / 50) != 0) continue;
            ours_run(&cut, c->bytes.data, n, &at, 1);
            if (!ours_same(&whole, &cut)) {
                print_error("line %d, %s: cut at %zu\n", c->line, c->name, at);
                failed++;
            }
            ours_free(&cut);
        }
        ours_run(&cut, c->bytes.data, n, NULL, 0);
        if (!ours_same(&whole, &cut)) {
            print_error("line %d, %s: byte by byte\n", c->line, c->name);
            failed++;
        }
        ours_free(&cut);
        ours_free(&whole);
    }
    unload(cases, count);
    CHECK_INT(failed, 0);
}

static void oracle_agrees(void **state) {
    (void)state;
    size_t count, failed = 0, compared = 0;
    struct http_case *cases = load(&count);
    for (size_t i = 0; i < count; i++) {
        struct ours o;
        ours_run(&o, cases[i].bytes.data, cases[i].bytes.len, (size_t[]){0}, 0);
        if (o.p.phase == PARSE_DONE) {
            const char *differs = oracle_differs(&o, cases[i].bytes.data);
            compared++;
            if (differs != NULL) {
                print_error("line %d, %s: libhttp-parser: %s\n", cases[i].line, cases[i].name,
                            differs);
                failed++;
            }
        }
        ours_free(&o);
    }
    unload(cases, count);
    assert_true(compared >= 50);
    CHECK_INT(failed, 0);
}

static void limits_are_the_callers(void **state) {
    (void)state;
    const struct http_parse_limits small = {64, 8, 2, 4};
    static const struct {
        const char *bytes;
        int status;
    } CASES[] = {
        {"GET /1234567 HTTP/1.1\r\nHost: a\r\n\r\n", 0},
        {"GET /12345678 HTTP/1.1\r\nHost: a\r\n\r\n", 414},
        {"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n", 0},
        {"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\n\r\n", 431},
        {"GET / HTTP/1.1\r\nHost: a\r\nA: 333333333333333333333333333333333\r\n\r\n", 431},
        {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", 0},
        {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 413},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct http_parse p;
        char bytes[128];
        http_parse_init(&p, &small);
        strcpy(bytes, CASES[i].bytes);
        http_parse_head(&p, bytes, strlen(bytes));
        CHECK_INT(p.status, CASES[i].status);
        CHECK((p.phase == PARSE_BAD) == (CASES[i].status != 0));
    }
}

/* After an answer the same parser reads on; nothing of the request before shows. */
static void reset_forgets(void **state) {
    (void)state;
    struct http_parse p;
    http_parse_init(&p, &ORACLE_LIMITS);
    char first[] =
        "POST /a?b HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    char second[] = "GET / HTTP/1.1\r\nHost: b\r\n\r\n";
    http_parse_head(&p, first, sizeof first - 1);
    CHECK_INT(p.phase, PARSE_BODY);
    CHECK_INT(p.path_len, 2);
    http_parse_reset(&p);
    http_parse_head(&p, second, sizeof second - 1);
    CHECK_INT(p.phase, PARSE_DONE);
    CHECK(p.keep_alive && !p.has_length && !p.wants_continue && p.minor_one);
    CHECK_INT(p.path_len, 1);
    http_parse_head(&p, second, sizeof second - 1); /* done is done */
    CHECK_INT(p.phase, PARSE_DONE);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_holds),   cmocka_unit_test(verdict_does_not_depend_on_cuts),
        cmocka_unit_test(oracle_agrees), cmocka_unit_test(limits_are_the_callers),
        cmocka_unit_test(reset_forgets),
    };
    return unit_main(argc, argv, "http_parse", tests, sizeof tests / sizeof tests[0]);
}
