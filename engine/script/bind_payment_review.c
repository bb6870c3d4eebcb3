/* core.payment.review: a person decides about a payment that a risk rule held. What he decided, who he
 * was and what follows from it are one commit: declined, it failed as FRAUD_DETECTED; let go, it is
 * pending again, and where it was known how it is to be paid a job takes it from there. */
#include "base/ensure.h"
#include "base/mem.h"
#include "core/audit.h"
#include "core/jobs.h"
#include "core/payment.h"
#include "script/bind.h"
#include "script/co.h"
#include "script/context.h"
#include "script/lua_util.h"

#include <stdio.h>

struct review { /* on the heap: the commit does not forget who asked */
    struct ticket ticket;
    bool abandoned, approve, starts;
    struct jobs *jobs;
    char actor[AUDIT_ACTOR_SIZE];
    int err;
    char text[WHY_MAX];
};
struct review_wait {
    struct co_wait wait;
    struct review *review;
};

static int add_start(const struct core *core, const struct payment *p, struct commit *c) {
    char args[3 * ID_SIZE], unique[ID_SIZE + 8];
    snprintf(args, sizeof args, "{\"payment\":\"%s\",\"merchant\":\"%.*s\"}", p->id,
             STR_FMT(p->merchant));
    snprintf(unique, sizeof unique, "start:%s", p->id);
    job_enqueue(c,
                &(struct job_new){.name = STR("scripts/jobs/start_payment.lua"),
                                  .args = str_of(args),
                                  .unique = str_of(unique),
                                  .backoff = STR("first=10s factor=2 max=10m tries=50")},
                core->clock, core->rng);
    return 0;
}

static int build(const struct core *core, struct payment *p, struct commit *c, void *data,
                 struct why *why) {
    struct review *r = data;
    struct json_doc doc;
    const struct audit_line line = {.actor = str_of(r->actor),
                                    .action = r->approve ? STR("payment.review_approve")
                                                         : STR("payment.review_decline"),
                                    .object = str_of(p->id),
                                    .detail = STR("{}")};
    if (!payment_held(p))
        return why_set(why, E_STATE, "the payment is %s and not held for a person",
                       PAYMENT_STATES[p->status].name);
    int err = json_parse(&doc, p->doc, NULL, NULL);
    if (err != 0) return err;
    r->starts = r->approve && (p->method.n != 0 || json_get(doc.root, "channel") != NULL);
    json_doc_free(&doc);
    if (r->approve)
        err = payment_add_release(core, c, p, why);
    else
        err = payment_add_fail(core, c, p, STR("FRAUD_DETECTED"), STR("declined by a person"), why);
    if (err == 0 && r->starts) err = add_start(core, p, c);
    payment_add_note(core, c, str_of(p->id), r->approve ? "review_approved" : "review_declined",
                     str_of(r->actor));
    return err != 0 ? err : audit_add(core, c, &line, 1);
}

static void done(int err, const struct why *why, void *data) {
    struct review *r = data;
    if (r->abandoned) {
        mem_free(r);
        return;
    }
    r->err = err;
    snprintf(r->text, sizeof r->text, "%s", why == NULL ? "" : why->text);
    if (err == 0 && r->starts && r->jobs != NULL) jobs_poke(r->jobs);
    co_wake(r->ticket);
}

static void wait_cancel(struct co_wait *wait) {
    struct review_wait *w = CONTAINER_OF(wait, struct review_wait, wait);
    w->review->abandoned = true;
    w->review = NULL;
}

static int wait_gc(lua_State *L) {
    struct review_wait *w = lua_touserdata(L, 1);
    mem_free(w->review);
    w->review = NULL;
    return 0;
}

static int finish(lua_State *L, struct co_wait *wait) {
    const struct review *r = CONTAINER_OF(wait, struct review_wait, wait)->review;
    if (r->err != 0) return bind_fail(L, r->err, "%s", r->text);
    lua_pushboolean(L, 1);
    return 1;
}

/* review(id, "approve"|"decline", who) */
static int l_review(lua_State *L) {
    static const char *const WORDS[] = {"approve", "decline", NULL};
    const struct script_services *s = context_of(L)->services;
    struct str id = check_str(L, 1), who = check_str(L, 3);
    int word = luaL_checkoption(L, 2, NULL, WORDS);
    luaL_argcheck(L, who.n >= 1 && who.n <= 100, 3, "who decided");
    co_require_wait(L, "core.payment.review");
    struct review_wait *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct review_wait){.wait.cancel = wait_cancel};
    set_freeing(L, "luwak.review_wait", wait_gc);
    w->review = mem_zalloc(sizeof *w->review);
    if (w->review == NULL) return luaL_error(L, "out of memory");
    w->review->approve = word == 0;
    w->review->jobs = s->jobs;
    snprintf(w->review->actor, sizeof w->review->actor, "%.*s", STR_FMT(who));
    struct payment_change what = {.core = s->core,
                                  .loop = co_loop(L),
                                  .lane = LANE_NEW,
                                  .id = id,
                                  .build = build,
                                  .done = done,
                                  .data = w->review};
    int err = payment_change(&what);
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    co_park(L, &w->wait);
    w->review->ticket = w->wait.ticket;
    return co_yield (L, finish);
}

static const struct bind_fn FNS[] = {
    {"review", l_review, KIND_JOB | KIND_TOOL | KIND_PAGE | KIND_TEST,
     "id: string, decision: string, who: string -> boolean?, string?, string?",
     "decides about one that a risk rule held: \"approve\" or \"decline\"; who did it goes into "
     "the audit log"},
    {0},
};
const struct bind_module bind_payment_review = {"core.payment", "payments", FNS, NULL};
