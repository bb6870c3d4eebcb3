/* Metrics: families in a list sorted by name, series in a table per family.
 *
 * A family is known from its first use on. Reading and bumping a series takes no lock: its table's
 * slots are pointers published with release and never change again; only making a series takes the
 * lock. Past SERIES_MAX, and when memory is out, values go to the family's last series, whose
 * labels all read "other" and which is part of the family itself, so that nothing is lost.
 *
 * All memory lives until metrics_free(). */
#include "sys/metrics.h"

#include "base/ensure.h"
#include "base/err.h"
#include "base/mem.h"
#include "sys/utf8_private.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define SERIES_MAX 256
#define SLOTS      512 /* power of two, twice SERIES_MAX: probing always ends */
#define LABELS_MAX 4
#define KEY_MAX    512 /* all label values of a series with their NULs */
#define VALUE_MAX  120 /* bytes of one label value */

/* Upper bounds in microseconds; the last bucket is +Inf. */
static const uint64_t BOUNDS[] = {500,     1000,    2500,    5000,     10000,
                                  25000,   50000,   100000,  250000,   500000,
                                  1000000, 2500000, 5000000, 10000000, 30000000};
#define BUCKETS (ARRAY_LEN(BOUNDS) + 1)

struct series {
    _Atomic int64_t value;            /* counter, gauge */
    _Atomic uint64_t sum_us;          /* histogram */
    _Atomic uint64_t bucket[BUCKETS]; /* histogram, not cumulative */
    uint64_t hash;
    size_t key_len;
    char key[]; /* label values, each with its NUL */
};

