/* Personal data: names, mail addresses, phone numbers, raw bodies. Each piece is sealed with a key
 * of its own, and that key under the data key (LUWAK_DATA_KEY): forgetting a piece is deleting its
 * key. Everything else holds ids only. */
#ifndef LUWAK_CORE_PERSON_H
#define LUWAK_CORE_PERSON_H

#include "base/buf.h"
#include "core/core.h"

/* `customer`, `options`: the JSON objects as the merchant gave them (options are the payer's too: a
 * wallet's phone number); empty: none. `id`: "per_...", made where it is empty. */
int person_add(const struct core *core, struct commit *commit, struct str merchant,
               struct str customer, struct str options, char id[ID_SIZE], struct why *why);
/* Appends the customer's JSON, "null" where only options were given. E_NOTFOUND; E_CLOSED: erased. */
int person_open(const struct core *core, struct str id, struct buf *out);
/* Appends the options' JSON, "{}" where there were none. */
int person_open_options(const struct core *core, struct str id, struct buf *out);
/* Forgets the person, and the bodies of the callbacks for its payments. */
void person_add_erase(const struct core *core, struct commit *commit, struct str id);

/* Copies JSON of ours (a payment, an event's data, a stored answer) and puts the customer in place
 * of {"id":"per_..."}; null when it was erased. Without one it is a plain copy. */
int customer_fill(const struct core *core, struct str json, struct buf *out);

/* Copies the document of an operation with what is personal put into its input: the customer in place
 * of his id, the options beside it. */
int input_fill(const struct core *core, struct str doc, struct buf *out);

/* The sealing itself, for bodies (inbox.h) and destinations of refunds: a fresh key sealed under
 * the data key into `key`, the text sealed with it into `sealed`. `context`: the row it is for.
 * E_CONFIG: the data key it was sealed under is not there. */
int piece_seal(const struct core *core, const char *purpose, struct str context, struct str plain,
               struct buf *key, struct buf *sealed);
int piece_open(const struct core *core, const char *purpose, struct str context, struct str key,
               struct str sealed, struct buf *out);

#endif
