/* script_set: see script_set.h. */
#include "script/script_set.h"

#include "base/mem.h"

#define KINDS_WEB (KIND_API | KIND_PAGE | KIND_CHANNEL) /* mounted at the server's root */

/* Banks go on calling about the open payments of a channel whose file is gone. */
static bool has_routes(const struct script_entry *e) {
    unsigned kinds = e->deleted ? (unsigned)KIND_CHANNEL : (unsigned)KINDS_WEB;
    return (e->version->kind & kinds) != 0 && e->version->manifest != NULL;
}

/* `shadow`: what the one takes from the other counts as well: an exact part from a parameter, both
 * from a rest, and HEAD, which GET answers, from GET. */
static bool clash(const struct manifest_route *a, const struct manifest_route *b, bool shadow) {
    const char *m = a->method, *n = b->method;
    if (shadow && strcmp(m, "HEAD") == 0) m = "GET";
    if (shadow && strcmp(n, "HEAD") == 0) n = "GET";
    if (strcmp(m, n) != 0) return false;
    struct str x = str_of(a->path), y = str_of(b->path), p, q;
    for (;;) {
        bool more_x = str_cut(x, '/', &p, &x), more_y = str_cut(y, '/', &q, &y);
        char kind_p = p.n != 0 && (p.p[0] == ':' || p.p[0] == '*') ? p.p[0] : '=';
        char kind_q = q.n != 0 && (q.p[0] == ':' || q.p[0] == '*') ? q.p[0] : '=';
        bool same = kind_p == kind_q && (kind_p != '=' || str_eq(p, q));
        if (shadow && p.n != 0 && q.n != 0) {
            if (kind_p == '*' || kind_q == '*') return true;
            same = same || kind_p != kind_q;
        }
        if (!same || more_x != more_y) return false;
        if (!more_x) return true;
    }
}

/* Between a channel and a page. */
static bool shadows(const struct version *a, const struct version *b) {
    return (a->kind == KIND_CHANNEL) != (b->kind == KIND_CHANNEL);
}

/* Channels of one provider share the paths that it calls, as they share /callbacks/PROVIDER: the first
 * of them by name answers, and finds the attempt whichever of them made it. */
static bool share(const struct version *a, const struct version *b) {
    return a->kind == KIND_CHANNEL && b->kind == KIND_CHANNEL &&
           strcmp(a->manifest->provider, b->manifest->provider) == 0;
}

/* Those of deleted channels come last, and each only where nobody has its path by now. */
static void add_routes(struct script_set *set, const struct script_entry *e) {
    const struct manifest_routes *r = &e->version->manifest->routes;
    size_t before = set->route_count;
    for (size_t k = 0; k < r->count; k++) {
        bool taken = false;
        for (size_t i = 0; i < before && !taken; i++)
            taken =
                (e->deleted || share(e->version, set->routes[i].version)) &&
                clash(&r->at[k], set->routes[i].route, shadows(e->version, set->routes[i].version));
        if (!taken) set->routes[set->route_count++] = (struct script_route){e->version, &r->at[k]};
    }
}

int script_set_new(struct script_set **out, const struct script_entry *entries, size_t count,
                   uint64_t serial) {
    size_t routes = 0;
    for (size_t i = 0; i < count; i++)
        if (has_routes(&entries[i])) routes += entries[i].version->manifest->routes.count;
    struct script_set *set = mem_zalloc(sizeof *set);
    if (set == NULL) return E_NOMEM;
    atomic_store(&set->references, 1);
    set->serial = serial;
    set->entries = mem_array(count + 1, sizeof *set->entries);
    set->routes = mem_array(routes + 1, sizeof *set->routes);
    if (set->entries == NULL || set->routes == NULL) {
        script_set_drop(set);
        return E_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        set->entries[set->count] = entries[i];
        version_keep(set->entries[set->count++].version);
    }
    for (int deleted = 0; deleted <= 1; deleted++)
        for (size_t i = 0; i < count; i++)
            if (entries[i].deleted == deleted && has_routes(&entries[i]))
                add_routes(set, &entries[i]);
    *out = set;
    return 0;
}

struct script_set *script_set_keep(struct script_set *set) {
    if (set != NULL) atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

void script_set_drop(struct script_set *set) {
    if (set == NULL || atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < set->count; i++)
        version_drop(set->entries[i].version);
    mem_free(set->entries);
    mem_free(set->routes);
    mem_free(set);
}

const struct script_entry *script_set_find(const struct script_set *set, enum script_kind kind,
                                           struct str name) {
    for (size_t i = 0; i < set->count; i++)
        if (set->entries[i].version->kind == kind &&
            str_eq(str_of(set->entries[i].version->name), name))
            return &set->entries[i];
    return NULL;
}

bool script_routes_clash(const struct manifest_route *a, const struct manifest_route *b) {
    return clash(a, b, false);
}

bool script_scripts_clash(const struct version *a, const struct version *b,
                          const struct manifest_route **of_a, const struct manifest_route **of_b) {
    if ((a->kind & KINDS_WEB) == 0 || (b->kind & KINDS_WEB) == 0 || share(a, b)) return false;
    const struct manifest_routes *x = &a->manifest->routes, *y = &b->manifest->routes;
    for (size_t i = 0; i < x->count; i++)
        for (size_t k = 0; k < y->count; k++)
            if (clash(&x->at[i], &y->at[k], shadows(a, b))) {
                *of_a = &x->at[i];
                *of_b = &y->at[k];
                return true;
            }
    return false;
}
