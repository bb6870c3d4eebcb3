/* core: what trusted scripts ask of the core. Here: operations.
 *
 * core.operation.create waits for three things in turn: commit 1 (the intent is on disk), the
 * channel's function, commit 2 (the result is on disk). None of them can be called back, so what
 * they answer to is on the heap and outlasts the caller; a caller that is gone, or waited long
 * enough, just does not hear: the operation goes on, and its ask job stands. */
#include "base/ensure.h"
#include "base/mem.h"
#include "core/jobs.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/cage.h"
#include "script/context.h"
#include "script/dispatch.h"
#include "script/operation_input.h"
#include "script/operation_text.h"
#include "script/store_wait.h"
#include "sys/config.h"

#include <stdarg.h>
#include <stdio.h>

enum { REFERENCE_MAX = 64, DOC_MAX = 64 * 1024 };

struct creating { /* on the heap, until both commits and the call are over */
    struct ticket ticket;
    struct timer *patience; /* of the wait; while not abandoned */
    bool abandoned;
    const struct script_services *services;
    struct runtime *runtime;
    struct version *version;
    struct operation_new op;
    char *memory; /* of op's texts */
    int err;
    char detail[200];
};

struct create_wait {
    struct co_wait wait;
    struct timer patience;
    struct creating *creating; /* NULL: it goes on without us */
    char id[ID_SIZE];
};

static void creating_free(struct creating *c) {
    version_drop(c->version);
    mem_free(c->memory);
    mem_free(c);
}

static void create_over(struct creating *c) {
    if (c->abandoned) {
        creating_free(c);
        return;
    }
    timer_stop(c->patience); /* it must not fire between this wake and the resume */
    co_wake(c->ticket);
}

static void decided(int err, enum operation_state state, void *data) {
    struct creating *c = data;
    (void)err, (void)state; /* the row says what became of it */
    create_over(c);
}

static void intent_stored(const struct commit_result *result, void *data) {
    struct creating *c = data;
    c->err = result->err;
    if (result->err != 0) {
        snprintf(c->detail, sizeof c->detail, "%s", result->detail == NULL ? "" : result->detail);
        create_over(c);
        return;
    }
    jobs_poke(c->services->jobs);
    struct operation_row row = {.id = str_of(c->op.id),
                                .kind = c->op.kind,
                                .script = c->op.script,
                                .version = c->op.version,
                                .account = c->op.account,
                                .reference = c->op.reference,
                                .state = OPERATION_SENDING,
                                .generation = 1,
                                .doc = c->op.doc};
    struct operation_call call = {.runtime = c->runtime,
                                  .services = c->services,
                                  .version = c->version,
                                  .function = c->op.kind.p,
                                  .operation = &row};
    if (dispatch_operation(&call, decided, c) != 0) create_over(c); /* the ask job takes it */
}

/* ---- the caller's side ---- */

static void wait_cancel(struct co_wait *wait) {
    struct create_wait *w = CONTAINER_OF(wait, struct create_wait, wait);
    timer_stop(&w->patience);
    w->creating->abandoned = true;
    w->creating = NULL;
}

static void patience_over(struct timer *timer) {
    struct create_wait *w = CONTAINER_OF(timer, struct create_wait, patience);
    if (!co_wake(w->wait.ticket)) return;
    w->creating->abandoned = true;
    w->creating = NULL;
}

static int wait_gc(lua_State *L) {
    struct create_wait *w = lua_touserdata(L, 1);
    timer_stop(&w->patience);
    if (w->creating != NULL) creating_free(w->creating);
    w->creating = NULL;
    return 0;
}

static int push_operation(lua_State *L, const char *id) {
    struct rows **rows = rows_push(L);
    int err = store_get(context_of(L)->services->store, "operation_get", VALS(V_TEXT(id)), rows);
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    struct operation_row row;
    if (rows_count(*rows) == 0) return lua_pushnil(L), 1;
    if (operation_row_read(*rows, 0, &row) != 0)
        return luaL_error(L, "operation %s is damaged", id);
    operation_push(L, &row);
    return 1;
}

static int created(lua_State *L, struct co_wait *wait) {
    struct create_wait *w = CONTAINER_OF(wait, struct create_wait, wait);
    timer_stop(&w->patience);
    if (w->creating != NULL && w->creating->err != 0) {
        const struct creating *c = w->creating;
        return bind_fail(L, c->err, "%s%s%s", err_text(c->err), c->detail[0] == '\0' ? "" : ": ",
                         c->detail);
    }
    return push_operation(L, w->id);
}

static struct create_wait *wait_push(lua_State *L) {
    struct create_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct create_wait){.wait.cancel = wait_cancel};
    if (luaL_newmetatable(L, "luwak.create_wait")) {
        lua_pushcfunction(L, wait_gc);
        lua_setfield(L, -2, "__gc");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
    }
    lua_setmetatable(L, -2);
    w->creating = mem_zalloc(sizeof *w->creating);
    if (w->creating == NULL) luaL_error(L, "out of memory");
    return w;
}

