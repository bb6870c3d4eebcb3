/* core.payment.decide: a person decides about money in suspense, and pays and ends a refund by hand.
 * What he decided, who he was and what follows from it are one commit. */
#include "base/ensure.h"
#include "base/mem.h"
#include "core/audit.h"
#include "core/payment.h"
#include "payment/payment_price.h"
#include "payment/payment_settle.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/buf_lua.h"
#include "script/co.h"
#include "script/context.h"
#include "script/lua_util.h"
#include "script/manifest.h"
#include "script/script_set.h"

#include <stdio.h>

enum word { ACCEPT, BACK, OWN, SAME, DONE, FAILED, LOOK, WORDS_ };
static const struct {
    const char *word, *action;
    bool refund; /* it is about a refund, else about money in suspense */
} WORDS[WORDS_] = {
    [ACCEPT] = {"accept", "money.accept", false}, [BACK] = {"back", "money.give_back", false},
    [OWN] = {"own", "money.own", false},          [SAME] = {"same", "money.same", false},
    [DONE] = {"done", "refund.done", true},       [FAILED] = {"failed", "refund.failed", true},
    [LOOK] = {"look", "refund.destination", true}};

/* Of an orphan: whose it is, or has been all along. */
static bool names_payment(enum word word) {
    return word == OWN || word == SAME;
}

struct deciding { /* on the heap: the commit does not forget who asked */
    struct ticket ticket;
    bool abandoned;
    enum word word;
    int64_t movement, settle_at;
    const struct core *core;
    struct loop *loop;
    struct script_set *set; /* while it is priced; or NULL */
    struct payment_price price;
    char refund[ID_SIZE], payment[ID_SIZE];
    char actor[AUDIT_ACTOR_SIZE], note[200];
    enum verdict verdict;
    int err;
    char text[WHY_MAX];
};
struct deciding_wait {
    struct co_wait wait;
    struct deciding *deciding;
};

static void deciding_free(struct deciding *d) {
    if (d == NULL) return;
    if (d->set != NULL) script_set_drop(d->set);
    mem_free(d);
}

/* ---- what follows ---- */

static int held_now(const struct core *core, int64_t movement, int64_t *held) {
    struct rows *rows = NULL;
    int err = store_get(core->store, "movement_get", VALS(V_INT(movement)), &rows);
    if (err == 0 && rows_count(rows) == 0) err = E_NOTFOUND;
    if (err == 0) *held = rows_int(rows, 0, 7);
    rows_free(rows);
    return err;
}

static int accept(const struct core *core, struct payment *p, struct commit *c, struct deciding *d,
                  struct why *why) {
    struct fee fee;
    if (d->price.unpriced)
        payment_add_note(core, c, str_of(p->id), "unpriced",
                         STR("the fee rule failed; booked without a fee"));
    return payment_add_accept(core, c, p, d->movement, payment_price_fee(&d->price, &fee),
                              d->settle_at, why);
}

static int give_back(const struct core *core, struct payment *p, struct commit *c,
                     struct deciding *d, struct why *why) {
    struct refund refund;
    int64_t held = 0;
    int err = held_now(core, d->movement, &held);
    if (err == 0 && held == 0) return why_set(why, E_STATE, "that money is not in suspense");
    if (err == 0)
        err = payment_add_refund(core, c, p,
                                 &(struct refund_new){.amount = held,
                                                      .reason = str_of(d->note),
                                                      .by = STR("hand"),
                                                      .movement = d->movement},
                                 &refund, why);
    if (err == 0) memcpy(d->refund, refund.id, sizeof d->refund);
    return err;
}

static int end_refund(const struct core *core, struct payment *p, struct commit *c,
                      struct deciding *d, struct why *why) {
    struct refund refund;
    struct buf failure = {0};
    int err = refund_read(core, STR(""), str_of(d->refund), &refund);
    if (err != 0) return err;
    if (str_eq(refund.by, STR("provider"))) {
        err = why_set(why, E_STATE, "the provider pays it back, and is asked about it");
    } else if (d->word == FAILED) {
        struct json_out w;
        json_out_init(&w, &failure);
        json_begin_object(&w);
        json_put_text(&w, "code", "PROVIDER_ERROR");
        json_put_text(&w, "message", d->note);
        json_put_text(&w, "provider_code", "");
        json_end_object(&w);
        err = json_out_end(&w);
    }
    if (err == 0)
        err = payment_add_refund_result(core, c, p, &refund,
                                        d->word == DONE ? REFUND_SUCCESS : REFUND_FAILED,
                                        buf_str(&failure), why);
    buf_free(&failure);
    refund_free(&refund);
    return err;
}

