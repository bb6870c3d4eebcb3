/* What a buffer that holds secrets gives back to the heap says nothing of them. */
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "unit.h"

#include <malloc.h>

static size_t blocks, tainted;

static void look(void *ptr) {
    blocks++;
    struct str block = {ptr, malloc_usable_size(ptr)};
    tainted += str_search(block, STR("hunter2")) >= 0;
}

static size_t filled(struct buf *b) {
    size_t grown = 0;
    for (size_t i = 0, cap = 0; i < 2000; i++, cap = b->cap) {
        buf_adds(b, "hunter2 ");
        grown += cap != 0 && b->cap != cap;
    }
    CHECK_OK(b->err);
    CHECK_INT(b->len, 16000);
    CHECK(strlen(b->data) == 16000);
    return grown;
}

static void a_secret_leaves_no_copies(void **state) {
    (void)state;
    struct buf b = {.secret = true, .max = 16000};
    blocks = tainted = 0;
    mem_seen = look;
    size_t grown = filled(&b);
    CHECK(grown > 5);
    CHECK_INT(blocks, grown); /* each was given back by us, wiped, and not by realloc */
    buf_free(&b);
    CHECK_INT(blocks, grown + 1);
    CHECK_INT(tainted, 0);
    /* it stays a secret one, and bounded */
    CHECK(b.secret);
    CHECK_INT(b.max, 16000);
    filled(&b);
    buf_addc(&b, 'x');
    CHECK_ERR(b.err, E_LIMIT);
    buf_free(&b);
    CHECK_INT(tainted, 0);
    mem_seen = NULL;
}

static void memory_that_fails_loses_nothing(void **state) {
    (void)state;
    struct buf b = {.secret = true};
    buf_adds(&b, "hunter2");
    mem_fail_at(1, 0);
    CHECK(buf_reserve(&b, 1000) == NULL);
    mem_fail_at(0, 0);
    CHECK_ERR(b.err, E_NOMEM);
    CHECK_STR(buf_str(&b), "hunter2");
    buf_free(&b);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(a_secret_leaves_no_copies),
    cmocka_unit_test(memory_that_fails_loses_nothing),
};
UNIT_MAIN("buf", TESTS)
