/* Requests out, for scripts. A request is read from its table into an http_op, a userdata on the
 * coroutine's stack that owns every byte of it (secrets are filled in here, and wiped with it), so
 * anything may raise until the call is parked; from then on nothing of Lua is touched until the
 * answer, or the last answer of its tries, has come.
 *
 *   in flight --answer worth another try--> pause (timer) --> in flight --answer--> woken
 *
 * A call that dies cancels what is under way; an effect that had begun stays "sent". */
#include "script/bind_http.h"

#include "base/buf.h"
#include "base/ensure.h"
#include "base/form.h"
#include "base/mem.h"
#include "net/exchange.h"
#include "script/bind_secret.h"
#include "script/cage.h"
#include "script/co.h"
#include "script/context.h"
#include "script/lua_util.h"
#include "script/version.h"

#define OP_TYPE      "luwak.http_op"
#define ANSWER_TYPE  "http.answer"
#define HEADERS_TYPE "http.headers"

#define TOTAL_MS       30000
#define TRIES_MAX      10
#define PAUSE_MAX_MS   60000
#define BODY_OUT_MAX   (1u << 20)
#define RESPONSE_LIMIT (4u << 20)

enum mode { MODE_ASK, MODE_EFFECT };

struct field { /* a header: offsets into http_op.text, because that may move */
    size_t name, name_n, value, value_n;
};

struct http_op {
    struct co_wait wait;
    struct loop *loop;
    struct http_caps *caps; /* of the call; not to be touched once it was cancelled */
    struct transport *transport;
    struct http_call *call; /* in flight, or NULL */
    struct timer pause;
    struct buf text; /* while reading: names, values */
    struct buf body;
    struct field fields[OUT_HEADERS_MAX];
    size_t field_count;
    struct out_copy out; /* what is sent, at each try */
    bool effect;
    int tries, tried;
    uint32_t pause_ms, pause_max_ms, factor, jitter; /* jitter: percent that may be taken away */
    struct answer_copy answer;                       /* the last one, ours */
};

static struct http_caps *caps_of_context(lua_State *L) {
    struct call_context *context = context_of(L);
    return &context->http;
}
struct http_caps *(*bind_http_caps)(lua_State *L) = caps_of_context;

static int op_gc(lua_State *L) {
    struct http_op *op = lua_touserdata(L, 1);
    mem_wipe(op->text.data, op->text.cap);
    mem_wipe(op->body.data, op->body.cap);
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
    if (luaL_newmetatable(L, OP_TYPE)) {
        lua_pushcfunction(L, op_gc);
        lua_setfield(L, -2, "__gc");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
    }
    lua_setmetatable(L, -2);
    return op;
}

/* ---- reading the table ---- */

static void check_buf(lua_State *L, const struct buf *b, const char *what) {
    if (b->err == E_LIMIT) luaL_error(L, "%s: too large", what);
    if (b->err != 0) luaL_error(L, "out of memory");
}

/* "500ms", "10s", "2m" */
static uint32_t duration(lua_State *L, int index, const char *what, uint32_t max) {
    static const struct {
        const char *unit;
        int64_t ms;
    } UNITS[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}};
    struct str text = {0};
    if (lua_type(L, index) == LUA_TSTRING) text.p = lua_tolstring(L, index, &text.n);
    for (size_t i = 0; i < ARRAY_LEN(UNITS); i++) {
        struct str unit = str_of(UNITS[i].unit);
        int64_t n = 0;
        if (!str_ends(text, unit) || str_to_i64(str_sub(text, 0, text.n - unit.n), &n) != 0)
            continue;
        if (n <= 0 || n > max / UNITS[i].ms)
            luaL_error(L, "%s: at most %d ms here", what, (int)max);
        return (uint32_t)(n * UNITS[i].ms);
    }
    return (uint32_t)luaL_error(L, "%s: a duration such as \"10s\" or \"500ms\" expected", what);
}

static int64_t whole(lua_State *L, int index, const char *what, int64_t least, int64_t most) {
    int is_integer = 0;
    int64_t n = lua_tointegerx(L, index, &is_integer);
    if (!is_integer || lua_type(L, index) != LUA_TNUMBER || n < least || n > most)
        luaL_error(L, "%s: a whole number from %d to %d expected", what, (int)least, (int)most);
    return n;
}

static void add_field(lua_State *L, struct http_op *op, struct str name, struct str value) {
    if (op->field_count == OUT_HEADERS_MAX) luaL_error(L, "more than %d headers", OUT_HEADERS_MAX);
    struct field *f = &op->fields[op->field_count++];
    f->name = op->text.len;
    f->name_n = name.n;
    buf_addstr(&op->text, name);
    f->value = op->text.len;
    f->value_n = value.n;
    buf_addstr(&op->text, value);
    check_buf(L, &op->text, "headers");
}

static bool has_field(const struct http_op *op, const char *name) {
    for (size_t i = 0; i < op->field_count; i++) {
        struct str have = {op->text.data + op->fields[i].name, op->fields[i].name_n};
        if (str_eq_nocase(have, str_of(name))) return true;
    }
    return false;
}