struct metric_impl {
    _Atomic(struct series *) slots[SLOTS];
    struct series *order[SERIES_MAX]; /* as made; under the lock */
    size_t count;
    _Atomic bool other_used;
    struct series other; /* key_len 0; last, because its key is a flexible array */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric *families; /* sorted by name; under the lock */

/* m->impl is a plain pointer in the header; all access to it goes through these two. */
static struct metric_impl *impl_of(const struct metric *m) {
    return __atomic_load_n(&m->impl, __ATOMIC_ACQUIRE);
}

static struct metric_impl *impl_make(struct metric *m) {
    pthread_mutex_lock(&lock);
    struct metric_impl *impl = impl_of(m);
    if (impl == NULL && (impl = mem_zalloc(sizeof *impl)) != NULL) {
        struct metric **at = &families;
        while (*at != NULL && strcmp((*at)->name, m->name) < 0)
            at = &(*at)->next;
        m->next = *at;
        *at = m;
        __atomic_store_n(&m->impl, impl, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&lock);
    return impl;
}

static size_t label_count(const struct metric *m) {
    size_t n = 0;
    while (n < LABELS_MAX && m->labels[n] != NULL)
        n++;
    return n;
}

/* Label values one after another, cut to VALUE_MAX and made valid UTF-8. */
static size_t make_key(const struct metric *m, const char *const *values, char key[KEY_MAX]) {
    size_t n = 0, labels = label_count(m);
    for (size_t i = 0; i < labels; i++) {
        struct str v = str_of(values == NULL || values[i] == NULL ? "" : values[i]);
        size_t end = n + VALUE_MAX;
        for (size_t at = 0; at < v.n;) {
            uint32_t c;
            size_t len = utf8_at(v, at, &c);
            if (n + (len == 0 ? 1 : len) > end) break;
            if (len == 0) {
                key[n++] = '?';
                at++;
            } else {
                memcpy(key + n, v.p + at, len);
                n += len;
                at += len;
            }
        }
        key[n++] = '\0';
    }
    return n;
}

/* The slot's series, or NULL and where it belongs. */
static struct series *probe(struct metric_impl *impl, const char *key, size_t n, uint64_t hash,
                            size_t *slot) {
    for (size_t at = hash & (SLOTS - 1);; at = (at + 1) & (SLOTS - 1)) {
        struct series *s = atomic_load_explicit(&impl->slots[at], memory_order_acquire);
        *slot = at;
        if (s == NULL) return NULL;
        if (s->hash == hash && s->key_len == n && memcmp(s->key, key, n) == 0) return s;
    }
}

static struct series *series_make(struct metric_impl *impl, const char *key, size_t n,
                                  uint64_t hash) {
    size_t slot = 0;
    pthread_mutex_lock(&lock);
    struct series *s = probe(impl, key, n, hash, &slot);
    if (s == NULL && impl->count < SERIES_MAX && (s = mem_zalloc(sizeof *s + n)) != NULL) {
        s->hash = hash;
        s->key_len = n;
        memcpy(s->key, key, n);
        impl->order[impl->count++] = s;
        atomic_store_explicit(&impl->slots[slot], s, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    if (s == NULL) {
        atomic_store(&impl->other_used, true);
        s = &impl->other;
    }
    return s;
}

static struct series *series_of(struct metric *m, const char *const *values) {
    struct metric_impl *impl = impl_of(m);
    if (impl == NULL && (impl = impl_make(m)) == NULL) return NULL;
    char key[KEY_MAX];
    size_t n = make_key(m, values, key), slot;
    uint64_t hash = str_hash((struct str){key, n});
    struct series *s = probe(impl, key, n, hash, &slot);
    return s != NULL ? s : series_make(impl, key, n, hash);
}

void metric_add(struct metric *m, int64_t n, const char *const *values) {
    struct series *s = series_of(m, values);
    if (s != NULL) atomic_fetch_add_explicit(&s->value, n, memory_order_relaxed);
}

void metric_set(struct metric *m, int64_t n, const char *const *values) {
    struct series *s = series_of(m, values);
    if (s != NULL) atomic_store_explicit(&s->value, n, memory_order_relaxed);
}

void metric_observe_us(struct metric *m, uint64_t us, const char *const *values) {
    struct series *s = series_of(m, values);
    if (s == NULL) return;
    size_t b = 0;
    while (b < ARRAY_LEN(BOUNDS) && us > BOUNDS[b])
        b++;
    atomic_fetch_add_explicit(&s->sum_us, us, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->bucket[b], 1, memory_order_relaxed);
}

static int64_t histogram_count(const struct series *s) {
    uint64_t n = 0;
    for (size_t b = 0; b < BUCKETS; b++)
        n += atomic_load_explicit(&s->bucket[b], memory_order_relaxed);
    return (int64_t)n;
}

int64_t metric_value(const struct metric *m, const char *const *values) {
    struct metric_impl *impl = impl_of(m);
    if (impl == NULL) return 0;
    char key[KEY_MAX];
    size_t n = make_key(m, values, key), slot;
    struct series *s = probe(impl, key, n, str_hash((struct str){key, n}), &slot);
    if (s == NULL) return 0;
    return m->type == METRIC_HISTOGRAM ? histogram_count(s) : atomic_load(&s->value);
}

/* ---- exposition ---- */

static void add_escaped(struct buf *out, const char *text, bool quotes) {
    for (; *text != '\0'; text++) {
        if (*text == '\\') {
            buf_adds(out, "\\\\");
        } else if (*text == '\n') {
            buf_adds(out, "\\n");
        } else if (*text == '"' && quotes) {
            buf_adds(out, "\\\"");
        } else {
            buf_addc(out, *text);
        }
    }
}

/* Microseconds as seconds, exact, without trailing zeros: 2500 is 0.0025. */
static void add_seconds(struct buf *out, uint64_t us) {
    char fraction[8];
    buf_addi(out, (int64_t)(us / 1000000));
    if (us % 1000000 == 0) return;
    snprintf(fraction, sizeof fraction, "%06u", (unsigned)(us % 1000000));
    size_t n = 6;
    while (fraction[n - 1] == '0')
        fraction[--n] = '\0';
    buf_addc(out, '.');
    buf_adds(out, fraction);
}

static void add_name(struct buf *out, const struct metric *m, const struct series *s,
                     const char *suffix, const uint64_t *le, bool inf) {
    buf_adds(out, m->name);
    buf_adds(out, suffix);
    size_t labels = label_count(m);
    if (labels == 0 && le == NULL && !inf) return;
    buf_addc(out, '{');
    const char *value = s->key;
    for (size_t i = 0; i < labels; i++) {
        if (i != 0) buf_addc(out, ',');
        buf_adds(out, m->labels[i]);
        buf_adds(out, "=\"");
        add_escaped(out, s->key_len == 0 ? "other" : value, true);
        buf_addc(out, '"');
        if (s->key_len != 0) value += strlen(value) + 1;
    }
    if (le != NULL || inf) {
        buf_adds(out, labels != 0 ? ",le=\"" : "le=\"");
        if (inf) {
            buf_adds(out, "+Inf");
        } else {
            add_seconds(out, *le);
        }
        buf_addc(out, '"');
    }
    buf_addc(out, '}');
}

static void add_series(struct buf *out, const struct metric *m, const struct series *s) {
    if (m->type != METRIC_HISTOGRAM) {
        add_name(out, m, s, "", NULL, false);
        buf_addc(out, ' ');
        buf_addi(out, atomic_load_explicit(&s->value, memory_order_relaxed));
        buf_addc(out, '\n');
        return;
    }
    int64_t count = 0; /* the sum of the buckets as read: _count always equals le="+Inf" */
    for (size_t b = 0; b < BUCKETS; b++) {
        bool inf = b == ARRAY_LEN(BOUNDS);
        count += (int64_t)atomic_load_explicit(&s->bucket[b], memory_order_relaxed);
        add_name(out, m, s, "_bucket", inf ? NULL : &BOUNDS[b], inf);
        buf_addc(out, ' ');
        buf_addi(out, count);
        buf_addc(out, '\n');
    }
    add_name(out, m, s, "_sum", NULL, false);
    buf_addc(out, ' ');
    add_seconds(out, atomic_load_explicit(&s->sum_us, memory_order_relaxed));
    buf_addc(out, '\n');
    add_name(out, m, s, "_count", NULL, false);
    buf_addc(out, ' ');
    buf_addi(out, count);
    buf_addc(out, '\n');
}

void metrics_write(struct buf *out) {
    static const char *const types[] = {"counter", "gauge", "histogram"};
    pthread_mutex_lock(&lock);
    for (const struct metric *m = families; m != NULL; m = m->next) {
        struct metric_impl *impl = impl_of(m);
        buf_addf(out, "# HELP %s ", m->name);
        add_escaped(out, m->help, false);
        buf_addf(out, "\n# TYPE %s %s\n", m->name, types[m->type]);
        for (size_t i = 0; i < impl->count; i++)
            add_series(out, m, impl->order[i]);
        if (atomic_load(&impl->other_used)) add_series(out, m, &impl->other);
    }
    pthread_mutex_unlock(&lock);
}

void metrics_free(void) {
    pthread_mutex_lock(&lock);
    struct metric *next;
    for (struct metric *m = families; m != NULL; m = next) {
        struct metric_impl *impl = impl_of(m);
        next = m->next;
        for (size_t i = 0; i < impl->count; i++)
            mem_free(impl->order[i]);
        mem_free(impl);
        m->next = NULL;
        __atomic_store_n(&m->impl, NULL, __ATOMIC_RELEASE);
    }
    families = NULL;
    pthread_mutex_unlock(&lock);
}