/* What came from outside is refused, not raised: nil, text, code, param. */
static int refuse(lua_State *L, int err, const char *param, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static int refuse(lua_State *L, int err, const char *param, const char *format, ...) {
    char text[WHY_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    int n = bind_fail(L, err, "%s", text);
    lua_pushstring(L, param);
    return n + 1;
}

/* A field that the script itself names. */
static struct str text_field(lua_State *L, const char *name) {
    struct str s = {0};
    lua_pushstring(L, name);
    if (lua_rawget(L, 1) == LUA_TSTRING)
        s.p = lua_tolstring(L, -1, &s.n);
    else if (!lua_isnil(L, -1))
        luaL_error(L, "operation: %s is a text", name);
    return s;
}

/* A field that a client fills: false where it is there and is no name of printable ASCII. */
static bool name_field(lua_State *L, const char *name, struct str *out) {
    lua_pushstring(L, name);
    int type = lua_rawget(L, 1);
    *out = (struct str){0};
    if (type != LUA_TSTRING) return type == LUA_TNIL;
    out->p = lua_tolstring(L, -1, &out->n);
    for (size_t i = 0; i < out->n; i++)
        if (out->p[i] <= ' ' || out->p[i] > '~') return false;
    return out->n != 0 && out->n <= REFERENCE_MAX;
}

static int keep_texts(struct creating *c, struct str kind, struct str account, struct str reference,
                      struct str doc) {
    struct str script = str_of(c->version->path), version = str_of(c->version->id);
    c->memory = mem_alloc(kind.n + account.n + reference.n + doc.n + script.n + version.n + 6);
    if (c->memory == NULL) return E_NOMEM;
    char *at = c->memory;
    c->op.kind = str_copy(&at, kind);
    c->op.account = str_copy(&at, account);
    c->op.reference = str_copy(&at, reference);
    c->op.doc = str_copy(&at, doc);
    c->op.script = str_copy(&at, script);
    c->op.version = str_copy(&at, version);
    return 0;
}

static int encode_doc(lua_State *L) {
    json_encode(L, 1, JSON_DEPTH, DOC_MAX, "operation");
    return 1;
}

/* {"input": ...}, encoded and left on the stack; false: why not, as a text there. */
static bool input_doc(lua_State *L, struct str *doc) {
    lua_pushcfunction(L, cage_pcall); /* as a script's own: a budget that ends goes on through it */
    lua_pushcfunction(L, encode_doc);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "input");
    if (lua_rawget(L, 1) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
    }
    lua_setfield(L, -2, "input");
    lua_call(L, 2, 2);
    doc->p = lua_tolstring(L, -1, &doc->n);
    return lua_toboolean(L, -2);
}

static int l_create(lua_State *L) {
    const struct call_context *ctx = context_of(L);
    const struct script_services *s = ctx->services;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct str channel, reference, doc;
    struct str kind = text_field(L, "kind"), account = text_field(L, "account");
    if (kind.n == 0) kind = STR("create");
    co_require_wait(L, "core.operation.create");
    if (!name_field(L, "channel", &channel) || channel.n == 0)
        return refuse(L, E_INVAL, "channel", "channel is the name of a channel");
    if (!name_field(L, "reference", &reference))
        return refuse(L, E_INVAL, "reference",
                      "reference is a text of 1 to %d printable characters", REFERENCE_MAX);
    struct version *v = s->find_channel(s->worker, channel);
    if (v == NULL) return refuse(L, E_NOTFOUND, "channel", "there is no channel %s", channel.p);
    if (!manifest_has(v->manifest, kind.p))
        return refuse(L, E_INVAL, "kind", "channel %s has no %s", channel.p, kind.p);
    if (!input_doc(L, &doc))
        return refuse(L, E_INVAL, "input", "%s", doc.p == NULL ? "not to be encoded" : doc.p);
    struct input_fault fault;
    int err = operation_input_check(v->manifest, kind, doc, &fault);
    if (err == E_NOMEM) return bind_fail(L, err, "%s", err_text(err)); /* nobody's field */
    if (err != 0) return refuse(L, fault.err, fault.param, "%s", fault.text);
    if (account.n == 0) account = str_of(v->manifest->provider);
    char made[TOKEN_SIZE];
    if (reference.n == 0) {
        token_make(made, s->rng);
        reference = (struct str){made, 20};
    }
    struct commit *commit = commit_push(L);
    struct create_wait *w = wait_push(L);
    struct creating *c = w->creating;
    c->services = s;
    c->runtime = co_runtime(L);
    c->version = version_keep(v);
    if (keep_texts(c, kind, account, reference, doc) != 0) return luaL_error(L, "out of memory");
    c->op.ask_at = clock_now_ms(s->clock) + ASK_AFTER_MS;
    c->op.ask_backoff = ASK_BACKOFF;
    operation_add_start(commit, &c->op, s->clock, s->rng);
    memcpy(w->id, c->op.id, sizeof w->id);
    commit_release(L, commit); /* the last word to Lua: nothing may raise once it is parked */
    co_park(L, &w->wait);
    c->patience = &w->patience;
    c->ticket = w->wait.ticket;
    timer_start(co_loop(L), &w->patience, (uint64_t)config_number(s->config, SET_LUWAK_CREATE_WAIT),
                patience_over);
    store_submit(s->store, commit, LANE_NEW, co_loop(L), intent_stored, c);
    return co_yield (L, created);
}

static int l_get(lua_State *L) {
    return push_operation(L, luaL_checkstring(L, 1));
}

static const struct bind_fn OPERATION[] = {
    {"create", l_create, KINDS_TRUSTED & ~KIND_MIGRATION,
     "what: table -> table?, string?, string?, string?",
     "asks a channel for one thing: {channel=, kind=, reference=, input=}; waits for the result; "
     "or "
     "nil, text, code and the field that is wrong"},
    {"get", l_get, KINDS_TRUSTED & ~KIND_MIGRATION, "id: string -> table?, string?, string?",
     "the operation, or nil"},
    {0},
};
const struct bind_module bind_core = {"core.operation", "things asked of providers", OPERATION,
                                      NULL};
