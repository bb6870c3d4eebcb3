/* Runs a channel's function for one operation and turns its decision into the operation's next
 * state.
 *
 * What the money asks for: until the script's one effect request has begun, nothing can have
 * happened, and an error is `failed`. From then on only a valid decision counts; every other end
 * (error, budget, cancel, rubbish) is `unknown`, and the operation's ask job takes it from there.
 * An inquiry that goes wrong changes nothing. */
#include "base/ensure.h"
#include "base/fault.h"
#include "base/mem.h"
#include "payment/payment_decision.h"
#include "script/dispatch.h"
#include "script/dispatch_private.h"
#include "script/manifest.h"
#include "script/operation_text.h"
#include "sys/log.h"
#include "sys/metrics.h"

struct operation_run {
    struct call_context context; /* first: it is what bindings find */
    struct operation_mark mark;
    struct operation_gate *gate; /* NULL: not marked */
    struct operation_row row;    /* texts in memory */
    char *memory;
    struct version *version;
    struct loop *loop;
    const char *entry[2];
    bool asking; /* inquire: an end without a decision changes nothing */
    bool decided, not_created;
    char said[160]; /* with the decision, for a person; may be empty */
    enum operation_state to;
    struct buf doc;
    void (*tell)(const struct operation_decision *decision, void *data); /* or it is written here */
    operation_done_cb done;
    void *data;
};

/* ---- the gate ---- */

void operation_mark(struct operation_gate *gate, struct operation_mark *mark, struct str id) {
    if (gate == NULL) return;
    mark->id = id;
    pthread_mutex_lock(&gate->lock);
    mark->next = gate->first;
    gate->first = mark;
    pthread_mutex_unlock(&gate->lock);
}

void operation_unmark(struct operation_gate *gate, struct operation_mark *mark) {
    if (gate == NULL) return;
    pthread_mutex_lock(&gate->lock);
    struct operation_mark **at = &gate->first;
    while (*at != mark)
        at = &(*at)->next;
    *at = mark->next;
    pthread_mutex_unlock(&gate->lock);
}

void operation_hold(struct operation_gate *gate, struct operation_hold *hold, const char *id) {
    operation_release(gate, hold);
    operation_mark(gate, &hold->mark, str_of(id));
    hold->held = true;
}

void operation_release(struct operation_gate *gate, struct operation_hold *hold) {
    if (hold->held) operation_unmark(gate, &hold->mark);
    hold->held = false;
}

bool operation_under_way(struct operation_gate *gate, struct str id) {
    bool found = false;
    pthread_mutex_lock(&gate->lock);
    for (struct operation_mark *m = gate->first; m != NULL && !found; m = m->next)
        found = str_eq(m->id, id);
    pthread_mutex_unlock(&gate->lock);
    return found;
}

static void run_free(struct operation_run *run) {
    operation_unmark(run->gate, &run->mark);
    buf_free(&run->doc);
    version_drop(run->version);
    mem_free(run->memory);
    mem_free(run);
}

/* ---- what the script is given ---- */

static int push(lua_State *L, void *data) {
    struct operation_run *run = data;
    script_push_ctx(L);
    operation_push(L, &run->row);
    return 2;
}

/* ---- what it decided ---- */

static int take(lua_State *L, int n, void *data) {
    struct operation_run *run = data;
    int decision = lua_gettop(L) - n + 1;
    const char *tag = n == 0 ? NULL : script_tag(L, decision);
    int to = tag == NULL ? -1 : operation_state_of_tag(tag);
    if (to < 0)
        return luaL_error(
            L, "%s must return a decision: pending{}, success{}, failed{}, unknown{} ...",
            run->entry[0]);
    operation_doc_write(L, &run->row, decision, tag, &run->doc);
    lua_pushliteral(L, "message");
    if (lua_rawget(L, decision) == LUA_TSTRING)
        snprintf(run->said, sizeof run->said, "%s", lua_tostring(L, -1));
    lua_pop(L, 1);
    run->to = (enum operation_state)to;
    run->not_created = strcmp(tag, "not_created") == 0;
    run->decided = true;
    return 0;
}

