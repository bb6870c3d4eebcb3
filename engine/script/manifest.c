/* manifest: reads the table a script returned, field by field, by the contract of its kind.
 *
 * All of it runs inside script_load_aside's protected call, so Lua may raise (memory) at any push:
 * everything of ours hangs on the manifest, which hangs on the version, from the moment it exists.
 * Only raw access is used: no metamethod of the script runs here. */
#include "script/manifest.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "payment/payment_facts.h"
#include "script/runtime.h"

#include <stdio.h>

enum {
    RULE_PRIORITY = 100,          /* of a rule that names none */
    CALL_WAIT_MAX_MS = 90 * 1000, /* of a channel: after 2 minutes it is asked about */
};

struct manifest_memory {
    struct manifest_memory *next;
    max_align_t data[];
};

static void *own(struct manifest *m, size_t size) {
    struct manifest_memory *block = mem_zalloc(sizeof *block + size);
    if (block == NULL) {
        m->nomem = true;
        return NULL;
    }
    block->next = m->memory;
    m->memory = block;
    return block->data;
}

const char *manifest_text(struct manifest *m, struct str text) {
    char *copy = own(m, text.n + 1);
    if (copy != NULL && text.n != 0) memcpy(copy, text.p, text.n);
    return copy;
}

/* A copy of an array with room for one more; the old one stays owned until the end. Arrays here
 * are short, and grow only at powers of two. */
void *manifest_grow(struct manifest *m, void *at, size_t count, size_t size) {
    if (count != 0 && (count & (count - 1)) != 0) return at;
    void *bigger = own(m, (count == 0 ? 1 : count * 2) * size);
    if (bigger != NULL && count != 0) memcpy(bigger, at, count * size);
    return bigger;
}

void manifest_delete(struct manifest *m) {
    if (m == NULL) return;
    while (m->memory != NULL) {
        struct manifest_memory *next = m->memory->next;
        mem_free(m->memory);
        m->memory = next;
    }
    mem_free(m);
}

static bool texts_have(const struct manifest_texts *texts, const char *text) {
    for (size_t i = 0; i < texts->count; i++)
        if (strcmp(texts->at[i], text) == 0) return true;
    return false;
}

static void texts_add(struct manifest *m, struct manifest_texts *texts, const char *text) {
    const char **at = manifest_grow(m, texts->at, texts->count, sizeof *at);
    if (at == NULL || text == NULL) return;
    texts->at = at;
    at[texts->count++] = text;
}

const char *manifest_owner(const struct version *v) {
    const struct manifest *m = v->manifest;
    if (m == NULL || (v->kind & (KIND_CHANNEL | KIND_BILLER | KIND_SANDBOX)) == 0) return NULL;
    if (v->kind == KIND_BILLER) return m->upstream;
    return m->provider == NULL && v->kind == KIND_SANDBOX ? v->name : m->provider;
}

bool manifest_has(const struct manifest *m, const char *function) {
    return m != NULL && texts_have(&m->functions, function);
}

const char *manifest_pair(const struct manifest_pairs *pairs, const char *name) {
    for (size_t i = 0; i < pairs->count; i++)
        if (strcmp(pairs->at[i].name, name) == 0) return pairs->at[i].value;
    return NULL;
}

/* ---- problems ---- */

