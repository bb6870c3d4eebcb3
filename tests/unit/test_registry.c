/* Hot load: every way of saving a file, real files in a folder of the test's own, virtual time. */
#include "base/ensure.h"
#include "base/mem.h"
#include "registry_fixture.h"
#include "sys/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void a_folder_is_loaded_at_start(void **state) {
    (void)state;
    put("scripts/api/a.lua", api("one"));
    put("scripts/lib/m.lua", "return 1");
    put("channels/.hidden.lua", "rubbish(");
    put("channels/x.lua.bak", "rubbish(");
    begin(SCRIPTS_AUTO, false);
    CHECK_STR(str_of(title("a")), "one");
    CHECK_INT(f.set->count, 1);
    CHECK_INT(f.set->route_count, 1);
    CHECK_STR(str_of(f.set->routes[0].route->path), "/v1/one");
    CHECK_INT(f.broken, 0);
}

static void saved_in_place(void **state) {
    (void)state;
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_AUTO, false);
    put("scripts/api/a.lua", api("two")); /* same size, and within a tick of the file's clock */
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
    put("scripts/api/b.lua", api("new"));
    SECOND();
    CHECK_STR(str_of(title("b")), "new");
    CHECK_INT(f.broken, 0);
}

static void live_is_said_when_it_is_so(void **state) {
    (void)state;
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_AUTO, false);
    log_capture(hear_at_live, NULL);
    static const char *const words[] = {"two", "three", "four"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        put("scripts/api/a.lua", api(words[i]));
        SECOND();
        CHECK_STR(str_of(live_title), words[i]);
        CHECK_STR(str_of(title("a")), words[i]);
    }
    log_capture(quiet, NULL);
}

static void saved_in_place_with_the_same_times(void **state) {
    (void)state;
    char full[1024];
    struct timespec times[2] = {{1000000, 0}, {1000000, 0}};
    snprintf(full, sizeof full, "%s/scripts/api/a.lua", f.root);
    put("scripts/api/a.lua", api("one"));
    utimensat(AT_FDCWD, full, times, 0);
    begin(SCRIPTS_AUTO, false);
    SECOND();
    put("scripts/api/a.lua", api("two"));
    utimensat(AT_FDCWD, full, times, 0);
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
}

static void saved_by_rename(void **state) {
    (void)state;
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_AUTO, false);
    put_by_rename("scripts/api/a.lua", api("two"));
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
    CHECK_INT(f.broken, 0);
}

static void saved_by_symlink_swap(void **state) {
    (void)state;
    char link_path[1024], next[1024], file[1024];
    make("scripts/api/..one");
    make("scripts/api/..two");
    put("scripts/api/..one/a.lua", api("one"));
    put("scripts/api/..two/a.lua", api("two"));
    snprintf(link_path, sizeof link_path, "%s/scripts/api/..data", f.root);
    snprintf(next, sizeof next, "%s/scripts/api/..data_tmp", f.root);
    snprintf(file, sizeof file, "%s/scripts/api/a.lua", f.root);
    CHECK_INT(symlink("..one", link_path), 0);
    CHECK_INT(symlink("..data/a.lua", file), 0);
    begin(SCRIPTS_AUTO, false);
    CHECK_STR(str_of(title("a")), "one");
    CHECK_INT(f.set->count, 1);
    CHECK_INT(symlink("..two", next), 0);
    CHECK_INT(rename(next, link_path), 0);
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
}

static void a_half_written_file_never_serves(void **state) {
    (void)state;
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_AUTO, false);
    char half[512];
    snprintf(half, sizeof half, "%.40s", api("two"));
    put("scripts/api/a.lua", half); /* a save that takes less than two looks is not even seen */
    loop_sim_run_for(f.loop, 300);
    put("scripts/api/a.lua", api("two"));
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
    CHECK_INT(f.broken, 0);
    put("scripts/api/a.lua", ""); /* truncated, and left so for long */
    SECOND();
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
    CHECK_INT(f.broken, 1);
    put("scripts/api/a.lua", api("three"));
    SECOND();
    CHECK_STR(str_of(title("a")), "three");
    CHECK(registry_error(f.r, "scripts/api/a.lua") == NULL);
}

static void a_broken_version_is_reported_once_and_the_old_serves(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {"return {\n  api = = 1 }", "scripts/api/a.lua:2: unexpected symbol"},
        {"return {\n\n  api = 1, rutes = {} }", "scripts/api/a.lua:1: routes: is missing"},
        {"\nerror 'no'", "scripts/api/a.lua:2: no"},
        {"local x = require 'none'", "scripts/api/a.lua:1: there is no module \"none\""},
        {"while true do end", "scripts/api/a.lua"}};
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_AUTO, false);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        put("scripts/api/a.lua", wrong[i][0]);
        loop_sim_run_for(f.loop, 12000); /* with the looks at everything */
        CHECK_INT(f.broken, (int)i + 1);
        if (!str_starts(str_of(f.said), str_of(wrong[i][1]))) fail_msg("%s", f.said);
        CHECK_STR(str_of(title("a")), "one");
    }
    put("scripts/api/a.lua", api("one")); /* back to what serves */
    SECOND();
    CHECK(registry_error(f.r, "scripts/api/a.lua") == NULL);
    CHECK_STR(str_of(title("a")), "one");
}

