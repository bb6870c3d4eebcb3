/* Outlines: what a manifest read from one says is what the script said; what cannot be told so has
 * none; and any bytes are safe to read. */
#include "base/ensure.h"
#include "base/mem.h"
#include "script/manifest.h"
#include "script/source.h"
#include "script_texts.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static void *lua_memory(void *data, void *ptr, size_t old, size_t size) {
    (void)data, (void)old;
    if (size != 0) return mem_realloc(ptr, size);
    mem_free(ptr);
    return NULL;
}

/* ---- a manifest as text: every field, in an order that is not the table's ---- */

/* A new field is to be shown below, or what an outline makes of it is not seen here. */
#if __SIZEOF_POINTER__ == 8
_Static_assert(sizeof(struct manifest) == 464, "a field came or went: show it");
_Static_assert(sizeof(struct manifest_route) == 56, "a field came or went: show it");
_Static_assert(sizeof(struct manifest_config) == 24, "a field came or went: show it");
_Static_assert(sizeof(struct manifest_input) == 24, "a field came or went: show it");
_Static_assert(sizeof(struct manifest_arg) == 32, "a field came or went: show it");
#endif

static char lines[4000][600];
static size_t line_count;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    va_list args;
    va_start(args, format);
    CHECK(line_count < ARRAY_LEN(lines));
    vsnprintf(lines[line_count++], sizeof lines[0], format, args);
    va_end(args);
}
static const char *text(const char *t) {
    return t == NULL ? "-" : t;
}
static void say_pairs(const char *name, const struct manifest_pairs *p) {
    for (size_t i = 0; i < p->count; i++)
        say("%s %s=%s", name, p->at[i].name, p->at[i].value);
}
/* Lists keep their order; of what is a table by name the order is nobody's. */
static void say_texts(const char *name, const struct manifest_texts *t) {
    for (size_t i = 0; i < t->count; i++)
        say("%s %zu %s", name, i, t->at[i]);
}
static void say_backoff(const char *name, const struct backoff *b) {
    say("%s %lld %lld %d %d %d", name, (long long)b->first_ms, (long long)b->max_ms,
        b->factor_milli, b->jitter_milli, b->tries);
}
static int by_text(const void *a, const void *b) {
    return strcmp(a, b);
}

static char *shown(const struct manifest *m) {
    line_count = 0;
    say("%d api %lld title %s about %s", m->kind, (long long)m->api, text(m->title),
        text(m->about));
    say("provider %s method %s bank %s", text(m->provider), text(m->method), text(m->bank));
    say("family %s upstream %s on %s", text(m->family), text(m->upstream), text(m->on));
    say("rule %d effect %d lookup %d amounts %d job %d", m->rule, m->effect, m->lookup, m->amounts,
        m->job);
    say("limits %lld %lld", (long long)m->limits.min, (long long)m->limits.max);
    say("expires %lld %lld %lld", (long long)m->expires.default_ms, (long long)m->expires.max_ms,
        (long long)m->expires.grace_ms);
    say("unresolved %lld %lld %s", (long long)m->unresolved.ask_ms, (long long)m->unresolved.tries,
        text(m->unresolved.then));
    say_backoff("poll", &m->poll);
    say_backoff("backoff", &m->backoff);
    say("every %lld %lld timeout %lld priority %lld", (long long)m->every.period_ms,
        (long long)m->every.offset_ms, (long long)m->timeout_ms, (long long)m->priority);
    say("from %s to %s nomem %d", text(m->from), text(m->to), m->nomem);
    say_pairs("match", &m->match);
    say_pairs("none", &m->none);
    for (size_t i = 0; i < m->hosts.count; i++) /* one environment's are a list */
        for (size_t k = 0, nth = 0; k <= i; k++)
            if (strcmp(m->hosts.at[k].name, m->hosts.at[i].name) == 0 && ++nth > 0 && k == i)
                say("host %s %zu %s", m->hosts.at[i].name, nth, m->hosts.at[i].value);
    say_texts("facts", &m->facts);
    say_texts("days", &m->days);
    say_texts("function", &m->functions);
    for (size_t i = 0; i < m->config.count; i++)
        say("config %s=%s %d", m->config.at[i].name, m->config.at[i].key, m->config.at[i].secret);
    for (size_t i = 0; i < m->routes.count; i++) {
        const struct manifest_route *r = &m->routes.at[i];
        say("route %s %s %s %s %d %lld %d %d %d", r->key, r->method, r->path, text(r->about),
            r->auth, (long long)r->timeout_ms, r->has_run, r->has_refused, r->cards);
    }
    for (size_t i = 0; i < m->args.count; i++)
        say("arg %zu %s %s %s %s", i, m->args.at[i].name, m->args.at[i].type,
            text(m->args.at[i].doc), text(m->args.at[i].fallback));
    for (size_t i = 0; i < m->inputs.count; i++)
        say("input %s %d %d %s", m->inputs.at[i].name, m->inputs.at[i].type,
            m->inputs.at[i].required, text(m->inputs.at[i].doc));
    qsort(lines, line_count, sizeof lines[0], by_text);
    struct buf all = {0};
    for (size_t i = 0; i < line_count; i++)
        buf_addf(&all, "%s\n", lines[i]);
    buf_addf(&all, "docs %s\n", text(m->docs)); /* its keys are sorted */
    char *out = strdup(buf_str(&all).p);
    buf_free(&all);
    return out;
}

