/* Generated references: the language of signatures, and that what is generated is what is there. */
#include "script/bind_docs.h"
#include "script/runtime.h"
#include "script_texts.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static void a_signature_is_read(void **state) {
    (void)state;
    struct sig s;
    struct why why = {0};
    CHECK_OK(sig_parse(&s, "data: string|secret|list, key?: string -> string, string?", &why));
    CHECK_INT(s.param_count, 2);
    CHECK_STR(s.params[0].name, "data");
    CHECK_STR(s.params[0].type, "string|secret|list");
    CHECK(!s.params[0].optional && s.params[1].optional);
    CHECK_INT(s.result_count, 2);
    CHECK(!s.results[0].optional && s.results[1].optional);
    CHECK_STR(s.results[1].type, "string");
    CHECK_OK(sig_parse(&s, "f: function, ... -> boolean, any...", &why));
    CHECK(s.params[1].many && s.results[1].many);
    CHECK_OK(sig_parse(&s, "...: string", &why));
    CHECK_STR(s.params[0].type, "string");
    CHECK_OK(sig_parse(&s, "= number", &why));
    CHECK(s.constant);
    CHECK_OK(sig_parse(&s, "-> integer", &why));
    CHECK_INT(s.param_count, 0);
    CHECK_OK(sig_parse(&s, "", &why));
    CHECK_OK(sig_parse(&s, "t: table, mt: table? -> json.number", &why));
    CHECK(s.params[1].optional);
    CHECK_OK(sig_parse(&s, "o?: {mode: string, iv?: string|list} -> string?|secret, any[]?", &why));
    CHECK_INT(s.param_count, 1);
    CHECK_STR(s.params[0].type, "{mode: string, iv?: string|list}");
    CHECK_STR(s.results[1].type, "any[]");
}

static void what_is_no_signature_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "data",       "data string",           "a: string,", "a: -> string", "a: string ->",
        "a: str-ing", "a: string | -> x",      "1a: string", ": string",     "a: x -> ,y",
        "=",          "a: string,, b: string", "a: x. -> y", "o: {a} -> b",  "o: {a: string -> b",
        "o: {a: b,}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct sig s;
        struct why why = {0};
        if (sig_parse(&s, wrong[i], &why) == 0) fail_msg("taken: %s", wrong[i]);
    }
}

static int wrong_entries(const char *owner, const struct bind_fn *f) {
    int wrong = 0;
    for (; f != NULL && f->name != NULL; f++) {
        struct sig s;
        struct why why = {0};
        bool good = f->sig != NULL && sig_parse(&s, f->sig, &why) == 0;
        bool doc = f->doc != NULL && f->doc[0] != '\0' && strchr(f->doc, '\n') == NULL;
        if (!good || !doc || f->kinds == 0) {
            print_error("%s.%s: sig \"%s\", doc \"%s\"\n", owner, f->name, f->sig, f->doc);
            wrong++;
        }
    }
    return wrong;
}

static void every_entry_of_every_table_is_well_formed(void **state) {
    (void)state;
    int wrong = 0;
    for (const struct bind_module *const *m = BIND_MODULES; *m != NULL; m++) {
        wrong += wrong_entries((*m)->name, (*m)->fns);
        for (const struct bind_type *t = (*m)->types; t != NULL && t->name != NULL; t++)
            wrong += wrong_entries(t->name, t->methods);
    }
    CHECK_INT(wrong, 0);
}

/* ---- the world of a kind, walked ---- */

static char walked[1024][64];
static size_t walked_count;

static int by_text(const void *a, const void *b) {
    return strcmp(a, b);
}

static void walk_table(lua_State *L, const char *prefix) {
    size_t before = walked_count;
    luaL_checkstack(L, 6, NULL);
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] == '\0' ? "" : ".",
                 lua_tostring(L, -2));
        if (strcmp(name, "_G") == 0) continue;
        if (lua_istable(L, -1))
            walk_table(L, name);
        else
            memcpy(walked[walked_count++], name, sizeof name);
    }
    if (walked_count == before) /* a value such as `allow` */
        snprintf(walked[walked_count++], 64, "%s", prefix);
}

static int walk(lua_State *L, void *data) {
    (void)data;
    walked_count = 0;
    lua_getfield(L, 1, "world");
    walk_table(L, "");
    qsort(walked, walked_count, sizeof walked[0], by_text);
    return 0;
}

/* Names declared but not there, and there but not declared, told apart. */
static int differences(enum script_kind kind) {
    struct buf declared = {0};
    struct version *v;
    struct why why = {0};
    const struct script_text texts[] = {{"t.lua", "return { world = _ENV }"}, {0}};
    CHECK_OK(texts_build(&v, kind, "t.lua", texts, &why));
    int err = script_load_aside(v, walk, NULL, &why);
    if (err != 0) fail_msg("%s", why.text);
    docs_names(BIND_MODULES, kind, &declared);
    struct str rest = buf_str(&declared), one;
    int wrong = 0;
    size_t at = 0;
    while (rest.n != 0) {
        str_cut(rest, '\n', &one, &rest);
        if (str_starts(one, STR("ctx."))) continue;
        while (at < walked_count && str_cmp(str_of(walked[at]), one) < 0) {
            print_error("kind %d: %s is there, not declared\n", kind, walked[at++]);
            wrong++;
        }
        if (at < walked_count && str_eq(str_of(walked[at]), one)) {
            at++;
        } else {
            print_error("kind %d: %.*s is declared, not there\n", kind, STR_FMT(one));
            wrong++;
        }
    }
    wrong += (int)(walked_count - at);
    version_drop(v);
    buf_free(&declared);
    return wrong;
}

