/* Routes: what matches what, which route wins, what is refused, and errors that name both sides. */
#include "base/mem.h"
#include "net/router.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static struct router *make(const char *const *lines, size_t count) {
    struct route routes[32];
    struct router *r;
    struct why why = {0};
    for (size_t i = 0; i < count; i++) {
        str_cut(str_of(lines[i]), ' ', &routes[i].method, &routes[i].pattern);
        routes[i].target = (void *)lines[i];
    }
    CHECK_OK(router_new(&r, routes, count, &why));
    return r;
}

static struct route_match m;

static const char *find(struct router *r, const char *request) {
    struct str method, path;
    str_cut(str_of(request), ' ', &method, &path);
    switch (router_find(r, method, path, &m)) {
    case ROUTE_FOUND: return m.target;
    case ROUTE_OPTIONS: return "options";
    case ROUTE_NO_METHOD: return "no method";
    case ROUTE_NO_PATH: return "no path";
    default: return "bad";
    }
}

#define FINDS(request, what) CHECK_STR(str_of(find(r, request)), what)

static void param_is(size_t i, const char *name, const char *value) {
    assert_true(i < m.param_count);
    CHECK_STR(m.params[i].name, name);
    CHECK_STR(m.params[i].value, value);
}

static const char *const TABLE[] = {
    "GET /",
    "GET /v1/payments",
    "POST /v1/payments",
    "GET /v1/payments/:id",
    "POST /v1/payments/:id/cancel",
    "GET /v1/payments/:payment/refunds",
    "POST /v1/payments/sync",
    "GET /v1/payments/latest",
    "GET /static/*file",
    "GET /static/app.js",
    "POST /callbacks/:provider/*more",
    "GET /a/:x/c",
    "GET /a/b/:y/d",
    "HEAD /own",
    "GET /own",
    "OPTIONS /cors",
    "GET /cors",
    "GET /slash/",
};

static void exact_beats_parameter_beats_rest(void **state) {
    (void)state;
    struct router *r = make(TABLE, sizeof TABLE / sizeof TABLE[0]);
    FINDS("GET /", "GET /");
    FINDS("GET /v1/payments", "GET /v1/payments");
    FINDS("GET /v1/payments/pay_1", "GET /v1/payments/:id");
    param_is(0, "id", "pay_1");
    CHECK_INT(m.param_count, 1);
    CHECK_STR(m.pattern, "/v1/payments/:id");
    FINDS("GET /v1/payments/pay_1/refunds", "GET /v1/payments/:payment/refunds");
    param_is(0, "payment", "pay_1");
    FINDS("GET /v1/payments/latest", "GET /v1/payments/latest");
    CHECK_INT(m.param_count, 0);
    FINDS("GET /v1/payments/sync", "GET /v1/payments/:id"); /* the exact one has no GET */
    FINDS("POST /v1/payments/sync", "POST /v1/payments/sync");
    FINDS("POST /v1/payments/sync/cancel", "POST /v1/payments/:id/cancel");
    FINDS("GET /static/app.js", "GET /static/app.js");
    FINDS("GET /static/css/a.css", "GET /static/*file");
    param_is(0, "file", "css/a.css");
    FINDS("GET /static/app.js/more", "GET /static/*file");
    FINDS("GET /static", "no path");
    FINDS("GET /static/", "no path");
    FINDS("POST /callbacks/bca/va/notify", "POST /callbacks/:provider/*more");
    param_is(0, "provider", "bca");
    param_is(1, "more", "va/notify");
    FINDS("GET /a/b/c", "GET /a/:x/c"); /* /a/b leads nowhere: the parameter is tried */
    FINDS("GET /a/b/c/d", "GET /a/b/:y/d");
    FINDS("GET /v1", "no path");
    FINDS("GET /v1/payments/", "no path");
    FINDS("GET /v1//payments", "no path");
    FINDS("GET //", "no path");
    FINDS("GET /slash/", "GET /slash/");
    FINDS("GET /slash", "no path");
    router_delete(r);
}

static void methods(void **state) {
    (void)state;
    struct router *r = make(TABLE, sizeof TABLE / sizeof TABLE[0]);
    FINDS("HEAD /v1/payments", "GET /v1/payments");
    FINDS("HEAD /own", "HEAD /own");
    FINDS("HEAD /v1/payments/x/cancel", "no method");
    CHECK_STR(str_of(m.allow), "POST, OPTIONS");
    FINDS("DELETE /v1/payments", "no method");
    CHECK(strstr(m.allow, "GET") && strstr(m.allow, "POST") && strstr(m.allow, "HEAD") &&
          strstr(m.allow, "OPTIONS"));
    FINDS("get /v1/payments", "no method");
    FINDS("DELETE /v1/payments/sync", "no method"); /* both nodes that match are listed */
    CHECK(strstr(m.allow, "GET") && strstr(m.allow, "POST"));
    FINDS("OPTIONS /v1/payments", "options");
    CHECK(strstr(m.allow, "POST"));
    FINDS("OPTIONS /cors", "OPTIONS /cors");
    FINDS("OPTIONS /nowhere", "no path");
    FINDS("OPTIONS *", "options");
    router_delete(r);
}