/* ---- the same, read twice ---- */

static void check_same(struct version *v, lua_State *L) {
    struct buf outline = {0};
    struct why why = {0};
    if (manifest_load_outlined(v, &outline, &why) != 0) fail_msg("%s", why.text);
    char *loaded = shown(v->manifest);
    if (outline.len == 0) fail_msg("%s: it has no outline", v->path);
    manifest_delete(v->manifest);
    v->manifest = NULL;
    CHECK_OK(manifest_of_outline(v, L, buf_str(&outline)));
    char *read = shown(v->manifest);
    if (strcmp(loaded, read) != 0)
        fail_msg("%s\n-- loaded\n%s-- of its outline\n%s", v->path, loaded, read);
    free(loaded);
    free(read);
    buf_free(&outline);
}

static int check_shipped(void *data, const char *path, enum script_kind kind,
                         const struct stat *st) {
    (void)st;
    struct version_files files = {source_read, "."};
    struct version *v = NULL;
    struct why why = {0};
    char name[SCRIPT_PATH_MAX];
    if (manifest_fields(kind) == NULL) return 0;
    CHECK(source_kind(path, &kind, name));
    if (version_build(&v, kind, name, path, &files, BIND_MODULES, &why) != 0)
        fail_msg("%s", why.text);
    check_same(v, data);
    version_drop(v);
    return 0;
}

static void shipped_scripts_say_the_same(void **state) {
    (void)state;
    lua_State *L = lua_newstate(lua_memory, NULL);
    CHECK_OK(source_list(".", check_shipped, L));
    lua_close(L);
}

#define CHANNEL(more)                                                                           \
    "return { api = 1, title = 'BNI', provider = 'bni', method = 'virtual_account', effect = "  \
    "'offer', create = function() end, report = type, inquire = none 'they have\\tno such\\n'," \
    " " more " }"
#define ALL                                                                                       \
    "bank = 'b', hosts = { sandbox = { 'a', 'b', 'c', [2.5] = -1, [true] = { f = type } }, "      \
    "production = 'd' }, limits = { min = 1, "                                                    \
    "max = 9007199254740993 }, expires = { default = '1h', max = '2h', grace = '3m' }, config = " \
    "{ a = secret 'BNI_A', b = 'BNI_B' }, poll = { first = '5m', factor = 1.5, max = '1h', "      \
    "jitter = 0.25 }, unresolved = { ask = '1s', tries = 3, then_ = 'reverse' }, amounts = "      \
    "'open', lookup = 'theirs', timeout = '80s', routes = { ['POST /x'] = type, ['GET /y'] = "    \
    "type }, input = { phone = { type = 'string', required = true, doc = 'd' }, z = { type = "    \
    "'list', example = 2.5 } }, docs = { a = { 1, -2, "                                           \
    "math.mininteger }, u = '\\u{e9}', e = {}, t = true, f = false }"

