/* transport_local: see its header. A call is the caller's side and lives until done or cancel; an
 * exchange is one delivery and lives until the handler answers. Either may end first, so they point
 * at each other and let go. Everything happens in timers of the loop. */
#include "net/transport_local.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "net/exchange.h"
#include "net/url.h"

struct local {
    struct transport transport;
    struct local_options options;
    struct local_call *calls;
    struct local_exchange *exchanges;
};

struct local_call {
    struct local *local;
    struct local_call *next, *prev;
    struct out_copy out;
    struct local_fate fate;
    http_answer_cb done;
    void *data;
    struct timer timer;   /* the end: the deadline, or the answer on its way back */
    struct timer deliver; /* the request on its way there */
    struct answer_copy reply;
    struct local_exchange *first, *second; /* deliveries that have not answered */
    bool ending;                           /* an answer is on its way; later ones are dropped */
    uint64_t started_ns;
};

struct local_exchange {
    struct local *local;
    struct local_exchange *next, *prev;
    struct local_call *call; /* NULL: nobody waits any more */
    struct out_copy out;
    struct timer deliver;
};

static struct local *of(struct transport *t) {
    return CONTAINER_OF(t, struct local, transport);
}

/* ---- exchanges ---- */

static void exchange_free(struct local_exchange *x) {
    struct local *local = x->local;
    timer_stop(&x->deliver);
    if (x->call != NULL && x->call->first == x) x->call->first = NULL;
    if (x->call != NULL && x->call->second == x) x->call->second = NULL;
    if (x->prev != NULL)
        x->prev->next = x->next;
    else
        local->exchanges = x->next;
    if (x->next != NULL) x->next->prev = x->prev;
    out_copy_free(&x->out);
    mem_free(x);
}

static void exchange_deliver(struct timer *timer) {
    struct local_exchange *x = CONTAINER_OF(timer, struct local_exchange, deliver);
    x->local->options.handle(x, &x->out.out, x->local->options.data);
}

static struct local_exchange *exchange_new(struct local_call *call, uint64_t delay_ms) {
    struct local *local = call->local;
    struct local_exchange *x = mem_zalloc(sizeof *x);
    if (x == NULL) return NULL;
    if (out_copy(&x->out, &call->out.out) != 0) {
        mem_free(x);
        return NULL;
    }
    x->local = local;
    x->call = call;
    x->next = local->exchanges;
    if (x->next != NULL) x->next->prev = x;
    local->exchanges = x;
    timer_start(local->options.loop, &x->deliver, delay_ms, exchange_deliver);
    return x;
}

/* ---- calls ---- */

static void call_free(struct local_call *call) {
    timer_stop(&call->timer);
    timer_stop(&call->deliver);
    if (call->first != NULL) call->first->call = NULL;
    if (call->second != NULL) call->second->call = NULL;
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        call->local->calls = call->next;
    if (call->next != NULL) call->next->prev = call->prev;
    out_copy_free(&call->out);
    answer_free(&call->reply);
    mem_free(call);
}

static void call_done(struct timer *timer) {
    struct local_call *call = CONTAINER_OF(timer, struct local_call, timer);
    struct http_answer *answer = &call->reply.answer;
    uint64_t now = clock_mono_ns(loop_clock(call->local->options.loop));
    answer->took_us = (now - call->started_ns) / 1000u;
    if (answer->err != 0) {
        answer_clear_headers(&call->reply);
        buf_clear(&call->reply.body);
    }
    answer_seal(&call->reply);
    call->ending = true; /* what the callback makes us hear is too late */
    call->done(answer, call->data);
    call_free(call);
}

static void call_end_in(struct local_call *call, uint64_t ms) {
    call->ending = true;
    timer_start(call->local->options.loop, &call->timer, ms, call_done);
}

static void call_timed_out(struct timer *timer) {
    struct local_call *call = CONTAINER_OF(timer, struct local_call, timer);
    answer_fail(&call->reply.answer, E_TIMEOUT, "timeout", "no whole answer within %u ms",
                (unsigned)call->out.out.total_ms);
    call_done(timer);
}

void local_answer(struct local_exchange *x, int status, const struct http_header *headers,
                  size_t header_count, struct str body) {
    struct local_call *call = x->call;
    ENSURE(!timer_armed(&x->deliver)); /* it was delivered */
    exchange_free(x);
    if (call == NULL || call->ending || call->fate.answer_lost) return;
    struct answer_copy *reply = &call->reply;
    if (call->fate.reset) {
        answer_fail(&reply->answer, E_RESET, "reset",
                    "the connection ended before the answer was whole");
        call_end_in(call, call->fate.back_ms);
        return;
    }
    int err = 0;
    for (size_t i = 0; i < header_count && err == 0; i++)
        err = answer_add_header(reply, headers[i].name, headers[i].value);
    reply->body.max = call->out.out.response_max;
    buf_addstr(&reply->body, body);
    reply->answer.status = status;
    if (reply->body.err == E_LIMIT)
        answer_fail(&reply->answer, E_LIMIT, "too_large", "the answer is larger than %zu bytes",
                    reply->body.max);
    else if (err != 0 || reply->body.err != 0)
        answer_fail(&reply->answer, E_NOMEM, "memory", "out of memory");
    uint64_t now = clock_mono_ns(loop_clock(call->local->options.loop));
    uint64_t back = now + call->fate.back_ms * (uint64_t)1000000;
    if (back <= call->timer.due_ns) call_end_in(call, call->fate.back_ms); /* else: the deadline */
}

