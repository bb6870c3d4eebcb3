/* bind_base: what scripts see of Lua's own library. NULL means Lua's function as it is; the rest
 * are the bounded ones of cage*.c. What is not in these tables does not exist for a script: no
 * coroutine, debug, os, package, load, loadstring, dofile, xpcall, collectgarbage, print (tools
 * have it), warn, string.dump, math.randomseed. */
#include "script/cage.h"
#include "script/state.h"

#include <stdio.h>

#define KINDS_RANDOM (KINDS_ALL & ~KIND_RULE)
#define KINDS_FILES  (KIND_TOOL | KIND_TEST)

static int l_print(lua_State *L) {
    int n = lua_gettop(L);
    for (int i = 1; i <= n; i++) {
        lua_pushcfunction(L, cage_tostring);
        lua_pushvalue(L, i);
        lua_call(L, 1, 1);
        size_t length;
        const char *text = lua_tolstring(L, -1, &length);
        if (i > 1) fputc('\t', stdout);
        fwrite(text, 1, length, stdout);
        lua_pop(L, 1);
    }
    fputc('\n', stdout);
    return 0;
}

static const struct bind_fn base[] = {
    {"assert", NULL, KINDS_ALL, "v: any, message?: any -> any...",
     "raises message when v is false"},
    {"error", NULL, KINDS_ALL, "message: any, level?: integer", "raises an error"},
    {"getmetatable", cage_getmetatable, KINDS_ALL, "v: any -> table?",
     "the metatable, or what it shows"},
    {"ipairs", NULL, KINDS_ALL, "t: table -> function, table, integer", "walks 1, 2, 3 ..."},
    {"next", cage_next, KINDS_ALL, "t: table, key?: any -> any, any", "the pair behind key"},
    {"pairs", cage_pairs, KINDS_ALL, "t: table -> function, table, any",
     "walks all pairs in no order: for what is signed or stored use sorted"},
    {"pcall", cage_pcall, KINDS_ALL, "f: function, ... -> boolean, any...",
     "calls f and catches its errors, but not the end of the call's budget"},
    {"rawequal", NULL, KINDS_ALL, "a: any, b: any -> boolean", "equality without metamethods"},
    {"rawget", NULL, KINDS_ALL, "t: table, key: any -> any", "a field without metamethods"},
    {"rawlen", NULL, KINDS_ALL, "v: table|string -> integer", "length without metamethods"},
    {"rawset", bind_l_rawset, KINDS_ALL, "t: table, key: any, v: any -> table",
     "sets without metamethods"},
    {"require", state_require, KINDS_ALL, "name: string -> any",
     "a module of scripts/lib, or a built-in one"},
    {"select", NULL, KINDS_ALL, "n: integer|string, ... -> any...", "arguments from the nth on"},
    {"setmetatable", cage_setmetatable, KINDS_ALL, "t: table, mt: table? -> table",
     "sets the metatable; __gc, __close and __mode are refused"},
    {"sorted", cage_sorted, KINDS_ALL, "t: table -> function",
     "walks all pairs by key: numbers, strings, booleans"},
    {"tonumber", NULL, KINDS_ALL, "v: any, base?: integer -> number?", "the number in v"},
    {"tostring", cage_tostring, KINDS_ALL, "v: any -> string", "text of v; never an address"},
    {"type", NULL, KINDS_ALL, "v: any -> string", "the type's name"},
    {"print", l_print, KINDS_FILES, "...", "writes a line to standard output"},
    {0},
};

static const struct bind_fn strings[] = {
    {"byte", NULL, KINDS_ALL, "s: string, i?: integer, j?: integer -> integer...",
     "codes of bytes"},
    {"char", NULL, KINDS_ALL, "... -> string", "bytes of codes"},
    {"find", cage_find, KINDS_ALL,
     "s: string, pattern: string, from?: integer, plain?: boolean -> integer?, integer?, ...",
     "where the pattern is; text up to 64 kB, 1 MB when plain"},
    {"format", cage_format, KINDS_ALL, "format: string, ... -> string", "text; %p is refused"},
    {"gmatch", cage_gmatch, KINDS_ALL, "s: string, pattern: string, from?: integer -> function",
     "walks all matches"},
    {"gsub", cage_gsub, KINDS_ALL,
     "s: string, pattern: string, by: string|table|function, most?: integer -> string, integer",
     "replaces matches; a function must not wait"},
    {"len", NULL, KINDS_ALL, "s: string -> integer", "bytes"},
    {"lower", NULL, KINDS_ALL, "s: string -> string", "ASCII letters in lower case"},
    {"match", cage_match, KINDS_ALL, "s: string, pattern: string, from?: integer -> string?...",
     "captures of the first match"},
    {"pack", cage_pack, KINDS_ALL, "format: string, ... -> string", "binary form of values"},
    {"packsize", cage_pack, KINDS_ALL, "format: string -> integer", "bytes that pack makes"},
    {"rep", cage_rep, KINDS_ALL, "s: string, n: integer, sep?: string -> string",
     "s n times, 1 MB at most"},
    {"reverse", NULL, KINDS_ALL, "s: string -> string", "bytes backwards"},
    {"sub", NULL, KINDS_ALL, "s: string, i: integer, j?: integer -> string", "a part of s"},
    {"unpack", cage_pack, KINDS_ALL, "format: string, s: string, from?: integer -> any...",
     "values of a binary form"},
    {"upper", NULL, KINDS_ALL, "s: string -> string", "ASCII letters in upper case"},
    {0},
};

