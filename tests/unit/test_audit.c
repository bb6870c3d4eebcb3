/* The audit log is a chain that shows what was changed. */
#include "books.h"
#include "core/audit.h"

#include <stdio.h>
#include <sys/stat.h>

static int audit_one(struct books *b, const char *what) {
    struct commit *c = books_commit();
    const struct audit_line lines[] = {{STR("operator"), str_of(what), STR("mer_1"), STR("{}")},
                                       {STR("operator"), STR("more"), STR("mer_1"), STR("{}")}};
    CHECK_OK(audit_add(&b->core, c, lines, 2));
    return run_commit(&b->f, c, NULL);
}

static void the_audit_chain_shows_changes(void **state) {
    (void)state;
    struct books b;
    books_open(&b);
    int64_t lines, bad;
    CHECK_OK(audit_verify(&b.core, &lines, &bad));
    CHECK_INT(lines, 0);
    for (int i = 0; i < 300; i++)
        CHECK_OK(audit_one(&b, "merchant.suspend"));
    CHECK_OK(audit_verify(&b.core, &lines, &bad));
    CHECK_INT(lines, 600);
    /* two that were built on the same head */
    struct commit *c[2];
    const struct audit_line line = {STR("a"), STR("b"), STR("c"), STR("d")};
    for (int i = 0; i < 2; i++) {
        c[i] = books_commit();
        CHECK_OK(audit_add(&b.core, c[i], &line, 1));
    }
    CHECK_OK(run_commit(&b.f, c[0], NULL));
    int err = run_commit(&b.f, c[1], NULL);
    CHECK(err == E_STATE || err == E_EXISTS);
    /* a line is changed behind our back, the trigger taken away: found */
    char folder[300], file[340];
    snprintf(folder, sizeof folder, "%s/audit", unit_tmpdir());
    snprintf(file, sizeof file, "%s/0001_forge.sql", folder);
    CHECK_INT(mkdir(folder, 0700), 0);
    FILE *f = fopen(file, "w");
    fputs("DROP TRIGGER audit_stays; UPDATE audit SET actor = 'nobody' WHERE n = 77;", f);
    fclose(f);
    CHECK_OK(store_migrate(b.f.store, folder, &b.why));
    CHECK_ERR(audit_verify(&b.core, &lines, &bad), E_CORRUPT);
    CHECK_INT(bad, 77);
    books_close(&b);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(the_audit_chain_shows_changes),
};
UNIT_MAIN("audit", TESTS)
