#include "registry_fixture.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "sys/crypto.h"
#include "sys/log.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture f;

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
void play_ends(int code, const char *text) {
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

void quiet(void *data, struct str line) {
    (void)data, (void)line;
}
void on_broken(void *data, const char *path, const char *text) {
    (void)data, (void)path;
    f.broken++;
    snprintf(f.said, sizeof f.said, "%s", text);
}
void on_changed(struct registry_listener *self, struct script_set *set) {
    (void)self;
    script_set_drop(f.set);
    f.set = set;
}
static void on_started(void *data, int err) {
    (void)data;
    CHECK_OK(err);
    f.started++;
}

void put(const char *path, const char *text) {
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", f.root, path);
    FILE *file = fopen(full, "w");
    fputs(text, file);
    fclose(file);
}
void put_by_rename(const char *path, const char *text) {
    char temp[600], from[1200], to[1200];
    snprintf(temp, sizeof temp, "%s.tmp~", path);
    put(temp, text);
    snprintf(from, sizeof from, "%s/%s", f.root, temp);
    snprintf(to, sizeof to, "%s/%s", f.root, path);
    CHECK_INT(rename(from, to), 0);
}
void make(const char *folder) {
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", f.root, folder);
    CHECK_INT(mkdir(full, 0755), 0);
}
void gone(const char *path) {
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", f.root, path);
    CHECK_INT(unlink(full), 0);
}

/* A route script whose route names its version. */
const char *api(const char *word) {
    static char text[512];
    snprintf(text, sizeof text,
             "return { api = 1, title = '%s', routes = { ['GET /v1/%s'] = { auth = 'none', run = "
             "function(req) end } } }",
             word, word);
    return text;
}
const char *title(const char *name) {
    const struct script_entry *e =
        f.set == NULL ? NULL : script_set_find(f.set, KIND_API, str_of(name));
    return e == NULL ? "-" : e->deleted ? "deleted" : e->version->manifest->title;
}

void begin(enum scripts_mode mode, bool with_store) {
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
void finish(void) {
    loop_sim_drain(f.loop);
    CHECK(registry_idle(f.r));
    registry_unlisten(f.r, &f.listener);
    registry_delete(f.r);
    script_set_drop(f.set);
    f.r = NULL, f.set = NULL;
}

int setup(void **state) {
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
int teardown(void **state) {
    (void)state;
    if (f.r != NULL) finish();
    loop_delete(f.loop);
    fake_store_free(&f.store);
    CHECK_INT(mem_live(), f.live_before);
    return 0;
}

/* Whoever reads "script_live" and asks meets the new version, though no task ran since. */
char live_title[64];
void hear_at_live(void *data, struct str line) {
    (void)data;
    if (memmem(line.p, line.n, "script_live", 11) == NULL) return;
    registry_hear(&f.listener);
    snprintf(live_title, sizeof live_title, "%s", title("a"));
}

const struct why *deployed;
static struct why deploy_why;
void on_deployed(void *data, const struct why *why) {
    (void)data;
    deploy_why = *why;
    deployed = &deploy_why;
}

int deploy(const char *path) {
    deployed = NULL;
    registry_deploy(f.r, path, on_deployed, NULL);
    loop_sim_drain(f.loop);
    CHECK(deployed != NULL);
    return deployed->code;
}

bool listed(const char *text) {
    struct buf out = {0};
    registry_list(f.r, &out);
    bool there = str_search(buf_str(&out), str_of(text)) >= 0;
    buf_free(&out);
    return there;
}

const char *api_of_m(const char *word) {
    static char text[512];
    snprintf(text, sizeof text,
             "local m = require 'm' return { api = 1, title = '%s' .. m.word, routes = {} }", word);
    return text;
}