static bool word_char(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The line where the field (its last name) is set: `name =` or the text of a ["key"]. A table has
 * no lines, so this reads the text; 1 where it finds none. */
static int line_of(struct str text, const char *field) {
    const char *dot = strrchr(field, '.');
    struct str name = str_of(dot == NULL || strchr(field, '"') != NULL ? field : dot + 1);
    int line = 1;
    for (size_t i = 0; i + name.n <= text.n && name.n != 0; i++) {
        if (text.p[i] == '\n') line++;
        if (memcmp(text.p + i, name.p, name.n) != 0) continue;
        if (name.p[0] == '"') return line;
        if (i > 0 && (word_char(text.p[i - 1]) || text.p[i - 1] == '.')) continue;
        struct str rest = str_trim(str_sub(text, i + name.n, text.n));
        if (rest.n > 1 && rest.p[0] == '=' && rest.p[1] != '=') return line;
    }
    return 1;
}

void manifest_problem(struct manifest_reader *r, const char *field, const char *format, ...) {
    char text[WHY_MAX];
    va_list args;
    va_start(args, format);
    int n = field == NULL ? 0 : snprintf(text, sizeof text, "%s: ", field);
    if (n < 0 || n >= (int)sizeof text) n = 0;
    vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    int line = field == NULL ? 1 : line_of(r->v->parts[0].text, field);
    if (r->problems++ == 0) why_set(r->why, E_SCRIPT, "%s:%d: %s", r->v->path, line, text);
    if (r->problem != NULL) r->problem(r->data, line, text);
}

void manifest_found(struct manifest_reader *r, const char *field, const char *expected, int index) {
    lua_State *L = r->L;
    if (lua_type(L, index) == LUA_TSTRING) {
        size_t n = 0;
        const char *text = lua_tolstring(L, index, &n);
        manifest_problem(r, field, "expected %s, found \"%.*s\"", expected, n > 60 ? 60 : (int)n,
                         text);
    } else if (lua_isinteger(L, index)) {
        manifest_problem(r, field, "expected %s, found %lld", expected,
                         (long long)lua_tointeger(L, index));
    } else {
        manifest_problem(r, field, "expected %s, found %s", expected, luaL_typename(L, index));
    }
}

/* ---- single fields ---- */

bool manifest_text_at(lua_State *L, int index, struct str *out) {
    if (lua_type(L, index) != LUA_TSTRING) return false;
    out->p = lua_tolstring(L, index, &out->n);
    return out->n != 0 && memchr(out->p, '\0', out->n) == NULL;
}

static bool name_valid(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] == '_' || (s.p[i] >= 'a' && s.p[i] <= 'z') ||
              (s.p[i] >= '0' && s.p[i] <= '9')))
            return false;
    return s.n <= 64;
}

bool manifest_date_valid(struct str t) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (t.n != 10 || t.p[4] != '-' || t.p[7] != '-') return false;
    int n[3] = {0};
    for (int i = 0; i < 10; i++) {
        if (i == 4 || i == 7) continue;
        if (t.p[i] < '0' || t.p[i] > '9') return false;
        int *part = &n[i < 4 ? 0 : i < 7 ? 1 : 2];
        *part = *part * 10 + (t.p[i] - '0');
    }
    if (n[0] < 1970 || n[1] < 1 || n[1] > 12 || n[2] < 1) return false;
    bool leap = n[0] % 4 == 0 && (n[0] % 100 != 0 || n[0] % 400 == 0);
    return n[2] <= days[n[1] - 1] + (n[1] == 2 && leap);
}

/* Sets *number to the place of the word, from 1; a near miss is named. */
static void read_choice(struct manifest_reader *r, const struct manifest_field *f,
                        const char *field, int index, struct str *word, int *number) {
    struct str rest = str_of(f->choices), one;
    char list[160] = "";
    struct nearest near;
    bool text = manifest_text_at(r->L, index, word);
    nearest_init(&near, text ? *word : STR(""));
    for (int i = 1; rest.n != 0; i++) {
        str_cut(rest, ' ', &one, &rest);
        if (text && str_eq(one, *word)) {
            *number = i;
            return;
        }
        nearest_try(&near, one);
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s\"%.*s\"",
                 i == 1        ? ""
                 : rest.n == 0 ? " or "
                               : ", ",
                 STR_FMT(one));
    }
    char expected[240];
    if (near.best.n != 0)
        snprintf(expected, sizeof expected, "%s (did you mean \"%.*s\"?)", list,
                 STR_FMT(near.best));
    else
        snprintf(expected, sizeof expected, "%s", list);
    manifest_found(r, field, expected, index);
}

static void read_number(struct manifest_reader *r, const struct manifest_field *f,
                        const char *field, int index, void *out) {
    lua_State *L = r->L;
    if (f->type == FIELD_FACTOR) {
        lua_Number n = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : -1;
        if (n >= 0 && n <= 1000)
            *(int *)out = (int)(n * 1000 + 0.5);
        else
            manifest_found(r, field, manifest_type_name(f->type), index);
        return;
    }
    lua_Integer n = lua_isinteger(L, index) ? lua_tointeger(L, index) : -1;
    if (n < 0 || (f->type == FIELD_COUNT && (n < 1 || n > BACKOFF_TRIES_MAX)))
        manifest_found(r, field, manifest_type_name(f->type), index);
    else if (f->type == FIELD_COUNT)
        *(int *)out = (int)n;
    else
        *(int64_t *)out = n;
}

static void read_time(struct manifest_reader *r, const struct manifest_field *f, const char *field,
                      struct str text, void *out) {
    struct why why = {0};
    int err = f->type == FIELD_DURATION ? duration_parse(text, out, &why)
                                        : schedule_parse(text, out, &why);
    if (err != 0) manifest_problem(r, field, "%s", why.text);
}

