/* Requests out, for scripts. A request is read from its table (bind_http_read.c) into an http_op, a
 * userdata on the coroutine's stack that owns every byte of it (secrets are filled in there, and
 * wiped with it), so anything may raise until the call is parked; from then on nothing of Lua is
 * touched until the answer, or the last answer of its tries, has come.
 *
 *   in flight --answer worth another try--> pause (timer) --> in flight --answer--> woken
 *
 * A call that dies cancels what is under way; an effect that had begun stays "sent". */
#include "base/ensure.h"
#include "base/mem.h"
#include "script/bind_http_private.h"
#include "script/context.h"
#include "script/lua_util.h"

#define OP_TYPE      "luwak.http_op"
#define ANSWER_TYPE  "http.answer"
#define HEADERS_TYPE "http.headers"

enum mode { MODE_ASK, MODE_EFFECT };

static struct http_caps *caps_of_context(lua_State *L) {
    struct call_context *context = context_of(L);
    return &context->http;
}
struct http_caps *(*bind_http_caps)(lua_State *L) = caps_of_context;

static int op_gc(lua_State *L) {
    struct http_op *op = lua_touserdata(L, 1);
    buf_free(&op->text);
    buf_free(&op->body);
    out_copy_free(&op->out);
    answer_free(&op->answer);
    return 0;
}

static struct http_op *op_push(lua_State *L) {
    struct http_op *op = lua_newuserdatauv(L, sizeof *op, 0);
    *op = (struct http_op){.tries = 1, .pause_ms = 500, .factor = 2, .pause_max_ms = PAUSE_MAX_MS};
    op->text.max = OUT_HEADER_BYTES_MAX + 8192;
    op->body.max = BODY_OUT_MAX;
    op->text.secret = op->body.secret = true;
    if (luaL_newmetatable(L, OP_TYPE)) {
        lua_pushcfunction(L, op_gc);
        lua_setfield(L, -2, "__gc");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
    }
    lua_setmetatable(L, -2);
    return op;
}

/* ---- sending and waiting ---- */

static void op_answered(const struct http_answer *a, void *data);

static void op_fail(struct http_op *op, int err) {
    answer_free(&op->answer);
    answer_fail(&op->answer.answer, err, err == E_NOMEM ? "memory" : "shutdown", "%s",
                err_text(err));
}

static int op_send(struct http_op *op) {
    op->tried++;
    return op->transport->start(op->transport, &op->out.out, op_answered, op, &op->call);
}

static void wake(struct timer *timer) {
    co_wake(CONTAINER_OF(timer, struct http_op, pause)->wait.ticket);
}

static void pause_over(struct timer *timer) {
    struct http_op *op = CONTAINER_OF(timer, struct http_op, pause);
    int err = op_send(op);
    if (err == 0) return;
    op_fail(op, err);
    co_wake(op->wait.ticket);
}

/* Is it worth asking again? Only what another moment may mend. */
static bool passes(const struct http_answer *a) {
    switch (a->err) {
    case 0: return a->status == 429 || (a->status >= 502 && a->status <= 504);
    case E_RESOLVE:
    case E_CONNECT:
    case E_TIMEOUT:
    case E_RESET:
    case E_BUSY: return true;
    default: return false;
    }
}

static void pause_before_next(struct http_op *op) {
    uint64_t ms = op->pause_ms < op->pause_max_ms ? op->pause_ms : op->pause_max_ms;
    uint64_t next = (uint64_t)op->pause_ms * op->factor;
    op->pause_ms = next < PAUSE_MAX_MS ? (uint32_t)next : PAUSE_MAX_MS;
    if (op->jitter != 0 && op->caps->rng != NULL)
        ms -= rng_below(op->caps->rng, ms * op->jitter / 100 + 1);
    timer_start(op->loop, &op->pause, ms, pause_over);
}

static int keep_answer(struct http_op *op, const struct http_answer *a) {
    answer_free(&op->answer);
    for (size_t i = 0; i < a->header_count; i++)
        if (answer_add_header(&op->answer, a->headers[i].name, a->headers[i].value) != 0)
            return E_NOMEM;
    buf_addstr(&op->answer.body, a->body);
    op->answer.answer = *a;
    answer_seal(&op->answer);
    return op->answer.body.err == 0 ? 0 : E_NOMEM;
}

static void op_answered(const struct http_answer *a, void *data) {
    struct http_op *op = data;
    op->call = NULL;
    if (op->effect) op->caps->effect_sent = a->sent;
    if (op->tried < op->tries && passes(a)) {
        pause_before_next(op);
        return;
    }
    if (keep_answer(op, a) != 0) {
        op_fail(op, E_NOMEM);
        op->answer.answer.sent = a->sent;
    }
    co_wake(op->wait.ticket);
}

static void op_cancel(struct co_wait *wait) {
    struct http_op *op = CONTAINER_OF(wait, struct http_op, wait);
    timer_stop(&op->pause);
    if (op->call != NULL) op->transport->cancel(op->transport, op->call);
    op->call = NULL;
}

/* ---- the answer ---- */

static int headers_index(lua_State *L) {
    size_t n;
    if (lua_type(L, 2) != LUA_TSTRING) return 0;
    const char *name = lua_tolstring(L, 2, &n);
    char lower[256];
    if (n >= sizeof lower) return 0;
    for (size_t i = 0; i < n; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    lua_pushlstring(L, lower, n);
    lua_rawget(L, 1);
    return 1;
}

static int l_answer_json(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2); /* options of json.decode, or nil */
    http_push_builtin(L, "json", "decode");
    lua_pushliteral(L, "body");
    lua_rawget(L, 1);
    lua_pushvalue(L, 2);
    lua_call(L, 2, LUA_MULTRET);
    return lua_gettop(L) - 2;
}

