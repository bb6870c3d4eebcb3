/* See cmd_work.h. */
#include "cli/cmd_work.h"

#include "core/audit.h"
#include "data.h"
#include "engine.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

enum { AUDIT_TRIES = 8 };

static void committed(const struct commit_result *result, void *data) {
    struct work *w = data;
    w->err = result->err;
    snprintf(w->detail, sizeof w->detail, "%s", result->detail == NULL ? "" : result->detail);
    w->waiting = false;
    loop_stop(w->engine->loop);
}

static void queried(int err, const struct why *why, struct rows *rows, void *data) {
    struct work *w = data;
    w->err = err;
    w->rows = rows;
    snprintf(w->detail, sizeof w->detail, "%.190s", err == 0 ? "" : why->text);
    w->waiting = false;
    loop_stop(w->engine->loop);
}

static void wait_for(struct work *w) {
    while (w->waiting)
        loop_uv_run(w->engine->loop);
}

int work_query(struct work *w, const char *name, const struct val *values, size_t count,
               struct why *why) {
    w->waiting = true;
    store_query(w->core->store, name, values, count, w->engine->loop, queried, w);
    wait_for(w);
    return w->err == 0 ? 0 : why_set(why, w->err, "%s", w->detail);
}

/* "operator NAME": the user of this machine who ran the command. */
static void actor_name(char out[80]) {
    char room[1024];
    struct passwd entry, *user = NULL;
    if (getpwuid_r(getuid(), &entry, room, sizeof room, &user) == 0 && user != NULL)
        snprintf(out, 80, "operator %.60s", user->pw_name);
    else
        snprintf(out, 80, "operator uid %u", (unsigned)getuid());
}

int work_change(struct work *w, int (*build)(struct work *w, struct commit *c, struct why *why),
                const char *action, struct why *why) {
    char actor[80];
    actor_name(actor);
    for (int tries = 0; tries < AUDIT_TRIES; tries++) {
        struct commit *c = NULL;
        int err = commit_new(&c);
        if (err == 0) err = build(w, c, why);
        struct audit_line line = {.actor = str_of(actor),
                                  .action = str_of(action),
                                  .object = str_of(w->made[0] != '\0' ? w->made : w->id),
                                  .detail = STR("{}")};
        if (err == 0) err = audit_add(w->core, c, &line, 1);
        if (err != 0) {
            if (c != NULL) commit_free(c);
            return why->code != 0 ? why->code : why_set(why, err, "%s", err_text(err));
        }
        w->waiting = true;
        store_submit(w->core->store, c, LANE_NEW, w->engine->loop, committed, w);
        wait_for(w);
        if (w->err != E_STATE && w->err != E_EXISTS) break;
    }
    if (w->err == E_GUARD)
        return why_set(why, w->err, "%s: there is none that it could end", w->id);
    return w->err == 0 ? 0 : why_set(why, w->err, "%s: %s", err_text(w->err), w->detail);
}

int work_run(const struct cli_args *args, int (*what)(struct work *w, struct why *why)) {
    struct config *config = NULL;
    struct why why = {0};
    struct work w = {.args = args, .id = args->count > 1 ? args->args[1] : ""};
    int code = cli_config(args, true, &config);
    if (code == 0) code = cmd_setup(args, config);
    if (code == 0 && strcmp(args->args[0], "list") == 0 && !data_there(config)) {
        data_missing(config, &why); /* who only looks makes none */
        code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    }
    if (code == 0) {
        const struct engine_options o = {.config = config, .mode = ENGINE_TOOL, .beside = true};
        int err = engine_new(&w.engine, &o, &why);
        if (err == 0) {
            w.core = &w.engine->core;
            w.config = config;
            err = what(&w, &why);
        }
        if (err != 0)
            code = cli_fail(args, err == E_USAGE ? CLI_USAGE : CLI_PROBLEMS, "%s", why.text);
        rows_free(w.rows);
        engine_delete(w.engine);
    }
    config_free(config);
    return code != 0 || fflush(stdout) == 0 ? code : CLI_PROBLEMS;
}
