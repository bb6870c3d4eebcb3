/* Hot load where a version waits for its plays and for its deploy. */
#include "base/mem.h"
#include "registry_fixture.h"

#include <stdio.h>

static void staged_files_wait_for_deploy(void **state) {
    (void)state;
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_STAGED, true);
    CHECK_STR(str_of(title("a")), "one"); /* an empty store: the folder is the beginning */
    put("scripts/api/a.lua", api("two"));
    put("scripts/api/b.lua", api("new"));
    SECOND();
    CHECK_STR(str_of(title("a")), "one");
    CHECK_STR(str_of(title("b")), "-");
    finish();
    begin(SCRIPTS_STAGED, true); /* a restart changes nothing */
    CHECK_STR(str_of(title("a")), "one");
    CHECK_STR(str_of(title("b")), "-");
    CHECK_ERR(deploy("scripts/api/none.lua"), E_NOTFOUND);
    CHECK_OK(deploy("scripts/api/a.lua"));
    CHECK_STR(str_of(title("a")), "two");
    CHECK_ERR(deploy("scripts/api/a.lua"), E_STATE);
    put("scripts/api/b.lua", "return {");
    SECOND();
    CHECK_ERR(deploy("scripts/api/b.lua"), E_SCRIPT);
}

static void a_staged_version_is_played_first(void **state) {
    (void)state;
    put("scripts/lib/pack.lua", "return { n = 1 }");
    put("scripts/api/a.lua", "local p = require 'pack' return { api = 1, title = 'one', routes = {"
                             " ['GET /v1/a'] = { auth = 'none', run = function(req) end } } }");
    put("scripts/api/a_b.lua", api("ab"));
    put("tests/lua/a_test.lua", "");
    put("tests/plays/a_more_test.lua", "");
    put("tests/lua/a_b_test.lua", ""); /* of a_b, whose name is longer */
    put("tests/lua/ab_test.lua", "");  /* of nobody */
    put("tests/lua/pack_test.lua", "");
    put("tests/e2e/a_test.lua", ""); /* not where plays are */
    begin(SCRIPTS_STAGED, true);
    CHECK_INT(f.runs, 0); /* the beginning of all is live */
    put("scripts/api/a.lua", "local p = require 'pack' return { api = 1, title = 'two', routes = {"
                             " ['GET /v1/a'] = { auth = 'none', run = function(req) end } } }");
    SECOND();
    CHECK_INT(f.runs, 1);
    CHECK_STR(str_of(f.files),
              "tests/lua/a_test.lua tests/lua/pack_test.lua tests/plays/a_more_test.lua ");
    CHECK(!listed("waits: luwak deploy scripts/api/a.lua"));
    CHECK(!registry_idle(f.r));
    play_ends(E_SCRIPT, "its plays fail: tests/lua/a_test.lua:3: expected 1");
    CHECK_STR(str_of(f.said),
              "scripts/api/a.lua: its plays fail: tests/lua/a_test.lua:3: expected 1");
    CHECK_ERR(deploy("scripts/api/a.lua"), E_SCRIPT);
    SECOND();
    CHECK_INT(f.runs, 1); /* not again by itself */
    put("tests/lua/a_test.lua", "-- mended");
    SECOND();
    CHECK_INT(f.runs, 2);
    play_ends(0, NULL);
    CHECK(listed("waits: luwak deploy scripts/api/a.lua"));
    CHECK_STR(str_of(title("a")), "one");
    CHECK_OK(deploy("scripts/api/a.lua"));
    CHECK_STR(str_of(title("a")), "two");
    CHECK_INT(f.runs, 2);
}

static void a_test_mended_during_its_run_counts(void **state) {
    (void)state;
    put("scripts/lib/help.lua", "return 1"); /* of the test alone */
    put("scripts/api/a.lua", api("one"));
    put("tests/lua/a_test.lua", "-- wrong");
    put("tests/lua/b_test.lua", "");
    begin(SCRIPTS_STAGED, true);
    put("scripts/api/a.lua", api("two"));
    SECOND();
    CHECK_INT(f.runs, 1);
    put("tests/lua/a_test.lua", "-- mended");
    SECOND();
    play_ends(E_SCRIPT, "its plays fail: of yesterday");
    CHECK_INT(f.runs, 2);
    CHECK_INT(f.broken, 0);
    put("tests/lua/b_test.lua", "-- of nobody");
    SECOND();
    play_ends(0, NULL);
    CHECK_INT(f.runs, 2);
    CHECK(listed("waits: luwak deploy scripts/api/a.lua"));
    /* staged, and its test asks for more now */
    put("tests/lua/a_test.lua", "-- stricter");
    SECOND();
    CHECK_INT(f.runs, 3);
    play_ends(E_SCRIPT, "its plays fail: too strict");
    CHECK_ERR(deploy("scripts/api/a.lua"), E_SCRIPT);
    put("tests/lua/a_test.lua", "-- mended");
    put("tests/lua/a_more_test.lua", "");
    SECOND();
    CHECK_INT(f.runs, 4);
    put("tests/lua/a_more_test.lua", "-- again"); /* what passed was another test */
    SECOND();
    play_ends(0, NULL);
    CHECK_INT(f.runs, 5);
    play_ends(0, NULL);
    CHECK_INT(f.runs, 5);
    CHECK_OK(deploy("scripts/api/a.lua"));
    CHECK_STR(str_of(title("a")), "two");
    put("tests/lua/a_test.lua", "-- of what serves");
    SECOND();
    CHECK_INT(f.runs, 5);
}

