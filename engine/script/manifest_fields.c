/* The contracts: one table of fields per kind of script. Everything that says what a script may
 * declare comes from here. */
#include "script/manifest.h"

#define AT(member) offsetof(struct manifest, member)
#define MUST       .required = true
#define RULE(r)    (1u << (r))

#define FIELD_API                                                                         \
    {                                                                                     \
        "api", FIELD_INT, MUST, .offset = AT(api),                                        \
                                .doc = "number of the script interface it was written to" \
    }
#define ENTRY(n, d) \
    { n, FIELD_FUNCTION, .doc = d }
#define DOCS                                                                                     \
    {                                                                                            \
        "docs", FIELD_DOCUMENT, .offset = AT(docs),                                              \
                                .doc = "for people: keys, where from, how certain the facts are" \
    }
#define ENVIRONMENTS "simulated sandbox staging production"

static const struct manifest_field LIMITS[] = {
    {"min", FIELD_INT, .offset = AT(limits.min), .doc = "least amount, minor units"},
    {"max", FIELD_INT, .offset = AT(limits.max), .doc = "greatest amount, minor units"},
    {0}};
static const struct manifest_field EXPIRES[] = {
    {"default", FIELD_DURATION, .offset = AT(expires.default_ms), .doc = "when nothing is asked"},
    {"max", FIELD_DURATION, .offset = AT(expires.max_ms), .doc = "longest that may be asked"},
    {"grace", FIELD_DURATION, .offset = AT(expires.grace_ms),
     .doc = "how long after its end money may still come"},
    {0}};
#define WAIT_FIELDS(member)                                                              \
    {"first", FIELD_DURATION, MUST, .offset = AT(member.first_ms), .doc = "first wait"}, \
        {"factor", FIELD_FACTOR, .offset = AT(member.factor_milli),                      \
         .doc = "how much longer each time, 1 to 100"},                                  \
        {"max", FIELD_DURATION, .offset = AT(member.max_ms), .doc = "longest wait"}, {   \
        "jitter", FIELD_FACTOR, .offset = AT(member.jitter_milli),                       \
                                .doc = "part of the wait that is left to chance, 0 to 1" \
    }
/* without tries: what is open is asked about until its end is known */
static const struct manifest_field POLL[] = {WAIT_FIELDS(poll), {0}};
static const struct manifest_field BACKOFF[] = {
    WAIT_FIELDS(backoff),
    {"tries", FIELD_COUNT, .offset = AT(backoff.tries), .doc = "how often in all"},
    {0}};
static const struct manifest_field UNRESOLVED[] = {
    {"ask", FIELD_DURATION, MUST, .offset = AT(unresolved.ask_ms), .doc = "wait between questions"},
    {"tries", FIELD_INT, MUST, .offset = AT(unresolved.tries), .doc = "how many questions"},
    {"then_", FIELD_NAME, .offset = AT(unresolved.then), .doc = "operation to run after them"},
    {0}};

static const struct manifest_field CHANNEL[] = {
    FIELD_API,
    {"title", FIELD_TEXT, MUST, .offset = AT(title), .doc = "name that people see"},
    {"provider", FIELD_NAME, MUST, .offset = AT(provider), .doc = "whose interface it speaks"},
    {"method", FIELD_CHOICE, MUST,
     .choices = "virtual_account bank_transfer qris ewallet paylater card retail",
     .offset = AT(method), .doc = "way to pay"},
    {"bank", FIELD_NAME, .offset = AT(bank), .doc = "bank, wallet or outlet"},
    {"effect", FIELD_CHOICE, MUST, .choices = "offer charge", .offset = AT(effect),
     .doc = "offer: nobody can pay what nobody was shown; charge: a call moves money"},
    {"limits", FIELD_TABLE, .sub = LIMITS, .doc = "amounts it takes"},
    {"expires", FIELD_TABLE, .sub = EXPIRES, .doc = "how long it can be paid"},
    {"hosts", FIELD_PAIRS, .choices = ENVIRONMENTS, .offset = AT(hosts),
     .doc = "hosts it calls, per environment; a list where there are several"},
    {"config", FIELD_CONFIG, .offset = AT(config), .doc = "configuration keys; secret \"KEY\""},
    {"input", FIELD_INPUTS, .doc = "fields that the create request needs besides the usual ones"},
    {"poll", FIELD_TABLE, .sub = POLL, .doc = "when an open payment is asked about"},
    {"lookup", FIELD_CHOICE, .choices = "ours theirs", .offset = AT(lookup),
     .doc = "whose reference it can be asked by"},
    {"amounts", FIELD_CHOICE, .choices = "closed open", .offset = AT(amounts),
     .doc = "closed: only the amount due; open: short and over count"},
    {"timeout", FIELD_DURATION, .offset = AT(timeout_ms),
     .doc = "documented longest wait, if > 30s"},
    {"create", FIELD_FUNCTION, MUST, .doc = "starts the payment at the provider"},
    {"inquire", FIELD_FUNCTION_OR_NONE, MUST, .doc = "asks what became of an operation"},
    ENTRY("open_account", "gives out a number that stays and may be paid many times; only where no "
                          "host is called"),
    ENTRY("cancel", "ends an open payment at the provider"),
    ENTRY("capture", "takes authorised money"),
    ENTRY("refund", "gives money back"),
    ENTRY("reverse", "takes an unanswered charge back"),
    ENTRY("notify", "hears the provider's callback"),
    {"routes", FIELD_ROUTES, .offset = AT(routes), .doc = "exact paths where the bank calls us"},
    ENTRY("back", "the payer's browser returns"),
    ENTRY("report", "statement rows of a day"),
    ENTRY("on_trouble", "the reply if we fail after booking"),
    {"unresolved", FIELD_TABLE, .sub = UNRESOLVED, .doc = "what to do with a charge unanswered"},
    DOCS,
    {0}};