static int build(const struct core *core, struct payment *p, struct commit *c, void *data,
                 struct why *why) {
    struct deciding *d = data;
    char text[800], detail[160];
    struct fee fee;
    int err = d->word == ACCEPT ? accept(core, p, c, d, why)
              : d->word == BACK ? give_back(core, p, c, d, why)
              : d->word == OWN
                  ? payment_add_own(core, c, p, d->movement,
                                    &(struct money){.settle_at = d->settle_at,
                                                    .fee = payment_price_fee(&d->price, &fee),
                                                    .unpriced = d->price.unpriced},
                                    &d->verdict, why)
              : d->word == SAME ? payment_add_same(core, c, p, d->movement, why)
              : d->word == LOOK ? 0
                                : end_refund(core, p, c, d, why);
    if (err != 0) return err;
    snprintf(detail, sizeof detail, "{\"payment\":\"%s\",\"movement\":%lld,\"refund\":\"%s\"}",
             p->id, (long long)d->movement, d->refund);
    snprintf(text, sizeof text, "%s by %s: %s %s", WORDS[d->word].action, d->actor, detail,
             d->note);
    payment_add_note(core, c, str_of(p->id), "decided", str_of(text));
    const struct audit_line line = {.actor = str_of(d->actor),
                                    .action = str_of(WORDS[d->word].action),
                                    .object = str_of(d->refund[0] != '\0' ? d->refund : p->id),
                                    .detail = str_of(detail)};
    return audit_add(core, c, &line, 1);
}

/* ---- waiting ---- */

static void done(int err, const struct why *why, void *data) {
    struct deciding *d = data;
    if (d->abandoned) {
        deciding_free(d);
        return;
    }
    d->err = err;
    snprintf(d->text, sizeof d->text, "%s",
             why == NULL || why->text[0] == '\0' ? err_text(err) : why->text);
    co_wake(d->ticket);
}

static void wait_cancel(struct co_wait *wait) {
    struct deciding_wait *w = CONTAINER_OF(wait, struct deciding_wait, wait);
    w->deciding->abandoned = true;
    w->deciding = NULL;
}

static int wait_gc(lua_State *L) {
    struct deciding_wait *w = lua_touserdata(L, 1);
    deciding_free(w->deciding);
    w->deciding = NULL;
    return 0;
}

static int push_destination(lua_State *L, const struct deciding *d) {
    struct buf *plain = buf_push(L);
    int err = refund_destination(context_of(L)->services->core, str_of(d->refund), plain);
    if (err == E_NOTFOUND)
        return bind_fail(L, err, "it has no destination, or the person was erased");
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    if (json_decode_push(L, buf_str(plain)) != 1)
        return luaL_error(L, "its destination is damaged");
    return 1;
}

static int finish(lua_State *L, struct co_wait *wait) {
    const struct deciding *d = CONTAINER_OF(wait, struct deciding_wait, wait)->deciding;
    if (d->err != 0) return bind_fail(L, d->err, "%s", d->text);
    if (d->word == LOOK) return push_destination(L, d);
    lua_pushstring(L, d->word == OWN    ? verdict_name(d->verdict)
                      : d->word == BACK ? d->refund
                                        : WORDS[d->word].word);
    return 1;
}

/* ---- what it costs: what makes the payment paid costs what it does on the day it came ---- */

static int change(struct deciding *d) {
    struct payment_change what = {.core = d->core,
                                  .loop = d->loop,
                                  .lane = LANE_NEW,
                                  .id = str_of(d->payment),
                                  .build = build,
                                  .done = done,
                                  .data = d};
    return payment_change(&what);
}

static void priced(void *data) {
    struct deciding *d = data;
    int err = change(d);
    if (err != 0) done(err, NULL, d);
}

/* E_NOTFOUND: there is nothing to ask; the payment's own fee counts, where it has one. */
static int ask_price(struct deciding *d, struct runtime *runtime, const struct rows *money) {
    struct payment p;
    int err = payment_read(d->core, STR(""), str_of(d->payment), &p);
    if (err != 0) return err;
    const struct attempt *a = d->word == OWN ? payment_attempt_at(&p, rows_text(money, 0, 1))
                                             : payment_attempt(&p, rows_text(money, 0, 4));
    const struct script_entry *e =
        a == NULL ? NULL : script_set_find(d->set, KIND_CHANNEL, attempt_channel(a));
    if (e == NULL || p.status == PAYMENT_SUCCESS || payment_price_frozen(&p))
        err = E_NOTFOUND;
    else
        err = payment_price(
            &d->price, d->core,
            &(struct payment_price_of){.runtime = runtime,
                                       .set = d->set,
                                       .payment = &p,
                                       .attempt = a,
                                       .provider = e->version->manifest->provider,
                                       .amount = rows_int(money, 0, d->word == OWN ? 5 : 7),
                                       .paid_at = rows_int(money, 0, 11)},
            priced, d);
    payment_free(&p);
    return err;
}

