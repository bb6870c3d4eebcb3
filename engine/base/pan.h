/* Card numbers in text: found by issuer range, length and check digit, and masked to the first six
 * and last four digits. The net behind every log line and the door of the API. Linear in the text.
 *
 * A number is 13 to 19 digits. Between two of them may stand one space or dash, where no group has
 * more than 8; or, where the groups are those printed on cards (4 4 4 4, 4 6 5 ...), up to three
 * spaces, tabs, line ends, dots, dashes, of Unicode too: as it is pasted from a page or a wrapped
 * mail. It begins and ends where a run of digits does, so that a card number is not seen inside a
 * longer reference of a bank; groups ("1234 4111 1111 1111 1111") are runs of their own.
 * Numbers that overlap are taken as one. */
#ifndef LUWAK_BASE_PAN_H
#define LUWAK_BASE_PAN_H

#include "base/str.h"

bool pan_is(struct str digits);                           /* digits only, nothing else */
bool pan_find(struct str text, size_t *from, size_t *to); /* the first one */
size_t pan_mask(char *text, size_t n);                    /* in place; how many there were */

#endif