static const struct manifest_field RULES[] = {
    FIELD_API,
    {"kind", FIELD_CHOICE, MUST, .choices = "fee routing risk policy holidays", .offset = AT(rule),
     .doc = "what it decides"},
    {"title", FIELD_TEXT, .offset = AT(title), .doc = "name that people see"},
    {"priority", FIELD_INT, .offset = AT(priority),
     .doc = "the lowest that matches counts; left out: 100"},
    {"from", FIELD_DATE, .offset = AT(from), .doc = "first day in WIB"},
    {"to", FIELD_DATE, .offset = AT(to), .doc = "last day in WIB"},
    {"match", FIELD_PAIRS, .choices = "method provider channel bank merchant category",
     .offset = AT(match), .doc = "which payments it is for; all of them must agree"},
    {"facts", FIELD_TEXTS, .only = RULE(RULE_RISK), .offset = AT(facts),
     .doc = "what core counts for it"},
    {"on", FIELD_CHOICE, MUST, .only = RULE(RULE_POLICY), .choices = "late short over second",
     .offset = AT(on), .doc = "the money it decides about"},
    {"fee", FIELD_FUNCTION, MUST, .only = RULE(RULE_FEE), .doc = "p -> { bearer, lines }"},
    {"route", FIELD_FUNCTION, MUST, .only = RULE(RULE_ROUTING), .doc = "p -> list of channels"},
    {"judge", FIELD_FUNCTION, MUST, .only = RULE(RULE_RISK), .doc = "p -> allow, deny, review"},
    {"decide", FIELD_FUNCTION, MUST, .only = RULE(RULE_POLICY),
     .doc = "m -> \"accept\", \"refund\" or \"wait\""},
    {"days", FIELD_DATES, MUST, .only = RULE(RULE_HOLIDAYS), .offset = AT(days),
     .doc = "days that are no working days"},
    DOCS,
    {0}};

static const struct manifest_field BILLER[] = {
    FIELD_API,
    {"title", FIELD_TEXT, .offset = AT(title), .doc = "name that people see"},
    {"family", FIELD_TEXT, MUST, .offset = AT(family), .doc = "product family"},
    {"upstream", FIELD_NAME, MUST, .offset = AT(upstream), .doc = "whose interface it speaks"},
    {"limits", FIELD_TABLE, .sub = LIMITS, .doc = "amounts it takes"},
    {"hosts", FIELD_PAIRS, .choices = ENVIRONMENTS, .offset = AT(hosts), .doc = "hosts it calls"},
    {"config", FIELD_CONFIG, .offset = AT(config), .doc = "configuration keys; secret \"KEY\""},
    {"timeout", FIELD_DURATION, .offset = AT(timeout_ms),
     .doc = "documented longest wait, if > 30s"},
    ENTRY("inquiry", "asks what is owed"),
    {"pay", FIELD_FUNCTION, MUST, .doc = "pays; can move money"},
    {"advice", FIELD_FUNCTION_OR_NONE, MUST, .doc = "asks what became of a payment"},
    ENTRY("reverse", "takes an unanswered payment back"),
    ENTRY("notify", "hears the upstream's callback"),
    ENTRY("report", "statement rows of a day"),
    DOCS,
    {0}};

static const struct manifest_field SANDBOX[] = {
    FIELD_API,
    {"title", FIELD_TEXT, .offset = AT(title), .doc = "name that people see"},
    {"provider", FIELD_NAME, .offset = AT(provider), .doc = "left out: the file's name"},
    {"routes", FIELD_ROUTES, MUST, .offset = AT(routes), .doc = "the provider's documented paths"},
    {"config", FIELD_CONFIG, .offset = AT(config), .doc = "keys it checks signatures with"},
    ENTRY("pay", "somebody pays: books it and calls back"),
    ENTRY("page", "what a person sees at /sandbox/PROVIDER/"),
    ENTRY("control", "hears what it is told by _control"),
    DOCS,
    {0}};

