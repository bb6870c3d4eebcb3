/* Hot load: every way of saving a file, real files in a folder of the test's own, virtual time. */
#include "base/diff.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "registry_fake.h"
#include "sys/crypto.h"
#include "sys/log.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fixture {
    struct clock clock;
    struct loop *loop;
    struct registry *r;
    struct registry_options options;
    struct fake_store store;
    struct registry_listener listener;
    struct script_set *set; /* as a worker has it */
    char root[512];
    int broken; /* reports so far */
    char said[WHY_MAX];
    int started;
    int64_t live_before;
    /* plays: nothing ends until the test says how */
    bool playing;
    char files[512]; /* "a b " of the run under way, or the last */
    int runs;
    void (*played)(void *to, const struct why *why);
    void *played_to;
    bool granted;
} f;

static void play(void *data, const char *const *files, size_t count,
                 void (*done)(void *to, const struct why *why), void *to) {
    (void)data;
    CHECK(!f.playing); /* one at a time */
    f.playing = true;
    f.runs++;
    f.files[0] = '\0';
    for (size_t i = 0; i < count; i++)
        snprintf(f.files + strlen(f.files), sizeof f.files - strlen(f.files), "%s ", files[i]);
    f.played = done;
    f.played_to = to;
}
static void play_ends(int code, const char *text) {
    struct why why = {0};
    if (code != 0) why_set(&why, code, "%s", text);
    CHECK(f.playing);
    f.playing = false;
    f.played(f.played_to, &why);
    loop_sim_drain(f.loop);
}
/* Only channels need a grant here, of the host h. */
static bool lack(void *data, const struct version *v, struct buf *command) {
    (void)data;
    if (f.granted || v->kind != KIND_CHANNEL) return false;
    buf_adds(command, "luwak grant p --host h");
    return true;
}

static void quiet(void *data, struct str line) {
    (void)data, (void)line;
}
static void on_broken(void *data, const char *path, const char *text) {
    (void)data, (void)path;
    f.broken++;
    snprintf(f.said, sizeof f.said, "%s", text);
}
static void on_changed(struct registry_listener *self, struct script_set *set) {
    (void)self;
    script_set_drop(f.set);
    f.set = set;
}
static void on_started(void *data, int err) {
    (void)data;
    CHECK_OK(err);
    f.started++;
}

static void put(const char *path, const char *text) {
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", f.root, path);
    FILE *file = fopen(full, "w");
    fputs(text, file);
    fclose(file);
}
static void put_by_rename(const char *path, const char *text) {
    char temp[600], from[1200], to[1200];
    snprintf(temp, sizeof temp, "%s.tmp~", path);
    put(temp, text);
    snprintf(from, sizeof from, "%s/%s", f.root, temp);
    snprintf(to, sizeof to, "%s/%s", f.root, path);
    CHECK_INT(rename(from, to), 0);
}
static void make(const char *folder) {
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", f.root, folder);
    CHECK_INT(mkdir(full, 0755), 0);
}
static void gone(const char *path) {
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", f.root, path);
    CHECK_INT(unlink(full), 0);
}

/* A route script whose route names its version. */
static const char *api(const char *word) {
    static char text[512];
    snprintf(text, sizeof text,
             "return { api = 1, title = '%s', routes = { ['GET /v1/%s'] = { auth = 'none', run = "
             "function(req) end } } }",
             word, word);
    return text;
}
static const char *title(const char *name) {
    const struct script_entry *e =
        f.set == NULL ? NULL : script_set_find(f.set, KIND_API, str_of(name));
    return e == NULL ? "-" : e->deleted ? "deleted" : e->version->manifest->title;
}

static void begin(enum scripts_mode mode, bool with_store) {
    f.options = (struct registry_options){.loop = f.loop,
                                          .root = f.root,
                                          .modules = BIND_MODULES,
                                          .mode = mode,
                                          .store = with_store ? &f.store.api : NULL,
                                          .plays = play,
                                          .lacks = lack,
                                          .broken = on_broken};
    f.listener = (struct registry_listener){.loop = f.loop, .changed = on_changed};
    CHECK_OK(registry_new(&f.r, &f.options, NULL));
    registry_listen(f.r, &f.listener);
    f.started = 0;
    registry_start(f.r, on_started, NULL);
    loop_sim_drain(f.loop);
    CHECK_INT(f.started, 1);
}
static void end(void) {
    loop_sim_drain(f.loop);
    CHECK(registry_idle(f.r));
    registry_unlisten(f.r, &f.listener);
    registry_delete(f.r);
    script_set_drop(f.set);
    f.r = NULL, f.set = NULL;
}

