/* Query strings, application/x-www-form-urlencoded and cookies. Strict: a '%' without two
 * hexadecimal digits, a %00, a control byte or a byte outside ASCII that was not escaped is
 * refused. Views only: nothing is allocated but what decoding appends to the caller's buffer. */
#ifndef LUWAK_BASE_FORM_H
#define LUWAK_BASE_FORM_H

#include "base/buf.h"
#include "base/err.h"

#define FORM_PAIRS_MAX 1000 /* of one text */

struct form_pair {
    struct str name, value; /* still encoded */
};

/* Walks "a=1&b=2". 1: a pair, 0: the end, negative: E_LIMIT (too many pairs). A part without '='
 * has an empty value; empty parts ("a=1&&b=2") are passed over. */
struct form_iter {
    struct str rest;
    int pairs;
};
static inline struct form_iter form_iter(struct str text) {
    return (struct form_iter){text, 0};
}
int form_next(struct form_iter *it, struct form_pair *out);

/* Appends the decoded bytes. `plus`: '+' is a space (forms and queries; not paths). */
int form_decode(struct str encoded, bool plus, struct buf *out);

/* Appends encoded: letters, digits and -._~ stay; a space is '+' if `plus`, else %20. */
void form_encode(struct str raw, bool plus, struct buf *out);

/* Appends name=value, with '&' in front if the buffer is not empty. */
void form_put(struct str name, struct str value, struct buf *out);

/* Walks a Cookie header, "a=1; b=2" (RFC 6265 4.2.1), strictly. 1, 0, E_SYNTAX, E_LIMIT. After
 * E_SYNTAX the iterator stands behind the bad cookie: another application on the same domain may
 * have set it, and it should not lock our users out. Values come without their quotes. */
int cookie_next(struct form_iter *it, struct form_pair *out);

#endif
