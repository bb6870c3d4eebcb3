/* What a data directory belongs to: an environment and, outside of simulated mode, a data key, of
 * which a fingerprint is kept. Both are written at the first start; who comes with another one is
 * refused, before anything is sealed or read under it. */
#ifndef LUWAK_STAMP_H
#define LUWAK_STAMP_H

#include "store/store.h"
#include "sys/config.h"
#include "sys/seal.h"

#define STAMP_ENVIRONMENT "environment"
#define STAMP_KEY         "data_key"
#define STAMP_MAX         80

/* A fact of the data directory as text. E_NOTFOUND: not stamped. */
int stamp_read(struct store *store, const char *name, char *out, size_t size);

/* What the configuration says, as it is stamped. */
const char *stamp_environment(const struct config *config);
int stamp_fingerprint(const struct seal_ring *ring, char out[STAMP_MAX]); /* of its first key */

/* Changes nothing. E_NOTFOUND: there is no such stamp yet; E_CONFIG: it is another's. A configuration
 * that names no environment is of any. A key matches when any of the ring's does. */
int stamp_check_environment(struct store *store, const struct config *config, struct why *why);
int stamp_check_key(struct store *store, const struct config *config, const struct seal_ring *ring,
                    struct why *why);

#endif
