/* The second net under secrets: text that should not hold any is searched for what looks like one.
 * (The first net is that only listed fields are logged at all.) */
#ifndef LUWAK_SYS_REDACT_H
#define LUWAK_SYS_REDACT_H

#include <stddef.h>

/* Overwrites card numbers (first 6 and last 4 digits stay) and what follows a token's prefix
 * (sk_live_, whsec_, Bearer ...) with '*', in place, length unchanged. Returns how many it found.
 */
size_t redact(char *text, size_t n);

#endif
