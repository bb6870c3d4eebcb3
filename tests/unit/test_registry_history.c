/* Hot load: what was served before, and going back to it. */
#include "registry_fixture.h"

#include <stdio.h>
#include <sys/stat.h>

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
    finish();
    gone("scripts/api/a.lua"); /* while it is down */
    begin(SCRIPTS_AUTO, true);
    CHECK_STR(str_of(title("a")), "deleted");
    CHECK_OK(registry_rollback(f.r, "scripts/api/a.lua", one, &out, &why));
    gone("scripts/api/a.lua");
    f.store.texts[0].text[0] ^= 1; /* a damaged text never runs */
    CHECK(registry_rollback(f.r, "scripts/api/a.lua", one, &out, &why) != 0);
    buf_free(&out);
}

static const struct CMUnitTest TESTS[] = {
    T(history_diff_and_rollback),
    T(a_rollback_opens_the_gate_once_for_one_version),
    T(a_rollback_takes_what_was_written_for_it),
    T(a_rollback_that_cannot_be_written_approves_nothing),
    T(a_version_comes_back_out_of_the_store),
};
UNIT_MAIN("registry_history", TESTS)
