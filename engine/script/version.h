/* One version of one script: its text, the modules it required, and what it declared. Immutable
 * after it was published, shared by all workers, freed with its last reference.
 *
 * id = SHA-256 over the sorted (path, SHA-256 of text) of the script and every module, and the api
 * number, in hex. */
#ifndef LUWAK_SCRIPT_VERSION_H
#define LUWAK_SCRIPT_VERSION_H

#include "base/str.h"
#include "script/bind.h"

#include <stdatomic.h>

#define VERSION_ID_SIZE (64 + 1)

struct part {   /* the script itself (parts[0]) or a module it required */
    char *name; /* module name as required: "midtrans"; of the script: "" */
    char *path; /* relative to the root: "channels/bni_va.lua" */
    struct str text;
    char hash[VERSION_ID_SIZE];
    struct str code; /* engine-made bytecode; made by us, kept in memory only, never from a file */
};

struct version {
    _Atomic int references;
    enum script_kind kind;
    char *name; /* "bni_va" */
    char *path; /* "channels/bni_va.lua" */
    char id[VERSION_ID_SIZE];
    struct part *parts;
    size_t part_count;
    struct manifest *manifest; /* what the script's table declared, checked (manifest.h) */
    uint64_t serial;           /* unique in this process: the key of per-worker states */
};

struct version *version_keep(struct version *v);
void version_drop(struct version *v);

#endif
