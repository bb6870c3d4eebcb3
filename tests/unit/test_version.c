/* Versions: which parts belong to them, what they are called, and what is refused. */
#include "base/ensure.h"
#include "base/mem.h"
#include "script/source.h"
#include "script_texts.h"
#include "sys/crypto.h"
#include "unit.h"

#include <pthread.h>
#include <unistd.h>

#include <sys/stat.h>

#include <stdio.h>

struct found {
    char names[512];
    int lines;
};
static int note(void *data, struct str name, int line, struct why *why) {
    (void)why;
    struct found *f = data;
    size_t n = strlen(f->names);
    snprintf(f->names + n, sizeof f->names - n, "%.*s@%d ", STR_FMT(name), line);
    return 0;
}

static void requires_are_found_where_they_count(void **state) {
    (void)state;
    static const struct {
        const char *text, *found;
    } cases[] = {
        {"require 'a'", "a@1 "},
        {"local x = require \"a\"\nlocal y = require('b')", "a@1 b@2 "},
        {"require[[a]] require [==[b]==]", "a@1 b@1 "},
        {"require -- why\n 'a'", "a@1 "},
        {"require --[[ long\n ]] ( 'a' )", "a@1 "},
        {"-- require 'a'\n--[[ require 'b' ]] --[==[ ]] require 'c' ]==] require 'd'", "d@2 "},
        {"s = 'require \"a\"' t = \"\\\" require 'b'\" u = [[ require 'c' ]]", ""},
        {"x.require 'a' x:require 'b' my_require 'c' require2 'd'", ""},
        {"f(require 'a' .. require 'b')", "a@1 b@1 "},
        {"x = a..require 'b'", "b@1 "},
        {"local r = require", ""},
        {"function f()\n  return require 'late'\nend", "late@2 "},
        {"s = 'not closed\nrequire 'a'", "a@2 "},
        {"s = 'a\\\nb' require 'c'", "c@2 "},
        {"--[[ never closed\nrequire 'a'", ""},
        {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct found f = {0};
        struct why why = {0};
        CHECK_OK(require_scan(str_of(cases[i].text), "x.lua", note, &f, &why));
        CHECK_STR(str_of(f.names), cases[i].found);
    }
    struct found f = {0};
    struct why why = {0};
    CHECK_ERR(require_scan(STR("\nrequire(name)"), "x.lua", note, &f, &why), E_SCRIPT);
    CHECK(str_starts(str_of(why.text), STR("x.lua:2: require takes a literal name")));
    CHECK_ERR(require_scan(STR("require('a' .. b)"), "x.lua", note, &f, &why), E_SCRIPT);
}

static void module_names_cannot_leave_the_folder(void **state) {
    (void)state;
    static const char *const good[] = {"a", "snap", "snap_2", "snap.sign", "snap/sign", "0"};
    static const char *const bad[] = {"",     ".",    "..", "../a", "a/../b", "/a",   "a/",  "a..b",
                                      "a//b", "a./b", "A",  "a-b",  "a b",    "a\\b", "a\n", "~a"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CHECK(module_name_valid(str_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!module_name_valid(str_of(bad[i])));
    CHECK(!module_name_valid((struct str){"a\0b", 3}));
}

#define LIB_A \
    { "scripts/lib/a.lua", "local b = require 'b'; return { b = b }" }
#define LIB_B \
    { "scripts/lib/b/init.lua", "return 1" }

static void parts_are_the_script_and_all_it_needs(void **state) {
    (void)state;
    const struct script_text texts[] = {
        {"channels/x.lua",
         "local a, j = require 'a', require 'string'\nreturn function() return require 'b' end"},
        LIB_A,
        LIB_B,
        {0}};
    struct version *v;
    struct why why = {0};
    CHECK_OK(texts_build(&v, KIND_CHANNEL, "channels/x.lua", texts, &why));
    CHECK_INT(v->part_count, 3);
    CHECK_STR(str_of(v->parts[0].name), "");
    CHECK_STR(str_of(version_part(v, "a")->path), "scripts/lib/a.lua");
    CHECK_STR(str_of(version_part(v, "b")->path), "scripts/lib/b/init.lua");
    CHECK(version_part(v, "string") == NULL);
    CHECK(version_part(v, "") == NULL);
    CHECK(v->parts[0].code.n > 4 && memcmp(v->parts[0].code.p, "\x1bLua", 4) == 0);
    version_drop(v);
}

/* The rule, written down a second time: sorted (path NUL hash NL), then the api number. */
static void the_id_follows_the_rule(void **state) {
    (void)state;
    const struct script_text texts[] = {{"channels/x.lua", "require 'b'"}, LIB_B, {0}};
    struct version *v;
    CHECK_OK(texts_build(&v, KIND_CHANNEL, "channels/x.lua", texts, NULL));
    char hash[2][SHA256_HEX_SIZE], id[SHA256_HEX_SIZE];
    CHECK_OK(crypto_sha256_hex(str_of(texts[0].text), hash[0]));
    CHECK_OK(crypto_sha256_hex(str_of(texts[1].text), hash[1]));
    struct buf all = {0};
    buf_adds(&all, "channels/x.lua");
    buf_addc(&all, '\0');
    buf_addf(&all, "%s\nscripts/lib/b/init.lua", hash[0]);
    buf_addc(&all, '\0');
    buf_addf(&all, "%s\napi 1\n", hash[1]);
    CHECK_OK(crypto_sha256_hex(buf_str(&all), id));
    CHECK_STR(str_of(v->id), id);
    buf_free(&all);
    version_drop(v);
}

static void build_two(const struct script_text *one, const struct script_text *two, bool same) {
    struct version *a, *b;
    CHECK_OK(texts_build(&a, KIND_CHANNEL, one[0].path, one, NULL));
    CHECK_OK(texts_build(&b, KIND_CHANNEL, two[0].path, two, NULL));
    CHECK((strcmp(a->id, b->id) == 0) == same);
    CHECK(a->serial != b->serial);
    version_drop(a);
    version_drop(b);
}

static void the_id_changes_with_any_part(void **state) {
    (void)state;
    const struct script_text base[] = {{"channels/x.lua", "require 'a'"}, LIB_A, LIB_B, {0}};
    const struct script_text text[] = {{"channels/x.lua", "require 'a' "}, LIB_A, LIB_B, {0}};
    const struct script_text lib[] = {
        {"channels/x.lua", "require 'a'"}, LIB_A, {"scripts/lib/b/init.lua", "return 2"}, {0}};
    const struct script_text path[] = {{"channels/y.lua", "require 'a'"}, LIB_A, LIB_B, {0}};
    build_two(base, base, true);
    build_two(base, text, false);
    build_two(base, lib, false);
    build_two(base, path, false);
}

static void equal_parts_are_held_once(void **state) {
    (void)state;
    const struct script_text one[] = {{"channels/x.lua", "require 'a'"}, LIB_A, LIB_B, {0}};
    const struct script_text two[] = {{"channels/y.lua", "require 'b'"}, LIB_A, LIB_B, {0}};
    struct version *a, *b;
    CHECK_OK(texts_build(&a, KIND_CHANNEL, one[0].path, one, NULL));
    CHECK_OK(texts_build(&b, KIND_CHANNEL, two[0].path, two, NULL));
    CHECK(version_part(a, "b")->code.p == version_part(b, "b")->code.p);
    version_drop(a);
    CHECK_STR(version_part(b, "b")->text, "return 1");
    version_drop(b);
}

static void errors_name_file_and_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *why;
        int err;
    } cases[] = {
        {"return {\n  a = = 1 }", "channels/x.lua:2: unexpected symbol near '='", E_SCRIPT},
        {"\n\nrequire 'gone'",
         "channels/x.lua:3: there is no module \"gone\": neither "
         "scripts/lib/gone.lua nor scripts/lib/gone/init.lua",
         E_NOTFOUND},
        {"require '../secrets'", "channels/x.lua:1: \"../secrets\" is no module name", E_SCRIPT},
        {"require 'bad'", "scripts/lib/bad.lua:1:", E_SCRIPT},
        {"\x1bLua", "channels/x.lua:1: is bytecode", E_SCRIPT}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct script_text texts[] = {
            {"channels/x.lua", cases[i].text}, {"scripts/lib/bad.lua", "return ("}, {0}};
        struct version *v = NULL;
        struct why why = {0};
        CHECK_ERR(texts_build(&v, KIND_CHANNEL, "channels/x.lua", texts, &why), cases[i].err);
        if (!str_starts(str_of(why.text), str_of(cases[i].why)))
            fail_msg("expected \"%s\", got \"%s\"", cases[i].why, why.text);
        CHECK(v == NULL);
    }
}

static void a_first_line_for_the_shell_is_skipped(void **state) {
    (void)state;
    static const char *const texts[] = {"#!/usr/bin/env luwak run\nreturn 1",
                                        "\xef\xbb\xbfreturn 1", "#only"};
    for (size_t i = 0; i < 3; i++) {
        const struct script_text files[] = {{"t.lua", texts[i]}, {0}};
        struct version *v;
        struct why why = {0};
        CHECK_OK(texts_build(&v, KIND_TOOL, "t.lua", files, &why));
        CHECK_STR(v->parts[0].text, texts[i]);
        version_drop(v);
    }
}

static void modules_that_need_each_other_end(void **state) {
    (void)state;
    const struct script_text texts[] = {{"channels/x.lua", "require 'p'"},
                                        {"scripts/lib/p.lua", "require 'q'"},
                                        {"scripts/lib/q.lua", "require 'p'"},
                                        {0}};
    struct version *v;
    CHECK_OK(texts_build(&v, KIND_CHANNEL, "channels/x.lua", texts, NULL));
    CHECK_INT(v->part_count, 3);
    version_drop(v);
}

#ifdef LUWAK_FAULTS
static void memory_can_fail_anywhere(void **state) {
    (void)state;
    const struct script_text texts[] = {{"channels/x.lua", "require 'a'"}, LIB_A, LIB_B, {0}};
    int64_t before = mem_live();
    for (uint64_t nth = 1;; nth++) {
        struct version *v = NULL;
        struct why why = {0};
        mem_fail_at(nth, 0);
        int err = texts_build(&v, KIND_CHANNEL, "channels/x.lua", texts, &why);
        int failed = mem_has_failed();
        mem_fail_at(0, 0);
        if (err == 0) version_drop(v);
        if (err != 0 && !failed) fail_msg("%s", why.text);
        CHECK_INT(mem_live(), before);
        if (!failed) break;
    }
}
#endif

static int count_found(void *data, const char *path, enum script_kind kind, const struct stat *st) {
    (void)path, (void)kind, (void)st;
    ++*(int *)data;
    return 0;
}

static void make_file(const char *path) {
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fclose(file);
}

static void linked_folders_stay_inside_the_root(void **state) {
    (void)state;
    char dir[300];
    snprintf(dir, sizeof dir, "%s/links", unit_tmpdir());
    CHECK_INT(mkdir(dir, 0700) | chdir(dir) | mkdir("root", 0700) | mkdir("root/channels", 0700) |
                  mkdir("root/.data", 0700) | mkdir("out", 0700),
              0);
    make_file("root/channels/a.lua");
    make_file("root/.data/b.lua");
    make_file("out/c.lua");
    CHECK_INT(symlink("../.data", "root/channels/in"), 0);   /* found: b */
    CHECK_INT(symlink("../../out", "root/channels/out"), 0); /* outside */
    CHECK_INT(symlink(".", "root/channels/loop"), 0);
    int found = 0;
    CHECK_OK(source_list("root", count_found, &found));
    CHECK_INT(found, 2);
    CHECK_INT(chdir("/"), 0);
}

/* ---- versions of texts that are known ---- */

static struct part_text *text_of(const char *path, const char *bytes) {
    struct part_text *t = NULL;
    struct buf text = {0};
    buf_adds(&text, bytes);
    CHECK_OK(part_text_new(&t, path, &text, NULL));
    return t;
}

static struct version *of_texts(const char *script, const char *module) {
    struct version *v = NULL;
    struct part_text *parts[] = {text_of("channels/x.lua", script),
                                 text_of("scripts/lib/b/init.lua", module)};
    CHECK_OK(version_new(&v, KIND_CHANNEL, "x", "channels/x.lua", NULL));
    CHECK_OK(version_add(v, STR(""), parts[0], NULL));
    CHECK_OK(version_add(v, STR("b"), parts[1], NULL));
    CHECK_OK(version_seal(v, NULL));
    part_text_drop(parts[0]);
    part_text_drop(parts[1]);
    return v;
}

static void *compile_it(void *v) {
    return version_compile(v, NULL) == 0 ? v : NULL;
}

static void known_texts_are_compiled_when_needed(void **state) {
    (void)state;
    CHECK_OK(crypto_setup()); /* what OpenSSL keeps it takes now */
    int64_t before = mem_live();
    const struct script_text texts[] = {{"channels/x.lua", "return require 'b'"}, LIB_B, {0}};
    struct version *built, *v = of_texts(texts[0].text, texts[1].text);
    CHECK(part_code(&v->parts[0]).n == 0 && part_code(&v->parts[1]).n == 0);
    CHECK_OK(texts_build(&built, KIND_CHANNEL, "channels/x.lua", texts, NULL));
    CHECK_STR(str_of(v->id), built->id);
    /* built from files: compiled at once, for both */
    CHECK(part_code(&v->parts[0]).n != 0 && built->parts[0].code.n != 0);
    version_drop(built);
    version_drop(v);
    for (int round = 0; round < 20; round++) { /* several workers want it at once */
        pthread_t threads[4];
        void *done;
        v = of_texts(texts[0].text, texts[1].text);
        for (size_t i = 0; i < ARRAY_LEN(threads); i++)
            CHECK_INT(pthread_create(&threads[i], NULL, compile_it, v), 0);
        for (size_t i = 0; i < ARRAY_LEN(threads); i++)
            CHECK(pthread_join(threads[i], &done) == 0 && done == v);
        CHECK(part_code(&v->parts[0]).n != 0 && part_code(&v->parts[1]).n != 0);
        version_drop(v);
    }
    v = of_texts("return", "return 1 +");
    struct why why = {0};
    CHECK_ERR(version_compile(v, &why), E_SCRIPT);
    CHECK(str_starts(str_of(why.text), STR("scripts/lib/b/init.lua:1: ")));
    version_drop(v);
    CHECK_INT(mem_live(), before);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(known_texts_are_compiled_when_needed),
    cmocka_unit_test(linked_folders_stay_inside_the_root),
    cmocka_unit_test(requires_are_found_where_they_count),
    cmocka_unit_test(module_names_cannot_leave_the_folder),
    cmocka_unit_test(parts_are_the_script_and_all_it_needs),
    cmocka_unit_test(the_id_follows_the_rule),
    cmocka_unit_test(the_id_changes_with_any_part),
    cmocka_unit_test(equal_parts_are_held_once),
    cmocka_unit_test(errors_name_file_and_line),
    cmocka_unit_test(a_first_line_for_the_shell_is_skipped),
    cmocka_unit_test(modules_that_need_each_other_end),
#ifdef LUWAK_FAULTS
    cmocka_unit_test(memory_can_fail_anywhere),
#endif
};
UNIT_MAIN("version", TESTS)
