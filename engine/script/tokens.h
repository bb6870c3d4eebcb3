/* Access tokens of providers: one cache per engine, keyed by (account, key). One call fetches, the
 * others wait for it or use the old token while it still lives; a token is refreshed at 80 % of its
 * life. Sealed copies in the store let them outlive a restart, and an account's many other names. */
#ifndef LUWAK_SCRIPT_TOKENS_H
#define LUWAK_SCRIPT_TOKENS_H

#include <lua.h>

struct token_cache;
struct seal_ring;

int tokens_new(struct token_cache **out, const struct seal_ring *ring);
void tokens_delete(struct token_cache *t);

int tokens_l_token(lua_State *L); /* ctx.token(key, fetch) */

#endif
