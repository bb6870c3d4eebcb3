/* state: one lua_State per version and worker. See state.h.
 *
 * Memory goes through state_alloc: a cap for the state, a cap for the running call, a cap for one
 * string and for the keys of one table (to grow one of 100,000 keys takes 12 ms that nothing can
 * break up, on top of the collection that made room). What a call allocates is charged to it until
 * the call ends; what the collector frees is credited to whoever runs, never below zero. Lua tries
 * a full collection before it takes our no for an answer.
 *
 * Blocks from STATE_BIG on are counted by size while they live: one VM instruction on a megabyte
 * string can take a millisecond, so the instruction count between two looks of the budget hook
 * shrinks as the biggest block grows.
 *
 * The main thread never runs script code; every coroutine belongs to a struct co, kept in its extra
 * space. Finished coroutines are reused, failed ones are left to the collector: lua_resetthread
 * would run a script's __close handlers with hooks switched off. */
#include "script/state.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "script/cage.h"
#include "script/co_private.h"
#include "script/packages.h"
#include "sys/log.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>

static const char ENV_KEY = 0, SCRIPT_KEY = 0, LOADED_KEY = 0;

/* ---- memory ---- */

static int class_of(size_t size) {
    int c = 63 - __builtin_clzll((unsigned long long)size) - 14;
    return c >= STATE_CLASSES ? STATE_CLASSES - 1 : c;
}

static void big_add(struct state *st, size_t size) {
    int c = class_of(size);
    st->big[c]++;
    if (c >= st->classes) st->classes = c + 1;
}

static void big_drop(struct state *st, size_t size) {
    st->big[class_of(size)]--;
    while (st->classes > 0 && st->big[st->classes - 1] == 0)
        st->classes--;
}

int state_interval(const struct state *st) {
    if (!st->caged) return 1000;
    int shift = st->classes; /* 1: 16 to 32 kB */
    return shift == 0 ? 256 : shift > 6 ? 1 : 64 >> (shift - 1);
}

/* One big block, or a failed one, costs time that the instruction count does not show. */
static void note_spent(struct state *st, size_t size) {
    st->spent += size;
    if (st->running != NULL && st->spent >= (256u << 10)) {
        st->spent = 0;
        budget_arm(st->running);
    }
}

static bool may_take(const struct state *st, size_t more) {
    if (more > st->max_bytes || st->bytes > st->max_bytes - more) return false;
    const struct co *co = st->running;
    return co == NULL || co->bytes + (int64_t)more <= (int64_t)st->call_bytes;
}

static void account(struct state *st, size_t old, size_t now) {
    if (old >= STATE_BIG) big_drop(st, old);
    if (now >= STATE_BIG) big_add(st, now);
    st->bytes = st->bytes - old + now;
    struct co *co = st->running;
    if (co == NULL) return;
    co->bytes += (int64_t)now - (int64_t)old;
    if (co->bytes < co->outside) co->bytes = co->outside;
    if (co->bytes > co->peak) co->peak = co->bytes;
}

static void *state_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
    struct state *st = ud;
    size_t old = ptr == NULL ? 0 : osize;
    if (nsize == 0) {
        if (ptr != NULL) account(st, old, 0);
        mem_free(ptr);
        return NULL;
    }
    size_t max = ptr != NULL            ? SIZE_MAX /* grown in place: copied, which is fast */
                 : osize == LUA_TSTRING ? st->max_string
                                        : st->max_keys;
    if (nsize > old && (!may_take(st, nsize - old) || (nsize > max && st->running != NULL))) {
        note_spent(st, 256u << 10);
        return NULL;
    }
    void *now = mem_realloc(ptr, nsize);
    if (now == NULL) {
        if (nsize > old) {
            st->starved = true;
            return NULL;
        }
        now = ptr; /* Lua counts on shrinking */
    }
    account(st, old, nsize);
    if (nsize >= STATE_BIG) note_spent(st, nsize);
    return now;
}

/* ---- opening ---- */

static int panicked(lua_State *L) {
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "no text";
    log_error("lua_panic", L_TEXT("error", text));
    abort();
}

static void open_one(lua_State *L, lua_CFunction open, const char *name, int std) {
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
    lua_setfield(L, std, name);
}

/* The standard library goes into a table that only bind_open sees; what is not listed there is
 * garbage before a script runs. */
static void open_std(lua_State *L, enum script_kind kind) {
    lua_newtable(L);
    int std = lua_gettop(L);
    open_one(L, luaopen_base, "", std);
    open_one(L, luaopen_table, LUA_TABLIBNAME, std);
    open_one(L, luaopen_string, LUA_STRLIBNAME, std);
    open_one(L, luaopen_math, LUA_MATHLIBNAME, std);
    open_one(L, luaopen_utf8, LUA_UTF8LIBNAME, std);
    if (kind & (KIND_TOOL | KIND_TEST)) open_one(L, luaopen_io, LUA_IOLIBNAME, std);
    lua_setfield(L, LUA_REGISTRYINDEX, CAGE_STD);
}

static int no_globals(lua_State *L) {
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    return luaL_error(L, "global '%s' is not declared: use local", name);
}

static int open_state(lua_State *L) {
    struct state *st = lua_touserdata(L, 1);
    open_std(L, st->version->kind);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &LOADED_KEY);
    lua_newtable(L);
    bind_open(L, st->version->kind);
    cage_strings(L, lua_gettop(L));
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, no_globals);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &ENV_KEY);
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, CAGE_STD);
    lua_newtable(L); /* luaopen_base filled the old one */
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    return 0;
}

