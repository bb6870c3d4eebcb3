/* Hot load of what lacks a grant: held, and the version before it serves. */
#include "registry_fixture.h"

#include <stdio.h>

static void what_lacks_grants_is_held_until_it_has_them(void **state) {
    (void)state;
    static const char *const CHANNEL =
        "return { api = 1, title = '%s', provider = 'p', method = 'qris', effect = 'offer',"
        " limits = { min = 1, max = 2 }, expires = { default = '1h', max = '1h' },"
        " amounts = 'closed', lookup = 'ours',"
        " create = function(ctx, op) end, inquire = function(ctx, op) end }";
    char text[1024];
    snprintf(text, sizeof text, CHANNEL, "one");
    put("channels/p_qris.lua", text);
    put("scripts/api/a.lua", api("a"));
    begin(SCRIPTS_STAGED, true); /* the first start: all goes live that may */
    CHECK_STR(str_of(title("a")), "a");
    CHECK(script_set_find(f.set, KIND_CHANNEL, STR("p_qris")) == NULL);
    CHECK_INT(f.broken, 0);
    CHECK(listed("held     -            channels/p_qris.lua"));
    CHECK(listed("lacks grants: luwak grant p --host h"));
    registry_granted(f.r); /* of something else */
    loop_sim_drain(f.loop);
    CHECK(listed("held"));
    f.granted = true;
    registry_granted(f.r);
    loop_sim_drain(f.loop);
    CHECK(script_set_find(f.set, KIND_CHANNEL, STR("p_qris")) != NULL);
    CHECK(!listed("held") && !listed("lacks"));
    /* a new version that asks for more */
    f.granted = false;
    snprintf(text, sizeof text, CHANNEL, "two");
    put("channels/p_qris.lua", text);
    SECOND();
    CHECK(listed("waits: luwak deploy channels/p_qris.lua"));
    CHECK(listed("lacks grants: luwak grant p --host h"));
    CHECK_ERR(deploy("channels/p_qris.lua"), E_STATE);
    const struct script_entry *e = script_set_find(f.set, KIND_CHANNEL, STR("p_qris"));
    CHECK_STR(str_of(e->version->manifest->title), "one");
    CHECK(listed("held"));
    f.granted = true;
    registry_granted(f.r);
    loop_sim_drain(f.loop);
    e = script_set_find(f.set, KIND_CHANNEL, STR("p_qris"));
    CHECK_STR(str_of(e->version->manifest->title), "two");
    /* what serves goes on serving after a restart, whatever was taken back */
    f.granted = false;
    finish();
    begin(SCRIPTS_STAGED, true);
    CHECK(script_set_find(f.set, KIND_CHANNEL, STR("p_qris")) != NULL);
}

static const char *channel_of_m(const char *word) {
    static char text[1024];
    snprintf(text, sizeof text,
             "local m = require 'm' return { api = 1, title = '%s' .. m.word, provider = 'p',"
             " method = 'qris', effect = 'offer', create = function(ctx, op) end,"
             " inquire = function(ctx, op) end }",
             word);
    return text;
}

static const char *channel_title(const char *name) {
    const struct script_entry *e = script_set_find(f.set, KIND_CHANNEL, str_of(name));
    return e == NULL ? "-" : e->version->manifest->title;
}

/* What serves has no module, what is held has. */
static void a_module_of_a_held_version_is_watched(void **state) {
    (void)state;
    put("scripts/lib/m.lua", "return { word = '1' }");
    put("channels/p_x.lua",
        "return { api = 1, title = 'old', provider = 'p', method = 'qris', effect = 'offer',"
        " create = function(ctx, op) end, inquire = function(ctx, op) end }");
    f.granted = true;
    begin(SCRIPTS_AUTO, true);
    CHECK_STR(str_of(channel_title("p_x")), "old");
    f.granted = false;
    put("channels/p_x.lua", channel_of_m("new"));
    SECOND();
    CHECK(listed("held"));
    put("scripts/lib/m.lua", "return { word = '2' }");
    SECOND();
    f.granted = true;
    registry_granted(f.r);
    loop_sim_drain(f.loop);
    CHECK_STR(str_of(channel_title("p_x")), "new2");
}

