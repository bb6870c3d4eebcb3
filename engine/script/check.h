/* `luwak check`: everything that can be known about a script without serving it. Syntax, modules
 * that are not there, globals that nobody has, fields that the engine's modules do not have,
 * functions that this kind may not use, writes to globals, the contract of its kind, configuration
 * keys that are not set, routes that two scripts have. The script's main chunk runs once, aside. */
#ifndef LUWAK_SCRIPT_CHECK_H
#define LUWAK_SCRIPT_CHECK_H

#include "script/version.h"

struct check_options {
    const char *root;
    const struct bind_module *const *modules; /* BIND_MODULES */
    /* Is this configuration key set? NULL: not asked. */
    bool (*key_set)(void *data, const char *key);
    /* Told of a key that is not set where nothing says that it must be; NULL: that is a finding. */
    void (*note)(void *data, const char *path, int line, const char *text);
    /* Each finding: print "PATH:LINE: TEXT" (line 0: none). */
    void (*finding)(void *data, const char *path, int line, const char *text);
    void *data;
};

/* Checks one file; its path is relative to the root, or absolute with `kind` given (a tool's file
 * may lie anywhere). kind 0: by its folder. Returns the number of findings, or a negative code. */
int check_file(const struct check_options *o, const char *path, unsigned kind);

/* Checks all scripts and modules of the root, and what only shows between them. */
int check_all(const struct check_options *o);

#endif
