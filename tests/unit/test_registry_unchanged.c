/* Starts where nothing has changed: scripts are known by what they declared at the last start. What
 * is not compiled was not run: that is how these tests see it. Real files, virtual time. */
#include "base/ensure.h"
#include "base/mem.h"
#include "registry_fixture.h"
#include "script/manifest.h"
#include "sys/crypto.h"
#include "sys/file_read.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char data[600]; /* where outlines are kept */
static int start_err;

static void on_start_tried(void *to, int err) {
    (void)to;
    f.started++;
    start_err = err;
}

static void try_start(void) {
    f.listener = (struct registry_listener){.loop = f.loop, .changed = on_changed};
    CHECK_OK(registry_new(&f.r, &f.options, NULL));
    registry_listen(f.r, &f.listener);
    f.started = 0;
    registry_start(f.r, on_start_tried, NULL);
    loop_sim_drain(f.loop);
    CHECK_INT(f.started, 1);
}
static void serve(void) {
    try_start();
    CHECK_OK(start_err);
}
static void again(void) {
    finish();
    serve();
}

/* A page "a" with a title of its own, and a page "b" with the one of the module m. */
static const char *page(const char *name, const char *title) {
    static char text[512];
    snprintf(text, sizeof text,
             "local m = require 'm'\nreturn { api = 1, title = %s, routes = { ['GET /v1/%s'] = "
             "{ auth = 'none', run = function(req) end } } }",
             title, name);
    return text;
}

static int prepare(void **state) {
    setup(state);
    make("scripts/lib/m");
    make("data");
    snprintf(data, sizeof data, "%s/data", f.root);
    put("scripts/api/a.lua", page("a", "'one'"));
    put("scripts/api/b.lua", page("b", "m"));
    put("scripts/lib/m.lua", "return 'module'");
    f.options = (struct registry_options){.loop = f.loop,
                                          .root = f.root,
                                          .modules = BIND_MODULES,
                                          .store = &f.store.api,
                                          .outlines = data,
                                          .build = "this",
                                          .broken = on_broken};
    return 0;
}

/* "one": known by its outline; "one, loaded": it was run. */
static const char *seen(const char *name) {
    static char text[2][128];
    static int at;
    const struct script_entry *e =
        f.set == NULL ? NULL : script_set_find(f.set, KIND_API, str_of(name));
    if (e == NULL) return "-";
    at = !at;
    snprintf(text[at], sizeof text[at], "%s%s", e->version->manifest->title,
             part_code(&e->version->parts[0]).n == 0 ? "" : ", loaded");
    return text[at];
}
#define SEEN(a, b)                       \
    do {                                 \
        CHECK_STR(str_of(seen("a")), a); \
        CHECK_STR(str_of(seen("b")), b); \
    } while (0)

static void unchanged_scripts_are_not_run(void **state) {
    (void)state;
    serve();
    SEEN("one, loaded", "module, loaded");
    again();
    SEEN("one", "module");
    int rows = f.store.count;
    again();
    SEEN("one", "module");
    CHECK_INT(f.store.count, rows); /* nothing is kept anew */
    CHECK_INT(f.set->route_count, 2);
    CHECK_INT(f.broken, 0);
    struct version *v = f.set->entries[0].version; /* compiled when it is needed, all of it */
    CHECK_INT(v->part_count, 2);
    CHECK_OK(version_compile(v, NULL));
    CHECK(part_code(&v->parts[0]).n != 0 && part_code(&v->parts[1]).n != 0);
    /* hot load goes on as ever */
    put("scripts/lib/m.lua", "return 'new'");
    SECOND();
    SEEN("one, loaded", "new, loaded");
    again(); /* loaded after the start: once more at the next, which keeps it */
    SEEN("one, loaded", "new, loaded");
    again();
    SEEN("one", "new");
}

static void what_has_changed_is_loaded(void **state) {
    (void)state;
    serve();
    finish();
    put("scripts/api/a.lua", page("a", "'two'"));
    serve();
    SEEN("two, loaded", "module");
    again();
    SEEN("two", "module");
    finish();
    put("scripts/lib/m.lua", "return 'other'"); /* both require it */
    serve();
    SEEN("two, loaded", "other, loaded");
    finish();
    gone("scripts/lib/m.lua"); /* the second place that a module is looked for */
    put("scripts/lib/m/init.lua", "return 'folder'");
    serve();
    SEEN("two, loaded", "folder, loaded");
    again();
    SEEN("two", "folder");
    finish();
    put("scripts/lib/m.lua", "return 'before it'"); /* no part changed, but another counts */
    serve();
    SEEN("two, loaded", "before it, loaded");
    CHECK_INT(f.broken, 0);
}