static void a_module_mended_during_its_run_counts(void **state) {
    (void)state;
    put("scripts/lib/m.lua", "return { word = '1' }");
    put("scripts/api/a.lua", api("one"));
    put("tests/lua/a_test.lua", "");
    begin(SCRIPTS_STAGED, true);
    put("scripts/api/a.lua", api_of_m("two"));
    SECOND();
    CHECK_INT(f.runs, 1);
    put("scripts/lib/m.lua", "return { word = '2' }");
    SECOND();
    play_ends(E_SCRIPT, "its plays fail: of yesterday");
    CHECK_INT(f.runs, 2);
    play_ends(0, NULL);
    CHECK_INT(f.broken, 0);
    CHECK_OK(deploy("scripts/api/a.lua"));
    CHECK_STR(str_of(title("a")), "two2");
}

/* Short of memory is nothing that a version has done. */
static void plays_that_memory_is_short_for_wait(void **state) {
    (void)state;
    put("scripts/api/a.lua", api("one"));
    put("tests/lua/a_test.lua", "");
    begin(SCRIPTS_STAGED, true);
    char word[32];
    int runs = 0;
    for (uint64_t n = 1; n < 200; n++) {
        snprintf(word, sizeof word, "w%d", (int)n);
        put("scripts/api/a.lua", api(word));
        mem_fail_at(n, 0);
        for (int i = 0; i < 4; i++)
            SECOND();
        mem_fail_at(0, 0);
        CHECK_INT(f.runs, ++runs);
        play_ends(n % 2 == 0 ? 0 : E_NOMEM, "its plays cannot be started: out of memory");
        if (n % 2 != 0) {
            SECOND();
            CHECK_INT(f.runs, ++runs);
            play_ends(0, NULL);
        }
        CHECK(registry_error(f.r, "scripts/api/a.lua") == NULL);
        CHECK(listed("waits: luwak deploy scripts/api/a.lua"));
    }
    CHECK_INT(f.broken, 0);
}

static void what_is_saved_during_its_plays_is_played_too(void **state) {
    (void)state;
    put("scripts/api/a.lua", api("one"));
    put("tests/lua/a_test.lua", "");
    put("tests/lua/b_test.lua", "");
    begin(SCRIPTS_STAGED, true);
    put("scripts/api/a.lua", api("two"));
    SECOND();
    put("scripts/api/a.lua", api("three"));
    put("scripts/api/b.lua", api("b"));
    SECOND();
    CHECK_INT(f.runs, 1);
    deployed = NULL;
    registry_deploy(f.r, "scripts/api/a.lua", on_deployed, NULL); /* waits for the plays */
    loop_sim_drain(f.loop);
    CHECK(deployed == NULL);
    play_ends(0, NULL); /* of two, which is no more */
    CHECK(deployed == NULL);
    CHECK_INT(f.runs, 2);
    CHECK_STR(str_of(title("a")), "one");
    for (int i = 0; i < 2; i++)
        play_ends(0, NULL); /* of three and of b, in some order */
    CHECK(deployed != NULL && deployed->code == 0);
    CHECK_STR(str_of(title("a")), "three");
    CHECK(listed("waits: luwak deploy scripts/api/b.lua"));
    CHECK_INT(f.runs, 3);
    gone("scripts/api/b.lua");
    put("scripts/api/a.lua", api("four"));
    SECOND();
    registry_deploy(f.r, "scripts/api/a.lua", on_deployed, NULL);
    play_ends(E_CLOSED, "stopping");
    CHECK_INT(deployed->code, E_CLOSED);
}

static const struct CMUnitTest TESTS[] = {
    T(staged_files_wait_for_deploy),        T(a_staged_version_is_played_first),
    T(a_test_mended_during_its_run_counts), T(a_module_mended_during_its_run_counts),
    T(plays_that_memory_is_short_for_wait), T(what_is_saved_during_its_plays_is_played_too),
};
UNIT_MAIN("registry_staged", TESTS)
