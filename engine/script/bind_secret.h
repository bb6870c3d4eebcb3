/* secret: bytes that a script can pass on but never see. A userdata whose every conversion raises:
 * tostring, .., #, ==, <, fields, json.encode, log. Signers take it, header slots take it (filled
 * in at send, to declared hosts only). What is derived by a signer is plain unless the signer says
 * else. */
#ifndef LUWAK_SCRIPT_BIND_SECRET_H
#define LUWAK_SCRIPT_BIND_SECRET_H

#include "base/buf.h"
#include "script/bind.h"

#define SECRET_TYPE "secret"

void secret_push(lua_State *L, struct str bytes, const char *name); /* copies; wiped on collect */
bool secret_is(lua_State *L, int index);
struct str secret_bytes(lua_State *L, int index); /* raises if it is none */
const char *secret_name(lua_State *L, int index);

/* Bytes of a string, a secret, or a list of both, concatenated; raises otherwise (numbers too:
 * their text is not what was meant). `hold` is pushed on the stack when memory is needed, so that
 * an error cannot leak it; it is wiped on collection. Valid while the argument (or hold) stays on
 * the stack. */
struct str bytes_arg(lua_State *L, int index);

/* Is it a secret, or a list that holds one? What only changes the form of such bytes (base64, join)
 * makes a secret again. */
bool bytes_secret(lua_State *L, int index);

/* The same bytes with each secret's name in its place, "[MIDTRANS_SERVER_KEY]". */
void bytes_shown(lua_State *L, int index, struct buf *out);

int secret_open(lua_State *L); /* makes the metatable; secret_push does it when nobody did */

#define BYTES_MAX      (16u * 1024 * 1024) /* of one argument */
#define BYTES_LIST_MAX 4096                /* parts of a list */

#endif
