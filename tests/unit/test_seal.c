/* Sealing: what opens, what does not, and changing the data key. */
#include "base/mem.h"
#include "sys/crypto.h"
#include "sys/seal.h"
#include "unit.h"

#include <stdio.h>

#define KEY_A "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define KEY_B "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct rng rng;
static struct why why;

static struct seal_ring *ring(struct str keys) {
    struct seal_ring *r;
    int err = seal_ring_new(&r, keys, &why);
    if (err != 0) fail_msg("%s", why.text);
    return r;
}

static void opens_only_as_it_was_sealed(void **state) {
    (void)state;
    struct seal_ring *r = ring(STR(KEY_A));
    struct buf blob = {0}, again = {0}, out = {0};
    struct str plain = STR("sk_live_0123456789");
    CHECK_OK(seal(r, "api_key", STR("merchant 7"), plain, &rng, &blob));
    CHECK_OK(seal(r, "api_key", STR("merchant 7"), plain, &rng, &again));
    CHECK_INT(blob.len, plain.n + SEAL_OVERHEAD);
    CHECK(!str_eq(buf_str(&blob), buf_str(&again)));
    CHECK(str_search(buf_str(&blob), plain) < 0);
    CHECK_OK(seal_open(r, "api_key", STR("merchant 7"), buf_str(&blob), &out));
    CHECK(str_eq(buf_str(&out), plain));
    buf_clear(&out);
    CHECK_ERR(seal_open(r, "token", STR("merchant 7"), buf_str(&blob), &out), E_DENIED);
    CHECK_ERR(seal_open(r, "api_key", STR("merchant 8"), buf_str(&blob), &out), E_DENIED);
    CHECK_ERR(seal_open(r, "api_key", STR(""), buf_str(&blob), &out), E_DENIED);
    for (size_t i = 0; i < blob.len; i++) {
        blob.data[i] ^= 1;
        CHECK(seal_open(r, "api_key", STR("merchant 7"), buf_str(&blob), &out) != 0);
        blob.data[i] ^= 1;
    }
    for (size_t n = 0; n < blob.len; n++)
        CHECK(seal_open(r, "api_key", STR("merchant 7"), str_sub(buf_str(&blob), 0, n), &out) != 0);
    CHECK_INT(out.len, 0);
    buf_clear(&blob);
    CHECK_OK(seal(r, "x", STR(""), STR(""), &rng, &blob));
    CHECK_OK(seal_open(r, "x", STR(""), buf_str(&blob), &out));
    CHECK_INT(out.len, 0);
    buf_free(&blob), buf_free(&again), buf_free(&out);
    seal_ring_delete(r);
}

static void the_key_can_be_changed(void **state) {
    (void)state;
    struct seal_ring *old = ring(STR(KEY_A)), *both = ring(STR(KEY_B " , " KEY_A)),
                     *only = ring(STR(KEY_B));
    struct buf blob = {0}, out = {0};
    CHECK_OK(seal(old, "p", STR("c"), STR("hello"), &rng, &blob));
    CHECK(!seal_stale(old, buf_str(&blob)));
    CHECK(seal_stale(both, buf_str(&blob)));
    CHECK_OK(seal_open(both, "p", STR("c"), buf_str(&blob), &out));
    CHECK_STR(buf_str(&out), "hello");
    CHECK_ERR(seal_open(only, "p", STR("c"), buf_str(&blob), &out), E_NOTFOUND);
    buf_clear(&blob), buf_clear(&out);
    CHECK_OK(seal(both, "p", STR("c"), STR("new"), &rng, &blob));
    CHECK_OK(seal_open(only, "p", STR("c"), buf_str(&blob), &out));
    uint8_t a[32], b[32], c[32];
    CHECK_OK(seal_hash(old, 0, "p", STR("k"), a));
    CHECK_OK(seal_hash(both, 1, "p", STR("k"), b));
    CHECK(memcmp(a, b, 32) == 0);
    CHECK_OK(seal_hash(both, 0, "p", STR("k"), c));
    CHECK(memcmp(a, c, 32) != 0);
    CHECK_OK(seal_hash(old, 0, "q", STR("k"), c));
    CHECK(memcmp(a, c, 32) != 0);
    CHECK_ERR(seal_hash(both, 2, "p", STR("k"), c), E_NOTFOUND);
    buf_free(&blob), buf_free(&out);
    seal_ring_delete(old), seal_ring_delete(both), seal_ring_delete(only);
}

/* Keys of purposes are derived once and kept, as many as there is room for; the others work as well. */
static void many_purposes(void **state) {
    (void)state;
    struct seal_ring *one, *two;
    uint8_t hash[40][32], again[32];
    CHECK_OK(seal_ring_new(&one, STR(KEY_A), &why));
    CHECK_OK(seal_ring_new(&two, STR(KEY_A), &why));
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 40; i++) {
            char purpose[16];
            snprintf(purpose, sizeof purpose, "p%d", i);
            CHECK_OK(seal_hash(one, 0, purpose, STR("x"), pass == 0 ? hash[i] : again));
            if (pass == 1) CHECK(memcmp(hash[i], again, 32) == 0);
            for (int k = 0; k < i; k++)
                CHECK(memcmp(hash[i], hash[k], 32) != 0);
        }
    for (int i = 40; i-- > 0;) { /* whatever was asked for first */
        char purpose[16];
        snprintf(purpose, sizeof purpose, "p%d", i);
        CHECK_OK(seal_hash(two, 0, purpose, STR("x"), again));
        CHECK(memcmp(hash[i], again, 32) == 0);
    }
    CHECK_ERR(
        seal_hash(one, 0, "a purpose that is longer than any that the engine has", STR("x"), again),
        E_LIMIT);
    seal_ring_delete(one), seal_ring_delete(two);
}

static void bad_keys_are_explained(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", "short", "c2hvcnQ=", (KEY_A ","), (KEY_A "," KEY_A), ("=" KEY_A)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct seal_ring *r;
        why = (struct why){0};
        CHECK_ERR(seal_ring_new(&r, str_of(bad[i]), &why), E_CONFIG);
        CHECK(r == NULL);
        CHECK(str_search(str_of(why.text), STR("data key")) >= 0);
        CHECK(bad[i][0] == '\0' || str_search(str_of(why.text), str_of(bad[i])) < 0);
    }
}

static void memory_fails(void **state) {
    (void)state;
    struct seal_ring *r = ring(STR(KEY_A));
    for (uint64_t n = 1; n < 100; n++) {
        struct buf blob = {0}, out = {0};
        mem_fail_at(n, 0);
        int err = seal(r, "p", STR("c"), STR("hello"), &rng, &blob);
        if (err != 0) CHECK_INT(blob.len, 0);
        if (err == 0) err = seal_open(r, "p", STR("c"), buf_str(&blob), &out);
        bool failed = mem_has_failed();
        mem_fail_at(0, 0);
        buf_free(&blob), buf_free(&out);
        if (!failed) {
            CHECK_OK(err);
            CHECK(n > 5);
            seal_ring_delete(r);
            return;
        }
    }
    fail_msg("too many allocations");
}

int main(int argc, char **argv) {
    if (crypto_setup() != 0) return 1;
    rng_seeded(&rng, 5);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_only_as_it_was_sealed),
        cmocka_unit_test(the_key_can_be_changed),
        cmocka_unit_test(many_purposes),
        cmocka_unit_test(bad_keys_are_explained),
        cmocka_unit_test(memory_fails),
    };
    return unit_main(argc, argv, "seal", tests, sizeof tests / sizeof tests[0]);
}
