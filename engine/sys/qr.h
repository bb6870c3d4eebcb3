/* QR codes of a text, as SVG or PNG. Error correction M, four modules of quiet zone.
 *
 * Fails with E_LIMIT (longer than QR_TEXT_MAX, or empty) or E_NOMEM; what `out` holds then is
 * nobody's. The bytes are a function of the arguments alone. */
#ifndef LUWAK_SYS_QR_H
#define LUWAK_SYS_QR_H

#include "base/buf.h"

enum { QR_TEXT_MAX = 1024, QR_SCALE_MAX = 16 };

int qr_svg(struct str text, struct buf *out);
int qr_png(struct str text, int scale, struct buf *out); /* scale: pixels of one module, 1 to 16 */

#endif
