/* ENSURE: for our own mistakes, one fact each. It stays in release: an impossible state stops the
 * process, it is not guessed at. Expected failures are returned, never ensured. */
#ifndef LUWAK_BASE_ENSURE_H
#define LUWAK_BASE_ENSURE_H

#include <stddef.h>

#define ENSURE(fact) ((fact) ? (void)0 : ensure_failed(#fact, __FILE__, __LINE__))

_Noreturn void ensure_failed(const char *fact, const char *file, int line);

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct that holds `member` at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
