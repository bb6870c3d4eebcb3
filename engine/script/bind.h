/* What a script can call is declared once, next to its C function, with its signature and doc line.
 * From these tables come: the cage's allow-list, .luacheckrc, the ---@meta stubs for
 * lua-language-server, the reference at /docs/scripts, and the test that walks a script's world.
 *
 * One file bind_x.c per subject holds one `const struct bind_module bind_x`; bind.c lists them all.
 */
#ifndef LUWAK_SCRIPT_BIND_H
#define LUWAK_SCRIPT_BIND_H

#include <lauxlib.h>
#include <lua.h>

/* Kinds of script, as bits: who sees a function. */
enum script_kind {
    KIND_CHANNEL = 1 << 0,   /* channels/              caged */
    KIND_RULE = 1 << 1,      /* rules/                 caged, pure: no I/O, no clock, no waiting */
    KIND_BILLER = 1 << 2,    /* scripts/billers/       caged */
    KIND_SANDBOX = 1 << 3,   /* scripts/sandbox/       caged: a provider's simulator */
    KIND_API = 1 << 4,       /* scripts/api/           trusted */
    KIND_JOB = 1 << 5,       /* scripts/jobs/          trusted */
    KIND_PAGE = 1 << 6,      /* scripts/pages/         trusted */
    KIND_TOOL = 1 << 7,      /* scripts/tools/, files given to `luwak run`   trusted */
    KIND_MIGRATION = 1 << 8, /* scripts/migrations/  trusted */
    KIND_TEST = 1 << 9,      /* tests, plays           trusted */
    KIND_LIB = 1 << 10,      /* scripts/lib/: sees what the script that requires it sees */
    KIND_QUERY = 1 << 11,    /* scripts/queries/: no script, but watched like one */
};
#define KINDS_CAGED   (KIND_CHANNEL | KIND_RULE | KIND_BILLER | KIND_SANDBOX)
#define KINDS_TRUSTED (KIND_API | KIND_JOB | KIND_PAGE | KIND_TOOL | KIND_MIGRATION | KIND_TEST)
#define KINDS_ALL     (KINDS_CAGED | KINDS_TRUSTED)
#define KINDS_IO      (KINDS_ALL & ~KIND_RULE) /* everything that may wait */

struct bind_fn {
    const char *name; /* "sha256"; in module "crypto" it is crypto.sha256 */
    lua_CFunction fn; /* NULL: a plain Lua function of the standard library, kept as it is */
    unsigned kinds;   /* who sees it */
    const char *sig;  /* "data: string|secret|list, key?: string -> string, string?"; of a constant:
                         "= number" */
    const char *doc;  /* one line */
};

/* A method of a userdata type, reached as value:name(). */
struct bind_type {
    const char *name; /* the Lua type's name, "secret"; also its metatable's key in the registry */
    const char *doc;
    const struct bind_fn *methods; /* ended by {0} */
    int (*open)(lua_State *L);     /* makes the metatable; runs protected, once per state */
};

struct bind_module {
    const char *name; /* global and require name; "" : plain globals (pending, reply, secret ...);
                         "ctx", "ctx.http": tables below ctx */
    const char *doc;
    const struct bind_fn *fns;     /* ended by {0} */
    const struct bind_type *types; /* ended by {0}; or NULL */
};

int bind_l_rawset(lua_State *L);                       /* refuses what is locked */
extern const struct bind_module *const BIND_MODULES[]; /* NULL-ended; bind.c */

/* Puts all modules that `kind` may see into the table at the top of the stack. */
void bind_open(lua_State *L, enum script_kind kind);

/* ---- errors of bindings: return nil, text, CODE for what can happen; raise on misuse ---- */
int bind_fail(lua_State *L, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