static const struct bind_fn tables[] = {
    {"concat", cage_concat, KINDS_ALL, "t: table, sep?: string, i?: integer, j?: integer -> string",
     "joins strings and numbers"},
    {"insert", cage_insert, KINDS_ALL, "t: table, at?: integer, v: any", "puts v in, at the end"},
    {"move", cage_move, KINDS_ALL,
     "t: table, from: integer, last: integer, to: integer, target?: table -> table",
     "copies elements"},
    {"pack", NULL, KINDS_ALL, "... -> table", "a table of the arguments, with n"},
    {"remove", cage_remove, KINDS_ALL, "t: table, at?: integer -> any", "takes an element out"},
    {"sort", cage_sort, KINDS_ALL, "t: table, less?: function",
     "sorts in place, stable; less must not wait"},
    {"unpack", cage_unpack, KINDS_ALL, "t: table, i?: integer, j?: integer -> any...",
     "the elements as values, 8000 at most"},
    {0},
};

static int value_pi(lua_State *L) {
    lua_pushnumber(L, 3.141592653589793238462643383279502884);
    return 1;
}
static int value_huge(lua_State *L) {
    lua_pushnumber(L, (lua_Number)__builtin_huge_val());
    return 1;
}
static int value_max(lua_State *L) {
    lua_pushinteger(L, LUA_MAXINTEGER);
    return 1;
}
static int value_min(lua_State *L) {
    lua_pushinteger(L, LUA_MININTEGER);
    return 1;
}

#define ONE(name, doc) \
    { name, NULL, KINDS_ALL, "x: number -> number", doc }
static const struct bind_fn maths[] = {
    ONE("abs", "absolute value"),
    ONE("acos", "arc cosine"),
    ONE("asin", "arc sine"),
    {"atan", NULL, KINDS_ALL, "y: number, x?: number -> number", "arc tangent of y/x"},
    {"ceil", NULL, KINDS_ALL, "x: number -> integer", "the next integer up"},
    ONE("cos", "cosine"),
    ONE("deg", "radians to degrees"),
    ONE("exp", "e to the x"),
    {"floor", NULL, KINDS_ALL, "x: number -> integer", "the next integer down"},
    {"fmod", NULL, KINDS_ALL, "x: number, y: number -> number", "remainder, rounded to zero"},
    {"huge", value_huge, KINDS_ALL, "= number", "infinity"},
    {"log", NULL, KINDS_ALL, "x: number, base?: number -> number", "logarithm"},
    {"max", NULL, KINDS_ALL, "x: number, ... -> number", "the largest"},
    {"maxinteger", value_max, KINDS_ALL, "= integer", "the largest integer"},
    {"min", NULL, KINDS_ALL, "x: number, ... -> number", "the smallest"},
    {"mininteger", value_min, KINDS_ALL, "= integer", "the smallest integer"},
    {"modf", NULL, KINDS_ALL, "x: number -> number, number", "whole part and fraction"},
    {"pi", value_pi, KINDS_ALL, "= number", "3.14159..."},
    ONE("rad", "degrees to radians"),
    {"random", cage_random, KINDS_RANDOM, "low?: integer, high?: integer -> number",
     "a random number of the engine's generator; not for secrets: crypto.random"},
    ONE("sin", "sine"),
    ONE("sqrt", "square root"),
    ONE("tan", "tangent"),
    {"tointeger", NULL, KINDS_ALL, "x: any -> integer?", "x as an integer, if it is one"},
    {"type", NULL, KINDS_ALL, "x: any -> string?", "\"integer\", \"float\" or nil"},
    {"ult", NULL, KINDS_ALL, "a: integer, b: integer -> boolean", "less, as unsigned"},
    {0},
};

static const struct bind_fn utf8s[] = {
    {"char", NULL, KINDS_ALL, "... -> string", "UTF-8 of code points"},
    {"charpattern", NULL, KINDS_ALL, "= string", "matches one UTF-8 sequence"},
    {"codepoint", NULL, KINDS_ALL, "s: string, i?: integer, j?: integer -> integer...",
     "code points"},
    {"codes", NULL, KINDS_ALL, "s: string -> function, string, integer", "walks code points"},
    {"len", NULL, KINDS_ALL, "s: string, i?: integer, j?: integer -> integer?, integer?",
     "code points in s; nil and the place of a wrong byte"},
    {"offset", NULL, KINDS_ALL, "s: string, n: integer, i?: integer -> integer?",
     "byte place of the nth code point"},
    {0},
};

static const struct bind_fn files[] = {
    {"close", NULL, KINDS_FILES, "file?: file -> boolean", "closes a file"},
    {"lines", NULL, KINDS_FILES, "path?: string, ... -> function", "walks the lines of a file"},
    {"open", NULL, KINDS_FILES, "path: string, mode?: string -> file?, string?", "opens a file"},
    {"read", NULL, KINDS_FILES, "... -> any", "reads standard input"},
    {"type", NULL, KINDS_FILES, "v: any -> string?", "\"file\", \"closed file\" or nil"},
    {"write", NULL, KINDS_FILES, "...", "writes to standard output"},
    {0},
};

const struct bind_module bind_base = {"", "the basic functions", base, NULL};
const struct bind_module bind_base_string = {"string", "texts and patterns, bounded", strings,
                                             NULL};
const struct bind_module bind_base_table = {"table", "lists, by raw length", tables, NULL};
const struct bind_module bind_base_math = {"math", "mathematics", maths, NULL};
const struct bind_module bind_base_utf8 = {"utf8", "UTF-8 texts", utf8s, NULL};
const struct bind_module bind_base_io = {"io", "files, for tools and tests", files, NULL};
