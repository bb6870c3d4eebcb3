/* luwak person: what is known of a person, and its end; luwak account: the accounts at providers,
 * sealed. */
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "base/timefmt.h"
#include "cli/cmd_work.h"
#include "cli/declared_keys.h"
#include "core/person.h"
#include "engine.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- persons ---- */

static void put_time(struct json_out *w, const char *key, const struct rows *rows, size_t column) {
    struct buf text = {0};
    if (rows_null(rows, 0, column) ||
        time_format(rows_int(rows, 0, column), STR("rfc3339"), ZONE_WIB, &text) != 0) {
        json_key(w, key);
        json_null(w);
    } else {
        json_put_str(w, key, buf_str(&text));
    }
    buf_free(&text);
}

/* All that names the person, as one JSON object: a copy for who asks for it. */
static int export_person(struct work *w, struct why *why) {
    struct buf data = {.secret = true}, text = {.secret = true}, options = {.secret = true};
    struct json_out out;
    struct rows *person = NULL;
    int err = work_query(w, "person_get", VALS(V_TEXT(w->id)), why);
    person = w->rows;
    w->rows = NULL;
    if (err == 0 && rows_count(person) == 0)
        err = why_set(why, E_NOTFOUND, "there is no person %s", w->id);
    bool erased = err == 0 && rows_null(person, 0, 2);
    if (err == 0 && !erased &&
        ((err = person_open(w->core, str_of(w->id), &data)) != 0 ||
         (err = person_open_options(w->core, str_of(w->id), &options)) != 0))
        why_set(why, err, "%s cannot be opened: %s; was it sealed under another LUWAK_DATA_KEY?",
                w->id, err_text(err));
    if (err == 0) err = work_query(w, "payments_of_person", VALS(V_TEXT(w->id)), why);
    if (err == 0) {
        json_out_init(&out, &text);
        json_begin_object(&out);
        json_put_text(&out, "id", w->id);
        json_put_str(&out, "merchant", rows_text(person, 0, 1));
        put_time(&out, "created_at", person, 4);
        put_time(&out, "erased_at", person, 5);
        json_key(&out, "customer");
        if (erased)
            json_null(&out);
        else
            json_raw(&out, buf_str(&data));
        json_key(&out, "options");
        if (erased)
            json_null(&out);
        else
            json_raw(&out, buf_str(&options));
        json_key(&out, "payments");
        json_begin_array(&out);
        for (size_t i = 0; i < rows_count(w->rows); i++)
            json_str(&out, rows_text(w->rows, i, 0));
        json_end_array(&out);
        json_end_object(&out);
        if ((err = json_out_end(&out)) != 0) why_set(why, err, "%s", err_text(err));
    }
    if (err == 0) printf("%.*s\n", STR_FMT(buf_str(&text)));
    buf_free(&options);
    buf_free(&data);
    buf_free(&text);
    rows_free(person);
    return err;
}

static int build_export(struct work *w, struct commit *c, struct why *why) {
    (void)w, (void)c, (void)why; /* only the audit line: who looked */
    return 0;
}

static int build_erase(struct work *w, struct commit *c, struct why *why) {
    struct rows *rows = NULL;
    int err = store_get(w->core->store, "person_get", VALS(V_TEXT(w->id)), &rows);
    if (err == 0 && rows_count(rows) == 0)
        err = why_set(why, E_NOTFOUND, "there is no person %s", w->id);
    else if (err == 0 && rows_null(rows, 0, 2))
        err = why_set(why, E_STATE, "%s is erased already", w->id);
    rows_free(rows);
    if (err == 0) person_add_erase(w->core, c, str_of(w->id));
    return err;
}

static int run_person(struct work *w, struct why *why) {
    bool erase = strcmp(w->args->args[0], "erase") == 0;
    if (!erase) {
        int err = export_person(w, why);
        return err != 0 ? err : work_change(w, build_export, "person.export", why);
    }
    int err = work_change(w, build_erase, "person.erase", why);
    if (err == 0) printf("%s: erased\n", w->id);
    return err;
}

int cmd_person(const struct cli_args *args) {
    return work_run(args, run_person);
}

/* ---- provider accounts ---- */

enum { CONFIG_MAX = 64 * 1024 };

static int read_config(struct buf *out, struct why *why) {
    char piece[4096];
    struct json_doc doc;
    for (size_t n; (n = fread(piece, 1, sizeof piece, stdin)) > 0 && out->len < CONFIG_MAX;)
        buf_add(out, piece, n);
    mem_wipe(piece, sizeof piece);
    if (ferror(stdin)) return why_set(why, E_IO, "standard input cannot be read");
    if (out->err != 0) return why_set(why, out->err, "%s", err_text(out->err));
    if (out->len >= CONFIG_MAX) return why_set(why, E_LIMIT, "the account's keys: too long");
    if (json_parse(&doc, buf_str(out), NULL, NULL) != 0)
        return why_set(why, E_USAGE,
                       "standard input: a JSON object is expected, {\"NAME\":\"value\"}");
    bool object = doc.root->type == JT_OBJECT && doc.root->first != NULL;
    for (const struct json *v = doc.root->first; object && v != NULL; v = v->next)
        object = v->type == JT_STRING;
    json_doc_free(&doc);
    return object ? 0
                  : why_set(why, E_USAGE,
                            "standard input: a JSON object of texts is expected, "
                            "{\"NAME\":\"value\"}");
}

