/* A registry over a real folder, in virtual time, with a store in memory. */
#ifndef LUWAK_TESTS_REGISTRY_FAKE_H
#define LUWAK_TESTS_REGISTRY_FAKE_H

#include "script/registry.h"

struct fake_row {
    char *path, *version, *state, *parts;
};
struct fake_store {
    struct registry_store api;
    struct loop *loop;
    struct fake_row rows[20000];
    int count;
    struct {
        char *hash, *text;
    } texts[20000];
    int text_count;
    int fail;  /* code of the next saves */
    bool hold; /* the next saves are not over before fake_store_release */
    struct later *held[16];
    int held_count;
};
void fake_store_init(struct fake_store *s, struct loop *loop);
void fake_store_release(struct fake_store *s);
void fake_store_free(struct fake_store *s);

#endif