static void call_deliver(struct timer *timer) {
    struct local_call *call = CONTAINER_OF(timer, struct local_call, deliver);
    call->reply.answer.sent = true;
    if (call->fate.lost) return; /* the deadline stands */
    call->first = exchange_new(call, 0);
    if (call->first != NULL && call->fate.twice)
        call->second = exchange_new(call, call->fate.twice_ms);
    if (call->first != NULL) return;
    answer_fail(&call->reply.answer, E_NOMEM, "memory", "out of memory");
    call_end_in(call, 0);
}

/* ---- the transport ---- */

static bool drawn(struct local *local, uint16_t per_mille) {
    return local->options.rng != NULL && per_mille != 0 &&
           rng_below(local->options.rng, 1000) < per_mille;
}

static void draw(struct local *local, struct local_fate *fate) {
    const struct local_odds *odds = &local->options.odds;
    fate->refused = drawn(local, odds->refused);
    fate->lost = drawn(local, odds->lost);
    fate->answer_lost = drawn(local, odds->answer_lost);
    fate->reset = drawn(local, odds->reset);
    fate->twice = drawn(local, odds->twice);
    if (local->options.rng == NULL || odds->delay_max_ms == 0) return;
    fate->there_ms = (uint32_t)rng_below(local->options.rng, odds->delay_max_ms + 1u);
    fate->back_ms = (uint32_t)rng_below(local->options.rng, odds->delay_max_ms + 1u);
    fate->twice_ms = (uint32_t)rng_below(local->options.rng, odds->delay_max_ms + 1u);
}

static void refuse(struct local_call *call, int err, const char *name, const char *text) {
    answer_fail(&call->reply.answer, err, name, "%s", text);
    call_end_in(call, 0);
}

static int local_start(struct transport *t, const struct http_out *out, http_answer_cb done,
                       void *data, struct http_call **handle) {
    struct local *local = of(t);
    struct local_call *call = mem_zalloc(sizeof *call);
    if (call == NULL) return E_NOMEM;
    struct why why = {0};
    struct url url;
    int refused = out_check(out, &why);
    int err = out_copy(&call->out, out);
    if (err != 0) {
        mem_free(call);
        return err;
    }
    call->local = local;
    call->done = done;
    call->data = data;
    call->started_ns = clock_mono_ns(loop_clock(local->options.loop));
    call->next = local->calls;
    if (call->next != NULL) call->next->prev = call;
    local->calls = call;
    if (handle != NULL) *handle = (struct http_call *)call;
    if (refused != 0) {
        refuse(call, refused, "bad_request", why.text);
        return 0;
    }
    ENSURE(url_parse(&url, call->out.out.url, NULL) == 0); /* out_check saw it */
    if (!url_allowed(&url, out->hosts, out->private_ok)) {
        refuse(call, E_DENIED, "denied_host", "the host is not among the declared ones");
        return 0;
    }
    draw(local, &call->fate);
    if (local->options.decide != NULL)
        local->options.decide(&call->out.out, &call->fate, local->options.data);
    if (call->fate.refused) {
        refuse(call, E_CONNECT, "refused", "the host refused the connection");
        return 0;
    }
    timer_start(local->options.loop, &call->timer, call->out.out.total_ms, call_timed_out);
    timer_start(local->options.loop, &call->deliver, call->fate.there_ms, call_deliver);
    return 0;
}

static void local_cancel(struct transport *t, struct http_call *handle) {
    struct local_call *call = (struct local_call *)handle;
    ENSURE(call->local == of(t));
    call_free(call);
}

static void local_destroy(struct transport *t) {
    struct local *local = of(t);
    while (local->calls != NULL)
        call_free(local->calls);
    while (local->exchanges != NULL) {
        struct local_exchange *x = local->exchanges;
        if (!timer_armed(&x->deliver) && local->options.gone != NULL)
            local->options.gone(x, local->options.data);
        exchange_free(x);
    }
    mem_free(local);
}

void transport_local_odds(struct transport *t, const struct local_odds *odds) {
    of(t)->options.odds = *odds;
}

int transport_local_new(struct transport **out, const struct local_options *options) {
    struct local *local = mem_zalloc(sizeof *local);
    if (local == NULL) return E_NOMEM;
    local->options = *options;
    local->transport = (struct transport){local_start, local_cancel, local_destroy};
    *out = &local->transport;
    return 0;
}
