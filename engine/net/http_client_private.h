/* Shared by http_client.c (curl's multi on the loop) and http_client_easy.c (one request). */
#ifndef LUWAK_NET_HTTP_CLIENT_PRIVATE_H
#define LUWAK_NET_HTTP_CLIENT_PRIVATE_H

#include "net/address.h"
#include "net/exchange.h"
#include "net/http_client.h"
#include "net/url.h"

#include <curl/curl.h>

#define REDIRECTS_MAX          5
#define REPLY_HEADERS_MAX      100
#define REPLY_HEADER_BYTES_MAX 32768

struct socket_watch;

struct http_client {
    struct transport transport;
    struct http_client_options options;
    struct curl_slist *connect_to;
    CURLM *multi;
    struct timer timer;           /* curl's one */
    struct client_call *calls;    /* all that are not yet delivered */
    size_t count;                 /* of them */
    struct socket_watch *watches; /* open ones */
    size_t closing;               /* watches whose close callback is still to come */
    bool broken_calls;            /* some call has `broken` set: sweep */
    bool draining;
    bool destroyed;
    size_t cut; /* calls ended by the drain's deadline */
    struct timer drain_timer;
    void (*drained)(size_t left, void *data);
    void *drained_data;
};

struct client_call {
    struct http_client *client;
    struct client_call *next;
    struct client_call *prev;
    CURL *easy;    /* NULL once finished */
    bool attached; /* is it in the multi? */
    struct curl_slist *headers;
    struct out_copy copy;
    struct url url; /* of this hop; its target points into url_text or copy */
    struct buf url_text;
    struct buf location;      /* the hop's URL as the far side gave it */
    struct answer_copy reply; /* answer.name is set as soon as somebody knows what went wrong */
    http_answer_cb done;
    void *data;
    struct timer deliver;
    struct timer deadline; /* ours, a little behind curl's */
    struct timer slow;     /* armed while an answer is coming in */
    uint64_t received;     /* bytes of the answer, and how many at the last look */
    uint64_t seen;
    uint64_t started_ns;
    size_t head_bytes;
    int hops;
    bool head_done;
    bool interim; /* this head is a 1xx one */
    bool broken;  /* finish it at the next sweep: no memory for its socket */
    bool denied;  /* an address was refused */
    char denied_text[128];
    char curl_text[CURL_ERROR_SIZE];
};

/* Makes call->easy ready for the URL in call->url. Nothing is sent with only half its options:
 * any that fails, fails the call. */
int call_prepare(struct client_call *call);

/* Turns how curl ended into the answer. True: a redirect was taken, start again. */
bool call_conclude(struct client_call *call, CURLcode code);

/* May the call go to call->url? Sets the answer otherwise. */
bool call_may_go(struct client_call *call);

void call_slow_check(struct timer *timer); /* http_client.c */

#endif
