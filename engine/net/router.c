/* router: a tree of segments. A node has its exact children sorted by text, at most one child for a
 * parameter and at most one for the rest; routes hang off nodes as a list by method. Parameter
 * names belong to the route, not the node, so `/a/:id` and `/a/:name/x` live together. Every node
 * is looked at most once per request, so a lookup is bounded by the table's size whatever the
 * path. */
#include "net/router.h"

#include "base/ensure.h"
#include "base/mem.h"

#include <stdlib.h>

struct leaf {
    struct leaf *next; /* other methods of the same node */
    struct str method; /* views into text */
    struct str pattern;
    struct str names[ROUTE_PARAMS_MAX];
    size_t name_count;
    void *target;
    char text[];
};

struct node {
    struct str text; /* exact segment, view into a leaf's text */
    struct node **exact;
    size_t exact_count;
    struct node *param;
    struct node *rest;
    struct leaf *leaves;
};

struct router {
    struct node root;
    size_t count;
};

/* ---- building ---- */

static void node_free(struct node *n) {
    if (n == NULL) return;
    for (size_t i = 0; i < n->exact_count; i++) {
        node_free(n->exact[i]);
        mem_free(n->exact[i]);
    }
    mem_free(n->exact);
    node_free(n->param);
    mem_free(n->param);
    node_free(n->rest);
    mem_free(n->rest);
    while (n->leaves != NULL) {
        struct leaf *leaf = n->leaves;
        n->leaves = leaf->next;
        mem_free(leaf);
    }
}

/* Where `text` stands or belongs among the exact children. */
static size_t exact_place(const struct node *n, struct str text, bool *found) {
    size_t low = 0, high = n->exact_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int d = str_cmp(n->exact[mid]->text, text);
        if (d == 0) {
            *found = true;
            return mid;
        }
        if (d < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *found = false;
    return low;
}

static struct node *exact_child(struct node *n, struct str text) {
    bool found;
    size_t at = exact_place(n, text, &found);
    if (found) return n->exact[at];
    struct node **grown = mem_realloc(n->exact, (n->exact_count + 1) * sizeof *grown);
    if (grown == NULL) return NULL;
    n->exact = grown;
    struct node *child = mem_zalloc(sizeof *child);
    if (child == NULL) return NULL;
    child->text = text;
    memmove(grown + at + 1, grown + at, (n->exact_count - at) * sizeof *grown);
    grown[at] = child;
    n->exact_count++;
    return child;
}

static struct node *only_child(struct node **slot) {
    if (*slot == NULL) *slot = mem_zalloc(sizeof **slot);
    return *slot;
}

static bool name_valid(struct str name) {
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_')
            return false;
    }
    return name.n != 0;
}

static bool segment_valid(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("%?#*", s.p[i]) != NULL) return false;
    return !str_eq(s, STR(".")) && !str_eq(s, STR(".."));
}

/* One segment further into the tree; NULL with *err set. */
static struct node *descend(struct node *n, struct str segment, bool last, struct leaf *leaf,
                            int *err) {
    char kind = segment.n == 0 ? '\0' : segment.p[0];
    struct node *child = NULL;
    *err = E_SYNTAX;
    if (kind == ':' || kind == '*') {
        struct str name = str_sub(segment, 1, segment.n);
        if (!name_valid(name) || (kind == '*' && !last)) return NULL;
        if (leaf->name_count == ROUTE_PARAMS_MAX) return NULL;
        for (size_t i = 0; i < leaf->name_count; i++)
            if (str_eq(leaf->names[i], name)) return NULL;
        leaf->names[leaf->name_count++] = name;
        child = only_child(kind == ':' ? &n->param : &n->rest);
    } else {
        if (!segment_valid(segment)) return NULL;
        child = exact_child(n, segment);
    }
    if (child == NULL) *err = E_NOMEM;
    return child;
}

static bool method_valid(struct str m) {
    for (size_t i = 0; i < m.n; i++)
        if (!(m.p[i] >= 'A' && m.p[i] <= 'Z') && m.p[i] != '-') return false;
    return m.n != 0 && m.n <= 32;
}

