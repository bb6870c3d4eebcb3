/* What must not stand in a recording: known secrets wherever they occur, the values of fields and
 * headers whose names say that they are secret, and card numbers. */
#ifndef LUWAK_NET_REDACT_H
#define LUWAK_NET_REDACT_H

#include "base/buf.h"

#define REDACTED "[redacted]"

bool redact_name(struct str name); /* "authorization", "access_token", "X-Signature", "pin" ... */

/* Appends `text` without what must not be seen: URLs, JSON, forms, XML alike. `secrets` ends with
 * an empty one; NULL: none are known. The same text gives the same result each time. */
void redact_text(struct str text, const struct str *secrets, struct buf *out);

#endif
