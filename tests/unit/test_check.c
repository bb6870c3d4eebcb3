/* `luwak check`: what it finds, on which line, and that it finds nothing where nothing is wrong. */
#include "base/mem.h"
#include "script/check.h"
#include "script/luac.h"
#include "script_texts.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct found {
    char text[4096];
    int count;
} found;

static void on_finding(void *data, const char *path, int line, const char *text) {
    (void)data;
    size_t n = strlen(found.text);
    snprintf(found.text + n, sizeof found.text - n, "%s:%d: %s\n", path, line, text);
    found.count++;
}
static bool key_set(void *data, const char *key) {
    (void)data;
    return strcmp(key, "BNI_ID") == 0;
}

static const char *root(void) {
    static char path[512];
    if (path[0] == '\0') {
        static const char *const folders[] = {
            "", "/channels", "/rules", "/scripts", "/scripts/api", "/scripts/lib", "/scripts/jobs"};
        for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
            char full[600];
            snprintf(full, sizeof full, "%s/check%s", unit_tmpdir(), folders[i]);
            mkdir(full, 0755);
        }
        snprintf(path, sizeof path, "%s/check", unit_tmpdir());
    }
    return path;
}
static void put(const char *path, const char *text) {
    char full[600];
    snprintf(full, sizeof full, "%s/%s", root(), path);
    FILE *file = fopen(full, "w");
    fputs(text, file);
    fclose(file);
}
static int check(const char *path, const char *text) {
    struct check_options o = {
        .root = root(), .modules = BIND_MODULES, .key_set = key_set, .finding = on_finding};
    found = (struct found){0};
    put(path, text);
    int n = check_file(&o, path, 0);
    CHECK_INT(n, found.count);
    return n;
}
static void finds(const char *path, const char *text, const char *what) {
    if (check(path, text) == 0) fail_msg("nothing found in: %s", text);
    if (str_search(str_of(found.text), str_of(what)) < 0)
        fail_msg("expected \"%s\", got:\n%s", what, found.text);
}
static void finds_one(const char *path, const char *text, const char *what) {
    finds(path, text, what);
    if (found.count != 1) fail_msg("expected one finding:\n%s", found.text);
}
static void finds_nothing(const char *path, const char *text) {
    if (check(path, text) != 0) fail_msg("%s", found.text);
}

/* The scripts of the repository, where the tests run at its root. */
static void the_repositorys_scripts_have_no_findings(void **state) {
    (void)state;
    struct check_options o = {.root = ".", .modules = BIND_MODULES, .finding = on_finding};
    if (access("channels/demo_wallet.lua", R_OK) != 0) skip();
    found = (struct found){0};
    if (check_all(&o) != 0) fail_msg("%s", found.text);
}

#define RULE(body) "return { api = 1, kind = 'fee', fee = function(p)\n" body "\nend }"
#define JOB(body)  "return { api = 1, kind = 'repeatable', run = function(job)\n" body "\nend }"

static void good_scripts_have_no_findings(void **state) {
    (void)state;
    finds_nothing(
        "rules/a.lua",
        RULE("local s = string.sub('abc', 1, 2)\nreturn { s, #s, math.max(1, 2), tostring(p) }"));
    finds_nothing("rules/a.lua", "local string = require 'string'\nlocal sub = string.sub\n" RULE(
                                     "return sub('x', 1)"));
    /* what might be another table is not followed */
    finds_nothing("rules/a.lua",
                  RULE("local s = string\nif p then s = { nosuch = 1 } end\nreturn s.nosuch"));
    finds_nothing(
        "rules/a.lua",
        RULE("local s\nif p then s = { nosuch = 1 } else s = string end\nreturn s.nosuch"));
    finds_nothing(
        "rules/a.lua",
        RULE("local s = string\nfor i = 1, 2 do s.sub('x', 1) s = p end\nreturn s.nosuch"));
    finds_nothing("rules/a.lua", RULE("local string = { mine = 1 }\nreturn string.mine"));
}

