/* curl's multi on the loop; see http_client.h for what it promises.
 *
 * curl tells us which sockets to watch (socket_changed) and when it wants to be called
 * (timer_changed); we tell it what happened (curl_multi_socket_action). Rules that were paid for:
 * - neither of the two callbacks calls curl; a timeout of 0 becomes 1 ms, -1 stops the timer;
 * - a watch is freed in its close callback, and a socket gets a new one each time, because its
 *   number may be back before that callback ran;
 * - a poll error is passed on as CURL_CSELECT_ERR;
 * - a finished call is copied from curl's message and detached before anybody is told. */
#include "net/http_client.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "net/http_client_private.h"

#include <uv.h>

#define DEADLINE_GRACE_MS 100

struct socket_watch {
    uv_poll_t poll;
    struct http_client *client;
    struct socket_watch *next;
    struct socket_watch *prev;
    curl_socket_t fd;
};

static void socket_ready(uv_poll_t *poll, int status, int events);
static void after_curl(struct http_client *client);

static struct http_client *of(struct transport *t) {
    return CONTAINER_OF(t, struct http_client, transport);
}

/* ---- memory and life of the client ---- */

static void client_let_go(struct http_client *client) {
    if (client->destroyed && client->closing == 0) mem_free(client);
}

static void watch_closed(uv_handle_t *handle) {
    struct socket_watch *watch = handle->data;
    struct http_client *client = watch->client;
    mem_free(watch);
    client->closing--;
    client_let_go(client);
}

static void watch_close(struct socket_watch *watch) {
    struct http_client *client = watch->client;
    if (watch->prev != NULL)
        watch->prev->next = watch->next;
    else
        client->watches = watch->next;
    if (watch->next != NULL) watch->next->prev = watch->prev;
    client->closing++;
    uv_close((uv_handle_t *)&watch->poll, watch_closed);
}

static struct socket_watch *watch_new(struct http_client *client, curl_socket_t fd) {
    struct socket_watch *watch = mem_zalloc(sizeof *watch);
    if (watch == NULL) return NULL;
    if (uv_poll_init_socket(loop_uv_handle(client->options.loop), &watch->poll, fd) != 0) {
        mem_free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->client = client;
    watch->fd = fd;
    watch->next = client->watches;
    if (watch->next != NULL) watch->next->prev = watch;
    client->watches = watch;
    return watch;
}

/* ---- what curl tells us ---- */

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data) {
    struct http_client *client = data;
    struct socket_watch *watch = socket_data;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            curl_multi_assign(client->multi, fd, NULL);
            watch_close(watch);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = watch_new(client, fd);
        if (watch == NULL) {
            /* -1 would end every transfer of the multi; only this one is at fault. */
            struct client_call *call = NULL;
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call);
            if (call != NULL) call->broken = client->broken_calls = true;
            return 0;
        }
        curl_multi_assign(client->multi, fd, watch);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&watch->poll, events, socket_ready);
    return 0;
}

static void timer_due(struct timer *timer) {
    struct http_client *client = CONTAINER_OF(timer, struct http_client, timer);
    int running = 0;
    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    after_curl(client);
}

static int timer_changed(CURLM *multi, long ms, void *data) {
    (void)multi;
    struct http_client *client = data;
    if (ms < 0)
        timer_stop(&client->timer);
    else
        timer_start(client->options.loop, &client->timer, ms == 0 ? 1 : (uint64_t)ms, timer_due);
    return 0;
}

