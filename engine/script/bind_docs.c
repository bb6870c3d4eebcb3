/* bind_docs: lint lists, stubs and the reference, out of the tables of bindings and contracts. */
#include "script/bind_docs.h"

#include "script/manifest.h"

#include <stdio.h>
#include <stdlib.h>

static const struct kind_word {
    enum script_kind kind;
    const char *word;
    const char *files; /* as luacheck and people name them */
} KINDS[] = {
    {KIND_CHANNEL, "channel", "channels"},
    {KIND_RULE, "rule", "rules"},
    {KIND_BILLER, "biller", "scripts/billers"},
    {KIND_SANDBOX, "sandbox", "scripts/sandbox"},
    {KIND_API, "api", "scripts/api"},
    {KIND_JOB, "job", "scripts/jobs"},
    {KIND_PAGE, "page", "scripts/pages"},
    {KIND_TOOL, "tool", "scripts/tools"},
    {KIND_MIGRATION, "migration", "scripts/migrations"},
    {KIND_TEST, "test", "tests/lua"},
};
#define KIND_COUNT (sizeof KINDS / sizeof KINDS[0])

#define EACH_FN(f, m) for (const struct bind_fn *f = (m)->fns; f != NULL && f->name != NULL; f++)
#define EACH_MODULE(m, modules) \
    for (const struct bind_module *const *m = (modules); *m != NULL; m++)

static bool below_ctx(const char *name) {
    return strncmp(name, "ctx", 3) == 0 && (name[3] == '\0' || name[3] == '.');
}

static bool sees(const struct bind_module *m, unsigned kinds) {
    EACH_FN(f, m) if ((f->kinds & kinds) != 0) return true;
    return false;
}

/* Is this the first table of its name? Several may share one. */
static bool first_of_name(const struct bind_module *const *modules,
                          const struct bind_module *const *at) {
    for (; modules != at; modules++)
        if (strcmp((*modules)->name, (*at)->name) == 0) return false;
    return true;
}

/* ---- .luacheckrc ---- */

static void luacheck_names(const struct bind_module *const *modules, struct str name,
                           unsigned kinds, struct buf *out) {
    EACH_MODULE(m, modules) {
        if (!str_eq(str_of((*m)->name), name)) continue;
        EACH_FN(f, *m) if ((f->kinds & kinds) != 0) buf_addf(out, " \"%s\",", f->name);
    }
}

static struct str root_of(const char *name) {
    struct str root, rest;
    str_cut(str_of(name), '.', &root, &rest);
    return root;
}

/* One global with its functions and, one level down, its tables: core.operation.create. */
static void luacheck_root(const struct bind_module *const *modules, struct str root, unsigned kinds,
                          struct buf *out) {
    buf_addf(out, "  [\"%.*s\"] = { fields = {", STR_FMT(root));
    luacheck_names(modules, root, kinds, out);
    EACH_MODULE(m, modules) {
        struct str name = str_of((*m)->name);
        if (!str_eq(root_of((*m)->name), root) || name.n == root.n || !sees(*m, kinds) ||
            !first_of_name(modules, m))
            continue;
        buf_addf(out, " [\"%s\"] = { fields = {", (*m)->name + root.n + 1);
        luacheck_names(modules, name, kinds, out);
        buf_adds(out, " } },");
    }
    buf_adds(out, " } },\n");
}

/* Is this the first visible table below its root? */
static bool first_of_root(const struct bind_module *const *modules,
                          const struct bind_module *const *at, unsigned kinds) {
    for (; modules != at; modules++)
        if (sees(*modules, kinds) && str_eq(root_of((*modules)->name), root_of((*at)->name)))
            return false;
    return true;
}