static void another_build_loads_everything(void **state) {
    (void)state;
    serve();
    f.options.build = "that";
    again();
    SEEN("one, loaded", "module, loaded");
    again();
    SEEN("one", "module");
    f.options.build = "";
    again();
    SEEN("one, loaded", "module, loaded");
    f.options.build = "that";
    f.options.outlines = NULL;
    again();
    SEEN("one, loaded", "module, loaded");
}

/* A module that the engine brings itself by now. */
static void a_builtin_module_takes_the_place_of_ours(void **state) {
    (void)state;
    static const struct bind_module m = {.name = "m"};
    static const struct bind_module *const with_m[] = {&m, NULL};
    serve();
    f.options.modules = with_m;
    again();
    SEEN("-", "-"); /* here it is not there when they ask for it, as without outlines */
    CHECK(f.broken > 0);
}

static void a_broken_file_is_served_from_the_store(void **state) {
    (void)state;
    serve();
    finish();
    put("scripts/api/a.lua", "return {");
    serve();
    SEEN("one, loaded", "module");
    CHECK_INT(f.broken, 1);
    CHECK(str_starts(str_of(f.said), STR("scripts/api/a.lua:1: ")));
    finish();
    put("scripts/api/a.lua", page("a", "'one'")); /* back: what it declared is still known */
    f.broken = 0;
    serve();
    SEEN("one", "module");
    CHECK_INT(f.broken, 0);
}

static void a_clash_is_told_as_ever(void **state) {
    (void)state;
    serve();
    finish();
    put("scripts/api/Z.lua", page("b", "'thief'")); /* it comes before b */
    serve();
    CHECK_INT(f.broken, 1);
    CHECK(strstr(f.said, "is a route of") != NULL);
    CHECK_STR(str_of(seen("Z")), "thief, loaded");
    CHECK_STR(str_of(seen("b")), "-");
    gone("scripts/api/Z.lua");
    SECOND();
    CHECK_STR(str_of(seen("b")), "module, loaded");
}

static void staged_files_wait_as_ever(void **state) {
    (void)state;
    f.options.mode = SCRIPTS_STAGED;
    serve();
    SEEN("one, loaded", "module, loaded");
    again();
    SEEN("one", "module");
    f.options.build = "that"; /* the versions of the store are what is loaded here */
    again();
    SEEN("one, loaded", "module, loaded");
    again();
    SEEN("one", "module");
    finish();
    put("scripts/api/a.lua", page("a", "'two'"));
    serve();
    SEEN("one, loaded", "module");
    struct buf list = {0};
    registry_list(f.r, &list);
    CHECK(strstr(list.data, "staged") != NULL);
    buf_free(&list);
}

/* What the watch does not see cannot be known to be as it was. */
static void a_module_that_is_not_watched_is_read(void **state) {
    (void)state;
    make("scripts/lib/x_test");
    put("scripts/lib/x_test/init.lua", "return 'in a folder'");
    put("scripts/api/a.lua",
        "local m = require 'm'\nreturn { api = 1, routes = {}, title = require 'x_test' }");
    serve();
    SEEN("in a folder, loaded", "module, loaded");
    finish();
    put("scripts/lib/x_test.lua", "return 'before it'");
    serve();
    SEEN("before it, loaded", "module");
    again();
    SEEN("before it, loaded", "module");
}

/* ---- the file ---- */

static struct buf contents(void) {
    char path[1024];
    struct buf text = {0};
    snprintf(path, sizeof path, "%s/script-outlines", data);
    CHECK_OK(file_read(path, &text, NULL));
    return text;
}
static void write_contents(struct str text) {
    char path[1024];
    snprintf(path, sizeof path, "%s/script-outlines", data);
    FILE *file = fopen(path, "w");
    fwrite(text.p, 1, text.n, file);
    fclose(file);
}
/* With a hash that fits: what somebody wrote who knows how. */
static void write_sealed(struct str all) {
    char hash[SHA256_HEX_SIZE];
    struct buf text = {0};
    size_t head = strlen("luwak outlines 1\n") + 64 + 1;
    struct str rest = str_sub(all, head, all.n);
    CHECK_OK(crypto_sha256_hex(rest, hash));
    buf_addf(&text, "luwak outlines 1\n%s\n", hash);
    buf_addstr(&text, rest);
    write_contents(buf_str(&text));
    buf_free(&text);
}

static void a_damaged_file_is_as_none(void **state) {
    (void)state;
    serve();
    struct buf good = contents();
    again();
    SEEN("one", "module");
    char *bytes = malloc(good.len);
    for (size_t i = 0; i < good.len; i += 1 + good.len / 60) {
        finish();
        memcpy(bytes, good.data, good.len);
        bytes[i] ^= 0x20;
        write_contents((struct str){bytes, good.len});
        serve();
        SEEN("one, loaded", "module, loaded");
        finish();
        write_contents((struct str){good.data, i}); /* and cut short */
        serve();
        SEEN("one, loaded", "module, loaded");
        again(); /* which wrote it anew */
        SEEN("one", "module");
    }
    CHECK_INT(f.broken, 0);
    free(bytes);
    buf_free(&good);
}

