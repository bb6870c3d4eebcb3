#ifndef LUWAK_SCRIPT_BIND_REQUEST_H
#define LUWAK_SCRIPT_BIND_REQUEST_H

#include "script/bind.h"

struct call_context;

/* Pushes the request that `context` answers; see bind_request.c for what a script sees of it. */
void request_push(lua_State *L, const struct call_context *context);

#endif
