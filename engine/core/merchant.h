/* Merchants, their API keys, and provider accounts. A key is shown once: kept sealed, found by its
 * hash; it can be revoked, never changed. */
#ifndef LUWAK_CORE_MERCHANT_H
#define LUWAK_CORE_MERCHANT_H

#include "base/buf.h"
#include "base/json.h"
#include "core/core.h"

#define MERCHANT_RATE_DEFAULT 100 /* requests a minute; 0: no limit */
#define API_KEY_SIZE          (8 + TOKEN_SIZE)

struct merchant {
    char id[ID_SIZE]; /* empty: made anew ("mer_...") */
    struct str name;
    bool direct;    /* it means to have provider contracts of its own */
    bool suspended; /* reads only */
    int64_t rate;
    struct str allow; /* addresses and networks, by spaces; empty: any */
};
/* Adds it, or changes all of it. */
int merchant_put(const struct core *core, struct commit *commit, struct merchant *merchant,
                 struct why *why);

/* By Bank Indonesia's criterion (UMI, UKE, UME, UBE, EDUCATION ...), which rules about fees are told;
 * empty: none. E_INVAL: it is no word. */
int merchant_add_category(const struct core *core, struct commit *commit, struct str merchant,
                          struct str category, struct why *why);
/* Puts it among the facts of a rule, where there is one. */
int merchant_put_category(const struct core *core, struct str merchant, struct json_out *facts);

/* A fresh key: sk_live_ in production, sk_test_ elsewhere. `given` (demo keys) instead of a random
 * one: not in production. The text is the only time it is seen. */
int api_key_add(const struct core *core, struct commit *commit, struct str merchant,
                struct str label, struct str given, char id[ID_SIZE], char text[API_KEY_SIZE],
                struct why *why);
void api_key_revoke(const struct core *core, struct commit *commit, struct str merchant,
                    struct str id);

struct caller {
    char merchant[ID_SIZE], key[ID_SIZE];
    bool suspended;
    int64_t rate;
    struct str allow;
    struct rows *rows;
};
/* Who a key belongs to. E_NOTFOUND: nobody, or it is revoked; E_DENIED: a key of the other mode. */
int api_key_find(const struct core *core, struct str text, struct caller *out);
void caller_free(struct caller *caller);
/* An API key opened again, for signatures that its owner checks with it (webhooks of other formats):
 * this one. Where it was revoked (whoever stole it could forge with it) or is none, the newest that
 * lives of the same label, for that is what a shop's next key bears, else the newest: in a signature
 * by another shop's key nobody would believe. E_NOTFOUND: the merchant has none. */
int api_key_open(const struct core *core, struct str merchant, struct str id, struct buf *out);

/* Provider accounts. "midtrans" is the shared one: its keys are configuration. "midtrans/mer_..." is
 * a merchant's own, with a server key of its own: a row, its keys sealed. The name is what references
 * and money ids are unique in; an attempt keeps it, and whatever is asked, refunded or verified for
 * that attempt later is done with that account's keys. An own account never falls back on a shared
 * key: money asked for with somebody else's key is somebody else's money. */
#define ACCOUNT_NAME_SIZE (48 + ID_SIZE)

/* `config`: JSON {"KEY":"value"}; a merchant's account of that provider is one. */
int account_put(const struct core *core, struct commit *commit, struct str provider,
                struct str merchant, struct str environment, struct str config, struct why *why);
/* Which one a new attempt of this merchant uses: its own where it has one, else the shared. */
int account_choose(const struct core *core, struct str provider, struct str merchant,
                   struct str environment, char out[ACCOUNT_NAME_SIZE]);
bool account_own(struct str name, struct str *merchant); /* false: the shared one */
/* Money that comes by it never passes us: the merchant's own contract, memo accounts. It is the account
 * that says so, not what kind of merchant it is: one without an account of its own is paid through us. */
bool account_direct(struct str name);
/* Appends the value of a key of an own account. E_NOTFOUND: no such account, or it has no such key.
 */
int account_key(const struct core *core, struct str name, struct str key, struct buf *out);
/* All its keys as they were given: JSON. */
int account_open(const struct core *core, struct str name, struct buf *out);

#endif