/* A name that was given, the provider's (first) or a key's, and what the scripts know of it. */
struct given {
    bool known;
    struct nearest near;
    char best[80]; /* the names live no longer than their version */
};
struct given_names {
    const char *provider;
    struct given *at;
    size_t count;
};

static void compare(struct given *g, const char *name) {
    size_t before = g->near.distance;
    g->known = g->known || str_eq(g->near.word, str_of(name));
    nearest_try(&g->near, str_of(name));
    if (g->near.distance < before) snprintf(g->best, sizeof g->best, "%s", name);
}

static void compare_declared(void *data, const char *provider, const char *key) {
    const struct given_names *names = data;
    if (key == NULL) compare(&names->at[0], provider);
    for (size_t i = 1; key != NULL && i < names->count; i++)
        if (strcmp(provider, names->provider) == 0) compare(&names->at[i], key);
}

static int refuse_unknown(const struct given_names *names, struct why *why) {
    for (size_t i = 0; i < names->count; i++) {
        const struct given *g = &names->at[i];
        struct str word = str_sub(g->near.word, 0, g->near.word.n < 80 ? g->near.word.n : 80);
        bool hint = g->best[0] != '\0';
        if (g->known) continue;
        const char *ask = hint ? "; did you mean " : "", *end = hint ? "?" : "";
        if (i == 0)
            return why_set(why, E_USAGE, "no script is of the provider %.*s%s%s%s", STR_FMT(word),
                           ask, g->best, end);
        return why_set(why, E_USAGE, "no script of %s has a key %.*s%s%s%s", names->provider,
                       STR_FMT(word), ask, g->best, end);
    }
    return 0;
}

/* A key that no script asks for would be kept all the same, miss where it was meant for another, and
 * take the place of those that were given before. */
static int check_names(const struct work *w, struct str config, struct why *why) {
    struct json_doc doc;
    int err = json_parse(&doc, config, NULL, NULL);
    if (err != 0) return err;
    struct given_names names = {w->id, mem_array(doc.root->count + 1, sizeof *names.at), 1};
    if (names.at == NULL) err = E_NOMEM;
    if (err == 0) {
        names.at[0] = (struct given){0};
        nearest_init(&names.at[0].near, str_of(w->id));
        for (const struct json *v = doc.root->first; v != NULL; v = v->next) {
            names.at[names.count] = (struct given){0};
            nearest_init(&names.at[names.count++].near, v->key);
        }
        err = declared_keys(w->engine->root, compare_declared, &names);
    }
    if (err != 0)
        why_set(why, err, "the scripts cannot be read: %s", err_text(err));
    else
        err = refuse_unknown(&names, why);
    mem_free(names.at);
    json_doc_free(&doc);
    return err;
}

static struct buf account_config; /* between reading it and the change that may be built anew */

static int build_account(struct work *w, struct commit *c, struct why *why) {
    const char *merchant = cli_option(w->args, "merchant");
    struct rows *rows = NULL;
    int err = 0;
    if (merchant == NULL)
        return why_set(why, E_USAGE,
                       "--merchant is missing: the shared account's keys are configuration, e.g. "
                       "MIDTRANS_SERVER_KEY in the environment");
    err = store_get(w->core->store, "merchant_get", VALS(V_TEXT(merchant)), &rows);
    if (err == 0 && rows_count(rows) == 0)
        err = why_set(why, E_NOTFOUND, "there is no merchant %s", merchant);
    rows_free(rows);
    if (err == 0) err = check_names(w, buf_str(&account_config), why);
    if (err != 0) return err;
    snprintf(w->made, sizeof w->made, "%s/%s", w->id, merchant);
    return account_put(w->core, c, str_of(w->id), str_of(merchant),
                       str_of(config_text(w->config, SET_LUWAK_ENV)), buf_str(&account_config),
                       why);
}

static int list_accounts(struct work *w, struct why *why) {
    int err = work_query(w, "accounts", NULL, 0, why);
    for (size_t i = 0; err == 0 && i < rows_count(w->rows); i++) {
        struct buf at = {0};
        if (time_format(rows_int(w->rows, i, 4), STR("rfc3339"), ZONE_WIB, &at) == 0)
            printf("%.*s  %.*s  %.*s\n", STR_FMT(rows_text(w->rows, i, 0)),
                   STR_FMT(rows_text(w->rows, i, 3)), STR_FMT(buf_str(&at)));
        buf_free(&at);
    }
    return err;
}

static int run_account(struct work *w, struct why *why) {
    if (strcmp(w->args->args[0], "list") == 0) return list_accounts(w, why);
    account_config = (struct buf){0};
    int err = read_config(&account_config, why);
    if (err == 0) err = work_change(w, build_account, "account.put", why);
    if (account_config.data != NULL) mem_wipe(account_config.data, account_config.len);
    buf_free(&account_config);
    if (err == 0) printf("%s\n", w->made);
    return err;
}

static bool is_provider(const char *name) {
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return islower((unsigned char)name[0]) && name[n] == '\0' && n <= 32;
}

int cmd_account(const struct cli_args *args) {
    bool list = strcmp(args->args[0], "list") == 0;
    if (list != (args->count == 1))
        return cli_fail(args, CLI_USAGE,
                        list ? "list takes no PROVIDER" : "PROVIDER is missing: whose account?");
    if (!list && !is_provider(args->args[1]))
        return cli_fail(args, CLI_USAGE, "%s is no provider's name, e.g. midtrans", args->args[1]);
    return work_run(args, run_account);
}
