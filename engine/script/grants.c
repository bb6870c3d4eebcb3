/* See grants.h. The rows themselves are the list: some dozens, looked through under a lock. */
#include "script/grants.h"

#include "base/mem.h"
#include "script/manifest.h"

#include <pthread.h>
#include <stdio.h>

struct grants {
    pthread_mutex_t lock;
    struct rows *rows; /* provider, kind, value, at; NULL: none */
};

int grants_new(struct grants **out) {
    struct grants *g = mem_zalloc(sizeof *g);
    if (g == NULL) return E_NOMEM;
    if (pthread_mutex_init(&g->lock, NULL) != 0) {
        mem_free(g);
        return E_NOMEM;
    }
    *out = g;
    return 0;
}

void grants_delete(struct grants *g) {
    if (g == NULL) return;
    rows_free(g->rows);
    pthread_mutex_destroy(&g->lock);
    mem_free(g);
}

void grants_set(struct grants *g, const struct rows *rows) {
    struct rows *kept = rows_keep(rows);
    pthread_mutex_lock(&g->lock);
    struct rows *old = g->rows;
    g->rows = kept;
    pthread_mutex_unlock(&g->lock);
    rows_free(old);
}

bool grants_have(struct grants *g, struct str provider, const char *kind, const char *value) {
    if (g == NULL) return true;
    bool found = false;
    pthread_mutex_lock(&g->lock);
    for (size_t i = 0; g->rows != NULL && i < rows_count(g->rows) && !found; i++)
        found = str_eq(rows_text(g->rows, i, 0), provider) &&
                str_eq(rows_text(g->rows, i, 1), str_of(kind)) &&
                (value == NULL || str_eq(rows_text(g->rows, i, 2), str_of(value)));
    pthread_mutex_unlock(&g->lock);
    return found;
}

bool grants_list(struct grants *g, struct str provider, const char *kind, char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    pthread_mutex_lock(&g->lock);
    for (size_t i = 0; g->rows != NULL && i < rows_count(g->rows); i++) {
        struct str value = rows_text(g->rows, i, 2);
        if (!str_eq(rows_text(g->rows, i, 0), provider) ||
            !str_eq(rows_text(g->rows, i, 1), str_of(kind)) || used + value.n + 2 > size)
            continue;
        used += (size_t)snprintf(out + used, size - used, "%s%.*s", used == 0 ? "" : ",",
                                 STR_FMT(value));
    }
    pthread_mutex_unlock(&g->lock);
    return used != 0;
}

void grants_each_asked(const struct version *v, const char *env,
                       void (*each)(void *data, const char *provider, const char *kind,
                                    const char *value),
                       void *data) {
    const struct manifest *m = v->manifest;
    const char *provider = manifest_owner(v);
    if (provider == NULL || (v->kind & (KIND_CHANNEL | KIND_BILLER)) == 0) return;
    for (size_t i = 0; i < m->hosts.count; i++)
        if (env[0] == '\0' || strcmp(m->hosts.at[i].name, env) == 0)
            each(data, provider, "host", m->hosts.at[i].value);
    for (size_t i = 0; i < m->config.count; i++)
        each(data, provider, "key", m->config.at[i].key);
}

struct lacking {
    struct grants *grants;
    struct buf *command;
    const char *kind; /* of the list being written; NULL: nothing yet */
};

static void add_lacking(void *data, const char *provider, const char *kind, const char *value) {
    struct lacking *l = data;
    if (grants_have(l->grants, str_of(provider), kind, value)) return;
    if (l->kind == NULL) buf_addf(l->command, "luwak grant %s", provider);
    if (l->kind == NULL || strcmp(l->kind, kind) != 0)
        buf_addf(l->command, " --%s ", kind);
    else
        buf_addc(l->command, ',');
    buf_adds(l->command, value);
    l->kind = kind;
}

bool grants_lack(struct grants *g, const struct version *v, const char *env, struct buf *command) {
    struct lacking l = {g, command, NULL};
    if (g == NULL) return false;
    grants_each_asked(v, env, add_lacking, &l);
    return l.kind != NULL;
}
