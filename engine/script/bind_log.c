/* bind_log: log lines of scripts: an event name and fields. Only strings, integers and booleans
 * are written; of anything else only its type, so that no secret and no object slips in. Card
 * numbers are masked by sys/log.
 *
 * A line is written where the call runs, and whoever reads it may be slow: time that passes in
 * write(2) is nobody's computing time, so no budget sees it. So a call of a caged script, and every
 * main chunk, has CALL_LINES and CALL_BYTES; what is over is dropped, and a line at its end says how
 * many. */
#include "base/ensure.h"
#include "script/bind.h"
#include "script/bind_secret.h"
#include "script/co_private.h"
#include "script/version.h"
#include "sys/log.h"

#define FIELDS_MAX 16
#define TEXT_MAX   1024
#define LINE_BYTES 4096 /* log.c cuts it there */
#define CALL_LINES 100
#define CALL_BYTES (64u << 10) /* of events, keys and texts */

static void tell_dropped(struct co_end_hook *hook) {
    const struct co *co = CONTAINER_OF(hook, struct co, log.told);
    log_warn("script_lines_dropped", L_INT("lines", co->log.dropped),
             L_TEXT("from", co->state->version->path));
}

static bool has_room(lua_State *L, const char *event, const struct log_field *fields) {
    struct co *co = co_of(L);
    if (co == NULL || (!co->boot && !co->state->caged)) return true;
    size_t n = strlen(event);
    for (const struct log_field *f = fields; f->key != NULL; f++)
        n += strlen(f->key) + f->text.n;
    if (n > LINE_BYTES) n = LINE_BYTES;
    if (co->log.dropped == 0 && co->log.lines < CALL_LINES && n <= CALL_BYTES - co->log.bytes) {
        co->log.lines++;
        co->log.bytes += n;
        return true;
    }
    if (co->log.dropped++ == 0) {
        co->log.told.ended = tell_dropped;
        co_end_hook(L, &co->log.told);
    }
    return false;
}

/* What each line says of itself: a script's field of that name gets another, or readers of JSON, who
 * take the last of two, would meet it in the place of ours. */
static const char *own_name(const char *key) {
    static const char *const OURS[][2] = {{"time", "time_"},       {"level", "level_"},
                                          {"event", "event_"},     {"request", "request_"},
                                          {"script", "script_"},   {"from", "from_"},
                                          {"dropped", "dropped_"}, {"cut", "cut_"}};
    for (size_t i = 0; i < ARRAY_LEN(OURS); i++)
        if (strcmp(key, OURS[i][0]) == 0) return OURS[i][1];
    return key;
}

/* log.info { event = "paid", ... }: what the line is called. */
static bool is_event(lua_State *L, int table) {
    return table == 1 && lua_type(L, -1) == LUA_TSTRING &&
           strcmp(lua_tostring(L, -2), "event") == 0;
}

/* The pairs stay on the stack until the line is out: their texts are views. */
static int collect(lua_State *L, int table, struct log_field *fields) {
    int n = 0;
    lua_pushnil(L);
    while (n < FIELDS_MAX && lua_next(L, table)) {
        if (lua_type(L, -2) != LUA_TSTRING || is_event(L, table)) {
            lua_pop(L, 1);
            continue;
        }
        struct log_field *f = &fields[n++];
        f->key = own_name(lua_tostring(L, -2));
        switch (lua_type(L, -1)) {
        case LUA_TBOOLEAN: *f = L_BOOL(f->key, lua_toboolean(L, -1)); break;
        case LUA_TNUMBER:
            if (lua_isinteger(L, -1)) {
                *f = L_INT(f->key, lua_tointeger(L, -1));
                break;
            }
            lua_tolstring(L, -1, NULL); /* the value only, not the key */
            /* fall through */
        case LUA_TSTRING: {
            struct str s;
            s.p = lua_tolstring(L, -1, &s.n);
            if (s.n > TEXT_MAX) s.n = TEXT_MAX;
            *f = L_STR(f->key, s);
            break;
        }
        default: *f = L_TEXT(f->key, luaL_typename(L, -1));
        }
        lua_pushvalue(L, -2); /* the key again, for lua_next; the pair stays below */
    }
    return n;
}

static int write_line(lua_State *L, enum log_level level) {
    const char *event = "script";
    int table = 1;
    if (lua_type(L, 1) == LUA_TSTRING) {
        event = lua_tostring(L, 1);
        table = 2;
    }
    if (!lua_isnoneornil(L, table)) luaL_checktype(L, table, LUA_TTABLE);
    luaL_checkstack(L, 2 * FIELDS_MAX + 4, NULL);
    struct log_field fields[FIELDS_MAX + 3] = {0};
    int n = lua_istable(L, table) ? collect(L, table, fields) : 0;
    if (lua_istable(L, 1)) {
        lua_getfield(L, 1, "event");
        if (lua_type(L, -1) == LUA_TSTRING) event = lua_tostring(L, -1);
    }
    const struct version *v = co_version(L);
    if (v != NULL) fields[n++] = L_TEXT("from", v->path);
    if (log_takes(level) && has_room(L, event, fields)) log_emit(level, event, fields);
    return 0;
}

static int l_debug(lua_State *L) {
    return write_line(L, LOG_LEVEL_DEBUG);
}
static int l_info(lua_State *L) {
    return write_line(L, LOG_LEVEL_INFO);
}
static int l_warn(lua_State *L) {
    return write_line(L, LOG_LEVEL_WARN);
}
static int l_error(lua_State *L) {
    return write_line(L, LOG_LEVEL_ERROR);
}

#define SIG "event: string|table, fields?: table"
static const struct bind_fn functions[] = {
    {"debug", l_debug, KINDS_ALL, SIG, "a line for who looks closely"},
    {"info", l_info, KINDS_ALL, SIG, "a line: log.info(\"paid\", {reference = r})"},
    {"warn", l_warn, KINDS_ALL, SIG, "a line for what should not be"},
    {"error", l_error, KINDS_ALL, SIG, "a line for what a person must see"},
    {0},
};

const struct bind_module bind_log = {"log", "log lines", functions, NULL};