static void read_list(struct manifest_reader *r, const struct manifest_field *f, const char *field,
                      int index, struct manifest_texts *out) {
    lua_State *L = r->L;
    lua_Integer n = lua_istable(L, index) ? (lua_Integer)lua_rawlen(L, index) : -1;
    if (n < 0) manifest_found(r, field, manifest_type_name(f->type), index);
    for (lua_Integer i = 1; i <= n; i++) {
        struct str text;
        lua_rawgeti(L, index, i);
        if (!manifest_text_at(L, -1, &text) ||
            (f->type == FIELD_DATES && !manifest_date_valid(text)))
            manifest_found(r, field,
                           f->type == FIELD_DATES ? manifest_type_name(FIELD_DATE) : "a text",
                           lua_gettop(L));
        else
            texts_add(r->m, out, manifest_text(r->m, text));
        lua_pop(L, 1);
    }
}

/* A function, or what `none "why"` returns: a table of that tag. */
static void read_function(struct manifest_reader *r, const struct manifest_field *f,
                          const char *field, int index) {
    lua_State *L = r->L;
    struct str reason;
    if (lua_isfunction(L, index)) {
        texts_add(r->m, &r->m->functions, f->name);
        return;
    }
    const char *tag = script_tag(L, index);
    if (f->type == FIELD_FUNCTION_OR_NONE && tag != NULL && strcmp(tag, "none") == 0) {
        lua_pushliteral(L, "none");
        lua_rawget(L, index);
        bool has = manifest_text_at(L, -1, &reason);
        struct manifest_pairs *none = &r->m->none;
        struct manifest_pair *at =
            has ? manifest_grow(r->m, none->at, none->count, sizeof *at) : NULL;
        if (at != NULL) {
            none->at = at;
            at[none->count++] = (struct manifest_pair){f->name, manifest_text(r->m, reason)};
        }
        lua_pop(L, 1);
        if (has) return;
    }
    manifest_found(r, field, manifest_type_name(f->type), index);
}

static void read_fields(struct manifest_reader *r, const struct manifest_field *fields,
                        const char *prefix, int index);

static void read_field(struct manifest_reader *r, const struct manifest_field *f, const char *field,
                       int index) {
    void *out = (char *)r->m + f->offset;
    struct str text = {0};
    int number = 0;
    bool is_text = manifest_text_at(r->L, index, &text);
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_NAME:
    case FIELD_DATE:
        if (is_text && (f->type != FIELD_NAME || name_valid(text)) &&
            (f->type != FIELD_DATE || manifest_date_valid(text)))
            *(const char **)out = manifest_text(r->m, text);
        else
            manifest_found(r, field, manifest_type_name(f->type), index);
        break;
    case FIELD_INT:
    case FIELD_COUNT:
    case FIELD_FACTOR: read_number(r, f, field, index, out); break;
    case FIELD_CHOICE:
        read_choice(r, f, field, index, &text, &number);
        if (number == 0) break;
        if (f->offset == offsetof(struct manifest, method) ||
            f->offset == offsetof(struct manifest, on))
            *(const char **)out = manifest_text(r->m, text);
        else if (f->offset == offsetof(struct manifest, amounts) ||
                 f->offset == offsetof(struct manifest, job))
            *(int *)out = number - 1;
        else
            *(int *)out = number;
        break;
    case FIELD_DURATION:
    case FIELD_SCHEDULE:
        if (is_text)
            read_time(r, f, field, text, out);
        else
            manifest_found(r, field, manifest_type_name(f->type), index);
        break;
    case FIELD_FUNCTION:
    case FIELD_FUNCTION_OR_NONE: read_function(r, f, field, index); break;
    case FIELD_TEXTS:
    case FIELD_DATES: read_list(r, f, field, index, out); break;
    default:
        if (!lua_istable(r->L, index)) {
            manifest_found(r, field, manifest_type_name(f->type), index);
        } else if (f->type == FIELD_TABLE) {
            read_fields(r, f->sub, field, index);
        } else {
            manifest_read_part(r, f, index, out);
        }
    }
}

static bool belongs(const struct manifest_reader *r, const struct manifest_field *f) {
    return f->only == 0 || (f->only & 1u << r->m->rule) != 0;
}

