#include "core/breaker.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "core/keyed.h"

#define SLOTS 8 /* the window moves in steps of an eighth */

struct slot {
    int64_t step; /* which step of time these counts are of */
    uint32_t good, bad;
};

struct circuit {
    uint32_t era; /* counts state changes; 0: new */
    enum breaker_state state;
    int64_t until_ms; /* open: end of the cool-down; half-open: when the probe counts as lost */
    int64_t cool_ms;  /* the running cool-down's length */
    bool probing;
    struct slot slot[SLOTS];
};

struct breaker {
    const struct clock *clock;
    struct breaker_options o;
    struct keyed *circuits;
};

int breaker_new(struct breaker **out, const struct clock *clock,
                const struct breaker_options *options) {
    *out = NULL;
    struct breaker *b = mem_zalloc(sizeof *b);
    if (b == NULL) return E_NOMEM;
    b->clock = clock;
    struct breaker_options *o = &b->o;
    if (options != NULL) *o = *options;
    if (o->window_ms == 0) o->window_ms = 60000;
    if (o->window_ms < SLOTS) o->window_ms = SLOTS;
    if (o->failures == 0) o->failures = 5;
    if (o->ratio_percent == 0) o->ratio_percent = 50;
    if (o->cool_ms == 0) o->cool_ms = 5000;
    if (o->cool_max_ms == 0) o->cool_max_ms = 300000;
    if (o->cool_max_ms < o->cool_ms) o->cool_max_ms = o->cool_ms;
    if (o->cool_factor == 0) o->cool_factor = 2;
    if (o->probe_ms == 0) o->probe_ms = 60000;
    if (o->keys_max == 0) o->keys_max = 1024;
    int err = keyed_new(&b->circuits, sizeof(struct circuit), o->keys_max);
    if (err != 0) {
        mem_free(b);
        return err;
    }
    *out = b;
    return 0;
}

void breaker_delete(struct breaker *b) {
    if (b == NULL) return;
    keyed_delete(b->circuits);
    mem_free(b);
}

static int64_t now_ms(const struct breaker *b) {
    return clock_mono_ms(b->clock) +
           atomic_load_explicit(&b->clock->offset_ms, memory_order_relaxed);
}

/* The one place that changes a state. Every change starts a new era: what began before it reports
 * into the void. */
static void move(struct circuit *c, enum breaker_state to, int64_t until_ms) {
    static const unsigned allowed[] = {
        [BREAKER_CLOSED] = 1u << BREAKER_OPEN,
        [BREAKER_OPEN] = 1u << BREAKER_HALF_OPEN,
        [BREAKER_HALF_OPEN] = 1u << BREAKER_OPEN | 1u << BREAKER_CLOSED,
    };
    ENSURE((allowed[c->state] & 1u << to) != 0);
    c->state = to;
    c->until_ms = until_ms;
    c->probing = false;
    if (++c->era == 0) c->era = 1;
    memset(c->slot, 0, sizeof c->slot);
}

static void open_again(struct breaker *b, struct circuit *c, int64_t now) {
    int64_t longer = c->cool_ms * b->o.cool_factor;
    c->cool_ms = longer > b->o.cool_max_ms ? b->o.cool_max_ms : longer;
    move(c, BREAKER_OPEN, now + c->cool_ms);
}

/* What time alone changes: a lost probe, a cool-down that is over. */
static void age(struct breaker *b, struct circuit *c, int64_t now) {
    if (c->state == BREAKER_HALF_OPEN && c->probing && now >= c->until_ms)
        open_again(b, c, c->until_ms);
    if (c->state == BREAKER_OPEN && now >= c->until_ms) move(c, BREAKER_HALF_OPEN, 0);
}

static struct circuit *find(struct breaker *b, struct str key, bool create, int64_t *now) {
    struct circuit *c = keyed_lock(b->circuits, key, create);
    if (c == NULL) return NULL;
    *now = now_ms(b);
    if (c->era == 0) c->era = 1;
    age(b, c, *now);
    return c;
}

int breaker_allow(struct breaker *b, struct str key, struct breaker_pass *pass, int64_t *wait_ms) {
    int64_t now = 0;
    *pass = (struct breaker_pass){0};
    if (wait_ms != NULL) *wait_ms = 0;
    struct circuit *c = find(b, key, true, &now);
    if (c == NULL) return 0; /* no memory to watch it: let it go, uncounted */
    int err = 0;
    if (c->state == BREAKER_OPEN || (c->state == BREAKER_HALF_OPEN && c->probing)) {
        if (wait_ms != NULL) *wait_ms = c->until_ms - now;
        err = E_BUSY;
    } else {
        pass->era = c->era;
        if (c->state == BREAKER_HALF_OPEN) {
            c->probing = pass->probe = true;
            c->until_ms = now + b->o.probe_ms;
        }
    }
    keyed_unlock(b->circuits, c);
    return err;
}

static void count(struct breaker *b, struct circuit *c, int64_t now, bool good) {
    int64_t step = now / (b->o.window_ms / SLOTS);
    struct slot *s = &c->slot[step % SLOTS];
    if (s->step != step) *s = (struct slot){.step = step};
    if (good)
        s->good++;
    else
        s->bad++;
    uint64_t bad = 0, all = 0;
    for (int i = 0; i < SLOTS; i++) {
        if (c->slot[i].step <= step - SLOTS) continue;
        bad += c->slot[i].bad;
        all += (uint64_t)c->slot[i].bad + c->slot[i].good;
    }
    if (good || bad < b->o.failures || bad * 100 < all * b->o.ratio_percent) return;
    c->cool_ms = b->o.cool_ms;
    move(c, BREAKER_OPEN, now + c->cool_ms);
}

void breaker_report(struct breaker *b, struct str key, struct breaker_pass pass, bool good) {
    int64_t now = 0;
    struct circuit *c = pass.era == 0 ? NULL : find(b, key, false, &now);
    if (c == NULL) return; /* evicted meanwhile */
    if (c->era == pass.era) {
        if (c->state == BREAKER_CLOSED)
            count(b, c, now, good);
        else if (c->state == BREAKER_HALF_OPEN && pass.probe && good)
            move(c, BREAKER_CLOSED, 0);
        else if (c->state == BREAKER_HALF_OPEN && pass.probe)
            open_again(b, c, now);
    }
    keyed_unlock(b->circuits, c);
}

void breaker_cancel(struct breaker *b, struct str key, struct breaker_pass pass) {
    int64_t now = 0;
    struct circuit *c = pass.era == 0 || !pass.probe ? NULL : find(b, key, false, &now);
    if (c == NULL) return;
    if (c->era == pass.era && c->state == BREAKER_HALF_OPEN) c->probing = false;
    keyed_unlock(b->circuits, c);
}

enum breaker_state breaker_state(struct breaker *b, struct str key) {
    int64_t now = 0;
    struct circuit *c = find(b, key, false, &now);
    if (c == NULL) return BREAKER_CLOSED;
    enum breaker_state state = c->state;
    keyed_unlock(b->circuits, c);
    return state;
}

const char *breaker_state_name(enum breaker_state state) {
    static const char *const names[] = {"closed", "open", "half-open"};
    return names[state];
}
