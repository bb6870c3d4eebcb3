/* States of an entry, under the cache's lock:
 *
 *   empty --(a call comes)--> busy: loading from the store --(not there, or dead)--> busy: fetching
 *     ^                          |                                                      |
 *     '---- fetch failed --------+---------------- fresh <------------------------------'
 *
 * The call that made an entry busy holds a guard. It is closed when ctx.token returns or raises,
 * and at the end of the call however that comes (a killed call is dropped as it stands and closes
 * nothing of its own): so an entry never stays busy without somebody working on it. Closing it
 * wakes who waits, and the first of them tries again. Waiters hear on their own loop. */
#include "script/tokens.h"

#include "base/buf.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "script/bind.h"
#include "script/bind_secret.h"
#include "script/context.h"
#include "script/store_wait.h"
#include "sys/log.h"
#include "sys/seal.h"

#include <pthread.h>

enum { KEY_MAX = 200, VALUE_MAX = 8 * 1024, LIFE_MAX_S = 366 * 86400, ACCOUNT_ENTRIES = 16 };
#define GUARD_TYPE "luwak.token_guard"
#define WAIT_TYPE  "luwak.token_wait"

struct waiter {
    struct waiter *next;
    struct task task;
    struct loop *loop;
    struct ticket ticket;
    struct entry *entry; /* NULL once it was taken off the list */
    bool abandoned;      /* its call is gone; only read and written on its loop */
};

struct entry {
    struct entry *next;
    char *key; /* account, then key */
    char *value;
    size_t value_len;
    int64_t refresh_at;
    int64_t expires_at;
    _Atomic bool loaded; /* the store was asked */
    bool busy;
    struct waiter *waiters;
};

struct token_cache {
    pthread_mutex_t lock;
    const struct seal_ring *ring;
    /* The one that was used last stands first. At most ACCOUNT_ENTRIES of one provider account: a
     * script may make up as many names as it likes, and what it makes here is charged to no call. */
    struct entry *entries;
};

struct guard {
    struct co_end_hook hook;
    struct token_cache *cache;
    struct entry *entry; /* NULL once it was let go */
};

int tokens_new(struct token_cache **out, const struct seal_ring *ring) {
    struct token_cache *t = mem_zalloc(sizeof *t);
    if (t == NULL) return E_NOMEM;
    pthread_mutex_init(&t->lock, NULL);
    t->ring = ring;
    *out = t;
    return 0;
}

static void entry_delete(struct entry *e) {
    mem_wipe_free(e->value, e->value_len);
    mem_free(e->key);
    mem_free(e);
}

