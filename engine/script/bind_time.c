/* time: instants are integers, milliseconds UTC. Pure but for time.now, which reads the engine's
 * clock and is not there in rules. A zone is a name (WIB, UTC) or an offset ("+07:00"); WIB is
 * meant when none is given, as the books and most providers do. */
#include "base/schedule.h"
#include "base/timefmt.h"

#include "base/ensure.h"
#include "script/bind.h"
#include "script/co.h"
#include "script/lua_util.h"

#define FORMAT_MAX 128
#define TEXT_MAX   512

static int64_t check_ms(lua_State *L, int index) {
    if (!lua_isinteger(L, index) || lua_type(L, index) != LUA_TNUMBER)
        luaL_argerror(L, index, "an integer expected");
    return lua_tointeger(L, index);
}

static int check_zone(lua_State *L, int index) {
    int zone = ZONE_WIB;
    if (!lua_isnoneornil(L, index) && zone_parse(check_str(L, index), &zone) != 0)
        luaL_argerror(L, index, "a zone expected: WIB, WITA, WIT, UTC or +07:00");
    return zone;
}

static struct str check_format(lua_State *L, int index) {
    if (lua_isnoneornil(L, index)) return STR("rfc3339");
    struct str format = check_str(L, index);
    luaL_argcheck(L, format.n <= FORMAT_MAX, index, "format too long");
    return format;
}

static int l_now(lua_State *L) {
    struct loop *loop = co_loop(L);
    if (loop == NULL) return luaL_error(L, "time.now: not while the script is loaded");
    lua_pushinteger(L, clock_now_ms(loop_clock(loop)));
    return 1;
}

static int l_parse(lua_State *L) {
    struct str text = check_str(L, 1), format = check_format(L, 2);
    int64_t ms;
    struct why why = {0};
    int err = time_parse(text, format, check_zone(L, 3), &ms, &why);
    if (err == E_INVAL) return luaL_argerror(L, 2, "no such format");
    if (err != 0) return bind_fail(L, err, "%s", why.text);
    lua_pushinteger(L, ms);
    return 1;
}

static int l_format(lua_State *L) {
    int64_t ms = check_ms(L, 1);
    struct str format = check_format(L, 2);
    int zone = check_zone(L, 3);
    struct buf b = {.max = TEXT_MAX};
    char text[TEXT_MAX];
    int err = time_format(ms, format, zone, &b);
    size_t n = b.len;
    if (n != 0) memcpy(text, b.data, n);
    buf_free(&b); /* before anything can raise */
    if (err == E_INVAL) return luaL_argerror(L, 2, "no such format");
    if (err != 0) return luaL_error(L, "time.format: %s", err_text(err));
    lua_pushlstring(L, text, n);
    return 1;
}

static int l_day(lua_State *L) {
    char day[11];
    int err = time_day(check_ms(L, 1), check_zone(L, 2), day);
    if (err != 0) return luaL_error(L, "time.day: %s", err_text(err));
    lua_pushstring(L, day);
    return 1;
}

static int l_day_start(lua_State *L) {
    int64_t ms;
    int err = time_day_start(check_str(L, 1), check_zone(L, 2), &ms);
    if (err != 0) return bind_fail(L, err, "time.day_start: YYYY-MM-DD expected");
    lua_pushinteger(L, ms);
    return 1;
}

static int l_add_days(lua_State *L) {
    char day[11];
    int err = time_day_add(check_str(L, 1), check_ms(L, 2), day);
    if (err != 0) return bind_fail(L, err, "time.add_days: YYYY-MM-DD and a count expected");
    lua_pushstring(L, day);
    return 1;
}

/* Of a day or an instant: 1 Monday to 7 Sunday, as ISO 8601 counts. */
static int l_weekday(lua_State *L) {
    int64_t ms;
    int weekday, zone = check_zone(L, 2), err = 0;
    if (lua_type(L, 1) == LUA_TSTRING)
        err = time_day_start(check_str(L, 1), zone, &ms);
    else
        ms = check_ms(L, 1);
    if (err == 0) err = time_weekday(ms, zone, &weekday);
    if (err != 0) return luaL_argerror(L, 1, "an instant or YYYY-MM-DD expected");
    lua_pushinteger(L, weekday == 0 ? 7 : weekday);
    return 1;
}

static int l_duration(lua_State *L) {
    int64_t ms;
    int err = duration_parse(check_str(L, 1), &ms, NULL);
    if (err != 0)
        return bind_fail(L, err, "time.duration: something like \"24h\" or \"15m\" expected");
    lua_pushinteger(L, ms);
    return 1;
}

static int l_parts(lua_State *L) {
    struct civil c;
    int err = civil_from_ms(check_ms(L, 1), check_zone(L, 2), &c);
    if (err != 0) return luaL_error(L, "time.parts: %s", err_text(err));
    const struct {
        const char *name;
        int value;
    } FIELDS[] = {{"year", c.year},     {"month", c.month},
                  {"day", c.day},       {"hour", c.hour},
                  {"minute", c.minute}, {"second", c.second},
                  {"ms", c.ms},         {"weekday", c.weekday == 0 ? 7 : c.weekday}};
    lua_createtable(L, 0, ARRAY_LEN(FIELDS));
    for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
        lua_pushinteger(L, FIELDS[i].value);
        lua_setfield(L, -2, FIELDS[i].name);
    }
    return 1;
}

static const struct bind_fn FNS[] = {
    {"now", l_now, KINDS_IO, "-> integer", "the engine's clock: milliseconds UTC"},
    {"parse", l_parse, KINDS_ALL,
     "text: string, format?: string, zone?: string -> integer, string?, string?",
     "format: rfc3339 (default), iso, date, datetime, compact, http, or %Y-%m-%d ...; the zone is "
     "for texts without one, WIB by default"},
    {"format", l_format, KINDS_ALL, "ms: integer, format?: string, zone?: string -> string",
     "rfc3339 with milliseconds in WIB by default"},
    {"day", l_day, KINDS_ALL, "ms: integer, zone?: string -> string",
     "the day an instant falls on, YYYY-MM-DD, in WIB by default"},
    {"day_start", l_day_start, KINDS_ALL, "day: string, zone?: string -> integer, string?, string?",
     "when a day begins"},
    {"add_days", l_add_days, KINDS_ALL, "day: string, count: integer -> string, string?, string?",
     "the day so many days later"},
    {"weekday", l_weekday, KINDS_ALL, "at: integer|string, zone?: string -> integer",
     "1 Monday to 7 Sunday"},
    {"duration", l_duration, KINDS_ALL, "text: string -> integer, string?, string?",
     "milliseconds of \"24h\", \"15m\", \"250ms\", \"1h30m\""},
    {"parts", l_parts, KINDS_ALL, "ms: integer, zone?: string -> table",
     "year, month, day, hour, minute, second, ms, weekday"},
    {0},
};

const struct bind_module bind_time = {
    "time", "instants as integers (milliseconds UTC), and their texts", FNS, NULL};