void docs_luacheck(const struct bind_module *const *modules, struct buf *out) {
    buf_adds(out, "-- Made by `luwak check --write .` from the engine's own tables; do not edit.\n"
                  "std = \"none\"\nmax_line_length = 120\nunused_args = false\n");
    for (size_t k = 0; k < KIND_COUNT; k++) {
        unsigned kind = KINDS[k].kind;
        buf_addf(out, "stds.luwak_%s = { read_globals = {\n", KINDS[k].word);
        EACH_MODULE(m, modules) {
            if ((*m)->name[0] != '\0') continue;
            EACH_FN(f, *m) if ((f->kinds & kind) != 0) buf_addf(out, "  \"%s\",\n", f->name);
        }
        EACH_MODULE(m, modules) {
            const char *name = (*m)->name;
            if (name[0] != '\0' && !below_ctx(name) && sees(*m, kind) &&
                first_of_root(modules, m, kind))
                luacheck_root(modules, root_of(name), kind, out);
        }
        buf_adds(out, "} }\n");
    }
    for (size_t k = 0; k < KIND_COUNT; k++)
        buf_addf(out, "files[\"%s/**/*.lua\"] = { std = \"luwak_%s\" }\n", KINDS[k].files,
                 KINDS[k].word);
    buf_adds(out, "files[\"examples/**/*.lua\"] = { std = \"luwak_tool\" }\n"
                  "files[\"examples/*/channels/*.lua\"] = { std = \"luwak_channel\" }\n"
                  "files[\"examples/*/scripts/sandbox/*.lua\"] = { std = \"luwak_sandbox\" }\n"
                  "files[\"examples/*/scripts/pages/*.lua\"] = { std = \"luwak_page\" }\n"
                  "files[\"**/*_test.lua\"] = { std = \"luwak_test\" }\n");
    /* a module runs in the world of the script that requires it */
    buf_adds(out, "files[\"scripts/lib/**/*.lua\"] = { std = "
                  "\"luwak_channel+luwak_api+luwak_page+luwak_tool\" }\n");
}

/* ---- stubs ---- */

static void stub_type(const struct sig_item *item, struct buf *out) {
    struct str rest = item->type, one;
    for (bool first = true; rest.n != 0; first = false) {
        str_cut(rest, '|', &one, &rest);
        if (!first) buf_addc(out, '|');
        if (str_eq(one, STR("list")))
            buf_adds(out, "(string|secret)[]");
        else
            buf_addstr(out, one);
    }
    if (item->optional && !item->many) buf_addc(out, '?');
}

static void stub_function(const char *owner, const char *divider, const struct bind_fn *f,
                          struct buf *out) {
    struct sig sig;
    buf_addf(out, "\n---%s\n", f->doc);
    if (sig_parse(&sig, f->sig, NULL) != 0) return; /* a test sees to it that there is none */
    if (sig.constant) {
        buf_adds(out, "---@type ");
        stub_type(&sig.results[0], out);
        buf_addf(out, "\n%s%s%s = nil\n", owner, divider, f->name);
        return;
    }
    for (int i = 0; i < sig.param_count; i++) {
        const struct sig_item *p = &sig.params[i];
        buf_addf(out, "---@param %.*s%s ", STR_FMT(p->name), p->optional && !p->many ? "?" : "");
        struct sig_item plain = *p;
        plain.optional = false;
        stub_type(&plain, out);
        buf_addc(out, '\n');
    }
    for (int i = 0; i < sig.result_count; i++) {
        buf_adds(out, "---@return ");
        stub_type(&sig.results[i], out);
        buf_adds(out, sig.results[i].many ? " ...\n" : "\n");
    }
    buf_addf(out, "function %s%s%s(", owner, divider, f->name);
    for (int i = 0; i < sig.param_count; i++)
        buf_addf(out, "%s%.*s", i == 0 ? "" : ", ", STR_FMT(sig.params[i].name));
    buf_adds(out, ") end\n");
}

static void stub_types(const struct bind_module *m, struct buf *out) {
    for (const struct bind_type *t = m->types; t != NULL && t->name != NULL; t++) {
        buf_addf(out, "\n---%s\n---@class %s\nlocal %s_ = {}\n", t->doc, t->name, t->name);
        char owner[80];
        snprintf(owner, sizeof owner, "%s_", t->name);
        for (const struct bind_fn *f = t->methods; f != NULL && f->name != NULL; f++)
            stub_function(owner, ":", f, out);
    }
}

