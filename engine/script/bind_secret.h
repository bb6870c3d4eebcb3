/* secret: bytes that a script can pass on but never see. A userdata whose every conversion raises:
 * tostring, .., #, ==, json.encode, log. Signers take it, header slots take it (filled in at send,
 * to declared hosts only). What is derived by a signer is plain unless the signer says else. */
#ifndef LUWAK_SCRIPT_BIND_SECRET_H
#define LUWAK_SCRIPT_BIND_SECRET_H

#include "base/buf.h"
#include "script/bind.h"

#define SECRET_TYPE "secret"

void secret_push(lua_State *L, struct str bytes, const char *name); /* copies; wiped on collect */
bool secret_is(lua_State *L, int index);
struct str secret_bytes(lua_State *L, int index); /* raises if it is none */
const char *secret_name(lua_State *L, int index);

/* Bytes of a string, a secret, or a list of both, concatenated; raises otherwise. `hold` is pushed
 * on the stack when memory is needed, so that an error cannot leak it. */
struct str bytes_arg(lua_State *L, int index);

#endif
