/* luwak merchant, luwak key: who may use the API. */
#include "cli/cmd_work.h"
#include "core/merchant.h"
#include "net/address.h"

#include <stdio.h>
#include <stdlib.h>

static int no_merchant(const struct work *w, struct why *why) {
    return why_set(why, E_NOTFOUND, "there is no merchant %s; `luwak merchant list` shows them",
                   w->id);
}

static int merchant_there(const struct work *w, struct why *why) {
    struct rows *rows = NULL;
    int err = store_get(w->core->store, "merchant_get", VALS(V_TEXT(w->id)), &rows);
    if (err == 0 && rows_count(rows) == 0) err = no_merchant(w, why);
    rows_free(rows);
    return err;
}

/* ---- merchants ---- */

static int check_allow(struct str allow, struct why *why) {
    struct str one;
    struct cidr network;
    for (allow = str_trim(allow); allow.n != 0;) {
        if (!str_cut(allow, ' ', &one, &allow)) allow = STR("");
        if (one.n == 0 || cidr_parse(&network, one, NULL) == 0) continue;
        return why_set(why, E_USAGE, "--allow: \"%.*s\" is no address and no network",
                       STR_FMT(one));
    }
    return 0;
}

static int build_new(struct work *w, struct commit *c, struct why *why) {
    const char *name = cli_option(w->args, "name"), *rate = cli_option(w->args, "rate"),
               *allow = cli_option(w->args, "allow"), *category = cli_option(w->args, "category");
    struct merchant m = {.name = str_of(name == NULL ? "" : name),
                         .direct = cli_flag(w->args, "direct"),
                         .rate = MERCHANT_RATE_DEFAULT,
                         .allow = str_of(allow == NULL ? "" : allow)};
    if (name == NULL) return why_set(why, E_USAGE, "--name is missing: what is it called?");
    if (rate != NULL && (str_to_i64(str_of(rate), &m.rate) != 0 || m.rate < 0 || m.rate > 1000000))
        return why_set(why, E_USAGE, "--rate: requests a minute, 0 for no limit");
    int err = check_allow(m.allow, why);
    if (err == 0) err = merchant_put(w->core, c, &m, why);
    if (err == 0 && category != NULL)
        err = merchant_add_category(w->core, c, str_of(m.id), str_of(category), why);
    memcpy(w->made, m.id, sizeof m.id);
    return err;
}

static int build_suspend(struct work *w, struct commit *c, struct why *why) {
    struct rows *rows = NULL;
    int err = store_get(w->core->store, "merchant_get", VALS(V_TEXT(w->id)), &rows);
    if (err == 0 && rows_count(rows) == 0) err = no_merchant(w, why);
    if (err == 0) {
        struct merchant m = {.name = rows_text(rows, 0, 1),
                             .direct = str_eq(rows_text(rows, 0, 2), STR("direct")),
                             .suspended = strcmp(w->args->args[0], "suspend") == 0,
                             .rate = rows_int(rows, 0, 4),
                             .allow = rows_text(rows, 0, 5)};
        snprintf(m.id, sizeof m.id, "%s", w->id);
        err = merchant_put(w->core, c, &m, why);
    }
    rows_free(rows);
    return err;
}

static int build_category(struct work *w, struct commit *c, struct why *why) {
    const char *category = cli_option(w->args, "category");
    if (category == NULL)
        return why_set(why, E_USAGE, "--category is missing: UMI, UKE, UME, UBE, EDUCATION ...");
    int err = merchant_there(w, why);
    return err != 0 ? err : merchant_add_category(w->core, c, str_of(w->id), str_of(category), why);
}

static int list_merchants(struct work *w, struct why *why) {
    int err = work_query(w, "merchants", NULL, 0, why);
    for (size_t i = 0; err == 0 && i < rows_count(w->rows); i++)
        printf("%.*s  %.*s  %.*s  %lld/min  %.*s%s%.*s\n", STR_FMT(rows_text(w->rows, i, 0)),
               STR_FMT(rows_text(w->rows, i, 3)), STR_FMT(rows_text(w->rows, i, 2)),
               (long long)rows_int(w->rows, i, 4), STR_FMT(rows_text(w->rows, i, 1)),
               rows_null(w->rows, i, 7) ? "" : "  ", STR_FMT(rows_text(w->rows, i, 7)));
    return err;
}

