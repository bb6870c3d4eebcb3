/* Rules: pure scripts under rules/ that say what a payment costs (fee), where it goes (routing),
 * whether it may (risk) and what becomes of money that does not fit (policy).
 *
 * Which rule counts: of those of the kind (and of the money's kind, for policy) whose `match`
 * agrees with the facts and whose days hold paid_on (WIB), the one of the lowest priority, then the
 * first file. Every name in `match` must agree with the fact of that name; of several values one is
 * enough; a fact that is not there agrees with nothing. Risk rules are asked one after the other in
 * that order until one does not allow: each watches something else, and that one of them has
 * nothing to say must not silence the others.
 *
 * The answer is always one that is safe to follow, whatever the rule did: no fee, no channels named
 * (file order), allow, wait. With `err` set nobody decided that: a caller who must not go on without
 * a decision (fee and risk at create) looks at it first. */
#ifndef LUWAK_SCRIPT_RULES_H
#define LUWAK_SCRIPT_RULES_H

#include "net/problem.h"
#include "script/context.h"
#include "script/manifest.h"
#include "script/runtime.h"
#include "script/script_set.h"

enum {
    RULE_LINES_MAX = 8,
    RULE_LINE_NAME_SIZE = 33,
    RULE_CHANNELS_MAX = 64,
    RULE_CHANNEL_SIZE = 65,
    RULE_REASON_SIZE = 201,
    RULE_INPUT_MAX = 64 * 1024
};

enum rule_bearer { BEARER_MERCHANT, BEARER_CUSTOMER };
enum rule_verdict { VERDICT_ALLOW, VERDICT_DENY, VERDICT_REVIEW };
enum rule_action { ACTION_WAIT, ACTION_ACCEPT, ACTION_REFUND };

struct rule_line {
    char name[RULE_LINE_NAME_SIZE]; /* "mdr" */
    int64_t amount;                 /* >= 0 */
};
struct rule_fee {
    enum rule_bearer bearer;
    struct rule_line lines[RULE_LINES_MAX];
    size_t count;
    int64_t total;
};
struct rule_route {
    char channels[RULE_CHANNELS_MAX][RULE_CHANNEL_SIZE];
    size_t count;
    uint64_t on; /* bits 1 << enum problem_code: the categories after which the next one is tried */
};

struct rule_answer {
    enum manifest_rule rule;
    int err;             /* 0; E_SCRIPT, E_BUDGET, E_CANCELLED, E_NOMEM ... */
    char text[WHY_MAX];  /* of the error: for the log, never for outside */
    const char *path;    /* of the rule that answered or failed; NULL: none matched */
    const char *version; /* its id */
    union {
        struct rule_fee fee;
        struct rule_route route;
        struct {
            enum rule_verdict verdict;
            char reason[RULE_REASON_SIZE];
        } risk;
        enum rule_action action;
    };
};

/* The answer lives as long as the callback. Never called inside rules_ask. */
typedef void (*rule_done_cb)(const struct rule_answer *answer, void *data);

struct rule_question {
    enum manifest_rule rule;
    struct runtime *runtime;
    struct script_set *set; /* kept meanwhile */
    struct version *trial;  /* a rule that is asked as if it lay in the set, in place of the file of
                               its path (backtest); without a set it is alone; or NULL */
    struct str facts;       /* what the function is given, a JSON object; copied. Of it `match`
                               reads method, provider, channel, bank, merchant and category, the days
                               paid_on ("2026-01-31"), policy `on` */
};
int rules_ask(const struct rule_question *question, rule_done_cb done, void *data);

/* Calls `each` for every fact that a risk rule of the set wants counted; a name may come twice. */
void rules_facts(const struct script_set *set, void (*each)(const char *fact, void *data),
                 void *data);

/* Is this day (YYYY-MM-DD) one of a holidays rule? */
bool rules_holiday(const struct script_set *set, struct str day);

#endif
