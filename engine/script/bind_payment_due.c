/* core.payment, for jobs: what falls due by itself. A payment whose time is over expires, after its
 * channel's grace and a last look at the provider; a merchant's share becomes available. */
#include "base/ensure.h"
#include "base/mem.h"
#include "core/audit.h"
#include "core/inbox.h"
#include "core/jobs.h"
#include "core/payment.h"
#include "payment/payment_adopt.h"
#include "payment/payment_channels.h"
#include "payment/payment_policy.h"
#include "script/bind.h"
#include "script/context.h"
#include "script/lua_util.h"
#include "script/manifest.h"
#include "script/script_set.h"
#include "script/store_wait.h"

enum { DUE_MAX = 100 };

/* ---- waiting for a change ---- */

struct due {
    struct ticket ticket;
    bool abandoned;
    int err;
    int64_t last; /* adopt */
};
struct due_wait {
    struct co_wait wait;
    struct due *due;
};

static void over(struct due *d, int err) {
    if (d->abandoned) {
        mem_free(d);
        return;
    }
    d->err = err;
    co_wake(d->ticket);
}

static void changed(int err, const struct why *why, void *data) {
    (void)why;
    over(data, err);
}

static void wait_cancel(struct co_wait *wait) {
    struct due_wait *w = CONTAINER_OF(wait, struct due_wait, wait);
    w->due->abandoned = true;
    w->due = NULL;
}

static int wait_gc(lua_State *L) {
    struct due_wait *w = lua_touserdata(L, 1);
    mem_free(w->due);
    w->due = NULL;
    return 0;
}

static struct due_wait *wait_push(lua_State *L) {
    struct due_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct due_wait){.wait.cancel = wait_cancel};
    set_freeing(L, "luwak.due_wait", wait_gc);
    w->due = mem_zalloc(sizeof *w->due);
    if (w->due == NULL) luaL_error(L, "out of memory");
    return w;
}

static int due_finish(lua_State *L, struct co_wait *wait) {
    int err = CONTAINER_OF(wait, struct due_wait, wait)->due->err;
    if (err == 0) return lua_pushboolean(L, 1), 1;
    lua_pushboolean(L, 0);
    lua_pushstring(L, err_text(err));
    return 2;
}

/* ---- expiry ---- */

static int build_expire(const struct core *core, struct payment *p, struct commit *c, void *data,
                        struct why *why) {
    (void)data;
    return payment_add_expire(core, c, p, why);
}

static int build_available(const struct core *core, struct payment *p, struct commit *c, void *data,
                           struct why *why) {
    (void)data, (void)why;
    return payment_add_available(core, c, p);
}

static int change(lua_State *L, const char *id, payment_build build) {
    const struct script_services *s = context_of(L)->services;
    struct due_wait *w = wait_push(L);
    struct payment_change what = {.core = s->core,
                                  .loop = co_loop(L),
                                  .lane = LANE_RESULT,
                                  .id = str_of(id),
                                  .build = build,
                                  .done = changed,
                                  .data = w->due};
    int err = payment_change(&what);
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    co_park(L, &w->wait);
    w->due->ticket = w->wait.ticket;
    return co_yield (L, due_finish);
}

/* The version that asks, when there is somebody to ask; NULL: it simply expires. Deleted channels
 * serve what is open. */
static struct version *who_asks(const struct script_services *s, const struct payment *p) {
    const struct script_set *set = s->scripts(s->worker);
    const struct script_entry *e =
        p->channel.n == 0 || set == NULL ? NULL : script_set_find(set, KIND_CHANNEL, p->channel);
    return e == NULL ? NULL : e->version;
}

static int stored(lua_State *L, const struct store_answer *a) {
    if (a->err != 0) return store_fail(L, a);
    return lua_pushboolean(L, 1), 1;
}

static int asked_now(lua_State *L, const struct store_answer *a) {
    if (a->err == 0) jobs_poke(context_of(L)->services->jobs);
    return stored(L, a);
}

/* The last look is the ask job's: it keeps to what the provider may be asked, and whoever hangs there
 * holds up nobody else. */
static int l_expire(lua_State *L) {
    const struct script_services *s = context_of(L)->services;
    struct payment p;
    char id[ID_SIZE], attempt[ID_SIZE] = "";
    int err = payment_read(s->core, STR(""), check_str(L, 1), &p);
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    memcpy(id, p.id, sizeof id);
    const struct version *v = who_asks(s, &p);
    const struct attempt *at = payment_attempt(&p, p.attempt);
    int64_t over_at = p.expires_at + (v == NULL ? 0 : v->manifest->expires.grace_ms);
    bool early = p.status != PAYMENT_PENDING || p.expires_at == 0 || core_now(s->core) < over_at;
    bool ask = at != NULL && operation_open(at->state) && v != NULL &&
               manifest_has(v->manifest, "inquire") && !channel_is_local(v);
    if (ask) memcpy(attempt, at->id, sizeof attempt);
    payment_free(&p);
    if (early) return lua_pushboolean(L, 0), 1;
    co_require_wait(L, "core.payment.expire");
    if (!ask) return change(L, id, build_expire);
    struct commit *c = commit_push(L);
    operation_add_ask_now(c, str_of(attempt), over_at, s->core->clock, s->core->rng);
    return store_wait_commit(L, c, LANE_RESULT, asked_now);
}

static void policed(int err, void *data) {
    over(data, err == E_STATE ? 0 : err);
}

