/* Memory that is freed all at once. */
#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "unit.h"

static void pieces_are_aligned_zeroed_and_apart(void **state) {
    (void)state;
    int64_t live = mem_live();
    struct arena a = {0};
    char *last = NULL;
    for (size_t n = 1; n < 3000; n += 7) {
        char *p = arena_alloc(&a, n);
        CHECK(p != NULL && (uintptr_t)p % sizeof(void *) == 0 && p != last);
        for (size_t i = 0; i < n; i++)
            CHECK_INT(p[i], 0);
        memset(p, 0xAA, n);
        last = p;
    }
    CHECK(arena_alloc(&a, 1 << 20) != NULL); /* more than a block */
    char *copy = arena_dup(&a, "abc", 3);
    CHECK_STR(str_of(copy), "abc");
    CHECK_STR(str_of(arena_dup(&a, NULL, 0)), "");
    CHECK(arena_alloc(&a, SIZE_MAX) == NULL);
    arena_free(&a);
    CHECK(mem_live() == live);
    CHECK(arena_alloc(&a, 1) != NULL); /* usable again */
    arena_free(&a);
}

static void the_bound_holds(void **state) {
    (void)state;
    struct arena a = {.max = 8192};
    size_t given = 0;
    while (arena_alloc(&a, 64) != NULL)
        given += 64;
    CHECK(given >= 3072 && a.total <= 8192);
    CHECK(arena_alloc(&a, 1 << 16) == NULL);
    arena_free(&a);
    CHECK_INT(a.max, 8192);
    mem_fail_at(1, 0);
    CHECK(arena_alloc(&a, 1) == NULL);
    mem_fail_at(0, 0);
    arena_free(&a);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
    cmocka_unit_test(the_bound_holds),
};
UNIT_MAIN("arena", TESTS)
