/* Hot load: whose a route is when two scripts want it. */
#include "base/ensure.h"
#include "registry_fixture.h"

#include <stdio.h>

static void a_clash_of_routes_names_both(void **state) {
    (void)state;
    static const char *const text =
        "return { api = 1, title = '%s', routes = { ['GET /v1/x/%s'] = { auth = 'none', run = "
        "function() end } } }";
    char a[512], b[512];
    snprintf(a, sizeof a, text, "A", ":id");
    snprintf(b, sizeof b, text, "B", ":name");
    put("scripts/api/a.lua", a);
    begin(SCRIPTS_AUTO, false);
    put("scripts/api/b.lua", b);
    SECOND();
    CHECK_STR(str_of(title("b")), "-");
    CHECK(str_starts(str_of(f.said), STR("scripts/api/b.lua: \"GET /v1/x/:name\" is a route of "
                                         "scripts/api/a.lua already")));
    gone("scripts/api/a.lua"); /* the route is free: nobody has to save b again */
    SECOND();
    CHECK_STR(str_of(title("b")), "B");
}

/* The routes that serve, as "GET /a of PATH" in the order of the set. */
static const char *served(void) {
    static char text[512];
    text[0] = '\0';
    const struct script_set *set = registry_set(f.r);
    for (size_t i = 0; i < set->route_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s of %s", i == 0 ? "" : ", ",
                 set->routes[i].route->key, set->routes[i].version->path);
    return text;
}

static void a_channels_paths_are_its_own(void **state) {
    (void)state;
    static const char *const text =
        "return { api = 1, title = '%s', provider = '%s', method = 'qris', effect = 'offer', "
        "create "
        "= function() end, inquire = function() end, routes = { ['POST /%s'] = function() end } }";
    char a[512], b[512];
    snprintf(a, sizeof a, text, "A", "p", "pay");
    snprintf(b, sizeof b, text, "B", "q", "pay");
    put("channels/p_a.lua", a);
    f.granted = true;
    begin(SCRIPTS_AUTO, true);
    CHECK_STR(str_of(served()), "POST /pay of channels/p_a.lua");
    put("scripts/api/c.lua", "return { api = 1, routes = { ['POST /:x'] = { auth = 'none', run = "
                             "function() end } } }");
    SECOND();
    CHECK(str_search(str_of(f.said), STR("scripts/api/c.lua: \"POST /:x\" is a route of "
                                         "channels/p_a.lua already (\"POST /pay\")")) >= 0);
    gone("scripts/api/c.lua");
    put("channels/p_c.lua", a); /* another way of the same provider, which has one path for all */
    SECOND();
    CHECK(str_search(str_of(f.said), STR("channels/p_c.lua: \"POST /pay\" is a route")) < 0);
    gone("channels/p_c.lua");
    SECOND();
    put("channels/q_b.lua", b);
    SECOND();
    CHECK(str_search(str_of(f.said), STR("channels/q_b.lua: \"POST /pay\" is a route of "
                                         "channels/p_a.lua already")) >= 0);
    CHECK_STR(str_of(served()), "POST /pay of channels/p_a.lua");
    gone("channels/p_a.lua"); /* its bank goes on calling, until the path has a new owner */
    SECOND();
    SECOND();
    CHECK_STR(str_of(served()), "POST /pay of channels/q_b.lua");
    gone("channels/q_b.lua");
    SECOND();
    CHECK(str_search(str_of(served()), STR("POST /pay of channels/")) >= 0);
    CHECK_INT(registry_set(f.r)->route_count, 1);
}

