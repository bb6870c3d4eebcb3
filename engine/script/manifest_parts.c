/* manifest_parts: the fields that are tables of their own: hosts and matches, configuration keys,
 * arguments of tools, and free documents kept as JSON. Raw access only; see manifest.c. */
#include "base/ensure.h"
#include "script/bind_secret.h"
#include "script/manifest.h"
#include "script/operation_input.h"

#include <stdio.h>

#define DOCUMENT_MAX   (64 * 1024)
#define DOCUMENT_DEPTH 16

/* ---- names to texts ---- */

bool manifest_in_words(const char *words, struct str word) {
    struct str rest = str_of(words), one;
    while (rest.n != 0) {
        str_cut(rest, ' ', &one, &rest);
        if (str_eq(one, word)) return true;
    }
    return false;
}

static void add_pair(struct manifest *m, struct manifest_pairs *out, struct str name,
                     struct str value) {
    struct manifest_pair *at = manifest_grow(m, out->at, out->count, sizeof *at);
    if (at == NULL) return;
    out->at = at;
    at[out->count] = (struct manifest_pair){manifest_text(m, name), manifest_text(m, value)};
    if (at[out->count].name != NULL && at[out->count].value != NULL) out->count++;
}

/* Each value is a text, or a list of texts (one pair each). */
static void read_pairs(struct manifest_reader *r, const struct manifest_field *f, int index,
                       struct manifest_pairs *out) {
    lua_State *L = r->L;
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        struct str name, value;
        char field[128];
        if (!manifest_text_at(L, -2, &name) || !manifest_in_words(f->choices, name)) {
            manifest_problem(r, f->name, "expected names out of %s, found %s", f->choices,
                             lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2)
                                                            : luaL_typename(L, -2));
            continue;
        }
        snprintf(field, sizeof field, "%s.%.*s", f->name, STR_FMT(name));
        int value_at = lua_gettop(L);
        lua_Integer n = lua_istable(L, -1) ? (lua_Integer)lua_rawlen(L, -1) : 0;
        if (manifest_text_at(L, value_at, &value))
            add_pair(r->m, out, name, value);
        else if (n == 0)
            manifest_found(r, field, "a text, or a list of texts", value_at);
        for (lua_Integer i = 1; i <= n; i++) {
            lua_rawgeti(L, value_at, i);
            if (manifest_text_at(L, -1, &value))
                add_pair(r->m, out, name, value);
            else
                manifest_found(r, field, "a list of texts", lua_gettop(L));
            lua_pop(L, 1);
        }
    }
}

/* ---- configuration ---- */

static bool key_valid(struct str key) {
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        if (!((c >= 'A' && c <= 'Z') || (i > 0 && ((c >= '0' && c <= '9') || c == '_'))))
            return false;
    }
    return key.n != 0 && key.n <= 64;
}

/* A channel sees only keys that begin with its provider's name. */
static bool key_granted(const struct version *v, struct str key) {
    const char *owner = manifest_owner(v);
    if (owner == NULL) return true;
    size_t n = strlen(owner);
    return key.n > n && str_eq_nocase(str_sub(key, 0, n), str_of(owner)) && key.p[n] == '_';
}

static void read_config(struct manifest_reader *r, int index) {
    lua_State *L = r->L;
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        struct str name, key = {0};
        char field[128];
        if (!manifest_text_at(L, -2, &name)) {
            manifest_problem(r, "config", "expected named keys, found a key of type %s",
                             luaL_typename(L, -2));
            continue;
        }
        snprintf(field, sizeof field, "config.%.*s", (int)(name.n > 60 ? 60 : name.n), name.p);
        bool secret = secret_is(L, -1);
        if (secret)
            key = str_of(secret_name(L, -1));
        else if (!manifest_text_at(L, -1, &key))
            key = (struct str){0};
        if (!key_valid(key)) {
            manifest_found(r, field, "a configuration key, \"KEY\" or secret \"KEY\"",
                           lua_gettop(L));
            continue;
        }
        if (!key_granted(r->v, key)) {
            manifest_problem(r, field,
                             "expected a key that begins with the provider's name (%s_...), found "
                             "\"%.*s\"",
                             manifest_owner(r->v), STR_FMT(key));
            continue;
        }
        struct manifest_configs *c = &r->m->config;
        struct manifest_config *at = manifest_grow(r->m, c->at, c->count, sizeof *at);
        if (at == NULL) return;
        c->at = at;
        at[c->count] =
            (struct manifest_config){manifest_text(r->m, name), manifest_text(r->m, key), secret};
        if (at[c->count].name != NULL && at[c->count].key != NULL) c->count++;
    }
}

