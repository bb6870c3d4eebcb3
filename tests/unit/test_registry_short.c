/* Hot load while memory or open files are short, or a file is no script for a while. */
#include "base/ensure.h"
#include "base/mem.h"
#include "registry_fixture.h"
#include "sys/log.h"

#include <stdio.h>
#include <sys/resource.h>

static int start_err;

static void on_start_tried(void *data, int err) {
    (void)data;
    start_err = err;
    f.started++;
}

/* Memory is short once, at every place of a start: all scripts serve, or it says that it cannot. */
static void a_start_is_whole_or_refused(void **state) {
    (void)state;
    put("scripts/lib/word.lua", "return { word = 'w' }");
    put("scripts/api/one.lua", api("one"));
    put("scripts/api/two.lua",
        "local m = require 'word' return { api = 1, title = m.word, routes = "
        "{ ['GET /v1/two'] = { auth = 'none', run = function(req) end } } }");
    begin(SCRIPTS_AUTO, false);
    finish();
    int refused = 0, whole = 0;
    for (uint64_t n = 1; whole < 3; n++) { /* until it fails behind the end of the start */
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
            CHECK_STR(str_of(title("one")), "one");
            CHECK_STR(str_of(title("two")), "w");
        }
        finish();
    }
    CHECK(refused > 20);
}

/* Memory is short once while a save is taken in: it serves all the same, a little later, and only then
 * the log says so. */
static void a_save_waits_for_memory(void **state) {
    (void)state;
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_AUTO, false);
    log_capture(hear_at_live, NULL);
    char word[32];
    for (uint64_t n = 1; n < 400; n++) {
        snprintf(word, sizeof word, "w%d", (int)n);
        put("scripts/api/a.lua", api(word));
        mem_fail_at(n, 0);
        for (int i = 0; i < 4; i++)
            SECOND();
        mem_fail_at(0, 0);
        CHECK_STR(str_of(title("a")), word);
        CHECK_STR(str_of(live_title), word);
        CHECK(registry_error(f.r, "scripts/api/a.lua") == NULL);
    }
    CHECK_INT(f.broken, 0);
    log_capture(quiet, NULL);
}

/* No file can be opened: nothing is known of the folders, so nothing in them is gone. */
static void a_folder_that_cannot_be_listed_is_not_empty(void **state) {
    (void)state;
    put("scripts/api/one.lua", api("one"));
    begin(SCRIPTS_AUTO, false);
    struct rlimit was, none;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = was.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 15; i++)
        SECOND();
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &was), 0);
    CHECK_STR(str_of(title("one")), "one");
    put("scripts/api/one.lua", api("again"));
    SECOND();
    CHECK_STR(str_of(title("one")), "again");
}

/* A file that is no script for a while, and then what it was: nothing is said of it any more. */
static void what_can_be_read_again_is_not_broken(void **state) {
    (void)state;
    static const char *const PATHS[] = {"scripts/api/one.lua", "scripts/lib/m.lua",
                                        "tests/lua/one_test.lua"};
    const char *const texts[] = {api("one"), "return { word = 'w' }", "return {}"};
    char *big = mem_alloc(SCRIPT_TEXT_MAX + 2);
    memset(big, '-', SCRIPT_TEXT_MAX + 1);
    big[SCRIPT_TEXT_MAX + 1] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(PATHS); i++)
        put(PATHS[i], texts[i]);
    begin(SCRIPTS_AUTO, true);
    for (size_t i = 0; i < ARRAY_LEN(PATHS); i++) {
        put(PATHS[i], big);
        SECOND();
        CHECK_INT(f.broken, (int)i + 1);
        CHECK(registry_error(f.r, PATHS[i]) != NULL);
        CHECK_STR(str_of(title("one")), "one");
        put(PATHS[i], texts[i]);
        SECOND();
        CHECK(registry_error(f.r, PATHS[i]) == NULL);
        CHECK_STR(str_of(title("one")), "one");
    }
    /* what was broken before is so again, and is said once more */
    put(PATHS[0], "return {");
    SECOND();
    put(PATHS[0], big);
    SECOND();
    put(PATHS[0], "return {");
    SECOND();
    CHECK(strstr(registry_error(f.r, PATHS[0]), "one.lua:1:") != NULL);
    CHECK_STR(str_of(title("one")), "one");
    mem_free(big);
}

static const struct CMUnitTest TESTS[] = {
    T(a_start_is_whole_or_refused),
    T(a_save_waits_for_memory),
    T(a_folder_that_cannot_be_listed_is_not_empty),
    T(what_can_be_read_again_is_not_broken),
};
UNIT_MAIN("registry_short", TESTS)