static void socket_ready(uv_poll_t *poll, int status, int events) {
    struct socket_watch *watch = poll->data;
    struct http_client *client = watch->client;
    int what = status < 0 ? CURL_CSELECT_ERR
                          : (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    int running = 0;
    curl_multi_socket_action(client->multi, watch->fd, what, &running);
    after_curl(client); /* the watch may be gone by now */
}

/* ---- calls ---- */

static void call_detach(struct client_call *call) {
    timer_stop(&call->slow);
    if (call->attached) curl_multi_remove_handle(call->client->multi, call->easy);
    call->attached = false;
}

static void call_release_easy(struct client_call *call) {
    call_detach(call);
    timer_stop(&call->deadline);
    if (call->easy != NULL) curl_easy_cleanup(call->easy);
    call->easy = NULL;
    curl_slist_free_all(call->headers);
    call->headers = NULL;
}

static void call_unlink(struct client_call *call) {
    struct http_client *client = call->client;
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        client->calls = call->next;
    if (call->next != NULL) call->next->prev = call->prev;
    client->count--;
}

static void call_free(struct client_call *call) {
    timer_stop(&call->deliver);
    call_release_easy(call);
    out_copy_free(&call->copy);
    buf_free(&call->url_text);
    buf_free(&call->location);
    answer_free(&call->reply);
    mem_free(call);
}

static void check_drained(struct http_client *client) {
    if (!client->draining || client->count != 0 || client->drained == NULL) return;
    void (*drained)(size_t left, void *data) = client->drained;
    client->drained = NULL;
    timer_stop(&client->drain_timer);
    drained(client->cut, client->drained_data);
}

static void report(struct client_call *call) {
    const struct http_client_options *options = &call->client->options;
    if (options->report == NULL) return;
    struct buf origin = {0};
    if (call->url.host[0] != '\0') url_origin(&call->url, &origin);
    const struct http_answer *a = &call->reply.answer;
    const struct http_report r = {.label = call->copy.out.label,
                                  .method = call->copy.out.method,
                                  .origin = buf_str(&origin),
                                  .status = a->status,
                                  .name = a->name,
                                  .text = a->text,
                                  .sent = a->sent,
                                  .effect = call->copy.out.effect,
                                  .took_us = a->took_us};
    options->report(&r, options->report_data);
    buf_free(&origin);
}

static void deliver(struct timer *timer) {
    struct client_call *call = CONTAINER_OF(timer, struct client_call, deliver);
    struct http_client *client = call->client;
    struct http_answer *answer = &call->reply.answer;
    if (answer->err != 0) { /* half an answer is none */
        answer_clear_headers(&call->reply);
        buf_clear(&call->reply.body);
    }
    answer_seal(&call->reply);
    report(call);
    call_unlink(call);
    bool last = client->draining && client->count == 0;
    call->done(answer, call->data);
    call_free(call);
    if (last) check_drained(client); /* while draining nobody may destroy us but `drained` */
}

/* The answer is complete: the rest of the loop's turn goes first, then `done`. */
static void call_finish(struct client_call *call) {
    uint64_t now = clock_mono_ns(loop_clock(call->client->options.loop));
    call->reply.answer.took_us = (now - call->started_ns) / 1000u;
    call->broken = false;
    call_release_easy(call);
    timer_start(call->client->options.loop, &call->deliver, 0, deliver);
}

static void call_fail(struct client_call *call, int err, const char *name, const char *text) {
    answer_fail(&call->reply.answer, err, name, "%s", text);
    call_finish(call);
}

void call_slow_check(struct timer *timer) {
    struct client_call *call = CONTAINER_OF(timer, struct client_call, slow);
    const struct http_client_options *options = &call->client->options;
    uint64_t fresh = call->received - call->seen;
    call->seen = call->received;
    if (fresh >= options->slow_bytes) {
        timer_start(options->loop, timer, options->slow_ms, call_slow_check);
        return;
    }
    answer_fail(&call->reply.answer, E_TIMEOUT, "slow", "%u bytes of the answer in %u ms",
                (unsigned)fresh, (unsigned)options->slow_ms);
    call_finish(call);
}

/* curl can lose a transfer: without memory to note a socket it watches nothing and sets no timer.
 * The call ends all the same. */
static void deadline_over(struct timer *timer) {
    call_fail(CONTAINER_OF(timer, struct client_call, deadline), E_TIMEOUT, "timeout",
              "no whole answer in time");
}

/* Puts the call into the multi for the URL it has now. */
static void call_go(struct client_call *call) {
    int err = call_prepare(call);
    if (err == 0) {
        CURLMcode code = curl_multi_add_handle(call->client->multi, call->easy);
        err = code == CURLM_OK ? 0 : code == CURLM_OUT_OF_MEMORY ? E_NOMEM : E_INTERNAL;
        call->attached = code == CURLM_OK;
    }
    if (err == 0 && !timer_armed(&call->deadline)) /* one for all hops */
        timer_start(call->client->options.loop, &call->deadline,
                    (uint64_t)call->copy.out.total_ms + DEADLINE_GRACE_MS, deadline_over);
    if (err == E_NOMEM) call_fail(call, err, "memory", "out of memory");
    if (err == E_INTERNAL) call_fail(call, err, "internal", "curl refuses the request's options");
}

static void after_curl(struct http_client *client) {
    CURLMsg *message;
    int left = 0;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        CURLcode code = message->data.result;
        struct client_call *call = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        call_detach(call); /* the message is gone from here on */
        if (call_conclude(call, code))
            call_go(call);
        else
            call_finish(call);
    }
    if (!client->broken_calls) return;
    client->broken_calls = false;
    for (struct client_call *call = client->calls; call != NULL; call = call->next)
        if (call->broken) call_fail(call, E_NOMEM, "memory", "no memory to watch a socket");
}

/* ---- the transport ---- */