static void every_field_comes_through(void **state) {
    (void)state;
    const struct script_text texts[] = {{"channels/x.lua", CHANNEL(ALL)}, {0}};
    struct version *v = NULL;
    CHECK_OK(texts_build(&v, KIND_CHANNEL, "channels/x.lua", texts, NULL));
    lua_State *L = lua_newstate(lua_memory, NULL);
    check_same(v, L);
    CHECK(v->manifest->config.count == 2 && v->manifest->routes.count == 2);
    CHECK_STR(str_of(v->manifest->none.at[0].value), "they have\tno such\n");
    CHECK_INT(v->manifest->limits.max, 9007199254740993);
    CHECK_INT(v->manifest->poll.factor_milli, 1500);
    CHECK(manifest_has(v->manifest, "report") && !manifest_has(v->manifest, "inquire"));
    lua_close(L);
    version_drop(v);
}

static void what_cannot_be_told_has_none(void **state) {
    (void)state;
    static const char *const inputs[] = {
        "local t = {} t.t = t return t",                               /* within itself */
        "local t = {} for i = 1, 40 do t = { t } end return t",        /* too deep */
        "return { [type] = 1 }",                                       /* a key that is no text */
        "return { json.null }",                                        /* a value of the engine's */
        "local t = {} for i = 1, 60000 do t[i] = 'abcde' end return t" /* too long */
    };
    for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
        char script[1024];
        snprintf(script, sizeof script, "local function odd() %s end\n%s", inputs[i],
                 CHANNEL("hosts = { sandbox = { 'a', odd = odd() } }"));
        const struct script_text texts[] = {{"channels/x.lua", script}, {0}};
        struct version *v = NULL;
        struct buf outline = {0};
        struct why why = {0};
        CHECK_OK(texts_build(&v, KIND_CHANNEL, "channels/x.lua", texts, NULL));
        if (manifest_load_outlined(v, &outline, &why) != 0) fail_msg("%zu: %s", i, why.text);
        CHECK_INT(v->manifest->hosts.count, 1); /* it is good all the same */
        if (outline.len != 0) fail_msg("%s has an outline", inputs[i]);
        buf_free(&outline);
        version_drop(v);
    }
}

/* What a main chunk may not ask is what would make an outline wrong. */
static void a_main_chunk_knows_only_its_texts(void **state) {
    (void)state;
    static const char *const asks[] = {
        "math.random()", "time.now()",       "crypto.random(8)",  "crypto.random_int(1, 2)",
        "crypto.uuid()", "crypto.uuid_v7()", "engine.sleep('1s')"};
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        char script[1024];
        struct version *v = NULL;
        struct why why = {0};
        snprintf(script, sizeof script, "local x = %s\nreturn { api = 1, routes = {} }", asks[i]);
        if (texts_load(&v, KIND_API, "scripts/api/x.lua", script, &why) == 0)
            fail_msg("%s is answered", asks[i]);
        if (strstr(why.text, "nil value") != NULL) fail_msg("%s: %s", asks[i], why.text);
    }
}

/* ---- bytes that nobody wrote ---- */

