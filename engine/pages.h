#ifndef LUWAK_PAGES_H
#define LUWAK_PAGES_H

#include "base/buf.h"

void page_index(struct buf *out, const char *environment, bool simulated);
void page_errors(struct buf *out);

#endif