/* Read through the reader of scripts, with all its checks: what these refuse is loaded. */
static void an_outline_is_checked_like_a_script(void **state) {
    (void)state;
    serve();
    struct buf good = contents();
    char *title = memmem(good.data, good.len, "\3\0\0\0one", 7);
    CHECK(title != NULL);
    memcpy(title + 4, "ONE", 3); /* another title is as good: so it was read from here */
    write_sealed(buf_str(&good));
    again();
    SEEN("ONE", "module");
    memcpy(title + 4, "o\0e", 3); /* no title has that */
    write_sealed(buf_str(&good));
    again();
    SEEN("one, loaded", "module");
    char *route = memmem(good.data, good.len, "GET /v1/b", 9);
    CHECK(route != NULL);
    memcpy(title + 4, "one", 3);
    memcpy(route, "GET v1//b", 9);
    write_sealed(buf_str(&good));
    again();
    SEEN("one", "module, loaded");
    CHECK_INT(f.broken, 0);
    finish();
    for (size_t i = 82; i < good.len; i++) { /* any byte: never worse than loaded */
        char was = good.data[i];
        good.data[i] = (char)~was;
        write_sealed(buf_str(&good));
        serve();
        CHECK(f.set->count == 2 && f.broken == 0);
        finish();
        good.data[i] = was;
    }
    serve();
    buf_free(&good);
}

static void what_cannot_be_written_is_no_trouble(void **state) {
    (void)state;
    char path[1024];
    serve();
    finish();
    snprintf(path, sizeof path, "%s/script-outlines", data);
    CHECK_INT(unlink(path), 0);
    snprintf(path, sizeof path, "%s/script-outlines.new", data); /* of a start that was killed */
    CHECK_INT(mkdir(path, 0755), 0);
    serve();
    SEEN("one, loaded", "module, loaded");
    again();
    SEEN("one, loaded", "module, loaded");
    CHECK_INT(rmdir(path), 0);
    FILE *file = fopen(path, "w");
    fputs("half of one", file);
    fclose(file);
    again();
    again();
    SEEN("one", "module");
    CHECK(access(path, F_OK) != 0);
    f.options.outlines = "/nowhere/at/all";
    again();
    SEEN("one, loaded", "module, loaded");
    CHECK_INT(f.broken, 0);
}

#ifdef LUWAK_FAULTS
static void a_start_is_whole_or_refused(void **state) {
    (void)state;
    put("scripts/api/c.lua", page("c", "m .. '!'"));
    serve();
    finish();
    put("scripts/api/c.lua", page("c", "m .. '?'")); /* one of each, in each of the starts */
    int refused = 0, whole = 0;
    for (uint64_t n = 1; whole < 3; n++) {
        put("scripts/api/c.lua", page("c", n % 2 == 0 ? "m .. '!'" : "m .. '?'"));
        f.listener = (struct registry_listener){.loop = f.loop, .changed = on_changed};
        CHECK_OK(registry_new(&f.r, &f.options, NULL));
        registry_listen(f.r, &f.listener);
        f.started = 0;
        mem_fail_at(n, 0);
        registry_start(f.r, on_start_tried, NULL);
        loop_sim_drain(f.loop);
        whole += !mem_has_failed();
        mem_fail_at(0, 0);
        CHECK_INT(f.started, 1);
        if (start_err != 0) {
            refused++;
            CHECK_INT(start_err, E_NOMEM);
            CHECK(f.set == NULL);
        } else {
            CHECK(str_starts(str_of(seen("a")), STR("one")));
            CHECK(str_starts(str_of(seen("b")), STR("module")));
            CHECK(str_starts(str_of(seen("c")), n % 2 == 0 ? STR("module!") : STR("module?")));
        }
        finish();
    }
    CHECK(refused > 50);
    serve();
    again();
    SEEN("one", "module");
    CHECK_INT(f.broken, 0);
}
#endif

#define P(name) cmocka_unit_test_setup_teardown(name, prepare, teardown)
static const struct CMUnitTest TESTS[] = {
    P(unchanged_scripts_are_not_run),
    P(what_has_changed_is_loaded),
    P(another_build_loads_everything),
    P(a_builtin_module_takes_the_place_of_ours),
    P(a_broken_file_is_served_from_the_store),
    P(a_clash_is_told_as_ever),
    P(staged_files_wait_as_ever),
    P(a_module_that_is_not_watched_is_read),
    P(a_damaged_file_is_as_none),
    P(an_outline_is_checked_like_a_script),
    P(what_cannot_be_written_is_no_trouble),
#ifdef LUWAK_FAULTS
    P(a_start_is_whole_or_refused),
#endif
};
UNIT_MAIN("registry_unchanged", TESTS)
