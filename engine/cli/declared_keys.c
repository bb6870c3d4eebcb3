/* See declared_keys.h. */
#include "cli/declared_keys.h"

#include "script/manifest.h"
#include "script/source.h"

struct walk {
    const char *root;
    void (*each)(void *data, const char *provider, const char *key);
    void *data;
};

static int take(void *data, const char *path, enum script_kind kind, const struct stat *st) {
    const struct walk *w = data;
    const struct version_files files = {source_read, (void *)w->root};
    char name[SCRIPT_PATH_MAX];
    struct version *v = NULL;
    (void)st;
    if ((kind & (KIND_CHANNEL | KIND_BILLER | KIND_SANDBOX)) == 0) return 0;
    if (!source_kind(path, &kind, name)) return 0;
    int err = version_build(&v, kind, name, path, &files, BIND_MODULES, NULL);
    if (err == 0) err = manifest_load(v, NULL, NULL, NULL);
    const char *provider = err == 0 ? manifest_owner(v) : NULL;
    if (provider != NULL) {
        w->each(w->data, provider, NULL);
        for (size_t i = 0; i < v->manifest->config.count; i++)
            w->each(w->data, provider, v->manifest->config.at[i].key);
    }
    if (v != NULL) version_drop(v);
    return err == E_NOMEM ? err : 0;
}

int declared_keys(const char *root, void (*each)(void *data, const char *provider, const char *key),
                  void *data) {
    struct walk w = {root, each, data};
    return source_list(root, take, &w);
}