static int price(struct deciding *d, struct runtime *runtime) {
    struct rows *rows = NULL;
    if (d->word != ACCEPT && d->word != OWN) return change(d);
    int err = store_get(d->core->store, "movement_get", VALS(V_INT(d->movement)), &rows);
    if (err == 0) err = rows_count(rows) == 0 ? E_NOTFOUND : ask_price(d, runtime, rows);
    rows_free(rows);
    return err == E_NOTFOUND ? change(d) : err; /* which says what is not there */
}

/* ---- decide(word, id, who, more) ---- */

/* Whose payment it is about; 0, or why there is none. */
static int find_payment(const struct core *core, struct deciding *d) {
    struct rows *rows = NULL;
    struct refund refund;
    int err;
    if (WORDS[d->word].refund) {
        err = refund_read(core, STR(""), str_of(d->refund), &refund);
        if (err != 0) return err;
        memcpy(d->payment, refund.payment, sizeof d->payment);
        refund_free(&refund);
        return 0;
    }
    if (names_payment(d->word)) return 0;
    err = store_get(core->store, "movement_get", VALS(V_INT(d->movement)), &rows);
    if (err == 0 && rows_count(rows) == 0) err = E_NOTFOUND;
    if (err == 0 && rows_null(rows, 0, 3)) err = E_STATE;
    if (err == 0) snprintf(d->payment, sizeof d->payment, "%.*s", STR_FMT(rows_text(rows, 0, 3)));
    rows_free(rows);
    return err;
}

static int l_decide(lua_State *L) {
    static const char *const NAMES[] = {"accept", "back",   "own",  "same",
                                        "done",   "failed", "look", NULL};
    const struct script_services *s = context_of(L)->services;
    int word = luaL_checkoption(L, 1, NULL, NAMES);
    struct str who = check_str(L, 3), more = {0};
    luaL_argcheck(L, who.n >= 1 && who.n <= 100, 3, "who decided");
    if (!lua_isnoneornil(L, 4)) more = check_str(L, 4);
    luaL_argcheck(L, more.n <= 190, 4, "too long");
    co_require_wait(L, "core.payment.decide");
    struct deciding_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct deciding_wait){.wait.cancel = wait_cancel};
    set_freeing(L, "luwak.deciding_wait", wait_gc);
    struct deciding *d = w->deciding = mem_zalloc(sizeof *d);
    if (d == NULL) return luaL_error(L, "out of memory");
    d->word = (enum word)word;
    if (WORDS[word].refund)
        snprintf(d->refund, sizeof d->refund, "%.*s", STR_FMT(check_str(L, 2)));
    else
        d->movement = luaL_checkinteger(L, 2);
    snprintf(d->actor, sizeof d->actor, "%.*s", STR_FMT(who));
    bool names = names_payment(d->word);
    snprintf(names ? d->payment : d->note, names ? sizeof d->payment : sizeof d->note, "%.*s",
             STR_FMT(more));
    d->settle_at = payment_settle_at(s, s->scripts(s->worker), core_now(s->core));
    int err = find_payment(s->core, d);
    if (err == E_STATE)
        return bind_fail(L, err,
                         "that money belongs to no payment yet: say which one's it is (own), or "
                         "that polling had booked it for one (same)");
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    d->core = s->core;
    d->loop = co_loop(L);
    d->set = script_set_keep(s->scripts(s->worker));
    if ((err = price(d, co_runtime(L))) != 0) return bind_fail(L, err, "%s", err_text(err));
    co_park(L, &w->wait);
    d->ticket = w->wait.ticket;
    return co_yield (L, finish);
}

static const struct bind_fn FNS[] = {
    {"decide", l_decide, KIND_JOB | KIND_TOOL | KIND_PAGE | KIND_TEST,
     "word: string, id: integer|string, who: string, more: string? -> string|table?, string?, "
     "string?",
     "a person decides: \"accept\" or give \"back\" money in suspense (a movement), let a payment "
     "\"own\" an orphan's or say that it is the \"same\" as polling had booked for it (more: its "
     "id), say that a refund by hand is \"done\" or has \"failed\" "
     "(more: why), \"look\" where it is to be paid to (a table); who did it goes into the audit "
     "log"},
    {0},
};
const struct bind_module bind_payment_held = {"core.payment", "payments", FNS, NULL};