static void damaged_outlines_are_refused(void **state) {
    (void)state;
    const struct script_text texts[] = {{"channels/x.lua", CHANNEL(ALL)}, {0}};
    struct version *v = NULL;
    struct buf outline = {0};
    CHECK_OK(texts_build(&v, KIND_CHANNEL, "channels/x.lua", texts, NULL));
    CHECK_OK(manifest_load_outlined(v, &outline, NULL));
    manifest_delete(v->manifest);
    v->manifest = NULL;
    lua_State *L = lua_newstate(lua_memory, NULL);
    char *bytes = malloc(outline.len + 1);
    memcpy(bytes, outline.data, outline.len);
    for (size_t n = 0; n < outline.len; n++) {
        CHECK_ERR(manifest_of_outline(v, L, (struct str){bytes, n}), E_CORRUPT);
        CHECK(v->manifest == NULL);
    }
    bytes[outline.len] = 'T'; /* and more than there should be */
    CHECK_ERR(manifest_of_outline(v, L, (struct str){bytes, outline.len + 1}), E_CORRUPT);
    int refused = 0;
    for (size_t i = 0; i < outline.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] ^= (char)(1 << bit);
            int err = manifest_of_outline(v, L, (struct str){bytes, outline.len});
            if (err != 0 && err != E_CORRUPT) fail_msg("byte %zu: %s", i, err_text(err));
            CHECK((err == 0) == (v->manifest != NULL));
            refused += err != 0;
            manifest_delete(v->manifest);
            v->manifest = NULL;
            bytes[i] ^= (char)(1 << bit);
        }
    CHECK(refused > 1000);
    CHECK_OK(manifest_of_outline(v, L, (struct str){bytes, outline.len})); /* L is as it was */
    /* tables in tables without end, and one of four thousand million places */
    static const char deep[] = "t\1\0\0\0\0\0\0\0i\1\0\0\0\0\0\0\0";
    manifest_delete(v->manifest);
    v->manifest = NULL;
    struct buf odd = {0};
    for (int i = 0; i < 100000; i++)
        buf_add(&odd, deep, sizeof deep - 1);
    CHECK_ERR(manifest_of_outline(v, L, buf_str(&odd)), E_CORRUPT);
    buf_free(&odd);
    CHECK_ERR(manifest_of_outline(v, L, STR("t\xff\xff\xff\xff\xff\xff\xff\xffTT")), E_CORRUPT);
    /* a key that is no key */
    CHECK_ERR(manifest_of_outline(v, L, STR("t\0\0\0\0\1\0\0\0n\0\0\0\0\0\0\xf8\x7fT")), E_CORRUPT);
    CHECK_ERR(manifest_of_outline(v, L, STR("T")), E_CORRUPT);
    CHECK_ERR(manifest_of_outline(v, L, STR("")), E_CORRUPT);
    lua_close(L);
    free(bytes);
    buf_free(&outline);
    version_drop(v);
}

#ifdef LUWAK_FAULTS
static void memory_can_fail_anywhere(void **state) {
    (void)state;
    const struct script_text texts[] = {{"channels/x.lua", CHANNEL(ALL)}, {0}};
    struct version *v = NULL;
    struct buf outline = {0};
    CHECK_OK(texts_build(&v, KIND_CHANNEL, "channels/x.lua", texts, NULL));
    CHECK_OK(manifest_load_outlined(v, &outline, NULL));
    manifest_delete(v->manifest);
    v->manifest = NULL;
    int short_of = 0;
    for (uint64_t nth = 1;; nth++) {
        lua_State *L = lua_newstate(lua_memory, NULL);
        int64_t before = mem_live();
        mem_fail_at(nth, 1); /* once would be found after a collection */
        int err = manifest_of_outline(v, L, buf_str(&outline));
        int failed = mem_has_failed();
        mem_fail_at(0, 0);
        lua_close(L);
        if (err != 0) {
            CHECK_INT(err, E_NOMEM);
            CHECK(v->manifest == NULL);
            CHECK(mem_live() < before);
            short_of++;
        } else {
            CHECK_INT(v->manifest->routes.count, 2);
            manifest_delete(v->manifest);
            v->manifest = NULL;
        }
        if (!failed) break;
    }
    CHECK(short_of > 50);
    buf_free(&outline);
    /* and while one is made: the manifest counts, the outline is there or not */
    for (uint64_t nth = 1;; nth++) {
        mem_fail_at(nth, 0);
        int err = manifest_load_outlined(v, &outline, NULL);
        int failed = mem_has_failed();
        mem_fail_at(0, 0);
        CHECK(err == 0 || err == E_NOMEM);
        buf_free(&outline);
        manifest_delete(v->manifest);
        v->manifest = NULL;
        if (!failed) break;
    }
    version_drop(v);
}
#endif

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(shipped_scripts_say_the_same),
    cmocka_unit_test(every_field_comes_through),
    cmocka_unit_test(what_cannot_be_told_has_none),
    cmocka_unit_test(a_main_chunk_knows_only_its_texts),
    cmocka_unit_test(damaged_outlines_are_refused),
#ifdef LUWAK_FAULTS
    cmocka_unit_test(memory_can_fail_anywhere),
#endif
};
UNIT_MAIN("manifest_outline", TESTS)
