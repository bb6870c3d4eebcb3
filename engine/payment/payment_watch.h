/* Browsers that wait for news of a payment: one stream of server-sent events each, on the worker
 * that took the request. They cost a few hundred bytes besides their connection and no reading:
 * after each commit the store says which payments it moved (store_listen), and only one that
 * somebody here watches is read, once for all who do. Nothing is heard while nobody watches.
 *
 * A stream begins with the state as it stands, so that nothing is missed between a page and its
 * stream; each message is {"generation","status","attempt"}. It ends with the payment. */
#ifndef LUWAK_PAYMENT_WATCH_H
#define LUWAK_PAYMENT_WATCH_H

#include "core/core.h"
#include "net/http_server.h"

struct payment_watch;

/* On the worker's loop. `streams_max`: more are refused, so that requests find room beside them. */
int payment_watch_new(struct payment_watch **out, struct loop *loop, const struct core *core,
                      size_t streams_max);
/* After the server is gone: every stream has ended by then. */
void payment_watch_delete(struct payment_watch *watch);

/* Answers the exchange with the payment's stream. 204, which tells a browser not to ask again,
 * where there are too many; 404 where there is no such payment. `watch` NULL: 204. */
void payment_watch_open(struct payment_watch *watch, struct http_exchange *x, struct str payment);

size_t payment_watch_streams(const struct payment_watch *watch);

#endif
