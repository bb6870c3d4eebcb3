/* Scripts for tests: a folder in memory. */
#ifndef LUWAK_TESTS_SCRIPT_TEXTS_H
#define LUWAK_TESTS_SCRIPT_TEXTS_H

#include "script/version.h"

struct script_text {
    const char *path, *text;
};
/* `data` of texts_read: an array ended by {0}. */
int texts_read(void *data, const char *path, struct buf *text, struct why *why);

int texts_build(struct version **out, enum script_kind kind, const char *path,
                const struct script_text *texts, struct why *why);
/* Builds and loads the manifest of one text. */
int texts_load(struct version **out, enum script_kind kind, const char *path, const char *text,
               struct why *why);

#endif
