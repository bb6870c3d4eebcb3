/* script_set: see script_set.h. */
#include "script/script_set.h"

#include "base/mem.h"

static bool has_routes(const struct script_entry *e) {
    return !e->deleted && (e->version->kind & (KIND_API | KIND_PAGE)) != 0 &&
           e->version->manifest != NULL;
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
        if (!has_routes(&entries[i])) continue;
        const struct manifest_routes *r = &entries[i].version->manifest->routes;
        for (size_t k = 0; k < r->count; k++)
            set->routes[set->route_count++] = (struct script_route){entries[i].version, &r->at[k]};
    }
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
    if (strcmp(a->method, b->method) != 0) return false;
    struct str x = str_of(a->path), y = str_of(b->path), p, q;
    for (;;) {
        bool more_x = str_cut(x, '/', &p, &x), more_y = str_cut(y, '/', &q, &y);
        bool any_p = p.n != 0 && (p.p[0] == ':' || p.p[0] == '*');
        bool any_q = q.n != 0 && (q.p[0] == ':' || q.p[0] == '*');
        if (any_p != any_q || (any_p && p.p[0] != q.p[0])) return false;
        if (!any_p && !str_eq(p, q)) return false;
        if (more_x != more_y) return false;
        if (!more_x) return true;
    }
}