/* ---- writing it ---- */

static void moved(const struct commit_result *result, void *data) {
    struct operation_run *run = data;
    (void)FAULT("operation.moved"); /* the result is on disk, nobody has heard of it */
    if (result->err != 0 && result->err != E_GUARD)
        log_error("operation_not_moved", L_STR("operation", run->row.id),
                  L_TEXT("error", err_text(result->err)));
    run->done(result->err, run->to, run->data);
    run_free(run);
}

static void unchanged(struct operation_run *run, int err) {
    run->done(err, run->row.state, run->data);
    run_free(run);
}

static void write_move(struct operation_run *run) {
    struct commit *c = NULL;
    (void)FAULT("operation.decided"); /* the provider has answered, nobody here knows */
    int err = run->doc.err != 0 ? run->doc.err : commit_new(&c);
    if (err == 0)
        err = operation_add_move(c, run->row.id, run->row.generation, run->row.state, run->to,
                                 buf_str(&run->doc), run->context.services->clock);
    if (err == 0) {
        store_submit(run->context.services->store, c, LANE_RESULT, run->loop, moved, run);
        return;
    }
    if (err == E_STATE) {
        static const struct state *const S = OPERATION_STATES;
        log_error("operation_move_refused", L_STR("operation", run->row.id),
                  L_TEXT("from", S[run->row.state].name), L_TEXT("to", S[run->to].name));
    }
    if (c != NULL) commit_free(c);
    unchanged(run, err); /* it stays as it is, and its ask job stands */
}

static void tell(struct operation_run *run, const struct operation_decision *decision) {
    run->tell(decision, run->data);
    run_free(run);
}

/* No valid decision: what that comes to. A decision that there was no memory to keep is one that
 * nobody knows. */
static void undecided(struct operation_run *run, const char *error) {
    bool sent = run->context.http.effect_sent || run->decided;
    log_error("operation_undecided", L_STR("operation", run->row.id),
              L_TEXT("function", run->entry[0]), L_TEXT("script", run->version->path),
              L_BOOL("sent", sent), L_TEXT("error", error));
    if (run->asking && run->tell == NULL) {
        unchanged(run, 0);
        return;
    }
    run->to = sent || run->asking ? OPERATION_UNKNOWN : OPERATION_FAILED;
    buf_free(&run->doc);
    operation_doc_undecided(&run->row, sent, &run->doc);
    if (run->tell == NULL)
        write_move(run);
    else
        tell(run, &(struct operation_decision){.sent = sent,
                                               .called = run->context.http.called,
                                               .unavailable = run->context.unavailable,
                                               .to = run->to,
                                               .doc = buf_str(&run->doc),
                                               .error = error});
}

/* A call that nobody answered: an operator sees at once what waits, and for whom. */
static void tell_unknown(const struct operation_run *run) {
    if (run->asking || !run->decided || run->to != OPERATION_UNKNOWN) return;
    log_warn("operation_unknown", L_STR("payment", run->row.payment),
             L_STR("operation", run->row.id), L_STR("kind", run->row.kind),
             L_TEXT("channel", run->version->name), L_STR("account", run->row.account),
             L_BOOL("sent", run->context.http.effect_sent), L_TEXT("said", run->said),
             L_TEXT("next", "the provider is asked about it"));
}

static struct metric provider_calls = {
    .name = "luwak_provider_calls_total",
    .help = "What channels and billers were asked to do, by what they decided or how they failed",
    .type = METRIC_COUNTER,
    .labels = {"provider", "call", "outcome"}};

