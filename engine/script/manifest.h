/* What a script declares: the table it returns, held against the contract of its kind.
 *
 * Each kind has one table of fields (manifest_fields.c): name, type, required or not, what it is
 * for. From that one table come the check, the C struct below, the reference and the template. A
 * finding names file, line, field, what was expected and what was found; an unknown field is
 * refused with the nearest known name.
 *
 * A manifest owns all its texts, is immutable after manifest_load, and dies with its version. It
 * holds no Lua value: functions are known by name and reached through script_call's entry path. */
#ifndef LUWAK_SCRIPT_MANIFEST_H
#define LUWAK_SCRIPT_MANIFEST_H

#include "base/backoff.h"
#include "base/schedule.h"
#include "script/version.h"

enum manifest_rule { RULE_NONE, RULE_FEE, RULE_ROUTING, RULE_RISK, RULE_POLICY, RULE_HOLIDAYS };
enum manifest_effect { EFFECT_NONE, EFFECT_OFFER, EFFECT_CHARGE };
enum manifest_lookup { LOOKUP_NONE, LOOKUP_OURS, LOOKUP_THEIRS };
enum manifest_amounts { AMOUNTS_CLOSED, AMOUNTS_OPEN };
enum manifest_job { JOB_REPEATABLE, JOB_ONCE };
/* AUTH_SIMULATED: anyone, and only in simulated mode; elsewhere there is nothing at the path. */
enum manifest_auth { AUTH_NONE, AUTH_MERCHANT, AUTH_SESSION, AUTH_ADMIN, AUTH_SIMULATED };

struct manifest_pair { /* hosts: environment -> host; match: field -> value; none: entry -> why */
    const char *name;
    const char *value;
};
struct manifest_pairs {
    struct manifest_pair *at;
    size_t count;
};
struct manifest_texts {
    const char **at;
    size_t count;
};
struct manifest_config {
    const char *name; /* as the script knows it: ctx.config.NAME */
    const char *key;  /* as the operator sets it: "BNI_SECRET_KEY" */
    bool secret;
};
struct manifest_configs {
    struct manifest_config *at;
    size_t count;
};
struct manifest_route {
    const char *key; /* as written, the entry path is {"routes", key} (+ "run" where has_run) */
    const char *method;
    const char *path;  /* "/v1/payments/:id" */
    const char *about; /* one line, for its reference; NULL: none */
    enum manifest_auth auth;
    int64_t timeout_ms; /* 0: the kind's */
    bool has_run;
    bool has_refused; /* `refused` says in its own shape what is not let in, or failed */
    bool cards;       /* card numbers may come in: a provider's callback. Whoever keeps it masks. */
};
struct manifest_routes {
    struct manifest_route *at;
    size_t count;
};
struct manifest_arg { /* of a tool */
    const char *name;
    const char *type; /* path text int amount date flag */
    const char *doc;
    const char *fallback; /* value when left out; NULL: required (flag: false) */
};
struct manifest_args {
    struct manifest_arg *at;
    size_t count;
};

enum manifest_input_type { INPUT_STRING, INPUT_INTEGER, INPUT_BOOLEAN, INPUT_OBJECT, INPUT_LIST };
struct manifest_input { /* a field that a channel takes in a create request */
    const char *name;
    enum manifest_input_type type;
    bool required;
    const char *doc; /* for whoever left it out; NULL: none */
};
struct manifest_inputs {
    struct manifest_input *at;
    size_t count;
};

struct manifest {
    enum script_kind kind;
    int64_t api;
    const char *title, *about;
    const char *provider, *method, *bank; /* channel; provider: simulator too */
    const char *family, *upstream;        /* biller */
    const char *on;                       /* policy: "late" */
    int rule, effect, lookup, amounts, job;
    struct {
        int64_t min, max;
    } limits; /* minor units; max 0: none */
    struct {
        int64_t default_ms, max_ms, grace_ms;
    } expires;
    struct {
        int64_t ask_ms, tries;
        const char *then;
    } unresolved;
    struct backoff poll;    /* channel; first_ms 0: not declared */
    struct backoff backoff; /* job */
    struct schedule every;  /* job; period_ms 0: only when enqueued */
    int64_t timeout_ms, priority;
    const char *from, *to; /* rule: YYYY-MM-DD in WIB, both inclusive, NULL: open */
    struct manifest_pairs match, hosts, none;
    struct manifest_texts facts, days;
    struct manifest_configs config;
    struct manifest_routes routes;
    struct manifest_args args;
    struct manifest_inputs inputs;
    struct manifest_texts functions; /* entry functions that are there: "create" */
    const char *docs;                /* a JSON document, or NULL */
    struct manifest_memory *memory;
    bool nomem;
};

