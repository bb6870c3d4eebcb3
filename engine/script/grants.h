/* What the operator has granted to providers (`luwak grant`): hosts they may call, configuration
 * keys they may see, private networks they may reach. Asked only in production; elsewhere there is
 * no list and everything declared is allowed. One list per engine, read by all workers. */
#ifndef LUWAK_SCRIPT_GRANTS_H
#define LUWAK_SCRIPT_GRANTS_H

#include "store/store.h"

struct grants;

int grants_new(struct grants **out);
void grants_delete(struct grants *grants);

/* Takes the rows of the query grants_all in place of what was there. Any thread. */
void grants_set(struct grants *grants, const struct rows *rows);

/* kind: "host", "key", "network"; value NULL: any. With grants NULL everything is granted. */
bool grants_have(struct grants *grants, struct str provider, const char *kind, const char *value);

/* The values of a kind with commas between them; false: none. What does not fit is left out. */
bool grants_list(struct grants *grants, struct str provider, const char *kind, char *out,
                 size_t size);

#endif