static void unknown_globals_are_found(void **state) {
    (void)state;
    finds_one("rules/a.lua", RULE("return foo"),
              "rules/a.lua:2: there is no global foo; declare it with local");
    finds_one("rules/a.lua", RULE("\n\nreturn tostrng(p)"),
              "rules/a.lua:4: there is no global tostrng; did you mean tostring?");
    finds_one("rules/a.lua", RULE("return strin.sub"), "did you mean string?");
    finds_one("rules/a.lua", RULE("return io.open"), "io");
    finds_one("rules/a.lua", RULE("return os.time()"), "there is no global os");
    finds_one("rules/a.lua", RULE("return ctx.http"), "there is no global ctx");
    finds_one("rules/a.lua",
              RULE("local function f() return function() return deep end end\nreturn f"),
              "rules/a.lua:2: there is no global deep");
}

static void writes_to_globals_are_found(void **state) {
    (void)state;
    finds_one("rules/a.lua", RULE("total = 5\nreturn p"),
              "rules/a.lua:2: writes the global total; make it local");
    finds_one("rules/a.lua", RULE("local x\nfunction helper() end\nreturn x"),
              "rules/a.lua:3: writes the global helper");
}

static void unknown_fields_of_modules_are_found(void **state) {
    (void)state;
    finds_one("rules/a.lua", RULE("return string.subb('x', 1)"),
              "rules/a.lua:2: string has no subb; did you mean string.sub?");
    finds_one("rules/a.lua", "local s = require 'string'\n" RULE("return s.subb"),
              "rules/a.lua:3: string has no subb");
    finds_one("rules/a.lua", RULE("local s = string\nreturn s.subb"),
              "rules/a.lua:3: string has no subb");
    finds_one("rules/a.lua", RULE("return string.zzzzzzzz"),
              "string has no zzzzzzzz; the script reference lists what it has");
}

static void what_the_kind_may_not_use_is_found(void **state) {
    (void)state;
    finds("rules/a.lua", RULE("return pending {}"),
          "rules/a.lua:2: pending is not for a rule, which is pure");
}

static void constants_past_the_short_form_are_read(void **state) {
    (void)state;
    char text[16000] = "local t = {";
    for (int i = 0; i < 400; i++)
        snprintf(text + strlen(text), 40, "'constant %d',%s", i, i % 10 ? "" : "\n");
    strcat(text, "}\nlate = t\nlocal x = late_read\n" RULE("return string.sub('x', 1)"));
    finds("rules/a.lua", text, "writes the global late; make it local");
    finds("rules/a.lua", text, "there is no global late_read");
    CHECK_INT(found.count, 2);
}

static void all_contract_findings_are_told(void **state) {
    (void)state;
    CHECK_INT(check("scripts/jobs/a.lua",
                    "return {\n  api = 1,\n  kind = 'once',\n  evry = '5m',\n  run = 5,\n}"),
              3);
    CHECK_STR(str_of(found.text),
              "scripts/jobs/a.lua:5: run: expected a function, found 5\n"
              "scripts/jobs/a.lua:4: evry: there is no such field; did you mean \"every\"?\n"
              "scripts/jobs/a.lua:1: lost: is missing; a job of kind \"once\" is never run again, "
              "so it says here what to do after a crash\n");
}

