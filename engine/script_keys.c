/* See script_keys.h. */
#include "script_keys.h"

#include "script/manifest.h"
#include "script/script_set.h"
#include "sys/log.h"

bool script_keys_lack(const struct engine *e, const struct version *v, struct buf *keys) {
    const struct manifest_configs *config = &v->manifest->config;
    const char *provider = manifest_owner(v), *value;
    size_t before = keys->len;
    if (v->kind == KIND_SANDBOX) return false; /* serves in simulated mode only */
    for (size_t i = 0; provider != NULL && i < config->count; i++) {
        const char *key = config->at[i].key;
        if (config_provider(e->config, provider, key, &value) != E_NOTFOUND) continue;
        buf_addf(keys, "%s%s", keys->len == before ? "" : ", ", key);
    }
    return keys->len != before;
}

void script_keys_warn(const struct engine *e, const struct script_set *old,
                      const struct script_set *set) {
    for (size_t i = 0; i < set->count; i++) {
        const struct version *v = set->entries[i].version;
        const struct script_entry *was =
            old == NULL ? NULL : script_set_find(old, v->kind, str_of(v->name));
        struct buf keys = {0};
        bool new = !set->entries[i].deleted && (was == NULL || was->deleted || was->version != v);
        if (new &&script_keys_lack(e, v, &keys))
            log_warn("script_lacks_config", L_TEXT("path", v->path), L_STR("keys", buf_str(&keys)));
        buf_free(&keys);
    }
}
