#include "core/operation.h"

#include "core/jobs.h"

#include <stdio.h>

#define ENDS                                                                  \
    (TO(OPERATION_SUCCESS) | TO(OPERATION_FAILED) | TO(OPERATION_CANCELLED) | \
     TO(OPERATION_SUPERSEDED))
#define WAITS (TO(OPERATION_PENDING) | TO(OPERATION_PROCESSING) | TO(OPERATION_UNKNOWN))
#define LAPSE TO(OPERATION_EXPIRED)
#define AFTER TO(OPERATION_SUCCESS) /* the provider changed its mind */

const struct state OPERATION_STATES[OPERATION_STATES_] = {
    [OPERATION_SENDING] = {"sending", WAITS | ENDS | LAPSE},
    [OPERATION_PENDING] = {"pending", WAITS | ENDS | LAPSE},
    [OPERATION_PROCESSING] = {"processing", WAITS | ENDS | LAPSE},
    [OPERATION_UNKNOWN] = {"unknown", WAITS | ENDS}, /* never expires, is never sent again */
    [OPERATION_SUCCESS] = {"success", 0},
    [OPERATION_FAILED] = {"failed", AFTER},
    [OPERATION_CANCELLED] = {"cancelled", AFTER},
    [OPERATION_EXPIRED] = {"expired", AFTER},
    [OPERATION_SUPERSEDED] = {"superseded", AFTER},
};

bool operation_open(enum operation_state state) {
    return ((TO(OPERATION_SENDING) | WAITS) & TO(state)) != 0;
}

void operation_add_start(struct commit *commit, struct operation_new *op, const struct clock *clock,
                         struct rng *rng) {
    id_make(op->id, "op_", clock, rng);
    int64_t now = clock_now_ms(clock);
    commit_add(commit, OP_OPERATION_INSERT,
               VALS(V_TEXT(op->id), V_STR(op->kind), V_STR(op->script), V_STR(op->version),
                    V_STR(op->account), V_STR(op->reference),
                    V_TEXT(OPERATION_STATES[OPERATION_SENDING].name), V_BLOB(op->doc), V_INT(now)));
    operation_add_ask(commit, str_of(op->id), op->ask_at, op->ask_backoff, clock, rng);
}

/* told 0: nobody has told of it. */
static void add_ask(struct commit *commit, const char *word, struct str id, int64_t told,
                    int64_t ask_at, struct str backoff, const struct clock *clock,
                    struct rng *rng) {
    char args[ID_SIZE + 48], unique[ID_SIZE + 8];
    int n = snprintf(args, sizeof args, "{\"id\":\"%.*s\"", STR_FMT(id));
    snprintf(args + n, sizeof args - (size_t)n, told == 0 ? "}" : ",\"told\":%lld}",
             (long long)told);
    snprintf(unique, sizeof unique, "%s %.*s", word, STR_FMT(id));
    job_enqueue(commit,
                &(struct job_new){.name = STR(OPERATION_ASK_JOB),
                                  .args = str_of(args),
                                  .due_at = ask_at,
                                  .backoff = backoff,
                                  .unique = str_of(unique)},
                clock, rng);
}

void operation_add_ask(struct commit *commit, struct str id, int64_t ask_at, struct str backoff,
                       const struct clock *clock, struct rng *rng) {
    add_ask(commit, "ask", id, 0, ask_at, backoff, clock, rng);
}

static void hurry(struct commit *commit, const char *word, struct str id, int64_t since,
                  bool urgent, int64_t now) {
    char unique[ID_SIZE + 8];
    snprintf(unique, sizeof unique, "%s %.*s", word, STR_FMT(id));
    commit_add(commit, OP_JOB_HURRY, VALS(V_TEXT(unique), V_INT(since), V_INT(urgent), V_INT(now)));
}

void operation_add_ask_now(struct commit *commit, struct str id, int64_t since,
                           const struct clock *clock, struct rng *rng) {
    int64_t now = clock_now_ms(clock);
    hurry(commit, "ask", id, since, false, now);
    add_ask(commit, "ask", id, 0, now, ASK_BACKOFF, clock, rng);
}

void operation_add_ask_told(struct commit *commit, struct str id, enum operation_state state,
                            const struct clock *clock, struct rng *rng) {
    bool waits = operation_open(state) || state == OPERATION_SUPERSEDED;
    const char *word = waits ? "ask" : "told"; /* one that waits is not asked about twice at once */
    int64_t now = clock_now_ms(clock);
    hurry(commit, word, id, now + 1, true, now);
    add_ask(commit, word, id, now, now, ASK_BACKOFF, clock, rng);
}

static void add_move(struct commit *commit, struct str id, int64_t generation,
                     enum operation_state from, enum operation_state to, struct str doc,
                     const struct clock *clock) {
    commit_add(commit, OP_OPERATION_MOVE,
               VALS(V_STR(id), V_INT(generation), V_TEXT(OPERATION_STATES[from].name),
                    V_TEXT(OPERATION_STATES[to].name), V_BLOB(doc), V_INT(clock_now_ms(clock))));
}

int operation_add_move(struct commit *commit, struct str id, int64_t generation,
                       enum operation_state from, enum operation_state to, struct str doc,
                       const struct clock *clock) {
    if (!states_may(OPERATION_STATES, from, to)) return E_STATE;
    add_move(commit, id, generation, from, to, doc, clock);
    return 0;
}

void operation_add_doc(struct commit *commit, struct str id, int64_t generation,
                       enum operation_state state, struct str doc, const struct clock *clock) {
    add_move(commit, id, generation, state, state, doc, clock);
}
