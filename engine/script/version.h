/* One version of one script: its text, the modules it required, and what it declared. Immutable
 * after it was published, shared by all workers, freed with its last reference.
 *
 * id = SHA-256 over the sorted (path, SHA-256 of text) of the script and every module, and the api
 * number, in hex.
 *
 * The parts of a version are known before any of it runs: version_build reads the text, finds every
 * `require "name"` in it (a literal name is the rule, so a module that is required late, inside a
 * function, is a part as well and the version stays immutable), and goes on in the modules. */
#ifndef LUWAK_SCRIPT_VERSION_H
#define LUWAK_SCRIPT_VERSION_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "script/bind.h"

#include <stdatomic.h>

#define SCRIPT_API       1 /* the only api number there is */
#define VERSION_ID_SIZE  (64 + 1)
#define SCRIPT_TEXT_MAX  (512 * 1024) /* bytes of one file */
#define SCRIPT_PARTS_MAX 64           /* the script and its modules */
#define SCRIPT_PATH_MAX  256

struct part_text;

struct part {   /* the script itself (parts[0]) or a module it required */
    char *name; /* module name as required: "midtrans"; of the script: "" */
    char *path; /* relative to the root: "channels/bni_va.lua" */
    struct str text;
    char hash[VERSION_ID_SIZE];
    struct str code; /* engine-made bytecode; made by us, kept in memory only, never from a file */
    struct part_text *shared; /* owns text and code: equal parts of many versions share them */
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

/* Where texts come from: the folder (source.h), or the store. `read` appends the text; E_NOTFOUND
 * where there is none. A module is scripts/lib/NAME.lua, or else scripts/lib/NAME/init.lua. */
struct version_files {
    int (*read)(void *data, const char *path, struct buf *text, struct why *why);
    void *data;
};

/* Reads, resolves and compiles; the manifest stays NULL (manifest_load fills it). Any failure says
 * file, line and what is wrong. */
int version_build(struct version **out, enum script_kind kind, const char *name, const char *path,
                  const struct version_files *files, const struct bind_module *const *modules,
                  struct why *why);

struct version *version_keep(struct version *v);
void version_drop(struct version *v);

const struct part *version_part(const struct version *v, const char *module); /* NULL: none */

/* Is `name` a module that the engine brings itself? */
bool module_builtin(const struct bind_module *const *modules, struct str name);
/* a-z 0-9 _ in parts divided by single '.' or '/': nothing that could leave scripts/lib. */
bool module_name_valid(struct str name);

/* The parts of a version as the store keeps them: JSON [{name, path, hash}]. registry_kept.c */
void version_write_parts(const struct version *v, struct buf *out);

/* Every `require "x"` of a text, in order; a require of anything but a literal is E_SCRIPT. */
int require_scan(struct str text, const char *path,
                 int (*found)(void *data, struct str name, int line, struct why *why), void *data,
                 struct why *why);

#endif
