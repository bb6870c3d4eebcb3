#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#ifdef LUWAK_FAULTS
#include <stdatomic.h>

static _Atomic uint64_t counted;  /* allocations since start */
static _Atomic int64_t live;      /* blocks not freed */
static _Atomic uint64_t fail_nth; /* value of `counted` that fails; 0 = none */
static _Atomic int fail_rest;     /* all later ones fail too */
static _Atomic int failed;
void (*mem_seen)(void *ptr);

void mem_fail_at(uint64_t nth, int and_all_after) {
    atomic_store(&failed, 0);
    atomic_store(&fail_rest, and_all_after);
    atomic_store(&fail_nth, nth == 0 ? 0 : atomic_load(&counted) + nth);
}
uint64_t mem_count(void) {
    return atomic_load(&counted);
}
int64_t mem_live(void) {
    return atomic_load(&live);
}
int mem_has_failed(void) {
    return atomic_load(&failed);
}
static int must_fail(void) {
    uint64_t now = atomic_fetch_add(&counted, 1) + 1;
    uint64_t nth = atomic_load(&fail_nth);
    if (nth == 0 || now < nth || (now > nth && !atomic_load(&fail_rest))) return 0;
    atomic_store(&failed, 1);
    return 1;
}
#define COUNT_NEW(ptr)  ((ptr) != NULL ? (void)atomic_fetch_add(&live, 1) : (void)0)
#define COUNT_FREE(ptr) ((ptr) != NULL ? (void)atomic_fetch_sub(&live, 1) : (void)0)
#define SHOW(ptr)       (mem_seen != NULL && (ptr) != NULL ? mem_seen(ptr) : (void)0)
#else
#define must_fail()     0
#define COUNT_NEW(ptr)  ((void)0)
#define COUNT_FREE(ptr) ((void)0)
#define SHOW(ptr)       ((void)0)
#endif

void *mem_alloc(size_t size) {
    if (must_fail()) return NULL;
    void *ptr = malloc(size == 0 ? 1 : size);
    COUNT_NEW(ptr);
    return ptr;
}

void *mem_zalloc(size_t size) {
    void *ptr = mem_alloc(size);
    if (ptr != NULL) memset(ptr, 0, size);
    return ptr;
}

void *mem_array(size_t count, size_t size) {
    size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total)) return NULL;
    return mem_zalloc(total);
}

void *mem_realloc(void *ptr, size_t size) {
    if (ptr == NULL) return mem_alloc(size);
    if (must_fail()) return NULL;
    return realloc(ptr, size == 0 ? 1 : size);
}

void *mem_realloc_vital(void *ptr, size_t size) {
    void *now = realloc(ptr, size == 0 ? 1 : size);
    if (ptr == NULL) COUNT_NEW(now);
    return now;
}

void mem_free(void *ptr) {
    SHOW(ptr);
    COUNT_FREE(ptr);
    free(ptr);
}

void *mem_dup(const void *data, size_t size) {
    if (size >= PTRDIFF_MAX) return NULL; /* no such object can be */
    char *copy = mem_alloc(size + 1);
    if (copy == NULL) return NULL;
    if (size != 0) memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

char *mem_strdup(const char *text) {
    return mem_dup(text, strlen(text));
}

void mem_wipe(void *data, size_t size) {
    if (data != NULL) explicit_bzero(data, size);
}

void mem_wipe_free(void *data, size_t size) {
    mem_wipe(data, size);
    mem_free(data);
}