void docs_stubs(const struct bind_module *const *modules, struct buf *out) {
    buf_adds(out, "---@meta\n-- Made by the engine from its own tables; do not edit.\n");
    EACH_MODULE(m, modules) stub_types(*m, out);
    EACH_MODULE(m, modules) {
        const char *name = (*m)->name;
        struct str root = root_of(name);
        if (root.n != strlen(name) && first_of_root(modules, m, ~0u))
            buf_addf(out, "\n%.*s = {}\n", STR_FMT(root));
        if (name[0] != '\0' && first_of_name(modules, m))
            buf_addf(out, "\n---%s\n---@class %s\n%s = {}\n", (*m)->doc, name, name);
        EACH_FN(f, *m) stub_function(name, name[0] == '\0' ? "" : ".", f, out);
    }
}

/* ---- reference ---- */

struct style { /* what differs between the two forms; `text` escapes */
    bool html;
    struct buf *out;
};

static void text(const struct style *s, const char *t) {
    for (; *t != '\0'; t++) {
        const char *escaped = !s->html    ? NULL
                              : *t == '<' ? "&lt;"
                              : *t == '>' ? "&gt;"
                              : *t == '&' ? "&amp;"
                              : *t == '"' ? "&quot;"
                                          : NULL;
        if (escaped != NULL)
            buf_adds(s->out, escaped);
        else if (!s->html && *t == '|')
            buf_adds(s->out, "\\|");
        else
            buf_addc(s->out, *t);
    }
}

static void heading(const struct style *s, int level, const char *t) {
    if (s->html)
        buf_addf(s->out, "<h%d>", level);
    else
        buf_addf(s->out, "\n%.*s ", level, "####");
    text(s, t);
    if (s->html)
        buf_addf(s->out, "</h%d>\n", level);
    else
        buf_adds(s->out, "\n");
}

static void paragraph(const struct style *s, const char *t) {
    buf_adds(s->out, s->html ? "<p>" : "\n");
    text(s, t);
    buf_adds(s->out, s->html ? "</p>\n" : "\n");
}

static void table_begin(const struct style *s, const char *a, const char *b, const char *c) {
    if (s->html)
        buf_addf(s->out,
                 "<table><thead><tr><th>%s</th><th>%s</th><th>%s</th></tr></thead><tbody>\n", a, b,
                 c);
    else
        buf_addf(s->out, "\n| %s | %s | %s |\n| --- | --- | --- |\n", a, b, c);
}
static void table_row(const struct style *s, const char *a, const char *b, const char *c) {
    const char *const cells[] = {a, b, c};
    buf_adds(s->out, s->html ? "<tr>" : "|");
    for (int i = 0; i < 3; i++) {
        buf_adds(s->out, s->html ? (i == 0 ? "<td><code>" : "<td>") : (i == 0 ? " `" : " "));
        if (!s->html && i == 0)
            buf_adds(s->out, cells[i]);
        else
            text(s, cells[i]);
        buf_adds(s->out, s->html ? (i == 0 ? "</code></td>" : "</td>") : (i == 0 ? "` |" : " |"));
    }
    buf_adds(s->out, s->html ? "</tr>\n" : "\n");
}
static void table_end(const struct style *s) {
    if (s->html) buf_adds(s->out, "</tbody></table>\n");
}

static void kind_list(unsigned kinds, char out[160]) {
    out[0] = '\0';
    if ((kinds & KINDS_ALL) == KINDS_ALL || (kinds & KINDS_IO) == KINDS_IO) {
        snprintf(out, 160, "%s", (kinds & KIND_RULE) != 0 ? "all" : "all but rules");
        return;
    }
    for (size_t k = 0; k < KIND_COUNT; k++)
        if ((kinds & KINDS[k].kind) != 0) {
            size_t n = strlen(out);
            snprintf(out + n, 160 - n, "%s%s", n == 0 ? "" : ", ", KINDS[k].word);
        }
}

static void function_row(const struct style *s, const char *owner, const char *divider,
                         const struct bind_fn *f) {
    char call[320], kinds[160];
    bool constant = f->sig[0] == '=';
    const char *arrow = strstr(f->sig, "->");
    int params = (int)(arrow == NULL ? strlen(f->sig) : (size_t)(arrow - f->sig));
    while (params > 0 && f->sig[params - 1] == ' ')
        params--;
    if (constant)
        snprintf(call, sizeof call, "%s%s%s", owner, divider, f->name);
    else
        snprintf(call, sizeof call, "%s%s%s(%.*s)%s%s", owner, divider, f->name, params, f->sig,
                 arrow == NULL ? "" : " ", arrow == NULL ? "" : arrow);
    kind_list(f->kinds, kinds);
    table_row(s, call, f->doc, kinds);
}