/* An older version that goes live does not mend a newer file. */
static void a_grant_leaves_the_error_of_a_broken_save(void **state) {
    (void)state;
    put("scripts/lib/m.lua", "return { word = '1' }");
    put("channels/p_x.lua", channel_of_m("held"));
    begin(SCRIPTS_AUTO, true);
    CHECK(listed("held"));
    put("scripts/lib/m.lua", "return {"); /* the script's own text stays */
    SECOND();
    CHECK(registry_error(f.r, "channels/p_x.lua") != NULL);
    f.granted = true;
    registry_granted(f.r);
    loop_sim_drain(f.loop);
    CHECK_STR(str_of(channel_title("p_x")), "held1");
    CHECK(registry_error(f.r, "channels/p_x.lua") != NULL);
    CHECK(listed("broken"));
}

static void a_granted_version_that_cannot_be_kept_stays_held(void **state) {
    (void)state;
    put("scripts/lib/m.lua", "return { word = '1' }");
    put("channels/p_x.lua", channel_of_m("one"));
    f.granted = true;
    begin(SCRIPTS_STAGED, true);
    f.granted = false;
    put("channels/p_x.lua", channel_of_m("two"));
    SECOND();
    CHECK_ERR(deploy("channels/p_x.lua"), E_STATE); /* held */
    f.granted = true;
    f.store.fail = E_FULL;
    registry_granted(f.r);
    loop_sim_drain(f.loop);
    CHECK_STR(str_of(channel_title("p_x")), "one1");
    f.store.fail = 0; /* it was deployed: nobody has to say so again */
    SECOND();
    SECOND();
    CHECK_STR(str_of(channel_title("p_x")), "two1");
    CHECK(registry_error(f.r, "channels/p_x.lua") == NULL);
}

static void a_file_that_is_what_is_held_again_leaves_nothing_staged(void **state) {
    (void)state;
    put("scripts/lib/m.lua", "return { word = '1' }");
    put("channels/p_x.lua", channel_of_m("one"));
    f.granted = true;
    begin(SCRIPTS_STAGED, true);
    f.granted = false;
    put("channels/p_x.lua", channel_of_m("two"));
    SECOND();
    CHECK_ERR(deploy("channels/p_x.lua"), E_STATE); /* held */
    put("channels/p_x.lua", channel_of_m("three"));
    SECOND();
    CHECK(listed("waits: luwak deploy channels/p_x.lua"));
    put("channels/p_x.lua", channel_of_m("two"));
    SECOND();
    CHECK(!listed("waits: luwak deploy channels/p_x.lua"));
    f.granted = true;
    registry_granted(f.r);
    loop_sim_drain(f.loop);
    CHECK_STR(str_of(channel_title("p_x")), "two1");
}

static void a_held_version_that_is_taken_back_is_forgotten(void **state) {
    (void)state;
    put("channels/p_x.lua", "return 1");
    begin(SCRIPTS_AUTO, true);
    put("channels/p_x.lua",
        "return { api = 1, title = 'x', provider = 'p', method = 'qris', effect = 'offer',"
        " limits = { min = 1, max = 2 }, expires = { default = '1h', max = '1h' },"
        " amounts = 'closed', lookup = 'ours',"
        " create = function(ctx, op) end, inquire = function(ctx, op) end }");
    SECOND();
    CHECK(listed("held"));
    gone("channels/p_x.lua");
    SECOND();
    CHECK(!listed("held"));
    f.granted = true;
    registry_granted(f.r);
    loop_sim_drain(f.loop);
    CHECK(script_set_find(f.set, KIND_CHANNEL, STR("p_x")) == NULL);
}

static const struct CMUnitTest TESTS[] = {
    T(what_lacks_grants_is_held_until_it_has_them),
    T(a_module_of_a_held_version_is_watched),
    T(a_grant_leaves_the_error_of_a_broken_save),
    T(a_granted_version_that_cannot_be_kept_stays_held),
    T(a_file_that_is_what_is_held_again_leaves_nothing_staged),
    T(a_held_version_that_is_taken_back_is_forgotten),
};
UNIT_MAIN("registry_held", TESTS)
