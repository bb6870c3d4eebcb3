/* rules: finds the rule that counts and runs it. See rules.h.
 *
 * One struct per question, on the heap, with the facts behind it; it goes after the callback. It
 * ends in `answer`, which a task calls when no rule had to run, so that it is never inside
 * rules_ask. */
#include "script/rules.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "script/bind_json.h"
#include "script/dispatch_private.h"
#include "script/rules_private.h"
#include "sys/log.h"

#include <stdio.h>

struct rule_run {
    struct call_context context; /* first: it is what bindings find; a rule has nothing in it */
    struct task task;
    struct rule_question question;
    struct version *version; /* that runs; of the set or question.trial */
    struct json_doc doc;     /* the facts */
    bool qris;
    const char *entry[2];
    struct rule_answer answer;
    rule_done_cb done;
    void *data;
    char facts[];
};

static const char *const FUNCTIONS[] = {
    [RULE_NONE] = "",      [RULE_FEE] = "fee",       [RULE_ROUTING] = "route",
    [RULE_RISK] = "judge", [RULE_POLICY] = "decide", [RULE_HOLIDAYS] = ""};

/* ---- which rule counts ---- */

static struct str fact(const struct rule_run *run, const char *name) {
    struct str value = {0};
    (void)json_get_str(run->doc.root, name, &value);
    return value;
}

/* All names must agree, of each one value; pairs of one name stand together or apart. */
static bool match_agrees(const struct rule_run *run, const struct manifest_pairs *match) {
    for (size_t i = 0; i < match->count; i++) {
        struct str value = fact(run, match->at[i].name);
        bool agrees = false;
        for (size_t k = 0; k < match->count && !agrees; k++)
            agrees = strcmp(match->at[k].name, match->at[i].name) == 0 && value.n != 0 &&
                     str_eq(value, str_of(match->at[k].value));
        if (!agrees) return false;
    }
    return true;
}

static bool counts(const struct rule_run *run, const struct version *v) {
    const struct manifest *m = v->manifest;
    if (v->kind != KIND_RULE || m == NULL || m->rule != (int)run->question.rule) return false;
    if (m->on != NULL && !str_eq(fact(run, "on"), str_of(m->on))) return false;
    struct str day = fact(run, "paid_on");
    if (m->from != NULL && str_cmp(day, str_of(m->from)) < 0) return false;
    if (m->to != NULL && str_cmp(day, str_of(m->to)) > 0) return false;
    return match_agrees(run, &m->match);
}

static bool before(const struct version *a, const struct version *b) {
    int64_t left = a->manifest->priority, right = b->manifest->priority;
    return left != right ? left < right : strcmp(a->path, b->path) < 0;
}

/* The first that counts and comes after `after` (NULL: the very first) by priority, then path. */
static struct version *next_rule(const struct rule_run *run, const struct version *after) {
    const struct script_set *set = run->question.set;
    struct version *trial = run->question.trial, *best = NULL;
    if (trial != NULL && counts(run, trial) && (after == NULL || before(after, trial)))
        best = trial;
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        const struct script_entry *e = &set->entries[i];
        if (e->deleted || !counts(run, e->version)) continue;
        if (trial != NULL && strcmp(trial->path, e->version->path) == 0) continue;
        if (after != NULL && !before(after, e->version)) continue;
        if (best == NULL || before(e->version, best)) best = e->version;
    }
    return best;
}

/* ---- running it ---- */

static void run_free(struct rule_run *run) {
    json_doc_free(&run->doc);
    if (run->question.set != NULL) script_set_drop(run->question.set);
    version_drop(run->question.trial);
    mem_free(run);
}

static void answer(struct rule_run *run) {
    run->done(&run->answer, run->data);
    run_free(run);
}

static void answer_later(struct task *task) {
    answer(CONTAINER_OF(task, struct rule_run, task));
}

/* What the kind's answer is while nobody decided: zero is no fee, no channels, allow and wait. */
static void make_safe(struct rule_run *run) {
    enum manifest_rule rule = run->question.rule;
    run->answer = (struct rule_answer){.rule = rule};
    if (run->version == NULL) return;
    run->answer.path = run->version->path;
    run->answer.version = run->version->id;
}

