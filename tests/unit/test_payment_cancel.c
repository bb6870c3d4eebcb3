/* The cancel of a way that the payer left: nobody asks about it from the commit that begins it on
 * until its call is over. Who did would hear that there is nothing to cancel, and then it is sent. */
#include "payment/payment_cancel.h"

#include "base/ensure.h"
#include "books.h"
#include "script_texts.h"

#include <pthread.h>

static const char CHANNEL[] =
    "return { api = 1, title = 'x', provider = 'midtrans', method = 'virtual_account', effect = "
    "'offer', hosts = { sandbox = 'h.example', staging = 'h.example', production = 'h.example' },\n"
    "create = function() end, inquire = function() end, cancel = function() end }";

static struct books b;
static struct script_set *set;
static struct operation_gate gate;
static struct script_services services;

static int begin(void **state) {
    (void)state;
    struct script_entry entry = {0};
    struct why why = {0};
    books_open(&b);
    CHECK_OK(books_offer(&b, &(struct offer){.amount = 1000}));
    const struct script_text texts[] = {{"channels/midtrans_bca_va.lua", CHANNEL}, {0}};
    struct version_files files = {texts_read, (void *)texts};
    CHECK_OK(version_build(&entry.version, KIND_CHANNEL, "midtrans_bca_va", texts[0].path, &files,
                           BIND_MODULES, &why));
    CHECK_OK(manifest_load(entry.version, NULL, NULL, &why));
    CHECK_OK(script_set_new(&set, &entry, 1, 1));
    version_drop(entry.version);
    pthread_mutex_init(&gate.lock, NULL);
    services = (struct script_services){.gate = &gate, .store = b.core.store, .core = &b.core};
    return 0;
}

static int end(void **state) {
    (void)state;
    CHECK(gate.first == NULL);
    pthread_mutex_destroy(&gate.lock);
    script_set_drop(set);
    books_close(&b);
    return 0;
}

/* Puts the commit together; runs it where `kept`. */
static void withdraw(struct withdrawal *w, bool kept) {
    struct payment p;
    struct commit *c;
    books_get(&b, b.last, &p);
    CHECK_OK(commit_new(&c));
    CHECK_OK(
        payment_cancel_withdraw(&services, set, &b.core, c, &p, payment_attempt(&p, p.attempt), w));
    payment_free(&p);
    if (kept)
        CHECK_OK(run_commit(&b.f, c, NULL));
    else
        commit_free(c);
}

static void it_is_under_way_from_its_commit_on(void **state) {
    (void)state;
    struct withdrawal w = {0}, second = {0};
    char lost[ID_SIZE];
    withdraw(&w, false);
    memcpy(lost, w.id, sizeof lost);
    CHECK(operation_under_way(&gate, str_of(lost)));
    withdraw(&w, true); /* put together again: the one before is nothing */
    CHECK(w.id[0] != '\0' && strcmp(w.id, lost) != 0);
    CHECK(operation_under_way(&gate, str_of(w.id)));
    CHECK(!operation_under_way(&gate, str_of(lost)));
    withdraw(&second, false); /* one at a time */
    CHECK_STR(str_of(second.id), "");
    CHECK(operation_under_way(&gate, str_of(w.id)));
    char id[ID_SIZE];
    memcpy(id, w.id, sizeof id);
    payment_cancel_drop(&services, &w);
    CHECK(!operation_under_way(&gate, str_of(id)));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(it_is_under_way_from_its_commit_on, begin, end),
};

UNIT_MAIN("payment_cancel", tests)
