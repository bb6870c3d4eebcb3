/* Parser of `.env` files.
 *
 *     # comment            export NAME=value        NAME=value # comment
 *     NAME="a \"quoted\" value,\n${OTHER}, over more than one line if need be"
 *     NAME='taken as it stands'
 *
 * `${NAME}` stays live in plain and double-quoted values; in the value handed out it reads
 * DOTENV_REF_OPEN NAME DOTENV_REF_CLOSE, two bytes that no value may hold otherwise. `$` alone is
 * itself; `\$` in double quotes is a dollar sign. */
#ifndef LUWAK_SYS_DOTENV_H
#define LUWAK_SYS_DOTENV_H

#include "base/err.h"
#include "base/str.h"

#define DOTENV_REF_OPEN  '\x01'
#define DOTENV_REF_CLOSE '\x02'

/* Calls `found` for each variable in order; a nonzero return ends it and is returned. Errors name
 * `label` and the line. Views are valid during the call only. */
typedef int (*dotenv_found)(void *data, struct str name, struct str value, int line,
                            struct why *why);
int dotenv_parse(struct str text, const char *label, struct why *why, dotenv_found found,
                 void *data);

/* A value from elsewhere, its references marked in the same way. */
struct buf;
int dotenv_mark(struct str value, struct buf *out, struct why *why);

#endif
