#ifndef LUWAK_PAGES_H
#define LUWAK_PAGES_H

#include "base/buf.h"

/* base: where the reader reaches us, "https://pay.example". */
void page_index(struct buf *out, const char *environment, bool simulated, bool shop,
                struct str base);
/* The same for a terminal, at the start of a simulated server. */
void page_banner(struct buf *out, bool shop, struct str base);
void page_errors(struct buf *out);

#endif