/* Values are strings, secrets, or lists of both; bytes_arg raises for all else. */
static void read_headers(lua_State *L, struct http_op *op, int table) {
    luaL_checktype(L, table, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        int value = lua_gettop(L);
        if (lua_type(L, value - 1) != LUA_TSTRING) luaL_error(L, "headers: names must be strings");
        struct str name;
        name.p = lua_tolstring(L, value - 1, &name.n);
        if (has_field(op, lua_tostring(L, value - 1)))
            luaL_error(L, "header %s is given twice", lua_tostring(L, value - 1));
        add_field(L, op, name, bytes_arg(L, value));
        lua_settop(L, value - 1);
    }
}

static void add_base64(struct buf *out, struct str in) {
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)in.p;
    for (size_t i = 0; i < in.n; i += 3) {
        size_t left = in.n - i;
        uint32_t bits = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                        (left > 2 ? p[i + 2] : 0);
        buf_addc(out, DIGITS[bits >> 18]);
        buf_addc(out, DIGITS[bits >> 12 & 63]);
        buf_addc(out, left > 1 ? DIGITS[bits >> 6 & 63] : '=');
        buf_addc(out, left > 2 ? DIGITS[bits & 63] : '=');
    }
}

/* basic = {user, password}, bearer = token: each part a string, a secret or a list. The body's
 * buffer serves as scratch, it is not in use yet. */
static void read_authorization(lua_State *L, struct http_op *op, int args) {
    struct buf *b = &op->body;
    int top = lua_gettop(L);
    if (lua_getfield(L, args, "bearer") != LUA_TNIL) {
        buf_adds(b, "Bearer ");
        buf_addstr(b, bytes_arg(L, top + 1));
    }
    lua_settop(L, top);
    if (lua_getfield(L, args, "basic") != LUA_TNIL) {
        luaL_checktype(L, -1, LUA_TTABLE);
        if (b->len != 0) luaL_error(L, "basic and bearer exclude each other");
        lua_geti(L, top + 1, 1);
        lua_geti(L, top + 1, 2);
        struct buf *plain = &op->text; /* behind the headers, taken away again */
        size_t from = plain->len;
        if (!lua_isnil(L, top + 2)) buf_addstr(plain, bytes_arg(L, top + 2));
        buf_addc(plain, ':');
        if (!lua_isnil(L, top + 3)) buf_addstr(plain, bytes_arg(L, top + 3));
        check_buf(L, plain, "basic");
        buf_adds(b, "Basic ");
        add_base64(b, str_sub(buf_str(plain), from, plain->len));
        mem_wipe(plain->data + from, plain->len - from);
        plain->len = from;
    }
    lua_settop(L, top);
    if (b->len == 0) return;
    if (has_field(op, "authorization")) luaL_error(L, "header authorization is given twice");
    check_buf(L, b, "authorization");
    add_field(L, op, STR("Authorization"), buf_str(b));
    mem_wipe(b->data, b->len);
    buf_clear(b);
}

/* A function of a built-in module, as the script itself would call it. */
static void push_builtin(lua_State *L, const char *module, const char *name) {
    if (!cage_builtin(L, module, co_version(L)->kind)) luaL_error(L, "no module %s here", module);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

/* Sorted by name: the same request has the same bytes each time. */
static void read_form(lua_State *L, struct http_op *op, int table) {
    enum { FORM_MAX = 200 };
    luaL_checktype(L, table, LUA_TTABLE);
    size_t count = count_names(L, table, "form: names must be strings");
    if (count > FORM_MAX) luaL_error(L, "form: more than %d fields", FORM_MAX);
    const struct str *names = sorted_names(L, table, count);
    int top = lua_gettop(L);
    for (size_t i = 0; i < count; i++) {
        if (memchr(names[i].p, '\0', names[i].n) != NULL) luaL_error(L, "form: NUL in a name");
        push_str(L, names[i]);
        lua_rawget(L, table);
        if (lua_isinteger(L, -1)) lua_tolstring(L, -1, NULL); /* a copy: the table is untouched */
        form_put(names[i], bytes_arg(L, top + 1), &op->body);
        check_buf(L, &op->body, "form");
        lua_settop(L, top);
    }
}

static void read_body(lua_State *L, struct http_op *op, int args) {
    static const struct {
        const char *field, *type;
    } KINDS[] = {{"json", "application/json"},
                 {"form", "application/x-www-form-urlencoded"},
                 {"xml", "application/xml"},
                 {"text", "text/plain; charset=utf-8"},
                 {"body", NULL}};
    const char *found = NULL, *type = NULL;
    int top = lua_gettop(L);
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        if (lua_getfield(L, args, KINDS[i].field) != LUA_TNIL) {
            if (found != NULL) luaL_error(L, "%s and %s exclude each other", found, KINDS[i].field);
            found = KINDS[i].field;
            type = KINDS[i].type;
            if (i == 0) {
                push_builtin(L, "json", "encode");
                lua_pushvalue(L, top + 1);
                lua_call(L, 1, 1);
                buf_addstr(&op->body, bytes_arg(L, lua_gettop(L)));
            } else if (i == 1) {
                read_form(L, op, top + 1);
            } else {
                buf_addstr(&op->body, bytes_arg(L, top + 1));
            }
        }
        lua_settop(L, top);
    }
    check_buf(L, &op->body, "body");
    if (type != NULL && !has_field(op, "content-type"))
        add_field(L, op, STR("Content-Type"), str_of(type));
}