static int setup(void **state) {
    (void)state;
    static int n;
    memset(&f, 0, sizeof f);
    log_capture(quiet, NULL);
    snprintf(f.root, sizeof f.root, "%s/root-%d", unit_tmpdir(), n++);
    mkdir(f.root, 0755);
    static const char *const folders[] = {"channels",    "rules",        "scripts", "scripts/api",
                                          "scripts/lib", "scripts/jobs", "tests",   "tests/lua",
                                          "tests/plays", "tests/e2e"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        make(folders[i]);
    CHECK_OK(crypto_setup()); /* what OpenSSL keeps it takes now */
    f.live_before = mem_live();
    clock_virtual(&f.clock, 0);
    CHECK_OK(loop_sim_new(&f.loop, &f.clock, NULL));
    fake_store_init(&f.store, f.loop);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    if (f.r != NULL) end();
    loop_delete(f.loop);
    fake_store_free(&f.store);
    CHECK_INT(mem_live(), f.live_before);
    return 0;
}
#define SECOND() loop_sim_run_for(f.loop, 1000)

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

/* Whoever reads "script_live" and asks meets the new version, though no task ran since. */
static char live_title[64];
static void hear_at_live(void *data, struct str line) {
    (void)data;
    if (memmem(line.p, line.n, "script_live", 11) == NULL) return;
    registry_hear(&f.listener);
    snprintf(live_title, sizeof live_title, "%s", title("a"));
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
    end();
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
    end();
    put("scripts/api/a.lua", api("one"));
    put("scripts/api/b.lua", "return {");
    begin(SCRIPTS_AUTO, true);
    CHECK_STR(str_of(served()), "GET /v1/one of scripts/api/a.lua");
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

static const struct why *deployed;
static struct why deploy_why;
static void on_deployed(void *data, const struct why *why) {
    (void)data;
    deploy_why = *why;
    deployed = &deploy_why;
}
static int deploy(const char *path) {
    deployed = NULL;
    registry_deploy(f.r, path, on_deployed, NULL);
    loop_sim_drain(f.loop);
    CHECK(deployed != NULL);
    return deployed->code;
}

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
    end();
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

static bool listed(const char *text) {
    struct buf out = {0};
    registry_list(f.r, &out);
    bool there = str_search(buf_str(&out), str_of(text)) >= 0;
    buf_free(&out);
    return there;
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

static const char *api_of_m(const char *word) {
    static char text[512];
    snprintf(text, sizeof text,
             "local m = require 'm' return { api = 1, title = '%s' .. m.word, routes = {} }", word);
    return text;
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
    end();
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

static void history_diff_and_rollback(void **state) {
    (void)state;
    struct buf out = {0};
    struct why why = {0};
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_STAGED, true);
    char one[VERSION_ID_SIZE];
    memcpy(one, script_set_find(f.set, KIND_API, STR("a"))->version->id, sizeof one);
    put("scripts/api/a.lua", api("two"));
    SECOND();
    CHECK_OK(registry_diff(f.r, "scripts/api/a.lua", NULL, NULL, &out, &why));
    CHECK(str_search(buf_str(&out), STR("-return { api = 1, title = 'one'")) > 0);
    CHECK(str_search(buf_str(&out), STR("+return { api = 1, title = 'two'")) > 0);
    CHECK_OK(deploy("scripts/api/a.lua"));
    buf_clear(&out);
    CHECK_OK(registry_history(f.r, "scripts/api/a.lua", &out, &why));
    CHECK(str_starts(buf_str(&out), STR("2026-03-10 12:34:58 +07:00  serves ")));
    CHECK_ERR(registry_history(f.r, "scripts/api/none.lua", &out, &why), E_NOTFOUND);
    buf_clear(&out);
    CHECK_OK(registry_rollback(f.r, "scripts/api/a.lua", NULL, &out, &why));
    SECOND();
    CHECK_STR(str_of(title("a")), "one"); /* without a deploy: it was live before */
    CHECK_STR(str_of(script_set_find(f.set, KIND_API, STR("a"))->version->id), one);
    char prefix[16];
    snprintf(prefix, sizeof prefix, "%.12s", f.store.rows[1].version);
    CHECK_OK(registry_rollback(f.r, "scripts/api/a.lua", prefix, &out, &why));
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
    CHECK_ERR(registry_rollback(f.r, "scripts/api/a.lua", "ffff", &out, &why), E_NOTFOUND);
    for (int i = 0; i < 2; i++) { /* asking for it makes none */
        CHECK_ERR(registry_rollback(f.r, "scripts/api/none.lua", NULL, &out, &why), E_NOTFOUND);
        CHECK(strstr(why.text, "no such script") != NULL);
    }
    buf_clear(&out);
    registry_list(f.r, &out);
    CHECK(str_starts(buf_str(&out), STR("live ")));
    buf_free(&out);
}

static void rollback(const char *path, const char *id, const char *said) {
    struct buf out = {0};
    struct why why = {0};
    if (registry_rollback(f.r, path, id, &out, &why) != 0) fail_msg("%s", why.text);
    if (str_search(buf_str(&out), str_of(said)) < 0) fail_msg("%s", out.data);
    buf_free(&out);
    SECOND();
}

static void a_rollback_opens_the_gate_once_for_one_version(void **state) {
    (void)state;
    put("scripts/lib/m.lua", "return { word = '1' }");
    put("scripts/api/a.lua", api_of_m("one"));
    begin(SCRIPTS_STAGED, true);
    put("scripts/api/a.lua", api_of_m("two"));
    SECOND();
    CHECK_OK(deploy("scripts/api/a.lua"));
    rollback("scripts/api/a.lua", NULL, "is back");
    CHECK_STR(str_of(title("a")), "one1");
    put("scripts/lib/m.lua", "return { word = '2' }"); /* not what was rolled back to */
    SECOND();
    CHECK_STR(str_of(title("a")), "one1");
    CHECK_OK(deploy("scripts/api/a.lua"));
    CHECK_STR(str_of(title("a")), "one2");
    put("scripts/lib/m.lua", "return { word = '1' }"); /* nor is this, by now */
    SECOND();
    CHECK_STR(str_of(title("a")), "one2");
    CHECK_OK(deploy("scripts/api/a.lua"));
    put("scripts/api/a.lua", api_of_m("two"));
    put("scripts/lib/m.lua", "return { word = '3' }");
    SECOND();
    CHECK_OK(deploy("scripts/api/a.lua"));
    CHECK_STR(str_of(title("a")), "two3");
    /* an old text with a new module never served */
    rollback("scripts/api/a.lua", NULL, "waits for luwak deploy scripts/api/a.lua");
    CHECK_STR(str_of(title("a")), "two3");
    CHECK_OK(deploy("scripts/api/a.lua"));
    CHECK_STR(str_of(title("a")), "one3");
    /* nor did what was only staged */
    put("scripts/api/a.lua", api_of_m("four"));
    SECOND();
    char four[VERSION_ID_SIZE];
    snprintf(four, sizeof four, "%s", f.store.rows[f.store.count - 1].version);
    put("scripts/api/a.lua", api_of_m("five"));
    SECOND();
    rollback("scripts/api/a.lua", four, "waits for luwak deploy scripts/api/a.lua");
    CHECK_STR(str_of(title("a")), "one3");
}

/* Beside a server the file is written by who asks, and is seen, and staged, before the rollback comes. */
static void a_rollback_takes_what_was_written_for_it(void **state) {
    (void)state;
    char version[VERSION_ID_SIZE], full[700];
    struct buf text = {0};
    struct why why = {0};
    struct stat before, after;
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_STAGED, true);
    put("scripts/api/a.lua", api("two"));
    SECOND();
    CHECK_OK(deploy("scripts/api/a.lua"));
    CHECK_OK(registry_kept_text(f.r, "scripts/api/a.lua", NULL, version, &text, &why));
    put("scripts/api/a.lua", text.data);
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
    snprintf(full, sizeof full, "%s/scripts/api/a.lua", f.root);
    CHECK_INT(stat(full, &before), 0);
    rollback("scripts/api/a.lua", version, "is back");
    CHECK_STR(str_of(title("a")), "one");
    CHECK_INT(stat(full, &after), 0);
    CHECK(before.st_ino == after.st_ino); /* where we may not write this would have failed */
    CHECK_ERR(registry_kept_text(f.r, "scripts/api/none.lua", NULL, version, &text, &why),
              E_NOTFOUND);
    buf_free(&text);
}

static void a_rollback_that_cannot_be_written_approves_nothing(void **state) {
    (void)state;
    char folder[600];
    struct buf out = {0};
    struct why why = {0};
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_STAGED, true);
    put("scripts/api/a.lua", api("two"));
    SECOND();
    CHECK_OK(deploy("scripts/api/a.lua"));
    snprintf(folder, sizeof folder, "%s/scripts/api", f.root);
    char away[700];
    snprintf(away, sizeof away, "%s-away", folder);
    CHECK_INT(rename(folder, away), 0);
    CHECK(registry_rollback(f.r, "scripts/api/a.lua", NULL, &out, &why) != 0);
    CHECK_INT(rename(away, folder), 0);
    put("scripts/api/a.lua", api("one"));
    SECOND();
    CHECK_STR(str_of(title("a")), "two");
    buf_free(&out);
}

static void a_version_comes_back_out_of_the_store(void **state) {
    (void)state;
    put("scripts/lib/m.lua", "return { word = 'one' }");
    put("scripts/api/a.lua",
        "local m = require 'm'\nreturn { api = 1, title = m.word, routes = {} }");
    begin(SCRIPTS_AUTO, true);
    char one[VERSION_ID_SIZE];
    memcpy(one, script_set_find(f.set, KIND_API, STR("a"))->version->id, sizeof one);
    put("scripts/lib/m.lua", "return { word = 'two' }");
    SECOND();
    struct buf out = {0};
    struct why why = {0};
    CHECK_OK(registry_diff(f.r, "scripts/api/a.lua", one, NULL, &out, &why));
    end();
    gone("scripts/api/a.lua"); /* while it is down */
    begin(SCRIPTS_AUTO, true);
    CHECK_STR(str_of(title("a")), "deleted");
    CHECK_OK(registry_rollback(f.r, "scripts/api/a.lua", one, &out, &why));
    gone("scripts/api/a.lua");
    f.store.texts[0].text[0] ^= 1; /* a damaged text never runs */
    CHECK(registry_rollback(f.r, "scripts/api/a.lua", one, &out, &why) != 0);
    buf_free(&out);
}

static void a_file_broken_at_start_is_served_from_the_store(void **state) {
    (void)state;
    put("scripts/api/a.lua", api("one"));
    begin(SCRIPTS_AUTO, true);
    end();
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

static void diffs_are_what_diff_says(void **state) {
    (void)state;
    struct buf out = {0};
    CHECK_OK(diff_write(STR("a\nb\nc\n"), STR("a\nb\nc\n"), "x", "y", &out));
    CHECK_STR(buf_str(&out), "");
    CHECK_OK(diff_write(STR("1\n2\n3\n4\n5\n6\n7\n8\n9\n"), STR("1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
                        "x", "y", &out));
    CHECK_STR(buf_str(&out), "--- x\n+++ y\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
    buf_clear(&out);
    CHECK_OK(diff_write(STR(""), STR("a\nb"), "x", "y", &out));
    CHECK_STR(buf_str(&out),
              "--- x\n+++ y\n@@ -0,0 +1,2 @@\n+a\n+b\n\\ No newline at end of file\n");
    buf_free(&out);
}

/* ---- what a short supply does ---- */

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
    end();
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
        end();
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

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest TESTS[] = {
    T(a_start_is_whole_or_refused),
    T(a_save_waits_for_memory),
    T(a_folder_that_cannot_be_listed_is_not_empty),
    T(what_can_be_read_again_is_not_broken),
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
    T(a_clash_of_routes_names_both),
    T(a_channels_paths_are_its_own),
    T(a_channel_takes_nothing_from_a_page),
    T(a_deleted_channel_loses_only_the_path_that_is_taken),
    T(a_path_is_not_free_while_its_successor_is_staged),
    T(a_kept_version_takes_no_path_back),
    T(a_test_mended_during_its_run_counts),
    T(a_module_mended_during_its_run_counts),
    T(plays_that_memory_is_short_for_wait),
    T(a_module_of_a_held_version_is_watched),
    T(a_grant_leaves_the_error_of_a_broken_save),
    T(a_granted_version_that_cannot_be_kept_stays_held),
    T(a_file_that_is_what_is_held_again_leaves_nothing_staged),
    T(a_rollback_opens_the_gate_once_for_one_version),
    T(a_rollback_takes_what_was_written_for_it),
    T(a_rollback_that_cannot_be_written_approves_nothing),
    T(what_cannot_be_kept_is_not_published),
    T(staged_files_wait_for_deploy),
    T(a_staged_version_is_played_first),
    T(what_is_saved_during_its_plays_is_played_too),
    T(what_lacks_grants_is_held_until_it_has_them),
    T(a_held_version_that_is_taken_back_is_forgotten),
    T(history_diff_and_rollback),
    T(a_version_comes_back_out_of_the_store),
    T(a_file_broken_at_start_is_served_from_the_store),
    T(many_reloads_leave_memory_flat),
    cmocka_unit_test(diffs_are_what_diff_says),
};
UNIT_MAIN("registry", TESTS)
