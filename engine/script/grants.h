/* What the operator has granted to providers (`luwak grant`): hosts they may call, configuration
 * keys they may see, private networks they may reach. Asked only in production; elsewhere there is
 * no list and everything declared is allowed. One list per engine, read by all workers. */
#ifndef LUWAK_SCRIPT_GRANTS_H
#define LUWAK_SCRIPT_GRANTS_H

#include "script/version.h"
#include "store/store.h"

struct grants;

int grants_new(struct grants **out);
void grants_delete(struct grants *grants);

/* Takes the rows of the query grants_all in place of what was there. Any thread. */
void grants_set(struct grants *grants, const struct rows *rows);

/* kind: "host", "key", "network"; value NULL: any. With grants NULL everything is granted. */
bool grants_have(struct grants *grants, struct str provider, const char *kind, const char *value);

/* What a version declares for an environment ("" : any host) and needs a grant for: its hosts and
 * its keys; once each. Nothing for scripts without a provider. */
void grants_each_asked(const struct version *v, const char *env,
                       void (*each)(void *data, const char *provider, const char *kind,
                                    const char *value),
                       void *data);
/* False: v has all that; else appends the command that grants the rest. */
bool grants_lack(struct grants *grants, const struct version *v, const char *env,
                 struct buf *command);

/* The values of a kind with commas between them; false: none. What does not fit is left out. */
bool grants_list(struct grants *grants, struct str provider, const char *kind, char *out,
                 size_t size);

#endif