static void a_deleted_script_is_marked_and_comes_back(void **state) {
    (void)state;
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_AUTO, true);
    gone("scripts/api/a.lua"); /* removed and written again, as some editors do */
    loop_sim_run_for(f.loop, 250);
    put("scripts/api/a.lua", api("two"));
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
    gone("scripts/api/a.lua");
    SECOND();
    CHECK_STR(str_of(title("a")), "deleted");
    CHECK_INT(f.set->route_count, 0);
    CHECK_STR(str_of(f.store.rows[f.store.count - 1].state), "deleted");
    put("scripts/api/a.lua", api("two"));
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
}

/* As of a file that became broken: what served goes on, also when that is seen at a start first. */
static void an_unreadable_script_is_not_deleted(void **state) {
    (void)state;
    char path[1024];
    snprintf(path, sizeof path, "%s/scripts/api/a.lua", f.root);
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_AUTO, true);
    finish();
    gone("scripts/api/a.lua");
    CHECK_INT(symlink("a.lua", path), 0); /* a link to itself: there, and never to be read */
    begin(SCRIPTS_AUTO, true);
    CHECK_STR(str_of(title("a")), "one");
    CHECK_STR(str_of(f.store.rows[f.store.count - 1].state), "live");
    CHECK(str_starts(str_of(f.said), STR("scripts/api/a.lua: ")));
    gone("scripts/api/a.lua");
    put("scripts/api/a.lua", api("two"));
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
}

static void a_module_reloads_who_requires_it(void **state) {
    (void)state;
    put("scripts/lib/m.lua", "return { word = 'one' }");
    put("scripts/lib/n.lua", "return require 'm'");
    put("scripts/api/a.lua",
        "local m = require 'n'\nreturn { api = 1, title = m.word, routes = {} }");
    put("scripts/api/b.lua", api("other"));
    begin(SCRIPTS_AUTO, false);
    CHECK_STR(str_of(title("a")), "one");
    const struct version *b = script_set_find(f.set, KIND_API, STR("b"))->version;
    put("scripts/lib/m.lua", "return { word = 'two' }");
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
    CHECK(script_set_find(f.set, KIND_API, STR("b"))->version == b);
    put("scripts/lib/m.lua", "return {");
    SECOND();
    CHECK_INT(f.broken, 1);
    CHECK(str_starts(str_of(f.said), STR("scripts/lib/m.lua:1:")));
    CHECK_STR(str_of(title("a")), "two");
    gone("scripts/lib/m.lua");
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
    CHECK(str_search(str_of(f.said), STR("there is no module \"m\"")) >= 0);
    put("scripts/lib/m.lua", "return { word = 'three' }");
    SECOND();
    CHECK_STR(str_of(title("a")), "three");
}

static void what_cannot_be_kept_is_not_published(void **state) {
    (void)state;
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_AUTO, true);
    CHECK_STR(str_of(title("a")), "one");
    f.store.fail = E_FULL;
    put("scripts/api/a.lua", api("two"));
    SECOND();
    SECOND();
    CHECK_STR(str_of(title("a")), "one");
    CHECK_INT(f.broken, 1);
    CHECK(str_search(str_of(f.said), STR("no space left")) >= 0);
    f.store.fail = 0; /* space returns */
    SECOND();
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
}

static void a_file_broken_at_start_is_served_from_the_store(void **state) {
    (void)state;
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_AUTO, true);
    finish();
    put("scripts/api/a.lua", "return {");
    begin(SCRIPTS_AUTO, true);
    CHECK_STR(str_of(title("a")), "one");
    CHECK_INT(f.broken, 1);
}

static size_t resident(void) {
    long pages = 0, all = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (fscanf(file, "%ld %ld", &all, &pages) != 2) pages = 0;
    fclose(file);
    return (size_t)pages * 4096;
}

/* LUWAK_RELOADS=10000 for the whole of it. */
static void many_reloads_leave_memory_flat(void **state) {
    (void)state;
    const char *n = getenv("LUWAK_RELOADS");
    int reloads = n == NULL ? 300 : atoi(n);
    put("scripts/lib/m.lua", "return { word = 'x' }");
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_AUTO, false);
    int64_t blocks = 0;
    size_t bytes = 0;
    for (int i = 0; i < reloads; i++) {
        char text[600];
        snprintf(text, sizeof text, "local m = require 'm' -- %d\n%s", i,
                 api(i % 2 ? "odd" : "even"));
        put_by_rename("scripts/api/a.lua", text);
        loop_sim_run_for(f.loop, 750);
        CHECK_STR(str_of(title("a")), i % 2 ? "odd" : "even");
        if (i == reloads / 10) blocks = mem_live(), bytes = resident();
    }
    if (mem_live() > blocks + 16)
        fail_msg("%lld blocks, %lld before", (long long)mem_live(), (long long)blocks);
    if (n != NULL)
        printf("%d reloads: %zu kB before, %zu kB after\n", reloads, bytes / 1024,
               resident() / 1024);
#ifndef __SANITIZE_ADDRESS__
    CHECK(resident() < bytes + 2 * 1024 * 1024);
#endif
}

static const struct CMUnitTest TESTS[] = {
    T(a_folder_is_loaded_at_start),
    T(saved_in_place),
    T(live_is_said_when_it_is_so),
    T(saved_in_place_with_the_same_times),
    T(saved_by_rename),
    T(saved_by_symlink_swap),
    T(a_half_written_file_never_serves),
    T(a_broken_version_is_reported_once_and_the_old_serves),
    T(a_deleted_script_is_marked_and_comes_back),
    T(an_unreadable_script_is_not_deleted),
    T(a_module_reloads_who_requires_it),
    T(what_cannot_be_kept_is_not_published),
    T(a_file_broken_at_start_is_served_from_the_store),
    T(many_reloads_leave_memory_flat),
};
UNIT_MAIN("registry", TESTS)