static void errors_of_loading_are_told_with_their_file(void **state) {
    (void)state;
    finds_one("scripts/jobs/a.lua", "return {\n  = }",
              "scripts/jobs/a.lua:2: unexpected symbol near '='");
    finds_one("scripts/jobs/a.lua", "\nlocal x = require 'gone'",
              "scripts/jobs/a.lua:2: there is no module \"gone\"");
    put("scripts/lib/bad.lua", "\n\nreturn (");
    finds_one("scripts/jobs/a.lua", "local x = require 'bad'", "scripts/lib/bad.lua:3:");
    put("scripts/lib/loose.lua", "leak = 1\nreturn {}");
    finds_one("scripts/jobs/a.lua", "local x = require 'loose'\n" JOB("return x"),
              "scripts/lib/loose.lua:1: writes the global leak");
    finds_one("scripts/jobs/none.lua", "error('boom')", "scripts/jobs/none.lua:1: boom");
    struct check_options o = {.root = root(), .modules = BIND_MODULES, .finding = on_finding};
    found = (struct found){0};
    CHECK_INT(check_file(&o, "scripts/jobs/missing.lua", 0), 1);
    CHECK(str_search(str_of(found.text), STR("scripts/jobs/missing.lua:0: cannot open")) >= 0);
}

static void keys_that_are_not_set_are_found(void **state) {
    (void)state;
    finds_one("channels/a.lua",
              "return { api = 1, title = 'x', provider = 'bni', method = 'qris', effect = 'offer', "
              "create = function() end,\n"
              "inquire = function() end, config = { id = 'BNI_ID', key = secret 'BNI_KEY' } }",
              "channels/a.lua:0: config.key: BNI_KEY is not set");
}

static void clashes_show_when_all_are_checked(void **state) {
    (void)state;
    struct check_options o = {.root = root(), .modules = BIND_MODULES, .finding = on_finding};
    static const char *const text =
        "return { api = 1, routes = { ['GET /v1/x'] = { auth = 'none', run = function() end } } }";
    put("scripts/api/one.lua", text);
    put("scripts/api/two.lua", text);
    found = (struct found){0};
    CHECK(check_all(&o) > 0);
    CHECK(str_search(str_of(found.text), STR("scripts/api/two.lua:0: \"GET /v1/x\" is a route of "
                                             "scripts/api/one.lua already")) >= 0);
}

static bool no_module(void *data, const char *path) {
    (void)data, (void)path;
    return false;
}
static void count_use(void *data, enum luac_use use, const char *path, struct str name, int line) {
    (void)path, (void)name, (void)line, (void)use;
    ++*(int *)data;
}

static void damaged_code_is_refused_not_followed(void **state) {
    (void)state;
    const struct script_text texts[] = {
        {"t.lua", "local a = b\nfunction c() return d, function() return e end end"}, {0}};
    struct version *v;
    int uses = 0;
    const struct luac_walk walk = {count_use, no_module, &uses};
    CHECK_OK(texts_build(&v, KIND_TOOL, "t.lua", texts, NULL));
    struct str code = v->parts[0].code;
    CHECK_OK(luac_walk(code, &walk));
    CHECK_INT(uses, 4); /* b read, c written, d read, e read */
    char copy[2048];
    CHECK(code.n < sizeof copy);
    for (size_t n = 0; n < code.n; n++) {
        memcpy(copy, code.p, n);
        if (luac_walk((struct str){copy, n}, &walk) == 0) fail_msg("cut at %zu is taken", n);
    }
    for (size_t i = 0; i < code.n; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, code.p, code.n);
            copy[i] ^= (char)(1 << bit);
            luac_walk((struct str){copy, code.n}, &walk); /* any answer, no crash */
        }
    version_drop(v);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(good_scripts_have_no_findings),
    cmocka_unit_test(the_repositorys_scripts_have_no_findings),
    cmocka_unit_test(unknown_globals_are_found),
    cmocka_unit_test(writes_to_globals_are_found),
    cmocka_unit_test(unknown_fields_of_modules_are_found),
    cmocka_unit_test(what_the_kind_may_not_use_is_found),
    cmocka_unit_test(constants_past_the_short_form_are_read),
    cmocka_unit_test(all_contract_findings_are_told),
    cmocka_unit_test(errors_of_loading_are_told_with_their_file),
    cmocka_unit_test(keys_that_are_not_set_are_found),
    cmocka_unit_test(clashes_show_when_all_are_checked),
    cmocka_unit_test(damaged_code_is_refused_not_followed),
};
UNIT_MAIN("check", TESTS)
