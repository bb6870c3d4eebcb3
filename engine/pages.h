#ifndef LUWAK_PAGES_H
#define LUWAK_PAGES_H

#include "base/buf.h"

/* base: where the reader reaches us, "https://pay.example". */
void page_index(struct buf *out, const char *environment, bool simulated, struct str base);
void page_errors(struct buf *out);

#endif
