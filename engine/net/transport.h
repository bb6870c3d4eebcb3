/* Requests out. Scripts and jobs call through a transport; which one is injected: curl on the
 * worker's loop (http_client.c), recorded exchanges for tests (replay.c), or straight into the
 * simulators.
 *
 * What matters most for money is `sent`: false only when it is proven that not one byte of the
 * request left this machine. A failure with sent = true is never "failed", it is unknown. */
#ifndef LUWAK_NET_TRANSPORT_H
#define LUWAK_NET_TRANSPORT_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct http_header {
    struct str name;
    struct str value;
};

struct http_call; /* in flight; owned by the transport until done */

struct http_out {
    struct str method;
    struct str url;
    const struct http_header *headers; /* checked: token names, values without CTL */
    size_t header_count;
    struct str body;
    bool effect;           /* can move money: fresh connection, never re-sent by anybody */
    bool follow_redirects; /* false unless asked; never for effects */
    uint32_t connect_ms;   /* 0: default 5 s */
    uint32_t total_ms;     /* 0: default 30 s */
    size_t response_max;   /* 0: default 1 MB */
    const char *const
        *hosts;             /* allow-list "api.example.com" or "api.example.com:8443"; NULL-ended */
    bool private_ok;        /* private addresses: simulated or granted */
    const char *networks;   /* "10.0.0.0/8,fd00::/8": only these private ones; NULL: any */
    const char *ca_file;    /* more trust for this host; NULL: the system's */
    const char *pinned_key; /* "sha256//..." */
    const char *client_cert; /* mTLS: PEM files */
    const char *client_key;
    struct str label; /* for logs and metrics: "midtrans charge" */
};

struct http_answer {
    int err;        /* 0, E_RESOLVE, E_CONNECT, E_TLS, E_TIMEOUT, E_RESET, E_LIMIT, E_DENIED ... */
    char name[32];  /* its public name: "timeout", "reset", "certificate", "too_large" ... */
    char text[192]; /* for a person */
    bool sent;      /* may the far side have seen the request? */
    int status;
    const struct http_header *headers; /* names in lower case; alive during done only */
    size_t header_count;
    struct str body;
    uint64_t took_us;
};
typedef void (*http_answer_cb)(const struct http_answer *answer, void *data);

struct transport {
    /* Copies what it needs. done is called exactly once, on the loop, never from inside start;
     * after cancel it is not called. */
    int (*start)(struct transport *t, const struct http_out *out, http_answer_cb done, void *data,
                 struct http_call **call);
    void (*cancel)(struct transport *t, struct http_call *call);
    void (*destroy)(struct transport *t);
};

#endif
