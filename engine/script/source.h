/* The root folder as a source of scripts: which file is what, reading, listing, writing back.
 *
 * Symbolic links are followed wherever they lead: mounted folders are made of them (`..data`), and
 * who may write into the root may write the script itself. What a script can name (require) is held
 * to scripts/lib by its spelling, never by a path. Names that begin with a dot are not looked at.
 */
#ifndef LUWAK_SCRIPT_SOURCE_H
#define LUWAK_SCRIPT_SOURCE_H

#include "script/version.h"

#include <sys/stat.h>

/* Which kind a path under the root is, and its name ("bni_va", "fees/midtrans_card"); false: none
 * of ours. */
bool source_kind(const char *path, enum script_kind *kind, char name[SCRIPT_PATH_MAX]);

/* What it is in words, with its article: "a channel". */
const char *source_kind_text(enum script_kind kind);

/* A file that was named from the working directory, as the root knows it ("channels/x.lua"); false:
 * it lies elsewhere, or there is none. */
bool source_below(const char *root, const char *given, char out[SCRIPT_PATH_MAX]);

/* Appends the text; E_NOTFOUND, E_LIMIT (too big), E_INVAL (no regular file), E_IO. Fits struct
 * version_files with the root's path as data. */
int source_read(void *root, const char *path, struct buf *text, struct why *why);

/* Calls found for each .lua file of every kind of folder; a non-zero answer ends the walk. */
int source_list(const char *root,
                int (*found)(void *data, const char *path, enum script_kind kind,
                             const struct stat *st),
                void *data);

/* The same for what is watched with them: KIND_TEST, *_test.lua of tests/lua and tests/plays;
 * KIND_QUERY, scripts/queries/NAME.sql. */
int source_list_beside(const char *root, int kinds,
                       int (*found)(void *data, const char *path, enum script_kind kind,
                                    const struct stat *st),
                       void *data);
struct str source_query_name(const char *path);

/* Replaces a file in one step: temporary file, fsync, rename, fsync of the folder. */
int source_write(const char *root, const char *path, struct str text, struct why *why);

#endif
