/* SQLite's own page cache, asked less. At the end of each transaction SQLite cuts the cache to the
 * database's size, and the cache looks at every page it holds when it believes that one lies beyond. It
 * does believe so after most splits of a B-tree: pages that change places are parked for a moment under
 * the number of the page at 1 GB, which is never used, and the cache remembers the highest number it has
 * seen. With 32 MB of pages that look took a fifth of the time of a small commit. What is here in front
 * of it knows when no page is there to cut. */
#include "base/mem.h"
#include "store/sqlite_private.h"

#include <stdatomic.h>

#define PENDING_BYTE 0x40000000

struct cache {
    sqlite3_pcache *own; /* SQLite's */
    unsigned top;        /* no page beyond it, but for ... */
    unsigned parking;    /* ... this one */
    bool parked;
};

static sqlite3_pcache_methods2 own;
static _Thread_local const _Atomic bool *ends;

void sqlite_end_on(const _Atomic bool *flag) {
    ends = flag;
}

static int cache_init(void *data) {
    (void)data;
    return own.xInit(own.pArg);
}

static void cache_shutdown(void *data) {
    (void)data;
    own.xShutdown(own.pArg);
}

static sqlite3_pcache *cache_create(int page, int extra, int purgeable) {
    struct cache *c = mem_zalloc(sizeof *c);
    if (c == NULL) return NULL;
    c->own = own.xCreate(page, extra, purgeable);
    c->parking = (unsigned)(PENDING_BYTE / page) + 1;
    if (c->own != NULL) return (sqlite3_pcache *)c;
    mem_free(c);
    return NULL;
}

static struct cache *of(sqlite3_pcache *p) {
    return (struct cache *)p;
}

static void cache_size(sqlite3_pcache *p, int pages) {
    own.xCachesize(of(p)->own, pages);
}

static int cache_count(sqlite3_pcache *p) {
    return own.xPagecount(of(p)->own);
}

static sqlite3_pcache_page *cache_fetch(sqlite3_pcache *p, unsigned key, int create) {
    struct cache *c = of(p);
    if (ends != NULL && create != 0 && atomic_load(ends)) return NULL;
    sqlite3_pcache_page *page = own.xFetch(c->own, key, create);
    if (key > c->top && page != NULL) c->top = key;
    return page;
}

static void cache_unpin(sqlite3_pcache *p, sqlite3_pcache_page *page, int discard) {
    own.xUnpin(of(p)->own, page, discard);
}

static void cache_rekey(sqlite3_pcache *p, sqlite3_pcache_page *page, unsigned from, unsigned to) {
    struct cache *c = of(p);
    own.xRekey(c->own, page, from, to);
    if (from == c->parking) c->parked = false;
    if (to == c->parking)
        c->parked = true;
    else if (to > c->top)
        c->top = to;
}

static void cache_truncate(sqlite3_pcache *p, unsigned limit) {
    struct cache *c = of(p);
    if (limit > c->top && !c->parked) return;
    own.xTruncate(c->own, limit);
    c->parked = c->parked && limit > c->parking;
    if (c->top >= limit) c->top = limit == 0 ? 0 : limit - 1;
}

static void cache_destroy(sqlite3_pcache *p) {
    own.xDestroy(of(p)->own);
    mem_free(p);
}

static void cache_shrink(sqlite3_pcache *p) {
    own.xShrink(of(p)->own);
}

void sqlite_pcache_set(void) {
    static const sqlite3_pcache_methods2 OURS = {.iVersion = 1,
                                                 .xInit = cache_init,
                                                 .xShutdown = cache_shutdown,
                                                 .xCreate = cache_create,
                                                 .xCachesize = cache_size,
                                                 .xPagecount = cache_count,
                                                 .xFetch = cache_fetch,
                                                 .xUnpin = cache_unpin,
                                                 .xRekey = cache_rekey,
                                                 .xTruncate = cache_truncate,
                                                 .xDestroy = cache_destroy,
                                                 .xShrink = cache_shrink};
    if (sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &own) == SQLITE_OK)
        sqlite3_config(SQLITE_CONFIG_PCACHE2, &OURS);
}