static void unknown_field(struct manifest_reader *r, const struct manifest_field *fields,
                          const char *prefix, struct str name) {
    struct nearest near;
    char field[128];
    nearest_init(&near, name);
    for (const struct manifest_field *f = fields; f->name != NULL; f++)
        if (belongs(r, f)) nearest_try(&near, str_of(f->name));
    snprintf(field, sizeof field, "%s%s%.*s", prefix, prefix[0] == '\0' ? "" : ".",
             (int)(name.n > 60 ? 60 : name.n), name.p);
    if (near.best.n != 0)
        manifest_problem(r, field, "there is no such field; did you mean \"%.*s\"?",
                         STR_FMT(near.best));
    else
        manifest_problem(r, field, "there is no such field; take it out");
}

static void refuse_unknown(struct manifest_reader *r, const struct manifest_field *fields,
                           const char *prefix, int index) {
    lua_State *L = r->L;
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        struct str name;
        if (!manifest_text_at(L, -2, &name)) {
            manifest_problem(r, prefix[0] == '\0' ? NULL : prefix,
                             "expected named fields only, found a key of type %s",
                             luaL_typename(L, -2));
            continue;
        }
        const struct manifest_field *f = fields;
        while (f->name != NULL && !(belongs(r, f) && str_eq(str_of(f->name), name)))
            f++;
        if (f->name == NULL) unknown_field(r, fields, prefix, name);
    }
}

static void read_fields(struct manifest_reader *r, const struct manifest_field *fields,
                        const char *prefix, int index) {
    lua_State *L = r->L;
    luaL_checkstack(L, 8, NULL);
    for (const struct manifest_field *f = fields; f->name != NULL; f++) {
        if (!belongs(r, f)) continue;
        char field[128];
        snprintf(field, sizeof field, "%s%s%s", prefix, prefix[0] == '\0' ? "" : ".", f->name);
        lua_pushstring(L, f->name);
        lua_rawget(L, index);
        if (!lua_isnil(L, -1))
            read_field(r, f, field, lua_gettop(L));
        else if (f->required)
            manifest_problem(r, field, "is missing; expected %s%s%s", manifest_type_name(f->type),
                             f->type == FIELD_CHOICE ? " " : "",
                             f->type == FIELD_CHOICE ? f->choices : "");
        lua_pop(L, 1);
    }
    refuse_unknown(r, fields, prefix, index);
}

/* ---- what no single field can say ---- */

static void check_backoff(struct manifest_reader *r, const char *field, struct backoff *b) {
    struct why why = {0};
    if (b->first_ms == 0) return;
    if (b->factor_milli == 0) b->factor_milli = 2000;
    if (backoff_check(b, &why) != 0) manifest_problem(r, field, "%s", why.text);
}

/* A rule in another rule's folder would be looked for where it is not; a fact that nobody counts
 * would fail it at its first payment. */
static void check_rule(struct manifest_reader *r) {
    static const struct {
        const char *folder, *kind;
        unsigned rules;
    } FOLDERS[] = {{"rules/fees/", "fee", 1u << RULE_FEE},
                   {"rules/routing/", "routing", 1u << RULE_ROUTING},
                   {"rules/risk/", "risk", 1u << RULE_RISK},
                   {"rules/policy/", "policy", 1u << RULE_POLICY | 1u << RULE_HOLIDAYS}};
    for (size_t i = 0; i < ARRAY_LEN(FOLDERS); i++)
        if (str_starts(str_of(r->v->path), str_of(FOLDERS[i].folder)) && r->m->rule != RULE_NONE &&
            (FOLDERS[i].rules & 1u << r->m->rule) == 0)
            manifest_problem(r, "kind", "expected \"%s\" in %s", FOLDERS[i].kind,
                             FOLDERS[i].folder);
    for (size_t i = 0; i < r->m->facts.count; i++)
        if (!payment_fact_known(str_of(r->m->facts.at[i])))
            manifest_problem(r, "facts",
                             "\"%.60s\" is nothing we count; expected payments_per_customer_1h, "
                             "payments_per_merchant_5m and the like",
                             r->m->facts.at[i]);
}