void tokens_delete(struct token_cache *t) {
    if (t == NULL) return;
    while (t->entries != NULL) {
        struct entry *e = t->entries;
        ENSURE(e->waiters == NULL && !e->busy);
        t->entries = e->next;
        entry_delete(e);
    }
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

static struct entry *entry_new(const char *key) {
    struct entry *e = mem_zalloc(sizeof *e);
    if (e == NULL || (e->key = mem_strdup(key)) == NULL) {
        mem_free(e);
        return NULL;
    }
    return e;
}

static struct entry *unlink_entry(struct entry **at) {
    struct entry *e = *at;
    *at = e->next;
    return e;
}

/* Under the lock. An account that has its share gives away the entry that it has not used for
 * longest; the store still has that token. E_LIMIT: each of them is being fetched at this moment. */
static int entry_of(struct token_cache *t, const char *key, size_t account_len,
                    struct entry **out) {
    struct entry *e = NULL, **oldest = NULL;
    int of_account = 0;
    for (struct entry **at = &t->entries; *at != NULL && e == NULL;) {
        if (strncmp((*at)->key, key, account_len) != 0) {
            at = &(*at)->next;
        } else if (strcmp((*at)->key + account_len, key + account_len) == 0) {
            e = unlink_entry(at);
        } else {
            of_account++;
            if (!(*at)->busy) oldest = at;
            at = &(*at)->next;
        }
    }
    if (e == NULL) {
        if (of_account >= ACCOUNT_ENTRIES && oldest == NULL) return E_LIMIT;
        if ((e = entry_new(key)) == NULL) return E_NOMEM;
        if (of_account >= ACCOUNT_ENTRIES) entry_delete(unlink_entry(oldest));
    }
    e->next = t->entries;
    t->entries = e;
    *out = e;
    return 0;
}

static void waiter_runs(struct task *task) {
    struct waiter *w = CONTAINER_OF(task, struct waiter, task);
    struct ticket ticket = w->ticket;
    bool abandoned = w->abandoned;
    if (!abandoned) { /* the userdata still points here, and frees it when it is collected */
        co_wake(ticket);
        return;
    }
    mem_free(w);
}

/* Under the lock: the entry is not busy any more; everybody looks again. */
static void let_go(struct entry *e) {
    e->busy = false;
    struct waiter *w = e->waiters;
    e->waiters = NULL;
    while (w != NULL) {
        struct waiter *next = w->next;
        w->entry = NULL;
        loop_post(w->loop, &w->task);
        w = next;
    }
}

static void guard_release(struct guard *g) {
    if (g->entry == NULL) return;
    pthread_mutex_lock(&g->cache->lock);
    let_go(g->entry);
    pthread_mutex_unlock(&g->cache->lock);
    g->entry = NULL;
}

static void call_ended(struct co_end_hook *hook) {
    guard_release(CONTAINER_OF(hook, struct guard, hook));
}

static int guard_close(lua_State *L) {
    struct guard *g = lua_touserdata(L, 1);
    co_end_unhook(&g->hook);
    guard_release(g);
    return 0;
}

/* Pushes the guard that holds nothing yet, to be closed with the running C function. */
static struct guard *guard_push(lua_State *L, struct token_cache *t) {
    struct guard *g = lua_newuserdatauv(L, sizeof *g, 0);
    *g = (struct guard){.hook.ended = call_ended, .cache = t};
    if (luaL_newmetatable(L, GUARD_TYPE)) {
        lua_pushcfunction(L, guard_close);
        lua_setfield(L, -2, "__close");
        lua_pushcfunction(L, guard_close);
        lua_setfield(L, -2, "__gc");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
    }
    lua_setmetatable(L, -2);
    lua_toclose(L, -1);
    co_end_hook(L, &g->hook);
    return g;
}

/* ---- waiting for another call's fetch ---- */

struct token_wait {
    struct co_wait wait;
    struct token_cache *cache;
    struct waiter *waiter;
};

static void wait_cancel(struct co_wait *wait) {
    struct token_wait *tw = CONTAINER_OF(wait, struct token_wait, wait);
    struct waiter *w = tw->waiter;
    tw->waiter = NULL;
    pthread_mutex_lock(&tw->cache->lock);
    bool listed = w->entry != NULL;
    if (listed) {
        struct waiter **at = &w->entry->waiters;
        while (*at != w)
            at = &(*at)->next;
        *at = w->next;
    }
    pthread_mutex_unlock(&tw->cache->lock);
    if (listed)
        mem_free(w);
    else
        w->abandoned = true; /* its task is on the way to this loop */
}

static int wait_gc(lua_State *L) {
    struct token_wait *tw = lua_touserdata(L, 1);
    mem_free(tw->waiter);
    tw->waiter = NULL;
    return 0;
}

static struct token_wait *waiter_push(lua_State *L, struct token_cache *t) {
    struct token_wait *tw = lua_newuserdatauv(L, sizeof *tw, 0);
    *tw = (struct token_wait){.wait.cancel = wait_cancel, .cache = t};
    if (luaL_newmetatable(L, WAIT_TYPE)) {
        lua_pushcfunction(L, wait_gc);
        lua_setfield(L, -2, "__gc");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
    }
    lua_setmetatable(L, -2);
    tw->waiter = mem_zalloc(sizeof *tw->waiter);
    if (tw->waiter == NULL) luaL_error(L, "out of memory");
    tw->waiter->task.run = waiter_runs;
    tw->waiter->loop = co_loop(L);
    return tw;
}

/* ---- ctx.token(key, fetch) ----
 * Stack: 1 key, 2 fetch, 3 the full name, 4 the guard; then 5 and 6 what fetch returned. */

enum { AT_VALUE = 5, AT_LIFE = 6, AT_TOKEN = AT_LIFE };

static int look(lua_State *L);

static int waited(lua_State *L, struct co_wait *wait) {
    struct token_wait *tw = CONTAINER_OF(wait, struct token_wait, wait);
    mem_free(tw->waiter);
    tw->waiter = NULL;
    lua_settop(L, 4);
    return look(L);
}

static void fill(struct entry *e, char *value, size_t n, int64_t refresh_at, int64_t expires_at) {
    mem_wipe_free(e->value, e->value_len);
    e->value = value;
    e->value_len = n;
    e->refresh_at = refresh_at;
    e->expires_at = expires_at;
}

/* The entry that the guard holds has its token; who waits looks again. */
static void keep(struct guard *g, char *value, size_t n, int64_t refresh_at, int64_t expires_at) {
    pthread_mutex_lock(&g->cache->lock);
    fill(g->entry, value, n, refresh_at, expires_at);
    let_go(g->entry);
    pthread_mutex_unlock(&g->cache->lock);
    g->entry = NULL;
}

static int store_failed_but_usable(lua_State *L, const struct store_answer *a) {
    if (a->err != 0) log_warn("token_not_stored", L_TEXT("error", err_text(a->err)));
    lua_settop(L, AT_TOKEN);
    return 1;
}

static int fetched(lua_State *L, int status, lua_KContext k) {
    (void)status, (void)k;
    struct guard *g = lua_touserdata(L, 4);
    struct str value = secret_is(L, AT_VALUE) ? secret_bytes(L, AT_VALUE) : bytes_arg(L, AT_VALUE);
    int64_t life_s = lua_isinteger(L, AT_LIFE) ? lua_tointeger(L, AT_LIFE) : 0;
    if (life_s <= 0 || life_s > LIFE_MAX_S)
        return luaL_error(L, "token: fetch must return the token and the seconds it lives");
    if (value.n == 0 || value.n > VALUE_MAX)
        return luaL_error(L, "token: fetch returned a token of %d bytes", (int)value.n);
    const struct script_services *s = context_of(L)->services;
    int64_t now = clock_now_ms(s->clock), life = life_s * 1000;
    int64_t refresh_at = now + life / 5 * 4, expires_at = now + life;

    struct commit *c = commit_push(L);
    secret_push(L, value, lua_tostring(L, 1));
    lua_replace(L, AT_TOKEN);
    struct str name;
    name.p = lua_tolstring(L, 3, &name.n);
    struct buf sealed = {0};
    char *copy = mem_dup(value.p, value.n);
    int err = copy == NULL ? E_NOMEM : seal(g->cache->ring, "token", name, value, s->rng, &sealed);
    if (err == 0)
        commit_add(
            c, OP_TOKEN_PUT,
            VALS(V_STR(name), V_BLOB(buf_str(&sealed)), V_INT(refresh_at), V_INT(expires_at)));
    buf_free(&sealed);
    if (err != 0) {
        mem_wipe_free(copy, value.n);
        return luaL_error(L, "token: %s", err_text(err));
    }
    keep(g, copy, value.n, refresh_at, expires_at);
    return store_wait_commit(L, c, LANE_RESULT, store_failed_but_usable);
}

static int fetch(lua_State *L) {
    lua_settop(L, 4);
    lua_pushvalue(L, 2);
    lua_callk(L, 0, 2, 0, fetched);
    return fetched(L, LUA_OK, 0);
}

static int loaded(lua_State *L, const struct store_answer *a) {
    struct guard *g = lua_touserdata(L, 4);
    pthread_mutex_lock(&g->cache->lock);
    g->entry->loaded = a->err == 0;
    pthread_mutex_unlock(&g->cache->lock);
    if (a->err != 0 || rows_count(a->rows) == 0) return fetch(L);
    int64_t refresh_at = rows_int(a->rows, 0, 1), expires_at = rows_int(a->rows, 0, 2);
    struct str name;
    name.p = lua_tolstring(L, 3, &name.n);
    struct buf plain = {.secret = true};
    bool usable = expires_at > clock_now_ms(context_of(L)->services->clock) &&
                  seal_open(g->cache->ring, "token", name, rows_text(a->rows, 0, 0), &plain) == 0;
    size_t n = 0;
    char *value = usable ? buf_take(&plain, &n) : NULL;
    if (value == NULL) {
        buf_free(&plain);
        return fetch(L);
    }
    keep(g, value, n, refresh_at, expires_at);
    lua_settop(L, 4);
    return look(L);
}

static int look(lua_State *L) {
    struct guard *g = lua_touserdata(L, 4);
    struct token_cache *t = g->cache;
    const char *name = lua_tostring(L, 3);
    const size_t account_len = lua_rawlen(L, 3) - lua_rawlen(L, 1);
    struct token_wait *tw = waiter_push(L, t);
    char value[VALUE_MAX];
    size_t n = 0;
    int64_t now = clock_now_ms(context_of(L)->services->clock);

    pthread_mutex_lock(&t->lock);
    struct entry *e = NULL;
    int err = entry_of(t, name, account_len, &e);
    bool alive = e != NULL && e->value != NULL && now < e->expires_at;
    bool use = alive && (now < e->refresh_at || e->busy);
    bool wait = e != NULL && !use && e->busy;
    if (use) {
        n = e->value_len;
        memcpy(value, e->value, n);
    } else if (wait) {
        struct waiter *w = tw->waiter;
        co_park(L, &tw->wait);
        w->ticket = tw->wait.ticket;
        w->entry = e;
        w->next = e->waiters;
        e->waiters = w;
    } else if (e != NULL) {
        e->busy = true;
        g->entry = e;
    }
    bool load = e != NULL && !e->loaded;
    pthread_mutex_unlock(&t->lock);

    if (wait) return co_yield (L, waited);
    if (use) {
        secret_push(L, (struct str){value, n}, lua_tostring(L, 1));
        mem_wipe(value, n);
        return 1;
    }
    if (err == E_LIMIT)
        return luaL_error(L, "token: %d other names of this provider account are being fetched",
                          ACCOUNT_ENTRIES);
    if (err != 0) return luaL_error(L, "out of memory");
    if (!load) return fetch(L);
    return store_wait_query(L, "token_get", VALS(V_TEXT(name)), loaded);
}

int tokens_l_token(lua_State *L) {
    size_t n;
    luaL_checklstring(L, 1, &n);
    luaL_argcheck(L, n >= 1 && n <= KEY_MAX, 1, "a name of 1 to 200 bytes");
    luaL_checktype(L, 2, LUA_TFUNCTION);
    co_require_wait(L, "ctx.token");
    lua_settop(L, 2);
    const struct call_context *c = context_of(L);
    lua_pushstring(L, c->scope == SCOPE_SIMULATOR ? "sandbox/" : "");
    lua_pushlstring(L, c->account.p, c->account.n);
    lua_pushliteral(L, ":");
    lua_pushvalue(L, 1);
    lua_concat(L, 4);
    guard_push(L, c->services->tokens);
    return look(L);
}