static int add(struct router *r, const struct route *route, struct why *why) {
    int err = E_SYNTAX;
    struct leaf *leaf = mem_zalloc(sizeof *leaf + route->method.n + route->pattern.n + 1);
    if (leaf == NULL) return why_set(why, E_NOMEM, "out of memory");
    leaf->target = route->target;
    leaf->method = (struct str){leaf->text, route->method.n};
    leaf->pattern = (struct str){leaf->text + route->method.n, route->pattern.n};
    memcpy(leaf->text, route->method.p, route->method.n);
    memcpy(leaf->text + route->method.n, route->pattern.p, route->pattern.n);
    struct node *n = &r->root;
    struct leaf *twin = NULL;
    struct str rest = leaf->pattern, segment;
    size_t depth = 0;
    if (!method_valid(route->method) || rest.n == 0 || rest.n > ROUTE_PATH_MAX || rest.p[0] != '/')
        goto fail;
    rest = str_sub(rest, 1, rest.n);
    for (bool more = true; more;) {
        if (++depth > ROUTE_SEGMENTS_MAX) goto fail;
        more = str_cut(rest, '/', &segment, &rest);
        n = descend(n, segment, !more, leaf, &err);
        if (n == NULL) goto fail;
    }
    for (twin = n->leaves; twin != NULL; twin = twin->next)
        if (str_eq(twin->method, leaf->method)) break;
    if (twin == NULL) {
        leaf->next = n->leaves;
        n->leaves = leaf;
        r->count++;
        return 0;
    }
    err =
        why_set(why, E_EXISTS, "%.*s %.*s and %.*s %.*s are the same route", STR_FMT(twin->method),
                STR_FMT(twin->pattern), STR_FMT(leaf->method), STR_FMT(leaf->pattern));
    mem_free(leaf);
    return err;
fail:
    err = err == E_NOMEM ? why_set(why, err, "out of memory")
                         : why_set(why, err,
                                   "\"%.*s %.*s\" is no route: expected METHOD /path with "
                                   ":name segments, *name only as the last",
                                   STR_FMT(route->method), STR_FMT(route->pattern));
    /* Nodes may show the leaf's text, and the table is thrown away whole: keep it till then. */
    leaf->next = r->root.leaves;
    r->root.leaves = leaf;
    return err;
}

int router_new(struct router **out, const struct route *routes, size_t count, struct why *why) {
    struct router *r = mem_zalloc(sizeof *r);
    if (r == NULL) return why_set(why, E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        ENSURE(routes[i].target != NULL);
        int err = add(r, &routes[i], why);
        if (err != 0) {
            router_delete(r);
            return err;
        }
    }
    *out = r;
    return 0;
}

void router_delete(struct router *r) {
    if (r == NULL) return;
    node_free(&r->root);
    mem_free(r);
}

/* ---- decoding ---- */

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int percent_decode(struct str in, bool plus, char *out, size_t *n) {
    size_t o = 0;
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = (uint8_t)in.p[i];
        if (c == '%') {
            int high = i + 2 < in.n ? hex(in.p[i + 1]) : -1;
            int low = i + 2 < in.n ? hex(in.p[i + 2]) : -1;
            if (high < 0 || low < 0) return E_SYNTAX;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        if (c < 0x20 || c == 0x7f) return E_SYNTAX;
        out[o++] = (char)c;
    }
    *n = o;
    return 0;
}

/* ---- finding ---- */

struct search {
    struct str method;
    struct str segments[ROUTE_SEGMENTS_MAX]; /* decoded */
    struct str from[ROUTE_SEGMENTS_MAX];     /* the path from that segment on, decoded */
    size_t count;
    bool slash_hidden[ROUTE_SEGMENTS_MAX]; /* in this segment or a later one */
    size_t taken[ROUTE_PARAMS_MAX];        /* segment numbers of the parameters on the way */
    size_t taken_count;
    bool rest; /* the last one taken is a rest */
    bool path_known, bad;
    struct route_match *out;
};

static void allow_add(struct search *f, struct str method) {
    char *allow = f->out->allow;
    struct str rest = str_of(allow), one;
    while (rest.n != 0) {
        str_cut(rest, ',', &one, &rest);
        if (str_eq(str_trim(one), method)) return;
    }
    size_t n = strlen(allow);
    if (n + method.n + 3 > ROUTE_ALLOW_MAX) return;
    if (n != 0) {
        memcpy(allow + n, ", ", 2);
        n += 2;
    }
    memcpy(allow + n, method.p, method.n);
    allow[n + method.n] = '\0';
}