static void failed(struct rule_run *run, int err, const char *text) {
    make_safe(run);
    run->answer.err = err;
    snprintf(run->answer.text, sizeof run->answer.text, "%s", text);
    if (run->version == run->question.trial) return; /* who tries it is told */
    log_error("rule_failed", L_TEXT("script", run->version->path),
              L_TEXT("version", run->version->id), L_TEXT("error", text));
}

static int push(lua_State *L, void *data) {
    const struct rule_run *run = data;
    if (json_decode_push(L, run->question.facts) != 1)
        return luaL_error(L, "%s", lua_tostring(L, -2));
    return 1;
}

static int take(lua_State *L, int n, void *data) {
    struct rule_run *run = data;
    make_safe(run);
    if (n == 0) lua_pushnil(L);
    rule_read(L, lua_gettop(L) - (n == 0 ? 0 : n - 1), run->qris, &run->answer);
    return 0;
}

static int start(struct rule_run *run);

static void finished(const struct call_result *result, void *data) {
    struct rule_run *run = data;
    dispatch_count(run->version, result);
    if (result->outcome != CALL_RETURNED) {
        int err = result->outcome == CALL_RAISED   ? E_SCRIPT
                  : result->outcome == CALL_BUDGET ? E_BUDGET
                                                   : E_CANCELLED;
        failed(run, err, result->text == NULL ? "cancelled" : result->text);
    } else if (run->question.rule == RULE_RISK && run->answer.risk.verdict == VERDICT_ALLOW) {
        struct version *next = next_rule(run, run->version);
        if (next != NULL) {
            run->version = next;
            int err = start(run);
            if (err == 0) return;
            failed(run, err, err_text(err));
        }
    }
    answer(run);
}

static int start(struct rule_run *run) {
    run->context.version = run->version;
    struct call call = {.version = run->version,
                        .entry = run->entry,
                        .data = run,
                        .push = push,
                        .take = take,
                        .done = finished};
    return script_call(run->question.runtime, &call, NULL);
}

int rules_ask(const struct rule_question *q, rule_done_cb done, void *data) {
    ENSURE(FUNCTIONS[q->rule][0] != '\0');
    if (q->facts.n > RULE_INPUT_MAX) return E_LIMIT;
    struct rule_run *run = mem_zalloc(sizeof *run + q->facts.n + 1);
    if (run == NULL) return E_NOMEM;
    memcpy(run->facts, q->facts.p, q->facts.n);
    run->question = *q;
    run->question.facts.p = run->facts;
    if (q->set != NULL) script_set_keep(q->set);
    if (q->trial != NULL) version_keep(q->trial);
    run->done = done;
    run->data = data;
    run->entry[0] = FUNCTIONS[q->rule];
    int err = json_parse(&run->doc, run->question.facts, NULL, NULL);
    if (err == 0 && run->doc.root->type != JT_OBJECT) err = E_INVAL;
    if (err == 0) {
        run->qris = str_eq(fact(run, "method"), STR("qris"));
        run->version = next_rule(run, NULL);
        make_safe(run);
        if (run->version != NULL) {
            err = start(run);
        } else {
            run->task.run = answer_later;
            loop_post(runtime_loop(q->runtime), &run->task);
        }
    }
    if (err != 0) run_free(run);
    return err;
}

/* ---- what rules declare besides ---- */

void rules_facts(const struct script_set *set, void (*each)(const char *fact, void *data),
                 void *data) {
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        const struct script_entry *e = &set->entries[i];
        const struct manifest *m = e->version->manifest;
        if (e->deleted || e->version->kind != KIND_RULE || m == NULL) continue;
        for (size_t k = 0; k < m->facts.count; k++)
            each(m->facts.at[k], data);
    }
}

bool rules_holiday(const struct script_set *set, struct str day) {
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        const struct script_entry *e = &set->entries[i];
        const struct manifest *m = e->version->manifest;
        if (e->deleted || e->version->kind != KIND_RULE || m == NULL || m->rule != RULE_HOLIDAYS)
            continue;
        for (size_t k = 0; k < m->days.count; k++)
            if (str_eq(str_of(m->days.at[k]), day)) return true;
    }
    return false;
}
