/* What the registry needs of the store: a few functions, so that it can be tested without one.
 * registry_store_new makes the real one. */
#ifndef LUWAK_SCRIPT_REGISTRY_STORE_H
#define LUWAK_SCRIPT_REGISTRY_STORE_H

#include "loop/loop.h"
#include "script/version.h"

struct registry_row {
    struct str path;
    struct str version;
    struct str state; /* live staged deleted */
    struct str parts; /* version_write_parts */
    int64_t at;
};
typedef void (*registry_row_cb)(void *data, const struct registry_row *row);
typedef void (*registry_done_cb)(void *data, int err);

/* `done` comes later on the registry's loop, or at once where memory is short (E_NOMEM). */
struct registry_store {
    /* Keeps the texts, then notes the state: a note never stands without its texts. */
    void (*save)(struct registry_store *s, const struct version *v, const char *state,
                 registry_done_cb done, void *data);
    /* The newest live version of each path whose file was not deleted since; rows, then done. */
    void (*live)(struct registry_store *s, registry_row_cb row, registry_done_cb done, void *data);
    /* At once: newest first; one version (E_NOTFOUND); one text (E_NOTFOUND). */
    int (*history)(struct registry_store *s, const char *path, int max, registry_row_cb row,
                   void *data);
    int (*version)(struct registry_store *s, const char *path, const char *id, registry_row_cb row,
                   void *data);
    int (*text)(struct registry_store *s, struct str hash, struct buf *out);
};

struct store;
struct clock;
int registry_store_new(struct registry_store **out, struct store *store, struct loop *loop);
void registry_store_delete(struct registry_store *s);

/* The parts of a row, one after the other; E_CORRUPT for what we did not write. */
int registry_parts(struct str parts,
                   void (*part)(void *data, struct str name, struct str path, struct str hash),
                   void *data);

/* Builds a version out of a row's texts, without its manifest; E_CORRUPT if its id comes out
 * different. */
int registry_build_kept(struct registry_store *s, const struct registry_row *row,
                        const struct bind_module *const *modules, struct version **out,
                        struct why *why);

#endif