/* Whose state, keys, hosts and grants a caged script has: its provider; a biller's upstream; for a
 * simulator that names none, its file's name. NULL: nobody's (trusted scripts, rules). */
const char *manifest_owner(const struct version *v);
bool manifest_has(const struct manifest *m, const char *function);
const char *manifest_pair(const struct manifest_pairs *pairs, const char *name); /* NULL: none */
void manifest_delete(struct manifest *m);

/* ---- the contract itself ---- */

enum field_type {
    FIELD_TEXT,
    FIELD_NAME, /* a-z 0-9 _ */
    FIELD_INT,
    FIELD_COUNT,  /* an int, 1 or more */
    FIELD_CHOICE, /* one word of `choices`, stored as its number (1 = first) */
    FIELD_DURATION,
    FIELD_SCHEDULE,
    FIELD_DATE,
    FIELD_FUNCTION,
    FIELD_FUNCTION_OR_NONE, /* or none "why" */
    FIELD_FACTOR,           /* number -> thousandths */
    FIELD_TABLE,            /* of `sub` fields */
    FIELD_TEXTS,            /* list of texts */
    FIELD_DATES,
    FIELD_PAIRS, /* names of `choices` to texts */
    FIELD_CONFIG,
    FIELD_ROUTES,      /* "GET /path" -> function */
    FIELD_ROUTES_AUTH, /* "GET /path" -> { auth =, run = } */
    FIELD_ARGS,
    FIELD_INPUTS,  /* name -> { type =, required =, doc = } */
    FIELD_DOCUMENT /* any plain table, kept as JSON */
};

struct manifest_field {
    const char *name; /* NULL ends a table */
    enum field_type type;
    bool required;
    unsigned only; /* rules: bits 1 << enum manifest_rule it belongs to; 0: all */
    const char *choices;
    const struct manifest_field *sub;
    size_t offset; /* in struct manifest */
    const char *doc;
};

/* The fields of a kind; NULL for kinds without a contract (lib, test). */
const struct manifest_field *manifest_fields(enum script_kind kind);
const char *manifest_type_name(enum field_type type);           /* "a duration, such as \"15m\"" */
const char *manifest_input_name(enum manifest_input_type type); /* "a string" */

/* ---- reading ---- */

/* Each finding: line in the script (0 unknown) and text. */
typedef void (*manifest_problem_cb)(void *data, int line, const char *text);

/* Runs the version aside (script_load_aside) and reads its table into v->manifest. The first
 * problem is in `why`; `problem` (NULL allowed) hears all of them. */
int manifest_load(struct version *v, manifest_problem_cb problem, void *data, struct why *why);

/* The same; what the table holds is appended to `outline` in a form that manifest_of_outline reads.
 * Nothing is appended where the table has what cannot be told so, or memory is short. */
int manifest_load_outlined(struct version *v, struct buf *outline, struct why *why);

/* Fills v->manifest without running the script: the reader that manifest_load has, and all its
 * checks, over a table made of the outline in L, which may be any state. E_NOMEM, or E_CORRUPT: the
 * script has to be loaded. */
int manifest_of_outline(struct version *v, lua_State *L, struct str outline);

/* For manifest*.c: what is being read and where problems go. */
struct manifest_reader {
    lua_State *L;
    struct manifest *m;
    const struct version *v;
    manifest_problem_cb problem;
    void *data;
    struct why *why;
    struct buf *outline; /* NULL: nobody wants it */
    int problems;
};
int manifest_look(lua_State *L, void *reader);        /* at the table, at index 1; may raise */
void manifest_outline(lua_State *L, struct buf *out); /* of the table at index 1; may raise */
void manifest_problem(struct manifest_reader *r, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void *manifest_grow(struct manifest *m, void *at, size_t count, size_t size);
const char *manifest_text(struct manifest *m, struct str text);
void manifest_found(struct manifest_reader *r, const char *field, const char *expected, int index);
bool manifest_date_valid(struct str text);
bool manifest_text_at(lua_State *L, int index, struct str *out); /* not empty, without NUL */
bool manifest_in_words(const char *words, struct str word);      /* "a b c" */

/* The fields that are tables of their own: the table is at `index`. */
void manifest_read_part(struct manifest_reader *r, const struct manifest_field *f, int index,
                        void *out);
void manifest_read_routes(struct manifest_reader *r, const struct manifest_field *f, int index);

#endif