static int l_policy(lua_State *L) {
    const struct script_services *s = context_of(L)->services;
    int64_t movement = luaL_checkinteger(L, 1);
    co_require_wait(L, "core.payment.policy");
    struct due_wait *w = wait_push(L);
    if (payment_policy(s, co_runtime(L), movement, policed, w->due) != 0)
        return luaL_error(L, "out of memory");
    co_park(L, &w->wait);
    w->due->ticket = w->wait.ticket;
    return co_yield (L, due_finish);
}

static void adopted(int err, int64_t last, void *data) {
    struct due *d = data;
    d->last = last;
    over(d, err);
}

static int adopt_finish(lua_State *L, struct co_wait *wait) {
    const struct due *d = CONTAINER_OF(wait, struct due_wait, wait)->due;
    if (d->last == 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, d->last);
    if (d->err == 0) return 1;
    lua_pushstring(L, err_text(d->err));
    return 2;
}

static int l_adopt(lua_State *L) {
    const struct script_services *s = context_of(L)->services;
    int64_t after = luaL_optinteger(L, 1, 0);
    co_require_wait(L, "core.payment.adopt");
    struct due_wait *w = wait_push(L);
    int err = payment_adopt_orphans(s, co_runtime(L), after, adopted, w->due);
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    co_park(L, &w->wait);
    w->due->ticket = w->wait.ticket;
    return co_yield (L, adopt_finish);
}

/* An orphan whose time is over: its money goes to suspense. */
static int l_orphan(lua_State *L) {
    const struct script_services *s = context_of(L)->services;
    struct inbox_list list;
    struct inbox_row row;
    int64_t id = luaL_checkinteger(L, 1);
    co_require_wait(L, "core.payment.orphan");
    struct commit *c = commit_push(L);
    int err = inbox_find_id(s->core, id, &list);
    if (err == 0) {
        err = inbox_row(&list, 0, &row);
        bool early = err == 0 && core_now(s->core) < row.at + ORPHAN_MS;
        if (err == 0) err = early ? E_STATE : inbox_add_over(s->core, c, &row);
        inbox_list_free(&list);
    }
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    return store_wait_commit(L, c, LANE_RESULT, stored);
}

static int l_available(lua_State *L) {
    char id[ID_SIZE];
    struct str text = check_str(L, 1);
    luaL_argcheck(L, text.n < sizeof id, 1, "the id of a payment");
    memcpy(id, text.p, text.n + 1);
    co_require_wait(L, "core.payment.available");
    return change(L, id, build_available);
}

/* ---- what is due ---- */

static int due_done(lua_State *L, const struct store_answer *a) {
    if (a->err != 0) return store_fail(L, a);
    lua_createtable(L, (int)rows_count(a->rows), 0);
    for (size_t i = 0; i < rows_count(a->rows); i++) {
        push_str(L, rows_text(a->rows, i, 0));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int numbers_done(lua_State *L, const struct store_answer *a) {
    if (a->err != 0) return store_fail(L, a);
    lua_createtable(L, (int)rows_count(a->rows), 0);
    for (size_t i = 0; i < rows_count(a->rows); i++) {
        lua_pushinteger(L, rows_int(a->rows, i, 0));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int l_due(lua_State *L) {
    static const char *const WHAT[] = {"expire", "available", "policy", "orphans", NULL};
    static const struct {
        const char *query;
        int64_t after_ms; /* what has just come is still in the hands of whoever booked it */
        bool numbers;
    } QUERIES[] = {{"payments_to_expire", 0, false},
                   {"payments_to_settle", 0, false},
                   {"movements_to_judge", 60000, true},
                   {"orphans_before", ORPHAN_MS, true}};
    const struct script_services *s = context_of(L)->services;
    int which = luaL_checkoption(L, 1, NULL, WHAT);
    struct val after = V_NULL;
    if (!lua_isnoneornil(L, 2) && QUERIES[which].numbers)
        after = V_INT(luaL_checkinteger(L, 2));
    else if (!lua_isnoneornil(L, 2))
        after = V_STR(check_str(L, 2));
    co_require_wait(L, "core.payment.due");
    return store_wait_query(
        L, QUERIES[which].query,
        VALS(V_INT(core_now(s->core) - QUERIES[which].after_ms), V_INT(DUE_MAX), after),
        QUERIES[which].numbers ? numbers_done : due_done);
}

static const struct bind_fn DUE[] = {
    {"due", l_due, KIND_JOB | KIND_TOOL | KIND_TEST,
     "what: string, after: string|integer? -> table?, string?, string?",
     "what is due, the oldest first, a hundred at most, behind the one named `after`: ids of "
     "payments to \"expire\" or to make \"available\", movements whose \"policy\" was not asked "
     "yet, callbacks that are \"orphans\" too long"},
    {"expire", l_expire, KIND_JOB | KIND_TOOL | KIND_TEST, "id: string -> boolean, string?",
     "lets one expire; where a provider can be asked, when it has said that nothing was paid. "
     "false: it is not to"},
    {"policy", l_policy, KIND_JOB | KIND_TOOL | KIND_TEST, "movement: integer -> boolean, string?",
     "asks the policy about money in suspense, again"},
    {"adopt", l_adopt, KIND_JOB | KIND_TOOL | KIND_TEST, "after: integer? -> integer?, string?",
     "books the money of callbacks that came before the attempt had their reference, some behind "
     "the one named `after`; the last it looked at, nil: there are no more"},
    {"orphan", l_orphan, KIND_JOB | KIND_TOOL | KIND_TEST,
     "id: integer -> boolean?, string?, string?",
     "puts the money of a callback that fits nothing into suspense, when its time is over"},
    {"available", l_available, KIND_JOB | KIND_TOOL | KIND_TEST, "id: string -> boolean, string?",
     "makes the merchant's share of one available"},
    {0},
};
const struct bind_module bind_payment_due = {"core.payment", "payments", DUE, NULL};
