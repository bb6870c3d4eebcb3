/* What is generated from the tables of bindings (bind.h): lint lists, type stubs, the reference.
 * All writers append; out->err tells of memory. */
#ifndef LUWAK_SCRIPT_BIND_DOCS_H
#define LUWAK_SCRIPT_BIND_DOCS_H

#include "base/buf.h"
#include "base/err.h"
#include "script/bind.h"

/* ---- the language of signatures ----
 *
 *     sig     = [params] ["->" results]      "data: string|secret, key?: string -> string, string?"
 *             | "=" type                      a constant
 *     params  = param {"," param}
 *     param   = name ["?"] ":" type | "..." [":" type]
 *     results = result {"," result}          a type; "T..." any number of it; "..." of any
 *     type    = one {"|" one}
 *     one     = (name | "{" params "}") ["[]"] ["?"]
 *     name    = string integer number boolean table function list any nil, or the name of a
 *               userdata type or of a shape
 *
 * list: a list of strings and secrets. */
#define SIG_PARAMS_MAX 12
struct sig_item {
    struct str name; /* of a parameter; "..." for the rest; empty in results */
    struct str type; /* "string|secret", without a last "?"; "any" where none is said */
    bool optional;
    bool many; /* any number of it */
};
struct sig {
    struct sig_item params[SIG_PARAMS_MAX], results[SIG_PARAMS_MAX];
    int param_count, result_count;
    bool constant; /* a value of type results[0] */
};
int sig_parse(struct sig *out, const char *text, struct why *why);

/* ---- generated files ---- */

/* .luacheckrc: a std list per kind of folder. */
void docs_luacheck(const struct bind_module *const *modules, struct buf *out);

/* ---@meta stubs for lua-language-server: all modules, userdata types and ctx. */
void docs_stubs(const struct bind_module *const *modules, struct buf *out);

/* The reference: functions with kinds and doc lines, and the contract of each kind of script. */
void docs_markdown(const struct bind_module *const *modules, struct buf *out);
void docs_html(const struct bind_module *const *modules, struct buf *out); /* a whole page */

/* Names that a script of this kind reaches: "json.decode", "pending", "ctx.http.get"; one a line,
 * sorted. What a walk through a state of that kind must find. */
void docs_names(const struct bind_module *const *modules, enum script_kind kind, struct buf *out);

#endif
