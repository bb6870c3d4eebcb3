/* Requests out, for scripts: http.get/post/request (trusted) and ctx.http.get/post/effect (caged).
 * What a call may do is in its http_caps, which whoever starts the call fills in. */
#ifndef LUWAK_SCRIPT_BIND_HTTP_H
#define LUWAK_SCRIPT_BIND_HTTP_H

#include "base/rng.h"
#include "net/transport.h"
#include "script/bind.h"

#define HTTP_CALLS_MAX 32

struct http_caps {
    struct transport *transport; /* NULL: no requests here */
    struct rng *rng;             /* jitter between tries; NULL: none */
    const char *const *hosts;    /* allow-list, NULL-ended; NULL: no list (trusted scripts) */
    bool private_ok;             /* private addresses and plain http: simulated or granted */
    const char *networks;        /* the private networks it may reach; NULL: any, if private_ok */
    uint32_t max_total_ms;       /* longest `timeout` a script may ask for; 0: 30 s */
    const char *ca_file;         /* these four as in struct http_out, for all requests */
    const char *pinned_key;
    const char *client_cert;
    const char *client_key;
    unsigned calls; /* so far, of those with a list of hosts: HTTP_CALLS_MAX in one call */

    struct str label; /* for logs and metrics: "bni_va create" */

    bool effect_ok;   /* an operation runs: ctx.http.effect may be called, once */
    bool effect_used; /* it was called */
    bool effect_sent; /* may the far side have seen it? True from its start until an answer proves
                         the opposite: what "no answer" means for money is decided by this */
    bool called;      /* any request went on its way */
};

/* Where the running call's caps are; NULL result: it has none. Set once, before any script runs;
 * as it stands it takes them from the call's context. */
extern struct http_caps *(*bind_http_caps)(lua_State *L);

#endif