int state_open(struct state *st, const struct runtime_limits *limits, struct why *why) {
    st->caged = (st->version->kind & KINDS_TRUSTED) == 0;
    size_t times = st->caged ? 1 : STATE_TRUSTED_MORE;
    st->max_bytes = limits->state_bytes * times;
    st->call_bytes = limits->call_bytes * times;
    st->max_string = st->caged ? STATE_STRING_MAX : SIZE_MAX;
    st->max_keys = st->caged ? STATE_KEYS_MAX : SIZE_MAX;
    st->L = lua_newstate(state_alloc, st);
    if (st->L == NULL) return why_set(why, E_NOMEM, "no memory for a Lua state");
    lua_atpanic(st->L, panicked);
    *(struct co **)lua_getextraspace(st->L) = NULL;
    lua_pushcfunction(st->L, open_state);
    lua_pushlightuserdata(st->L, st);
    int status = lua_pcall(st->L, 1, 0, 0);
    if (status != LUA_OK) {
        int code = status == LUA_ERRMEM ? E_NOMEM : E_SCRIPT;
        const char *text = lua_type(st->L, -1) == LUA_TSTRING ? lua_tostring(st->L, -1) : "?";
        why_set(why, code, "%s", text);
        state_close(st);
        return code;
    }
    lua_settop(st->L, 0);
    lua_gc(st->L, LUA_GCCOLLECT);
    return 0;
}

void state_close(struct state *st) {
    st->running = NULL;
    if (st->L != NULL) lua_close(st->L);
    st->L = NULL;
    st->idle_count = 0;
}

/* ---- coroutines ---- */

static int new_thread(lua_State *L) {
    lua_State *thread = lua_newthread(L);
    *(struct co **)lua_getextraspace(thread) = NULL;
    *(lua_State **)lua_touserdata(L, 1) = thread;
    lua_rawsetp(L, LUA_REGISTRYINDEX, thread);
    return 0;
}

lua_State *state_take_thread(struct state *st) {
    if (st->idle_count > 0) return st->idle[--st->idle_count];
    lua_State *thread = NULL;
    lua_pushcfunction(st->L, new_thread);
    lua_pushlightuserdata(st->L, &thread);
    int status = lua_pcall(st->L, 1, 0, 0);
    lua_settop(st->L, 0);
    return status == LUA_OK ? thread : NULL;
}

void state_give_thread(struct state *st, lua_State *thread, bool clean) {
    *(struct co **)lua_getextraspace(thread) = NULL;
    lua_sethook(thread, NULL, 0, 0);
    if (clean && st->idle_count < STATE_IDLE_MAX) {
        ENSURE(lua_gettop(thread) == 0);
        st->idle[st->idle_count++] = thread;
        return;
    }
    lua_pushnil(st->L); /* replaces a value that is there: takes no memory, cannot raise */
    lua_rawsetp(st->L, LUA_REGISTRYINDEX, thread);
}

/* ---- parts and modules ---- */

struct state *state_of(lua_State *L) {
    void *ud;
    lua_getallocf(L, &ud);
    return ud;
}

void state_push_env(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &ENV_KEY);
}
void state_push_script(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &SCRIPT_KEY);
}
void state_set_script(lua_State *L) {
    lua_rawsetp(L, LUA_REGISTRYINDEX, &SCRIPT_KEY);
}

void state_push_part(lua_State *L, const struct part *part) {
    const char *chunk = lua_pushfstring(L, "@%s", part->path);
    struct str code = part_code(part);
    bool made = code.n != 0; /* by us, from this text, in this process: see luac.h */
    struct str from = made ? code : part->text;
    int status = luaL_loadbufferx(L, from.p, from.n, chunk, made ? "b" : "t");
    if (status != LUA_OK) lua_error(L);
    lua_remove(L, -2);
    state_push_env(L);
    if (lua_setupvalue(L, -2, 1) == NULL) lua_pop(L, 1);
}

static int required(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &LOADED_KEY);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return 1;
}

/* Modules come from three lists and never from a path: the version's parts, the built-in modules
 * this kind of script may see, and, for tools, a few C packages of the distribution. */
int state_require(lua_State *L) {
    size_t length;
    const char *name = luaL_checklstring(L, 1, &length);
    luaL_argcheck(L, length <= 100, 1, "module name is too long: not found");
    struct state *st = state_of(L);
    lua_settop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &LOADED_KEY);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, 2) != LUA_TNIL) {
        if (lua_type(L, -1) == LUA_TLIGHTUSERDATA)
            return luaL_error(L, "module '%s' requires itself", name);
        return 1;
    }
    lua_settop(L, 2);
    const struct part *part = strlen(name) == length ? version_part(st->version, name) : NULL;
    if (part != NULL) {
        lua_pushvalue(L, 1);
        lua_pushlightuserdata(L, (void *)&LOADED_KEY); /* being loaded */
        lua_rawset(L, 2);
        state_push_part(L, part);
        lua_pushvalue(L, 1);
        lua_callk(L, 1, 1, 0, required);
        return required(L, LUA_OK, 0);
    }
    if (package_load(L, name, st->version->kind)) return required(L, LUA_OK, 0);
    if (cage_builtin(L, name, st->version->kind)) return required(L, LUA_OK, 0);
    return luaL_error(L, "module '%s' not found: neither in scripts/lib nor built in", name);
}

#ifdef __SANITIZE_THREAD__
/* ThreadSanitizer keeps a call stack of its own, which longjmp winds back; but the distribution's Lua
 * is built with _FORTIFY_SOURCE and leaves its functions by __longjmp_chk, which the sanitizer does not
 * know: with each error and each yield that stack grew, until the machine's memory was full of it. */
#include <setjmp.h>

__attribute__((visibility("default"))) _Noreturn void __longjmp_chk(struct __jmp_buf_tag *env,
                                                                    int value);

_Noreturn void __longjmp_chk(struct __jmp_buf_tag *env, int value) {
    longjmp(env, value);
}
#endif
