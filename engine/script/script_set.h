/* The scripts that serve at one moment: immutable, counted, handed to workers as a whole. A worker
 * uses it for every new call and drops the one before; calls that run keep their own version. */
#ifndef LUWAK_SCRIPT_SET_H
#define LUWAK_SCRIPT_SET_H

#include "script/manifest.h"

struct script_entry {
    struct version *version; /* kept by the set */
    bool deleted;            /* its file is gone: no new payments, open ones are served */
};
struct script_route {
    const struct version *version;
    const struct manifest_route *route;
};

struct script_set {
    _Atomic int references;
    uint64_t serial;              /* grows with each publication */
    struct script_entry *entries; /* by path */
    size_t count;
    struct script_route *routes; /* of all api and page scripts, and of channels: deleted ones too,
                                    as far as no other script has the path by now */
    size_t route_count;
};

struct script_set *script_set_keep(struct script_set *set);
void script_set_drop(struct script_set *set); /* any thread */

/* Makes a set of these entries (keeps their versions); sorted by path by the caller. */
int script_set_new(struct script_set **out, const struct script_entry *entries, size_t count,
                   uint64_t serial);

/* "bni_va", "fees/midtrans_card"; NULL: none. Deleted ones are found too: look at the flag. */
const struct script_entry *script_set_find(const struct script_set *set, enum script_kind kind,
                                           struct str name);

/* Do two route paths answer the same requests? Parameters count as equal: /a/:x and /a/:y do. */
bool script_routes_clash(const struct manifest_route *a, const struct manifest_route *b);

/* The first routes of two scripts that clash, where both are mounted at the server's root. Between a
 * channel and a page, /a/:x and /a/b clash as well, /a/b and /a/ *rest, HEAD and GET: a bank's path
 * takes nothing from our own. Channels of one provider share their paths: none of theirs clash. */
bool script_scripts_clash(const struct version *a, const struct version *b,
                          const struct manifest_route **of_a, const struct manifest_route **of_b);

#endif
