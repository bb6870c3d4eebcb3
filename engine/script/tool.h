/* One-off scripts (`luwak run FILE`): loading, their arguments, and what they say.
 *
 * Arguments come from the manifest's `args`, each by its place or by its name: `import.lua FILE 10`
 * or `import.lua --file=FILE --limit 10`. A flag is only ever named. The script gets one table of
 * them, typed: int and amount are integers, flag a boolean, the others texts. */
#ifndef LUWAK_SCRIPT_TOOL_H
#define LUWAK_SCRIPT_TOOL_H

#include "base/buf.h"
#include "script/manifest.h"

#include <stdio.h>

#define TOOL_ARGS_MAX 32

struct tool_args {
    const struct manifest_args *spec;
    const char *text[TOOL_ARGS_MAX]; /* views into argv; NULL: left out */
    int64_t number[TOOL_ARGS_MAX];   /* of int, amount, flag */
};

/* Builds and checks a script that was named on the command line. Its path may lie anywhere, or (`own`) is one below root; its modules
 * come from root's scripts/lib. */
int tool_load(struct version **out, const char *root, const char *path, bool own, struct why *why);
int tool_load_kind(struct version **out, enum script_kind kind, const char *root, const char *path,
                   bool own, struct why *why);

int tool_parse(struct tool_args *out, const struct manifest_args *spec, const char *const *argv,
               size_t count, struct why *why); /* E_USAGE: one line */
void tool_help(const struct manifest *m, const char *path, struct buf *out);
int tool_push(lua_State *L, const struct tool_args *args); /* protected; pushes args and say */

/* Where a script's lines and progress go. Zeroed but for the files. */
struct say {
    FILE *out, *err;
    bool terminal;  /* err is one: a bar, else a line now and then */
    int width;      /* of the terminal */
    uint64_t drawn; /* when the bar was, monotonic ms */
    int64_t said;   /* the last progress told as a line */
    bool bar;       /* there is one on the screen */
};
void say_line(struct say *say, struct str text);
void say_progress(struct say *say, int64_t n, int64_t total, uint64_t now_ms); /* total 0: open */
void say_end(struct say *say);

#endif