static void contracts(const struct style *s) {
    for (size_t k = 0; k < KIND_COUNT; k++) {
        const struct manifest_field *f = manifest_fields(KINDS[k].kind);
        char title[80];
        if (f == NULL) continue;
        snprintf(title, sizeof title, "%s: what the script returns", KINDS[k].files);
        heading(s, 3, title);
        table_begin(s, "field", "what it is", "expected");
        for (; f->name != NULL; f++) {
            char expected[240];
            snprintf(expected, sizeof expected, "%s%s%s%s", manifest_type_name(f->type),
                     f->choices == NULL ? "" : ": ", f->choices == NULL ? "" : f->choices,
                     f->required ? "; required" : "");
            table_row(s, f->name, f->doc, expected);
            for (const struct manifest_field *sub = f->sub; sub != NULL && sub->name != NULL;
                 sub++) {
                char name[80];
                snprintf(name, sizeof name, "%s.%s", f->name, sub->name);
                table_row(s, name, sub->doc, manifest_type_name(sub->type));
            }
        }
        table_end(s);
    }
}

static void reference(const struct bind_module *const *modules, const struct style *s) {
    heading(s, 1, "Script reference");
    paragraph(s,
              "What a script can call, and what it declares. Made from the engine's own tables.");
    heading(s, 2, "Functions");
    EACH_MODULE(m, modules) {
        heading(s, 3, (*m)->name[0] == '\0' ? "Plain functions" : (*m)->name);
        paragraph(s, (*m)->doc);
        if ((*m)->fns != NULL && (*m)->fns[0].name != NULL) {
            table_begin(s, "call", "what it does", "for");
            EACH_FN(f, *m) function_row(s, (*m)->name, (*m)->name[0] == '\0' ? "" : ".", f);
            table_end(s);
        }
        for (const struct bind_type *t = (*m)->types; t != NULL && t->name != NULL; t++) {
            heading(s, 4, t->name);
            paragraph(s, t->doc);
            if (t->methods == NULL || t->methods[0].name == NULL) continue;
            table_begin(s, "call", "what it does", "for");
            for (const struct bind_fn *f = t->methods; f->name != NULL; f++)
                function_row(s, t->name, ":", f);
            table_end(s);
        }
    }
    heading(s, 2, "Contracts");
    contracts(s);
}

void docs_markdown(const struct bind_module *const *modules, struct buf *out) {
    reference(modules, &(struct style){false, out});
}

void docs_html(const struct bind_module *const *modules, struct buf *out) {
    buf_adds(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                  "<meta name=\"viewport\" content=\"width=device-width\">"
                  "<title>Luwak: script reference</title><style>"
                  "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;"
                  "padding:0 1rem}table{border-collapse:collapse;width:100%}"
                  "td,th{text-align:left;vertical-align:top;padding:.3rem .6rem;"
                  "border-bottom:1px solid #ccc}code{font-size:.9em}</style></head><body>\n");
    reference(modules, &(struct style){true, out});
    buf_adds(out, "</body></html>\n");
}

/* ---- names ---- */

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void docs_names(const struct bind_module *const *modules, enum script_kind kind, struct buf *out) {
    char names[1024][64];
    const char *sorted[1024];
    size_t count = 0;
    EACH_MODULE(m, modules) EACH_FN(f, *m) {
        if ((f->kinds & kind) == 0 || count == 1024) continue;
        snprintf(names[count], sizeof names[0], "%s%s%s", (*m)->name,
                 (*m)->name[0] == '\0' ? "" : ".", f->name);
        sorted[count] = names[count];
        count++;
    }
    // cppcheck-suppress uninitvar ; all below count are set
    qsort(sorted, count, sizeof sorted[0], by_text);
    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%s\n", sorted[i]);
}