static void count_call(const struct operation_run *run, const struct call_result *result) {
    static const char *const FAILED[] = {"undecided", "raised", "budget", "cancelled"};
    const struct manifest *m = run->version->manifest;
    const char *outcome = !run->decided || result->outcome != CALL_RETURNED
                              ? FAILED[result->outcome]
                          : run->not_created ? "not_created"
                                             : OPERATION_STATES[run->to].name;
    metric_add(&provider_calls, 1,
               LABELS(m == NULL || m->provider == NULL ? run->version->name : m->provider,
                      run->entry[0], outcome));
}

static void finished(const struct call_result *result, void *data) {
    struct operation_run *run = data;
    struct why why = {0};
    dispatch_count(run->version, result);
    tell_unknown(run);
    count_call(run, result);
    if (!run->decided || result->outcome != CALL_RETURNED)
        undecided(run, result->text == NULL ? "cancelled" : result->text);
    else if (run->tell != NULL && run->doc.err != 0)
        undecided(run, err_text(run->doc.err));
    else if (run->tell != NULL)
        tell(run, &(struct operation_decision){.decided = true,
                                               .unavailable = run->context.unavailable,
                                               .sent = run->context.http.effect_sent,
                                               .called = run->context.http.called,
                                               .not_created = run->not_created,
                                               .to = run->to,
                                               .doc = buf_str(&run->doc)});
    else if (run->doc.err == 0 &&
             payment_decision_amount(run->to, buf_str(&run->doc), &why) == E_SCRIPT)
        undecided(run, why.text);
    else if (run->to == run->row.state && run->asking)
        unchanged(run, 0);
    else
        write_move(run);
}

static int copy_row(struct operation_run *run, const struct operation_row *row) {
    run->memory =
        mem_alloc(row->id.n + row->kind.n + row->script.n + row->version.n + row->account.n +
                  row->reference.n + row->doc.n + row->given.n + row->payment.n + 9);
    if (run->memory == NULL) return E_NOMEM;
    char *at = run->memory;
    run->row = (struct operation_row){.id = str_copy(&at, row->id),
                                      .kind = str_copy(&at, row->kind),
                                      .script = str_copy(&at, row->script),
                                      .version = str_copy(&at, row->version),
                                      .account = str_copy(&at, row->account),
                                      .reference = str_copy(&at, row->reference),
                                      .doc = str_copy(&at, row->doc),
                                      .given = str_copy(&at, row->given),
                                      .payment = str_copy(&at, row->payment),
                                      .expires_at = row->expires_at,
                                      .state = row->state,
                                      .generation = row->generation};
    return 0;
}

/* A call that waits longer than others, because its channel says so, has time left for the rest. */
enum { USUAL_WAIT_MS = 30000 };

int dispatch_operation(const struct operation_call *call, operation_done_cb done, void *data) {
    (void)FAULT("operation.intent"); /* the intent is on disk, the provider knows nothing */
    struct operation_run *run = mem_zalloc(sizeof *run);
    if (run == NULL || copy_row(run, call->operation) != 0) {
        mem_free(run);
        return E_NOMEM;
    }
    run->version = version_keep(call->version);
    run->loop = runtime_loop(call->runtime);
    run->entry[0] = call->function;
    run->asking = strcmp(call->function, "inquire") == 0;
    run->done = done;
    run->data = data;
    call_context_init(&run->context, call->services, call->version, run->row.account);
    run->context.http.effect_ok = !run->asking;
    run->context.claims = call->claims;
    run->tell = call->decided;
    if (!run->asking && run->tell == NULL) {
        run->gate = call->services->gate;
        operation_mark(run->gate, &run->mark, run->row.id);
    }
    const struct manifest *m = call->version->manifest;
    struct call c = {.version = call->version,
                     .entry = run->entry,
                     .deadline_ms = m == NULL || m->timeout_ms <= USUAL_WAIT_MS
                                        ? 0
                                        : (uint32_t)m->timeout_ms + USUAL_WAIT_MS,
                     .data = run,
                     .push = push,
                     .take = take,
                     .done = finished};
    int err = script_call(call->runtime, &c, NULL);
    if (err != 0) run_free(run);
    return err;
}