static void read_retry(lua_State *L, struct http_op *op, int table) {
    luaL_checktype(L, table, LUA_TTABLE);
    int top = lua_gettop(L);
    if (lua_getfield(L, table, "tries") != LUA_TNIL)
        op->tries = (int)whole(L, top + 1, "retry.tries", 1, TRIES_MAX);
    if (lua_getfield(L, table, "first") != LUA_TNIL)
        op->pause_ms = duration(L, top + 2, "retry.first", PAUSE_MAX_MS);
    if (lua_getfield(L, table, "factor") != LUA_TNIL)
        op->factor = (uint32_t)whole(L, top + 3, "retry.factor", 1, 10);
    if (lua_getfield(L, table, "max") != LUA_TNIL)
        op->pause_max_ms = duration(L, top + 4, "retry.max", PAUSE_MAX_MS);
    if (lua_getfield(L, table, "jitter") != LUA_TNIL)
        op->jitter = (uint32_t)whole(L, top + 5, "retry.jitter (percent)", 0, 100);
    lua_settop(L, top);
}

static void refuse_unknown(lua_State *L, int args) {
    static const char *const KNOWN[] = {"url",   "method",  "headers",   "json",     "form",
                                        "xml",   "text",    "body",      "basic",    "bearer",
                                        "retry", "timeout", "redirects", "max_bytes"};
    lua_pushnil(L);
    while (lua_next(L, args)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(KNOWN); i++)
            known = known || strcmp(KNOWN[i], key) == 0;
        if (!known) luaL_error(L, "a request has no field %s", key);
        lua_pop(L, 1);
    }
}

static bool flag(lua_State *L, int args, const char *name) {
    lua_getfield(L, args, name);
    bool set = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return set;
}

/* Fills op->out from the table at `args`. */
static void read_request(lua_State *L, struct http_op *op, int args, const char *method) {
    const struct http_caps *caps = op->caps;
    struct http_out out = {.method = str_of(method),
                           .effect = op->effect,
                           .hosts = caps->hosts,
                           .private_ok = caps->private_ok,
                           .networks = caps->networks,
                           .ca_file = caps->ca_file,
                           .pinned_key = caps->pinned_key,
                           .client_cert = caps->client_cert,
                           .client_key = caps->client_key,
                           .total_ms = TOTAL_MS,
                           .label = caps->label};
    uint32_t longest = caps->max_total_ms == 0 ? TOTAL_MS : caps->max_total_ms;
    if (out.total_ms > longest) out.total_ms = longest;
    refuse_unknown(L, args);
    int top = lua_gettop(L);
    if (lua_getfield(L, args, "url") != LUA_TSTRING) luaL_error(L, "url: a string expected");
    out.url.p = lua_tolstring(L, -1, &out.url.n);
    if (lua_getfield(L, args, "method") != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "method: a string expected");
        out.method.p = lua_tolstring(L, -1, &out.method.n);
    }
    if (lua_getfield(L, args, "timeout") != LUA_TNIL)
        out.total_ms = duration(L, lua_gettop(L), "timeout", longest);
    if (lua_getfield(L, args, "max_bytes") != LUA_TNIL)
        out.response_max = (size_t)whole(L, lua_gettop(L), "max_bytes", 1, RESPONSE_LIMIT);
    out.follow_redirects = flag(L, args, "redirects");
    if (lua_getfield(L, args, "headers") != LUA_TNIL) read_headers(L, op, lua_gettop(L));
    if (lua_getfield(L, args, "retry") != LUA_TNIL) {
        if (op->effect) luaL_error(L, "an effect request is never retried");
        read_retry(L, op, lua_gettop(L));
    }
    read_authorization(L, op, args);
    read_body(L, op, args);
    struct http_header headers[OUT_HEADERS_MAX];
    for (size_t i = 0; i < op->field_count; i++) {
        const struct field *f = &op->fields[i];
        headers[i].name = (struct str){op->text.data + f->name, f->name_n};
        headers[i].value = (struct str){op->text.data + f->value, f->value_n};
    }
    out.headers = headers;
    out.header_count = op->field_count;
    out.body = buf_str(&op->body);
    struct why why = {0};
    if (out_check(&out, &why) != 0) luaL_error(L, "%s", why.text);
    if (out_copy(&op->out, &out) != 0) luaL_error(L, "out of memory");
    lua_settop(L, top);
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
    push_builtin(L, "json", "decode");
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
    read_request(L, op, 1, method);
    co_park(L, &op->wait);
    if (op->effect) caps->effect_used = true;
    int err = op_send(op);
    if (err == 0) {
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
