/* Personal data: names, mail addresses, phone numbers, raw bodies. Each piece is sealed with a key
 * of its own, and that key under the data key (LUWAK_DATA_KEY): forgetting a piece is deleting its
 * key. Everything else holds ids only. */
#ifndef LUWAK_CORE_PERSON_H
#define LUWAK_CORE_PERSON_H

#include "base/buf.h"
#include "core/core.h"

/* `customer`: the JSON object as the merchant gave it; `id` out: "per_...". */
int person_add(const struct core *core, struct commit *commit, struct str merchant,
               struct str customer, char id[ID_SIZE], struct why *why);
/* Appends the customer's JSON. E_NOTFOUND; E_CLOSED: erased. */
int person_open(const struct core *core, struct str id, struct buf *out);
/* Forgets the person, and the bodies of the callbacks for its payments. */
void person_add_erase(const struct core *core, struct commit *commit, struct str id);

/* Copies JSON of ours (a payment, an event's data, a stored answer) and puts the customer in place
 * of {"id":"per_..."}; null when it was erased. Without one it is a plain copy. */
int customer_fill(const struct core *core, struct str json, struct buf *out);

/* The sealing itself, for bodies (inbox.h) and destinations of refunds: a fresh key sealed under
 * the data key into `key`, the text sealed with it into `sealed`. `context`: the row it is for. */
int piece_seal(const struct core *core, const char *purpose, struct str context, struct str plain,
               struct buf *key, struct buf *sealed);
int piece_open(const struct core *core, const char *purpose, struct str context, struct str key,
               struct str sealed, struct buf *out);

#endif