static void check_whole(struct manifest_reader *r) {
    struct manifest *m = r->m;
    if (m->api != 0 && m->api != SCRIPT_API)
        manifest_problem(r, "api", "expected %d, found %lld", SCRIPT_API, (long long)m->api);
    if (m->limits.max != 0 && m->limits.min > m->limits.max)
        manifest_problem(r, "limits.min", "expected no more than limits.max (%lld), found %lld",
                         (long long)m->limits.max, (long long)m->limits.min);
    if (m->expires.max_ms != 0 && m->expires.default_ms > m->expires.max_ms)
        manifest_problem(r, "expires.default", "must not be longer than expires.max");
    if (m->from != NULL && m->to != NULL && strcmp(m->from, m->to) > 0)
        manifest_problem(r, "to", "expected a day not before from (%s), found %s", m->from, m->to);
    if (m->kind == KIND_JOB && m->job == JOB_ONCE && !manifest_has(m, "lost"))
        manifest_problem(r, "lost",
                         "is missing; a job of kind \"once\" is never run again, so it "
                         "says here what to do after a crash");
    if (m->kind == KIND_CHANNEL && m->none.count != 0 && !manifest_has(m, "report"))
        manifest_problem(r, "inquire",
                         "none needs a `report` function, the only way left to "
                         "learn what happened");
    if (m->kind == KIND_CHANNEL && m->effect == EFFECT_CHARGE && m->lookup == LOOKUP_NONE &&
        m->none.count == 0)
        manifest_problem(r, "lookup",
                         "is missing; a charge without an answer is asked for by "
                         "\"ours\" or \"theirs\" reference");
    if ((m->kind & (KIND_CHANNEL | KIND_BILLER)) != 0 && m->timeout_ms > CALL_WAIT_MAX_MS)
        manifest_problem(r, "timeout", "at most 90s: after 2m a call is asked about");
    if (m->kind == KIND_RULE) check_rule(r);
    check_backoff(r, "poll", &m->poll);
    check_backoff(r, "backoff", &m->backoff);
}

int manifest_look(lua_State *L, void *data) {
    struct manifest_reader *r = data;
    const struct manifest_field *fields = manifest_fields(r->v->kind);
    r->L = L;
    if (fields == NULL) return 0;
    if (!lua_istable(L, 1)) {
        manifest_problem(r, NULL,
                         "expected the script to return a table, found %s; end it with "
                         "`return { api = %d, ... }`",
                         luaL_typename(L, 1), SCRIPT_API);
        return E_SCRIPT;
    }
    if (r->v->kind == KIND_RULE) { /* its fields depend on it */
        struct str word;
        lua_pushliteral(L, "kind");
        lua_rawget(L, 1);
        for (const struct manifest_field *f = fields; f->name != NULL; f++)
            if (strcmp(f->name, "kind") == 0 && lua_type(L, -1) == LUA_TSTRING) {
                struct manifest_reader quiet = {.L = L, .m = r->m, .v = r->v};
                read_choice(&quiet, f, "kind", lua_gettop(L), &word, &r->m->rule);
            }
        lua_pop(L, 1);
    }
    if (r->v->kind == KIND_RULE) r->m->priority = RULE_PRIORITY;
    read_fields(r, fields, "", 1);
    check_whole(r);
    if (r->outline != NULL && r->problems == 0) manifest_outline(L, r->outline);
    return r->problems == 0 ? 0 : E_SCRIPT;
}

static int load(struct version *v, manifest_problem_cb problem, void *data, struct buf *outline,
                struct why *why) {
    struct why own_why = {0};
    if (why == NULL) why = &own_why;
    ENSURE(v->manifest == NULL);
    v->manifest = mem_zalloc(sizeof *v->manifest);
    if (v->manifest == NULL) return why_set(why, E_NOMEM, "%s: out of memory", v->path);
    v->manifest->kind = v->kind;
    struct manifest_reader r = {
        .m = v->manifest, .v = v, .problem = problem, .data = data, .why = why, .outline = outline};
    struct why load_why = {0};
    int err = script_load_aside(v, manifest_look, &r, &load_why);
    if (r.m->nomem || err == E_NOMEM) err = why_set(why, E_NOMEM, "%s: out of memory", v->path);
    if (err != 0 && r.problems == 0 && why->code == 0) {
        *why = load_why;
        if (why->code == 0) why_set(why, err, "%s: %s", v->path, err_text(err));
        if (problem != NULL) problem(data, 0, why->text);
    }
    if (err == 0 && r.problems == 0) return 0;
    manifest_delete(v->manifest);
    v->manifest = NULL;
    return err == 0 ? E_SCRIPT : err;
}

int manifest_load(struct version *v, manifest_problem_cb problem, void *data, struct why *why) {
    return load(v, problem, data, NULL, why);
}

int manifest_load_outlined(struct version *v, struct buf *outline, struct why *why) {
    return load(v, NULL, NULL, outline, why);
}
