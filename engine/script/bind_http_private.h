/* One request of a script: bind_http_read.c fills it from the script's table, bind_http.c sends it.
 */
#ifndef LUWAK_SCRIPT_BIND_HTTP_PRIVATE_H
#define LUWAK_SCRIPT_BIND_HTTP_PRIVATE_H

#include "base/buf.h"
#include "net/exchange.h"
#include "script/bind_http.h"
#include "script/co.h"

#define TOTAL_MS       30000
#define TRIES_MAX      10
#define PAUSE_MAX_MS   60000
#define BODY_OUT_MAX   (1u << 20)
#define RESPONSE_LIMIT (4u << 20)

struct field { /* a header: offsets into http_op.text, because that may move */
    size_t name, name_n, value, value_n;
};

struct http_op {
    struct co_wait wait;
    struct loop *loop;
    struct http_caps *caps; /* of the call; not to be touched once it was cancelled */
    struct transport *transport;
    struct http_call *call; /* in flight, or NULL */
    struct timer pause;
    struct buf text; /* while reading: names, values */
    struct buf body;
    struct field fields[OUT_HEADERS_MAX];
    size_t field_count;
    struct out_copy out; /* what is sent, at each try */
    bool effect;
    int tries, tried;
    uint32_t pause_ms, pause_max_ms, factor, jitter; /* jitter: percent that may be taken away */
    struct answer_copy answer;                       /* the last one, ours */
};

/* Fills op->out from the table at `args`; raises for what is no request. */
void http_op_read(lua_State *L, struct http_op *op, int args, const char *method);

/* A function of a built-in module, as the script itself would call it. */
void http_push_builtin(lua_State *L, const char *module, const char *name);

#endif
