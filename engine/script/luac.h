/* What a script's compiled form says about it: globals read and written, and fields read of the
 * engine's own modules, with lines. Reads the bytecode that we made ourselves from text in this
 * process (Lua 5.4 format); never runs it and never reads any other.
 *
 * Fields are followed through `local m = require "m"`, `local f = m.sub`, upvalues that are never
 * written, and parameters named ctx. Where a value might come from two places it is not followed:
 * what is reported is certain. */
#ifndef LUWAK_SCRIPT_LUAC_H
#define LUWAK_SCRIPT_LUAC_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

enum luac_use {
    LUAC_READ,  /* global `name` is read */
    LUAC_WRITE, /* global `name` is written */
    LUAC_FIELD  /* `name` is read of `path` ("json", "ctx.http") */
};

struct luac_walk {
    void (*use)(void *data, enum luac_use use, const char *path, struct str name, int line);
    /* Is the dotted path a module's? Its fields are reported then. */
    bool (*module)(void *data, const char *path);
    void *data;
};

int luac_walk(struct str code, const struct luac_walk *walk);

#endif