static void names_declared_are_names_reached(void **state) {
    (void)state;
    int wrong = 0;
    for (unsigned kind = KIND_CHANNEL; kind <= KIND_TEST; kind <<= 1)
        wrong += differences((enum script_kind)kind);
    CHECK_INT(wrong, 0);
}

/* ---- generated texts ---- */

static const struct bind_fn FNS[] = {{"sum", NULL, KINDS_ALL,
                                      "data: string|list, form?: string -> string, string?",
                                      "a <digest> of data"},
                                     {"most", NULL, KIND_CHANNEL, "= integer", "the greatest"},
                                     {0}};
static const struct bind_fn METHODS[] = {{"name", NULL, KINDS_ALL, "-> string", "its name"}, {0}};
static const struct bind_type TYPES[] = {{"key", "a key", METHODS, NULL}, {0}};
static const struct bind_fn PLAIN[] = {{"stop", NULL, KINDS_IO, "why: string, ...", "ends"}, {0}};
static const struct bind_fn GET[] = {{"get", NULL, KINDS_CAGED, "request: table -> table?", "asks"},
                                     {0}};
static const struct bind_module ONE = {"dig", "digests", FNS, TYPES},
                                TWO = {"", "plain", PLAIN, NULL},
                                THREE = {"ctx.http", "requests", GET, NULL};
static const struct bind_module *const SMALL[] = {&ONE, &TWO, &THREE, NULL};

static void has(const struct buf *b, const char *text) {
    if (str_search(buf_str(b), str_of(text)) < 0) fail_msg("no \"%s\" in:\n%s", text, buf_str(b).p);
}
static void lacks(const struct buf *b, const char *text) {
    if (str_search(buf_str(b), str_of(text)) >= 0) fail_msg("\"%s\" in:\n%s", text, buf_str(b).p);
}

static void stubs_are_what_a_language_server_reads(void **state) {
    (void)state;
    struct buf b = {0};
    docs_stubs(SMALL, &b);
    CHECK(str_starts(buf_str(&b), STR("---@meta\n")));
    has(&b, "---@class dig\ndig = {}\n");
    has(&b, "---a <digest> of data\n---@param data string|(string|secret)[]\n---@param form? "
            "string\n---@return string\n---@return string?\nfunction dig.sum(data, form) end\n");
    has(&b, "---@type integer\ndig.most = nil\n");
    has(&b, "---@class key\nlocal key_ = {}\n\n---its name\n---@return string\nfunction "
            "key_:name() end\n");
    has(&b, "---@param why string\n---@param ... any\nfunction stop(why, ...) end\n");
    has(&b, "function ctx.http.get(request) end\n");
    buf_free(&b);
}

static void names_are_of_the_kind(void **state) {
    (void)state;
    struct buf b = {0};
    docs_names(SMALL, KIND_CHANNEL, &b);
    CHECK_STR(buf_str(&b), "ctx.http.get\ndig.most\ndig.sum\nstop\n");
    buf_clear(&b);
    docs_names(SMALL, KIND_RULE, &b);
    CHECK_STR(buf_str(&b), "ctx.http.get\ndig.sum\n");
    buf_free(&b);
}

static void the_reference_escapes_what_it_shows(void **state) {
    (void)state;
    struct buf b = {0};
    docs_html(SMALL, &b);
    has(&b, "<code>dig.sum(data: string|list, form?: string) -&gt; string, string?</code>");
    has(&b, "a &lt;digest&gt; of data");
    has(&b, "<code>key:name() -&gt; string</code>");
    has(&b, "<code>expires.grace</code>");
    lacks(&b, "<digest>");
    buf_clear(&b);
    docs_markdown(SMALL, &b);
    has(&b, "| `dig.most` | the greatest | channel |");
    has(&b, "### scripts/jobs: what the script returns");
    buf_free(&b);
}

/* luacheck itself, where it is installed. */
static void luacheck_takes_its_list(void **state) {
    (void)state;
    struct buf b = {0};
    char path[512], command[1400];
    docs_luacheck(BIND_MODULES, &b);
    CHECK_OK(b.err);
    if (system("command -v luacheck >/dev/null 2>&1") != 0) {
        buf_free(&b);
        skip();
    }
    snprintf(path, sizeof path, "%s/luacheckrc", unit_tmpdir());
    FILE *file = fopen(path, "w");
    fputs(buf_str(&b).p, file);
    fclose(file);
    buf_free(&b);
    snprintf(command, sizeof command,
             "cd %s && mkdir -p rules channels && echo 'return string.sub(\"x\", 1)' > "
             "rules/good.lua && "
             "echo 'return pending {}' > channels/good.lua && "
             "luacheck --no-cache --config luacheckrc rules/good.lua channels/good.lua > out 2>&1",
             unit_tmpdir());
    CHECK_INT(system(command), 0);
    snprintf(command, sizeof command,
             "cd %s && echo 'return pending {}' > rules/bad.lua && "
             "luacheck --no-cache --config luacheckrc rules/bad.lua > out 2>&1",
             unit_tmpdir());
    CHECK(system(command) != 0);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(a_signature_is_read),
    cmocka_unit_test(what_is_no_signature_is_refused),
    cmocka_unit_test(every_entry_of_every_table_is_well_formed),
    cmocka_unit_test(names_declared_are_names_reached),
    cmocka_unit_test(stubs_are_what_a_language_server_reads),
    cmocka_unit_test(names_are_of_the_kind),
    cmocka_unit_test(the_reference_escapes_what_it_shows),
    cmocka_unit_test(luacheck_takes_its_list),
};
UNIT_MAIN("bind_docs", TESTS)
