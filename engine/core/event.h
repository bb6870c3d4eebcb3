/* Events of a merchant: one gapless sequence each. The event is also the outbox: webhook endpoints
 * read on from their cursor (webhook.h), so a change costs no row per endpoint.
 *
 * An event's id is made of when it was and where it stands (48 bits of milliseconds, 't', 24 of
 * topic, 's', 40 of sequence), so it needs no index and sorts by age. The letters divide its many
 * zeros: in one run, 4 in 1,000 ids would read as card numbers, which our own door refuses. */
#ifndef LUWAK_CORE_EVENT_H
#define LUWAK_CORE_EVENT_H

#include "base/buf.h"
#include "core/core.h"

/* `object`: the id of what it is about; `data`: its JSON at this moment, with the customer's
 * placeholder. */
void event_add(const struct core *core, struct commit *commit, struct str merchant,
               const char *type, struct str object, struct str data);

void event_id_make(char out[ID_SIZE], int64_t at, int64_t topic, int64_t sequence);
int event_id_parse(struct str id, int64_t *at, int64_t *topic, int64_t *sequence); /* E_NOTFOUND */

/* Row `row` of the queries merchant_events, merchant_event, as the contract's event object. */
int event_json(const struct rows *rows, size_t row, struct buf *out);
/* The body of its webhook: {type,timestamp,sequence,data}. */
int event_webhook_json(const struct rows *rows, size_t row, struct buf *out);
/* One event by its id, if it is that merchant's: rows of merchant_event; E_NOTFOUND. */
int event_read(const struct core *core, struct str merchant, struct str id, struct rows **out);

/* "2026-01-31T10:00:00.000+07:00"; null for 0. */
struct json_out;
void json_put_time(struct json_out *w, const char *key, int64_t ms);

#endif
