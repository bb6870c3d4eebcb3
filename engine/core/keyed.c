#include "core/keyed.h"

#include "base/ensure.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>

#define SHARDS  16
#define BUCKETS 64 /* chains per shard */

struct entry {
    struct entry *chain;         /* same bucket */
    struct entry *newer, *older; /* by last use */
    unsigned shard, bucket;
    size_t key_size;
    char key[KEYED_KEY_MAX];
    _Alignas(max_align_t) char value[];
};

struct shard {
    pthread_mutex_t lock;
    struct entry *bucket[BUCKETS];
    struct entry *newest, *oldest;
    size_t count;
};

struct keyed {
    size_t value_size;
    size_t per_shard; /* entries at most */
    struct shard shard[SHARDS];
};

int keyed_new(struct keyed **out, size_t value_size, size_t keys_max) {
    *out = NULL;
    struct keyed *k = mem_zalloc(sizeof *k);
    if (k == NULL) return E_NOMEM;
    k->value_size = value_size;
    k->per_shard = keys_max / SHARDS < 1 ? 1 : keys_max / SHARDS;
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_init(&k->shard[i].lock, NULL);
    *out = k;
    return 0;
}

void keyed_delete(struct keyed *k) {
    if (k == NULL) return;
    for (int i = 0; i < SHARDS; i++) {
        for (struct entry *e = k->shard[i].newest, *next; e != NULL; e = next) {
            next = e->older;
            mem_free(e);
        }
        pthread_mutex_destroy(&k->shard[i].lock);
    }
    mem_free(k);
}

static void unlink_use(struct shard *s, struct entry *e) {
    *(e->newer == NULL ? &s->newest : &e->newer->older) = e->older;
    *(e->older == NULL ? &s->oldest : &e->older->newer) = e->newer;
}

static void link_newest(struct shard *s, struct entry *e) {
    e->newer = NULL;
    e->older = s->newest;
    *(s->newest == NULL ? &s->oldest : &s->newest->newer) = e;
    s->newest = e;
}

static void unlink_chain(struct shard *s, struct entry *e) {
    struct entry **at = &s->bucket[e->bucket];
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
}

/* A new entry, or the least recently used one emptied. */
static struct entry *take_entry(struct keyed *k, struct shard *s) {
    if (s->count < k->per_shard) {
        struct entry *e = mem_alloc(sizeof *e + k->value_size);
        if (e != NULL) {
            s->count++;
            return e;
        }
    }
    struct entry *e = s->oldest;
    if (e == NULL) return NULL;
    unlink_use(s, e);
    unlink_chain(s, e);
    return e;
}

void *keyed_lock(struct keyed *k, struct str key, bool create) {
    char cut[KEYED_KEY_MAX];
    uint64_t hash = str_hash(key);
    if (key.n > sizeof cut) {
        memcpy(cut, key.p, sizeof cut - 20);
        int n = snprintf(cut + sizeof cut - 20, 20, "#%016llx", (unsigned long long)hash);
        key = (struct str){cut, sizeof cut - 20 + (size_t)n};
    }
    unsigned shard = (unsigned)(hash % SHARDS), bucket = (unsigned)(hash / SHARDS % BUCKETS);
    struct shard *s = &k->shard[shard];
    pthread_mutex_lock(&s->lock);
    struct entry *e = s->bucket[bucket];
    while (e != NULL && !str_eq((struct str){e->key, e->key_size}, key))
        e = e->chain;
    if (e != NULL) {
        unlink_use(s, e);
    } else {
        e = create ? take_entry(k, s) : NULL;
        if (e == NULL) {
            pthread_mutex_unlock(&s->lock);
            return NULL;
        }
        *e = (struct entry){.shard = shard, .bucket = bucket, .key_size = key.n};
        if (key.n != 0) memcpy(e->key, key.p, key.n);
        memset(e->value, 0, k->value_size);
        e->chain = s->bucket[bucket];
        s->bucket[bucket] = e;
    }
    link_newest(s, e);
    return e->value;
}

void keyed_unlock(struct keyed *k, void *value) {
    struct entry *e = CONTAINER_OF(value, struct entry, value);
    pthread_mutex_unlock(&k->shard[e->shard].lock);
}

size_t keyed_count(struct keyed *k) {
    size_t n = 0;
    for (int i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&k->shard[i].lock);
        n += k->shard[i].count;
        pthread_mutex_unlock(&k->shard[i].lock);
    }
    return n;
}
