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
    struct str
        code; /* bytecode, made by us, in memory only, never from a file; read by part_code */
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
    _Atomic uint64_t unverified,
        unverified_line_ms; /* requests since the last line, the next line */
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

/* ---- from texts that are known ---- */

/* The one copy of a file's text, which it takes over; the reference is the caller's. Not compiled:
 * that is done when a version of it is built, or first run. */
int part_text_new(struct part_text **out, const char *path, struct buf *text, struct why *why);
const char *part_text_hash(const struct part_text *text);
void part_text_drop(struct part_text *text); /* NULL: nothing */

/* A version without parts; then the script itself under the name "" and its modules, which keep
 * references of their own; then its id. */
int version_new(struct version **out, enum script_kind kind, const char *name, const char *path,
                struct why *why);
int version_add(struct version *v, struct str name, struct part_text *text, struct why *why);
int version_seal(struct version *v, struct why *why);

/* What is not compiled yet, for all versions that share it. From any thread. */
int version_compile(const struct version *v, struct why *why);
struct str part_code(const struct part *part); /* empty: not compiled */

struct version *version_keep(struct version *v);
void version_drop(struct version *v);

const struct part *version_part(const struct version *v, const char *module); /* NULL: none */

/* Is `name` a module that the engine brings itself? */
bool module_builtin(const struct bind_module *const *modules, struct str name);
/* a-z 0-9 _ in parts divided by single '.' or '/': nothing that could leave scripts/lib. */
bool module_name_valid(struct str name);
/* Where a module of a valid name is looked for: with the tails ".lua" and then "/init.lua". */
void module_path(char out[SCRIPT_PATH_MAX], struct str name, const char *tail);

/* The parts of a version as the store keeps them: JSON [{name, path, hash}]. registry_kept.c */
void version_write_parts(const struct version *v, struct buf *out);

/* Every `require "x"` of a text, in order; a require of anything but a literal is E_SCRIPT. */
int require_scan(struct str text, const char *path,
                 int (*found)(void *data, struct str name, int line, struct why *why), void *data,
                 struct why *why);

#endif
