#include "script_fixture.h"

#include "base/mem.h"
#include "script/state.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

/* Until the real ones are linked in (they count the same way). */
__attribute__((weak)) struct version *version_keep(struct version *v) {
    atomic_fetch_add(&v->references, 1);
    return v;
}
__attribute__((weak)) void version_drop(struct version *v) {
    atomic_fetch_sub(&v->references, 1);
}

static char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    char *name = strdup(slash == NULL ? path : slash + 1);
    char *dot = strrchr(name, '.');
    if (dot != NULL) *dot = '\0';
    return name;
}

struct version *fixture_version(enum script_kind kind, const char *const *texts) {
    static uint64_t serial = 1000000;
    struct version *v = calloc(1, sizeof *v);
    size_t n = 0;
    while (texts[2 * n] != NULL)
        n++;
    atomic_store(&v->references, 1);
    v->kind = kind;
    v->serial = ++serial;
    v->part_count = n;
    v->parts = calloc(n, sizeof *v->parts);
    snprintf(v->id, sizeof v->id, "%064llu", (unsigned long long)v->serial);
    for (size_t i = 0; i < n; i++) {
        v->parts[i].path = strdup(texts[2 * i]);
        v->parts[i].name = i == 0 ? strdup("") : name_of(texts[2 * i]);
        v->parts[i].text = str_of(strdup(texts[2 * i + 1]));
    }
    v->path = strdup(texts[0]);
    v->name = name_of(texts[0]);
    return v;
}

struct version *fixture_script(enum script_kind kind, const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "channels/%s.lua", name);
    return VERSION(kind, path, text);
}

void fixture_drop(struct version *v) {
    if (v == NULL) return;
    CHECK_INT(atomic_load(&v->references), 1);
    for (size_t i = 0; i < v->part_count; i++) {
        free(v->parts[i].path);
        free(v->parts[i].name);
        free((char *)v->parts[i].text.p);
        free((char *)v->parts[i].code.p);
    }
    free(v->parts);
    free(v->path);
    free(v->name);
    free(v);
}

void fixture_start(struct fixture *f, const struct runtime_limits *limits) {
    *f = (struct fixture){0};
    f->live = mem_live();
    clock_virtual(&f->clock, 1700000000000);
    rng_seeded(&f->rng, 42);
    CHECK_OK(loop_sim_new(&f->loop, &f->clock, NULL));
    struct runtime_options options = {.loop = f->loop, .rng = &f->rng};
    if (limits != NULL) options.limits = *limits;
    CHECK_OK(runtime_new(&f->rt, &options));
}

void fixture_stop(struct fixture *f) {
    runtime_delete(f->rt);
    loop_sim_drain(f->loop);
    loop_delete(f->loop);
    if (f->live >= 0) CHECK_INT(mem_live(), f->live);
}

static int push(lua_State *L, void *data) {
    struct outcome *o = data;
    int n = 0;
    if (o->argument != NULL) {
        lua_pushstring(L, o->argument);
        n++;
    }
    if (o->function != NULL) {
        lua_pushcfunction(L, o->function);
        n++;
    }
    return n;
}

static int take(lua_State *L, int n, void *data) {
    struct outcome *o = data;
    o->results = n;
    o->main = state_of(L)->L;
    const char *text = "nil";
    int type = n == 0 ? LUA_TNIL : lua_type(L, 1);
    if (type == LUA_TSTRING || type == LUA_TNUMBER)
        text = lua_tostring(L, 1);
    else if (type == LUA_TBOOLEAN)
        text = lua_toboolean(L, 1) ? "true" : "false";
    else if (type != LUA_TNIL)
        text = script_tag(L, 1) != NULL ? script_tag(L, 1) : lua_typename(L, type);
    snprintf(o->result, sizeof o->result, "%s", text);
    return 0;
}

static void done(const struct call_result *r, void *data) {
    struct outcome *o = data;
    o->done++;
    o->outcome = r->outcome;
    snprintf(o->text, sizeof o->text, "%s", r->text == NULL ? "" : r->text);
    o->cpu_ns = r->cpu_ns;
    o->peak_bytes = r->peak_bytes;
}

int fixture_call_within(struct fixture *f, struct version *v, const char *name, struct outcome *o,
                        uint32_t deadline_ms, uint32_t cpu_ms) {
    /* entry must live as long as the call: tests name few functions, so they are kept for good */
    static const char *entries[64][2];
    static int count;
    int i = 0;
    while (i < count && strcmp(entries[i][0], name) != 0)
        i++;
    if (i == count) entries[count++][0] = name;
    struct call call = {.version = v,
                        .entry = entries[i],
                        .deadline_ms = deadline_ms,
                        .cpu_ms = cpu_ms,
                        .data = o,
                        .push = push,
                        .take = take,
                        .done = done};
    return script_call(f->rt, &call, &o->ticket);
}

int fixture_call(struct fixture *f, struct version *v, const char *name, struct outcome *o) {
    return fixture_call_within(f, v, name, o, 0, 0);
}
