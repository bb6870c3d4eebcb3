/* All memory of ours comes from here, and the libraries that allow it (Lua, SQLite, curl, OpenSSL,
 * libuv) are pointed here too, so that tests can fail the nth allocation and count what is left.
 *
 * mem_alloc may return NULL; the caller returns E_NOMEM. In the test build (LUWAK_FAULTS)
 * mem_fail_at(n) makes the nth allocation from now on fail, once, or all from there on. */
#ifndef LUWAK_BASE_MEM_H
#define LUWAK_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_array(size_t count, size_t size); /* zeroed; NULL when count * size overflows */
void *mem_realloc(void *ptr, size_t size);
/* For a library that ends the process by itself when this fails: no test makes it. */
void *mem_realloc_vital(void *ptr, size_t size);
void mem_free(void *ptr);

void *mem_dup(const void *data, size_t size); /* adds a NUL behind, not counted */
char *mem_strdup(const char *text);

/* Overwrites before freeing: for keys, tokens, passwords. */
void mem_wipe(void *data, size_t size);
void mem_wipe_free(void *data, size_t size);

#ifdef LUWAK_FAULTS
void mem_fail_at(uint64_t nth, int and_all_after); /* nth counts from 1; 0 switches it off */
uint64_t mem_count(void);                          /* allocations since start */
int64_t mem_live(void);                            /* blocks not freed */
int mem_has_failed(void);                          /* did the armed failure happen? */
extern void (*mem_seen)(void *ptr);                /* sees each block that mem_free is given */
#endif

#endif
