/* Hosts that payments name and that keep a flight for its whole time without an answer. All URLs that
 * stand in one place of a merchant's payments share the flights of one endpoint: where such a host has
 * taken as many of them as there are, one flight at a time tries it, and the deliveries that come due
 * meanwhile fail at once, as they would have. A good answer ends it. Forgotten with the sender. */
#include "webhook/webhook_private.h"

#define QUIET_MS 10000 /* by the clock that deliveries come due by */

static uint64_t now_ms(const struct webhook_sender *s) {
    return clock_mono_ns(loop_clock(s->loop)) / 1000000u;
}

/* "http://host:port" of it, as a number that is never 0. */
static uint64_t host_of(struct str url) {
    ptrdiff_t at = str_search(url, STR("://"));
    struct str rest = at < 0 ? url : str_sub(url, (size_t)at + 3, url.n);
    ptrdiff_t end = str_find(rest, '/');
    size_t n = end < 0 ? url.n : (size_t)(rest.p - url.p) + (size_t)end;
    return str_hash(str_sub(url, 0, n)) | 1;
}

static struct quiet *find(struct webhook_sender *s, uint64_t host) {
    for (size_t i = 0; i < QUIET_MAX; i++)
        if (s->quiet[i].host == host) return &s->quiet[i];
    return NULL;
}

/* A place for one more: a free one, else that which has been silent the longest. */
static struct quiet *place(struct webhook_sender *s) {
    struct quiet *best = &s->quiet[0];
    for (size_t i = 0; i < QUIET_MAX; i++)
        if (s->quiet[i].until < best->until) best = &s->quiet[i];
    return best;
}

bool quiet_now(struct flight *f, struct str url) {
    struct webhook_sender *s = f->sender;
    f->host = host_of(url);
    struct quiet *q = find(s, f->host);
    if (q == NULL || q->held < LINE_FLIGHTS) return false;
    if (q->tried || core_now(&s->core) < q->until) return true;
    q->tried = f->tries_host = true;
    return false;
}

void quiet_begun(struct flight *f) {
    f->began_ms = now_ms(f->sender);
}

void quiet_heard(struct flight *f, bool good) {
    struct webhook_sender *s = f->sender;
    if (f->host == 0) return;
    struct quiet *q = find(s, f->host);
    if (good) {
        if (q != NULL) *q = (struct quiet){0};
        return;
    }
    if ((now_ms(s) - f->began_ms) * 2 < s->options.timeout_ms) return; /* it has held up nobody */
    if (q == NULL) {
        q = place(s);
        *q = (struct quiet){.host = f->host};
    }
    q->held++;
    q->until = core_now(&s->core) + QUIET_MS;
}

void quiet_left(struct flight *f) {
    struct quiet *q = f->tries_host ? find(f->sender, f->host) : NULL;
    if (q != NULL) q->tried = false;
}