static void fill_params(struct search *f, const struct leaf *leaf) {
    struct route_match *out = f->out;
    out->target = leaf->target;
    out->pattern = leaf->pattern;
    out->param_count = leaf->name_count;
    for (size_t i = 0; i < leaf->name_count; i++) {
        size_t segment = f->taken[i];
        bool rest = f->rest && i + 1 == leaf->name_count;
        out->params[i].name = leaf->names[i];
        out->params[i].value = rest ? f->from[segment] : f->segments[segment];
    }
}

/* The path ends here: is there a route for the method? */
static bool arrive(struct search *f, const struct node *n, bool rest) {
    if (n->leaves == NULL) return false;
    f->rest = rest;
    const struct leaf *get = NULL;
    for (const struct leaf *leaf = n->leaves; leaf != NULL; leaf = leaf->next) {
        if (str_eq(leaf->method, f->method)) {
            fill_params(f, leaf);
            return true;
        }
        if (str_eq(leaf->method, STR("GET"))) get = leaf;
    }
    if (get != NULL && str_eq(f->method, STR("HEAD"))) {
        fill_params(f, get);
        return true;
    }
    f->path_known = true;
    for (const struct leaf *leaf = n->leaves; leaf != NULL; leaf = leaf->next)
        allow_add(f, leaf->method);
    if (get != NULL) allow_add(f, STR("HEAD"));
    return false;
}

static bool walk(struct search *f, const struct node *n, size_t depth) {
    if (depth == f->count) return arrive(f, n, false);
    bool found;
    size_t at = exact_place(n, f->segments[depth], &found);
    if (found && walk(f, n->exact[at], depth + 1)) return true;
    if (f->segments[depth].n == 0) return false; /* a parameter is never empty */
    if (n->param != NULL) {
        f->taken[f->taken_count++] = depth;
        if (walk(f, n->param, depth + 1)) return true;
        f->taken_count--;
    }
    if (n->rest != NULL) {
        if (f->slash_hidden[depth]) {
            f->bad = true;
            return false;
        }
        f->taken[f->taken_count++] = depth;
        if (arrive(f, n->rest, true)) return true;
        f->taken_count--;
    }
    return false;
}

/* Cuts the path into decoded segments. */
static int cut(struct search *f, struct str path) {
    char *to = f->out->decoded;
    struct str rest = str_sub(path, 1, path.n), raw;
    if (path.n > ROUTE_PATH_MAX) return E_LIMIT;
    const char *end = f->out->decoded + ROUTE_PATH_MAX;
    for (bool more = true; more;) {
        if (f->count == ROUTE_SEGMENTS_MAX) return E_LIMIT;
        more = str_cut(rest, '/', &raw, &rest);
        size_t n = 0;
        int err = percent_decode(raw, false, to, &n);
        if (err != 0) return err;
        struct str segment = {to, n};
        if (str_eq(segment, STR(".")) || str_eq(segment, STR(".."))) return E_SYNTAX;
        f->slash_hidden[f->count] = str_find(segment, '/') >= 0;
        f->segments[f->count++] = segment;
        to += n;
        if (more && to < end) *to++ = '/';
    }
    for (size_t i = f->count; i-- != 0;) {
        f->from[i] = (struct str){f->segments[i].p, (size_t)(to - f->segments[i].p)};
        if (i + 1 < f->count && f->slash_hidden[i + 1]) f->slash_hidden[i] = true;
    }
    return 0;
}

enum route_verdict router_find(const struct router *r, struct str method, struct str path,
                               struct route_match *out) {
    struct search f;
    f.method = method;
    f.count = f.taken_count = 0;
    f.rest = f.path_known = f.bad = false;
    f.out = out;
    out->target = NULL;
    out->pattern = (struct str){"", 0};
    out->param_count = 0;
    out->allow[0] = '\0';
    if (str_eq(path, STR("*"))) { /* OPTIONS * : the server as a whole */
        allow_add(&f, STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
        return ROUTE_OPTIONS;
    }
    if (path.n == 0 || path.p[0] != '/') return ROUTE_BAD;
    int err = cut(&f, path);
    if (err != 0) return err == E_LIMIT ? ROUTE_NO_PATH : ROUTE_BAD;
    if (walk(&f, &r->root, 0)) return ROUTE_FOUND;
    if (f.bad) return ROUTE_BAD;
    if (!f.path_known) return ROUTE_NO_PATH;
    allow_add(&f, STR("OPTIONS"));
    return str_eq(method, STR("OPTIONS")) ? ROUTE_OPTIONS : ROUTE_NO_METHOD;
}