static int run_merchant(struct work *w, struct why *why) {
    const char *action = w->args->args[0];
    int err;
    if (strcmp(action, "list") == 0) return list_merchants(w, why);
    if (strcmp(action, "new") == 0) {
        err = work_change(w, build_new, "merchant.new", why);
        if (err == 0) printf("%s\n", w->made);
        return err;
    }
    if (strcmp(action, "category") == 0) {
        err = work_change(w, build_category, "merchant.category", why);
        if (err == 0) printf("%s  %s\n", w->id, cli_option(w->args, "category"));
        return err;
    }
    bool suspend = strcmp(action, "suspend") == 0;
    err = work_change(w, build_suspend, suspend ? "merchant.suspend" : "merchant.resume", why);
    if (err == 0) printf("%s  %s\n", w->id, suspend ? "suspended" : "active");
    return err;
}

/* ---- keys ---- */

static int build_key(struct work *w, struct commit *c, struct why *why) {
    const char *label = cli_option(w->args, "label");
    int err = merchant_there(w, why);
    if (err == 0)
        err = api_key_add(w->core, c, str_of(w->id), str_of(label == NULL ? "" : label), STR(""),
                          w->made, w->key, why);
    return err;
}

static int build_revoke(struct work *w, struct commit *c, struct why *why) {
    (void)why;
    snprintf(w->made, sizeof w->made, "%s", w->args->args[2]); /* that key, not its merchant */
    api_key_revoke(w->core, c, str_of(w->id), str_of(w->args->args[2]));
    return 0;
}

static int list_keys(struct work *w, struct why *why) {
    int err = work_query(w, "api_keys", VALS(V_TEXT(w->id)), why);
    for (size_t i = 0; err == 0 && i < rows_count(w->rows); i++)
        printf("%.*s  %.*s  %s  %.*s\n", STR_FMT(rows_text(w->rows, i, 0)),
               STR_FMT(rows_text(w->rows, i, 1)), rows_null(w->rows, i, 4) ? "live" : "revoked",
               STR_FMT(rows_text(w->rows, i, 2)));
    return err;
}

static int revoke_key(struct work *w, struct why *why) {
    const char *id = w->args->args[2];
    size_t i = 0;
    int err = work_query(w, "api_keys", VALS(V_TEXT(w->id)), why);
    if (err != 0) return err;
    while (i < rows_count(w->rows) && !str_eq(rows_text(w->rows, i, 0), str_of(id)))
        i++;
    if (i == rows_count(w->rows))
        return why_set(why, E_NOTFOUND, "%s has no key %s; `luwak key list %s` shows its keys",
                       w->id, id, w->id);
    if (!rows_null(w->rows, i, 4)) return why_set(why, E_STATE, "%s is revoked already", id);
    err = work_change(w, build_revoke, "key.revoke", why);
    if (err == 0) printf("%s  revoked\n", id);
    return err;
}

static int run_key(struct work *w, struct why *why) {
    const char *action = w->args->args[0];
    int err = strcmp(action, "new") == 0 ? 0 : merchant_there(w, why);
    if (err != 0) return err;
    if (strcmp(action, "list") == 0) return list_keys(w, why);
    if (strcmp(action, "revoke") == 0) return revoke_key(w, why);
    err = work_change(w, build_key, "key.new", why);
    if (err == 0) printf("%s  %s\n", w->made, w->key); /* the only time it is seen */
    return err;
}

/* ---- the commands ---- */

int cmd_merchant(const struct cli_args *args) {
    bool on_one = strcmp(args->args[0], "new") != 0 && strcmp(args->args[0], "list") != 0;
    if (on_one != (args->count == 2))
        return cli_fail(args, CLI_USAGE,
                        on_one ? "MERCHANT is missing; `luwak merchant list` shows them"
                               : "%s takes no MERCHANT",
                        args->args[0]);
    return work_run(args, run_merchant);
}

int cmd_key(const struct cli_args *args) {
    bool revoke = strcmp(args->args[0], "revoke") == 0;
    if (args->count != (revoke ? 3u : 2u))
        return cli_fail(args, CLI_USAGE, "expected luwak key %s MERCHANT%s", args->args[0],
                        revoke ? " KEY" : "");
    return work_run(args, run_key);
}
