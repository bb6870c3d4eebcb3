/* A transport without a network: requests go straight to a handler in the process, in the loop's
 * time, with misbehaviour drawn from the injected generator. On the simulated loop a whole exchange
 * is deterministic from the seed.
 *
 * Each request is checked and allow-listed as the real client does, then:
 *
 *   refused ------------------------------------------------> "refused", sent = false
 *   lost before the far side ... total_ms ------------------> "timeout", sent = true
 *   delivered (perhaps twice) -> handler -> local_answer
 *        answer lost ........... total_ms ------------------> "timeout", sent = true
 *        reset ---------------------------------------------> "reset",   sent = true
 *        answered within total_ms --------------------------> the answer */
#ifndef LUWAK_NET_TRANSPORT_LOCAL_H
#define LUWAK_NET_TRANSPORT_LOCAL_H

#include "loop/loop.h"
#include "net/transport.h"

struct local_exchange; /* one delivery; the handler's until local_answer */

/* Called on the loop, in a turn of its own. `request` is alive until local_answer. A handler that
 * never answers leaves the caller to its timeout. */
typedef void (*local_handler)(struct local_exchange *exchange, const struct http_out *request,
                              void *data);

/* At once or later, exactly once; copies what it is given. After the transport was destroyed no
 * more: the handler is told by `gone`, if set. */
void local_answer(struct local_exchange *exchange, int status, const struct http_header *headers,
                  size_t header_count, struct str body);

/* What goes wrong with one request. */
struct local_fate {
    bool refused;
    bool lost;         /* never reaches the handler */
    bool answer_lost;  /* reaches it, the answer does not come back */
    bool reset;        /* likewise, and the caller sees the connection end */
    bool twice;        /* reaches it twice; the first answer counts */
    uint32_t there_ms; /* delays */
    uint32_t twice_ms; /* of the second delivery, after the first */
    uint32_t back_ms;
};

struct local_odds { /* per mille, drawn in this order; 0: never */
    uint16_t refused, lost, answer_lost, reset, twice;
    uint32_t delay_max_ms; /* each way, uniform */
};

struct local_options {
    struct loop *loop;
    struct rng *rng; /* NULL: no odds */
    local_handler handle;
    void *data;
    struct local_odds odds;
    /* Decides for single requests: fate holds what was drawn and may be changed. NULL: the odds. */
    void (*decide)(const struct http_out *request, struct local_fate *fate, void *data);
    void (*gone)(struct local_exchange *exchange, void *data); /* destroyed unanswered */
};

int transport_local_new(struct transport **out, const struct local_options *options);
void transport_local_odds(struct transport *t, const struct local_odds *odds); /* from now on */

#endif
