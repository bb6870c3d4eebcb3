/* The door of the API: no card number comes in, wherever it stands. Path parameters, query, headers
 * and body are looked through, decoded; JSON and forms field by field, so that fields whose values
 * are numbers by their nature (order ids, virtual accounts, phones: the table in card_door.c) may
 * hold what only looks like a card. A body that is no JSON and does not say that it is a form is
 * looked through both as a form and as text.
 *
 * Not looked into: Authorization. What stands there is compared with the hashes of keys and then
 * forgotten; no part of it is kept or logged, and a key that is no key is a 401. Nor headers in which
 * a machine numbers calls (card_door.c): their numbers are random, and we keep and log none. */
#ifndef LUWAK_NET_CARD_DOOR_H
#define LUWAK_NET_CARD_DOOR_H

#include "net/http_server.h"
#include "net/router.h"

#define CARD_PARAM_SIZE 128

/* 0: no card number. E_DENIED: there is one, in the field that `param` names ("" where the name
 * itself holds it; never the number). E_NOMEM: not looked through. Linear in the request. */
int card_door_check(const struct http_exchange *x, const struct route_match *match,
                    char param[CARD_PARAM_SIZE]);

#endif
