/* See demo.h. A limit is a merchant's, so the key that has one belongs to a second merchant. */
#include "serve/demo.h"

#include "base/ensure.h"
#include "core/ledger.h"
#include "core/merchant.h"

#include <stdio.h>

#define DEPOSIT INT64_C(10000000)

static const struct {
    const char *id, *name, *key;
    int64_t rate;
} DEMO[] = {{"mer_demo", "Demo shop", "sk_test_demo", 0},
            {"mer_limited", "Demo shop with a limit", "sk_test_limited", MERCHANT_RATE_DEFAULT}};

int demo_add(const struct core *core, struct commit *commit, bool *made, struct why *why) {
    *made = false;
    for (size_t i = 0; i < ARRAY_LEN(DEMO); i++) {
        struct rows *rows = NULL;
        int err = store_get(core->store, "merchant_get", VALS(V_TEXT(DEMO[i].id)), &rows);
        if (err != 0) return why_set(why, err, "the merchants cannot be read: %s", err_text(err));
        bool there = rows_count(rows) != 0;
        rows_free(rows);
        if (there) continue;
        char id[ID_SIZE], text[API_KEY_SIZE];
        struct merchant m = {.name = str_of(DEMO[i].name), .rate = DEMO[i].rate};
        snprintf(m.id, sizeof m.id, "%s", DEMO[i].id);
        if ((err = merchant_put(core, commit, &m, why)) != 0) return err;
        err = api_key_add(core, commit, str_of(m.id), STR("demo"), str_of(DEMO[i].key), id, text,
                          why);
        if (err != 0) return err;
        ledger_deposit(commit, str_of(m.id), DEPOSIT, str_of(m.id), core_now(core));
        *made = true;
    }
    return 0;
}