static int client_start(struct transport *t, const struct http_out *out, http_answer_cb done,
                        void *data, struct http_call **handle) {
    struct http_client *client = of(t);
    if (client->draining) return E_CLOSED;
    struct client_call *call = mem_zalloc(sizeof *call);
    if (call == NULL) return E_NOMEM;
    call->client = client;
    call->done = done;
    call->data = data;
    call->started_ns = clock_mono_ns(loop_clock(client->options.loop));
    struct why why = {0};
    int refused = out_check(out, &why);
    int err = out_copy(&call->copy, out);
    if (err != 0) {
        mem_free(call);
        return err;
    }
    bool busy = client->count >= client->options.calls_max;
    call->next = client->calls;
    if (call->next != NULL) call->next->prev = call;
    client->calls = call;
    client->count++;
    if (handle != NULL) *handle = (struct http_call *)call;

    if (refused != 0)
        call_fail(call, refused, "bad_request", why.text);
    else if (url_parse(&call->url, call->copy.out.url, NULL) != 0 || !call_may_go(call))
        call_finish(call);
    else if (busy)
        call_fail(call, E_BUSY, "busy", "too many requests in flight");
    else
        call_go(call);
    return 0;
}

static void client_cancel(struct transport *t, struct http_call *handle) {
    struct client_call *call = (struct client_call *)handle;
    struct http_client *client = of(t);
    ENSURE(call->client == client);
    call_unlink(call);
    call_free(call);
    check_drained(client);
}

static void client_destroy(struct transport *t) {
    struct http_client *client = of(t);
    client->drained = NULL;
    while (client->calls != NULL) {
        struct client_call *call = client->calls;
        call_unlink(call);
        call_free(call);
    }
    curl_multi_cleanup(client->multi); /* closes connections: their watches go by REMOVE */
    while (client->watches != NULL)
        watch_close(client->watches);
    timer_stop(&client->timer);
    timer_stop(&client->drain_timer);
    curl_slist_free_all(client->connect_to);
    client->destroyed = true;
    client_let_go(client);
}

static void drain_over(struct timer *timer) {
    struct http_client *client = CONTAINER_OF(timer, struct http_client, drain_timer);
    for (struct client_call *call = client->calls; call != NULL; call = call->next) {
        if (timer_armed(&call->deliver)) continue; /* has its answer */
        client->cut++;
        call_fail(call, E_CANCELLED, "shutdown", "the engine stopped before the answer came");
    }
    check_drained(client);
}

void http_client_drain(struct transport *t, uint32_t ms, void (*drained)(size_t left, void *data),
                       void *data) {
    struct http_client *client = of(t);
    client->draining = true;
    client->drained = drained;
    client->drained_data = data;
    timer_start(client->options.loop, &client->drain_timer, client->count == 0 ? 0 : ms,
                drain_over);
}

int http_client_new(struct transport **out, const struct http_client_options *options) {
    struct http_client *client = mem_zalloc(sizeof *client);
    if (client == NULL) return E_NOMEM;
    client->options = *options;
    if (client->options.calls_max == 0) client->options.calls_max = 512;
    if (client->options.slow_ms == 0) client->options.slow_ms = 10000;
    if (client->options.slow_bytes == 0) client->options.slow_bytes = 256;
    for (size_t i = 0; options->connect_to != NULL && options->connect_to[i] != NULL; i++) {
        struct curl_slist *longer = curl_slist_append(client->connect_to, options->connect_to[i]);
        if (longer == NULL) goto fail;
        client->connect_to = longer;
    }
    long idle = options->idle_max == 0 ? 64 : (long)options->idle_max;
    client->multi = curl_multi_init();
    if (client->multi == NULL) goto fail;
    if (curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, socket_changed) != CURLM_OK ||
        curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client) != CURLM_OK ||
        curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, timer_changed) != CURLM_OK ||
        curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client) != CURLM_OK ||
        curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, idle) != CURLM_OK)
        goto fail;
    client->transport = (struct transport){client_start, client_cancel, client_destroy};
    *out = &client->transport;
    return 0;
fail:
    if (client->multi != NULL) curl_multi_cleanup(client->multi);
    curl_slist_free_all(client->connect_to);
    mem_free(client);
    return E_NOMEM;
}

/* ---- once per process ---- */

static void *curl_zalloc(size_t count, size_t size) {
    return mem_array(count, size);
}

/* libcurl 7.88 divides by zero some time after it could not note a transfer with its socket (a table
 * of 13 lists, and an entry): nothing can be done about it here, so no test makes those fail. */
static void *curl_alloc(size_t size) {
    enum { TABLE = 13 * 4 * sizeof(void *), ENTRY = 7 * sizeof(void *) };
    return size == TABLE || size == ENTRY ? mem_realloc_vital(NULL, size) : mem_alloc(size);
}

int http_client_setup(void) {
    CURLcode code = curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_alloc, mem_free, mem_realloc,
                                         mem_strdup, curl_zalloc);
    return code == CURLE_OK ? 0 : code == CURLE_OUT_OF_MEMORY ? E_NOMEM : E_INTERNAL;
}

void http_client_teardown(void) {
    curl_global_cleanup();
}
