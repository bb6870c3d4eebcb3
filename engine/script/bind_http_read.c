/* The table of a request, read into an http_op. Names and values are copied into its buffers, where
 * secrets are filled in as well; whatever raises leaves them to the userdata's end, which wipes them. */
#include "base/ensure.h"
#include "base/form.h"
#include "base/mem.h"
#include "base/schedule.h"
#include "script/bind_http_private.h"
#include "script/bind_secret.h"
#include "script/cage.h"
#include "script/lua_util.h"
#include "script/version.h"
#include "sys/crypto_text.h"

static void check_buf(lua_State *L, const struct buf *b, const char *what) {
    if (b->err == E_LIMIT) luaL_error(L, "%s: too large", what);
    if (b->err != 0) luaL_error(L, "out of memory");
}

static uint32_t duration(lua_State *L, int index, const char *what, uint32_t max) {
    struct str text = {0};
    struct why why = {0};
    int64_t ms = 0;
    if (lua_type(L, index) == LUA_TSTRING) text.p = lua_tolstring(L, index, &text.n);
    if (duration_parse(text, &ms, &why) != 0) luaL_error(L, "%s: %s", what, why.text);
    if (ms <= 0 || ms > max) luaL_error(L, "%s: from 1 to %d ms here", what, (int)max);
    return (uint32_t)ms;
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
        text_encode(b, ENC_BASE64, str_sub(buf_str(plain), from, plain->len));
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

void http_push_builtin(lua_State *L, const char *module, const char *name) {
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
                http_push_builtin(L, "json", "encode");
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

void http_op_read(lua_State *L, struct http_op *op, int args, const char *method) {
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
