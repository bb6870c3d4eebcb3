/* The module `crypto`, in three files: bind_crypto.c has the list of functions and the plain ones,
 * bind_crypto_cipher.c ciphers, bind_crypto_key.c what uses keys and passwords. */
#ifndef LUWAK_SCRIPT_BIND_CRYPTO_H
#define LUWAK_SCRIPT_BIND_CRYPTO_H

#include "script/bind.h"
#include "script/bind_secret.h"
#include "sys/crypto_text.h"

extern const struct bind_module bind_crypto;

/* How a result is given out: an encoding, or "secret": raw bytes in a secret. */
#define OUT_SECRET 100

int out_arg(lua_State *L, int index, int otherwise); /* an encoding's name, or nil; raises */
void out_push(lua_State *L, struct str bytes, int how);
/* The same, in a secret; the buffer is wiped. */
void out_push_hidden(lua_State *L, struct buf *bytes, int how);

/* Text that carries bytes: `how` as above; E_SYNTAX if it is not what it should be. The bytes are
 * a string on the stack. Base64 is taken with or without its padding, as providers send both. */
int in_push(lua_State *L, struct str text, int how);

/* Fields of the options table at `index` (nil: no options); names other than those listed raise, so
 * that a misspelt option is not silently the default. */
void options_check(lua_State *L, int index, const char *const *names);
bool option_push(lua_State *L, int index, const char *name); /* false: nothing pushed */
lua_Integer option_int(lua_State *L, int index, const char *name, lua_Integer otherwise,
                       lua_Integer least, lua_Integer most);
int option_out(lua_State *L, int index, int otherwise); /* "encoding" */
int option_choice(lua_State *L, int index, const char *name, const char *const *choices,
                  int otherwise);

int crypto_l_aes_encrypt(lua_State *L);
int crypto_l_aes_decrypt(lua_State *L);
int crypto_l_des3_encrypt(lua_State *L);
int crypto_l_des3_decrypt(lua_State *L);
int crypto_l_rsa_sign(lua_State *L);
int crypto_l_rsa_verify(lua_State *L);
int crypto_l_ecdsa_sign(lua_State *L);
int crypto_l_ecdsa_verify(lua_State *L);
int crypto_l_ed25519_sign(lua_State *L);
int crypto_l_ed25519_verify(lua_State *L);
int crypto_l_public_key(lua_State *L);
int crypto_l_jwt_sign(lua_State *L);
int crypto_l_jwt_verify(lua_State *L);
int crypto_l_password_hash(lua_State *L);
int crypto_l_password_verify(lua_State *L);

#endif