/* A page, a channel, and whether they may stand together. */
static void a_channel_takes_nothing_from_a_page(void **state) {
    (void)state;
    static const struct {
        const char *page, *channel;
        bool clash;
    } CASES[] = {
        {"GET /p/*rest", "GET /p/back", true},        {"GET /p/*rest", "GET /p/a/b", true},
        {"GET /*rest", "HEAD /p/back", true},         {"GET /p/back", "HEAD /p/back", true},
        {"GET /p/:x", "HEAD /p/back", true},          {"HEAD /p/back", "GET /p/back", true},
        {"POST /p/*rest", "GET /p/back", false},      {"GET /p/back/*rest", "GET /p/back", false},
        {"GET /p/back/*rest", "GET /p/back/", false}, {"GET /q/*rest", "GET /p/back", false},
        {"POST /p/back", "HEAD /p/back", false},
    };
    f.granted = true;
    begin(SCRIPTS_AUTO, false);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char page[512], channel[512];
        snprintf(page, sizeof page,
                 "return { api = 1, title = 'page', routes = { ['%s'] = { auth = 'none', run = "
                 "function(req) end } } }",
                 CASES[i].page);
        snprintf(channel, sizeof channel,
                 "return { api = 1, title = 'c', provider = 'p', method = 'qris', effect = 'offer',"
                 " create = function() end, inquire = function() end,"
                 " routes = { ['%s'] = function() end } }",
                 CASES[i].channel);
        for (int page_first = 0; page_first <= 1; page_first++) {
            const char *second = page_first ? "channels/p_a.lua" : "scripts/api/a.lua";
            put(page_first ? "scripts/api/a.lua" : "channels/p_a.lua", page_first ? page : channel);
            SECOND();
            put(second, page_first ? channel : page);
            SECOND();
            if ((registry_error(f.r, second) != NULL) != CASES[i].clash)
                fail_msg("%s, %s", CASES[i].page, CASES[i].channel);
            gone("scripts/api/a.lua");
            gone("channels/p_a.lua");
            SECOND();
        }
    }
}

static void a_deleted_channel_loses_only_the_path_that_is_taken(void **state) {
    (void)state;
    put("channels/p_a.lua",
        "return { api = 1, title = 'A', provider = 'p', method = 'qris', effect = 'offer', create "
        "= function() end, inquire = function() end, routes = { ['POST /one'] = function() end,"
        " ['POST /two'] = function() end } }");
    f.granted = true;
    begin(SCRIPTS_AUTO, false);
    gone("channels/p_a.lua");
    SECOND();
    put("scripts/api/b.lua", "return { api = 1, routes = { ['POST /one'] = { auth = 'none', run = "
                             "function() end } } }");
    SECOND();
    CHECK_STR(str_of(served()), "POST /one of scripts/api/b.lua, POST /two of channels/p_a.lua");
}

/* What is on its way to wait serves nothing yet: what serves keeps its paths. */
static void a_path_is_not_free_while_its_successor_is_staged(void **state) {
    (void)state;
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_STAGED, true);
    f.store.hold = true;
    put("scripts/api/a.lua", api("two"));
    SECOND();
    put("scripts/api/b.lua", api("one"));
    SECOND();
    CHECK(str_starts(str_of(f.said), STR("scripts/api/b.lua: \"GET /v1/one\" is a route of "
                                         "scripts/api/a.lua already")));
    fake_store_release(&f.store);
    SECOND();
    CHECK_STR(str_of(served()), "GET /v1/one of scripts/api/a.lua");
}

/* At a start too: the kept version of a broken file does not stand beside who took its path. */
static void a_kept_version_takes_no_path_back(void **state) {
    (void)state;
    put("scripts/api/b.lua", api("one"));
    begin(SCRIPTS_AUTO, true);
    finish();
    put("scripts/api/a.lua", api("one"));
    put("scripts/api/b.lua", "return {");
    begin(SCRIPTS_AUTO, true);
    CHECK_STR(str_of(served()), "GET /v1/one of scripts/api/a.lua");
}

static const struct CMUnitTest TESTS[] = {
    T(a_clash_of_routes_names_both),
    T(a_channels_paths_are_its_own),
    T(a_channel_takes_nothing_from_a_page),
    T(a_deleted_channel_loses_only_the_path_that_is_taken),
    T(a_path_is_not_free_while_its_successor_is_staged),
    T(a_kept_version_takes_no_path_back),
};
UNIT_MAIN("registry_routes", TESTS)
