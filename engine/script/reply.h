/* What a route returned, as bytes for the HTTP layer: `return status, body, headers` or
 * `return reply(status, body, headers)`. A table body is JSON, a text is sent as it is. */
#ifndef LUWAK_SCRIPT_REPLY_H
#define LUWAK_SCRIPT_REPLY_H

#include "base/buf.h"
#include "base/id.h"
#include "net/transport.h" /* struct http_header */

#include <lua.h>

#define REPLY_HEADERS_MAX 32

struct reply {
    int status;
    struct buf body;
    struct buf names; /* the bytes of the headers */
    struct http_header headers[REPLY_HEADERS_MAX];
    size_t header_count;
    char watch[ID_SIZE]; /* core.checkout.watch(): the payment whose stream it is; empty: none */
};

/* Reads the `n` results on top of the stack; raises with a text that names what is wrong. */
void reply_take(lua_State *L, int n, struct reply *out);
void reply_free(struct reply *r);

#endif