static void percent_codes(void **state) {
    (void)state;
    struct router *r = make(TABLE, sizeof TABLE / sizeof TABLE[0]);
    FINDS("GET /v1/payments/a%20b%2Fc%C3%A4", "GET /v1/payments/:id");
    param_is(0, "id", "a b/c\xc3\xa4");
    FINDS("GET /v1/%70ayments", "GET /v1/payments");
    FINDS("GET /static/a%20b/c%41", "GET /static/*file");
    param_is(0, "file", "a b/cA");
    static const char *const BAD[] = {
        "GET /v1/payments/%",
        "GET /v1/payments/%4",
        "GET /v1/payments/%zz",
        "GET /v1/payments/%4g",
        "GET /v1/payments/%00",
        "GET /v1/payments/a%0d%0ab",
        "GET /v1/payments/%7f",
        "GET /nowhere/%",
        "GET /static/../etc",
        "GET /static/a/./b",
        "GET /static/%2e%2e/etc",
        "GET /static/a%2fb",
        "GET /static/x/..%2f..%2f",
        "GET ",
        "GET x",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        FINDS(BAD[i], "bad");
    char out[64];
    size_t n;
    CHECK_OK(percent_decode(STR("a+b%2B"), true, out, &n));
    CHECK_STR(((struct str){out, n}), "a b+");
    CHECK_OK(percent_decode(STR("a+b"), false, out, &n));
    CHECK_STR(((struct str){out, n}), "a+b");
    CHECK_ERR(percent_decode(STR("%"), false, out, &n), E_SYNTAX);
    router_delete(r);
}

static void clashes_name_both(void **state) {
    (void)state;
    static const char *const CLASH[][2] = {
        {"GET /a/:x", "GET /a/:y"},
        {"GET /a", "GET /a"},
        {"GET /s/*a", "GET /s/*b"},
        {"POST /a/:x/b/*r", "POST /a/:y/b/*z"},
    };
    for (size_t i = 0; i < sizeof CLASH / sizeof CLASH[0]; i++) {
        struct route routes[2];
        struct router *r;
        struct why why = {0};
        char expected[128];
        for (int k = 0; k < 2; k++) {
            str_cut(str_of(CLASH[i][k]), ' ', &routes[k].method, &routes[k].pattern);
            routes[k].target = (void *)CLASH;
        }
        CHECK_ERR(router_new(&r, routes, 2, &why), E_EXISTS);
        snprintf(expected, sizeof expected, "%s and %s are the same route", CLASH[i][0],
                 CLASH[i][1]);
        CHECK_STR(str_of(why.text), expected);
    }
}

static void patterns_are_checked(void **state) {
    (void)state;
    static const char *const WRONG[] = {
        "GET a",
        "GET ",
        "GET /:",
        "GET /a/*",
        "GET /*r/a",
        "GET /:a/:a",
        "GET /a b",
        "GET /a%20",
        "GET /a?b",
        "GET /a#b",
        "GET /:a-b",
        "get /a",
        " /a",
        "GE T /a",
        "GET /a/../b",
        "GET /./b",
        "GET /a*b",
        "GET /:a/:b/:c/:d/:e/:f/:g/:h/:i",
        "GET "
        "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31/32/"
        "33",
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        struct route one = {.target = (void *)WRONG};
        struct router *r;
        struct why why = {0};
        str_cut(str_of(WRONG[i]), ' ', &one.method, &one.pattern);
        int err = router_new(&r, &one, 1, &why);
        if (err != E_SYNTAX) print_error("\"%s\" was taken\n", WRONG[i]);
        CHECK_ERR(err, E_SYNTAX);
    }
}

static void long_paths_end_somewhere(void **state) {
    (void)state;
    struct router *r = make(TABLE, sizeof TABLE / sizeof TABLE[0]);
    char path[ROUTE_PATH_MAX + 8];
    memset(path, '/', sizeof path);
    CHECK_INT(router_find(r, STR("GET"), (struct str){path, ROUTE_PATH_MAX}, &m), ROUTE_NO_PATH);
    memset(path + 1, 'a', sizeof path - 1);
    CHECK_INT(router_find(r, STR("GET"), (struct str){path, ROUTE_PATH_MAX}, &m), ROUTE_NO_PATH);
    CHECK_INT(router_find(r, STR("GET"), (struct str){path, ROUTE_PATH_MAX + 1}, &m),
              ROUTE_NO_PATH);
    memcpy(path, "/static/", 8);
    CHECK_INT(router_find(r, STR("GET"), (struct str){path, ROUTE_PATH_MAX}, &m), ROUTE_FOUND);
    CHECK_INT(m.params[0].value.n, ROUTE_PATH_MAX - 8);
    router_delete(r);
    CHECK_OK(router_new(&r, NULL, 0, NULL)); /* no route at all */
    FINDS("GET /", "no path");
    router_delete(r);
}

static void survives_without_memory(void **state) {
    (void)state;
#ifdef LUWAK_FAULTS
    struct route routes[sizeof TABLE / sizeof TABLE[0]];
    size_t count = sizeof TABLE / sizeof TABLE[0];
    for (size_t i = 0; i < count; i++) {
        str_cut(str_of(TABLE[i]), ' ', &routes[i].method, &routes[i].pattern);
        routes[i].target = (void *)TABLE;
    }
    int64_t live = mem_live();
    for (uint64_t nth = 1;; nth++) {
        struct router *r;
        struct why why = {0};
        mem_fail_at(nth, 0);
        int err = router_new(&r, routes, count, &why);
        bool failed = mem_has_failed() != 0;
        mem_fail_at(0, 0);
        if (err == 0) router_delete(r);
        CHECK_INT(err, failed ? E_NOMEM : 0);
        CHECK_INT(mem_live(), live);
        if (!failed) break;
    }
#endif
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_beats_parameter_beats_rest),
        cmocka_unit_test(methods),
        cmocka_unit_test(percent_codes),
        cmocka_unit_test(clashes_name_both),
        cmocka_unit_test(patterns_are_checked),
        cmocka_unit_test(long_paths_end_somewhere),
        cmocka_unit_test(survives_without_memory),
    };
    return unit_main(argc, argv, "router", tests, sizeof tests / sizeof tests[0]);
}