static const struct manifest_field API_[] = {
    FIELD_API,
    {"title", FIELD_TEXT, .offset = AT(title), .doc = "heading in the reference"},
    {"routes", FIELD_ROUTES_AUTH, MUST, .offset = AT(routes),
     .doc = "\"GET /v1/things/:id\" = { auth = \"merchant\", run = function(req) }; cards = true "
            "lets card "
            "numbers in (a provider's callback), everywhere else they are refused; refused = "
            "function(req, why) answers in its own shape what the engine does not let in, or what "
            "failed: why.status, code, detail, param"},
    ENTRY("webhook",
          "letter -> body: what endpoints whose format bears this script's name are sent "
          "of an event (letter.type, data, merchant, key, endpoint, url); nil: nothing"),
    DOCS,
    {0}};

static const struct manifest_field JOB[] = {
    FIELD_API,
    {"title", FIELD_TEXT, .offset = AT(title), .doc = "name that people see"},
    {"every", FIELD_SCHEDULE, .offset = AT(every),
     .doc = "\"1d at 01:00\"; left out: when enqueued"},
    {"kind", FIELD_CHOICE, MUST, .choices = "repeatable once", .offset = AT(job),
     .doc = "once: never run again after a crash, `lost` runs instead"},
    {"backoff", FIELD_TABLE, .sub = BACKOFF, .doc = "waits between tries"},
    {"priority", FIELD_INT, .offset = AT(priority), .doc = "lower goes first"},
    {"timeout", FIELD_DURATION, .offset = AT(timeout_ms), .doc = "longest run"},
    {"run", FIELD_FUNCTION, MUST, .doc = "the work"},
    ENTRY("lost", "once: what to do when a crash cut it short"),
    DOCS,
    {0}};

static const struct manifest_field TOOL[] = {
    FIELD_API,
    {"about", FIELD_TEXT, MUST, .offset = AT(about), .doc = "one line for --help"},
    {"args", FIELD_ARGS, .offset = AT(args), .doc = "{ { \"file\", \"path\" } }"},
    {"run", FIELD_FUNCTION, MUST, .doc = "function(args, say)"},
    {0}};

static const struct manifest_field MIGRATION[] = {
    {"api", FIELD_INT, .offset = AT(api), .doc = "number of the script interface"},
    {"about", FIELD_TEXT, .offset = AT(about), .doc = "what it changes"},
    {"up", FIELD_FUNCTION, MUST, .doc = "function(db)"},
    {0}};

const struct manifest_field *manifest_fields(enum script_kind kind) {
    switch (kind) {
    case KIND_CHANNEL: return CHANNEL;
    case KIND_RULE: return RULES;
    case KIND_BILLER: return BILLER;
    case KIND_SANDBOX: return SANDBOX;
    case KIND_API:
    case KIND_PAGE: return API_;
    case KIND_JOB: return JOB;
    case KIND_TOOL: return TOOL;
    case KIND_MIGRATION: return MIGRATION;
    case KIND_QUERY:
    case KIND_TEST:
    case KIND_LIB: break;
    }
    return NULL;
}

const char *manifest_type_name(enum field_type type) {
    switch (type) {
    case FIELD_TEXT: return "a text";
    case FIELD_NAME: return "a name of a-z, 0-9 and _";
    case FIELD_INT: return "an integer";
    case FIELD_COUNT: return "a whole number from 1 on";
    case FIELD_CHOICE: return "one of";
    case FIELD_DURATION: return "a duration such as \"15m\"";
    case FIELD_SCHEDULE: return "a schedule such as \"5m\" or \"1d at 01:00\"";
    case FIELD_DATE: return "a day such as \"2026-01-31\"";
    case FIELD_FUNCTION: return "a function";
    case FIELD_FUNCTION_OR_NONE: return "a function, or none \"why\"";
    case FIELD_FACTOR: return "a number";
    case FIELD_TABLE: return "a table";
    case FIELD_TEXTS: return "a list of texts";
    case FIELD_DATES: return "a list of days";
    case FIELD_PAIRS: return "a table of texts";
    case FIELD_CONFIG: return "a table of configuration keys";
    case FIELD_ROUTES: return "a table of routes, [\"POST /path\"] = function";
    case FIELD_ROUTES_AUTH: return "a table of routes, [\"GET /path\"] = { auth =, run = }";
    case FIELD_ARGS: return "a list of arguments, { { \"file\", \"path\" } }";
    case FIELD_INPUTS:
        return "a table of fields, { phone = { type = \"string\", required = true } }";
    case FIELD_DOCUMENT: return "a table";
    }
    return "?";
}
