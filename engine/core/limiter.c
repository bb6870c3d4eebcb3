#include "core/limiter.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "core/keyed.h"

#define NS_PER_MS INT64_C(1000000)

struct limiter {
    const struct clock *clock;
    struct keyed *keys; /* int64_t: when the bucket is full again, ns */
};

int limiter_new(struct limiter **out, const struct clock *clock, size_t keys_max) {
    *out = NULL;
    struct limiter *l = mem_zalloc(sizeof *l);
    if (l == NULL) return E_NOMEM;
    l->clock = clock;
    int err = keyed_new(&l->keys, sizeof(int64_t), keys_max);
    if (err != 0) {
        mem_free(l);
        return err;
    }
    *out = l;
    return 0;
}

void limiter_delete(struct limiter *l) {
    if (l == NULL) return;
    keyed_delete(l->keys);
    mem_free(l);
}

static int64_t now_ns(const struct limiter *l) {
    return (int64_t)clock_mono_ns(l->clock) +
           atomic_load_explicit(&l->clock->offset_ms, memory_order_relaxed) * NS_PER_MS;
}

struct terms {
    int64_t each;  /* ns that one takes to come back */
    int64_t whole; /* ns from empty to full */
    uint32_t burst;
};

static struct terms terms_of(const struct rate *r) {
    ENSURE(r->count > 0);
    ENSURE(r->period_ms > 0);
    struct terms t = {.burst = r->burst == 0 ? r->count : r->burst};
    t.each = r->period_ms * NS_PER_MS / r->count;
    if (t.each < 1) t.each = 1;
    if (__builtin_mul_overflow(t.each, (int64_t)t.burst, &t.whole)) t.whole = INT64_MAX / 4;
    return t;
}

static int64_t round_up_ms(int64_t ns) {
    return (ns + NS_PER_MS - 1) / NS_PER_MS;
}

struct rate_verdict limiter_take(struct limiter *l, struct str key, const struct rate *rate,
                                 uint32_t cost) {
    struct terms t = terms_of(rate);
    struct rate_verdict v = {.limit = t.burst};
    int64_t *full_at = keyed_lock(l->keys, key, true);
    if (full_at == NULL) {
        v.ok = true;
        v.remaining = t.burst;
        return v;
    }
    int64_t now = now_ns(l);
    int64_t missing = *full_at > now ? *full_at - now : 0; /* ns of refill that are owed */
    if (missing > t.whole) missing = t.whole;              /* the rate was changed downwards */
    if (cost > t.burst) {
        v.wait_ms = -1;
    } else {
        int64_t after = missing + t.each * (int64_t)cost;
        v.ok = after <= t.whole;
        if (v.ok)
            missing = after;
        else
            v.wait_ms = round_up_ms(after - t.whole);
    }
    *full_at = now + missing;
    keyed_unlock(l->keys, full_at);
    v.remaining = (uint32_t)((t.whole - missing) / t.each);
    v.reset_ms = round_up_ms(missing);
    return v;
}

void limiter_give_back(struct limiter *l, struct str key, const struct rate *rate, uint32_t cost) {
    struct terms t = terms_of(rate);
    int64_t *full_at = keyed_lock(l->keys, key, false);
    if (full_at == NULL) return;
    *full_at -= t.each * (int64_t)(cost > t.burst ? t.burst : cost);
    keyed_unlock(l->keys, full_at);
}