/* ---- arguments of tools ---- */

static void read_args(struct manifest_reader *r, int index) {
    lua_State *L = r->L;
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    for (lua_Integer i = 1; i <= n; i++) {
        struct manifest_arg arg = {0};
        struct str text[2];
        bool good = lua_rawgeti(L, index, i) == LUA_TTABLE;
        for (int k = 0; good && k < 2; k++) {
            lua_rawgeti(L, -1 - k, k + 1);
            good = manifest_text_at(L, -1, &text[k]);
        }
        if (!good || !manifest_in_words("path text int amount date flag", text[1])) {
            manifest_problem(r, "args",
                             "argument %lld: expected { \"name\", TYPE } with TYPE one of "
                             "path text int amount date flag",
                             (long long)i);
            lua_settop(L, index);
            continue;
        }
        arg.name = manifest_text(r->m, text[0]);
        arg.type = manifest_text(r->m, text[1]);
        lua_settop(L, index + 1);
        static const char *const extra[] = {"doc", "default"};
        for (int k = 0; k < 2; k++) {
            lua_pushstring(L, extra[k]);
            lua_rawget(L, index + 1);
            bool number = lua_isinteger(L, -1);
            if (lua_type(L, -1) == LUA_TSTRING || number) {
                size_t size = 0;
                const char *at = lua_tolstring(L, -1, &size); /* a copy on the stack: safe */
                const char *copy = manifest_text(r->m, (struct str){at, size});
                if (k == 0)
                    arg.doc = copy;
                else
                    arg.fallback = copy;
            } else if (!lua_isnil(L, -1)) {
                manifest_found(r, "args",
                               k == 0 ? "doc = a text" : "default = a text or an integer",
                               lua_gettop(L));
            }
            lua_pop(L, 1);
        }
        lua_settop(L, index);
        struct manifest_args *args = &r->m->args;
        struct manifest_arg *at = manifest_grow(r->m, args->at, args->count, sizeof *at);
        if (at == NULL || arg.name == NULL || arg.type == NULL) return;
        args->at = at;
        at[args->count++] = arg;
    }
}

/* ---- what an operation is asked with ---- */

static const char *const INPUT_TYPES[] = {"string", "integer", "boolean", "object", "list"};

const char *manifest_input_name(enum manifest_input_type type) {
    static const char *const names[] = {"a string", "an integer", "true or false", "an object",
                                        "a list"};
    return names[type];
}

/* { type =, required =, doc = } is at `index`. */
static bool read_input(struct manifest_reader *r, const char *field, int index,
                       struct manifest_input *input) {
    lua_State *L = r->L;
    size_t type = ARRAY_LEN(INPUT_TYPES);
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        struct str name, text = {0};
        bool is_text = manifest_text_at(L, -1, &text);
        if (!manifest_text_at(L, -2, &name)) name = (struct str){0};
        if (str_eq(name, STR("type"))) {
            for (type = 0; type < ARRAY_LEN(INPUT_TYPES); type++)
                if (str_eq(text, str_of(INPUT_TYPES[type]))) break;
        } else if (str_eq(name, STR("required")) && lua_isboolean(L, -1)) {
            input->required = lua_toboolean(L, -1);
        } else if (str_eq(name, STR("doc")) && is_text) {
            input->doc = manifest_text(r->m, text);
        } else if (!str_eq(name, STR("example")) ||
                   lua_istable(L, -1)) { /* of conform's requests */
            manifest_problem(r, field,
                             "expected type = a text, required = true or false, doc = a text, "
                             "example = a value");
        }
    }
    if (type == ARRAY_LEN(INPUT_TYPES))
        manifest_problem(r, field,
                         "expected type = \"string\", \"integer\", \"boolean\", \"object\" or "
                         "\"list\"");
    else
        input->type = (enum manifest_input_type)type;
    return type != ARRAY_LEN(INPUT_TYPES);
}

