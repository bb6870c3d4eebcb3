/* The transport that really sends: libcurl's multi interface driven by a worker's libuv loop.
 *
 * Life of a call: start (copied; a request that must be refused is answered, not returned as an
 * error) -> curl -> perhaps redirects, by our own hand, each checked like a first request -> the
 * answer, delivered by a timer of 0 ms, so never from inside start or from inside curl.
 *
 * Names of failures (http_answer.name), and whether `sent` can be true with them:
 *   no   bad_request denied_host denied_address resolve refused unreachable connect_timeout
 *        certificate pinned_key busy
 *   both tls (a server that wants another client certificate says so after our request) redirect
 *        timeout slow reset bad_reply too_large memory shutdown internal
 * `sent` turns true when curl has a connection, TLS done, and is about to write the request
 * (CURLOPT_PREREQFUNCTION); before that point no byte of it exists on any socket.
 *
 * Effects: own connection (FRESH_CONNECT, FORBID_REUSE), because libcurl sends a request again by
 * itself when a reused connection dies, and HTTP/1.1, because it does so for refused HTTP/2 streams
 * on new ones too. No `Expect`, whose 417 is answered by a second request as well.
 *
 * curl and its callbacks run on the loop's thread; only getaddrinfo runs on threads of curl's.
 * These cannot be cancelled; an abandoned one ends by itself and its result is dropped. */
#ifndef LUWAK_NET_HTTP_CLIENT_H
#define LUWAK_NET_HTTP_CLIENT_H

#include "loop/loop.h"
#include "net/transport.h"

/* One finished call, for logs and metrics. Views end with the call of report. */
struct http_report {
    struct str label;
    struct str method;
    struct str origin; /* "https://api.example.com": no path, no query */
    int status;
    const char *name; /* "" when answered */
    const char *text;
    bool sent;
    bool effect;
    uint64_t took_us;
};

struct http_client_options {
    struct loop *loop;   /* on libuv */
    const char *ca_file; /* more trust for all hosts; NULL: the system's */
    /* "HOST:PORT:ADDRESS:PORT", NULL-ended, kept by the caller: where to connect to instead; name
     * and certificate checks stay with HOST. Simulated hosts and tests. */
    const char *const *connect_to;
    size_t calls_max;    /* in flight; 0: 512 */
    size_t idle_max;     /* connections kept; 0: 64 */
    uint32_t slow_ms;    /* an answer that has begun must bring slow_bytes in each slow_ms; */
    uint32_t slow_bytes; /* 0: 10 s, 256 bytes */
    void (*report)(const struct http_report *report, void *data); /* may be NULL */
    void *report_data;
};

/* Once per process, before the first thread. Points curl at base/mem.h. */
int http_client_setup(void);
void http_client_teardown(void);

/* destroy (of the transport): what is in flight ends without its done, as after cancel. The loop
 * must run (or be deleted) afterwards so that the closed handles are let go. Not from inside a done
 * or `report`. */
int http_client_new(struct transport **out, const struct http_client_options *options);

/* Refuses new calls, waits for those in flight; what is left after `ms` is answered "shutdown".
 * `drained` runs once, on the loop, after the last answer; left: how many were cut short. */
void http_client_drain(struct transport *t, uint32_t ms, void (*drained)(size_t left, void *data),
                       void *data);

#endif
