/* JSON Web Tokens in compact form, signed. The caller says which algorithm and key it expects; the
 * token's header is only compared with that, after the signature was checked, and never chooses
 * anything. Payloads are bytes: what was signed is what comes out. Times (exp, nbf) are the
 * caller's to judge. */
#ifndef LUWAK_SYS_CRYPTO_JWT_H
#define LUWAK_SYS_CRYPTO_JWT_H

#include "sys/crypto_key.h"

enum jwt_alg { JWT_HS256, JWT_RS256, JWT_ES256, JWT_EDDSA };

int jwt_alg_by_name(struct str name); /* "RS256"; -1: none of ours ("none" is none) */

struct jwt_key {
    enum jwt_alg alg;
    struct str secret;            /* HS256 */
    const struct crypto_key *key; /* the others */
};

/* `kid` (n = 0: none): visible ASCII without quotes. */
int jwt_sign(const struct jwt_key *key, struct str kid, struct str payload, struct buf *out,
             struct why *why);
/* Appends the payload; E_DENIED: bad signature or another alg; E_SYNTAX: no token. */
int jwt_verify(const struct jwt_key *key, struct str token, struct buf *payload, struct why *why);

#endif