static void set_meta(lua_State *L, const char *type) {
    if (luaL_newmetatable(L, type)) {
        if (strcmp(type, HEADERS_TYPE) == 0) {
            lua_pushcfunction(L, headers_index);
        } else {
            lua_createtable(L, 0, 1);
            lua_pushcfunction(L, l_answer_json);
            lua_setfield(L, -2, "json");
        }
        lua_setfield(L, -2, "__index");
        lua_pushstring(L, type);
        lua_setfield(L, -2, "__metatable");
    }
    lua_setmetatable(L, -2);
}

static void push_headers(lua_State *L, const struct http_answer *a) {
    lua_createtable(L, 0, (int)a->header_count);
    int table = lua_gettop(L);
    for (size_t i = 0; i < a->header_count; i++) {
        push_str(L, a->headers[i].name);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, table) == LUA_TSTRING) { /* came twice: one list */
            lua_pushliteral(L, ", ");
            push_str(L, a->headers[i].value);
            lua_concat(L, 3);
        } else {
            lua_pop(L, 1);
            push_str(L, a->headers[i].value);
        }
        lua_rawset(L, table);
    }
    set_meta(L, HEADERS_TYPE);
}

/* answer, or nil, text, NAME, sent */
static int op_finish(lua_State *L, struct co_wait *wait) {
    struct http_op *op = CONTAINER_OF(wait, struct http_op, wait);
    const struct http_answer *a = &op->answer.answer;
    if (a->err != 0) {
        lua_pushnil(L);
        lua_pushstring(L, a->text);
        lua_pushstring(L, a->name);
        lua_pushboolean(L, a->sent);
        return 4;
    }
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, a->status);
    lua_setfield(L, -2, "status");
    push_headers(L, a);
    lua_setfield(L, -2, "headers");
    push_str(L, a->body);
    lua_setfield(L, -2, "body");
    set_meta(L, ANSWER_TYPE);
    answer_free(&op->answer); /* now Lua's; the rest goes with the userdata */
    return 1;
}

static int request(lua_State *L, const char *who, const char *method, enum mode mode) {
    co_require_wait(L, who);
    luaL_checkstack(L, 20, NULL);
    struct http_caps *caps = bind_http_caps(L);
    if (caps == NULL || caps->transport == NULL)
        return luaL_error(L, "%s: no requests may leave from here", who);
    if (caps->hosts != NULL && ++caps->calls > HTTP_CALLS_MAX)
        return luaL_error(L, "%s: one call of a script may send %d requests", who, HTTP_CALLS_MAX);
    if (lua_type(L, 1) == LUA_TSTRING) { /* get "https://..." */
        lua_settop(L, 1);
        lua_createtable(L, 0, 1);
        lua_insert(L, 1);
        lua_setfield(L, 1, "url");
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (mode == MODE_EFFECT) {
        if (!caps->effect_ok) return luaL_error(L, "%s: only inside an operation", who);
        if (caps->effect_used)
            return luaL_error(L, "%s: an operation has one effect request, this is a second", who);
    }
    struct http_op *op = op_push(L);
    op->caps = caps;
    op->transport = caps->transport;
    op->loop = co_loop(L);
    op->effect = mode == MODE_EFFECT;
    op->wait.cancel = op_cancel;
    http_op_read(L, op, 1, method);
    co_park(L, &op->wait);
    if (op->effect) caps->effect_used = true;
    int err = op_send(op);
    if (err == 0) {
        caps->called = true;
        if (op->effect) caps->effect_sent = true;
    } else { /* an answer like others: in the next turn */
        op_fail(op, err);
        timer_start(op->loop, &op->pause, 0, wake);
    }
    return co_yield (L, op_finish);
}

static int l_get(lua_State *L) {
    return request(L, "http.get", "GET", MODE_ASK);
}
static int l_post(lua_State *L) {
    return request(L, "http.post", "POST", MODE_ASK);
}
static int l_request(lua_State *L) {
    return request(L, "http.request", "GET", MODE_ASK);
}
static int l_effect(lua_State *L) {
    return request(L, "ctx.http.effect", "POST", MODE_EFFECT);
}

#define TRUSTED (KIND_API | KIND_JOB | KIND_PAGE | KIND_TOOL | KIND_TEST)
#define CAGED   (KIND_CHANNEL | KIND_BILLER | KIND_SANDBOX)

#define SIG "request: table|string -> table?, string?, string?, boolean?"

static const struct bind_fn FNS[] = {
    {"get", l_get, TRUSTED, SIG,
     "GET; the answer {status, headers, body, :json()}, or nil, text, NAME and whether it was "
     "sent"},
    {"post", l_post, TRUSTED, SIG, "POST with json=, form=, xml=, text= or body="},
    {"request", l_request, TRUSTED, SIG, "any method= (GET without one)"},
    {0},
};
static const struct bind_fn CTX_FNS[] = {
    {"get", l_get, CAGED, SIG, "a question; may be repeated by the engine and by retry="},
    {"post", l_post, CAGED, SIG, "a question or a token fetched by POST; may be repeated"},
    {"effect", l_effect, KIND_CHANNEL | KIND_BILLER, SIG,
     "the one request of an operation that can move money: own connection, never sent twice"},
    {0},
};

const struct bind_module bind_http = {"http", "requests out", FNS, NULL};
const struct bind_module bind_ctx_http = {
    "ctx.http", "requests to the declared hosts of a channel, biller or simulator", CTX_FNS, NULL};