static void read_inputs(struct manifest_reader *r, int index) {
    lua_State *L = r->L;
    luaL_checkstack(L, 8, NULL);
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        struct manifest_input input = {0};
        struct str name;
        char field[96];
        if (!manifest_text_at(L, -2, &name) || name.n > 64 || !lua_istable(L, -1)) {
            manifest_found(r, "input", "names of fields, each with { type =, ... }", lua_gettop(L));
            continue;
        }
        snprintf(field, sizeof field, "input.%.*s", STR_FMT(name));
        if (!read_input(r, field, lua_gettop(L), &input)) continue;
        const struct manifest_input *common = operation_input_common(name);
        if (common != NULL && common->type != input.type)
            manifest_problem(r, field, "is %s wherever it is asked for, here too",
                             manifest_input_name(common->type));
        input.name = manifest_text(r->m, name);
        struct manifest_inputs *inputs = &r->m->inputs;
        struct manifest_input *at = manifest_grow(r->m, inputs->at, inputs->count, sizeof *at);
        if (at == NULL || input.name == NULL) return;
        inputs->at = at;
        at[inputs->count++] = input;
    }
}

/* ---- documents: JSON with sorted keys ---- */

static void write_text(struct buf *out, struct str s) {
    buf_addc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c < 0x20)
            buf_addf(out, "\\u%04x", c);
        else
            buf_addc(out, (char)c);
    }
    buf_addc(out, '"');
}

static const char *write_value(lua_State *L, int index, int depth, struct buf *out);

/* The smallest key greater than `last` is next: quadratic, for documents of some dozen keys. */
static const char *write_object(lua_State *L, int index, int depth, struct buf *out) {
    struct str last = {0};
    buf_addc(out, '{');
    for (bool first = true;; first = false) {
        struct str best = {0}, key;
        for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
            if (!manifest_text_at(L, -2, &key)) return "a document has named keys, or is a list";
            if ((first || str_cmp(key, last) > 0) && (best.p == NULL || str_cmp(key, best) < 0))
                best = key;
        }
        if (best.p == NULL) break;
        if (!first) buf_addc(out, ',');
        write_text(out, best);
        buf_addc(out, ':');
        lua_pushlstring(L, best.p, best.n);
        lua_rawget(L, index);
        const char *wrong = write_value(L, lua_gettop(L), depth + 1, out);
        lua_pop(L, 1);
        if (wrong != NULL) return wrong;
        last = best; /* its key is anchored in the table */
    }
    buf_addc(out, '}');
    return NULL;
}

static const char *write_value(lua_State *L, int index, int depth, struct buf *out) {
    struct str text;
    if (depth > DOCUMENT_DEPTH) return "a document is at most 16 tables deep";
    luaL_checkstack(L, 6, NULL);
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN: buf_adds(out, lua_toboolean(L, index) ? "true" : "false"); return NULL;
    case LUA_TSTRING:
        text.p = lua_tolstring(L, index, &text.n);
        write_text(out, text);
        return NULL;
    case LUA_TNUMBER:
        if (!lua_isinteger(L, index)) return "a document's numbers are integers; write it as text";
        buf_addi(out, lua_tointeger(L, index));
        return NULL;
    case LUA_TTABLE: break;
    default: return "a document holds texts, integers, true, false and tables only";
    }
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    if (n == 0) return write_object(L, index, depth, out);
    buf_addc(out, '[');
    for (lua_Integer i = 1; i <= n; i++) {
        if (i > 1) buf_addc(out, ',');
        lua_rawgeti(L, index, i);
        const char *wrong = write_value(L, lua_gettop(L), depth + 1, out);
        lua_pop(L, 1);
        if (wrong != NULL) return wrong;
    }
    buf_addc(out, ']');
    return NULL;
}

/* Lua calls that may raise run between the writes, so the buffer lies in a userdata of its greatest
 * size, which the collector takes: nothing of ours can leak. */
static void read_document(struct manifest_reader *r, const struct manifest_field *f, int index,
                          const char **out) {
    lua_State *L = r->L;
    struct buf b = {.data = lua_newuserdatauv(L, DOCUMENT_MAX, 0),
                    .cap = DOCUMENT_MAX,
                    .max = DOCUMENT_MAX - 2};
    b.data[0] = '\0';
    const char *wrong = write_value(L, index, 0, &b);
    if (b.err != 0) wrong = "a document is at most 64 kB";
    if (wrong != NULL)
        manifest_problem(r, f->name, "%s", wrong);
    else
        *out = manifest_text(r->m, buf_str(&b));
    lua_pop(L, 1);
}

void manifest_read_part(struct manifest_reader *r, const struct manifest_field *f, int index,
                        void *out) {
    switch (f->type) {
    case FIELD_PAIRS: read_pairs(r, f, index, out); break;
    case FIELD_CONFIG: read_config(r, index); break;
    case FIELD_ARGS: read_args(r, index); break;
    case FIELD_INPUTS: read_inputs(r, index); break;
    case FIELD_DOCUMENT: read_document(r, f, index, out); break;
    default: manifest_read_routes(r, f, index);
    }
}
